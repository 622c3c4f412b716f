/* Evidence and keys through /dev/sev-guest. Job: extended report with the host's certificates,
 * derived keys. Trust: the firmware's answers are protected, the certificate table is the host's.
 * Must not: keep a derived key anywhere but in the caller's secret. Source:
 * include/uapi/linux/sev-guest.h; AMD 56860, MSG_REPORT_REQ and MSG_KEY_REQ. */
#include "base/reader.h"
#include "tee/internal/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#define CERTS_FIRST ((size_t)16 << 10)
#define PAGE ((size_t)4096)
#define REPORT_RESP 4000
#define REPORT_RESP_HEADER 32
#define VMM_ERR_INVALID_LEN 1
#define VMM_ERR_BUSY 2
#define KEY_FIELD_POLICY (1u << 0)
#define KEY_FIELD_MEASUREMENT (1u << 3)
#define KEY_FIELD_TCB (1u << 5)

struct sev_request {
    uint8_t msg_version;
    uint64_t req_data, resp_data;
    uint32_t fw_error, vmm_error; /* the two halves of exitinfo2 */
};
struct sev_report_req {
    uint8_t user_data[64];
    uint32_t vmpl;
    uint8_t reserved[28];
};
struct sev_ext_report_req {
    struct sev_report_req data;
    uint64_t certs_address;
    uint32_t certs_len;
};
struct sev_key_req {
    uint32_t root_key_select, reserved;
    uint64_t guest_field_select;
    uint32_t vmpl, guest_svn;
    uint64_t tcb_version;
};
#define SNP_GET_DERIVED_KEY _IOWR('S', 1, struct sev_request)
#define SNP_GET_EXT_REPORT _IOWR('S', 2, struct sev_request)
_Static_assert(SNP_GET_DERIVED_KEY == 0xC0205301, "ABI of SNP_GET_DERIVED_KEY");
_Static_assert(sizeof(struct sev_report_req) == 96, "ABI of snp_report_req");
_Static_assert(sizeof(struct sev_key_req) == 32, "ABI of snp_derived_key_req");

struct sev {
    char *device;
    const struct tee_sys *sys;
    int fd;
    unsigned vmpl;
};

static void sev_close(void *impl)
{
    struct sev *s = impl;

    if (s->fd >= 0)
        (void)s->sys->close(s->sys->ctx, s->fd);
    free(s->device);
    free(s);
}

/* RC_AGAIN: busy. RC_LIMIT: the certificate buffer is too small. */
static enum rc request(const struct tee_sys *sys, int fd, unsigned long cmd, const void *req,
                       void *resp, const char *what, struct err *e)
{
    struct sev_request r = {
        .msg_version = 1, .req_data = (uintptr_t)req, .resp_data = (uintptr_t)resp};
    int errnum;

    if (sys->ioctl(sys->ctx, fd, cmd, &r) == 0 && r.fw_error == 0 && r.vmm_error == 0)
        return RC_OK;
    errnum = errno;
    if (r.vmm_error == VMM_ERR_INVALID_LEN)
        return err_set(e, RC_LIMIT, "%s: room for certificates is too small", what);
    if (r.vmm_error == VMM_ERR_BUSY)
        return err_set(e, RC_AGAIN, "%s: the host is busy", what);
    if (r.fw_error != 0 || r.vmm_error != 0)
        return err_set(e, RC_IO, "%s: firmware error %u, host error %u", what, r.fw_error,
                       r.vmm_error);
    return kernel_errno(e, errnum, what);
}

/* Entries are GUID, offset, length, 24 bytes each, ended by zeros; what they point at follows. */
static enum rc certs_size(size_t *out, struct bytes table, struct err *e)
{
    static const uint8_t end[24];
    struct reader r = reader_init(table);
    size_t used = 0;

    for (;;) {
        struct bytes entry = reader_take(&r, sizeof(end));
        uint32_t at, len;

        if (!reader_ok(&r))
            return err_set(e, RC_MALFORMED, "certificate table of %zu bytes has no end", table.n);
        if (memcmp(entry.p, end, sizeof(end)) == 0)
            break;
        at = load_u32le(entry.p + 16);
        len = load_u32le(entry.p + 20);
        if (at > table.n || len > table.n - at)
            return err_set(e, RC_MALFORMED, "certificate table points at %u + %u of %zu bytes", at,
                           len, table.n);
        if (used < (size_t)at + len)
            used = (size_t)at + len;
    }
    *out = used < r.off ? (used == 0 ? 0 : r.off) : used;
    return RC_OK;
}

