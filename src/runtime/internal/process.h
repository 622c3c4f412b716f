/* runtime/internal/process.h - the worker's ends: of the runtime's process and of its forks. */
#pragma once

#include "os/spawn.h"
#include "runtime/internal/channel.h"
#include "runtime/internal/wire.h"
#include "runtime/runtime.h"

#define FORK_MS 10000 /* to get a fork; other frames that take no thinking */

struct runtime {
    struct runtime_config config; /* defaults filled in; path owned */
    struct child child;
    struct channel channel;
    bool is_dead;    /* it broke the rules, or is gone */
    struct buf out;  /* a frame being made */
    struct buf load; /* items that wait for more of them */
};

/* Ask and get one answer. DONE: its body, borrowed from the channel. RC_IO, and the other end is of
 * no more use: anything but DONE or FAILED came, or nothing. Other codes: what FAILED said. */
enum rc process_ask(struct channel *c, enum frame_type type, struct bytes body, size_t max,
                    uint64_t deadline, struct bytes *answer, bool *is_dead, struct err *e);

/* A process that is reached by its own socket and killed by its pidfd. */
struct fork {
    struct channel channel;
    int pidfd;
};
/* Ask for one with `type` (SNAPSHOT or FORK). */
enum rc fork_get(struct fork *out, struct channel *from, enum frame_type type, bool *is_dead,
                 struct err *e);
/* Kill it and close. */
void fork_end(struct fork *f);
