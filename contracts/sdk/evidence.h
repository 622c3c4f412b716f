/* sdk/evidence.h - verify attestation evidence and its collateral. What the host checks and the
 * form of its answers: sdk/hostcall.h, docs/attestation.md. */
#pragma once

#include "sdk/contract.h"

/* SHA-256 of root certificates that are believed besides Intel's and AMD's. */
typedef struct {
    const bytes32 *given;
    u64 n; /* at most HOST_EVIDENCE_ROOTS_MAX */
    bool vendors;
} evidence_roots;

typedef struct {
    bool verified;
    u64 stage; /* where it failed */
    bool tdx, platform_ca;
    u64 evaluation_number;
    u8 fmspc[6];
    u64 tcb_issued, qe_issued, root_crl_issued, pck_crl_issued;
    u64 valid_from, valid_until;
    bytes32 root;
} collateral_facts;

enum evidence_outcome { EVIDENCE_ALLOWED, EVIDENCE_REFUSED, EVIDENCE_NOT_VERIFIED };

typedef struct {
    u64 outcome;
    u64 stage; /* where it failed */
    u64 tee, root_kind, tcb_status;
    bool debug, has_platform, given_root;
    u64 evaluation_number;
    u64 valid_from, valid_until, tcb_date, collateral_issued;
    bytes32 platform, measurement, root;
    u8 report_data[64];
    str advisories; /* separated by commas */
} evidence_facts;

UNUSED_OK u64 evidence_word(const u8 *p, u64 n)
{
    u64 v = 0;

    for (u64 i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

UNUSED_OK collateral_facts verify_collateral(str json, evidence_roots roots)
{
    u64 request[HOST_COLLATERAL_REQUEST_WORDS] = {(u64)json.p, json.n, (u64)roots.given, roots.n,
                                                  roots.vendors};
    u8 a[HOST_COLLATERAL_SIZE];
    collateral_facts f = {0};

    if (HOST2(HOST_VERIFY_COLLATERAL, request, a) != 0)
        return f;
    f.verified = a[0] == EVIDENCE_ALLOWED;
    f.stage = a[1];
    f.tdx = a[2] == 1;
    f.platform_ca = a[3] == 1;
    f.evaluation_number = evidence_word(a + 4, 4);
    memcpy(f.fmspc, a + 8, 6);
    f.tcb_issued = evidence_word(a + 16, 8);
    f.qe_issued = evidence_word(a + 24, 8);
    f.root_crl_issued = evidence_word(a + 32, 8);
    f.pck_crl_issued = evidence_word(a + 40, 8);
    f.valid_from = evidence_word(a + 48, 8);
    f.valid_until = evidence_word(a + 56, 8);
    memcpy(&f.root, a + 64, 32);
    return f;
}

/* False: the policy is no policy. */
[[nodiscard]] UNUSED_OK bool verify_evidence(str evidence, str collateral, str policy,
                                             evidence_roots roots, u64 now, evidence_facts *f)
{
    u64 request[HOST_EVIDENCE_REQUEST_WORDS] = {
        (u64)evidence.p, evidence.n,       (u64)collateral.p, collateral.n,  (u64)policy.p,
        policy.n,        (u64)roots.given, roots.n,           roots.vendors, now};
    u8 *a = alloc(HOST_EVIDENCE_RECORD_MAX);
    long n = HOST3(HOST_VERIFY_EVIDENCE, request, a, HOST_EVIDENCE_RECORD_MAX);

    if (n < HOST_EVIDENCE_RECORD_HEAD)
        return false;
    f->outcome = a[0];
    f->stage = a[1];
    f->tee = a[2];
    f->root_kind = a[3];
    f->tcb_status = a[4];
    f->debug = (a[5] & 1) != 0;
    f->has_platform = (a[5] & 8) != 0;
    f->given_root = (a[5] & 16) != 0;
    f->evaluation_number = evidence_word(a + 8, 4);
    f->valid_from = evidence_word(a + 16, 8);
    f->valid_until = evidence_word(a + 24, 8);
    f->tcb_date = evidence_word(a + 32, 8);
    f->collateral_issued = evidence_word(a + 40, 8);
    memcpy(&f->platform, a + 48, 32);
    memcpy(&f->measurement, a + 80, 32);
    memcpy(f->report_data, a + 112, 64);
    memcpy(&f->root, a + 176, 32);
    f->advisories = (str){a + HOST_EVIDENCE_RECORD_HEAD, evidence_word(a + 6, 2)};
    return true;
}
