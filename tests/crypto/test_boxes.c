/* AEAD, KDFs, HPKE, ECIES. Origins are named at each test. */
#include "base/hex.h"
#include "crypto/aead.h"
#include "crypto/ecies.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "crypto/kdf.h"
#include "lib/t.h"

static void unhex(uint8_t *dst, size_t n, const char *text)
{
    struct err e;

    CHECK_OK(hex_decode_fixed(dst, n, bytes_str(text), &e), &e);
}

static struct buf unhex_buf(const char *text)
{
    struct buf b = {0};
    struct err e;

    CHECK_OK(hex_decode(&b, bytes_str(text), 4096, &e), &e);
    return b;
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 4 and 16; RFC 8439 §2.8.2.
 */
TEST(aead_known)
{
    static const char *const gcm_plain =
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
    static const struct {
        enum aead_alg alg;
        const char *key, *nonce, *aad, *plain, *want;
    } known[] = {
        {AEAD_AES_128_GCM, "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
         "feedfacedeadbeeffeedfacedeadbeefabaddad2", gcm_plain,
         "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
         "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
         "5bc94fbc3221a5db94fae95ae7121a47"},
        {AEAD_AES_256_GCM, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
         "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2", gcm_plain,
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
         "76fc6ece0f4e1768cddf8853bb2d551b"},
        {AEAD_CHACHA20_POLY1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
         "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
         "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
         "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
         "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
         "637265656e20776f756c642062652069742e",
         "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
         "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
         "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
         "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd060"
         "0691"},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct buf key = unhex_buf(known[i].key), nonce = unhex_buf(known[i].nonce);
        struct buf aad = unhex_buf(known[i].aad), plain = unhex_buf(known[i].plain);
        uint8_t box[256], back[256];
        struct bytes sealed = bytes_of(box, plain.n + AEAD_TAG_SIZE);
        struct err e;

        CHECK_INT(key.n, aead_key_size(known[i].alg));
        aead_seal(known[i].alg, box, key.p, nonce.p, buf_bytes(&aad), buf_bytes(&plain));
        CHECK_HEX(sealed, known[i].want);
        CHECK_OK(aead_open(known[i].alg, back, key.p, nonce.p, buf_bytes(&aad), sealed, &e), &e);
        CHECK_MEM(bytes_of(back, plain.n), buf_bytes(&plain));
        for (size_t at = 0; at < sealed.n; at += 7) {
            box[at] ^= 0x40;
            CHECK_RC(aead_open(known[i].alg, back, key.p, nonce.p, buf_bytes(&aad), sealed, &e),
                     RC_DENIED, &e, "tag does not match");
            CHECK_INT(back[0] | back[plain.n - 1], 0);
            box[at] ^= 0x40;
        }
        aad.p[0] ^= 1;
        CHECK_RC(aead_open(known[i].alg, back, key.p, nonce.p, buf_bytes(&aad), sealed, &e),
                 RC_DENIED, &e, "tag does not match");
        CHECK_RC(
            aead_open(known[i].alg, back, key.p, nonce.p, buf_bytes(&aad), bytes_of(box, 15), &e),
            RC_MALFORMED, &e, "shorter");
        buf_clear(&key);
        buf_clear(&nonce);
        buf_clear(&aad);
        buf_clear(&plain);
    }
}

/* NIST SP 800-38A F.5.1. */
TEST(ctr_known)
{
    uint8_t key[16], iv[16], in[32];

    unhex(key, 16, "2b7e151628aed2a6abf7158809cf4f3c");
    unhex(iv, 16, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    unhex(in, 32, "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
    aes128_ctr(in, key, iv, BYTES_OF(&in));
    CHECK_HEX(BYTES_OF(&in), "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff");
}

/* RFC 7914 §11 (PBKDF2-HMAC-SHA-256) and §12 (scrypt). */
TEST(kdf_known)
{
    uint8_t out[64];
    struct err e;

    CHECK_OK(pbkdf2_sha256(out, 64, bytes_str("passwd"), bytes_str("salt"), 1, &e), &e);
    CHECK_HEX(BYTES_OF(&out), "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
                              "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
    CHECK_OK(scrypt(out, 64, bytes_str(""), bytes_str(""), 16, 1, 1, &e), &e);
    CHECK_HEX(BYTES_OF(&out), "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
                              "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
    CHECK_OK(scrypt(out, 64, bytes_str("password"), bytes_str("NaCl"), 1024, 8, 16, &e), &e);
    CHECK_HEX(BYTES_OF(&out), "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
                              "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640");
}

TEST(kdf_limits)
{
    struct bytes p = bytes_str("p"), s = bytes_str("s");
    uint8_t out[64];
    struct err e;

    CHECK_RC(pbkdf2_sha256(out, 32, p, s, 0, &e), RC_RANGE, &e, "no iterations");
    CHECK_RC(pbkdf2_sha256(out, 32, p, s, UINT64_MAX, &e), RC_LIMIT, &e, "limit 10000000");
    CHECK_RC(scrypt(out, 32, p, s, 1000, 8, 1, &e), RC_RANGE, &e, "power of two");
    CHECK_RC(scrypt(out, 32, p, s, 0, 8, 1, &e), RC_RANGE, &e, "power of two");
    CHECK_RC(scrypt(out, 32, p, s, 1u << 30, 8, 1, &e), RC_LIMIT, &e, "1024 MiB");
    CHECK_RC(scrypt(out, 32, p, s, 16, UINT64_MAX, 1, &e), RC_LIMIT, &e, "1024 MiB");
    CHECK_RC(scrypt(out, 32, p, s, 16, 8, 17, &e), RC_LIMIT, &e, "p 16");
    CHECK_RC(scrypt(out, 0, p, s, 16, 8, 1, &e), RC_RANGE, &e, "no output");
}

/* RFC 9180 A.1.1 and A.2.1, first encryption, key pairs from ikmE and ikmR; the AES-256-GCM box was
 * made by pyca/cryptography 48 (its own HPKE over OpenSSL) for the key of A.1. */
TEST(hpke_known)
{
    static const struct {
        enum hpke_aead aead;
        const char *ikm_r, *ikm_e, *sk_r, *enc_ct;
    } known[] = {
        {HPKE_AES_128_GCM, "6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037",
         "7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234",
         "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
         "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"
         "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c51"
         "2a"},
        {HPKE_CHACHA20_POLY1305, "1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df",
         "909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b",
         "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb",
         "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"
         "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a"
         "28"},
    };
    struct bytes info = bytes_str("Ode on a Grecian Urn"), aad = bytes_str("Count-0");
    struct bytes plain = bytes_str("Beauty is truth, truth beauty");
    struct err e;
    struct secret32 key;
    struct buf box;
    AUTO_CLEAR(secbuf) struct secbuf back = {0};

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct hpke_context receiver = {0};
        struct secret32 eph;
        uint8_t ikm[32], pub[32], eph_pub[32];
        struct buf out = {0};

        unhex(ikm, 32, known[i].ikm_r);
        hpke_derive_key(&key, pub, BYTES_OF(&ikm));
        CHECK_HEX(BYTES_OF(&key), known[i].sk_r);
        unhex(ikm, 32, known[i].ikm_e);
        hpke_derive_key(&eph, eph_pub, BYTES_OF(&ikm));
        CHECK_OK(hpke_seal_with(&out, known[i].aead, &eph, pub, info, aad, plain, &e), &e);
        CHECK_HEX(buf_bytes(&out), known[i].enc_ct);
        secbuf_reset(&back);
        CHECK_OK(hpke_receiver(&receiver, known[i].aead, &key, out.p, info, &e), &e);
        CHECK_OK(hpke_context_open(&receiver, &back, aad,
                                   bytes_of(out.p + HPKE_ENC_SIZE, out.n - HPKE_ENC_SIZE), &e),
                 &e);
        CHECK_MEM(secbuf_bytes(&back), plain);
        hpke_context_clear(&receiver);
        buf_clear(&out);
    }
    box = unhex_buf("b7d891b6d8939b189bab9dd7153b32991d2ea3e3fc6fe88be85a5c43d1f33a06abce4c836a452e"
                    "75b2836830a5dcf27802c175185c416801b95c2ca2b663ec56fddc417a1dfa56adb3c2240ec4");
    unhex(key.b, 32, known[0].sk_r);
    secbuf_reset(&back);
    CHECK_OK(
        hpke_open(&back, &key, bytes_str("cloister/test"), bytes_of(NULL, 0), buf_bytes(&box), &e),
        &e);
    CHECK_MEM(secbuf_bytes(&back), plain);
    buf_clear(&box);
}

/* RFC 9180 A.1.1: all messages and exports. */
TEST(hpke_context_known)
{
    static const struct {
        uint64_t sequence;
        const char *aad, *ct;
    } messages[] = {
        {0, "Count-0",
         "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a9"
         "6d8770ac83d07bea87e13c512a"},
        {1, "Count-1",
         "af2d7e9ac9ae7e270f46ba1f975be53c09f8d875bdc8535458c2494e8a6eab25"
         "1c03d0c22a56b8ca42c2063b84"},
        {2, "Count-2",
         "498dfcabd92e8acedc281e85af1cb4e3e31c7dc394a1ca20e173cb7251649158"
         "8d96a19ad4a683518973dcc180"},
        {4, "Count-4",
         "583bd32bc67a5994bb8ceaca813d369bca7b2a42408cddef5e22f880b631215a"
         "09fc0012bc69fccaa251c0246d"},
        {255, "Count-255",
         "7175db9717964058640a3a11fb9007941a5d1757fda1a6935c805c21af32505b"
         "f106deefec4a49ac38d71c9e0a"},
        {256, "Count-256",
         "957f9800542b0b8891badb026d79cc54597cb2d225b54c00c5238c25d05c30e3"
         "fbeda97d2e0e1aba483a2df9f2"},
    };
    static const struct {
        const char *context, *value;
    } exports[] = {
        {"", "3853fe2b4035195a573ffc53856e77058e15d9ea064de3e59f4961d0095250ee"},
        {"00", "2e8f0b54673c7029649d4eb9d5e33bf1872cf76d623ff164ac185da9e88c21a5"},
        {"54657374436f6e74657874",
         "e9e43065102c3836401bed8c3c3c75ae46be1639869391d62c61f1ec7af54931"},
    };
    struct bytes info = bytes_str("Ode on a Grecian Urn");
    struct bytes plain = bytes_str("Beauty is truth, truth beauty");
    AUTO_CLEAR(hpke_context) struct hpke_context sender = {0}, receiver = {0};
    AUTO_CLEAR(secbuf) struct secbuf back = {0};
    struct secret32 key, eph;
    uint8_t ikm[32], pub[32], enc[HPKE_ENC_SIZE], value[32];
    struct err e;

    unhex(ikm, 32, "6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037");
    hpke_derive_key(&key, pub, BYTES_OF(&ikm));
    unhex(ikm, 32, "7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234");
    hpke_derive_key(&eph, enc, BYTES_OF(&ikm));
    CHECK_OK(hpke_sender_with(&sender, enc, HPKE_AES_128_GCM, &eph, pub, info, &e), &e);
    CHECK_HEX(BYTES_OF(&enc), "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
    CHECK_OK(hpke_receiver(&receiver, HPKE_AES_128_GCM, &key, enc, info, &e), &e);
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        struct bytes aad = bytes_str(messages[i].aad);
        struct buf out = {0};

        while (sender.sequence < messages[i].sequence) {
            buf_reset(&out);
            CHECK_OK(hpke_context_seal(&sender, &out, aad, plain, &e), &e);
            secbuf_reset(&back);
            CHECK_OK(hpke_context_open(&receiver, &back, aad, buf_bytes(&out), &e), &e);
        }
        buf_reset(&out);
        CHECK_OK(hpke_context_seal(&sender, &out, aad, plain, &e), &e);
        CHECK_HEX(buf_bytes(&out), messages[i].ct);
        secbuf_reset(&back);
        CHECK_OK(hpke_context_open(&receiver, &back, aad, buf_bytes(&out), &e), &e);
        CHECK_MEM(secbuf_bytes(&back), plain);
        buf_clear(&out);
    }
    for (size_t i = 0; i < ARRAY_LEN(exports); i++) {
        struct buf context = unhex_buf(exports[i].context);

        hpke_context_export(&sender, value, sizeof(value), buf_bytes(&context));
        CHECK_HEX(BYTES_OF(&value), exports[i].value);
        hpke_context_export(&receiver, value, sizeof(value), buf_bytes(&context));
        CHECK_HEX(BYTES_OF(&value), exports[i].value);
        buf_clear(&context);
    }
}

TEST(hpke_context_order)
{
    struct bytes info = bytes_str("info"), none = bytes_of(NULL, 0);
    AUTO_CLEAR(hpke_context) struct hpke_context sender = {0}, receiver = {0};
    AUTO_CLEAR(hpke_context) struct hpke_context back = {0}, there = {0};
    AUTO_CLEAR(secbuf) struct secbuf got = {0};
    struct buf box[3] = {{0}};
    struct secret32 key;
    uint8_t ikm[32] = {1}, pub[32], enc[HPKE_ENC_SIZE];
    struct err e;

    hpke_derive_key(&key, pub, BYTES_OF(&ikm));
    CHECK_OK(hpke_sender(&sender, enc, pub, info, NULL, &e), &e);
    CHECK_OK(hpke_receiver(&receiver, HPKE_AES_256_GCM, &key, enc, info, &e), &e);
    for (size_t i = 0; i < 3; i++)
        CHECK_OK(hpke_context_seal(&sender, &box[i], none, bytes_str("same"), &e), &e);
    CHECK_TRUE(!bytes_eq(buf_bytes(&box[0]), buf_bytes(&box[1])));
    /* None can be left out, moved or repeated, and failing moves nothing on. */
    CHECK_RC(hpke_context_open(&receiver, &got, none, buf_bytes(&box[1]), &e), RC_DENIED, &e,
             "does not open");
    CHECK_OK(hpke_context_open(&receiver, &got, none, buf_bytes(&box[0]), &e), &e);
    CHECK_RC(hpke_context_open(&receiver, &got, none, buf_bytes(&box[0]), &e), RC_DENIED, &e,
             "does not open");
    CHECK_RC(hpke_context_open(&receiver, &got, none, bytes_of(box[1].p, 15), &e), RC_MALFORMED, &e,
             "15 bytes");
    CHECK_OK(hpke_context_open(&receiver, &got, none, buf_bytes(&box[1]), &e), &e);
    CHECK_MEM(secbuf_bytes(&got), bytes_str("samesame"));
    /* The way back has keys of its own. */
    hpke_way_back(&there, &receiver, "k", "n", true);
    hpke_way_back(&back, &sender, "k", "n", false);
    buf_reset(&box[0]);
    CHECK_OK(hpke_context_seal(&there, &box[0], none, bytes_str("answer"), &e), &e);
    CHECK_RC(hpke_context_open(&receiver, &got, none, buf_bytes(&box[0]), &e), RC_DENIED, &e,
             "does not open");
    secbuf_reset(&got);
    CHECK_OK(hpke_context_open(&back, &got, none, buf_bytes(&box[0]), &e), &e);
    CHECK_MEM(secbuf_bytes(&got), bytes_str("answer"));
    for (size_t i = 0; i < 3; i++)
        buf_clear(&box[i]);
}

TEST(hpke_refuses)
{
    struct bytes info = bytes_str("info"), aad = bytes_str("aad"), plain = bytes_str("secret");
    AUTO_CLEAR(secbuf) struct secbuf back = {0};
    struct secret32 key;
    uint8_t ikm[32] = {1}, pub[32], zero[32] = {0};
    struct buf box = {0}, empty = {0};
    struct err e;

    hpke_derive_key(&key, pub, BYTES_OF(&ikm));
    CHECK_OK(hpke_seal(&box, pub, info, aad, plain, NULL, &e), &e);
    CHECK_INT(box.n, plain.n + HPKE_OVERHEAD);
    secbuf_put_str(&back, "kept");
    for (size_t i = 0; i < box.n; i++) {
        box.p[i] ^= 1;
        CHECK_TRUE(hpke_open(&back, &key, info, aad, buf_bytes(&box), &e) != RC_OK);
        CHECK_MEM(secbuf_bytes(&back), bytes_str("kept"));
        box.p[i] ^= 1;
    }
    CHECK_RC(hpke_open(&back, &key, aad, aad, buf_bytes(&box), &e), RC_DENIED, &e, "does not open");
    CHECK_RC(hpke_open(&back, &key, info, info, buf_bytes(&box), &e), RC_DENIED, &e,
             "does not open");
    CHECK_RC(hpke_open(&back, &key, info, aad, bytes_of(box.p, 47), &e), RC_MALFORMED, &e,
             "47 bytes");
    CHECK_OK(hpke_open(&back, &key, info, aad, buf_bytes(&box), &e), &e);
    CHECK_MEM(secbuf_bytes(&back), bytes_str("keptsecret"));
    memset(box.p, 0, 32);
    CHECK_RC(hpke_open(&back, &key, info, aad, buf_bytes(&box), &e), RC_MALFORMED, &e,
             "small order");
    CHECK_RC(hpke_seal(&empty, zero, info, aad, plain, NULL, &e), RC_MALFORMED, &e, "small order");
    CHECK_INT(empty.n, 0);
    buf_clear(&box);
}

/* Recipient 0x22..22, ephemeral 0x33..33; computed with Node's crypto, opened by eccrypto-js. */
TEST(ecies_known)
{
    AUTO_CLEAR(secbuf) struct secbuf back = {0};
    struct secp_key to, eph;
    struct secp_pub pub;
    struct secret32 x;
    uint8_t raw[32], iv[16];
    struct buf box = {0};
    struct err e;

    memset(raw, 0x22, 32);
    CHECK_OK(secp_key_from_bytes(&to, raw, &e), &e);
    memset(raw, 0x33, 32);
    CHECK_OK(secp_key_from_bytes(&eph, raw, &e), &e);
    for (uint8_t i = 0; i < 16; i++)
        iv[i] = (uint8_t)(i + 1);
    secp_key_pub(&pub, &to);
    CHECK_OK(secp_ecdh_x(&x, &eph, &pub, &e), &e);
    CHECK_HEX(BYTES_OF(&x), "9110f8760a37d96052e3dcaf14862a147654f49f722cf213568ccef1eca2ec71");
    CHECK_OK(ecies_seal_with(&box, &pub, bytes_str("0xdeadbeef"), &eph, iv, &e), &e);
    CHECK_HEX(buf_bytes(&box), "0102030405060708090a0b0c0d0e0f10043c72addb4fdf09af94f0c94d7fe92a38"
                               "6a7e70cf8a1d85916386bb2535c7b1b13b306b0fe085665d8fc1b28ae1676cd3ad"
                               "6e08eaeda225fe38d0da4de55703e0e70ffa0bc5688a1cd33129b637e08264263a"
                               "f0a51fd63c9f77b7380ec7bf16dd6bb6e134d2baee0784e75f47325a28a1");
    CHECK_OK(ecies_open(&back, &to, buf_bytes(&box), &e), &e);
    CHECK_MEM(secbuf_bytes(&back), bytes_str("0xdeadbeef"));
    secbuf_truncate(&back, 2);
    for (size_t i = 0; i < box.n; i++) {
        bool in_point = i >= 16 && i < 81;

        box.p[i] ^= 1;
        CHECK_RC(ecies_open(&back, &to, buf_bytes(&box), &e), in_point ? RC_MALFORMED : RC_DENIED,
                 &e, in_point ? "secp256k1" : "mac");
        CHECK_INT(back.n, 2);
        box.p[i] ^= 1;
    }
    CHECK_RC(ecies_open(&back, &eph, buf_bytes(&box), &e), RC_DENIED, &e, "mac");
    CHECK_RC(ecies_open(&back, &to, bytes_of(box.p, box.n - 1), &e), RC_MALFORMED, &e, "128 bytes");
    CHECK_RC(ecies_open(&back, &to, bytes_of(box.p, 113), &e), RC_MALFORMED, &e, "113 bytes");
    buf_clear(&box);
}

TEST(ecies_sizes)
{
    for (size_t n = 0; n < 70; n++) {
        AUTO_CLEAR(secbuf) struct secbuf back = {0};
        struct secp_key k;
        struct secp_pub pub;
        uint8_t plain[70];
        struct buf box = {0};
        struct err e;

        t_rand_bytes(plain, sizeof(plain));
        secp_key_generate(&k, NULL);
        secp_key_pub(&pub, &k);
        CHECK_OK(ecies_seal(&box, &pub, bytes_of(plain, n), NULL, &e), &e);
        CHECK_INT(box.n, 113 + n / 16 * 16 + 16);
        CHECK_OK(ecies_open(&back, &k, buf_bytes(&box), &e), &e);
        CHECK_MEM(secbuf_bytes(&back), bytes_of(plain, n));
        buf_clear(&box);
    }
}
