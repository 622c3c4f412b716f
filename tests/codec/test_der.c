/* DER: the forms that are read, and the many that are not. */
#include "codec/der.h"
#include "lib/t.h"

#define R(...)                                                                                     \
    reader_init(bytes_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})))

static void refused(struct reader r, const char *piece)
{
    struct err e = {0};

    CHECK_RC(reader_done(&r, "der", &e), RC_MALFORMED, &e, piece);
}

TEST(lengths)
{
    uint8_t long_form[300] = {DER_OCTET_STRING, 0x82, 0x01, 0x28};
    struct reader r = reader_init(bytes_of(long_form, 300));
    struct err e = {0};

    CHECK_INT(der_take(&r, DER_OCTET_STRING).n, 296);
    CHECK_OK(reader_done(&r, "der", &e), &e);
    r = R(4, 0);
    CHECK_INT(der_take(&r, DER_OCTET_STRING).n, 0);
    CHECK_OK(reader_done(&r, "der", &e), &e);
    r = R(4, 0x80, 0, 0);
    (void)der_take(&r, DER_OCTET_STRING);
    refused(r, "indefinite");
    r = R(4, 0x81, 0x01, 0);
    (void)der_take(&r, DER_OCTET_STRING);
    refused(r, "long form");
    r = R(4, 0x82, 0x00, 0x80);
    (void)der_take(&r, DER_OCTET_STRING);
    refused(r, "leading zeros");
    r = R(4, 0x85, 1, 0, 0, 0, 0);
    (void)der_take(&r, DER_OCTET_STRING);
    refused(r, "above four bytes");
    r = R(4, 2, 0);
    (void)der_take(&r, DER_OCTET_STRING);
    refused(r, "truncated");
    r = R(4, 0);
    (void)der_take(&r, DER_INTEGER);
    refused(r, "another tag");
    r = reader_init(bytes_of(NULL, 0));
    (void)der_take(&r, DER_INTEGER);
    refused(r, "missing");
    r = R(0x1f, 1, 0);
    (void)der_element(&r);
    refused(r, "above 30");
}

TEST(nesting)
{
    struct reader r = R(0x30, 5, 2, 1, 7, 5, 0), in = der_open(&r, DER_SEQUENCE);
    struct err e = {0};

    CHECK_INT(der_u64(&in, DER_INTEGER, 10), 7);
    CHECK_TRUE(der_next_is(&in, DER_NULL) && !der_next_is(&in, DER_INTEGER));
    CHECK_INT(der_element(&in).n, 2);
    der_close(&r, &in);
    CHECK_OK(reader_done(&r, "der", &e), &e);
    r = R(0x30, 5, 2, 1, 7, 5, 0);
    in = der_open(&r, DER_SEQUENCE);
    CHECK_INT(der_u64(&in, DER_INTEGER, 10), 7);
    der_close(&r, &in);
    refused(r, "more elements");
    r = R(0x30, 3, 2, 2, 7);
    in = der_open(&r, DER_SEQUENCE);
    CHECK_INT(der_u64(&in, DER_INTEGER, 10), 0);
    der_close(&r, &in);
    refused(r, "truncated"); /* a failure inside is one outside */
}

TEST(integers)
{
    struct reader r = R(2, 1, 0);
    struct err e = {0};

    CHECK_INT(der_unsigned(&r, DER_INTEGER).n, 0);
    CHECK_OK(reader_done(&r, "der", &e), &e);
    r = R(2, 2, 0, 0x80);
    CHECK_HEX(der_unsigned(&r, DER_INTEGER), "80");
    r = R(2, 9, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
    CHECK_TRUE(der_u64(&r, DER_INTEGER, UINT64_MAX) == UINT64_MAX);
    CHECK_OK(reader_done(&r, "der", &e), &e);
    r = R(2, 1, 0x80);
    (void)der_unsigned(&r, DER_INTEGER);
    refused(r, "negative");
    r = R(2, 2, 0, 0x7f);
    (void)der_unsigned(&r, DER_INTEGER);
    refused(r, "needless zeros");
    r = R(2, 0);
    (void)der_unsigned(&r, DER_INTEGER);
    refused(r, "without content");
    r = R(2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    (void)der_u64(&r, DER_INTEGER, UINT64_MAX);
    refused(r, "64 bits");
    r = R(2, 1, 8);
    (void)der_u64(&r, DER_INTEGER, 7);
    refused(r, "out of range");
}

TEST(booleans_and_bits)
{
    struct reader r = R(1, 1, 0xff);

    CHECK_TRUE(der_bool(&r));
    r = R(1, 1, 0);
    CHECK_TRUE(!der_bool(&r) && reader_ok(&r));
    r = R(1, 1, 1);
    CHECK_TRUE(!der_bool(&r));
    refused(r, "neither");
    r = R(3, 3, 0, 0xab, 0xcd);
    CHECK_HEX(der_bits(&r), "abcd");
    r = R(3, 2, 1, 0xaa);
    (void)der_bits(&r);
    refused(r, "whole bytes");
    r = R(3, 0);
    (void)der_bits(&r);
    refused(r, "whole bytes");
}

static uint64_t time_of(uint8_t tag, const char *text, bool *ok)
{
    struct buf b = {0};
    struct reader r;
    uint64_t t;

    buf_u8(&b, tag);
    buf_u8(&b, (uint8_t)strlen(text));
    buf_put_str(&b, text);
    r = reader_init(buf_bytes(&b));
    t = der_time(&r);
    *ok = reader_ok(&r);
    buf_clear(&b);
    return t;
}

/* `date -u -d '2018-05-21 10:45:10' +%s` and so on. */
TEST(times)
{
    static const struct {
        uint8_t tag;
        const char *text;
        uint64_t t;
    } good[] = {
        {DER_UTC_TIME, "180521104510Z", 1526899510},
        {DER_UTC_TIME, "491231235959Z", 2524607999},
        {DER_UTC_TIME, "700101000000Z", 0},
        {DER_UTC_TIME, "000229000000Z", 951782400},
        {DER_GENERALIZED_TIME, "20500101000000Z", 2524608000},
        {DER_GENERALIZED_TIME, "99991231235959Z", 253402300799},
        {DER_GENERALIZED_TIME, "21000301000000Z", 4107542400},
    };
    static const struct {
        uint8_t tag;
        const char *text;
    } bad[] = {
        {DER_UTC_TIME, "500101000000Z"}, /* 1950 */
        {DER_UTC_TIME, "1805211045Z"},
        {DER_UTC_TIME, "180521104510+0000"},
        {DER_UTC_TIME, "180521104510z"},
        {DER_UTC_TIME, "18052110451 Z"},
        {DER_UTC_TIME, "181321104510Z"},
        {DER_UTC_TIME, "180500104510Z"},
        {DER_UTC_TIME, "180431104510Z"},
        {DER_UTC_TIME, "190229104510Z"},
        {DER_UTC_TIME, "180521244510Z"},
        {DER_UTC_TIME, "180521106010Z"},
        {DER_UTC_TIME, "180521104560Z"},
        {DER_GENERALIZED_TIME, "21000229000000Z"},
        {DER_GENERALIZED_TIME, "20500101000000.5Z"},
        {DER_OCTET_STRING, "20500101000000Z"},
    };
    bool ok;

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CHECK_INT(time_of(good[i].tag, good[i].text, &ok), good[i].t);
        CHECK_TRUE(ok);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        (void)time_of(bad[i].tag, bad[i].text, &ok);
        if (ok)
            t_fail(__FILE__, __LINE__, "%s is taken for a time", bad[i].text);
    }
}
