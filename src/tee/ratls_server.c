/* A TLS port whose certificate carries evidence. Job: make it, renew it before it ends, answer
 * challenges. Trust: clients are strangers; the nonce is theirs, bounded. Must not: serve an
 * expired certificate silently, or hold a lock while the platform works on a quote for long. */
#include "base/hex.h"
#include "base/log.h"
#include "os/clock.h"
#include "tee/ratls.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define RETRY_S 10

struct ratls_server {
    struct tee *tee;
    struct tls_server *tls;
    struct ratls_options options;
    char name[RATLS_NAME_MAX + 1];
    pthread_mutex_t making; /* one certificate at a time */
    pthread_mutex_t mu;     /* guards what follows */
    pthread_cond_t cond;
    uint8_t identity[RATLS_IDENTITY_MAX];
    size_t identity_n;
    struct hash32 spki;
    uint64_t renew_at_ms; /* monotonic */
    bool stopping;
    pthread_t thread;
    bool started;
};

static void lock(pthread_mutex_t *m)
{
    CHECK(pthread_mutex_lock(m) == 0);
}

static void unlock(pthread_mutex_t *m)
{
    CHECK(pthread_mutex_unlock(m) == 0);
}

static uint64_t life_s(const struct ratls_server *s)
{
    return s->options.life_s != 0 ? s->options.life_s : RATLS_LIFE_S;
}

static enum rc make(struct ratls_cert *out, struct ratls_server *s, struct bytes identity,
                    struct err *e)
{
    struct ratls_options o = s->options;

    o.identity = identity;
    return ratls_cert_make(out, s->tee, &o, clock_wall_ns() / 1000000000, e);
}

/* mu held, or nobody else there yet. */
static void note(struct ratls_server *s, const struct ratls_cert *c, struct bytes identity)
{
    s->spki = c->spki;
    if (identity.n != 0)
        memmove(s->identity, identity.p, identity.n);
    s->identity_n = identity.n;
    s->renew_at_ms = clock_mono_ms() + life_s(s) * 1000 / 3 * 2;
}

/* making held. */
static enum rc renew(struct ratls_server *s, struct bytes identity, struct err *e)
{
    struct ratls_cert c = {0};
    enum rc rc = make(&c, s, identity, e);

    if (rc == RC_OK) {
        lock(&s->mu);
        rc = tls_server_set_cert(s->tls, buf_bytes(&c.der), secbuf_bytes(&c.key), e);
        if (rc == RC_OK)
            note(s, &c, identity);
        unlock(&s->mu);
    }
    ratls_cert_clear(&c);
    return rc;
}

enum rc ratls_server_set_identity(struct ratls_server *s, struct bytes identity, struct err *e)
{
    enum rc rc;

    lock(&s->making);
    rc = renew(s, identity, e);
    unlock(&s->making);
    return rc;
}

static void renew_again(struct ratls_server *s)
{
    uint8_t identity[RATLS_IDENTITY_MAX];
    struct err e;
    size_t n;

    lock(&s->making);
    lock(&s->mu);
    memcpy(identity, s->identity, sizeof(identity));
    n = s->identity_n;
    unlock(&s->mu);
    if (renew(s, bytes_of(identity, n), &e) != RC_OK) {
        log_warn("ratls", "certificate not renewed, next try in %d s: %s", RETRY_S, e.msg);
        lock(&s->mu);
        s->renew_at_ms = clock_mono_ms() + (uint64_t)RETRY_S * 1000;
        unlock(&s->mu);
    }
    unlock(&s->making);
}

static void *renewer(void *arg)
{
    struct ratls_server *s = arg;

    lock(&s->mu);
    while (!s->stopping) {
        struct timespec at = {.tv_sec = (time_t)(s->renew_at_ms / 1000),
                              .tv_nsec = (long)(s->renew_at_ms % 1000) * 1000000};

        if (clock_mono_ms() < s->renew_at_ms) {
            (void)pthread_cond_timedwait(&s->cond, &s->mu, &at);
            continue;
        }
        unlock(&s->mu);
        renew_again(s);
        lock(&s->mu);
    }
    unlock(&s->mu);
    return NULL;
}

static enum rc start(struct ratls_server *s, const struct tls_server_config *tls,
                     struct http_server *http, struct bytes identity, struct err *e)
{
    struct tls_server_config tc = *tls;
    struct ratls_cert c = {0};
    enum rc rc = make(&c, s, identity, e);
    int errnum;

    if (rc == RC_OK) {
        tc.cert_der = buf_bytes(&c.der);
        tc.key_der = secbuf_bytes(&c.key);
        note(s, &c, identity);
        rc = tls_server_start(&s->tls, &tc, http, e);
    }
    ratls_cert_clear(&c);
    TRY(rc);
    errnum = pthread_create(&s->thread, NULL, renewer, s);
    if (errnum != 0)
        return err_errno(e, errnum, "cannot start the renewal thread");
    s->started = true;
    return RC_OK;
}

