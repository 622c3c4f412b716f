/* results.json of a hostile validator: what passes is within its bounds. */
#include "worker/proof/results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct results r;

    if (results_parse(&r, bytes_of(data, size), NULL) != RC_OK)
        return 0;
    CHECK(r.score <= RESULTS_SCALE && r.quality <= RESULTS_SCALE && r.uniqueness <= RESULTS_SCALE &&
          r.ownership <= RESULTS_SCALE && r.authenticity <= RESULTS_SCALE);
    CHECK(json_is_object(r.metadata) && json_is_object(r.attributes));
    results_clear(&r);
    return 0;
}
