/* cluster/machine.h - the state machine of a cluster: commands in, changes, outbox and receipts out
 * (docs/confidential.md, Execution). It is the public ledger's executor with a cluster's rules.
 * Deterministic: a function of state and commands. It holds plaintext and runs hostile code; it has
 * no keys: opening envelopes and keying leaves is the caller's. Not thread-safe. */
#pragma once

#include "cluster/envelope.h"
#include "cluster/signed.h"
#include "ledger/executor.h"

/* What a command is when its envelope is open. */
struct command {
    uint8_t kind;    /* enum entry_kind */
    bool unreadable; /* the envelope did not open: nothing runs, the value goes back */
    uint64_t index;
    uint64_t height, time_s; /* of its batch */
    struct address contract, sender;
    uint64_t gas;
    struct u256 value_wei;
    struct bytes calldata;   /* ACTIVATE: init (none: no call) */
    struct hash32 code_hash; /* ACTIVATE, UPGRADE */
};

struct command_result {
    enum receipt_status status;
    struct bytes output; /* at most RECEIPT_OUTPUT_MAX; of a query LEDGER_OUTPUT_MAX */
    const struct log *events;
    size_t n_events;
    uint64_t gas_used; /* for measurements; leaves the machine nowhere else */
};

struct machine_config {
    uint64_t chain_id;
    struct hash32 genesis;
    size_t state_limit;     /* what state may weigh; 0: no limit. RC_LIMIT at load; a command that
                               would go beyond reverts */
    uint64_t command_limit; /* 0: MACHINE_COMMAND_MAX */
};

struct machine;
struct machine *machine_new(const struct machine_config *c);
void machine_free(struct machine *m); /* NULL is let pass; wipes the state */

/* Load state: natural keys 0x01, 0x02. RC_EXISTS, RC_LIMIT, RC_MALFORMED (also a balance of 2^224
 * and more). */
enum rc machine_load(struct machine *m, struct bytes key, struct bytes value, struct err *e);
/* Make code known, by its hash: an ELF, or an ELF with its salt (cluster/code.h). RC_MALFORMED,
 * RC_UNSUPPORTED, RC_LIMIT: not a program. */
enum rc machine_put_code(struct machine *m, struct bytes elf, struct hash32 *hash, struct err *e);
bool machine_has_code(const struct machine *m, const struct hash32 *hash);

/* Most bytes of changes, outputs, events and messages of one machine_run, and most that it keeps
 * while it runs. */
#define MACHINE_RANGE_MAX (256u << 20)
/* Most that one command may have the machine keep (`work` of ledger/journal.h): one beyond it
 * reverts with COMMAND_TOO_LARGE, and any single command stays below MACHINE_RANGE_MAX. */
#define MACHINE_COMMAND_MAX (96u << 20)
/* The first four bytes of keccak256("CommandTooLarge()"), as its revert data. */
extern const uint8_t COMMAND_TOO_LARGE[4];
/* What a cluster's state may weigh (STATE_KEY_WEIGHT): the same in every member, and what a process
 * of 4 GiB holds with all that belongs to it. */
#define MACHINE_STATE_LIMIT ((size_t)1280 << 20)

/* Run the commands of a commit's range, in order. Results (n of them), messages and changes live in
 * `mem`; changes are sorted, each key once, `old` is what was there before: applied backwards they
 * undo it. State has moved on when this returns RC_OK, and only then. RC_NOTFOUND: an activate or
 * upgrade names code that is not known: put the code and run again. RC_LIMIT: what the range makes
 * is above MACHINE_RANGE_MAX: run fewer commands at a time; never of one alone. RC_RANGE: a value
 * of 2^192 and more, which no chain has. RC_CORRUPT: a contract's code was never put. Any other
 * failure of a command is its result. */
enum rc machine_run(struct machine *m, const struct command *commands, size_t n, struct arena *mem,
                    struct command_result *results, const struct out_message **messages,
                    size_t *n_messages, struct state_changes *changes, struct err *e);
/* Apply a delta's changes (keys 0x01, 0x02) instead of running. RC_MALFORMED, RC_LIMIT: nothing has
 * changed. */
enum rc machine_apply(struct machine *m, const struct state_change *changes, size_t n,
                      struct err *e);

struct machine_query {
    struct address contract, caller;
    struct bytes calldata;
    uint64_t gas;
    uint64_t height, time_s;
    const struct query_host *host; /* NULL: none of it */
};
/* Answer from the state as it stands; writes and messages are dropped. */
enum rc machine_query(struct machine *m, const struct machine_query *q, struct arena *mem,
                      struct command_result *out, struct err *e);

/* Walk the whole state, contract by contract in the order of their addresses: RC_OK from fn goes
 * on. For checkpoints. Codes in use come last, as 0x03 keys. */
enum rc machine_each(const struct machine *m,
                     enum rc (*fn)(void *data, struct bytes key, struct bytes value, struct err *e),
                     void *data, struct err *e);
/* What the state weighs. */
size_t machine_state_size(const struct machine *m);
