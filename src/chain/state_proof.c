#include "chain/state_proof.h"

#include "base/reader.h"
#include "crypto/hash.h"

#define VERSION 1
#define FLAG_LEAF 1

const struct hash32 STATE_EMPTY = {"SPARSE_MERKLE_PLACEHOLDER_HASH__"};

void state_path(struct hash32 *out, struct bytes natural_key)
{
    sha256(out, natural_key);
}

void state_leaf_hash(struct hash32 *out, const struct hash32 *path, const struct hash32 *value_hash)
{
    sha256_parts(
        out,
        (const struct bytes[]){bytes_str("JMT::LeafNode"), BYTES_OF(path), BYTES_OF(value_hash)},
        3);
}

void state_inner_hash(struct hash32 *out, const struct hash32 *left, const struct hash32 *right)
{
    sha256_parts(
        out, (const struct bytes[]){bytes_str("JMT::IntrnalNode"), BYTES_OF(left), BYTES_OF(right)},
        3);
}

static bool bit(const struct hash32 *path, size_t i)
{
    return path->b[i / 8] >> (7 - i % 8) & 1;
}

static enum rc climb(const struct hash32 *root, const struct hash32 *path, struct hash32 node,
                     const struct state_proof *p, struct err *e)
{
    for (size_t i = 0; i < p->n_siblings; i++) {
        size_t depth = p->n_siblings - 1 - i;
        struct hash32 up;

        if (bit(path, depth))
            state_inner_hash(&up, &p->siblings[i], &node);
        else
            state_inner_hash(&up, &node, &p->siblings[i]);
        node = up;
    }
    if (!hash32_eq(&node, root))
        return err_set(e, RC_DENIED, "state proof does not lead to the root");
    return RC_OK;
}

static enum rc check_depth(const struct state_proof *p, struct err *e)
{
    if (p->n_siblings > STATE_PROOF_MAX_SIBLINGS)
        return err_set(e, RC_MALFORMED, "state proof of %zu siblings, limit %d", p->n_siblings,
                       STATE_PROOF_MAX_SIBLINGS);
    return RC_OK;
}

enum rc state_proof_verify(const struct hash32 *root, struct bytes key, struct bytes value,
                           const struct state_proof *proof, struct err *e)
{
    struct hash32 path, value_hash, leaf;

    TRY(check_depth(proof, e));
    if (proof->has_leaf)
        return err_set(e, RC_DENIED, "state proof is one of absence, not of a value");
    state_path(&path, key);
    sha256(&value_hash, value);
    state_leaf_hash(&leaf, &path, &value_hash);
    return climb(root, &path, leaf, proof, e);
}

enum rc state_proof_verify_absent(const struct hash32 *root, struct bytes key,
                                  const struct state_proof *proof, struct err *e)
{
    struct hash32 path, leaf = STATE_EMPTY;

    TRY(check_depth(proof, e));
    state_path(&path, key);
    if (proof->has_leaf) {
        if (hash32_eq(&path, &proof->leaf_path))
            return err_set(e, RC_DENIED, "state proof shows that the key has a value");
        /* The other leaf stands for this key's absence only below the prefix they share. */
        for (size_t i = 0; i < proof->n_siblings; i++)
            if (bit(&path, i) != bit(&proof->leaf_path, i))
                return err_set(e, RC_DENIED,
                               "state proof: the other leaf leaves the key's path at bit %zu", i);
        state_leaf_hash(&leaf, &proof->leaf_path, &proof->leaf_value_hash);
    }
    return climb(root, &path, leaf, proof, e);
}

void state_proof_encode(struct buf *out, const struct state_proof *p)
{
    CHECK(p->n_siblings <= STATE_PROOF_MAX_SIBLINGS);
    buf_u8(out, VERSION);
    buf_u8(out, p->has_leaf ? FLAG_LEAF : 0);
    buf_u16be(out, (uint16_t)p->n_siblings);
    buf_put(out, p->siblings, p->n_siblings * sizeof(p->siblings[0]));
    if (p->has_leaf) {
        buf_put(out, p->leaf_path.b, sizeof(p->leaf_path.b));
        buf_put(out, p->leaf_value_hash.b, sizeof(p->leaf_value_hash.b));
    }
}

enum rc state_proof_decode(struct state_proof *out, struct arena *a, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    uint8_t version = reader_u8(&r), flags = reader_u8(&r);
    struct hash32 *siblings = NULL;
    size_t n;

    memset(out, 0, sizeof(*out));
    if (reader_ok(&r) && version != VERSION)
        return err_set(e, RC_UNSUPPORTED, "state proof version %d, expected %d", version, VERSION);
    if (flags & ~FLAG_LEAF)
        reader_fail(&r, "unknown flag");
    n = reader_count(&r, reader_u16be(&r), sizeof(*siblings), STATE_PROOF_MAX_SIBLINGS);
    if (n != 0)
        siblings = arena_array(a, n, sizeof(*siblings));
    for (size_t i = 0; i < n; i++)
        reader_copy(&r, siblings[i].b, sizeof(siblings[i].b));
    out->siblings = siblings;
    out->n_siblings = n;
    out->has_leaf = (flags & FLAG_LEAF) != 0;
    if (out->has_leaf) {
        reader_copy(&r, out->leaf_path.b, sizeof(out->leaf_path.b));
        reader_copy(&r, out->leaf_value_hash.b, sizeof(out->leaf_value_hash.b));
    }
    enum rc rc = reader_done(&r, "state proof", e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

json_t *state_proof_to_json(const struct state_proof *p)
{
    json_t *siblings = json_array(), *leaf = json_null();

    for (size_t i = 0; i < p->n_siblings; i++)
        CHECK(json_array_append_new(siblings, json_hex_new(BYTES_OF(&p->siblings[i]))) == 0);
    if (p->has_leaf)
        leaf = json_pack("{s:o, s:o}", "path", json_hex_new(BYTES_OF(&p->leaf_path)), "valueHash",
                         json_hex_new(BYTES_OF(&p->leaf_value_hash)));
    return json_pack("{s:o, s:o}", "siblings", siblings, "leaf", leaf);
}

static enum rc from_json(struct state_proof *out, struct arena *a, const json_t *v, struct err *e)
{
    struct hash32 *siblings = NULL;
    json_t *list, *leaf;

    TRY(json_arr(&list, v, "siblings", STATE_PROOF_MAX_SIBLINGS, e));
    out->n_siblings = json_array_size(list);
    if (out->n_siblings != 0)
        siblings = arena_array(a, out->n_siblings, sizeof(*siblings));
    out->siblings = siblings;
    for (size_t i = 0; i < out->n_siblings; i++)
        TRY(json_value_hex_fixed(siblings[i].b, sizeof(siblings[i].b), json_array_get(list, i),
                                 "siblings", e));
    leaf = json_object_get(v, "leaf");
    if (leaf == NULL || json_is_null(leaf))
        return RC_OK;
    out->has_leaf = true;
    TRY(json_hex_fixed(out->leaf_path.b, sizeof(out->leaf_path.b), leaf, "path", e));
    return json_hex_fixed(out->leaf_value_hash.b, sizeof(out->leaf_value_hash.b), leaf, "valueHash",
                          e);
}

enum rc state_proof_from_json(struct state_proof *out, struct arena *a, const json_t *v,
                              struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = from_json(out, a, v, e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}
