/* Certificates with evidence: made, judged, served, renewed, challenged. */
#include "attest/ratls.h"
#include "base/hex.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "lib/t.h"
#include "os/clock.h"
#include "tee/internal/pki.h"
#include "tee/ratls.h"
#include "tee/simulator.h"

#define NOW_S UINT64_C(1767225600)

struct world {
    char *dir;
    uint64_t now_s;
    struct tee_sim *sim;
    struct tee *a, *b; /* two machines, one measurement */
    struct arena arena;
    struct buf json;
    struct hash32 root;
    struct dcap_collateral collateral;
    struct measurement_rule rule;
    struct attest_policy policy;
    struct ratls_trust trust;
};

static struct tee *launch(const char *dir, const char *machine, const char *config)
{
    struct tee_sim_launch l = {.dir = dir, .machine = machine, .config = bytes_str(config)};
    struct tee_config c = {.source = TEE_SOURCE_SIMULATOR, .launch = &l};
    struct tee *t = NULL;
    struct err e = {0};

    CHECK_OK(tee_open(&t, &c, &e), &e);
    return t;
}

static void allow(struct world *w)
{
    struct tee_measurement m;
    struct err e = {0};

    CHECK_OK(tee_measurement_get(w->a, &m, &e), &e);
    tee_measurement_rule(&w->rule, &m);
    w->policy = (struct attest_policy){
        .tees = POLICY_BIT(TEE_TDX),
        .roots = POLICY_BIT(ATTEST_ROOT_GIVEN),
        .measurements = &w->rule,
        .n_measurements = 1,
        .tcb_statuses = POLICY_BIT(TCB_UP_TO_DATE),
        .td_attributes_required = TD_ATTR_SEPT_VE_DISABLE,
    };
}

static struct world *new_world(uint64_t now_s)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct attest_roots roots = {.n_given = 1, .given = &w->root};
    struct collateral c;
    enum attest_stage stage;
    struct err e = {0};

    w->now_s = now_s;
    w->dir = xasprintf("%s/sim", t_tmpdir());
    CHECK_OK(tee_sim_create(w->dir, now_s, &e), &e);
    CHECK_OK(tee_sim_open(&w->sim, w->dir, &e), &e);
    CHECK_OK(tee_sim_machine_add(w->sim, "a", NULL, now_s, &e), &e);
    CHECK_OK(tee_sim_machine_add(w->sim, "b", NULL, now_s, &e), &e);
    w->a = launch(w->dir, "a", "{}");
    w->b = launch(w->dir, "b", "{}");
    sha256(&w->root, tee_sim_root(w->sim));
    CHECK_OK(tee_sim_collateral(w->sim, &w->json, NULL, now_s, &e), &e);
    CHECK_OK(collateral_parse(&c, buf_bytes(&w->json), &w->arena, &e), &e);
    CHECK_OK(dcap_collateral_prepare(&w->collateral, &c, &roots, &w->arena, &stage, &e), &e);
    allow(w);
    w->trust = (struct ratls_trust){
        .collateral = &w->collateral, .policy = &w->policy, .now_s = now_s + 1};
    return w;
}

static void end(struct world *w)
{
    tee_close(w->a);
    tee_close(w->b);
    tee_sim_close(w->sim);
    arena_clear(&w->arena);
    buf_clear(&w->json);
    free(w->dir);
    free(w);
}

