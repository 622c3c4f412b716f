/* dstack's versioned attestation: one blob of quote, event log, report data and configuration. Job:
 * its two forms. Trust: the log is ours, read again as if it were not. Must not: judge what it
 * says. Source: dstack dstack-attest/src/attestation.rs and v1.rs, 0.6. */
#include "agent/internal/agent.h"
#include "attest/event.h"

#define EVENTS_LIMIT 4096
#define EVENT_TEXT_MAX 65536

enum rc agent_log_parse(json_t **out, const struct tee_evidence *v, struct err *e)
{
    TRY(json_parse(out, buf_bytes(&v->event_log), JSON_MAX_SIZE, e));
    if (!json_is_array(*out) || json_array_size(*out) > EVENTS_LIMIT)
        return err_set(e, RC_CORRUPT, "event log is no list of at most %d events", EVENTS_LIMIT);
    return RC_OK;
}

struct event {
    uint64_t imr, type, version;
    struct buf digest, payload;
    const char *name, *preimage; /* preimage may be NULL */
};

static void event_clear(struct event *v)
{
    buf_clear(&v->digest);
    buf_clear(&v->payload);
}

static enum rc read_event(struct event *v, const json_t *item, struct err *e)
{
    TRY(json_u64(&v->imr, item, "imr", 3, e));
    TRY(json_u64(&v->type, item, "event_type", UINT32_MAX, e));
    TRY(json_hex(&v->digest, item, "digest", 48, e));
    TRY(json_str(&v->name, item, "event", EVENT_TEXT_MAX, e));
    TRY(json_hex(&v->payload, item, "event_payload", EVENT_TEXT_MAX, e));
    TRY(json_u64_opt(&v->version, item, "version", EVENT_VERSION_MAX, 1, e));
    return json_str_opt(&v->preimage, item, "preimage", (size_t)4 * EVENT_TEXT_MAX, e);
}

static bool is_runtime(const struct event *v)
{
    return v->imr == 3 && v->type == EVENT_TYPE_RUNTIME;
}

/* One form of the blob's two lists: all of the log, then what the guest extended in RTMR3. */
struct form {
    void (*put_event)(struct buf *out, const struct event *v);
    void (*put_runtime)(struct buf *out, const struct event *v);
};

struct lists {
    struct buf events, runtime;
    size_t n_events, n_runtime;
};

static void lists_clear(struct lists *l)
{
    buf_clear(&l->events);
    buf_clear(&l->runtime);
}

static enum rc fill_lists(struct lists *l, const struct form *f, const json_t *log, struct err *e)
{
    size_t i;
    json_t *item;

    json_array_foreach(log, i, item)
    {
        AUTO_CLEAR(event) struct event v = {0};

        TRY(read_event(&v, item, e));
        f->put_event(&l->events, &v);
        l->n_events++;
        if (is_runtime(&v)) {
            f->put_runtime(&l->runtime, &v);
            l->n_runtime++;
        }
    }
    return RC_OK;
}

/* ---- V0: SCALE ---- */

static void scale_compact(struct buf *out, size_t n)
{
    if (n < 1u << 6) {
        buf_u8(out, (uint8_t)(n << 2));
    } else if (n < 1u << 14) {
        buf_u8(out, (uint8_t)(n << 2 | 1));
        buf_u8(out, (uint8_t)(n >> 6));
    } else {
        CHECK(n < 1u << 30);
        buf_u32le(out, (uint32_t)(n << 2 | 2));
    }
}

static void scale_bytes(struct buf *out, struct bytes b)
{
    scale_compact(out, b.n);
    buf_put_bytes(out, b);
}

static void scale_runtime(struct buf *out, const struct event *v)
{
    scale_bytes(out, bytes_str(v->name));
    scale_bytes(out, buf_bytes(&v->payload));
}

static void scale_event(struct buf *out, const struct event *v)
{
    buf_u32le(out, (uint32_t)v->imr);
    buf_u32le(out, (uint32_t)v->type);
    scale_bytes(out, buf_bytes(&v->digest));
    scale_runtime(out, v);
}

static enum rc put_v0(struct buf *out, const struct tee_evidence *v, const json_t *log,
                      const uint8_t report_data[64], const char *config, struct err *e)
{
    static const struct form form = {scale_event, scale_runtime};
    AUTO_CLEAR(lists) struct lists l = {0};

    TRY(fill_lists(&l, &form, log, e));
    buf_u8(out, 0); /* version 0 */
    buf_u8(out, 0); /* TDX */
    scale_bytes(out, buf_bytes(&v->quote));
    scale_compact(out, l.n_events);
    buf_put_bytes(out, buf_bytes(&l.events));
    scale_compact(out, l.n_runtime);
    buf_put_bytes(out, buf_bytes(&l.runtime));
    buf_put(out, report_data, 64);
    scale_bytes(out, bytes_str(config));
    return RC_OK;
}

/* ---- V1: MessagePack, each number, text and list in its shortest form ---- */

