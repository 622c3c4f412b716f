/* ledger/txcode.h - the result codes of transactions. Numbers are consensus: they are hashed into
 * the results of a block. A number, once given, keeps its meaning. */
#pragma once

#include <stdbool.h>

enum tx_code {
    TX_OK = 0,

    /* The transaction ran and failed: nonce and fee are taken, all else is undone. Receipt status
     * 0. */
    TX_REVERTED = 1,      /* the contract said so; output is its data */
    TX_OUT_OF_GAS = 2,    /* all gas used */
    TX_TRAPPED = 3,       /* bad instruction, address or host call; all gas used */
    TX_BAD_CODE = 4,      /* deploy: not a program the machine accepts; all gas used */
    TX_ADDRESS_TAKEN = 5, /* deploy: the new address is in use; all gas used */
    TX_MEMORY_LIMIT = 6,  /* more memory than a frame or a transaction may have; all gas used */

    /* The transaction is not valid here: nothing changes, no gas is used, there is no receipt in
     * Ethereum's sense. A pool never offers one; under an outside consensus engine a proposer can.
     */
    TX_MALFORMED = 32,   /* not decodable, or its signature is bad */
    TX_UNSUPPORTED = 33, /* a transaction type we do not speak */
    TX_WRONG_CHAIN = 34,
    TX_NONCE_LOW = 35,
    TX_NONCE_HIGH = 36,
    TX_NO_FUNDS = 37,    /* gas limit * max fee + value exceeds the balance */
    TX_GAS_TOO_LOW = 38, /* below the intrinsic gas */
    TX_FEE_TOO_LOW = 39, /* max fee below the base fee */
    TX_TIP_ABOVE_FEE = 40,
    TX_BLOCK_GAS = 41, /* gas limit above what the block has left */
    TX_TOO_LARGE = 42, /* data above the limit */
    TX_SENDER_HAS_CODE = 43,
    TX_OVERFLOW = 44, /* gas limit * max fee + value is above 2^256 */
};

/* The transaction has a place in the block (0..31). */
static inline bool tx_code_is_included(enum tx_code c)
{
    return (unsigned)c < 32;
}
/* geth's words where it has some: "nonce too low", "execution reverted", "out of gas", ... */
const char *tx_code_text(enum tx_code c);
