/* All a keeper holds goes to another build of it. Job: both sides. The giver checks that the taker
 * is a build that the council allowed after its own, buries itself, and only then sends; the taker
 * checks that the giver is an allowed keeper too, or it would take an account somebody else has.
 * Never beside each other: a keeper gives partials only while the chain has its account registered
 * to its own build (facts.c), whatever its host puts back on its disk. docs/keys.md. */
#include "base/hex.h"
#include "base/log.h"
#include "chain/address.h"
#include "client/enroll.h"
#include "client/keeper_client.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "crypto/random.h"
#include "crypto/x25519.h"
#include "keeper/internal/peer.h"
#include "keeper/internal/state.h"
#include "keys/labels.h"
#include "light/contracts.h"
#include "net/http_client.h"
#include "os/clock.h"
#include "os/file.h"

#define VERSION 1
#define REQUEST_SIZE (1 + 20 + 32 + 32)
#define STATE_MAX ((size_t)32 << 10)
#define CALL_MS 20000
#define HEAD_AGE_MS 1000
#define TRIES 20 /* at a giver that has just started, or sees too few others */
#define PAUSE_MS 500
#define TAKING "taking" /* the file of the key that is asked with */

struct request {
    struct address account; /* whose state is asked for */
    uint8_t key32[32];      /* X25519: it is sealed to this */
    uint8_t nonce[32];
};

static void put_lp(struct buf *b, struct bytes field)
{
    buf_u32be(b, (uint32_t)field.n);
    buf_put_bytes(b, field);
}

static void request_encode(struct buf *out, const struct request *q)
{
    buf_u8(out, VERSION);
    buf_put_bytes(out, BYTES_OF(&q->account));
    buf_put_bytes(out, BYTES_OF(&q->key32));
    buf_put_bytes(out, BYTES_OF(&q->nonce));
}

static enum rc request_decode(struct request *out, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);

    if (reader_u8(&r) != VERSION)
        reader_fail(&r, "another version");
    reader_copy(&r, out->account.b, sizeof(out->account.b));
    reader_copy(&r, out->key32, sizeof(out->key32));
    reader_copy(&r, out->nonce, sizeof(out->nonce));
    return reader_done(&r, "hand-over request", e);
}

static void request_hash(struct hash32 *out, const struct request *q)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_CLEAR(buf) struct buf encoded = {0};

    request_encode(&encoded, q);
    put_lp(&b, bytes_str(KEYS_LABEL_HANDOVER));
    put_lp(&b, buf_bytes(&encoded));
    sha256(out, buf_bytes(&b));
}

/* What the giver's evidence is over. */
static void answer_data(uint8_t out64[64], const struct hash32 *request, struct bytes sealed)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct hash32 hash;

    put_lp(&b, bytes_str(KEYS_LABEL_HANDOVER_ANSWER));
    put_lp(&b, BYTES_OF(request));
    put_lp(&b, sealed);
    sha256(&hash, buf_bytes(&b));
    keeper_evidence_data(out64, &hash, NULL, 0);
}

/* lp(keys) | lp(state), as they stand in the files. */
static void put_state(struct secbuf *out, const struct vault *v)
{
    void (*const parts[])(struct secbuf *, const struct vault *) = {vault_encode_keys,
                                                                    vault_encode};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        AUTO_CLEAR(secbuf) struct secbuf one = {0};
        uint8_t size[4];

        parts[i](&one, v);
        store_u32be(size, (uint32_t)one.n);
        secbuf_put(out, size, sizeof(size));
        secbuf_put_bytes(out, secbuf_bytes(&one));
    }
}

static enum rc read_state(struct vault *out, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    struct bytes keys = reader_take(&r, reader_u32be(&r)), state;

    state = reader_take(&r, reader_u32be(&r));
    TRY(reader_done(&r, "state", e));
    TRY(vault_decode_keys(out, keys, e));
    TRY(vault_decode(out, state, e));
    out->end = VAULT_IN_USE;
    return RC_OK;
}

