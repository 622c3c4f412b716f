#include "base/hex.h"
#include "crypto/ed25519.h"
#include "crypto/secp256k1.h"
#include "ledger/executor.h"
#include "ledger/hostcost.h"
#include "world.h"

#define OUT 0x30000u /* where scripts keep results */
#define CALL_GAS 1000000u

/* Steps of a script, then: return n words of OUT. */
#define RET(s, n) guest_step(&(s)->steps, HOST_RETURN, OUT, (n) * 8, 0, 0, 0, 0, 0)
#define STEP(s, ...) guest_step(&(s)->steps, __VA_ARGS__)

static struct exec_result run_script(struct world *w, const struct address *to, struct script *s,
                                     uint64_t gas)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    struct exec_result r;

    script_done(s, &data);
    r = world_call(w, to, buf_bytes(&data), gas);
    script_clear(s);
    world_check_supply(w);
    return r;
}

static int64_t sword(struct bytes out, size_t i)
{
    return (int64_t)word(out, i);
}

TEST(transfer_and_fees)
{
    struct world w;
    struct address bob = who(1), nobody = {{0x77}};
    struct ledger_tx t;
    struct exec_result r;

    world_init(&w);
    t = tx_from(&w, 0, &nobody, bytes_of(NULL, 0), 30000);
    t.tx.value_wei = u256_from_u64(1000);
    r = world_run(&w, &t);
    CHECK_INT(r.code, TX_OK);
    CHECK_INT(r.gas_used, 21000);
    CHECK_INT(r.gas_price_wei.w[0], BASE_FEE + 3);
    CHECK_INT(r.burned_wei.w[0], 21000 * BASE_FEE);
    CHECK_INT(r.tip_wei.w[0], 21000 * 3);
    CHECK_INT(world_balance(&w, &nobody).w[0], 1000);
    CHECK_INT(world_balance(&w, &w.env.proposer).w[0], 21000 * 3);
    CHECK_INT(world_balance(&w, &t.sender).w[0],
              1000000000000000000u - 1000 - 21000 * (BASE_FEE + 3));
    t = tx_from(&w, 0, &t.sender, bytes_str("\1\0\1"), 30000); /* to itself, with data */
    t.tx.value_wei = u256_from_u64(5);
    r = world_run(&w, &t);
    CHECK_INT(r.gas_used, 21000 + 16 + 4 * 0 + 0);
    t = tx_from(&w, 1, &nobody, bytes_of("\1\0\1", 3), 30000);
    t.tx.n_access = 1;
    t.tx.access = &(struct tx_access){.address = bob, .n_keys = 2};
    r = world_run(&w, &t);
    CHECK_INT(r.gas_used, 21000 + 16 + 4 + 16 + 2400 + 2 * 1900);
    world_check_supply(&w);
    world_clear(&w);
}

TEST(what_has_no_place_in_a_block)
{
    struct world w;
    struct address bob = who(1);
    struct ledger_tx ok, t;
    struct exec_result r;
    struct err e;

    world_init(&w);
    ok = tx_from(&w, 0, &bob, bytes_of(NULL, 0), 21000);
#define REFUSED(expected, used)                                                                    \
    do {                                                                                           \
        CHECK_OK(ledger_execute_tx(w.x, &w.journal, &w.env, &t, (used), &w.mem, &r, &e), &e);      \
        CHECK_INT(r.code, (expected));                                                             \
        CHECK_INT(r.gas_used, 0);                                                                  \
        CHECK_TRUE(strstr(r.why, tx_code_text(expected)) == r.why);                                \
    } while (0)
    t = ok;
    t.tx.nonce = 1;
    REFUSED(TX_NONCE_HIGH, 0);
    t = ok;
    t.tx.gas_limit = 20999;
    REFUSED(TX_GAS_TOO_LOW, 0);
    t = ok;
    t.tx.chain_id = 1;
    REFUSED(TX_WRONG_CHAIN, 0);
    t = ok;
    t.tx.max_fee_wei = u256_from_u64(BASE_FEE - 1);
    t.tx.max_priority_wei = U256_ZERO;
    REFUSED(TX_FEE_TOO_LOW, 0);
    t = ok;
    t.tx.max_priority_wei = u256_from_u64(1000);
    REFUSED(TX_TIP_ABOVE_FEE, 0);
    t = ok;
    t.tx.gas_limit = w.env.gas_limit + 1;
    REFUSED(TX_BLOCK_GAS, 0);
    t = ok;
    REFUSED(TX_BLOCK_GAS, w.env.gas_limit - 20999);
    t = ok;
    t.tx.value_wei = u256_from_u64(1000000000000000000u - 210000 + 1);
    REFUSED(TX_NO_FUNDS, 0);
    t = ok;
    t.tx.value_wei = (struct u256){{0, 0, 0, UINT64_MAX}};
    t.tx.max_fee_wei = (struct u256){{0, 0, 0, UINT64_MAX}};
    REFUSED(TX_OVERFLOW, 0);
    t = ok;
    t.decoded = TX_MALFORMED;
    REFUSED(TX_MALFORMED, 0);
    t = ok;
    t.tx.data = bytes_of(&w, LEDGER_TX_DATA_MAX + 1);
    REFUSED(TX_TOO_LARGE, 0);
    t = ok;
    t.sender = world_deploy(&w, 1, NULL, 0);
    t.tx.nonce = 1;
    REFUSED(TX_SENDER_HAS_CODE, 0);
    (void)world_run(&w, &ok);
    t = ok;
    REFUSED(TX_NONCE_LOW, 0);
    CHECK_STR(r.why, "nonce too low: next nonce 1, tx nonce 0");
    world_check_supply(&w);
    world_clear(&w);
}

/* What only a cluster of confidential contracts has is not here, but the question whether this is
 * one. */
TEST(no_cluster_here)
{
    static const unsigned none[] = {HOST_SEND, HOST_RANDOM,    HOST_SIGN,
                                    HOST_HTTP, HOST_CACHE_GET, HOST_CACHE_SET};
    struct world w;
    struct address guest;

    world_init(&w);
    guest = world_deploy(&w, 1, NULL, 0);
    struct script s = script_new(2);

    STEP(&s, HOST_PROFILE, 9, 9, 9, 0, 0, 0, OUT);
    RET(&s, 1);
    struct exec_result r = run_script(&w, &guest, &s, CALL_GAS);

    CHECK_INT(r.code, TX_OK);
    CHECK_INT(word(r.output, 0), 0);
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        s = script_new(1);
        STEP(&s, none[i], OUT, 8, OUT, 8, 0, 0, 0);
        r = run_script(&w, &guest, &s, CALL_GAS);
        CHECK_INT(r.code, TX_TRAPPED);
        CHECK_TRUE(strstr(r.why, "unknown host call") != NULL);
    }
    world_check_supply(&w);
    world_clear(&w);
}

