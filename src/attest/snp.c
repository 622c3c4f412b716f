/* SEV-SNP: the report's fields, and the certificates that come with it. Verification: snp_verify.c.
 */
#include "attest/internal/snp.h"

#include "base/mem.h"
#include "base/reader.h"

/* Bits 0 to 25 are defined; 17 must be one (AMD 56860 §4.3). */
#define POLICY_KNOWN ((uint64_t)0x3ffffff)
#define PLATFORM_KNOWN ((uint64_t)0xbf) /* 0 to 5, 7 */
#define KEY_INFO_KNOWN 0x1fu
#define SIG_ALGO_P384 1
#define FAMILY_TURIN 0x1a

static struct snp_tcb split_tcb(uint64_t raw, bool turin)
{
    unsigned shift = turin ? 8 : 0; /* a first part more, and SNP next to TEE */
    struct snp_tcb t = {
        .fmc = turin ? (uint8_t)(raw & 0xff) : 0,
        .boot_loader = (uint8_t)(raw >> shift & 0xff),
        .tee = (uint8_t)(raw >> (8 + shift) & 0xff),
        .snp = (uint8_t)(raw >> (turin ? 24 : 48) & 0xff),
        .microcode = (uint8_t)(raw >> 56),
    };

    return t;
}

static void take_zero(struct reader *r, size_t n)
{
    struct bytes b = reader_take(r, n);
    uint8_t acc = 0;

    for (size_t i = 0; i < b.n; i++)
        acc |= b.p[i];
    if (acc != 0)
        reader_fail(r, "a reserved field is not zero");
}

/* Little-endian in 72 bytes to big-endian in 48. */
static void take_number(struct reader *r, uint8_t be48[48])
{
    struct bytes b = reader_take(r, 48);

    for (size_t i = 0; i < b.n; i++)
        be48[47 - i] = b.p[i];
    take_zero(r, 24);
}

static void read_key_info(struct reader *r, struct snp_report *s)
{
    uint32_t info = reader_u32le(r);

    if ((info & ~KEY_INFO_KNOWN) != 0)
        reader_fail(r, "unknown bits in the key information");
    s->m.author_key_en = (info & 1) != 0;
    s->mask_chip_key = (info & 2) != 0;
    s->signing_key = (uint8_t)(info >> 2 & 7);
    s->m.vlek = s->signing_key == SNP_KEY_VLEK;
}

static void read_cpuid(struct reader *r, struct snp_report *s)
{
    if (s->m.version < 3) {
        take_zero(r, 3);
        return;
    }
    s->cpuid_family = reader_u8(r);
    s->cpuid_model = reader_u8(r);
    s->cpuid_stepping = reader_u8(r);
}

static void read_report(struct reader *r, struct snp_report *s)
{
    struct snp_measurement *m = &s->m;

    m->version = reader_u32le(r);
    m->guest_svn = reader_u32le(r);
    m->policy = reader_u64le(r);
    reader_copy(r, m->family_id, 16);
    reader_copy(r, m->image_id, 16);
    m->vmpl = reader_u32le(r);
    if (reader_u32le(r) != SIG_ALGO_P384)
        reader_fail(r, "signature algorithm is not ECDSA P-384 with SHA-384");
    s->current_raw = reader_u64le(r);
    m->platform_info = reader_u64le(r);
    read_key_info(r, s);
    take_zero(r, 4);
    reader_copy(r, s->report_data, 64);
    reader_copy(r, m->measurement, 48);
    reader_copy(r, m->host_data, 32);
    reader_copy(r, m->id_key_digest, 48);
    reader_copy(r, m->author_key_digest, 48);
    reader_copy(r, m->report_id, 32);
    (void)reader_take(r, 32); /* report id of the migration agent */
    s->reported_raw = reader_u64le(r);
    read_cpuid(r, s);
    take_zero(r, 21);
    reader_copy(r, s->chip_id, 64);
    s->committed_raw = reader_u64le(r);
    (void)reader_take(r, 3); /* current build, minor, major */
    take_zero(r, 1);
    (void)reader_take(r, 3); /* committed build, minor, major */
    take_zero(r, 1);
    s->launch_raw = reader_u64le(r);
    if (m->version >= 5) {
        m->launch_mitigations = reader_u64le(r);
        m->current_mitigations = reader_u64le(r);
    }
    take_zero(r, SNP_SIGNED_SIZE - (m->version >= 5 ? 0x208 : 0x1f8));
}

