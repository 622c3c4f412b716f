/* The round as everyone sees it: messages in, phases and the new sharing out. */
#include "keys/dkg.h"

#include "crypto/x25519.h"
#include "keys/internal/dkg.h"
#include "keys/internal/hash.h"
#include "keys/labels.h"

static uint32_t count(uint32_t mask)
{
    return (uint32_t)__builtin_popcount(mask);
}

/* ---- who is who ---- */

static const struct address *dealer_account(const struct dkg_params *p, uint32_t i)
{
    return p->kind == DKG_RESHARE ? &p->old.members[i].who : &p->keepers[i];
}

uint32_t dkg_dealer_index(const struct dkg *d, const struct address *who)
{
    for (uint32_t i = 0; i < d->n_dealers; i++) {
        if (address_eq(&d->dealers[i].who, who))
            return i + 1;
    }
    return 0;
}

uint32_t dkg_receiver_index(const struct dkg *d, const struct address *who)
{
    for (uint32_t i = 0; i < d->params.n; i++) {
        if (address_eq(&d->params.keepers[i], who))
            return i + 1;
    }
    return 0;
}

/* Dealers without whom the secret would not be random (one of t is honest), or not the old one. */
static uint32_t dealers_needed(const struct dkg *d)
{
    return d->params.kind == DKG_RESHARE ? d->params.old.t : d->params.t;
}

static uint32_t confirmations_needed(const struct dkg *d)
{
    return d->params.n - d->params.t + 1; /* at least t, as n >= 2t - 1 */
}

static uint32_t receivers(const struct dkg *d)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < d->params.n; i++)
        n += d->receivers[i].has_key;
    return n;
}

static uint32_t live_dealers(const struct dkg *d)
{
    uint32_t mask = 0;

    for (uint32_t i = 0; i < d->n_dealers; i++)
        mask |= (uint32_t)dkg_is_live(&d->dealers[i]) << i;
    return mask;
}

uint32_t dkg_confirmations(const struct dkg *d)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < d->params.n; i++)
        n += d->receivers[i].has_confirmed;
    return n;
}

/* ---- hashes ---- */

void dkg_commit_hash(struct hash32 *out, const struct dkg *d, uint32_t dealer,
                     const struct vss_commitments *c)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    put_lp(&b, bytes_str(KEYS_LABEL_DEAL));
    put_lp(&b, BYTES_OF(&d->id));
    put_lp_u64(&b, dealer);
    put_lp(&b, bytes_of(c->c, c->t * sizeof(c->c[0])));
    sha256(out, buf_bytes(&b));
}

void dkg_possession_challenge(struct ristretto_scalar *c, const struct dkg *d, uint32_t receiver,
                              const struct ristretto *a)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    put_lp(&b, bytes_str(KEYS_LABEL_POSSESSION));
    put_lp(&b, BYTES_OF(&d->id));
    put_lp(&b, BYTES_OF(&d->result_hash));
    put_lp_u64(&b, receiver);
    put_lp(&b, BYTES_OF(&RISTRETTO_BASE));
    put_lp(&b, BYTES_OF(&d->result.members[receiver - 1].commitment));
    put_lp(&b, BYTES_OF(a));
    hash_to_scalar(c, &b);
}

/* ---- the result ---- */

void dkg_weight(struct ristretto_scalar *out, const struct dkg *d, uint32_t dealer)
{
    if (d->params.kind == DKG_RESHARE)
        lagrange_weight(out, d->qualified, dealer, 0);
    else
        ristretto_scalar_from_u64(out, 1);
}

/* Commitments of the sum of the qualified dealers' polynomials. */
static void sum_commitments(struct vss_commitments *sum, const struct dkg *d)
{
    struct ristretto_scalar w;
    struct ristretto term;

    *sum = (struct vss_commitments){.t = d->params.t};
    for (uint32_t i = 1; i <= d->n_dealers; i++) {
        if (!dkg_bit(d->qualified, i))
            continue;
        dkg_weight(&w, d, i);
        for (uint32_t k = 0; k < sum->t; k++) {
            term = d->dealers[i - 1].commitments.c[k];
            if (d->params.kind == DKG_RESHARE)
                ristretto_mul(&term, &w, &term);
            ristretto_add(&sum->c[k], &sum->c[k], &term);
        }
    }
}

