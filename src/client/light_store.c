/* What a light client keeps on disk: the newest trusted block, with the root it follows from. */
#include "chain/commit.h"
#include "client/internal/light.h"
#include "crypto/hash.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#define STORE_VERSION 1
#define STORE_MAX ((size_t)16 << 20)

enum rc light_root_from_genesis(struct light_root *out, struct arena *a, struct bytes json,
                                struct err *e)
{
    json_auto_t *v = NULL;
    const char *name, *engine;
    struct validator *list;
    json_t *validators;
    uint64_t time;

    *out = (struct light_root){0};
    TRY(json_parse(&v, json, (size_t)4 << 20, e));
    TRY(json_str(&name, v, "chain_name", CHAIN_ID_MAX, e));
    TRY(json_str(&engine, v, "engine", 16, e));
    TRY(json_u64(&out->chain_id, v, "chain_id", UINT64_MAX, e));
    TRY(json_u64(&time, v, "time", INT64_MAX, e));
    TRY(json_u64_opt(&out->initial_height, v, "initial_height", INT64_MAX, 1, e));
    TRY(json_arr(&validators, v, "validators", VALIDATORS_MAX, e));
    out->validators.n = json_array_size(validators);
    out->validators.v = list = arena_array(a, out->validators.n + 1, sizeof(*list));
    for (size_t i = 0; i < out->validators.n; i++) {
        const json_t *item = json_array_get(validators, i);

        TRY(json_hex_fixed(list[i].pub_key, sizeof(list[i].pub_key), item, "pub_key", e));
        TRY(json_u64(&list[i].power, item, "power", INT64_MAX, e));
    }
    memcpy(out->chain_name, name, strlen(name) + 1);
    out->time.s = (int64_t)time;
    out->solo = strcmp(engine, "solo") == 0;
    return RC_OK;
}

void light_root_hash(struct hash32 *out, const struct light_root *r)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    buf_put_str(&b, "cloister/light-root/v1");
    buf_u8(&b, (uint8_t)strlen(r->chain_name));
    buf_put_str(&b, r->chain_name);
    buf_u64be(&b, r->checkpoint_height);
    if (r->checkpoint_height != 0) {
        buf_put_bytes(&b, BYTES_OF(&r->checkpoint_hash));
    } else {
        struct validator_set set = {xmemdup(r->validators.v, r->validators.n * sizeof(*set.v)),
                                    r->validators.n};
        struct hash32 hash;

        validator_set_sort(&set);
        validator_set_hash(&hash, &set);
        free(set.v);
        buf_u64be(&b, r->initial_height);
        buf_u64be(&b, (uint64_t)r->time.s);
        buf_put_bytes(&b, BYTES_OF(&hash));
    }
    sha256(out, buf_bytes(&b));
}

static enum rc parse(struct light_block *out, struct arena *a, const char *path,
                     const struct hash32 *root, struct bytes text, struct err *e)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    json_auto_t *v = NULL;
    struct hash32 got;
    uint64_t version;

    TRY(json_parse(&v, text, STORE_MAX, e));
    TRY(json_u64(&version, v, "version", UINT64_MAX, e));
    if (version != STORE_VERSION)
        return err_set(e, RC_UNSUPPORTED, "version %llu, this program knows %d",
                       (unsigned long long)version, STORE_VERSION);
    TRY(json_hex_fixed(got.b, sizeof(got.b), v, "root", e));
    if (!hash32_eq(&got, root))
        return err_set(e, RC_DENIED,
                       "it follows from another genesis or checkpoint; remove it to begin again "
                       "from the one given now (%s)",
                       path);
    TRY(json_hex(&raw, v, "block", LIGHT_BLOCK_MAX_SIZE, e));
    TRY(light_block_decode(out, a, buf_bytes(&raw), e));
    if (light_block_check(out, e) != RC_OK)
        return RC_MALFORMED;
    if (out->next_validators.n == 0)
        return err_set(e, RC_MALFORMED, "no next validators");
    return RC_OK;
}

enum rc light_store_read(struct light_block *out, struct arena *a, const char *path,
                         const struct hash32 *root, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    enum rc rc;

    TRY(file_read(&text, path, STORE_MAX, e));
    rc = parse(out, a, path, root, buf_bytes(&text), e);
    if (rc == RC_OK)
        return RC_OK;
    return err_wrap(e, rc == RC_DENIED || rc == RC_UNSUPPORTED ? rc : RC_CORRUPT,
                    "trusted block in %s", path);
}

/* Two processes may keep one file: the higher block stays. */
enum rc light_store_write(const struct light_block *b, const char *path, const struct hash32 *root,
                          struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf raw = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    AUTO_FREE char *lock_path = xasprintf("%s.lock", path);
    AUTO_FD int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    json_auto_t *v = NULL;
    struct light_block there;
    struct hash32 hash;
    enum rc rc;

    if (lock < 0)
        return err_errno(e, errno, "cannot open %s", lock_path);
    if (flock(lock, LOCK_EX) != 0)
        return err_errno(e, errno, "cannot lock %s", lock_path);
    rc = light_store_read(&there, &a, path, root, e);
    if (rc == RC_OK && there.header.height >= b->header.height)
        return RC_OK;
    if (rc != RC_OK && rc != RC_NOTFOUND)
        return rc;
    light_block_encode(&raw, b);
    header_hash(&hash, &b->header);
    v = json_pack("{s:i, s:s, s:I, s:o, s:o, s:o}", "version", STORE_VERSION, "chain",
                  b->header.chain_id, "height", (json_int_t)b->header.height, "hash",
                  json_hex_new(BYTES_OF(&hash)), "root", json_hex_new(BYTES_OF(root)), "block",
                  json_hex_new(buf_bytes(&raw)));
    CHECK(v != NULL);
    json_put(&text, v);
    buf_u8(&text, '\n');
    return file_write_atomic(path, buf_bytes(&text), 0600, e);
}

const char *light_evidence_write(const struct light_client *c, const struct light_evidence *v,
                                 const struct light_block *trusted, const struct light_block *other,
                                 struct arena *a)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    json_auto_t *doc = light_evidence_to_json(v, trusted, other);
    AUTO_FREE char *path = NULL;

    if (c->path == NULL)
        return "";
    path = xasprintf("%s.evidence-%llu.json", c->path, (unsigned long long)v->height);
    json_put(&text, doc);
    buf_u8(&text, '\n');
    if (file_write_atomic(path, buf_bytes(&text), 0644, NULL) != RC_OK)
        return "";
    return arena_strdup(a, bytes_str(path));
}
