/* Hostile contracts in a cluster: a guest makes the host calls the input names, with the arguments
 * it gives, as a command and as a query. The machine must survive, keep all coin, say the same
 * twice, and a query must change nothing. Input: u8 kind of command, then a script in
 * tests/ledger/guest.h's form. */
#include "../../tests/ledger/guest.h"
#include "base/mem.h"
#include "cluster/entry.h"
#include "cluster/machine.h"
#include "crypto/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define GAS 600000u
#define COIN 1000u

static struct machine *machine; /* as a worker keeps it: what ran before must not matter */
static struct state_key keys[2];
static uint8_t records[2][STATE_ACCOUNT_SIZE];
static size_t size; /* of the state of these two */

static void start(void)
{
    static const uint8_t marked[][4] = {{HOST_CALL, 0, 0, 0}, {HOST_STORAGE_SET, 0, 0, 0}};

    machine = machine_new(&(struct machine_config){.chain_id = 5, .state_limit = 100000});
    for (uint8_t i = 0; i < 2; i++) {
        AUTO_CLEAR(buf) struct buf elf = {0};
        const struct address a = {{[19] = (uint8_t)(0xa1 + i)}};
        struct account acc = {.nonce = 1, .balance = u256_from_u64(COIN)};

        guest_elf(&elf, i + 1u, marked, i == 0 ? 2 : 0);
        CHECK(machine_put_code(machine, buf_bytes(&elf), &acc.code_hash, NULL) == RC_OK);
        keys[i] = state_key_account(&a);
        account_encode(records[i], &acc);
        CHECK(machine_load(machine, state_key_bytes(&keys[i]), BYTES_OF(&records[i]), NULL) ==
              RC_OK);
    }
    size = machine_state_size(machine);
}

/* What changed goes back to what it was. */
static void undo(const struct state_changes *c, struct arena *mem)
{
    struct state_change *back = arena_array(mem, c->n + 1, sizeof(*back));

    for (size_t i = 0; i < c->n; i++) {
        back[i].key = c->items[i].key;
        for (size_t k = 0; k < 2; k++)
            if (bytes_eq(back[i].key, state_key_bytes(&keys[k])))
                back[i].value = BYTES_OF(&records[k]);
    }
    CHECK(machine_apply(machine, back, c->n, NULL) == RC_OK);
    CHECK(machine_state_size(machine) == size);
}

static enum rc sum_up(void *data, struct bytes key, struct bytes value, struct err *e)
{
    struct u256 *sum = data;
    struct account acc;

    if (key.p[0] != STATE_ACCOUNT)
        return RC_OK;
    TRY(account_decode(&acc, value, e));
    CHECK(u256_add(sum, sum, &acc.balance));
    return RC_OK;
}

static void put_result(struct buf *b, const struct command_result *x)
{
    CHECK(x->status >= RECEIPT_DONE && x->status <= RECEIPT_NO_CONTRACT);
    buf_u8(b, (uint8_t)x->status);
    buf_u64be(b, x->gas_used);
    buf_put_bytes(b, x->output);
    for (size_t i = 0; i < x->n_events; i++)
        buf_put_bytes(b, x->events[i].data);
}

