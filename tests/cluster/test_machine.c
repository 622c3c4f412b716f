#include "crypto/hash.h"
#include "rig.h"

static struct bytes address_bytes(struct rig *r, struct address a)
{
    return arena_dup(&r->mem, BYTES_OF(&a));
}

static struct bytes wei(struct rig *r, uint64_t n)
{
    struct u256 v = u256_from_u64(n);
    uint8_t be[32];

    u256_to_be(be, &v);
    return arena_dup(&r->mem, BYTES_OF(&be));
}

/* Calldata that stores key -> value (8 bytes each) and reverts if `fail`. */
static struct bytes store(struct rig *r, uint64_t key, uint64_t value, bool fail)
{
    struct script s = script_new(2);
    uint64_t k = script_data(&s, BYTES_OF(&key)), v = script_data(&s, BYTES_OF(&value));

    STEP(&s, HOST_STORAGE_SET, k, 8, v, value == 0 ? 0 : 8, 0, 0, 0);
    if (fail)
        STEP(&s, HOST_REVERT, k, 8, 0, 0, 0, 0, 0);
    return script_bytes(r, &s);
}

static struct bytes stored(struct rig *r, unsigned contract, uint64_t key)
{
    struct address a = contract_at(contract);

    return rig_state(r, state_key_storage(&a, BYTES_OF(&key)));
}

TEST(commands_change_state)
{
    struct rig r;
    struct command c[4];
    struct address a = contract_at(1);
    uint64_t seven = 7;
    struct state_key key = state_key_storage(&a, BYTES_OF(&seven));

    rig_init(&r, 0);
    rig_contracts(&r);
    CHECK_INT(r.changes.n, 2);
    c[0] = command_to(&r, 1, store(&r, 9, 1, false));
    c[1] = command_to(&r, 1, store(&r, 7, 5, false));
    c[2] = command_to(&r, 1, store(&r, 7, 6, true));
    c[3] = command_to(&r, 1, store(&r, 9, 0, false)); /* gone again: no change of the range */
    rig_run(&r, c, 4);
    CHECK_INT(r.results[0].status, RECEIPT_DONE);
    CHECK_INT(r.results[2].status, RECEIPT_REVERTED);
    CHECK_INT(word(r.results[2].output, 0), 7);
    CHECK_INT(r.results[3].status, RECEIPT_DONE);
    CHECK_TRUE(r.results[0].gas_used > 21000);
    CHECK_INT(r.changes.n, 1);
    CHECK_MEM(r.changes.items[0].key, state_key_bytes(&key));
    CHECK_INT(load_u64le(r.changes.items[0].value.p), 5);
    CHECK_INT(r.n_messages, 0);
    CHECK_INT(load_u64le(stored(&r, 1, 7).p), 5);
    CHECK_TRUE(stored(&r, 1, 9).p == NULL);
    rig_clear(&r);
}

static void check_message(const struct rig *r, size_t i, struct address from, struct address to,
                          uint64_t value, struct bytes data)
{
    const struct u256 v = u256_from_u64(value);

    CHECK_TRUE(i < r->n_messages);
    CHECK_MEM(BYTES_OF(&r->messages[i].from), BYTES_OF(&from));
    CHECK_MEM(BYTES_OF(&r->messages[i].to), BYTES_OF(&to));
    CHECK_TRUE(u256_cmp(&r->messages[i].value_wei, &v) == 0);
    CHECK_MEM(r->messages[i].data, data);
}

/* Whatever fails, the value goes back and nothing else happens. */
TEST(value_of_failed_commands)
{
    const struct bytes none = bytes_of(NULL, 0);
    struct rig r;
    struct script spin = script_new(1);
    struct command c[7];

    rig_init(&r, 0);
    rig_contracts(&r);
    STEP(&spin, GUEST_SPIN, 0, 0, 0, 0, 0, 0, 0);
    c[0] = command_to(&r, 1, store(&r, 1, 1, true));
    c[1] = command_to(&r, 1, script_bytes(&r, &spin));
    c[2] = command_to(&r, 1, store(&r, 1, 1, false));
    c[2].unreadable = true;
    c[3] = command_to(&r, 5, store(&r, 1, 1, false));
    c[4] = command_to(&r, 1, store(&r, 1, 1, false));
    c[4].gas = 0;
    c[5] = activation(&r, 1, 1); /* it is there already */
    c[6] = command_to(&r, 1, store(&r, 1, 1, true));
    c[6].sender = contract_at(2); /* whose account has coin of its own */
    for (unsigned i = 0; i < 7; i++)
        c[i].value_wei = u256_from_u64(i + 1);
    rig_run(&r, c, 7);
    CHECK_INT(r.results[0].status, RECEIPT_REVERTED);
    CHECK_INT(r.results[1].status, RECEIPT_TRAPPED);
    CHECK_INT(r.results[1].gas_used, GAS);
    CHECK_INT(r.results[2].status, RECEIPT_UNREADABLE);
    CHECK_INT(r.results[3].status, RECEIPT_NO_CONTRACT);
    CHECK_INT(r.results[4].status, RECEIPT_TRAPPED);
    CHECK_INT(r.results[5].status, RECEIPT_REVERTED);
    CHECK_INT(r.changes.n, 0);
    CHECK_INT(r.n_messages, 7);
    for (unsigned i = 0; i < 7; i++)
        check_message(&r, i, c[i].contract, c[i].sender, i + 1, none);
    /* And of one that succeeds it stays. */
    c[0] = command_to(&r, 1, store(&r, 1, 1, false));
    c[0].value_wei = u256_from_u64(24);
    CHECK_INT(rig_one(&r, c[0]).status, RECEIPT_DONE);
    CHECK_INT(rig_balance(&r, contract_at(1)), 1024);
    CHECK_INT(rig_balance(&r, person(0)), 0);
    CHECK_INT(r.n_messages, 0);
    rig_clear(&r);
}

