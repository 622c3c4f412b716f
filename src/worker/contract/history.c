/* Catching up: the newest checkpoint that counts, then delta after delta, each checked against the
 * root that was confirmed; what a delta does not give is executed again. */
#include "base/log.h"
#include "base/mem.h"
#include "base/reader.h"
#include "chain/address.h"
#include "cluster/state_file.h"
#include "os/clock.h"
#include "worker/contract/checkpoint_read.h"
#include "worker/contract/delta_read.h"

#define LOGS_COMMITS_MAX 64 /* deltas opened for one request: others wait for the thread */

/* ---- reading a state file ---- */

enum rc history_head_keys(struct cluster *c, const struct contract_keys **keys,
                          const struct state_file_head *h, const char *cid, uint64_t newest_epoch,
                          struct err *e)
{
    if (!hash32_eq(&h->genesis, &c->genesis) || h->cluster != c->id)
        return err_set(e, RC_DENIED, "state file %s is of another cluster", cid);
    /* Keepers are not bothered with what cannot be. */
    for (size_t i = 0; i < h->n_contracts; i++)
        if (h->contracts[i].epoch == 0 || h->contracts[i].epoch > newest_epoch)
            return err_set(e, RC_DENIED, "state file %s names epoch %llu", cid,
                           (unsigned long long)h->contracts[i].epoch);
    for (size_t i = 0; i < h->n_contracts; i++)
        TRY(keyring_get(c->keys, &keys[i], &h->contracts[i].contract, h->contracts[i].epoch,
                        CLUSTER_KEY_WAIT_MS, e));
    return RC_OK;
}

/* ---- what a delta has besides changes ---- */

/* A delta on its way into the state. */
struct delta {
    struct delta_read d;
    struct outgoing *outgoing; /* its messages */
    bool touches;              /* what is loaded may no longer be what we stand at */
};

static enum rc take_blind(struct delta *f, const struct delta_item *x, struct err *e)
{
    struct secret32 blind;
    enum rc rc;

    if (x->item.n != sizeof(blind.b))
        return err_set(e, RC_MALFORMED, "a blinding key of %zu bytes", x->item.n);
    memcpy(blind.b, x->item.p, sizeof(blind.b));
    rc = cluster_roots_add(f->d.c->roots, &f->d.head.contracts[x->contract].contract, &blind, e);
    secret32_clear(&blind);
    return rc;
}

static enum rc take_message(struct delta *f, struct bytes item, struct err *e)
{
    struct reader r = reader_init(item);
    uint32_t place = reader_u32be(&r);
    struct bytes message = reader_rest(&r);

    TRY(reader_done(&r, "message", e));
    return outgoing_put(f->outgoing, place, message, e);
}

static enum rc take_receipt(struct delta *f, struct bytes item, struct err *e)
{
    struct cluster *c = f->d.c;
    struct bytes sealed;
    uint64_t index;

    TRY(state_item_receipt(&index, &sealed, item, e));
    if (index < c->entries || index >= f->d.head.end_index)
        return err_set(e, RC_DENIED, "a receipt of entry %llu, which is not in the range",
                       (unsigned long long)index);
    cluster_keep_receipt(c, index, sealed);
    return RC_OK;
}

static enum rc take_item(struct delta *f, const struct delta_item *x, struct err *e)
{
    struct hash32 code_hash;

    switch (x->tag) {
    case ITEM_BLIND:
        return take_blind(f, x, e);
    case ITEM_CODE:
        return cluster_put_code(f->d.c, &f->d.head.contracts[x->contract].contract, x->item,
                                &code_hash, e);
    case ITEM_RECEIPT:
        return take_receipt(f, x->item, e);
    case ITEM_MESSAGE:
        return take_message(f, x->item, e);
    case ITEM_CHANGE:
    case ITEM_EVENT:
        break;
    }
    return err_set(e, RC_UNSUPPORTED, "an item of kind %d in a state file", (int)x->tag);
}

static enum rc take_items(struct delta *f, struct err *e)
{
    f->touches = true;
    for (size_t i = 0; i < f->d.n_items; i++)
        TRY(take_item(f, &f->d.items[i], e));
    return RC_OK;
}

/* ---- where we stand ---- */

static void stand_at(struct cluster *c, const struct commit_view *k, uint64_t number,
                     const struct batch_view *last)
{
    c->batches = k->end_batch;
    c->entries = k->end_index;
    c->queue_hash = k->queue_hash;
    c->root = k->root;
    c->n_commits = number + 1;
    c->last_height = last->height;
    c->last_time_s = last->time_s;
}

