#include "chain/eip712.h"

#include "crypto/hash.h"

void personal_digest(struct hash32 *out, struct bytes message)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct keccak256_ctx c;

    buf_printf(&b,
               "\x19"
               "Ethereum Signed Message:\n%zu",
               message.n);
    keccak256_init(&c);
    keccak256_put(&c, buf_bytes(&b));
    keccak256_put(&c, message);
    keccak256_final(&c, out);
}

void personal_sign(struct secp_sig *out, const struct secp_key *key, struct bytes message)
{
    struct hash32 digest;

    personal_digest(&digest, message);
    secp_sign(out, key, &digest);
}

enum rc personal_recover(struct address *out, struct bytes message, const uint8_t sig65[65],
                         struct err *e)
{
    struct hash32 digest;

    personal_digest(&digest, message);
    return secp_recover_address(out, &digest, sig65, SECP_S_LOW, e);
}

void eip712_begin(struct eip712 *h, const char *type)
{
    eip712_begin_array(h);
    eip712_string(h, bytes_str(type));
}

void eip712_begin_array(struct eip712 *h)
{
    *h = (struct eip712){0};
}

void eip712_u64(struct eip712 *h, uint64_t v)
{
    buf_put_zero(&h->words, 24);
    buf_u64be(&h->words, v);
}

void eip712_u256(struct eip712 *h, const struct u256 *v)
{
    u256_to_be(buf_extend(&h->words, 32), v);
}

void eip712_bool(struct eip712 *h, bool v)
{
    eip712_u64(h, v ? 1 : 0);
}

void eip712_address(struct eip712 *h, const struct address *a)
{
    buf_put_zero(&h->words, 12);
    buf_put(&h->words, a->b, sizeof(a->b));
}

void eip712_string(struct eip712 *h, struct bytes text)
{
    struct hash32 hash;

    keccak256(&hash, text);
    eip712_hash(h, &hash);
}

void eip712_hash(struct eip712 *h, const struct hash32 *v)
{
    buf_put(&h->words, v->b, sizeof(v->b));
}

void eip712_end(struct hash32 *out, struct eip712 *h)
{
    keccak256(out, buf_bytes(&h->words));
    buf_clear(&h->words);
}

void eip712_domain(struct hash32 *out, const char *name, const char *version, uint64_t chain_id,
                   const struct address *verifying_contract)
{
    struct eip712 h;

    eip712_begin(&h, "EIP712Domain(string name,string version,uint256 chainId,"
                     "address verifyingContract)");
    eip712_string(&h, bytes_str(name));
    eip712_string(&h, bytes_str(version));
    eip712_u64(&h, chain_id);
    eip712_address(&h, verifying_contract);
    eip712_end(out, &h);
}

void eip712_digest(struct hash32 *out, const struct hash32 *domain, const struct hash32 *hash)
{
    uint8_t in[2 + 32 + 32] = {0x19, 0x01};

    memcpy(in + 2, domain->b, 32);
    memcpy(in + 34, hash->b, 32);
    keccak256(out, BYTES_OF(&in));
}