/* The first call runs with the value; if it fails there is no contract. */
TEST(activation_with_a_first_call)
{
    struct rig r;
    struct command c;
    struct hash32 unknown = {{1}};
    struct err e;

    rig_init(&r, 0);
    c = activation(&r, 3, 0);
    c.value_wei = u256_from_u64(5);
    c.calldata = store(&r, 1, 1, true);
    CHECK_INT(rig_one(&r, c).status, RECEIPT_REVERTED);
    CHECK_INT(r.changes.n, 0);
    CHECK_INT(r.n_messages, 1);
    c.calldata = store(&r, 1, 8, false);
    CHECK_INT(rig_one(&r, c).status, RECEIPT_DONE);
    CHECK_INT(r.changes.n, 2);
    CHECK_INT(rig_balance(&r, contract_at(3)), 5);
    CHECK_INT(load_u64le(stored(&r, 3, 1).p), 8);
    /* Code nobody has: nothing runs. */
    struct command two[2] = {command_to(&r, 3, store(&r, 1, 9, false)), activation(&r, 4, 0)};

    two[1].code_hash = unknown;
    CHECK_RC(
        machine_run(r.m, two, 2, &r.mem, r.results, &r.messages, &r.n_messages, &r.changes, &e),
        RC_NOTFOUND, &e, "code");
    CHECK_INT(load_u64le(stored(&r, 3, 1).p), 8);
    two[1].code_hash = r.code[0];
    two[1].value_wei.w[3] = 1;
    CHECK_RC(
        machine_run(r.m, two, 2, &r.mem, r.results, &r.messages, &r.n_messages, &r.changes, &e),
        RC_RANGE, &e, "2^192");
    rig_clear(&r);
}

TEST(upgrade)
{
    struct rig r;
    struct command c;
    struct account acc;
    struct err e;
    struct address at = contract_at(1);

    rig_init(&r, 0);
    rig_contracts(&r);
    c = activation(&r, 1, 1);
    c.kind = ENTRY_UPGRADE;
    CHECK_INT(rig_one(&r, c).status, RECEIPT_DONE);
    CHECK_OK(account_decode(&acc, rig_state(&r, state_key_account(&at)), &e), &e);
    CHECK_MEM(BYTES_OF(&acc.code_hash), BYTES_OF(&r.code[1]));
    CHECK_INT(acc.nonce, 1);
    CHECK_INT(rig_balance(&r, at), 1000);
    c.contract = contract_at(9);
    CHECK_INT(rig_one(&r, c).status, RECEIPT_NO_CONTRACT);
    rig_clear(&r);
}

/* Code that no account names any more is not part of the state. */
TEST(codes_in_use)
{
    struct rig r;
    struct command c;

    rig_init(&r, 0);
    rig_contracts(&r);
    CHECK_TRUE(rig_state(&r, state_key_code(&r.code[0])).n > 64);
    c = activation(&r, 1, 1);
    c.kind = ENTRY_UPGRADE;
    CHECK_INT(rig_one(&r, c).status, RECEIPT_DONE);
    CHECK_TRUE(rig_state(&r, state_key_code(&r.code[0])).p == NULL);
    CHECK_TRUE(machine_has_code(r.m, &r.code[0]));
    rig_clear(&r);
}

struct walked {
    struct address last;
    size_t n_keys, n_codes;
};

static enum rc in_order(void *data, struct bytes key, struct bytes value, struct err *e)
{
    struct walked *w = data;

    (void)value, (void)e;
    if (key.p[0] == STATE_CODE) {
        w->n_codes++;
        return RC_OK;
    }
    CHECK_INT(w->n_codes, 0);
    CHECK_TRUE(memcmp(w->last.b, key.p + 1, 20) <= 0);
    memcpy(w->last.b, key.p + 1, 20);
    w->n_keys++;
    return RC_OK;
}

TEST(state_is_walked_contract_by_contract)
{
    struct walked w = {0};
    struct rig r;
    struct err e;

    rig_init(&r, 0);
    rig_contracts(&r);
    for (uint64_t i = 0; i < 200; i++)
        (void)rig_one(&r, command_to(&r, 1 + (unsigned)t_rand_below(2), store(&r, i, 1, false)));
    CHECK_OK(machine_each(r.m, in_order, &w, &e), &e);
    CHECK_INT(w.n_keys, 2 + 200);
    CHECK_INT(w.n_codes, 2);
    rig_clear(&r);
}

/* ---- out of the cluster ---- */

TEST(messages_out)
{
    struct rig r;
    struct script s = script_new(6);
    const struct bytes hello = bytes_str("hello"), none = bytes_of(NULL, 0);
    struct address me = contract_at(1);
    uint64_t to, v, data;

    rig_init(&r, 0);
    rig_contracts(&r);
    to = script_data(&s, address_bytes(&r, person(3)));
    v = script_data(&s, wei(&r, 10));
    data = script_data(&s, hello);
    STEP(&s, HOST_SEND, to, v, data, hello.n, 0, 0, OUT);
    STEP(&s, HOST_TRANSFER, to, v, 0, 0, 0, 0, OUT + 8);
    STEP(&s, HOST_CALL, to, data, hello.n, v, 0, 0, OUT + 16); /* calldata is not taken along */
    STEP(&s, HOST_CALL, to, data, hello.n, 0, 0, 0, OUT + 24); /* nothing to send */
    STEP(&s, HOST_SEND, to, 0, 0, 0, 0, 0, OUT + 32);
    RET(&s, 5);
    struct command_result x = rig_one(&r, command_to(&r, 1, script_bytes(&r, &s)));

    CHECK_INT(x.status, RECEIPT_DONE);
    for (unsigned i = 0; i < 5; i++)
        CHECK_INT(word(x.output, i), 0);
    CHECK_INT(r.n_messages, 4);
    check_message(&r, 0, me, person(3), 10, hello);
    check_message(&r, 1, me, person(3), 10, none);
    check_message(&r, 2, me, person(3), 10, none);
    check_message(&r, 3, me, person(3), 0, none);
    CHECK_INT(x.n_events, 0);
    CHECK_INT(rig_balance(&r, me), 970);
    CHECK_INT(rig_balance(&r, person(3)), 0);
    rig_clear(&r);
}

