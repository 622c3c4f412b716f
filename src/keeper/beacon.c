/* The beacon (keys/dprf.h): one value a height, that nobody could know before the block was there.
 * Keepers make it for blocks with jobs that wait for a worker, and TeePool assigns by it. */
#include "base/hex.h"
#include "base/log.h"
#include "chain/contracts.h"
#include "codec/json.h"
#include "keeper/internal/state.h"
#include "light/contracts.h"
#include "os/clock.h"

#define ANSWER_MAX 4096
#define TURN_MS 400 /* what each keeper waits longer than the one before, so that one brings it */

static enum rc evaluate(struct dprf_partial *out, const struct keeper_serving *s, uint64_t height,
                        struct err *e)
{
    struct dprf_input in;
    struct hash32 request;

    if (s->index == 0)
        return err_set(e, RC_NOTFOUND, "this keeper holds no share of the sharing in force");
    beacon_input(&in, height);
    beacon_request_hash(&request, &s->keys, height);
    return dprf_evaluate(out, &s->keys, s->index, &s->share, &in, &request, NULL, e);
}

static struct keeper_serving *serving_now(struct keeper *k)
{
    struct keeper_serving *s = secret_alloc(sizeof(*s));

    (void)pthread_mutex_lock(&k->lock);
    *s = *k->serving;
    (void)pthread_mutex_unlock(&k->lock);
    return s;
}

enum rc beacon_part(struct keeper *k, struct dprf_partial *out, uint64_t height, struct err *e)
{
    AUTO_SECRET struct keeper_serving *s = serving_now(k);

    if (k->retired)
        return err_set(e, RC_NOTFOUND, "a later build of this keeper has its share");
    /* What is in that block can be changed no more. */
    if (light_client_height(k->light) < height)
        TRY(heads_follow(k, e));
    if (light_client_height(k->light) < height)
        return err_set(e, RC_AGAIN, "block %llu has not come, the newest is %llu",
                       (unsigned long long)height,
                       (unsigned long long)light_client_height(k->light));
    return evaluate(out, s, height, e);
}

/* ---- the other keepers ---- */

struct parts {
    struct dprf *d;
    struct dprf_partial *of; /* those that are good, t at most */
    size_t n;
    const struct keeper_serving *s;
    uint64_t height;
    uint32_t *silent; /* who has given no part, bits */
};

static enum rc read_part(struct dprf_partial *out, const json_t *o, struct err *e)
{
    AUTO_CLEAR(buf) struct buf part = {0};

    TRY(json_hex(&part, o, "partial", DPRF_PARTIAL_SIZE, e));
    return dprf_partial_decode(out, buf_bytes(&part), e);
}

/* A part that is not good is passed over, and its keeper named. */
static void take(void *ctx, uint32_t i, const json_t *answer, struct err *e)
{
    struct parts *x = ctx;
    const char *url = x->s->urls[i];
    struct dprf_partial part;

    if (answer == NULL || read_part(&part, answer, e) != RC_OK) {
        log_debug("keeper", "beacon: %s", e->msg);
    } else if (part.round != x->d->keys->round) {
        log_debug("keeper", "beacon: %s is at round %llu", url, (unsigned long long)part.round);
    } else if (part.index != i + 1 || dprf_add(x->d, &part, e) != RC_OK) {
        log_warn("keeper", "beacon of height %llu: keeper %u at %s lies: %s",
                 (unsigned long long)x->height, i + 1, url,
                 part.index != i + 1 ? "it answers for another" : e->msg);
    } else {
        *x->silent &= ~(1u << i);
        if (x->n < x->d->keys->t)
            x->of[x->n++] = part;
    }
}

/* All of `whom` (bits, our index - 1) at once. */
static void ask_some(struct keeper *k, struct parts *x, uint32_t whom)
{
    AUTO_CLEAR(buf) struct buf body = {0};

    if (whom == 0)
        return;
    buf_printf(&body, "{\"height\":%llu}", (unsigned long long)x->height);
    k->round.silent |= whom;
    x->silent = &k->round.silent;
    ask_each(k, x->s, whom,
             &(struct ask){.path = "/beacon",
                           .body = buf_bytes(&body),
                           .answer_max = ANSWER_MAX,
                           .taken = take,
                           .ctx = x});
}