/* ---- the checkpoint ---- */

/* What a checkpoint must agree with. */
struct expected {
    struct commit_view at; /* the commit that ended with its batch */
    uint64_t number;       /* of the commit that names it, then of that one */
    uint64_t min_height;
    uint64_t epoch; /* no key is older */
};

static enum rc check_head(struct checkpoint_read *x, struct err *e)
{
    struct expected *want = x->data;

    /* Once it is accepted, keepers give no older keys. */
    for (size_t i = 0; i < x->head.n_contracts; i++)
        if (x->head.contracts[i].epoch < want->epoch)
            return err_set(e, RC_DENIED,
                           "checkpoint %s is of epoch %llu, older than it is said to be", x->cid,
                           (unsigned long long)x->head.contracts[i].epoch);
    TRY(history_commit_at(x->c, &want->at, &want->number, x->head.end_batch, want->min_height, e));
    if (!hash32_eq(&want->at.root, &x->head.new_root))
        return err_set(e, RC_DENIED, "checkpoint %s has another root than was confirmed", x->cid);
    return RC_OK;
}

static enum rc read_checkpoint(struct checkpoint_read *x, struct err *e)
{
    const struct expected *want = x->data;
    struct hash32 root;

    x->check_head = check_head;
    TRY(checkpoint_read(x, &root, e));
    if (!hash32_eq(&root, &want->at.root))
        return err_set(e, RC_DENIED, "checkpoint %s does not give the root it names", x->cid);
    return RC_OK;
}

static enum rc load_checkpoint(struct cluster *c, const struct cluster_view *v,
                               const struct commit_view *k, uint64_t number, bool is_unchecked,
                               struct err *e)
{
    uint64_t min_height = v->height;
    struct expected want = {.number = number, .min_height = min_height};
    struct checkpoint_read x = {.c = c,
                                .cid = k->checkpoint,
                                .newest_epoch = c->seen_epoch,
                                .roots = c->roots,
                                .loads = true,
                                .is_unchecked = is_unchecked,
                                .is_cancelled = &c->stopping,
                                .data = &want};
    struct batch_view last;
    struct err why = {0};
    uint64_t begun = clock_mono_ms();
    enum rc rc = read_checkpoint(&x, e);

    if (rc == RC_OK)
        rc = cluster_need_code(c, x.accounts, x.n_accounts, min_height, e);
    if (rc == RC_OK)
        rc = range_note_contracts(c, x.accounts, x.n_accounts, e);
    if (rc == RC_OK)
        rc = view_batches(c->w, &last, c->id, want.at.end_batch - 1, 1, min_height, e);
    /* Members vouched for it with its messages; without them all the rest goes on. */
    if (rc == RC_OK && outbox_keep_list(c, v, want.number, &x.outgoing, &why) != RC_OK) {
        if (is_unchecked)
            rc = err_set(e, RC_DENIED, "%s", why.msg);
        else
            log_warn("worker", "cluster %llu: checkpoint %s: %s", (unsigned long long)c->id, x.cid,
                     why.msg);
    }
    if (rc == RC_OK) {
        stand_at(c, &want.at, want.number, &last);
        c->n_checkpoints = 1;
        c->checkpoint_epoch = k->checkpoint_epoch;
        c->state_size = x.state_size;
        log_info("worker", "cluster %llu: %zu MiB of state from checkpoint %s in %llu ms",
                 (unsigned long long)c->id, x.state_size >> 20, x.cid,
                 (unsigned long long)(clock_mono_ms() - begun));
    }
    checkpoint_read_clear(&x);
    return rc;
}

enum rc history_commit_at(struct cluster *c, struct commit_view *out, uint64_t *number,
                          uint64_t end_batch, uint64_t min_height, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    uint64_t low = 0, high = *number + 1;

    /* Ends rise: look for it as in a dictionary. */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        TRY(view_commits(c->w, out, &a, c->id, middle, 1, min_height, e));
        out->delta = out->checkpoint = ""; /* they live in the arena */
        if (out->end_batch == end_batch) {
            *number = middle;
            return RC_OK;
        }
        if (out->end_batch < end_batch)
            low = middle + 1;
        else
            high = middle;
    }
    return err_set(e, RC_DENIED, "no commit ends with batch %llu", (unsigned long long)end_batch);
}