TEST(deploy)
{
    struct world w;
    AUTO_CLEAR(buf) struct buf elf = {0};
    AUTO_CLEAR(buf) struct buf with_init = {0};
    struct script s = script_new(4);
    struct ledger_tx t;
    struct exec_result r;
    struct hash32 code_hash;
    struct account acc;
    uint64_t first_gas;
    struct err e;

    world_init(&w);
    guest_elf(&elf, 3, NULL, 0);
    keccak256(&code_hash, buf_bytes(&elf));
    t = tx_from(&w, 0, NULL, buf_bytes(&elf), 1000000);
    /* The widely published example of CREATE addresses: 0x6ac7…, nonces 0 and 1. */
    CHECK_OK(journal_account(&w.journal, &t.sender, &acc, &e), &e);
    t.sender = (struct address){{0x6a, 0xc7, 0xea, 0x33, 0xf8, 0x83, 0x1e, 0xa9, 0xdc, 0xc5,
                                 0x33, 0x93, 0xaa, 0xa8, 0x8b, 0x25, 0xa7, 0x85, 0xdb, 0xf0}};
    CHECK_OK(journal_set_account(&w.journal, &t.sender, &acc, &e), &e);
    CHECK_OK(ledger_execute_tx(w.x, &w.journal, &w.env, &t, 0, &w.mem, &r, &e), &e);
    CHECK_INT(r.code, TX_OK);
    CHECK_TRUE(r.has_contract);
    CHECK_HEX(BYTES_OF(&r.contract), "cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d");
    first_gas = r.gas_used;
    CHECK_INT(first_gas, ledger_intrinsic_gas(&t) + elf.n * COST_CODE_BYTE / LEDGER_GAS_UNITS);
    CHECK_OK(journal_account(&w.journal, &r.contract, &acc, &e), &e);
    CHECK_INT(acc.nonce, 1);
    CHECK_MEM(BYTES_OF(&acc.code_hash), BYTES_OF(&code_hash));
    t.tx.nonce = 1;
    CHECK_OK(ledger_execute_tx(w.x, &w.journal, &w.env, &t, 0, &w.mem, &r, &e), &e);
    CHECK_HEX(BYTES_OF(&r.contract), "343c43a37d37dff08ae8c4a11544c718abb4fcf8");
    CHECK_INT(r.gas_used, ledger_intrinsic_gas(&t)); /* the code is there already */

    /* What follows the ELF is the first call: here it stores and answers with the coin sent. */
    STEP(&s, HOST_STORAGE_SET, GUEST_BUF, 8, GUEST_BUF, 8, 0, 0, 0);
    STEP(&s, HOST_VALUE, OUT, 0, 0, 0, 0, 0, 0);
    RET(&s, 4);
    buf_put_bytes(&with_init, buf_bytes(&elf));
    script_done(&s, &with_init);
    t = tx_from(&w, 1, NULL, buf_bytes(&with_init), 1000000);
    t.tx.value_wei = u256_from_u64(77);
    r = world_run(&w, &t);
    CHECK_INT(r.code, TX_OK);
    CHECK_INT(r.output.p[31], 77);
    CHECK_INT(world_balance(&w, &r.contract).w[0], 77);
    CHECK_TRUE(r.gas_used > first_gas - elf.n * COST_CODE_BYTE / LEDGER_GAS_UNITS);

    script_clear(&s);
    /* Not programs. */
    t = tx_from(&w, 1, NULL, bytes_str("\x60\x80\x60\x40"), 1000000);
    r = world_run(&w, &t);
    CHECK_INT(r.code, TX_BAD_CODE);
    CHECK_INT(r.gas_used, 1000000);
    CHECK_TRUE(!r.has_contract);
    elf.p[18] = 0x3e; /* x86-64 */
    t = tx_from(&w, 1, NULL, buf_bytes(&elf), 1000000);
    r = world_run(&w, &t);
    CHECK_INT(r.code, TX_BAD_CODE);
    elf.p[18] = 0xf3;
    t = tx_from(&w, 1, NULL, bytes_of(elf.p, elf.n - 1), 1000000);
    r = world_run(&w, &t);
    CHECK_INT(r.code, TX_BAD_CODE);
    /* An init that reverts leaves nothing behind, the fee but. */
    buf_reset(&with_init);
    buf_clear(&elf);
    guest_elf(&elf, 4, NULL, 0);
    buf_put_bytes(&with_init, buf_bytes(&elf));
    s = (struct script){.n_steps = 2};
    STEP(&s, HOST_REVERT, GUEST_BUF, 3, 0, 0, 0, 0, 0);
    script_done(&s, &with_init);
    t = tx_from(&w, 1, NULL, buf_bytes(&with_init), 1000000);
    t.tx.value_wei = u256_from_u64(5);
    r = world_run(&w, &t);
    CHECK_INT(r.code, TX_REVERTED);
    CHECK_INT(r.output.n, 3);
    CHECK_TRUE(!r.has_contract);
    {
        struct hash32 h;
        struct state_key k;
        struct bytes v;

        keccak256(&h, buf_bytes(&elf));
        k = state_key_code(&h);
        CHECK_OK(journal_get(&w.journal, state_key_bytes(&k), &v, &e), &e);
        CHECK_TRUE(v.p == NULL);
    }
    script_clear(&s);
    world_clear(&w);
}

TEST(context_calls)
{
    struct world w;
    struct address c;
    struct script s = script_new(16);
    struct exec_result r;
    struct address alice = who(0);

    world_init(&w);
    c = world_deploy(&w, 1, NULL, 0);
    STEP(&s, HOST_CALLER, OUT, 0, 0, 0, 0, 0, 0);
    STEP(&s, HOST_ORIGIN, OUT + 24, 0, 0, 0, 0, 0, 0);
    STEP(&s, HOST_SELF, OUT + 48, 0, 0, 0, 0, 0, 0);
    STEP(&s, HOST_HEIGHT, 0, 0, 0, 0, 0, 0, OUT + 72);
    STEP(&s, HOST_TIME, 0, 0, 0, 0, 0, 0, OUT + 80);
    STEP(&s, HOST_CHAIN_ID, 0, 0, 0, 0, 0, 0, OUT + 88);
    STEP(&s, HOST_GAS_LEFT, 0, 0, 0, 0, 0, 0, OUT + 96);
    STEP(&s, HOST_IS_STATIC, 0, 0, 0, 0, 0, 0, OUT + 104);
    STEP(&s, HOST_CALLDATA_SIZE, 0, 0, 0, 0, 0, 0, OUT + 112);
    STEP(&s, HOST_CALLDATA_READ, OUT + 200, 8, UINT64_MAX, 0, 0, 0, OUT + 120);
    RET(&s, 16);
    r = run_script(&w, &c, &s, CALL_GAS);
    CHECK_INT(r.code, TX_OK);
    CHECK_MEM(bytes_of(r.output.p, 20), BYTES_OF(&alice));
    CHECK_MEM(bytes_of(r.output.p + 24, 20), BYTES_OF(&alice));
    CHECK_MEM(bytes_of(r.output.p + 48, 20), BYTES_OF(&c));
    CHECK_INT(word(r.output, 9), 5);
    CHECK_INT(word(r.output, 10), 1700000000);
    CHECK_INT(word(r.output, 11), 1337);
    CHECK_TRUE(word(r.output, 12) > 900000 && word(r.output, 12) < CALL_GAS - 21000);
    CHECK_INT(word(r.output, 13), 0);
    CHECK_INT(word(r.output, 14), 17 * 64);
    CHECK_INT(word(r.output, 15), 17 * 64 - 8);
    world_clear(&w);
}

