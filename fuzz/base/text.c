/* Numbers and digits as text: what parses, printed again, parses to the same. */
#include "base/hex.h"
#include "base/num.h"
#include "base/u256.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void words(struct bytes text)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    uint64_t v, again;

    if (parse_u64(&v, text, UINT64_MAX, NULL) == RC_OK) {
        buf_printf(&b, "%llu", (unsigned long long)v);
        CHECK(parse_u64(&again, buf_bytes(&b), v, NULL) == RC_OK && again == v);
        CHECK(v == 0 || parse_u64(&again, text, v - 1, NULL) != RC_OK);
    }
    if (parse_hex_u64(&v, text, UINT64_MAX, NULL) == RC_OK) {
        buf_reset(&b);
        buf_printf(&b, "0x%llx", (unsigned long long)v);
        CHECK(parse_hex_u64(&again, buf_bytes(&b), v, NULL) == RC_OK && again == v);
    }
}

static void big(struct bytes text, unsigned decimals)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    char dec[U256_DEC_SIZE];
    struct u256 v, again;

    if (u256_parse_dec(&v, text, NULL) == RC_OK) {
        u256_to_dec(dec, &v);
        CHECK(u256_parse_dec(&again, bytes_str(dec), NULL) == RC_OK && u256_cmp(&v, &again) == 0);
    }
    if (u256_parse_hex(&v, text, NULL) == RC_OK) {
        u256_put_hex(&b, &v);
        CHECK(u256_parse_hex(&again, buf_bytes(&b), NULL) == RC_OK && u256_cmp(&v, &again) == 0);
    }
    if (u256_parse_units(&v, text, decimals, NULL) == RC_OK) {
        buf_reset(&b);
        u256_put_units(&b, &v, decimals);
        CHECK(u256_parse_units(&again, buf_bytes(&b), decimals, NULL) == RC_OK &&
              u256_cmp(&v, &again) == 0);
    }
}

static void digits(struct bytes text)
{
    AUTO_CLEAR(buf) struct buf raw = {0}, twice = {0}, out = {0};
    uint8_t fixed[20];

    if (hex_decode(&raw, text, 4096, NULL) == RC_OK) {
        hex_put(&out, buf_bytes(&raw));
        CHECK(hex_decode(&twice, buf_bytes(&out), raw.n, NULL) == RC_OK);
        CHECK(bytes_eq(buf_bytes(&raw), buf_bytes(&twice)));
        CHECK((hex_decode_fixed(fixed, sizeof(fixed), text, NULL) == RC_OK) ==
              (raw.n == sizeof(fixed)));
    }
}

/* First byte: decimals. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    words(bytes_of(data + 1, size - 1));
    big(bytes_of(data + 1, size - 1), data[0] % 78);
    digits(bytes_of(data + 1, size - 1));
    return 0;
}
