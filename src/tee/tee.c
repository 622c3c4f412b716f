/* One machine's evidence. Job: choose the source, keep the event log beside the registers, check
 * that what the platform gave is evidence over our bytes. Trust: the kernel and the host behind it
 * may answer anything. Must not: judge whether the evidence is good (attest/ and policy do). */
#include "tee/internal/tee.h"

#include "attest/event.h"
#include "attest/policy.h"
#include "base/hex.h"
#include "base/reader.h"
#include "crypto/hash.h"
#include "tee/simulator.h"

#define TIMEOUT_MS 10000

void tee_evidence_clear(struct tee_evidence *v)
{
    buf_clear(&v->quote);
    buf_clear(&v->event_log);
    buf_clear(&v->certs);
    *v = (struct tee_evidence){0};
}

/* ---- events and registers ---- */

/* Only RTMR3 has dstack's runtime events: the others' form is part of an image's measurement. */
unsigned event_version(const struct tee *t, unsigned index)
{
    return index == 3 && t->is_log_v2 ? 2 : 1;
}

/* Names were checked: they need no escapes. */
void event_log_put(struct tee *t, unsigned index, const uint8_t digest48[48], const char *event,
                   struct bytes payload)
{
    unsigned version = event_version(t, index);

    buf_printf(&t->log, "%s{\"imr\":%u,\"event_type\":%u,\"digest\":\"", t->log_len == 0 ? "" : ",",
               index, EVENT_TYPE_RUNTIME);
    hex_put(&t->log, bytes_of(digest48, 48));
    buf_printf(&t->log, "\",\"event\":\"%s\",\"event_payload\":\"", event);
    hex_put(&t->log, payload);
    buf_put_str(&t->log, "\"");
    if (version != 1) {
        AUTO_CLEAR(buf) struct buf preimage = {0};

        event_preimage(&preimage, version, event, payload);
        buf_printf(&t->log, ",\"version\":%u,\"preimage\":\"", version);
        hex_put(&t->log, buf_bytes(&preimage));
        buf_put_str(&t->log, "\"");
    }
    buf_put_str(&t->log, "}");
    t->log_len++;
}

static enum rc check_event(const char *event, struct bytes payload, struct err *e)
{
    size_t n = strlen(event);

    if (n == 0 || n > TEE_EVENT_NAME_MAX)
        return err_set(e, RC_RANGE, "event name of %zu bytes: give 1 to %d", n, TEE_EVENT_NAME_MAX);
    for (size_t i = 0; i < n; i++)
        if (event[i] < 0x20 || event[i] > 0x7e || strchr(":\"\\", event[i]) != NULL)
            return err_set(e, RC_RANGE,
                           "event name: byte 0x%02x at %zu; give printable ASCII without colon, "
                           "quote and backslash",
                           (unsigned char)event[i], i);
    if (payload.n > TEE_EVENT_PAYLOAD_MAX)
        return err_set(e, RC_RANGE, "event '%s': payload of %zu bytes, at most %d", event,
                       payload.n, TEE_EVENT_PAYLOAD_MAX);
    return RC_OK;
}

static void lock(struct tee *t)
{
    CHECK(pthread_mutex_lock(&t->mu) == 0);
}

static void unlock(struct tee *t)
{
    CHECK(pthread_mutex_unlock(&t->mu) == 0);
}

enum rc tee_extend(struct tee *t, unsigned index, const char *event, struct bytes payload,
                   struct err *e)
{
    uint8_t digest[48];
    enum rc rc;

    if (index < 2 || index > 3)
        return err_set(e, RC_RANGE, "rtmr %u: only 2 and 3 are the guest's to extend", index);
    TRY(check_event(event, payload, e));
    if (t->ops->extend == NULL)
        return err_set(e, RC_UNSUPPORTED, "%s has no registers to extend", tee_describe(t));
    event_digest(digest, event_version(t, index), event, payload);
    lock(t);
    if (t->log_len >= TEE_EVENTS_MAX)
        rc = err_set(e, RC_LIMIT, "event log is full: %d events", TEE_EVENTS_MAX);
    else
        rc = t->ops->extend(t, index, digest, e);
    if (rc == RC_OK)
        event_log_put(t, index, digest, event, payload);
    unlock(t);
    return rc;
}