/* Between contracts of the cluster coin moves as on the ledger. */
TEST(payments_inside)
{
    struct rig r;
    struct script s = script_new(3);
    uint64_t to, v;

    rig_init(&r, 0);
    rig_contracts(&r);
    to = script_data(&s, address_bytes(&r, contract_at(2)));
    v = script_data(&s, wei(&r, 10));
    STEP(&s, HOST_TRANSFER, to, v, 0, 0, 0, 0, OUT);
    STEP(&s, HOST_CALL, to, 0, 0, v, 0, 0, OUT + 8);
    RET(&s, 2);
    struct command_result x = rig_one(&r, command_to(&r, 1, script_bytes(&r, &s)));

    CHECK_INT(x.status, RECEIPT_DONE);
    CHECK_INT(word(x.output, 0), 0);
    CHECK_INT(word(x.output, 1), 0);
    CHECK_INT(r.n_messages, 0);
    CHECK_INT(rig_balance(&r, contract_at(1)), 980);
    CHECK_INT(rig_balance(&r, contract_at(2)), 1020);
    rig_clear(&r);
}

/* Contract 1 calls 2, which sends, stores and then fails or not: its message lives with the call.
 */
static struct bytes nested(struct rig *r, bool fail)
{
    struct script in = script_new(4), s = script_new(4);
    uint64_t to = script_data(&in, address_bytes(r, person(4)));
    uint64_t v = script_data(&in, wei(r, 3));
    struct bytes inner;

    STEP(&in, HOST_SEND, to, v, 0, 0, 0, 0, 0);
    STEP(&in, HOST_STORAGE_SET, to, 8, v, 32, 0, 0, 0);
    STEP(&in, HOST_LOG, 0, 0, to, 20, 0, 0, 0);
    if (fail)
        STEP(&in, HOST_REVERT, 0, 0, 0, 0, 0, 0, 0);
    inner = script_bytes(r, &in);
    uint64_t callee = script_data(&s, address_bytes(r, contract_at(2)));
    uint64_t data = script_data(&s, inner);

    STEP(&s, HOST_SEND, callee, 0, data, 4, 0, 0, 0);
    STEP(&s, HOST_CALL, callee, data, inner.n, 0, 0, 0, OUT);
    RET(&s, 1);
    return script_bytes(r, &s);
}

TEST(messages_go_with_their_call)
{
    struct rig r;
    struct command_result x;
    struct address second = contract_at(2);

    rig_init(&r, 0);
    rig_contracts(&r);
    x = rig_one(&r, command_to(&r, 1, nested(&r, true)));
    CHECK_INT(x.status, RECEIPT_DONE);
    CHECK_INT((int64_t)word(x.output, 0), -HOST_EREVERTED);
    CHECK_INT(r.n_messages, 1);
    CHECK_INT(x.n_events, 0);
    CHECK_INT(r.changes.n, 0);
    x = rig_one(&r, command_to(&r, 1, nested(&r, false)));
    CHECK_INT(word(x.output, 0), 0);
    CHECK_INT(r.n_messages, 2);
    check_message(&r, 1, second, person(4), 3, bytes_of(NULL, 0));
    CHECK_INT(x.n_events, 1);
    CHECK_MEM(BYTES_OF(&x.events[0].address), BYTES_OF(&second));
    CHECK_INT(x.events[0].data.n, 20);
    CHECK_INT(r.changes.n, 2);
    CHECK_INT(rig_balance(&r, second), 997);
    rig_clear(&r);
}

TEST(messages_have_limits)
{
    struct rig r;
    struct script s = script_new(260);
    uint64_t to, much;

    rig_init(&r, 0);
    rig_contracts(&r);
    to = script_data(&s, address_bytes(&r, person(3)));
    much = script_data(&s, wei(&r, 1001));
    STEP(&s, HOST_SEND, to, much, 0, 0, 0, 0, OUT);
    STEP(&s, HOST_SEND, to, 0, GUEST_BUF, OUT_MESSAGE_DATA_MAX + 1, 0, 0, OUT + 8);
    for (unsigned i = 0; i < OUT_MESSAGES_MAX; i++)
        STEP(&s, HOST_SEND, to, 0, 0, 0, 0, 0, OUT + 16);
    STEP(&s, HOST_SEND, to, 0, 0, 0, 0, 0, OUT + 24);
    RET(&s, 4);
    struct command c = command_to(&r, 1, script_bytes(&r, &s));

    c.gas = 1u << 24;
    struct command_result x = rig_one(&r, c);

    CHECK_INT(x.status, RECEIPT_DONE);
    CHECK_INT((int64_t)word(x.output, 0), -HOST_EBALANCE);
    CHECK_INT((int64_t)word(x.output, 1), -HOST_ELIMIT);
    CHECK_INT(word(x.output, 2), 0);
    CHECK_INT((int64_t)word(x.output, 3), -HOST_ELIMIT);
    CHECK_INT(r.n_messages, OUT_MESSAGES_MAX);
    /* A bad pointer traps, as anywhere. */
    s = script_new(1);
    STEP(&s, HOST_SEND, 1, 0, 0, 0, 0, 0, 0);
    CHECK_INT(rig_one(&r, command_to(&r, 1, script_bytes(&r, &s))).status, RECEIPT_TRAPPED);
    rig_clear(&r);
}

