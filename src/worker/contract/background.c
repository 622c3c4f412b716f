#include "worker/contract/background.h"

#include <sys/resource.h>

#define NICE 5 /* commands and queries first */

static void *run(void *data)
{
    struct background *b = data;

    (void)setpriority(PRIO_PROCESS, 0, NICE); /* Linux: of this thread alone */
    b->rc = b->fn(b->data, &b->is_cancelled, &b->err);
    atomic_store(&b->is_done, true);
    return NULL;
}

enum rc background_begin(struct background *b, background_fn *fn, void *data, struct err *e)
{
    int rc;

    CHECK(!b->is_running);
    b->fn = fn;
    b->data = data;
    b->err = (struct err){0};
    atomic_store(&b->is_done, false);
    atomic_store(&b->is_cancelled, false);
    rc = pthread_create(&b->thread, NULL, run, b);
    if (rc != 0)
        return err_errno(e, rc, "worker: a thread beside a cluster's");
    b->is_running = true;
    return RC_OK;
}

bool background_ended(struct background *b, enum rc *rc, struct err *e)
{
    if (!b->is_running || !atomic_load(&b->is_done))
        return false;
    (void)pthread_join(b->thread, NULL);
    b->is_running = false;
    *rc = b->rc;
    if (e != NULL)
        *e = b->err;
    return true;
}

void background_stop(struct background *b)
{
    if (!b->is_running)
        return;
    atomic_store(&b->is_cancelled, true);
    (void)pthread_join(b->thread, NULL);
    b->is_running = false;
}
