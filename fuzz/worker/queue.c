/* Logs of a ledger node that lies about a cluster's queue: whatever they are, entries are taken in
 * order, none twice, and the hash moves on with each. */
#include "base/mem.h"
#include "base/reader.h"
#include "client/chain_client.h"
#include "worker/contract/view.h"

#define ENTRIES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* u8 topics, 32 bytes each, u16 bytes of data, data. */
static bool next_log(struct chain_log *log, struct reader *r)
{
    uint8_t n = reader_u8(r);

    *log = (struct chain_log){.n_topics = n % 5};
    for (size_t i = 0; i < log->n_topics; i++)
        reader_copy(r, log->topics[i].b, sizeof(log->topics[i].b));
    log->data = reader_take(r, reader_u16be(r));
    return reader_ok(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_init(bytes_of(data, size));
    struct queue_entry entries[ENTRIES];
    struct entry_sink s = {.entries = entries, .first = 1, .end = 1 + ENTRIES, .next = 1};
    struct chain_log log;

    while (s.next < s.end && next_log(&log, &r)) {
        const struct hash32 before = s.hash;
        uint64_t next = s.next;
        enum rc rc = view_take_entry(&s, &log, NULL);

        CHECK(s.next == next || (rc == RC_OK && s.next == next + 1));
        CHECK((s.next != next) == !hash32_eq(&before, &s.hash));
        if (s.next != next)
            CHECK(entries[next - 1].index == next);
        if (rc != RC_OK)
            break;
    }
    return 0;
}
