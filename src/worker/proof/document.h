/* worker/proof/document.h - the attestation document (reference/vana.md §6.5): signed_fields and a
 * personal_sign over their Python json.dumps text, and beside them `cloister`: an EIP-712 signature
 * of the proof signer over ContributionProof(uint256 jobId,uint256 fileId,uint256 dlpId,bytes32
 * evidenceHash), domain {Cloister, 1, chain id, TeePool}, where evidenceHash is the Keccak-256 of
 * the signed text (PROTOCOL.md P14). */
#pragma once

#include "base/buf.h"
#include "crypto/secp256k1.h"
#include "worker/proof/results.h"

struct document_input {
    uint64_t chain_id;
    struct address tee_pool;
    uint64_t job_id;
    uint64_t file_id;
    const char *file_url;
    struct address owner;
    struct hash32 encrypted_sha256;
    struct hash32 decrypted_sha256;
    const char *seed; /* may be NULL */
    struct address signer;
    const char *worker_url;
    const char *instruction;
    const char *attestation;      /* what stands behind this worker, for people */
    const char *validator_limits; /* how the validator was held: "vm", "cgroup-v1", ... */
    const char *consent;          /* "authorization" or "vana-compat" */
    bool pinned;
    uint64_t created_s;
    uint64_t duration_ms;
    const struct results *results;
};

/* Append the document's text. */
void document_encode(struct buf *out, const struct document_input *in, const struct secp_key *key);
