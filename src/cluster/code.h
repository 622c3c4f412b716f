/* cluster/code.h - code of a contract that only its cluster may read: the program with a salt, so
 * that its hash says nothing about it, sealed to the contract's key (docs/confidential.md, Code
 * that is not public). Pure but for the random of sealing; thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "crypto/secret.h"
#include "ledger/code.h"
#include "ledger/state.h"

#define CODE_URL_SEALED "sealed:" /* before the URL of a sealed file */
/* Version, epoch, HPKE, and the largest class. */
#define CODE_FILE_MAX (9u + 48u + 2 * STATE_CODE_MAX)

/* What a sealed file is for: it opens for nothing else. */
struct code_context {
    uint64_t chain_id;
    struct hash32 genesis;
    uint64_t cluster;
    struct address contract;
    uint64_t epoch; /* of the key it is sealed to */
    struct hash32 code_hash;
};

/* Append elf and a salt to out (empty before); *code_hash binds both. RC_MALFORMED: no ELF, or
 * something follows it. RC_LIMIT: above STATE_CODE_MAX with its salt. */
enum rc code_salt(struct secbuf *out, struct hash32 *code_hash, struct bytes elf, struct err *e);
/* Append the file. program: with its salt, of c->code_hash (CHECKed). RC_MALFORMED: the public key
 * is none. */
enum rc code_seal(struct buf *out, const struct code_context *c, const uint8_t public32[32],
                  struct bytes program, struct err *e);
/* The epoch whose key opens it. RC_MALFORMED, RC_UNSUPPORTED, RC_LIMIT. */
enum rc code_file_epoch(uint64_t *epoch, struct bytes file, struct err *e);
/* Append the program with its salt. RC_DENIED: made for another contract, cluster, key or code, or
 * altered; or its code is not what code_hash names. RC_MALFORMED: what is in it has no code's form;
 * and as code_file_epoch. */
enum rc code_open(struct secbuf *out, const struct code_context *c, const struct secret32 *receive,
                  struct bytes file, struct err *e);

/* A URL of a sealed file, or of code that all can read; *url: without the prefix, borrowed. */
bool code_url_is_sealed(struct bytes *url, struct bytes text);