static enum rc ext_report(struct sev *s, struct tee_evidence *out, const uint8_t report_data[64],
                          size_t *room, struct err *e)
{
    struct sev_ext_report_req req = {.data = {.vmpl = s->vmpl}};
    AUTO_FREE uint8_t *certs = xcalloc(1, *room);
    AUTO_FREE uint8_t *resp = xcalloc(1, REPORT_RESP);
    uint32_t status, size;
    size_t used;
    enum rc rc;

    memcpy(req.data.user_data, report_data, 64);
    req.certs_address = (uintptr_t)certs;
    req.certs_len = (uint32_t)*room;
    rc = request(s->sys, s->fd, SNP_GET_EXT_REPORT, &req, resp, "SNP_GET_EXT_REPORT", e);
    if (rc == RC_LIMIT && req.certs_len > *room && req.certs_len <= TEE_CERTS_MAX) {
        *room = (req.certs_len + PAGE - 1) / PAGE * PAGE;
        return RC_AGAIN;
    }
    TRY(rc);
    status = load_u32le(resp);
    size = load_u32le(resp + 4);
    if (status != 0)
        return err_set(e, RC_IO, "SNP_GET_EXT_REPORT: firmware status %u", status);
    if (size != SNP_REPORT_SIZE_RAW)
        return err_set(e, RC_MALFORMED, "SNP_GET_EXT_REPORT: report of %u bytes, not %d", size,
                       SNP_REPORT_SIZE_RAW);
    TRY(certs_size(&used, bytes_of(certs, *room), e));
    buf_put(&out->quote, resp + REPORT_RESP_HEADER, size);
    buf_put(&out->certs, certs, used);
    return RC_OK;
}

static enum rc sev_evidence(struct tee *t, struct tee_evidence *out, const uint8_t report_data[64],
                            uint64_t deadline_ms, struct err *e)
{
    size_t room = CERTS_FIRST;
    enum rc rc;

    for (unsigned i = 0;; i++) {
        rc = ext_report(t->impl, out, report_data, &room, e);
        if (rc != RC_AGAIN)
            return rc;
        if (!kernel_wait(t->sys, i, deadline_ms))
            return err_wrap(e, RC_TIMEOUT, "busy for %u ms", t->timeout_ms);
    }
}

static enum rc sev_platform_version(struct tee *t, uint64_t *out, uint64_t deadline_ms,
                                    struct err *e)
{
    static const uint8_t nothing[64];
    struct tee_evidence v = {0};
    enum rc rc = sev_evidence(t, &v, nothing, deadline_ms, e);

    if (rc == RC_OK)
        *out = load_u64le(v.quote.p + SNP_COMMITTED_TCB_AT);
    tee_evidence_clear(&v);
    return rc;
}

/* ---- derived keys ---- */

static enum rc derive(const struct tee_sys *sys, int fd, struct secret32 *out, unsigned vmpl,
                      uint64_t tcb_version, uint64_t deadline_ms, struct err *e)
{
    const struct sev_key_req req = {
        .guest_field_select = KEY_FIELD_POLICY | KEY_FIELD_MEASUREMENT | KEY_FIELD_TCB,
        .vmpl = vmpl,
        .tcb_version = tcb_version,
    };
    uint8_t resp[64] = {0};
    enum rc rc;

    for (unsigned i = 0;; i++) {
        rc = request(sys, fd, SNP_GET_DERIVED_KEY, &req, resp, "SNP_GET_DERIVED_KEY", e);
        if (rc != RC_AGAIN)
            break;
        if (!kernel_wait(sys, i, deadline_ms)) {
            rc = err_wrap(e, RC_TIMEOUT, "too long");
            break;
        }
    }
    if (rc == RC_OK && load_u32le(resp) != 0)
        rc = err_set(e, RC_IO, "SNP_GET_DERIVED_KEY: firmware status %u", load_u32le(resp));
    if (rc == RC_OK)
        memcpy(out->b, resp + 32, 32);
    wipe(resp, sizeof(resp));
    return rc;
}

enum rc snp_derived_key(const struct tee_sys *sys, const char *device, struct secret32 *out,
                        unsigned vmpl, uint64_t tcb_version, uint64_t deadline_ms, struct err *e)
{
    int fd = sys->open(sys->ctx, device, O_RDWR);
    enum rc rc;

    if (fd < 0)
        return kernel_errno(e, errno, device);
    rc = derive(sys, fd, out, vmpl, tcb_version, deadline_ms, e);
    (void)sys->close(sys->ctx, fd);
    return rc;
}

static enum rc sev_sealing_key(struct tee *t, struct secret32 *out, uint64_t version,
                               uint64_t deadline_ms, struct err *e)
{
    const struct sev *s = t->impl;

    return derive(t->sys, s->fd, out, s->vmpl, version, deadline_ms, e);
}

static const struct tee_ops OPS = {
    .close = sev_close,
    .evidence = sev_evidence,
    .platform_version = sev_platform_version,
    .sealing_key = sev_sealing_key,
};

enum rc sev_guest_open(struct tee *t, const struct tee_config *c, struct err *e)
{
    const char *device = c->sev_device != NULL ? c->sev_device : "/dev/sev-guest";
    int fd = t->sys->open(t->sys->ctx, device, O_RDWR);
    struct sev *s;

    CHECK(c->vmpl <= 3);
    if (fd < 0)
        return kernel_errno(e, errno, device);
    s = xcalloc(1, sizeof(*s));
    s->fd = fd;
    s->sys = t->sys;
    s->vmpl = c->vmpl;
    s->device = xstrdup(device);
    t->impl = s;
    t->ops = &OPS;
    t->platform = TEE_PLATFORM_SNP;
    buf_printf(&t->description, "%s", device);
    return RC_OK;
}