/* Gas of one more storage call, in units, against a script without it. */
static uint64_t gas_of(struct world *w, const struct address *c, uint64_t n_key, uint64_t n_value,
                       uint8_t fill)
{
    uint64_t used[2];

    for (int with = 0; with < 2; with++) {
        struct script s = script_new(2);
        uint8_t value[300];
        struct exec_result r;
        uint64_t at, key;

        memset(value, fill, sizeof(value));
        key = script_data(&s, bytes_str("kkkkkkkkkkkkkkkkkkkk"));
        at = script_data(&s, BYTES_OF(&value));
        STEP(&s, with ? HOST_STORAGE_SET : HOST_HEIGHT, key, n_key, at, n_value, 0, 0, OUT);
        RET(&s, 1);
        r = run_script(w, c, &s, CALL_GAS);
        CHECK_INT(r.code, TX_OK);
        if (with)
            CHECK_INT(sword(r.output, 0), 0);
        /* calldata differs in the step's number alone: both are one non-zero byte */
        used[with] = r.gas_used;
    }
    return (used[1] - used[0]) * LEDGER_GAS_UNITS;
}

TEST(storage_and_its_price)
{
    struct world w;
    struct address c;
    struct script s = script_new(12);
    struct exec_result r;
    uint64_t key;

    world_init(&w);
    c = world_deploy(&w, 1, NULL, 0);
    CHECK_INT(gas_of(&w, &c, 4, 100, 1), COST_SET_NEW + COST_SET_STORED_BYTE * 104);
    CHECK_INT(gas_of(&w, &c, 4, 100, 1), COST_SET_SAME);
    CHECK_INT(gas_of(&w, &c, 4, 100, 2), COST_SET_CHANGE + COST_SET_WRITTEN_BYTE * 100);
    CHECK_INT(gas_of(&w, &c, 4, 140, 2),
              COST_SET_CHANGE + COST_SET_WRITTEN_BYTE * 140 + COST_SET_STORED_BYTE * 40);
    CHECK_INT(gas_of(&w, &c, 4, 40, 2), COST_SET_CHANGE + COST_SET_WRITTEN_BYTE * 40);
    CHECK_INT(gas_of(&w, &c, 4, 0, 2), COST_SET_DELETE);
    CHECK_INT(gas_of(&w, &c, 4, 0, 2), COST_SET_SAME);

    key = script_data(&s, bytes_str("abcdefgh"));
    STEP(&s, HOST_STORAGE_GET, key, 3, 0, 0, 0, 0, OUT);
    STEP(&s, HOST_STORAGE_SET, key, 3, key, 8, 0, 0, OUT + 8);
    STEP(&s, HOST_STORAGE_GET, key, 3, OUT + 40, 5, 0, 0, OUT + 16);
    STEP(&s, HOST_STORAGE_GET, key, 0, 0, 0, 0, 0, OUT + 24);
    STEP(&s, HOST_STORAGE_GET, key, STATE_STORAGE_KEY_MAX + 1, 0, 0, 0, 0, OUT + 32);
    STEP(&s, HOST_STORAGE_SET, key, 3, key, STATE_VALUE_MAX + 1, 0, 0, OUT + 48);
    STEP(&s, HOST_STORAGE_GET, key, 4, 0, 0, 0, 0, OUT + 56);
    RET(&s, 8);
    r = run_script(&w, &c, &s, CALL_GAS);
    CHECK_INT(r.code, TX_OK);
    CHECK_INT(sword(r.output, 0), -HOST_ENOTFOUND);
    CHECK_INT(sword(r.output, 1), 0);
    CHECK_INT(sword(r.output, 2), 8);
    CHECK_INT(sword(r.output, 3), -HOST_EINVAL);
    CHECK_INT(sword(r.output, 4), -HOST_EINVAL);
    CHECK_MEM(bytes_of(r.output.p + 40, 8), bytes_of("abcde\0\0\0", 8));
    CHECK_INT(sword(r.output, 6), -HOST_ELIMIT);
    CHECK_INT(sword(r.output, 7), -HOST_ENOTFOUND);
    world_clear(&w);
}

TEST(failures_take_the_fee_and_nothing_else)
{
    static const struct {
        uint64_t number, a0, a1;
        enum tx_code code;
    } ends[] = {
        {HOST_REVERT, GUEST_BUF, 4, TX_REVERTED},
        {GUEST_SPIN, 0, 0, TX_OUT_OF_GAS},
        {GUEST_ILLEGAL, 0, 0, TX_TRAPPED},
        {HOST_CALLER, 16, 0, TX_TRAPPED},         /* page 0 */
        {HOST_CALLER, GUEST_TEXT, 0, TX_TRAPPED}, /* read-only */
        {HOST_RETURN, GUEST_BUF, UINT64_MAX, TX_OUT_OF_GAS},
        {HOST_RETURN, GUEST_BUF, GUEST_MEMORY, TX_TRAPPED},
        {HOST_RETURN, GUEST_BUF, LEDGER_OUTPUT_MAX + 1, TX_TRAPPED},
        {HOST_INPUT_SIZE, 0, 0, TX_TRAPPED}, /* a validator's call */
        {12345, 0, 0, TX_TRAPPED},
        {HOST_KECCAK256, GUEST_BUF, UINT64_MAX - 5, TX_OUT_OF_GAS},
    };
    struct world w;
    struct address c;
    struct ledger_tx t;

    world_init(&w);
    c = world_deploy(&w, 1, NULL, 0);
    t = tx_from(&w, 0, &c, bytes_of(NULL, 0), 50000); /* coin for it to give away */
    t.tx.value_wei = u256_from_u64(1000);
    CHECK_INT(world_run(&w, &t).code, TX_OK);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct script s = script_new(4);
        struct address to = who(3);
        struct u256 before = world_balance(&w, &to), after;
        struct exec_result r;
        uint64_t key = script_data(&s, BYTES_OF(&to)), amount;
        uint8_t be[32] = {0};

        be[31] = 9;
        amount = script_data(&s, BYTES_OF(&be));
        STEP(&s, HOST_STORAGE_SET, key, 8, key, 8, 0, 0, 0);
        STEP(&s, HOST_LOG, key, 0, key, 8, 0, 0, 0);
        STEP(&s, HOST_TRANSFER, key, amount, 0, 0, 0, 0, 0);
        STEP(&s, ends[i].number, ends[i].a0, ends[i].a1, 0, 0, 0, 0, 0);
        r = run_script(&w, &c, &s, 300000);
        CHECK_INT(r.code, ends[i].code);
        CHECK_INT(r.n_logs, 0);
        if (ends[i].code == TX_REVERTED) {
            CHECK_TRUE(r.gas_used < 300000);
            CHECK_INT(r.output.n, 4);
        } else {
            CHECK_INT(r.gas_used, 300000);
            CHECK_TRUE(r.why[0] != 0);
        }
        after = world_balance(&w, &to);
        CHECK_MEM(BYTES_OF(&after), BYTES_OF(&before));
    }
    world_clear(&w);
}

/* HOST_CALL of `to` with another script as calldata, result at dst. */
static void call_step(struct script *s, const struct address *to, struct bytes data,
                      uint64_t value_ptr, uint64_t flags, uint64_t dst)
{
    uint64_t at = script_data(s, BYTES_OF(to));
    uint64_t input = script_data(s, data);

    STEP(s, HOST_CALL, at, input, data.n, value_ptr, flags, 0, dst);
}

