/* client/network.h - a network's file (devnet.json): where its ledger and its store are, what its
 * contracts' addresses are. One reader for the command line and the daemons. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "codec/json.h"

#include <stdbool.h>

/* Texts borrow from `file`, are NULL where it does not name them, and may be replaced. */
struct network {
    json_t *file;
    char *path;    /* of the file; on the heap */
    char *genesis; /* of its genesis file, whether or not there is one; on the heap */
    const char *rpc;
    const char *store_rpc, *store_gateway;
    bool vana_compat; /* its profile; others are RC_MALFORMED */
};

/* Read the file `path`, or devnet.json in the folder `path`. It may hold accounts' keys: nothing of
 * the text is left behind but in out->file. The genesis file is the one it names (key "genesis",
 * relative to it), or genesis.json beside it. RC_NOTFOUND; RC_MALFORMED, RC_LIMIT naming the path;
 * RC_IO. out is to be cleared in any case. */
enum rc network_read(struct network *out, const char *path, struct err *e);
/* The same from its text; `path` is what relative names in it follow. */
enum rc network_parse(struct network *out, const char *path, struct bytes text, struct err *e);
void network_clear(struct network *n);

/* The address of one of its contracts ("DataRegistry"). RC_NOTFOUND, RC_MALFORMED. */
enum rc network_contract(struct address *out, const struct network *n, const char *name,
                         struct err *e);
/* The same where no address was given by other means (*out is zero). */
enum rc network_contract_unless_given(struct address *out, const struct network *n,
                                      const char *name, struct err *e);
/* The same for one that not every network has: without it *out stays as it is. RC_MALFORMED. */
enum rc network_contract_if_any(struct address *out, const struct network *n, const char *name,
                                struct err *e);

/* For tables of os/daemon.h: an option whose value is an address; field is a struct address. */
enum rc network_take_address(void *field, const char *arg, struct err *e);
