#include "runtime/internal/wire.h"

#include "cluster/entry.h"

#define CALLDATA_MAX LEDGER_TX_DATA_MAX

void wire_put_lp(struct buf *b, struct bytes x)
{
    buf_u32be(b, (uint32_t)x.n);
    buf_put_bytes(b, x);
}

struct bytes wire_get_lp(struct reader *r, size_t max)
{
    uint32_t n = reader_u32be(r);

    if (n > max)
        reader_fail(r, "longer than such a thing is");
    return reader_take(r, n);
}

static void put_u256(struct buf *b, const struct u256 *v)
{
    u256_to_be(buf_extend(b, 32), v);
}

static struct u256 get_u256(struct reader *r)
{
    uint8_t be[32];

    reader_copy(r, be, sizeof(be));
    return u256_from_be(be);
}

static bool get_flag(struct reader *r)
{
    uint8_t v = reader_u8(r);

    if (v > 1)
        reader_fail(r, "neither 0 nor 1");
    return v == 1;
}

/* ---- configuration, failure ---- */

void wire_put_config(struct buf *b, const struct wire_config *c)
{
    buf_u64be(b, c->machine.chain_id);
    buf_put(b, c->machine.genesis.b, 32);
    buf_u64be(b, c->machine.state_limit);
    buf_u64be(b, c->machine.command_limit);
    buf_u64be(b, c->memory_limit);
}

enum rc wire_get_config(struct wire_config *c, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);

    c->machine.chain_id = reader_u64be(&r);
    reader_copy(&r, c->machine.genesis.b, 32);
    c->machine.state_limit = reader_u64be(&r);
    c->machine.command_limit = reader_u64be(&r);
    c->memory_limit = reader_u64be(&r);
    return reader_done(&r, "configuration", e);
}

void wire_put_failed(struct buf *b, enum rc rc, const char *text)
{
    buf_u8(b, (uint8_t)rc);
    wire_put_lp(b, bytes_str(text));
}

enum rc wire_get_failed(struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    uint8_t rc = reader_u8(&r);
    struct bytes text = wire_get_lp(&r, WIRE_FAILED_MAX);
    char safe[200];
    size_t n = text.n < sizeof(safe) - 1 ? text.n : sizeof(safe) - 1;

    TRY(reader_done(&r, "failure", e));
    for (size_t i = 0; i < n; i++)
        safe[i] = text.p[i] >= 0x20 && text.p[i] < 0x7f ? (char)text.p[i] : '?';
    safe[n] = '\0';
    switch (rc) {
    case RC_MALFORMED:
    case RC_NOTFOUND:
    case RC_EXISTS:
    case RC_LIMIT:
    case RC_RANGE:
    case RC_UNSUPPORTED:
    case RC_CORRUPT:
        return err_set(e, (enum rc)rc, "%s", safe);
    default:
        return err_set(e, RC_IO, "%s", safe);
    }
}

/* ---- state ---- */

void wire_put_item(struct buf *b, struct bytes key, struct bytes value)
{
    buf_u8(b, (uint8_t)key.n);
    buf_put_bytes(b, key);
    wire_put_lp(b, value);
}

static bool item_ok(struct bytes key, struct bytes value)
{
    if (key.n == 0)
        return false;
    switch (key.p[0]) {
    case STATE_ACCOUNT:
        return key.n == 21 && (value.n == 0 || value.n == STATE_ACCOUNT_SIZE);
    case STATE_STORAGE:
        return key.n > 21 && key.n <= STATE_KEY_MAX && value.n <= STATE_VALUE_MAX;
    case STATE_CODE:
        return key.n == 33 && value.n != 0 && value.n <= STATE_CODE_MAX;
    default:
        return false;
    }
}