/* Sections are opened under tags, and all of them give the confirmed root: hashing every block too
 * would only tell who is at fault where they do not. So that is done then. */
static enum rc load_accepted(struct cluster *c, const struct cluster_view *v,
                             const struct commit_view *k, struct err *e)
{
    uint64_t number = v->accepted_checkpoint - 1;
    struct err why = {0};
    enum rc rc = load_checkpoint(c, v, k, number, true, &why);

    if (rc != RC_DENIED && rc != RC_MALFORMED && rc != RC_UNSUPPORTED && rc != RC_EXISTS &&
        rc != RC_LIMIT) {
        if (rc != RC_OK && e != NULL)
            *e = why;
        return rc;
    }
    log_warn("worker", "cluster %llu: checkpoint %s: %s; reading it again, block by block",
             (unsigned long long)c->id, k->checkpoint, why.msg);
    cluster_unload(c);
    TRY(cluster_load_nothing(c, e));
    return load_checkpoint(c, v, k, number, false, e);
}

static enum rc start_from(struct cluster *c, const struct cluster_view *v, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct commit_view k = {.checkpoint = "that counts"}; /* until it is read */
    enum rc rc = cluster_load_nothing(c, e);

    if (rc == RC_OK && v->accepted_checkpoint != 0) {
        rc = view_commits(c->w, &k, &a, c->id, v->accepted_checkpoint - 1, 1, v->height, e);
        if (rc == RC_OK)
            rc = load_accepted(c, v, &k, e);
        if (rc == RC_NOTFOUND || rc == RC_DENIED) {
            /* As long as keepers give the keys, everything can be done from the beginning. */
            log_warn("worker", "cluster %llu: checkpoint %s: %s; beginning without it",
                     (unsigned long long)c->id, k.checkpoint, e != NULL ? e->msg : "");
            cluster_unload(c);
            return cluster_load_nothing(c, e);
        }
    }
    /* Half of it is no state to go on from. */
    if (rc != RC_OK)
        cluster_unload(c);
    return rc;
}

/* ---- deltas ---- */

static enum rc check_delta(const struct delta_read *d, const struct commit_view *k, struct err *e)
{
    const struct cluster *c = d->c;

    if (d->head.kind != STATE_FILE_DELTA || d->head.first_batch != c->batches ||
        d->head.end_batch != k->end_batch || d->head.end_index != k->end_index ||
        !hash32_eq(&d->head.previous_root, &c->root) || !hash32_eq(&d->head.new_root, &k->root))
        return err_set(e, RC_DENIED, "delta %s is of another range", k->delta);
    return RC_OK;
}

/* The process applies them while the roots are made: where those are wrong, everything is loaded
 * anew. */
static enum rc apply_delta(struct delta *f, const struct commit_view *k, struct err *e)
{
    struct cluster *c = f->d.c;
    struct hash32 root;
    struct err why = {0};
    enum rc rc, applied;

    TRY(runtime_apply_begin(c->runtime, f->d.changes, f->d.n_changes, e));
    rc = cluster_roots_apply(c->roots, f->d.changes, f->d.n_changes, &root, e);
    applied = runtime_applied(c->runtime, &why);
    TRY(rc);
    if (!hash32_eq(&root, &k->root))
        return err_set(e, RC_CORRUPT, "delta %s does not give the root it names", k->delta);
    if (applied != RC_OK)
        return err_set(e, applied, "%s", why.msg);
    return range_note_contracts(c, f->d.changes, f->d.n_changes, e);
}

/* What the commit after this one names is read ahead. */
struct next_delta {
    struct delta_ahead *ahead;
    uint64_t number;
    const char *cid; /* empty: none */
};

static enum rc read_delta(struct delta *f, const struct commit_view *k, uint64_t number,
                          const struct next_delta *next, struct err *e)
{
    enum rc rc = delta_ahead_take(next->ahead, &f->d, number, e);

    if (rc == RC_NOTFOUND) {
        rc = delta_fetch(&f->d, k->delta, DELTA_MAX, e);
        if (rc == RC_OK)
            rc = delta_open(&f->d, e);
    }
    if (rc == RC_OK && next->cid[0] != '\0')
        delta_ahead_begin(next->ahead, f->d.c, next->number, next->cid);
    return rc == RC_OK ? check_delta(&f->d, k, e) : rc;
}