TEST(nested_calls)
{
    struct world w;
    struct address a, b, nobody = {{0x66}};
    AUTO_CLEAR(buf) struct buf good = {0};
    AUTO_CLEAR(buf) struct buf reverts = {0};
    AUTO_CLEAR(buf) struct buf spins = {0};
    struct script s, in;
    struct exec_result r;
    struct ledger_tx t;
    uint64_t value;
    uint8_t be[32] = {0};

    world_init(&w);
    a = world_deploy(&w, 1, NULL, 0);
    b = world_deploy(&w, 2, NULL, 0);
    in = script_new(5);
    STEP(&in, HOST_STORAGE_SET, GUEST_BUF, 1, GUEST_BUF, 1, 0, 0, 0);
    STEP(&in, HOST_CALLER, OUT, 0, 0, 0, 0, 0, 0);
    STEP(&in, HOST_VALUE, OUT + 24, 0, 0, 0, 0, 0, 0);
    STEP(&in, HOST_LOG, OUT, 1, OUT, 24, 0, 0, 0);
    RET(&in, 7);
    script_done(&in, &good);
    script_clear(&in);
    in = script_new(3);
    STEP(&in, HOST_STORAGE_SET, GUEST_BUF, 2, GUEST_BUF, 1, 0, 0, 0);
    STEP(&in, HOST_LOG, OUT, 0, OUT, 24, 0, 0, 0);
    STEP(&in, HOST_REVERT, GUEST_BUF, 8, 0, 0, 0, 0, 0);
    script_done(&in, &reverts);
    script_clear(&in);
    in = script_new(1);
    STEP(&in, GUEST_SPIN, 0, 0, 0, 0, 0, 0, 0);
    script_done(&in, &spins);
    script_clear(&in);

    s = script_new(16);
    be[31] = 40;
    value = script_data(&s, BYTES_OF(&be));
    call_step(&s, &b, buf_bytes(&good), value, 0, OUT);
    STEP(&s, HOST_RETURNDATA_SIZE, 0, 0, 0, 0, 0, 0, OUT + 8);
    STEP(&s, HOST_RETURNDATA_READ, OUT + 64, 0, 100, 0, 0, 0, OUT + 16);
    call_step(&s, &b, buf_bytes(&reverts), value, 0, OUT + 24);
    STEP(&s, HOST_RETURNDATA_SIZE, 0, 0, 0, 0, 0, 0, OUT + 32);
    call_step(&s, &nobody, bytes_str("hello"), 0, 0, OUT + 40);
    STEP(&s, HOST_GAS_LEFT, 0, 0, 0, 0, 0, 0, OUT + 160);
    call_step(&s, &b, buf_bytes(&spins), 0, 0, OUT + 48);
    STEP(&s, HOST_GAS_LEFT, 0, 0, 0, 0, 0, 0, OUT + 168);
    be[31] = 61;
    value = script_data(&s, BYTES_OF(&be));
    RET(&s, 22);
    {
        AUTO_CLEAR(buf) struct buf data = {0};

        script_done(&s, &data);
        script_clear(&s);
        t = tx_from(&w, 0, &a, buf_bytes(&data), 3000000);
        t.tx.value_wei = u256_from_u64(100);
        r = world_run(&w, &t);
    }
    CHECK_INT(r.code, TX_OK);
    CHECK_INT(sword(r.output, 0), 0);
    CHECK_INT(sword(r.output, 1), 56);
    CHECK_INT(sword(r.output, 2), 56);
    CHECK_INT(sword(r.output, 3), -HOST_EREVERTED);
    CHECK_INT(sword(r.output, 4), 8);
    CHECK_INT(sword(r.output, 5), 0); /* no code: a payment of nothing */
    CHECK_INT(sword(r.output, 6), -HOST_ETRAPPED);
    CHECK_MEM(bytes_of(r.output.p + 64, 20), BYTES_OF(&a));
    CHECK_INT(r.output.p[64 + 24 + 31], 40);
    /* 63/64 went down and were lost. */
    CHECK_TRUE(word(r.output, 21) < word(r.output, 20) / 64 &&
               word(r.output, 21) > word(r.output, 20) / 64 - 1200);
    CHECK_INT(r.n_logs, 1);
    CHECK_MEM(BYTES_OF(&r.logs[0].address), BYTES_OF(&b));
    CHECK_INT(r.logs[0].n_topics, 1);
    CHECK_INT(world_balance(&w, &a).w[0], 60);
    CHECK_INT(world_balance(&w, &b).w[0], 40);

    /* More coin than it has; unknown flags. */
    s = script_new(4);
    be[31] = 61;
    value = script_data(&s, BYTES_OF(&be));
    call_step(&s, &b, buf_bytes(&good), value, 0, OUT);
    call_step(&s, &b, buf_bytes(&good), 0, 2, OUT + 8);
    RET(&s, 2);
    r = run_script(&w, &a, &s, CALL_GAS);
    CHECK_INT(sword(r.output, 0), -HOST_EBALANCE);
    CHECK_INT(sword(r.output, 1), -HOST_EINVAL);
    world_clear(&w);
}

TEST(view_calls_change_nothing_at_any_depth)
{
    struct world w;
    struct address a, b, c;
    AUTO_CLEAR(buf) struct buf inner = {0};
    AUTO_CLEAR(buf) struct buf middle = {0};
    struct script s;
    struct exec_result r;
    struct hash32 code_hash;
    struct account acc;
    struct err e;

    world_init(&w);
    a = world_deploy(&w, 1, NULL, 0);
    b = world_deploy(&w, 2, NULL, 0);
    c = world_deploy(&w, 3, NULL, 0);
    CHECK_OK(journal_account(&w.journal, &c, &acc, &e), &e);
    code_hash = acc.code_hash;
    s = script_new(10);
    {
        uint64_t addr = script_data(&s, BYTES_OF(&a)), hash = script_data(&s, BYTES_OF(&code_hash));
        uint8_t be[32] = {0};
        uint64_t one;

        be[31] = 1;
        one = script_data(&s, BYTES_OF(&be));
        STEP(&s, HOST_IS_STATIC, 0, 0, 0, 0, 0, 0, OUT);
        STEP(&s, HOST_STORAGE_SET, addr, 1, addr, 1, 0, 0, OUT + 8);
        STEP(&s, HOST_TRANSFER, addr, one, 0, 0, 0, 0, OUT + 16);
        STEP(&s, HOST_LOG, addr, 0, addr, 1, 0, 0, OUT + 24);
        STEP(&s, HOST_DEPLOY, hash, 0, 0, 0, 0, OUT + 100, OUT + 32);
        STEP(&s, HOST_SET_CODE, hash, 0, 0, 0, 0, 0, OUT + 40);
        STEP(&s, HOST_CALL, addr, addr, 0, one, 0, 0, OUT + 48);
        RET(&s, 7);
    }
    script_done(&s, &inner);
    script_clear(&s);
    s = script_new(4); /* b calls c plainly and passes on what c saw */
    call_step(&s, &c, buf_bytes(&inner), 0, 0, OUT + 64);
    STEP(&s, HOST_RETURNDATA_READ, OUT, 0, 56, 0, 0, 0, 0);
    RET(&s, 9);
    script_done(&s, &middle);
    script_clear(&s);
    s = script_new(4);
    call_step(&s, &b, buf_bytes(&middle), 0, HOST_CALL_STATIC, OUT + 72);
    STEP(&s, HOST_RETURNDATA_READ, OUT, 0, 72, 0, 0, 0, 0);
    RET(&s, 10);
    r = run_script(&w, &a, &s, CALL_GAS);
    CHECK_INT(r.code, TX_OK);
    CHECK_INT(sword(r.output, 8), 0);
    CHECK_INT(sword(r.output, 9), 0);
    CHECK_INT(word(r.output, 0), 1);
    for (size_t i = 1; i < 7; i++)
        CHECK_INT(sword(r.output, i), -HOST_ESTATIC);
    world_clear(&w);
}

