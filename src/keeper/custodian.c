/* The custodian's side of keys/custody.h: what a keeper shows is judged here by the same facts that
 * keepers judge each other by, but for the agreement of keepers on the head, of whom there are none
 * left: instead the head must be new by the custodian's own clock. docs/keys.md. */
#include "keeper/custodian.h"

#include "crypto/random.h"
#include "crypto/x25519.h"
#include "keeper/internal/peer.h"
#include "keeper/internal/state.h"
#include "keys/recover.h"
#include "os/clock.h"

#define CALL_MS 30000
#define CHALLENGE_MS 120000

/* Which custodian the key is: j, from 1. */
static enum rc find_self(const struct keeper *k, const struct secret32 *key, uint32_t *j,
                         struct err *e)
{
    const struct custodians *c = &k->genesis.custodians;
    uint8_t pub[32];

    if (c->n == 0)
        return err_set(e, RC_DENIED, "this network's genesis names no custodians");
    x25519_pub(pub, key);
    for (*j = 1; *j <= c->n; (*j)++)
        if (memcmp(c->keys[*j - 1], pub, sizeof(pub)) == 0)
            return RC_OK;
    return err_set(e, RC_DENIED, "this key is none of the %u custodians' in the genesis file",
                   c->n);
}

static enum rc newest_height(struct keeper *k, uint64_t *height, struct err *e)
{
    TRY(light_client_sync(k->light, e));
    return light_client_newest(k->light, height, e);
}

static void head_age(struct keeper *k, uint64_t *age_ms)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_block head;
    uint64_t now = clock_wall_ns() / 1000000u, at;

    light_client_head(k->light, &head, &a);
    at = (uint64_t)head.header.time.s * 1000u + (uint64_t)head.header.time.ns / 1000000u;
    *age_ms = now > at ? now - at : 0;
}

/* ---- check ---- */

static enum rc check_all(struct keeper *k, struct custodian_report *out, const struct secret32 *key,
                         struct err *e)
{
    const struct address nobody = {{0}};
    AUTO_CLEAR(arena) struct arena a = {0};
    struct custody_place p;
    uint64_t height;
    uint32_t j;

    TRY(find_self(k, key, &j, e));
    TRY(newest_height(k, &height, e));
    TRY(custody_read(k, &p, &nobody, &a, height, e));
    out->custodian = j;
    out->of = k->genesis.custodians.n;
    out->needed = k->genesis.custodians.t;
    out->round = p.keys.round;
    out->n = p.keys.n;
    for (uint32_t i = 0; i < p.keys.n; i++) {
        struct bytes backup;

        TRY(custody_backup_at(k, &backup, p.keys.round, i + 1, &a, height, e));
        out->keepers[i].who = p.keys.members[i].who;
        out->keepers[i].has_backup = backup.n != 0;
        if (backup.n != 0 && custody_check(backup, &p.keys, &k->genesis.custodians, j, key,
                                           &out->keepers[i].fault) == RC_OK)
            out->keepers[i].fault.code = RC_OK;
    }
    return RC_OK;
}

enum rc custodian_check(struct custodian_report *out, const struct keeper_config *config,
                        const struct secret32 *key, struct err *e)
{
    struct keeper *k;
    enum rc rc;

    *out = (struct custodian_report){0};
    TRY(keeper_view(&k, config, e));
    rc = check_all(k, out, key, e);
    keeper_stop(k);
    return rc;
}

/* ---- return ---- */

struct visit {
    struct keeper *k;
    const char *url;
    const struct secret32 *key;
    uint32_t j;
    struct keeper_shown in;
    struct address account;
    struct custody_ask q;
    struct custody_place place;
    struct arena a; /* of the place */
};

static enum rc ask(struct visit *v, struct err *e)
{
    struct keeper_challenge *c = &v->k->challenges[0];
    json_auto_t *o = NULL;

