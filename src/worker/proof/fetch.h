/* worker/proof/fetch.h - bring a contribution or a validator here, checked against its name. */
#pragma once

#include "jail/image.h"
#include "worker/internal/state.h"

/* Write what `url` names (ipfs://CID checked block by block; http(s)://, checked when it ends in
 * "#sha256=<hex>") to fd; *sha256 is of what was written. RC_LIMIT above max_size. */
enum rc fetch_url(struct worker *w, int fd, struct hash32 *sha256, uint64_t *size, const char *url,
                  uint64_t max_size, struct err *e);

enum validator_kind { VALIDATOR_PROGRAM, VALIDATOR_IMAGE };
struct validator {
    enum validator_kind kind;
    struct buf elf;
    struct image image;
    bool pinned; /* false only in vana-compat: a URL without a digest */
};
void validator_clear(struct validator *v);
/* The validator that a pool's proofInstruction names, from a cache where it was seen before:
 * ipfs://CID, or http(s):// or file:// ending in "#sha256=<hex>". RC_UNSUPPORTED: another form, or
 * neither a RISC-V program nor an image. */
enum rc fetch_validator(struct worker *w, struct validator *out, const char *instruction,
                        struct err *e);