enum rc wire_next_item(struct reader *r, struct bytes *key, struct bytes *value, struct err *e)
{
    if (reader_ok(r) && r->left == 0)
        return RC_NOTFOUND;
    *key = reader_take(r, reader_u8(r));
    *value = wire_get_lp(r, STATE_CODE_MAX);
    if (!reader_ok(r))
        return reader_done(r, "state items", e);
    if (!item_ok(*key, *value))
        return err_set(e, RC_MALFORMED, "state items: a key or value that no state has");
    return RC_OK;
}

/* ---- commands ---- */

void wire_put_commands(struct buf *b, const struct command *c, size_t n)
{
    buf_u64be(b, n);
    for (size_t i = 0; i < n; i++) {
        buf_u8(b, c[i].kind);
        buf_u8(b, c[i].unreadable);
        buf_u64be(b, c[i].index);
        buf_u64be(b, c[i].height);
        buf_u64be(b, c[i].time_s);
        buf_put(b, c[i].contract.b, 20);
        buf_put(b, c[i].sender.b, 20);
        buf_u64be(b, c[i].gas);
        put_u256(b, &c[i].value_wei);
        buf_put(b, c[i].code_hash.b, 32);
        wire_put_lp(b, c[i].calldata);
    }
}

static void get_command(struct command *c, struct reader *r)
{
    c->kind = reader_u8(r);
    c->unreadable = get_flag(r);
    c->index = reader_u64be(r);
    c->height = reader_u64be(r);
    c->time_s = reader_u64be(r);
    reader_copy(r, c->contract.b, 20);
    reader_copy(r, c->sender.b, 20);
    c->gas = reader_u64be(r);
    c->value_wei = get_u256(r);
    reader_copy(r, c->code_hash.b, 32);
    c->calldata = wire_get_lp(r, WIRE_DOWN_MAX);
}

enum rc wire_get_commands(struct command **out, size_t *n, struct bytes in, struct arena *mem,
                          struct err *e)
{
    struct reader r = reader_init(in);

    *n = reader_count(&r, reader_u64be(&r), 142, SIZE_MAX);
    *out = arena_array(mem, *n + 1, sizeof(**out));
    for (size_t i = 0; i < *n; i++)
        get_command(&(*out)[i], &r);
    return reader_done(&r, "commands", e);
}

/* ---- what came of them ---- */

size_t wire_run_max(size_t n)
{
    return MACHINE_RANGE_MAX + n * 64 + 4096;
}

static void put_event(struct buf *b, const struct log *log)
{
    buf_put(b, log->address.b, 20);
    buf_u8(b, log->n_topics);
    buf_put(b, log->topics, 32u * log->n_topics);
    wire_put_lp(b, log->data);
}

void wire_put_run(struct buf *b, const struct wire_run *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct command_result *one = &x->results[i];

        buf_u8(b, (uint8_t)one->status);
        buf_u64be(b, one->gas_used);
        wire_put_lp(b, one->output);
        buf_u32be(b, (uint32_t)one->n_events);
        for (size_t k = 0; k < one->n_events; k++)
            put_event(b, &one->events[k]);
    }
    buf_u32be(b, (uint32_t)x->n_messages);
    for (size_t i = 0; i < x->n_messages; i++) {
        buf_put(b, x->messages[i].from.b, 20);
        buf_put(b, x->messages[i].to.b, 20);
        put_u256(b, &x->messages[i].value_wei);
        wire_put_lp(b, x->messages[i].data);
    }
    buf_u32be(b, (uint32_t)x->changes.n);
    for (size_t i = 0; i < x->changes.n; i++) {
        wire_put_item(b, x->changes.items[i].key, x->changes.items[i].value);
        wire_put_lp(b, x->changes.items[i].old);
    }
}

static enum receipt_status get_status(struct reader *r)
{
    uint8_t v = reader_u8(r);

    if (v >= RECEIPT_DONE && v <= RECEIPT_NO_CONTRACT)
        return (enum receipt_status)v;
    reader_fail(r, "no such status");
    return RECEIPT_TRAPPED;
}

