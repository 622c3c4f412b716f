/* From the archive's members to the plan: which layers in which order, and what to run.
 * docker save: manifest.json [{Config, Layers}]. OCI layout: index.json -> manifest -> config. */
#include "base/hex.h"
#include "base/mem.h"
#include "jail/internal/unpack.h"
#include "jail/jail.h"

#include <limits.h>

#define MAX_TEXT 65536
#define MAX_MANIFESTS 64
#define MAX_INDEX_DEPTH 3

#if defined(__x86_64__)
#define OUR_ARCHITECTURE "amd64"
#elif defined(__aarch64__)
#define OUR_ARCHITECTURE "arm64"
#endif

void plan_clear(struct plan *p)
{
    json_decref(p->config);
    memset(p, 0, sizeof(*p));
}

static enum rc add_layer(struct plan *p, const struct blob *blob, struct err *e)
{
    if (p->n_layers == UNPACK_MAX_LAYERS)
        return err_set(e, RC_LIMIT, "image: more than %d layers", UNPACK_MAX_LAYERS);
    p->layers[p->n_layers++] = blob;
    return RC_OK;
}

/* Old archives name the configuration by its digest: "<hex>.json"; new ones "blobs/sha256/<hex>".
 */
static enum rc check_named_digest(const struct blob *blob, struct err *e)
{
    const char *slash = strrchr(blob->name, '/');
    const char *base = slash != NULL ? slash + 1 : blob->name;
    struct hash32 want;

    if (strlen(base) < 64 ||
        hex_decode_fixed(want.b, sizeof(want.b), bytes_of(base, 64), NULL) != RC_OK)
        return err_set(e, RC_MALFORMED, "image: '%.100s' is not named by its digest", blob->name);
    if (!hash32_eq(&want, &blob->sha256))
        return err_set(e, RC_DENIED, "image: '%.100s' has other content than its name says",
                       blob->name);
    return RC_OK;
}

static enum rc read_docker(struct plan *p, const struct blobs *b, const struct blob *manifest,
                           struct err *e)
{
    json_auto_t *root = NULL;
    const json_t *one;
    json_t *layers;
    const struct blob *blob;
    const char *name;

    TRY(blob_json(&root, b, manifest, e));
    if (!json_is_array(root) || json_array_size(root) != 1)
        return err_set(e, RC_UNSUPPORTED, "image: manifest.json names %zu images, not one",
                       json_array_size(root));
    one = json_array_get(root, 0);
    TRY(json_str(&name, one, "Config", PATH_MAX, e));
    TRY(blobs_get(&blob, b, name, e));
    TRY(check_named_digest(blob, e));
    p->config_sha256 = blob->sha256;
    TRY(blob_json(&p->config, b, blob, e));
    TRY(json_arr(&layers, one, "Layers", UNPACK_MAX_LAYERS, e));
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *v = json_array_get(layers, i);

        if (!json_is_string(v))
            return err_set(e, RC_MALFORMED, "image: manifest.json: layer %zu is not a text", i);
        TRY(blobs_get(&blob, b, json_string_value(v), e));
        TRY(add_layer(p, blob, e));
    }
    return RC_OK;
}

static enum rc get_descriptor(const struct blob **out, const struct blobs *b, const json_t *desc,
                              struct err *e)
{
    const char *digest;
    uint64_t size;

    TRY(json_str(&digest, desc, "digest", 128, e));
    TRY(json_u64(&size, desc, "size", UINT64_MAX >> 1, e));
    TRY(blobs_get_digest(out, b, digest, e));
    if ((*out)->size != size)
        return err_set(e, RC_MALFORMED, "image: %s has %llu bytes, its descriptor says %llu",
                       digest, (unsigned long long)(*out)->size, (unsigned long long)size);
    return RC_OK;
}

static enum rc read_oci_manifest(struct plan *p, const struct blobs *b, const json_t *root,
                                 struct err *e)
{
    json_t *desc, *layers;
    const struct blob *blob;
    const char *type;

    TRY(json_obj(&desc, root, "config", e));
    TRY(get_descriptor(&blob, b, desc, e));
    p->config_sha256 = blob->sha256;
    TRY(blob_json(&p->config, b, blob, e));
    TRY(json_arr(&layers, root, "layers", UNPACK_MAX_LAYERS, e));
    for (size_t i = 0; i < json_array_size(layers); i++) {
        desc = json_array_get(layers, i);
        TRY(json_str(&type, desc, "mediaType", 256, e));
        if (strstr(type, "zstd") != NULL || strstr(type, "tar") == NULL)
            return err_set(e, RC_UNSUPPORTED,
                           "image: layer of type '%.100s' (tar and tar+gzip are read)", type);
        TRY(get_descriptor(&blob, b, desc, e));
        TRY(add_layer(p, blob, e));
    }
    return RC_OK;
}

static bool is_for_us(const json_t *desc)
{
    const json_t *platform = json_object_get(desc, "platform");
    const char *os = NULL, *arch = NULL;

    if (platform == NULL)
        return true;
    return json_str_opt(&os, platform, "os", 64, NULL) == RC_OK &&
           json_str_opt(&arch, platform, "architecture", 64, NULL) == RC_OK && os != NULL &&
           arch != NULL && strcmp(os, "linux") == 0 && strcmp(arch, OUR_ARCHITECTURE) == 0;
}

