#include "chain/contribution.h"

#include "base/hex.h"
#include "chain/eip712.h"
#include "codec/cid.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"

#define WRAP_INFO "cloister/wrapped-key/v1"
#define WRAP_PREFIX "hpke1:"
#define WRAP_MAX_PLAIN 1024 /* bytes of a file key */

void seed_message_new(struct buf *out, uint64_t chain_id, const struct rng *rng)
{
    uint8_t unique[32];

    rng_fill(rng, unique, sizeof(unique));
    buf_printf(out, SEED_TEXT "\nchain: %llu\nfile: ", (unsigned long long)chain_id);
    hex_put(out, BYTES_OF(&unique));
}

void file_key_derive(struct secbuf *out, const struct secp_key *owner, struct bytes seed)
{
    char text[2 * sizeof(struct secp_sig) + 1];
    struct hash32 digest;
    struct secp_sig sig;

    personal_digest(&digest, seed);
    secp_sign(&sig, owner, &digest);
    hex_encode(text, BYTES_OF(&sig));
    secbuf_put_str(out, "0x");
    secbuf_put_str(out, text);
    wipe(text, sizeof(text));
    wipe(&sig, sizeof(sig));
}

enum rc file_key_owner(struct address *out, struct bytes file_key, struct bytes seed, struct err *e)
{
    struct hash32 digest;
    struct secp_sig sig;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    if (file_key.n != FILE_KEY_SIZE)
        return err_set(e, RC_MALFORMED, "file key has %zu characters, expected %d", file_key.n,
                       FILE_KEY_SIZE);
    rc = hex_decode_fixed(sig.b, sizeof(sig.b), file_key, NULL);
    if (rc == RC_OK) {
        personal_digest(&digest, seed);
        rc = secp_recover_address(out, &digest, sig.b, SECP_S_LOW, NULL);
    }
    wipe(&sig, sizeof(sig));
    return rc == RC_OK ? RC_OK : err_set(e, RC_DENIED, "file key is no signature over its seed");
}

/* ---- wrapped key ---- */

static void lp(struct buf *b, struct bytes field)
{
    buf_u32be(b, (uint32_t)field.n);
    buf_put_bytes(b, field);
}

static void wrap_aad(struct buf *b, const struct wrap_context *ctx)
{
    uint8_t n[8];

    store_u64be(n, ctx->chain_id);
    lp(b, BYTES_OF(&n));
    lp(b, bytes_str(ctx->file_cid));
    lp(b, BYTES_OF(&ctx->owner));
    lp(b, BYTES_OF(&ctx->grantee));
    lp(b, bytes_str(ctx->purpose));
    store_u64be(n, ctx->epoch);
    lp(b, BYTES_OF(&n));
}

enum rc key_wrap(struct buf *out, const uint8_t grantee_x25519[32], const struct wrap_context *ctx,
                 struct bytes file_key, const struct rng *rng, struct err *e)
{
    AUTO_CLEAR(buf) struct buf sealed = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};

    wrap_aad(&aad, ctx);
    TRY(hpke_seal(&sealed, grantee_x25519, bytes_str(WRAP_INFO), buf_bytes(&aad), file_key, rng,
                  e));
    buf_put_str(out, WRAP_PREFIX);
    hex_put(out, buf_bytes(&sealed));
    return RC_OK;
}

bool key_is_wrapped(struct bytes text)
{
    return text.n >= strlen(WRAP_PREFIX) && memcmp(text.p, WRAP_PREFIX, strlen(WRAP_PREFIX)) == 0;
}

enum rc key_unwrap(struct secbuf *out, const struct secret32 *key, const struct wrap_context *ctx,
                   struct bytes text, struct err *e)
{
    AUTO_CLEAR(buf) struct buf sealed = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};

    if (!key_is_wrapped(text))
        return err_set(e, RC_MALFORMED, "wrapped key does not begin with " WRAP_PREFIX);
    TRY(hex_decode(&sealed, bytes_of(text.p + strlen(WRAP_PREFIX), text.n - strlen(WRAP_PREFIX)),
                   WRAP_MAX_PLAIN + HPKE_OVERHEAD, e));
    wrap_aad(&aad, ctx);
    return hpke_open(out, key, bytes_str(WRAP_INFO), buf_bytes(&aad), buf_bytes(&sealed), e);
}

