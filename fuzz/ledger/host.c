/* A guest that makes the host calls the input names, with the arguments it gives: the host must
 * survive, keep all coin, and say the same twice. Input: a script in tests/ledger/guest.h's form.
 */
#include "../../tests/ledger/guest.h"
#include "base/mem.h"
#include "ledger/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define GAS 400000u

static enum rc no_state(void *data, struct bytes key, struct arena *out, struct bytes *value,
                        struct err *e)
{
    (void)data, (void)key, (void)out, (void)e;
    *value = bytes_of(NULL, 0);
    return RC_OK;
}

static const struct block_env env = {
    .height = 9, .time_s = 1700000000, .chain_id = 5, .gas_limit = 30000000};

/* Two contracts, at 0x…a1 and 0x…a2, the first with coin and open to be entered again. */
static void setup(struct executor *x, struct journal *j)
{
    static const uint8_t marked[][4] = {{HOST_CALL, 0, 0, 0}, {HOST_STORAGE_SET, 0, 0, 0}};

    for (uint8_t i = 0; i < 2; i++) {
        AUTO_CLEAR(buf) struct buf elf = {0};
        struct address a = {{[19] = (uint8_t)(0xa1 + i)}};
        struct account acc = {.nonce = 1, .balance = u256_from_u64(1000u * (1u - i))};

        guest_elf(&elf, i + 1u, marked, i == 0 ? 2 : 0);
        CHECK(ledger_put_code(x, j, buf_bytes(&elf), &acc.code_hash, NULL) == RC_OK);
        CHECK(journal_set_account(j, &a, &acc, NULL) == RC_OK);
    }
}

static void run(struct executor *x, struct bytes script, struct arena *mem, struct exec_result *r,
                struct hash32 *digest)
{
    struct journal j;
    struct ledger_tx t = {0};
    struct state_changes c;
    struct u256 plus, minus;
    struct receipt receipt = {0};

    journal_init(&j, (struct state_source){.get = no_state});
    setup(x, &j);
    t.tx.to = (struct address){{[19] = 0xa1}};
    t.tx.data = script;
    t.tx.gas_limit = GAS + ledger_intrinsic_gas(&t);
    CHECK(ledger_call(x, &j, &env, &t, mem, r, NULL) == RC_OK);
    CHECK(r->gas_used <= t.tx.gas_limit && r->gas_used >= ledger_intrinsic_gas(&t));
    c = journal_changes(&j, mem);
    CHECK(ledger_supply_delta(&c, &plus, &minus, NULL) == RC_OK);
    CHECK(u256_is_zero(&minus) && plus.w[0] == 1000);
    receipt.code = (uint32_t)r->code;
    receipt.gas_used = r->gas_used;
    receipt.logs = j.logs;
    receipt.n_logs = r->n_logs;
    receipt.output = r->output;
    receipt_digest(digest, &receipt);
    journal_clear(&j);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct executor *x; /* as a node keeps it: what ran before must not matter */
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct exec_result a, b;
    struct hash32 da, db;

    if (n > 16384)
        return 0;
    if (x == NULL)
        x = executor_new(NULL);
    run(x, bytes_of(p, n), &mem, &a, &da);
    run(x, bytes_of(p, n), &mem, &b, &db);
    CHECK(hash32_eq(&da, &db));
    return 0;
}
