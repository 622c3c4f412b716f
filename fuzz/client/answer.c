/* What a ledger's node answers, by the first byte: one call, a batch of three, a receipt, logs. */
#include "client/internal/answer.h"

#include "base/mem.h"
#include "codec/json.h"

#define N_CALLS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one(const json_t *v)
{
    AUTO_CLEAR(buf) struct buf more = {0};
    json_t *result = NULL;
    struct err e;
    enum rc rc = answer_result(&result, v, "http://node", "eth_call", &more, &e);

    CHECK((rc == RC_OK) == (result != NULL));
    json_decref(result);
}

static void batch(const json_t *v)
{
    struct chain_request list[N_CALLS] = {{.method = "a"}, {.method = "b"}, {.method = "c"}};

    answer_batch(list, N_CALLS, v, 7, "http://node");
    for (int i = 0; i < N_CALLS; i++) {
        CHECK((list[i].rc == RC_OK) == (list[i].result != NULL));
        chain_request_clear(&list[i]);
    }
}

static void receipt(const json_t *v)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct chain_receipt r = {0};
    const struct address none = {0};
    const struct hash32 topic = {0};
    struct err e;

    if (answer_receipt(&r, &a, v, &e) == RC_OK)
        (void)chain_receipt_find(&r, &none, &topic);
}

static void logs(const json_t *v)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct chain_log *list;
    struct err e;
    size_t n;

    if (answer_logs(&list, &n, &a, v, &e) != RC_OK)
        return;
    CHECK(n == json_array_size(v));
    for (size_t i = 0; i < n; i++)
        CHECK(list[i].n_topics <= ARRAY_LEN(list[i].topics));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(const json_t *) = {one, batch, receipt, logs};
    json_auto_t *v = NULL;

    if (size != 0 && json_parse(&v, bytes_of(data + 1, size - 1), 1u << 20, NULL) == RC_OK)
        kinds[data[0] % ARRAY_LEN(kinds)](v);
    return 0;
}
