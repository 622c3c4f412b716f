/* agent/internal/request.h - one call's arguments, from JSON or a query, by the method's table.
 * Pure: this is what the fuzzer drives. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define REQUEST_NAMES_MAX 64
#define REQUEST_TEXT_MAX 4096
#define REQUEST_ALGORITHM_MAX 32

enum agent_method {
    METHOD_GET_KEY,
    METHOD_GET_TLS_KEY,
    METHOD_GET_QUOTE,
    METHOD_ATTEST,
    METHOD_INFO,
    METHOD_SIGN,
    METHOD_VERIFY,
    METHOD_VERSION,
    METHOD_EMIT_EVENT,
    METHOD_GPU_INFO,
    METHOD_TAPPD_DERIVE_KEY,
    METHOD_TAPPD_DERIVE_K256_KEY,
    METHOD_TAPPD_TDX_QUOTE,
    METHOD_TAPPD_RAW_QUOTE,
    METHOD_TAPPD_INFO,
    METHOD_TAPPD_VERSION,
    N_METHODS
};

/* All fields of all methods; what a method does not have stays empty. */
struct agent_request {
    char *path, *purpose, *algorithm, *subject, *hash_algorithm, *prefix, *event; /* never NULL */
    char *names[REQUEST_NAMES_MAX];
    size_t names_n;
    struct buf report_data, data, signature, public_key, payload;
    uint64_t not_before, not_after; /* 0: not given */
    bool usage_ra_tls, usage_server_auth, usage_client_auth, with_app_info, random_seed;
};
void agent_request_clear(struct agent_request *r);

/* "/GetKey", "/prpc/GetKey", "/prpc/DstackGuest.GetKey", "/prpc/Tappd.Info". RC_NOTFOUND. */
enum rc agent_method_find(enum agent_method *out, const char *path, struct err *e);
const char *agent_method_name(enum agent_method m);
/* Of the older API: "Tappd." stands before its name. */
bool agent_method_is_tappd(enum agent_method m);

/* Zero-initialise out; clear it in every case. Unknown members are ignored, as dstack does; a
 * missing one is its type's empty value. RC_MALFORMED, RC_LIMIT, RC_RANGE: the text names the
 * member. */
enum rc agent_request_json(struct agent_request *out, enum agent_method m, struct bytes body,
                           struct err *e);
/* The same from a raw query: percent-decoded, "+" is a space, alt_names may be repeated. */
enum rc agent_request_query(struct agent_request *out, enum agent_method m, const char *query,
                            struct err *e);
