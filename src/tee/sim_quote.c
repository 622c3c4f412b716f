/* Quotes of the pretended platform, in Intel's layout. Job: QE report, its certification data, and
 * the quote's signature. Trust: inputs are ours. Must not: sign for a real platform (the root is
 * the simulator's and nothing else). Source: Intel TDX DCAP quoting library, appendix A (versions
 * 4, 5).
 */
#include "base/hex.h"
#include "crypto/hash.h"
#include "tee/internal/sim.h"

#define TEE_TYPE_TDX 0x81
#define KEY_TYPE_ECDSA_P256 2
#define CERT_TYPE_QE_REPORT 6
#define CERT_TYPE_PCK_CHAIN 5
#define BODY_TYPE_TD10 2
#define BODY_TYPE_TD15 3
#define BODY_SIZE_TD10 584
#define BODY_SIZE_TD15 648
#define AUTH_SIZE 32
#define QE_REPORT_SIZE 384
#define XFAM UINT64_C(0x602e7)

static const uint8_t INTEL_QE_VENDOR[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                            0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

static void put_u16le(struct buf *out, unsigned v)
{
    buf_u8(out, (uint8_t)(v & 0xff));
    buf_u8(out, (uint8_t)(v >> 8 & 0xff));
}

/* SGX report body of the quoting enclave, binding the attestation key. */
static void put_qe_report(struct buf *out, const struct tee_sim_level *level,
                          const uint8_t report_data[32])
{
    struct hash32 mr_enclave;
    uint8_t signer[32];
    size_t start = out->n;

    sha256(&mr_enclave, bytes_str("cloister/simulator/quoting-enclave/v1"));
    CHECK(hex_decode_fixed(signer, sizeof(signer), bytes_str(SIM_QE_SIGNER_HEX), NULL) == RC_OK);
    buf_put(out, level->sgx, 16);
    buf_put_zero(out, 4 + 12 + 16); /* miscselect, reserved, isv_ext_prod_id */
    buf_u64le(out, 0x15);           /* INIT, MODE64, PROVISION_KEY */
    buf_u64le(out, 0xe7);           /* xfrm */
    buf_put(out, mr_enclave.b, 32);
    buf_put_zero(out, 32);
    buf_put(out, signer, 32);
    buf_put_zero(out, 32 + 64); /* reserved, config_id */
    put_u16le(out, 2);          /* isv_prod_id of the TD QE */
    put_u16le(out, level->qe_isvsvn);
    buf_put_zero(out, 2 + 42 + 16); /* config_svn, reserved, isv_family_id */
    buf_put(out, report_data, 32);
    buf_put_zero(out, 32);
    CHECK(out->n - start == QE_REPORT_SIZE);
}

void sim_quoter_init(struct sim_quoter *q, const struct tee_sim *s, const struct sim_machine *m,
                     enum tee_sim_format format)
{
    AUTO_CLEAR(buf) struct buf report = {0}, pem = {0};
    uint8_t point[64], auth[AUTH_SIZE], sig[64];
    struct hash32 bound;

    q->format = format;
    q->level = m->level;
    memcpy(q->user_data, m->qe_id, 16);
    q->key = p256_key_new();
    p256_point(point, q->key);
    for (int i = 0; i < AUTH_SIZE; i++)
        auth[i] = (uint8_t)i;
    sha256_parts(&bound, (struct bytes[]){BYTES_OF(&point), BYTES_OF(&auth)}, 2);
    put_qe_report(&report, &m->level, bound.b);
    p256_sign(sig, m->pck_key, buf_bytes(&report));
    sim_pck_chain(&pem, s, m);
    buf_put(&q->tail, point, 64);
    put_u16le(&q->tail, CERT_TYPE_QE_REPORT);
    buf_u32le(&q->tail, (uint32_t)(QE_REPORT_SIZE + 64 + 2 + AUTH_SIZE + 6 + pem.n));
    buf_put_bytes(&q->tail, buf_bytes(&report));
    buf_put(&q->tail, sig, 64);
    put_u16le(&q->tail, AUTH_SIZE);
    buf_put(&q->tail, auth, AUTH_SIZE);
    put_u16le(&q->tail, CERT_TYPE_PCK_CHAIN);
    buf_u32le(&q->tail, (uint32_t)pem.n);
    buf_put_bytes(&q->tail, buf_bytes(&pem));
}

void sim_quoter_clear(struct sim_quoter *q)
{
    p256_key_clear(&q->key);
    buf_clear(&q->tail);
}

static void put_header(struct buf *out, const struct sim_quoter *q)
{
    bool v4 = q->format == TEE_SIM_V4, td15 = q->format == TEE_SIM_V5_TD15;

    put_u16le(out, v4 ? 4 : 5);
    put_u16le(out, KEY_TYPE_ECDSA_P256);
    buf_u32le(out, TEE_TYPE_TDX);
    buf_put_zero(out, 4);
    buf_put(out, INTEL_QE_VENDOR, 16);
    buf_put(out, q->user_data, 20);
    if (v4)
        return;
    put_u16le(out, td15 ? BODY_TYPE_TD15 : BODY_TYPE_TD10);
    buf_u32le(out, td15 ? BODY_SIZE_TD15 : BODY_SIZE_TD10);
}

static void put_body(struct buf *out, const struct sim_quoter *q, const struct sim_td *td,
                     const uint8_t report_data[64])
{
    uint8_t mr_seam[48];
    size_t start = out->n;

    sha384(mr_seam, bytes_str("cloister/simulator/tdx-module/v1"));
    buf_put(out, q->level.tdx, 16);
    buf_put(out, mr_seam, 48);
    buf_put_zero(out, 48 + 8); /* signer of the module: zero is Intel's; its attributes */
    buf_u64le(out, td->attributes);
    buf_u64le(out, XFAM);
    buf_put(out, td->mrtd, 48);
    buf_put(out, td->mr_config_id, 48);
    buf_put_zero(out, 48 + 48); /* owner, its configuration */
    for (int i = 0; i < 4; i++)
        buf_put(out, td->rtmr[i], 48);
    buf_put(out, report_data, 64);
    CHECK(out->n - start == BODY_SIZE_TD10);
    if (q->format != TEE_SIM_V5_TD15)
        return;
    buf_put(out, q->level.tdx, 16); /* the module has not been updated since launch */
    buf_put_zero(out, 48);          /* no service TD */
}

void sim_quote(struct buf *out, const struct sim_quoter *q, const struct sim_td *td,
               const uint8_t report_data[64])
{
    size_t start = out->n;
    uint8_t sig[64];

    put_header(out, q);
    put_body(out, q, td, report_data);
    p256_sign(sig, q->key, bytes_of(out->p + start, out->n - start));
    buf_u32le(out, (uint32_t)(64 + q->tail.n));
    buf_put(out, sig, 64);
    buf_put_bytes(out, buf_bytes(&q->tail));
}