TEST(a_certificate_is_judged_by_its_evidence)
{
    static const uint8_t identity[32] = {7, 7};
    struct world *w = new_world(NOW_S);
    struct ratls_options o = {.name = "worker-0.example",
                              .identity = BYTES_OF(&identity),
                              .nonce = bytes_str("challenge")};
    struct ratls_cert c = {0};
    struct ratls_peer p;
    struct hash32 ppid;
    uint8_t id[16];
    struct err e = {0};

    CHECK_OK(ratls_cert_make(&c, w->a, &o, NOW_S, &e), &e);
    CHECK_TRUE(c.der.n < 16384); /* one TLS record */
    CHECK_OK(ratls_verify(&p, buf_bytes(&c.der), &w->trust, &e), &e);
    CHECK_TRUE(hash32_eq(&p.spki, &c.spki));
    CHECK_MEM(bytes_of(p.identity, p.identity_n), BYTES_OF(&identity));
    CHECK_INT(p.not_after_s, NOW_S + RATLS_LIFE_S);
    CHECK_INT(p.verdict.tcb_status, TCB_UP_TO_DATE);
    CHECK_OK(tee_sim_machine_ppid(w->sim, "a", id, &e), &e);
    sha256(&ppid, BYTES_OF(&id));
    CHECK_TRUE(hash32_eq(&p.verdict.platform_id, &ppid));
    w->trust.nonce = bytes_str("challenge");
    w->trust.identity = BYTES_OF(&identity);
    CHECK_OK(ratls_verify(&p, buf_bytes(&c.der), &w->trust, &e), &e);
    ratls_cert_clear(&c);
    end(w);
}

TEST(what_is_wrong_is_refused)
{
    struct world *w = new_world(NOW_S);
    struct ratls_options o = {.identity = bytes_str("me"), .nonce = bytes_str("n1")};
    struct ratls_cert c = {0};
    struct ratls_trust t = w->trust;
    struct tee *other = launch(w->dir, "a", "{\"other\":1}");
    struct ratls_peer p;
    struct err e = {0};

    CHECK_OK(ratls_cert_make(&c, w->a, &o, NOW_S, &e), &e);
    t.now_s = NOW_S + RATLS_LIFE_S + 1;
    CHECK_RC(ratls_verify(&p, buf_bytes(&c.der), &t, &e), RC_DENIED, &e, "expired");
    t.now_s = NOW_S - RATLS_SKEW_S - 1;
    CHECK_RC(ratls_verify(&p, buf_bytes(&c.der), &t, &e), RC_DENIED, &e, "not in force");
    t = w->trust;
    t.nonce = bytes_str("n2");
    CHECK_RC(ratls_verify(&p, buf_bytes(&c.der), &t, &e), RC_DENIED, &e, "nonce");
    t = w->trust;
    t.identity = bytes_str("you");
    CHECK_RC(ratls_verify(&p, buf_bytes(&c.der), &t, &e), RC_DENIED, &e, "identity");
    CHECK_RC(ratls_verify(&p, bytes_of(c.der.p, c.der.n - 1), &w->trust, &e), RC_MALFORMED, &e, "");
    w->policy.roots = POLICY_BIT(ATTEST_ROOT_INTEL);
    CHECK_RC(ratls_verify(&p, buf_bytes(&c.der), &w->trust, &e), RC_DENIED, &e, "policy");
    allow(w);
    CHECK_OK(ratls_verify(&p, buf_bytes(&c.der), &w->trust, &e), &e);
    CHECK_OK(ratls_cert_make(&c, other, &o, NOW_S, &e), &e);
    CHECK_RC(ratls_verify(&p, buf_bytes(&c.der), &w->trust, &e), RC_DENIED, &e, "policy");
    CHECK_INT(p.identity_n, 0);
    CHECK_RC(ratls_cert_make(&c, w->a, &(struct ratls_options){.name = "a b"}, NOW_S, &e), RC_RANGE,
             &e, "name");
    CHECK_RC(ratls_cert_make(&c, w->a, &(struct ratls_options){.name = ""}, NOW_S, &e), RC_RANGE,
             &e, "name");
    CHECK_INT(c.key.n, 0);
    tee_close(other);
    ratls_cert_clear(&c);
    end(w);
}

/* ---- forged certificates ---- */

struct parts {
    struct buf spki, claims, ccc, dstack;
    EVP_PKEY *key;
};

static void quote_of(struct buf *out, struct tee *t, const uint8_t data[64])
{
    struct tee_evidence v = {0};
    struct err e = {0};

    CHECK_OK(tee_evidence_get(t, &v, data, &e), &e);
    buf_reset(out);
    buf_put_bytes(out, buf_bytes(&v.quote));
    tee_evidence_clear(&v);
}

