/* worker/contract/serve.h - requests about confidential contracts (docs/worker.md), and what
 * queries may do beyond the machine. */
#pragma once

#include "cluster/query.h"
#include "worker/contract/cluster.h"
#include "worker/contract/contracts.h"

struct channels;
struct query_cache;
struct websocket;

struct contracts {
    struct worker *w;
    struct cluster *clusters; /* fixed once started */
    struct query_cache *cache;
    struct channels *channels;
};

/* What queries and their answers are bound to here. RC_AGAIN: the network is not known yet. */
enum rc contracts_context(struct query_context *ctx, struct contracts *c, struct err *e);
/* Is it now within max_s seconds of expiry_s? RC_DENIED: not; `what`'s. */
enum rc contracts_check_expiry(const char *what, uint64_t expiry_s, unsigned max_s, struct err *e);
/* Append the answer, a reply or an error, to a query whose caller is proved and whose time is not
 * over. The arena holds what it is made of. Any thread. */
void contracts_answer(struct contracts *c, const struct query_request *q,
                      const struct query_context *ctx, struct arena *a, struct buf *out);
/* Append an error as a query's answer. */
void contracts_refuse(struct contracts *c, struct buf *out, const struct err *e);

/* ---- channels.c ---- */

struct channels *channels_new(struct contracts *c);
/* No more begin; those that are open end, and what they are at is waited for. */
void channels_stop(struct channels *all);
void channels_free(struct channels *all); /* NULL is fine; stopped */
/* May a client (http_request_client) open one? */
bool channels_have_room(struct channels *all, uint64_t client);
/* A websocket_fn; data: the channels. */
void channels_take(void *data, struct websocket *ws);

/* ---- effects.c ---- */

/* What contracts keep between queries: lost with the worker, never part of their state.
 * Thread-safe. */
struct query_cache *query_cache_new(void);
void query_cache_free(struct query_cache *q);

/* Whom a query's host calls come to. Lives during the query. */
struct query_effects {
    struct contracts *set;
    struct cluster *cluster;
    const struct served *served;
    struct query_host host; /* to be given to the machine */
    unsigned n_requests;    /* HTTP requests made */
};
void query_effects_init(struct query_effects *f, struct contracts *set, struct cluster *cluster,
                        const struct served *served);
