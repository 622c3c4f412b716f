/* Four GETs, four parts. What a PCCS answers differs in small things that are all taken: the name
 * of one header, CRLs as DER or hexadecimal text. */
#include "client/pccs.h"

#include "attest/dcap.h"
#include "base/hex.h"
#include "base/mem.h"
#include "codec/json.h"
#include "net/http_client.h"

#include <stdio.h>
#include <strings.h>

#define TIMEOUT_MS 15000
#define API "/certification/v4"

struct part {
    enum attest_stage stage;
    const char *headers[2]; /* which of them holds the issuers' chain; NULL: none does */
    size_t body_max;
};
static const struct part TCB_INFO = {
    .stage = ATTEST_STAGE_TCB_INFO,
    .headers = {"TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain"},
    .body_max = COLLATERAL_MAX_TCB_INFO_SIZE + 1024, /* and the signature around it */
};
static const struct part QE_IDENTITY = {
    .stage = ATTEST_STAGE_QE_IDENTITY,
    .headers = {"SGX-Enclave-Identity-Issuer-Chain", NULL},
    .body_max = COLLATERAL_MAX_QE_IDENTITY_SIZE + 1024,
};
static const struct part PCK_CRL = {
    .stage = ATTEST_STAGE_PCK_CRL,
    .headers = {"SGX-PCK-CRL-Issuer-Chain", NULL},
    .body_max = 2 * X509_MAX_CRL_SIZE,
};
static const struct part ROOT_CRL = {
    .stage = ATTEST_STAGE_ROOT_CRL,
    .body_max = 2 * X509_MAX_CRL_SIZE,
};

struct fetch {
    const struct pccs_source *source;
    const struct pccs_platform *platform;
    struct http_client *http;
    struct http_reply reply;
    const struct part *part; /* the one that is asked for */
    struct buf chain;        /* its header, as sent */
    struct buf url;
    struct arena mem;
    json_t *out;
    bool answered; /* what is wrong is in the answer */
};

/* ---- asking ------------------------------------------------------------------------------------
 */

static enum rc on_header(void *data, struct bytes name, struct bytes value, struct err *e)
{
    struct fetch *f = data;

    for (size_t i = 0; i < ARRAY_LEN(f->part->headers) && f->part->headers[i] != NULL; i++) {
        const char *want = f->part->headers[i];

        if (name.n != strlen(want) || strncasecmp((const char *)name.p, want, name.n) != 0)
            continue;
        if (f->chain.n != 0)
            return err_set(e, RC_MALFORMED, "the header %s comes twice", want);
        if (value.n > 3 * (size_t)X509_MAX_CHAIN_SIZE)
            return err_set(e, RC_LIMIT, "the header %s has %zu bytes, at most %zu", want, value.n,
                           3 * (size_t)X509_MAX_CHAIN_SIZE);
        buf_put_bytes(&f->chain, value);
    }
    return RC_OK;
}

/* The base without slashes at its end, and without the API's own path, which some files that name a
 * PCCS have. */
static struct bytes base_url(const char *url)
{
    static const char *const suffixes[] = {"/sgx" API, "/tdx" API};
    struct bytes b = bytes_str(url);

    while (b.n != 0 && b.p[b.n - 1] == '/')
        b.n--;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        size_t n = strlen(suffixes[i]);

        if (b.n > n && memcmp(b.p + b.n - n, suffixes[i], n) == 0)
            b.n -= n;
    }
    return b;
}

/* GET BASE + path into f->reply. */
static enum rc ask(struct fetch *f, const struct part *part, const char *path, struct err *e)
{
    struct http_call call = {.body_max = part->body_max,
                             .timeout_ms =
                                 f->source->timeout_ms != 0 ? f->source->timeout_ms : TIMEOUT_MS,
                             .on_header = on_header,
                             .on_header_data = f};

