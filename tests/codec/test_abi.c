#include "base/hex.h"
#include "codec/abi.h"
#include "lib/t.h"

/* Solidity documentation, "Contract ABI Specification", examples f and g (without selectors). */
#define F                                                                                          \
    "0000000000000000000000000000000000000000000000000000000000000123"                             \
    "0000000000000000000000000000000000000000000000000000000000000080"                             \
    "3132333435363738393000000000000000000000000000000000000000000000"                             \
    "00000000000000000000000000000000000000000000000000000000000000e0"                             \
    "0000000000000000000000000000000000000000000000000000000000000002"                             \
    "0000000000000000000000000000000000000000000000000000000000000456"                             \
    "0000000000000000000000000000000000000000000000000000000000000789"                             \
    "000000000000000000000000000000000000000000000000000000000000000d"                             \
    "48656c6c6f2c20776f726c642100000000000000000000000000000000000000"
#define G                                                                                          \
    "0000000000000000000000000000000000000000000000000000000000000040"                             \
    "0000000000000000000000000000000000000000000000000000000000000140"                             \
    "0000000000000000000000000000000000000000000000000000000000000002"                             \
    "0000000000000000000000000000000000000000000000000000000000000040"                             \
    "00000000000000000000000000000000000000000000000000000000000000a0"                             \
    "0000000000000000000000000000000000000000000000000000000000000002"                             \
    "0000000000000000000000000000000000000000000000000000000000000001"                             \
    "0000000000000000000000000000000000000000000000000000000000000002"                             \
    "0000000000000000000000000000000000000000000000000000000000000001"                             \
    "0000000000000000000000000000000000000000000000000000000000000003"                             \
    "0000000000000000000000000000000000000000000000000000000000000003"                             \
    "0000000000000000000000000000000000000000000000000000000000000060"                             \
    "00000000000000000000000000000000000000000000000000000000000000a0"                             \
    "00000000000000000000000000000000000000000000000000000000000000e0"                             \
    "0000000000000000000000000000000000000000000000000000000000000003"                             \
    "6f6e650000000000000000000000000000000000000000000000000000000000"                             \
    "0000000000000000000000000000000000000000000000000000000000000003"                             \
    "74776f0000000000000000000000000000000000000000000000000000000000"                             \
    "0000000000000000000000000000000000000000000000000000000000000005"                             \
    "7468726565000000000000000000000000000000000000000000000000000000"

static void check_case(const char *type, const char *text, const char *hex, const char *back)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_CLEAR(buf) struct buf printed = {0};
    const struct abi_type *t;
    struct abi_value v, w;
    struct err e;

    CHECK_OK(abi_type_parse(&t, &a, bytes_str(type), &e), &e);
    CHECK_OK(abi_value_parse(&v, &a, t, bytes_str(text), &e), &e);
    abi_encode(&b, &v);
    CHECK_HEX(buf_bytes(&b), hex);
    CHECK_OK(abi_decode(&w, &a, t, buf_bytes(&b), &e), &e);
    CHECK_TRUE(abi_is_canonical(&w, buf_bytes(&b)));
    abi_value_put(&printed, &w);
    CHECK_STR(buf_cstr(&printed), back);
}

TEST(abi_solidity_examples)
{
    check_case("(uint256,uint32[],bytes10,bytes)",
               "(0x123, [0x456,0x789], 0x31323334353637383930, 0x48656c6c6f2c20776f726c6421)", F,
               "(291, [1110, 1929], 0x31323334353637383930, 0x48656c6c6f2c20776f726c6421)");
    check_case("(uint256[][],string[])", "([[1,2],[3]],[one,\"two\",three])", G,
               "([[1, 2], [3]], [\"one\", \"two\", \"three\"])");
    check_case("(int8,bool)", "(-1,true)",
               "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
               "0000000000000000000000000000000000000000000000000000000000000001",
               "(-1, true)");
    check_case("(uint8[2],(address,string))",
               "([1,2],(0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266,\"a\\\"\\u0007\"))",
               "0000000000000000000000000000000000000000000000000000000000000001"
               "0000000000000000000000000000000000000000000000000000000000000002"
               "0000000000000000000000000000000000000000000000000000000000000060"
               "000000000000000000000000f39fd6e51aad88f6f4ce6ab8827279cfffb92266"
               "0000000000000000000000000000000000000000000000000000000000000040"
               "0000000000000000000000000000000000000000000000000000000000000003"
               "6122070000000000000000000000000000000000000000000000000000000000",
               "([1, 2], (0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266, \"a\\\"\\u0007\"))");
}

TEST(abi_low_level_writers_agree_with_the_tree)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct abi_reader r, arr;
    size_t base = b.n, list, data, n;
    struct err e;

    abi_put_u64(&b, 0x123);
    list = abi_put_slot(&b);
    abi_put_fixed_bytes(&b, "1234567890", 10);
    data = abi_put_slot(&b);
    abi_begin_tail(&b, list, base);
    abi_put_u64(&b, 2);
    abi_put_u64(&b, 0x456);
    abi_put_u64(&b, 0x789);
    abi_begin_tail(&b, data, base);
    abi_put_bytes(&b, bytes_str("Hello, world!"));
    CHECK_HEX(buf_bytes(&b), F);
    r = abi_reader_init(buf_bytes(&b));
    CHECK_INT(abi_get_u64(&r), 0x123);
    arr = abi_get_array(&r, 32, 10, &n);
    CHECK_INT(n, 2);
    CHECK_INT(abi_get_u64(&arr), 0x456);
    CHECK_INT(abi_get_u64(&arr), 0x789);
    (void)abi_get_hash32(&r);
    CHECK_MEM(abi_get_bytes(&r), bytes_str("Hello, world!"));
    abi_join(&r, &arr);
    CHECK_OK(abi_done(&r, "f", &e), &e);
    (void)abi_get_u64(&r); /* the list's length word is still in bounds, then data */
    CHECK_OK(abi_done(&r, "f", &e), &e);
}

