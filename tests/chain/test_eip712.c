/* EIP-712's own example (Mail), and Vana's messages, both computed with ethers 6. */
#include "base/hex.h"
#include "chain/address.h"
#include "chain/eip712.h"
#include "crypto/hash.h"
#include "lib/t.h"

static struct address addr(const char *text)
{
    struct address a;
    struct err e;

    CHECK_OK(address_parse(&a, bytes_str(text), &e), &e);
    return a;
}

static struct secp_key wallet(void)
{
    struct secp_key k;
    uint8_t raw[32];
    struct err e;

    memset(raw, 0x11, sizeof(raw));
    CHECK_OK(secp_key_from_bytes(&k, raw, &e), &e);
    return k;
}

/* EIP-712 "Rationale/Test cases" Example.js: private key keccak256("cow"). */
TEST(eip712_example)
{
    struct address cow = addr("0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826");
    struct address bob = addr("0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB");
    struct address contract = addr("0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"), who;
    struct hash32 domain, from, to, mail, digest, seed;
    struct eip712 h;
    struct secp_key k;
    struct secp_sig sig;
    struct err e;
    static const char person[] = "Person(string name,address wallet)";

    eip712_domain(&domain, "Ether Mail", "1", 1, &contract);
    CHECK_HEX(BYTES_OF(&domain),
              "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f");
    eip712_begin(&h, person);
    eip712_string(&h, bytes_str("Cow"));
    eip712_address(&h, &cow);
    eip712_end(&from, &h);
    eip712_begin(&h, person);
    eip712_string(&h, bytes_str("Bob"));
    eip712_address(&h, &bob);
    eip712_end(&to, &h);
    eip712_begin(&h, "Mail(Person from,Person to,string contents)"
                     "Person(string name,address wallet)");
    eip712_hash(&h, &from);
    eip712_hash(&h, &to);
    eip712_string(&h, bytes_str("Hello, Bob!"));
    eip712_end(&mail, &h);
    CHECK_HEX(BYTES_OF(&mail), "c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e");
    eip712_digest(&digest, &domain, &mail);
    CHECK_HEX(BYTES_OF(&digest),
              "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2");
    keccak256(&seed, bytes_str("cow"));
    CHECK_OK(secp_key_from_bytes(&k, seed.b, &e), &e);
    secp_sign(&sig, &k, &digest);
    CHECK_HEX(BYTES_OF(&sig), "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
                              "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c");
    CHECK_OK(secp_recover_address(&who, &digest, sig.b, SECP_S_LOW, &e), &e);
    CHECK_MEM(BYTES_OF(&who), BYTES_OF(&cow));
}

/* Vana's permission messages, chain 1480, mainnet addresses. */
TEST(vana_permission)
{
    struct address contract = addr("0xD54523048AdD05b4d734aFaE7C68324Ebb7373eF");
    struct hash32 domain, ids, hash, digest;
    struct eip712 h;

    eip712_domain(&domain, "VanaDataPortabilityPermissions", "1", 1480, &contract);
    CHECK_HEX(BYTES_OF(&domain),
              "d9ca931cd72cb3c1b28eb6470c07c70947872d7c43c7b665eb12ca9cde85f150");
    eip712_begin_array(&h);
    eip712_u64(&h, 1);
    eip712_u64(&h, 2);
    eip712_end(&ids, &h);
    eip712_begin(&h, "Permission(uint256 nonce,uint256 granteeId,string grant,uint256[] fileIds)");
    CHECK_HEX(buf_bytes(&h.words),
              "dfa7827c04e9e61688ea3584f596f415c5f37eb00a93d9211dd0fc2382491020");
    eip712_u64(&h, 0);
    eip712_u64(&h, 1);
    eip712_string(&h, bytes_str("ipfs://grant"));
    eip712_hash(&h, &ids);
    eip712_end(&hash, &h);
    eip712_digest(&digest, &domain, &hash);
    CHECK_HEX(BYTES_OF(&digest),
              "f5668322779ff7fb50cbe874092a8d1e4b3d9c68aa2cc4fd77c0621384e06ed6");
}

static struct hash32 array_of_strings(const char *a, const char *b)
{
    struct hash32 out;
    struct eip712 h;

    eip712_begin_array(&h);
    eip712_string(&h, bytes_str(a));
    eip712_string(&h, bytes_str(b));
    eip712_end(&out, &h);
    return out;
}

/* Permission[][] with one inner array of one element and one empty. */
static struct hash32 nested_permissions(const struct address *account)
{
    struct hash32 element, inner, empty, out;
    struct eip712 h;

    eip712_begin(&h, "Permission(address account,string key)");
    eip712_address(&h, account);
    eip712_string(&h, bytes_str("k1"));
    eip712_end(&element, &h);
    eip712_begin_array(&h);
    eip712_hash(&h, &element);
    eip712_end(&inner, &h);
    eip712_begin_array(&h);
    eip712_end(&empty, &h);
    eip712_begin_array(&h);
    eip712_hash(&h, &inner);
    eip712_hash(&h, &empty);
    eip712_end(&out, &h);
    return out;
}

