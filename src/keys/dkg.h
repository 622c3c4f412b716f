/* keys/dkg.h - making and re-making a sharing (PROTOCOL P9), as one state machine driven by
 * messages in the order and at the heights the chain gives them. Everyone who feeds it the same
 * messages has the same outcome; what a keeper posts is computed from this state and its own
 * secrets.
 *
 * Two kinds, one machine. GENERATE: the keepers of the new set deal random polynomials; nobody ever
 * holds the secret. RESHARE: the holders of the old sharing deal their shares, so the secret stays
 * and every share is new; with the same keepers that is the proactive refresh, with others the
 * change of keepers and of the threshold.
 *
 * Phases:   COMMIT    dealers: hash of their polynomial's commitments; receivers: a key of this
 * round DEAL      the commitments, and a sealed share for each receiver COMPLAIN  receivers: the
 * dealers whose share is bad (often nobody) REVEAL    dealers: the shares complained about, in the
 * open; skipped without complaints CONFIRM   the qualified set is fixed; receivers prove that they
 * hold their new share WAITING   until the activation height; old shares still count ACTIVE, FAILED
 * A phase ends at its deadline, or with the message that completes it. Pure. */
#pragma once

#include "keys/keyset.h"
#include "keys/vss.h"

enum dkg_kind {
    DKG_GENERATE = 1,
    DKG_RESHARE = 2,
};

enum dkg_phase {
    DKG_COMMIT = 1,
    DKG_DEAL,
    DKG_COMPLAIN,
    DKG_REVEAL,
    DKG_CONFIRM,
    DKG_WAITING,
    DKG_ACTIVE,
    DKG_FAILED,
};
/* "commit", "deal", ... */
const char *dkg_phase_name(enum dkg_phase phase);

/* Why a dealer does not count. */
enum dkg_fault {
    DKG_NO_FAULT = 0,
    DKG_NOT_COMMITTED, /* no commit by the deadline: down, or not dealing */
    DKG_NOT_DEALT,     /* no deal that fits its commit */
    DKG_COMPLAINTS,    /* t or more receivers complain: at least one of them is honest */
    DKG_NOT_REVEALED,  /* a complaint without a good answer */
};
const char *dkg_fault_name(enum dkg_fault fault);

#define DKG_MAX_PHASE_HEIGHTS 1000000u

/* What a round is: agreed before it begins (the Gatekeepers contract has it). */
struct dkg_params {
    enum dkg_kind kind;
    struct hash32 genesis;
    uint64_t generation;
    uint64_t round;                           /* above the old sharing's */
    uint32_t t, n;                            /* of the new sharing */
    struct address keepers[KEYS_MAX_KEEPERS]; /* new keeper i is keepers[i - 1] */
    uint64_t start_height;
    uint64_t phase_heights;    /* longest a phase may take, in blocks */
    uint64_t activation_delay; /* blocks from the end of CONFIRM to the activation */
    struct keyset old;         /* RESHARE: what is reshared */
};
/* Version 1, u8 kind, genesis, u64be generation, round, u8 t, u8 n, accounts, u64be start, phase,
 * delay, lp(old keyset's encoding or empty). */
void dkg_params_encode(struct buf *out, const struct dkg_params *p);
enum rc dkg_params_decode(struct dkg_params *out, struct bytes in, struct err *e);
/* RC_RANGE, RC_MALFORMED, RC_DENIED: thresholds; distinct accounts; an old sharing of the same
 * genesis and generation, of an earlier round, and sound (keyset_verify). */
enum rc dkg_params_check(const struct dkg_params *p, struct err *e);
/* SHA-256(lp(label) | encoding): what all messages, seals and proofs of a round are bound to. */
void dkg_round_id(struct hash32 *out, const struct dkg_params *p);

#define DKG_HEADER_SIZE (1 + 1 + 32) /* version, type, round id */
#define DKG_MAX_MESSAGE                                                                            \
    (DKG_HEADER_SIZE + 1 + KEYS_MAX_THRESHOLD * 32 + 1 + KEYS_MAX_KEEPERS * VSS_SEALED_SIZE)

struct dkg_dealer {
    struct address who;
    enum dkg_fault fault;
    bool has_committed, has_dealt, has_revealed;
    struct hash32 commit;
    struct vss_commitments commitments;
    uint8_t sealed[KEYS_MAX_KEEPERS][VSS_SEALED_SIZE]; /* by receiver index - 1 */
    uint32_t complaints;                               /* bit i - 1: receiver i complains */
    struct ristretto_scalar revealed[KEYS_MAX_KEEPERS];
};

