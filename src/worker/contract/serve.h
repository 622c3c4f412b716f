/* worker/contract/serve.h - requests about confidential contracts (docs/worker.md), and what
 * queries may do beyond the machine. */
#pragma once

#include "worker/contract/cluster.h"
#include "worker/contract/contracts.h"

struct query_cache;

struct contracts {
    struct worker *w;
    struct cluster *clusters; /* fixed once started */
    struct query_cache *cache;
};

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