/* The command, and back to the start; what came of it, as one digest. */
static void command(uint8_t kind, struct bytes script, struct hash32 *digest)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf all = {0};
    const struct command c = {.kind = kind % 2 == 0 ? ENTRY_SEALED : ENTRY_PLAIN,
                              .height = 9,
                              .time_s = 1700000000,
                              .contract = {{[19] = 0xa1}},
                              .sender = {{[19] = 0x55}},
                              .gas = 21000 + 16 * script.n + GAS,
                              .value_wei = u256_from_u64(kind / 2),
                              .calldata = script};
    struct command_result x;
    const struct out_message *messages;
    struct state_changes changes;
    struct u256 sum = U256_ZERO;
    size_t n;

    CHECK(machine_run(machine, &c, 1, &mem, &x, &messages, &n, &changes, NULL) == RC_OK);
    CHECK(n <= OUT_MESSAGES_MAX && x.gas_used <= c.gas);
    CHECK(machine_each(machine, sum_up, &sum, NULL) == RC_OK);
    for (size_t i = 0; i < n; i++) {
        CHECK(u256_add(&sum, &sum, &messages[i].value_wei));
        CHECK(messages[i].data.n <= OUT_MESSAGE_DATA_MAX);
        buf_put_bytes(&all, messages[i].data);
    }
    CHECK(sum.w[0] == 2 * COIN + kind / 2 && (sum.w[1] | sum.w[2] | sum.w[3]) == 0);
    put_result(&all, &x);
    for (size_t i = 0; i < changes.n; i++) {
        buf_put_bytes(&all, changes.items[i].key);
        buf_put_bytes(&all, changes.items[i].value);
    }
    CHECK(machine_state_size(machine) <= 100000);
    keccak256(digest, buf_bytes(&all));
    undo(&changes, &mem);
}

/* ---- effects that give something ---- */

static enum rc give_random(void *data, uint8_t *out, size_t n, struct err *e)
{
    (void)data, (void)e;
    memset(out, 7, n);
    return RC_OK;
}
static enum rc give_sign(void *data, const struct address *a, struct bytes message, uint8_t sig[65],
                         struct err *e)
{
    (void)data, (void)a, (void)e;
    memset(sig, message.n != 0 ? message.p[message.n - 1] : 0, 65);
    return RC_OK;
}
static enum rc give_http(void *data, const struct address *a, struct bytes request,
                         struct buf *response, struct err *e)
{
    (void)data, (void)a;
    buf_put_bytes(response, request);
    if (request.n % 3 == 1)
        return err_set(e, RC_NOTFOUND, "none");
    buf_put_zero(response, request.n % 3 == 2 ? QUERY_RESPONSE_MAX : 0);
    return RC_OK;
}
static enum rc give_get(void *data, const struct address *a, struct bytes key, struct buf *value,
                        struct err *e)
{
    (void)data, (void)a, (void)e;
    buf_put_zero(value, key.n == 5 ? QUERY_CACHE_VALUE_MAX + 1 : key.p[0]);
    return RC_OK;
}
static enum rc take_set(void *data, const struct address *a, struct bytes key, struct bytes value,
                        struct err *e)
{
    (void)data, (void)a, (void)key, (void)value, (void)e;
    return RC_OK;
}

static void query(struct bytes script, struct hash32 *digest)
{
    static const struct query_host host = {NULL,      give_random, give_sign,
                                           give_http, give_get,    take_set};
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf all = {0};
    const struct machine_query q = {.contract = {{[19] = 0xa1}},
                                    .caller = {{[19] = 0x55}},
                                    .calldata = script,
                                    .gas = 21000 + 16 * script.n + GAS,
                                    .height = 9,
                                    .host = &host};
    struct command_result x;
    struct u256 sum = U256_ZERO;

    CHECK(machine_query(machine, &q, &mem, &x, NULL) == RC_OK);
    CHECK(machine_each(machine, sum_up, &sum, NULL) == RC_OK);
    CHECK(sum.w[0] == 2 * COIN);
    put_result(&all, &x);
    keccak256(digest, buf_bytes(&all));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct hash32 one, two;

    if (n < 1 || n > 16384)
        return 0;
    if (machine == NULL)
        start();
    query(bytes_of(p + 1, n - 1), &one);
    command(p[0], bytes_of(p + 1, n - 1), &two);
    command(p[0], bytes_of(p + 1, n - 1), &one);
    CHECK(hash32_eq(&one, &two));
    query(bytes_of(p + 1, n - 1), &one);
    query(bytes_of(p + 1, n - 1), &two);
    CHECK(hash32_eq(&one, &two));
    return 0;
}
