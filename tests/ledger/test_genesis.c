#include "base/hex.h"
#include "ledger/genesis.h"
#include "world.h"

#define ADMIN "0x00000000000000000000000000000000000ad314"
#define ONE "0x0000000000000000000000000000000000000011"
#define TWO "0x0000000000000000000000000000000000000012"

static enum rc load_guest(void *data, const char *name, struct bytes *elf, struct err *e)
{
    struct buf *b = data;

    if (strcmp(name, "guest.elf") != 0)
        return err_set(e, RC_NOTFOUND, "no file %s", name);
    *elf = buf_bytes(b);
    return RC_OK;
}

/* Genesis with these init data (hex) and extra members. */
static struct bytes text_of(struct arena *mem, struct bytes init, const char *extra)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    buf_printf(&b,
               "{\"chain_id\": 31337, \"chain_name\": \"test-1\", \"time\": 1700000000, "
               "\"admin\": \"%s\", \"accounts\": [{\"address\": \"%s\", \"balance_wei\": "
               "\"1000\"}], \"validators\": [{\"pub_key\": \"0x%064d\", \"power\": 10}], "
               "\"contracts\": [{\"name\": \"Library\", \"elf\": \"guest.elf\"}, {\"name\": "
               "\"One\", \"address\": \"%s\", \"elf\": \"guest.elf\", \"value_wei\": 30, \"init\": "
               "\"",
               ADMIN, ADMIN, 5, ONE);
    hex_put_0x(&b, init);
    buf_printf(&b, "\"}, {\"name\": \"Two\", \"address\": \"%s\", \"elf\": \"guest.elf\"}]%s}", TWO,
               extra);
    return arena_dup(mem, buf_bytes(&b));
}

struct made {
    struct arena mem;
    struct buf elf;
    struct executor *x;
    struct block_run run;
    struct block_result result;
    struct hash32 hash;
};

static enum rc make(struct made *m, struct bytes init, const char *extra, struct err *e)
{
    struct genesis g;
    struct genesis_loader loader = {load_guest, &m->elf};

    memset(m, 0, sizeof(*m));
    guest_elf(&m->elf, 1, NULL, 0);
    m->x = executor_new(NULL);
    TRY(genesis_parse(&g, text_of(&m->mem, init, extra), &m->mem, e));
    return genesis_apply(&g, loader, m->x, &m->run, &m->mem, &m->hash, &m->result, e);
}

static void unmake(struct made *m)
{
    if (m->run.x != NULL)
        block_run_clear(&m->run);
    executor_free(m->x);
    buf_clear(&m->elf);
    arena_clear(&m->mem);
}

static void init_script(struct buf *out, uint64_t end)
{
    struct script s = script_new(4);

    guest_step(&s.steps, HOST_STORAGE_SET, GUEST_BUF, 1, GUEST_BUF, 1, 0, 0, 0);
    guest_step(&s.steps, HOST_LOG, GUEST_BUF, 1, GUEST_BUF, 5, 0, 0, 0);
    guest_step(&s.steps, end, GUEST_BUF, 2, 0, 0, 0, 0, 0);
    script_done(&s, out);
    script_clear(&s);
}

