/* attest/event.h - dstack's runtime events: what an extension of RTMR3 hashes. Pure; thread-safe.
 * Source: dstack cc-eventlog/src/runtime_events.rs, 0.6; docs/tee.md. */
#pragma once

#include "base/buf.h"

#define EVENT_TYPE_RUNTIME UINT32_C(0x08000001)
#define EVENT_VERSION_MAX 2

/* The bytes of which a digest is the SHA-384, appended. version 1: le32(type) ":" name ":" payload;
 * version 2: RFC 8785's form of {"name","payload" (hexadecimal),"type"}, so anybody can read what
 * was hashed. No event of one version is one of the other: the first byte differs. name: printable
 * ASCII without quote and backslash, which is its own JSON. */
void event_preimage(struct buf *out, unsigned version, const char *name, struct bytes payload);
void event_digest(uint8_t out48[48], unsigned version, const char *name, struct bytes payload);
/* RTMR' = SHA-384(RTMR | digest). */
void rtmr_fold(uint8_t mr48[48], const uint8_t digest48[48]);
