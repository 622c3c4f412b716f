/* sdk/eip712.h - digests of typed data (EIP-712). A struct's bytes are put together in an enc: its
 * type first, then its members in order; keccak of that is hashStruct. */
#pragma once

#include "sdk/contract.h"

UNUSED_OK void eip712_word(enc *e, bytes32 v)
{
    enc_raw(e, &v, 32);
}

UNUSED_OK void eip712_type(enc *e, str encode_type)
{
    eip712_word(e, keccak(encode_type));
}

UNUSED_OK void eip712_u256(enc *e, u256 v)
{
    eip712_word(e, bytes32_of(v));
}

UNUSED_OK void eip712_address(enc *e, address a)
{
    enc_zero(e, 12);
    enc_raw(e, &a, 20);
}

/* string and bytes */
UNUSED_OK void eip712_str(enc *e, str v)
{
    eip712_word(e, keccak(v));
}

/* What is signed: domain {name, version, this chain, this contract}. */
UNUSED_OK bytes32 eip712_digest(str name, str version, bytes32 struct_hash)
{
    static const u8 prefix[2] = {0x19, 0x01};
    enc domain = {0}, all = {0};

    eip712_type(&domain, STR("EIP712Domain(string name,string version,uint256 chainId,address "
                             "verifyingContract)"));
    eip712_str(&domain, name);
    eip712_str(&domain, version);
    eip712_u256(&domain, chain_id());
    eip712_address(&domain, self_address());
    enc_raw(&all, prefix, 2);
    eip712_word(&all, keccak(enc_str(&domain)));
    eip712_word(&all, struct_hash);
    return keccak(enc_str(&all));
}
