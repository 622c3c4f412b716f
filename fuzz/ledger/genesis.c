/* Any bytes as a genesis file: refused with a reason or parsed; what parses has the same hash
 * twice. */
#include "ledger/genesis.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static enum rc no_elf(void *data, const char *name, struct bytes *elf, struct err *e)
{
    (void)data;
    *elf = bytes_of(NULL, 0);
    return err_set(e, RC_NOTFOUND, "no file %s", name);
}

static enum rc apply(const struct genesis *g, struct hash32 *hash)
{
    AUTO_EXECUTOR struct executor *x = executor_new(NULL);
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct block_run run;
    struct block_result result;
    struct err e = {0};
    enum rc rc =
        genesis_apply(g, (struct genesis_loader){no_elf, NULL}, x, &run, &mem, hash, &result, &e);

    CHECK(rc == RC_OK || e.msg[0] != 0);
    block_run_clear(&run);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct genesis g;
    struct hash32 a, b;
    struct err e = {0};

    if (genesis_parse(&g, bytes_of(p, n), &mem, &e) != RC_OK) {
        CHECK(e.msg[0] != 0 && g.chain_name == NULL);
        return 0;
    }
    CHECK(g.chain_id != 0 && g.block_gas_limit != 0);
    CHECK(apply(&g, &a) == apply(&g, &b));
    CHECK(hash32_eq(&a, &b));
    return 0;
}
