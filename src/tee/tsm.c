/* Evidence through configfs-tsm (kernel 6.7 and later), TDX and SEV-SNP. Job: one report in a
 * folder of its own, read only if nobody wrote in between. Trust: the host serves the quote, slowly
 * or not at all. Must not: wait without a deadline, or leave folders behind. Source: Linux
 * Documentation/ABI/testing/configfs-tsm-report. */
#include "base/num.h"
#include "crypto/random.h"
#include "tee/internal/kernel.h"

#include <errno.h>

#define TSM_DIR "/sys/kernel/config/tsm/report"
#define MEASUREMENTS_DIR "/sys/devices/virtual/misc/tdx_guest/measurements"
#define TEXT_MAX ((size_t)4096)

struct tsm {
    char *dir, *measurements, *tdx_device, *sev_device;
    unsigned vmpl;
};

static void tsm_close(void *impl)
{
    struct tsm *s = impl;

    free(s->dir);
    free(s->measurements);
    free(s->tdx_device);
    free(s->sev_device);
    free(s);
}

/* A report instance of our own. */
static enum rc instance_make(char **path, const struct tee *t, struct err *e)
{
    const struct tsm *s = t->impl;
    const struct tee_sys *sys = t->sys;

    for (int i = 0; i < 8; i++) {
        AUTO_FREE char *at = NULL;
        uint64_t id;

        random_bytes(&id, sizeof(id));
        at = xasprintf("%s/cloister-%016llx", s->dir, (unsigned long long)id);
        if (sys->mkdir(sys->ctx, at, 0700) == 0) {
            *path = MOVE(at);
            return RC_OK;
        }
        if (errno != EEXIST)
            return kernel_errno(e, errno, at);
    }
    return err_set(e, RC_IO, "%s: no free name for a report", s->dir);
}

static enum rc read_attr(struct buf *out, const struct tee *t, const char *instance,
                         const char *name, size_t max, struct err *e)
{
    AUTO_FREE char *path = xasprintf("%s/%s", instance, name);

    return kernel_read(t->sys, out, path, max, e);
}

static enum rc write_attr(const struct tee *t, const char *instance, const char *name,
                          struct bytes data, struct err *e)
{
    AUTO_FREE char *path = xasprintf("%s/%s", instance, name);

    return kernel_write(t->sys, path, data, e);
}

static struct bytes line_of(const struct buf *b)
{
    size_t n = b->n;

    while (n > 0 && b->p[n - 1] == '\n')
        n--;
    return bytes_of(b->p, n);
}

static enum rc read_generation(uint64_t *out, const struct tee *t, const char *instance,
                               struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};

    TRY(read_attr(&text, t, instance, "generation", TEXT_MAX, e));
    if (parse_u64(out, line_of(&text), UINT64_MAX, e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "%s/generation", instance);
    return RC_OK;
}

/* One try. The generation counts every write to the instance: unless it rose by exactly our one,
 * the report may be over somebody else's bytes. */
static enum rc report(struct tee *t, struct tee_evidence *out, const char *instance,
                      const uint8_t report_data[64], struct err *e)
{
    const struct tsm *s = t->impl;
    uint64_t before, after;

    if (t->platform == TEE_PLATFORM_SNP && s->vmpl != 0) {
        uint8_t level = (uint8_t)('0' + s->vmpl);

        TRY(write_attr(t, instance, "privlevel", BYTES_OF(&level), e));
    }
    TRY(read_generation(&before, t, instance, e));
    TRY(write_attr(t, instance, "inblob", bytes_of(report_data, 64), e));
    TRY(read_attr(&out->quote, t, instance, "outblob", TEE_BLOB_MAX, e));
    if (t->platform == TEE_PLATFORM_SNP)
        TRY(read_attr(&out->certs, t, instance, "auxblob", TEE_CERTS_MAX, e));
    TRY(read_generation(&after, t, instance, e));
    if (after != before + 1)
        return err_set(e, RC_AGAIN, "%s: another writer (generation %llu, then %llu)", instance,
                       (unsigned long long)before, (unsigned long long)after);
    return RC_OK;
}

static enum rc report_once(struct tee *t, struct tee_evidence *out, const uint8_t report_data[64],
                           struct err *e)
{
    AUTO_FREE char *instance = NULL;
    enum rc rc;

    buf_reset(&out->quote);
    buf_reset(&out->certs);
    TRY(instance_make(&instance, t, e));
    rc = report(t, out, instance, report_data, e);
    (void)t->sys->rmdir(t->sys->ctx, instance);
    return rc;
}

static enum rc tsm_evidence(struct tee *t, struct tee_evidence *out, const uint8_t report_data[64],
                            uint64_t deadline_ms, struct err *e)
{
    enum rc rc;

    for (unsigned i = 0;; i++) {
        rc = report_once(t, out, report_data, e);
        if (rc != RC_AGAIN)
            return rc;
        if (!kernel_wait(t->sys, i, deadline_ms))
            return err_wrap(e, RC_TIMEOUT, "busy for %u ms", t->timeout_ms);
    }
}

