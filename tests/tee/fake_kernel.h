/* tests/tee/fake_kernel.h - a kernel with the attestation interfaces, as Linux documents them:
 * configfs-tsm, the measurement files of tdx_guest, /dev/tdx_guest, /dev/sev-guest. Time is its
 * own. Knobs make it misbehave. One in a process. */
#pragma once

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "tee/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define FK_INSTANCES 4
#define FK_FILES 16

struct fk_instance {
    bool used, has_inblob;
    char name[80];
    uint8_t inblob[64];
    uint64_t generation;
    uint8_t privlevel;
};

struct fk_file {
    bool used;
    char attr[32];
    struct fk_instance *instance; /* NULL: a device or a measurement file */
    struct buf data;              /* what reading gives, made at the first read */
    bool made;
    size_t at;
    struct buf written;
};

struct fake_kernel {
    uint64_t now_ms;
    /* configfs-tsm */
    const char *provider; /* NULL: no such folder */
    bool snp;
    struct fk_instance instances[FK_INSTANCES];
    unsigned made, removed; /* instances */
    /* what goes wrong with the report, try by try: 0 is fine */
    int out_errors[8];
    unsigned foreign_writes; /* tries in which somebody else writes too */
    unsigned tries;
    bool wrong_data;       /* the report is over other bytes */
    size_t padding;        /* bytes after the quote */
    size_t cut;            /* bytes missing at its end */
    size_t huge;           /* give that many bytes instead */
    unsigned char_by_char; /* reads give at most that many bytes */
    uint64_t delay_ms;     /* each report takes so long */
    /* registers */
    bool has_measurements;
    uint8_t rtmr[4][48];
    bool foreign_extend;
    /* devices */
    bool has_tdx, has_sev, has_get_quote, has_extend_ioctl;
    int in_flight; /* GetQuote answers "in flight" so often */
    uint64_t quote_status;
    uint32_t quote_len; /* claimed instead of the true one */
    bool bad_report_hash;
    unsigned vmm_busy; /* SNP requests that are busy first */
    uint32_t fw_error;
    size_t certs_size;
    uint32_t report_status, report_size;
    uint8_t committed_tcb[8];
    uint8_t key_seed;           /* of the chip */
    uint8_t id_key, author_key; /* first bytes of the digests of who signed the launch */
    bool bad_table;
    struct fk_file files[FK_FILES];
};

static struct fake_kernel fk;

/* Bytes of a quote of the right form over these bytes. */
static void fk_quote(struct buf *out, const uint8_t report_data[64])
{
    size_t start = out->n;

    buf_put(out, "\x04\x00\x02\x00\x81\x00\x00\x00", 8);
    buf_put_zero(out, 40 + 584 - 64);
    for (int i = 0; i < 4; i++)
        memcpy(out->p + start + 48 + 328 + 48 * i, fk.rtmr[i], 48);
    buf_put(out, report_data, 64);
    buf_u32le(out, 500);
    for (int i = 0; i < 500; i++)
        buf_u8(out, (uint8_t)i);
}

static void fk_snp_report(struct buf *out, const uint8_t report_data[64], uint8_t vmpl)
{
    size_t start = out->n;

    buf_put_zero(out, 1184);
    out->p[start] = 3;
    out->p[start + 0x0a] = 2; /* policy: bit 17 is always one */
    out->p[start + 0x30] = vmpl;
    out->p[start + 0x34] = 1; /* ECDSA P-384 with SHA-384 */
    memcpy(out->p + start + 0x50, report_data, 64);
    out->p[start + 0x90] = 0x5a;
    out->p[start + 0xc0] = 0x4b;
    out->p[start + 0xe0] = fk.id_key;
    out->p[start + 0x110] = fk.author_key;
    memcpy(out->p + start + 0x1e0, fk.committed_tcb, 8);
}

/* One entry that points at the rest of the table. */
static void fk_certs(struct buf *out)
{
    if (fk.certs_size == 0)
        return;
    buf_put(out, "\x63\xda\x75\x8d\xe6\x64\x45\x64\xad\xc5\xf4\xb9\x3b\xe8\xac\xcd", 16);
    buf_u32le(out, 48);
    buf_u32le(out, (uint32_t)fk.certs_size - 48 + (fk.bad_table ? 100000 : 0));
    buf_put_zero(out, 24);
    while (out->n < fk.certs_size)
        buf_u8(out, 0xcc);
}