enum rc tee_rtmr_read(struct tee *t, unsigned index, uint8_t out48[48], struct err *e)
{
    enum rc rc;

    memset(out48, 0, 48);
    if (index > 3)
        return err_set(e, RC_RANGE, "rtmr %u: there are 0 to 3", index);
    if (t->ops->rtmr_read == NULL)
        return err_set(e, RC_UNSUPPORTED, "%s has no registers to read", tee_describe(t));
    lock(t);
    rc = t->ops->rtmr_read(t, index, out48, e);
    unlock(t);
    return rc;
}

/* ---- evidence ---- */

enum rc tdx_quote_measure(size_t *size, size_t *body_at, struct bytes quote, struct err *e)
{
    struct reader r = reader_init(quote);
    uint16_t version = reader_u16le(&r), key_type = reader_u16le(&r), body_type = 2;
    uint32_t tee_type = reader_u32le(&r), body_size = 584, signature_size;

    (void)reader_take(&r, 40);
    if (version == 5) {
        body_type = reader_u16le(&r);
        body_size = reader_u32le(&r);
    }
    *body_at = r.off;
    if ((version != 4 && version != 5) || key_type != 2 || tee_type != 0x81 ||
        !((body_type == 2 && body_size == 584) || (body_type == 3 && body_size == 648)))
        return err_set(e, RC_MALFORMED,
                       "the platform gave %zu bytes that are no TDX quote of version 4 or 5",
                       quote.n);
    (void)reader_take(&r, body_size);
    signature_size = reader_u32le(&r);
    (void)reader_take(&r, signature_size);
    if (!reader_ok(&r))
        return err_set(e, RC_MALFORMED, "the platform gave a quote cut off at %zu bytes", quote.n);
    *size = r.off;
    if (*size > TEE_QUOTE_MAX)
        return err_set(e, RC_LIMIT, "quote of %zu bytes, at most %zu", *size, TEE_QUOTE_MAX);
    return RC_OK;
}

static enum rc check_evidence(const struct tee *t, struct tee_evidence *v,
                              const uint8_t report_data[64], struct err *e)
{
    size_t at = SNP_REPORT_DATA_AT, size = SNP_REPORT_SIZE_RAW;

    switch (t->platform) {
    case TEE_PLATFORM_NONE:
        CHECK(false);
        break;
    case TEE_PLATFORM_TDX:
        TRY(tdx_quote_measure(&size, &at, buf_bytes(&v->quote), e));
        v->quote.n = size; /* quoting services pad; what follows is covered by nothing */
        at += TDX_BODY_REPORT_DATA;
        break;
    case TEE_PLATFORM_SNP:
        if (v->quote.n != size)
            return err_set(e, RC_MALFORMED, "the platform gave a report of %zu bytes, not %zu",
                           v->quote.n, size);
        break;
    }
    if (memcmp(v->quote.p + at, report_data, 64) != 0)
        return err_set(e, RC_MALFORMED, "the platform gave evidence over other report data");
    return RC_OK;
}

static uint64_t deadline(const struct tee *t)
{
    return t->sys->mono_ms(t->sys->ctx) + t->timeout_ms;
}

enum rc tee_evidence_get(struct tee *t, struct tee_evidence *out, const uint8_t report_data[64],
                         struct err *e)
{
    enum rc rc;

    buf_reset(&out->quote);
    buf_reset(&out->event_log);
    buf_reset(&out->certs);
    out->platform = t->platform;
    out->simulated = t->simulated;
    lock(t);
    rc = t->ops->evidence(t, out, report_data, deadline(t), e);
    if (rc == RC_OK)
        rc = check_evidence(t, out, report_data, e);
    buf_put_str(&out->event_log, "[");
    buf_put_bytes(&out->event_log, buf_bytes(&t->log));
    buf_put_str(&out->event_log, "]");
    unlock(t);
    if (rc == RC_OK)
        return RC_OK;
    tee_evidence_clear(out);
    return err_wrap(e, rc, "%s", tee_describe(t));
}