static void new_parts(struct parts *p, struct tee *ccc, struct tee *dstack)
{
    uint8_t data[64];

    *p = (struct parts){.key = p256_key_new()};
    p256_spki(&p->spki, p->key);
    ratls_ccc_claims(&p->claims, buf_bytes(&p->spki), bytes_str(""), bytes_str("id"));
    ratls_report_data(data, RATLS_CCC, buf_bytes(&p->spki), buf_bytes(&p->claims));
    quote_of(&p->ccc, ccc, data);
    ratls_report_data(data, RATLS_DSTACK, buf_bytes(&p->spki), buf_bytes(&p->claims));
    quote_of(&p->dstack, dstack, data);
}

static void drop_parts(struct parts *p)
{
    buf_clear(&p->spki);
    buf_clear(&p->claims);
    buf_clear(&p->ccc);
    buf_clear(&p->dstack);
    p256_key_clear(&p->key);
}

static enum rc judge(const struct world *w, const struct parts *p, EVP_PKEY *key, EVP_PKEY *signer,
                     struct err *e)
{
    AUTO_CLEAR(buf) struct buf tagged = {0}, wrapped = {0}, der = {0};
    AUTO_CERT X509 *issuer = NULL, *c = NULL;
    struct pki_ext exts[2] = {{.oid = "2.23.133.5.4.9"}, {.oid = "1.3.6.1.4.1.62397.1.1"}};
    struct pki_request r = {.role = PKI_TLS,
                            .common_name = "forged",
                            .from_s = NOW_S - 60,
                            .until_s = NOW_S + 3600,
                            .exts = exts,
                            .exts_n = 2};
    struct ratls_peer peer;

    ratls_ccc_evidence(&tagged, buf_bytes(&p->ccc), buf_bytes(&p->claims));
    der_put(&wrapped, 0x04, buf_bytes(&p->dstack));
    exts[0].value = buf_bytes(&tagged);
    exts[1].value = buf_bytes(&wrapped);
    if (signer != NULL)
        issuer = pki_cert_new(&r, signer, NULL, NULL);
    c = pki_cert_new(&r, key, issuer, signer);
    pki_cert_der(&der, c);
    return ratls_verify(&peer, buf_bytes(&der), &w->trust, e);
}

TEST(forgeries_are_refused)
{
    struct world *w = new_world(NOW_S);
    AUTO_PKEY EVP_PKEY *mine = p256_key_new();
    struct parts good, split, tail;
    uint8_t data[64];
    struct err e = {0};

    new_parts(&good, w->a, w->a);
    CHECK_OK(judge(w, &good, good.key, NULL, &e), &e);
    /* somebody else's evidence around my key */
    CHECK_RC(judge(w, &good, mine, NULL, &e), RC_DENIED, &e, "another key");
    /* signed by a key that is not the certificate's own */
    CHECK_RC(judge(w, &good, good.key, mine, &e), RC_DENIED, &e, "own key");
    /* each piece is good, of two machines */
    new_parts(&split, w->a, w->b);
    CHECK_RC(judge(w, &split, split.key, NULL, &e), RC_DENIED, &e, "disagree");
    /* one piece is good, the other binds nothing */
    ratls_report_data(data, RATLS_DSTACK, bytes_str("another key"), bytes_str(""));
    quote_of(&split.dstack, w->a, data);
    CHECK_RC(judge(w, &split, split.key, NULL, &e), RC_DENIED, &e, "report_data");
    /* report data with a tail */
    new_parts(&tail, w->a, w->a);
    ratls_report_data(data, RATLS_CCC, buf_bytes(&tail.spki), buf_bytes(&tail.claims));
    data[63] = 1;
    quote_of(&tail.ccc, w->a, data);
    CHECK_RC(judge(w, &tail, tail.key, NULL, &e), RC_DENIED, &e, "report_data");
    drop_parts(&good);
    drop_parts(&split);
    drop_parts(&tail);
    end(w);
}

