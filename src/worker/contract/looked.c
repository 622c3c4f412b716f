/* Vouching: members say of a checkpoint that somebody named that they have looked at it. */
#include "base/mem.h"
#include "chain/contracts.h"
#include "os/clock.h"
#include "worker/contract/cluster.h"

#define LOOK_TRIES 3 /* at a checkpoint that cannot be had */
#define LOOK_AGAIN_MS 5000
#define VOUCH_GAS 500000

/* One that is looked at, in a thread of its own. */
struct checkpoint_look {
    struct cluster *c;
    struct cluster_view view;
    uint64_t number, epoch;
    char cid[CID_TEXT_SIZE];
};

static enum rc look(void *data, const atomic_bool *is_cancelled, struct err *e)
{
    struct checkpoint_look *l = data;

    return history_check_checkpoint(l->c, &l->view, l->cid, l->number, l->epoch, is_cancelled, e);
}

void checkpoint_vouch_stop(struct cluster *c)
{
    background_stop(&c->looks);
    free(MOVE(c->look));
}

static enum rc begin(struct cluster *c, const struct cluster_view *v, const struct commit_view *k,
                     struct err *e)
{
    struct checkpoint_look *l;

    if (strlen(k->checkpoint) >= sizeof(l->cid)) {
        c->looked_at++; /* no CID of ours */
        return RC_OK;
    }
    l = xcalloc(1, sizeof(*l));
    *l = (struct checkpoint_look){
        .c = c, .view = *v, .number = c->looked_at, .epoch = k->checkpoint_epoch};
    memcpy(l->cid, k->checkpoint, strlen(k->checkpoint));
    c->look = l;
    return background_begin(&c->looks, look, l, e);
}

static void conclude(struct cluster *c, enum rc rc, struct err *why)
{
    AUTO_CLEAR(buf) struct buf data = {0};

    if (rc != RC_OK) {
        cluster_say(c, "checkpoint", why->msg);
        /* Keepers or the store may be away for a moment. */
        if (++c->look_tries < LOOK_TRIES) {
            c->next_vouch_ms = clock_mono_ms() + LOOK_AGAIN_MS;
            return;
        }
    } else {
        confidential_contracts_put_vouch(&data, c->id, c->look->number);
        if (cluster_transact(c, buf_bytes(&data), NULL, VOUCH_GAS, why) != RC_OK)
            cluster_say(c, "vouching for a checkpoint", why->msg);
    }
    c->look_tries = 0;
    c->looked_at = c->look->number + 1;
}

enum rc checkpoint_vouch(struct cluster *c, const struct cluster_view *v, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct commit_view k;
    struct err why = {0};
    enum rc rc;

    if (background_ended(&c->looks, &rc, &why)) {
        conclude(c, rc, &why);
        free(MOVE(c->look));
    }
    if (c->looks.is_running || clock_mono_ms() < c->next_vouch_ms)
        return RC_OK;
    if (c->looked_at < v->accepted_checkpoint)
        c->looked_at = v->accepted_checkpoint;
    for (; c->looked_at < v->n_commits; c->looked_at++) {
        arena_reset(&a);
        TRY(view_commits(c->w, &k, &a, c->id, c->looked_at, 1, v->height, e));
        if (k.checkpoint[0] != '\0' && v->vouched <= c->looked_at)
            return begin(c, v, &k, e);
    }
    return RC_OK;
}
