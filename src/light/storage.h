/* light/storage.h - how contracts encode what they keep (contracts/sdk/storage.h), from outside:
 * parts of keys, decoders of values. light/layout.h makes a contract's accessors of these. Pure;
 * values are proved bytes, but of a contract's making: they are read strictly. Thread-safe. */
#pragma once

#include "base/reader.h"
#include "light/proof.h"

/* The SDK's words for types, so that one declaration serves both sides. (The names are the macros'
 * arguments; that is why these are typedefs.) */
typedef uint64_t st_u64;
typedef struct u256 st_u256;
typedef bool st_bool;
typedef struct address st_address;
typedef struct hash32 st_bytes32;
typedef struct bytes st_str; /* borrows from the value */

/* The key of a field: natural key prefix, contract, tag; then its parts are appended. A key that
 * gets too long becomes the empty one, which no proof fits. */
struct light_key st_key(const struct address *contract, uint8_t tag);
void st_key_u64(struct light_key *k, st_u64 v);
void st_key_u256(struct light_key *k, st_u256 v);
void st_key_bool(struct light_key *k, st_bool v);
void st_key_address(struct light_key *k, st_address v);
void st_key_bytes32(struct light_key *k, st_bytes32 v);
/* LISTs and SETs: their count, the element at i; of SETs also an element's index + 1, by its own
 * encoding, which follows. */
void st_key_count(struct light_key *k);
void st_key_at(struct light_key *k, uint64_t i);
void st_key_index(struct light_key *k);

/* The next part of a value. What ends before a field gives zeros in it, as in the contract: an
 * absent value, or one written before the field was added. Integers must be minimal. */
st_u64 st_get_u64(struct reader *r);
st_u256 st_get_u256(struct reader *r);
st_bool st_get_bool(struct reader *r);
st_address st_get_address(struct reader *r);
st_bytes32 st_get_bytes32(struct reader *r);
st_str st_get_str(struct reader *r);
/* RC_MALFORMED; RC_UNSUPPORTED: bytes follow that this reader does not know (a newer contract). */
enum rc st_done(const struct reader *r, const char *what, struct err *e);
/* A LIST's or SET's count, or an element's index + 1. */
enum rc st_count(uint64_t *out, struct bytes value, struct err *e);
