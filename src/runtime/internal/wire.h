/* runtime/internal/wire.h - what is in the frames between a worker and its cloister-runtime. Both
 * ends are built together. Pure. Everything that goes up to the worker is decoded as if an enemy
 * had written it: contract code may have broken out of the machine. Numbers big-endian; lp: u32
 * length, then bytes. */
#pragma once

#include "base/reader.h"
#include "cluster/machine.h"

enum frame_type {
    /* down: to the runtime */
    FRAME_CONFIG = 1,
    FRAME_LOAD,     /* items; no answer */
    FRAME_LOADED,   /* -> DONE or FAILED with the first error of the loads since the last one */
    FRAME_CODE,     /* ELF -> DONE: hash */
    FRAME_RUN,      /* commands -> DONE: what came of them */
    FRAME_APPLY,    /* items -> DONE */
    FRAME_SNAPSHOT, /* -> DONE with a socket to, and a pidfd of, a process with this state */
    FRAME_FORK,     /* to a snapshot -> as FRAME_SNAPSHOT: a process that answers what follows */
    FRAME_QUERY,    /* -> any number of ASK, then ANSWER or FAILED */
    FRAME_EFFECT,   /* answers an ASK */
    FRAME_EACH,     /* -> ITEMS ..., DONE */
    /* up: to the worker */
    FRAME_READY = 64, /* to CONFIG: u8 1 if in namespaces of its own */
    FRAME_DONE,
    FRAME_FAILED, /* u8 rc, lp text */
    FRAME_ANSWER,
    FRAME_ASK,
    FRAME_ITEMS,
};

#define WIRE_DOWN_MAX (512u << 20)  /* bytes of a frame to the runtime */
#define WIRE_LOAD_STEP (256u << 10) /* items are sent when there are that many bytes */
#define WIRE_ITEMS_MAX (WIRE_LOAD_STEP + (2u << 20))
#define WIRE_FAILED_MAX 512u
#define WIRE_QUERY_UP_MAX (LEDGER_OUTPUT_MAX + 4096u) /* of ANSWER, ASK */
#define WIRE_ASKS_MAX 1024u                           /* of one query */

/* Most bytes that the DONE of n commands has: the machine's limit, and the fixed parts. */
size_t wire_run_max(size_t n);

void wire_put_lp(struct buf *b, struct bytes x);
struct bytes wire_get_lp(struct reader *r, size_t max);

struct wire_config {
    struct machine_config machine;
    uint64_t memory_limit;
};
void wire_put_config(struct buf *b, const struct wire_config *c);
enum rc wire_get_config(struct wire_config *c, struct bytes in, struct err *e);

/* FAILED, and what it says: one of the codes a machine gives, RC_IO for any other; text that is
 * printed safely. */
void wire_put_failed(struct buf *b, enum rc rc, const char *text);
enum rc wire_get_failed(struct bytes in, struct err *e);

/* Items: state keys and values (value empty: deleted) and code under its 0x03 key. next:
 * RC_NOTFOUND at the end; RC_MALFORMED for keys and sizes that state does not have. */
#define WIRE_ITEM_HEAD 5u /* bytes that an item takes besides key and value */
void wire_put_item(struct buf *b, struct bytes key, struct bytes value);
enum rc wire_next_item(struct reader *r, struct bytes *key, struct bytes *value, struct err *e);

void wire_put_commands(struct buf *b, const struct command *c, size_t n);
/* Borrow from `in`. */
enum rc wire_get_commands(struct command **out, size_t *n, struct bytes in, struct arena *mem,
                          struct err *e);

struct wire_run {
    const struct command_result *results;
    const struct out_message *messages;
    size_t n_messages;
    struct state_changes changes;
};
void wire_put_run(struct buf *b, const struct wire_run *x, size_t n);
/* What came of n commands: in `mem`, results to results[n]. */
enum rc wire_get_run(struct wire_run *out, struct command_result *results, size_t n,
                     struct bytes in, struct arena *mem, struct err *e);

/* Which effects a query has. */
enum wire_effect {
    EFFECT_RANDOM = 1, /* never asked for: the runtime has randomness itself */
    EFFECT_SIGN = 2,
    EFFECT_HTTP = 4,
    EFFECT_CACHE_GET = 8,
    EFFECT_CACHE_SET = 16,
};
void wire_put_query(struct buf *b, const struct machine_query *q);
/* q->host is not set; *effects says what it should have. Borrows. */
enum rc wire_get_query(struct machine_query *q, unsigned *effects, struct bytes in, struct err *e);

/* The output is copied to mem. */
void wire_put_answer(struct buf *b, const struct command_result *x);
enum rc wire_get_answer(struct command_result *x, struct bytes in, struct arena *mem,
                        struct err *e);

struct wire_ask {
    enum wire_effect effect;
    struct address contract;
    struct bytes key, value; /* message or request: key */
};
void wire_put_ask(struct buf *b, const struct wire_ask *a);
/* Borrows; sizes within the limits of ledger/profile.h. */
enum rc wire_get_ask(struct wire_ask *a, struct bytes in, struct err *e);

/* u8 rc, then what came back. */
void wire_put_effect(struct buf *b, enum rc rc, struct bytes result);
enum rc wire_get_effect(struct bytes *result, struct bytes in, struct err *e);