/* *touched: it was no good, and what is loaded may have taken part of it. */
static enum rc use_delta(struct cluster *c, const struct commit_view *k, uint64_t number,
                         const struct next_delta *next, uint64_t n_outboxes_before,
                         uint64_t min_height, bool *touched, struct err *e)
{
    struct delta f = {.d.c = c, .outgoing = outgoing_new(n_outboxes_before)};
    struct batch_view last;
    enum rc rc = view_batches(c->w, &last, c->id, k->end_batch - 1, 1, min_height, e);

    if (rc == RC_OK)
        rc = read_delta(&f, k, number, next, e);
    if (rc == RC_OK)
        rc = take_items(&f, e);
    if (rc == RC_OK)
        rc = cluster_need_code(c, f.d.changes, f.d.n_changes, min_height, e);
    if (rc == RC_OK)
        rc = apply_delta(&f, k, e);
    *touched = rc != RC_OK && f.touches;
    if (rc == RC_OK) {
        stand_at(c, k, number, &last);
        c->delta_size += f.d.size;
        if (!hash32_is_zero(&k->outbox_digest))
            outbox_keep(c, MOVE(f.outgoing), &k->outbox_digest);
    }
    delta_read_clear(&f.d);
    outgoing_free(f.outgoing);
    return rc;
}

/* The same by executing. */
static enum rc execute_again(struct cluster *c, const struct cluster_view *v,
                             const struct commit_view *k, uint64_t number, uint64_t outbox,
                             struct err *e)
{
    TRY(range_execute(c, v, k->end_batch, false, e));
    if (!hash32_eq(&c->pending.commit.new_root, &k->root) ||
        !hash32_eq(&c->pending.commit.outbox_digest, &k->outbox_digest)) {
        (void)err_set(e, RC_CORRUPT,
                      "cluster %llu: batches %llu to %llu give another result here than was "
                      "confirmed",
                      (unsigned long long)c->id, (unsigned long long)c->pending.commit.first_batch,
                      (unsigned long long)k->end_batch);
        cluster_unload(c);
        return RC_CORRUPT;
    }
    outbox_keep_pending(c, outbox);
    range_settle(c);
    c->n_commits = number + 1;
    return RC_OK;
}

static bool is_distrusted(const struct cluster *c, uint64_t number)
{
    for (unsigned i = 0; i < c->n_distrusted; i++)
        if (c->distrusted[i] == number)
            return true;
    return c->n_distrusted == CLUSTER_DISTRUSTED_MAX; /* so many wrong ones: execute all */
}

static enum rc one_commit(struct cluster *c, const struct cluster_view *v,
                          const struct commit_view *k, uint64_t number,
                          const struct next_delta *next, uint64_t outbox, struct err *e)
{
    struct err why = {0};
    bool touched = false;
    enum rc rc = RC_NOTFOUND;

    if (is_distrusted(c, number))
        (void)err_set(&why, RC_CORRUPT, "delta %s was wrong", k->delta);
    else if (k->delta[0] != '\0')
        rc = use_delta(c, k, number, next, outbox, v->height, &touched, &why);
    else
        (void)err_set(&why, RC_NOTFOUND, "the commit names none");
    if (rc == RC_OK || rc == RC_CLOSED)
        return rc;
    if (touched) {
        /* Load anew, and execute this range then; but a process that died is no fault of the file.
         */
        if (runtime_is_alive(c->runtime))
            c->distrusted[c->n_distrusted++] = number;
        cluster_unload(c);
        return err_set(e, RC_AGAIN, "%s", why.msg);
    }
    log_info("worker", "cluster %llu: delta of batches to %llu: %s; executing them",
             (unsigned long long)c->id, (unsigned long long)k->end_batch, why.msg);
    rc = execute_again(c, v, k, number, outbox, e);
    if (rc != RC_OK) {
        (void)err_wrap(e, rc, "delta: %s; executing", why.msg);
        if (number < v->accepted_checkpoint)
            cluster_unload(c); /* the checkpoint may be had next time */
    }
    return rc;
}

/* How many outboxes the commits before this one made: their numbers are dense over the digests
 * that are not zero, which only counting tells. From the end back, as few are undelivered. */
