/* crypto/internal/pgp.h - the parts openpgp.h is made of. Every layer is an openpgp_source over the
 * one below: file -> (armor) -> packet body -> decryption -> packet body -> (inflate -> packet
 * body)
 * -> sink. RFC numbers below are RFC 4880. */
#pragma once

#include "base/reader.h"
#include "crypto/openpgp.h"

/* Packet tags, §4.3. */
enum pgp_tag {
    PGP_PKESK = 1,
    PGP_SIGNATURE = 2,
    PGP_SKESK = 3,
    PGP_ONE_PASS = 4,
    PGP_COMPRESSED = 8,
    PGP_SED = 9,
    PGP_MARKER = 10,
    PGP_LITERAL = 11,
    PGP_SEIPD = 18,
    PGP_MDC = 19,
    PGP_AEAD = 20,
};

enum {
    PGP_CHUNK = 65536,
    PGP_BLOCK = 16,             /* AES */
    PGP_PREFIX = PGP_BLOCK + 2, /* §5.13: random block and its last two bytes again */
    PGP_MDC_SIZE = 22,          /* d3 14 and SHA-1 */
    PGP_MAX_PASSWORD = 1 << 16, /* bytes */
    PGP_DEFAULT_S2K = 65011712, /* bytes: count byte 0xff, the most the format can say */
    PGP_DEFAULT_SKESK = 4,
};

/* ---- buffered reading over a source ---- */

struct pgp_rd {
    struct openpgp_source src;
    size_t pos, n;
    bool at_end;
    uint8_t buf[PGP_CHUNK];
};
void pgp_rd_init(struct pgp_rd *rd, struct openpgp_source src);
/* Up to cap bytes; *n is 0 only at the end. */
enum rc pgp_rd_read(struct pgp_rd *rd, uint8_t *p, size_t cap, size_t *n, struct err *e);
/* Exactly n bytes, or RC_MALFORMED "what: ends early". */
enum rc pgp_rd_exact(struct pgp_rd *rd, uint8_t *p, size_t n, const char *what, struct err *e);
enum rc pgp_rd_is_end(struct pgp_rd *rd, bool *end, struct err *e);
/* As many as there are, up to cap: less only at the end. For any source. */
enum rc pgp_read_full(const struct openpgp_source *src, uint8_t *p, size_t cap, size_t *n,
                      struct err *e);

/* ---- packets ---- */

/* The body of the packet whose header was read last; must be read to its end before the next. */
struct pgp_body {
    struct pgp_rd *rd;
    uint64_t left;
    enum { PGP_FIXED, PGP_PARTIAL, PGP_OPEN } kind;
};
/* Old and new headers, partial and indeterminate lengths (§4.2). The last only for data packets. */
enum rc pgp_packet_next(struct pgp_rd *rd, unsigned *tag, struct pgp_body *body, struct err *e);
struct openpgp_source pgp_body_source(struct pgp_body *b);
enum rc pgp_body_skip(struct pgp_body *b, struct err *e);
/* The whole body, which must fit cap. RC_LIMIT if not. */
enum rc pgp_body_all(struct pgp_body *b, uint8_t *p, size_t cap, size_t *n, const char *what,
                     struct err *e);
/* "literal", "one-pass signature": for messages. */
const char *pgp_tag_name(unsigned tag);

/* ---- armor ---- */

struct pgp_armor {
    struct pgp_rd in;
    uint32_t bits;
    unsigned n_bits;
    bool started, padded, done;
};
/* True if the text that starts with this byte cannot be a binary message (§4.2: bit 7 is set). */
static inline bool pgp_is_text(uint8_t first)
{
    return (first & 0x80) == 0;
}
struct openpgp_source pgp_armor_source(struct pgp_armor *a);

/* ---- string to key, §3.7 ---- */

struct pgp_s2k {
    uint8_t type; /* 0, 1, 3 */
    uint8_t hash; /* §9.4 */
    uint8_t salt[8];
    uint8_t count; /* coded */
};
uint64_t pgp_s2k_bytes(uint8_t coded);
/* RC_UNSUPPORTED for a hash or type we do not have. n <= 32. */
enum rc pgp_s2k_check(const struct pgp_s2k *s, struct err *e);
void pgp_s2k_derive(uint8_t *key, size_t n, const struct pgp_s2k *s, struct bytes password);

/* Key bytes of an AES algorithm (§9.2: 7, 8, 9), or 0 for any other. */
size_t pgp_key_size(uint8_t algorithm);

/* AES encryption of single blocks: all that CFB decryption needs, and the blocks of one chunk run
 * in parallel (OpenSSL's own CFB decrypts them one after the other, at a third of the speed). */
struct pgp_aes;
struct pgp_aes *pgp_aes_new(const uint8_t *key, size_t key_size);
void pgp_aes_free(struct pgp_aes *a);
/* out = in ^ E(previous ciphertext): CFB with 16-byte feedback. feedback is the last 16 bytes of
 * ciphertext (the IV at first) and is updated. n <= PGP_CHUNK; a multiple of 16 but for the last
 * call. out and in do not overlap. */
void pgp_cfb_decrypt(struct pgp_aes *a, uint8_t *feedback, uint8_t *out, const uint8_t *in,
                     size_t n);