struct dkg_receiver {
    bool has_key, has_judged, has_confirmed;
    uint8_t key[32]; /* X25519, of this round only */
};

/* Public state. Read it freely; change it by dkg_post and dkg_advance only. */
struct dkg {
    struct dkg_params params;
    struct hash32 id;
    enum dkg_phase phase;
    uint64_t height;            /* highest seen */
    uint64_t deadline;          /* messages of this phase count below this height */
    uint64_t activation_height; /* from WAITING on */
    uint32_t n_dealers;
    struct dkg_dealer dealers[KEYS_MAX_KEEPERS];
    struct dkg_receiver receivers[KEYS_MAX_KEEPERS];
    uint32_t qualified; /* from CONFIRM on; bit i - 1: dealer i */
    struct keyset result;
    struct hash32 result_hash;
    const char *why; /* of FAILED */
    struct buf log;  /* accepted messages */
};

/* A round before its first message. Errors as dkg_params_check. One owner: dkg_free. */
enum rc dkg_new(struct dkg **out, const struct dkg_params *p, struct err *e);
void dkg_free(struct dkg *d);
static inline void cleanup_dkg(struct dkg **d)
{
    dkg_free(*d);
}
#define AUTO_DKG __attribute__((cleanup(cleanup_dkg)))

/* The chain reached `height`: deadlines pass. RC_RANGE: lower than before. */
enum rc dkg_advance(struct dkg *d, uint64_t height, struct err *e);
/* A message stands in the chain at `height`. Refused ones change nothing but the height; nobody is
 * convicted by a message, only by what is missing at a deadline. RC_DENIED: sender has no such
 * role, not the time, does not fit what was said before; RC_EXISTS: said already (the first
 * counts); RC_MALFORMED; RC_RANGE. The text names the phase and the sender. */
enum rc dkg_post(struct dkg *d, uint64_t height, const struct address *sender, struct bytes msg,
                 struct err *e);
static inline bool dkg_is_over(const struct dkg *d)
{
    return d->phase == DKG_ACTIVE || d->phase == DKG_FAILED;
}
/* From CONFIRM on. n - t + 1 confirmations are needed; this many are there. */
uint32_t dkg_confirmations(const struct dkg *d);

/* All of the public state: parameters, accepted messages, height. Restoring replays them, so a
 * snapshot can lie about which messages were accepted but not about what follows from them; take
 * the messages from proved chain state where that matters. RC_MALFORMED, and as dkg_new, dkg_post.
 */
void dkg_snapshot(struct buf *out, const struct dkg *d);
enum rc dkg_restore(struct dkg **out, struct bytes in, struct err *e);

/* ---- a keeper's own side ---- */

/* Secret: what a keeper must remember, sealed, to live through a restart in the middle of a round.
 * All it ever posts follows from this and the public state. Wipe it when the round is over: then
 * the sealed shares on chain can never be opened again. */
struct dkg_member {
    struct address who;
    struct hash32 round_id;
    struct secret32 seed;
    bool has_old_share;
    struct ristretto_scalar old_share;
};
/* Usable as AUTO_CLEAR(dkg_member). */
void dkg_member_clear(struct dkg_member *m);
/* old_share: of a RESHARE, NULL when there is none (a new keeper, or one that lost it: it receives
 * but does not deal). RC_DENIED: no part in this round, or the share is not its share. */
enum rc dkg_member_init(struct dkg_member *m, const struct dkg *d, const struct address *who,
                        const struct ristretto_scalar *old_share, const struct rng *rng,
                        struct err *e);
#define DKG_MEMBER_SIZE (1 + 20 + 32 + 32 + 1 + 32)
void dkg_member_encode(struct secbuf *out, const struct dkg_member *m);
enum rc dkg_member_decode(struct dkg_member *out, struct bytes in, struct err *e);

/* Append what this keeper has to post now; false: nothing (yet). Asking again before it stands in
 * the chain gives the same message, but for the proof in a confirm. A keeper whose new share turns
 * out bad (it was down when complaints were due) does not confirm; see keys/recover.h. */
bool dkg_member_next(struct buf *out, const struct dkg *d, const struct dkg_member *m,
                     const struct rng *rng);
/* The new share, from CONFIRM on. RC_AGAIN: too early. RC_DENIED: not a receiver with a key in this
 * round, or a dealer gave a bad share unnoticed. */
enum rc dkg_member_share(struct ristretto_scalar *out, const struct dkg *d,
                         const struct dkg_member *m, struct err *e);
