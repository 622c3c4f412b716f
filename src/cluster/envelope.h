/* cluster/envelope.h - a command's sealed payload and the receipt that answers it
 * (docs/confidential.md, Envelope). Pure but for the randomness of sealing; thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "cluster/keys.h"
#include "crypto/secret.h"

#define ENVELOPE_CALLDATA_MAX (32768u - 37) /* bytes */
#define RECEIPT_OUTPUT_MAX 4096u            /* bytes; longer output is cut there */

/* What an envelope is bound to. */
struct envelope_context {
    uint64_t chain_id;
    struct hash32 genesis;
    struct address contract, sender;
    uint64_t sequence, expiry, gas, epoch;
    struct hash32 code_hash; /* of the active key record */
};

/* Append the envelope. reply32 NULL: no receipt is wanted. RC_LIMIT: calldata too long;
 * RC_MALFORMED: the public key is no good. */
enum rc envelope_seal(struct buf *out, const struct envelope_context *c, const uint8_t public32[32],
                      const uint8_t *reply32, struct bytes calldata, struct err *e);
/* The epoch it is sealed for, unproved. RC_MALFORMED, RC_UNSUPPORTED. */
enum rc envelope_epoch(uint64_t *out, struct bytes envelope, struct err *e);
/* Open with the keys of c->epoch. calldata is appended to *out; reply32 may come out as zeros.
 * RC_DENIED: not for this key and context, or altered; RC_MALFORMED. */
enum rc envelope_open(struct secbuf *out, uint8_t reply32[32], const struct envelope_context *c,
                      const struct secret32 *receive, struct bytes envelope, struct err *e);

enum receipt_status {
    RECEIPT_DONE = 1,
    RECEIPT_REVERTED = 2,
    RECEIPT_TRAPPED = 3,    /* or out of gas */
    RECEIPT_UNREADABLE = 4, /* the envelope did not open */
    RECEIPT_NO_CONTRACT = 5,
};
const char *receipt_status_text(enum receipt_status s); /* "done", "reverted", ... */

struct receipt_context {
    uint64_t chain_id;
    struct hash32 genesis;
    uint64_t cluster, index;
};
/* The same bytes from every member: the ephemeral key comes of `state` (the contract's of the
 * envelope's epoch). RC_MALFORMED: reply32 of small order. */
enum rc receipt_seal(struct buf *out, const struct receipt_context *c, const struct secret32 *state,
                     const uint8_t reply32[32], enum receipt_status status, struct bytes output,
                     struct err *e);
/* output is appended. RC_DENIED, RC_MALFORMED. */
enum rc receipt_open(enum receipt_status *status, struct secbuf *output,
                     const struct receipt_context *c, const struct secret32 *reply,
                     struct bytes sealed, struct err *e);
