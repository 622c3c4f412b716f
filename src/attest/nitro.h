/* attest/nitro.h - verify attestation documents of AWS Nitro enclaves: COSE_Sign1 (RFC 9052) around
 * CBOR (RFC 8949), signed with ES384 by a certificate whose chain the document brings along. Pure.
 * For people who ask what an enclave runs: no worker registers with it, and policies do not name
 * it. Source: "Attestation process" of the NSM API's documentation. */
#pragma once

#include "attest/roots.h"
#include "attest/verdict.h"
#include "base/err.h"

#define NITRO_MAX_SIZE 16384 /* bytes of a document */
#define NITRO_PCRS 32
#define NITRO_PCR_SIZE 48

/* What a verified document says. Borrows from the input. */
struct nitro_document {
    struct bytes module_id;
    uint64_t timestamp_ms;                     /* when it was made, Unix time */
    struct bytes pcrs[NITRO_PCRS];             /* NITRO_PCR_SIZE bytes, or none */
    struct bytes public_key, user_data, nonce; /* what the enclave put in; p NULL: nothing */
    bool debug;         /* PCR0 is zero: its console can be read, and anything may run */
    bool is_given_root; /* the chain ends in a root that the caller named, not in AWS's */
    struct hash32 root_fingerprint;   /* SHA-256 of the root certificate's DER */
    uint64_t valid_from, valid_until; /* of all certificates, Unix seconds, both ends included */
};

/* Whether it looks like one: an array of four whose first is a header with ES384. */
bool nitro_is_document(struct bytes in);

/* Exactly one document, its chain valid at `now`, which is not before it was made. Revocation lists
 * are not part of it and not looked at. On failure *stage says where (input: not well formed) and
 * *out is zero. RC_MALFORMED, RC_LIMIT, RC_UNSUPPORTED: form; RC_DENIED: chain, date, signature. */
enum rc nitro_verify(struct nitro_document *out, struct bytes in, const struct attest_roots *roots,
                     uint64_t now, enum attest_stage *stage, struct err *e);