TEST(every_flipped_byte_of_a_certificate_is_refused)
{
    struct world *w = new_world(NOW_S);
    struct ratls_cert c = {0};
    struct ratls_peer p;
    struct err e = {0};

    CHECK_OK(ratls_cert_make(&c, w->a, &(struct ratls_options){0}, NOW_S, &e), &e);
    for (size_t i = 0; i < c.der.n; i += 1 + t_rand_below(24)) {
        uint8_t bit = (uint8_t)(1u << t_rand_below(8));

        c.der.p[i] ^= bit;
        if (ratls_verify(&p, buf_bytes(&c.der), &w->trust, &e) == RC_OK)
            t_fail(__FILE__, __LINE__, "bit 0x%02x of byte %zu flipped, still accepted", bit, i);
        c.der.p[i] ^= bit;
    }
    CHECK_OK(ratls_verify(&p, buf_bytes(&c.der), &w->trust, &e), &e);
    ratls_cert_clear(&c);
    end(w);
}

/* ---- a port ---- */

struct site {
    struct world *w;
    struct http_server *http;
    struct ratls_server *tls;
    struct http_client *client;
    struct ratls_client judge;
    struct http_reply reply;
};

static void handler(struct http_request *req, struct http_response *resp, void *data)
{
    struct site *s = data;
    struct err e = {0};

    if (strcmp(req->path, "/attestation") != 0)
        http_response_text(resp, 200, "hello");
    else if (ratls_server_attestation(s->tls, &resp->body, http_request_arg(req, "nonce"), &e) !=
             RC_OK)
        http_response_text(resp, 400, "%s", e.msg);
}

static struct site *open_site(const struct ratls_options *o)
{
    struct site *s = xcalloc(1, sizeof(*s));
    struct http_server_config hc = {.listen = "127.0.0.1:0"};
    struct tls_server_config tc = {.listen = "127.0.0.1:0"};
    struct err e = {0};

    s->w = new_world(clock_wall_ns() / 1000000000);
    s->w->trust.now_s = 0;
    CHECK_OK(http_server_start(&s->http, &hc, handler, NULL, s, &e), &e);
    CHECK_OK(ratls_server_start(&s->tls, s->w->a, o, &tc, s->http, &e), &e);
    s->client = http_client_new();
    s->judge.trust = &s->w->trust;
    ratls_client_attach(&s->judge, s->client);
    return s;
}

static void close_site(struct site *s)
{
    http_client_free(s->client);
    http_reply_clear(&s->reply);
    ratls_server_stop(s->tls);
    http_server_stop(s->http, 100);
    end(s->w);
    free(s);
}

static enum rc get(struct site *s, const char *path, struct err *e)
{
    AUTO_FREE char *url = xasprintf("%s%s", ratls_server_url(s->tls), path);
    struct http_call k = {.url = url};

    return http_client_do(s->client, &s->reply, &k, e);
}

TEST(a_client_speaks_only_to_measured_code)
{
    struct site *s = open_site(&(struct ratls_options){.identity = bytes_str("worker")});
    struct hash32 spki;
    struct err e = {0};

    CHECK_OK(get(s, "/", &e), &e);
    CHECK_MEM(buf_bytes(&s->reply.body), bytes_str("hello"));
    ratls_server_spki(s->tls, &spki);
    CHECK_TRUE(hash32_eq(&spki, &s->judge.peer.spki));
    CHECK_MEM(bytes_of(s->judge.peer.identity, s->judge.peer.identity_n), bytes_str("worker"));
    s->w->rule.mr_td[0] ^= 1;
    ratls_client_attach(&s->judge, s->client); /* a new connection */
    CHECK_RC(get(s, "/", &e), RC_DENIED, &e, "policy");
    close_site(s);
}

