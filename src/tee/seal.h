/* tee/seal.h - state at rest that only this measurement on this machine can read again.
 * Trust: the host keeps the sealed bytes; it may lose, alter, swap or replay them. It cannot read
 * them, and an older version than the caller knows of is refused. The host can still answer with
 * nothing at all. Knowing the newest version is the caller's job (the chain's, a peer's).
 * Layout: docs/tee.md. */
#pragma once

#include "tee/tee.h"

#define SEAL_HEADER_SIZE 72
#define SEAL_OVERHEAD (SEAL_HEADER_SIZE + 16) /* bytes beyond the plaintext */
#define SEAL_MAX_SIZE ((size_t)16 << 20)      /* bytes of plaintext */
#define SEAL_PURPOSE_MAX 64                   /* bytes of a purpose */

/* What a sealed blob says of itself; authenticated when it was opened. */
struct seal_info {
    enum tee_platform platform;
    bool simulated;
    struct hash32 measurement; /* tee_measurement_id() of who sealed it */
    uint64_t platform_version; /* the key's platform version */
    uint64_t version;          /* of the state, the caller's counter */
    bool is_old_platform;      /* opened under an older platform version: seal it again */
};

/* Append SEAL_OVERHEAD + plain.n bytes to out: plain, for this measurement, machine and present
 * platform version. purpose is a literal, 1..SEAL_PURPOSE_MAX bytes, one a kind of state.
 * RC_UNSUPPORTED: the platform has no sealing key (TDX). RC_RANGE: purpose. RC_LIMIT: too large.
 * RC_TIMEOUT, RC_IO. Thread-safe. */
enum rc seal_put(struct tee *t, struct buf *out, const char *purpose, uint64_t version,
                 struct bytes plain, struct err *e);

/* Open it again, appending to out. min_version: the oldest state that is acceptable. info may be
 * NULL. RC_MALFORMED: not sealed bytes. RC_DENIED: another measurement, machine, purpose or
 * platform, an older version than min_version, or altered. RC_UNSUPPORTED, RC_TIMEOUT, RC_IO.
 * On failure nothing is appended. */
enum rc seal_get(struct tee *t, struct secbuf *out, struct seal_info *info, const char *purpose,
                 uint64_t min_version, struct bytes sealed, struct err *e);

/* Read the header without keys: nothing in it is proved. RC_MALFORMED. */
enum rc seal_peek(struct seal_info *info, struct bytes sealed, struct err *e);
