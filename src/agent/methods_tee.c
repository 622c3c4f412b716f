/* Evidence of the domain the application runs in. Job: quotes, events, Info. Trust:
 * report data is the application's to choose; the platform's answers were checked by tee/. Must
 * not: be reachable in the scoped mode (a guest of a worker would quote itself as the worker). */
#include "agent/internal/agent.h"
#include "base/hex.h"
#include "base/reader.h"
#include "crypto/hash.h"

#include <openssl/evp.h>

#define PREFIX_DEFAULT "app-data"

/* ---- what a quote says ---- */

enum rc agent_measures_read(struct agent_measures *out, struct bytes quote, struct err *e)
{
    static const uint8_t zero[144];
    struct reader r = reader_init(quote);
    uint16_t version = reader_u16le(&r);
    struct bytes body;

    (void)reader_take(&r, 46);
    if (version == 5)
        (void)reader_take(&r, 6);
    body = reader_take(&r, 584);
    if (!reader_ok(&r) || (version != 4 && version != 5))
        return err_set(e, RC_UNSUPPORTED, "not a TDX quote of version 4 or 5");
    memcpy(out->mrtd, body.p + 136, 48);
    memcpy(out->rtmr, body.p + 328, sizeof(out->rtmr));
    {
        /* MRCONFIGID, MROWNER and MROWNERCONFIG count if one of them is set */
        struct bytes owners = bytes_of(body.p + 184, sizeof(zero));
        struct bytes parts[] = {BYTES_OF(&out->mrtd), BYTES_OF(&out->rtmr), owners};

        sha256_parts(&out->aggregated, parts,
                     memcmp(owners.p, zero, sizeof(zero)) != 0 ? ARRAY_LEN(parts)
                                                               : ARRAY_LEN(parts) - 1);
    }
    return RC_OK;
}

static void pad64(uint8_t out64[64], const struct buf *data)
{
    memset(out64, 0, 64);
    if (data->n != 0)
        memcpy(out64, data->p, data->n); /* the table holds it to 64 */
}

/* ---- quotes ---- */

static enum rc put_quote(struct agent *a, struct buf *out, const uint8_t report_data[64],
                         struct err *e)
{
    AUTO_CLEAR(tee_evidence) struct tee_evidence v = {0};
    AUTO_CLEAR(buf) struct buf blob = {0};

    TRY(tee_evidence_get(a->tee, &v, report_data, e));
    TRY(agent_attestation(&blob, &v, report_data, a->vm_config, e));
    buf_put_str(out, "{\"quote\":");
    put_json_hex(out, buf_bytes(&v.quote));
    buf_put_str(out, ",\"event_log\":");
    put_json_text(out, buf_bytes(&v.event_log));
    buf_put_str(out, ",\"report_data\":");
    put_json_hex(out, bytes_of(report_data, 64));
    buf_put_str(out, ",\"vm_config\":");
    put_json_text(out, bytes_str(a->vm_config));
    buf_put_str(out, ",\"attestation\":");
    put_json_hex(out, buf_bytes(&blob));
    buf_u8(out, '}');
    return RC_OK;
}

enum rc method_get_quote(struct agent *a, struct buf *out, const struct agent_request *r,
                         struct err *e)
{
    uint8_t data[64];

    pad64(data, &r->report_data);
    return put_quote(a, out, data, e);
}

enum rc method_attest(struct agent *a, struct buf *out, const struct agent_request *r,
                      struct err *e)
{
    AUTO_CLEAR(tee_evidence) struct tee_evidence v = {0};
    AUTO_CLEAR(buf) struct buf blob = {0};
    uint8_t data[64];

    pad64(data, &r->report_data);
    TRY(tee_evidence_get(a->tee, &v, data, e));
    TRY(agent_attestation(&blob, &v, data, a->vm_config, e));
    buf_put_str(out, "{\"attestation\":");
    put_json_hex(out, buf_bytes(&blob));
    buf_u8(out, '}');
    return RC_OK;
}

/* hash(prefix ":" data), padded to 64; "raw" is the data itself. */
static enum rc hash_report_data(uint8_t out64[64], const char *algorithm, const char *prefix,
                                struct bytes data, struct err *e)
{
    static const char *const names[][2] = {{"sha256", "SHA256"},     {"sha384", "SHA384"},
                                           {"sha512", "SHA512"},     {"sha3-256", "SHA3-256"},
                                           {"sha3-384", "SHA3-384"}, {"sha3-512", "SHA3-512"}};
    AUTO_CLEAR(buf) struct buf in = {0};

    memset(out64, 0, 64);
    if (strcmp(algorithm, "raw") == 0) {
        if (data.n != 64)
            return err_set(e, RC_RANGE, "report_data of %zu bytes: raw takes 64", data.n);
        memcpy(out64, data.p, 64);
        return RC_OK;
    }
    buf_put_str(&in, prefix);
    buf_u8(&in, ':');
    buf_put_bytes(&in, data);
    if (strcmp(algorithm, "keccak256") == 0) {
        struct hash32 h;

        keccak256(&h, buf_bytes(&in));
        memcpy(out64, h.b, 32);
        return RC_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(algorithm, names[i][0]) == 0) {
            CHECK(EVP_Q_digest(NULL, names[i][1], NULL, in.p, in.n, out64, NULL) == 1);
            return RC_OK;
        }
    return err_set(e, RC_UNSUPPORTED,
                   "hash_algorithm '%.40s': give raw, sha256, sha384, sha512, sha3-256, sha3-384, "
                   "sha3-512 or keccak256",
                   algorithm);
}

