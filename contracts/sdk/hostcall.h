/* sdk/hostcall.h - the numbers guests and hosts share: what a program may ask its machine for.
 * ecall with the number in t0 (x5) and arguments in a0..a5; the result comes back in a0. Negative
 * results are -HOST_E*. Pointers are guest addresses; "b32" is a 256-bit big-endian number. A
 * number, once given, keeps its meaning for ever; new meanings get new numbers. This file is plain
 * #defines so that guest C, host C and assembly can all include it. */
#pragma once

/* ---- contracts (ledger): context ---- */
#define HOST_CALLDATA_SIZE 1 /* () -> bytes */
#define HOST_CALLDATA_READ 2 /* (dst, offset, n) -> bytes copied (less at the end) */
#define HOST_CALLER 3        /* (dst20) */
#define HOST_ORIGIN 4        /* (dst20): sender of the transaction */
#define HOST_SELF 5          /* (dst20): this contract */
#define HOST_VALUE 6         /* (dst_b32): coin sent with this call */
#define HOST_HEIGHT 7        /* () -> block height */
#define HOST_TIME 8          /* () -> block time, Unix seconds */
#define HOST_CHAIN_ID 9      /* () */
#define HOST_GAS_LEFT 10     /* () */
#define HOST_IS_STATIC 11    /* () -> 1 in a view call, else 0 */
#define HOST_GENESIS_HASH 13 /* (dst32): what names the chain; zeros while genesis runs */
#define HOST_PROFILE                                                                               \
    14 /* () -> where it runs: 0 public ledger; in a cluster of confidential contracts 1 sealed    \
          command, 2 plain command, 3 query */
#define HOST_BLOCK_HASH                                                                            \
    12 /* (height, dst32) -> 0, or -HOST_ENOTFOUND but for the 256 before this one */

/* ---- contracts: state and coin ---- */
#define HOST_STORAGE_GET                                                                           \
    16 /* (key, key_n, dst, cap) -> length of the value (copies at most cap), or -HOST_ENOTFOUND   \
        */
#define HOST_STORAGE_SET                                                                           \
    17                   /* (key, key_n, val, val_n): val_n 0 deletes. key <= 128, val <= 65536 */
#define HOST_BALANCE 18  /* (addr20, dst_b32) */
#define HOST_TRANSFER 19 /* (addr20, val_b32): plain payment, runs no code; -HOST_EBALANCE */

/* ---- contracts: calls and life ---- */
#define HOST_CALL                                                                                  \
    32 /* (addr20, data, n, val_b32 or 0, flags) -> 0, -HOST_EREVERTED, -HOST_ETRAPPED, ...;       \
          result in RETURNDATA */
#define HOST_CALL_STATIC 1 /* flag: the callee and all below may not change state */
#define HOST_RETURNDATA_SIZE 33
#define HOST_RETURNDATA_READ 34 /* (dst, offset, n) -> bytes copied */
#define HOST_DEPLOY                                                                                \
    35 /* (code_hash32, salt32 or 0, init, n, val_b32 or 0, dst20): clone stored code; init is its \
          first calldata */
#define HOST_SET_CODE 36  /* (code_hash32): this contract's code from its next call on */
#define HOST_CODE_HASH 37 /* (addr20, dst32) -> 0, or -HOST_ENOTFOUND when there is no code */
#define HOST_LOG 38       /* (topics32, n_topics <= 4, data, n) */
#define HOST_RETURN 39    /* (data, n): does not come back */
#define HOST_REVERT 40    /* (data, n): does not come back */
#define HOST_GROW                                                                                  \
    41 /* (bytes) -> address of that much more zeroed memory (16-aligned), or -HOST_ELIMIT */

/* ---- confidential contracts (docs/confidential.md); the public ledger knows none of these ----
 * There HOST_TRANSFER and HOST_CALL to an address that is no contract of the cluster are a message
 * out with empty data, HOST_DEPLOY and HOST_SET_CODE answer -HOST_EINVAL, and block hashes are not
 * found. */
#define HOST_SEND                                                                                  \
    48 /* (to20, val_b32 or 0, data, n <= 16384): a message to a contract of the public ledger ->  \
          0, -HOST_EBALANCE, -HOST_ELIMIT (also above 256 messages of a command) */

/* ---- accelerated, also for validators ---- */
#define HOST_KECCAK256 64 /* (src, n, dst32) */
#define HOST_SHA256 65    /* (src, n, dst32) */
#define HOST_ECRECOVER                                                                             \
    66 /* (digest32, sig65 r|s|v with v 27 or 28 and low s, dst20) -> 0, -HOST_EINVAL */
#define HOST_ED25519_VERIFY 67 /* (pub32, sig64, msg, n) -> 1 or 0 (ZIP-215) */
#define HOST_P256_VERIFY 68    /* (pub64 x|y, sig64 r|s, digest32) -> 1 or 0 */
#define HOST_SHA512 69         /* (src, n, dst64) */
#define HOST_MEMCPY 72         /* (dst, src, n): as memmove */
#define HOST_MEMSET 73         /* (dst, byte, n) */
#define HOST_MEMCMP 74         /* (a, b, n) -> <0, 0, >0 */
/* ristretto255 (RFC 9496). Elements and scalars are 32 bytes and canonical; no element that is read
 * is the identity. -HOST_EINVAL otherwise. */
