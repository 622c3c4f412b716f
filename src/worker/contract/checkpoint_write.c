/* Making a checkpoint, beside the cluster's thread: a snapshot of the confirmed state is walked,
 * sealed and sent to the store in one go, so that of a state of any size a few megabytes are in
 * memory at a time. What belongs to the cluster's thread is copied when it begins. */
#include "base/mem.h"
#include "cluster/state_file.h"
#include "os/clock.h"
#include "worker/contract/cluster.h"

/* A checkpoint is due when the deltas since the last one weigh as much as the state, but not before
 * this many bytes: catching up then costs at most about twice the state. */
#define CHECKPOINT_MIN (256u << 10)
#define CHECKPOINT_AGAIN_MS 10000u /* after one that could not be made */

/* A contract that it has. */
struct part {
    const struct contract_keys *keys;
    const struct secret32 *blind;
    struct hash32 code_hash; /* zeros: none */
};

struct checkpoint_writing {
    struct cluster *c;
    struct served *served; /* the state */
    struct state_file_head head;
    struct state_file_contract *contracts;
    struct part *parts; /* of the head's contracts */
    struct arena mem;
    struct outgoing_message *messages;
    size_t n_messages;
    uint64_t epoch;
    uint64_t delta_size; /* when it began */

    /* its thread's */
    const atomic_bool *is_cancelled;
    struct state_walk *walk;
    struct state_file_writer *w;
    size_t n_begun; /* contracts: the last of them is being written */
    struct buf out; /* of the file, that is not sent yet */
    size_t out_at;
    bool is_written;
    size_t state_size;
    char cid[CID_TEXT_SIZE];
};

static void writing_free(struct checkpoint_writing *k)
{
    if (k == NULL)
        return;
    state_walk_end(k->walk);
    if (k->w != NULL)
        (void)!state_file_end(k->w, NULL);
    cluster_give_served(k->c, k->served);
    buf_clear(&k->out);
    free(k->contracts);
    free(k->parts);
    arena_wipe(&k->mem);
    free(k);
}

/* ---- in its thread ---- */

static enum rc end_contract(struct checkpoint_writing *k, struct err *e)
{
    const struct address *who;
    const struct part *part;

    if (k->n_begun == 0)
        return RC_OK;
    who = &k->contracts[k->n_begun - 1].contract;
    part = &k->parts[k->n_begun - 1];
    if (!hash32_is_zero(&part->code_hash)) {
        AUTO_CLEAR(secbuf) struct secbuf program = {0};

        TRY(cluster_read_code(&program, k->c, who, &part->code_hash, e));
        TRY(state_file_item(k->w, ITEM_CODE, (struct bytes){0}, secbuf_bytes(&program), e));
    }
    for (size_t i = 0; i < k->n_messages; i++) {
        const struct outgoing_message *m = &k->messages[i];
        uint8_t head[12];

        if (memcmp(m->message.p + 1, who->b, sizeof(who->b)) != 0)
            continue;
        store_u64be(head, m->number);
        store_u32be(head + 8, m->place);
        TRY(state_file_item(k->w, ITEM_MESSAGE, BYTES_OF(&head), m->message, e));
    }
    return RC_OK;
}

static enum rc begin_contract(struct checkpoint_writing *k, struct err *e)
{
    const struct part *part = &k->parts[k->n_begun];

    TRY(end_contract(k, e));
    TRY(state_file_contract(k->w, part->keys, part->blind, e));
    k->n_begun++;
    return RC_OK;
}

/* What the process gives is the word of one that runs hostile code. */
static enum rc put_item(struct checkpoint_writing *k, struct bytes key, struct bytes value,
                        struct err *e)
{
    struct address owner;

    if (key.n == 33 && key.p[0] == STATE_CODE)
        return RC_OK; /* it is ours to know */
    TRY(state_key_owner(&owner, key, e));
    while (k->n_begun == 0 || !address_eq(&k->contracts[k->n_begun - 1].contract, &owner)) {
        if (k->n_begun == k->head.n_contracts)
            return err_set(e, RC_MALFORMED,
                           "runtime: state of a contract that is not there, or "
                           "not in its place");
        TRY(begin_contract(k, e));
    }
    k->state_size += key.n + value.n + STATE_KEY_WEIGHT;
    return state_file_change(k->w, key, value, e);
}

static enum rc finish(struct checkpoint_writing *k, struct err *e)
{
    struct state_file_writer *w;

    if (k->n_begun != k->head.n_contracts)
        return err_set(e, RC_MALFORMED, "runtime: a contract's state is missing");
    TRY(end_contract(k, e));
    k->is_written = true;
    w = MOVE(k->w);
    return state_file_end(w, e);
}

static enum rc write_more(struct checkpoint_writing *k, struct err *e)
{
    struct bytes key, value;
    enum rc rc;

    if (atomic_load(k->is_cancelled))
        return err_set(e, RC_CLOSED, "checkpoint: given up");
    if (k->w == NULL)
        return state_file_begin(&k->w, &k->head, NULL, state_file_to_buf(&k->out), e);
    rc = state_walk_next(k->walk, &key, &value, e);
    if (rc == RC_NOTFOUND)
        return finish(k, e);
    return rc == RC_OK ? put_item(k, key, value, e) : rc;
}