/* Open descriptors and instances that were left behind. */
static inline unsigned fk_leaks(void)
{
    unsigned n = 0;

    for (int i = 0; i < FK_INSTANCES; i++)
        n += fk.instances[i].used;
    for (int i = 0; i < FK_FILES; i++)
        n += fk.files[i].used && strcmp(fk.files[i].attr, "tdx") != 0 &&
             strcmp(fk.files[i].attr, "sev") != 0;
    return n;
}

static int fk_fail(int errnum)
{
    errno = errnum;
    return -1;
}

/* ---- configfs ---- */

static struct fk_instance *fk_find(const char *name, size_t n)
{
    for (int i = 0; i < FK_INSTANCES; i++)
        if (fk.instances[i].used && strlen(fk.instances[i].name) == n &&
            memcmp(fk.instances[i].name, name, n) == 0)
            return &fk.instances[i];
    return NULL;
}

static int fk_mkdir(void *ctx, const char *path, mode_t mode)
{
    (void)ctx;
    (void)mode;
    if (strncmp(path, "/tsm/", 5) != 0 || fk.provider == NULL)
        return fk_fail(ENOENT);
    if (fk_find(path + 5, strlen(path + 5)) != NULL)
        return fk_fail(EEXIST);
    for (int i = 0; i < FK_INSTANCES; i++) {
        if (fk.instances[i].used)
            continue;
        fk.instances[i] = (struct fk_instance){.used = true};
        (void)snprintf(fk.instances[i].name, sizeof(fk.instances[i].name), "%s", path + 5);
        fk.made++;
        return 0;
    }
    return fk_fail(ENOSPC);
}

static int fk_rmdir(void *ctx, const char *path)
{
    struct fk_instance *in = fk_find(path + 5, strlen(path + 5));

    (void)ctx;
    if (in == NULL)
        return fk_fail(ENOENT);
    in->used = false;
    fk.removed++;
    return 0;
}

/* The report is made when outblob is first read. */
static int fk_make_report(struct fk_file *f)
{
    struct fk_instance *in = f->instance;
    unsigned nth = fk.tries++;
    uint8_t over[64];

    fk.now_ms += fk.delay_ms;
    if (nth < sizeof(fk.out_errors) / sizeof(fk.out_errors[0]) && fk.out_errors[nth] != 0)
        return fk.out_errors[nth];
    if (!in->has_inblob)
        return EINVAL;
    memcpy(over, in->inblob, 64);
    over[0] ^= fk.wrong_data;
    if (fk.huge != 0)
        buf_put_zero(&f->data, fk.huge);
    else if (fk.snp)
        fk_snp_report(&f->data, over, in->privlevel);
    else
        fk_quote(&f->data, over);
    buf_put_zero(&f->data, fk.padding);
    f->data.n -= fk.cut < f->data.n ? fk.cut : f->data.n;
    if (fk.foreign_writes > 0) {
        fk.foreign_writes--;
        in->generation++;
    }
    return 0;
}

static int fk_measurement_index(const char *attr)
{
    return strncmp(attr, "rtmr", 4) == 0 ? attr[4] - '0' : -1;
}

static int fk_make(struct fk_file *f)
{
    int index = fk_measurement_index(f->attr);

    f->made = true;
    if (index >= 0)
        buf_put(&f->data, fk.rtmr[index], 48);
    else if (strcmp(f->attr, "provider") == 0)
        buf_printf(&f->data, "%s\n", fk.provider);
    else if (strcmp(f->attr, "generation") == 0)
        buf_printf(&f->data, "%llu\n", (unsigned long long)f->instance->generation);
    else if (strcmp(f->attr, "outblob") == 0)
        return fk_make_report(f);
    else if (strcmp(f->attr, "auxblob") == 0)
        fk_certs(&f->data);
    else
        return EINVAL;
    return 0;
}

