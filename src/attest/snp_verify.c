/* From a SEV-SNP report to a verdict: ARK -> ASK -> VCEK (this chip's key) -> report, or
 * ARK -> ASVK -> VLEK (a cloud's key) -> report. */
#include "attest/internal/snp.h"
#include "attest/internal/verdict.h"
#include "base/mem.h"
#include "codec/der.h"
#include "crypto/hash.h"
#include "crypto/p384.h"

#define HWID_SIZE 64
#define HWID_SIZE_TURIN 8

enum product { MILAN, GENOA, TURIN };
static const char *const PRODUCTS[] = {"Milan", "Genoa", "Turin"};

struct work {
    struct attest_verdict *v;
    enum attest_stage stage;
    struct snp_report r;
    struct x509_cert leaf, ask, ark;
    struct x509_crl crl;
    enum product product;
    uint64_t now;
    struct arena *a;
};

/* prefix followed by a product's name, whole. */
static bool find_product(enum product *out, struct bytes cn, const char *prefix)
{
    size_t n = strlen(prefix);

    for (size_t i = 0; i < ARRAY_LEN(PRODUCTS); i++)
        if (cn.n > n && memcmp(cn.p, prefix, n) == 0 &&
            bytes_eq(bytes_of(cn.p + n, cn.n - n), bytes_str(PRODUCTS[i]))) {
            *out = (enum product)i;
            return true;
        }
    return false;
}

static enum rc check_root(struct work *w, const struct attest_roots *roots, struct bytes der,
                          struct err *e)
{
    static const enum attest_root pinned[] = {ATTEST_ROOT_AMD_MILAN, ATTEST_ROOT_AMD_GENOA,
                                              ATTEST_ROOT_AMD_TURIN};

    w->stage = ATTEST_STAGE_ROOT;
    if (der.n == 0)
        return err_set(e, RC_DENIED, "the root certificate (ARK) is missing");
    TRY(x509_parse(&w->ark, der, e));
    sha256(&w->v->root_fingerprint, der);
    w->v->root = attest_root_find(roots, &w->v->root_fingerprint);
    if (w->v->root == ATTEST_ROOT_NONE)
        return err_set(e, RC_DENIED, "the root certificate is not a trusted one");
    if (!find_product(&w->product, w->ark.common_name, SNP_CN_ARK))
        return err_set(e, RC_UNSUPPORTED, "the root certificate names no product we know");
    if (w->v->root != ATTEST_ROOT_GIVEN && w->v->root != pinned[w->product])
        return err_set(e, RC_DENIED, "the root certificate is not an ARK");
    if (!bytes_eq(w->ark.issuer,
                  w->ark.subject)) /* its fingerprint is pinned: no signature to check */
        return err_set(e, RC_DENIED, "the root certificate names another issuer");
    return RC_OK;
}

static enum rc check_crl(struct work *w, struct bytes der, struct err *e)
{
    if (der.n == 0)
        return RC_OK;
    TRY(x509_crl_parse(&w->crl, der, w->a, e));
    TRY(x509_crl_verify(&w->crl, &w->ark, e));
    if (x509_crl_has(&w->crl, w->ask.serial))
        return err_set(e, RC_DENIED, "the intermediate certificate (ASK or ASVK) is revoked");
    w->v->crl_checked = true;
    return RC_OK;
}

static enum rc check_chain(struct work *w, const struct snp_certs *certs, struct err *e)
{
    bool vlek = w->r.m.vlek;
    enum product product;

    w->stage = ATTEST_STAGE_SNP_CHAIN;
    if (certs->leaf.n == 0 || certs->ask.n == 0)
        return err_set(e, RC_DENIED, "the %s certificate is missing",
                       certs->leaf.n == 0 ? "VCEK or VLEK" : "ASK or ASVK");
    TRY(x509_parse(&w->ask, certs->ask, e));
    if (!find_product(&product, w->ask.common_name, vlek ? SNP_CN_ASVK : SNP_CN_ASK) ||
        product != w->product)
        return err_set(e, RC_DENIED, "the intermediate certificate is not the %s of %s",
                       vlek ? "ASVK" : "ASK", PRODUCTS[w->product]);
    TRY(x509_verify_issued(&w->ask, &w->ark, e));
    TRY(x509_parse(&w->leaf, certs->leaf, e));
    if (!bytes_eq(w->leaf.common_name, bytes_str(vlek ? SNP_CN_VLEK : SNP_CN_VCEK)))
        return err_set(e, RC_DENIED, "the report is signed by a %s, the certificate is another's",
                       vlek ? "VLEK" : "VCEK");
    if (w->leaf.is_ca || w->leaf.key_type != X509_KEY_P384)
        return err_set(e, RC_DENIED, "the %s certificate is a CA's, or its key is not P-384",
                       vlek ? "VLEK" : "VCEK");
    TRY(x509_verify_issued(&w->leaf, &w->ask, e));
    return check_crl(w, certs->crl, e);
}

