/* abigen/abigen.h - from a Solidity ABI JSON file to C, for both sides of the interface.
 *
 * Types: uint8 to uint64 and uint256, bool, address, bytes4, bytes32, string, bytes, tuple, and T[]
 * of these. Others are RC_UNSUPPORTED with the function named. Overloaded names too: a C function
 * has one meaning. The names that come out are listed in docs/contracts.md. Pure; thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

/* Longest JSON text that is read. */
#define ABIGEN_JSON_MAX (1u << 20)

/* What a contract called `name` (a C identifier; as the file, without .json) is compiled with.
 *   header  NAME.abi.h   structs, prototypes of the handlers, emit_X, revert_X
 *   source  NAME.abi.c   their bodies, and contract_dispatch()
 *   calls   NAME.calls.h what other contracts include to call this one
 * Any output may be NULL; text is appended. RC_MALFORMED: no well-formed ABI JSON (the entry is
 * named); RC_UNSUPPORTED: a type or an overloaded name; RC_LIMIT: above ABIGEN_JSON_MAX. */
enum rc abigen_contract(struct buf *header, struct buf *source, struct buf *calls,
                        struct bytes json, const char *name, struct err *e);

/* What our own C programs use, a header of static inline functions over codec/abi.h:
 * chain/gen/STEM.h with STEM from abigen_stem(). Errors as abigen_contract(). */
enum rc abigen_client(struct buf *header, struct bytes json, const char *name, struct err *e);

/* "DataLiquidityPool" -> "data_liquidity_pool", "DLPRegistry" -> "dlp_registry". Appended. */
void abigen_stem(struct buf *out, const char *name);
