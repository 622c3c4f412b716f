/* Delivering what contracts send: the chain takes messages only in order and only those that a
 * quorum confirmed, so a member that delivers too much or too late does no harm. */
#include "base/log.h"
#include "base/mem.h"
#include "chain/contracts.h"
#include "os/clock.h"
#include "worker/contract/cluster.h"

#define OUTGOING_MAX                                                                               \
    (1 << 21)               /* messages of one commit: CLUSTER_RANGE_MAX commands of 256, twice */
#define DELIVER_MESSAGES 16 /* in one transaction */
#define DELIVER_BYTES 32768 /* ditto */
#define DELIVER_GAS 8000000 /* of one transaction */
#define TURN_MS 1500u       /* how long another member has for its turn */

struct outgoing {
    struct outgoing *next;
    uint64_t number;
    struct arena mem;
    struct bytes *messages; /* by place; holes have p NULL */
    size_t n, cap;
    struct hash32 *rests; /* n + 1, once it is kept */
};

struct outgoing *outgoing_new(uint64_t number)
{
    struct outgoing *o = xcalloc(1, sizeof(*o));

    o->number = number;
    return o;
}

void outgoing_free(struct outgoing *o)
{
    if (o == NULL)
        return;
    free(o->messages);
    free(o->rests);
    arena_wipe(&o->mem);
    free(o);
}

enum rc outgoing_put(struct outgoing *o, uint32_t place, struct bytes message, struct err *e)
{
    if (place >= OUTGOING_MAX)
        return err_set(e, RC_LIMIT, "message %u of a commit; at most %d", place, OUTGOING_MAX);
    if (place >= o->cap) {
        size_t cap = (size_t)place + 64;

        o->messages = xreallocarray(o->messages, cap, sizeof(*o->messages));
        memset(o->messages + o->cap, 0, (cap - o->cap) * sizeof(*o->messages));
        o->cap = cap;
    }
    o->messages[place] = arena_dup(&o->mem, message);
    if (place >= o->n)
        o->n = (size_t)place + 1;
    return RC_OK;
}

/* ---- in checkpoints ---- */

enum rc outgoing_put_in(struct outgoing **list, uint64_t number, uint32_t place,
                        struct bytes message, struct err *e)
{
    while (*list != NULL && (*list)->number < number)
        list = &(*list)->next;
    if (*list == NULL || (*list)->number != number) {
        struct outgoing *o = outgoing_new(number);

        o->next = *list;
        *list = o;
    }
    return outgoing_put(*list, place, message, e);
}

void outgoing_list_free(struct outgoing *list)
{
    while (list != NULL) {
        struct outgoing *next = list->next;

        outgoing_free(list);
        list = next;
    }
}

static bool is_whole(struct outgoing *o, const struct hash32 *digest)
{
    if (o->rests == NULL) {
        o->rests = xcalloc(o->n + 1, sizeof(*o->rests));
        outbox_rests(o->rests, o->messages, o->n);
    }
    return hash32_eq(&o->rests[0], digest);
}

/* From the last commit back: as few are undelivered. */
enum rc outbox_check(struct cluster *c, const struct cluster_view *v, uint64_t number,
                     struct outgoing *list, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    uint64_t end; /* outboxes up to that commit */

    TRY(history_count_outboxes(c, v, number + 1, &end, e));
    for (uint64_t at = number + 1; at > 0 && end > v->n_delivered;) {
        uint64_t n = at < VIEW_COMMITS_MAX ? at : VIEW_COMMITS_MAX;
        struct commit_view k[VIEW_COMMITS_MAX];

        arena_reset(&a);
        TRY(view_commits(c->w, k, &a, c->id, at - n, n, v->height, e));
        for (uint64_t i = n; i-- > 0 && end > v->n_delivered;) {
            struct outgoing *o = list;

            if (hash32_is_zero(&k[i].outbox_digest))
                continue;
            end--;
            while (o != NULL && o->number != end)
                o = o->next;
            if (o == NULL || !is_whole(o, &k[i].outbox_digest))
                return err_set(e, RC_DENIED,
                               "it lacks messages of outbox %llu, which are not delivered",
                               (unsigned long long)end);
        }
        at -= n;
    }
    return RC_OK;
}

enum rc outbox_keep_list(struct cluster *c, const struct cluster_view *v, uint64_t number,
                         struct outgoing **list, struct err *e)
{
    enum rc rc = outbox_check(c, v, number, *list, e);

    if (rc != RC_OK)
        return rc;
    outbox_clear(c);
    for (struct outgoing **at = &c->outgoing; *list != NULL;) {
        struct outgoing *o = *list;

        *list = o->next;
        o->next = NULL;
        if (o->rests == NULL) { /* nobody asked for it: it is delivered */
            outgoing_free(o);
            continue;
        }
        *at = o;
        at = &o->next;
    }
    return RC_OK;
}

