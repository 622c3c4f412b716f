#include "chain/receipt.h"

#include "base/reader.h"
#include "codec/proto.h"
#include "crypto/hash.h"

#define VERSION 1
#define FLAG_CREATE 1
#define FLAG_CONTRACT 2

/* Yellow Paper, section 4.4.3: three 11-bit indices from the first six bytes of the Keccak hash. */
static void bloom_bits(uint8_t at[3], uint8_t mask[3], struct bytes item)
{
    struct hash32 h;

    keccak256(&h, item);
    for (size_t i = 0; i < 3; i++) {
        unsigned bit = load_u16be(h.b + 2 * i) & 2047u;

        at[i] = (uint8_t)(255 - bit / 8);
        mask[i] = (uint8_t)(1u << bit % 8);
    }
}

void bloom_add(struct bloom *bloom, struct bytes item)
{
    uint8_t at[3], mask[3];

    bloom_bits(at, mask, item);
    for (size_t i = 0; i < 3; i++)
        bloom->b[at[i]] |= mask[i];
}

bool bloom_may_contain(const struct bloom *bloom, struct bytes item)
{
    uint8_t at[3], mask[3];

    bloom_bits(at, mask, item);
    for (size_t i = 0; i < 3; i++)
        if (!(bloom->b[at[i]] & mask[i]))
            return false;
    return true;
}

void bloom_add_log(struct bloom *bloom, const struct log *log)
{
    bloom_add(bloom, BYTES_OF(&log->address));
    for (size_t i = 0; i < log->n_topics; i++)
        bloom_add(bloom, BYTES_OF(&log->topics[i]));
}

void bloom_merge(struct bloom *into, const struct bloom *other)
{
    for (size_t i = 0; i < sizeof(into->b); i++)
        into->b[i] |= other->b[i];
}

void receipt_bloom(struct bloom *out, const struct receipt *r)
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < r->n_logs; i++)
        bloom_add_log(out, &r->logs[i]);
}

static void put_sized(struct buf *out, struct bytes s)
{
    buf_uvarint(out, s.n);
    buf_put_bytes(out, s);
}

static void put_u256(struct buf *out, const struct u256 *v)
{
    uint8_t be[32];
    size_t skip = 0;

    u256_to_be(be, v);
    while (skip < sizeof(be) && be[skip] == 0)
        skip++;
    put_sized(out, bytes_of(be + skip, sizeof(be) - skip));
}

void receipt_encode(struct buf *out, const struct receipt *r)
{
    bool contract = !address_is_zero(&r->contract);

    buf_u8(out, VERSION);
    buf_u8(out, r->tx_type);
    buf_u8(out, (uint8_t)((r->is_create ? FLAG_CREATE : 0) | (contract ? FLAG_CONTRACT : 0)));
    buf_u32be(out, r->code);
    buf_put(out, r->tx_hash.b, sizeof(r->tx_hash.b));
    buf_put(out, r->from.b, sizeof(r->from.b));
    if (!r->is_create)
        buf_put(out, r->to.b, sizeof(r->to.b));
    if (contract)
        buf_put(out, r->contract.b, sizeof(r->contract.b));
    buf_uvarint(out, r->gas_limit);
    buf_uvarint(out, r->gas_used);
    buf_uvarint(out, r->cumulative_gas);
    put_u256(out, &r->gas_price_wei);
    buf_uvarint(out, r->n_logs);
    for (size_t i = 0; i < r->n_logs; i++) {
        const struct log *l = &r->logs[i];

        CHECK(l->n_topics <= LOG_MAX_TOPICS);
        buf_put(out, l->address.b, sizeof(l->address.b));
        buf_u8(out, l->n_topics);
        buf_put(out, l->topics, l->n_topics * sizeof(l->topics[0]));
        put_sized(out, l->data);
    }
    put_sized(out, r->output);
}

static struct bytes read_sized(struct reader *r)
{
    uint64_t n = reader_uvarint(r);

    return reader_take(r, reader_count(r, n, 1, RECEIPT_MAX_SIZE));
}

static struct u256 read_u256(struct reader *r)
{
    struct bytes s = read_sized(r);
    uint8_t be[32] = {0};

    if (s.n > sizeof(be) || (s.n != 0 && s.p[0] == 0)) {
        reader_fail(r, "number too long or with leading zero");
        return U256_ZERO;
    }
    if (s.n != 0)
        memcpy(be + sizeof(be) - s.n, s.p, s.n);
    return u256_from_be(be);
}

