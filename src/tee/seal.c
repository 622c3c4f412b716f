/* State at rest. Job: one AEAD under the platform's sealing key, everything that decides in its
 * header, the header authenticated. Trust: sealed bytes come from the host. Must not: trust the
 * header before the tag was checked, or keep the key. */
#include "tee/seal.h"

#include "base/reader.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define VERSION 1
#define FLAG_SIMULATED 1

static const uint8_t MAGIC[4] = {'C', 'L', 'S', 'L'};

struct header {
    struct seal_info info;
    uint8_t nonce[AEAD_NONCE_SIZE];
};

static void put_header(struct buf *out, const struct header *h)
{
    size_t start = out->n;

    buf_put(out, MAGIC, sizeof(MAGIC));
    buf_u8(out, VERSION);
    buf_u8(out, (uint8_t)h->info.platform);
    buf_u8(out, h->info.simulated ? FLAG_SIMULATED : 0);
    buf_u8(out, 0);
    buf_put(out, h->info.measurement.b, 32);
    buf_u64be(out, h->info.platform_version);
    buf_u64be(out, h->info.version);
    buf_put(out, h->nonce, sizeof(h->nonce));
    buf_u32be(out, 0);
    CHECK(out->n - start == SEAL_HEADER_SIZE);
}

static enum rc read_header(struct header *out, struct bytes sealed, struct err *e)
{
    struct reader r = reader_init(sealed);
    struct bytes magic = reader_take(&r, sizeof(MAGIC));
    uint8_t version = reader_u8(&r), platform = reader_u8(&r), flags = reader_u8(&r);
    uint8_t zero = reader_u8(&r);

    memset(out, 0, sizeof(*out));
    reader_copy(&r, out->info.measurement.b, 32);
    out->info.platform_version = reader_u64be(&r);
    out->info.version = reader_u64be(&r);
    reader_copy(&r, out->nonce, sizeof(out->nonce));
    if (reader_u32be(&r) != 0 || zero != 0)
        reader_fail(&r, "reserved bytes are not zero");
    (void)reader_take(&r, AEAD_TAG_SIZE);
    if (reader_ok(&r) && memcmp(magic.p, MAGIC, sizeof(MAGIC)) != 0)
        reader_fail(&r, "not sealed state");
    if (reader_ok(&r) && (version != VERSION || flags > FLAG_SIMULATED))
        reader_fail(&r, "unknown version or flags");
    if (reader_ok(&r) && platform != TEE_PLATFORM_TDX && platform != TEE_PLATFORM_SNP)
        reader_fail(&r, "unknown platform");
    (void)reader_rest(&r);
    TRY(reader_done(&r, "sealed state", e));
    out->info.platform = platform == TEE_PLATFORM_TDX ? TEE_PLATFORM_TDX : TEE_PLATFORM_SNP;
    out->info.simulated = flags == FLAG_SIMULATED;
    return RC_OK;
}

enum rc seal_peek(struct seal_info *info, struct bytes sealed, struct err *e)
{
    struct header h;
    enum rc rc = read_header(&h, sealed, e);

    *info = rc == RC_OK ? h.info : (struct seal_info){0};
    return rc;
}

static enum rc check_purpose(const char *purpose, struct err *e)
{
    size_t n = strlen(purpose);

    if (n == 0 || n > SEAL_PURPOSE_MAX)
        return err_set(e, RC_RANGE, "purpose of %zu bytes: give 1 to %d", n, SEAL_PURPOSE_MAX);
    return RC_OK;
}

/* Each purpose and measurement has a key of its own, whatever the platform derives from. */
static enum rc derive(struct secret32 *out, struct tee *t, const struct seal_info *info,
                      const char *purpose, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 root = {0};
    AUTO_CLEAR(buf) struct buf label = {0};

    TRY(tee_sealing_key(t, &root, info->platform_version, e));
    buf_put_str(&label, "cloister/seal/v1");
    buf_u32be(&label, (uint32_t)strlen(purpose));
    buf_put_str(&label, purpose);
    buf_put(&label, info->measurement.b, 32);
    hkdf_sha256(out->b, sizeof(out->b), bytes_of(root.b, sizeof(root.b)), bytes_of(NULL, 0),
                buf_bytes(&label));
    return RC_OK;
}

