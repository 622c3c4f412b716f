/*~ From a quote to a verdict. The chain of belief: root -> PCK CA -> this platform's PCK
 * certificate
 * -> report of its quoting enclave -> that enclave's key -> the quote. Beside it, signed by Intel
 * under the same root: how old the platform's parts are, and who the quoting enclave must be.
 * Stages go in the order of Intel's library; *stage always names the one that is under way. */
#include "attest/internal/dcap.h"

#include "attest/internal/verdict.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "crypto/p256.h"

/* Attribute bits that are defined. Another one is a promise or a danger we cannot judge. */
#define TD_ATTR_KNOWN                                                                              \
    (TD_ATTR_DEBUG | TD_ATTR_ICSSD | TD_ATTR_LASS | TD_ATTR_SEPT_VE_DISABLE | TD_ATTR_MIGRATABLE | \
     TD_ATTR_PKS | TD_ATTR_KL | TD_ATTR_PERFMON)
/* INIT, DEBUG, MODE64BIT, PROVISIONKEY, EINITTOKENKEY, CET, KSS, AEXNOTIFY (Intel SDM 3D, table
 * "SECS.ATTRIBUTES"). */
#define SGX_FLAGS_KNOWN ((uint64_t)0x4f7)

struct work {
    struct attest_verdict *v;
    enum attest_stage stage;
    const struct dcap_collateral *c;
    struct quote q;
    struct x509_cert pck, own_ca;
    const struct x509_cert *ca; /* the collateral's, or own_ca */
    struct pck_info info;
    uint64_t now;
    struct arena *a;
};

/* ---- the platform's certificates ---------------------------------------------------------------
 */

/* The quote's chain, or the collateral's where the quote has none: leaf, CA, root. */
static enum rc chain_of(struct work *w, struct bytes ders[3], struct err *e)
{
    struct bytes pem = w->q.cert_data;
    size_t n;

    if (w->q.cert_type < QUOTE_CERT_PCK_LEAF) {
        pem = w->c->pck_chain;
        if (pem.n == 0)
            return err_set(e, RC_DENIED,
                           "the quote names its PCK certificate only, and the "
                           "collateral has no pck_certificate_chain");
    }
    TRY(x509_pem_chain(ders, &n, 3, pem, w->a, e));
    if (n == 1 && w->q.cert_type == QUOTE_CERT_PCK_LEAF) {
        ders[1] = w->c->pck_ca.der;
        ders[2] = w->c->root.der;
    } else if (n != 3 || w->q.cert_type == QUOTE_CERT_PCK_LEAF) {
        return err_set(e, RC_MALFORMED, "PCK chain of %zu certificates, expected 3", n);
    }
    return RC_OK;
}

/* The CA that issued this PCK certificate must be the one whose revocation list we have. Almost
 * always it is the very certificate that came with the list and was checked with it. */
static enum rc check_ca(struct work *w, struct bytes der, struct err *e)
{
    const struct x509_cert *known = &w->c->pck_ca;

    w->ca = known;
    if (bytes_eq(der, known->der))
        return RC_OK;
    TRY(x509_parse(&w->own_ca, der, e));
    TRY(dcap_check_pck_ca(&w->own_ca, &w->c->root, &w->c->root_crl, e));
    if (!bytes_eq(w->own_ca.subject, known->subject) || !bytes_eq(w->own_ca.key, known->key)) {
        w->stage = ATTEST_STAGE_PCK_CRL;
        return err_set(e, RC_DENIED, "the PCK revocation list is of another CA than the quote's");
    }
    w->ca = &w->own_ca;
    return RC_OK;
}

static enum rc check_pck(struct work *w, struct err *e)
{
    struct bytes ders[3];

    w->stage = ATTEST_STAGE_PCK_CHAIN;
    TRY(chain_of(w, ders, e));
    if (!bytes_eq(ders[2], w->c->root.der)) {
        w->stage = ATTEST_STAGE_ROOT;
        return err_set(e, RC_DENIED, "the quote's root certificate is not the collateral's");
    }
    TRY(check_ca(w, ders[1], e));
    TRY(x509_parse(&w->pck, ders[0], e));
    TRY(dcap_check_leaf(&w->pck, CN_PCK, e));
    TRY(x509_verify_issued(&w->pck, w->ca, e));
    TRY(pck_info_parse(&w->info, &w->pck, e));
    w->stage = ATTEST_STAGE_PCK_CRL;
    if (x509_crl_has(&w->c->pck_crl, w->pck.serial))
        return err_set(e, RC_DENIED, "the platform's PCK certificate is revoked");
    return RC_OK;
}