static int fk_open(void *ctx, const char *path, int flags)
{
    struct fk_instance *in = NULL;
    const char *attr = strrchr(path, '/') + 1;

    (void)ctx;
    (void)flags;
    if (strncmp(path, "/tsm/", 5) == 0)
        in = fk_find(path + 5, (size_t)(attr - 1 - (path + 5)));
    if ((strncmp(path, "/tsm/", 5) == 0 && in == NULL) ||
        (strncmp(path, "/meas/", 6) == 0 && !fk.has_measurements) ||
        (strcmp(path, "/tdx") == 0 && !fk.has_tdx) || (strcmp(path, "/sev") == 0 && !fk.has_sev))
        return fk_fail(ENOENT);
    if (strcmp(attr, "auxblob") == 0 && !fk.snp)
        return fk_fail(ENOENT);
    for (int i = 0; i < FK_FILES; i++) {
        if (fk.files[i].used)
            continue;
        fk.files[i] = (struct fk_file){.used = true, .instance = in};
        (void)snprintf(fk.files[i].attr, sizeof(fk.files[i].attr), "%s", attr);
        return 100 + i;
    }
    return fk_fail(EMFILE);
}

static ssize_t fk_read(void *ctx, int fd, void *p, size_t n)
{
    struct fk_file *f = &fk.files[fd - 100];
    size_t left;

    (void)ctx;
    if (!f->made) {
        int errnum = fk_make(f);

        if (errnum != 0)
            return fk_fail(errnum);
    }
    left = f->data.n - f->at;
    if (n > left)
        n = left;
    if (fk.char_by_char != 0 && n > fk.char_by_char)
        n = fk.char_by_char;
    if (n != 0)
        memcpy(p, f->data.p + f->at, n);
    f->at += n;
    return (ssize_t)n;
}

static void fk_extend(int index, const uint8_t digest[48])
{
    uint8_t both[96];

    memcpy(both, fk.rtmr[index], 48);
    memcpy(both + 48, digest, 48);
    sha384(fk.rtmr[index], bytes_of(both, 96));
}

static ssize_t fk_write(void *ctx, int fd, const void *p, size_t n)
{
    struct fk_file *f = &fk.files[fd - 100];
    int index = fk_measurement_index(f->attr);

    (void)ctx;
    if (index >= 0) {
        if (n != 48 || index < 2)
            return fk_fail(EINVAL);
        fk_extend(index, p);
        if (fk.foreign_extend)
            fk_extend(index, p);
        return (ssize_t)n;
    }
    if (strcmp(f->attr, "privlevel") == 0) {
        uint8_t c;

        memcpy(&c, p, 1);
        f->instance->privlevel = (uint8_t)(c - '0');
        f->instance->generation++;
        return (ssize_t)n;
    }
    if (strcmp(f->attr, "inblob") != 0)
        return fk_fail(EACCES);
    buf_put(&f->written, p, n); /* configfs gives it to the driver at the end */
    return (ssize_t)n;
}

static int fk_close(void *ctx, int fd)
{
    struct fk_file *f = &fk.files[fd - 100];

    (void)ctx;
    if (f->written.n == 64) {
        memcpy(f->instance->inblob, f->written.p, 64);
        f->instance->has_inblob = true;
        f->instance->generation++;
    }
    buf_clear(&f->written);
    buf_clear(&f->data);
    f->used = false;
    return 0;
}

/* ---- devices: the layouts of uapi/linux/tdx-guest.h and sev-guest.h, by their offsets ---- */

static int fk_tdx_report(uint8_t *arg)
{
    uint8_t *report = arg + 64;

    memset(report, 0, 1024);
    report[0] = 0x81;
    memcpy(report + 128, arg, 64);
    for (int i = 0; i < 4; i++)
        memcpy(report + 720 + 48 * i, fk.rtmr[i], 48);
    sha384(report + 80, bytes_of(report + 512, 512));
    report[80] ^= fk.bad_report_hash;
    return 0;
}

