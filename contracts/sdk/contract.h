/* sdk/contract.h - what a contract is written with. Freestanding C23 compiled by clang to RISC-V;
 * the same source is compiled for this machine by its unit tests. Guide: docs/contracts.md.
 *
 * A contract is one file of handlers, `NAME_function(...)`, whose prototypes come from its ABI JSON
 * (NAME.abi.h, generated). It has no mutable globals: all that lasts is declared with the storage
 * macros of sdk/storage.h, all that does not is on the stack or from alloc(), which is never freed
 * because the whole memory goes when the call ends. A revert undoes everything the call did. */
#pragma once

#include "sdk/host.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint64_t u64;
typedef unsigned _BitInt(256) u256;

/* Aligned, so that copies are a few words instead of a loop over bytes. */
typedef struct {
    alignas(4) u8 b[20];
} address;

typedef struct {
    alignas(8) u8 b[32];
} bytes32;

typedef struct {
    u8 b[4];
} bytes4;

/* Borrowed bytes: Solidity's `string` and `bytes`. */
typedef struct {
    const u8 *p;
    u64 n;
} str;

#define STR(literal) ((str){(const u8 *)(literal), sizeof(literal) - 1})
#define ADDRESS_ZERO ((address){{0}})
#define U256_MAX (~(u256)0)
#define ETHER ((u256)1000000000000000000u)

/* ---- memory ---- */

/* n bytes, 16-aligned, content undefined. Reverts with Panic 0x41 when memory is out. */
void *alloc(u64 n);
/* The same for count elements of `size` bytes, zeroed; the product is checked. */
void *alloc_array(u64 count, u64 size);
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* ---- ending a call ---- */

/* Revert with these bytes as they are. */
[[noreturn]] void revert_raw(str data);
/* Revert with Error(string): what `require(false, "...")` gives in Solidity. */
[[noreturn]] void revert_text(const char *why);
/* Revert with Panic(uint256). */
[[noreturn]] void revert_panic(u64 code);
#define PANIC_ASSERT 0x01u
#define PANIC_ARITHMETIC 0x11u
#define PANIC_DIVISION 0x12u
#define PANIC_INDEX 0x32u
#define PANIC_MEMORY 0x41u
/* Revert with empty data: calldata that is no encoding of the arguments. */
[[noreturn]] void bad_calldata(void);

/* ---- the call and the world ---- */

address msg_caller(void); /* who called, whatever it says (role checks use this one) */
address tx_origin(void);
address self_address(void);
u256 msg_value(void);
str msg_data(void); /* the calldata as it came */
u64 block_height(void);
u64 block_time(void); /* Unix seconds, strictly rising */
u64 chain_id(void);
u64 gas_left(void);
u256 balance_of_account(address account);
/* Pay native coin; runs no code at the receiver. False when the balance is too small. */
[[nodiscard]] bool pay(address to, u256 amount);
/* False when there is no code at the address. */
[[nodiscard]] bool code_hash_of(address account, bytes32 *out);

/* ---- hashes, signatures ---- */

bytes32 keccak(str data);
bytes32 sha256_of(str data);
/* All 64 bytes. */
str sha512_of(str data);
bytes32 genesis_hash(void); /* names the chain */
/* Header hash of one of the 256 blocks before this one; false for any other height. */
[[nodiscard]] bool block_hash(u64 height, bytes32 *out);
/* The signer of a 32-byte digest; false unless r|s|v with v 27 or 28 and low s. */
[[nodiscard]] bool ecrecover(bytes32 digest, str signature65, address *out);

/* ---- values ---- */

static inline bool same(address a, address b)
{
    uint32_t x[5], y[5], differ = 0;

    __builtin_memcpy(x, a.b, 20);
    __builtin_memcpy(y, b.b, 20);
    for (int i = 0; i < 5; i++)
        differ |= x[i] ^ y[i];
    return differ == 0;
}

static inline bool is_zero(address a)
{
    return same(a, ADDRESS_ZERO);
}

static inline bool same32(bytes32 a, bytes32 b)
{
    return memcmp(a.b, b.b, 32) == 0;
}

