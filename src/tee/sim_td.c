/* A pretended trust domain: this process. Job: measure what runs, keep the registers, quote. Trust:
 * the host can lie to it about everything; it is a simulator. Must not: be chosen unless it was
 * asked for by name. */
#include "attest/event.h"
#include "crypto/hash.h"
#include "os/file.h"
#include "tee/internal/sim.h"
#include "tee/internal/tee.h"

#include <openssl/evp.h>

#include <errno.h>
#include <fcntl.h>

struct sim_impl {
    struct sim_machine machine;
    struct sim_quoter quoter;
    struct sim_td td;
    struct hash32 measurement; /* as of launch */
};

static void td_close(void *impl)
{
    struct sim_impl *s = impl;

    sim_quoter_clear(&s->quoter);
    sim_machine_clear(&s->machine);
    free(s);
}

static enum rc td_evidence(struct tee *t, struct tee_evidence *out, const uint8_t report_data[64],
                           uint64_t deadline_ms, struct err *e)
{
    const struct sim_impl *s = t->impl;

    (void)deadline_ms;
    (void)e;
    sim_quote(&out->quote, &s->quoter, &s->td, report_data);
    return RC_OK;
}

static enum rc td_extend(struct tee *t, unsigned index, const uint8_t digest48[48], struct err *e)
{
    struct sim_impl *s = t->impl;

    (void)e;
    rtmr_fold(s->td.rtmr[index], digest48);
    return RC_OK;
}

static enum rc td_rtmr_read(struct tee *t, unsigned index, uint8_t out48[48], struct err *e)
{
    const struct sim_impl *s = t->impl;

    (void)e;
    memcpy(out48, s->td.rtmr[index], 48);
    return RC_OK;
}

/* Eight of the machine's version numbers, one a byte. */
static enum rc td_platform_version(struct tee *t, uint64_t *out, uint64_t deadline_ms,
                                   struct err *e)
{
    const struct sim_impl *s = t->impl;
    const struct tee_sim_level *l = &s->machine.level;
    uint8_t b[8] = {l->sgx[0], l->sgx[1], l->sgx[2],          l->sgx[3],
                    l->tdx[0], l->tdx[2], (uint8_t)l->pcesvn, (uint8_t)l->qe_isvsvn};

    (void)deadline_ms;
    (void)e;
    *out = load_u64le(b);
    return RC_OK;
}

static enum rc td_sealing_key(struct tee *t, struct secret32 *out, uint64_t version,
                              uint64_t deadline_ms, struct err *e)
{
    static const char label[] = "cloister/simulator/seal/v1";
    const struct sim_impl *s = t->impl;
    AUTO_CLEAR(buf) struct buf info = {0};

    (void)deadline_ms;
    (void)e;
    buf_put_str(&info, label);
    buf_put(&info, s->measurement.b, 32);
    buf_u64be(&info, version);
    hkdf_sha256(out->b, 32, bytes_of(s->machine.sealing_root.b, 32), bytes_of(NULL, 0),
                buf_bytes(&info));
    return RC_OK;
}

static const struct tee_ops OPS = {
    .close = td_close,
    .evidence = td_evidence,
    .extend = td_extend,
    .rtmr_read = td_rtmr_read,
    .platform_version = td_platform_version,
    .sealing_key = td_sealing_key,
};

/* ---- launch ---- */

/* SHA-384 over a domain and a file's bytes; streamed, since binaries are large. */
static enum rc measure_binary(uint8_t out48[48], const char *path, struct err *e)
{
    static const char domain[] = "cloister/simulator/mrtd/v1"; /* with its NUL */
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    EVP_MD_CTX *c;
    AUTO_FREE uint8_t *chunk = NULL;
    unsigned n = 48;
    ssize_t got;

    if (fd < 0)
        return errno == ENOENT ? err_set(e, RC_NOTFOUND, "no file %s to measure", path)
                               : err_errno(e, errno, "cannot measure %s", path);
    c = EVP_MD_CTX_new();
    chunk = xmalloc((size_t)64 << 10);
    CHECK(c != NULL && EVP_DigestInit_ex(c, EVP_sha384(), NULL) == 1);
    CHECK(EVP_DigestUpdate(c, domain, sizeof(domain)) == 1);
    do {
        got = read(fd, chunk, (size_t)64 << 10);
        if (got > 0)
            CHECK(EVP_DigestUpdate(c, chunk, (size_t)got) == 1);
    } while (got > 0 || (got < 0 && errno == EINTR));
    CHECK(EVP_DigestFinal_ex(c, out48, &n) == 1 && n == 48);
    EVP_MD_CTX_free(c);
    if (got < 0)
        return err_errno(e, errno, "cannot measure %s", path);
    return RC_OK;
}

