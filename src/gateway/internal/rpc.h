/* gateway/internal/rpc.h - what the method files share: one call's parameters in, JSON text out.
 * A method appends its result to c->out and returns RC_OK, or fails; the rc picks the JSON-RPC code
 * unless the method sets c->code itself. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/u256.h"
#include "codec/json.h"
#include "engine/engine.h"
#include "ledger/executor.h"

#define RPC_BODY_MAX ((size_t)16 << 20)  /* bytes of a request */
#define RPC_QUICK_MAX ((size_t)8 << 10)  /* bytes of a request answered on an event thread */
#define RPC_BATCH_MAX 1000               /* calls in a batch */
#define RPC_REPLY_MAX ((size_t)64 << 20) /* bytes of answers, after which calls of a batch fail */
#define RPC_BATCH_MS 30000               /* time of a batch, after which its further calls fail */
#define RPC_LOGS_MAX 10000               /* logs in one answer */
#define RPC_FEE_BLOCKS_MAX 1024          /* blocks in eth_feeHistory */
#define RPC_SYNC_TIMEOUT_MS 30000        /* eth_sendRawTransactionSync, cloister_waitReceipt */

enum rpc_code {
    RPC_PARSE = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_NO_METHOD = -32601,
    RPC_INVALID_PARAMS = -32602,
    RPC_INTERNAL = -32603, /* clients retry on it: only for faults of this node */
    RPC_TOO_MANY = -32005, /* EIP-1474: limit exceeded; try again later */
    RPC_SERVER = -32000,   /* refused for good: pool rules, limits, pruned state */
    RPC_REVERT = 3,
    RPC_SYNC_LATE = 4, /* EIP-7966: in the pool, but not in a block in time */
};

struct filters;
struct gateway_metrics;
struct socket;
struct sockets;
struct websocket;

struct gateway {
    _Atomic unsigned waiting; /* calls that wait for a block */
    unsigned waiting_max;     /* leaves threads to those that do not wait */
    bool loopback;            /* serves this machine only */
    struct engine *engine;
    struct http_server *http;
    struct filters *filters;
    struct sockets *sockets;
    uint64_t behind_max; /* blocks a subscription may be behind the head */
    struct executors *executors;
    struct gateway_metrics *metrics;
    const char *const *origins;
};

/* Who asks. One of socket and request is NULL; both are where limits do not count. */
struct rpc_asker {
    struct socket *socket;
    struct http_request *request;
    uint64_t client;  /* stands for its address */
    unsigned retry_s; /* out: not 0 if the answer is RPC_TOO_MANY */
};

struct rpc_call {
    struct gateway *g;
    uint64_t client;
    struct socket *socket; /* NULL: over HTTP */
    const json_t *params;  /* array (absent becomes empty) */
    struct arena mem;
    struct buf *out;
    uint64_t deadline_ms;  /* clock_mono_ms() */
    size_t min_topics;     /* of a log, by the filter object read last */
    int code;              /* 0: by the rc */
    struct buf error_data; /* revert data, or the hash of a late transaction */
};

typedef enum rc rpc_method(struct rpc_call *c, struct err *e);

/* Answer the JSON text of a request or a batch; its first call has been charged. Appends nothing
 * for notifications. (rpc.c) */
void rpc_answer(struct gateway *g, struct rpc_asker *who, struct bytes text, struct buf *out);
/* Append the error of a client that has asked too much. (rpc.c) */
void rpc_put_too_many(struct gateway *g, unsigned retry_s, struct buf *out);
/* For event threads: answer if the text is one small eth_sendRawTransaction, which takes some 0.1
 * ms and waits for nothing. False: it is not, nothing was appended. (rpc.c) */
bool rpc_answer_quickly(struct gateway *g, struct bytes text, struct buf *out);

/* Rows of the method table. (rpc.c) */
size_t rpc_n_methods(void);

/* ---- parameters ---- */
/* What the client gave is wrong, whatever way. */
static inline enum rc rpc_bad(enum rc rc)
{
    return rc == RC_OK ? RC_OK : RC_MALFORMED;
}
/* Does the object have this member, not null? */
bool rpc_has(const json_t *v, const char *name);
/* Bytes of at most max from hexadecimal text; they live in c->mem. */
enum rc rpc_bytes_of(struct rpc_call *c, const json_t *v, const char *what, size_t max,
                     struct bytes *out, struct err *e);
size_t rpc_n_params(const struct rpc_call *c);
/* The i-th parameter, NULL when absent or null. */
const json_t *rpc_param(const struct rpc_call *c, size_t i);
enum rc rpc_param_address(const struct rpc_call *c, size_t i, struct address *out, struct err *e);
enum rc rpc_param_hash(const struct rpc_call *c, size_t i, struct hash32 *out, struct err *e);
enum rc rpc_param_bool(const struct rpc_call *c, size_t i, bool dflt, bool *out, struct err *e);
/* A height or tag (latest, pending, safe, finalized, earliest), or {blockHash} or {blockNumber};
 * absent: latest. Not checked to exist, but a hash must. */
enum rc rpc_param_height(struct rpc_call *c, size_t i, uint64_t *out, struct err *e);
enum rc rpc_height_of(struct rpc_call *c, const json_t *v, uint64_t *out, struct err *e);

