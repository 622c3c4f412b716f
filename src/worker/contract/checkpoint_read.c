/* Reading a checkpoint as it comes from the store. This thread receives and cuts it into sections;
 * helpers open them, make the leaves of the tree and hand the state to the process that will run
 * it. What is in memory at a time is a few sections and 64 bytes of each key. Trust: none in the
 * file; the caller compares the roots before anything of it is used. */
#include "worker/contract/checkpoint_read.h"

#include "base/mem.h"
#include "base/reader.h"

#include <unistd.h>

/* Sections are padded to at most twice what is in them. */
#define FILE_MAX (2 * (uint64_t)MACHINE_STATE_LIMIT + ((uint64_t)512 << 20))
#define HELPERS_MAX 8
#define WAITING_MAX (2 * HELPERS_MAX) /* sections that no helper has taken yet */

#define SPARES_MAX (WAITING_MAX + HELPERS_MAX)
#define PASS_MIN ((size_t)256 << 10) /* bytes of a section that are not copied once more */
#define SPARE_SIZE (STATE_SECTION_MAX + ((size_t)2 << 20)) /* one, and what comes with its end */

struct waiting {
    struct state_section section;
    struct buf bytes; /* that it borrows from */
};

struct reading {
    struct checkpoint_read *x;
    struct buf in; /* what has come; what is not cut yet from `at` on */
    size_t at;
    bool has_head;
    const struct contract_keys **keys; /* of the head's contracts */
    struct blinder **blinders;         /* ditto; NULL until the first section was read */
    struct state_sections cursor;
    struct secbuf plain; /* of this thread */
    struct tree_leaves leaves;

    pthread_t helpers[HELPERS_MAX];
    unsigned n_helpers, most_waiting;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct waiting waiting[WAITING_MAX];
    unsigned n_waiting;
    struct buf spares[SPARES_MAX]; /* memory of sections that are done with */
    unsigned n_spares;
    bool is_over; /* nothing more will come */
    enum rc rc;   /* the first failure */
    struct err err;

    pthread_mutex_t into; /* guards what sections are put into: roots, runtime, results */
};

/* ---- items ---- */

/* In a contract's first section, which the receiving thread reads: helpers find it there. */
static enum rc take_blind(struct reading *r, const struct state_section *s, struct bytes item,
                          struct err *e)
{
    const uint32_t contract = s->contract;
    struct secret32 blind;
    enum rc rc;

    if (item.n != sizeof(blind.b) || s->number != 0 || r->blinders[contract] != NULL)
        return err_set(e, RC_MALFORMED,
                       "a blinding key of %zu bytes, not in its place, or a second one", item.n);
    memcpy(blind.b, item.p, sizeof(blind.b));
    (void)pthread_mutex_lock(&r->into);
    rc = cluster_roots_add(r->x->roots, &r->x->head.contracts[contract].contract, &blind, e);
    (void)pthread_mutex_unlock(&r->into);
    if (rc == RC_OK) {
        r->blinders[contract] = xmalloc(sizeof(struct blinder));
        blinder_init(r->blinders[contract], &blind);
    }
    secret32_clear(&blind);
    return rc;
}

