/* client/internal/answer.h - a node's JSON-RPC answers, which may be anything. Pure. */
#pragma once

#include "client/chain_client.h"

#define CHAIN_ANSWER_MAX ((size_t)64 << 20) /* bytes of one JSON-RPC reply */

/* The result (a new reference) or the error of one call, as chain_rpc gives them. */
enum rc answer_result(json_t **result, const json_t *answer, const char *url, const char *method,
                      struct buf *error_data, struct err *e);
/* The answers to n calls with the ids first, first + 1, ...: in any order, each says by its id
 * whose it is. What has none is RC_MALFORMED. */
void answer_batch(struct chain_request *list, size_t n, const json_t *answers, uint64_t first,
                  const char *url);
/* Of eth_getTransactionReceipt (not null) into *out, whose hash is set; of eth_getLogs. */
enum rc answer_receipt(struct chain_receipt *out, struct arena *a, const json_t *r, struct err *e);
enum rc answer_logs(struct chain_log **out, size_t *n, struct arena *a, const json_t *list,
                    struct err *e);
