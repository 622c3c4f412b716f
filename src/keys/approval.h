/* keys/approval.h - what people sign so that keepers give more keys (PROTOCOL P6, P13): approvals
 * of measurements, of an application's versions, of code over a pool's data. The chain carries them
 * but cannot make them: keepers check the signatures themselves. EIP-712, domain {"Cloister", "1",
 * chain id, the Gatekeepers contract}. Pure; thread-safe. */
#pragma once

#include "base/err.h"
#include "crypto/secp256k1.h"
#include "keys/purpose.h"

#define AUTHORITY_MAX 32

/* m of these n accounts decide. */
struct authority {
    uint32_t m, n;
    struct address members[AUTHORITY_MAX]; /* strictly rising */
};
/* RC_RANGE, RC_MALFORMED: 1 <= m <= n <= 32, m more than half of n, members strictly rising. */
enum rc authority_check(const struct authority *a, struct err *e);
/* keccak256(lp(label) | u8 m | u8 n | members): names an authority where a key is bound to one. */
void authority_hash(struct hash32 *out, const struct authority *a);

struct approval_sigs {
    struct secp_sig sigs[AUTHORITY_MAX];
    uint32_t n;
};
/* m distinct members signed digest. RC_DENIED: fewer; a signature by nobody of them, or twice by
 * one, refuses all. */
enum rc approval_verify(const struct authority *a, const struct hash32 *digest,
                        const struct approval_sigs *s, struct err *e);

/* Where signed words count: chain and contracts. */
struct approval_domain {
    uint64_t chain_id;
    struct address gatekeepers, council, workers;
};

/* The council's action (chain/council.h) that allows a measurement:
 * Workers.allowMeasurement(measurement, roles, label) with a bit 1 << role for each role; for
 * ROLE_APP (that bit alone) Gatekeepers.allowApp(measurement, label). Ids of actions rise. */
struct measurement_approval {
    uint64_t id;
    struct hash32 measurement;
    uint64_t roles;
    struct bytes label;
};
void measurement_approval_digest(struct hash32 *out, const struct approval_domain *d,
                                 const struct measurement_approval *a);

/* A keeper's view of the council follows it from genesis on by signatures alone: Council.setMembers
 * (members, threshold), action `id`, signed by the members before. members in the order of the
 * call. *last_id: of the last change taken, 0 at genesis. RC_DENIED: not signed, or not after the
 * last. RC_RANGE, RC_MALFORMED: no authority. What former members allowed counts no more for
 * keepers: who left could still sign in the name of the past. */
enum rc authority_follow(struct authority *a, uint64_t *last_id, const struct approval_domain *d,
                         uint64_t id, const struct address *members, uint32_t n, uint32_t threshold,
                         const struct approval_sigs *s, struct err *e);

/* AppApproval(address app,bytes32 composeHash,bytes32 device,bool requireUpToDate,uint256 expiry),
 * signed by the application's owner. device zero: any. */
struct app_approval {
    struct address app;
    struct hash32 compose_hash;
    struct hash32 device;
    bool require_up_to_date;
    uint64_t expiry_s;
};
void app_approval_digest(struct hash32 *out, const struct approval_domain *d,
                         const struct app_approval *a);
/* The id of an application with an owner: last 20 bytes of keccak256(lp(label) | lp(owner) |
 * lp(salt)). An application without one has the first 20 bytes of its compose hash, and never
 * another version. Either way nobody but the owner can widen what gets its keys. */
void app_id_of_owner(struct address *out, const struct address *owner, const struct hash32 *salt);

/* CodeApproval(address pool,bytes32 codeHash,bytes32 parameters,bytes32 outputSchema,string
 * buyerClass,uint256 expiry), signed by the pool's authority (PROTOCOL P26). */
struct code_approval {
    struct address pool;
    struct hash32 code_hash, parameters, output_schema;
    struct bytes buyer_class;
    uint64_t expiry_s;
};
void code_approval_digest(struct hash32 *out, const struct approval_domain *d,
                          const struct code_approval *a);
