/* The two test vectors of the Web3 Secret Storage Definition (Ethereum wiki; also go-ethereum's
 * v3_test_vector.json), our own files, and damage. */
#include "base/hex.h"
#include "chain/keystore.h"
#include "crypto/kdf.h"
#include "lib/t.h"

static const char pbkdf2_file[] =
    "{\"crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"
    "\"6087dab2f9fdbbfaddc31a909735c1e6\"},\"ciphertext\":"
    "\"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46\",\"kdf\":\"pbkdf2\","
    "\"kdfparams\":{\"c\":262144,\"dklen\":32,\"prf\":\"hmac-sha256\",\"salt\":"
    "\"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd\"},\"mac\":"
    "\"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2\"},\"id\":"
    "\"3198bc9c-6672-5ab3-d995-4942343ae5b6\",\"version\":3}";
static const char scrypt_file[] =
    "{\"crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"
    "\"83dbcc02d8ccb40e466191a123791e0e\"},\"ciphertext\":"
    "\"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c\",\"kdf\":\"scrypt\","
    "\"kdfparams\":{\"dklen\":32,\"n\":262144,\"r\":1,\"p\":8,\"salt\":"
    "\"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19\"},\"mac\":"
    "\"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097\"},\"id\":"
    "\"3198bc9c-6672-5ab3-d995-4942343ae5b6\",\"version\":3}";

/* Written by ethers 6.13.4 for private key 0x11..11. */
static const char ethers_file[] =
    "{\"address\":\"19e7e376e7c213b7e7e7e46cc70a5dd086daff2a\",\"id\":\"95ca7988-bb77-4764-8d34-"
    "496a4094f2fe\",\"version\":3,\"Crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"
    "\"0f7"
    "5ba11d67ed4a950185c2f471cb966\"},\"ciphertext\":\"176bf3bef49ed0ab55df40e5844caabb7e59ae"
    "fcd3e1da679cc39b820f2fdb7b\",\"kdf\":\"scrypt\",\"kdfparams\":{\"salt\":\"2cfd17ab0891470dd8f8"
    "4145b90dfe8deac0cd73878466754b50ffdb7afc6ed7\",\"n\":4096,\"dklen\":32,\"p\":1,\"r\":8},"
    "\"mac\""
    ":\"7f9537a3e7ad0c017ab52da18bf22af9af220d9381ae1397b81ddd6d32351f4c\"}}";

TEST(ethers_file_opens)
{
    struct secp_key k;
    struct address a, said;
    struct err e;

    CHECK_OK(keystore_decrypt(&k, bytes_str(ethers_file), bytes_str("p\xc3\xa4ss word"), &e), &e);
    CHECK_HEX(BYTES_OF(&k), "1111111111111111111111111111111111111111111111111111111111111111");
    secp_key_address(&a, &k);
    CHECK_OK(keystore_address(&said, bytes_str(ethers_file), &e), &e);
    CHECK_MEM(BYTES_OF(&said), BYTES_OF(&a));
}

TEST(official_vectors)
{
    static const char *const files[] = {pbkdf2_file, scrypt_file};

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct secp_key k;
        struct err e;

        CHECK_OK(keystore_decrypt(&k, bytes_str(files[i]), bytes_str("testpassword"), &e), &e);
        CHECK_HEX(BYTES_OF(&k), "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d");
        CHECK_RC(keystore_decrypt(&k, bytes_str(files[i]), bytes_str("testpassworD"), &e),
                 RC_DENIED, &e, "wrong password");
        CHECK_HEX(BYTES_OF(&k), "0000000000000000000000000000000000000000000000000000000000000000");
    }
}

TEST(round_trip)
{
    struct secp_key k, back;
    struct address a, said;
    struct buf file = {0};
    struct err e;

    secp_key_generate(&k, NULL);
    CHECK_OK(
        keystore_encrypt(&file, &k, bytes_str("p\xc3\xa4ss"), KEYSTORE_SCRYPT_N_LIGHT, NULL, &e),
        &e);
    CHECK_OK(keystore_decrypt(&back, buf_bytes(&file), bytes_str("p\xc3\xa4ss"), &e), &e);
    CHECK_MEM(BYTES_OF(&back), BYTES_OF(&k));
    secp_key_address(&a, &k);
    CHECK_OK(keystore_address(&said, buf_bytes(&file), &e), &e);
    CHECK_MEM(BYTES_OF(&said), BYTES_OF(&a));
    CHECK_RC(keystore_encrypt(&file, &k, bytes_str("x"), 1000, NULL, &e), RC_RANGE, &e,
             "power of two");
    buf_clear(&file);
}

/* The pbkdf2 file with one text replaced. */
static struct buf with(const char *from, const char *to)
{
    const char *at = strstr(pbkdf2_file, from);
    struct buf out = {0};

    CHECK_TRUE(at != NULL);
    buf_put(&out, pbkdf2_file, (size_t)(at - pbkdf2_file));
    buf_put_str(&out, to);
    buf_put_str(&out, at + strlen(from));
    return out;
}

TEST(refuses)
{
    static const struct {
        const char *from, *to;
        enum rc rc;
        const char *piece;
    } bad[] = {
        {"\"version\":3", "\"version\":1", RC_UNSUPPORTED, "version 1"},
        {"aes-128-ctr", "aes-128-cbc", RC_UNSUPPORTED, "cipher \"aes-128-cbc\""},
        {"pbkdf2", "argon2", RC_UNSUPPORTED, "kdf \"argon2\""},
        {"hmac-sha256", "hmac-sha512", RC_UNSUPPORTED, "prf"},
        {"262144", "0", RC_RANGE, "no iterations"},
        {"262144", "99999999999", RC_LIMIT, "limit 10000000"},
        {"\"dklen\":32", "\"dklen\":16", RC_UNSUPPORTED, "dklen 16"},
        {"5318b4", "5318b5", RC_DENIED, "altered"},
        {"ae3cd4", "ae3cd5", RC_DENIED, "altered"},
        {"517ead", "517eae", RC_DENIED, "altered"},
        {"517ead", "7ead", RC_MALFORMED, "mac"},
        {"\"mac\"", "\"mad\"", RC_MALFORMED, "mac"},
        {"}", "", RC_MALFORMED, "key file"},
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct buf file = with(bad[i].from, bad[i].to);
        struct secp_key k;
        struct err e;

        CHECK_RC(keystore_decrypt(&k, buf_bytes(&file), bytes_str("testpassword"), &e), bad[i].rc,
                 &e, bad[i].piece);
        buf_clear(&file);
    }
}

/* A huge scrypt memory parameter is refused before any memory is asked for. */
TEST(scrypt_bound)
{
    struct buf file = {0};
    const char *at = strstr(scrypt_file, "262144");
    struct secp_key k;
    struct err e;

    buf_put(&file, scrypt_file, (size_t)(at - scrypt_file));
    buf_put_str(&file, "1073741824");
    buf_put_str(&file, at + 6);
    CHECK_RC(keystore_decrypt(&k, buf_bytes(&file), bytes_str("testpassword"), &e), RC_LIMIT, &e,
             "1024 MiB");
    buf_clear(&file);
}