enum rc outbox_list(const struct cluster *c, const struct cluster_view *v, struct arena *mem,
                    struct outgoing_message **out, size_t *n, struct err *e)
{
    uint64_t number = v->n_delivered;
    size_t size = 0;

    *n = 0;
    for (const struct outgoing *o = c->outgoing; o != NULL; o = o->next)
        size += o->n;
    *out = arena_array(mem, size + 1, sizeof(**out));
    for (const struct outgoing *o = c->outgoing; o != NULL; o = o->next) {
        if (o->number < v->n_delivered)
            continue;
        if (o->number != number++)
            break;
        for (size_t i = 0; i < o->n; i++)
            (*out)[(*n)++] =
                (struct outgoing_message){o->number, (uint32_t)i, arena_dup(mem, o->messages[i])};
    }
    if (number < v->n_outboxes)
        return err_set(e, RC_AGAIN, "messages of outbox %llu are not here, nor delivered",
                       (unsigned long long)number);
    return RC_OK;
}

/* ---- those of one commit ---- */

void outbox_keep(struct cluster *c, struct outgoing *o, const struct hash32 *digest)
{
    struct outgoing **at = &c->outgoing;

    o->rests = xcalloc(o->n + 1, sizeof(*o->rests));
    outbox_rests(o->rests, o->messages, o->n);
    if (!hash32_eq(&o->rests[0], digest)) {
        /* A delta that lacks a message gives the right state all the same. */
        log_warn("worker", "cluster %llu: the messages of outbox %llu are not those confirmed",
                 (unsigned long long)c->id, (unsigned long long)o->number);
        outgoing_free(o);
        return;
    }
    while (*at != NULL)
        at = &(*at)->next;
    *at = o;
}

void outbox_keep_pending(struct cluster *c, uint64_t number)
{
    const struct pending *p = &c->pending;
    struct outgoing *o;

    if (p->n_messages == 0)
        return;
    o = outgoing_new(number);
    for (size_t i = 0; i < p->n_messages; i++) {
        AUTO_CLEAR(buf) struct buf message = {0};

        out_message_encode(&message, &p->messages[i]);
        if (outgoing_put(o, (uint32_t)i, buf_bytes(&message), NULL) != RC_OK)
            break;
    }
    outbox_keep(c, o, &p->commit.outbox_digest);
}

void outbox_clear(struct cluster *c)
{
    while (c->outgoing != NULL) {
        struct outgoing *next = c->outgoing->next;

        outgoing_free(c->outgoing);
        c->outgoing = next;
    }
}

static enum rc deliver(struct cluster *c, const struct outgoing *o, size_t from, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    size_t n = 0, size = 0;
    enum rc rc;

    if (c->deliver_at_once == 0)
        c->deliver_at_once = DELIVER_MESSAGES;
    while (from + n < o->n && n < c->deliver_at_once &&
           (n == 0 || size + o->messages[from + n].n <= DELIVER_BYTES))
        size += o->messages[from + n++].n;
    confidential_contracts_put_deliver(
        &data, c->id, (struct confidential_contracts_bytes_list){.p = o->messages + from, .n = n},
        &o->rests[from + n]);
    rc = cluster_transact(c, buf_bytes(&data), NULL, DELIVER_GAS, e);
    /* Receivers that use much gas: fewer at once, or nothing is ever delivered. */
    if (rc == RC_DENIED && n > 1)
        c->deliver_at_once = (unsigned)(n / 2);
    else if (rc == RC_OK && c->deliver_at_once < DELIVER_MESSAGES)
        c->deliver_at_once *= 2;
    return rc;
}

enum rc outbox_deliver(struct cluster *c, const struct cluster_view *v, struct err *e)
{
    struct outgoing *o;

    /* What others have delivered. */
    while (c->outgoing != NULL && c->outgoing->number < v->n_delivered) {
        o = c->outgoing->next;
        outgoing_free(c->outgoing);
        c->outgoing = o;
    }
    o = c->outgoing;
    if (v->n_delivered >= v->n_outboxes || o == NULL || o->number != v->n_delivered) {
        c->outbox_since_ms = 0;
        return RC_OK;
    }
    /* Members take turns, so that one delivery is usually enough. */
    if (c->outbox_since_ms == 0 || c->outbox_number != o->number) {
        c->outbox_since_ms = clock_mono_ms();
        c->outbox_number = o->number;
    }
    if (v->n_members != 0 &&
        (v->n_delivered % v->n_members + v->n_members - v->our_place) % v->n_members * TURN_MS >
            clock_mono_ms() - c->outbox_since_ms)
        return RC_OK;
    for (size_t i = 0; i < o->n; i++)
        if (hash32_eq(&o->rests[i], &v->outbox_rest))
            return deliver(c, o, i, e);
    return RC_OK;
}
