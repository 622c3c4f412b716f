#include "worker/contract/contracts.h"

#include "base/mem.h"
#include "base/num.h"
#include "os/file.h"
#include "worker/contract/serve.h"

/* "1,4,7" */
static enum rc add_clusters(struct contracts *c, const char *list, struct err *e)
{
    struct bytes rest = bytes_str(list);

    while (rest.n != 0) {
        const uint8_t *comma = memchr(rest.p, ',', rest.n);
        size_t n = comma != NULL ? (size_t)(comma - rest.p) : rest.n;
        struct cluster **at = &c->clusters;
        uint64_t id;

        TRY(parse_u64(&id, bytes_of(rest.p, n), UINT64_MAX >> 1, e));
        if (id == 0)
            return err_set(e, RC_RANGE, "clusters are numbered from 1");
        while (*at != NULL && (*at)->id != id)
            at = &(*at)->next;
        if (*at == NULL)
            *at = cluster_new(c->w, id);
        rest = comma != NULL ? bytes_of(rest.p + n + 1, rest.n - n - 1) : (struct bytes){0};
    }
    return RC_OK;
}

static enum rc start(struct contracts *c, struct err *e)
{
    const struct worker_config *config = &c->w->config;
    AUTO_FREE char *clusters = xasprintf("%s/clusters", config->dir);
    AUTO_FREE char *code = xasprintf("%s/code", config->dir);

    if (c->w->tee == NULL || c->w->light == NULL || address_is_zero(&config->confidential))
        return err_set(e, RC_MALFORMED,
                       "a worker of role contract needs evidence (--tee), the chain's genesis "
                       "(--genesis) and the ConfidentialContracts contract");
    TRY(dir_make(clusters, 0700, e));
    TRY(dir_make(code, 0700, e));
    if (config->clusters != NULL)
        TRY(add_clusters(c, config->clusters, e));
    for (struct cluster *k = c->clusters; k != NULL; k = k->next)
        TRY(cluster_start(k, e));
    return RC_OK;
}

enum rc contracts_start(struct contracts **out, struct worker *w, struct err *e)
{
    struct contracts *c = xcalloc(1, sizeof(*c));
    enum rc rc;

    *out = NULL;
    c->w = w;
    c->cache = query_cache_new();
    c->channels = channels_new(c);
    rc = start(c, e);
    if (rc == RC_OK)
        *out = c;
    else
        contracts_stop(c);
    return rc;
}

void contracts_close(struct contracts *c)
{
    if (c != NULL)
        channels_stop(c->channels);
}

void contracts_stop(struct contracts *c)
{
    if (c == NULL)
        return;
    for (struct cluster *k = c->clusters; k != NULL; k = k->next)
        cluster_stop(k);
    while (c->clusters != NULL) {
        struct cluster *next = c->clusters->next;

        cluster_free(c->clusters);
        c->clusters = next;
    }
    channels_free(c->channels);
    query_cache_free(c->cache);
    free(c);
}
