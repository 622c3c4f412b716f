/* Executing a range of the queue: entries become commands, commands become a new state, a commit
 * and a delta. Everything but the salts of the delta is the same in every member. */
#include "base/log.h"
#include "base/mem.h"
#include "cluster/state_file.h"
#include "worker/contract/cluster.h"
#include "worker/contract/spread.h"
#include "worker/internal/metrics.h"

#define ENTRIES_AT_ONCE 2048 /* asked for in one call */

/* A sealed command: the keepers' keys are asked for one by one, the rest is done side by side. */
struct opening {
    struct envelope_context ctx;
    const struct contract_keys *keys; /* NULL: nothing is to be opened */
    uint8_t *room;                    /* as much as the payload */
    uint8_t reply32[32];              /* zeros: no receipt is wanted */
};

/* A range while it is executed. */
struct range {
    struct cluster *c;
    const struct cluster_view *v;
    struct arena a;
    struct batch_view *batches;
    uint64_t n_batches;
    struct queue_entry *entries;
    size_t n;
    struct command *commands;
    struct command_result *results;
    struct secbuf plain; /* calldata of sealed commands: each has its payload's room */
    struct opening *openings;
    struct buf *receipts;
    bool writes_delta;
    bool moved; /* the machine may be past where we stand */
};

static void range_clear(struct range *r)
{
    for (size_t i = 0; i < r->n && r->receipts != NULL; i++)
        buf_clear(&r->receipts[i]);
    free(r->receipts);
    secbuf_clear(&r->plain);
    arena_wipe(&r->a);
}

/* ---- what is read ---- */

static enum rc read_entries(struct range *r, struct err *e)
{
    const struct cluster *c = r->c;
    struct hash32 before = c->queue_hash;
    uint64_t first = c->entries;

    /* A node gives only so many logs at once. */
    for (uint64_t i = 0, begin = 0; i < r->n_batches; i++) {
        const struct batch_view *b = &r->batches[i];

        if (b->end < first || b->end - c->entries > r->n)
            return err_set(e, RC_DENIED, "cluster %llu: batches whose entries do not rise",
                           (unsigned long long)c->id);
        if (i + 1 < r->n_batches && r->batches[i + 1].end - first <= ENTRIES_AT_ONCE)
            continue;
        TRY(view_entries(c->w, r->entries + (first - c->entries), &r->a, c->id, first, b->end,
                         &before, &b->queue_hash, r->batches[begin].height, b->height, e));
        before = b->queue_hash;
        first = b->end;
        begin = i + 1;
    }
    return RC_OK;
}

static enum rc read_range(struct range *r, uint64_t end_batch, struct err *e)
{
    struct cluster *c = r->c;
    const struct batch_view *last;

    r->n_batches = end_batch - c->batches;
    r->batches = arena_array(&r->a, r->n_batches, sizeof(*r->batches));
    TRY(view_batches(c->w, r->batches, c->id, c->batches, r->n_batches, r->v->height, e));
    last = &r->batches[r->n_batches - 1];
    if (last->end <= c->entries || last->end - c->entries > r->v->n_entries)
        return err_set(e, RC_DENIED,
                       "cluster %llu: batch %llu ends at entry %llu, which is not after %llu",
                       (unsigned long long)c->id, (unsigned long long)end_batch - 1,
                       (unsigned long long)last->end, (unsigned long long)c->entries);
    r->n = (size_t)(last->end - c->entries);
    r->entries = arena_array(&r->a, r->n, sizeof(*r->entries));
    return read_entries(r, e);
}

/* ---- commands ---- */

/* The code whose users an entry's sender had in mind: what the entries before it made it. */
static void code_before(struct hash32 *out, const struct range *r, size_t i)
{
    const struct queue_entry *x = &r->entries[i];
    const struct known_contract *k = cluster_known(r->c, &x->contract);

    *out = k != NULL ? k->code_hash : (struct hash32){{0}};
    for (size_t j = 0; j < i; j++)
        if (r->entries[j].kind >= ENTRY_ACTIVATE &&
            address_eq(&r->entries[j].contract, &x->contract))
            *out = r->commands[j].code_hash;
}

static bool has_lifecycle(const struct range *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->entries[i].kind >= ENTRY_ACTIVATE)
            return true;
    return false;
}

