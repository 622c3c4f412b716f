/* Any bytes as an OpenPGP message, binary or armored, with a fixed password and a low hashing
 * bound. What decrypts must survive being encrypted again. */
#include "crypto/openpgp.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(secbuf) struct secbuf out = {0}, again = {0};
    struct openpgp_limits limits = {.max_plain = 1 << 16, .max_s2k = 65536};
    struct bytes password = bytes_str("pw123");
    struct buf message = {0}, armored = {0};
    struct err e = {0};
    enum rc rc = openpgp_decrypt_bytes(&out, bytes_of(data, size), password, &limits, &e);

    CHECK(rc == RC_OK ? true : e.code == rc && e.msg[0] != 0 && out.n == 0);
    if (rc == RC_OK) {
        CHECK(openpgp_encrypt_bytes(&message, secbuf_bytes(&out), password, NULL, &e) == RC_OK);
        openpgp_armor(&armored, buf_bytes(&message));
        CHECK(openpgp_decrypt_bytes(&again, buf_bytes(&armored), password, NULL, &e) == RC_OK);
        CHECK(bytes_eq(secbuf_bytes(&out), secbuf_bytes(&again)));
    }
    buf_clear(&message);
    buf_clear(&armored);
    return 0;
}