enum rc ratls_server_start(struct ratls_server **out, struct tee *t, const struct ratls_options *o,
                           const struct tls_server_config *tls, struct http_server *http,
                           struct err *e)
{
    struct ratls_server *s = xcalloc(1, sizeof(*s));
    pthread_condattr_t attr;
    enum rc rc;

    *out = NULL;
    if (o->name != NULL && strlen(o->name) > RATLS_NAME_MAX) {
        free(s);
        return err_set(e, RC_RANGE, "certificate name '%.80s': at most %d bytes", o->name,
                       RATLS_NAME_MAX);
    }
    s->tee = t;
    s->options = *o;
    s->options.nonce = bytes_of(NULL, 0);
    s->options.identity = bytes_of(NULL, 0);
    if (o->name != NULL) {
        memcpy(s->name, o->name, strlen(o->name));
        s->options.name = s->name;
    }
    CHECK(pthread_mutex_init(&s->making, NULL) == 0 && pthread_mutex_init(&s->mu, NULL) == 0);
    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&s->cond, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
    rc = start(s, tls, http, o->identity, e);
    if (rc != RC_OK) {
        ratls_server_stop(s);
        return rc;
    }
    *out = s;
    return RC_OK;
}

const char *ratls_server_url(const struct ratls_server *s)
{
    return tls_server_url(s->tls);
}

void ratls_server_spki(struct ratls_server *s, struct hash32 *out)
{
    lock(&s->mu);
    *out = s->spki;
    unlock(&s->mu);
}

void ratls_server_stop(struct ratls_server *s)
{
    if (s == NULL)
        return;
    lock(&s->mu);
    s->stopping = true;
    CHECK(pthread_cond_broadcast(&s->cond) == 0);
    unlock(&s->mu);
    if (s->started)
        CHECK(pthread_join(s->thread, NULL) == 0);
    tls_server_stop(s->tls);
    (void)pthread_mutex_destroy(&s->making);
    (void)pthread_mutex_destroy(&s->mu);
    (void)pthread_cond_destroy(&s->cond);
    free(s);
}

/* ---- challenges ---- */

static void put_hex(struct buf *out, const char *name, struct bytes v)
{
    buf_printf(out, ",\"%s\":\"", name);
    hex_put(out, v);
    buf_put_str(out, "\"");
}

static void put_answer(struct buf *json, const struct tee_evidence *v, const struct hash32 *spki,
                       struct bytes identity, struct bytes nonce, const uint8_t data[64])
{
    bool tdx = v->platform == TEE_PLATFORM_TDX;

    buf_printf(json, "{\"version\":1,\"platform\":\"%s\",\"simulated\":%s", tdx ? "tdx" : "sev-snp",
               v->simulated ? "true" : "false");
    put_hex(json, "quote", buf_bytes(&v->quote));
    if (!tdx)
        put_hex(json, "certificates", buf_bytes(&v->certs));
    buf_put_str(json, ",\"event_log\":");
    buf_put_bytes(json, buf_bytes(&v->event_log));
    put_hex(json, "spki_sha256", BYTES_OF(spki));
    put_hex(json, "identity", identity);
    put_hex(json, "nonce", nonce);
    put_hex(json, "report_data", bytes_of(data, 64));
    buf_put_str(json, "}\n");
}

enum rc ratls_server_attestation(struct ratls_server *s, struct buf *json, const char *nonce_hex,
                                 struct err *e)
{
    AUTO_CLEAR(buf) struct buf nonce = {0};
    uint8_t identity[RATLS_IDENTITY_MAX], data[64];
    struct tee_evidence v = {0};
    struct hash32 spki;
    size_t n;
    enum rc rc;

    if (nonce_hex == NULL || nonce_hex[0] == '\0')
        return err_set(e, RC_MALFORMED, "nonce: give 1 to %d bytes as hexadecimal",
                       RATLS_NONCE_MAX);
    rc = hex_decode(&nonce, bytes_str(nonce_hex), RATLS_NONCE_MAX, e);
    if (rc != RC_OK)
        return err_wrap(e, rc, "nonce");
    lock(&s->mu);
    spki = s->spki;
    memcpy(identity, s->identity, sizeof(identity));
    n = s->identity_n;
    unlock(&s->mu);
    ratls_challenge_data(data, &spki, bytes_of(identity, n), buf_bytes(&nonce));
    rc = tee_evidence_get(s->tee, &v, data, e);
    if (rc == RC_OK)
        put_answer(json, &v, &spki, bytes_of(identity, n), buf_bytes(&nonce), data);
    tee_evidence_clear(&v);
    return rc;
}
