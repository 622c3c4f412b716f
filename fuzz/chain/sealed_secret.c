/* A sealed secret's text: what parses is canonical but for the case of its digits, and never opens
 * with a key it was not sealed to. */
#include "chain/sealed_secret.h"

#include "base/hex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(sealed_secret) struct sealed_secret s = {0};
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf again = {0};
    const struct secret32 key = {{1}};
    struct secret_scope scope = {.validator = bytes_str("v")};

    if (sealed_secret_parse(&s, bytes_of(data, size), NULL) != RC_OK)
        return 0;
    buf_put_str(&again, SEALED_SECRET_PREFIX);
    hex_put(&again, buf_bytes(&s.raw));
    CHECK(again.n == size || again.n + 2 == size);
    scope.dlp_id = s.dlp_id;
    scope.job_id = s.job_id;
    scope.name = bytes_str(s.name);
    CHECK(sealed_secret_open(&plain, &s, &key, &scope, NULL) != RC_OK);
    return 0;
}
