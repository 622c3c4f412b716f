/* store/internal/pack.h - pack files: DIR/packs/<16 hex digits>.pack, a run of records.
 * File: "CSPACK1\n", an 8-byte random tag, records.
 * Record: the tag, u32le (type << 24 | payload length), 32-byte SHA-256 of the payload, payload.
 * Types: a block (payload = its bytes), the removal of a block (payload = its digest), a pin
 * (payload = kind u8, CID length u8, CID, name). A record is whole if and only if its hash fits.
 * The tag, which no client knows, tells records from bytes that only look like one inside a block.
 */
#pragma once

#include "base/buf.h"
#include "os/disk.h"

#define PACK_FILE_HEADER_SIZE 16u
#define PACK_TAG_SIZE 8u
#define PACK_HEADER_SIZE 44u
#define PACK_PAYLOAD_MAX ((size_t)2 << 20)

enum pack_type { PACK_BLOCK = 1, PACK_REMOVE = 2, PACK_PIN = 3 };

struct pack_record {
    enum pack_type type;
    uint32_t size; /* of the payload */
    struct hash32 digest;
};

/* One open pack. */
struct pack {
    uint64_t seq;
    int fd;
    uint64_t size; /* bytes written */
    uint8_t tag[PACK_TAG_SIZE];
};

/* Make a new pack with a random tag; file and folder are synced. RC_LIMIT, RC_IO. */
enum rc pack_create(struct pack *out, const struct disk *d, const char *dir, uint64_t seq,
                    struct err *e);
/* Open an existing one. RC_CORRUPT: no pack file. RC_AGAIN: its creation was cut off: empty. */
enum rc pack_open(struct pack *out, const struct disk *d, const char *dir, uint64_t seq,
                  struct err *e);

/* Close it and take its file away; durable. */
enum rc pack_remove(struct pack *p, const struct disk *d, const char *dir, struct err *e);

void pack_header_encode(uint8_t out[PACK_HEADER_SIZE], const struct pack *p,
                        const struct pack_record *r);
/* RC_CORRUPT: not a header of this pack. */
enum rc pack_header_decode(struct pack_record *out, const struct pack *p,
                           const uint8_t in[PACK_HEADER_SIZE], struct err *e);

struct pack_scan {
    uint64_t end;     /* behind the last whole record */
    uint64_t damaged; /* bytes skipped before `end` */
};

/* Call fn for each whole record from `from` (0: the first) to the end of the pack. Bytes that are
 * no whole record are skipped up to the next one. RC_IO, or what fn returned. */
typedef enum rc (*pack_fn)(void *ctx, const struct pack *p, const struct pack_record *r,
                           uint64_t payload_at, struct bytes payload, struct err *e);
enum rc pack_scan(struct pack_scan *out, const struct disk *d, const struct pack *p, uint64_t from,
                  pack_fn fn, void *ctx, struct err *e);
