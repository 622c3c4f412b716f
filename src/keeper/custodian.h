/* keeper/custodian.h - a custodian's own part, on the day (PROTOCOL P9). It runs on the custodian's
 * machine and believes its copy of the genesis file alone: not the keeper that asks, not the node.
 * Thread rule: one call at a time per process. */
#pragma once

#include "crypto/secret.h"
#include "keeper/keeper.h"
#include "keys/custody.h"

struct custodian_report {
    uint32_t custodian, of, needed;
    uint64_t round;
    uint32_t n; /* keepers of that round */
    struct {
        struct address who;
        bool has_backup;
        struct err fault; /* of the backup; code RC_OK: our piece of it is good */
    } keepers[KEYS_MAX_KEEPERS];
};

/* Which keepers of the sharing in force have a backup on chain whose piece for us is good. config
 * needs what a keeper's does, but no folder. RC_DENIED: the key is no custodian's of this genesis.
 */
enum rc custodian_check(struct custodian_report *out, const struct keeper_config *config,
                        const struct secret32 *key, struct err *e);

struct custodian_returned {
    struct address account; /* of the keeper that asked */
    uint32_t keeper;        /* whose share it holds from now on */
    uint64_t round;
    uint64_t pieces, needed; /* the keeper has, and needs */
};
/* Ask the keeper at url for its evidence, judge it, and hand our piece over to it: a keeper whose
 * account the chain has for that share, which runs a measurement that the council's own signatures
 * allow, and says so over our challenge. RC_DENIED: it is not, e says by which rule. */
enum rc custodian_return(struct custodian_returned *out, const struct keeper_config *config,
                         const struct secret32 *key, const char *url, struct err *e);
