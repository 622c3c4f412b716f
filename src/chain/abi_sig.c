#include "chain/abi_sig.h"

#include "base/hex.h"
#include "crypto/hash.h"

#define MAX_TEXT 1024 /* bytes of revert data or text that are shown */

void abi_signature_topic(struct hash32 *out, const struct abi_signature *s)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    abi_signature_put(&b, s);
    keccak256(out, buf_bytes(&b));
}

void abi_signature_selector(uint8_t out[4], const struct abi_signature *s)
{
    struct hash32 h;

    abi_signature_topic(&h, s);
    memcpy(out, h.b, 4);
}

enum rc abi_topic(struct hash32 *out, struct bytes signature, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct abi_signature s;

    memset(out, 0, sizeof(*out));
    TRY(abi_signature_parse(&s, &a, signature, e));
    abi_signature_topic(out, &s);
    return RC_OK;
}

enum rc abi_selector(uint8_t out[4], struct bytes signature, struct err *e)
{
    struct hash32 h;

    memset(out, 0, 4);
    TRY(abi_topic(&h, signature, e));
    memcpy(out, h.b, 4);
    return RC_OK;
}

enum rc abi_calldata(struct buf *out, struct bytes signature, const char *const *args,
                     size_t n_args, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct abi_signature s;
    struct abi_value v;
    uint8_t selector[4];

    TRY(abi_signature_parse(&s, &a, signature, e));
    TRY(abi_args_parse(&v, &a, s.args, args, n_args, e));
    abi_signature_selector(selector, &s);
    buf_put(out, selector, sizeof(selector));
    abi_encode(out, &v);
    return RC_OK;
}

/* Solidity 0.8 documentation, "Panic via assert and Error via require". */
static const char *panic_name(uint64_t code)
{
    static const struct {
        uint64_t code;
        const char *name;
    } names[] = {
        {0x00, "generic"},
        {0x01, "assertion failed"},
        {0x11, "arithmetic overflow"},
        {0x12, "division by zero"},
        {0x21, "invalid enum value"},
        {0x22, "bad storage bytes"},
        {0x31, "pop of an empty array"},
        {0x32, "array index out of bounds"},
        {0x41, "out of memory"},
        {0x51, "call of a zero function"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].code == code)
            return names[i].name;
    return "unknown";
}

static void put_clean(struct buf *out, struct bytes s)
{
    size_t n = s.n < MAX_TEXT ? s.n : MAX_TEXT;

    for (size_t i = 0; i < n; i++)
        if (s.p[i] < 0x20 || s.p[i] == 0x7f)
            buf_printf(out, "\\x%02x", s.p[i]);
        else
            buf_u8(out, s.p[i]);
    if (n < s.n)
        buf_put_str(out, "…");
}

/* True and text appended if the data is an error of this signature. */
static bool known(struct buf *out, const char *signature, struct bytes revert)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    struct abi_signature s;
    struct abi_value v;
    uint8_t selector[4];
    struct bytes args = bytes_of(revert.p + 4, revert.n - 4);

    if (abi_signature_parse(&s, &a, bytes_str(signature), NULL) != RC_OK)
        return false;
    abi_signature_selector(selector, &s);
    if (memcmp(selector, revert.p, 4) != 0 || abi_decode(&v, &a, s.args, args, NULL) != RC_OK)
        return false;
    if (bytes_eq(s.name, bytes_str("Error")) && v.n_items == 1 &&
        v.items[0].type->kind == ABI_STRING) {
        put_clean(out, v.items[0].data);
        return true;
    }
    if (bytes_eq(s.name, bytes_str("Panic")) && v.n_items == 1) {
        struct u256 code = u256_from_be(v.items[0].word.b);
        uint64_t n;

        if (!u256_to_u64(&code, &n))
            return false;
        buf_printf(out, "panic 0x%02llx (%s)", (unsigned long long)n, panic_name(n));
        return true;
    }
    abi_value_put(&text, &v);
    buf_put_bytes(out, s.name);
    put_clean(out, buf_bytes(&text));
    return true;
}

void contract_error_text(struct buf *out, struct bytes revert, const struct contract_error *table,
                         size_t n_table)
{
    static const char *const builtin[] = {"Error(string)", "Panic(uint256)"};

    if (revert.n == 0) {
        buf_put_str(out, "reverted without a reason");
        return;
    }
    /* Decoded values may share input bytes: data of unusual size is shown as it is. */
    if (revert.n >= 4 && revert.n <= 4096) {
        for (size_t i = 0; i < sizeof(builtin) / sizeof(builtin[0]); i++)
            if (known(out, builtin[i], revert))
                return;
        for (size_t i = 0; i < n_table; i++)
            if (known(out, table[i].signature, revert))
                return;
    }
    buf_put_str(out, "reverted with ");
    hex_put_0x(out, bytes_of(revert.p, revert.n < 68 ? revert.n : 68));
    if (revert.n > 68)
        buf_put_str(out, "…");
}
