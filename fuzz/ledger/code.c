/* Any bytes as deploy data: split within bounds or refused; a refused program never runs. */
#include "ledger/code.h"

#include "base/mem.h"
#include "ledger/executor.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static enum rc no_state(void *data, struct bytes key, struct arena *out, struct bytes *value,
                        struct err *e)
{
    (void)data, (void)key, (void)out, (void)e;
    *value = bytes_of(NULL, 0);
    return RC_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct executor *x;
    static const struct block_env env = {.height = 1, .gas_limit = 10000000};
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct bytes elf, init;
    struct ledger_tx t = {0};
    struct exec_result r;
    struct journal j;
    struct err e = {0};

    if (code_split(bytes_of(p, n), &elf, &init, &e) != RC_OK) {
        CHECK(e.msg[0] != 0 && elf.p == NULL);
        return 0;
    }
    CHECK(elf.p == p && elf.n + init.n == n);
    CHECK(code_reentrant(elf, &mem).n <= CODE_REENTRANT_MAX);
    if (x == NULL)
        x = executor_new(NULL);
    journal_init(&j, (struct state_source){.get = no_state});
    t.tx.is_create = true;
    t.tx.data = bytes_of(p, n);
    CHECK(ledger_call(x, &j, &env, &t, &mem, &r, NULL) == RC_OK);
    CHECK(r.has_contract == (r.code == TX_OK));
    journal_clear(&j);
    return 0;
}