TEST(reentrancy_and_depth)
{
    struct world w;
    struct address plain, b, open;
    /* Scripts begin with a call step, so their selector is HOST_CALL as u64le. */
    static const uint8_t marked[2][4] = {{9, 9, 9, 9}, {HOST_CALL, 0, 0, 0}};
    AUTO_CLEAR(buf) struct buf back = {0};
    struct script s;
    struct exec_result r;

    world_init(&w);
    plain = world_deploy(&w, 1, NULL, 0);
    b = world_deploy(&w, 2, NULL, 0);
    open = world_deploy(&w, 3, marked, 2);
    s = script_new(3); /* b calls back */
    call_step(&s, &plain, bytes_str("anything"), 0, 0, OUT);
    RET(&s, 1);
    script_done(&s, &back);
    script_clear(&s);
    s = script_new(4);
    call_step(&s, &b, buf_bytes(&back), 0, 0, OUT);
    STEP(&s, HOST_RETURNDATA_READ, OUT + 8, 0, 8, 0, 0, 0, 0);
    call_step(&s, &plain, bytes_str("anything"), 0, HOST_CALL_STATIC, OUT + 16);
    RET(&s, 3);
    r = run_script(&w, &plain, &s, CALL_GAS);
    CHECK_INT(sword(r.output, 0), 0);
    CHECK_INT(sword(r.output, 1), -HOST_EREENTRANT);
    CHECK_INT(sword(r.output, 2), -HOST_EREENTRANT);

    /* The marked one calls itself with its own calldata until it may not, and hands the deepest
     * answer up: step 1 calls, on success step 2 reads what came back, else step 3 keeps the error.
     */
    s = script_new(6);
    {
        uint64_t self = script_data(&s, BYTES_OF(&open));

        STEP(&s, HOST_CALL, self, GUEST_BUF, 7 * GUEST_STEP + 24, 0, 0, 0, OUT);
        STEP(&s, GUEST_SKIP_IF, 2, 0, 0, 0, 0, 0, 0);
        STEP(&s, HOST_RETURNDATA_READ, OUT, 0, 8, 0, 0, 0, 0);
        STEP(&s, HOST_HEIGHT, 0, 0, 0, 0, 0, 0, 0);
        RET(&s, 1);
    }
    r = run_script(&w, &open, &s, 20000000);
    CHECK_INT(r.code, TX_OK);
    CHECK_INT(sword(r.output, 0), -HOST_EDEPTH);
    /* With less gas some level runs dry; the ones above go on. */
    s = script_new(6);
    {
        uint64_t self = script_data(&s, BYTES_OF(&open));

        STEP(&s, HOST_CALL, self, GUEST_BUF, 7 * GUEST_STEP + 24, 0, 0, 0, OUT);
        STEP(&s, GUEST_SKIP_IF, 2, 0, 0, 0, 0, 0, 0);
        STEP(&s, HOST_RETURNDATA_READ, OUT, 0, 8, 0, 0, 0, 0);
        STEP(&s, HOST_HEIGHT, 0, 0, 0, 0, 0, 0, 0);
        RET(&s, 1);
    }
    r = run_script(&w, &open, &s, 60000);
    CHECK_TRUE(r.code == TX_OK || r.code == TX_OUT_OF_GAS);
    if (r.code == TX_OK)
        CHECK_INT(sword(r.output, 0), -HOST_ETRAPPED);
    world_clear(&w);
}

TEST(memory_has_limits)
{
    static const uint8_t marked[1][4] = {{HOST_GROW, 0, 0, 0}};
    struct world w;
    struct address c;
    struct script s;
    struct exec_result r;
    uint64_t self;

    world_init(&w);
    c = world_deploy(&w, 1, marked, 1);
    s = script_new(8);
    STEP(&s, HOST_GROW, 1u << 20, 0, 0, 0, 0, 0, OUT);
    STEP(&s, HOST_GROW, 16u << 20, 0, 0, 0, 0, 0, OUT + 8);
    STEP(&s, HOST_GROW, UINT64_MAX, 0, 0, 0, 0, 0, OUT + 16);
    STEP(&s, HOST_GROW, 14u << 20, 0, 0, 0, 0, 0, OUT + 24);
    STEP(&s, HOST_GROW, 1u << 20, 0, 0, 0, 0, 0, OUT + 32);
    RET(&s, 5);
    r = run_script(&w, &c, &s, 5000000);
    CHECK_INT(r.code, TX_OK);
    CHECK_TRUE(word(r.output, 0) >= GUEST_MEMORY && word(r.output, 0) % 16 == 0);
    CHECK_INT(sword(r.output, 1), -HOST_ELIMIT);
    CHECK_INT(sword(r.output, 2), -HOST_ELIMIT);
    CHECK_TRUE(sword(r.output, 3) > 0);
    CHECK_INT(sword(r.output, 4), -HOST_ELIMIT);
    CHECK_TRUE(r.gas_used > 15 * 256 * 256 / LEDGER_GAS_UNITS); /* 15 MiB of pages */

    s = script_new(2); /* growing costs gas before it costs memory */
    STEP(&s, HOST_GROW, 14u << 20, 0, 0, 0, 0, 0, OUT);
    r = run_script(&w, &c, &s, 150000);
    CHECK_INT(r.code, TX_OUT_OF_GAS);

    /* Each level takes 14 MiB, so the fifth gets none: 4 * 14 + 14 > 64. */
    s = script_new(8);
    self = script_data(&s, BYTES_OF(&c));
    STEP(&s, HOST_GROW, 14u << 20, 0, 0, 0, 0, 0, OUT);
    STEP(&s, HOST_CALL, self, GUEST_BUF, 9 * GUEST_STEP + 24, 0, 0, 0, OUT + 8);
    STEP(&s, HOST_RETURNDATA_READ, OUT + 16, 0, 8, 0, 0, 0, 0);
    STEP(&s, HOST_RETURNDATA_READ, OUT + 24, 16, 40, 0, 0, 0, 0);
    RET(&s, 8);
    r = run_script(&w, &c, &s, 40000000);
    CHECK_INT(r.code, TX_OK);
    CHECK_TRUE(sword(r.output, 0) > 0);
    CHECK_TRUE(sword(r.output, 2) > 0); /* second */
    CHECK_TRUE(sword(r.output, 3) > 0); /* third */
    CHECK_TRUE(sword(r.output, 4) > 0); /* fourth */
    CHECK_INT(sword(r.output, 5), -HOST_ELIMIT);
    world_clear(&w);
}

