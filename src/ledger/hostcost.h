/* ledger/hostcost.h - what each host call of a contract costs, version 1 (consensus), in the VM's
 * gas units (LEDGER_GAS_UNITS make 1 gas), besides VM_COST_ECALL. docs/ledger.md prints this table.
 * A change of any number is a new version chosen by height, never an edit. */
#pragma once

#include <stdint.h>

#define HOST_COST_VERSION 1

/* X(number, base, per 32 bytes of the call's data, rounded up in all) */
#define HOST_COST_TABLE(X)                                                                         \
    X(HOST_CALLDATA_SIZE, 0, 0)                                                                    \
    X(HOST_CALLDATA_READ, 20, 8)                                                                   \
    X(HOST_CALLER, 20, 0)                                                                          \
    X(HOST_ORIGIN, 20, 0)                                                                          \
    X(HOST_SELF, 20, 0)                                                                            \
    X(HOST_VALUE, 20, 0)                                                                           \
    X(HOST_HEIGHT, 0, 0)                                                                           \
    X(HOST_TIME, 0, 0)                                                                             \
    X(HOST_CHAIN_ID, 0, 0)                                                                         \
    X(HOST_GAS_LEFT, 0, 0)                                                                         \
    X(HOST_IS_STATIC, 0, 0)                                                                        \
    X(HOST_GENESIS_HASH, 20, 0)                                                                    \
    X(HOST_PROFILE, 0, 0)                                                                          \
    X(HOST_BLOCK_HASH, 1600, 0)                                                                    \
    X(HOST_STORAGE_GET, 1200, 0) /* and COST_GET_PER_32 of the value */                            \
    X(HOST_STORAGE_SET, 0, 0)    /* COST_SET_* */                                                  \
    X(HOST_BALANCE, 1600, 0)                                                                       \
    X(HOST_TRANSFER, 36000, 0)                                                                     \
    X(HOST_CALL, 4000, 0) /* and the code's load cost; COST_CALL_VALUE with coin */                \
    X(HOST_RETURNDATA_SIZE, 0, 0)                                                                  \
    X(HOST_RETURNDATA_READ, 20, 8)                                                                 \
    X(HOST_DEPLOY, 48000, 0)                                                                       \
    X(HOST_SET_CODE, 12000, 0)                                                                     \
    X(HOST_CODE_HASH, 1600, 0)                                                                     \
    X(HOST_LOG, 1500, 1024) /* and COST_LOG_TOPIC */                                               \
    X(HOST_SEND, 40000, 1024)                                                                      \
    X(HOST_RETURN, 0, 8)                                                                           \
    X(HOST_REVERT, 0, 8)                                                                           \
    X(HOST_GROW, 20, 0) /* and VM_COST_PAGE a page */                                              \
    X(HOST_KECCAK256, 120, 64)                                                                     \
    X(HOST_SHA256, 120, 32)                                                                        \
    X(HOST_SHA512, 120, 48)                                                                        \
    X(HOST_ECRECOVER, 12000, 0)                                                                    \
    X(HOST_ED25519_VERIFY, 16000, 64)                                                              \
    X(HOST_P256_VERIFY, 14000, 0)                                                                  \
    X(HOST_VERIFY_COLLATERAL, 200000, 64)                                                          \
    X(HOST_VERIFY_EVIDENCE, 300000, 64)                                                            \
    X(HOST_RISTRETTO_FROM_HASH, 10000, 0)                                                          \
    X(HOST_RISTRETTO_SUM, 100, 20000) /* each product */                                           \
    X(HOST_RISTRETTO_SCALAR, 400, 0)  /* the inverse takes COST_SCALAR_INVERT more */              \
    X(HOST_RANDOM, 400, 32)                                                                        \
    X(HOST_SIGN, 20000, 64)                                                                        \
    X(HOST_HTTP, 400000, 64)   /* and COST_GET_PER_32 of the response */                           \
    X(HOST_CACHE_GET, 2000, 0) /* and COST_GET_PER_32 of the value */                              \
    X(HOST_CACHE_SET, 4000, 64)                                                                    \
    X(HOST_MEMCPY, 20, 8)                                                                          \
    X(HOST_MEMSET, 20, 4)                                                                          \
    X(HOST_MEMCMP, 20, 8)

#define COST_GET_PER_32 32
#define COST_SET_NEW 20000       /* the key had no value */
#define COST_SET_CHANGE 8000     /* another value */
#define COST_SET_DELETE 4000     /* the key had a value and has none now */
#define COST_SET_SAME 2000       /* nothing changes */
#define COST_SET_STORED_BYTE 120 /* new key: of key and value; else of what the value grew by */
#define COST_SET_WRITTEN_BYTE 12 /* change: of the value */

#define COST_CALL_VALUE 36000   /* coin sent with a call or deploy */
#define COST_LOG_TOPIC 1500     /* each */
#define COST_SCALAR_INVERT 6000 /* 1 / a in HOST_RISTRETTO_SCALAR */
#define COST_LOAD_PER_32 8      /* of the code's ELF, each time it is entered */
#define COST_CODE_BYTE 200      /* of an ELF that is stored for the first time */

/* Ethereum's intrinsic gas (in gas, not units) */
#define GAS_TX 21000
#define GAS_TX_CREATE 32000
#define GAS_DATA_ZERO 4
#define GAS_DATA_NONZERO 16
#define GAS_ACCESS_ADDRESS 2400
#define GAS_ACCESS_KEY 1900