/* What needs nobody else: the leaves. */
static enum rc make_leaves(struct reading *r, struct tree_leaves *leaves,
                           const struct state_section *s, struct bytes plain, struct err *e)
{
    const uint32_t contract = s->contract;
    const struct address *who = &r->x->head.contracts[contract].contract;
    struct bytes item, key, value;
    enum state_item tag;
    enum rc rc;

    while ((rc = state_item_next(&tag, &item, &plain, e)) == RC_OK) {
        struct tree_leaf leaf;

        if (tag == ITEM_BLIND)
            TRY(take_blind(r, s, item, e));
        if (tag != ITEM_CHANGE)
            continue;
        TRY(state_item_change(&key, &value, who, item, e));
        if (value.n == 0 || r->blinders[contract] == NULL)
            return err_set(e, RC_MALFORMED, "checkpoint: a key without a value or a blinding key");
        keyed_tree_leaf_make(&leaf, r->blinders[contract], key, value);
        tree_leaves_put(leaves, &leaf);
    }
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

static void keep_account(struct checkpoint_read *x, struct bytes key, struct bytes value)
{
    if (x->n_accounts == x->cap_accounts) {
        x->cap_accounts = x->cap_accounts == 0 ? 64 : x->cap_accounts * 2;
        x->accounts = xreallocarray(x->accounts, x->cap_accounts, sizeof(*x->accounts));
    }
    x->accounts[x->n_accounts++] =
        (struct state_change){.key = arena_dup(&x->mem, key), .value = arena_dup(&x->mem, value)};
}

static enum rc put_message(struct checkpoint_read *x, struct bytes item, struct err *e)
{
    struct reader r = reader_init(item);
    uint64_t number = reader_u64be(&r);
    uint32_t place = reader_u32be(&r);
    struct bytes message = reader_rest(&r);

    TRY(reader_done(&r, "message in a checkpoint", e));
    return outgoing_put_in(&x->outgoing, number, place, message, e);
}

/* The rest, one section at a time. */
static enum rc put_items(struct reading *r, uint32_t contract, struct bytes plain, struct err *e)
{
    struct checkpoint_read *x = r->x;
    const struct address *who = &x->head.contracts[contract].contract;
    struct bytes item, key, value;
    struct hash32 code_hash;
    enum state_item tag;
    enum rc rc;

    while ((rc = state_item_next(&tag, &item, &plain, e)) == RC_OK) {
        if (tag == ITEM_CODE && x->loads)
            TRY(cluster_put_code(x->c, who, item, &code_hash, e));
        if (tag == ITEM_MESSAGE)
            TRY(put_message(x, item, e));
        if (tag != ITEM_CHANGE)
            continue;
        TRY(state_item_change(&key, &value, who, item, e));
        x->state_size += key.n + value.n + STATE_KEY_WEIGHT;
        if (x->state_size > MACHINE_STATE_LIMIT)
            return err_set(e, RC_LIMIT, "checkpoint: more state than the cluster's limit");
        if (x->loads)
            TRY(runtime_load(x->c->runtime, key, value, e));
        if (key.n == 21)
            keep_account(x, key, value);
    }
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

static enum rc read_section(struct reading *r, const struct state_section *s, struct secbuf *plain,
                            struct tree_leaves *leaves, struct err *e)
{
    const struct checkpoint_read *x = r->x;
    enum rc rc;

    secbuf_reset(plain);
    leaves->n = 0;
    TRY(state_section_open(plain, &x->head, s, r->keys[s->contract], e));
    TRY(make_leaves(r, leaves, s, secbuf_bytes(plain), e));
    (void)pthread_mutex_lock(&r->into);
    rc = put_items(r, s->contract, secbuf_bytes(plain), e);
    if (rc == RC_OK && leaves->n != 0)
        rc = cluster_roots_load_leaves(x->roots, &x->head.contracts[s->contract].contract,
                                       leaves->items + 1, leaves->n, e);
    (void)pthread_mutex_unlock(&r->into);
    return rc;
}

/* ---- helpers ---- */

static void fail(struct reading *r, enum rc rc, const struct err *e)
{
    (void)pthread_mutex_lock(&r->lock);
    if (r->rc == RC_OK) {
        r->rc = rc;
        r->err = *e;
    }
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

/* False: there is nothing left to do. */
static bool take_waiting(struct reading *r, struct waiting *out)
{
    bool has;

    (void)pthread_mutex_lock(&r->lock);
    while (r->n_waiting == 0 && !r->is_over && r->rc == RC_OK)
        (void)pthread_cond_wait(&r->changed, &r->lock);
    has = r->n_waiting != 0 && r->rc == RC_OK;
    if (has)
        *out = r->waiting[--r->n_waiting];
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
    return has;
}

/* New memory costs more than what is done with it. */
static void give_spare(struct reading *r, struct buf *b)
{
    (void)pthread_mutex_lock(&r->lock);
    if (b->cap >= PASS_MIN && r->n_spares < SPARES_MAX) {
        buf_reset(b);
        r->spares[r->n_spares++] = *b;
        *b = (struct buf){0};
    }
    (void)pthread_mutex_unlock(&r->lock);
    buf_clear(b);
}

static struct buf take_spare(struct reading *r)
{
    struct buf b = {0};

    (void)pthread_mutex_lock(&r->lock);
    if (r->n_spares != 0)
        b = r->spares[--r->n_spares];
    (void)pthread_mutex_unlock(&r->lock);
    (void)buf_reserve(&b, SPARE_SIZE);
    return b;
}

static void *help(void *data)
{
    struct reading *r = data;
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    struct tree_leaves leaves = {0};
    struct waiting w;

    while (take_waiting(r, &w)) {
        struct err e = {0};
        enum rc rc = read_section(r, &w.section, &plain, &leaves, &e);

        give_spare(r, &w.bytes);
        if (rc != RC_OK)
            fail(r, rc, &e);
    }
    free(leaves.items);
    return NULL;
}

static void start_helpers(struct reading *r)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    /* Whoever only looks does not hinder those who work. */
    n = r->x->loads ? n : 1;
    while (r->n_helpers < HELPERS_MAX && r->n_helpers < n &&
           pthread_create(&r->helpers[r->n_helpers], NULL, help, r) == 0)
        r->n_helpers++;
    r->most_waiting = 2 * r->n_helpers;
}

static void join_helpers(struct reading *r)
{
    (void)pthread_mutex_lock(&r->lock);
    r->is_over = true;
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
    for (unsigned i = 0; i < r->n_helpers; i++)
        (void)pthread_join(r->helpers[i], NULL);
    while (r->n_waiting != 0)
        buf_clear(&r->waiting[--r->n_waiting].bytes);
    while (r->n_spares != 0)
        buf_clear(&r->spares[--r->n_spares]);
}

/* ---- what comes ---- */

/* The section that begins at r->at and has `size` bytes, with memory of its own: a large one takes
 * that which it came into. */
static struct waiting cut(struct reading *r, const struct state_section *s, size_t size)
{
    struct waiting w = {.section = *s};
    size_t end = r->at + size;

    if (size < PASS_MIN) {
        buf_put_bytes(&w.bytes, s->sealed);
        w.section.sealed = buf_bytes(&w.bytes);
        r->at = end;
        return w;
    }
    w.bytes = r->in;
    r->in = take_spare(r);
    buf_put(&r->in, w.bytes.p + end, w.bytes.n - end);
    r->at = 0;
    return w;
}

/* To the helpers, when there is room. */
static enum rc hand_on(struct reading *r, struct waiting *w, struct err *e)
{
    enum rc rc;

    (void)pthread_mutex_lock(&r->lock);
    while (r->n_waiting == r->most_waiting && r->rc == RC_OK)
        (void)pthread_cond_wait(&r->changed, &r->lock);
    rc = r->rc;
    if (rc == RC_OK)
        r->waiting[r->n_waiting++] = *w;
    else if (e != NULL)
        *e = r->err;
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
    if (rc != RC_OK)
        buf_clear(&w->bytes);
    return rc;
}

static enum rc take_head(struct reading *r, size_t size, struct err *e)
{
    struct checkpoint_read *x = r->x;
    struct bytes rest;

    TRY(state_file_parse(&x->head, &rest, bytes_of(r->in.p, size), &x->mem, e));
    if (x->head.kind != STATE_FILE_CHECKPOINT)
        return err_set(e, RC_DENIED, "%s is no checkpoint", x->cid);
    r->keys = xcalloc(x->head.n_contracts + 1, sizeof(*r->keys));
    r->blinders = xcalloc(x->head.n_contracts + 1, sizeof(struct blinder *));
    TRY(history_head_keys(x->c, r->keys, &x->head, x->cid, x->newest_epoch, e));
    TRY(x->check_head(x, e));
    state_sections_begin(&r->cursor, &x->head, rest);
    r->has_head = true;
    r->at = size;
    start_helpers(r);
    return RC_OK;
}

/* The first section of a contract has what the others need. */
static enum rc take_section(struct reading *r, size_t size, struct err *e)
{
    struct state_section s;
    struct waiting w;

    r->cursor.rest = bytes_of(r->in.p + r->at, size);
    TRY(state_sections_next(&s, &r->cursor, e));
    if (s.number != 0 && r->n_helpers != 0) {
        w = cut(r, &s, size);
        return hand_on(r, &w, e);
    }
    r->at += size;
    return read_section(r, &s, &r->plain, &r->leaves, e);
}

static enum rc receive(void *data, struct bytes bytes, struct err *e)
{
    struct reading *r = data;
    size_t size;

    if (atomic_load(r->x->is_cancelled))
        return err_set(e, RC_CLOSED, "checkpoint: given up");
    buf_put_bytes(&r->in, bytes);
    for (;;) {
        struct bytes begun = bytes_of(r->in.p + r->at, r->in.n - r->at);

        TRY(r->has_head ? state_section_size(&size, begun, e)
                        : state_file_head_size(&size, begun, e));
        if (size == 0 || size > begun.n)
            break;
        TRY(r->has_head ? take_section(r, size, e) : take_head(r, size, e));
    }
    if (r->at != 0) {
        memmove(r->in.p, r->in.p + r->at, r->in.n - r->at);
        r->in.n -= r->at;
        r->at = 0;
    }
    return RC_OK;
}

static enum rc fetch(struct reading *r, struct err *e)
{
    struct worker *w = r->x->c->w;
    struct store_client *store;
    struct state_section none;
    struct cid cid;
    enum rc rc;

    TRY(cid_parse(&cid, bytes_str(r->x->cid), e));
    TRY(worker_store_take(w, &store, r->x->is_cancelled, e));
    rc = r->x->is_unchecked ? store_client_cat_unchecked(store, &cid, FILE_MAX, receive, r, e)
                            : store_client_cat(store, &cid, FILE_MAX, receive, r, e);
    worker_store_give_back(w, store);
    TRY(rc);
    if (!r->has_head)
        return err_set(e, RC_MALFORMED, "checkpoint %s ends in its head", r->x->cid);
    r->cursor.rest = buf_bytes(&r->in);
    rc = state_sections_next(&none, &r->cursor, e);
    if (rc == RC_OK)
        return err_set(e, RC_MALFORMED, "checkpoint %s does not end", r->x->cid);
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

static void reading_clear(struct reading *r)
{
    for (size_t i = 0; r->blinders != NULL && i < r->x->head.n_contracts; i++) {
        if (r->blinders[i] != NULL)
            wipe(r->blinders[i], sizeof(*r->blinders[i]));
        free(r->blinders[i]);
    }
    free(r->blinders);
    free(r->keys);
    free(r->leaves.items);
    secbuf_clear(&r->plain);
    buf_clear(&r->in);
    (void)pthread_cond_destroy(&r->changed);
    (void)pthread_mutex_destroy(&r->into);
    (void)pthread_mutex_destroy(&r->lock);
}

/* ---- the tree ---- */

struct half {
    void (*fn)(void *);
    void *data;
};

static void *do_half(void *data)
{
    const struct half *h = data;

    h->fn(h->data);
    return NULL;
}

static void both_at_once(void (*fn)(void *), void *a, void *b)
{
    struct half h = {fn, b};
    pthread_t other;
    bool has_other = pthread_create(&other, NULL, do_half, &h) == 0;

    fn(a);
    if (has_other)
        (void)pthread_join(other, NULL);
    else
        fn(b);
}

enum rc checkpoint_read(struct checkpoint_read *x, struct hash32 *root, struct err *e)
{
    struct reading r = {.x = x};
    enum rc rc;

    (void)pthread_mutex_init(&r.lock, NULL);
    (void)pthread_mutex_init(&r.into, NULL);
    (void)pthread_cond_init(&r.changed, NULL);
    rc = fetch(&r, e);
    if (rc != RC_OK)
        fail(&r, rc, e != NULL ? e : &(struct err){0});
    join_helpers(&r);
    rc = r.rc;
    if (e != NULL && rc != RC_OK)
        *e = r.err;
    reading_clear(&r);
    /* The process takes the last of its state while the tree is made. */
    if (rc == RC_OK)
        rc = cluster_roots_loaded(x->roots, x->loads ? both_at_once : NULL, root, e);
    if (rc == RC_OK && x->loads)
        rc = runtime_loaded(x->c->runtime, e);
    return rc;
}

void checkpoint_read_clear(struct checkpoint_read *x)
{
    free(x->accounts);
    outgoing_list_free(x->outgoing);
    arena_wipe(&x->mem);
}