static enum rc in_window(struct work *w, enum attest_stage stage, const char *what, uint64_t from,
                         uint64_t until, struct err *e)
{
    w->stage = stage;
    if (w->v->valid_from < from)
        w->v->valid_from = from;
    if (w->v->valid_until > until)
        w->v->valid_until = until;
    if (w->now < from || w->now > until)
        return err_set(e, RC_DENIED, "%s is valid from %llu to %llu (now %llu)", what,
                       (unsigned long long)from, (unsigned long long)until,
                       (unsigned long long)w->now);
    return RC_OK;
}

static enum rc check_dates(struct work *w, struct err *e)
{
    w->v->valid_until = UINT64_MAX;
    TRY(in_window(w, ATTEST_STAGE_ROOT, "the root certificate", w->ark.not_before, w->ark.not_after,
                  e));
    TRY(in_window(w, ATTEST_STAGE_SNP_CHAIN, "the intermediate certificate", w->ask.not_before,
                  w->ask.not_after, e));
    TRY(in_window(w, ATTEST_STAGE_SNP_CHAIN, "the VCEK or VLEK certificate", w->leaf.not_before,
                  w->leaf.not_after, e));
    if (!w->v->crl_checked)
        return RC_OK;
    return in_window(w, ATTEST_STAGE_SNP_CHAIN, "the revocation list", w->crl.this_update,
                     w->crl.next_update, e);
}

/* ---- the leaf's extensions: 1.3.6.1.4.1.3704.1.x ------------------------------------------------
 */

static bool extension(struct bytes *value, const struct x509_cert *c, uint8_t n, uint8_t sub)
{
    uint8_t oid[] = {0x2b, 6, 1, 4, 1, 0x9c, 0x78, 1, n, sub};

    return x509_extension(value, c, bytes_of(oid, sub == 0 ? sizeof(oid) - 1 : sizeof(oid)));
}

static enum rc read_spl(const struct x509_cert *c, uint8_t sub, uint8_t *out, struct err *e)
{
    struct bytes value;
    struct reader r;

    *out = 0;
    if (!extension(&value, c, 3, sub))
        return err_set(e, RC_MALFORMED,
                       "certificate without security version 1.3.6.1.4.1.3704.1.3.%u", sub);
    r = reader_init(value);
    *out = (uint8_t)der_u64(&r, DER_INTEGER, 255);
    return reader_done(&r, "security version", e);
}

/* The TCB version the certificate was made for, as a report would hold it. */
static enum rc cert_tcb(const struct work *w, uint64_t *raw, struct err *e)
{
    /* Extension numbers of the eight bytes. Turin has a first part more and lacks one of the spare.
     */
    static const uint8_t order[2][8] = {{1, 2, 4, 5, 6, 7, 3, 8}, {9, 1, 2, 3, 5, 6, 7, 8}};

    *raw = 0;
    for (size_t i = 0; i < 8; i++) {
        uint8_t spl;

        TRY(read_spl(&w->leaf, order[w->product == TURIN][i], &spl, e));
        *raw |= (uint64_t)spl << (8 * i);
    }
    return RC_OK;
}

static enum rc check_product(struct work *w, struct err *e)
{
    struct bytes value, name;
    struct reader r;
    size_t n = strlen(PRODUCTS[w->product]);
    uint8_t f = w->r.cpuid_family, m = w->r.cpuid_model;
    enum product by_cpuid = f == 0x1a ? TURIN : m <= 0x0f ? MILAN : GENOA;
    bool known = f == 0x19 ? m <= 0x1f || (m >= 0xa0 && m <= 0xaf) : f == 0x1a && m <= 0x11;

    w->stage = ATTEST_STAGE_SNP_TCB;
    if (!extension(&value, &w->leaf, 2, 0))
        return err_set(e, RC_MALFORMED, "certificate without a product name");
    r = reader_init(value);
    name = der_take(&r, DER_IA5_STRING);
    TRY(reader_done(&r, "product name", e));
    /* "Milan", or with a stepping, "Milan-B0". */
    if (name.n < n || memcmp(name.p, PRODUCTS[w->product], n) != 0 ||
        (name.n > n && name.p[n] != '-'))
        return err_set(e, RC_DENIED, "the certificate is of another product than its root");
    if (w->r.m.version < 3)
        return w->product != TURIN
                   ? RC_OK
                   : err_set(e, RC_DENIED, "a report of version 2 does not exist for Turin");
    if (!known)
        return err_set(e, RC_UNSUPPORTED, "processor family 0x%x model 0x%x is unknown", f, m);
    if (by_cpuid != w->product)
        return err_set(e, RC_DENIED, "the report is of a %s, its certificate of a %s",
                       PRODUCTS[by_cpuid], PRODUCTS[w->product]);
    return RC_OK;
}