    f->part = part;
    f->answered = false;
    buf_reset(&f->chain);
    buf_reset(&f->url);
    buf_put_bytes(&f->url, base_url(f->source->url));
    buf_put_str(&f->url, path);
    call.url = buf_cstr(&f->url);
    TRY(http_client_do(f->http, &f->reply, &call, e));
    f->answered = true;
    return RC_OK;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static enum rc put_text(struct fetch *f, const char *key, struct bytes text, struct err *e)
{
    json_t *v = json_stringn((const char *)text.p, text.n);

    if (v == NULL)
        return err_set(e, RC_MALFORMED, "%s is not UTF-8", key);
    CHECK(json_object_set_new(f->out, key, v) == 0);
    return RC_OK;
}

static void put_hex(struct fetch *f, const char *key, struct bytes data)
{
    char *text = arena_alloc(&f->mem, 2 * data.n + 1);

    hex_encode(text, data);
    CHECK(json_object_set_new(f->out, key, json_string(text)) == 0);
}

/* The issuers' chain out of the header: certificates, and two of them. */
static enum rc take_chain(struct fetch *f, const char *key, struct err *e)
{
    AUTO_CLEAR(buf) struct buf pem = {0};
    struct bytes ders[X509_MAX_CHAIN];
    struct x509_cert cert;
    size_t n;

    if (f->chain.n == 0)
        return err_set(e, RC_MALFORMED, "the header %s is missing", f->part->headers[0]);
    TRY(http_url_unescape(&pem, buf_bytes(&f->chain), false, e));
    TRY(x509_pem_chain(ders, &n, ARRAY_LEN(ders), buf_bytes(&pem), &f->mem, e));
    if (n != 2)
        return err_set(e, RC_MALFORMED, "the header %s holds %zu certificates, expected 2",
                       f->part->headers[0], n);
    for (size_t i = 0; i < n; i++)
        TRY(x509_parse(&cert, ders[i], e));
    return put_text(f, key, buf_bytes(&pem), e);
}

static enum rc take_signed(struct fetch *f, struct bytes *body, const char *member, const char *key,
                           const char *signature_key, struct err *e)
{
    uint8_t signature[64];

    TRY(collateral_cut_signed(body, signature, buf_bytes(&f->reply.body), member, e));
    *body = arena_dup(&f->mem, *body);
    put_hex(f, signature_key, BYTES_OF(&signature));
    return put_text(f, key, *body, e);
}

static enum rc take_tcb_info(struct fetch *f, struct err *e)
{
    struct tcb_info info;
    struct bytes body;

    TRY(take_chain(f, "tcb_info_issuer_chain", e));
    TRY(take_signed(f, &body, "tcbInfo", "tcb_info", "tcb_info_signature", e));
    TRY(tcb_info_parse(&info, body, &f->mem, e));
    if (info.tdx != f->platform->tdx ||
        memcmp(info.fmspc, f->platform->fmspc, sizeof(info.fmspc)) != 0)
        return err_set(e, RC_DENIED, "the TCB info is for another platform than was asked for");
    return RC_OK;
}

static enum rc take_qe_identity(struct fetch *f, struct err *e)
{
    struct qe_identity id;
    struct bytes body;

    TRY(take_chain(f, "qe_identity_issuer_chain", e));
    TRY(take_signed(f, &body, "enclaveIdentity", "qe_identity", "qe_identity_signature", e));
    TRY(qe_identity_parse(&id, body, &f->mem, e));
    if (id.tdx != f->platform->tdx)
        return err_set(e, RC_DENIED, "the identity is of the other kind of quoting enclave");
    return RC_OK;
}

static struct bytes trim(struct bytes t)
{
    while (t.n != 0 && t.p[t.n - 1] <= ' ')
        t.n--;
    while (t.n != 0 && t.p[0] <= ' ')
        t = bytes_of(t.p + 1, t.n - 1);
    return t;
}

static enum rc take_crl(struct fetch *f, const char *key, struct err *e)
{
    struct bytes in = buf_bytes(&f->reply.body), text = trim(in);
    AUTO_CLEAR(buf) struct buf der = {0};
    struct x509_crl crl;

