/* Arguments of calls. Job: one table per method, whatever the form. Trust: all of it is hostile.
 * Must not: know what a call does. */
#include "agent/internal/request.h"

#include "agent/agent.h"
#include "base/hex.h"
#include "codec/json.h"

#define QUERY_MAX ((size_t)32 << 10)

enum field_kind { FIELD_TEXT, FIELD_HEX, FIELD_BOOL, FIELD_U64, FIELD_NAMES };

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;
    size_t max; /* bytes */
};

#define F(field_name, field_kind, field_max)                                                       \
    {#field_name, field_kind, offsetof(struct agent_request, field_name), field_max}
static const struct field KEY[] = {F(path, FIELD_TEXT, REQUEST_TEXT_MAX),
                                   F(purpose, FIELD_TEXT, REQUEST_TEXT_MAX),
                                   F(algorithm, FIELD_TEXT, REQUEST_ALGORITHM_MAX),
                                   {0}};
static const struct field TLS_KEY[] = {F(subject, FIELD_TEXT, REQUEST_TEXT_MAX),
                                       {"alt_names", FIELD_NAMES, 0, REQUEST_TEXT_MAX},
                                       F(usage_ra_tls, FIELD_BOOL, 0),
                                       F(usage_server_auth, FIELD_BOOL, 0),
                                       F(usage_client_auth, FIELD_BOOL, 0),
                                       F(not_before, FIELD_U64, 0),
                                       F(not_after, FIELD_U64, 0),
                                       F(with_app_info, FIELD_BOOL, 0),
                                       {0}};
static const struct field DERIVE_KEY[] = {F(path, FIELD_TEXT, REQUEST_TEXT_MAX),
                                          F(subject, FIELD_TEXT, REQUEST_TEXT_MAX),
                                          {"alt_names", FIELD_NAMES, 0, REQUEST_TEXT_MAX},
                                          F(usage_ra_tls, FIELD_BOOL, 0),
                                          F(usage_server_auth, FIELD_BOOL, 0),
                                          F(usage_client_auth, FIELD_BOOL, 0),
                                          F(random_seed, FIELD_BOOL, 0),
                                          {0}};
static const struct field QUOTE[] = {F(report_data, FIELD_HEX, 64), {0}};
static const struct field TDX_QUOTE[] = {F(report_data, FIELD_HEX, AGENT_BODY_MAX),
                                         F(hash_algorithm, FIELD_TEXT, REQUEST_ALGORITHM_MAX),
                                         F(prefix, FIELD_TEXT, REQUEST_TEXT_MAX),
                                         {0}};
static const struct field SIGN[] = {
    F(algorithm, FIELD_TEXT, REQUEST_ALGORITHM_MAX), F(data, FIELD_HEX, AGENT_BODY_MAX), {0}};
static const struct field VERIFY[] = {F(algorithm, FIELD_TEXT, REQUEST_ALGORITHM_MAX),
                                      F(data, FIELD_HEX, AGENT_BODY_MAX),
                                      F(signature, FIELD_HEX, 65),
                                      F(public_key, FIELD_HEX, 65),
                                      {0}};
static const struct field EVENT[] = {
    F(event, FIELD_TEXT, REQUEST_TEXT_MAX), F(payload, FIELD_HEX, AGENT_BODY_MAX), {0}};
static const struct field NOTHING[] = {{0}};
#undef F

static const struct {
    bool is_tappd;
    const char *name;
    const struct field *fields;
} METHODS[N_METHODS] = {
    [METHOD_GET_KEY] = {false, "GetKey", KEY},
    [METHOD_GET_TLS_KEY] = {false, "GetTlsKey", TLS_KEY},
    [METHOD_GET_QUOTE] = {false, "GetQuote", QUOTE},
    [METHOD_ATTEST] = {false, "Attest", QUOTE},
    [METHOD_INFO] = {false, "Info", NOTHING},
    [METHOD_SIGN] = {false, "Sign", SIGN},
    [METHOD_VERIFY] = {false, "Verify", VERIFY},
    [METHOD_VERSION] = {false, "Version", NOTHING},
    [METHOD_EMIT_EVENT] = {false, "EmitEvent", EVENT},
    [METHOD_GPU_INFO] = {false, "GpuInfo", NOTHING},
    [METHOD_TAPPD_DERIVE_KEY] = {true, "DeriveKey", DERIVE_KEY},
    [METHOD_TAPPD_DERIVE_K256_KEY] = {true, "DeriveK256Key", KEY},
    [METHOD_TAPPD_TDX_QUOTE] = {true, "TdxQuote", TDX_QUOTE},
    [METHOD_TAPPD_RAW_QUOTE] = {true, "RawQuote", QUOTE},
    [METHOD_TAPPD_INFO] = {true, "Info", NOTHING},
    [METHOD_TAPPD_VERSION] = {true, "Version", NOTHING},
};

const char *agent_method_name(enum agent_method m)
{
    return METHODS[m].name;
}

bool agent_method_is_tappd(enum agent_method m)
{
    return METHODS[m].is_tappd;
}

enum rc agent_method_find(enum agent_method *out, const char *path, struct err *e)
{
    static const char tappd[] = "Tappd.", guest[] = "DstackGuest.", prpc[] = "/prpc/";
    const char *name = path[0] == '/' ? path + 1 : path;
    bool is_tappd = false;

    if (strncmp(path, prpc, sizeof(prpc) - 1) == 0) {
        name = path + sizeof(prpc) - 1;
        is_tappd = strncmp(name, tappd, sizeof(tappd) - 1) == 0;
        if (is_tappd)
            name += sizeof(tappd) - 1;
        else if (strncmp(name, guest, sizeof(guest) - 1) == 0)
            name += sizeof(guest) - 1;
    }
    for (size_t i = 0; i < N_METHODS; i++)
        if (METHODS[i].is_tappd == is_tappd && strcmp(METHODS[i].name, name) == 0) {
            *out = (enum agent_method)i;
            return RC_OK;
        }
    return err_set(e, RC_NOTFOUND, "no method '%.80s'", path);
}

void agent_request_clear(struct agent_request *r)
{
    free(r->path);
    free(r->purpose);
    free(r->algorithm);
    free(r->subject);
    free(r->hash_algorithm);
    free(r->prefix);
    free(r->event);
    for (size_t i = 0; i < r->names_n; i++)
        free(r->names[i]);
    buf_clear(&r->report_data);
    buf_clear(&r->data);
    buf_clear(&r->signature);
    buf_clear(&r->public_key);
    buf_clear(&r->payload);
    *r = (struct agent_request){0};
}

/* ---- fields ---- */

/* Queries have texts only. */
static enum rc take_bool(bool *out, const json_t *obj, const char *name, struct err *e)
{
    const json_t *v = json_object_get(obj, name);
    const char *text = json_string_value(v);

    if (text == NULL)
        return json_bool_opt(out, obj, name, false, e);
    *out = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    if (*out || text[0] == '\0' || strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
        return RC_OK;
    return err_set(e, RC_MALFORMED, "%s: '%.40s' is neither true nor false", name, text);
}

static enum rc add_name(struct agent_request *r, const json_t *v, struct err *e)
{
    const char *text = json_string_value(v);

    if (text == NULL || strlen(text) > REQUEST_TEXT_MAX)
        return err_set(e, RC_MALFORMED, "alt_names: give texts of at most %d bytes",
                       REQUEST_TEXT_MAX);
    if (r->names_n == REQUEST_NAMES_MAX)
        return err_set(e, RC_LIMIT, "alt_names: more than %d", REQUEST_NAMES_MAX);
    r->names[r->names_n++] = xstrdup(text);
    return RC_OK;
}

static enum rc take_names(struct agent_request *r, const json_t *obj, const char *name,
                          struct err *e)
{
    json_t *v = json_object_get(obj, name), *item;
    size_t i;

    if (v == NULL || json_is_null(v))
        return RC_OK;
    if (json_is_string(v))
        return add_name(r, v, e);
    if (!json_is_array(v))
        return err_set(e, RC_MALFORMED, "alt_names: not a list");
    json_array_foreach(v, i, item)
    {
        TRY(add_name(r, item, e));
    }
    return RC_OK;
}

static enum rc take_text(char **out, const json_t *obj, const struct field *f, struct err *e)
{
    const char *text = NULL;

    TRY(json_str_opt(&text, obj, f->name, f->max, e));
    if (text != NULL) {
        free(*out);
        *out = xstrdup(text);
    }
    return RC_OK;
}

static enum rc take_hex(struct buf *out, const json_t *obj, const struct field *f, struct err *e)
{
    const json_t *v = json_object_get(obj, f->name);

    if (v == NULL || json_is_null(v))
        return RC_OK;
    return json_hex(out, obj, f->name, f->max, e);
}

static enum rc take(struct agent_request *r, const json_t *obj, const struct field *f,
                    struct err *e)
{
    void *at = (uint8_t *)r + f->offset;

    switch (f->kind) {
    case FIELD_TEXT:
        return take_text(at, obj, f, e);
    case FIELD_HEX:
        return take_hex(at, obj, f, e);
    case FIELD_BOOL:
        return take_bool(at, obj, f->name, e);
    case FIELD_U64:
        /* dates of certificates: up to the year 9999 */
        return json_u64_opt(at, obj, f->name, UINT64_C(253402300799), 0, e);
    case FIELD_NAMES:
        return take_names(r, obj, f->name, e);
    }
    CHECK(false);
    return RC_OK;
}

static enum rc take_all(struct agent_request *r, enum agent_method m, const json_t *obj,
                        struct err *e)
{
    char **const texts[] = {&r->path,           &r->purpose, &r->algorithm, &r->subject,
                            &r->hash_algorithm, &r->prefix,  &r->event};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = xstrdup("");
    for (const struct field *f = METHODS[m].fields; f->name != NULL; f++)
        TRY(take(r, obj, f, e));
    return RC_OK;
}

enum rc agent_request_json(struct agent_request *out, enum agent_method m, struct bytes body,
                           struct err *e)
{
    json_auto_t *v = NULL;

    /* an empty body is protobuf's and dstack's empty message */
    if (body.n == 0)
        v = json_object();
    else
        TRY(json_parse(&v, body, AGENT_BODY_MAX, e));
    if (!json_is_object(v))
        return err_set(e, RC_MALFORMED, "arguments are not a JSON object");
    return take_all(out, m, v, e);
}

/* ---- query ---- */

static enum rc decode(struct buf *out, const char *p, size_t n, struct err *e)
{
    buf_reset(out);
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)p[i];

        if (c == '+')
            c = ' ';
        if (c == '%') {
            if (n - i < 3 || hex_decode_fixed(&c, 1, bytes_of(p + i + 1, 2), NULL) != RC_OK)
                return err_set(e, RC_MALFORMED, "query: bad escape at byte %zu", i);
            i += 2;
        }
        if (c == 0)
            return err_set(e, RC_MALFORMED, "query: zero byte");
        buf_u8(out, c);
    }
    return RC_OK;
}