/* Both ask the same: may `from` hand over to `to`? */
static enum rc check(struct keeper *k, const struct keeper_serving *s, const struct hash32 *from,
                     const struct hash32 *to, struct err *e)
{
    struct facts_approval giver, taker;
    struct release_policy p;

    facts_policy(&p, k, s);
    facts_approval(&giver, k, from);
    facts_approval(&taker, k, to);
    return release_check_handover(&p, giver.sigs != NULL ? &giver.a : NULL, giver.sigs,
                                  taker.sigs != NULL ? &taker.a : NULL, taker.sigs, taker.posted_s,
                                  taker.removed_id, clock_wall_ns() / 1000000000u, e);
}

/* ---- giving ---- */

/* Rare, and for good: it is not judged by what was agreed upon a moment ago. */
static enum rc agree_now(struct keeper *k, const struct keeper_serving *s, struct release_facts *f,
                         struct err *e)
{
    enum rc rc;

    (void)pthread_mutex_lock(&k->send);
    rc = light_client_refresh(k->light, k->chain, &k->sender, HEAD_AGE_MS, e);
    (void)pthread_mutex_unlock(&k->send);
    TRY(rc);
    (void)pthread_mutex_lock(&k->lock);
    k->agreed_ms = 0;
    (void)pthread_mutex_unlock(&k->lock);
    TRY(heads_agree(k, s, &f->head_age_ms, &f->head_agreements, e));
    if (f->head_agreements < s->keys.t || f->head_age_ms > k->config.max_head_age_ms)
        return err_set(e, RC_AGAIN, "%u keepers see this head, not %u", f->head_agreements,
                       s->keys.t);
    return RC_OK;
}

static enum rc judge(struct keeper *k, const struct keeper_serving *s, struct keeper_shown *in,
                     struct hash32 *to, struct err *e)
{
    const struct enrollment n = {.chain = k->chain, .workers = k->config.workers};
    AUTO_CLEAR(arena) struct arena a = {0};
    struct release_facts f = {.now_s = clock_wall_ns() / 1000000000u};
    uint64_t roles, listed;
    struct keeper_head head;
    struct requester_evidence with = {.evidence = in->r.evidence,
                                      .endorsements = buf_bytes(&in->endorsements)};
    struct hash32 entry;

    /* By the node's word: of another platform the collateral would not fit the evidence. */
    if (with.endorsements.n == 0) {
        TRY(enroll_collateral_key(&n, &entry, in->r.evidence, e));
        TRY(facts_collateral(k, &with.collateral, &a, &entry, 0, e));
    }
    /* First: who has no evidence costs us no transaction. */
    TRY(facts_evidence(k, &f, &in->r, &with, e));
    TRY(agree_now(k, s, &f, e));
    heads_newest(k, &head);
    TRY(facts_listed(k, &f.measurement, head.height - 1, &roles, &listed, e));
    if (listed == 0 || (roles >> ROLE_KEEPER & 1) == 0)
        return err_set(e, RC_DENIED, "the chain does not list the taker's measurement");
    TRY(facts_follow_council(k, head.height - 1, e));
    *to = f.measurement;
    return check(k, s, &k->measurement, to, e);
}

/* From here on we give no partials and take part in no round, whatever becomes of the answer. */
static enum rc bury(struct keeper *k, const struct hash32 *to, const struct request *q,
                    struct secbuf *state, struct err *e)
{
    struct vault *v = k->vault;
    enum rc rc = RC_OK;

    (void)pthread_mutex_lock(&k->lock);
    if (v->end == VAULT_IN_USE && !k->retired) {
        v->end = VAULT_HANDED;
        v->to = *to;
        memcpy(v->to_key, q->key32, sizeof(v->to_key));
        rc = vault_save(v, k->tee, k->config.dir, e);
        if (rc == RC_OK)
            k->retired = true;
        else
            v->end = VAULT_IN_USE;
    } else if (v->end != VAULT_HANDED || !hash32_eq(&v->to, to) ||
               memcmp(v->to_key, q->key32, sizeof(v->to_key)) != 0) {
        rc = err_set(e, RC_DENIED, "this keeper has handed over already, to another");
    }
    if (rc == RC_OK)
        put_state(state, v);
    (void)pthread_mutex_unlock(&k->lock);
    return rc;
}