enum rc tee_measurement_get(struct tee *t, struct tee_measurement *out, struct err *e)
{
    static const uint8_t nothing[64];
    struct tee_evidence v = {0};
    size_t size = 0, at = 0;
    enum rc rc;

    *out = (struct tee_measurement){.platform = t->platform};
    TRY(tee_evidence_get(t, &v, nothing, e));
    switch (t->platform) {
    case TEE_PLATFORM_NONE:
        CHECK(false);
        break;
    case TEE_PLATFORM_TDX:
        rc = tdx_quote_measure(&size, &at, buf_bytes(&v.quote), e);
        CHECK(rc == RC_OK); /* it was checked */
        memcpy(out->launch, v.quote.p + at + TDX_BODY_MRTD, 48);
        memcpy(out->mr_config_id, v.quote.p + at + TDX_BODY_CONFIG_ID, 48);
        memcpy(out->rtmr, v.quote.p + at + TDX_BODY_RTMR0, sizeof(out->rtmr));
        break;
    case TEE_PLATFORM_SNP:
        memcpy(out->launch, v.quote.p + SNP_MEASUREMENT_AT, 48);
        memcpy(out->host_data, v.quote.p + SNP_HOST_DATA_AT, 32);
        break;
    }
    tee_evidence_clear(&v);
    return RC_OK;
}

void tee_measurement_id(struct hash32 *out, const struct tee_measurement *m)
{
    uint8_t platform = (uint8_t)m->platform;
    struct bytes parts[] = {
        bytes_str("cloister/sealing-identity/v1"), BYTES_OF(&platform),     BYTES_OF(&m->launch),
        bytes_of(m->rtmr, (size_t)3 * 48),         BYTES_OF(&m->host_data),
    };

    sha256_parts(out, parts, ARRAY_LEN(parts));
}

void tee_measurement_rule(struct measurement_rule *out, const struct tee_measurement *m)
{
    memset(out, 0, sizeof(*out));
    switch (m->platform) {
    case TEE_PLATFORM_NONE:
        CHECK(false);
        break;
    case TEE_PLATFORM_TDX:
        out->tee = TEE_TDX;
        out->set.mr_td = out->set.rtmr[0] = out->set.rtmr[1] = out->set.rtmr[2] = true;
        memcpy(out->mr_td, m->launch, sizeof(out->mr_td));
        memcpy(out->rtmr, m->rtmr, (size_t)3 * 48);
        break;
    case TEE_PLATFORM_SNP:
        out->tee = TEE_SNP;
        out->set.measurement = out->set.host_data = true;
        memcpy(out->measurement, m->launch, sizeof(out->measurement));
        memcpy(out->host_data, m->host_data, sizeof(out->host_data));
        break;
    }
}

/* ---- sealing keys ---- */

static enum rc no_sealing(const struct tee *t, struct err *e)
{
    return err_set(e, RC_UNSUPPORTED,
                   "%s has no sealing keys: get the state back from peers, or from custodians",
                   tee_describe(t));
}

enum rc tee_platform_version(struct tee *t, uint64_t *out, struct err *e)
{
    enum rc rc;

    *out = 0;
    if (t->ops->platform_version == NULL)
        return no_sealing(t, e);
    lock(t);
    rc = t->ops->platform_version(t, out, deadline(t), e);
    unlock(t);
    return rc;
}

/* Versions are eight numbers, one a byte: newer is not a matter of the sum. */
static bool is_newer(uint64_t version, uint64_t than)
{
    for (int i = 0; i < 64; i += 8)
        if ((version >> i & 0xff) > (than >> i & 0xff))
            return true;
    return false;
}

enum rc tee_sealing_key(struct tee *t, struct secret32 *out, uint64_t version, struct err *e)
{
    uint64_t now = 0, until;
    enum rc rc;

    *out = (struct secret32){0};
    if (t->ops->sealing_key == NULL)
        return no_sealing(t, e);
    lock(t);
    until = deadline(t);
    rc = t->ops->platform_version(t, &now, until, e);
    if (rc == RC_OK && is_newer(version, now))
        rc = err_set(e, RC_DENIED,
                     "sealed under platform version %016llx, this is %016llx: the platform was "
                     "rolled back",
                     (unsigned long long)version, (unsigned long long)now);
    if (rc == RC_OK)
        rc = t->ops->sealing_key(t, out, version, until, e);
    unlock(t);
    if (rc != RC_OK)
        secret32_clear(out);
    return rc;
}

