/* Deltas and checkpoints: what a member writes to the store, so that any other can go on. */
#include "base/mem.h"
#include "cluster/state_file.h"
#include "os/clock.h"
#include "worker/contract/cluster.h"

/* A checkpoint is due when the deltas since the last one weigh as much as the state, but not before
 * this many bytes: catching up then costs at most about twice the state. */
#define CHECKPOINT_MIN (256u << 10)
#define CHECKPOINT_AGAIN_MS 10000u /* after one that could not be made */

static enum rc add_to_store(struct cluster *c, char cid_text[CID_TEXT_SIZE], struct bytes file,
                            struct err *e)
{
    struct store_client *store;
    struct cid cid;
    enum rc rc;

    TRY(worker_store_take(c->w, &store, e));
    rc = store_client_add_bytes(store, &cid, file, e);
    worker_store_give_back(c->w, store);
    if (rc != RC_OK)
        return rc;
    cid_format(cid_text, &cid);
    return RC_OK;
}

/* ---- deltas ---- */

/* Of one contract: its changes, its code when it got one, receipts, events, messages. */
struct delta {
    struct cluster *c;
    struct state_file_writer *w;
    const struct delta_extra *x;
    size_t next_change, next_code;
};

static bool is_of(struct bytes key, const struct address *contract)
{
    return key.n >= 21 && memcmp(key.p + 1, contract->b, sizeof(contract->b)) == 0;
}

static enum rc put_changes(struct delta *d, const struct address *contract, struct err *e)
{
    const struct state_changes *all = &d->c->pending.changes;

    /* Accounts sort before storage: two runs of keys. */
    for (size_t i = 0; i < all->n; i++)
        if (is_of(all->items[i].key, contract))
            TRY(state_file_change(d->w, all->items[i].key, all->items[i].value, e));
    return RC_OK;
}

static enum rc put_code(struct delta *d, const struct queue_entry *x, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf program = {0};
    struct hash32 code_hash;

    if (x->payload.n < sizeof(code_hash.b))
        return RC_OK;
    memcpy(code_hash.b, x->payload.p, sizeof(code_hash.b));
    TRY(cluster_read_code(&program, d->c, &x->contract, &code_hash, e));
    return state_file_item(d->w, ITEM_CODE, (struct bytes){0}, secbuf_bytes(&program), e);
}

static enum rc put_results(struct delta *d, const struct address *contract, struct err *e)
{
    const struct delta_extra *x = d->x;

    for (size_t i = 0; i < x->n; i++) {
        const struct command_result *r = &x->results[i];

        if (address_eq(&x->entries[i].contract, contract)) {
            if (x->entries[i].kind >= ENTRY_ACTIVATE)
                TRY(put_code(d, &x->entries[i], e));
            if (x->receipts[i].n != 0)
                TRY(state_file_receipt(d->w, x->entries[i].index, buf_bytes(&x->receipts[i]), e));
        }
        for (size_t j = 0; j < r->n_events; j++)
            if (address_eq(&r->events[j].address, contract))
                TRY(state_file_event(d->w, x->entries[i].index, &r->events[j], e));
    }
    return RC_OK;
}

static enum rc put_messages(struct delta *d, const struct address *contract, struct err *e)
{
    const struct pending *p = &d->c->pending;

    for (size_t i = 0; i < p->n_messages; i++) {
        AUTO_CLEAR(buf) struct buf place = {0};
        AUTO_CLEAR(buf) struct buf message = {0};

        if (!address_eq(&p->messages[i].from, contract))
            continue;
        buf_u32be(&place, (uint32_t)i);
        out_message_encode(&message, &p->messages[i]);
        TRY(state_file_item(d->w, ITEM_MESSAGE, buf_bytes(&place), buf_bytes(&message), e));
    }
    return RC_OK;
}

/* Begin the part of a contract. What the process that runs contracts says may name one that has no
 * state here. */
