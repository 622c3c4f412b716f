/* Executing a range of the queue: entries become commands, commands become a new state, a commit
 * and a delta. Everything but the salts of the delta is the same in every member. */
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "cluster/state_file.h"
#include "crypto/hash.h"
#include "os/file.h"
#include "worker/contract/cluster.h"
#include "worker/proof/fetch.h"

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
    struct secbuf plain;    /* calldata of sealed commands */
    uint8_t (*replies)[32]; /* of each entry; zeros: no receipt is wanted */
    uint64_t *epochs;       /* that each sealed entry is for */
    struct buf *receipts;
    bool writes_delta;
};

static void range_clear(struct range *r)
{
    for (size_t i = 0; i < r->n && r->receipts != NULL; i++)
        buf_clear(&r->receipts[i]);
    free(r->receipts);
    secbuf_clear(&r->plain);
    arena_clear(&r->a);
}

/* ---- what is read ---- */

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
    return view_entries(c->w, r->entries, &r->a, c->id, c->entries, last->end, &c->queue_hash,
                        &last->queue_hash, r->batches[0].height, last->height, e);
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

static enum rc open_sealed(struct range *r, size_t i, bool is_plain_sailing, struct err *e)
{
    const struct queue_entry *x = &r->entries[i];
    const struct known_contract *known = cluster_known(r->c, &x->contract);
    struct command *cmd = &r->commands[i];
    struct envelope_context ctx = {.chain_id = r->c->w->chain_id,
                                   .contract = x->contract,
                                   .sender = x->sender,
                                   .sequence = x->sequence,
                                   .expiry = x->expiry,
                                   .gas = x->gas};
    const struct contract_keys *keys;
    size_t at = r->plain.n;
    struct err why = {0};
    enum rc rc;

    ctx.genesis = r->c->genesis;
    if (is_plain_sailing)
        ctx.code_hash = known != NULL ? known->code_hash : (struct hash32){{0}};
    else
        code_before(&ctx.code_hash, r, i);
    rc = envelope_epoch(&ctx.epoch, x->payload, &why);
    if (rc == RC_OK) {
        r->epochs[i] = ctx.epoch;
        TRY(keyring_get(r->c->keys, &keys, &x->contract, ctx.epoch, CLUSTER_KEY_WAIT_MS, e));
        rc = envelope_open(&r->plain, r->replies[i], &ctx, &keys->receive, x->payload, &why);
    }
    if (rc != RC_OK)
        log_debug("worker", "cluster %llu: entry %llu does not open: %s",
                  (unsigned long long)r->c->id, (unsigned long long)x->index, why.msg);
    cmd->unreadable = rc != RC_OK;
    if (rc == RC_OK)
        cmd->calldata = bytes_of(r->plain.p + at, r->plain.n - at);
    return RC_OK;
}

static enum rc make_commands(struct range *r, struct err *e)
{
    bool is_plain_sailing = !has_lifecycle(r);
    size_t room = 0;
    uint64_t batch = 0;

    r->commands = arena_array(&r->a, r->n, sizeof(*r->commands));
    r->replies = arena_alloc(&r->a, r->n * sizeof(*r->replies));
    r->epochs = arena_array(&r->a, r->n, sizeof(*r->epochs));
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
            TRY(open_sealed(r, i, is_plain_sailing, e));
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
    return RC_OK;
}

/* ---- code ---- */

static char *code_path(const struct cluster *c, const struct hash32 *code_hash)
{
    char hex[65];

    hex_encode(hex, BYTES_OF(code_hash));
    return xasprintf("%s/code/%s.elf", c->w->config.dir, hex);
}

enum rc range_put_code(struct cluster *c, struct bytes elf, struct hash32 *code_hash, struct err *e)
{
    AUTO_FREE char *path = NULL;

    TRY(runtime_put_code(c->runtime, elf, code_hash, e));
    path = code_path(c, code_hash);
    return file_exists(path) ? RC_OK : file_write_atomic(path, elf, 0644, e);
}

enum rc range_read_code(struct buf *out, const struct cluster *c, const struct hash32 *code_hash,
                        struct err *e)
{
    AUTO_FREE char *path = code_path(c, code_hash);

    return file_read(out, path, CLUSTER_CODE_MAX, e);
}

static enum rc put_code(struct cluster *c, struct bytes elf, const struct hash32 *code_hash,
                        struct err *e)
{
    struct hash32 h;

