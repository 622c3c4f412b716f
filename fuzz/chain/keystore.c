/* Key files (Web3 Secret Storage): any text. Those that would hash for long are only looked at. */
#include "chain/keystore.h"

#include "codec/json.h"

#define MAX_WORK 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_small(const json_t *kdf, const char *key)
{
    uint64_t v;
    enum rc rc = json_u64_opt(&v, kdf, key, UINT64_MAX, 0, NULL);

    return rc != RC_OK || v <= MAX_WORK;
}

static bool is_quick(struct bytes text)
{
    static const char *const spellings[] = {"crypto", "Crypto"};
    json_auto_t *root = NULL;
    bool quick = true;

    if (json_parse(&root, text, 1u << 20, NULL) != RC_OK)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
        const json_t *kdf = json_object_get(json_object_get(root, spellings[i]), "kdfparams");

        quick = quick && is_small(kdf, "n") && is_small(kdf, "r") && is_small(kdf, "c") &&
                is_small(kdf, "p");
    }
    return quick;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_of(data, size);
    struct address a;
    struct secp_key key;
    struct err e;

    (void)!keystore_address(&a, text, &e);
    if (is_quick(text) && keystore_decrypt(&key, text, bytes_str("secret"), &e) == RC_OK)
        secp_key_clear(&key);
    return 0;
}
