/* cluster/query.h - a question to a worker about a confidential contract, and its answer, as JSON
 * and sealed (docs/confidential.md, Queries; docs/worker.md, Confidential contracts). Pure but for
 * the randomness of sealing; thread-safe. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "cluster/envelope.h"
#include "cluster/signed.h"
#include "codec/json.h"
#include "crypto/secret.h"

#define QUERY_DATA_MAX 65536u           /* bytes of calldata */
#define QUERY_RESULT_MAX (1u << 20)     /* bytes of a reply's result */
#define QUERY_SEALED_MAX (256u * 1024u) /* bytes of a sealed query */
#define REPLY_SEALED_MAX (4u << 20)     /* bytes of a sealed reply */

/* What both are bound to. */
struct query_context {
    struct cluster_domain domain;
    struct hash32 genesis;
    struct address worker; /* by its sender key, as Workers lists it */
};

struct query_request {
    struct cluster_query query; /* worker as in the context; calldata borrows */
    bool is_signed;             /* false: the contract sees the caller zero */
    struct address caller;      /* proved by the signature when opened */
    uint8_t signature65[65];
    uint8_t reply32[32]; /* the answer is sealed to this key; zeros: not sealed (TLS only) */
};

struct query_reply {
    struct cluster_reply reply; /* result borrows */
    uint8_t signature65[65];    /* by the worker's commit key */
};

/* Fill in caller and signature. */
void query_request_sign(struct query_request *q, const struct query_context *c,
                        const struct secp_key *key);
/* JSON, and what it says. Parsing proves the caller: RC_DENIED when the signature is not the
 * caller's over this contract, worker and payload. Expiry is the caller's to judge. RC_MALFORMED,
 * RC_LIMIT. data lives in the arena. */
void query_request_put(struct buf *out, const struct query_request *q);
enum rc query_request_parse(struct query_request *out, const struct query_context *c,
                            struct bytes json, struct arena *a, struct err *e);
/* The same of JSON that is parsed already. */
enum rc query_request_take(struct query_request *out, const struct query_context *c,
                           const json_t *v, struct arena *a, struct err *e);
/* Sealed to the worker's registered receive key. */
enum rc query_request_seal(struct buf *out, const struct query_context *c,
                           const uint8_t worker32[32], const struct query_request *q,
                           struct err *e);
/* RC_DENIED: not for this key or worker, or altered; and as query_request_parse; also
 * RC_MALFORMED without a reply key. */
enum rc query_request_open(struct query_request *out, const struct query_context *c,
                           const struct secret32 *receive, struct bytes sealed, struct arena *a,
                           struct err *e);

/* What is asked alone: contract, data, nonce and minimum height (cluster/channel.h). RC_MALFORMED,
 * RC_LIMIT. calldata lives in the arena; worker and expiry are left zero. */
void cluster_query_put(struct buf *out, const struct cluster_query *q);
enum rc cluster_query_parse(struct cluster_query *out, struct bytes json, struct arena *a,
                            struct err *e);

/* The answer is either a reply or an error with its code's name (rc_name) and text. Parsing proves
 * the reply: RC_DENIED when it is not signed by `commit_signer` over this very query. A worker's
 * error comes back as its own code, its text "worker: ..." in e. */
void query_reply_sign(struct query_reply *r, const struct query_context *c,
                      const struct secp_key *commit_key);
void query_reply_put(struct buf *out, const struct query_reply *r);
void query_error_put(struct buf *out, enum rc code, const char *text);
enum rc query_reply_parse(struct query_reply *out, const struct query_context *c,
                          const struct cluster_query *q, const struct address *commit_signer,
                          struct bytes json, struct arena *a, struct err *e);
/* Seal an answer (either kind, as put) to the key in the query, and open it. */
enum rc query_answer_seal(struct buf *out, const struct query_context *c,
                          const struct query_request *q, struct bytes answer, struct err *e);
enum rc query_answer_open(struct secbuf *out, const struct query_context *c,
                          const struct cluster_query *q, const struct secret32 *reply,
                          struct bytes sealed, struct err *e);

/* The owner's request for events. */
struct logs_request {
    struct address contract;
    uint8_t reply32[32];
    uint64_t first_batch, end_batch, expiry_s;
    uint8_t signature65[65];
};
void logs_request_sign(struct logs_request *q, const struct query_context *c,
                       const struct secp_key *owner);
void logs_request_put(struct buf *out, const struct logs_request *q);
/* *signer is whoever signed it: the caller compares with the owner. RC_MALFORMED, RC_DENIED. */
enum rc logs_request_parse(struct logs_request *out, struct address *signer,
                           const struct query_context *c, struct bytes json, struct err *e);
/* The answer's JSON text as docs/worker.md has it; padded here. */
enum rc logs_answer_seal(struct buf *out, const struct query_context *c,
                         const struct logs_request *q, struct bytes answer, struct err *e);
enum rc logs_answer_open(struct secbuf *out, const struct query_context *c,
                         const struct logs_request *q, const struct secret32 *reply,
                         struct bytes sealed, struct err *e);
