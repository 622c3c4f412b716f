/* Executors are made on demand and kept: as many as calls ever ran at once, which the handler
 * threads bound. */
#include "base/mem.h"
#include "gateway/internal/rpc.h"

#include <pthread.h>

#define KEEP_MAX 32
#define CODE_CACHE_SIZE ((size_t)32 << 20)

struct executors {
    pthread_mutex_t lock;
    struct executor *idle[KEEP_MAX];
    size_t n_idle;
};

struct executors *executors_new(void)
{
    struct executors *p = xcalloc(1, sizeof(*p));

    CHECK(pthread_mutex_init(&p->lock, NULL) == 0);
    return p;
}

void executors_free(struct executors *p)
{
    if (p == NULL)
        return;
    while (p->n_idle > 0)
        executor_free(p->idle[--p->n_idle]);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

struct executor *executors_take(struct executors *p)
{
    static const struct executor_opts opts = {.code_cache_size = CODE_CACHE_SIZE, .idle_vms = 2};
    struct executor *x = NULL;

    (void)pthread_mutex_lock(&p->lock);
    if (p->n_idle > 0)
        x = p->idle[--p->n_idle];
    (void)pthread_mutex_unlock(&p->lock);
    return x != NULL ? x : executor_new(&opts);
}

void executors_give(struct executors *p, struct executor *x)
{
    (void)pthread_mutex_lock(&p->lock);
    if (p->n_idle < KEEP_MAX) {
        p->idle[p->n_idle++] = x;
        x = NULL;
    }
    (void)pthread_mutex_unlock(&p->lock);
    executor_free(x);
}
