/* gateway/internal/metrics.h - what a ledger node counts. Any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct engine;
struct gateway;
struct gateway_metrics;
struct http_response;

/* n_methods: of the method table. */
struct gateway_metrics *gateway_metrics_new(struct engine *engine, size_t n_methods);
/* NULL is fine. */
void gateway_metrics_free(struct gateway_metrics *m);
/* The counting ones do nothing without a registry (NULL).
 * A call of the method with this index ended with `code` (0: no error) after so long. */
void gateway_metrics_call(struct gateway_metrics *m, size_t index, const char *name, int code,
                          uint64_t ns);
/* An error before any method ran: name "". */
void gateway_metrics_error(struct gateway_metrics *m, const char *name, int code);
/* GET /metrics */
void gateway_metrics_answer(struct gateway_metrics *m, struct gateway *g,
                            struct http_response *resp);