TEST(a_challenge_is_answered_over_the_channel)
{
    static const uint8_t nonce[32] = {1, 2, 3};
    struct site *s = open_site(&(struct ratls_options){.identity = bytes_str("worker")});
    AUTO_CLEAR(buf) struct buf path = {0};
    struct ratls_peer other;
    struct attest_verdict v;
    struct bytes answer;
    struct err e = {0};

    buf_put_str(&path, "/attestation?nonce=");
    hex_put(&path, BYTES_OF(&nonce));
    CHECK_OK(get(s, buf_cstr(&path), &e), &e);
    answer = buf_bytes(&s->reply.body);
    CHECK_OK(ratls_answer_verify(&v, answer, &s->judge.peer, BYTES_OF(&nonce), &s->w->trust, &e),
             &e);
    CHECK_TRUE(v.verified && ratls_agree(&v, &s->judge.peer.verdict));
    CHECK_RC(ratls_answer_verify(&v, answer, &s->judge.peer, bytes_str("other"), &s->w->trust, &e),
             RC_DENIED, &e, "nonce");
    other = s->judge.peer;
    other.spki.b[0] ^= 1;
    CHECK_RC(ratls_answer_verify(&v, answer, &other, BYTES_OF(&nonce), &s->w->trust, &e), RC_AGAIN,
             &e, "another key");
    s->w->trust.identity = bytes_str("somebody");
    CHECK_RC(ratls_answer_verify(&v, answer, &s->judge.peer, BYTES_OF(&nonce), &s->w->trust, &e),
             RC_DENIED, &e, "identity");
    CHECK_RC(get(s, "/attestation", &e), RC_MALFORMED, &e, "nonce");
    CHECK_RC(get(s, "/attestation?nonce=xy", &e), RC_MALFORMED, &e, "nonce");
    buf_put_zero(&path, 0);
    for (int i = 0; i < 65; i++)
        buf_put_str(&path, "00");
    CHECK_RC(get(s, buf_cstr(&path), &e), RC_MALFORMED, &e, "nonce");
    close_site(s);
}

TEST(answers_are_parsed_strictly)
{
    static const struct {
        const char *json, *piece;
        enum rc rc;
    } bad[] = {
        {"", "", RC_MALFORMED},
        {"{}", "version", RC_NOTFOUND},
        {"{\"version\":2}", "version 2", RC_UNSUPPORTED},
        {"{\"version\":1,\"platform\":\"sgx\"}", "sgx", RC_UNSUPPORTED},
        {"{\"version\":1,\"platform\":\"tdx\",\"x\":1}", "x", RC_MALFORMED},
        {"{\"version\":1,\"version\":1}", "", RC_MALFORMED},
        {"{\"version\":1,\"platform\":\"tdx\",\"quote\":\"0\"}", "quote", RC_MALFORMED},
        {"{\"version\":1,\"platform\":\"tdx\",\"quote\":\"00\",\"identity\":\"\",\"nonce\":\"\","
         "\"spki_sha256\":\"00\"}",
         "spki", RC_MALFORMED},
    };
    AUTO_CLEAR(arena) struct arena a = {0};
    struct ratls_answer ans;
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_RC(ratls_answer_parse(&ans, bytes_str(bad[i].json), &a, &e), bad[i].rc, &e,
                 bad[i].piece);
}

TEST(the_certificate_is_renewed)
{
    struct site *s = open_site(&(struct ratls_options){.life_s = 3});
    struct hash32 first, now;
    struct err e = {0};

    ratls_server_spki(s->tls, &first);
    for (int i = 0; i < 600; i++) {
        ratls_server_spki(s->tls, &now);
        if (!hash32_eq(&first, &now))
            break;
        clock_sleep_ms(10);
    }
    CHECK_TRUE(!hash32_eq(&first, &now));
    CHECK_OK(get(s, "/", &e), &e);
    CHECK_TRUE(hash32_eq(&s->judge.peer.spki, &now));
    CHECK_OK(ratls_server_set_identity(s->tls, bytes_str("registered"), &e), &e);
    ratls_client_attach(&s->judge, s->client);
    CHECK_OK(get(s, "/", &e), &e);
    CHECK_MEM(bytes_of(s->judge.peer.identity, s->judge.peer.identity_n), bytes_str("registered"));
    CHECK_TRUE(!hash32_eq(&s->judge.peer.spki, &now));
    close_site(s);
}
