/* Error texts here name fields, never their content: what a validator writes may be the file it was
 * given, and errors are logged and sent. */
#include "worker/proof/results.h"

#include "base/mem.h"
#include "worker/proof/container.h"

#include <math.h>

/* Absent means 0. NaN and infinity are not JSON; a huge number becomes infinite or fails to parse.
 */
static enum rc take_part(unsigned *out, const json_t *o, const char *key, struct err *e)
{
    const json_t *v = json_object_get(o, key);
    double d;

    *out = 0;
    if (v == NULL || json_is_null(v))
        return RC_OK;
    if (!json_is_number(v))
        return err_set(e, RC_MALFORMED, "results.json: %s is not a number", key);
    d = json_number_value(v);
    if (!isfinite(d) || d < 0.0 || d > 1.0)
        return err_set(e, RC_RANGE, "results.json: %s is not between 0 and 1", key);
    /* Down to a thousandth; the small term takes back the binary rounding of e.g. 0.29. */
    *out = (unsigned)(d * RESULTS_SCALE + 1e-9);
    return RC_OK;
}

static enum rc take_object(json_t **out, const json_t *o, const char *key, struct err *e)
{
    json_t *v = json_object_get(o, key);

    if (v == NULL || json_is_null(v)) {
        *out = json_object();
        return RC_OK;
    }
    if (!json_is_object(v))
        return err_set(e, RC_MALFORMED, "results.json: %s is not an object", key);
    *out = json_incref(v);
    return RC_OK;
}

static enum rc take(struct results *r, const json_t *o, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};

    if (!json_is_object(o))
        return err_set(e, RC_MALFORMED, "results.json is not an object");
    if (!json_is_integer(json_object_get(o, "dlp_id")) ||
        json_u64(&r->dlp_id, o, "dlp_id", UINT64_MAX >> 1, NULL) != RC_OK)
        return err_set(e, RC_MALFORMED, "results.json: dlp_id is missing or no pool's number");
    if (json_bool_opt(&r->valid, o, "valid", false, NULL) != RC_OK)
        return err_set(e, RC_MALFORMED, "results.json: valid is neither true nor false");
    TRY(take_part(&r->score, o, "score", e));
    TRY(take_part(&r->authenticity, o, "authenticity", e));
    TRY(take_part(&r->ownership, o, "ownership", e));
    TRY(take_part(&r->quality, o, "quality", e));
    TRY(take_part(&r->uniqueness, o, "uniqueness", e));
    TRY(take_object(&r->attributes, o, "attributes", e));
    TRY(take_object(&r->metadata, o, "metadata", e));
    json_python_dumps(&text, r->attributes);
    json_python_dumps(&text, r->metadata);
    if (text.n > RESULTS_MAX_PUBLIC_SIZE)
        return err_set(e, RC_LIMIT,
                       "results.json: metadata and attributes have %zu bytes, the limit is %d",
                       text.n, RESULTS_MAX_PUBLIC_SIZE);
    return RC_OK;
}

enum rc results_parse(struct results *out, struct bytes text, struct err *e)
{
    json_auto_t *o = NULL;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = json_parse(&o, text, VALIDATOR_MAX_RESULTS_SIZE, NULL);
    if (rc != RC_OK)
        return err_set(e, rc, "results.json is not JSON");
    rc = take(out, o, e);
    if (rc != RC_OK)
        results_clear(out);
    return rc;
}

void results_clear(struct results *r)
{
    json_decref(r->attributes);
    json_decref(r->metadata);
    memset(r, 0, sizeof(*r));
}

struct u256 results_score_wei(unsigned thousandths)
{
    return u256_from_u64((uint64_t)thousandths * (1000000000000000000ull / RESULTS_SCALE));
}