    keccak256(&h, elf);
    if (!hash32_eq(&h, code_hash))
        return err_set(e, RC_DENIED, "the code is not what the chain names");
    return range_put_code(c, elf, &h, e);
}

enum rc range_fetch_code(struct cluster *c, const struct address *contract,
                         const struct hash32 *code_hash, uint64_t min_height, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf elf = {0};
    struct contract_view view;
    struct store_client *store;
    const char *url;
    struct cid cid;
    enum rc rc;

    if (range_read_code(&elf, c, code_hash, NULL) == RC_OK &&
        put_code(c, buf_bytes(&elf), code_hash, NULL) == RC_OK)
        return RC_OK;
    buf_reset(&elf);
    TRY(view_contract(c->w, &view, &a, contract, min_height, e));
    url = hash32_eq(&view.wanted_code_hash, code_hash) ? view.wanted_url : view.code_url;
    TRY(cid_parse_url(&cid, NULL, bytes_str(url), e));
    TRY(worker_store_take(c->w, &store, e));
    rc = store_client_cat_bytes(store, &elf, &cid, CLUSTER_CODE_MAX, e);
    worker_store_give_back(c->w, store);
    if (rc != RC_OK)
        return err_wrap(e, rc == RC_LIMIT ? RC_DENIED : RC_AGAIN, "code of a contract, %s", url);
    return put_code(c, buf_bytes(&elf), code_hash, e);
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

static enum rc seal_receipts(struct range *r, struct err *e)
{
    static const uint8_t none[32];

    r->receipts = xcalloc(r->n, sizeof(*r->receipts));
    for (size_t i = 0; i < r->n; i++) {
        const struct queue_entry *x = &r->entries[i];
        const struct receipt_context ctx = {.chain_id = r->c->w->chain_id,
                                            .genesis = r->c->genesis,
                                            .cluster = r->c->id,
                                            .index = x->index};
        const struct contract_keys *keys;

        if (memcmp(r->replies[i], none, sizeof(none)) == 0)
            continue;
        TRY(keyring_get(r->c->keys, &keys, &x->contract, r->epochs[i], CLUSTER_KEY_WAIT_MS, e));
        /* A reply key that is no good gets no receipt: its owner's affair. */
        if (receipt_seal(&r->receipts[i], &ctx, &keys->state, r->replies[i], r->results[i].status,
                         r->results[i].output, NULL) != RC_OK)
            buf_reset(&r->receipts[i]);
    }
    return RC_OK;
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
    p->queue_before = c->queue_hash;
    p->is_set = true;
    TRY(range_note_contracts(c, p->changes.items, p->changes.n, e));
    extra = (struct delta_extra){r->entries, r->results, r->receipts, r->n};
    return r->writes_delta ? files_put_delta(c, touched, n_touched, &extra, e) : RC_OK;
}

static enum rc run(struct range *r, struct err *e)
{
    struct pending *p = &r->c->pending;
    enum rc rc;

    for (size_t i = 0; i < r->n; i++)
        if (r->entries[i].kind >= ENTRY_ACTIVATE)
            TRY(range_fetch_code(r->c, &r->entries[i].contract, &r->commands[i].code_hash,
                                 r->v->height, e));
    TRY(add_blinding_keys(r, e));
    r->results = arena_array(&r->a, r->n, sizeof(*r->results));
    rc = runtime_run(r->c->runtime, r->commands, r->n, &p->mem, r->results, &p->messages,
                     &p->n_messages, &p->changes, e);
    if (rc == RC_NOTFOUND)
        return err_wrap(e, RC_AGAIN, "code of a contract");
    TRY(rc);
    rc = seal_receipts(r, e);
    return rc == RC_OK ? conclude(r, e) : rc;
}

enum rc range_execute(struct cluster *c, const struct cluster_view *v, uint64_t end_batch,
                      bool writes_delta, struct err *e)
{
    struct range r = {.c = c, .v = v, .writes_delta = writes_delta};
    enum rc rc;

    CHECK(!c->pending.is_set && end_batch > c->batches);
    arena_clear(&c->pending.mem);
    rc = read_range(&r, end_batch, e);
    if (rc == RC_OK)
        rc = make_commands(&r, e);
    if (rc == RC_OK) {
        rc = run(&r, e);
        /* The machine may have moved on without the rest: start from what is confirmed. */
        if (rc != RC_OK && rc != RC_AGAIN)
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
    CHECK(hash32_eq(&root, &c->root));
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