static inline bool same_str(str a, str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline u256 checked_add(u256 a, u256 b)
{
    if (a > U256_MAX - b)
        revert_panic(PANIC_ARITHMETIC);
    return a + b;
}

static inline u256 checked_sub(u256 a, u256 b)
{
    if (a < b)
        revert_panic(PANIC_ARITHMETIC);
    return a - b;
}

u256 checked_mul(u256 a, u256 b);
/* Rounds down; Panic 0x12 for a zero divisor. */
u256 checked_div(u256 a, u256 b);
/* a as 64 bits, or Panic 0x11. */
u64 checked_u64(u256 a);
u256 u256_of(bytes32 big_endian);
bytes32 bytes32_of(u256 v);

/* ---- calling other contracts ---- */

/* Raw call. Returns 0 or -HOST_E*; *result is what came back either way (also a revert's data). */
[[nodiscard]] long call_raw(address to, str data, u256 value, bool is_static, str *result);
/* What generated stubs use: passes a revert of the callee on as our own, and reverts with empty
 * data when there is no code at `to`. */
str call_or_revert(address to, str data, u256 value, bool is_static);
/* A new contract running code that is stored already, made by its first call `init`. A failing
 * init is passed on as our own revert. Not in a cluster: there a message makes contracts
 * (docs/contracts.md, Contracts that make contracts). */
address deploy_clone(bytes32 code_hash, str init, u256 value);

/* ---- ABI, used by generated code ---- */

/* Arguments being read: offsets below are relative to p. */
typedef struct {
    const u8 *p;
    u64 n;
} dec;

/* Bytes being written; grows. */
typedef struct {
    u8 *p;
    u64 n, cap;
} enc;

u8 *enc_room(enc *e, u64 n); /* n more bytes, undefined */
void enc_raw(enc *e, const void *p, u64 n);
u64 enc_zero(enc *e, u64 n); /* n zero bytes; returns their offset */
static inline str enc_str(const enc *e)
{
    return (str){e->p, e->n};
}

/* Reading: the value whose head is at `at`; tails are relative to `base`. All revert through
 * bad_calldata() when a word is missing, out of its type's range, or points outside. */
u256 abi_get_u256(dec c, u64 base, u64 at);
u64 abi_get_u64(dec c, u64 base, u64 at); /* any uintN up to 64 bits; see abi_limit */
bool abi_get_bool(dec c, u64 base, u64 at);
address abi_get_address(dec c, u64 base, u64 at);
bytes32 abi_get_bytes32(dec c, u64 base, u64 at);
bytes4 abi_get_bytes4(dec c, u64 base, u64 at);
str abi_get_str(dec c, u64 base, u64 at);
u64 abi_get_tail(dec c, u64 base, u64 at); /* where the tail starts */
u64 abi_get_count(dec c, u64 at, u64 element_head);
static inline u64 abi_limit(u64 v, u64 max)
{
    if (v > max)
        bad_calldata();
    return v;
}

/* Writing: the head at offset `at` exists already; tails are appended, relative to `base`. */
void abi_put_u256(enc *e, u64 base, u64 at, u256 v);
void abi_put_u64(enc *e, u64 base, u64 at, u64 v);
void abi_put_bool(enc *e, u64 base, u64 at, bool v);
void abi_put_address(enc *e, u64 base, u64 at, address v);
void abi_put_bytes32(enc *e, u64 base, u64 at, bytes32 v);
void abi_put_bytes4(enc *e, u64 base, u64 at, bytes4 v);
void abi_put_str(enc *e, u64 base, u64 at, str v);
u64 abi_put_tail(enc *e, u64 base, u64 at, u64 head); /* new base, its head zeroed */
u64 abi_put_list(enc *e, u64 base, u64 at, u64 n, u64 element_head);
void abi_selector(enc *e, u64 selector);

/* T[]: a struct of pointer and count, and its two codec functions. `head` is an element's size in
 * the list's head. */
#define UNUSED_OK __attribute__((unused)) static inline
#define ABI_LIST(word, type, head)                                                                 \
    UNUSED_OK struct word##_list abi_get_##word##_list(dec c, u64 base, u64 at)                    \
    {                                                                                              \
        u64 tail = abi_get_tail(c, base, at), n = abi_get_count(c, tail, head);                    \
        struct word##_list v = {alloc_array(n, sizeof(type)), n};                                  \
                                                                                                   \
        for (u64 i = 0; i < n; i++)                                                                \
            v.p[i] = abi_get_##word(c, tail + 32, tail + 32 + i * (head));                         \
        return v;                                                                                  \
    }                                                                                              \
    UNUSED_OK void abi_put_##word##_list(enc *e, u64 base, u64 at, struct word##_list v)           \
    {                                                                                              \
        u64 b = abi_put_list(e, base, at, v.n, head);                                              \
                                                                                                   \
        for (u64 i = 0; i < v.n; i++)                                                              \
            abi_put_##word(e, b, b + i * (head), v.p[i]);                                          \
    }
#define BUILTIN_LIST(word)                                                                         \
    struct word##_list {                                                                           \
        word *p;                                                                                   \
        u64 n;                                                                                     \
    };                                                                                             \
    ABI_LIST(word, word, 32)
BUILTIN_LIST(u256)
BUILTIN_LIST(u64)
BUILTIN_LIST(bool)
BUILTIN_LIST(address)
BUILTIN_LIST(bytes32)
BUILTIN_LIST(str)

void emit_log(const bytes32 *topics, u64 n_topics, const enc *data);
bytes32 topic_u256(u256 v);
bytes32 topic_address(address v);
/* Reverts (empty data) when coin came along. */
void nonpayable(void);

/* While a call of this contract is on the stack, calls back into it are refused. The functions with
 * these selectors are let in all the same; only for ones that change nothing, or expect it:
 *   REENTRANT_FUNCTIONS({0x70, 0xa0, 0x82, 0x31}, {0x18, 0x16, 0x0d, 0xdd}) */
#ifdef SDK_NATIVE
#define REENTRANT_FUNCTIONS(...)                                                                   \
    __attribute__((visibility("default"))) extern const u8 reentrant_functions[][4];               \
    __attribute__((visibility("default"))) extern const u64 reentrant_functions_size;              \
    const u8 reentrant_functions[][4] = {__VA_ARGS__};                                             \
    const u64 reentrant_functions_size = sizeof(reentrant_functions);
#else
#define REENTRANT_FUNCTIONS(...)                                                                   \
    __attribute__((used,                                                                           \
                   section(".cloister.reentrant"))) static const u8 reentrant_functions_[][4] = {  \
        __VA_ARGS__};
#endif

/* Generated: run the function that calldata names, give back its encoded result. */
str contract_dispatch(str calldata);

#include "sdk/storage.h"