/* ---- values ---- */
void rpc_put_quantity(struct buf *out, uint64_t v);
void rpc_put_hex(struct buf *out, struct bytes data); /* "0x…" with quotes */
void rpc_put_u256(struct buf *out, const struct u256 *v);

/* ---- objects (objects.c) ---- */
void rpc_put_block(struct rpc_call *c, const struct engine_block *b, bool full);
/* The same without transactions. */
void rpc_put_head(struct rpc_call *c, const struct engine_block *b);
/* Height 0, which has no block of its own. Its hash is the one that names the chain. */
enum rc rpc_put_genesis_block(struct rpc_call *c, struct err *e);
void rpc_put_tx(struct buf *out, const struct engine_block *b, uint32_t index);
void rpc_put_receipt(struct buf *out, const struct engine_block *b, uint32_t index);
void rpc_put_log(struct buf *out, const struct engine_block *b, uint32_t tx_index,
                 uint32_t log_in_tx);

/* ---- executors.c: a pool of executors, one for each call that runs ---- */
struct executors;
struct executors *executors_new(void);
void executors_free(struct executors *p);
struct executor *executors_take(struct executors *p);
void executors_give(struct executors *p, struct executor *x);

/* ---- filters.c ---- */
struct filters *filters_new(struct engine *engine);
void filters_free(struct filters *f);
/* eth_getLogs' filter object. Addresses and topics go to c->mem. A range that is empty because of
 * where the head is comes out with from > to. */
enum rc rpc_log_filter(struct rpc_call *c, const json_t *v, struct engine_log_filter *out,
                       struct err *e);
/* Append a JSON array of the logs that match. */
enum rc rpc_put_logs(struct rpc_call *c, const struct engine_log_filter *f, struct err *e);

/* Copy up to max hashes that went to the pool from number *next on, and move *next behind them;
 * numbers that are forgotten, or to come, count as the nearest that is not. */
size_t filters_pending(struct filters *f, uint64_t *next, struct hash32 *out, size_t max);
/* How many have gone to the pool since number `next`; and how many of them are remembered. */
uint64_t filters_pending_behind(struct filters *f, uint64_t next);
#define FILTERS_PENDING_KEPT 8192 /* newest pending hashes that can still be caught up with */

/* ---- sockets.c ---- */
/* At most `at_once` calls of theirs run at a time. */
struct sockets *sockets_new(struct gateway *g, unsigned at_once);
/* End all connections and wait for their threads. */
void sockets_stop(struct sockets *all);
void sockets_free(struct sockets *all);
/* A websocket_fn; data is the struct sockets. */
void sockets_take(void *data, struct websocket *ws);
/* Take n more from the rate of the socket's client. */
bool socket_charge(struct socket *s, unsigned n, unsigned *retry_s);
/* Open ones, and how many have been refused or ended for being slow or too many. */
void sockets_count(struct sockets *all, unsigned *open, uint64_t *refused, uint64_t *slow);

/* ---- methods ---- */
rpc_method rpc_eth_subscribe, rpc_eth_unsubscribe;
rpc_method rpc_eth_chainId, rpc_net_version, rpc_web3_clientVersion, rpc_eth_blockNumber,
    rpc_eth_syncing, rpc_eth_accounts, rpc_eth_gasPrice, rpc_eth_maxPriorityFeePerGas,
    rpc_eth_feeHistory, rpc_rpc_modules, rpc_net_listening, rpc_web3_sha3;
rpc_method rpc_eth_getBalance, rpc_eth_getTransactionCount, rpc_eth_getCode, rpc_eth_getStorageAt,
    rpc_eth_call, rpc_eth_estimateGas, rpc_eth_createAccessList, rpc_cloister_getProof;
rpc_method rpc_eth_getBlockByNumber, rpc_eth_getBlockByHash, rpc_eth_getTransactionByHash,
    rpc_eth_getTransactionReceipt, rpc_eth_getBlockReceipts,
    rpc_eth_getTransactionByBlockNumberAndIndex, rpc_eth_getTransactionByBlockHashAndIndex,
    rpc_eth_getBlockTransactionCountByNumber, rpc_eth_getBlockTransactionCountByHash,
    rpc_eth_getLogs, rpc_cloister_getCommit;
rpc_method rpc_cloister_lightBlock, rpc_cloister_getProofs, rpc_cloister_getTransactionProof;
rpc_method rpc_eth_sendRawTransaction, rpc_eth_sendRawTransactionSync, rpc_cloister_waitReceipt,
    rpc_eth_fillTransaction, rpc_txpool_status;
rpc_method rpc_eth_newFilter, rpc_eth_newBlockFilter, rpc_eth_newPendingTransactionFilter,
    rpc_eth_getFilterChanges, rpc_eth_getFilterLogs, rpc_eth_uninstallFilter;

/* A transaction object ({from, to, value, data | input, gas, …}) as a ledger_tx; data goes to
 * c->mem. Fee fields are set to zero: calls pay nothing. */
enum rc rpc_call_object(struct rpc_call *c, const json_t *v, struct ledger_tx *out, struct err *e);
/* Estimate; on failure fills code and error_data. */
enum rc rpc_estimate(struct rpc_call *c, const struct ledger_tx *tx, uint64_t *gas, struct err *e);