/* ---- what is different inside ---- */

static struct bytes probe(struct rig *r)
{
    struct script s = script_new(11);
    uint64_t hash = script_data(&s, BYTES_OF(&r->code[0]));

    STEP(&s, HOST_PROFILE, 0, 0, 0, 0, 0, 0, OUT);
    STEP(&s, HOST_DEPLOY, hash, 0, 0, 0, 0, OUT + 128, OUT + 8);
    STEP(&s, HOST_SET_CODE, hash, 0, 0, 0, 0, 0, OUT + 16);
    STEP(&s, HOST_BLOCK_HASH, 6, OUT + 128, 0, 0, 0, 0, OUT + 24);
    STEP(&s, HOST_RANDOM, OUT + 128, 8, 0, 0, 0, 0, OUT + 32);
    STEP(&s, HOST_SIGN, OUT, 8, OUT + 128, 0, 0, 0, OUT + 40);
    STEP(&s, HOST_HTTP, hash, 8, 0, 0, 0, 0, OUT + 48);
    STEP(&s, HOST_CACHE_GET, hash, 8, OUT + 128, 32, 0, 0, OUT + 56);
    STEP(&s, HOST_CACHE_SET, hash, 8, hash, 8, 0, 0, OUT + 64);
    STEP(&s, HOST_RETURNDATA_READ, OUT + 72, 0, 8, 0, 0, 0, 0);
    RET(&s, 26);
    return script_bytes(r, &s);
}

TEST(commands_are_deterministic)
{
    struct rig r;
    struct command c;
    struct command_result x;

    rig_init(&r, 0);
    rig_contracts(&r);
    for (unsigned kind = ENTRY_SEALED; kind <= ENTRY_PLAIN; kind++) {
        c = command_to(&r, 1, probe(&r));
        c.kind = (uint8_t)kind;
        x = rig_one(&r, c);
        CHECK_INT(x.status, RECEIPT_DONE);
        CHECK_INT(word(x.output, 0), kind);
        CHECK_INT((int64_t)word(x.output, 1), -HOST_EINVAL);
        CHECK_INT((int64_t)word(x.output, 2), -HOST_EINVAL);
        CHECK_INT((int64_t)word(x.output, 3), -HOST_ENOTFOUND);
        for (unsigned i = 4; i < 9; i++)
            CHECK_INT((int64_t)word(x.output, i), -HOST_ESTATIC);
        CHECK_INT(r.changes.n, 0);
    }
    rig_clear(&r);
}

struct effects {
    struct address asked;
    struct bytes said;
    struct arena mem;
    enum rc fail;
};

static enum rc give_random(void *data, uint8_t *out, size_t n, struct err *e)
{
    (void)data, (void)e;
    memset(out, 0x5a, n);
    return RC_OK;
}

static enum rc give_sign(void *data, const struct address *contract, struct bytes message,
                         uint8_t sig65[65], struct err *e)
{
    struct effects *x = data;

    (void)e;
    x->asked = *contract;
    x->said = arena_dup(&x->mem, message);
    memset(sig65, 0x11, 65);
    return x->fail;
}

static enum rc give_http(void *data, const struct address *contract, struct bytes request,
                         struct buf *response, struct err *e)
{
    struct effects *x = data;

    (void)contract, (void)request, (void)e;
    buf_put_str(response, "answer!!");
    return x->fail;
}

static enum rc give_get(void *data, const struct address *contract, struct bytes key,
                        struct buf *value, struct err *e)
{
    (void)contract, (void)key, (void)e;
    buf_put_str(value, "kept");
    return ((struct effects *)data)->fail;
}

static enum rc give_set(void *data, const struct address *contract, struct bytes key,
                        struct bytes value, struct err *e)
{
    (void)contract, (void)key, (void)value, (void)e;
    return ((struct effects *)data)->fail;
}