/* ---- registers and keys ---- */

static enum rc tsm_rtmr_extend(struct tee *t, unsigned index, const uint8_t digest48[48],
                               struct err *e)
{
    const struct tsm *s = t->impl;
    enum rc rc = measurements_extend(t->sys, s->measurements, index, digest48, e);

    if (rc == RC_NOTFOUND)
        rc = tdx_ioctl_extend(t->sys, s->tdx_device, index, digest48, e);
    return rc;
}

/* Without the files of newer kernels a quote tells. */
static enum rc tsm_rtmr_read(struct tee *t, unsigned index, uint8_t out48[48], struct err *e)
{
    static const uint8_t nothing[64];
    const struct tsm *s = t->impl;
    struct tee_evidence v = {0};
    size_t size = 0, at = 0;
    enum rc rc = measurements_read(t->sys, s->measurements, index, out48, e);

    if (rc != RC_NOTFOUND)
        return rc;
    rc = tsm_evidence(t, &v, nothing, t->sys->mono_ms(t->sys->ctx) + t->timeout_ms, e);
    if (rc == RC_OK)
        rc = tdx_quote_measure(&size, &at, buf_bytes(&v.quote), e);
    if (rc == RC_OK)
        memcpy(out48, v.quote.p + at + TDX_BODY_RTMR0 + (size_t)index * 48, 48);
    tee_evidence_clear(&v);
    return rc;
}

static enum rc tsm_platform_version(struct tee *t, uint64_t *out, uint64_t deadline_ms,
                                    struct err *e)
{
    static const uint8_t nothing[64];
    struct tee_evidence v = {0};
    enum rc rc = tsm_evidence(t, &v, nothing, deadline_ms, e);

    if (rc == RC_OK && v.quote.n != SNP_REPORT_SIZE_RAW)
        rc = err_set(e, RC_MALFORMED, "a report of %zu bytes", v.quote.n);
    if (rc == RC_OK)
        *out = load_u64le(v.quote.p + SNP_COMMITTED_TCB_AT);
    tee_evidence_clear(&v);
    return rc;
}

static enum rc tsm_sealing_key(struct tee *t, struct secret32 *out, uint64_t version,
                               uint64_t deadline_ms, struct err *e)
{
    const struct tsm *s = t->impl;

    return snp_derived_key(t->sys, s->sev_device, out, s->vmpl, version, deadline_ms, e);
}

static const struct tee_ops TDX_OPS = {
    .close = tsm_close,
    .evidence = tsm_evidence,
    .extend = tsm_rtmr_extend,
    .rtmr_read = tsm_rtmr_read,
};

static const struct tee_ops SNP_OPS = {
    .close = tsm_close,
    .evidence = tsm_evidence,
    .platform_version = tsm_platform_version,
    .sealing_key = tsm_sealing_key,
};

/* ---- open ---- */

static enum rc read_provider(struct tee *t, struct err *e)
{
    AUTO_FREE char *instance = NULL;
    AUTO_CLEAR(buf) struct buf name = {0};
    struct bytes line;
    enum rc rc;

    TRY(instance_make(&instance, t, e));
    rc = read_attr(&name, t, instance, "provider", TEXT_MAX, e);
    (void)t->sys->rmdir(t->sys->ctx, instance);
    TRY(rc);
    line = line_of(&name);
    if (bytes_eq(line, bytes_str("tdx_guest"))) {
        t->platform = TEE_PLATFORM_TDX;
        t->ops = &TDX_OPS;
    } else if (bytes_eq(line, bytes_str("sev_guest"))) {
        t->platform = TEE_PLATFORM_SNP;
        t->ops = &SNP_OPS;
    } else {
        return err_set(e, RC_UNSUPPORTED,
                       "configfs-tsm provider '%.*s': tdx_guest and sev_guest "
                       "are known",
                       (int)(line.n < 40 ? line.n : 40), (const char *)line.p);
    }
    buf_printf(&t->description, "configfs-tsm (%.*s)", (int)line.n, (const char *)line.p);
    return RC_OK;
}

static char *path_or(const char *given, const char *dflt)
{
    return xstrdup(given != NULL ? given : dflt);
}

enum rc tsm_open(struct tee *t, const struct tee_config *c, struct err *e)
{
    struct tsm *s = xcalloc(1, sizeof(*s));
    enum rc rc;

    CHECK(c->vmpl <= 3);
    s->dir = path_or(c->tsm_dir, TSM_DIR);
    s->measurements = path_or(c->measurements_dir, MEASUREMENTS_DIR);
    s->tdx_device = path_or(c->tdx_device, "/dev/tdx_guest");
    s->sev_device = path_or(c->sev_device, "/dev/sev-guest");
    s->vmpl = c->vmpl;
    t->impl = s;
    rc = read_provider(t, e);
    if (rc != RC_OK) {
        t->impl = NULL;
        t->ops = NULL;
        tsm_close(s);
    }
    return rc;
}
