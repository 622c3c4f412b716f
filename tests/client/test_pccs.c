/* Collateral from a PCCS of our own that serves a simulator's, also badly. */
#include "attest/dcap.h"
#include "base/hex.h"
#include "client/pccs.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "lib/t.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "os/clock.h"
#include "tee/simulator.h"
#include "tee/tee.h"

#define NOW_S UINT64_C(1767225600)
#define API "/certification/v4"

enum part { TCB, QE, PCK_CRL, ROOT_CRL, PARTS };
enum fault {
    NO_FAULT,
    NO_HEADER,
    BAD_ESCAPE,
    ONE_CERTIFICATE,
    NO_CERTIFICATE,
    TWICE,
    CUT,
    CUT_CONNECTION,
    HUGE_BODY,
    OTHER_MEMBER,
    NOT_FOUND,
    MOVED,
    SLOW,
};

struct service {
    struct http_server *http;
    char *dir;
    struct tee_sim *sim;
    json_t *collateral;
    struct arena a;
    enum part broken;
    enum fault fault;
    bool other_platform, der, old_header;
    unsigned asked[PARTS];
};

static const char *text_of(struct service *s, const char *key)
{
    const char *t = json_string_value(json_object_get(s->collateral, key));

    CHECK_TRUE(t != NULL);
    return t;
}

static bool has(const struct service *s, enum part p, enum fault f)
{
    return s->fault == f && s->broken == p;
}

static void put_chain(struct service *s, struct http_response *resp, enum part p, const char *name,
                      const char *key)
{
    struct bytes pem = bytes_str(text_of(s, key));
    AUTO_CLEAR(buf) struct buf value = {0};

    if (has(s, p, NO_HEADER))
        return;
    if (has(s, p, ONE_CERTIFICATE))
        pem.n = (size_t)(strstr(text_of(s, key) + 10, "-----BEGIN") - text_of(s, key));
    if (has(s, p, NO_CERTIFICATE))
        pem = bytes_str("<html>captive portal</html>");
    http_url_escape(&value, pem);
    if (has(s, p, BAD_ESCAPE))
        buf_put_str(&value, "%zz");
    http_response_header(resp, name, buf_cstr(&value));
    if (has(s, p, TWICE))
        http_response_header(resp, name, buf_cstr(&value));
}

static void put_signed(struct service *s, struct http_response *resp, enum part p,
                       const char *member, const char *key)
{
    const char *body = text_of(s, key);
    AUTO_FREE char *sig_key = xasprintf("%s_signature", key);

    if (has(s, p, OTHER_MEMBER))
        member = "tcbinfo";
    buf_printf(&resp->body, "{\"%s\":%s,\"signature\":\"%s\"}", member, body, text_of(s, sig_key));
}

static void put_crl(struct service *s, struct http_response *resp, const char *key)
{
    struct err e = {0};

    if (s->der)
        CHECK_OK(hex_decode(&resp->body, bytes_str(text_of(s, key)), 1 << 20, &e), &e);
    else
        buf_printf(&resp->body, "%s\n", text_of(s, key));
}

static void spoil(struct service *s, struct http_response *resp, enum part p)
{
    if (has(s, p, CUT))
        resp->body.n /= 2;
    if (has(s, p, HUGE_BODY))
        for (size_t i = 0; i < 5 << 20; i += 10)
            buf_put_str(&resp->body, "          ");
    if (has(s, p, NOT_FOUND))
        http_response_text(resp, 404, "no cache for this platform");
    if (has(s, p, MOVED)) {
        http_response_text(resp, 302, "elsewhere");
        http_response_header(resp, "Location", "http://127.0.0.1:1/");
    }
    if (has(s, p, SLOW))
        clock_sleep_ms(3000);
    if (has(s, p, CUT_CONNECTION)) {
        struct bytes half = arena_dup(&s->a, buf_bytes(&resp->body));
        struct err e;

        resp->body.n = 0;
        http_response_size(resp, half.n);
        (void)http_response_write(resp, bytes_of(half.p, half.n / 2), &e);
        http_response_abort(resp, "as the test wants it");
    }
}