TEST(vana_nested_arrays)
{
    struct address contract = addr("0xD54523048AdD05b4d734aFaE7C68324Ebb7373eF");
    struct address a = addr("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A");
    struct hash32 domain, urls = array_of_strings("ipfs://a", "ipfs://b"), schemas, hash, digest;
    struct hash32 permissions = nested_permissions(&a);
    struct eip712 h;

    eip712_domain(&domain, "VanaDataPortabilityPermissions", "1", 1480, &contract);
    eip712_begin_array(&h);
    eip712_u64(&h, 0);
    eip712_u64(&h, 0);
    eip712_end(&schemas, &h);
    eip712_begin(&h, "ServerFilesAndPermission(uint256 nonce,uint256 granteeId,string grant,"
                     "string[] fileUrls,uint256[] schemaIds,address serverAddress,"
                     "string serverUrl,string serverPublicKey,Permission[][] filePermissions)"
                     "Permission(address account,string key)");
    CHECK_HEX(buf_bytes(&h.words),
              "aadba5e5d798a00ee9890b1a8838ff5ef09b769bea8b22ad4e0e9c8ff6a12e41");
    eip712_u64(&h, 0);
    eip712_u64(&h, 1);
    eip712_string(&h, bytes_str("ipfs://grant"));
    eip712_hash(&h, &urls);
    eip712_hash(&h, &schemas);
    eip712_address(&h, &a);
    eip712_string(&h, bytes_str("https://s"));
    eip712_string(&h, bytes_str("0x04aa"));
    eip712_hash(&h, &permissions);
    eip712_end(&hash, &h);
    eip712_digest(&digest, &domain, &hash);
    CHECK_HEX(BYTES_OF(&digest),
              "4504c13b011c31ccc625a6df1dfea110d17f4c7389a075ea2cb5f500ba14337e");
}

TEST(vana_server)
{
    struct address contract = addr("0x1483B1F634DBA75AeaE60da7f01A679aabd5ee2c");
    struct address a = addr("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A");
    struct hash32 domain, hash, digest;
    struct eip712 h;

    eip712_domain(&domain, "VanaDataPortabilityServers", "1", 1480, &contract);
    CHECK_HEX(BYTES_OF(&domain),
              "fbbcd66f0cca86cb4416de1100d5f3b311cc85d3d2861a0c31cb1e3017ca07ee");
    eip712_begin(&h, "AddServer(uint256 nonce,address serverAddress,string publicKey,"
                     "string serverUrl)");
    eip712_u64(&h, 0);
    eip712_address(&h, &a);
    eip712_string(&h, bytes_str("0x04aa"));
    eip712_string(&h, bytes_str("https://s"));
    eip712_end(&hash, &h);
    eip712_digest(&digest, &domain, &hash);
    CHECK_HEX(BYTES_OF(&digest),
              "626d2fb3742dfec7fabbab604447b77208ff1f19217893bc21cf1f62aa223e5d");
}

/* The seed signature and the on-chain proof signature of wallet 0x11..11. */
TEST(vana_personal_sign)
{
    struct secp_key k = wallet();
    struct secp_sig sig;
    struct address who;
    struct hash32 digest, proof;
    struct err e;

    personal_sign(&sig, &k, bytes_str("Please sign to retrieve your encryption key"));
    CHECK_HEX(BYTES_OF(&sig), "8b35793b2b239829d5087e44ddadaa770edd7cfb4f9e5c1308ec8c5f329853a6"
                              "74d841e376b98098b38352ee5fe49b59f5f7e995b50136f636d8ff2197f517711c");
    CHECK_OK(hex_decode_fixed(
                 proof.b, 32,
                 bytes_str("92178682c20440b638e31b5f2cf0a356686bd86e8e8717bb645b8ccde8f6012c"), &e),
             &e);
    personal_digest(&digest, BYTES_OF(&proof));
    CHECK_HEX(BYTES_OF(&digest),
              "9d6893194478c58ba11fceec19cc27ebfe57693c19874feacbeb1e82d30f9d8e");
    personal_sign(&sig, &k, BYTES_OF(&proof));
    CHECK_HEX(BYTES_OF(&sig), "5a19791b605222db6971b1041a693c1020e12bfd58cae10a00784fea275d719e"
                              "0c312d50e73f8ab35f05de836700c7935a2ffa7545fb313dd9293ec8922caa4e1c");
    CHECK_OK(personal_recover(&who, BYTES_OF(&proof), sig.b, &e), &e);
    CHECK_HEX(BYTES_OF(&who), "19e7e376e7c213b7e7e7e46cc70a5dd086daff2a");
    sig.b[64] = 5;
    CHECK_RC(personal_recover(&who, BYTES_OF(&proof), sig.b, &e), RC_MALFORMED, &e, "v is 5");
}

/* Words of the members without a vector above. */
TEST(words)
{
    struct u256 v = {{1, 0, 0, 0x8000000000000000U}};
    struct hash32 out;
    struct eip712 h;

    eip712_begin_array(&h);
    eip712_bool(&h, true);
    eip712_u256(&h, &v);
    CHECK_HEX(buf_bytes(&h.words),
              "0000000000000000000000000000000000000000000000000000000000000001"
              "8000000000000000000000000000000000000000000000000000000000000001");
    eip712_end(&out, &h);
    CHECK_TRUE(h.words.p == NULL);
}