TEST(queries)
{
    struct rig r;
    struct effects fx = {.fail = RC_OK};
    const struct query_host host = {&fx, give_random, give_sign, give_http, give_get, give_set};
    struct machine_query q;
    struct command_result x;
    struct address me = contract_at(1);
    struct err e;

    rig_init(&r, 0);
    rig_contracts(&r);
    q = (struct machine_query){.contract = me,
                               .caller = person(1),
                               .calldata = probe(&r),
                               .gas = GAS,
                               .height = 7,
                               .time_s = 1700000000,
                               .host = &host};
    CHECK_OK(machine_query(r.m, &q, &r.mem, &x, &e), &e);
    CHECK_INT(x.status, RECEIPT_DONE);
    CHECK_INT(word(x.output, 0), PROFILE_QUERY);
    CHECK_INT((int64_t)word(x.output, 1), -HOST_EINVAL);
    CHECK_INT(word(x.output, 4), 0);
    CHECK_INT(word(x.output, 5), 0);
    CHECK_INT(word(x.output, 6), 8);
    CHECK_INT(word(x.output, 7), 4);
    CHECK_INT(word(x.output, 8), 0);
    CHECK_MEM(bytes_of(x.output.p + 72, 8), bytes_str("answer!!"));
    CHECK_MEM(bytes_of(x.output.p + 128, 5), bytes_str("kept\x11"));
    CHECK_MEM(BYTES_OF(&fx.asked), BYTES_OF(&me));
    fx.fail = RC_LIMIT;
    CHECK_OK(machine_query(r.m, &q, &r.mem, &x, &e), &e);
    for (unsigned i = 5; i < 9; i++)
        CHECK_INT((int64_t)word(x.output, i), -HOST_ELIMIT);
    CHECK_INT(word(x.output, 9), 0); /* and no return data */
    q.host = NULL;
    CHECK_OK(machine_query(r.m, &q, &r.mem, &x, &e), &e);
    for (unsigned i = 4; i < 9; i++)
        CHECK_INT((int64_t)word(x.output, i), -HOST_EINVAL);
    /* Writes are dropped, and seen until then. */
    q.calldata = store(&r, 1, 1, false);
    CHECK_OK(machine_query(r.m, &q, &r.mem, &x, &e), &e);
    CHECK_INT(x.status, RECEIPT_DONE);
    CHECK_TRUE(stored(&r, 1, 1).p == NULL);
    q.contract = contract_at(9);
    CHECK_OK(machine_query(r.m, &q, &r.mem, &x, &e), &e);
    CHECK_INT(x.status, RECEIPT_NO_CONTRACT);
    q.contract = me;
    q.gas = 0;
    CHECK_OK(machine_query(r.m, &q, &r.mem, &x, &e), &e);
    CHECK_INT(x.status, RECEIPT_TRAPPED);
    arena_clear(&fx.mem);
    rig_clear(&r);
}

/* ---- limits ---- */

TEST(state_limit)
{
    struct rig r;
    size_t room;
    struct command c[4];

    rig_init(&r, 0);
    rig_contracts(&r);
    room = machine_state_size(r.m) + 29 + 8 + STATE_KEY_WEIGHT; /* one stored word */
    rig_clear(&r);
    rig_init(&r, room);
    rig_contracts(&r);
    c[0] = command_to(&r, 1, store(&r, 1, 1, false));
    c[1] = command_to(&r, 1, store(&r, 2, 1, false));
    c[1].value_wei = u256_from_u64(3);
    c[2] = command_to(&r, 1, store(&r, 1, 2, false)); /* no more than there is */
    c[3] = c[0];
    c[0] = command_to(&r, 1, store(&r, 1, 1, true)); /* what is undone takes no room */
    rig_run(&r, (struct command[]){c[0], c[3], c[1], c[2]}, 4);
    CHECK_INT(r.results[0].status, RECEIPT_REVERTED);
    CHECK_INT(r.results[1].status, RECEIPT_DONE);
    CHECK_INT(r.results[2].status, RECEIPT_REVERTED);
    CHECK_INT(r.results[2].output.n, 0);
    CHECK_INT(r.n_messages, 1);
    CHECK_INT(r.results[3].status, RECEIPT_DONE);
    CHECK_INT(machine_state_size(r.m), room);
    CHECK_INT(rig_balance(&r, contract_at(1)), 1000);
    CHECK_INT(rig_one(&r, activation(&r, 5, 0)).status, RECEIPT_REVERTED);
    CHECK_INT(rig_one(&r, command_to(&r, 1, store(&r, 1, 0, false))).status, RECEIPT_DONE);
    CHECK_INT(rig_one(&r, command_to(&r, 1, store(&r, 2, 1, false))).status, RECEIPT_DONE);
    rig_clear(&r);
}

/* Calldata that sets one key n times. */
static struct bytes store_often(struct rig *r, uint64_t key, unsigned n)
{
    struct script s = script_new(40);
    uint64_t k = script_data(&s, BYTES_OF(&key));

    for (uint64_t i = 1; i <= n; i++)
        STEP(&s, HOST_STORAGE_SET, k, 8, script_data(&s, BYTES_OF(&i)), 8, 0, 0, 0);
    return script_bytes(r, &s);
}

TEST(command_limit)
{
    const struct machine_config config = {
        .chain_id = 1337, .genesis = {{0xaa}}, .command_limit = 3000};
    struct hash32 name;
    struct rig r;

    keccak256(&name, bytes_str("CommandTooLarge()"));
    CHECK_MEM(bytes_of(COMMAND_TOO_LARGE, 4), bytes_of(name.b, 4));
    /* Alone, and after others that touched the same: it is the same. */
    for (unsigned alone = 0; alone < 2; alone++) {
        struct command c[4];
        unsigned n = 0;

        r = (struct rig){.m = machine_new(&config)};
        rig_code(&r);
        rig_contracts(&r);
        if (!alone)
            c[n++] = command_to(&r, 1, store_often(&r, 1, 5));
        c[n] = command_to(&r, 1, store_often(&r, 1, 32));
        c[n++].value_wei = u256_from_u64(7);
        c[n++] = command_to(&r, 1, store_often(&r, 2, 5));
        rig_run(&r, c, n);
        CHECK_INT(r.results[n - 2].status, RECEIPT_REVERTED);
        CHECK_MEM(r.results[n - 2].output, bytes_of(COMMAND_TOO_LARGE, 4));
        CHECK_INT(r.n_messages, 1); /* the value goes back */
        CHECK_INT(r.results[n - 1].status, RECEIPT_DONE);
        CHECK_INT(stored(&r, 2, 2).n, 0);
        CHECK_INT(load_u64le(stored(&r, 1, 2).p), 5);
        if (alone)
            CHECK_INT(stored(&r, 1, 1).n, 0);
        else
            CHECK_INT(load_u64le(stored(&r, 1, 1).p), 5);
        CHECK_INT(rig_balance(&r, contract_at(1)), 1000);
        rig_clear(&r);
    }
    /* It is for each command, not for all of them. */
    rig_init(&r, 0);
    rig_contracts(&r);
    CHECK_INT(rig_one(&r, command_to(&r, 1, store_often(&r, 1, 32))).status, RECEIPT_DONE);
    rig_clear(&r);
}