/* What it takes to open an entry. One that is in no envelope's form stays unreadable. */
static enum rc begin_opening(struct range *r, size_t i, bool is_plain_sailing, struct err *e)
{
    const struct queue_entry *x = &r->entries[i];
    const struct known_contract *known = cluster_known(r->c, &x->contract);
    struct opening *o = &r->openings[i];

    o->ctx = (struct envelope_context){.chain_id = r->c->w->chain_id,
                                       .genesis = r->c->genesis,
                                       .contract = x->contract,
                                       .sender = x->sender,
                                       .sequence = x->sequence,
                                       .expiry = x->expiry,
                                       .gas = x->gas};
    if (is_plain_sailing)
        o->ctx.code_hash = known != NULL ? known->code_hash : (struct hash32){{0}};
    else
        code_before(&o->ctx.code_hash, r, i);
    r->commands[i].unreadable = true;
    if (envelope_epoch(&o->ctx.epoch, x->payload, NULL) != RC_OK)
        return RC_OK;
    o->room = secbuf_extend(&r->plain, x->payload.n);
    return keyring_get(r->c->keys, &o->keys, &x->contract, o->ctx.epoch, CLUSTER_KEY_WAIT_MS, e);
}

static void open_sealed(void *data, size_t i)
{
    struct range *r = data;
    const struct queue_entry *x = &r->entries[i];
    struct opening *o = &r->openings[i];
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    struct err why = {0};

    if (o->keys == NULL)
        return;
    if (envelope_open(&plain, o->reply32, &o->ctx, &o->keys->receive, x->payload, &why) != RC_OK) {
        log_debug("worker", "cluster %llu: entry %llu does not open: %s",
                  (unsigned long long)r->c->id, (unsigned long long)x->index, why.msg);
        return;
    }
    if (plain.n != 0)
        memcpy(o->room, plain.p, plain.n);
    r->commands[i].calldata = bytes_of(o->room, plain.n);
    r->commands[i].unreadable = false;
}

static enum rc make_commands(struct range *r, struct err *e)
{
    bool is_plain_sailing = !has_lifecycle(r);
    size_t room = 0;
    uint64_t batch = 0;

    r->commands = arena_array(&r->a, r->n, sizeof(*r->commands));
    r->openings = arena_array(&r->a, r->n, sizeof(*r->openings));
    for (size_t i = 0; i < r->n; i++)
        room += r->entries[i].payload.n;
    (void)secbuf_reserve(&r->plain, room + 1); /* calldata stays where it is */
    for (size_t i = 0; i < r->n; i++) {
        const struct queue_entry *x = &r->entries[i];
        struct command *cmd = &r->commands[i];

        while (x->index >= r->batches[batch].end)
            batch++;
        *cmd = (struct command){.kind = (uint8_t)x->kind,
                                .index = x->index,
                                .height = r->batches[batch].height,
                                .time_s = r->batches[batch].time_s,
                                .contract = x->contract,
                                .sender = x->sender,
                                .gas = x->gas,
                                .value_wei = x->value_wei};
        switch (x->kind) {
        case ENTRY_SEALED:
            TRY(begin_opening(r, i, is_plain_sailing, e));
            break;
        case ENTRY_PLAIN:
            cmd->calldata = x->payload;
            break;
        case ENTRY_ACTIVATE:
            TRY(entry_activate_payload(&cmd->code_hash, &cmd->calldata, x->payload, e));
            break;
        case ENTRY_UPGRADE:
            TRY(entry_upgrade_payload(&cmd->code_hash, x->payload, e));
            break;
        }
    }
    spread(r->n, open_sealed, r);
    return RC_OK;
}

/* ---- what comes of it ---- */

const struct known_contract *cluster_known(const struct cluster *c, const struct address *a)
{
    for (size_t i = 0; i < c->n_contracts; i++)
        if (address_eq(&c->contracts[i].address, a))
            return &c->contracts[i];
    return NULL;
}

enum rc range_note_contracts(struct cluster *c, const struct state_change *changes, size_t n,
                             struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        struct known_contract k;
        struct account acc;
        size_t j;

        if (changes[i].key.n != 21 || changes[i].key.p[0] != STATE_ACCOUNT)
            continue;
        memcpy(k.address.b, changes[i].key.p + 1, sizeof(k.address.b));
        TRY(account_decode(&acc, changes[i].value, e));
        k.code_hash = acc.code_hash;
        for (j = 0; j < c->n_contracts; j++)
            if (address_eq(&c->contracts[j].address, &k.address))
                break;
        if (j == c->n_contracts)
            c->contracts = xreallocarray(c->contracts, ++c->n_contracts, sizeof(*c->contracts));
        c->contracts[j] = k;
    }
    return RC_OK;
}

