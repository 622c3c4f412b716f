/* ledger/state.h - the natural keys of state, the account record, and reading committed state.
 * Keys: 0x01|address -> account, 0x02|address|storage key -> value, 0x03|code hash -> ELF bytes.
 * An absent account is {0, 0, no code}; such an account is never stored, nor is an empty value. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/u256.h"

#define STATE_STORAGE_KEY_MAX 128     /* bytes of a contract's own key */
#define STATE_VALUE_MAX 65536         /* bytes of a storage value */
#define STATE_CODE_MAX (1024u * 1024) /* bytes of an ELF */
#define STATE_KEY_MAX (21 + STATE_STORAGE_KEY_MAX)
#define STATE_ACCOUNT_SIZE 72

enum state_kind {
    STATE_ACCOUNT = 1,
    STATE_STORAGE = 2,
    STATE_CODE = 3,
};

/* Committed state at one height. get: *value borrows from `out` or from what lives as long as it;
 * p is NULL when the key is absent. RC_IO or RC_CORRUPT mean the node must stop; they never
 * become the result of a transaction. Thread rule: as the implementation says. */
struct state_source {
    enum rc (*get)(void *data, struct bytes key, struct arena *out, struct bytes *value,
                   struct err *e);
    void *data;
};

/* A natural key by value. */
struct state_key {
    uint8_t b[STATE_KEY_MAX];
    size_t n;
};

struct state_key state_key_account(const struct address *a);
/* key.n must be 1..STATE_STORAGE_KEY_MAX. */
struct state_key state_key_storage(const struct address *a, struct bytes key);
struct state_key state_key_code(const struct hash32 *code_hash);
static inline struct bytes state_key_bytes(const struct state_key *k)
{
    return bytes_of(k->b, k->n);
}

struct account {
    uint64_t nonce;
    struct u256 balance;
    struct hash32 code_hash; /* keccak256 of the ELF; zero: no code */
};

static inline bool account_has_code(const struct account *a)
{
    return !hash32_is_zero(&a->code_hash);
}
bool account_is_empty(const struct account *a);
/* nonce u64be | balance b32 | code hash 32 */
void account_encode(uint8_t out[STATE_ACCOUNT_SIZE], const struct account *a);
/* value.p NULL gives the empty account. RC_CORRUPT unless exactly STATE_ACCOUNT_SIZE bytes. */
enum rc account_decode(struct account *out, struct bytes value, struct err *e);

/* Read through a source: an account (empty if absent), a storage value and code (p NULL if
 * absent), borrowed from `mem`. */
enum rc state_account(const struct state_source *s, const struct address *a, struct account *out,
                      struct err *e);
enum rc state_storage(const struct state_source *s, const struct address *a, struct bytes key,
                      struct arena *mem, struct bytes *value, struct err *e);
enum rc state_code(const struct state_source *s, const struct hash32 *code_hash, struct arena *mem,
                   struct bytes *code, struct err *e);

/* One changed key of a block. `old` is what was committed before. p NULL: absent. */
struct state_change {
    struct bytes key;
    struct bytes value;
    struct bytes old;
};

/* Changes of a block, sorted by key (bytes_cmp), each key once, value != old. Borrowed. */
struct state_changes {
    const struct state_change *items;
    size_t n;
};