static int fk_tdx_quote(const uint8_t *arg)
{
    AUTO_CLEAR(buf) struct buf q = {0};
    uint8_t *shared;

    if (!fk.has_get_quote)
        return fk_fail(ENOTTY);
    memcpy(&shared, arg, sizeof(shared));
    if (load_u64le(shared) != 1 || load_u32le(shared + 16) != 1024 || shared[24] != 0x81)
        return fk_fail(EINVAL);
    if (fk.in_flight > 0) {
        fk.in_flight--;
        store_u64le(shared + 8, UINT64_MAX);
        return 0;
    }
    fk_quote(&q, shared + 24 + 128);
    store_u64le(shared + 8, fk.quote_status);
    store_u32le(shared + 20, fk.quote_len != 0 ? fk.quote_len : (uint32_t)q.n);
    memcpy(shared + 24, q.p, fk.quote_len == 10 ? 10 : q.n);
    return 0;
}

/* An address that is written in a request. */
static uint8_t *fk_pointer(const uint8_t *at)
{
    uint8_t *p;

    memcpy(&p, at, sizeof(p));
    return p;
}

static int fk_sev_key(const uint8_t *req, uint8_t *resp)
{
    struct hash32 key;
    uint8_t in[33];

    memcpy(in, req, 32);
    in[32] = fk.key_seed;
    sha256(&key, bytes_of(in, sizeof(in)));
    store_u32le(resp, fk.report_status);
    memcpy(resp + 32, key.b, 32);
    return 0;
}

static int fk_sev_report(uint8_t *arg, uint8_t *req, uint8_t *resp)
{
    AUTO_CLEAR(buf) struct buf report = {0}, certs = {0};
    uint8_t over[64];
    uint32_t room = load_u32le(req + 104);

    fk_certs(&certs);
    if (certs.n > room) {
        store_u32le(arg + 28, 1);
        store_u32le(req + 104, (uint32_t)certs.n);
        return fk_fail(EIO);
    }
    memcpy(over, req, 64);
    over[0] ^= fk.wrong_data;
    fk_snp_report(&report, over, req[64]);
    store_u32le(resp, fk.report_status);
    store_u32le(resp + 4, fk.report_size);
    memcpy(resp + 32, report.p, report.n);
    if (certs.n != 0)
        memcpy(fk_pointer(req + 96), certs.p, certs.n);
    return 0;
}

static int fk_sev(unsigned long request, uint8_t *arg)
{
    uint8_t *req = fk_pointer(arg + 8), *resp = fk_pointer(arg + 16);

    if (arg[0] != 1)
        return fk_fail(EINVAL);
    if (fk.vmm_busy > 0) {
        fk.vmm_busy--;
        store_u32le(arg + 28, 2);
        return fk_fail(EIO);
    }
    if (fk.fw_error != 0) {
        store_u32le(arg + 24, fk.fw_error);
        return fk_fail(EIO);
    }
    if (request == 0xC0205301)
        return fk_sev_key(req, resp);
    return request == 0xC0205302 ? fk_sev_report(arg, req, resp) : fk_fail(ENOTTY);
}

static int fk_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
    const struct fk_file *f = &fk.files[fd - 100];
    uint8_t index;

    (void)ctx;
    if (strcmp(f->attr, "sev") == 0)
        return fk_sev(request, arg);
    if (request == 0xC4405401)
        return fk_tdx_report(arg);
    if (request == 0xC0105402)
        return fk_tdx_quote(arg);
    memcpy(&index, (const uint8_t *)arg + 48, 1);
    if ((request & 0xffff) != 0x5403 || !fk.has_extend_ioctl || index < 2 || index > 3)
        return fk_fail(ENOTTY);
    fk_extend(index, arg);
    return 0;
}

static uint64_t fk_mono_ms(void *ctx)
{
    (void)ctx;
    return fk.now_ms;
}

static void fk_sleep_ms(void *ctx, uint64_t ms)
{
    (void)ctx;
    fk.now_ms += ms;
}

static const struct tee_sys FAKE_SYS = {
    .open = fk_open,
    .read = fk_read,
    .write = fk_write,
    .close = fk_close,
    .mkdir = fk_mkdir,
    .rmdir = fk_rmdir,
    .ioctl = fk_ioctl,
    .mono_ms = fk_mono_ms,
    .sleep_ms = fk_sleep_ms,
};
