/* codec/cid.h - content identifiers (multiformats CID, versions 0 and 1) with SHA-256 digests.
 * Other hash functions and codecs beyond one byte are RC_UNSUPPORTED. This module does not hash:
 * digests come from the caller. Values; pure; thread-safe. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/reader.h"

enum {
    CID_RAW = 0x55,
    CID_DAG_PB = 0x70,
    CID_DAG_CBOR = 0x71,
};

#define CID_BIN_MAX 36   /* bytes */
#define CID_TEXT_SIZE 64 /* version 1 in base32: 59 characters and NUL */

struct cid {
    uint8_t version; /* 0 or 1 */
    uint8_t codec;   /* CID_*; always CID_DAG_PB in version 0 */
    struct hash32 digest;
};

/* "bafkrei…": content that is not a graph node. */
struct cid cid_raw(const struct hash32 *digest);
struct cid cid_v1(uint8_t codec, const struct hash32 *digest);
struct cid cid_v0(const struct hash32 *digest);
bool cid_eq(const struct cid *a, const struct cid *b);

/* Binary form; returns its size, 34 (version 0) or 36. */
size_t cid_encode(uint8_t out[CID_BIN_MAX], const struct cid *c);
/* Whole input. RC_MALFORMED, RC_UNSUPPORTED. */
enum rc cid_decode(struct cid *out, struct bytes bin, struct err *e);
/* A CID at the cursor, as in CAR sections. */
struct cid cid_read(struct reader *r);

/* Version 1: 'b' and lower-case base32; version 0: base58btc "Qm…". NUL-terminated. */
void cid_format(char dst[CID_TEXT_SIZE], const struct cid *c);
/* The same forms, and 'z' base58btc and 'f' base16 of version 1. Whole input. */
enum rc cid_parse(struct cid *out, struct bytes text, struct err *e);
/* "ipfs://CID[/path]", "/ipfs/CID[/path]" or a bare CID; *path (without the leading slash, empty if
 * none) borrows from url and may be NULL, then a path is RC_UNSUPPORTED. */
enum rc cid_parse_url(struct cid *out, struct bytes *path, struct bytes url, struct err *e);
