/* Reading the shared vectors: manifests, quotes, collateral. */
#pragma once

#include "attest/dcap.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "lib/t.h"

#include <jansson.h>

#include <stdio.h>

static inline json_t *vec_json(const char *path)
{
    struct bytes text = t_vector(path);
    json_error_t je;
    json_t *v = json_loadb((const char *)text.p, text.n, 0, &je);

    if (v == NULL)
        t_fail(__FILE__, __LINE__, "%s: %s", path, je.text);
    return v;
}

static inline const char *vec_str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s == NULL ? "" : s;
}

static inline struct bytes vec_file(const char *dir, const char *name, const char *file)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s/%s", dir, name, file);
    return t_vector(path);
}

/* The roots of a test: the vendors' own, or only the one of sim/. */
struct vec_roots {
    struct attest_roots roots;
    struct hash32 given;
};

static inline void vec_sim_roots(struct vec_roots *out)
{
    sha256(&out->given, t_vector("sim/root.der"));
    out->roots = (struct attest_roots){.given = &out->given, .n_given = 1};
}

static inline enum rc vec_verify(struct attest_verdict *v, const char *dir, const char *name,
                                 const struct attest_roots *roots, uint64_t now, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct bytes quote = vec_file(dir, name, "quote.bin");
    struct bytes json = vec_file(dir, name, "collateral.json");
    struct collateral c;

    CHECK_OK(collateral_parse(&c, json, &a, e), e);
    return dcap_verify_cold(v, quote, &c, roots, now, &a, e);
}
