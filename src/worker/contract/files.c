/* Deltas: what a member writes to the store, so that any other can go on. */
#include "base/mem.h"
#include "cluster/state_file.h"
#include "worker/contract/cluster.h"

static enum rc add_to_store(struct cluster *c, char cid_text[CID_TEXT_SIZE], struct bytes file,
                            struct err *e)
{
    struct store_client *store;
    struct cid cid;
    enum rc rc;

    TRY(worker_store_take(c->w, &store, &c->stopping, e));
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