#define HOST_RISTRETTO_FROM_HASH 76 /* (in64, dst32): the element of 64 uniform bytes */
#define HOST_RISTRETTO_SUM                                                                         \
    77 /* (scalars, elements, n, dst32) -> 0: sum of scalar times element, 1 <= n <= 32; zeros for \
          the identity */
#define HOST_RISTRETTO_SCALAR                                                                      \
    78 /* (op, a, b, dst32) -> 0, modulo the group order: 0 a (64 bytes) reduced, 1 a + b, 2 a -   \
          b, 3 a * b, 4 1 / a */

/* ---- attestation, version 1 (attest/): what these accept is consensus ---- */
#define HOST_VERIFY_COLLATERAL                                                                     \
    80 /* (words of COLLATERAL_REQUEST, dst of HOST_COLLATERAL_SIZE) -> 0 or -HOST_EINVAL */
#define HOST_VERIFY_EVIDENCE                                                                       \
    81 /* (words of EVIDENCE_REQUEST, dst, cap) -> bytes of the record (copies at most cap), or    \
          -HOST_EINVAL */
/* Requests are 64-bit words: addresses and sizes in the guest. Roots are SHA-256 fingerprints one
 * after another; vendors 1 takes Intel's and AMD's besides. now is Unix seconds. An evidence of
 * 1184 bytes is a SEV-SNP report, its collateral PEM certificates or the table of its firmware;
 * anything else is a DCAP quote, its collateral QuoteCollateralV3 JSON. The policy is JSON
 * (docs/attestation.md). The record is attest/record.h's. */
#define HOST_COLLATERAL_REQUEST_WORDS 5 /* json, n, roots, number of roots, vendors */
#define HOST_EVIDENCE_REQUEST_WORDS                                                                \
    10 /* evidence, n, collateral, n, policy, n, roots, number of roots, vendors, now */
/*   0 u8 0 verified, 2 not  1 u8 stage  2 u8 1 TDX  3 u8 1 Platform CA  4 u32 evaluation number
 *   8 FMSPC 6  14 zero 2  16 u64 issue date of the TCB info  24 of the QE identity
 *  32 of the root CRL  40 of the PCK CRL  48 u64 valid from  56 u64 valid until
 *  64 root fingerprint 32; integers big-endian, dates in Unix seconds */
#define HOST_COLLATERAL_SIZE 96
#define HOST_EVIDENCE_RECORD_HEAD 224
#define HOST_EVIDENCE_RECORD_MAX 2272
#define HOST_EVIDENCE_ROOTS_MAX 16

/* ---- validators (worker) ---- */
#define HOST_INPUT_SIZE 96 /* () -> bytes of the decrypted contribution */
#define HOST_INPUT_READ 97 /* (dst, offset, n) -> bytes copied */
#define HOST_ENV_GET 98    /* (name, name_n, dst, cap) -> length, or -HOST_ENOTFOUND */
#define HOST_RESULT 99     /* (json, n): the results.json text; the last call counts */
#define HOST_EXIT 100      /* (code): does not come back */

/* ---- queries of confidential contracts: -HOST_ESTATIC in a command, -HOST_EINVAL where the worker
 * does not offer it ---- */
#define HOST_RANDOM 112 /* (dst, n <= 4096) -> 0: fresh random bytes */
#define HOST_SIGN                                                                                  \
    113 /* (message, n <= 65536, dst65) -> 0: r|s|v, v 27 or 28, by the contract's key, over its   \
           own digest of the message (docs/confidential.md, Keys) */
#define HOST_HTTP                                                                                  \
    114 /* (request, n <= 65536) -> bytes of the response, which is in RETURNDATA; both are JSON.  \
           -HOST_ENOTFOUND: no answer; -HOST_EINVAL: not allowed; -HOST_ELIMIT: too long */
#define HOST_CACHE_GET                                                                             \
    115 /* (key, key_n 1..128, dst, cap) -> length of the value (copies at most cap), or           \
           -HOST_ENOTFOUND: a worker may forget */
#define HOST_CACHE_SET 116 /* (key, key_n, val, val_n <= 65536) -> 0: val_n 0 forgets */

/* ---- results ---- */
#define HOST_ENOTFOUND 1
#define HOST_EINVAL 2
#define HOST_ELIMIT 3
#define HOST_EBALANCE 4
#define HOST_ESTATIC 5    /* a view call tried to change state */
#define HOST_EREVERTED 6  /* the callee reverted: its data is in RETURNDATA */
#define HOST_ETRAPPED 7   /* the callee trapped or ran out of gas: all its gas is gone */
#define HOST_EREENTRANT 8 /* the callee is on the call stack and not marked reentrant */
#define HOST_EDEPTH 9
