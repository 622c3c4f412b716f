/* store/internal/rpc.h - the parts of the Kubo RPC server. Private to store. */
#pragma once

#include "codec/cid.h"
#include "net/http_server.h"
#include "store/dag.h"
#include "store/rpc.h"

#include <pthread.h>

struct store_rpc {
    struct store *store;
    char *dir;
    char id[CID_TEXT_SIZE];
    bool loopback_only;
    /* Adds and pins hold it for reading, a collection for writing. */
    pthread_rwlock_t gc;
};

struct rpc_call {
    struct store_rpc *rpc;
    struct store *store;
    struct http_request *req;
    struct http_response *resp;
};

/* Append a JSON string; bytes that are not UTF-8 become U+FFFD. */
void rpc_put_string(struct buf *out, const char *text);
/* Boolean option: "true", "1", "" (bare name) or "false", "0". RC_MALFORMED. */
enum rc rpc_bool(bool *out, const struct rpc_call *c, const char *name, bool dflt, struct err *e);
enum rc rpc_u64(uint64_t *out, const struct rpc_call *c, const char *name, uint64_t max,
                uint64_t dflt, struct err *e);
/* i-th `arg` as a CID; paths are followed. RC_NOTFOUND without text: there is no such argument. */
enum rc rpc_path_at(struct cid *out, const struct rpc_call *c, size_t i, struct err *e);
/* The first one, which must be there. */
enum rc rpc_path(struct cid *out, const struct rpc_call *c, struct err *e);
void rpc_json(struct rpc_call *c);

/* Commands: fill resp, or fail and let the dispatcher write the error. */
enum rc rpc_add(struct rpc_call *c, struct err *e);
enum rc rpc_block_put(struct rpc_call *c, struct err *e);
enum rc rpc_dag_import(struct rpc_call *c, struct err *e);
enum rc rpc_cat(struct rpc_call *c, struct err *e);
enum rc rpc_dag_export(struct rpc_call *c, struct err *e);
enum rc rpc_dag_stat(struct rpc_call *c, struct err *e);
enum rc rpc_pin_add(struct rpc_call *c, struct err *e);
enum rc rpc_pin_rm(struct rpc_call *c, struct err *e);
enum rc rpc_pin_update(struct rpc_call *c, struct err *e);
enum rc rpc_pin_ls(struct rpc_call *c, struct err *e);
enum rc rpc_pin_verify(struct rpc_call *c, struct err *e);
enum rc rpc_repo_verify(struct rpc_call *c, struct err *e);
enum rc rpc_block_rm(struct rpc_call *c, struct err *e);

/* A CAR of everything below root into resp (CARv1, depth first). */
enum rc car_write(struct store *s, struct http_response *resp, const struct cid *root,
                  bool only_block, struct err *e);
