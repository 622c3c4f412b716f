/* Reading quotes. Hostile input; nothing here is verified, and nothing is believed for being here.
 */
#include "attest/quote.h"

#include "base/reader.h"

#define SGX_BODY_SIZE 384
#define TD10_BODY_SIZE 584
#define TD15_BODY_SIZE 648
#define TEE_TYPE_SGX 0
#define TEE_TYPE_TDX 0x81
#define ATT_KEY_ECDSA_P256 2
#define CERT_QE_REPORT 6

static const uint8_t INTEL_QE_VENDOR[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                            0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

static void read_sgx(struct reader *r, struct sgx_report *out)
{
    reader_copy(r, out->cpu_svn, 16);
    out->m.misc_select = reader_u32le(r);
    (void)reader_take(r, 12);
    reader_copy(r, out->m.isv_ext_prod_id, 16);
    reader_copy(r, out->attributes, 16);
    out->m.flags = load_u64le(out->attributes);
    out->m.xfrm = load_u64le(out->attributes + 8);
    reader_copy(r, out->m.mr_enclave, 32);
    (void)reader_take(r, 32);
    reader_copy(r, out->m.mr_signer, 32);
    (void)reader_take(r, 32);
    reader_copy(r, out->m.config_id, 64);
    out->m.isv_prod_id = reader_u16le(r);
    out->m.isv_svn = reader_u16le(r);
    out->m.config_svn = reader_u16le(r);
    (void)reader_take(r, 42);
    reader_copy(r, out->m.isv_family_id, 16);
    reader_copy(r, out->report_data, 64);
}

enum rc sgx_report_parse(struct sgx_report *out, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);

    memset(out, 0, sizeof(*out));
    read_sgx(&r, out);
    return reader_done(&r, "sgx report", e);
}

static void read_td(struct reader *r, struct quote *q)
{
    struct td_measurement *td = &q->td;

    reader_copy(r, td->tee_tcb_svn, 16);
    reader_copy(r, td->mr_seam, 48);
    reader_copy(r, td->mr_signer_seam, 48);
    td->seam_attributes = reader_u64le(r);
    td->attributes = reader_u64le(r);
    td->xfam = reader_u64le(r);
    reader_copy(r, td->mr_td, 48);
    reader_copy(r, td->mr_config_id, 48);
    reader_copy(r, td->mr_owner, 48);
    reader_copy(r, td->mr_owner_config, 48);
    for (size_t i = 0; i < 4; i++)
        reader_copy(r, td->rtmr[i], 48);
    reader_copy(r, q->report_data, 64);
    if (q->tee == TEE_TDX15) {
        reader_copy(r, td->tee_tcb_svn2, 16);
        reader_copy(r, td->mr_service_td, 48);
    }
}

/* Version 5 names the body; it must be what the TEE type of the header says. */
static enum rc read_descriptor(struct reader *r, struct quote *q, uint32_t tee_type, struct err *e)
{
    static const struct {
        uint32_t tee_type, size;
        enum tee_kind tee;
    } bodies[] = {
        {0, 0, TEE_NONE},
        {TEE_TYPE_SGX, SGX_BODY_SIZE, TEE_SGX},
        {TEE_TYPE_TDX, TD10_BODY_SIZE, TEE_TDX},
        {TEE_TYPE_TDX, TD15_BODY_SIZE, TEE_TDX15},
    };
    uint16_t type = reader_u16le(r);
    uint32_t size = reader_u32le(r);

    if (!reader_ok(r))
        return reader_done(r, "quote", e);
    if (type == 0 || type > 3)
        return err_set(e, RC_UNSUPPORTED, "quote: body type %u, expected 1 to 3", type);
    if (bodies[type].tee_type != tee_type)
        return err_set(e, RC_MALFORMED, "quote: body type %u with TEE type 0x%x", type, tee_type);
    if (bodies[type].size != size)
        return err_set(e, RC_MALFORMED, "quote: body type %u of %u bytes, expected %u", type, size,
                       bodies[type].size);
    q->tee = bodies[type].tee;
    return RC_OK;
}

static enum rc read_header(struct reader *r, struct quote *q, struct err *e)
{
    uint16_t key_type;
    uint32_t tee_type;
    struct bytes vendor;