/* NULL, or why the result is of no use: an identity among the commitments cannot be wished for by
 * anyone, as polynomials are committed to before others' are seen. */
static const char *compute_result(struct dkg *d)
{
    struct keyset *k = &d->result;
    struct vss_commitments sum;

    sum_commitments(&sum, d);
    *k = (struct keyset){.genesis = d->params.genesis,
                         .generation = d->params.generation,
                         .round = d->params.round,
                         .t = d->params.t,
                         .n = d->params.n,
                         .public_key = sum.c[0]};
    if (ristretto_is_identity(&k->public_key))
        return "the public key is the identity";
    if (d->params.kind == DKG_RESHARE && !ristretto_eq(&k->public_key, &d->params.old.public_key))
        return "the public key is not the old one";
    for (uint32_t i = 0; i < k->n; i++) {
        k->members[i].who = d->params.keepers[i];
        vss_commitment_at(&k->members[i].commitment, &sum, i + 1);
        if (ristretto_is_identity(&k->members[i].commitment))
            return "a share commitment is the identity";
    }
    keyset_hash(&d->result_hash, k);
    return NULL;
}

/* ---- phases ---- */

static void enter(struct dkg *d, enum dkg_phase phase, uint64_t at)
{
    d->phase = phase;
    d->deadline = at + d->params.phase_heights;
}

static void fail(struct dkg *d, const char *why)
{
    d->phase = DKG_FAILED;
    d->why = why;
}

static void end_commit(struct dkg *d, uint64_t at)
{
    for (uint32_t i = 0; i < d->n_dealers; i++) {
        if (!d->dealers[i].has_committed)
            d->dealers[i].fault = DKG_NOT_COMMITTED;
    }
    if (count(live_dealers(d)) < dealers_needed(d))
        fail(d, "too few dealers committed");
    else if (receivers(d) < confirmations_needed(d))
        fail(d, "too few receivers");
    else
        enter(d, DKG_DEAL, at);
}

static void end_deal(struct dkg *d, uint64_t at)
{
    for (uint32_t i = 0; i < d->n_dealers; i++) {
        struct dkg_dealer *dealer = &d->dealers[i];

        if (dkg_is_live(dealer) && !dealer->has_dealt)
            dealer->fault = DKG_NOT_DEALT;
    }
    if (count(live_dealers(d)) < dealers_needed(d))
        fail(d, "too few dealers dealt");
    else
        enter(d, DKG_COMPLAIN, at);
}

static void qualify(struct dkg *d, uint64_t at)
{
    const char *why;

    d->qualified = live_dealers(d);
    if (count(d->qualified) < dealers_needed(d)) {
        fail(d, "too few dealers qualify");
        return;
    }
    why = compute_result(d);
    if (why != NULL)
        fail(d, why);
    else
        enter(d, DKG_CONFIRM, at);
}

static void end_complain(struct dkg *d, uint64_t at)
{
    bool is_open = false;

    for (uint32_t i = 0; i < d->n_dealers; i++) {
        struct dkg_dealer *dealer = &d->dealers[i];

        if (!dkg_is_live(dealer))
            continue;
        /* Answering so many would give the polynomial away, and t - 1 liars cannot do it. */
        if (count(dealer->complaints) >= d->params.t)
            dealer->fault = DKG_COMPLAINTS;
        else
            is_open |= dealer->complaints != 0;
    }
    if (is_open)
        enter(d, DKG_REVEAL, at);
    else
        qualify(d, at);
}

static void end_reveal(struct dkg *d, uint64_t at)
{
    for (uint32_t i = 0; i < d->n_dealers; i++) {
        struct dkg_dealer *dealer = &d->dealers[i];

        if (dkg_is_live(dealer) && dealer->complaints != 0 && !dealer->has_revealed)
            dealer->fault = DKG_NOT_REVEALED;
    }
    qualify(d, at);
}

static void end_confirm(struct dkg *d, uint64_t at)
{
    if (dkg_confirmations(d) < confirmations_needed(d)) {
        fail(d, "too few confirmations");
        return;
    }
    d->phase = DKG_WAITING;
    d->activation_height = at + d->params.activation_delay;
    d->deadline = d->activation_height;
}