static enum rc begin_contract(struct cluster *c, struct state_file_writer *w,
                              const struct state_file_contract *t, struct err *e)
{
    const struct secret32 *blind = cluster_roots_blind(c->roots, &t->contract);
    const struct contract_keys *keys;

    if (blind == NULL)
        return err_set(e, RC_MALFORMED, "runtime: something of a contract that is not there");
    TRY(keyring_get(c->keys, &keys, &t->contract, t->epoch, CLUSTER_KEY_WAIT_MS, e));
    return state_file_contract(w, keys, blind, e);
}

static enum rc put_contract(struct delta *d, const struct state_file_contract *t, struct err *e)
{
    TRY(begin_contract(d->c, d->w, t, e));
    TRY(put_changes(d, &t->contract, e));
    TRY(put_results(d, &t->contract, e));
    return put_messages(d, &t->contract, e);
}

enum rc files_put_delta(struct cluster *c, const struct state_file_contract *touched,
                        size_t n_touched, const struct delta_extra *x, struct err *e)
{
    AUTO_CLEAR(buf) struct buf file = {0};
    struct pending *p = &c->pending;
    struct delta d = {.c = c, .x = x};
    const struct state_file_head head = {.kind = STATE_FILE_DELTA,
                                         .genesis = c->genesis,
                                         .cluster = c->id,
                                         .first_batch = p->commit.first_batch,
                                         .end_batch = p->commit.end_batch,
                                         .end_index = p->commit.end_index,
                                         .previous_root = p->commit.previous_root,
                                         .new_root = p->commit.new_root,
                                         .contracts = touched,
                                         .n_contracts = n_touched};
    enum rc rc = state_file_begin(&d.w, &head, NULL, state_file_to_buf(&file), e);

    for (size_t i = 0; i < n_touched && rc == RC_OK; i++)
        rc = put_contract(&d, &touched[i], e);
    if (rc != RC_OK) {
        (void)!state_file_end(d.w, NULL);
        return rc;
    }
    TRY(state_file_end(d.w, e));
    TRY(add_to_store(c, p->delta, buf_bytes(&file), e));
    c->delta_size += file.n;
    return RC_OK;
}

/* ---- checkpoints ---- */

/* A snapshot is walked in any order, but a file goes contract by contract. */
struct item {
    struct bytes key, value;
};

struct checkpoint {
    struct cluster *c;
    struct arena mem;
    struct item *items;
    size_t n, cap, size;
};

static enum rc take_item(void *data, struct bytes key, struct bytes value, struct err *e)
{
    struct checkpoint *k = data;
    struct address owner;

    /* It is the word of a process that runs hostile code. */
    if (key.n != 33 || key.p[0] != STATE_CODE)
        TRY(state_key_owner(&owner, key, e));
    if (k->n == k->cap) {
        k->cap = k->cap == 0 ? 1024 : k->cap * 2;
        k->items = xreallocarray(k->items, k->cap, sizeof(*k->items));
    }
    k->items[k->n++] = (struct item){arena_dup(&k->mem, key), arena_dup(&k->mem, value)};
    k->size += key.n + value.n;
    return RC_OK;
}

/* Contract first, then key; code last. */
static int by_contract(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    bool x_code = x->key.p[0] == STATE_CODE, y_code = y->key.p[0] == STATE_CODE;
    int order;

    if (x_code != y_code)
        return x_code ? 1 : -1;
    if (x_code)
        return bytes_cmp(x->key, y->key);
    order = memcmp(x->key.p + 1, y->key.p + 1, 20);
    return order != 0 ? order : bytes_cmp(x->key, y->key);
}

static struct state_file_contract *contracts_of(const struct checkpoint *k, struct arena *a,
                                                uint64_t epoch, size_t *n)
{
    struct state_file_contract *t = arena_array(a, k->n + 1, sizeof(*t));

    *n = 0;
    for (size_t i = 0; i < k->n && k->items[i].key.p[0] != STATE_CODE; i++) {
        if (*n != 0 && is_of(k->items[i].key, &t[*n - 1].contract))
            continue;
        memcpy(t[*n].contract.b, k->items[i].key.p + 1, 20);
        t[*n].epoch = epoch;
        cluster_roots_of(k->c->roots, &t[*n].contract, &t[*n].root_after);
        (*n)++;
    }
    return t;
}