/* A head: the small form up to `small`, then with 8 bits (0: there is none), 16 or 32. */
static void pack_head(struct buf *out, uint64_t n, uint8_t fix, uint64_t small, uint8_t of8,
                      uint8_t of16)
{
    if (n <= small) {
        buf_u8(out, (uint8_t)(fix | n));
    } else if (of8 != 0 && n <= UINT8_MAX) {
        buf_u8(out, of8);
        buf_u8(out, (uint8_t)n);
    } else if (n <= UINT16_MAX) {
        buf_u8(out, of16);
        buf_u16be(out, (uint16_t)n);
    } else {
        CHECK(n <= UINT32_MAX);
        buf_u8(out, (uint8_t)(of16 + 1));
        buf_u32be(out, (uint32_t)n);
    }
}

static void pack_uint(struct buf *out, uint64_t v)
{
    pack_head(out, v, 0, 0x7f, 0xcc, 0xcd);
}

static void pack_map(struct buf *out, size_t n)
{
    pack_head(out, n, 0x80, 15, 0, 0xde);
}

static void pack_array(struct buf *out, size_t n)
{
    pack_head(out, n, 0x90, 15, 0, 0xdc);
}

static void pack_text(struct buf *out, const char *s)
{
    size_t n = strlen(s);

    pack_head(out, n, 0xa0, 31, 0xd9, 0xda);
    buf_put(out, s, n);
}

static void pack_bin(struct buf *out, struct bytes b)
{
    buf_u8(out, b.n <= UINT8_MAX ? 0xc4 : b.n <= UINT16_MAX ? 0xc5 : 0xc6);
    if (b.n <= UINT8_MAX)
        buf_u8(out, (uint8_t)b.n);
    else if (b.n <= UINT16_MAX)
        buf_u16be(out, (uint16_t)b.n);
    else
        buf_u32be(out, (uint32_t)b.n);
    buf_put_bytes(out, b);
}

/* As dstack writes quote and report data: a list of numbers. */
static void pack_numbers(struct buf *out, struct bytes b)
{
    pack_array(out, b.n);
    for (size_t i = 0; i < b.n; i++)
        pack_uint(out, b.p[i]);
}

static void pack_version(struct buf *out, const struct event *v)
{
    if (v->version != 1) {
        pack_text(out, "version");
        pack_uint(out, v->version);
    }
}

static void pack_runtime(struct buf *out, const struct event *v)
{
    pack_map(out, v->version != 1 ? 3 : 2);
    pack_text(out, "event");
    pack_text(out, v->name);
    pack_text(out, "payload");
    pack_bin(out, buf_bytes(&v->payload));
    pack_version(out, v);
}

static void pack_event(struct buf *out, const struct event *v)
{
    pack_map(out, (size_t)5 + (v->version != 1) + (v->preimage != NULL));
    pack_text(out, "imr");
    pack_uint(out, v->imr);
    pack_text(out, "event_type");
    pack_uint(out, v->type);
    pack_text(out, "digest");
    pack_bin(out, buf_bytes(&v->digest));
    pack_text(out, "event");
    pack_text(out, v->name);
    pack_text(out, "event_payload");
    pack_bin(out, buf_bytes(&v->payload));
    pack_version(out, v);
    if (v->preimage != NULL) {
        pack_text(out, "preimage");
        pack_text(out, v->preimage);
    }
}

static void pack_kind(struct buf *out, const char *name, const char *kind)
{
    pack_text(out, name);
    pack_map(out, 2);
    pack_text(out, "kind");
    pack_text(out, kind);
    pack_text(out, "data");
}

static enum rc put_v1(struct buf *out, const struct tee_evidence *v, const json_t *log,
                      const uint8_t report_data[64], const char *config, struct err *e)
{
    static const struct form form = {pack_event, pack_runtime};
    AUTO_CLEAR(lists) struct lists l = {0};

    TRY(fill_lists(&l, &form, log, e));
    pack_map(out, 3);
    pack_text(out, "version");
    pack_uint(out, 1);
    pack_kind(out, "platform", "tdx");
    pack_map(out, 2);
    pack_text(out, "quote");
    pack_numbers(out, buf_bytes(&v->quote));
    pack_text(out, "event_log");
    pack_array(out, l.n_events);
    buf_put_bytes(out, buf_bytes(&l.events));
    pack_kind(out, "stack", "dstack");
    pack_map(out, 3);
    pack_text(out, "report_data");
    pack_numbers(out, bytes_of(report_data, 64));
    pack_text(out, "runtime_events");
    pack_array(out, l.n_runtime);
    buf_put_bytes(out, buf_bytes(&l.runtime));
    pack_text(out, "config");
    pack_text(out, config);
    return RC_OK;
}

/* ---- which one ---- */

static bool has_version_2(const json_t *log)
{
    size_t i;
    json_t *item;

    json_array_foreach(log, i, item)
    {
        if (json_integer_value(json_object_get(item, "version")) == 2)
            return true;
    }
    return false;
}

enum rc agent_attestation(struct buf *out, const struct tee_evidence *v,
                          const uint8_t report_data[64], const char *config, struct err *e)
{
    json_auto_t *log = NULL;

    TRY(agent_log_parse(&log, v, e));
    return has_version_2(log) ? put_v1(out, v, log, report_data, config, e)
                              : put_v0(out, v, log, report_data, config, e);
}
