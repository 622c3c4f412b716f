/* The extension of PCK certificates. Source: Intel SGX PCK certificate and CRL profile
 * specification, "SGX Extensions". */
#include "attest/internal/dcap.h"
#include "attest/internal/x509.h"
#include "base/reader.h"
#include "codec/der.h"

/* 1.2.840.113741.1.13.1; its parts have one or two numbers more. */
static const uint8_t SGX_EXTENSION[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 13, 1};

#define TCB_PARTS 18
#define PART_PCE_SVN 17
#define PART_CPU_SVN 18

bool dcap_has_pck_extension(const struct x509_cert *c)
{
    struct bytes value;

    return x509_extension(&value, c, BYTES_OF(&SGX_EXTENSION));
}

/* Opens SEQUENCE{OID, value} of the list: the number after `prefix`, with the reader at the value.
 */
static struct reader open_item(struct reader *list, struct bytes prefix, unsigned max, unsigned *id)
{
    struct reader item = der_open(list, DER_SEQUENCE);
    struct bytes oid = der_take(&item, DER_OID);

    *id = 0;
    if (reader_ok(&item) && oid.n == prefix.n + 1 && memcmp(oid.p, prefix.p, prefix.n) == 0)
        *id = oid.p[prefix.n];
    if (*id == 0 || *id > max) {
        reader_fail(&item, "pck extension: unknown part");
        *id = 0;
    }
    return item;
}

static void take_fixed(struct reader *r, uint8_t *dst, size_t n)
{
    struct bytes v = der_take(r, DER_OCTET_STRING);

    memset(dst, 0, n);
    if (reader_ok(r) && v.n != n)
        reader_fail(r, "pck extension: a value of another length");
    else if (reader_ok(r))
        memcpy(dst, v.p, n);
}

static void once(struct reader *r, unsigned *seen, unsigned id)
{
    if (reader_ok(r) && (*seen >> id & 1) != 0)
        reader_fail(r, "pck extension: a part occurs twice");
    *seen |= 1u << (id & 31);
}

/* Part 2: sixteen component SVNs, PCESVN, and CPUSVN, which on every processor so far is the
 * components as bytes; one that differs could be read two ways. */
static void read_tcb(struct reader *r, struct pck_info *out)
{
    uint8_t prefix[sizeof(SGX_EXTENSION) + 1];
    struct reader list = der_open(r, DER_SEQUENCE);
    unsigned id, seen = 0;

    memcpy(prefix, SGX_EXTENSION, sizeof(SGX_EXTENSION));
    prefix[sizeof(SGX_EXTENSION)] = 2;
    while (reader_ok(&list) && list.left != 0) {
        struct reader item = open_item(&list, BYTES_OF(&prefix), TCB_PARTS, &id);

        once(&item, &seen, id);
        if (id == PART_CPU_SVN)
            take_fixed(&item, out->cpu_svn, sizeof(out->cpu_svn));
        else if (id == PART_PCE_SVN)
            out->pce_svn = (uint16_t)der_u64(&item, DER_INTEGER, UINT16_MAX);
        else if (id != 0 && id < PART_PCE_SVN)
            out->components[id - 1] = (uint8_t)der_u64(&item, DER_INTEGER, 255);
        der_close(&list, &item);
    }
    if (reader_ok(&list) && seen != 0x7fffe)
        reader_fail(&list, "pck extension: an SVN is missing");
    if (reader_ok(&list) && memcmp(out->cpu_svn, out->components, sizeof(out->cpu_svn)) != 0)
        reader_fail(&list, "pck extension: CPUSVN is not its components");
    der_close(r, &list);
}

static void read_configuration(struct reader *r, struct pck_info *out)
{
    uint8_t prefix[sizeof(SGX_EXTENSION) + 1];
    bool *flags[] = {&out->dynamic_platform, &out->cached_keys, &out->smt};
    struct reader list = der_open(r, DER_SEQUENCE);
    unsigned id, seen = 0;

    memcpy(prefix, SGX_EXTENSION, sizeof(SGX_EXTENSION));
    prefix[sizeof(SGX_EXTENSION)] = 7;
    while (reader_ok(&list) && list.left != 0) {
        struct reader item = open_item(&list, BYTES_OF(&prefix), 3, &id);

        once(&item, &seen, id);
        if (id != 0)
            *flags[id - 1] = der_bool(&item);
        der_close(&list, &item);
    }
    if (reader_ok(&list) && seen != 0xe)
        reader_fail(&list, "pck extension: a configuration flag is missing");
    der_close(r, &list);
}

static void read_part(struct reader *item, unsigned id, struct pck_info *out)
{
    switch (id) {
    case 1:
        take_fixed(item, out->ppid, sizeof(out->ppid));
        break;
    case 2:
        read_tcb(item, out);
        break;
    case 3:
        take_fixed(item, out->pce_id, sizeof(out->pce_id));
        break;
    case 4:
        take_fixed(item, out->fmspc, sizeof(out->fmspc));
        break;
    case 5:
        out->sgx_type = (uint8_t)der_u64(item, DER_ENUMERATED, 2);
        break;
    case 6:
        take_fixed(item, out->platform_instance_id, sizeof(out->platform_instance_id));
        break;
    case 7:
        read_configuration(item, out);
        break;
    default:
        break; /* 0: open_item failed */
    }
}

enum rc pck_info_parse(struct pck_info *out, const struct x509_cert *pck, struct err *e)
{
    bool platform = bytes_eq(x509_common_name(pck->issuer), bytes_str(CN_PLATFORM_CA));
    unsigned id, seen = 0;
    struct bytes value;
    struct reader r, list;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    if (!x509_extension(&value, pck, BYTES_OF(&SGX_EXTENSION)))
        return err_set(e, RC_MALFORMED, "pck certificate: no SGX extension");
    r = reader_init(value);
    list = der_open(&r, DER_SEQUENCE);
    while (reader_ok(&list) && list.left != 0) {
        struct reader item = open_item(&list, BYTES_OF(&SGX_EXTENSION), 7, &id);

        once(&item, &seen, id);
        read_part(&item, id, out);
        der_close(&list, &item);
    }
    /* Parts 1 to 5; a platform CA's certificates have 6 and 7 too. */
    if (reader_ok(&list) && seen != (platform ? 0xfeu : 0x3eu))
        reader_fail(&list, "pck extension: parts are not those of its CA");
    der_close(&r, &list);
    rc = reader_done(&r, "pck certificate", e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    else
        out->platform_ca = platform;
    return rc;
}
