/* light/verify.h - is this header the chain's? CometBFT's light client verification (spec
 * light-client/verification; reference implementation light/verifier.go): adjacent and skipping,
 * bisection as steps, conflicting headers. Pure: no clock, no network; `now` is the caller's claim.
 * Trust: the trusted block is the caller's; everything else is hostile. Thread-safe on separate
 * values. */
#pragma once

#include "light/block.h"

struct light_options {
    uint8_t trust_num; /* skipping: more than num/den of the trusted power must have signed */
    uint8_t trust_den; /* 1/3 <= num/den <= 1 */
    uint64_t trusting_period_s; /* how long a trusted header may serve as such */
    uint32_t max_drift_s;       /* how far a header's time may be ahead of `now` */
};
/* P6: 2/3; ten seconds; ten years, because validators here stake nothing that could be withdrawn
 * (docs/light.md). */
extern const struct light_options LIGHT_DEFAULTS;

/* A chain's beginning as a trusted block: height initial_height - 1, which has no header of its
 * own, and the validators that sign initial_height (copied to the arena, brought into order).
 * RC_MALFORMED, RC_RANGE. */
enum rc light_genesis(struct light_block *out, struct arena *a, const char *chain_name,
                      uint64_t initial_height, const struct chain_time *genesis_time,
                      const struct validator_set *validators, struct err *e);

/* Consistent in itself: the commit is for this header and this height, the sets hash to what the
 * header says, one signature place a validator. No signature is looked at. RC_MALFORMED, RC_DENIED.
 */
enum rc light_block_check(const struct light_block *b, struct err *e);

/* Is b the chain's, given that `trusted` is? Its header must be higher and later. trusted must have
 * next_validators. Adjacent: signed by more than 2/3 of the validators that trusted names.
 * Otherwise: more than the trust level of those signed, and more than 2/3 of its own. Signatures
 * are verified (ZIP-215) until the power is enough, each once; the rest proves nothing and is not
 * looked at.
 * RC_AGAIN: not enough trusted power behind it: verify one in between first (struct
 * light_bisection). RC_TIMEOUT: trusted is older than the trusting period. RC_DENIED: a lie.
 * RC_MALFORMED; RC_RANGE: bad options. */
enum rc light_verify(const struct light_block *trusted, const struct light_block *b,
                     const struct light_options *o, const struct chain_time *now, struct err *e);

/* Is `below` the header just before the verified `above`? (CometBFT's backwards verification: one
 * step down the hash chain.) RC_DENIED. */
enum rc light_verify_below(const struct header *above, const struct header *below, struct err *e);

/* ---- bisection ---- */

#define LIGHT_BISECTION_MAX 96 /* blocks waiting: each halves the gap at least by 7/16 */

/* From a trusted block to a target, fetching blocks in between as needed. The caller gets the block
 * of height `want` and gives it to light_bisection_step, until want is 0: then *trusted is the
 * target. All blocks given must live until then. */
struct light_bisection {
    const struct light_block *trusted;                      /* newest verified */
    uint64_t want;                                          /* height to fetch; 0: done */
    const struct light_block *waiting[LIGHT_BISECTION_MAX]; /* heights descending, target first */
    size_t n_waiting;
    size_t n_verified; /* headers verified so far */
};
/* target > trusted->header.height, or RC_RANGE. */
enum rc light_bisection_begin(struct light_bisection *s, const struct light_block *trusted,
                              uint64_t target, struct err *e);
/* b must be of height s->want (RC_DENIED otherwise). Other codes as light_verify but RC_AGAIN. */
enum rc light_bisection_step(struct light_bisection *s, const struct light_block *b,
                             const struct light_options *o, const struct chain_time *now,
                             struct err *e);

/* ---- misbehaviour ---- */

enum light_attack {
    LIGHT_EQUIVOCATION = 1, /* the same validators signed two blocks in one round */
    LIGHT_AMNESIA = 2,      /* in different rounds */
    LIGHT_LUNATIC = 3,      /* a header whose state or validators the chain never had */
};
const char *light_attack_name(enum light_attack kind);

/* Two headers for one height, both signed by validators that were trusted. */
struct light_evidence {
    enum light_attack kind;
    uint64_t height;
    struct hash32 trusted_hash;
    struct hash32 other_hash;
    struct address *culprits; /* of the trusted set, whose signature under `other` is good; for
                                 equivocation only those who signed both */
    size_t n_culprits;
    uint64_t culprit_power;
    uint64_t total_power;
};
/* `trusted` was verified; `other` has the same chain and height. RC_OK: they conflict and more than
 * 1/3 of the trusted power signed `other`: evidence (culprits in the arena).
 * RC_EXISTS: the same header. RC_DENIED: `other` is no block that trusted validators stand behind,
 * only a forgery of whoever served it. RC_MALFORMED, RC_RANGE (other chain or height). */
enum rc light_conflict(struct light_evidence *out, struct arena *a,
                       const struct light_block *trusted, const struct light_block *other,
                       struct err *e);
/* {"attack","chain","height","trusted","other","culprits","power","total", "blocks":[light block,
 * light block]}: what a third party needs to check it again. A new reference. */
json_t *light_evidence_to_json(const struct light_evidence *v, const struct light_block *trusted,
                               const struct light_block *other);