/* ---- dates -------------------------------------------------------------------------------------
 */

static enum rc in_window(struct work *w, enum attest_stage stage, const char *what, uint64_t from,
                         uint64_t until, struct err *e)
{
    w->stage = stage;
    if (w->v->valid_from < from)
        w->v->valid_from = from;
    if (w->v->valid_until > until)
        w->v->valid_until = until;
    if (w->now < from)
        return err_set(e, RC_DENIED, "%s is not valid before %llu (now %llu)", what,
                       (unsigned long long)from, (unsigned long long)w->now);
    if (w->now > until)
        return err_set(e, RC_DENIED, "%s expired at %llu (now %llu)", what,
                       (unsigned long long)until, (unsigned long long)w->now);
    return RC_OK;
}

static enum rc cert_in_window(struct work *w, enum attest_stage stage, const char *what,
                              const struct x509_cert *c, struct err *e)
{
    return in_window(w, stage, what, c->not_before, c->not_after, e);
}

static enum rc check_dates(struct work *w, struct err *e)
{
    const struct dcap_collateral *c = w->c;

    w->v->valid_until = UINT64_MAX;
    TRY(cert_in_window(w, ATTEST_STAGE_ROOT, "the root certificate", &c->root, e));
    TRY(cert_in_window(w, ATTEST_STAGE_PCK_CHAIN, "the PCK CA's certificate", w->ca, e));
    TRY(cert_in_window(w, ATTEST_STAGE_PCK_CHAIN, "the PCK certificate", &w->pck, e));
    TRY(in_window(w, ATTEST_STAGE_ROOT_CRL, "the root's revocation list", c->root_crl.this_update,
                  c->root_crl.next_update, e));
    TRY(cert_in_window(w, ATTEST_STAGE_PCK_CRL, "the certificate of the PCK list's issuer",
                       &c->pck_ca, e));
    TRY(in_window(w, ATTEST_STAGE_PCK_CRL, "the PCK revocation list", c->pck_crl.this_update,
                  c->pck_crl.next_update, e));
    TRY(cert_in_window(w, ATTEST_STAGE_TCB_SIGNER, "the TCB signer's certificate", &c->tcb_signer,
                       e));
    TRY(cert_in_window(w, ATTEST_STAGE_TCB_SIGNER, "the QE identity signer's certificate",
                       &c->qe_signer, e));
    TRY(in_window(w, ATTEST_STAGE_TCB_INFO, "TCB info", c->tcb_info.issued, c->tcb_info.next_update,
                  e));
    return in_window(w, ATTEST_STAGE_QE_IDENTITY, "QE identity", c->qe_identity.issued,
                     c->qe_identity.next_update, e);
}

/* ---- does the collateral belong to the quote ---------------------------------------------------
 */

/* Certification data of types 1 to 3 name the PCK certificate that came with the collateral: PPID
 * (in the clear, or encrypted for Intel), CPUSVN, PCESVN, PCEID. Raw SVNs say nothing of TCB
 * levels, which go by the certificate. Older quotes of type 1 leave PCEID out. */
static enum rc check_named_pck(struct work *w, struct err *e)
{
    static const size_t sizes[] = {0, 36, 276, 404};
    struct bytes d = w->q.cert_data;
    bool plain = w->q.cert_type == QUOTE_CERT_PPID_PLAIN;

    if (w->q.cert_type >= QUOTE_CERT_PCK_LEAF)
        return RC_OK;
    if (d.n != sizes[w->q.cert_type] && !(plain && d.n == 34))
        return err_set(e, RC_MALFORMED, "certification data of type %d with %zu bytes",
                       (int)w->q.cert_type, d.n);
    if (plain && memcmp(d.p, w->info.ppid, sizeof(w->info.ppid)) != 0)
        return err_set(e, RC_DENIED, "PPID in the quote is not the PCK certificate's");
    if (d.n != 34 && memcmp(d.p + d.n - 2, w->info.pce_id, sizeof(w->info.pce_id)) != 0)
        return err_set(e, RC_DENIED, "PCEID in the quote is not the PCK certificate's");
    return RC_OK;
}

static enum rc check_platform(struct work *w, struct err *e)
{
    const struct tcb_info *t = &w->c->tcb_info;

