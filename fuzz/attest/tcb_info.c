/* Any text as TCB info and as QE identity: levels come out highest first, none twice. */
#include "attest/collateral.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void falling(const struct svn_level *l, size_t n)
{
    for (size_t i = 1; i < n; i++)
        CHECK(l[i - 1].isv_svn > l[i].isv_svn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct tcb_info t;
    struct qe_identity q;

    if (tcb_info_parse(&t, bytes_of(data, size), &a, NULL) == RC_OK) {
        CHECK(t.n_levels >= 1 && (t.tdx || t.n_modules == 0));
        for (size_t i = 1; i < t.n_levels; i++)
            CHECK(memcmp(t.levels[i - 1].sgx, t.levels[i].sgx, 16) >= 0);
        for (size_t i = 0; i < t.n_modules; i++)
            falling(t.modules[i].levels, t.modules[i].n_levels);
    }
    if (qe_identity_parse(&q, bytes_of(data, size), &a, NULL) == RC_OK)
        falling(q.levels, q.n_levels);
    return 0;
}