static void end_phase(struct dkg *d, uint64_t at)
{
    switch (d->phase) {
    case DKG_COMMIT:
        end_commit(d, at);
        return;
    case DKG_DEAL:
        end_deal(d, at);
        return;
    case DKG_COMPLAIN:
        end_complain(d, at);
        return;
    case DKG_REVEAL:
        end_reveal(d, at);
        return;
    case DKG_CONFIRM:
        end_confirm(d, at);
        return;
    case DKG_WAITING:
        d->phase = DKG_ACTIVE;
        return;
    case DKG_ACTIVE:
    case DKG_FAILED:
        return;
    }
}

/* Everybody whose message this phase is for has posted it. */
static bool is_complete(const struct dkg *d)
{
    bool all = true;

    switch (d->phase) {
    case DKG_COMMIT:
        for (uint32_t i = 0; i < d->n_dealers; i++)
            all &= d->dealers[i].has_committed;
        return all && receivers(d) == d->params.n;
    case DKG_DEAL:
        for (uint32_t i = 0; i < d->n_dealers; i++)
            all &= d->dealers[i].has_dealt || !dkg_is_live(&d->dealers[i]);
        return all;
    case DKG_COMPLAIN:
        for (uint32_t i = 0; i < d->params.n; i++)
            all &= d->receivers[i].has_judged || !d->receivers[i].has_key;
        return all;
    case DKG_REVEAL:
        for (uint32_t i = 0; i < d->n_dealers; i++)
            all &= d->dealers[i].has_revealed || d->dealers[i].complaints == 0 ||
                   !dkg_is_live(&d->dealers[i]);
        return all;
    case DKG_CONFIRM:
        for (uint32_t i = 0; i < d->params.n; i++)
            all &= d->receivers[i].has_confirmed || !d->receivers[i].has_key;
        return all;
    case DKG_WAITING:
    case DKG_ACTIVE:
    case DKG_FAILED:
        return false;
    }
    return false;
}

enum rc dkg_advance(struct dkg *d, uint64_t height, struct err *e)
{
    if (height < d->height)
        return err_set(e, RC_RANGE, "dkg: height %llu after %llu", (unsigned long long)height,
                       (unsigned long long)d->height);
    d->height = height;
    while (!dkg_is_over(d) && height >= d->deadline)
        end_phase(d, d->deadline);
    return RC_OK;
}

/* ---- messages ---- */

struct post {
    struct dkg *d;
    uint32_t dealer, receiver; /* sender's, 0: not one */
};

/* X25519 gives zero for these whatever the scalar: nobody could seal to such a key. */
static bool is_usable_key(const uint8_t key[32])
{
    static const struct secret32 any = {{9}};
    AUTO_CLEAR(secret32) struct secret32 shared;

    return x25519(&shared, &any, key, NULL) == RC_OK;
}

static bool is_zero32(const uint8_t p[32])
{
    struct hash32 h;

    memcpy(h.b, p, sizeof(h.b));
    return hash32_is_zero(&h);
}

/* Each role may be left out by zeros (a new keeper deals nothing), but not both. */
static enum rc post_commit(const struct post *p, struct reader *r, struct err *e)
{
    struct hash32 commit;
    uint8_t key[32];
    bool deals, receives;

    reader_copy(r, commit.b, sizeof(commit.b));
    reader_copy(r, key, sizeof(key));
    TRY(reader_done(r, "commit", e));
    deals = !hash32_is_zero(&commit);
    receives = !is_zero32(key);
    if ((!deals && !receives) || (deals && p->dealer == 0) || (receives && p->receiver == 0))
        return err_set(e, RC_DENIED, "not the sender's role");
    if ((deals && p->d->dealers[p->dealer - 1].has_committed) ||
        (receives && p->d->receivers[p->receiver - 1].has_key))
        return err_set(e, RC_EXISTS, "committed already");
    if (receives && !is_usable_key(key))
        return err_set(e, RC_MALFORMED, "a receive key of small order");
    if (deals) {
        p->d->dealers[p->dealer - 1].commit = commit;
        p->d->dealers[p->dealer - 1].has_committed = true;
    }
    if (receives) {
        memcpy(p->d->receivers[p->receiver - 1].key, key, sizeof(key));
        p->d->receivers[p->receiver - 1].has_key = true;
    }
    return RC_OK;
}

static enum rc read_commitments(struct vss_commitments *c, const struct post *p, struct reader *r,
                                struct err *e)
{
    const struct dkg_params *params = &p->d->params;
    struct hash32 hash;
    uint8_t raw[32];

