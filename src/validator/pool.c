/* Processes that wait for a job. They are started by a thread that lives as long as the pool, since
 * they are to die with the thread that started them, and only when a taken one is gone: not beside
 * the run that somebody waits for. */
#include "base/log.h"
#include "base/mem.h"
#include "validator/internal/child.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>

#define RETRY_S 1

struct validator_pool {
    char *program_path;
    struct validator_limits limits;
    size_t want;
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct validator_process *idle; /* newest first */
    size_t n_idle, n_taken;
    bool stopping;
};

static void wait_after_failure(struct validator_pool *pool)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += RETRY_S;
    while (!pool->stopping && pthread_cond_timedwait(&pool->changed, &pool->lock, &until) == 0)
        ;
}

static void *fill(void *arg)
{
    struct validator_pool *pool = arg;
    bool said = false;

    (void)pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        struct validator_process *p;
        struct err e = {0};
        enum rc rc;

        if (pool->n_idle + pool->n_taken >= pool->want) {
            (void)pthread_cond_wait(&pool->changed, &pool->lock);
            continue;
        }
        (void)pthread_mutex_unlock(&pool->lock);
        rc = process_new(&p, pool->program_path, &pool->limits, &e);
        (void)pthread_mutex_lock(&pool->lock);
        if (rc == RC_OK) {
            p->pool = pool;
            p->next = pool->idle;
            pool->idle = p;
            pool->n_idle++;
            said = false;
            continue;
        }
        if (!said)
            log_warn("worker", "no validator can be made ready: %s", e.msg);
        said = true;
        wait_after_failure(pool);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return NULL;
}

enum rc validator_pool_new(struct validator_pool **out, const char *program_path, size_t n,
                           const struct validator_limits *limits, struct err *e)
{
    struct validator_pool *pool = xcalloc(1, sizeof(*pool));
    pthread_condattr_t monotonic;
    int rc;

    pool->program_path = xstrdup(program_path);
    pool->limits = *limits;
    pool->want = n;
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&pool->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    rc = n == 0 ? 0 : pthread_create(&pool->thread, NULL, fill, pool);
    if (rc != 0) {
        pool->want = 0;
        validator_pool_free(pool);
        return err_errno(e, rc, "validator: thread");
    }
    *out = pool;
    return RC_OK;
}

void validator_pool_free(struct validator_pool *pool)
{
    if (pool == NULL)
        return;
    (void)pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    (void)pthread_cond_broadcast(&pool->changed);
    (void)pthread_mutex_unlock(&pool->lock);
    if (pool->want != 0)
        (void)pthread_join(pool->thread, NULL);
    while (pool->idle != NULL) {
        struct validator_process *p = pool->idle;

        pool->idle = p->next;
        process_free(p);
    }
    (void)pthread_cond_destroy(&pool->changed);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool->program_path);
    free(pool);
}

struct validator_process *pool_take(struct validator_pool *pool)
{
    struct validator_process *p;

    (void)pthread_mutex_lock(&pool->lock);
    p = pool->idle;
    if (p != NULL) {
        pool->idle = p->next;
        pool->n_idle--;
        pool->n_taken++;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return p;
}

void pool_gone(struct validator_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->n_taken--;
    (void)pthread_cond_broadcast(&pool->changed);
    (void)pthread_mutex_unlock(&pool->lock);
}

void pool_terms(const struct validator_pool *pool, const char **program_path,
                const struct validator_limits **limits)
{
    *program_path = pool->program_path;
    *limits = &pool->limits;
}