TEST(state_of_height_0)
{
    AUTO_CLEAR(buf) struct buf init = {0};
    struct made a, b;
    struct account acc;
    struct address one = {{[19] = 0x11}};
    struct state_key k;
    struct bytes v;
    struct u256 plus, minus;
    struct err e;
    size_t n_codes = 0;

    init_script(&init, HOST_RETURN);
    CHECK_OK(make(&a, buf_bytes(&init), "", &e), &e);
    CHECK_OK(make(&b, buf_bytes(&init), "", &e), &e);
    CHECK_MEM(BYTES_OF(&a.hash), BYTES_OF(&b.hash));
    CHECK_MEM(BYTES_OF(&a.result.last_results_hash), BYTES_OF(&b.result.last_results_hash));
    CHECK_INT(a.result.n, 2);
    CHECK_INT(a.result.receipts[0].n_logs, 1);
    CHECK_MEM(BYTES_OF(&a.result.receipts[0].contract), BYTES_OF(&one));
    CHECK_TRUE(!hash32_eq(&a.result.receipts[0].tx_hash, &a.result.receipts[1].tx_hash));
    CHECK_OK(journal_account(&a.run.journal, &one, &acc, &e), &e);
    CHECK_INT(acc.nonce, 1);
    CHECK_INT(acc.balance.w[0], 30);
    k = state_key_storage(&one, bytes_of(init.p, 1));
    CHECK_OK(journal_get(&a.run.journal, state_key_bytes(&k), &v, &e), &e);
    CHECK_INT(v.n, 1);
    CHECK_OK(ledger_supply_delta(&a.result.changes, &plus, &minus, &e), &e);
    CHECK_INT(plus.w[0], 1000);
    CHECK_TRUE(u256_is_zero(&minus));
    for (size_t i = 0; i < a.result.changes.n; i++)
        n_codes += a.result.changes.items[i].key.p[0] == STATE_CODE;
    CHECK_INT(n_codes, 1); /* three contracts, one ELF */
    unmake(&b);
    /* Anything else is another chain. */
    CHECK_OK(make(&b, buf_bytes(&init), ", \"block_gas_limit\": 2000000", &e), &e);
    CHECK_TRUE(!hash32_eq(&a.hash, &b.hash));
    unmake(&b);
    unmake(&a);
}

TEST(calls_run_after_the_contracts)
{
    AUTO_CLEAR(buf) struct buf init = {0};
    struct made m;
    struct err e;

    init_script(&init, HOST_RETURN);
    CHECK_OK(make(&m, buf_bytes(&init),
                  ", \"calls\": [{\"note\": \"pay\", \"to\": \"" ONE "\", \"value_wei\": 5}]", &e),
             &e);
    CHECK_INT(m.result.n, 3);
    CHECK_INT(m.result.receipts[2].code, TX_OK);
    unmake(&m);
    CHECK_RC(make(&m, buf_bytes(&init),
                  ", \"calls\": [{\"note\": \"pay all\", \"to\": \"" ONE
                  "\", \"value_wei\": 5000}]",
                  &e),
             RC_DENIED, &e, "calls pay all: insufficient funds");
    unmake(&m);
}

TEST(what_cannot_begin)
{
    AUTO_CLEAR(buf) struct buf reverts = {0};
    static const struct {
        const char *extra;
        enum rc rc;
        const char *piece;
    } bad[] = {
        {", \"typo\": 1", RC_MALFORMED, "typo"},
        {", \"engine\": \"other\"", RC_UNSUPPORTED, "engine"},
        {", \"block_gas_limit\": 5", RC_RANGE, "block_gas_limit"},
        {", \"calls\": [{\"data\": \"0x\"}]", RC_NOTFOUND, "to"},
        {", \"calls\": [{\"to\": \"0x12\"}]", RC_MALFORMED, "to"},
        {", \"profile\": \"mainnet\"", RC_UNSUPPORTED, "profile"},
    };
    struct made m;
    struct genesis g;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_RC(make(&m, bytes_of(NULL, 0), bad[i].extra, &e), bad[i].rc, &e, bad[i].piece);
        unmake(&m);
    }
    init_script(&reverts, HOST_REVERT);
    CHECK_RC(make(&m, buf_bytes(&reverts), "", &e), RC_DENIED, &e,
             "contract One: execution reverted 0x1100");
    unmake(&m);
    memset(&m, 0, sizeof(m));
    CHECK_RC(genesis_parse(&g, bytes_str("[]"), &m.mem, &e), RC_MALFORMED, &e, "not an object");
    CHECK_RC(genesis_parse(&g, bytes_str("{}"), &m.mem, &e), RC_NOTFOUND, &e, "chain_id");
    arena_clear(&m.mem);
}