    c->t = reader_u8(r);
    if (reader_ok(r) && c->t != params->t)
        return err_set(e, RC_MALFORMED, "%u commitments, not %u", c->t, params->t);
    for (uint32_t k = 0; k < c->t && reader_ok(r); k++) {
        reader_copy(r, raw, sizeof(raw));
        if (reader_ok(r))
            TRY(ristretto_parse(&c->c[k], raw, e));
    }
    if (!reader_ok(r))
        return reader_done(r, "commitments", e);
    dkg_commit_hash(&hash, p->d, p->dealer, c);
    if (!hash32_eq(&hash, &p->d->dealers[p->dealer - 1].commit))
        return err_set(e, RC_DENIED, "not what the dealer committed to");
    if (params->kind == DKG_RESHARE &&
        !ristretto_eq(&c->c[0], &params->old.members[p->dealer - 1].commitment))
        return err_set(e, RC_DENIED, "not the dealer's old share");
    return RC_OK;
}

static enum rc post_deal(const struct post *p, struct reader *r, struct err *e)
{
    struct dkg *d = p->d;
    struct dkg_dealer *dealer = p->dealer == 0 ? NULL : &d->dealers[p->dealer - 1];
    struct vss_commitments c = {0};
    struct bytes sealed;
    size_t n, at = 0;

    if (dealer == NULL || !dealer->has_committed)
        return err_set(e, RC_DENIED, "not a dealer that committed");
    if (dealer->has_dealt)
        return err_set(e, RC_EXISTS, "dealt already");
    TRY(read_commitments(&c, p, r, e));
    n = reader_u8(r);
    if (reader_ok(r) && n != receivers(d))
        return err_set(e, RC_MALFORMED, "%zu shares for %u receivers", n, receivers(d));
    sealed = reader_take(r, n * VSS_SEALED_SIZE);
    TRY(reader_done(r, "shares", e));
    for (uint32_t i = 0; i < d->params.n; i++) {
        if (!d->receivers[i].has_key)
            continue;
        memcpy(dealer->sealed[i], sealed.p + at, VSS_SEALED_SIZE);
        at += VSS_SEALED_SIZE;
    }
    dealer->commitments = c;
    dealer->has_dealt = true;
    return RC_OK;
}

static enum rc post_complain(const struct post *p, struct reader *r, struct err *e)
{
    struct dkg *d = p->d;
    uint32_t mask = 0, last = 0;
    size_t n;

    if (p->receiver == 0 || !d->receivers[p->receiver - 1].has_key)
        return err_set(e, RC_DENIED, "not a receiver with a key");
    if (d->receivers[p->receiver - 1].has_judged)
        return err_set(e, RC_EXISTS, "judged already");
    n = reader_count(r, reader_u8(r), 1, KEYS_MAX_KEEPERS);
    for (size_t i = 0; i < n && reader_ok(r); i++) {
        uint32_t dealer = reader_u8(r);

        if (!reader_ok(r))
            break;
        if (dealer <= last || dealer > d->n_dealers)
            return err_set(e, RC_MALFORMED, "dealer %u after %u of %u", dealer, last, d->n_dealers);
        if (!dkg_is_live(&d->dealers[dealer - 1]))
            return err_set(e, RC_DENIED, "about dealer %u, who is out already", dealer);
        mask |= 1U << (dealer - 1);
        last = dealer;
    }
    TRY(reader_done(r, "complaints", e));
    for (uint32_t i = 0; i < d->n_dealers; i++)
        d->dealers[i].complaints |= (mask >> i & 1) << (p->receiver - 1);
    d->receivers[p->receiver - 1].has_judged = true;
    return RC_OK;
}

/* One message answers all complaints about the dealer, in order of the receivers, or it is none. */
static enum rc post_reveal(const struct post *p, struct reader *r, struct err *e)
{
    struct dkg_dealer *dealer = p->dealer == 0 ? NULL : &p->d->dealers[p->dealer - 1];
    struct ristretto_scalar shares[KEYS_MAX_KEEPERS];
    uint8_t raw[32];
    size_t n;