/* The store takes the file in pieces as they come. */
static enum rc give(void *data, void *p, size_t cap, size_t *n, struct err *e)
{
    struct checkpoint_writing *k = data;

    *n = 0;
    if (k->out_at == k->out.n) {
        buf_reset(&k->out);
        k->out_at = 0;
    }
    while (k->out.n == 0 && !k->is_written)
        TRY(write_more(k, e));
    *n = k->out.n - k->out_at < cap ? k->out.n - k->out_at : cap;
    if (*n != 0)
        memcpy(p, k->out.p + k->out_at, *n);
    k->out_at += *n;
    return RC_OK;
}

static enum rc make(void *data, const atomic_bool *is_cancelled, struct err *e)
{
    struct checkpoint_writing *k = data;
    struct worker *w = k->c->w;
    struct store_client *store;
    struct cid cid;
    enum rc rc;

    k->is_cancelled = is_cancelled;
    TRY(state_walk_begin(&k->walk, k->served->snapshot, e));
    TRY(worker_store_take(w, &store, is_cancelled, e));
    rc = store_client_add(store, &cid, NULL, give, k, e);
    worker_store_give_back(w, store);
    if (rc == RC_OK)
        cid_format(k->cid, &cid);
    return rc;
}

/* ---- in the cluster's ---- */

static enum rc prepare(struct checkpoint_writing *k, const struct cluster_view *v, struct err *e)
{
    AUTO_FREE struct contract_root *roots = NULL;
    struct cluster *c = k->c;
    size_t n = cluster_roots_list(c->roots, &roots);

    k->contracts = xcalloc(n + 1, sizeof(*k->contracts));
    k->parts = xcalloc(n + 1, sizeof(*k->parts));
    k->head = (struct state_file_head){.kind = STATE_FILE_CHECKPOINT,
                                       .genesis = c->genesis,
                                       .cluster = c->id,
                                       .end_batch = c->batches,
                                       .end_index = c->entries,
                                       .new_root = c->root,
                                       .contracts = k->contracts,
                                       .n_contracts = n};
    for (size_t i = 0; i < n; i++) {
        const struct known_contract *known = cluster_known(c, &roots[i].contract);

        k->contracts[i] = (struct state_file_contract){
            .contract = roots[i].contract, .epoch = v->epoch, .root_after = roots[i].root};
        k->parts[i].blind = cluster_roots_blind(c->roots, &roots[i].contract);
        if (known != NULL)
            k->parts[i].code_hash = known->code_hash;
        TRY(keyring_get(c->keys, &k->parts[i].keys, &roots[i].contract, v->epoch,
                        CLUSTER_KEY_WAIT_MS, e));
    }
    return outbox_list(c, v, &k->mem, &k->messages, &k->n_messages, e);
}

static void later(struct cluster *c, const struct err *why)
{
    cluster_say(c, "making a checkpoint", why->msg);
    c->next_checkpoint_ms = clock_mono_ms() + CHECKPOINT_AGAIN_MS;
}

static void conclude(struct cluster *c, enum rc rc, const struct err *why)
{
    struct checkpoint_writing *k = MOVE(c->writing);

    if (rc == RC_OK) {
        memcpy(c->checkpoint, k->cid, sizeof(c->checkpoint));
        c->checkpoint_epoch = k->epoch;
        c->state_size = k->state_size;
        c->delta_size -= k->delta_size;
        c->n_checkpoints++;
    } else {
        later(c, why);
    }
    writing_free(k);
}

static bool is_due(const struct cluster *c, const struct cluster_view *v)
{
    size_t due = c->state_size > CHECKPOINT_MIN ? c->state_size : CHECKPOINT_MIN;

    return !c->writes.is_running && c->batches != 0 && c->checkpoint[0] == '\0' &&
           clock_mono_ms() >= c->next_checkpoint_ms &&
           (c->delta_size >= due || c->checkpoint_epoch != v->epoch || c->n_checkpoints == 0);
}

void checkpoint_write(struct cluster *c, const struct cluster_view *v)
{
    struct checkpoint_writing *k;
    struct err e = {0};
    enum rc rc;

    if (background_ended(&c->writes, &rc, &e))
        conclude(c, rc, &e);
    if (!is_due(c, v))
        return;
    k = xcalloc(1, sizeof(*k));
    k->c = c;
    k->epoch = v->epoch;
    k->delta_size = c->delta_size;
    k->served = cluster_take_served(c, NULL);
    if (k->served == NULL) {
        free(k);
        return;
    }
    if (k->served->batch != c->batches) {
        writing_free(k);
        return;
    }
    rc = prepare(k, v, &e);
    if (rc == RC_OK)
        rc = background_begin(&c->writes, make, k, &e);
    if (rc == RC_OK) {
        c->writing = k;
        return;
    }
    later(c, &e);
    writing_free(k);
}

void checkpoint_write_stop(struct cluster *c)
{
    background_stop(&c->writes);
    writing_free(MOVE(c->writing));
}
