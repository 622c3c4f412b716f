/* keys/request.h - what a worker or application asks of a keeper. The request's hash is in every
 * proof and seal of the answer, so an answer fits one request only. Pure; thread-safe. */
#pragma once

#include "base/err.h"
#include "keys/purpose.h"

#define KEY_REQUEST_MAX_SIZE (1 + 32 + 1 + 4 + KEY_MAX_SUBJECT + 8 + 8 + 20 + 32 + 32 + 32)

struct key_request {
    struct hash32 genesis;
    enum key_purpose purpose;
    uint8_t subject[KEY_MAX_SUBJECT]; /* key_subject_encode */
    size_t subject_n;
    uint64_t epoch;
    uint64_t generation;
    struct address requester;  /* chain account of the enclave; zero for ROLE_APP */
    uint8_t receive32[32];     /* X25519: registered, or bound in the application's evidence */
    struct hash32 measurement; /* what the requester says it runs */
    uint8_t nonce[32];         /* random: one use */
};

/* Version 1, genesis, u8 purpose, lp(subject), u64be epoch, generation, requester, receive key,
 * measurement, nonce. */
void key_request_encode(struct buf *out, const struct key_request *r);
/* RC_MALFORMED: also a subject that does not fit the purpose. */
enum rc key_request_decode(struct key_request *out, struct bytes in, struct err *e);
/* SHA-256(lp(label) | lp(encoding)) */
void key_request_hash(struct hash32 *out, const struct key_request *r);