/* A first call that is too large leaves no contract. */
TEST(command_limit_of_activations)
{
    const struct machine_config config = {
        .chain_id = 1337, .genesis = {{0xaa}}, .command_limit = 3000};
    struct rig r = {.m = machine_new(&config)};
    struct command c;

    rig_code(&r);
    c = activation(&r, 1, 0);
    c.calldata = store_often(&r, 1, 32);
    CHECK_INT(rig_one(&r, c).status, RECEIPT_REVERTED);
    CHECK_INT(machine_state_size(r.m), 0);
    c.calldata = store_often(&r, 1, 5);
    CHECK_INT(rig_one(&r, c).status, RECEIPT_DONE);
    rig_clear(&r);
}

TEST(load_is_checked)
{
    struct machine *m =
        machine_new(&(struct machine_config){.state_limit = 200 + 2 * STATE_KEY_WEIGHT});
    struct address a = contract_at(1);
    struct account acc = {.nonce = 1};
    uint8_t record[STATE_ACCOUNT_SIZE], none[STATE_ACCOUNT_SIZE] = {0};
    struct state_key key = state_key_account(&a), slot = state_key_storage(&a, bytes_str("k"));
    const struct hash32 hash = {{3}};
    struct state_key code = state_key_code(&hash);
    struct err e;

    account_encode(record, &acc);
    CHECK_RC(machine_load(m, state_key_bytes(&key), BYTES_OF(&none), &e), RC_MALFORMED, &e, "");
    CHECK_RC(machine_load(m, state_key_bytes(&key), bytes_of(record, 71), &e), RC_MALFORMED, &e,
             "");
    CHECK_RC(machine_load(m, state_key_bytes(&key), bytes_of(NULL, 0), &e), RC_MALFORMED, &e, "");
    CHECK_RC(machine_load(m, bytes_of(slot.b, 21), bytes_str("v"), &e), RC_MALFORMED, &e, "");
    CHECK_RC(machine_load(m, bytes_of(NULL, 0), bytes_str("v"), &e), RC_MALFORMED, &e, "");
    CHECK_RC(machine_load(m, state_key_bytes(&code), bytes_str("v"), &e), RC_MALFORMED, &e, "");
    CHECK_RC(machine_load(m, state_key_bytes(&slot), bytes_of(NULL, 0), &e), RC_MALFORMED, &e, "");
    CHECK_OK(machine_load(m, state_key_bytes(&key), BYTES_OF(&record), &e), &e);
    CHECK_RC(machine_load(m, state_key_bytes(&key), BYTES_OF(&record), &e), RC_EXISTS, &e, "twice");
    CHECK_OK(machine_load(m, state_key_bytes(&slot), bytes_of(record, 72), &e), &e);
    slot = state_key_storage(&a, bytes_str("l"));
    CHECK_RC(machine_load(m, state_key_bytes(&slot), bytes_of(record, 72), &e), RC_LIMIT, &e,
             "328");
    CHECK_INT(machine_state_size(m), 21 + 72 + 22 + 72 + 2 * STATE_KEY_WEIGHT);
    machine_free(m);
}

TEST(code_is_checked)
{
    struct machine *m = machine_new(&(struct machine_config){0});
    AUTO_CLEAR(buf) struct buf elf = {0};
    struct hash32 a, b;
    struct err e;

    guest_elf(&elf, 1, NULL, 0);
    CHECK_RC(machine_put_code(m, bytes_str("not a program"), &a, &e), RC_MALFORMED, &e, "");
    CHECK_OK(machine_put_code(m, buf_bytes(&elf), &a, &e), &e);
    CHECK_OK(machine_put_code(m, buf_bytes(&elf), &b, &e), &e);
    keccak256(&b, buf_bytes(&elf));
    CHECK_MEM(BYTES_OF(&a), BYTES_OF(&b));
    CHECK_TRUE(machine_has_code(m, &a));
    b.b[0] ^= 1;
    CHECK_TRUE(!machine_has_code(m, &b));
    machine_free(m);
}

/* ---- properties ---- */

/* apply() against the same on a plain array: the hash map loses and invents nothing. */
TEST(map_property)
{
    enum { KEYS = 300 };
    struct machine *m = machine_new(&(struct machine_config){0});
    struct arena mem = {0};
    uint8_t naive[KEYS] = {0}; /* length of the value; its bytes are that number */
    struct address a = contract_at(1);
    struct err e;

    for (uint64_t round = 0; round < t_times(3000); round++) {
        uint32_t k = (uint32_t)t_rand_below(KEYS);
        uint8_t n = (uint8_t)t_rand_below(40), value[40];
        struct state_key key = state_key_storage(&a, BYTES_OF(&k));
        struct state_change change = {.key = state_key_bytes(&key), .value = bytes_of(value, n)};

        memset(value, n, sizeof(value));
        naive[k] = n;
        CHECK_OK(machine_apply(m, &change, 1, &e), &e);
    }
    size_t size = 0;

    for (uint32_t k = 0; k < KEYS; k++) {
        struct looked_up l = {.key = state_key_storage(&a, BYTES_OF(&k)), .mem = &mem};

        CHECK_OK(machine_each(m, look, &l, &e), &e);
        CHECK_INT(l.value.n, naive[k]);
        CHECK_TRUE(naive[k] == 0 || l.value.p[naive[k] - 1] == naive[k]);
        size += naive[k] == 0 ? 0 : 25u + naive[k] + STATE_KEY_WEIGHT;
    }
    CHECK_INT(machine_state_size(m), size);
    arena_clear(&mem);
    machine_free(m);
}

