/* agent/keepers.h - an application's keys from the network's keepers (PROTOCOL P7, purposes
 * app-k256, app-ca, app-env, app-disk): they outlive a change of version that the owner approved,
 * and a move to another machine. Asked for once, at boot, before anything of the application runs.
 * Trust: the genesis file, which is measured; the ledger node and the keepers' addresses are not.
 */
#pragma once

#include "agent/keys.h"
#include "attest/app.h"
#include "client/network.h"

struct agent_keepers {
    struct network network;
    struct buf genesis;  /* the file */
    struct buf approval; /* the owner's, JSON; empty: none */
    struct address gatekeepers, workers;
};
/* network_path: as network_read(). approval_path: what `cloister app approve` wrote; NULL: none.
 * Clear it in any case. RC_NOTFOUND, RC_MALFORMED, RC_IO. */
enum rc agent_keepers_read(struct agent_keepers *out, const char *network_path,
                           const char *approval_path, struct err *e);
void agent_keepers_clear(struct agent_keepers *k);
/* What of it is measured, as the simulator's image: SHA-256 over genesis file and contracts. Who
 * gives another network to the same image is another image. */
void agent_keepers_measured(struct hash32 *out, const struct agent_keepers *k);

/* What this domain is to keepers. As tee_evidence_get() and attest_app_read(). */
enum rc agent_keepers_self(struct attest_app *out, struct tee *t, struct err *e);
/* Application keys, certificates and environment, and this instance's disk key if disk is not NULL,
 * waiting up to wait_ms for keepers to come up. RC_DENIED: refused, by the rule named in e.
 * RC_AGAIN: too few could be reached. Else as light_client_read(). */
enum rc agent_keepers_get(const struct agent_keepers *k, struct agent_root *out,
                          struct secret32 *disk, struct tee *t, unsigned wait_ms, struct err *e);