static enum rc put_tdx_quote(struct agent *a, struct buf *out, const char *algorithm,
                             const char *prefix, struct bytes data, struct err *e)
{
    AUTO_CLEAR(tee_evidence) struct tee_evidence v = {0};
    uint8_t report_data[64];

    TRY(hash_report_data(report_data, algorithm, prefix, data, e));
    TRY(tee_evidence_get(a->tee, &v, report_data, e));
    buf_put_str(out, "{\"quote\":");
    put_json_hex(out, buf_bytes(&v.quote));
    buf_put_str(out, ",\"event_log\":");
    put_json_text(out, buf_bytes(&v.event_log));
    buf_put_str(out, ",\"hash_algorithm\":");
    put_json_text(out, bytes_str(algorithm));
    buf_put_str(out, ",\"prefix\":");
    put_json_text(out, bytes_str(strcmp(algorithm, "raw") == 0 ? "" : prefix));
    buf_u8(out, '}');
    return RC_OK;
}

enum rc method_tdx_quote(struct agent *a, struct buf *out, const struct agent_request *r,
                         struct err *e)
{
    return put_tdx_quote(a, out, r->hash_algorithm[0] != '\0' ? r->hash_algorithm : "sha512",
                         r->prefix[0] != '\0' ? r->prefix : PREFIX_DEFAULT,
                         buf_bytes(&r->report_data), e);
}

enum rc method_raw_quote(struct agent *a, struct buf *out, const struct agent_request *r,
                         struct err *e)
{
    return put_tdx_quote(a, out, "raw", "", buf_bytes(&r->report_data), e);
}

/* ---- events ---- */

enum rc method_emit_event(struct agent *a, struct buf *out, const struct agent_request *r,
                          struct err *e)
{
    /* Names that verifiers look up belong to the boot; they stop looking at system-ready, but a
     * careless one may not. */
    static const char *const boot[] = {"system-preparing", "app-id",         "compose-hash",
                                       "instance-id",      "boot-mr-done",   "os-image-hash",
                                       "key-provider",     "storage-fs",     "system-ready",
                                       "init-script-hash", "gpu-policy-hash"};

    for (size_t i = 0; i < ARRAY_LEN(boot); i++)
        if (strcmp(r->event, boot[i]) == 0)
            return err_set(e, RC_DENIED, "event '%s' is the boot's: choose another name", r->event);
    TRY(tee_extend(a->tee, 3, r->event, buf_bytes(&r->payload), e));
    buf_put_str(out, "{}");
    return RC_OK;
}

/* ---- Info ---- */

static void set_hex(json_t *obj, const char *name, struct bytes data)
{
    AUTO_CLEAR(buf) struct buf text = {0};

    hex_put(&text, data);
    CHECK(json_object_set_new(obj, name, json_string(buf_cstr(&text))) == 0);
}

static void set_text(json_t *obj, const char *name, const char *text)
{
    CHECK(json_object_set_new(obj, name, json_string(text)) == 0);
}

static void set_common(const struct agent *a, json_t *obj, const struct agent_measures *m)
{
    set_hex(obj, "mr_aggregated", BYTES_OF(&m->aggregated));
    set_text(obj, "os_image_hash", "");
    set_hex(obj, "compose_hash", BYTES_OF(&a->compose_hash));
    set_hex(obj, "device_id", bytes_of(a->device_id, a->has_device_id ? 32 : 0));
}

static enum rc put_tcb_info(struct agent *a, struct buf *out, const struct agent_measures *m,
                            json_t *log, struct err *e)
{
    static const char *const names[] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};
    json_auto_t *obj = json_object();

    set_hex(obj, "mrtd", BYTES_OF(&m->mrtd));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        set_hex(obj, names[i], BYTES_OF(&m->rtmr[i]));
    set_common(a, obj, m);
    CHECK(json_object_set(obj, "event_log", log) == 0);
    if (json_object_set_new(obj, "app_compose", json_string(buf_cstr(&a->compose))) != 0)
        return err_set(e, RC_MALFORMED, "app-compose is not UTF-8");
    json_put(out, obj);
    return RC_OK;
}

/* The first event of this name: the boot's. */
static void set_instance_id(json_t *obj, const json_t *log)
{
    size_t i;
    json_t *item;

    json_array_foreach(log, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "event"));

        if (name != NULL && strcmp(name, "instance-id") == 0) {
            set_text(obj, "instance_id", json_string_value(json_object_get(item, "event_payload")));
            return;
        }
    }
    set_text(obj, "instance_id", "");
}

enum rc method_info(struct agent *a, struct buf *out, const struct agent_request *r, struct err *e)
{
    static const uint8_t nothing[64];
    AUTO_CLEAR(tee_evidence) struct tee_evidence v = {0};
    AUTO_CLEAR(buf) struct buf tcb = {0};
    json_auto_t *obj = json_object();
    json_auto_t *log = NULL;
    struct agent_measures m;

    (void)r;
    TRY(tee_evidence_get(a->tee, &v, nothing, e));
    TRY(agent_measures_read(&m, buf_bytes(&v.quote), e));
    TRY(agent_log_parse(&log, &v, e));
    TRY(put_tcb_info(a, &tcb, &m, log, e));
    set_hex(obj, "app_id", BYTES_OF(&a->app.id));
    set_instance_id(obj, log);
    set_text(obj, "app_cert", a->app_cert);
    set_text(obj, "tcb_info", buf_cstr(&tcb));
    set_text(obj, "app_name", a->app_name);
    set_common(a, obj, &m);
    CHECK(json_object_set_new(obj, "key_provider_info",
                              json_stringn((const char *)a->keys.provider.p, a->keys.provider.n)) ==
          0);
    set_text(obj, "vm_config", a->vm_config);
    set_text(obj, "cloud_vendor", a->vendor);
    set_text(obj, "cloud_product", tee_describe(a->tee));
    json_put(out, obj);
    return RC_OK;
}