    q->version = reader_u16le(r);
    key_type = reader_u16le(r);
    tee_type = reader_u32le(r);
    (void)reader_take(r,
                      4); /* v3: SVNs of QE and PCE, which the QE report and the PCK say signed */
    vendor = reader_take(r, 16);
    reader_copy(r, q->user_data, sizeof(q->user_data));
    if (!reader_ok(r))
        return reader_done(r, "quote", e);
    if (q->version < 3 || q->version > 5)
        return err_set(e, RC_UNSUPPORTED, "quote: version %u, expected 3, 4 or 5", q->version);
    if (key_type != ATT_KEY_ECDSA_P256)
        return err_set(e, RC_UNSUPPORTED, "quote: attestation key type %u, expected 2", key_type);
    if (tee_type != TEE_TYPE_SGX && (tee_type != TEE_TYPE_TDX || q->version == 3))
        return err_set(e, RC_UNSUPPORTED, "quote: TEE type 0x%x in version %u", tee_type,
                       q->version);
    if (memcmp(vendor.p, INTEL_QE_VENDOR, sizeof(INTEL_QE_VENDOR)) != 0)
        return err_set(e, RC_UNSUPPORTED, "quote: its quoting enclave is not Intel's");
    q->tee = tee_type == TEE_TYPE_SGX ? TEE_SGX : TEE_TDX;
    return q->version == 5 ? read_descriptor(r, q, tee_type, e) : RC_OK;
}

/* QE report, its signature, authentication data, certification data: to the end of r. */
static void read_qe(struct reader *r, struct quote *q, unsigned *cert_type)
{
    q->qe_report_bytes = reader_take(r, QUOTE_REPORT_SIZE);
    reader_copy(r, q->qe_signature, 64);
    q->qe_auth_data = reader_take(r, reader_u16le(r));
    *cert_type = reader_u16le(r);
    q->cert_data = reader_take(r, reader_u32le(r));
}

/* All lengths must add up: a byte that belongs to nothing could be changed unseen. */
static enum rc read_signature_data(struct bytes in, struct quote *q, struct err *e)
{
    struct reader r = reader_init(in);
    unsigned cert_type = 0;

    reader_copy(&r, q->signature, 64);
    reader_copy(&r, q->att_key, 64);
    if (q->version == 3) {
        read_qe(&r, q, &cert_type);
    } else {
        unsigned outer = reader_u16le(&r);
        struct reader qe = reader_sub(&r, reader_u32le(&r));

        if (reader_ok(&r) && outer != CERT_QE_REPORT)
            return err_set(e, RC_UNSUPPORTED, "quote: certification data of type %u, expected %d",
                           outer, CERT_QE_REPORT);
        read_qe(&qe, q, &cert_type);
        if (reader_ok(&r))
            TRY(reader_done(&qe, "quote: qe certification data", e));
    }
    TRY(reader_done(&r, "quote: signature data", e));
    if (cert_type < QUOTE_CERT_PPID_PLAIN || cert_type > QUOTE_CERT_PCK_CHAIN)
        return err_set(e, RC_UNSUPPORTED, "quote: certification data of type %u, expected 1 to 5",
                       cert_type);
    q->cert_type = (enum quote_cert_type)cert_type;
    return sgx_report_parse(&q->qe_report, q->qe_report_bytes, e);
}

static enum rc parse(struct quote *q, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    struct bytes sig;

    if (in.n > QUOTE_MAX_SIZE)
        return err_set(e, RC_LIMIT, "quote: %zu bytes, at most %d", in.n, QUOTE_MAX_SIZE);
    TRY(read_header(&r, q, e));
    if (q->tee == TEE_SGX) {
        read_sgx(&r, &q->sgx);
        memcpy(q->report_data, q->sgx.report_data, sizeof(q->report_data));
    } else {
        read_td(&r, q);
    }
    q->signed_part = bytes_of(in.p, r.off);
    sig = reader_take(&r, reader_u32le(&r));
    if (!reader_ok(&r))
        return reader_done(&r, "quote", e);
    q->size = r.off;
    q->trailing = r.left;
    return read_signature_data(sig, q, e);
}

enum rc quote_parse(struct quote *out, struct bytes in, struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = parse(out, in, e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}
