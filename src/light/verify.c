/* Verification of headers, adjacent and skipping; bisection. Pure: what is not passed in is not
 * known here. A mistake here is a forged chain, so every check names what it refuses. */
#include "light/verify.h"

#include "light/internal/tally.h"

#define TEN_YEARS_S (10 * UINT64_C(31557600))

const struct light_options LIGHT_DEFAULTS = {
    .trust_num = 2, .trust_den = 3, .trusting_period_s = TEN_YEARS_S, .max_drift_s = 10};

static unsigned long long ull(uint64_t v)
{
    return v;
}

enum rc light_genesis(struct light_block *out, struct arena *a, const char *chain_name,
                      uint64_t initial_height, const struct chain_time *genesis_time,
                      const struct validator_set *validators, struct err *e)
{
    struct light_block b = {.next_validators = *validators};
    size_t n = strlen(chain_name);
    uint64_t total;

    memset(out, 0, sizeof(*out));
    if (n == 0 || n > CHAIN_ID_MAX)
        return err_set(e, RC_MALFORMED, "chain name of %zu characters, allowed 1 to %d", n,
                       CHAIN_ID_MAX);
    if (initial_height == 0 || initial_height > INT64_MAX)
        return err_set(e, RC_RANGE, "initial height %llu", ull(initial_height));
    if (genesis_time->s == INT64_MIN || genesis_time->ns < 0 || genesis_time->ns > 999999999)
        return err_set(e, RC_RANGE, "genesis time");
    TRY(validator_set_total(&total, validators, e));
    memcpy(b.header.chain_id, chain_name, n + 1);
    b.header.height = initial_height - 1;
    /* The first block may have genesis time itself, and must be later than what is trusted. */
    b.header.time = *genesis_time;
    if (--b.header.time.ns < 0) {
        b.header.time.ns = 999999999;
        b.header.time.s--;
    }
    light_block_copy(out, a, &b);
    validator_set_sort(&out->next_validators);
    validator_set_hash(&out->header.next_validators_hash, &out->next_validators);
    return RC_OK;
}

static enum rc check_set(const struct validator_set *set, const struct hash32 *want,
                         const char *which, struct err *e)
{
    struct hash32 got;
    uint64_t total;

    TRY(validator_set_total(&total, set, e));
    validator_set_hash(&got, set);
    if (!hash32_eq(&got, want))
        return err_set(e, RC_DENIED, "%s are not those the header names", which);
    return RC_OK;
}

enum rc light_block_check(const struct light_block *b, struct err *e)
{
    const struct header *h = &b->header;
    struct hash32 hash;

    if (h->version_block != HEADER_BLOCK_VERSION || h->chain_id[0] == '\0' || h->height == 0 ||
        h->height > INT64_MAX || h->time.ns < 0 || h->time.ns > 999999999)
        return err_set(e, RC_MALFORMED, "header of block version %llu, height %llu",
                       ull(h->version_block), ull(h->height));
    if (b->commit.height != h->height)
        return err_set(e, RC_DENIED, "commit is for height %llu, header is of %llu",
                       ull(b->commit.height), ull(h->height));
    header_hash(&hash, h);
    if (!hash32_eq(&hash, &b->commit.block_id.hash))
        return err_set(e, RC_DENIED, "commit at height %llu is for another header", ull(h->height));
    TRY(check_set(&b->validators, &h->validators_hash, "validators", e));
    if (b->next_validators.n != 0)
        TRY(check_set(&b->next_validators, &h->next_validators_hash, "next validators", e));
    if (b->commit.n_sigs != b->validators.n)
        return err_set(e, RC_DENIED, "commit has %zu signatures for %zu validators",
                       b->commit.n_sigs, b->validators.n);
    return RC_OK;
}

/* ---- power ---- */