static bool is_gone(struct keeper *k)
{
    bool gone;

    (void)pthread_mutex_lock(&k->lock);
    gone = k->vault->end == VAULT_GONE;
    (void)pthread_mutex_unlock(&k->lock);
    return gone;
}

static enum rc give(struct keeper *k, const struct keeper_serving *s, struct keeper_shown *in,
                    struct buf *sealed, struct tee_evidence *ours, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf state = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};
    char to_text[65];
    struct request q;
    struct hash32 to;
    uint8_t data[64];

    TRY(request_decode(&q, buf_bytes(&in->request), e));
    request_hash(&in->r.hash, &q);
    memcpy(in->r.q.receive32, q.key32, sizeof(in->r.q.receive32));
    if (!address_eq(&q.account, &k->address))
        return err_set(e, RC_DENIED, "another keeper is asked for");
    if (is_gone(k))
        return err_set(e, RC_DENIED, "this keeper has handed over already");
    if (s->keys.n == 0)
        return err_set(e, RC_AGAIN, "no sharing of the keys is in force yet");
    TRY(judge(k, s, in, &to, e));
    TRY(bury(k, &to, &q, &state, e));
    hex_encode(to_text, BYTES_OF(&to));
    log_warn("keeper", "this keeper hands over to measurement %s and ends", to_text);
    put_lp(&aad, BYTES_OF(&in->r.hash));
    TRY(hpke_seal(sealed, q.key32, bytes_str(KEYS_LABEL_HANDOVER_STATE), buf_bytes(&aad),
                  secbuf_bytes(&state), NULL, e));
    answer_data(data, &in->r.hash, buf_bytes(sealed));
    return tee_evidence_get(k->tee, ours, data, e);
}

void handover_post(struct keeper *k, const json_t *body, struct http_response *resp)
{
    AUTO_SECRET struct keeper_serving *s = secret_alloc(sizeof(*s));
    AUTO_CLEAR(tee_evidence) struct tee_evidence ours = {0};
    AUTO_CLEAR(buf) struct buf sealed = {0};
    struct keeper_shown in = {0};
    struct err e = {0};

    (void)pthread_mutex_lock(&k->lock);
    *s = *k->serving;
    (void)pthread_mutex_unlock(&k->lock);
    if (keeper_shown_read(&in, body, REQUEST_SIZE, &e) != RC_OK)
        keeper_refuse(resp, 400, "malformed", e.msg);
    else if (give(k, s, &in, &sealed, &ours, &e) != RC_OK)
        keeper_refuse(resp, e.code == RC_DENIED ? 403 : 503, "hand-over", e.msg);
    else
        keeper_answer(resp, 200,
                      json_pack("{s:o, s:o}", "state", json_hex_new(buf_bytes(&sealed)), "evidence",
                                json_hex_new(buf_bytes(&ours.quote))));
    keeper_shown_clear(&in);
}

/* ---- taking ---- */

/* The key to ask with outlives a crash: the giver answers again to it alone. */
static enum rc taking_key(struct keeper *k, struct secret32 *key, uint8_t pub[32], struct err *e)
{
    enum rc rc = vault_load_key(key, k->tee, k->config.dir, TAKING, e);

    if (rc == RC_NOTFOUND) {
        x25519_generate(key, pub, NULL);
        return vault_save_key(key, k->tee, k->config.dir, TAKING, e);
    }
    if (rc == RC_OK)
        x25519_pub(pub, key);
    return rc;
}

static enum rc ask_account(struct address *out, const char *url, struct err *e)
{
    AUTO_FREE char *path = xasprintf("%s/identity", url);
    struct http_reply reply = {0};
    json_auto_t *o = NULL;
    enum rc rc = http_get(&reply, path, 65536, CALL_MS, e);

    if (rc == RC_OK)
        rc = json_parse(&o, buf_bytes(&reply.body), 65536, e);
    http_reply_clear(&reply);
    TRY(rc);
    return json_hex_fixed(out->b, sizeof(out->b), o, "address", e);
}

