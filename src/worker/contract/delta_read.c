/* Reading deltas. Trust: none in a file; who applies it compares the root. Must not: change
 * anything of the cluster's. */
#include "worker/contract/delta_read.h"

#include "base/mem.h"

/* Larger ones are not read ahead: the memory of two deltas is held at a time. */
#define AHEAD_MAX ((uint64_t)20 << 20)

static enum rc fetch(struct cluster *c, struct buf *out, const char *cid_text, uint64_t max,
                     struct err *e)
{
    struct store_client *store;
    struct cid cid;
    enum rc rc;

    TRY(cid_parse(&cid, bytes_str(cid_text), e));
    TRY(worker_store_take(c->w, &store, &c->stopping, e));
    rc = store_client_cat_bytes(store, out, &cid, max, e);
    worker_store_give_back(c->w, store);
    return rc;
}

enum rc delta_fetch(struct delta_read *d, const char *cid, uint64_t max, struct err *e)
{
    TRY(fetch(d->c, &d->bytes, cid, max, e));
    d->size = d->bytes.n;
    TRY(state_file_parse(&d->head, &d->sections, buf_bytes(&d->bytes), &d->mem, e));
    d->keys = xcalloc(d->head.n_contracts + 1, sizeof(*d->keys));
    return history_head_keys(d->c, d->keys, &d->head, cid, d->c->seen_epoch, e);
}

void delta_read_clear(struct delta_read *d)
{
    secbuf_clear(&d->plain);
    buf_clear(&d->bytes);
    free(d->changes);
    free(d->items);
    free(d->keys);
    arena_wipe(&d->mem);
    *d = (struct delta_read){.c = d->c};
}

/* ---- items ---- */

static enum rc add_change(struct delta_read *d, uint32_t contract, struct bytes item, struct err *e)
{
    struct state_change *x;

    if (d->n_changes == d->cap_changes) {
        d->cap_changes = d->cap_changes == 0 ? 256 : d->cap_changes * 2;
        d->changes = xreallocarray(d->changes, d->cap_changes, sizeof(*d->changes));
    }
    x = &d->changes[d->n_changes];
    *x = (struct state_change){0};
    TRY(state_item_change(&x->key, &x->value, &d->head.contracts[contract].contract, item, e));
    d->n_changes++;
    return RC_OK;
}

static void add_item(struct delta_read *d, enum state_item tag, uint32_t contract,
                     struct bytes item)
{
    if (d->n_items == d->cap_items) {
        d->cap_items = d->cap_items == 0 ? 64 : d->cap_items * 2;
        d->items = xreallocarray(d->items, d->cap_items, sizeof(*d->items));
    }
    d->items[d->n_items++] = (struct delta_item){tag, contract, item};
}

static enum rc take_items(struct delta_read *d, uint32_t contract, struct bytes plain,
                          struct err *e)
{
    enum state_item tag;
    struct bytes item;
    enum rc rc;

    while ((rc = state_item_next(&tag, &item, &plain, e)) == RC_OK) {
        if (tag == ITEM_CHANGE)
            TRY(add_change(d, contract, item, e));
        else if (tag != ITEM_EVENT)
            add_item(d, tag, contract, item);
    }
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

static int by_key(const void *a, const void *b)
{
    return bytes_cmp(((const struct state_change *)a)->key, ((const struct state_change *)b)->key);
}

/* One that came twice might end differently in the roots and in the state. */
static enum rc sort_changes(struct delta_read *d, struct err *e)
{
    if (d->n_changes != 0)
        qsort(d->changes, d->n_changes, sizeof(*d->changes), by_key);
    for (size_t i = 1; i < d->n_changes; i++)
        if (bytes_eq(d->changes[i - 1].key, d->changes[i].key))
            return err_set(e, RC_MALFORMED, "delta: a key has two values");
    return RC_OK;
}

enum rc delta_open(struct delta_read *d, struct err *e)
{
    struct state_sections it;
    struct state_section s;
    enum rc rc;

    /* What was found in it stays where it is. */
    (void)secbuf_reserve(&d->plain, d->sections.n + 1);
    state_sections_begin(&it, &d->head, d->sections);
    while ((rc = state_sections_next(&s, &it, e)) == RC_OK) {
        size_t at = d->plain.n;

        TRY(state_section_open(&d->plain, &d->head, &s, d->keys[s.contract], e));
        TRY(take_items(d, s.contract, bytes_of(d->plain.p + at, d->plain.n - at), e));
    }
    if (rc != RC_NOTFOUND)
        return rc;
    d->sections = (struct bytes){0};
    buf_clear(&d->bytes);
    return sort_changes(d, e);
}

/* ---- ahead ---- */

static void *read_one(void *data)
{
    struct delta_ahead *x = data;

    x->rc = delta_fetch(&x->d, x->cid, AHEAD_MAX, &x->err);
    if (x->rc == RC_LIMIT)
        x->rc = RC_NOTFOUND;
    else if (x->rc == RC_OK)
        x->rc = delta_open(&x->d, &x->err);
    return NULL;
}

void delta_ahead_begin(struct delta_ahead *x, struct cluster *c, uint64_t number, const char *cid)
{
    CHECK(!x->is_set);
    if (strlen(cid) >= sizeof(x->cid))
        return;
    x->d = (struct delta_read){.c = c};
    x->number = number;
    (void)snprintf(x->cid, sizeof(x->cid), "%s", cid);
    x->is_set = pthread_create(&x->thread, NULL, read_one, x) == 0;
}

void delta_ahead_end(struct delta_ahead *x)
{
    if (!x->is_set)
        return;
    (void)pthread_join(x->thread, NULL);
    x->is_set = false;
    delta_read_clear(&x->d);
}

enum rc delta_ahead_take(struct delta_ahead *x, struct delta_read *out, uint64_t number,
                         struct err *e)
{
    if (!x->is_set || x->number != number) {
        delta_ahead_end(x);
        return err_set(e, RC_NOTFOUND, "nothing was read ahead");
    }
    (void)pthread_join(x->thread, NULL);
    x->is_set = false;
    if (x->rc == RC_OK) {
        *out = x->d;
        return RC_OK;
    }
    delta_read_clear(&x->d);
    if (e != NULL)
        *e = x->err;
    return x->rc;
}
