/* worker/internal/fresh.h - what is acted upon is no older than config.max_head_age_ms (P12). */
#pragma once

#include "worker/internal/state.h"

/* What is read as proved state from now on is no older than that. Does nothing while that is known
 * already, else sends one transaction to ourselves and has it proved; others wait for it meanwhile.
 * Without a light client nothing is known, and nothing said. RC_DENIED: the ledger node, which the
 * text names, is stale or withholds. */
enum rc fresh_ensure(struct worker *w, struct err *e);
/* The background thread calls this now and then: renewed early while requests come, so that they
 * need not wait. */
void fresh_keep(struct worker *w);
