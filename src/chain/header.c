#include "chain/header.h"

#include "codec/proto.h"
#include "crypto/hash.h"

bool block_id_eq(const struct block_id *a, const struct block_id *b)
{
    return hash32_eq(&a->hash, &b->hash) && a->parts_total == b->parts_total &&
           hash32_eq(&a->parts_hash, &b->parts_hash);
}

bool block_id_is_nil(const struct block_id *id)
{
    static const struct block_id nil;

    return block_id_eq(id, &nil);
}

/* An absent hash is empty. */
static struct bytes hash_bytes(const struct hash32 *h)
{
    return hash32_is_zero(h) ? (struct bytes){0} : BYTES_OF(h);
}

static struct bytes address_bytes(const struct address *a)
{
    return address_is_zero(a) ? (struct bytes){0} : BYTES_OF(a);
}

static void read_hash(struct proto_reader *r, const struct proto_field *f, struct hash32 *out)
{
    struct bytes b = proto_bytes(r, f, sizeof(out->b));

    if (b.n != sizeof(out->b)) {
        proto_fail(r, "hash is not 32 bytes");
        return;
    }
    memcpy(out->b, b.p, b.n);
    if (hash32_is_zero(out))
        proto_fail(r, "hash of all zeros");
}

void block_id_encode(struct buf *out, const struct block_id *id)
{
    size_t parts;

    proto_put_bytes(out, 1, hash_bytes(&id->hash));
    parts = proto_msg_begin(out, 2);
    proto_put_u64(out, 1, id->parts_total);
    proto_put_bytes(out, 2, hash_bytes(&id->parts_hash));
    proto_msg_end(out, parts);
}

void block_id_read(struct proto_reader *r, struct block_id *out)
{
    struct proto_field f;
    uint32_t seen = 0;

    memset(out, 0, sizeof(*out));
    while (proto_next(r, &f)) {
        proto_once(r, &seen, &f);
        if (f.number == 1) {
            read_hash(r, &f, &out->hash);
        } else if (f.number == 2) {
            struct proto_reader parts = proto_sub(r, &f);
            struct proto_field g;
            uint32_t seen2 = 0;

            while (proto_next(&parts, &g)) {
                proto_once(&parts, &seen2, &g);
                if (g.number == 1)
                    out->parts_total = (uint32_t)proto_u64(&parts, &g, UINT32_MAX);
                else if (g.number == 2)
                    read_hash(&parts, &g, &out->parts_hash);
                else
                    proto_fail(&parts, "unknown field in a part set header");
            }
            proto_join(r, &parts);
        } else {
            proto_fail(r, "unknown field in a block id");
        }
    }
    if (!(seen & 1u << 2))
        proto_fail(r, "block id without part set header");
}

void chain_time_encode(struct buf *out, const struct chain_time *t)
{
    proto_put_i64(out, 1, t->s);
    proto_put_i64(out, 2, t->ns);
}

void chain_time_read(struct proto_reader *r, struct chain_time *out)
{
    struct proto_field f;
    uint32_t seen = 0;

    memset(out, 0, sizeof(*out));
    while (proto_next(r, &f)) {
        proto_once(r, &seen, &f);
        if (f.number == 1)
            out->s = proto_i64(r, &f);
        else if (f.number == 2)
            out->ns = (int32_t)proto_u64(r, &f, 999999999);
        else
            proto_fail(r, "unknown field in a timestamp");
    }
    /* Years 1 to 9999, as protobuf's Timestamp. */
    if (out->s < CHAIN_TIME_NONE.s || out->s > 253402300799)
        proto_fail(r, "time out of range");
}

static void put_version(struct buf *out, const struct header *h)
{
    proto_put_u64(out, 1, h->version_block);
    proto_put_u64(out, 2, h->version_app);
}

static struct bytes app_hash(const struct header *h)
{
    CHECK(h->app_hash_size <= sizeof(h->app_hash));
    return bytes_of(h->app_hash, h->app_hash_size);
}

