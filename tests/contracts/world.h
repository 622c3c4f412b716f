/* tests/contracts/world.h - a small chain in memory for contracts compiled for this machine:
 * storage, balances, nested calls, clones, logs, and everything undone by a revert. It follows
 * contracts/sdk/hostcall.h; gas is not counted. One world at a time. */
#pragma once

#include "base/arena.h"
#include "base/u256.h"
#include "codec/abi.h"
#include "crypto/random.h"
#include "crypto/secp256k1.h"

struct world_log {
    struct address from;
    struct hash32 topics[4];
    size_t n_topics;
    struct bytes data;
};

enum world_outcome {
    WORLD_OK,
    WORLD_REVERTED,
    WORLD_TRAPPED,
};

/* sdk/confidential.h: a message to the public ledger */
struct world_message {
    struct address from, to;
    struct u256 value;
    struct bytes data;
};

struct world {
    uint64_t height, time, chain_id;
    uint64_t profile; /* HOST_PROFILE: 0 public ledger. 1 to 3: all contracts are in one cluster */
    /* Of queries (profile 3). Randomness is a seeded stream, the cache is empty at first. */
    struct bytes http_response;     /* p NULL: no answer */
    struct bytes http_request;      /* the last one */
    struct secp_key *sign;          /* NULL: signing is not offered */
    struct world_message *messages; /* out, of the last world_call() that succeeded */
    size_t n_messages;
    struct insecure_seed random;
    uint64_t gas_left; /* what contracts are told */
    /* of the last world_call() or world_view() */
    struct bytes ret; /* result, or the data of the revert */
    struct world_log *logs;
    size_t n_logs;
    uint64_t gas;   /* on the machine: of all calls so far */
    struct arena a; /* results live here until world_clear() */
};

/* A fresh world at height 1. Contracts are loaded from `argv0`'s folder (NAME.so). */
void world_init(struct world *w);
void world_clear(struct world *w);

/* The code hash of a contract by name: what clones are made of. */
struct hash32 world_code_hash(const char *name);
/* Put `name` at a new address without running anything. */
struct address world_place(struct world *w, const char *name);
/* A distinct account. */
struct address world_account(unsigned i);
void world_set_balance(struct world *w, struct address who, uint64_t amount);
struct u256 world_balance(struct world *w, struct address who);
/* The hash a block of this world has. */
struct hash32 world_block_hash(uint64_t height);
/* A stored value, empty if none. */
struct bytes world_storage(struct world *w, struct address at, struct bytes key);
/* Put a value there, as a genesis may: for what another contract's history has made. */
void world_store(struct world *w, struct address at, struct bytes key, struct bytes value);
size_t world_storage_count(struct world *w);

/* One transaction or eth_call. `data` is cleared. Fills w->ret and, when it succeeded, w->logs. */
enum world_outcome world_call(struct world *w, struct address from, struct address to,
                              uint64_t value, struct buf *data);
enum world_outcome world_view(struct world *w, struct address to, struct buf *data);
