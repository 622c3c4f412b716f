#include "crypto/closed.h"

#include "base/err.h"

#include <openssl/crypto.h>

void crypto_stay_closed(void)
{
    CHECK(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1);
}
