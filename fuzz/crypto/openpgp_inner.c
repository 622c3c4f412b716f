/* Any bytes as what is inside the encrypted packet: they are encrypted properly first, so that the
 * literal, compressed and length parsers are reached behind a right hash. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/mem.h"
#include "crypto/openpgp.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* SKESK with the simple S2K (SHA-256, so key = SHA-256 of the password), SEIPD of five-byte length.
 */
static void seal(struct buf *out, struct bytes inside)
{
    static const uint8_t skesk[] = {0xc3, 4, 4, 9, 0, 8}, mdc[] = {0xd3, 20}, iv[16], prefix[18];
    struct buf plain = {0};
    uint8_t key[32], *at;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0;

    (void)SHA256((const uint8_t *)"pw123", 5, key);
    buf_put(&plain, prefix, sizeof(prefix));
    buf_put_bytes(&plain, inside);
    buf_put(&plain, mdc, sizeof(mdc));
    (void)buf_reserve(&plain, 20);
    (void)SHA1(plain.p, plain.n, plain.p + plain.n);
    plain.n += 20;
    buf_put(out, skesk, sizeof(skesk));
    buf_u8(out, 0xd2);
    buf_u8(out, 255);
    buf_u32be(out, (uint32_t)plain.n + 1);
    buf_u8(out, 1);
    at = buf_extend(out, plain.n);
    CHECK(EVP_EncryptInit_ex(c, EVP_aes_256_cfb128(), NULL, key, iv) == 1);
    CHECK(EVP_EncryptUpdate(c, at, &n, plain.p, (int)plain.n) == 1 && (size_t)n == plain.n);
    EVP_CIPHER_CTX_free(c);
    buf_clear(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(secbuf) struct secbuf out = {0};
    struct openpgp_limits limits = {.max_plain = 1 << 18};
    struct buf message = {0};
    struct err e = {0};
    enum rc rc;

    seal(&message, bytes_of(data, size));
    rc = openpgp_decrypt_bytes(&out, buf_bytes(&message), bytes_str("pw123"), &limits, &e);
    CHECK(rc == RC_OK ? out.n <= limits.max_plain : out.n == 0 && e.code == rc);
    CHECK(rc != RC_DENIED); /* the hash is right */
    buf_clear(&message);
    return 0;
}