enum rc history_count_outboxes(struct cluster *c, const struct cluster_view *v, uint64_t from,
                               uint64_t *out, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct commit_view k[VIEW_COMMITS_MAX];
    uint64_t later = 0;

    for (uint64_t at = from; at < v->n_commits;) {
        uint64_t n = v->n_commits - at < VIEW_COMMITS_MAX ? v->n_commits - at : VIEW_COMMITS_MAX;

        TRY(view_commits(c->w, k, &a, c->id, at, n, v->height, e));
        for (uint64_t i = 0; i < n; i++)
            later += hash32_is_zero(&k[i].outbox_digest) ? 0 : 1;
        arena_reset(&a);
        at += n;
    }
    *out = v->n_outboxes - later;
    return RC_OK;
}

/* Some commits, one after the other. */
static enum rc catch_up(struct cluster *c, const struct cluster_view *v,
                        const struct commit_view *k, uint64_t n, struct delta_ahead *ahead,
                        uint64_t *outbox, struct err *e)
{
    for (uint64_t i = 0; i < n && !c->stopping; i++) {
        uint64_t number = c->n_commits;
        const struct next_delta next = {ahead, number + 1, i + 1 < n ? k[i + 1].delta : ""};

        TRY(one_commit(c, v, &k[i], number, &next, *outbox, e));
        *outbox += hash32_is_zero(&k[i].outbox_digest) ? 0 : 1;
    }
    return RC_OK;
}

enum rc history_catch_up(struct cluster *c, const struct cluster_view *v, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct commit_view k[VIEW_COMMITS_MAX];
    struct delta_ahead ahead = {0};
    uint64_t outbox;
    enum rc rc = RC_OK;

    if (c->runtime == NULL)
        TRY(start_from(c, v, e));
    TRY(history_count_outboxes(c, v, c->n_commits, &outbox, e));
    while (rc == RC_OK && c->n_commits < v->n_commits && !c->stopping) {
        uint64_t n = v->n_commits - c->n_commits;

        n = n < VIEW_COMMITS_MAX ? n : VIEW_COMMITS_MAX;
        arena_reset(&a);
        rc = view_commits(c->w, k, &a, c->id, c->n_commits, n, v->height, e);
        if (rc == RC_OK)
            rc = catch_up(c, v, k, n, &ahead, &outbox, e);
    }
    delta_ahead_end(&ahead);
    if (c->stopping)
        return RC_CLOSED;
    return rc;
}

/* ---- looking at files without loading them ---- */

/* A checkpoint is good if its parts open and give the root that was confirmed for its batch:
 * whoever loads it gets the confirmed state, and what it has yet to say. */
enum rc history_check_checkpoint(struct cluster *c, const struct cluster_view *v, const char *cid,
                                 uint64_t number, uint64_t epoch, const atomic_bool *is_cancelled,
                                 struct err *e)
{
    struct expected want = {.number = number, .min_height = v->height, .epoch = epoch};
    struct checkpoint_read x = {.c = c,
                                .cid = cid,
                                .newest_epoch = v->epoch,
                                .roots = cluster_roots_new(),
                                .is_cancelled = is_cancelled,
                                .data = &want};
    enum rc rc = read_checkpoint(&x, e);

    if (rc == RC_OK)
        rc = outbox_check(c, v, want.number, x.outgoing, e);
    cluster_roots_free(x.roots);
    checkpoint_read_clear(&x);
    return rc;
}

/* ---- events ---- */

#define LOGS_TEXT_MAX ((size_t)1 << 20)

/* Events of one contract while they are gathered. */
struct events {
    struct cluster *c;
    const struct address *contract;
    uint64_t first_batch, end_batch; /* that are asked for */
    json_t *list;
    size_t size;
};