static enum rc ask(struct keeper *k, const char *url, const struct request *q,
                   const struct hash32 *hash, struct buf *sealed, struct buf *theirs, struct err *e)
{
    AUTO_CLEAR(buf) struct buf encoded = {0};
    AUTO_CLEAR(buf) struct buf evidence = {0};
    json_auto_t *o = NULL;
    uint8_t challenge[1][32];
    json_t *body;

    TRY(peer_challenge(challenge[0], &(struct peer){.base = url}, CALL_MS, e));
    request_encode(&encoded, q);
    TRY(peer_body(&body, &evidence, k->tee, buf_bytes(&encoded), hash,
                  (const uint8_t(*)[32])challenge, 1, e));
    TRY(peer_post(&o, &(struct peer){.base = url}, "/hand-over", body, CALL_MS, NULL, e));
    TRY(json_hex(sealed, o, "state", STATE_MAX, e));
    return json_hex(theirs, o, "evidence", TEE_QUOTE_MAX, e);
}

/* The giver is what the chain has registered as this keeper, now, and may hand over to us. */
static enum rc check_giver(struct keeper *k, const struct request *q, const struct hash32 *hash,
                           struct bytes sealed, struct bytes evidence, struct err *e)
{
    const struct keeper_serving *none = k->serving;
    const struct address *c = &k->config.workers;
    const struct light_key keys[] = {workers_worker_of_key(c, q->account),
                                     workers_evidence_key_key(c, q->account),
                                     workers_evidence_endorsements_key(c, q->account)};
    AUTO_CLEAR(arena) struct arena a = {0};
    struct release_facts f = {.now_s = clock_wall_ns() / 1000000000u};
    struct requester_evidence with = {.evidence = evidence};
    struct light_value *v;
    st_bytes32 entry;
    uint64_t height;
    uint8_t data[64];
    st_worker w;

    TRY(light_client_newest(k->light, &height, e));
    TRY(light_client_read(k->light, &v, &a, keys, ARRAY_LEN(keys), height, &height, e));
    TRY(workers_worker_of_get(&w, v[0].value, e));
    TRY(workers_evidence_key_get(&entry, v[1].value, e));
    TRY(workers_evidence_endorsements_get(&with.endorsements, v[2].value, e));
    TRY(facts_collateral(k, &with.collateral, &a, &entry, height, e));
    answer_data(data, hash, sealed);
    TRY(facts_verify(k, &f, &with, data, e));
    if (w.role != ROLE_KEEPER || !hash32_eq(&w.measurement, &f.measurement))
        return err_set(e, RC_DENIED, "who answers is not registered as that keeper");
    TRY(facts_follow_council(k, height, e));
    return check(k, none, &f.measurement, &k->measurement, e);
}

static enum rc open_state(struct keeper *k, const struct secret32 *key, const struct request *q,
                          const struct hash32 *hash, struct bytes sealed, struct err *e)
{
    AUTO_SECRET struct vault *v = secret_alloc(sizeof(*v));
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};
    AUTO_CLEAR(secp_key) struct secp_key sender = {0};
    struct address account;

    put_lp(&aad, BYTES_OF(hash));
    TRY(hpke_open(&plain, key, bytes_str(KEYS_LABEL_HANDOVER_STATE), buf_bytes(&aad), sealed, e));
    TRY(read_state(v, secbuf_bytes(&plain), e));
    TRY(secp_key_from_bytes(&sender, v->sender.b, e));
    secp_key_address(&account, &sender);
    if (!address_eq(&account, &q->account))
        return err_set(e, RC_DENIED, "the state is of another account");
    /* What was removed we may know better. */
    for (size_t i = 0; i < k->vault->n_removals; i++)
        (void)vault_note_removal(v, &k->vault->removals[i].measurement, k->vault->removals[i].id);
    /* The keys last: with them in place the hand-over is done. */
    TRY(vault_save(v, k->tee, k->config.dir, e));
    return vault_save_keys(v, k->tee, k->config.dir, e);
}

