/* store/kubo.h - a store whose blocks and pins a Kubo node keeps: the functions of store/store.h
 * over Kubo's RPC (docs.ipfs.tech/reference/kubo/rpc). Trust: Kubo is believed about what it has
 * and what is pinned, never about bytes: every block is hashed when it is read. */
#pragma once

#include "store/store.h"

/* url: "http://127.0.0.1:5001", Kubo's RPC. Asks for its version. RC_MALFORMED: not an http or
 * https URL; RC_IO and others of http_client_do: no Kubo answers there. Blocks are gathered and
 * go out some MiB at a time; after a failure they stay, and the next commit tries again. Durable
 * then means what Kubo's datastore makes of it. Only what Kubo itself holds is there: its network
 * is not asked. */
enum rc store_open_kubo(struct store **out, const char *url, struct err *e);
