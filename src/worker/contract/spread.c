#include "worker/contract/spread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define HELPERS_MAX 15
#define TAKE 16 /* things at a time: fewer are not worth a thread */

struct spread {
    size_t n;
    void (*fn)(void *data, size_t i);
    void *data;
    atomic_size_t next;
};

static void *work(void *data)
{
    struct spread *s = data;
    size_t i;

    while ((i = atomic_fetch_add(&s->next, TAKE)) < s->n)
        for (size_t end = s->n - i < TAKE ? s->n : i + TAKE; i < end; i++)
            s->fn(s->data, i);
    return NULL;
}

void spread(size_t n, void (*fn)(void *data, size_t i), void *data)
{
    struct spread s = {.n = n, .fn = fn, .data = data};
    pthread_t helpers[HELPERS_MAX];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int n_helpers = 0;

    while (n_helpers < HELPERS_MAX && n_helpers + 1 < processors &&
           (size_t)(n_helpers + 1) * TAKE < n &&
           pthread_create(&helpers[n_helpers], NULL, work, &s) == 0)
        n_helpers++;
    (void)work(&s);
    for (int i = 0; i < n_helpers; i++)
        (void)pthread_join(helpers[i], NULL);
}
