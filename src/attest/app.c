#include "attest/app.h"

#include "attest/event.h"
#include "attest/record.h"
#include "codec/json.h"

#define PAYLOAD_MAX 4096
#define NAME_MAX_SIZE 128

/* What the image extends before it has keys, and the size of each payload. */
static const struct {
    const char *name;
    size_t n;
} BOOT[] = {{"system-preparing", 0},
            {"app-id", 20},
            {"compose-hash", 32},
            {"instance-id", 20},
            {"boot-mr-done", 0}};

static void take(struct attest_app *out, size_t i, struct bytes payload)
{
    if (i == 1)
        memcpy(out->id.b, payload.p, sizeof(out->id.b));
    else if (i == 2)
        memcpy(out->compose_hash.b, payload.p, sizeof(out->compose_hash.b));
    else if (i == 3)
        memcpy(out->instance.b, payload.p, sizeof(out->instance.b));
}

/* The n-th event of RTMR3; the log's own digest is not looked at. */
static enum rc take_event(struct attest_app *out, uint8_t rtmr[48], size_t n, const json_t *event,
                          struct err *e)
{
    AUTO_CLEAR(buf) struct buf payload = {0};
    const char *name;
    uint64_t type, version;
    uint8_t digest[48];

    TRY(json_u64(&type, event, "event_type", UINT32_MAX, e));
    TRY(json_u64_opt(&version, event, "version", EVENT_VERSION_MAX, 1, e));
    TRY(json_str(&name, event, "event", NAME_MAX_SIZE, e));
    TRY(json_hex(&payload, event, "event_payload", PAYLOAD_MAX, e));
    if (n >= ARRAY_LEN(BOOT))
        return err_set(e, RC_DENIED, "event log: '%s' after boot-mr-done: keys are given at boot",
                       name);
    if (version == 0)
        return err_set(e, RC_MALFORMED, "event log: '%s' is of version 0, not 1 or 2", name);
    if (type != EVENT_TYPE_RUNTIME || strcmp(name, BOOT[n].name) != 0 || payload.n != BOOT[n].n)
        return err_set(e, RC_DENIED, "event log: '%s' of %zu bytes where '%s' of %zu belongs", name,
                       payload.n, BOOT[n].name, BOOT[n].n);
    event_digest(digest, (unsigned)version, name, buf_bytes(&payload));
    rtmr_fold(rtmr, digest);
    take(out, n, buf_bytes(&payload));
    return RC_OK;
}

static enum rc read_log(struct attest_app *out, uint8_t rtmr[48], struct bytes text, struct err *e)
{
    json_auto_t *log = NULL;
    json_t *event;
    size_t i, n = 0;

    TRY(json_parse(&log, text, ATTEST_LOG_MAX, e));
    if (!json_is_array(log) || json_array_size(log) > ATTEST_LOG_EVENTS)
        return err_set(e, RC_MALFORMED, "event log: not an array of at most %d events",
                       ATTEST_LOG_EVENTS);
    json_array_foreach(log, i, event)
    {
        uint64_t index;

        TRY(json_u64(&index, event, "imr", 3, e));
        if (index == 3)
            TRY(take_event(out, rtmr, n++, event, e));
    }
    if (n != ARRAY_LEN(BOOT))
        return err_set(e, RC_DENIED, "event log: it ends before boot-mr-done");
    return RC_OK;
}

enum rc attest_app_read(struct attest_app *out, const struct attest_verdict *v,
                        struct bytes event_log, struct err *e)
{
    struct attest_verdict image = *v;
    uint8_t rtmr[48] = {0}, config[48] = {1}, zero[48] = {0};

    *out = (struct attest_app){0};
    if (v->tee != TEE_TDX && v->tee != TEE_TDX15)
        return err_set(e, RC_UNSUPPORTED, "an application's evidence is a TDX quote with RTMR3");
    TRY(read_log(out, rtmr, event_log, e));
    if (memcmp(rtmr, v->m.td.rtmr[3], sizeof(rtmr)) != 0)
        return err_set(e, RC_DENIED, "event log: it does not give the quote's RTMR3");
    memcpy(config + 1, out->compose_hash.b, sizeof(out->compose_hash.b));
    if (memcmp(v->m.td.mr_config_id, config, sizeof(config)) != 0 &&
        memcmp(v->m.td.mr_config_id, zero, sizeof(zero)) != 0)
        return err_set(e, RC_DENIED, "mr_config_id is of another compose hash than the event log");
    memset(image.m.td.mr_config_id, 0, sizeof(image.m.td.mr_config_id));
    attest_measurement(&out->image, &image);
    return RC_OK;
}
