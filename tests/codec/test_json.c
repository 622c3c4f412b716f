#include "codec/json.h"
#include "lib/t.h"

/* Expected text printed by CPython 3.11: json.dumps(json.loads(INPUT), sort_keys=True). */
TEST(json_python_dumps_is_pythons)
{
    const char *in =
        "{\"b\":[1,2.0,0.1,1e16,1e-5,123456789012345680.0,1e22,5e-324,1.7976931348623157e308,-0.0,"
        "100.0,0.0001,3.141592653589793,5.684341886080802e-14,9007199254740993],"
        "\"a\":{\"\xc3\xa9\":\"\xc3\xbc\xf0\x9f\x98\x80\x7f\\u0001\\\"\\\\/\\n\",\"Z\":null,"
        "\"z\":true},\"\":false,\"n\":-5,\"e\":{},\"l\":[]}";
    const char *want =
        "{\"\": false, \"a\": {\"Z\": null, \"z\": true, \"\\u00e9\": "
        "\"\\u00fc\\ud83d\\ude00\\u007f\\u0001\\\"\\\\/\\n\"}, \"b\": [1, 2.0, 0.1, 1e+16, 1e-05, "
        "1.2345678901234568e+17, 1e+22, 5e-324, 1.7976931348623157e+308, -0.0, 100.0, 0.0001, "
        "3.141592653589793, 5.684341886080802e-14, 9007199254740993], \"e\": {}, \"l\": [], "
        "\"n\": -5}";
    AUTO_CLEAR(buf) struct buf b = {0};
    json_t *v;
    struct err e;

    CHECK_OK(json_parse(&v, bytes_str(in), JSON_MAX_SIZE, &e), &e);
    json_python_dumps(&b, v);
    CHECK_STR(buf_cstr(&b), want);
    json_decref(v);
}

TEST(json_parse_limits)
{
    AUTO_CLEAR(buf) struct buf deep = {0};
    json_t *v;
    struct err e;

    for (int i = 0; i < JSON_MAX_DEPTH + 1; i++)
        buf_u8(&deep, '[');
    CHECK_RC(json_parse(&v, buf_bytes(&deep), 1000, &e), RC_LIMIT, &e, "deeper than 64");
    CHECK_RC(json_parse(&v, bytes_str("[1,2]"), 4, &e), RC_LIMIT, &e, "limit 4");
    CHECK_RC(json_parse(&v, bytes_str("{\"a\":1,\"a\":2}"), 99, &e), RC_MALFORMED, &e, "uplicate");
    CHECK_RC(json_parse(&v, bytes_str("{\"a\":1}x"), 99, &e), RC_MALFORMED, &e, "line 1");
    CHECK_RC(json_parse(&v, bytes_str(""), 99, &e), RC_MALFORMED, &e, "empty");
    CHECK_RC(json_parse(&v, bytes_str("\"\xff\""), 99, &e), RC_MALFORMED, &e, "decode byte 0xff");
}

TEST(json_getters)
{
    json_auto_t *v = NULL;
    const char *s;
    uint64_t n;
    uint8_t two[2];
    bool flag;
    struct u256 big;
    struct err e;
    const char *const keys[] = {"s", "n", "d", "q", "neg", "h"};

    CHECK_OK(json_parse(&v,
                        bytes_str("{\"s\":\"text\",\"n\":7,\"d\":\"12\",\"q\":\"0xff\",\"neg\":-1,"
                                  "\"h\":\"0xabcd\",\"null\":null}"),
                        999, &e),
             &e);
    CHECK_OK(json_str(&s, v, "s", 4, &e), &e);
    CHECK_STR(s, "text");
    CHECK_RC(json_str(&s, v, "s", 3, &e), RC_RANGE, &e, "limit 3");
    CHECK_RC(json_str(&s, v, "x", 3, &e), RC_NOTFOUND, &e, "'x' is missing");
    CHECK_RC(json_str(&s, v, "n", 3, &e), RC_MALFORMED, &e, "'n' is not a string");
    CHECK_OK(json_str_opt(&s, v, "null", 3, &e), &e);
    CHECK_TRUE(s == NULL);
    CHECK_OK(json_u64(&n, v, "n", 7, &e), &e);
    CHECK_INT(n, 7);
    CHECK_OK(json_u64(&n, v, "d", 12, &e), &e);
    CHECK_INT(n, 12);
    CHECK_OK(json_u64(&n, v, "q", 255, &e), &e);
    CHECK_INT(n, 255);
    CHECK_RC(json_u64(&n, v, "q", 254, &e), RC_RANGE, &e, "'q'");
    CHECK_RC(json_u64(&n, v, "neg", 9, &e), RC_RANGE, &e, "-1");
    CHECK_OK(json_u64_opt(&n, v, "none", 9, 3, &e), &e);
    CHECK_INT(n, 3);
    CHECK_OK(json_u256(&big, v, "q", &e), &e);
    CHECK_INT(big.w[0], 255);
    CHECK_OK(json_hex_fixed(two, 2, v, "h", &e), &e);
    CHECK_HEX(BYTES_OF(&two), "abcd");
    CHECK_OK(json_bool_opt(&flag, v, "none", true, &e), &e);
    CHECK_TRUE(flag);
    CHECK_RC(json_only_keys(v, keys, ARRAY_LEN(keys), &e), RC_MALFORMED, &e, "'null'");
}
