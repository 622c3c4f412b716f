#include "base/arena.h"
#include "base/hex.h"
#include "base/num.h"
#include "base/reader.h"
#include "base/u256.h"
#include "lib/t.h"

TEST(reader_sticks_at_the_first_failure)
{
    const uint8_t in[] = {1, 2, 3, 4, 5};
    struct reader r = reader_init(BYTES_OF(&in));
    struct err e;

    CHECK_INT(reader_u32be(&r), 0x01020304);
    CHECK_INT(reader_u16be(&r), 0);
    CHECK_INT(reader_u8(&r), 0);
    CHECK_RC(reader_done(&r, "thing", &e), RC_MALFORMED, &e, "thing: truncated at byte 4");
}

TEST(reader_refuses_trailing_bytes)
{
    const uint8_t in[] = {1, 2};
    struct reader r = reader_init(BYTES_OF(&in));
    struct err e;

    CHECK_INT(reader_u8(&r), 1);
    CHECK_RC(reader_done(&r, "thing", &e), RC_MALFORMED, &e, "1 trailing");
}

TEST(uvarint_is_minimal_and_round_trips)
{
    const uint8_t padded[] = {0x81, 0x00};
    const uint64_t values[] = {0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX};
    struct reader r = reader_init(BYTES_OF(&padded));
    struct err e;

    CHECK_INT(reader_uvarint(&r), 0);
    CHECK_RC(reader_done(&r, "v", &e), RC_MALFORMED, &e, "not minimal");
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        AUTO_CLEAR(buf) struct buf b = {0};

        buf_uvarint(&b, values[i]);
        r = reader_init(buf_bytes(&b));
        CHECK_TRUE(reader_uvarint(&r) == values[i]);
        CHECK_OK(reader_done(&r, "v", &e), &e);
    }
}

TEST(hex_names_the_bad_character)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    uint8_t two[2];
    struct err e;

    CHECK_OK(hex_decode(&b, bytes_str("0xdeadBEEF"), 4, &e), &e);
    CHECK_HEX(buf_bytes(&b), "deadbeef");
    CHECK_RC(hex_decode(&b, bytes_str("zz"), 4, &e), RC_MALFORMED, &e, "0x7a");
    CHECK_RC(hex_decode(&b, bytes_str("abc"), 4, &e), RC_MALFORMED, &e, "odd");
    CHECK_RC(hex_decode(&b, bytes_str("0102030405"), 4, &e), RC_LIMIT, &e, "limit of 4");
    CHECK_RC(hex_decode_fixed(two, 2, bytes_str("0x01"), &e), RC_MALFORMED, &e, "expected 4");
}

TEST(numbers_in_text)
{
    struct err e;
    uint64_t v;

    CHECK_OK(parse_u64(&v, bytes_str("18446744073709551615"), UINT64_MAX, &e), &e);
    CHECK_TRUE(v == UINT64_MAX);
    CHECK_RC(parse_u64(&v, bytes_str("18446744073709551616"), UINT64_MAX, &e), RC_RANGE, &e, "64");
    CHECK_RC(parse_u64(&v, bytes_str("01"), 9, &e), RC_MALFORMED, &e, "leading");
    CHECK_RC(parse_u64(&v, bytes_str("10"), 9, &e), RC_RANGE, &e, "limit of 9");
    CHECK_OK(parse_hex_u64(&v, bytes_str("0xff"), 255, &e), &e);
    CHECK_INT(v, 255);
}

TEST(u256_arithmetic_agrees_with_its_inverse)
{
    for (int i = 0; i < 20000; i++) {
        struct u256 a, b, q, r, t;

        t_rand_bytes(&a, sizeof(a));
        t_rand_bytes(&b, sizeof(b));
        if (t_rand_below(2) != 0)
            b.w[3] = b.w[2] = 0;
        if (t_rand_below(2) != 0)
            a.w[3] = 0;
        if (u256_is_zero(&b))
            continue;
        CHECK_TRUE(u256_divmod(&q, &r, &a, &b));
        CHECK_TRUE(u256_cmp(&r, &b) < 0);
        CHECK_TRUE(u256_mul(&t, &q, &b));
        CHECK_TRUE(u256_add(&t, &t, &r));
        CHECK_INT(u256_cmp(&t, &a), 0);
    }
}

TEST(u256_overflow_is_reported)
{
    struct u256 max = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    struct u256 one = u256_from_u64(1);
    struct u256 two = u256_from_u64(2);
    struct u256 t;

    CHECK_TRUE(!u256_add(&t, &max, &one));
    CHECK_TRUE(!u256_sub(&t, &one, &two));
    CHECK_TRUE(!u256_mul(&t, &max, &two));
    CHECK_TRUE(!u256_divmod(&t, NULL, &one, &U256_ZERO));
}

TEST(u256_text)
{
    const char *max =
        "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    AUTO_CLEAR(buf) struct buf b = {0};
    char text[U256_DEC_SIZE];
    struct u256 v;
    struct err e;

    CHECK_OK(u256_parse_dec(&v, bytes_str(max), &e), &e);
    u256_to_dec(text, &v);
    CHECK_STR(text, max);
    CHECK_OK(u256_parse_units(&v, bytes_str("1.05"), 18, &e), &e);
    u256_to_dec(text, &v);
    CHECK_STR(text, "1050000000000000000");
    u256_put_units(&b, &v, 18);
    CHECK_STR(buf_cstr(&b), "1.05");
    buf_reset(&b);
    u256_put_hex(&b, &v);
    CHECK_STR(buf_cstr(&b), "0xe92596fd6290000");
    CHECK_RC(u256_parse_units(&v, bytes_str("1.1234567890123456789"), 18, &e), RC_RANGE, &e, "18");
}

TEST(arena_survives_reset)
{
    struct arena a = {0};

    for (int i = 0; i < 3; i++) {
        uint8_t *p = arena_alloc(&a, 100000);
        char *s = arena_strdup(&a, bytes_str("hello"));

        CHECK_INT(p[99999], 0);
        CHECK_STR(s, "hello");
        arena_reset(&a);
    }
    arena_clear(&a);
}
