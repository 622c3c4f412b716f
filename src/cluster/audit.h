/* cluster/audit.h - the keys a member of the cluster gives to an auditor whom a contract's owner
 * named (docs/confidential.md, Audit). Pure but for the randomness of sealing; thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "cluster/keys.h"
#include "cluster/signed.h"
#include "crypto/secret.h"

#define AUDIT_EPOCHS_MAX 256

struct audit_context {
    uint64_t chain_id;
    struct hash32 genesis;
    struct address contract;
    uint64_t end_batch; /* of the grant */
};

/* What an auditor needs to read a contract's commands and state files: not what signs for it. */
struct audit_epoch {
    uint64_t epoch;
    struct secret32 receive, state;
};
struct audit_keys {
    struct secret32 blind;                       /* the contract's own for ever */
    struct audit_epoch epochs[AUDIT_EPOCHS_MAX]; /* rising */
    size_t n_epochs;
};
/* Wipe. */
void audit_keys_clear(struct audit_keys *k);

/* Sealed to the auditor's X25519 key. RC_MALFORMED: a key of small order. */
enum rc audit_keys_seal(struct buf *out, const struct audit_context *c, const uint8_t auditor32[32],
                        const struct audit_keys *k, struct err *e);
/* RC_DENIED: not for this key and context, or altered; RC_MALFORMED, RC_UNSUPPORTED. */
enum rc audit_keys_open(struct audit_keys *out, const struct audit_context *c,
                        const struct secret32 *auditor, struct bytes sealed, struct err *e);
/* The keys of an epoch, in the shape the rest of this module takes; sign stays zero. RC_NOTFOUND.
 */
enum rc audit_keys_of(struct contract_keys *out, const struct audit_context *c,
                      const struct audit_keys *k, uint64_t epoch, struct err *e);

/* The grant as it is sent: {"contract","auditor","end_batch","expiry","signature"}. */
struct audit_grant {
    struct address contract;
    uint8_t auditor32[32];
    uint64_t end_batch, expiry_s;
    uint8_t signature65[65];
};
void audit_grant_sign(struct audit_grant *g, const struct cluster_domain *d,
                      const struct secp_key *owner);
void audit_grant_put(struct buf *out, const struct audit_grant *g);
/* *signer is whoever signed it: the caller compares with the owner. RC_MALFORMED, RC_DENIED. */
enum rc audit_grant_parse(struct audit_grant *out, struct address *signer,
                          const struct cluster_domain *d, struct bytes json, struct err *e);