TEST(apply_is_checked)
{
    struct rig r;
    struct address a = contract_at(1);
    struct state_key k1 = state_key_storage(&a, bytes_str("1"));
    struct state_key k2 = state_key_storage(&a, bytes_str("2"));
    struct state_change two[2] = {{.key = state_key_bytes(&k2), .value = bytes_str("x")},
                                  {.key = state_key_bytes(&k1), .value = bytes_str("y")}};
    struct err e;

    rig_init(&r, 23 + STATE_KEY_WEIGHT);
    CHECK_RC(machine_apply(r.m, two, 2, &e), RC_MALFORMED, &e, "order");
    CHECK_INT(machine_state_size(r.m), 0);
    two[0].key = state_key_bytes(&k1);
    two[1].key = state_key_bytes(&k2);
    CHECK_RC(machine_apply(r.m, two, 2, &e), RC_LIMIT, &e, "87");
    CHECK_OK(machine_apply(r.m, two, 1, &e), &e);
    CHECK_MEM(rig_state(&r, k1), bytes_str("x"));
    two[0].key.n = 3;
    CHECK_RC(machine_apply(r.m, two, 1, &e), RC_MALFORMED, &e, "none of");
    rig_clear(&r);
}

/* A script of random calls, among them calls of the other contract with such a script. */
static struct bytes random_script(struct rig *r, unsigned depth)
{
    enum { STEPS = 8 };
    struct script s = script_new(STEPS);
    uint64_t key = script_data(&s, bytes_of(&(uint64_t){t_rand_below(12)}, 8));
    uint64_t to = script_data(&s, address_bytes(r, t_rand_below(2) == 0
                                                       ? contract_at(1 + (unsigned)t_rand_below(2))
                                                       : person((unsigned)t_rand_below(3))));
    uint64_t other = script_data(&s, address_bytes(r, contract_at(1 + (unsigned)t_rand_below(3))));
    uint64_t v = script_data(&s, wei(r, t_rand_below(40)));
    struct bytes inner = depth == 0 ? bytes_str("") : random_script(r, depth - 1);
    uint64_t data = script_data(&s, inner);

    for (unsigned i = 0; i < STEPS - 1; i++) {
        switch (t_rand_below(9)) {
        case 0:
        case 1:
            STEP(&s, HOST_STORAGE_SET, key, 8, GUEST_BUF, t_rand_below(200), 0, 0, 0);
            break;
        case 2:
            STEP(&s, HOST_STORAGE_SET, key, 8, 0, 0, 0, 0, 0);
            break;
        case 3:
            STEP(&s, HOST_TRANSFER, to, v, 0, 0, 0, 0, OUT);
            break;
        case 4:
            STEP(&s, HOST_SEND, to, v, data, inner.n < 64 ? inner.n : 64, 0, 0, OUT + 8);
            break;
        case 5:
            STEP(&s, HOST_LOG, OUT, t_rand_below(3), GUEST_BUF, 24, 0, 0, 0);
            break;
        case 6:
            STEP(&s, t_rand_below(6) == 0 ? HOST_REVERT : HOST_GAS_LEFT, OUT, 16, 0, 0, 0, 0,
                 OUT + 16);
            break;
        default:
            if (inner.n != 0)
                STEP(&s, HOST_CALL, other, data, inner.n, t_rand_below(2) == 0 ? v : 0, 0, 0,
                     OUT + 24);
        }
    }
    RET(&s, 4);
    return script_bytes(r, &s);
}

static struct command random_command(struct rig *r)
{
    struct command c = command_to(r, 1 + (unsigned)t_rand_below(3), random_script(r, 2));

    c.sender = t_rand_below(4) == 0 ? contract_at(2) : person((unsigned)t_rand_below(3));
    c.value_wei = u256_from_u64(t_rand_below(3) * 20);
    c.kind = t_rand_below(2) == 0 ? ENTRY_SEALED : ENTRY_PLAIN;
    c.unreadable = t_rand_below(10) == 0;
    c.gas = t_rand_below(8) == 0 ? 30000 + t_rand_below(60000) : GAS;
    if (t_rand_below(12) == 0) {
        c.kind = ENTRY_ACTIVATE;
        c.code_hash = r->code[t_rand_below(2)];
    } else if (t_rand_below(12) == 0) {
        c.kind = ENTRY_UPGRADE;
        c.code_hash = r->code[t_rand_below(2)];
    }
    return c;
}

static void hash_bytes(struct buf *b, struct bytes x)
{
    buf_u32be(b, (uint32_t)x.n);
    buf_put_bytes(b, x);
}

/* Results and messages of the last run, appended. */
static void write_results(struct buf *b, const struct rig *r, size_t n, struct buf *messages)
{
    for (size_t i = 0; i < n; i++) {
        const struct command_result *x = &r->results[i];

        buf_u8(b, (uint8_t)x->status);
        buf_u64be(b, x->gas_used);
        hash_bytes(b, x->output);
        for (size_t k = 0; k < x->n_events; k++) {
            buf_put(b, x->events[k].address.b, 20);
            hash_bytes(b, bytes_of(x->events[k].topics, 32u * x->events[k].n_topics));
            hash_bytes(b, x->events[k].data);
        }
    }
    for (size_t i = 0; i < r->n_messages; i++) {
        buf_put(messages, r->messages[i].from.b, 20);
        buf_put(messages, r->messages[i].to.b, 20);
        buf_put(messages, r->messages[i].value_wei.w, 32);
        hash_bytes(messages, r->messages[i].data);
    }
}