TEST(hashes_and_signatures)
{
    struct world w;
    struct address c;
    struct script s = script_new(16);
    struct exec_result r;
    struct ed25519_key k;
    uint8_t seed[32] = {7}, pub[32], sig[64], bad[64], wide[64];
    struct hash32 want;
    struct secp_key secp;
    struct secp_sig eth;
    struct address signer;
    struct err e;
    uint64_t msg, p_pub, p_sig, p_bad, eth_hash, eth_sig;

    world_init(&w);
    c = world_deploy(&w, 1, NULL, 0);
    ed25519_from_seed(&k, seed);
    ed25519_pub(pub, &k);
    ed25519_sign(sig, &k, bytes_str("hello"));
    memcpy(bad, sig, 64);
    bad[3] ^= 1;
    msg = script_data(&s, bytes_str("hello"));
    p_pub = script_data(&s, BYTES_OF(&pub));
    p_sig = script_data(&s, BYTES_OF(&sig));
    p_bad = script_data(&s, BYTES_OF(&bad));
    CHECK_OK(secp_key_from_bytes(&secp, seed, &e), &e);
    secp_key_address(&signer, &secp);
    sha256(&want, bytes_str("digest"));
    secp_sign(&eth, &secp, &want);
    eth_hash = script_data(&s, BYTES_OF(&want));
    eth_sig = script_data(&s, BYTES_OF(&eth));
    STEP(&s, HOST_KECCAK256, msg, 5, OUT, 0, 0, 0, 0);
    STEP(&s, HOST_SHA256, msg, 5, OUT + 32, 0, 0, 0, 0);
    STEP(&s, HOST_ED25519_VERIFY, p_pub, p_sig, msg, 5, 0, 0, OUT + 64);
    STEP(&s, HOST_ED25519_VERIFY, p_pub, p_bad, msg, 5, 0, 0, OUT + 72);
    STEP(&s, HOST_ECRECOVER, eth_hash, eth_sig, OUT + 104, 0, 0, 0, OUT + 80);
    STEP(&s, HOST_ECRECOVER, eth_hash, eth_hash, OUT + 160, 0, 0, 0, OUT + 88);
    STEP(&s, HOST_MEMCMP, msg, p_pub, 4, 0, 0, 0, OUT + 96);
    STEP(&s, HOST_MEMSET, OUT + 128, 0x1ff, 5, 0, 0, 0, 0);
    STEP(&s, HOST_MEMCPY, OUT + 130, OUT + 127, 5, 0, 0, 0, 0);
    STEP(&s, HOST_P256_VERIFY, p_pub, p_sig, msg, 0, 0, 0, OUT + 136);
    STEP(&s, HOST_SHA512, msg, 5, OUT + 144, 0, 0, 0, 0);
    RET(&s, 26);
    r = run_script(&w, &c, &s, CALL_GAS);
    CHECK_INT(r.code, TX_OK);
    keccak256(&want, bytes_str("hello"));
    CHECK_MEM(bytes_of(r.output.p, 32), BYTES_OF(&want));
    sha256(&want, bytes_str("hello"));
    CHECK_MEM(bytes_of(r.output.p + 32, 32), BYTES_OF(&want));
    CHECK_INT(word(r.output, 8), 1);
    CHECK_INT(word(r.output, 9), 0);
    CHECK_INT(sword(r.output, 10), 0);
    CHECK_MEM(bytes_of(r.output.p + 104, 20), BYTES_OF(&signer));
    CHECK_INT(sword(r.output, 11), -HOST_EINVAL);
    CHECK_INT(sword(r.output, 12), memcmp("hell", pub, 4) < 0 ? -1 : 1);
    CHECK_HEX(bytes_of(r.output.p + 128, 8), "ffff00ffffffff00");
    CHECK_INT(word(r.output, 17), 0);
    sha512(wide, bytes_str("hello"));
    CHECK_MEM(bytes_of(r.output.p + 144, 64), BYTES_OF(&wide));
    world_clear(&w);
}

/* ristretto255 for contracts, frozen: RFC 9496 A.1 and A.3, and sums and quotients of small
 * numbers. Whatever is not canonical, or the identity, is refused. */