/* The fields 6 to 14 of the header, leaves 5 to 13. */
static struct bytes hash_field(const struct header *h, unsigned leaf)
{
    const struct hash32 *const hashes[] = {
        &h->last_commit_hash, &h->data_hash, &h->validators_hash,   &h->next_validators_hash,
        &h->consensus_hash,   NULL,          &h->last_results_hash, &h->evidence_hash};

    if (leaf == HEADER_LEAF_APP_HASH)
        return app_hash(h);
    if (leaf == 13)
        return address_bytes(&h->proposer_address);
    return hash_bytes(hashes[leaf - 5]);
}

/* types/block.go Header.Hash(): scalars in a wrapper message, field 1. */
static void put_leaf(struct buf *out, const struct header *h, unsigned leaf)
{
    switch (leaf) {
    case 0:
        put_version(out, h);
        break;
    case 1:
        proto_put_str(out, 1, h->chain_id);
        break;
    case 2:
        proto_put_u64(out, 1, h->height);
        break;
    case 3:
        chain_time_encode(out, &h->time);
        break;
    case 4:
        block_id_encode(out, &h->last_block_id);
        break;
    default:
        proto_put_bytes(out, 1, hash_field(h, leaf));
        break;
    }
}

/* All leaves, one behind the other in b. */
static void make_leaves(struct bytes leaves[HEADER_LEAVES], struct buf *b, const struct header *h)
{
    size_t end[HEADER_LEAVES], start = 0;

    for (unsigned i = 0; i < HEADER_LEAVES; i++) {
        put_leaf(b, h, i);
        end[i] = b->n;
    }
    for (unsigned i = 0; i < HEADER_LEAVES; i++) {
        leaves[i] = bytes_of(b->p + start, end[i] - start);
        start = end[i];
    }
}

void header_hash(struct hash32 *out, const struct header *h)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct bytes leaves[HEADER_LEAVES];

    make_leaves(leaves, &b, h);
    merkle_root(out, leaves, HEADER_LEAVES);
}

void header_prove(struct merkle_proof *out, struct buf *leaf, const struct header *h,
                  unsigned index)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct bytes leaves[HEADER_LEAVES];

    CHECK(index < HEADER_LEAVES);
    make_leaves(leaves, &b, h);
    CHECK(merkle_prove(out, leaves, HEADER_LEAVES, index));
    buf_put_bytes(leaf, leaves[index]);
}

void header_encode(struct buf *out, const struct header *h)
{
    size_t m = proto_msg_begin(out, 1);

    put_version(out, h);
    proto_msg_end(out, m);
    proto_put_str(out, 2, h->chain_id);
    proto_put_u64(out, 3, h->height);
    m = proto_msg_begin(out, 4);
    chain_time_encode(out, &h->time);
    proto_msg_end(out, m);
    m = proto_msg_begin(out, 5);
    block_id_encode(out, &h->last_block_id);
    proto_msg_end(out, m);
    for (unsigned leaf = 5; leaf < HEADER_LEAVES; leaf++)
        proto_put_bytes(out, leaf + 1, hash_field(h, leaf));
}

static void read_version(struct proto_reader *r, struct header *h)
{
    struct proto_field f;
    uint32_t seen = 0;

    while (proto_next(r, &f)) {
        proto_once(r, &seen, &f);
        if (f.number == 1)
            h->version_block = proto_u64(r, &f, UINT64_MAX);
        else if (f.number == 2)
            h->version_app = proto_u64(r, &f, UINT64_MAX);
        else
            proto_fail(r, "unknown field in a version");
    }
}

static void read_chain_id(struct proto_reader *r, const struct proto_field *f, struct header *h)
{
    struct bytes s = proto_bytes(r, f, CHAIN_ID_MAX);

    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e) {
            proto_fail(r, "chain id has a character that is not printable ASCII");
            return;
        }
    if (s.n != 0)
        memcpy(h->chain_id, s.p, s.n);
    h->chain_id[s.n] = '\0';
}

