/* attest/app.h - what a quote and its event log say of an application in a trust domain of its own,
 * as dstack's guests boot: the image that was started, and what it was told to run. Pure;
 * thread-safe. Source: dstack's event log (RTMR3) and mr_config_id; docs/keys.md. */
#pragma once

#include "attest/verdict.h"
#include "base/err.h"

#define ATTEST_LOG_MAX ((size_t)64 << 10) /* bytes of an event log's JSON text */
#define ATTEST_LOG_EVENTS 64              /* events in it */

struct attest_app {
    struct hash32
        image; /* as attest_measurement() with mr_config_id zero: what the council allows */
    struct address id;
    struct hash32 compose_hash;
    struct address instance;
};
/* The log must give the quote's RTMR3, and hold there system-preparing, app-id, compose-hash,
 * instance-id, boot-mr-done, in this order, and nothing else: the image is booting, and what it was
 * told to run has not begun. mr_config_id is zero or 01 | compose hash | zeros. RC_DENIED: not so.
 * RC_MALFORMED: no such log. RC_UNSUPPORTED: not a TDX quote. v: a verified verdict, or only tee
 * and m.td of what this machine has measured itself. */
enum rc attest_app_read(struct attest_app *out, const struct attest_verdict *v,
                        struct bytes event_log, struct err *e);