static enum rc own_measurement(struct hash32 *out, struct tee *t, struct err *e)
{
    struct tee_measurement m;

    TRY(tee_measurement_get(t, &m, e));
    tee_measurement_id(out, &m);
    return RC_OK;
}

enum rc seal_put(struct tee *t, struct buf *out, const char *purpose, uint64_t version,
                 struct bytes plain, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 key = {0};
    struct header h = {.info = {.platform = tee_platform(t),
                                .simulated = tee_is_simulator(t),
                                .version = version}};
    size_t start = out->n;

    TRY(check_purpose(purpose, e));
    if (plain.n > SEAL_MAX_SIZE)
        return err_set(e, RC_LIMIT, "state of %zu bytes, at most %zu", plain.n, SEAL_MAX_SIZE);
    TRY(tee_platform_version(t, &h.info.platform_version, e));
    TRY(own_measurement(&h.info.measurement, t, e));
    TRY(derive(&key, t, &h.info, purpose, e));
    random_bytes(h.nonce, sizeof(h.nonce)); /* 96 random bits; a key seals a few states a day */
    put_header(out, &h);
    (void)buf_reserve(out, plain.n + AEAD_TAG_SIZE);
    aead_seal(AEAD_AES_256_GCM, out->p + out->n, key.b, h.nonce,
              bytes_of(out->p + start, SEAL_HEADER_SIZE), plain);
    out->n += plain.n + AEAD_TAG_SIZE;
    return RC_OK;
}

/* Sealed for somebody else? Said before the key is asked for, so that the reason is clear. */
static enum rc check_owner(struct tee *t, const struct header *h, uint64_t min_version,
                           struct err *e)
{
    struct hash32 own;

    if (h->info.platform != tee_platform(t) || h->info.simulated != tee_is_simulator(t))
        return err_set(e, RC_DENIED, "sealed state: of another platform than %s", tee_describe(t));
    TRY(own_measurement(&own, t, e));
    if (!hash32_eq(&own, &h->info.measurement))
        return err_set(e, RC_DENIED, "sealed state: of another measurement than this program's");
    if (h->info.version < min_version)
        return err_set(e, RC_DENIED, "sealed state: version %llu, but %llu is known: rolled back",
                       (unsigned long long)h->info.version, (unsigned long long)min_version);
    return RC_OK;
}

enum rc seal_get(struct tee *t, struct secbuf *out, struct seal_info *info, const char *purpose,
                 uint64_t min_version, struct bytes sealed, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 key = {0};
    size_t start = out->n;
    struct bytes cipher;
    uint64_t present;
    struct header h;
    uint8_t *at;

    if (info != NULL)
        *info = (struct seal_info){0};
    TRY(check_purpose(purpose, e));
    TRY(read_header(&h, sealed, e));
    TRY(check_owner(t, &h, min_version, e));
    TRY(tee_platform_version(t, &present, e));
    TRY(derive(&key, t, &h.info, purpose, e));
    cipher = bytes_of(sealed.p + SEAL_HEADER_SIZE, sealed.n - SEAL_HEADER_SIZE);
    at = secbuf_extend(out, cipher.n - AEAD_TAG_SIZE);
    if (aead_open(AEAD_AES_256_GCM, at, key.b, h.nonce, bytes_of(sealed.p, SEAL_HEADER_SIZE),
                  cipher, e) != RC_OK) {
        secbuf_truncate(out, start);
        return err_set(e, RC_DENIED, "sealed state: altered, or of another machine or purpose");
    }
    h.info.is_old_platform = h.info.platform_version != present;
    if (info != NULL)
        *info = h.info;
    return RC_OK;
}
