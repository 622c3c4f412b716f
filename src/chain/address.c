#include "chain/address.h"

#include "base/hex.h"
#include "codec/rlp.h"
#include "crypto/hash.h"

void address_format(char dst[ADDRESS_TEXT_SIZE], const struct address *a)
{
    struct hash32 h;

    dst[0] = '0';
    dst[1] = 'x';
    hex_encode(dst + 2, BYTES_OF(a));
    /* EIP-55: a letter is upper case where the hash of the lower-case digits has 8 or more. */
    keccak256(&h, bytes_of(dst + 2, 40));
    for (size_t i = 0; i < 40; i++) {
        unsigned nibble = i % 2 == 0 ? h.b[i / 2] >> 4 : h.b[i / 2] & 15;

        if (nibble >= 8 && dst[2 + i] >= 'a')
            dst[2 + i] = (char)(dst[2 + i] - 'a' + 'A');
    }
}

void address_put(struct buf *out, const struct address *a)
{
    char text[ADDRESS_TEXT_SIZE];

    address_format(text, a);
    buf_put_str(out, text);
}

enum rc address_parse(struct address *out, struct bytes text, struct err *e)
{
    char want[ADDRESS_TEXT_SIZE];
    bool lower = false, upper = false;

    memset(out, 0, sizeof(*out));
    if (text.n != 42 || text.p[0] != '0' || text.p[1] != 'x')
        return err_set(e, RC_MALFORMED, "address: not 0x and 40 hexadecimal digits but %zu bytes",
                       text.n);
    TRY(hex_decode_fixed(out->b, sizeof(out->b), text, e));
    for (size_t i = 2; i < text.n; i++) {
        lower = lower || (text.p[i] >= 'a' && text.p[i] <= 'f');
        upper = upper || (text.p[i] >= 'A' && text.p[i] <= 'F');
    }
    address_format(want, out);
    if (!lower || !upper || bytes_eq(text, bytes_str(want)))
        return RC_OK;
    memset(out, 0, sizeof(*out));
    return err_set(e, RC_MALFORMED, "address: wrong checksum in %.*s (EIP-55: a digit is mistyped)",
                   (int)text.n, (const char *)text.p);
}

static void last_20(struct address *out, struct bytes in)
{
    struct hash32 h;

    keccak256(&h, in);
    memcpy(out->b, h.b + 12, sizeof(out->b));
}

void address_create(struct address *out, const struct address *sender, uint64_t nonce)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    size_t mark = rlp_list_begin(&b);

    rlp_put_address(&b, sender);
    rlp_put_u64(&b, nonce);
    rlp_list_end(&b, mark);
    last_20(out, buf_bytes(&b));
}

void address_create2(struct address *out, const struct address *sender, const struct hash32 *salt,
                     const struct hash32 *code_hash)
{
    uint8_t in[1 + 20 + 32 + 32] = {0xff};

    memcpy(in + 1, sender->b, 20);
    memcpy(in + 21, salt->b, 32);
    memcpy(in + 53, code_hash->b, 32);
    last_20(out, BYTES_OF(&in));
}
