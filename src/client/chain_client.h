/* client/chain_client.h - talk to a chain over Ethereum JSON-RPC: read, send, wait, decode.
 * Works against any node that speaks it (ours, geth, anvil). The node is believed: what it says is
 * proved only by those who check state proofs (chain/state_proof.h).
 * A chain_client may be used by several threads: each call has one of a few kept-alive connections
 * to itself, and the
 * nonces it gives out for a key are dense also when several threads send with the same key. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/u256.h"
#include "crypto/secp256k1.h"

#include <jansson.h>

struct chain_client;

/* `url` is http://HOST:PORT. Nothing is sent yet. */
struct chain_client *chain_client_new(const char *url);
void chain_client_free(struct chain_client *c);
const char *chain_client_url(const struct chain_client *c);

/* One call; params (an array) is taken over. *result is the caller's (json_decref).
 * A JSON-RPC error becomes: revert (code 3) -> RC_DENIED, "method not found" -> RC_UNSUPPORTED,
 * other codes -> RC_MALFORMED, with the node's text; revert data, if any, goes to *error_data when
 * it is not NULL. Transport failures: RC_IO, RC_TIMEOUT, RC_CLOSED, RC_AGAIN; idempotent calls are
 * retried for up to chain_client_patience. */
enum rc chain_rpc(struct chain_client *c, json_t **result, const char *method, json_t *params,
                  struct buf *error_data, struct err *e);
/* How long a call goes on trying while the node cannot be reached [10,000 ms]. */
void chain_client_patience(struct chain_client *c, unsigned ms);

/* One of several calls made together. */
struct chain_request {
    const char *method;
    json_t *params; /* an array; ours from the start, freed by chain_request_clear */
    json_t *result; /* the answer, until chain_request_clear; NULL unless rc is RC_OK */
    enum rc rc;     /* as chain_rpc would have answered this call */
    struct err err;
};
/* All of them in one round trip: a JSON-RPC batch, or one after the other where the node knows no
 * batches. RC_OK: every call was answered, look at each one's rc. Else a transport failure, as
 * chain_rpc. The node runs them in order, but blocks may be made between them. */
enum rc chain_rpc_batch(struct chain_client *c, struct chain_request *list, size_t n,
                        struct err *e);
void chain_request_clear(struct chain_request *r);
/* The request of chain_call, and its answer, appended to out. */
struct chain_request chain_call_request(const struct address *from, const struct address *to,
                                        struct bytes calldata, uint64_t height);
enum rc chain_request_data(struct buf *out, const struct chain_request *r, struct err *e);

/* ---- reading ---- */
#define CHAIN_LATEST UINT64_MAX
/* Asked once, then remembered. */
enum rc chain_id(struct chain_client *c, uint64_t *out, struct err *e);
enum rc chain_height(struct chain_client *c, uint64_t *out, struct err *e);
/* Time of the newest block, Unix seconds. */
enum rc chain_time(struct chain_client *c, uint64_t *out, struct err *e);
enum rc chain_balance(struct chain_client *c, struct u256 *out, const struct address *who,
                      struct err *e);
/* Next nonce, transactions in the pool included. */
enum rc chain_pending_nonce(struct chain_client *c, uint64_t *out, const struct address *who,
                            struct err *e);
enum rc chain_code(struct chain_client *c, struct buf *out, const struct address *who,
                   struct err *e);
/* eth_call at a height; the return data is appended to out. A revert is RC_DENIED; its text names
 * the custom error where the generated tables know it ("reverted: FileUrlAlreadyUsed()"). from may
 * be NULL. */
enum rc chain_call(struct chain_client *c, struct buf *out, const struct address *from,
                   const struct address *to, struct bytes calldata, uint64_t height, struct err *e);

/* ---- receipts and logs ---- */
struct chain_log {
    struct address address;
    struct hash32 topics[4];
    size_t n_topics;
    struct bytes data; /* in the arena given */
    uint64_t height;
    struct hash32 tx_hash;
};
struct chain_receipt {
    bool ok; /* status 1 */
    uint64_t height;
    uint64_t gas_used;
    struct hash32 tx_hash;
    struct address contract; /* of a deployment, else zero */
    struct chain_log *logs;  /* in the arena given */
    size_t n_logs;
};
/* RC_NOTFOUND while the transaction is not in a block. */
enum rc chain_receipt_get(struct chain_client *c, struct chain_receipt *out, struct arena *a,
                          const struct hash32 *tx_hash, struct err *e);
/* Wait until it is in a block: at the node if that is one of ours (cloister_waitReceipt), else by
 * asking again and again. RC_TIMEOUT after timeout_ms. */
enum rc chain_receipt_wait(struct chain_client *c, struct chain_receipt *out, struct arena *a,
                           const struct hash32 *tx_hash, unsigned timeout_ms, struct err *e);
/* eth_getLogs: of one contract and first topic (and second, when topic1 is not NULL). */
enum rc chain_logs(struct chain_client *c, struct chain_log **out, size_t *n, struct arena *a,
                   const struct address *contract, const struct hash32 *topic0,
                   const struct hash32 *topic1, uint64_t from, uint64_t to, struct err *e);
/* The first log of this contract and topic in a receipt, or NULL. */
const struct chain_log *chain_receipt_find(const struct chain_receipt *r,
                                           const struct address *contract,
                                           const struct hash32 *topic0);

/* ---- sending ---- */
struct chain_price;
struct chain_send {
    const struct address *to; /* NULL: deploy */
    struct u256 value;
    struct bytes data;
    uint64_t gas;                    /* 0: estimated, with a quarter on top */
    const struct chain_price *price; /* what chain_ask_price said; NULL: asked for when signing */
};
struct chain_price {
    bool legacy; /* max_fee_wei is the gas price */
    uint64_t gas;
    struct u256 max_fee_wei, max_priority_wei;
};
/* Gas and fees of a transaction, so that this can be asked for beside other work. RC_DENIED: it
 * would revert (reason in e). */
enum rc chain_ask_price(struct chain_client *c, struct chain_price *out, const struct address *from,
                        const struct chain_send *s, struct err *e);
/* Sign the next transaction of `key` without sending it: the raw bytes are appended to raw. Its
 * nonce is taken from then on; give it back with chain_nonce_reset if the bytes are never sent.
 * RC_DENIED: it would revert (reason in e). */
enum rc chain_sign(struct chain_client *c, struct buf *raw, struct hash32 *tx_hash,
                   const struct secp_key *key, const struct chain_send *s, struct err *e);
/* Hand raw bytes to the node; a transaction that it knows already, or that is already in a block,
 * is fine (RC_OK), so that a send can be repeated after a crash. */
enum rc chain_send_raw(struct chain_client *c, struct bytes raw, struct err *e);
/* chain_send_raw and chain_receipt_wait in one: one round trip where the node speaks EIP-7966.
 * *sent: the node has it, whatever became of it since; false where it was refused or cannot be
 * reached. What it does not tell while transport fails: then it may have it. */
enum rc chain_send_wait(struct chain_client *c, struct chain_receipt *out, struct arena *a,
                        struct bytes raw, unsigned timeout_ms, bool *sent, struct err *e);
/* Forget what is known of this account's nonce. */
void chain_nonce_reset(struct chain_client *c, const struct address *who);
/* Sign, send, wait for the receipt. RC_DENIED with the reason when it would revert or did revert
 * (*out is filled in the latter case). */
enum rc chain_transact(struct chain_client *c, struct chain_receipt *out, struct arena *a,
                       const struct secp_key *key, const struct chain_send *s, struct err *e);
