/* chain/registration.h - what a worker's evidence binds: the bytes whose hash is the report data of
 * Workers.register (docs/contracts.md, contracts/system/Workers.c). Pure; thread-safe. */
#pragma once

#include "base/bytes.h"

/* As in contracts/layout/Workers.h. */
enum worker_role { WORKER_OPEN = 1, WORKER_CONTRACT = 2, WORKER_ANALYSIS = 3, WORKER_KEEPER = 4 };

struct registration {
    struct address sender; /* the chain account that registers */
    struct address proof_signer, commit_signer;
    uint8_t receive_key[32];      /* X25519 */
    struct bytes receive_key_eth; /* secp256k1 x | y, 64 bytes; or empty */
    struct address operator;
    enum worker_role role;
    struct hash32 genesis;
    uint64_t height;          /* of one of the last 256 blocks, ... */
    struct hash32 block_hash; /* ... and its header hash */
};

void registration_report_data(uint8_t out64[64], const struct registration *r);
