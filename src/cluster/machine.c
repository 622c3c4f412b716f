#include "cluster/machine.h"

#include "base/mem.h"
#include "cluster/entry.h"
#include "cluster/internal/map.h"

/* Above any command's gas, and small enough that gas in the VM's units does not overflow. */
#define GAS_MAX (1ULL << 50)

const uint8_t COMMAND_TOO_LARGE[4] = {0x59, 0x4a, 0xa8, 0x49};

struct code {
    struct hash32 hash;
    struct bytes elf; /* owned */
};

struct machine {
    struct machine_config config;
    struct state_map state;
    struct code *codes; /* sorted by hash */
    size_t n_codes;
    struct executor *executor;
};

struct machine *machine_new(const struct machine_config *c)
{
    struct machine *m = xcalloc(1, sizeof(*m));

    m->config = *c;
    state_map_init(&m->state);
    m->executor = executor_new(NULL);
    return m;
}

void machine_free(struct machine *m)
{
    if (m == NULL)
        return;
    executor_free(m->executor);
    state_map_clear(&m->state);
    for (size_t i = 0; i < m->n_codes; i++)
        free((void *)(uintptr_t)m->codes[i].elf.p);
    free(m->codes);
    free(m);
}

/* ---- state ---- */

static bool key_ok(struct bytes key)
{
    if (key.n != 0 && key.p[0] == STATE_ACCOUNT)
        return key.n == 21;
    return key.n > 21 && key.n <= STATE_KEY_MAX && key.p[0] == STATE_STORAGE;
}

/* Balances below 2^224 and commands' values below 2^192 cannot add up to 2^256. */
static bool value_ok(struct bytes key, struct bytes value)
{
    struct account acc;

    if (key.p[0] == STATE_STORAGE)
        return value.n >= 1 && value.n <= STATE_VALUE_MAX;
    return account_decode(&acc, value, NULL) == RC_OK && value.n != 0 && !account_is_empty(&acc) &&
           acc.balance.w[3] >> 32 == 0;
}

static enum rc too_large(const struct machine *m, struct err *e)
{
    return err_set(e, RC_LIMIT, "cluster: state weighs more than its limit of %zu bytes",
                   m->config.state_limit);
}

enum rc machine_load(struct machine *m, struct bytes key, struct bytes value, struct err *e)
{
    if (!key_ok(key) || !value_ok(key, value))
        return err_set(e, RC_MALFORMED, "cluster: not an account or a stored value (key %zu, %zu)",
                       key.n, value.n);
    if (state_map_get(&m->state, key).p != NULL)
        return err_set(e, RC_EXISTS, "cluster: a key is loaded twice");
    if (m->config.state_limit != 0 &&
        machine_state_size(m) + key.n + value.n + STATE_KEY_WEIGHT > m->config.state_limit)
        return too_large(m, e);
    state_map_set(&m->state, key, value);
    return RC_OK;
}

enum rc machine_apply(struct machine *m, const struct state_change *changes, size_t n,
                      struct err *e)
{
    size_t before = machine_state_size(m), size = before;

    for (size_t i = 0; i < n; i++) {
        struct bytes key = changes[i].key, value = changes[i].value, old;

        if (!key_ok(key) || (value.n != 0 && !value_ok(key, value)))
            return err_set(e, RC_MALFORMED, "cluster: change %zu is none of a contract's state", i);
        if (i != 0 && bytes_cmp(changes[i - 1].key, key) >= 0)
            return err_set(e, RC_MALFORMED, "cluster: changes are not in order at %zu", i);
        old = state_map_get(&m->state, key);
        size += value.n != 0 ? key.n + value.n + STATE_KEY_WEIGHT : 0;
        size -= old.n != 0 ? key.n + old.n + STATE_KEY_WEIGHT : 0;
    }
    if (m->config.state_limit != 0 && size > m->config.state_limit && size > before)
        return too_large(m, e);
    for (size_t i = 0; i < n; i++)
        state_map_set(&m->state, changes[i].key, changes[i].value);
    return RC_OK;
}

size_t machine_state_size(const struct machine *m)
{
    return m->state.size + m->state.n * STATE_KEY_WEIGHT;
}

/* ---- code ---- */

