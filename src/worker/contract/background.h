/* worker/contract/background.h - one thing that is done beside a cluster's thread, which begins it,
 * asks now and then whether it has ended, and goes on with what came of it. */
#pragma once

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Returns soon after *is_cancelled is set. */
typedef enum rc background_fn(void *data, const atomic_bool *is_cancelled, struct err *e);

/* Zero: nothing was begun. All calls are its owner's. */
struct background {
    pthread_t thread;
    bool is_running; /* begun, and its end not taken yet */
    atomic_bool is_done, is_cancelled;
    background_fn *fn;
    void *data;
    enum rc rc;
    struct err err;
};

/* `data` is the thing's until its end was taken. One at a time. RC_IO: no thread. */
enum rc background_begin(struct background *b, background_fn *fn, void *data, struct err *e);
/* Has it ended since this was last asked? Then *rc and *e are its. */
bool background_ended(struct background *b, enum rc *rc, struct err *e);
/* Cancel it if there is one, and wait for its end. */
void background_stop(struct background *b);