    if (dealer == NULL || !dkg_is_live(dealer) || dealer->complaints == 0)
        return err_set(e, RC_DENIED, "nothing to reveal");
    if (dealer->has_revealed)
        return err_set(e, RC_EXISTS, "revealed already");
    n = reader_u8(r);
    if (reader_ok(r) && n != count(dealer->complaints))
        return err_set(e, RC_MALFORMED, "%zu shares for %u complaints", n,
                       count(dealer->complaints));
    for (uint32_t i = 1; i <= p->d->params.n && reader_ok(r); i++) {
        if (!dkg_bit(dealer->complaints, i))
            continue;
        if (reader_u8(r) != i && reader_ok(r))
            return err_set(e, RC_MALFORMED, "not the share of receiver %u", i);
        reader_copy(r, raw, sizeof(raw));
        if (!reader_ok(r))
            break;
        TRY(ristretto_scalar_parse(&shares[i - 1], raw, e));
        TRY(vss_share_verify(&dealer->commitments, i, &shares[i - 1], e));
    }
    TRY(reader_done(r, "reveal", e));
    for (uint32_t i = 1; i <= p->d->params.n; i++) {
        if (dkg_bit(dealer->complaints, i))
            dealer->revealed[i - 1] = shares[i - 1];
    }
    dealer->has_revealed = true;
    return RC_OK;
}

static enum rc post_confirm(const struct post *p, struct reader *r, struct err *e)
{
    struct dkg *d = p->d;
    struct ristretto_scalar c, z, want;
    struct ristretto a, cs;
    struct hash32 hash;
    uint8_t raw[64];

    if (p->receiver == 0 || !d->receivers[p->receiver - 1].has_key)
        return err_set(e, RC_DENIED, "not a receiver with a key");
    if (d->receivers[p->receiver - 1].has_confirmed)
        return err_set(e, RC_EXISTS, "confirmed already");
    reader_copy(r, hash.b, sizeof(hash.b));
    reader_copy(r, raw, sizeof(raw));
    TRY(reader_done(r, "confirm", e));
    if (!hash32_eq(&hash, &d->result_hash))
        return err_set(e, RC_DENIED, "another result");
    TRY(ristretto_scalar_parse(&c, raw, e));
    TRY(ristretto_scalar_parse(&z, raw + 32, e));
    ristretto_mul_base(&a, &z);
    ristretto_mul(&cs, &c, &d->result.members[p->receiver - 1].commitment);
    ristretto_sub(&a, &a, &cs);
    dkg_possession_challenge(&want, d, p->receiver, &a);
    if (!ct_eq(want.b, c.b, sizeof(c.b)))
        return err_set(e, RC_DENIED, "no proof of the share");
    d->receivers[p->receiver - 1].has_confirmed = true;
    return RC_OK;
}

static enum rc post_body(const struct post *p, struct reader *r, struct err *e)
{
    switch (p->d->phase) {
    case DKG_COMMIT:
        return post_commit(p, r, e);
    case DKG_DEAL:
        return post_deal(p, r, e);
    case DKG_COMPLAIN:
        return post_complain(p, r, e);
    case DKG_REVEAL:
        return post_reveal(p, r, e);
    case DKG_CONFIRM:
        return post_confirm(p, r, e);
    case DKG_WAITING:
    case DKG_ACTIVE:
    case DKG_FAILED:
        break;
    }
    return err_set(e, RC_DENIED, "the round takes no more messages");
}

static enum rc read_header(const struct post *p, struct reader *r, struct err *e)
{
    uint8_t version = reader_u8(r), type = reader_u8(r);
    struct hash32 id;

    reader_copy(r, id.b, sizeof(id.b));
    if (!reader_ok(r))
        return reader_done(r, "header", e);
    if (version != DKG_VERSION)
        return err_set(e, RC_MALFORMED, "version %u, not %d", version, DKG_VERSION);
    if (type < DKG_COMMIT || type > DKG_CONFIRM)
        return err_set(e, RC_MALFORMED, "type %u", type);
    if (!hash32_eq(&id, &p->d->id))
        return err_set(e, RC_DENIED, "of another round");
    if (type != (uint8_t)p->d->phase)
        return err_set(e, RC_DENIED, "a message of phase %s", dkg_phase_name((enum dkg_phase)type));
    return RC_OK;
}

static void log_message(struct dkg *d, uint64_t height, const struct address *sender,
                        struct bytes msg)
{
    buf_u64be(&d->log, height);
    buf_put_bytes(&d->log, BYTES_OF(sender));
    put_lp(&d->log, msg);
}