    w->stage = ATTEST_STAGE_TCB_INFO;
    if (t->tdx != (w->q.tee != TEE_SGX))
        return err_set(e, RC_DENIED, "TCB info is for %s, the quote is not",
                       t->tdx ? "TDX" : "SGX");
    w->stage = ATTEST_STAGE_PLATFORM;
    if (memcmp(t->fmspc, w->info.fmspc, sizeof(t->fmspc)) != 0)
        return err_set(e, RC_DENIED, "FMSPC of the platform is not that of the TCB info");
    if (memcmp(t->pce_id, w->info.pce_id, sizeof(t->pce_id)) != 0)
        return err_set(e, RC_DENIED, "PCEID of the platform is not that of the TCB info");
    return check_named_pck(w, e);
}

/* ---- the quoting enclave -----------------------------------------------------------------------
 */

static enum rc check_qe_report(struct work *w, struct err *e)
{
    static const uint8_t zero[32];
    const struct bytes parts[] = {bytes_of(w->q.att_key, 64), w->q.qe_auth_data};
    struct hash32 digest;

    w->stage = ATTEST_STAGE_QE_REPORT;
    sha256(&digest, w->q.qe_report_bytes);
    TRY(p256_verify(w->pck.key.p, &digest, w->q.qe_signature, e));
    sha256_parts(&digest, parts, ARRAY_LEN(parts));
    if (memcmp(digest.b, w->q.qe_report.report_data, 32) != 0)
        return err_set(e, RC_DENIED, "the QE report does not name the key that signs the quote");
    if (memcmp(w->q.qe_report.report_data + 32, zero, 32) != 0)
        return err_set(e, RC_DENIED, "the QE report's data has a tail that is not zero");
    return RC_OK;
}

static bool masked_eq(const uint8_t *have, const uint8_t *mask, const uint8_t *want, size_t n)
{
    uint8_t diff = 0;

    for (size_t i = 0; i < n; i++)
        diff |= (uint8_t)((have[i] & mask[i]) ^ want[i]);
    return diff == 0;
}

static enum rc check_qe(struct work *w, const struct tcb_state **level, struct err *e)
{
    const struct qe_identity *id = &w->c->qe_identity;
    const struct sgx_report *qe = &w->q.qe_report;
    uint8_t misc[4];

    w->stage = ATTEST_STAGE_QE;
    store_u32le(misc, qe->m.misc_select);
    if (!masked_eq(misc, id->misc_select_mask, id->misc_select, sizeof(misc)))
        return err_set(e, RC_DENIED, "the quoting enclave's miscselect is not Intel's");
    if (!masked_eq(qe->attributes, id->attributes_mask, id->attributes, sizeof(id->attributes)))
        return err_set(e, RC_DENIED, "the quoting enclave's attributes are not Intel's");
    if ((qe->m.flags & SGX_FLAG_DEBUG) != 0)
        return err_set(e, RC_DENIED, "the quoting enclave is a debug enclave");
    if (memcmp(qe->m.mr_signer, id->mr_signer, sizeof(id->mr_signer)) != 0)
        return err_set(e, RC_DENIED, "the quoting enclave's signer is not Intel's");
    if (qe->m.isv_prod_id != id->isv_prod_id)
        return err_set(e, RC_DENIED, "the quoting enclave's product id is %u, expected %u",
                       qe->m.isv_prod_id, id->isv_prod_id);
    *level = dcap_find_svn(id->levels, id->n_levels, qe->m.isv_svn);
    if (*level == NULL)
        return err_set(e, RC_DENIED, "no level of Intel's covers the quoting enclave's SVN %u",
                       qe->m.isv_svn);
    return RC_OK;
}

static enum rc check_quote_signature(struct work *w, struct err *e)
{
    struct hash32 digest;

    w->stage = ATTEST_STAGE_QUOTE_SIGNATURE;
    sha256(&digest, w->q.signed_part);
    return p256_verify(w->q.att_key, &digest, w->q.signature, e);
}

/* ---- the TDX module and the TCB ----------------------------------------------------------------
 */

static enum rc check_module(struct work *w, struct err *e)
{
    const struct td_measurement *td = &w->q.td;
    const struct tdx_module *m = &w->c->tcb_info.module;
    uint8_t have[8];

