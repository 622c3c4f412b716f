/* worker/contract/fetch.h - one HTTP request that a contract makes in a query
 * (docs/confidential.md, host call 114). */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

/* request: JSON {"method"?: "GET"|"POST", "url", "headers"?: {name: text}, "body"?: "0x…",
 * "timeout_ms"?}, at most 64 KiB, 16 headers, 5 s. allowed: "scheme://host[:port]" of whom may be
 * asked, commas between; NULL: nobody. Appends {"status", "headers": {lower-case name: text},
 * "body": "0x…"} to response: any status, at most 448 KiB of body and 32 KiB of headers (further
 * ones are left out). No redirect is followed. Blocks; any thread. RC_DENIED: not on the list, or a
 * header that would name another host. RC_UNSUPPORTED: method. RC_MALFORMED, RC_LIMIT: the request.
 * Errors of http_client_do() otherwise. */
enum rc query_fetch(struct buf *response, const char *allowed, struct bytes request, struct err *e);
