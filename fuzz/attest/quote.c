/* Any bytes as a quote: what parses has all its parts inside the input, and parses the same without
 * what trails. */
#include "attest/dcap.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct bytes part, const uint8_t *data, size_t size)
{
    CHECK(part.n == 0 || (part.p >= data && part.n <= size && part.p <= data + size - part.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct quote q, again;
    uint8_t fmspc[6];
    bool platform;

    if (quote_parse(&q, bytes_of(data, size), NULL) == RC_OK) {
        CHECK(q.size + q.trailing == size);
        inside(q.signed_part, data, q.size);
        inside(q.qe_report_bytes, data, q.size);
        inside(q.qe_auth_data, data, q.size);
        inside(q.cert_data, data, q.size);
        CHECK(quote_parse(&again, bytes_of(data, q.size), NULL) == RC_OK);
        again.trailing = q.trailing;
        CHECK(memcmp(&q, &again, sizeof(q)) == 0);
    }
    (void)dcap_quote_platform(fmspc, &platform, bytes_of(data, size), &a, NULL);
    return 0;
}
