/* agent/internal/agent.h - what the agent's files share. */
#pragma once

#include "agent/agent.h"
#include "agent/internal/request.h"
#include "codec/json.h"
#include "tee/tee.h"

#include <pthread.h>

struct agent {
    struct tee *tee;
    struct agent_key_source source;
    pthread_mutex_t fetching; /* guards the next two until has_keys */
    bool has_keys;
    struct agent_keys keys;
    struct agent_app app;
    bool scoped;
    struct buf compose; /* NUL after it */
    char *app_name;
    char *vendor;
    char *vm_config;
    uint8_t device_id[32];
    bool has_device_id;
    struct hash32 compose_hash;
    char *app_cert; /* PEM chain, what Info shows; made once */
    char *organisation;
};

/* The fields of a TDX quote's body that Info tells, and mr_aggregated over them. */
struct agent_measures {
    uint8_t mrtd[48], rtmr[4][48];
    struct hash32 aggregated;
};
/* RC_UNSUPPORTED: not a TDX quote. */
enum rc agent_measures_read(struct agent_measures *out, struct bytes quote, struct err *e);

/* The event log as a JSON array. RC_CORRUPT: it is none. */
enum rc agent_log_parse(json_t **out, const struct tee_evidence *v, struct err *e);
/* dstack's versioned attestation, appended: SCALE (V0), or MessagePack (V1) where an event of the
 * log is of version 2, which V0 cannot say. RC_CORRUPT: not our event log. */
enum rc agent_attestation(struct buf *out, const struct tee_evidence *v,
                          const uint8_t report_data[64], const char *config, struct err *e);

/* Certificates. Append {"key","certificate_chain"} and wipe what was between. */
struct agent_tls_request {
    const struct agent_request *args;
    const struct secret32 *key; /* P-256 scalar, or NULL: random */
};
enum rc agent_tls_key(struct agent *a, struct buf *out, const struct agent_tls_request *r,
                      struct err *e);
/* A certificate with evidence for a key that is thrown away: what Info shows as app_cert. */
enum rc agent_app_cert(struct agent *a, struct err *e);

/* Each method: append the answer to out. */
typedef enum rc agent_method_fn(struct agent *a, struct buf *out, const struct agent_request *r,
                                struct err *e);
agent_method_fn method_get_key, method_derive_k256_key, method_sign, method_verify;
agent_method_fn method_get_quote, method_attest, method_tdx_quote, method_raw_quote, method_info;
agent_method_fn method_emit_event;

/* Append "text" quoted as JSON, from bytes that need no escapes but quotes, backslashes and control
 * characters. */
void put_json_text(struct buf *out, struct bytes text);
void put_json_hex(struct buf *out, struct bytes data);
