/* The writing half of an add. Trust: none of its own; blocks were hashed by the caller. Must not:
 * reorder, or go on after a failure. */
#include "store/internal/writer.h"

#include <pthread.h>

struct slot {
    struct cid cid;
    struct buf block;
};

struct writer {
    struct store *store;
    pthread_t thread;
    pthread_mutex_t mu; /* guards all below */
    pthread_cond_t cond;
    struct slot slot[WRITER_DEPTH];
    size_t first, n; /* waiting, or being put (the first one) */
    bool ending;
    enum rc rc;
    struct err err;
};

static void put_first(struct writer *w)
{
    struct slot *s = &w->slot[w->first];
    struct err e = {0};
    enum rc rc = w->rc;

    if (rc == RC_OK) {
        CHECK(pthread_mutex_unlock(&w->mu) == 0);
        rc = store_put_hashed(w->store, &s->cid, buf_bytes(&s->block), &e);
        CHECK(pthread_mutex_lock(&w->mu) == 0);
        if (rc != RC_OK) {
            w->rc = rc;
            w->err = e;
        }
    }
    w->first = (w->first + 1) % WRITER_DEPTH;
    w->n--;
    CHECK(pthread_cond_broadcast(&w->cond) == 0);
}

static void *run(void *arg)
{
    struct writer *w = arg;

    CHECK(pthread_mutex_lock(&w->mu) == 0);
    while (w->n != 0 || !w->ending) {
        if (w->n != 0)
            put_first(w);
        else
            CHECK(pthread_cond_wait(&w->cond, &w->mu) == 0);
    }
    CHECK(pthread_mutex_unlock(&w->mu) == 0);
    return NULL;
}

struct writer *writer_new(struct store *store)
{
    struct writer *w = xcalloc(1, sizeof(*w));

    w->store = store;
    CHECK(pthread_mutex_init(&w->mu, NULL) == 0);
    CHECK(pthread_cond_init(&w->cond, NULL) == 0);
    if (pthread_create(&w->thread, NULL, run, w) == 0)
        return w;
    (void)pthread_mutex_destroy(&w->mu);
    (void)pthread_cond_destroy(&w->cond);
    free(w);
    return NULL;
}

static enum rc failure(const struct writer *w, struct err *e)
{
    if (w->rc != RC_OK && e != NULL)
        *e = w->err;
    return w->rc;
}

enum rc writer_put(struct writer *w, const struct cid *cid, struct buf *block, struct err *e)
{
    enum rc rc;

    CHECK(pthread_mutex_lock(&w->mu) == 0);
    while (w->n == WRITER_DEPTH)
        CHECK(pthread_cond_wait(&w->cond, &w->mu) == 0);
    rc = failure(w, e);
    if (rc == RC_OK) {
        struct slot *s = &w->slot[(w->first + w->n) % WRITER_DEPTH];
        struct buf empty = s->block;

        s->cid = *cid;
        s->block = *block;
        *block = empty;
        buf_reset(block);
        w->n++;
        CHECK(pthread_cond_broadcast(&w->cond) == 0);
    }
    CHECK(pthread_mutex_unlock(&w->mu) == 0);
    return rc;
}

enum rc writer_finish(struct writer *w, struct err *e)
{
    enum rc rc;

    CHECK(pthread_mutex_lock(&w->mu) == 0);
    while (w->n != 0)
        CHECK(pthread_cond_wait(&w->cond, &w->mu) == 0);
    rc = failure(w, e);
    CHECK(pthread_mutex_unlock(&w->mu) == 0);
    return rc;
}

void writer_free(struct writer *w)
{
    if (w == NULL)
        return;
    CHECK(pthread_mutex_lock(&w->mu) == 0);
    w->ending = true;
    CHECK(pthread_cond_broadcast(&w->cond) == 0);
    CHECK(pthread_mutex_unlock(&w->mu) == 0);
    CHECK(pthread_join(w->thread, NULL) == 0);
    for (size_t i = 0; i < WRITER_DEPTH; i++)
        buf_clear(&w->slot[i].block);
    (void)pthread_mutex_destroy(&w->mu);
    (void)pthread_cond_destroy(&w->cond);
    free(w);
}
