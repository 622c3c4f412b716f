/* tee/internal/tee.h - what a source of evidence implements. Private to tee. */
#pragma once

#include "tee/sys.h"
#include "tee/tee.h"

#include <pthread.h>

/* NULL: not supported there. All are called with t->mu held. deadline_ms is on sys->mono_ms. */
struct tee_ops {
    void (*close)(void *impl);
    /* Fill out->quote (as the platform gave it) and out->certs. */
    enum rc (*evidence)(struct tee *t, struct tee_evidence *out, const uint8_t report_data[64],
                        uint64_t deadline_ms, struct err *e);
    enum rc (*extend)(struct tee *t, unsigned index, const uint8_t digest48[48], struct err *e);
    enum rc (*rtmr_read)(struct tee *t, unsigned index, uint8_t out48[48], struct err *e);
    enum rc (*platform_version)(struct tee *t, uint64_t *out, uint64_t deadline_ms, struct err *e);
    enum rc (*sealing_key)(struct tee *t, struct secret32 *out, uint64_t version,
                           uint64_t deadline_ms, struct err *e);
};

struct tee {
    const struct tee_ops *ops;
    void *impl;
    enum tee_platform platform;
    bool simulated;
    struct buf description;
    const struct tee_sys *sys;
    unsigned timeout_ms;
    pthread_mutex_t mu; /* log and registers agree: evidence and extension exclude each other */
    struct buf log;     /* entries, separated by commas */
    size_t log_len;
    bool is_log_v2; /* of RTMR3's events */
};

/* Set t->ops, impl, platform and description. RC_NOTFOUND: nothing of the kind is there. */
enum rc sim_open(struct tee *t, const struct tee_config *c, struct err *e);
enum rc tsm_open(struct tee *t, const struct tee_config *c, struct err *e);
enum rc tdx_guest_open(struct tee *t, const struct tee_config *c, struct err *e);
enum rc sev_guest_open(struct tee *t, const struct tee_config *c, struct err *e);

/* Which version of dstack's events (attest/event.h) this register is extended by. */
unsigned event_version(const struct tee *t, unsigned index);
/* Append one entry to the log. */
void event_log_put(struct tee *t, unsigned index, const uint8_t digest48[48], const char *event,
                   struct bytes payload);
/* The part of a TDX quote that is one: *size without trailing bytes, and where its body starts.
 * RC_MALFORMED. */
enum rc tdx_quote_measure(size_t *size, size_t *body_at, struct bytes quote, struct err *e);
#define TDX_BODY_REPORT_DATA 520
#define TDX_BODY_MRTD 136
#define TDX_BODY_CONFIG_ID 184
#define TDX_BODY_RTMR0 328

#define SNP_REPORT_SIZE_RAW 1184
#define SNP_REPORT_DATA_AT 0x50
#define SNP_MEASUREMENT_AT 0x90
#define SNP_HOST_DATA_AT 0xc0
#define SNP_COMMITTED_TCB_AT 0x1e0
