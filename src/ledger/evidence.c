/* Host calls about attestation evidence. Only what the evidence, the collateral, the policy, the
 * roots and the time given say decides; the cache of verified collateral saves time, never changes
 * a result. */
#include "ledger/evidence.h"

#include "attest/collateral.h"
#include "attest/dcap.h"
#include "attest/policy.h"
#include "attest/record.h"
#include "attest/snp.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "sdk/hostcall.h"

_Static_assert(HOST_EVIDENCE_RECORD_HEAD == ATTEST_RECORD_HEAD, "record layout");
_Static_assert(HOST_EVIDENCE_RECORD_MAX == ATTEST_RECORD_MAX, "record layout");

/* ---- verified collateral, newest use first ---- */

enum { CACHE_MAX = 16 };

struct prepared {
    struct hash32 key; /* of the bytes and the roots */
    struct arena mem;
    struct dcap_collateral collateral;
};

struct evidence_cache {
    struct prepared *items[CACHE_MAX];
    size_t n;
};

struct evidence_cache *evidence_cache_new(void)
{
    return xcalloc(1, sizeof(struct evidence_cache));
}

static void prepared_free(struct prepared *p)
{
    arena_clear(&p->mem);
    free(p);
}

void evidence_cache_free(struct evidence_cache *c)
{
    for (size_t i = 0; i < c->n; i++)
        prepared_free(c->items[i]);
    free(c);
}

static struct prepared *cache_find(struct evidence_cache *c, const struct hash32 *key)
{
    for (size_t i = 0; i < c->n; i++) {
        struct prepared *p = c->items[i];

        if (!hash32_eq(&p->key, key))
            continue;
        memmove(&c->items[1], &c->items[0], i * sizeof(struct prepared *));
        c->items[0] = p;
        return p;
    }
    return NULL;
}

static void cache_put(struct evidence_cache *c, struct prepared *p)
{
    if (c->n == CACHE_MAX)
        prepared_free(c->items[--c->n]);
    memmove(&c->items[1], &c->items[0], c->n * sizeof(struct prepared *));
    c->items[0] = p;
    c->n++;
}

static struct hash32 cache_key(struct bytes json, const struct attest_roots *roots)
{
    struct bytes given = bytes_of(roots->given, roots->n_given * sizeof(struct hash32));
    uint8_t vendors = roots->vendors;
    struct hash32 parts[2], key;

    sha256(&parts[0], json);
    sha256_parts(&parts[1], (struct bytes[]){BYTES_OF(&vendors), given}, 2);
    sha256(&key, BYTES_OF(&parts));
    return key;
}

/* NULL: it does not verify, at *stage. */
static const struct dcap_collateral *prepare(struct evidence_cache *c, struct bytes json,
                                             const struct attest_roots *roots,
                                             enum attest_stage *stage)
{
    struct hash32 key = cache_key(json, roots);
    struct prepared *p = cache_find(c, &key);
    struct collateral parts;

    if (p != NULL)
        return &p->collateral;
    p = xcalloc(1, sizeof(*p));
    p->key = key;
    *stage = ATTEST_STAGE_COLLATERAL;
    if (collateral_parse(&parts, arena_dup(&p->mem, json), &p->mem, NULL) != RC_OK ||
        dcap_collateral_prepare(&p->collateral, &parts, roots, &p->mem, stage, NULL) != RC_OK) {
        prepared_free(p);
        return NULL;
    }
    cache_put(c, p);
    return &p->collateral;
}

/* ---- collateral ---- */

static void narrow(uint64_t window[2], uint64_t from, uint64_t until)
{
    window[0] = from > window[0] ? from : window[0];
    window[1] = until < window[1] ? until : window[1];
}

static void put_collateral(struct buf *out, const struct dcap_collateral *c)
{
    const struct tcb_info *t = &c->tcb_info;
    const struct qe_identity *q = &c->qe_identity;
    uint64_t window[2] = {0, UINT64_MAX};
    uint32_t number =
        t->evaluation_number < q->evaluation_number ? t->evaluation_number : q->evaluation_number;

    narrow(window, t->issued, t->next_update);
    narrow(window, q->issued, q->next_update);
    narrow(window, c->root_crl.this_update, c->root_crl.next_update);
    narrow(window, c->pck_crl.this_update, c->pck_crl.next_update);
    narrow(window, c->root.not_before, c->root.not_after);
    narrow(window, c->pck_ca.not_before, c->pck_ca.not_after);
    narrow(window, c->tcb_signer.not_before, c->tcb_signer.not_after);
    narrow(window, c->qe_signer.not_before, c->qe_signer.not_after);
    buf_u8(out, ATTEST_ALLOWED);
    buf_u8(out, ATTEST_STAGE_NONE);
    buf_u8(out, t->tdx);
    buf_u8(out, bytes_eq(c->pck_ca.common_name, bytes_str("Intel SGX PCK Platform CA")));
    buf_u32be(out, number);
    buf_put_bytes(out, BYTES_OF(&t->fmspc));
    buf_u16be(out, 0);
    buf_u64be(out, t->issued);
    buf_u64be(out, q->issued);
    buf_u64be(out, c->root_crl.this_update);
    buf_u64be(out, c->pck_crl.this_update);
    buf_u64be(out, window[0]);
    buf_u64be(out, window[1]);
    buf_put_bytes(out, BYTES_OF(&c->root_fingerprint));
}

void evidence_collateral(struct evidence_cache *cache, struct bytes json,
                         const struct attest_roots *roots, struct buf *out)
{
    enum attest_stage stage;
    const struct dcap_collateral *c = prepare(cache, json, roots, &stage);
    size_t n = out->n;

    if (c != NULL) {
        put_collateral(out, c);
        return;
    }
    buf_u8(out, ATTEST_NOT_VERIFIED);
    buf_u8(out, (uint8_t)stage);
    buf_put_zero(out, HOST_COLLATERAL_SIZE - (out->n - n));
}

/* ---- evidence ---- */

static void verify(struct evidence_cache *cache, const struct evidence_request *r,
                   struct attest_verdict *out, struct arena *mem)
{
    const struct dcap_collateral *c;
    struct snp_certs certs = {0};
    enum attest_stage stage;

    if (r->evidence.n == SNP_REPORT_SIZE) {
        *out = (struct attest_verdict){.stage = ATTEST_STAGE_COLLATERAL};
        if (snp_certs_from_any(&certs, r->collateral, mem, NULL) == RC_OK)
            (void)!snp_verify(out, r->evidence, &certs, &r->roots, r->now, mem, NULL);
        return;
    }
    c = prepare(cache, r->collateral, &r->roots, &stage);
    if (c == NULL)
        *out = (struct attest_verdict){.stage = stage};
    else
        (void)!dcap_verify(out, r->evidence, c, r->now, mem, NULL);
}

bool evidence_judge(struct evidence_cache *cache, const struct evidence_request *r,
                    struct buf *record)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    enum attest_outcome outcome = ATTEST_NOT_VERIFIED;
    struct attest_verdict verdict;
    struct attest_policy policy;

    if (policy_parse(&policy, r->policy, &mem, NULL) != RC_OK)
        return false;
    verify(cache, r, &verdict, &mem);
    if (verdict.verified)
        outcome = policy_check(&policy, &verdict, r->now, NULL) == RC_OK ? ATTEST_ALLOWED
                                                                         : ATTEST_REFUSED;
    attest_record_put(record, &verdict, outcome);
    return true;
}
