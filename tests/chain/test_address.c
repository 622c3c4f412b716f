/* EIP-55 and EIP-1014 examples; the well-known first contract addresses of an account. */
#include "base/hex.h"
#include "chain/address.h"
#include "crypto/hash.h"
#include "lib/t.h"

TEST(checksum_text)
{
    static const char *const known[] = {
        /* EIP-55 */
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        /* ethers 6, private key 0x11..11 */
        "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        char text[ADDRESS_TEXT_SIZE], wrong[ADDRESS_TEXT_SIZE];
        struct address a;
        struct buf b = {0};
        struct err e;

        CHECK_OK(address_parse(&a, bytes_str(known[i]), &e), &e);
        address_format(text, &a);
        CHECK_STR(text, known[i]);
        address_put(&b, &a);
        CHECK_MEM(buf_bytes(&b), bytes_str(known[i]));
        buf_clear(&b);
        hex_encode(text + 2, BYTES_OF(&a));
        CHECK_OK(address_parse(&a, bytes_str(text), &e), &e);
        memcpy(wrong, known[i], sizeof(wrong));
        for (size_t at = 2; i < 4 && at < 42; at++) {
            if ((wrong[at] | 0x20) < 'a')
                continue;
            wrong[at] ^= 0x20;
            CHECK_RC(address_parse(&a, bytes_str(wrong), &e), RC_MALFORMED, &e, "checksum");
            CHECK_TRUE(address_is_zero(&a));
            wrong[at] ^= 0x20;
        }
    }
}

TEST(not_an_address)
{
    static const char *const bad[] = {
        "",
        "0x",
        "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAedd",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg",
        "0X5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
    };
    struct address a;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_RC(address_parse(&a, bytes_str(bad[i]), &e), RC_MALFORMED, &e, "");
}

TEST(contract_addresses)
{
    /* EIP-1014, examples 1, 4 and 6 (code hash = keccak256 of the init code) */
    static const struct {
        const char *sender, *salt, *code, *want;
    } known[] = {
        {"0x0000000000000000000000000000000000000000",
         "0000000000000000000000000000000000000000000000000000000000000000", "00",
         "0x4D1A2e2bB4F88F0250f26Ffff098B0b30B26BF38"},
        {"0x0000000000000000000000000000000000000000",
         "0000000000000000000000000000000000000000000000000000000000000000", "deadbeef",
         "0x70f2b2914A2a4b783FaEFb75f459A580616Fcb5e"},
        {"0x00000000000000000000000000000000deadbeef",
         "00000000000000000000000000000000000000000000000000000000cafebabe", "deadbeef",
         "0x60f3f640a8508fC6a86d45DF051962668E1e8AC7"},
    };
    char text[ADDRESS_TEXT_SIZE];
    struct address a, out;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct hash32 salt, code_hash;
        struct buf code = {0};

        CHECK_OK(address_parse(&a, bytes_str(known[i].sender), &e), &e);
        CHECK_OK(hex_decode_fixed(salt.b, 32, bytes_str(known[i].salt), &e), &e);
        CHECK_OK(hex_decode(&code, bytes_str(known[i].code), 100, &e), &e);
        keccak256(&code_hash, buf_bytes(&code));
        address_create2(&out, &a, &salt, &code_hash);
        address_format(text, &out);
        CHECK_STR(text, known[i].want);
        buf_clear(&code);
    }
    /* go-ethereum crypto_test.go, TestNewContractAddress: nonces 0, 1, 2 */
    CHECK_OK(address_parse(&a, bytes_str("0x970e8128ab834e8eac17ab8e3812f010678cf791"), &e), &e);
    address_create(&out, &a, 0);
    CHECK_HEX(BYTES_OF(&out), "333c3310824b7c685133f2bedb2ca4b8b4df633d");
    address_create(&out, &a, 1);
    CHECK_HEX(BYTES_OF(&out), "8bda78331c916a08481428e4b07c96d3e916d165");
    address_create(&out, &a, 2);
    CHECK_HEX(BYTES_OF(&out), "c9ddedf451bc62ce88bf9292afb13df35b670699");
}