/* Every contract that appears has its blinding key from the epoch in which it was activated. */
static enum rc add_blinding_keys(struct range *r, struct err *e)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct queue_entry *x = &r->entries[i];
        const struct contract_keys *keys;

        if (x->kind != ENTRY_ACTIVATE || cluster_roots_blind(r->c->roots, &x->contract) != NULL)
            continue;
        TRY(keyring_get(r->c->keys, &keys, &x->contract, x->sequence, CLUSTER_KEY_WAIT_MS, e));
        TRY(cluster_roots_add(r->c->roots, &x->contract, &keys->blind, e));
    }
    return RC_OK;
}

static void seal_receipt(void *data, size_t i)
{
    static const uint8_t none[32];
    struct range *r = data;
    const struct opening *o = &r->openings[i];
    const struct receipt_context ctx = {.chain_id = r->c->w->chain_id,
                                        .genesis = r->c->genesis,
                                        .cluster = r->c->id,
                                        .index = r->entries[i].index};

    if (memcmp(o->reply32, none, sizeof(none)) == 0)
        return;
    /* A reply key that is no good gets no receipt: its owner's affair. */
    if (receipt_seal(&r->receipts[i], &ctx, &o->keys->state, o->reply32, r->results[i].status,
                     r->results[i].output, NULL) != RC_OK)
        buf_reset(&r->receipts[i]);
}

static int by_address(const void *a, const void *b)
{
    return memcmp(((const struct state_file_contract *)a)->contract.b,
                  ((const struct state_file_contract *)b)->contract.b, 20);
}

static size_t unique(struct state_file_contract *t, size_t n)
{
    size_t kept = 0;

    qsort(t, n, sizeof(*t), by_address);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !address_eq(&t[kept - 1].contract, &t[i].contract))
            t[kept++] = t[i];
    return kept;
}

/* Contracts that the delta has something of. */
static struct state_file_contract *touched_contracts(struct range *r,
                                                     const struct state_changes *changes,
                                                     const struct out_message *messages,
                                                     size_t n_messages, size_t *n)
{
    struct state_file_contract *t =
        arena_array(&r->a, changes->n + r->n + n_messages + 1, sizeof(*t));
    size_t k = 0;

    for (size_t i = 0; i < changes->n; i++)
        CHECK(state_key_owner(&t[k++].contract, changes->items[i].key, NULL) == RC_OK);
    for (size_t i = 0; i < r->n; i++)
        if (cluster_roots_blind(r->c->roots, &r->entries[i].contract) != NULL)
            t[k++].contract = r->entries[i].contract;
    for (size_t i = 0; i < n_messages; i++)
        t[k++].contract = messages[i].from;
    *n = unique(t, k);
    for (size_t i = 0; i < *n; i++) {
        t[i].epoch = r->v->epoch;
        cluster_roots_of(r->c->roots, &t[i].contract, &t[i].root_before);
    }
    return t;
}

static void digest_outbox(struct hash32 *out, const struct out_message *messages, size_t n,
                          struct arena *a)
{
    struct hash32 *rests = arena_array(a, n + 1, sizeof(*rests));
    struct bytes *encoded = arena_array(a, n + 1, sizeof(*encoded));

    for (size_t i = 0; i < n; i++) {
        AUTO_CLEAR(buf) struct buf b = {0};

        out_message_encode(&b, &messages[i]);
        encoded[i] = arena_dup(a, buf_bytes(&b));
    }
    outbox_rests(rests, encoded, n);
    *out = rests[0];
}

static void copy_contracts(struct cluster *c)
{
    struct pending *p = &c->pending;
    struct known_contract *k = arena_array(&p->mem, c->n_contracts + 1, sizeof(*k));

    if (c->n_contracts != 0)
        memcpy(k, c->contracts, c->n_contracts * sizeof(*k));
    p->contracts = k;
    p->n_contracts = c->n_contracts;
}

