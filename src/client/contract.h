/* client/contract.h - call contracts by signature text, as cast does: for the command line and for
 * code that touches a contract in one place. Arguments are texts in cast's syntax (codec/abi.h);
 * inside tuples and arrays strings are quoted as JSON (contract_arg_str does it).
 * Thread rule: as chain_client. */
#pragma once

#include "client/chain_client.h"
#include "codec/abi.h"

/* eth_call "name(types)(results)": *out is the tuple of results, living in the arena. Without a
 * result list the tuple is empty. RC_DENIED: reverted, with the reason. RC_NOTFOUND: no contract
 * there (the call gave nothing). */
enum rc contract_read(struct chain_client *c, struct arena *a, struct abi_value *out,
                      const struct address *to, const char *signature, const char *const *args,
                      size_t n_args, struct err *e);
/* The same for n functions of one contract that take nothing, in one round trip; out[n]. Blocks may
 * be made between them. */
#define CONTRACT_READ_MAX 16
enum rc contract_read_all(struct chain_client *c, struct arena *a, struct abi_value *out,
                          const struct address *to, const char *const *signatures, size_t n,
                          struct err *e);
/* Send a transaction calling "name(types)" and wait for it. value may be NULL. */
enum rc contract_write(struct chain_client *c, struct chain_receipt *out, struct arena *a,
                       const struct secp_key *key, const struct address *to, const char *signature,
                       const char *const *args, size_t n_args, const struct u256 *value,
                       struct err *e);
/* The topic of "Event(types)"; the text is ours (checked). */
struct hash32 contract_topic(const char *signature);

/* The i-th item of a tuple; which must be of that kind (checked: the signature is ours). Numbers
 * above 64 bits give UINT64_MAX. Strings are copied with a NUL. */
uint64_t value_u64(const struct abi_value *tuple, size_t i);
struct u256 value_u256(const struct abi_value *tuple, size_t i);
struct address value_address(const struct abi_value *tuple, size_t i);
struct bytes value_bytes(const struct abi_value *tuple, size_t i);
char *value_str(struct arena *a, const struct abi_value *tuple, size_t i);
const struct abi_value *value_item(const struct abi_value *tuple, size_t i);

/* Argument texts. */
char *contract_arg_u64(struct arena *a, uint64_t v);
char *contract_arg_u256(struct arena *a, const struct u256 *v);
char *contract_arg_address(struct arena *a, const struct address *v);
/* In quotes, escaped: any text, also within tuples. */
char *contract_arg_str(struct arena *a, struct bytes text);