/* The batch of a command, of those that end at `ends`. */
static uint64_t batch_of(const struct batch_view *batches, uint64_t n, uint64_t index)
{
    uint64_t low = 0, high = n - 1;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (index < batches[middle].end)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void put_event(struct events *x, uint64_t batch, uint64_t index, const struct log *event)
{
    json_t *topics = json_array(), *o;

    for (size_t i = 0; i < event->n_topics; i++)
        CHECK(json_array_append_new(topics, json_hex_new(BYTES_OF(&event->topics[i]))) == 0);
    o = json_pack("{s:I, s:I, s:o, s:o}", "batch", (json_int_t)batch, "index", (json_int_t)index,
                  "topics", topics, "data", json_hex_new(event->data));
    CHECK(json_array_append_new(x->list, o) == 0);
    x->size += event->data.n * 2 + event->n_topics * 70 + 128;
}

static enum rc events_of_section(struct events *x, const struct state_file_head *head,
                                 const struct batch_view *batches, struct bytes plain,
                                 struct err *e)
{
    uint64_t n = head->end_batch - head->first_batch;
    enum state_item tag;
    struct bytes item;
    struct log event;
    uint64_t index;
    enum rc rc;

    while ((rc = state_item_next(&tag, &item, &plain, e)) == RC_OK) {
        uint64_t batch;

        if (tag != ITEM_EVENT)
            continue;
        TRY(state_item_event(&index, &event, item, e));
        if (index >= head->end_index)
            return err_set(e, RC_MALFORMED, "an event of entry %llu, which is not in the range",
                           (unsigned long long)index);
        batch = head->first_batch + batch_of(batches, n, index);
        if (batch >= x->first_batch && batch < x->end_batch)
            put_event(x, batch, index, &event);
    }
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

static enum rc events_of_file(struct events *x, struct delta_read *f, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    uint64_t n = f->head.end_batch - f->head.first_batch;
    struct batch_view *batches = arena_array(&a, n, sizeof(*batches));
    struct state_sections it;
    struct state_section s;
    enum rc rc = view_batches(x->c->w, batches, x->c->id, f->head.first_batch, n, 0, e);

    state_sections_begin(&it, &f->head, f->sections);
    while (rc == RC_OK && (rc = state_sections_next(&s, &it, e)) == RC_OK) {
        if (!address_eq(&f->head.contracts[s.contract].contract, x->contract))
            continue;
        secbuf_reset(&f->plain);
        rc = state_section_open(&f->plain, &f->head, &s, f->keys[s.contract], e);
        if (rc == RC_OK)
            rc = events_of_section(x, &f->head, batches, secbuf_bytes(&f->plain), e);
    }
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

static enum rc events_of_commit(struct events *x, const struct commit_view *k, uint64_t begin,
                                struct err *e)
{
    struct delta_read f = {.c = x->c};
    enum rc rc;

    if (k->delta[0] == '\0')
        return err_set(e, RC_NOTFOUND, "the commit up to batch %llu names no delta",
                       (unsigned long long)k->end_batch);
    rc = delta_fetch(&f, k->delta, DELTA_MAX, e);
    if (rc == RC_OK && (f.head.kind != STATE_FILE_DELTA || f.head.first_batch != begin ||
                        f.head.end_batch != k->end_batch || f.head.end_index != k->end_index))
        rc = err_set(e, RC_DENIED, "delta %s is of another range", k->delta);
    if (rc == RC_OK)
        rc = events_of_file(x, &f, e);
    delta_read_clear(&f);
    return rc;
}

/* The first commit that ends after a batch, and where it begins. */
static enum rc first_commit_after(struct cluster *c, uint64_t batch, uint64_t *number,
                                  uint64_t *begin, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    uint64_t low = 0, high = c->n_commits;
    struct commit_view k;

    *begin = 0;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        TRY(view_commits(c->w, &k, &a, c->id, middle, 1, 0, e));
        if (k.end_batch > batch) {
            high = middle;
        } else {
            low = middle + 1;
            *begin = k.end_batch;
        }
    }
    *number = low;
    return RC_OK;
}

enum rc history_logs(struct cluster *c, struct buf *out, const struct address *contract,
                     uint64_t first_batch, uint64_t end_batch, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    json_auto_t *o = json_object();
    struct events x = {c, contract, first_batch, end_batch, json_array(), 0};
    uint64_t number, begin, end = end_batch < c->batches ? end_batch : c->batches;
    struct commit_view k;
    char text[ADDRESS_TEXT_SIZE];

    address_format(text, contract);
    CHECK(json_object_set_new(o, "contract", json_string(text)) == 0);
    CHECK(json_object_set_new(o, "events", x.list) == 0);
    if (first_batch >= end)
        return err_set(e, RC_AGAIN, "the state here is as of batch %llu",
                       (unsigned long long)c->batches);
    TRY(first_commit_after(c, first_batch, &number, &begin, e));
    for (unsigned i = 0; i < LOGS_COMMITS_MAX && begin < end && x.size < LOGS_TEXT_MAX; i++) {
        arena_reset(&a);
        TRY(view_commits(c->w, &k, &a, c->id, number + i, 1, 0, e));
        TRY(events_of_commit(&x, &k, begin, e));
        begin = k.end_batch;
    }
    CHECK(json_object_set_new(o, "next", json_integer((json_int_t)(begin < end ? begin : end))) ==
          0);
    json_put(out, o);
    return RC_OK;
}