static void read_log(struct reader *r, struct log *l)
{
    reader_copy(r, l->address.b, sizeof(l->address.b));
    l->n_topics = reader_u8(r);
    if (l->n_topics > LOG_MAX_TOPICS) {
        reader_fail(r, "log with more than 4 topics");
        l->n_topics = 0;
    }
    for (size_t i = 0; i < l->n_topics; i++)
        reader_copy(r, l->topics[i].b, sizeof(l->topics[i].b));
    l->data = read_sized(r);
}

enum rc receipt_decode(struct receipt *out, struct arena *a, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    uint8_t version = reader_u8(&r), flags;
    size_t n;

    memset(out, 0, sizeof(*out));
    if (in.n > RECEIPT_MAX_SIZE)
        return err_set(e, RC_LIMIT, "receipt of %zu bytes, limit %u", in.n, RECEIPT_MAX_SIZE);
    if (reader_ok(&r) && version != VERSION)
        return err_set(e, RC_UNSUPPORTED, "receipt version %d, expected %d", version, VERSION);
    out->tx_type = reader_u8(&r);
    flags = reader_u8(&r);
    if (flags & ~(FLAG_CREATE | FLAG_CONTRACT))
        reader_fail(&r, "unknown flag");
    out->is_create = (flags & FLAG_CREATE) != 0;
    out->code = reader_u32be(&r);
    reader_copy(&r, out->tx_hash.b, sizeof(out->tx_hash.b));
    reader_copy(&r, out->from.b, sizeof(out->from.b));
    if (!out->is_create)
        reader_copy(&r, out->to.b, sizeof(out->to.b));
    if (flags & FLAG_CONTRACT) {
        reader_copy(&r, out->contract.b, sizeof(out->contract.b));
        if (address_is_zero(&out->contract))
            reader_fail(&r, "contract address of zero written out");
    }
    out->gas_limit = reader_uvarint(&r);
    out->gas_used = reader_uvarint(&r);
    out->cumulative_gas = reader_uvarint(&r);
    out->gas_price_wei = read_u256(&r);
    n = reader_count(&r, reader_uvarint(&r), 22, RECEIPT_MAX_LOGS);
    if (n != 0)
        out->logs = arena_array(a, n, sizeof(out->logs[0]));
    for (; out->n_logs < n && reader_ok(&r); out->n_logs++)
        read_log(&r, &out->logs[out->n_logs]);
    out->output = read_sized(&r);
    enum rc rc = reader_done(&r, "receipt", e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

void receipt_digest(struct hash32 *out, const struct receipt *r)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    receipt_encode(&b, r);
    sha256(out, buf_bytes(&b));
}

void exec_result_encode(struct buf *out, uint32_t code, struct bytes data, uint64_t gas_wanted,
                        uint64_t gas_used)
{
    proto_put_u64(out, 1, code);
    proto_put_bytes(out, 2, data);
    proto_put_u64(out, 5, gas_wanted);
    proto_put_u64(out, 6, gas_used);
}

void receipt_result_leaf(struct buf *out, const struct receipt *r)
{
    struct hash32 digest;

    receipt_digest(&digest, r);
    exec_result_encode(out, r->code, BYTES_OF(&digest), r->gas_limit, r->gas_used);
}

/* Leaves one behind the other in b; the caller frees the array. */
static struct bytes *make_leaves(struct buf *b, const struct receipt *receipts, size_t n)
{
    struct bytes *leaves = xcalloc(n + 1, sizeof(*leaves));
    AUTO_FREE size_t *end = xcalloc(n + 1, sizeof(*end));

    for (size_t i = 0; i < n; i++) {
        receipt_result_leaf(b, &receipts[i]);
        end[i + 1] = b->n;
    }
    for (size_t i = 0; i < n; i++)
        leaves[i] = bytes_of(b->p + end[i], end[i + 1] - end[i]);
    return leaves;
}

void receipts_root(struct hash32 *out, const struct receipt *receipts, size_t n)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_FREE struct bytes *leaves = make_leaves(&b, receipts, n);

    merkle_root(out, leaves, n);
}

bool receipts_prove(struct merkle_proof *out, const struct receipt *receipts, size_t n,
                    size_t index)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_FREE struct bytes *leaves = make_leaves(&b, receipts, n);

    return merkle_prove(out, leaves, n, index);
}

enum rc receipt_verify(const struct hash32 *last_results_hash, const struct receipt *r,
                       const struct merkle_proof *proof, struct err *e)
{
    AUTO_CLEAR(buf) struct buf leaf = {0};

    receipt_result_leaf(&leaf, r);
    return merkle_verify(last_results_hash, buf_bytes(&leaf), proof, e);
}