static void handle(struct http_request *req, struct http_response *resp, void *data)
{
    struct service *s = data;
    const char *fmspc = http_request_arg(req, "fmspc"), *ca = http_request_arg(req, "ca");
    enum part p;

    if (strcmp(req->path, "/tdx" API "/tcb") == 0 && fmspc != NULL && strlen(fmspc) == 12) {
        p = TCB;
        put_chain(s, resp, p, s->old_header ? "SGX-TCB-Info-Issuer-Chain" : "TCB-Info-Issuer-Chain",
                  "tcb_info_issuer_chain");
        put_signed(s, resp, p, "tcbInfo", "tcb_info");
    } else if (strcmp(req->path, "/tdx" API "/qe/identity") == 0) {
        p = QE;
        put_chain(s, resp, p, "SGX-Enclave-Identity-Issuer-Chain", "qe_identity_issuer_chain");
        put_signed(s, resp, p, "enclaveIdentity", "qe_identity");
    } else if (strcmp(req->path, "/sgx" API "/pckcrl") == 0 && ca != NULL &&
               strcmp(ca, "platform") == 0) {
        p = PCK_CRL;
        put_chain(s, resp, p, "SGX-PCK-CRL-Issuer-Chain", "pck_crl_issuer_chain");
        put_crl(s, resp, "pck_crl");
    } else if (strcmp(req->path, "/sgx" API "/rootcacrl") == 0) {
        p = ROOT_CRL;
        put_crl(s, resp, "root_ca_crl");
    } else {
        http_response_text(resp, 404, "unknown");
        return;
    }
    s->asked[p]++;
    spoil(s, resp, p);
}

static struct service *start(void)
{
    struct service *s = xcalloc(1, sizeof(*s));
    const struct http_server_config config = {.listen = "127.0.0.1:0", .workers = 2};
    AUTO_CLEAR(buf) struct buf json = {0};
    struct err e = {0};

    s->dir = xasprintf("%s/sim", t_tmpdir());
    CHECK_OK(tee_sim_create(s->dir, NOW_S, &e), &e);
    CHECK_OK(tee_sim_open(&s->sim, s->dir, &e), &e);
    CHECK_OK(tee_sim_machine_add(s->sim, "m0", NULL, NOW_S, &e), &e);
    CHECK_OK(tee_sim_collateral(s->sim, &json, NULL, NOW_S, &e), &e);
    CHECK_OK(json_parse(&s->collateral, buf_bytes(&json), 1 << 20, &e), &e);
    CHECK_OK(http_server_start(&s->http, &config, handle, NULL, s, &e), &e);
    return s;
}

static void stop(struct service *s)
{
    http_server_stop(s->http, 100);
    json_decref(s->collateral);
    tee_sim_close(s->sim);
    arena_clear(&s->a);
    free(s->dir);
    free(s);
}

static struct bytes quote(struct service *s)
{
    struct tee_sim_launch l = {.dir = s->dir, .machine = "m0"};
    struct tee_config c = {.source = TEE_SOURCE_SIMULATOR, .launch = &l};
    struct tee_evidence v = {0};
    struct tee *t = NULL;
    uint8_t data[64] = {7};
    struct bytes out;
    struct err e = {0};

    CHECK_OK(tee_open(&t, &c, &e), &e);
    CHECK_OK(tee_evidence_get(t, &v, data, &e), &e);
    out = arena_dup(&s->a, buf_bytes(&v.quote));
    tee_evidence_clear(&v);
    tee_close(t);
    return out;
}

static enum rc fetch(struct service *s, struct buf *json, const char *suffix,
                     enum attest_stage *stage, struct err *e)
{
    AUTO_FREE char *url = xasprintf("%s%s", http_server_url(s->http), suffix);
    const struct pccs_source source = {.url = url, .timeout_ms = 1500};
    struct pccs_platform p;

    CHECK_OK(pccs_platform_of(&p, quote(s), &s->a, e), e);
    CHECK_TRUE(p.tdx && p.platform_ca);
    if (s->other_platform)
        p.fmspc[0] ^= 1;
    return pccs_fetch(json, &source, &p, stage, e);
}

/* The bytes that were signed come through: what is collected verifies a quote. */
static void check_good(struct service *s, const char *suffix)
{
    AUTO_CLEAR(buf) struct buf json = {0};
    struct attest_roots roots = {.n_given = 1};
    enum attest_stage stage = ATTEST_STAGE_INPUT;
    struct attest_verdict v;
    struct collateral c;
    struct hash32 root;
    struct err e = {0};

    CHECK_OK(fetch(s, &json, suffix, &stage, &e), &e);
    CHECK_INT(stage, ATTEST_STAGE_NONE);
    CHECK_OK(collateral_parse(&c, buf_bytes(&json), &s->a, &e), &e);
    sha256(&root, tee_sim_root(s->sim));
    roots.given = &root;
    CHECK_OK(dcap_verify_cold(&v, quote(s), &c, &roots, NOW_S, &s->a, &e), &e);
    CHECK_TRUE(v.verified);
    CHECK_MEM(c.tcb_info, bytes_str(text_of(s, "tcb_info")));
    CHECK_MEM(c.qe_identity, bytes_str(text_of(s, "qe_identity")));
}