struct copier {
    struct machine *to;
};

static enum rc copy_item(void *data, struct bytes key, struct bytes value, struct err *e)
{
    struct copier *c = data;
    struct hash32 hash;

    if (key.p[0] == STATE_CODE)
        return machine_put_code(c->to, value, &hash, e);
    return machine_load(c->to, key, value, e);
}

/* A fresh machine from the old one's each(). */
static void reload(struct rig *r)
{
    struct machine *m =
        machine_new(&(struct machine_config){.chain_id = 1337, .genesis = {{0xaa}}});
    struct copier c = {m};
    struct err e;

    CHECK_OK(machine_each(r->m, copy_item, &c, &e), &e);
    CHECK_INT(machine_state_size(m), machine_state_size(r->m));
    machine_free(r->m);
    r->m = m;
    rig_code(r);
}

static enum rc item_into(void *data, struct bytes key, struct bytes value, struct err *e)
{
    struct hash32 h, *sum = data;
    AUTO_CLEAR(buf) struct buf b = {0};

    (void)e;
    if (key.p[0] == STATE_CODE)
        return RC_OK;
    hash_bytes(&b, key);
    hash_bytes(&b, value);
    keccak256(&h, buf_bytes(&b));
    for (size_t i = 0; i < 32; i++) /* in any order */
        sum->b[i] ^= h.b[i];
    return RC_OK;
}

static struct hash32 digest_of(const struct machine *m)
{
    struct hash32 sum = {0};
    struct err e;

    CHECK_OK(machine_each(m, item_into, &sum, &e), &e);
    return sum;
}

/* Coin comes in with commands and leaves with messages only. */
static enum rc sum_balance(void *data, struct bytes key, struct bytes value, struct err *e)
{
    struct account acc;

    if (key.p[0] != STATE_ACCOUNT)
        return RC_OK;
    TRY(account_decode(&acc, value, e));
    CHECK(acc.balance.w[1] == 0);
    *(uint64_t *)data += acc.balance.w[0];
    return RC_OK;
}

static void check_coin(const struct rig *r, uint64_t came_in, const struct out_message *sent,
                       size_t n)
{
    uint64_t held = 0, left = 0;
    struct err e;

    CHECK_OK(machine_each(r->m, sum_balance, &held, &e), &e);
    for (size_t i = 0; i < n; i++)
        left += sent[i].value_wei.w[0];
    CHECK_INT(held + left, came_in);
}

/* The last run, undone: what was there before is there again. */
static void check_undo(struct rig *r)
{
    struct state_change *back = arena_array(&r->mem, r->changes.n + 1, sizeof(*back));
    struct rig fresh;
    struct hash32 got, want;
    struct err e;

    for (size_t i = 0; i < r->changes.n; i++) {
        CHECK_TRUE(!bytes_eq(r->changes.items[i].old, r->changes.items[i].value));
        back[i].key = r->changes.items[i].key;
        back[i].value = r->changes.items[i].old;
    }
    CHECK_OK(machine_apply(r->m, back, r->changes.n, &e), &e);
    rig_init(&fresh, 0);
    rig_contracts(&fresh);
    got = digest_of(r->m);
    want = digest_of(fresh.m);
    CHECK_MEM(BYTES_OF(&got), BYTES_OF(&want));
    CHECK_INT(machine_state_size(r->m), machine_state_size(fresh.m));
    rig_clear(&fresh);
}

/* The same commands in one run, in runs of any length, and on machines that were made anew from
 * what the last one held, give the same. */
TEST(runs_split_anyhow)
{
    enum { N = 40 };

    for (uint64_t round = 0; round < t_times(12); round++) {
        AUTO_CLEAR(buf) struct buf a = {0};
        AUTO_CLEAR(buf) struct buf b = {0};
        AUTO_CLEAR(buf) struct buf ma = {0};
        AUTO_CLEAR(buf) struct buf mb = {0};
        struct rig one, many, follower;
        struct command c[N];
        struct hash32 da, db;
        uint64_t came_in = 2000;
        struct err e;

        rig_init(&one, 0);
        rig_init(&many, 0);
        rig_init(&follower, 0);
        rig_contracts(&one);
        rig_contracts(&many);
        rig_contracts(&follower);
        for (unsigned i = 0; i < N; i++) {
            c[i] = random_command(&one);
            came_in += c[i].value_wei.w[0];
        }
        rig_run(&one, c, N);
        write_results(&a, &one, N, &ma);
        check_coin(&one, came_in, one.messages, one.n_messages);
        for (size_t done = 0; done < N;) {
            size_t n = 1 + t_rand_below(N - done);

            rig_run(&many, c + done, n);
            write_results(&b, &many, n, &mb);
            CHECK_OK(machine_apply(follower.m, many.changes.items, many.changes.n, &e), &e);
            done += n;
            if (t_rand_below(3) == 0)
                reload(&many);
        }
        CHECK_MEM(buf_bytes(&b), buf_bytes(&a));
        CHECK_MEM(buf_bytes(&mb), buf_bytes(&ma));
        da = digest_of(one.m);
        db = digest_of(many.m);
        CHECK_MEM(BYTES_OF(&db), BYTES_OF(&da));
        db = digest_of(follower.m);
        CHECK_MEM(BYTES_OF(&db), BYTES_OF(&da));
        check_undo(&one);
        rig_clear(&one);
        rig_clear(&many);
        rig_clear(&follower);
    }
}