/* Where the code is or would be. */
static size_t code_place(const struct machine *m, const struct hash32 *hash)
{
    size_t lo = 0, hi = m->n_codes;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (memcmp(m->codes[mid].hash.b, hash->b, sizeof(hash->b)) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct bytes code_get(const struct machine *m, const struct hash32 *hash)
{
    size_t at = code_place(m, hash);

    if (at < m->n_codes && hash32_eq(&m->codes[at].hash, hash))
        return m->codes[at].elf;
    return bytes_of(NULL, 0);
}

bool machine_has_code(const struct machine *m, const struct hash32 *hash)
{
    return code_get(m, hash).p != NULL;
}

static enum rc no_state(void *data, struct bytes key, struct arena *out, struct bytes *value,
                        struct err *e)
{
    (void)data, (void)key, (void)out, (void)e;
    *value = bytes_of(NULL, 0);
    return RC_OK;
}

enum rc machine_put_code(struct machine *m, struct bytes elf, struct hash32 *hash, struct err *e)
{
    struct journal checked;
    enum rc rc;
    size_t at;

    journal_init(&checked, (struct state_source){.get = no_state});
    rc = ledger_put_code(m->executor, &checked, elf, hash, e);
    if (rc == RC_OK) /* the first caller, and every snapshot, shall find it ready */
        rc = ledger_warm_code(m->executor, &checked, hash, e);
    journal_clear(&checked);
    if (rc != RC_OK || machine_has_code(m, hash))
        return rc;
    at = code_place(m, hash);
    m->codes = xreallocarray(m->codes, m->n_codes + 1, sizeof(*m->codes));
    memmove(m->codes + at + 1, m->codes + at, (m->n_codes - at) * sizeof(*m->codes));
    m->codes[at] = (struct code){.hash = *hash, .elf = bytes_of(xmemdup(elf.p, elf.n), elf.n)};
    m->n_codes++;
    return RC_OK;
}

static enum rc source_get(void *data, struct bytes key, struct arena *out, struct bytes *value,
                          struct err *e)
{
    const struct machine *m = data;
    struct hash32 hash;

    (void)out, (void)e;
    if (key.p[0] != STATE_CODE) {
        *value = state_map_get(&m->state, key);
        return RC_OK;
    }
    CHECK(key.n == 1 + sizeof(hash.b));
    memcpy(hash.b, key.p + 1, sizeof(hash.b));
    *value = code_get(m, &hash);
    return RC_OK;
}

/* Addresses are copied, or every comparison would go through all of memory. */
struct placed {
    struct address contract;
    const struct map_item *item;
};

static int by_contract(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    return memcmp(x->contract.b, y->contract.b, sizeof(x->contract.b));
}

static struct placed *in_order(const struct machine *m)
{
    struct placed *all = xcalloc(m->state.n + 1, sizeof(*all));
    size_t n = 0;

    for (size_t i = 0; i < m->state.n_slots; i++) {
        const struct map_item *item = m->state.slots[i].item;

        if (item == NULL)
            continue;
        all[n].item = item;
        memcpy(all[n++].contract.b, item->bytes + 1, sizeof(all->contract.b));
    }
    qsort(all, n, sizeof(*all), by_contract);
    return all;
}

enum rc machine_each(const struct machine *m,
                     enum rc (*fn)(void *data, struct bytes key, struct bytes value, struct err *e),
                     void *data, struct err *e)
{
    AUTO_FREE bool *used = xcalloc(m->n_codes + 1, sizeof(*used));
    AUTO_FREE struct placed *all = in_order(m);

    for (size_t i = 0; i < m->state.n; i++) {
        const struct map_item *item = all[i].item;
        struct account acc;

        TRY(fn(data, map_item_key(item), map_item_value(item), e));
        if (item->bytes[0] != STATE_ACCOUNT)
            continue;
        TRY(account_decode(&acc, map_item_value(item), e));
        if (machine_has_code(m, &acc.code_hash))
            used[code_place(m, &acc.code_hash)] = true;
    }
    for (size_t i = 0; i < m->n_codes; i++) {
        struct state_key key = state_key_code(&m->codes[i].hash);

        if (used[i])
            TRY(fn(data, state_key_bytes(&key), m->codes[i].elf, e));
    }
    return RC_OK;
}

/* ---- commands ---- */

/* A range being run. */
struct run {
    struct machine *m;
    struct journal journal;
    struct arena *mem;
    struct arena scratch; /* of one command */
    struct out_message *messages;
    size_t n_messages, cap_messages;
    size_t size; /* of what goes back to the caller */
};

static struct block_env env_of(const struct machine *m, uint64_t height, uint64_t time_s,
                               const struct host_profile *profile)
{
    return (struct block_env){.height = height,
                              .time_s = time_s,
                              .chain_id = m->config.chain_id,
                              .gas_limit = GAS_MAX,
                              .genesis_hash = m->config.genesis,
                              .profile = profile};
}

static struct ledger_tx call_of(const struct address *from, const struct address *to,
                                const struct u256 *value_wei, struct bytes calldata, uint64_t gas)
{
    struct ledger_tx t = {.sender = *from};

    t.tx.to = *to;
    t.tx.value_wei = *value_wei;
    t.tx.data = calldata;
    t.tx.gas_limit = gas != 0 ? gas : 1; /* 0 would be as much as there is */
    return t;
}

static enum receipt_status status_of(enum tx_code code)
{
    switch ((unsigned)code) {
    case TX_OK:
        return RECEIPT_DONE;
    case TX_REVERTED:
        return RECEIPT_REVERTED;
    default:
        return RECEIPT_TRAPPED;
    }
}

static void add_message(struct run *r, const struct out_message *m)
{
    if (r->n_messages == r->cap_messages) {
        r->cap_messages = r->cap_messages == 0 ? 16 : r->cap_messages * 2;
        r->messages = xreallocarray(r->messages, r->cap_messages, sizeof(*r->messages));
    }
    r->messages[r->n_messages] = *m;
    r->messages[r->n_messages++].data = arena_dup(r->mem, m->data);
    r->size += sizeof(*m) + m->data.n;
}

/* The command changed nothing: its value goes back where it came from. */
static void give_back(struct run *r, const struct command *c)
{
    if (!u256_is_zero(&c->value_wei))
        add_message(r, &(struct out_message){
                           .from = c->contract, .to = c->sender, .value_wei = c->value_wei});
}

/* Messages and events of a command that succeeded, out of the journal's logs. */
static void take_logs(struct run *r, struct command_result *out)
{
    struct log *events = arena_array(r->mem, r->journal.n_logs + 1, sizeof(*events));
    struct out_log sent;
    size_t n = 0;

    for (size_t i = 0; i < r->journal.n_logs; i++) {
        const struct log *log = &r->journal.logs[i];

        if (out_log_read(&sent, log)) {
            add_message(r, &(struct out_message){sent.from, sent.to, sent.value_wei, sent.data});
            continue;
        }
        events[n] = *log;
        events[n++].data = arena_dup(r->mem, log->data);
        r->size += sizeof(*log) + log->data.n;
    }
    out->events = events;
    out->n_events = n;
}

static enum rc balance_add(struct run *r, const struct address *a, const struct u256 *amount,
                           struct err *e)
{
    struct account acc;

    if (u256_is_zero(amount))
        return RC_OK;
    TRY(journal_account(&r->journal, a, &acc, e));
    CHECK(u256_add(&acc.balance, &acc.balance, amount));
    return journal_set_account(&r->journal, a, &acc, e);
}

static enum rc balance_take(struct run *r, const struct address *a, const struct u256 *amount,
                            struct err *e)
{
    struct account acc;

    if (u256_is_zero(amount))
        return RC_OK;
    TRY(journal_account(&r->journal, a, &acc, e));
    CHECK(u256_sub(&acc.balance, &acc.balance, amount));
    return journal_set_account(&r->journal, a, &acc, e);
}

static bool above_limit(const struct run *r, int64_t grown_before)
{
    size_t limit = r->m->config.state_limit;

    return limit != 0 && r->journal.grown > grown_before &&
           (int64_t)machine_state_size(r->m) + r->journal.grown > (int64_t)limit;
}

/* Call the contract; it has code. The coin comes out of nowhere into the sender's account, from
 * where the call takes it. */
static enum rc call_contract(struct run *r, const struct command *c, struct command_result *out,
                             struct err *e)
{
    const struct host_profile profile = {.kind = c->kind == ENTRY_SEALED ? PROFILE_SEALED
                                                                         : PROFILE_PLAIN};
    struct block_env env = env_of(r->m, c->height, c->time_s, &profile);
    struct ledger_tx t = call_of(&c->sender, &c->contract, &c->value_wei, c->calldata, c->gas);
    int64_t grown = r->journal.grown;
    struct exec_result x;

    TRY(balance_add(r, &c->sender, &c->value_wei, e));
    TRY(ledger_call(r->m->executor, &r->journal, &env, &t, &r->scratch, &x, e));
    out->gas_used = x.gas_used;
    out->status = status_of(x.code);
    if (x.output.n > RECEIPT_OUTPUT_MAX)
        x.output.n = RECEIPT_OUTPUT_MAX;
    if (journal_is_full(&r->journal) || (x.code == TX_OK && above_limit(r, grown))) {
        journal_revert(&r->journal, (struct journal_mark){0});
        out->status = RECEIPT_REVERTED;
        x.output =
            journal_is_full(&r->journal) ? bytes_of(COMMAND_TOO_LARGE, 4) : bytes_of(NULL, 0);
    }
    out->output = arena_dup(r->mem, x.output);
    arena_reset(&r->scratch);
    r->size += out->output.n;
    if (out->status == RECEIPT_DONE)
        take_logs(r, out);
    else
        TRY(balance_take(r, &c->sender, &c->value_wei, e));
    return RC_OK;
}

/* A contract appears, and is called if there is a first call; both or neither. */
static enum rc activate(struct run *r, const struct command *c, struct command_result *out,
                        struct err *e)
{
    int64_t grown = r->journal.grown;
    struct account before, acc;

    TRY(journal_account(&r->journal, &c->contract, &before, e));
    out->status = RECEIPT_REVERTED;
    if (account_has_code(&before) || address_is_zero(&c->contract))
        return RC_OK;
    acc = before;
    acc.nonce = 1; /* EIP-161 */
    acc.code_hash = c->code_hash;
    TRY(journal_set_account(&r->journal, &c->contract, &acc, e));
    if (c->calldata.n != 0) {
        TRY(call_contract(r, c, out, e));
    } else if (!above_limit(r, grown)) {
        TRY(balance_add(r, &c->contract, &c->value_wei, e));
        out->status = RECEIPT_DONE;
    }
    if (out->status == RECEIPT_DONE)
        return RC_OK;
    return journal_set_account(&r->journal, &c->contract, &before, e);
}

static enum rc run_command(struct run *r, const struct command *c, struct command_result *out,
                           struct err *e)
{
    struct account acc;

    if (c->kind == ENTRY_ACTIVATE)
        return activate(r, c, out, e);
    TRY(journal_account(&r->journal, &c->contract, &acc, e));
    out->status = RECEIPT_UNREADABLE;
    if (c->unreadable)
        return RC_OK;
    out->status = RECEIPT_NO_CONTRACT;
    if (!account_has_code(&acc))
        return RC_OK;
    if (c->kind != ENTRY_UPGRADE)
        return call_contract(r, c, out, e);
    acc.code_hash = c->code_hash;
    TRY(journal_set_account(&r->journal, &c->contract, &acc, e));
    out->status = RECEIPT_DONE;
    return balance_add(r, &c->contract, &c->value_wei, e);
}

static enum rc check_commands(const struct machine *m, const struct command *c, size_t n,
                              struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        bool has_code = c[i].kind == ENTRY_ACTIVATE || c[i].kind == ENTRY_UPGRADE;

        if (has_code && !machine_has_code(m, &c[i].code_hash))
            return err_set(e, RC_NOTFOUND, "cluster: command %llu names code that is not here",
                           (unsigned long long)c[i].index);
        if (c[i].value_wei.w[3] != 0)
            return err_set(e, RC_RANGE, "cluster: command %llu has a value of 2^192 and more",
                           (unsigned long long)c[i].index);
    }
    return RC_OK;
}

static enum rc run_all(struct run *r, const struct command *c, size_t n,
                       struct command_result *results, struct err *e)
{
    uint64_t limit =
        r->m->config.command_limit != 0 ? r->m->config.command_limit : MACHINE_COMMAND_MAX;

    for (size_t i = 0; i < n; i++) {
        results[i] = (struct command_result){.status = RECEIPT_REVERTED};
        journal_settle(&r->journal);
        r->journal.work_limit = r->journal.work + limit;
        TRY(run_command(r, &c[i], &results[i], e));
        if (results[i].status != RECEIPT_DONE)
            give_back(r, &c[i]);
        if (n > 1 && (r->size > MACHINE_RANGE_MAX || r->journal.work > MACHINE_RANGE_MAX))
            return err_set(e, RC_LIMIT, "cluster: %zu commands make above %u bytes: run fewer", n,
                           MACHINE_RANGE_MAX);
    }
    return RC_OK;
}

/* Copies, since they borrow from the journal and from what is about to change. */
static enum rc copy_changes(struct run *r, struct state_changes *out, struct err *e)
{
    struct state_changes c = journal_changes(&r->journal, r->mem);
    struct state_change *items = arena_array(r->mem, c.n + 1, sizeof(*items));

    for (size_t i = 0; i < c.n; i++)
        r->size += sizeof(*items) + c.items[i].key.n + c.items[i].value.n + c.items[i].old.n;
    if (r->size > MACHINE_RANGE_MAX)
        return err_set(e, RC_LIMIT, "cluster: the commands change above %u bytes: run fewer",
                       MACHINE_RANGE_MAX);
    for (size_t i = 0; i < c.n; i++) {
        items[i].key = arena_dup(r->mem, c.items[i].key);
        if (c.items[i].value.n != 0)
            items[i].value = arena_dup(r->mem, c.items[i].value);
        if (c.items[i].old.n != 0)
            items[i].old = arena_dup(r->mem, c.items[i].old);
    }
    *out = (struct state_changes){.items = items, .n = c.n};
    return RC_OK;
}

enum rc machine_run(struct machine *m, const struct command *commands, size_t n, struct arena *mem,
                    struct command_result *results, const struct out_message **messages,
                    size_t *n_messages, struct state_changes *changes, struct err *e)
{
    struct run r = {.m = m, .mem = mem};
    struct out_message *out;
    enum rc rc;

    *messages = NULL;
    *n_messages = 0;
    *changes = (struct state_changes){0};
    TRY(check_commands(m, commands, n, e));
    journal_init(&r.journal, (struct state_source){.get = source_get, .data = m});
    rc = run_all(&r, commands, n, results, e);
    if (rc == RC_OK)
        rc = copy_changes(&r, changes, e);
    if (rc == RC_OK) {
        out = arena_array(mem, r.n_messages + 1, sizeof(*out));
        if (r.n_messages != 0)
            memcpy(out, r.messages, r.n_messages * sizeof(*out));
        *messages = out;
        *n_messages = r.n_messages;
        for (size_t i = 0; i < changes->n; i++)
            state_map_set(&m->state, changes->items[i].key, changes->items[i].value);
    }
    free(r.messages);
    arena_clear(&r.scratch);
    journal_clear(&r.journal);
    return rc;
}

/* ---- queries ---- */

static enum rc answer(struct machine *m, struct journal *j, const struct machine_query *q,
                      struct arena *mem, struct command_result *out, struct err *e)
{
    const struct host_profile profile = {.kind = PROFILE_QUERY, .query = q->host};
    const struct block_env env = env_of(m, q->height, q->time_s, &profile);
    const struct ledger_tx t = call_of(&q->caller, &q->contract, &U256_ZERO, q->calldata, q->gas);
    struct exec_result x;
    struct account acc;

    TRY(journal_account(j, &q->contract, &acc, e));
    if (!account_has_code(&acc))
        return RC_OK;
    TRY(ledger_call(m->executor, j, &env, &t, mem, &x, e));
    out->status = status_of(x.code);
    out->output = x.output;
    out->gas_used = x.gas_used;
    return RC_OK;
}

enum rc machine_query(struct machine *m, const struct machine_query *q, struct arena *mem,
                      struct command_result *out, struct err *e)
{
    struct journal j;
    enum rc rc;

    *out = (struct command_result){.status = RECEIPT_NO_CONTRACT};
    journal_init(&j, (struct state_source){.get = source_get, .data = m});
    rc = answer(m, &j, q, mem, out, e);
    journal_clear(&j);
    return rc;
}