#define X25519_PREFIX "x25519:"

enum rc receive_key_parse(struct receive_key *out, struct bytes text, struct err *e)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    const size_t n = strlen(X25519_PREFIX);

    memset(out, 0, sizeof(*out));
    if (text.n >= n && memcmp(text.p, X25519_PREFIX, n) == 0) {
        out->kind = RECEIVE_X25519;
        return hex_decode_fixed(out->x25519, 32, bytes_of(text.p + n, text.n - n), e);
    }
    out->kind = RECEIVE_SECP256K1;
    TRY(hex_decode(&raw, text, 65, e));
    return secp_pub_parse(&out->secp, buf_bytes(&raw), e);
}

void receive_key_put_x25519(struct buf *out, const uint8_t key[32])
{
    buf_put_str(out, X25519_PREFIX);
    hex_put(out, bytes_of(key, 32));
}

/* ---- authorization ---- */

#define RUN_TYPE                                                                                   \
    "RunAuthorization(uint256 jobId,uint256 fileId,string fileCid,uint256 dlpId,string validator," \
    "bytes32 envHash,address worker,uint256 expiry)"

void run_authorization_digest(struct hash32 *out, const struct run_authorization *a)
{
    struct hash32 domain, hash;
    struct eip712 h;

    eip712_begin(&h, RUN_TYPE);
    eip712_u64(&h, a->job_id);
    eip712_u64(&h, a->file_id);
    eip712_string(&h, a->file_cid);
    eip712_u64(&h, a->dlp_id);
    eip712_string(&h, a->validator);
    eip712_hash(&h, &a->env_hash);
    eip712_address(&h, &a->worker);
    eip712_u64(&h, a->expiry_s);
    eip712_end(&hash, &h);
    eip712_domain(&domain, "Cloister", "1", a->chain_id, &a->tee_pool);
    eip712_digest(out, &domain, &hash);
}

/* ---- proof ---- */

static void put_word(struct buf *b, const struct u256 *v)
{
    u256_to_be(buf_extend(b, 32), v);
}

void proof_digest(struct hash32 *out, const struct proof_fields *p)
{
    AUTO_CLEAR(buf) struct buf packed = {0};
    struct hash32 h;

    buf_put_bytes(&packed, p->file_url);
    put_word(&packed, &p->score);
    put_word(&packed, &p->dlp_id);
    buf_put_bytes(&packed, p->metadata);
    buf_put_bytes(&packed, p->proof_url);
    buf_put_bytes(&packed, p->instruction);
    keccak256(&h, buf_bytes(&packed));
    personal_digest(out, BYTES_OF(&h));
}

enum rc validator_digest(struct hash32 *out, struct bytes instruction, struct err *e)
{
    static const char mark[] = "#sha256=";
    const size_t tail = sizeof(mark) - 1 + 64;
    struct cid cid;

    memset(out, 0, sizeof(*out));
    if (instruction.n >= tail &&
        memcmp(instruction.p + instruction.n - tail, mark, sizeof(mark) - 1) == 0)
        return hex_decode_fixed(out->b, sizeof(out->b),
                                bytes_of(instruction.p + instruction.n - 64, 64), e);
    if (instruction.n < 7 || memcmp(instruction.p, "ipfs://", 7) != 0 ||
        cid_parse(&cid, bytes_of(instruction.p + 7, instruction.n - 7), NULL) != RC_OK)
        return err_set(e, RC_UNSUPPORTED,
                       "the validator is pinned neither by ipfs://CID nor by #sha256=");
    *out = cid.digest;
    return RC_OK;
}