/* The machine has moved on; bring the roots along and write down what came of it. */
static enum rc conclude(struct range *r, struct err *e)
{
    struct cluster *c = r->c;
    struct pending *p = &c->pending;
    const struct batch_view *last = &r->batches[r->n_batches - 1];
    struct state_file_contract *touched;
    struct delta_extra extra;
    size_t n_touched;

    touched = touched_contracts(r, &p->changes, p->messages, p->n_messages, &n_touched);
    copy_contracts(c);
    p->commit = (struct cluster_commit){.cluster = c->id,
                                        .epoch = r->v->epoch,
                                        .first_batch = c->batches,
                                        .end_batch = c->batches + r->n_batches,
                                        .first_index = c->entries,
                                        .end_index = last->end,
                                        .queue_hash = last->queue_hash,
                                        .previous_root = c->root};
    TRY(cluster_roots_apply(c->roots, p->changes.items, p->changes.n, &p->commit.new_root, e));
    digest_outbox(&p->commit.outbox_digest, p->messages, p->n_messages, &p->mem);
    for (size_t i = 0; i < n_touched; i++)
        cluster_roots_of(c->roots, &touched[i].contract, &touched[i].root_after);
    p->height = last->height;
    p->time_s = last->time_s;
    p->is_set = true;
    TRY(range_note_contracts(c, p->changes.items, p->changes.n, e));
    extra = (struct delta_extra){r->entries, r->results, r->receipts, r->n};
    return r->writes_delta ? files_put_delta(c, touched, n_touched, &extra, e) : RC_OK;
}

/* ---- running them ---- */

/* What slices of a range gave, put together. */
struct gathered {
    struct state_change *changes;
    struct out_message *messages;
    size_t n_changes, n_messages;
};

static void gather(struct gathered *g, const struct state_changes *changes,
                   const struct out_message *messages, size_t n_messages)
{
    g->changes = xreallocarray(g->changes, g->n_changes + changes->n + 1, sizeof(*g->changes));
    if (changes->n != 0)
        memcpy(g->changes + g->n_changes, changes->items, changes->n * sizeof(*g->changes));
    g->n_changes += changes->n;
    g->messages = xreallocarray(g->messages, g->n_messages + n_messages + 1, sizeof(*g->messages));
    if (n_messages != 0)
        memcpy(g->messages + g->n_messages, messages, n_messages * sizeof(*g->messages));
    g->n_messages += n_messages;
}

/* Stable: what came first stays first. */
static void sort_changes(struct state_change *c, size_t n, struct state_change *spare)
{
    size_t half = n / 2, i = 0, j = half, k = 0;

    if (n < 2)
        return;
    sort_changes(c, half, spare);
    sort_changes(c + half, n - half, spare);
    while (i < half || j < n)
        if (j == n || (i < half && bytes_cmp(c[i].key, c[j].key) <= 0))
            spare[k++] = c[i++];
        else
            spare[k++] = c[j++];
    memcpy(c, spare, n * sizeof(*c));
}

/* Each key once: as it was before the first change, and as it is after the last. */
static void settle_changes(struct pending *p, const struct gathered *g)
{
    AUTO_FREE struct state_change *spare = xcalloc(g->n_changes + 1, sizeof(*spare));
    struct state_change *out = arena_array(&p->mem, g->n_changes + 1, sizeof(*out));
    size_t n = 0;

    sort_changes(g->changes, g->n_changes, spare);
    for (size_t i = 0; i < g->n_changes; i++) {
        const struct state_change *c = &g->changes[i];

        if (n != 0 && bytes_eq(out[n - 1].key, c->key))
            out[n - 1].value = c->value;
        else
            out[n++] = *c;
        if (bytes_eq(out[n - 1].value, out[n - 1].old) &&
            (i + 1 == g->n_changes || !bytes_eq(g->changes[i + 1].key, c->key)))
            n--;
    }
    p->changes = (struct state_changes){out, n};
}

/* The runtime does only so much at once (RC_LIMIT): then in smaller slices, which have gone into
 * its state by then; whatever fails after that starts from what is confirmed. */
static enum rc run_commands(struct range *r, struct err *e)
{
    struct pending *p = &r->c->pending;
    const struct out_message *messages = NULL;
    struct state_changes changes = {0};
    struct gathered g = {0};
    size_t done = 0, slice = r->n, n_messages = 0;
    enum rc rc = RC_OK;

