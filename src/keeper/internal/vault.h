/* keeper/internal/vault.h - all a keeper must not lose and nobody else may have: its keys, its
 * shares, the seed of the round it is in. Two files, sealed (tee/seal.h), never plain on a disk:
 * account.sealed, the keys, written once; keeper.sealed, the rest, which others can give back. */
#pragma once

#include "keys/dkg.h"
#include "tee/tee.h"

#define VAULT_SHARES 4    /* the one in force, the next, and room for rounds that came to nothing */
#define VAULT_REMOVALS 64 /* removed measurements that are remembered */

struct vault_share {
    struct keyset keys; /* n 0: none */
    struct ristretto_scalar share;
};
struct vault_removal {
    struct hash32 measurement;
    uint64_t id; /* of the council's action */
};

/* The tombstone of a keeper that handed over. */
enum vault_end {
    VAULT_IN_USE = 0,
    VAULT_HANDED = 1, /* to `to` with `to_key`; may be said again to the same */
    VAULT_GONE = 2,   /* ... who has it: no secret is left here */
};

/* In secret memory; free with secret_free(). */
struct vault {
    uint64_t version; /* rises with each save */
    struct secret32 sender, receive;
    struct vault_share shares[VAULT_SHARES];
    bool has_member;
    struct dkg_member member; /* of the round we are in */
    size_t n_removals;
    struct vault_removal removals[VAULT_REMOVALS];
    enum vault_end end;
    struct hash32 to; /* measurement */
    uint8_t to_key[32];
};

/* True: the folder has a keeper's keys. */
bool vault_exists(const char *dir);
/* Read it, or make it with fresh keys where there is none; where the keys are there and the rest is
 * not, the rest is empty. What an older version of the platform sealed is sealed again.
 * RC_UNSUPPORTED: no sealing here. RC_DENIED: sealed by other code, or elsewhere. RC_NOTFOUND: the
 * rest is there, the keys are not. RC_CORRUPT, RC_IO. */
enum rc vault_open(struct vault **out, struct tee *t, const char *dir, struct err *e);
/* All but the keys. */
enum rc vault_save(struct vault *v, struct tee *t, const char *dir, struct err *e);
/* The keys too: once, and when they are wiped. */
enum rc vault_save_keys(struct vault *v, struct tee *t, const char *dir, struct err *e);
/* For one 32-byte key that has to outlive a crash: DIR/NAME.sealed. RC_NOTFOUND: not there. */
enum rc vault_load_key(struct secret32 *out, struct tee *t, const char *dir, const char *name,
                       struct err *e);
enum rc vault_save_key(const struct secret32 *key, struct tee *t, const char *dir, const char *name,
                       struct err *e);

/* NULL: no share of that round. */
struct vault_share *vault_find(struct vault *v, uint64_t round);
/* Into a free place, or that of the highest round, which came to nothing. */
void vault_put(struct vault *v, const struct keyset *keys, const struct ristretto_scalar *share);
/* Wipe all shares of rounds below `round`. True: there were some. */
bool vault_drop_before(struct vault *v, uint64_t round);
/* The highest action that removed this measurement; 0: none. */
uint64_t vault_removed_id(const struct vault *v, const struct hash32 *measurement);
/* True: that is news. */
bool vault_note_removal(struct vault *v, const struct hash32 *measurement, uint64_t id);
/* All secrets are wiped; `end` is VAULT_GONE. */
void vault_wipe(struct vault *v);

/* The plaintexts of the files (docs/keys.md). */
void vault_encode_keys(struct secbuf *out, const struct vault *v);
enum rc vault_decode_keys(struct vault *out, struct bytes in, struct err *e);
void vault_encode(struct secbuf *out, const struct vault *v);
enum rc vault_decode(struct vault *out, struct bytes in, struct err *e);