    w->stage = ATTEST_STAGE_TDX_MODULE;
    if (td->tee_tcb_svn[1] != 0)
        m = dcap_find_module(&w->c->tcb_info, td->tee_tcb_svn[1]);
    if (m == NULL)
        return err_set(e, RC_DENIED, "TCB info has no TDX module TDX_%02X", td->tee_tcb_svn[1]);
    if (memcmp(m->mr_signer, td->mr_signer_seam, sizeof(m->mr_signer)) != 0)
        return err_set(e, RC_DENIED, "the TDX module's signer is not Intel's");
    for (size_t i = 0; i < sizeof(have); i++)
        have[i] = (uint8_t)(td->seam_attributes >> (8 * i) & 0xff);
    if (!masked_eq(have, m->attributes_mask, m->attributes, sizeof(have)))
        return err_set(e, RC_DENIED, "the TDX module's attributes are not those of its identity");
    for (size_t i = 0; i < sizeof(have); i++)
        if ((have[i] & ~m->attributes_mask[i]) != 0)
            return err_set(e, RC_DENIED, "the TDX module has attributes outside the mask");
    return RC_OK;
}

/* Sorted and without doubles, so that equal sets are equal bytes. */
static enum rc add_advisories(struct attest_verdict *v, const struct tcb_state *s, struct err *e)
{
    for (size_t i = 0; s != NULL && i < s->n_advisories; i++) {
        char name[ATTEST_ADVISORY_SIZE] = {0};
        size_t at = v->n_advisories;
        int c = -1;

        memcpy(name, s->advisories[i].p,
               s->advisories[i].n); /* below the size: the parser's limit */
        while (at != 0 && (c = strcmp(v->advisories[at - 1], name)) > 0)
            at--;
        if (at != 0 && c == 0)
            continue;
        if (v->n_advisories == ATTEST_MAX_ADVISORIES)
            return err_set(e, RC_LIMIT, "more than %d advisories", ATTEST_MAX_ADVISORIES);
        memmove(v->advisories[at + 1], v->advisories[at],
                (v->n_advisories - at) * sizeof(v->advisories[0]));
        memcpy(v->advisories[at], name, sizeof(name));
        v->n_advisories++;
    }
    return RC_OK;
}

static void older(uint64_t *date, const struct tcb_state *s)
{
    if (s != NULL && s->date < *date)
        *date = s->date;
}

static enum tcb_status status_of(const struct tcb_state *s)
{
    return s == NULL ? TCB_STATUS_NONE : s->status;
}

static enum rc check_tcb(struct work *w, const struct tcb_state *qe, struct err *e)
{
    const struct tcb_info *t = &w->c->tcb_info;
    const uint8_t *svn = w->q.tee == TEE_SGX ? NULL : w->q.td.tee_tcb_svn;
    struct attest_verdict *v = w->v;
    struct tcb_match launch, current;

    TRY(dcap_match_tcb(&launch, t, &w->info, svn, &w->stage, e));
    v->platform_status = launch.platform->status;
    v->module_status = status_of(launch.module);
    v->qe_status = qe->status;
    v->tcb_status = dcap_merge(dcap_merge(launch.platform->status, v->module_status), qe->status);
    v->tcb_date = launch.platform->date;
    older(&v->tcb_date, launch.module);
    older(&v->tcb_date, qe);
    TRY(add_advisories(v, launch.platform, e));
    TRY(add_advisories(v, launch.module, e));
    TRY(add_advisories(v, qe, e));
    if (w->q.tee != TEE_TDX15)
        return RC_OK;
    /* After a TD-preserving update other parts run than at launch; they count as well. */
    TRY(dcap_match_tcb(&current, t, &w->info, w->q.td.tee_tcb_svn2, &w->stage, e));
    v->tcb_status = dcap_relaunch(
        v->tcb_status,
        dcap_merge(dcap_merge(current.platform->status, status_of(current.module)), qe->status));
    return RC_OK;
}

static enum rc check_attributes(struct work *w, struct err *e)
{
    uint64_t td = w->q.td.attributes & ~TD_ATTR_KNOWN, sgx = w->q.sgx.m.flags & ~SGX_FLAGS_KNOWN;

    w->stage = ATTEST_STAGE_ATTRIBUTES;
    if (w->q.tee != TEE_SGX && td != 0)
        return err_set(e, RC_DENIED, "reserved TD attributes 0x%llx are set",
                       (unsigned long long)td);
    if (w->q.tee == TEE_SGX && sgx != 0)
        return err_set(e, RC_DENIED, "reserved enclave attributes 0x%llx are set",
                       (unsigned long long)sgx);
    return RC_OK;
}

/* ---- all of it ---------------------------------------------------------------------------------
 */

static bool any_set(const uint8_t *p, size_t n)
{
    uint8_t acc = 0;

    for (size_t i = 0; i < n; i++)
        acc |= p[i];
    return acc != 0;
}