/* The code that a contract's account names. */
static enum rc put_its_code(struct state_file_writer *w, const struct checkpoint *k,
                            const struct known_contract *known, struct err *e)
{
    for (size_t i = k->n; i > 0 && k->items[i - 1].key.p[0] == STATE_CODE; i--)
        if (known != NULL && k->items[i - 1].key.n == 33 &&
            memcmp(k->items[i - 1].key.p + 1, known->code_hash.b, 32) == 0)
            return state_file_item(w, ITEM_CODE, (struct bytes){0}, k->items[i - 1].value, e);
    return RC_OK;
}

static enum rc write_checkpoint(struct checkpoint *k, struct buf *file, uint64_t epoch,
                                struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct cluster *c = k->c;
    struct state_file_writer *w;
    size_t n_contracts, at = 0;
    struct state_file_contract *t = contracts_of(k, &a, epoch, &n_contracts);
    const struct state_file_head head = {.kind = STATE_FILE_CHECKPOINT,
                                         .genesis = c->genesis,
                                         .cluster = c->id,
                                         .end_batch = c->batches,
                                         .end_index = c->entries,
                                         .new_root = c->root,
                                         .contracts = t,
                                         .n_contracts = n_contracts};
    enum rc rc = state_file_begin(&w, &head, NULL, state_file_to_buf(file), e);

    for (size_t i = 0; i < n_contracts && rc == RC_OK; i++) {
        rc = begin_contract(c, w, &t[i], e);
        for (; rc == RC_OK && at < k->n && k->items[at].key.p[0] != STATE_CODE &&
               is_of(k->items[at].key, &t[i].contract);
             at++)
            rc = state_file_change(w, k->items[at].key, k->items[at].value, e);
        if (rc == RC_OK)
            rc = put_its_code(w, k, cluster_known(c, &t[i].contract), e);
    }
    if (rc != RC_OK) {
        (void)!state_file_end(w, NULL);
        return rc;
    }
    return state_file_end(w, e);
}

static enum rc make_checkpoint(struct cluster *c, struct snapshot *s, uint64_t epoch, struct err *e)
{
    AUTO_CLEAR(buf) struct buf file = {0};
    struct checkpoint k = {.c = c};
    enum rc rc = snapshot_each(s, take_item, &k, e);

    if (rc == RC_OK) {
        if (k.n != 0)
            qsort(k.items, k.n, sizeof(*k.items), by_contract);
        rc = write_checkpoint(&k, &file, epoch, e);
    }
    if (rc == RC_OK)
        rc = add_to_store(c, c->checkpoint, buf_bytes(&file), e);
    if (rc == RC_OK) {
        c->checkpoint_epoch = epoch;
        c->state_size = k.size;
        c->delta_size = 0;
    }
    free(k.items);
    arena_wipe(&k.mem);
    return rc;
}

void files_checkpoint(struct cluster *c, const struct cluster_view *v)
{
    size_t due = c->state_size > CHECKPOINT_MIN ? c->state_size : CHECKPOINT_MIN;
    struct served *s;
    struct err e = {0};

    if (c->batches == 0 || c->checkpoint[0] != '\0' || clock_mono_ms() < c->next_checkpoint_ms ||
        (c->delta_size < due && c->checkpoint_epoch == v->epoch && c->n_checkpoints != 0))
        return;
    s = cluster_take_served(c, NULL);
    if (s == NULL)
        return;
    if (s->batch == c->batches) {
        if (make_checkpoint(c, s->snapshot, v->epoch, &e) == RC_OK) {
            c->n_checkpoints++;
        } else {
            cluster_say(c, "making a checkpoint", e.msg);
            c->next_checkpoint_ms = clock_mono_ms() + CHECKPOINT_AGAIN_MS;
        }
    }
    cluster_give_served(c, s);
}