    while (rc == RC_OK && done < r->n) {
        size_t n = r->n - done < slice ? r->n - done : slice;

        rc = runtime_run(r->c->runtime, r->commands + done, n, &p->mem, r->results + done,
                         &messages, &n_messages, &changes, e);
        if (rc == RC_LIMIT && n > 1) {
            slice = (n + 1) / 2;
            rc = RC_OK;
            continue;
        }
        if (rc == RC_OK && slice != r->n)
            gather(&g, &changes, messages, n_messages);
        if (rc == RC_OK)
            done += n;
    }
    if (rc == RC_OK && slice == r->n) {
        p->changes = changes;
        p->messages = messages;
        p->n_messages = n_messages;
    } else if (rc == RC_OK) {
        struct out_message *out = arena_array(&p->mem, g.n_messages + 1, sizeof(*out));

        if (g.n_messages != 0)
            memcpy(out, g.messages, g.n_messages * sizeof(*out));
        p->messages = out;
        p->n_messages = g.n_messages;
        settle_changes(p, &g);
    }
    free(g.changes);
    free(g.messages);
    return rc;
}

static enum rc run(struct range *r, struct err *e)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->entries[i].kind >= ENTRY_ACTIVATE)
            TRY(cluster_fetch_code(r->c, &r->entries[i].contract, &r->commands[i].code_hash,
                                   r->v->height, e));
    TRY(add_blinding_keys(r, e));
    r->moved = true;
    r->results = arena_array(&r->a, r->n, sizeof(*r->results));
    TRY(run_commands(r, e));
    worker_metrics_executed(r->c->w->metrics, r->c->id, r->n);
    r->receipts = xcalloc(r->n, sizeof(*r->receipts));
    spread(r->n, seal_receipt, r);
    return conclude(r, e);
}

enum rc range_execute(struct cluster *c, const struct cluster_view *v, uint64_t end_batch,
                      bool writes_delta, struct err *e)
{
    struct range r = {.c = c, .v = v, .writes_delta = writes_delta};
    enum rc rc;

    CHECK(!c->pending.is_set && end_batch > c->batches);
    arena_wipe(&c->pending.mem);
    c->pending.delta[0] = '\0';
    rc = read_range(&r, end_batch, e);
    if (rc == RC_OK)
        rc = make_commands(&r, e);
    if (rc == RC_OK) {
        rc = run(&r, e);
        /* The machine has moved on without the rest: back, or start from what is confirmed. */
        if (rc != RC_OK && r.moved && !(c->pending.is_set && range_undo(c, NULL) == RC_OK))
            cluster_unload(c);
        if (rc == RC_OK)
            for (size_t i = 0; i < r.n; i++)
                if (r.receipts[i].n != 0)
                    cluster_keep_receipt(c, r.entries[i].index, buf_bytes(&r.receipts[i]));
    }
    range_clear(&r);
    return rc;
}

enum rc range_undo(struct cluster *c, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct pending *p = &c->pending;
    struct state_change *back = arena_array(&a, p->changes.n + 1, sizeof(*back));
    struct hash32 root;

    for (size_t i = 0; i < p->changes.n; i++)
        back[i] = (struct state_change){.key = p->changes.items[i].key,
                                        .value = p->changes.items[i].old,
                                        .old = p->changes.items[i].value};
    TRY(runtime_apply(c->runtime, back, p->changes.n, e));
    TRY(cluster_roots_apply(c->roots, back, p->changes.n, &root, e));
    if (!hash32_eq(&root, &c->root)) {
        /* The process that runs contracts told us wrong values of before. */
        cluster_unload(c);
        return err_set(e, RC_AGAIN, "the state before the range does not come back; loading it");
    }
    if (p->n_contracts != 0)
        memcpy(c->contracts, p->contracts, p->n_contracts * sizeof(*c->contracts));
    c->n_contracts = p->n_contracts;
    p->is_set = false;
    return RC_OK;
}

void range_settle(struct cluster *c)
{
    struct pending *p = &c->pending;

    c->batches = p->commit.end_batch;
    c->entries = p->commit.end_index;
    c->queue_hash = p->commit.queue_hash;
    c->root = p->commit.new_root;
    c->last_height = p->height;
    c->last_time_s = p->time_s;
    p->is_set = false;
}
