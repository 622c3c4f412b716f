#include "base/hex.h"
#include "chain/contribution.h"
#include "chain/eip712.h"
#include "crypto/hash.h"
#include "crypto/x25519.h"
#include "lib/t.h"

static struct secp_key key_of(uint8_t byte)
{
    uint8_t raw[32];
    struct secp_key k;

    memset(raw, byte, sizeof(raw));
    CHECK_OK(secp_key_from_bytes(&k, raw, NULL), NULL);
    return k;
}

/* Known answers computed with ethers 6: packed hash signed by the key 0x11…11. */
TEST(proof_digest_is_the_one_other_implementations_sign)
{
    const struct proof_fields p = {.file_url = bytes_str("ipfs://file"),
                                   .score = u256_from_u64(700000000000000000U),
                                   .dlp_id = u256_from_u64(3),
                                   .metadata = bytes_str("{}"),
                                   .proof_url = bytes_str("ipfs://proof"),
                                   .instruction = bytes_str("https://x/y.tar.gz")};
    struct secp_key key = key_of(0x11);
    struct hash32 digest;
    struct secp_sig sig;

    proof_digest(&digest, &p);
    CHECK_HEX(BYTES_OF(&digest),
              "9d6893194478c58ba11fceec19cc27ebfe57693c19874feacbeb1e82d30f9d8e");
    secp_sign(&sig, &key, &digest);
    CHECK_HEX(BYTES_OF(&sig), "5a19791b605222db6971b1041a693c1020e12bfd58cae10a00784fea275d719e0c31"
                              "2d50e73f8ab35f05de836700c7935a2ffa7545fb313dd9293ec8922caa4e1c");
}

TEST(file_key_is_the_text_of_a_signature_and_tells_its_owner)
{
    AUTO_CLEAR(secbuf) struct secbuf key_text = {0};
    struct secp_key key = key_of(0x11);
    struct address owner, found;
    struct err e;

    file_key_derive(&key_text, &key, bytes_str(SEED_TEXT));
    CHECK_INT(key_text.n, FILE_KEY_SIZE);
    /* ethers 6: personal_sign of the default seed by the key 0x11…11 */
    CHECK_STR(secbuf_cstr(&key_text),
              "0x8b35793b2b239829d5087e44ddadaa770edd7cfb4f9e5c1308ec8c5f329853a674d841e376b98098b3"
              "8352ee5fe49b59f5f7e995b50136f636d8ff2197f517711c");
    secp_key_address(&owner, &key);
    CHECK_OK(file_key_owner(&found, secbuf_bytes(&key_text), bytes_str(SEED_TEXT), &e), &e);
    CHECK_MEM(BYTES_OF(&found), BYTES_OF(&owner));
    CHECK_OK(file_key_owner(&found, secbuf_bytes(&key_text), bytes_str("another seed"), &e), &e);
    CHECK_TRUE(!address_eq(&found, &owner));
    CHECK_RC(file_key_owner(&found, bytes_str("0x12"), bytes_str(SEED_TEXT), &e), RC_MALFORMED, &e,
             "4 characters");
}

TEST(seeds_differ)
{
    AUTO_CLEAR(buf) struct buf a = {0};
    AUTO_CLEAR(buf) struct buf b = {0};

    seed_message_new(&a, 31337, NULL);
    seed_message_new(&b, 31337, NULL);
    CHECK_TRUE(!bytes_eq(buf_bytes(&a), buf_bytes(&b)));
    CHECK_TRUE(strstr(buf_cstr(&a), SEED_TEXT "\nchain: 31337\nfile: ") == buf_cstr(&a));
}

/* Any field of the context that differs keeps the key shut. */
TEST(wrapped_key_opens_in_its_own_context_only)
{
    AUTO_CLEAR(secbuf) struct secbuf opened = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    struct wrap_context ctx = {.chain_id = 1,
                               .file_cid =
                                   "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
                               .owner = {{1}},
                               .grantee = {{2}},
                               .purpose = WRAP_RUN_PROOF,
                               .epoch = 7};
    struct secret32 key = {0};
    uint8_t pub[32];
    struct err e;

    random_bytes(key.b, sizeof(key.b));
    x25519_pub(pub, &key);
    CHECK_OK(key_wrap(&text, pub, &ctx, bytes_str("the file key"), NULL, &e), &e);
    CHECK_TRUE(key_is_wrapped(buf_bytes(&text)));
    CHECK_OK(key_unwrap(&opened, &key, &ctx, buf_bytes(&text), &e), &e);
    CHECK_MEM(secbuf_bytes(&opened), bytes_str("the file key"));
    for (int i = 0; i < 6; i++) {
        struct wrap_context other = ctx;

        if (i == 0)
            other.chain_id++;
        else if (i == 1)
            other.file_cid = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5f";
        else if (i == 2)
            other.owner.b[19]++;
        else if (i == 3)
            other.grantee.b[0]++;
        else if (i == 4)
            other.purpose = WRAP_POOL;
        else
            other.epoch++;
        CHECK_RC(key_unwrap(&opened, &key, &other, buf_bytes(&text), &e), RC_DENIED, &e, "");
    }
    CHECK_RC(key_unwrap(&opened, &key, &ctx, bytes_str("04abcd"), &e), RC_MALFORMED, &e, "hpke1:");
}

TEST(receive_keys_in_all_forms)
{
    struct secp_key key = key_of(0x22);
    AUTO_CLEAR(buf) struct buf text = {0};
    struct receive_key r;
    struct secp_pub pub;
    uint8_t x[32];
    struct err e;

    secp_key_pub(&pub, &key);
    hex_put_0x(&text, BYTES_OF(&pub));
    CHECK_OK(receive_key_parse(&r, buf_bytes(&text), &e), &e);
    CHECK_INT(r.kind, RECEIVE_SECP256K1);
    CHECK_MEM(BYTES_OF(&r.secp), BYTES_OF(&pub));
    memset(x, 9, sizeof(x));
    buf_reset(&text);
    receive_key_put_x25519(&text, x);
    CHECK_OK(receive_key_parse(&r, buf_bytes(&text), &e), &e);
    CHECK_INT(r.kind, RECEIVE_X25519);
    CHECK_MEM(BYTES_OF(&r.x25519), BYTES_OF(&x));
    CHECK_RC(receive_key_parse(&r, bytes_str("x25519:00"), &e), RC_MALFORMED, &e, "");
    CHECK_RC(receive_key_parse(&r, bytes_str(""), &e), RC_MALFORMED, &e, "");
}

/* Known answer: ethers 6 TypedDataEncoder.hash, see tests/clients/eth/vectors.mjs. */
TEST(run_authorization_is_eip712)
{
    struct run_authorization a = {.chain_id = 31337,
                                  .job_id = 5,
                                  .file_id = 9,
                                  .file_cid = bytes_str("bafkreicid"),
                                  .dlp_id = 2,
                                  .validator = bytes_str("ipfs://bafkreivalidator"),
                                  .expiry_s = 1800000000};
    struct hash32 digest;

    memset(a.tee_pool.b, 0x33, 20);
    memset(a.worker.b, 0x44, 20);
    keccak256(&a.env_hash, bytes_str("{}"));
    run_authorization_digest(&digest, &a);
    CHECK_HEX(BYTES_OF(&digest),
              "04ca4c666a9cd7b4a0bbe580f06f316ba5454546765e7970b1641d48c77702a6");
}