static enum rc read_oci_index(struct plan *p, const struct blobs *b, const json_t *root,
                              unsigned depth, struct err *e)
{
    json_t *list;
    json_auto_t *next = NULL;
    const json_t *chosen = NULL;
    const struct blob *blob;

    if (depth > MAX_INDEX_DEPTH)
        return err_set(e, RC_LIMIT, "image: indexes nested deeper than %d", MAX_INDEX_DEPTH);
    TRY(json_arr(&list, root, "manifests", MAX_MANIFESTS, e));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *desc = json_array_get(list, i);

        if (!is_for_us(desc))
            continue;
        if (chosen != NULL)
            return err_set(e, RC_UNSUPPORTED, "image: the index names more than one image");
        chosen = desc;
    }
    if (chosen == NULL)
        return err_set(e, RC_UNSUPPORTED, "image: none for linux/" OUR_ARCHITECTURE);
    TRY(get_descriptor(&blob, b, chosen, e));
    TRY(blob_json(&next, b, blob, e));
    if (json_object_get(next, "manifests") != NULL)
        return read_oci_index(p, b, next, depth + 1, e);
    return read_oci_manifest(p, b, next, e);
}

static enum rc read_config(struct plan *p, struct err *e)
{
    const char *os, *arch;
    json_t *rootfs, *ids;

    TRY(json_str(&os, p->config, "os", 64, e));
    TRY(json_str(&arch, p->config, "architecture", 64, e));
    if (strcmp(os, "linux") != 0 || strcmp(arch, OUR_ARCHITECTURE) != 0)
        return err_set(e, RC_UNSUPPORTED, "image: is for %s/%s, this machine is linux/%s", os, arch,
                       OUR_ARCHITECTURE);
    TRY(json_obj(&rootfs, p->config, "rootfs", e));
    TRY(json_arr(&ids, rootfs, "diff_ids", UNPACK_MAX_LAYERS, e));
    if (json_array_size(ids) != p->n_layers || p->n_layers == 0)
        return err_set(e, RC_MALFORMED, "image: %zu layers but %zu diff_ids", p->n_layers,
                       json_array_size(ids));
    for (size_t i = 0; i < p->n_layers; i++) {
        const json_t *v = json_array_get(ids, i);

        if (!json_is_string(v))
            return err_set(e, RC_MALFORMED, "image: diff_id %zu is not a text", i);
        TRY(digest_parse(&p->diff_ids[i], json_string_value(v), e));
    }
    return RC_OK;
}

enum rc plan_read(struct plan *out, const struct blobs *b, struct err *e)
{
    json_auto_t *index = NULL;
    const struct blob *blob;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    if (blobs_get(&blob, b, "manifest.json", NULL) == RC_OK) {
        rc = read_docker(out, b, blob, e);
    } else if (blobs_get(&blob, b, "index.json", NULL) == RC_OK) {
        rc = blob_json(&index, b, blob, e);
        if (rc == RC_OK)
            rc = read_oci_index(out, b, index, 0, e);
    } else {
        rc = err_set(e, RC_MALFORMED,
                     "image: neither manifest.json (docker save) nor index.json (OCI layout)");
    }
    if (rc == RC_OK)
        rc = read_config(out, e);
    if (rc != RC_OK)
        plan_clear(out);
    return rc;
}

/* Append the texts of obj[key], which may be absent or null, to a NULL-terminated list. */
static enum rc append_texts(char **list, size_t *n, size_t max, const json_t *obj, const char *key,
                            struct err *e)
{
    const json_t *arr = json_object_get(obj, key);

    if (arr == NULL || json_is_null(arr))
        return RC_OK;
    if (!json_is_array(arr) || json_array_size(arr) > max - *n)
        return err_set(e, RC_MALFORMED, "image: %s is no list of at most %zu texts", key, max - *n);
    for (size_t i = 0; i < json_array_size(arr); i++) {
        const json_t *v = json_array_get(arr, i);

        if (!json_is_string(v) || json_string_length(v) > MAX_TEXT)
            return err_set(e, RC_MALFORMED, "image: %s[%zu] is no text of at most %d bytes", key, i,
                           MAX_TEXT);
        list[(*n)++] = xstrdup(json_string_value(v));
    }
    return RC_OK;
}

enum rc plan_image(struct image *out, const struct plan *p, struct err *e)
{
    static const char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const json_t *c = json_object_get(p->config, "config");
    const char *cwd = NULL;
    size_t n_argv = 0, n_env = 0;
    bool has_path = false;
    char hex[65];

    out->argv = xcalloc(JAIL_MAX_ARGS + 1, sizeof(char *));
    out->env = xcalloc(JAIL_MAX_ENV / 2 + 2, sizeof(char *));
    hex_encode(hex, BYTES_OF(&p->config_sha256));
    out->digest = xasprintf("sha256:%s", hex);
    TRY(append_texts(out->argv, &n_argv, JAIL_MAX_ARGS, c, "Entrypoint", e));
    TRY(append_texts(out->argv, &n_argv, JAIL_MAX_ARGS, c, "Cmd", e));
    TRY(append_texts(out->env, &n_env, JAIL_MAX_ENV / 2, c, "Env", e));
    for (size_t i = 0; i < n_env; i++)
        has_path = has_path || strncmp(out->env[i], "PATH=", 5) == 0;
    if (!has_path)
        out->env[n_env++] = xstrdup(path);
    if (c != NULL)
        TRY(json_str_opt(&cwd, c, "WorkingDir", PATH_MAX, e));
    if (cwd != NULL && cwd[0] != '\0' && cwd[0] != '/')
        return err_set(e, RC_MALFORMED, "image: working folder '%.100s' is not absolute", cwd);
    out->cwd = xstrdup(cwd == NULL || cwd[0] == '\0' ? "/" : cwd);
    return RC_OK;
}