static void read_field(struct proto_reader *r, const struct proto_field *f, struct header *h)
{
    struct hash32 *const hashes[] = {
        &h->last_commit_hash, &h->data_hash, &h->validators_hash,   &h->next_validators_hash,
        &h->consensus_hash,   NULL,          &h->last_results_hash, &h->evidence_hash};
    struct proto_reader sub = {0};
    struct bytes b;

    switch (f->number) {
    case 1:
    case 4:
    case 5:
        sub = proto_sub(r, f);
        if (f->number == 1)
            read_version(&sub, h);
        else if (f->number == 4)
            chain_time_read(&sub, &h->time);
        else
            block_id_read(&sub, &h->last_block_id);
        proto_join(r, &sub);
        break;
    case 2:
        read_chain_id(r, f, h);
        break;
    case 3:
        h->height = proto_u64(r, f, INT64_MAX);
        break;
    case 11:
        b = proto_bytes(r, f, sizeof(h->app_hash));
        if (b.n != 0)
            memcpy(h->app_hash, b.p, b.n);
        h->app_hash_size = (uint8_t)b.n;
        break;
    case 14:
        b = proto_bytes(r, f, sizeof(h->proposer_address.b));
        if (b.n != sizeof(h->proposer_address.b))
            proto_fail(r, "proposer address is not 20 bytes");
        else
            memcpy(h->proposer_address.b, b.p, b.n);
        if (address_is_zero(&h->proposer_address))
            proto_fail(r, "proposer address of all zeros");
        break;
    default:
        if (f->number >= 6 && f->number <= 13)
            read_hash(r, f, hashes[f->number - 6]);
        else
            proto_fail(r, "unknown field in a header");
        break;
    }
}

enum rc header_decode(struct header *out, struct bytes in, struct err *e)
{
    const uint32_t required = 1u << 1 | 1u << 4 | 1u << 5;
    struct proto_reader r = proto_reader_init(in);
    struct proto_field f;
    uint32_t seen = 0;

    memset(out, 0, sizeof(*out));
    if (in.n > HEADER_MAX_SIZE)
        return err_set(e, RC_LIMIT, "header of %zu bytes, limit %d", in.n, HEADER_MAX_SIZE);
    while (proto_next(&r, &f)) {
        proto_once(&r, &seen, &f);
        read_field(&r, &f, out);
    }
    if ((seen & required) != required)
        proto_fail(&r, "version, time or last block id is missing");
    enum rc rc = proto_done(&r, "header", e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

enum rc header_check(const struct header *h, struct err *e)
{
    if (h->version_block != HEADER_BLOCK_VERSION)
        return err_set(e, RC_MALFORMED, "header: block version %llu, expected %d",
                       (unsigned long long)h->version_block, HEADER_BLOCK_VERSION);
    if (h->chain_id[0] == '\0' || h->height == 0 || h->height > INT64_MAX)
        return err_set(e, RC_MALFORMED, "header: no chain id, or height %llu out of range",
                       (unsigned long long)h->height);
    if (h->time.ns < 0 || h->time.ns > 999999999)
        return err_set(e, RC_MALFORMED, "header: %d nanoseconds", h->time.ns);
    if (h->height > 1 && block_id_is_nil(&h->last_block_id))
        return err_set(e, RC_MALFORMED, "header: no last block id at height %llu",
                       (unsigned long long)h->height);
    if (hash32_is_zero(&h->validators_hash) || hash32_is_zero(&h->next_validators_hash) ||
        hash32_is_zero(&h->consensus_hash) || hash32_is_zero(&h->data_hash) ||
        hash32_is_zero(&h->last_commit_hash) || hash32_is_zero(&h->evidence_hash))
        return err_set(e, RC_MALFORMED, "header: a required hash is missing");
    if (address_is_zero(&h->proposer_address))
        return err_set(e, RC_MALFORMED, "header: no proposer");
    return RC_OK;
}

void consensus_params_hash(struct hash32 *out, int64_t block_max_bytes, int64_t block_max_gas)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    proto_put_i64(&b, 1, block_max_bytes);
    proto_put_i64(&b, 2, block_max_gas);
    sha256(out, buf_bytes(&b));
}