/* ---- open ---- */

enum tee_platform tee_platform(const struct tee *t)
{
    return t->platform;
}

bool tee_is_simulator(const struct tee *t)
{
    return t->simulated;
}

const char *tee_describe(const struct tee *t)
{
    return (const char *)t->description.p;
}

static enum rc open_source(struct tee *t, const struct tee_config *c, struct err *e)
{
    static enum rc (*const hardware[])(struct tee *, const struct tee_config *,
                                       struct err *) = {tsm_open, tdx_guest_open, sev_guest_open};

    switch (c->source) {
    case TEE_SOURCE_SIMULATOR:
        return sim_open(t, c, e);
    case TEE_SOURCE_CONFIGFS:
        return tsm_open(t, c, e);
    case TEE_SOURCE_TDX_GUEST:
        return tdx_guest_open(t, c, e);
    case TEE_SOURCE_SEV_GUEST:
        return sev_guest_open(t, c, e);
    case TEE_SOURCE_AUTO:
        break;
    }
    for (size_t i = 0; i < ARRAY_LEN(hardware); i++) {
        enum rc rc = hardware[i](t, c, e);

        if (rc != RC_NOTFOUND)
            return rc;
    }
    return err_set(e, RC_NOTFOUND,
                   "this machine offers no evidence: neither configfs-tsm nor /dev/tdx_guest nor "
                   "/dev/sev-guest is there");
}

enum rc tee_open(struct tee **out, const struct tee_config *config, struct err *e)
{
    struct tee *t = xcalloc(1, sizeof(*t));
    enum rc rc;

    *out = NULL;
    t->sys = config->sys != NULL ? config->sys : &TEE_SYS;
    t->timeout_ms = config->timeout_ms != 0 ? config->timeout_ms : TIMEOUT_MS;
    CHECK(pthread_mutex_init(&t->mu, NULL) == 0);
    rc = open_source(t, config, e);
    if (rc != RC_OK) {
        tee_close(t);
        return rc;
    }
    (void)buf_cstr(&t->description);
    *out = t;
    return RC_OK;
}

enum rc tee_open_option(struct tee **out, const char *option, struct bytes image,
                        struct bytes config, struct err *e)
{
    static const struct {
        const char *name;
        enum tee_source source;
    } names[] = {{"auto", TEE_SOURCE_AUTO},
                 {"configfs", TEE_SOURCE_CONFIGFS},
                 {"tdx_guest", TEE_SOURCE_TDX_GUEST},
                 {"sev_guest", TEE_SOURCE_SEV_GUEST}};
    static const char simulator[] = "simulator:";
    struct tee_sim_launch l = {.image = image, .config = config};
    AUTO_FREE char *dir = NULL;
    char *slash;

    *out = NULL;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(option, names[i].name) == 0)
            return tee_open(out, &(struct tee_config){.source = names[i].source}, e);
    if (strncmp(option, simulator, sizeof(simulator) - 1) == 0)
        dir = xstrdup(option + sizeof(simulator) - 1);
    slash = dir != NULL ? strrchr(dir, '/') : NULL;
    if (slash == NULL || slash == dir)
        return err_set(e, RC_MALFORMED,
                       "evidence from '%.80s': give auto, configfs, tdx_guest, sev_guest, or "
                       "simulator:DIR/MACHINE",
                       option);
    *slash = '\0';
    l.dir = dir;
    l.machine = slash + 1;
    return tee_open(out, &(struct tee_config){.source = TEE_SOURCE_SIMULATOR, .launch = &l}, e);
}

void tee_close(struct tee *t)
{
    if (t == NULL)
        return;
    if (t->impl != NULL)
        t->ops->close(t->impl);
    buf_clear(&t->description);
    buf_clear(&t->log);
    (void)pthread_mutex_destroy(&t->mu);
    free(t);
}