static void get_event(struct log *log, struct reader *r)
{
    reader_copy(r, log->address.b, 20);
    log->n_topics = reader_u8(r);
    if (log->n_topics > LOG_MAX_TOPICS) {
        reader_fail(r, "too many topics");
        log->n_topics = 0;
    }
    for (size_t i = 0; i < log->n_topics; i++)
        reader_copy(r, log->topics[i].b, 32);
    log->data = wire_get_lp(r, MACHINE_RANGE_MAX);
}

/* `room`: for how many more events there is memory; a machine keeps within it. */
static void get_result(struct command_result *x, struct reader *r, struct arena *mem, size_t *room)
{
    struct log *events;

    *x = (struct command_result){.status = get_status(r)};
    x->gas_used = reader_u64be(r);
    x->output = wire_get_lp(r, RECEIPT_OUTPUT_MAX);
    x->n_events = reader_count(r, reader_u32be(r), 25, *room);
    *room -= x->n_events;
    events = arena_array(mem, x->n_events + 1, sizeof(*events));
    for (size_t i = 0; i < x->n_events; i++)
        get_event(&events[i], r);
    x->events = events;
}

static void get_messages(struct wire_run *out, struct reader *r, struct arena *mem)
{
    struct out_message *m;

    out->n_messages = reader_count(r, reader_u32be(r), 76, UINT32_MAX);
    m = arena_array(mem, out->n_messages + 1, sizeof(*m));
    for (size_t i = 0; i < out->n_messages; i++) {
        reader_copy(r, m[i].from.b, 20);
        reader_copy(r, m[i].to.b, 20);
        m[i].value_wei = get_u256(r);
        m[i].data = wire_get_lp(r, OUT_MESSAGE_DATA_MAX);
    }
    out->messages = m;
}

static enum rc get_change(struct state_change *c, struct reader *r, struct err *e)
{
    enum rc rc = wire_next_item(r, &c->key, &c->value, e);

    if (rc == RC_NOTFOUND)
        return err_set(e, RC_MALFORMED, "changes: cut");
    TRY(rc);
    c->old = wire_get_lp(r, STATE_VALUE_MAX);
    if (c->key.p[0] == STATE_CODE || (reader_ok(r) && !item_ok(c->key, c->old)))
        return err_set(e, RC_MALFORMED, "changes: not of contracts' state");
    if (c->value.n == 0)
        c->value.p = NULL;
    if (c->old.n == 0)
        c->old.p = NULL;
    return RC_OK;
}

static enum rc get_changes(struct state_changes *out, struct reader *r, struct arena *mem,
                           struct err *e)
{
    size_t n = reader_count(r, reader_u32be(r), 30, UINT32_MAX);
    struct state_change *items = arena_array(mem, n + 1, sizeof(*items));

    for (size_t i = 0; i < n; i++) {
        TRY(get_change(&items[i], r, e));
        if (i != 0 && bytes_cmp(items[i - 1].key, items[i].key) >= 0)
            return err_set(e, RC_MALFORMED, "changes: not in order");
    }
    *out = (struct state_changes){.items = items, .n = n};
    return RC_OK;
}

enum rc wire_get_run(struct wire_run *out, struct command_result *results, size_t n,
                     struct bytes in, struct arena *mem, struct err *e)
{
    struct reader r = reader_init(arena_dup(mem, in));
    size_t room = MACHINE_RANGE_MAX / sizeof(struct log);

    *out = (struct wire_run){.results = results};
    for (size_t i = 0; i < n; i++)
        get_result(&results[i], &r, mem, &room);
    get_messages(out, &r, mem);
    if (reader_ok(&r))
        TRY(get_changes(&out->changes, &r, mem, e));
    return reader_done(&r, "what the commands did", e);
}

/* ---- queries ---- */

