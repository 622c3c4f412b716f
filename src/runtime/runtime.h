/* runtime/runtime.h - a cluster's state machine in a process of its own: `cloister-runtime`, which
 * has namespaces, a seccomp filter, no network, no files, and no keys. Snapshots for queries are
 * forks of it: they share its memory and see the state of one batch for ever. Thread rule: one
 * thread at a time for runtime_*; queries of snapshots from any. What comes out of the process is
 * read as an enemy's words: it can lie about results, and no more than that.
 *
 * The processes die with the thread that started them: let it live as long as they. */
#pragma once

#include "cluster/machine.h"

struct runtime;

struct runtime_config {
    const char *path; /* cloister-runtime [beside our executable] */
    struct machine_config machine;
    size_t memory_limit;    /* bytes of address space of each process; 0: 4 GiB */
    unsigned query_wall_ms; /* a query beyond it fails; its process is replaced [10,000] */
    unsigned run_wall_ms;   /* for commands, besides a millisecond for each 1,000 gas [60,000] */
};

/* RC_IO: it could not be started (the reason says how to find out more). */
enum rc runtime_start(struct runtime **out, const struct runtime_config *c, struct err *e);
void runtime_stop(struct runtime *r); /* NULL is let pass; kills all its processes */

/* False once its process is gone. */
bool runtime_is_alive(const struct runtime *r);

/* As machine_*; RC_IO: the process is gone: stop it, start another, load and run again. */
enum rc runtime_load(struct runtime *r, struct bytes key, struct bytes value, struct err *e);
enum rc runtime_loaded(struct runtime *r,
                       struct err *e); /* errors of loads since the last come here */
enum rc runtime_put_code(struct runtime *r, struct bytes elf, struct hash32 *hash, struct err *e);
enum rc runtime_run(struct runtime *r, const struct command *commands, size_t n, struct arena *mem,
                    struct command_result *results, const struct out_message **messages,
                    size_t *n_messages, struct state_changes *changes, struct err *e);
enum rc runtime_apply(struct runtime *r, const struct state_change *changes, size_t n,
                      struct err *e);
/* The same in two steps, with time for something else between them; nothing else is asked of the
 * process there. After an error of the first there is no second. */
enum rc runtime_apply_begin(struct runtime *r, const struct state_change *changes, size_t n,
                            struct err *e);
enum rc runtime_applied(struct runtime *r, struct err *e);

/* The state as it is now, for queries and checkpoints. */
struct snapshot;
/* Snapshots may outlive each other and what the runtime does next; free them before runtime_stop.
 */
enum rc runtime_snapshot(struct runtime *r, struct snapshot **out, struct err *e);
void snapshot_free(struct snapshot *s); /* after the last query of it has returned */
/* The effects of q->host are called in this thread, for whatever contract of the cluster the
 * process names (a cluster is what is isolated). RC_AGAIN: it took too long, its process died, or
 * too many others are being answered; the snapshot answers others all the same. RC_LIMIT: calldata
 * too long. RC_IO: the snapshot is gone. */
enum rc snapshot_query(struct snapshot *s, const struct machine_query *q, struct arena *mem,
                       struct command_result *out, struct err *e);
/* Every key once, in the order of machine_each, codes as 0x03 keys. What is in keys and values, and
 * their order, is the process's word: check it. */
enum rc snapshot_each(struct snapshot *s,
                      enum rc (*fn)(void *data, struct bytes key, struct bytes value,
                                    struct err *e),
                      void *data, struct err *e);
/* The same step by step. next: RC_NOTFOUND: that was all; RC_AGAIN, RC_MALFORMED: it went wrong,
 * and nothing more comes. Key and value live until the next call. In any thread, one a walk; end it
 * in any case before the snapshot is freed. */
struct state_walk;
enum rc state_walk_begin(struct state_walk **out, struct snapshot *s, struct err *e);
enum rc state_walk_next(struct state_walk *w, struct bytes *key, struct bytes *value,
                        struct err *e);
void state_walk_end(struct state_walk *w); /* NULL is let pass */

/* What cloister-runtime's main() returns: serves the worker at the other end of descriptor 3 and
 * does not come back, or 2 when it was not started by one. */
int runtime_main(void);