TEST(ristretto)
{
    static const char *order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    struct world w;
    struct script s = script_new(24);
    struct address c;
    struct exec_result r;
    uint8_t wide[64], scalars[96] = {0}, elements[96] = {0}, big[32], two[32] = {2};
    uint64_t p_wide, p_scalars, p_elements, p_big, p_two, p_zero;
    struct err e;

    world_init(&w);
    c = world_deploy(&w, 1, NULL, 0);
    sha512(wide, bytes_str("Ristretto is traditionally a short shot of espresso coffee"));
    CHECK_OK(hex_decode_fixed(elements, 32,
                              bytes_str("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945"
                                        "e08d2d76"),
                              &e),
             &e); /* 1 G, 2 G */
    CHECK_OK(hex_decode_fixed(elements + 32, 32,
                              bytes_str("6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c"
                                        "73a3b919"),
                              &e),
             &e);
    scalars[0] = 1;
    scalars[32] = 2;
    CHECK_OK(hex_decode_fixed(big, 32, bytes_str(order), &e), &e);
    p_wide = script_data(&s, BYTES_OF(&wide));
    p_scalars = script_data(&s, BYTES_OF(&scalars));
    p_elements = script_data(&s, BYTES_OF(&elements));
    p_big = script_data(&s, BYTES_OF(&big));
    p_two = script_data(&s, BYTES_OF(&two));
    p_zero = p_scalars + 64;
    STEP(&s, HOST_RISTRETTO_FROM_HASH, p_wide, OUT, 0, 0, 0, 0, 0);
    STEP(&s, HOST_RISTRETTO_SUM, p_scalars, p_elements, 2, OUT + 32, 0, 0, OUT + 64); /* 5 G */
    STEP(&s, HOST_RISTRETTO_SUM, p_scalars, p_elements, 3, OUT + 280, 0, 0, OUT + 72);
    STEP(&s, HOST_RISTRETTO_SUM, p_scalars, p_elements, 0, OUT + 280, 0, 0, OUT + 80);
    STEP(&s, HOST_RISTRETTO_SUM, p_scalars, p_elements, 33, OUT + 280, 0, 0, OUT + 88);
    STEP(&s, HOST_RISTRETTO_SUM, p_big, p_elements, 1, OUT + 280, 0, 0, OUT + 96);
    STEP(&s, HOST_RISTRETTO_SUM, p_scalars, p_big, 1, OUT + 280, 0, 0, OUT + 104);
    STEP(&s, HOST_RISTRETTO_SUM, p_zero, p_elements, 1, OUT + 112, 0, 0, OUT + 144);
    STEP(&s, HOST_RISTRETTO_SCALAR, 0, p_wide, 0, OUT + 152, 0, 0, OUT + 184);
    STEP(&s, HOST_RISTRETTO_SCALAR, 4, p_two, 0, OUT + 192, 0, 0, 0);
    STEP(&s, HOST_RISTRETTO_SCALAR, 3, OUT + 192, p_two, OUT + 224, 0, 0, 0); /* 1 */
    STEP(&s, HOST_RISTRETTO_SCALAR, 2, OUT + 224, p_two, OUT + 256, 0, 0, 0); /* -1 */
    STEP(&s, HOST_RISTRETTO_SCALAR, 1, OUT + 256, p_two, OUT + 224, 0, 0, 0); /* 1 */
    STEP(&s, HOST_RISTRETTO_SCALAR, 4, p_zero, 0, OUT + 296, 0, 0, OUT + 288);
    STEP(&s, HOST_RISTRETTO_SCALAR, 1, p_big, p_two, OUT + 296, 0, 0, OUT + 328);
    STEP(&s, HOST_RISTRETTO_SCALAR, 5, p_two, p_two, OUT + 296, 0, 0, OUT + 336);
    RET(&s, 43);
    r = run_script(&w, &c, &s, CALL_GAS);
    CHECK_INT(r.code, TX_OK);
    CHECK_HEX(bytes_of(r.output.p, 32),
              "3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46");
    CHECK_HEX(bytes_of(r.output.p + 32, 32),
              "e882b131016b52c1d3337080187cf768423efccbb517bb495ab812c4160ff44e");
    CHECK_INT(sword(r.output, 8), 0);
    for (size_t i = 9; i <= 13; i++)
        CHECK_INT(sword(r.output, i), -HOST_EINVAL);
    CHECK_HEX(bytes_of(r.output.p + 112, 32),
              "0000000000000000000000000000000000000000000000000000000000000000");
    CHECK_INT(sword(r.output, 18), 0);
    CHECK_HEX(bytes_of(r.output.p + 152, 32),
              "a576502e0100a9bda83627fa77e0e68a0a2990d3484857afa00454aeb8e13407");
    CHECK_HEX(bytes_of(r.output.p + 192, 32),
              "f7e97a2e8d31092c6bce7b51ef7c6f0a00000000000000000000000000000008");
    CHECK_HEX(bytes_of(r.output.p + 224, 32),
              "0100000000000000000000000000000000000000000000000000000000000000");
    CHECK_HEX(bytes_of(r.output.p + 256, 32),
              "ecd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    CHECK_INT(sword(r.output, 36), -HOST_EINVAL);
    CHECK_INT(sword(r.output, 41), -HOST_EINVAL);
    CHECK_INT(sword(r.output, 42), -HOST_EINVAL);
    world_clear(&w);
}

static enum rc hash_of_height(void *data, uint64_t height, struct hash32 *out, struct err *e)
{
    const unsigned *fails = data;

    if (*fails != 0)
        return err_set(e, RC_IO, "block %llu cannot be read", (unsigned long long)height);
    sha256(out, BYTES_OF(&height));
    return RC_OK;
}

TEST(block_hashes)
{
    struct world w;
    struct address c;
    struct script s = script_new(10);
    struct exec_result r;
    struct hash32 want;
    uint64_t height;
    unsigned fails = 0;
    AUTO_CLEAR(buf) struct buf data = {0};
    struct ledger_tx t;
    struct err e;

    world_init(&w);
    c = world_deploy(&w, 1, NULL, 0);
    w.env.height = 400;
    w.env.hashes = (struct block_hashes){hash_of_height, &fails};
    STEP(&s, HOST_BLOCK_HASH, 399, OUT, 0, 0, 0, 0, OUT + 64);
    STEP(&s, HOST_BLOCK_HASH, 144, OUT + 32, 0, 0, 0, 0, OUT + 72);
    STEP(&s, HOST_BLOCK_HASH, 143, OUT + 32, 0, 0, 0, 0, OUT + 80);
    STEP(&s, HOST_BLOCK_HASH, 400, OUT + 32, 0, 0, 0, 0, OUT + 88);
    STEP(&s, HOST_BLOCK_HASH, UINT64_MAX, OUT + 32, 0, 0, 0, 0, OUT + 96);
    RET(&s, 13);
    script_done(&s, &data);
    r = world_call(&w, &c, buf_bytes(&data), CALL_GAS);
    CHECK_INT(r.code, TX_OK);
    height = 399;
    sha256(&want, BYTES_OF(&height));
    CHECK_MEM(bytes_of(r.output.p, 32), BYTES_OF(&want));
    height = 144;
    sha256(&want, BYTES_OF(&height));
    CHECK_MEM(bytes_of(r.output.p + 32, 32), BYTES_OF(&want));
    CHECK_INT(word(r.output, 8), 0);
    CHECK_INT(word(r.output, 9), 0);
    for (size_t i = 10; i < 13; i++)
        CHECK_INT(sword(r.output, i), -HOST_ENOTFOUND);
    /* A hash the node should have and cannot read stops it: no result may depend on that. */
    fails = 1;
    t = tx_from(&w, 0, &c, buf_bytes(&data), CALL_GAS);
    CHECK_RC(ledger_execute_tx(w.x, &w.journal, &w.env, &t, 0, &w.mem, &r, &e), RC_IO, &e,
             "cannot be read");
    script_clear(&s);
    world_clear(&w);
}

TEST(clones_and_code_changes)
{
    struct world w;
    struct address a, b, twin;
    struct account acc_a, acc_b, acc;
    AUTO_CLEAR(buf) struct buf init = {0};
    struct hash32 unknown = {{1}};
    struct script s;
    struct exec_result r;
    uint64_t hash, salt, code, none;
    struct err e;

    world_init(&w);
    a = world_deploy(&w, 1, NULL, 0);
    b = world_deploy(&w, 2, NULL, 0);
    CHECK_OK(journal_account(&w.journal, &a, &acc_a, &e), &e);
    CHECK_OK(journal_account(&w.journal, &b, &acc_b, &e), &e);
    s = script_new(3);
    STEP(&s, HOST_CALLER, OUT, 0, 0, 0, 0, 0, 0);
    STEP(&s, HOST_STORAGE_SET, OUT, 1, OUT, 20, 0, 0, 0);
    RET(&s, 3);
    script_done(&s, &init);
    script_clear(&s);
    s = script_new(12);
    hash = script_data(&s, BYTES_OF(&acc_b.code_hash));
    salt = script_data(&s, bytes_str("0123456789abcdef0123456789abcdef"));
    none = script_data(&s, BYTES_OF(&unknown));
    code = script_data(&s, buf_bytes(&init));
    STEP(&s, HOST_DEPLOY, hash, 0, code, init.n, 0, OUT, OUT + 100 - 4);
    STEP(&s, HOST_DEPLOY, hash, salt, 0, 0, 0, OUT + 24, OUT + 104);
    STEP(&s, HOST_DEPLOY, hash, salt, 0, 0, 0, OUT + 48, OUT + 112); /* taken */
    STEP(&s, HOST_DEPLOY, none, 0, 0, 0, 0, OUT + 48, OUT + 120);
    STEP(&s, HOST_CODE_HASH, OUT, OUT + 200, 0, 0, 0, 0, OUT + 128);
    STEP(&s, HOST_SET_CODE, none, 0, 0, 0, 0, 0, OUT + 136);
    STEP(&s, HOST_SET_CODE, hash, 0, 0, 0, 0, 0, OUT + 144);
    RET(&s, 30);
    r = run_script(&w, &a, &s, CALL_GAS);
    CHECK_INT(r.code, TX_OK);
    for (size_t i = 12; i < 14; i++)
        CHECK_INT(sword(r.output, i), 0);
    CHECK_INT(sword(r.output, 14), -HOST_EINVAL);
    CHECK_INT(sword(r.output, 15), -HOST_ENOTFOUND);
    CHECK_INT(sword(r.output, 16), 0);
    CHECK_INT(sword(r.output, 17), -HOST_ENOTFOUND);
    CHECK_INT(sword(r.output, 18), 0);
    CHECK_MEM(bytes_of(r.output.p + 200, 32), BYTES_OF(&acc_b.code_hash));
    memcpy(twin.b, r.output.p, 20);
    CHECK_OK(journal_account(&w.journal, &twin, &acc, &e), &e);
    CHECK_MEM(BYTES_OF(&acc.code_hash), BYTES_OF(&acc_b.code_hash));
    {
        /* its init ran as called by a */
        struct state_key k = state_key_storage(&twin, bytes_of(a.b, 1));
        struct bytes v;

        CHECK_OK(journal_get(&w.journal, state_key_bytes(&k), &v, &e), &e);
        CHECK_MEM(v, BYTES_OF(&a));
    }
    {
        /* EIP-1014's form with the code hash in the place of the init code's */
        AUTO_CLEAR(buf) struct buf pre = {0};
        struct hash32 h;

        buf_u8(&pre, 0xff);
        buf_put(&pre, a.b, 20);
        buf_put_str(&pre, "0123456789abcdef0123456789abcdef");
        buf_put(&pre, acc_b.code_hash.b, 32);
        keccak256(&h, buf_bytes(&pre));
        CHECK_MEM(bytes_of(r.output.p + 24, 20), bytes_of(h.b + 12, 20));
    }
    CHECK_OK(journal_account(&w.journal, &a, &acc, &e), &e);
    CHECK_MEM(BYTES_OF(&acc.code_hash), BYTES_OF(&acc_b.code_hash));
    CHECK_INT(acc.nonce, 1 + 3);
    world_clear(&w);
}

/* Fail each read of the source in turn: always RC_IO, never a result. */
TEST(source_errors_halt)
{
    struct world w;
    struct address a, b;
    AUTO_CLEAR(buf) struct buf inner = {0};
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct state_changes c;
    struct script s;
    struct ledger_tx t;
    unsigned n_reads = 0;

    world_init(&w);
    a = world_deploy(&w, 1, NULL, 0);
    b = world_deploy(&w, 2, NULL, 0);
    c = journal_changes(&w.journal, &mem);
    world_commit(&w, &c);
    s = script_new(4);
    STEP(&s, HOST_STORAGE_GET, GUEST_BUF, 9, 0, 0, 0, 0, 0);
    STEP(&s, HOST_STORAGE_SET, GUEST_BUF, 8, GUEST_BUF, 8, 0, 0, 0);
    STEP(&s, HOST_BALANCE, GUEST_BUF, OUT, 0, 0, 0, 0, 0);
    script_done(&s, &inner);
    script_clear(&s);
    s = script_new(4);
    STEP(&s, HOST_CODE_HASH, GUEST_BUF + 1, OUT, 0, 0, 0, 0, 0);
    call_step(&s, &b, buf_bytes(&inner), 0, 0, OUT);
    RET(&s, 1);
    script_done(&s, &data);
    script_clear(&s);
    t = tx_from(&w, 0, &a, buf_bytes(&data), CALL_GAS);
    for (unsigned fail = 0; fail <= n_reads; fail++) {
        struct executor *x = executor_new(NULL); /* nothing cached */
        struct journal j;
        struct exec_result r;
        struct err e;
        enum rc rc;

        journal_init(&j, world_source(&w));
        w.reads = 0;
        w.fail_at = fail;
        rc = ledger_execute_tx(x, &j, &w.env, &t, 0, &w.mem, &r, &e);
        if (fail == 0) {
            CHECK_OK(rc, &e);
            CHECK_INT(r.code, TX_OK);
            CHECK_INT(word(r.output, 0), 0);
            n_reads = w.reads;
        } else {
            CHECK_RC(rc, RC_IO, &e, "failed");
        }
        journal_clear(&j);
        executor_free(x);
    }
    CHECK_TRUE(n_reads >= 9);
    world_clear(&w);
}

TEST(calls_and_estimates)
{
    static const uint8_t marked[1][4] = {{HOST_CALL, 0, 0, 0}};
    struct world w;
    struct address c, rich = who(2);
    AUTO_CLEAR(buf) struct buf data = {0};
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct state_changes changes;
    struct ledger_tx t = {0};
    struct exec_result r;
    struct script s;
    uint64_t gas, self;
    struct journal j;
    struct err e;

    world_init(&w);
    c = world_deploy(&w, 1, marked, 1);
    changes = journal_changes(&w.journal, &mem);
    world_commit(&w, &changes);
    s = script_new(8);
    self = script_data(&s, BYTES_OF(&c));
    /* calls itself deep: needs more gas than it uses, as every level keeps a 64th back */
    STEP(&s, HOST_CALL, self, GUEST_BUF, 9 * GUEST_STEP + 24, 0, 0, 0, OUT);
    STEP(&s, GUEST_SKIP_IF, 1, 0, 0, 0, 0, 0, 0);
    STEP(&s, HOST_RETURNDATA_READ, OUT, 0, 8, 0, 0, 0, 0);
    RET(&s, 1);
    script_done(&s, &data);
    script_clear(&s);
    journal_init(&j, world_source(&w));
    t.tx.to = c;
    t.tx.data = buf_bytes(&data);
    CHECK_OK(ledger_call(w.x, &j, &w.env, &t, &mem, &r, &e), &e); /* from the zero address */
    CHECK_INT(r.code, TX_OK);
    CHECK_INT(sword(r.output, 0), -HOST_EDEPTH);
    t.tx.value_wei = u256_from_u64(1);
    CHECK_OK(ledger_call(w.x, &j, &w.env, &t, &mem, &r, &e), &e);
    CHECK_INT(r.code, TX_NO_FUNDS);
    t.sender = rich;
    CHECK_OK(ledger_call(w.x, &j, &w.env, &t, &mem, &r, &e), &e);
    CHECK_INT(r.code, TX_OK);
    t.tx.value_wei = U256_ZERO;
    CHECK_OK(ledger_estimate(w.x, world_source(&w), &w.env, &t, &mem, &gas, &r, &e), &e);
    CHECK_INT(r.code, TX_OK);
    CHECK_TRUE(gas >= r.gas_used && gas < 2 * r.gas_used);
    t.tx.gas_limit = gas;
    CHECK_OK(ledger_call(w.x, &j, &w.env, &t, &mem, &r, &e), &e);
    CHECK_INT(r.code, TX_OK);
    /* a plain payment is exact */
    t = (struct ledger_tx){.sender = rich};
    t.tx.to = who(4);
    t.tx.value_wei = u256_from_u64(3);
    CHECK_OK(ledger_estimate(w.x, world_source(&w), &w.env, &t, &mem, &gas, &r, &e), &e);
    CHECK_INT(gas, 21000);
    /* no `to` and no program: a revert without data, which viem wants */
    t = (struct ledger_tx){.sender = rich};
    t.tx.is_create = true;
    t.tx.data = bytes_str("\x60\x80");
    CHECK_OK(ledger_call(w.x, &j, &w.env, &t, &mem, &r, &e), &e);
    CHECK_INT(r.code, TX_REVERTED);
    CHECK_INT(r.output.n, 0);
    CHECK_OK(ledger_estimate(w.x, world_source(&w), &w.env, &t, &mem, &gas, &r, &e), &e);
    CHECK_INT(gas, 0);
    journal_clear(&j);
    world_clear(&w);
}