/* First no more than are needed, of those that answered last time; then all others at once. Being
 * silent once does not expire, and need not: it says who is asked later, never who is not asked. As
 * long as t others answer, nothing is wanted of that keeper; when one of them fails, it is asked in
 * the same call, and one good part puts it among the first again. A liar is so asked only when an
 * honest keeper is missing, and costs a question then; were its bit to expire, it would cost one
 * (and, when it hangs, a time-out) again and again though nobody needs it. In a new sharing a bit
 * may stand for another keeper: that one is asked later, once. */
static void ask_enough(struct keeper *k, struct parts *x)
{
    const struct keeper_serving *s = x->s;
    const uint32_t others = ask_others(s);
    uint32_t first = 0, chosen = 0;

    for (uint32_t i = 1; i < s->keys.n && chosen + 1 < s->keys.t; i++) {
        const uint32_t bit = 1u << (s->index - 1 + i) % s->keys.n;

        if ((others & bit & ~k->round.silent) == 0)
            continue;
        first |= bit;
        chosen++;
    }
    ask_some(k, x, first);
    if (x->n < s->keys.t)
        ask_some(k, x, others & ~first);
}

static enum rc make(struct keeper *k, struct buf *out, const struct keeper_serving *s,
                    uint64_t height, struct err *e)
{
    struct dprf_partial parts[KEYS_MAX_THRESHOLD];
    AUTO_CLEAR(dprf) struct dprf d = {0};
    struct dprf_input in;
    struct hash32 request;
    struct parts x = {.d = &d, .of = parts, .n = 1, .s = s, .height = height};

    beacon_input(&in, height);
    beacon_request_hash(&request, &s->keys, height);
    TRY(dprf_begin(&d, &s->keys, &in, &request, e));
    TRY(evaluate(&parts[0], s, height, e));
    TRY(dprf_add(&d, &parts[0], e));
    ask_enough(k, &x);
    if (x.n < s->keys.t)
        return err_set(e, RC_AGAIN, "beacon of height %llu: %zu keepers of %u have given a part",
                       (unsigned long long)height, x.n, s->keys.t);
    return beacon_encode(out, &s->keys, height, parts, x.n, e);
}

/* ---- whose turn it is ---- */

static enum rc bring(struct keeper *k, const struct keeper_serving *s, uint64_t height,
                     struct err *e)
{
    AUTO_CLEAR(buf) struct buf beacon = {0};
    struct buf data = {0};
    struct err why;

    TRY(make(k, &beacon, s, height, e));
    tee_pool_put_assignJobs(&data, height, buf_bytes(&beacon));
    if (keeper_transact(k, &k->config.tee_pool, &data, &why) != RC_OK)
        log_debug("keeper", "beacon of height %llu: %s", (unsigned long long)height, why.msg);
    return RC_OK;
}

void beacon_note(struct keeper *k, const uint64_t *heights, size_t n)
{
    struct keeper_round *r = &k->round;
    uint64_t since[KEEPER_WAITS];

    for (size_t i = 0; i < n; i++) {
        since[i] = clock_mono_ms();
        for (size_t j = 0; j < KEEPER_WAITS; j++)
            if (r->waits[j].height == heights[i])
                since[i] = r->waits[j].since_ms;
    }
    memset(r->waits, 0, sizeof(r->waits));
    for (size_t i = 0; i < n; i++) {
        r->waits[i].height = heights[i];
        r->waits[i].since_ms = since[i];
    }
    r->jobs_wait = n != 0;
}

/* How many others come before this one. */
static uint64_t rank_of(uint32_t index, uint32_t n, uint64_t height)
{
    return (index - 1 + height) % n;
}

bool beacon_is_ours(struct keeper *k, uint64_t height)
{
    bool ours;

    (void)pthread_mutex_lock(&k->lock);
    ours = k->serving->index != 0 && rank_of(k->serving->index, k->serving->keys.n, height) == 0;
    (void)pthread_mutex_unlock(&k->lock);
    return ours;
}

enum rc beacon_step(struct keeper *k, struct err *e)
{
    AUTO_SECRET struct keeper_serving *s = serving_now(k);
    struct keeper_round *r = &k->round;

    if (s->index == 0 || k->retired)
        return RC_OK;
    for (size_t i = 0; i < KEEPER_WAITS && r->waits[i].height != 0; i++) {
        uint64_t rank = rank_of(s->index, s->keys.n, r->waits[i].height);

        if (clock_mono_ms() < r->waits[i].since_ms + rank * TURN_MS)
            continue;
        TRY(bring(k, s, r->waits[i].height, e));
        r->waits[i].since_ms = clock_mono_ms(); /* before another turn */
    }
    return RC_OK;
}