static enum rc add_pair(json_t *obj, const char *p, size_t n, struct err *e)
{
    AUTO_CLEAR(buf) struct buf name = {0}, value = {0};
    const char *eq = memchr(p, '=', n);
    size_t name_n = eq != NULL ? (size_t)(eq - p) : n;
    json_t *text, *list;

    TRY(decode(&name, p, name_n, e));
    if (eq != NULL)
        TRY(decode(&value, eq + 1, n - name_n - 1, e));
    text = json_stringn((const char *)buf_cstr(&value), value.n);
    if (text == NULL)
        return err_set(e, RC_MALFORMED, "query: not UTF-8");
    if (strcmp(buf_cstr(&name), "alt_names") == 0) {
        list = json_object_get(obj, "alt_names");
        if (list == NULL) {
            list = json_array();
            CHECK(json_object_set_new(obj, "alt_names", list) == 0);
        }
        CHECK(json_array_append_new(list, text) == 0);
        return RC_OK;
    }
    /* the first counts; a name that is not UTF-8 names nothing */
    if (json_object_get(obj, buf_cstr(&name)) != NULL ||
        json_object_set(obj, buf_cstr(&name), text) != 0) {
        json_decref(text);
        return RC_OK;
    }
    json_decref(text);
    return RC_OK;
}

enum rc agent_request_query(struct agent_request *out, enum agent_method m, const char *query,
                            struct err *e)
{
    json_auto_t *obj = json_object();
    const char *p = query;

    if (strlen(query) > QUERY_MAX)
        return err_set(e, RC_LIMIT, "query of %zu bytes, at most %zu", strlen(query), QUERY_MAX);
    while (*p != '\0') {
        size_t n = strcspn(p, "&");

        if (n != 0)
            TRY(add_pair(obj, p, n, e));
        p += n;
        if (*p == '&')
            p++;
    }
    return take_all(out, m, obj, e);
}
