#include "cluster/internal/text.h"

#include "base/hex.h"

void text_put_hex(struct buf *b, const char *name, struct bytes v)
{
    buf_printf(b, "\"%s\":\"", name);
    hex_put_0x(b, v);
    buf_put_str(b, "\"");
}

void text_put_num(struct buf *b, const char *name, uint64_t v)
{
    buf_printf(b, "\"%s\":%llu", name, (unsigned long long)v);
}

enum rc text_hex(struct bytes *out, const json_t *v, const char *key, size_t max, struct arena *a,
                 struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    TRY(json_hex(&b, v, key, max, e));
    *out = arena_dup(a, buf_bytes(&b));
    return RC_OK;
}

enum rc text_check_keys(const json_t *v, const char *const *keys, size_t n_keys, const char *what,
                        struct err *e)
{
    enum rc rc = json_is_object(v) ? json_only_keys(v, keys, n_keys, e)
                                   : err_set(e, RC_MALFORMED, "not an object");

    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "%s", what);
}

enum rc text_parse(json_t **out, struct bytes json, size_t max, const char *const *keys,
                   size_t n_keys, const char *what, struct err *e)
{
    enum rc rc = json_parse(out, json, max, e);

    return rc == RC_OK ? text_check_keys(*out, keys, n_keys, what, e) : err_wrap(e, rc, "%s", what);
}

enum rc text_malformed(enum rc rc, const char *what, struct err *e)
{
    if (rc == RC_OK)
        return RC_OK;
    return err_wrap(e, rc == RC_LIMIT ? RC_LIMIT : RC_MALFORMED, "%s", what);
}

enum rc text_worker_error(const json_t *v, struct err *e)
{
    static const enum rc codes[] = {RC_AGAIN, RC_NOTFOUND, RC_DENIED, RC_MALFORMED, RC_LIMIT};
    const char *code = NULL, *message = NULL;

    if (json_str(&code, v, "code", 32, e) != RC_OK ||
        json_str(&message, v, "message", 512, e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "reply");
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (strcmp(code, rc_name(codes[i])) == 0)
            return err_set(e, codes[i], "worker: %s", message);
    return err_set(e, RC_IO, "worker: %s: %s", code, message);
}