enum rc dkg_post(struct dkg *d, uint64_t height, const struct address *sender, struct bytes msg,
                 struct err *e)
{
    struct post p = {d, dkg_dealer_index(d, sender), dkg_receiver_index(d, sender)};
    struct reader r = reader_init(msg);
    enum dkg_phase phase;
    enum rc rc = RC_OK;

    TRY(dkg_advance(d, height, e));
    phase = d->phase;
    if (height < d->params.start_height)
        rc = err_set(e, RC_DENIED, "before the start at %llu",
                     (unsigned long long)d->params.start_height);
    else if (p.dealer == 0 && p.receiver == 0)
        rc = err_set(e, RC_DENIED, "the sender has no part in it");
    if (rc == RC_OK)
        rc = read_header(&p, &r, e);
    if (rc == RC_OK)
        rc = post_body(&p, &r, e);
    if (rc != RC_OK)
        return err_wrap(e, rc, "dkg: round %llu: %s: keeper %02x%02x%02x%02x",
                        (unsigned long long)d->params.round, dkg_phase_name(phase), sender->b[0],
                        sender->b[1], sender->b[2], sender->b[3]);
    log_message(d, height, sender, msg);
    if (is_complete(d))
        end_phase(d, height);
    while (!dkg_is_over(d) && height >= d->deadline)
        end_phase(d, d->deadline); /* an activation without delay */
    return RC_OK;
}

/* ---- life ---- */

enum rc dkg_new(struct dkg **out, const struct dkg_params *p, struct err *e)
{
    struct dkg *d;

    *out = NULL;
    TRY(dkg_params_check(p, e));
    d = xcalloc(1, sizeof(*d));
    d->params = *p;
    dkg_round_id(&d->id, p);
    d->n_dealers = p->kind == DKG_RESHARE ? p->old.n : p->n;
    for (uint32_t i = 0; i < d->n_dealers; i++)
        d->dealers[i].who = *dealer_account(p, i);
    enter(d, DKG_COMMIT, p->start_height);
    *out = d;
    return RC_OK;
}

void dkg_free(struct dkg *d)
{
    if (d == NULL)
        return;
    buf_clear(&d->log);
    free(d);
}

#define SNAPSHOT_VERSION 1
#define MAX_PARAMS_SIZE (128 + KEYS_MAX_KEEPERS * 20 + KEYSET_MAX_SIZE)

void dkg_snapshot(struct buf *out, const struct dkg *d)
{
    AUTO_CLEAR(buf) struct buf params = {0};

    buf_u8(out, SNAPSHOT_VERSION);
    dkg_params_encode(&params, &d->params);
    put_lp(out, buf_bytes(&params));
    buf_u64be(out, d->height);
    buf_put_bytes(out, buf_bytes(&d->log));
}

static enum rc replay(struct dkg *d, struct reader *r, uint64_t height, struct err *e)
{
    while (reader_ok(r) && r->left > 0) {
        uint64_t at = reader_u64be(r);
        struct address sender;
        struct bytes msg;

        reader_copy(r, sender.b, sizeof(sender.b));
        msg = reader_take(r, reader_count(r, reader_u32be(r), 1, DKG_MAX_MESSAGE));
        if (reader_ok(r))
            TRY(dkg_post(d, at, &sender, msg, e));
    }
    TRY(reader_done(r, "dkg: snapshot", e));
    return dkg_advance(d, height, e);
}

enum rc dkg_restore(struct dkg **out, struct bytes in, struct err *e)
{
    AUTO_DKG struct dkg *d = NULL;
    struct reader r = reader_init(in);
    struct dkg_params params;
    struct bytes encoded;
    uint8_t version = reader_u8(&r);
    uint64_t height;

    *out = NULL;
    if (reader_ok(&r) && version != SNAPSHOT_VERSION)
        return err_set(e, RC_MALFORMED, "dkg: snapshot of version %u, not %d", version,
                       SNAPSHOT_VERSION);
    encoded = reader_take(&r, reader_count(&r, reader_u32be(&r), 1, MAX_PARAMS_SIZE));
    height = reader_u64be(&r);
    if (!reader_ok(&r))
        return reader_done(&r, "dkg: snapshot", e);
    TRY(dkg_params_decode(&params, encoded, e));
    TRY(dkg_new(&d, &params, e));
    TRY(replay(d, &r, height, e));
    *out = MOVE(d);
    return RC_OK;
}
