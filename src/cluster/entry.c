#include "cluster/entry.h"

#include "cluster/internal/form.h"
#include "crypto/hash.h"

#define ENTRY_VERSION 1

void entry_encode(struct buf *out, const struct queue_entry *x)
{
    uint8_t value[32];

    u256_to_be(value, &x->value_wei);
    buf_u8(out, ENTRY_VERSION);
    buf_u8(out, (uint8_t)x->kind);
    buf_put_bytes(out, BYTES_OF(&x->contract));
    buf_put_bytes(out, BYTES_OF(&x->sender));
    buf_u64be(out, x->index);
    buf_u64be(out, x->sequence);
    buf_u64be(out, x->expiry);
    buf_u64be(out, x->gas);
    buf_put(out, value, sizeof(value));
    put_lp(out, x->payload);
}

static enum rc entry_read(struct queue_entry *out, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    uint8_t version = reader_u8(&r), kind = reader_u8(&r), value[32];
    uint32_t n;

    if (reader_ok(&r) && version != ENTRY_VERSION)
        return err_set(e, RC_UNSUPPORTED, "queue entry: version %u, known is %u", version,
                       ENTRY_VERSION);
    if (reader_ok(&r) && (kind < ENTRY_SEALED || kind > ENTRY_UPGRADE))
        return err_set(e, RC_UNSUPPORTED, "queue entry: kind %u, known are %d to %d", kind,
                       ENTRY_SEALED, ENTRY_UPGRADE);
    out->kind = (enum entry_kind)kind;
    reader_copy(&r, out->contract.b, sizeof(out->contract.b));
    reader_copy(&r, out->sender.b, sizeof(out->sender.b));
    out->index = reader_u64be(&r);
    out->sequence = reader_u64be(&r);
    out->expiry = reader_u64be(&r);
    out->gas = reader_u64be(&r);
    reader_copy(&r, value, sizeof(value));
    out->value_wei = u256_from_be(value);
    n = reader_u32be(&r);
    if (n > ENTRY_PAYLOAD_MAX)
        return err_set(e, RC_LIMIT, "queue entry: payload of %u bytes, at most %u", n,
                       ENTRY_PAYLOAD_MAX);
    out->payload = reader_take(&r, n);
    return reader_done(&r, "queue entry", e);
}

enum rc entry_decode(struct queue_entry *out, struct bytes in, struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = entry_read(out, in, e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

enum rc entry_activate_payload(struct hash32 *code_hash, struct bytes *init, struct bytes payload,
                               struct err *e)
{
    struct reader r = reader_init(payload);
    enum rc rc;

    reader_copy(&r, code_hash->b, sizeof(code_hash->b));
    *init = reader_take(&r, reader_u32be(&r));
    rc = reader_done(&r, "activate entry", e);
    if (rc != RC_OK) {
        *code_hash = (struct hash32){0};
        *init = (struct bytes){0};
    }
    return rc;
}

enum rc entry_upgrade_payload(struct hash32 *code_hash, struct bytes payload, struct err *e)
{
    struct reader r = reader_init(payload);
    enum rc rc;

    reader_copy(&r, code_hash->b, sizeof(code_hash->b));
    rc = reader_done(&r, "upgrade entry", e);
    if (rc != RC_OK)
        *code_hash = (struct hash32){0};
    return rc;
}

void queue_hash_begin(struct hash32 *out, const struct hash32 *genesis, uint64_t cluster)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    put_lp(&b, bytes_str("cloister/cluster/queue/v1"));
    buf_put_bytes(&b, BYTES_OF(genesis));
    buf_u64be(&b, cluster);
    keccak256(out, buf_bytes(&b));
}

void queue_hash_add(struct hash32 *hash, struct bytes entry)
{
    struct hash32 pair[2] = {*hash};

    keccak256(&pair[1], entry);
    keccak256(hash, BYTES_OF(&pair));
}