    if (in.n != 0 && in.p[0] == 0x30 && in.n > 1 && in.p[1] >= 0x80)
        buf_put_bytes(&der, in);
    else
        TRY(hex_decode(&der, text, X509_MAX_CRL_SIZE, e));
    TRY(x509_crl_parse(&crl, buf_bytes(&der), &f->mem, e));
    put_hex(f, key, buf_bytes(&der));
    return RC_OK;
}

/* ---- the four parts ----------------------------------------------------------------------------
 */

static enum rc get_tcb_info(struct fetch *f, struct err *e)
{
    char fmspc[2 * sizeof(f->platform->fmspc) + 1], path[80];

    hex_encode(fmspc, BYTES_OF(&f->platform->fmspc));
    (void)snprintf(path, sizeof(path), "/%s" API "/tcb?fmspc=%s", f->platform->tdx ? "tdx" : "sgx",
                   fmspc);
    TRY(ask(f, &TCB_INFO, path, e));
    return take_tcb_info(f, e);
}

static enum rc get_qe_identity(struct fetch *f, struct err *e)
{
    TRY(ask(f, &QE_IDENTITY,
            f->platform->tdx ? "/tdx" API "/qe/identity" : "/sgx" API "/qe/identity", e));
    return take_qe_identity(f, e);
}

static enum rc get_pck_crl(struct fetch *f, struct err *e)
{
    TRY(ask(f, &PCK_CRL,
            f->platform->platform_ca ? "/sgx" API "/pckcrl?ca=platform&encoding=der"
                                     : "/sgx" API "/pckcrl?ca=processor&encoding=der",
            e));
    TRY(take_chain(f, "pck_crl_issuer_chain", e));
    return take_crl(f, "pck_crl", e);
}

static enum rc get_root_crl(struct fetch *f, struct err *e)
{
    TRY(ask(f, &ROOT_CRL, "/sgx" API "/rootcacrl", e));
    return take_crl(f, "root_ca_crl", e);
}

static enum rc fetch_all(struct fetch *f, struct buf *json, struct err *e)
{
    TRY(get_tcb_info(f, e));
    TRY(get_qe_identity(f, e));
    TRY(get_pck_crl(f, e));
    TRY(get_root_crl(f, e));
    json_put(json, f->out);
    return RC_OK;
}

enum rc pccs_fetch(struct buf *json, const struct pccs_source *source,
                   const struct pccs_platform *platform, enum attest_stage *stage, struct err *e)
{
    struct fetch f = {.source = source,
                      .platform = platform,
                      .part = &TCB_INFO,
                      .http = http_client_new(),
                      .out = json_object()};
    enum rc rc = fetch_all(&f, json, e);

    if (stage != NULL)
        *stage = rc == RC_OK ? ATTEST_STAGE_NONE : f.part->stage;
    if (rc != RC_OK && f.answered) /* a call's own failure names its URL */
        (void)err_wrap(e, rc, "GET %.*s", (int)strcspn(buf_cstr(&f.url), "?"), buf_cstr(&f.url));
    if (rc != RC_OK)
        (void)err_wrap(e, rc, "%s", attest_stage_name(f.part->stage));
    json_decref(f.out);
    arena_clear(&f.mem);
    buf_clear(&f.url);
    buf_clear(&f.chain);
    http_reply_clear(&f.reply);
    http_client_free(f.http);
    return rc;
}

enum rc pccs_platform_of(struct pccs_platform *out, struct bytes quote, struct arena *a,
                         struct err *e)
{
    struct quote q;

    TRY(quote_parse(&q, quote, e));
    TRY(dcap_quote_platform(out->fmspc, &out->platform_ca, quote, a, e));
    out->tdx = q.tee != TEE_SGX;
    return RC_OK;
}