TEST(abi_signatures_are_normalised)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    struct abi_signature s;
    struct err e;

    CHECK_OK(abi_signature_parse(
                 &s, &a,
                 bytes_str("function f(uint a, tuple(address x, int[3] y)[] calldata b) external "
                           "view returns (bytes memory)"),
                 &e),
             &e);
    abi_signature_put(&b, &s);
    CHECK_STR(buf_cstr(&b), "f(uint256,(address,int256[3])[])");
    CHECK_TRUE(s.results != NULL && s.results->n_fields == 1);
    CHECK_STR(s.args->names[1], "b");
    CHECK_OK(abi_signature_parse(&s, &a, bytes_str("event E(address indexed who, uint256)"), &e),
             &e);
    CHECK_TRUE(s.args->indexed[0] && !s.args->indexed[1]);
}

TEST(abi_refuses_bad_types_and_values)
{
    static const char *const types[] = {"uint7",  "uint264", "bytes33", "(uint256", "foo",
                                        "()[]",   "(())",    "uint[0]", "uint[",    "bytes0",
                                        "uint08", "(uint,)", ""};
    static const struct {
        const char *type, *text, *piece;
        enum rc rc;
    } values[] = {
        {"uint8", "256", "does not fit uint8", RC_RANGE},
        {"int8", "-129", "does not fit int8", RC_RANGE},
        {"int8", "128", "does not fit int8", RC_RANGE},
        {"uint256", "-1", "", RC_MALFORMED},
        {"address", "0x12", "40 hexadecimal", RC_MALFORMED},
        {"bool", "1", "true or false", RC_MALFORMED},
        {"bytes4", "0x1122334455", "", RC_MALFORMED},
        {"uint8[2]", "[1]", "1 items where the type has 2", RC_MALFORMED},
        {"(uint8,uint8)", "(1,2,3)", "3 items", RC_MALFORMED},
        {"uint8[]", "[1", "closing bracket", RC_MALFORMED},
        {"string[]", "[\"a]", "closing", RC_MALFORMED},
    };
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf deep = {0};
    const struct abi_type *t;
    struct abi_value v;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        CHECK_RC(abi_type_parse(&t, &a, bytes_str(types[i]), &e), RC_MALFORMED, &e, "abi type");
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        CHECK_OK(abi_type_parse(&t, &a, bytes_str(values[i].type), &e), &e);
        CHECK_RC(abi_value_parse(&v, &a, t, bytes_str(values[i].text), &e), values[i].rc, &e,
                 values[i].piece);
    }
    buf_put_str(&deep, "uint");
    for (int i = 0; i < ABI_MAX_DEPTH + 1; i++)
        buf_put_str(&deep, "[]");
    CHECK_RC(abi_type_parse(&t, &a, buf_bytes(&deep), &e), RC_LIMIT, &e, "deeper");
}

TEST(abi_decode_stays_in_bounds)
{
    static const struct {
        const char *type, *hex, *piece;
    } cases[] = {
        {"(bytes)", "00000000000000000000000000000000000000000000000000000000000000ff", "offset"},
        {"(bytes)",
         "0000000000000000000000000000000000000000000000000000000000000020"
         "0000000000000000000000000000000000000000000000000000000000000001",
         "length beyond"},
        {"(uint256[])",
         "0000000000000000000000000000000000000000000000000000000000000020"
         "0000000000000000000000000000000000000000000000000000000000000002"
         "0000000000000000000000000000000000000000000000000000000000000001",
         "array longer"},
        {"(uint8)", "0000000000000000000000000000000000000000000000000000000000000100", "range"},
        {"(address)", "0100000000000000000000000000000000000000000000000000000000000000", "range"},
        {"(bool)", "0000000000000000000000000000000000000000000000000000000000000002", "bool"},
        {"(int8)", "0000000000000000000000000000000000000000000000000000000000000080", "range"},
        {"(bytes2)", "1122330000000000000000000000000000000000000000000000000000000000", "range"},
        {"(uint8,uint8)", "0000000000000000000000000000000000000000000000000000000000000001",
         "truncated"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_CLEAR(arena) struct arena a = {0};
        AUTO_CLEAR(buf) struct buf b = {0};
        const struct abi_type *t;
        struct abi_value v;
        struct err e;

        CHECK_OK(abi_type_parse(&t, &a, bytes_str(cases[i].type), &e), &e);
        CHECK_OK(hex_decode(&b, bytes_str(cases[i].hex), 1024, &e), &e);
        CHECK_RC(abi_decode(&v, &a, t, buf_bytes(&b), &e), RC_MALFORMED, &e, cases[i].piece);
    }
}