/* More than num/den of the set that trusted names signed b. */
static enum rc check_trust(struct tally *t, const struct validator_set *trusted,
                           const struct light_options *o, struct err *e)
{
    AUTO_CLEAR(roll) struct roll roll = {0};
    const struct commit *c = &t->b->commit;
    AUTO_FREE uint8_t *seen = xcalloc(trusted->n + 1, 1);
    uint64_t total, need, power = 0;

    TRY(validator_set_total(&total, trusted, e));
    need = light_share(total, o->trust_num, o->trust_den);
    roll_init(&roll, trusted);
    for (size_t i = 0; i < c->n_sigs && power <= need; i++) {
        ptrdiff_t at;

        if (c->sigs[i].flag != COMMIT_FOR_BLOCK)
            continue;
        at = roll_find(&roll, &c->sigs[i].validator);
        if (at < 0)
            continue;
        if (seen[at])
            return err_set(e, RC_DENIED, "commit signature %zu: its validator signed twice", i);
        seen[at] = 1;
        TRY(tally_sig(t, i, trusted->v[at].pub_key, &roll.addresses[at], e));
        power += trusted->v[at].power;
    }
    if (power <= need)
        return err_set(e, RC_AGAIN,
                       "trusted validators with power %llu signed, more than %llu of %llu needed",
                       ull(power), ull(need), ull(total));
    return RC_OK;
}

/* More than 2/3 of b's own set signed it. Signatures already verified are counted first. */
static enum rc check_own(struct tally *t, struct err *e)
{
    const struct validator_set *set = &t->b->validators;
    const struct commit *c = &t->b->commit;
    uint64_t total, need, power = 0;

    TRY(validator_set_total(&total, set, e));
    need = light_share(total, 2, 3);
    for (size_t i = 0; i < c->n_sigs; i++)
        power += t->good[i] ? set->v[i].power : 0;
    for (size_t i = 0; i < c->n_sigs && power <= need; i++) {
        if (t->good[i] || c->sigs[i].flag != COMMIT_FOR_BLOCK)
            continue;
        TRY(tally_sig(t, i, set->v[i].pub_key, &t->addresses[i], e));
        power += set->v[i].power;
    }
    if (power <= need)
        return err_set(e, RC_DENIED, "commit has power %llu, needs more than %llu of %llu",
                       ull(power), ull(need), ull(total));
    return RC_OK;
}

/* ---- one step ---- */

static enum rc check_options(const struct light_options *o, struct err *e)
{
    if (o->trust_den == 0 || o->trust_num > o->trust_den || o->trust_num * 3 < o->trust_den)
        return err_set(e, RC_RANGE, "trust level %u/%u, allowed 1/3 to 1", o->trust_num,
                       o->trust_den);
    return RC_OK;
}

/* t + s, no further than the end of time. */
static struct chain_time later(const struct chain_time *t, uint64_t s)
{
    struct chain_time out = *t;

    if (s > INT64_MAX || __builtin_add_overflow(t->s, (int64_t)s, &out.s))
        out.s = INT64_MAX;
    return out;
}

static enum rc check_place(const struct light_block *trusted, const struct light_block *b,
                           const struct light_options *o, const struct chain_time *now,
                           struct err *e)
{
    const struct header *t = &trusted->header, *h = &b->header;
    struct chain_time end = later(&t->time, o->trusting_period_s);
    struct chain_time horizon = later(now, o->max_drift_s);

    if (chain_time_cmp(&end, now) <= 0)
        return err_set(e, RC_TIMEOUT,
                       "the trusted header of height %llu is older than the trusting period of "
                       "%llu s: begin again from genesis or a checkpoint",
                       ull(t->height), ull(o->trusting_period_s));
    if (strcmp(t->chain_id, h->chain_id) != 0)
        return err_set(e, RC_DENIED, "header is of chain \"%s\", expected \"%s\"", h->chain_id,
                       t->chain_id);
    if (h->height <= t->height)
        return err_set(e, RC_DENIED, "header of height %llu is not above the trusted %llu",
                       ull(h->height), ull(t->height));
    if (chain_time_cmp(&h->time, &t->time) <= 0)
        return err_set(e, RC_DENIED, "header of height %llu is not later than that of %llu",
                       ull(h->height), ull(t->height));
    if (chain_time_cmp(&h->time, &horizon) >= 0)
        return err_set(
            e, RC_DENIED,
            "header of height %llu is from the future (%lld, now %lld): is this machine's clock "
            "right?",
            ull(h->height), (long long)h->time.s, (long long)now->s);
    return RC_OK;
}