static void fill(struct work *w)
{
    const struct dcap_collateral *c = w->c;
    struct attest_verdict *v = w->v;

    v->tee = w->q.tee;
    v->root = c->root_kind;
    v->root_fingerprint = c->root_fingerprint;
    v->evaluation_number = c->tcb_info.evaluation_number < c->qe_identity.evaluation_number
                               ? c->tcb_info.evaluation_number
                               : c->qe_identity.evaluation_number;
    v->collateral_issued =
        c->tcb_info.issued < c->qe_identity.issued ? c->tcb_info.issued : c->qe_identity.issued;
    memcpy(v->fmspc, w->info.fmspc, sizeof(v->fmspc));
    memcpy(v->pce_id, w->info.pce_id, sizeof(v->pce_id));
    v->has_platform_id = any_set(w->info.ppid, sizeof(w->info.ppid));
    if (v->has_platform_id)
        sha256(&v->platform_id, BYTES_OF(&w->info.ppid));
    v->has_platform_flags = w->info.platform_ca;
    v->dynamic_platform = w->info.dynamic_platform;
    v->cached_keys = w->info.cached_keys;
    v->smt = w->info.smt;
    v->crl_checked = true;
    v->unsigned_trailing = w->q.trailing;
    memcpy(v->report_data, w->q.report_data, sizeof(v->report_data));
    if (w->q.tee == TEE_SGX) {
        v->m.sgx = w->q.sgx.m;
        v->debug = (w->q.sgx.m.flags & SGX_FLAG_DEBUG) != 0;
    } else {
        v->m.td = w->q.td;
        v->debug = (w->q.td.attributes & TD_ATTR_DEBUG) != 0;
        v->migratable = (w->q.td.attributes & TD_ATTR_MIGRATABLE) != 0;
        v->service_td = any_set(w->q.td.mr_service_td, sizeof(w->q.td.mr_service_td));
    }
}

static enum rc verify(struct work *w, struct bytes quote, struct err *e)
{
    const struct tcb_state *qe_level;

    w->stage = ATTEST_STAGE_QUOTE;
    TRY(quote_parse(&w->q, quote, e));
    TRY(check_pck(w, e));
    TRY(check_dates(w, e));
    TRY(check_platform(w, e));
    TRY(check_qe_report(w, e));
    TRY(check_qe(w, &qe_level, e));
    TRY(check_quote_signature(w, e));
    if (w->q.tee != TEE_SGX)
        TRY(check_module(w, e));
    TRY(check_tcb(w, qe_level, e));
    TRY(check_attributes(w, e));
    fill(w);
    return RC_OK;
}

enum rc dcap_verify(struct attest_verdict *out, struct bytes quote,
                    const struct dcap_collateral *collateral, uint64_t now, struct arena *a,
                    struct err *e)
{
    struct work w = {.v = out, .c = collateral, .now = now, .a = a};
    struct err why = {0};
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = verify(&w, quote, &why);
    return attest_finish(out, rc, w.stage, &why, e);
}

enum rc dcap_verify_cold(struct attest_verdict *out, struct bytes quote,
                         const struct collateral *collateral, const struct attest_roots *roots,
                         uint64_t now, struct arena *a, struct err *e)
{
    struct dcap_collateral *c = arena_alloc(a, sizeof(*c));
    enum attest_stage stage = ATTEST_STAGE_COLLATERAL;
    struct err why = {0};
    enum rc rc = dcap_collateral_prepare(c, collateral, roots, a, &stage, &why);

    memset(out, 0, sizeof(*out));
    if (rc != RC_OK)
        return attest_finish(out, rc, stage, &why, e);
    return dcap_verify(out, quote, c, now, a, e);
}

enum rc dcap_quote_platform(uint8_t fmspc[6], bool *platform_ca, struct bytes quote,
                            struct arena *a, struct err *e)
{
    struct bytes ders[3];
    struct x509_cert pck;
    struct pck_info info;
    struct quote q;
    size_t n;

    memset(fmspc, 0, 6);
    *platform_ca = false;
    TRY(quote_parse(&q, quote, e));
    if (q.cert_type < QUOTE_CERT_PCK_LEAF)
        return err_set(e, RC_NOTFOUND, "quote: it carries no PCK certificate");
    TRY(x509_pem_chain(ders, &n, ARRAY_LEN(ders), q.cert_data, a, e));
    if (n == 0)
        return err_set(e, RC_NOTFOUND, "quote: it carries no PCK certificate");
    TRY(x509_parse(&pck, ders[0], e));
    TRY(pck_info_parse(&info, &pck, e));
    memcpy(fmspc, info.fmspc, sizeof(info.fmspc));
    *platform_ca = info.platform_ca;
    return RC_OK;
}
