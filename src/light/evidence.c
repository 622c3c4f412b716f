/* Two headers for one height: who did it, and what shows it to others. */
#include "light/internal/tally.h"
#include "light/verify.h"

const char *light_attack_name(enum light_attack kind)
{
    switch (kind) {
    case LIGHT_EQUIVOCATION:
        return "equivocation";
    case LIGHT_AMNESIA:
        return "amnesia";
    case LIGHT_LUNATIC:
        return "lunatic";
    }
    return "unknown";
}

/* CometBFT, types/evidence.go: fields that follow from the state before cannot differ honestly. */
static enum light_attack kind_of(const struct light_block *x, const struct light_block *y)
{
    const struct header *a = &x->header, *b = &y->header;

    if (!hash32_eq(&a->validators_hash, &b->validators_hash) ||
        !hash32_eq(&a->next_validators_hash, &b->next_validators_hash) ||
        !hash32_eq(&a->consensus_hash, &b->consensus_hash) ||
        a->app_hash_size != b->app_hash_size ||
        memcmp(a->app_hash, b->app_hash, a->app_hash_size) != 0 ||
        !hash32_eq(&a->last_results_hash, &b->last_results_hash))
        return LIGHT_LUNATIC;
    return x->commit.round == y->commit.round ? LIGHT_EQUIVOCATION : LIGHT_AMNESIA;
}

/* Did the trusted validator `at` sign the trusted block too? */
static bool signed_trusted(struct tally *t, size_t at)
{
    return at < t->b->commit.n_sigs &&
           tally_sig(t, at, t->b->validators.v[at].pub_key, &t->addresses[at], NULL) == RC_OK;
}

/* All signatures count, and each is verified: evidence names nobody who did not sign. */
static void find_culprits(struct light_evidence *out, struct arena *a,
                          const struct light_block *trusted, const struct light_block *other)
{
    AUTO_CLEAR(tally) struct tally t = {0};
    AUTO_CLEAR(tally) struct tally o = {0};
    AUTO_CLEAR(roll) struct roll roll = {0};
    AUTO_FREE uint8_t *seen = xcalloc(trusted->validators.n + 1, 1);

    tally_init(&t, trusted);
    tally_init(&o, other);
    roll_init(&roll, &trusted->validators);
    out->culprits = arena_array(a, trusted->validators.n + 1, sizeof(*out->culprits));
    for (size_t i = 0; i < other->commit.n_sigs; i++) {
        const struct commit_sig *s = &other->commit.sigs[i];
        ptrdiff_t at = s->flag == COMMIT_FOR_BLOCK ? roll_find(&roll, &s->validator) : -1;

        if (at < 0 || seen[at] ||
            tally_sig(&o, i, trusted->validators.v[at].pub_key, &roll.addresses[at], NULL) != RC_OK)
            continue;
        seen[at] = 1;
        if (out->kind == LIGHT_EQUIVOCATION && !signed_trusted(&t, (size_t)at))
            continue;
        out->culprit_power += trusted->validators.v[at].power;
        out->culprits[out->n_culprits++] = roll.addresses[at];
    }
}

static enum rc conflict(struct light_evidence *out, struct arena *a,
                        const struct light_block *trusted, const struct light_block *other,
                        struct err *e)
{
    if (strcmp(trusted->header.chain_id, other->header.chain_id) != 0 ||
        trusted->header.height != other->header.height)
        return err_set(e, RC_RANGE, "blocks of \"%s\" %llu and \"%s\" %llu do not conflict",
                       trusted->header.chain_id, (unsigned long long)trusted->header.height,
                       other->header.chain_id, (unsigned long long)other->header.height);
    TRY(light_block_check(other, e));
    header_hash(&out->trusted_hash, &trusted->header);
    header_hash(&out->other_hash, &other->header);
    if (hash32_eq(&out->trusted_hash, &out->other_hash))
        return err_set(e, RC_EXISTS, "the same header at height %llu",
                       (unsigned long long)other->header.height);
    TRY(validator_set_total(&out->total_power, &trusted->validators, e));
    out->kind = kind_of(trusted, other);
    out->height = other->header.height;
    find_culprits(out, a, trusted, other);
    if (out->culprit_power <= light_share(out->total_power, 1, 3))
        return err_set(e, RC_DENIED,
                       "another header at height %llu, behind which stand trusted validators with "
                       "power %llu of %llu: a forgery",
                       (unsigned long long)out->height, (unsigned long long)out->culprit_power,
                       (unsigned long long)out->total_power);
    return RC_OK;
}

enum rc light_conflict(struct light_evidence *out, struct arena *a,
                       const struct light_block *trusted, const struct light_block *other,
                       struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = conflict(out, a, trusted, other, e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

json_t *light_evidence_to_json(const struct light_evidence *v, const struct light_block *trusted,
                               const struct light_block *other)
{
    json_t *culprits = json_array();
    json_t *out;

    for (size_t i = 0; i < v->n_culprits; i++)
        CHECK(json_array_append_new(culprits, json_hex_new(BYTES_OF(&v->culprits[i]))) == 0);
    out =
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:[o, o]}", "attack",
                  light_attack_name(v->kind), "chain", other->header.chain_id, "height",
                  json_quantity_new(v->height), "trusted", json_hex_new(BYTES_OF(&v->trusted_hash)),
                  "other", json_hex_new(BYTES_OF(&v->other_hash)), "culprits", culprits, "power",
                  json_quantity_new(v->culprit_power), "total", json_quantity_new(v->total_power),
                  "blocks", light_block_to_json(trusted), light_block_to_json(other));
    CHECK(out != NULL);
    return out;
}
