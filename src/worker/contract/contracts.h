/* worker/contract/contracts.h - the worker's part that keeps confidential contracts, role
 * `contract` (docs/confidential.md): it follows the queues of its clusters as proved state, runs
 * them, commits, delivers what they send, and answers queries. */
#pragma once

#include "worker/internal/state.h"

struct contracts;

/* Begin with the clusters of the worker's configuration; each has a thread of its own. Needs
 * evidence, a genesis file and the ConfidentialContracts contract: RC_MALFORMED without. */
enum rc contracts_start(struct contracts **out, struct worker *w, struct err *e);
/* Ends all query channels; before the HTTP server stops. NULL is fine. */
void contracts_close(struct contracts *c);
/* Stops all and wipes. NULL is fine. After the HTTP server has stopped. */
void contracts_stop(struct contracts *c);
/* Requests under /contracts. False: the path is none of ours. */
bool contracts_handle(struct contracts *c, struct http_request *req, struct http_response *resp);