static enum rc take(struct keeper *k, const char *url, struct request *q, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 key = {0};
    AUTO_FREE char *file = xasprintf("%s/" TAKING ".sealed", k->config.dir);
    AUTO_CLEAR(buf) struct buf sealed = {0};
    AUTO_CLEAR(buf) struct buf evidence = {0};
    struct hash32 hash;

    TRY(taking_key(k, &key, q->key32, e));
    random_bytes(q->nonce, sizeof(q->nonce));
    TRY(ask_account(&q->account, url, e));
    request_hash(&hash, q);
    TRY(ask(k, url, q, &hash, &sealed, &evidence, e));
    TRY(check_giver(k, q, &hash, buf_bytes(&sealed), buf_bytes(&evidence), e));
    TRY(open_state(k, &key, q, &hash, buf_bytes(&sealed), e));
    return file_remove(file, e);
}

enum rc handover_take(struct keeper *k, const char *url, struct err *e)
{
    struct request q = {.account = {{0}}};
    char text[ADDRESS_TEXT_SIZE];
    enum rc rc = RC_AGAIN;

    k->vault = secret_alloc(sizeof(*k->vault)); /* what the council removed goes there meanwhile */
    for (int i = 0; i < TRIES; i++) {
        rc = take(k, url, &q, e);
        if (rc != RC_AGAIN)
            break;
        log_info("keeper", "taking over from %s: not yet: %s", url, e->msg);
        clock_sleep_ms(PAUSE_MS);
    }
    secret_free(k->vault);
    k->vault = NULL;
    if (rc != RC_OK)
        return err_wrap(e, rc, "taking over from %s", url);
    address_format(text, &q.account);
    log_info("keeper", "took over %s from %s", text, url);
    return RC_OK;
}

/* ---- afterwards ---- */

static enum rc read_self(struct keeper *k, st_worker *w, struct arena *a, uint64_t *height,
                         struct err *e)
{
    const struct light_key key = workers_worker_of_key(&k->config.workers, k->address);
    struct bytes value;

    TRY(light_client_newest(k->light, height, e));
    TRY(light_client_value(k->light, &value, a, &key, *height, e));
    return workers_worker_of_get(w, value, e);
}

enum rc handover_look(struct keeper *k, bool *ours, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct facts_approval mine, theirs;
    uint64_t height;
    st_worker w;

    TRY(read_self(k, &w, &a, &height, e));
    *ours = w.registrations != 0 && hash32_eq(&w.measurement, &k->measurement);
    if (*ours || w.registrations == 0)
        return RC_OK;
    TRY(facts_follow_council(k, height, e));
    facts_approval(&mine, k, &k->measurement);
    facts_approval(&theirs, k, &w.measurement);
    if (mine.sigs == NULL)
        return err_set(e, RC_AGAIN, "this build is not allowed yet, and another has the account");
    if (theirs.sigs != NULL && theirs.a.id > mine.a.id) {
        k->retired = true;
        log_error("keeper", "a later build of this keeper is registered: this one ends");
    }
    return RC_OK;
}

enum rc handover_finish(struct keeper *k, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    uint64_t height;
    st_worker w;
    enum rc rc;

    TRY(read_self(k, &w, &a, &height, e));
    if (!hash32_eq(&w.measurement, &k->vault->to))
        return RC_OK;
    (void)pthread_mutex_lock(&k->lock);
    vault_wipe(k->vault);
    wipe(&k->serving->share, sizeof(k->serving->share));
    k->serving->index = 0;
    rc = vault_save(k->vault, k->tee, k->config.dir, e);
    if (rc == RC_OK)
        rc = vault_save_keys(k->vault, k->tee, k->config.dir, e);
    (void)pthread_mutex_unlock(&k->lock);
    (void)pthread_mutex_lock(&k->send);
    secp_key_clear(&k->sender);
    (void)pthread_mutex_unlock(&k->send);
    if (rc == RC_OK)
        log_info("keeper", "the taker is registered: nothing secret is left here");
    return rc;
}