static enum rc check_power(const struct light_block *trusted, const struct light_block *b,
                           const struct light_options *o, struct err *e)
{
    AUTO_CLEAR(tally) struct tally t = {0};

    tally_init(&t, b);
    if (b->header.height == trusted->header.height + 1) {
        if (!hash32_eq(&b->header.validators_hash, &trusted->header.next_validators_hash))
            return err_set(e, RC_DENIED,
                           "validators of height %llu are not those that %llu announced",
                           ull(b->header.height), ull(trusted->header.height));
    } else {
        struct hash32 hash;

        validator_set_hash(&hash, &trusted->next_validators);
        if (!hash32_eq(&hash, &trusted->header.next_validators_hash))
            return err_set(e, RC_MALFORMED, "the trusted block comes without its next validators");
        TRY(check_trust(&t, &trusted->next_validators, o, e));
    }
    return check_own(&t, e);
}

enum rc light_verify(const struct light_block *trusted, const struct light_block *b,
                     const struct light_options *o, const struct chain_time *now, struct err *e)
{
    TRY(check_options(o, e));
    TRY(light_block_check(b, e));
    TRY(check_place(trusted, b, o, now, e));
    return check_power(trusted, b, o, e);
}

enum rc light_verify_below(const struct header *above, const struct header *below, struct err *e)
{
    struct hash32 hash;

    header_hash(&hash, below);
    if (below->height + 1 != above->height || !hash32_eq(&hash, &above->last_block_id.hash))
        return err_set(e, RC_DENIED, "header of height %llu is not the one before %llu",
                       ull(below->height), ull(above->height));
    return RC_OK;
}

/* ---- bisection ---- */

enum rc light_bisection_begin(struct light_bisection *s, const struct light_block *trusted,
                              uint64_t target, struct err *e)
{
    *s = (struct light_bisection){.trusted = trusted, .want = target};
    if (target <= trusted->header.height || target > INT64_MAX)
        return err_set(e, RC_RANGE, "target height %llu is not above the trusted %llu", ull(target),
                       ull(trusted->header.height));
    return RC_OK;
}

enum rc light_bisection_step(struct light_bisection *s, const struct light_block *b,
                             const struct light_options *o, const struct chain_time *now,
                             struct err *e)
{
    if (s->want == 0 || b->header.height != s->want)
        return err_set(e, RC_DENIED, "given height %llu, asked for %llu", ull(b->header.height),
                       ull(s->want));
    if (s->n_waiting == LIGHT_BISECTION_MAX)
        return err_set(e, RC_LIMIT, "more than %d headers wait for one in between",
                       LIGHT_BISECTION_MAX);
    s->waiting[s->n_waiting++] = b;
    while (s->n_waiting > 0) {
        const struct light_block *next = s->waiting[s->n_waiting - 1];
        uint64_t from = s->trusted->header.height, to = next->header.height;
        enum rc rc = light_verify(s->trusted, next, o, now, e);

        if (rc == RC_AGAIN) {
            /* CometBFT's pivot: nearer to the far end, as most sets change slowly. The gap is at
             * least 2, for a neighbour is never RC_AGAIN. */
            s->want = from + light_share(to - from, 9, 16);
            return RC_OK;
        }
        TRY(rc);
        s->trusted = next;
        s->n_verified++;
        s->n_waiting--;
    }
    s->want = 0;
    return RC_OK;
}
