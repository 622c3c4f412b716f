/* Freshness by one transaction for all requests of a while. Its cost to whoever sends us requests
 * in vain is bounded: one a period. */
#include "worker/internal/fresh.h"

#include "base/log.h"
#include "client/light_client.h"
#include "os/clock.h"

#define BUSY_MS 30000 /* this long after the last request it is kept fresh */

static enum rc refresh(struct worker *w, uint64_t max_age_ms, struct err *e)
{
    enum rc rc;

    (void)pthread_mutex_lock(&w->freshness);
    rc = light_client_refresh_under(w->light, w->chain, &w->keys->sender, max_age_ms, &w->send, e);
    (void)pthread_mutex_unlock(&w->freshness);
    return rc;
}

enum rc fresh_ensure(struct worker *w, struct err *e)
{
    if (w->light == NULL)
        return RC_OK;
    w->asked_ms = clock_mono_ms();
    return refresh(w, w->config.max_head_age_ms, e);
}

void fresh_keep(struct worker *w)
{
    struct err e = {0};

    if (w->light == NULL || w->asked_ms == 0 || clock_mono_ms() > w->asked_ms + BUSY_MS)
        return;
    if (refresh(w, w->config.max_head_age_ms / 2, &e) == RC_OK)
        w->said_stale = false;
    else if (!w->said_stale) {
        log_warn("worker", "no fresh view of the chain: %s", e.msg);
        w->said_stale = true;
    }
}
