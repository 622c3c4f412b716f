/* engine/check.h - look into a ledger folder that no process uses: does it add up, what is in it.
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct engine_check_report {
    uint64_t height;            /* newest block */
    uint64_t checkpoint_height; /* state in LMDB */
    uint64_t n_txs;
    uint64_t n_keys; /* of state */
    uint64_t log_bytes;
    uint64_t cut_bytes;     /* torn tail, not part of the chain; cut at the next start */
    struct hash32 app_hash; /* of the newest block */
    struct hash32 block_hash;
};

/* Read every block of DIR: record checksums, header chain, part sets, commits (light client rules),
 * that headers carry the roots and result hashes of the block before, and that the state
 * re-executed from the checkpoint has the root the chain says. `from_genesis`: re-execute all
 * blocks into fresh memory and compare every root and receipt with the stored ones. Changes
 * nothing. RC_CORRUPT: what does not add up, with its height; RC_EXISTS: a process uses DIR;
 * RC_NOTFOUND. */
enum rc engine_check(const char *dir, bool from_genesis, struct engine_check_report *out,
                     struct err *e);

/* Write DIR's newest state to fd as JSON lines: first
 * {"height","chain_id","app_hash","block_hash"}, then one {"key":"0x…","value":"0x…"} a natural key
 * in key order, last {"keys":N,"root":"0x…"}, the root recomputed from the lines written. RC_* as
 * above, RC_IO, RC_CLOSED. */
enum rc engine_export(const char *dir, int fd, struct engine_check_report *out, struct err *e);