void wire_put_query(struct buf *b, const struct machine_query *q)
{
    const struct query_host *h = q->host;
    unsigned effects = 0;

    if (h != NULL) {
        effects |= h->random != NULL ? EFFECT_RANDOM : 0u;
        effects |= h->sign != NULL ? EFFECT_SIGN : 0u;
        effects |= h->http != NULL ? EFFECT_HTTP : 0u;
        effects |= h->cache_get != NULL ? EFFECT_CACHE_GET : 0u;
        effects |= h->cache_set != NULL ? EFFECT_CACHE_SET : 0u;
    }
    buf_u8(b, (uint8_t)effects);
    buf_put(b, q->contract.b, 20);
    buf_put(b, q->caller.b, 20);
    buf_u64be(b, q->gas);
    buf_u64be(b, q->height);
    buf_u64be(b, q->time_s);
    wire_put_lp(b, q->calldata);
}

enum rc wire_get_query(struct machine_query *q, unsigned *effects, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);

    *q = (struct machine_query){0};
    *effects = reader_u8(&r);
    reader_copy(&r, q->contract.b, 20);
    reader_copy(&r, q->caller.b, 20);
    q->gas = reader_u64be(&r);
    q->height = reader_u64be(&r);
    q->time_s = reader_u64be(&r);
    q->calldata = wire_get_lp(&r, CALLDATA_MAX);
    return reader_done(&r, "query", e);
}

void wire_put_answer(struct buf *b, const struct command_result *x)
{
    buf_u8(b, (uint8_t)x->status);
    buf_u64be(b, x->gas_used);
    wire_put_lp(b, x->output);
}

enum rc wire_get_answer(struct command_result *x, struct bytes in, struct arena *mem, struct err *e)
{
    struct reader r = reader_init(in);

    *x = (struct command_result){.status = get_status(&r)};
    x->gas_used = reader_u64be(&r);
    x->output = wire_get_lp(&r, LEDGER_OUTPUT_MAX);
    TRY(reader_done(&r, "answer", e));
    x->output = arena_dup(mem, x->output);
    return RC_OK;
}

void wire_put_ask(struct buf *b, const struct wire_ask *a)
{
    buf_u8(b, (uint8_t)a->effect);
    buf_put(b, a->contract.b, 20);
    wire_put_lp(b, a->key);
    wire_put_lp(b, a->value);
}

enum rc wire_get_ask(struct wire_ask *a, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    uint8_t effect = reader_u8(&r);
    size_t max = 0;

    *a = (struct wire_ask){.effect = EFFECT_SIGN};
    switch (effect) {
    case EFFECT_SIGN:
        max = QUERY_MESSAGE_MAX;
        break;
    case EFFECT_HTTP:
        max = QUERY_REQUEST_MAX;
        break;
    case EFFECT_CACHE_GET:
    case EFFECT_CACHE_SET:
        max = QUERY_CACHE_KEY_MAX;
        break;
    default:
        reader_fail(&r, "no such effect");
    }
    reader_copy(&r, a->contract.b, 20);
    a->key = wire_get_lp(&r, max);
    a->value = wire_get_lp(&r, effect == EFFECT_CACHE_SET ? QUERY_CACHE_VALUE_MAX : 0);
    TRY(reader_done(&r, "what a query asks for", e));
    a->effect = (enum wire_effect)effect;
    return RC_OK;
}

void wire_put_effect(struct buf *b, enum rc rc, struct bytes result)
{
    buf_u8(b, (uint8_t)rc);
    wire_put_lp(b, result);
}

enum rc wire_get_effect(struct bytes *result, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    uint8_t rc = reader_u8(&r);

    *result = wire_get_lp(&r, QUERY_RESPONSE_MAX);
    if (rc > RC_CORRUPT)
        reader_fail(&r, "no such result");
    TRY(reader_done(&r, "effect", e));
    return rc == RC_OK ? RC_OK : err_set(e, (enum rc)rc, "not done");
}
