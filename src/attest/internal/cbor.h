/* attest/internal/cbor.h - the CBOR that attestation documents use: shortest heads, strings of
 * known length. Reads from a struct reader, whose first failure sticks. */
#pragma once

#include "base/reader.h"

enum cbor_type {
    CBOR_UNSIGNED = 0,
    CBOR_BYTES = 2,
    CBOR_TEXT = 3,
    CBOR_ARRAY = 4,
    CBOR_MAP = 5,
    CBOR_TAG = 6,
};

/* The head of an item of this type; its argument. */
uint64_t cbor_head(struct reader *r, enum cbor_type type);
/* A byte or text string of at most max bytes. */
struct bytes cbor_string(struct reader *r, enum cbor_type type, size_t max);
/* A byte string, or null: p NULL. */
struct bytes cbor_bytes_or_null(struct reader *r, size_t max);

/* A map of known or unknown length: open it, then ask before each pair. */
struct cbor_map {
    uint64_t left;
    bool open_ended;
};
void cbor_map_open(struct cbor_map *m, struct reader *r, uint64_t max);
bool cbor_map_next(struct cbor_map *m, struct reader *r);