static enum rc parse(struct snp_report *s, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    uint32_t version;
    bool turin;

    if (in.n != SNP_REPORT_SIZE)
        return err_set(e, RC_MALFORMED, "snp report: %zu bytes, expected %d", in.n,
                       SNP_REPORT_SIZE);
    version = load_u32le(in.p);
    if (version != 2 && version != 3 && version != 5)
        return err_set(e, RC_UNSUPPORTED, "snp report: version %u, expected 2, 3 or 5", version);
    read_report(&r, s);
    if (reader_ok(&r))
        s->signed_part = bytes_of(in.p, r.off);
    take_number(&r, s->signature);
    take_number(&r, s->signature + 48);
    take_zero(&r, 512 - 144);
    TRY(reader_done(&r, "snp report", e));
    if ((s->m.policy & ~POLICY_KNOWN) != 0 || (s->m.policy & SNP_POLICY_RESERVED_1) == 0)
        return err_set(e, RC_MALFORMED, "snp report: reserved bits of policy 0x%llx",
                       (unsigned long long)s->m.policy);
    if ((s->m.platform_info & ~PLATFORM_KNOWN) != 0)
        return err_set(e, RC_MALFORMED, "snp report: reserved bits of platform info 0x%llx",
                       (unsigned long long)s->m.platform_info);
    turin = s->cpuid_family == FAMILY_TURIN;
    s->m.current = split_tcb(s->current_raw, turin);
    s->m.reported = split_tcb(s->reported_raw, turin);
    s->m.committed = split_tcb(s->committed_raw, turin);
    s->m.launch = split_tcb(s->launch_raw, turin);
    return RC_OK;
}

enum rc snp_report_parse(struct snp_report *out, struct bytes in, struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = parse(out, in, e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

/* ---- certificates ------------------------------------------------------------------------------
 */

static bool cn_starts(struct bytes cn, const char *text)
{
    return cn.n >= strlen(text) && memcmp(cn.p, text, strlen(text)) == 0;
}

static enum rc put(struct bytes *slot, struct bytes der, const char *what, struct err *e)
{
    if (slot->n != 0 && !bytes_eq(*slot, der))
        return err_set(e, RC_EXISTS, "snp certificates: two different ones for %s", what);
    *slot = der;
    return RC_OK;
}

static enum rc add_der(struct snp_certs *out, struct bytes der, struct arena *a, struct err *e)
{
    struct x509_cert c;
    struct x509_crl crl;

    if (x509_parse(&c, der, e) != RC_OK) {
        if (x509_crl_parse(&crl, der, a, NULL) == RC_OK)
            return put(&out->crl, der, "the revocation list", e);
        return err_wrap(e, RC_MALFORMED, "snp certificates");
    }
    if (cn_starts(c.common_name, SNP_CN_ARK))
        return put(&out->ark, der, "ARK", e);
    if (bytes_eq(c.common_name, bytes_str(SNP_CN_VCEK)) ||
        bytes_eq(c.common_name, bytes_str(SNP_CN_VLEK)))
        return put(&out->leaf, der, "VCEK or VLEK", e);
    if (cn_starts(c.common_name, SNP_CN_ASK))
        return put(&out->ask, der, "ASK or ASVK", e);
    return err_set(e, RC_MALFORMED, "snp certificates: one that is not AMD's by its name");
}

enum rc snp_certs_add(struct snp_certs *out, struct bytes in, struct arena *a, struct err *e)
{
    struct bytes ders[X509_MAX_CHAIN];
    size_t n;

    if (!x509_is_pem(in))
        return add_der(out, in, a, e);
    TRY(x509_pem_chain(ders, &n, ARRAY_LEN(ders), in, a, e));
    for (size_t i = 0; i < n; i++)
        TRY(add_der(out, ders[i], a, e));
    return RC_OK;
}

/* Entries GUID, offset, length, ended by one of zeros; AMD 56421 table "certificate table". */
enum rc snp_certs_from_table(struct snp_certs *out, struct bytes table, struct err *e)
{
    static const struct {
        uint8_t guid[16];
        size_t slot;
    } known[] = {
        {{0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
          0xcd},
         offsetof(struct snp_certs, leaf)}, /* VCEK */
        {{0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8,
          0xa1},
         offsetof(struct snp_certs, leaf)}, /* VLEK */
        {{0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
          0x82},
         offsetof(struct snp_certs, ask)},
        {{0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
          0xae},
         offsetof(struct snp_certs, ark)},
    };
    static const uint8_t end[16];
    struct reader r = reader_init(table);

    for (;;) {
        uint8_t guid[16];
        uint32_t offset, length;

        reader_copy(&r, guid, sizeof(guid));
        offset = reader_u32le(&r);
        length = reader_u32le(&r);
        if (!reader_ok(&r))
            return reader_done(&r, "snp certificate table", e);
        if (memcmp(guid, end, sizeof(end)) == 0)
            return RC_OK;
        if (offset > table.n || length > table.n - offset)
            return err_set(e, RC_MALFORMED,
                           "snp certificate table: an entry of %u bytes at %u, in %zu", length,
                           offset, table.n);
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            if (memcmp(guid, known[i].guid, sizeof(guid)) == 0)
                TRY(put((struct bytes *)(void *)((uint8_t *)out + known[i].slot),
                        bytes_of(table.p + offset, length), "one key", e));
    }
}

enum rc snp_certs_from_any(struct snp_certs *out, struct bytes in, struct arena *a, struct err *e)
{
    return x509_is_pem(in) ? snp_certs_add(out, in, a, e) : snp_certs_from_table(out, in, e);
}