    random_bytes(c->b, sizeof(c->b));
    c->until_ms = clock_mono_ms() + CHALLENGE_MS;
    TRY(peer_post(&o, &(struct peer){.base = v->url}, "/custody/ask",
                  json_pack("{s:I, s:o}", "custodian", (json_int_t)v->j, "challenge",
                            json_hex_new(BYTES_OF(&c->b))),
                  CALL_MS, NULL, e));
    TRY(keeper_shown_read(&v->in, o, CUSTODY_ASK_SIZE, e));
    TRY(json_hex_fixed(v->account.b, sizeof(v->account.b), o, "account", e));
    TRY(custody_ask_decode(&v->q, buf_bytes(&v->in.request), e));
    custody_ask_hash(&v->in.r.hash, &v->q);
    memcpy(v->in.r.q.receive32, v->q.receive32, sizeof(v->q.receive32));
    return RC_OK;
}

static enum rc check_place(struct visit *v, uint64_t height, struct err *e)
{
    struct hash32 id;

    TRY(custody_read(v->k, &v->place, &v->account, &v->a, height, e));
    if (v->place.index == 0)
        return err_set(e, RC_DENIED, "the sharing in force has no share for this keeper's account");
    if (v->place.backup.n == 0)
        return err_set(e, RC_DENIED, "keeper %u left no backup of its share of round %llu",
                       v->place.index, (unsigned long long)v->place.keys.round);
    custody_id(&id, &v->place.keys, v->place.index, &v->k->genesis.custodians);
    if (!hash32_eq(&id, &v->q.id) || v->q.custodian != v->j)
        return err_set(e, RC_DENIED, "the keeper asks for another share than its own");
    return RC_OK;
}

static enum rc judge(struct visit *v, struct err *e)
{
    AUTO_SECRET struct keeper_serving *s = secret_alloc(sizeof(*s));
    enum release_reason reason = RELEASE_STALE_HEAD;
    struct err why = {0};
    uint64_t height, age;

    TRY(newest_height(v->k, &height, e));
    TRY(check_place(v, height, e));
    head_age(v->k, &age);
    s->keys = v->place.keys;
    TRY(facts_judge_alone(v->k, s, &v->account, &v->in.r, age, height, &reason, &why, e));
    if (reason != RELEASE_ALLOWED)
        return err_set(e, RC_DENIED, "the keeper gets nothing: %s: %s", release_reason_text(reason),
                       why.msg);
    return RC_OK;
}

static enum rc hand_over(struct visit *v, struct custodian_returned *out, struct err *e)
{
    AUTO_CLEAR(buf) struct buf piece = {0};
    json_auto_t *o = NULL;
    struct hash32 evidence;

    recovery_evidence_hash(&evidence, &v->in.r.hash, v->in.r.evidence);
    TRY(custody_return(&piece, v->place.backup, &v->place.keys, &v->k->genesis.custodians, v->j,
                       v->key, v->q.receive32, &evidence, NULL, e));
    TRY(peer_post(&o, &(struct peer){.base = v->url}, "/custody/return",
                  json_pack("{s:I, s:o, s:o}", "custodian", (json_int_t)v->j, "evidence",
                            json_hex_new(BYTES_OF(&evidence)), "piece",
                            json_hex_new(buf_bytes(&piece))),
                  CALL_MS, NULL, e));
    out->account = v->account;
    out->keeper = v->place.index;
    out->round = v->place.keys.round;
    TRY(json_u64(&out->pieces, o, "pieces", KEYS_MAX_KEEPERS, e));
    return json_u64(&out->needed, o, "needed", KEYS_MAX_KEEPERS, e);
}

enum rc custodian_return(struct custodian_returned *out, const struct keeper_config *config,
                         const struct secret32 *key, const char *url, struct err *e)
{
    struct visit v = {.url = url, .key = key};
    enum rc rc;

    *out = (struct custodian_returned){0};
    TRY(keeper_view(&v.k, config, e));
    rc = find_self(v.k, key, &v.j, e);
    if (rc == RC_OK)
        rc = ask(&v, e);
    if (rc == RC_OK)
        rc = judge(&v, e);
    if (rc == RC_OK)
        rc = hand_over(&v, out, e);
    keeper_shown_clear(&v.in);
    arena_clear(&v.a);
    keeper_stop(v.k);
    return rc;
}