static void boot_event(struct tee *t, unsigned index, const char *event, struct bytes payload)
{
    struct sim_impl *s = t->impl;
    uint8_t digest[48];

    event_digest(digest, event_version(t, index), event, payload);
    rtmr_fold(s->td.rtmr[index], digest);
    event_log_put(t, index, digest, event, payload);
}

/* instance id = SHA-256(seed | app id)[0..20], the seed being the machine's. */
static void put_instance_id(struct hash32 *out, const struct sim_impl *s, const uint8_t *app_id)
{
    sha256_parts(out, (struct bytes[]){bytes_of(s->machine.instance_id, 16), bytes_of(app_id, 20)},
                 2);
}

static void boot(struct tee *t, const struct tee_sim_launch *l)
{
    static const char key_provider[] = "{\"name\":\"none\",\"id\":\"\"}";
    struct sim_impl *s = t->impl;
    struct hash32 compose, instance;
    struct bytes none = {0}, app_id;

    sha256(&compose, l->config);
    app_id = l->app_id.n != 0 ? l->app_id : bytes_of(compose.b, 20);
    put_instance_id(&instance, s, app_id.p);
    s->td.mr_config_id[0] = 1;
    memcpy(s->td.mr_config_id + 1, compose.b, 32);
    boot_event(t, 0, "cloister-simulator", bytes_str(SIM_NOTICE));
    boot_event(t, 1, "image", l->image);
    boot_event(t, 2, "config", l->image_only ? none : BYTES_OF(&compose));
    boot_event(t, 3, "system-preparing", none);
    boot_event(t, 3, "app-id", app_id);
    boot_event(t, 3, "compose-hash", BYTES_OF(&compose));
    boot_event(t, 3, "instance-id", bytes_of(instance.b, 20));
    boot_event(t, 3, "boot-mr-done", none);
    if (l->without_keys)
        return;
    boot_event(t, 3, "key-provider", bytes_str(key_provider));
    boot_event(t, 3, "system-ready", none);
}

static void note_measurement(struct sim_impl *s)
{
    struct tee_measurement m = {.platform = TEE_PLATFORM_TDX};

    memcpy(m.launch, s->td.mrtd, 48);
    memcpy(m.rtmr, s->td.rtmr, sizeof(m.rtmr));
    tee_measurement_id(&s->measurement, &m);
}

static enum rc launch(struct sim_impl *s, const struct tee_sim_launch *l, struct err *e)
{
    struct tee_sim *sim = NULL;

    TRY(tee_sim_open(&sim, l->dir, e));
    {
        enum rc rc = sim_machine_load(&s->machine, l->dir, l->machine, e);

        if (rc == RC_OK)
            sim_quoter_init(&s->quoter, sim, &s->machine, l->format);
        tee_sim_close(sim);
        TRY(rc);
    }
    s->td.attributes = l->td_attributes != 0 ? l->td_attributes : TEE_SIM_TD_ATTRIBUTES;
    return measure_binary(s->td.mrtd, l->binary != NULL ? l->binary : "/proc/self/exe", e);
}

enum rc sim_open(struct tee *t, const struct tee_config *c, struct err *e)
{
    const struct tee_sim_launch *l = c->launch;
    struct sim_impl *s;

    CHECK(l != NULL && l->dir != NULL && l->machine != NULL);
    if (l->image.n > TEE_EVENT_PAYLOAD_MAX)
        return err_set(e, RC_RANGE, "image digest of %zu bytes, at most %d", l->image.n,
                       TEE_EVENT_PAYLOAD_MAX);
    if (l->app_id.n != 0 && l->app_id.n != 20)
        return err_set(e, RC_RANGE, "application id of %zu bytes, not 20", l->app_id.n);
    s = xcalloc(1, sizeof(*s));
    t->ops = &OPS;
    t->impl = s;
    t->platform = TEE_PLATFORM_TDX;
    t->simulated = true;
    t->is_log_v2 = l->is_log_v2;
    buf_printf(&t->description, "simulator (insecure, no hardware), machine %s", l->machine);
    TRY(launch(s, l, e));
    boot(t, l);
    note_measurement(s);
    return RC_OK;
}