TEST(what_a_pccs_serves_verifies_a_quote)
{
    struct service *s = start();

    check_good(s, "");
    check_good(s, "/");
    check_good(s, "/sgx" API "/");
    check_good(s, "/tdx" API);
    s->der = true;
    check_good(s, "");
    s->old_header = true;
    check_good(s, "");
    for (int i = 0; i < PARTS; i++)
        CHECK_INT(s->asked[i], 6);
    stop(s);
}

TEST(a_bad_answer_is_named_by_part_and_url)
{
    static const struct {
        enum part part;
        enum fault fault;
        enum rc rc;
        const char *piece;
    } cases[] = {
        {TCB, NO_HEADER, RC_MALFORMED, "header TCB-Info-Issuer-Chain is missing"},
        {QE, NO_HEADER, RC_MALFORMED, "header SGX-Enclave-Identity-Issuer-Chain is missing"},
        {PCK_CRL, NO_HEADER, RC_MALFORMED, "header SGX-PCK-CRL-Issuer-Chain is missing"},
        {TCB, BAD_ESCAPE, RC_MALFORMED, ""},
        {QE, ONE_CERTIFICATE, RC_MALFORMED, "holds 1 certificates"},
        {PCK_CRL, NO_CERTIFICATE, RC_MALFORMED, "no certificate"},
        {TCB, TWICE, RC_MALFORMED, "comes twice"},
        {TCB, CUT, RC_MALFORMED, ""},
        {QE, CUT, RC_MALFORMED, ""},
        {PCK_CRL, CUT, RC_MALFORMED, ""},
        {ROOT_CRL, CUT, RC_MALFORMED, ""},
        {ROOT_CRL, CUT_CONNECTION, RC_CLOSED, "cut off"},
        {TCB, HUGE_BODY, RC_LIMIT, "reply over the limit of 263168 bytes"},
        {QE, HUGE_BODY, RC_LIMIT, "reply over"},
        {PCK_CRL, HUGE_BODY, RC_LIMIT, "reply over"},
        {ROOT_CRL, HUGE_BODY, RC_LIMIT, "reply over"},
        {TCB, OTHER_MEMBER, RC_MALFORMED, "another member"},
        {TCB, NOT_FOUND, RC_NOTFOUND, "no cache for this platform"},
        {ROOT_CRL, NOT_FOUND, RC_NOTFOUND, "status 404"},
        {QE, MOVED, RC_IO, "status 302"},
        {PCK_CRL, SLOW, RC_TIMEOUT, "no answer in time"},
    };
    static const char *const stages[] = {"tcb-info", "qe-identity", "pck-crl", "root-crl"};
    static const char *const paths[] = {"/tdx" API "/tcb", "/tdx" API "/qe/identity",
                                        "/sgx" API "/pckcrl", "/sgx" API "/rootcacrl"};
    struct service *s = start();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_CLEAR(buf) struct buf json = {0};
        enum attest_stage stage = ATTEST_STAGE_NONE;
        struct err e = {0};

        s->broken = cases[i].part;
        s->fault = cases[i].fault;
        CHECK_RC(fetch(s, &json, "", &stage, &e), cases[i].rc, &e, cases[i].piece);
        CHECK_STR(attest_stage_name(stage), stages[cases[i].part]);
        if (strncmp(e.msg, stages[cases[i].part], strlen(stages[cases[i].part])) != 0 ||
            strstr(e.msg, paths[cases[i].part]) == NULL)
            t_fail(__FILE__, __LINE__, "case %zu: \"%s\"", i, e.msg);
        CHECK_INT(json.n, 0);
    }
    stop(s);
}

/* The service answers for one platform whatever it is asked for. */
TEST(another_platforms_tcb_info_is_refused)
{
    struct service *s = start();
    AUTO_CLEAR(buf) struct buf json = {0};
    enum attest_stage stage;
    struct err e = {0};

    s->other_platform = true;
    CHECK_RC(fetch(s, &json, "", &stage, &e), RC_DENIED, &e, "another platform");
    CHECK_INT(stage, ATTEST_STAGE_TCB_INFO);
    stop(s);
}

TEST(nobody_there_and_no_url)
{
    const struct pccs_source nobody = {.url = "http://127.0.0.1:1", .timeout_ms = 1000},
                             file = {.url = "file:///etc/passwd", .timeout_ms = 1000};
    const struct pccs_platform p = {.tdx = true};
    AUTO_CLEAR(buf) struct buf json = {0};
    enum attest_stage stage;
    struct err e = {0};

    CHECK_RC(pccs_fetch(&json, &nobody, &p, &stage, &e), RC_IO, &e, "tcb-info: GET http://127.");
    CHECK_RC(pccs_fetch(&json, &file, &p, &stage, &e), RC_UNSUPPORTED, &e, "only http");
    CHECK_INT(stage, ATTEST_STAGE_TCB_INFO);
}