static enum rc check_chip(struct work *w, struct err *e)
{
    size_t size = w->product == TURIN ? HWID_SIZE_TURIN : HWID_SIZE;
    uint8_t padded[HWID_SIZE] = {0};
    struct bytes hwid;

    if (w->r.m.vlek)
        return RC_OK; /* a cloud's key: no chip */
    if (w->r.mask_chip_key)
        return err_set(e, RC_DENIED, "the report's key is masked");
    if (!extension(&hwid, &w->leaf, 4, 0))
        return err_set(e, RC_MALFORMED, "certificate without a chip id");
    /* Bare bytes, as AMD writes it, or an OCTET STRING of exactly them. */
    if (hwid.n == size + 2 && hwid.p[0] == DER_OCTET_STRING && hwid.p[1] == size)
        hwid = bytes_of(hwid.p + 2, size);
    if (hwid.n != size)
        return err_set(e, RC_MALFORMED, "chip id of %zu bytes, expected %zu", hwid.n, size);
    memcpy(padded, hwid.p, size);
    if (memcmp(padded, w->r.chip_id, sizeof(padded)) != 0)
        return err_set(e, RC_DENIED, "the certificate is of another chip than the report");
    return RC_OK;
}

static bool tcb_le(const struct snp_tcb *x, const struct snp_tcb *y)
{
    return x->fmc <= y->fmc && x->boot_loader <= y->boot_loader && x->tee <= y->tee &&
           x->snp <= y->snp && x->microcode <= y->microcode;
}

static enum rc check_tcb(struct work *w, struct err *e)
{
    uint64_t raw;

    TRY(check_product(w, e));
    TRY(check_chip(w, e));
    TRY(cert_tcb(w, &raw, e));
    if (raw != w->r.reported_raw)
        return err_set(e, RC_DENIED, "reported TCB 0x%016llx, the certificate is for 0x%016llx",
                       (unsigned long long)w->r.reported_raw, (unsigned long long)raw);
    if (!tcb_le(&w->r.m.committed, &w->r.m.current))
        return err_set(e, RC_DENIED, "the committed TCB is above the current one");
    return RC_OK;
}

static enum rc check_signature(struct work *w, struct err *e)
{
    uint8_t digest[48];

    w->stage = ATTEST_STAGE_SNP_SIGNATURE;
    sha384(digest, w->r.signed_part);
    return p384_verify(w->leaf.key.p, bytes_of(digest, sizeof(digest)), w->r.signature, e);
}

static void fill(struct work *w)
{
    static const uint8_t zero[64];
    struct attest_verdict *v = w->v;

    v->tee = TEE_SNP;
    v->m.snp = w->r.m;
    memcpy(v->report_data, w->r.report_data, sizeof(v->report_data));
    v->debug = (w->r.m.policy & SNP_POLICY_DEBUG) != 0;
    v->migratable = (w->r.m.policy & SNP_POLICY_MIGRATE_MA) != 0;
    v->has_platform_flags = true;
    v->smt = (w->r.m.platform_info & SNP_PLATFORM_SMT) != 0;
    v->has_platform_id = memcmp(w->r.chip_id, zero, sizeof(zero)) != 0;
    if (v->has_platform_id)
        sha256(&v->platform_id, BYTES_OF(&w->r.chip_id));
}

static enum rc verify(struct work *w, struct bytes report, const struct snp_certs *certs,
                      const struct attest_roots *roots, struct err *e)
{
    w->stage = ATTEST_STAGE_QUOTE;
    TRY(snp_report_parse(&w->r, report, e));
    w->stage = ATTEST_STAGE_REPORT;
    if (w->r.signing_key != SNP_KEY_VCEK && w->r.signing_key != SNP_KEY_VLEK)
        return err_set(e, RC_DENIED, "the report is signed by key %u, neither VCEK nor VLEK",
                       w->r.signing_key);
    TRY(check_root(w, roots, certs->ark, e));
    TRY(check_chain(w, certs, e));
    TRY(check_dates(w, e));
    TRY(check_signature(w, e));
    TRY(check_tcb(w, e));
    fill(w);
    return RC_OK;
}

enum rc snp_verify(struct attest_verdict *out, struct bytes report, const struct snp_certs *certs,
                   const struct attest_roots *roots, uint64_t now, struct arena *a, struct err *e)
{
    struct work w = {.v = out, .now = now, .a = a};
    struct err why = {0};
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = verify(&w, report, certs, roots, &why);
    return attest_finish(out, rc, w.stage, &why, e);
}
