/* chain/contribution.h - the messages and keys of a contribution, as owner, worker and verifier
 * must spell them alike: seed message, wrapped file key, the owner's authorization of a run, the
 * hash a proof is signed over. Pure; thread-safe. docs/protocol.md has the formats. */
#pragma once

#include "base/buf.h"
#include "base/u256.h"
#include "crypto/random.h"
#include "crypto/secp256k1.h"
#include "crypto/secret.h"

/* ---- seed and file key (reference: Vana SDK; one seed a file) ---- */

/* Vana's text; alone, it is the seed of its clients' files. */
#define SEED_TEXT "Please sign to retrieve your encryption key"
#define FILE_KEY_SIZE 132 /* characters: "0x" and 130 hexadecimal digits of a signature */

/* Append SEED_TEXT "\nchain: <decimal>\nfile: <64 hexadecimal digits>" with a random last part, so
 * that a signature opens this file and no other. rng NULL: the system's. */
void seed_message_new(struct buf *out, uint64_t chain_id, const struct rng *rng);
/* The file key: the text of the owner's personal_sign over the seed message. Appended to out. */
void file_key_derive(struct secbuf *out, const struct secp_key *owner, struct bytes seed);
/* Who signed `seed` to get this key. RC_MALFORMED: not a key text; RC_DENIED: no signer. */
enum rc file_key_owner(struct address *out, struct bytes file_key, struct bytes seed,
                       struct err *e);

/* ---- wrapped file key ----
 * HPKE with info "cloister/wrapped-key/v1" and AAD the length-prefixed (u32be) fields {chain id
 * u64be, file CID text, owner, grantee, purpose, epoch u64be}; text "hpke1:" and lower-case hex. */

struct wrap_context {
    uint64_t chain_id;
    const char *file_cid; /* text of the CID, without ipfs:// */
    struct address owner;
    struct address grantee;
    const char *purpose; /* WRAP_* */
    uint64_t epoch;
};
#define WRAP_RUN_PROOF "run-proof" /* grantee: the worker; epoch: the job */
#define WRAP_POOL "pool"           /* grantee: the pool's contract; epoch 0 */

/* RC_MALFORMED: the grantee's key is not a usable X25519 key. rng NULL: the system's. */
enum rc key_wrap(struct buf *out, const uint8_t grantee_x25519[32], const struct wrap_context *ctx,
                 struct bytes file_key, const struct rng *rng, struct err *e);
/* RC_MALFORMED: not this form; RC_DENIED: another key, or wrapped for another context. */
enum rc key_unwrap(struct secbuf *out, const struct secret32 *key, const struct wrap_context *ctx,
                   struct bytes text, struct err *e);
bool key_is_wrapped(struct bytes text); /* begins with "hpke1:" */

/* A receive key as TeeInfo.publicKey and DataLiquidityPool.publicKey carry it. */
enum receive_key_kind { RECEIVE_X25519, RECEIVE_SECP256K1 };
struct receive_key {
    enum receive_key_kind kind;
    uint8_t x25519[32];
    struct secp_pub secp;
};
/* "x25519:" and 64 digits; or hexadecimal of a secp256k1 point in 33, 64 or 65 bytes. RC_MALFORMED.
 */
enum rc receive_key_parse(struct receive_key *out, struct bytes text, struct err *e);
void receive_key_put_x25519(struct buf *out, const uint8_t key[32]);

/* ---- the owner's authorization of one run (EIP-712) ----
 * Domain {name "Cloister", version "1", chainId, verifyingContract TeePool}; type
 * RunAuthorization(uint256 jobId,uint256 fileId,string fileCid,uint256 dlpId,string validator,
 * bytes32 envHash,address worker,uint256 expiry). */

struct run_authorization {
    uint64_t chain_id;
    struct address tee_pool;
    uint64_t job_id;
    uint64_t file_id;
    struct bytes file_cid; /* text, without ipfs:// */
    uint64_t dlp_id;
    struct bytes validator; /* the pool's proofInstruction */
    struct hash32
        env_hash; /* Keccak-256 of env_vars as canonical JSON (json_python_dumps), "{}" if none */
    struct address worker;
    uint64_t expiry_s; /* Unix seconds */
};
void run_authorization_digest(struct hash32 *out, const struct run_authorization *a);

/* The 32 bytes that pin a validator: of "…#sha256=<hex>" these, of "ipfs://CID" the CID's SHA-256
 * digest. An image's keys are under this name (docs/keys.md). RC_UNSUPPORTED: not pinned. */
enum rc validator_digest(struct hash32 *out, struct bytes instruction, struct err *e);

/* ---- proof of contribution ---- */

struct proof_fields {
    struct bytes file_url; /* as in the registry */
    struct u256 score;     /* 1e18 is one */
    struct u256 dlp_id;
    struct bytes metadata;
    struct bytes proof_url;
    struct bytes instruction;
};
/* EIP-191 digest of Keccak-256 of the packed fields: what Proof.signature signs. */
void proof_digest(struct hash32 *out, const struct proof_fields *p);
