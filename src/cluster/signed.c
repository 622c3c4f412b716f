#include "cluster/signed.h"

#include "chain/eip712.h"
#include "cluster/internal/form.h"
#include "crypto/hash.h"

#define OUT_MESSAGE_VERSION 1

static void digest_of(struct hash32 *out, const struct cluster_domain *d, struct eip712 *h)
{
    struct hash32 domain, hash;

    eip712_end(&hash, h);
    eip712_domain(&domain, "Cloister", "1", d->chain_id, &d->contract);
    eip712_digest(out, &domain, &hash);
}

static void put_key(struct eip712 *h, const uint8_t key32[32])
{
    struct hash32 v;

    memcpy(v.b, key32, sizeof(v.b));
    eip712_hash(h, &v);
}

void commit_digest(struct hash32 *out, const struct cluster_domain *d,
                   const struct cluster_commit *c)
{
    struct eip712 h;

    eip712_begin(&h, "Commit(uint64 cluster,uint64 epoch,uint64 firstBatch,uint64 endBatch,"
                     "uint64 firstIndex,uint64 endIndex,bytes32 queueHash,bytes32 previousRoot,"
                     "bytes32 newRoot,bytes32 outboxDigest)");
    eip712_u64(&h, c->cluster);
    eip712_u64(&h, c->epoch);
    eip712_u64(&h, c->first_batch);
    eip712_u64(&h, c->end_batch);
    eip712_u64(&h, c->first_index);
    eip712_u64(&h, c->end_index);
    eip712_hash(&h, &c->queue_hash);
    eip712_hash(&h, &c->previous_root);
    eip712_hash(&h, &c->new_root);
    eip712_hash(&h, &c->outbox_digest);
    digest_of(out, d, &h);
}

void key_record_digest(struct hash32 *out, const struct cluster_domain *d,
                       const struct address *contract, uint64_t epoch, const uint8_t public32[32],
                       const struct hash32 *code_hash)
{
    struct eip712 h;

    eip712_begin(&h, "KeyRecord(address contractAddress,uint64 epoch,bytes32 publicKey,"
                     "bytes32 codeHash)");
    eip712_address(&h, contract);
    eip712_u64(&h, epoch);
    put_key(&h, public32);
    eip712_hash(&h, code_hash);
    digest_of(out, d, &h);
}

void query_digest(struct hash32 *out, const struct cluster_domain *d, const struct cluster_query *q)
{
    struct hash32 payload;
    struct eip712 h;

    keccak256(&payload, q->calldata);
    eip712_begin(&h, "Query(address contractAddress,address worker,bytes32 payloadHash,"
                     "bytes32 nonce,uint64 minimumHeight,uint64 expiry)");
    eip712_address(&h, &q->contract);
    eip712_address(&h, &q->worker);
    eip712_hash(&h, &payload);
    eip712_hash(&h, &q->nonce);
    eip712_u64(&h, q->minimum_height);
    eip712_u64(&h, q->expiry_s);
    digest_of(out, d, &h);
}

void channel_digest(struct hash32 *out, const struct cluster_domain *d,
                    const struct address *worker, const uint8_t key32[32],
                    const uint8_t challenge32[32], uint64_t expiry_s)
{
    struct eip712 h;

    eip712_begin(&h, "Channel(address worker,bytes32 key,bytes32 challenge,uint64 expiry)");
    eip712_address(&h, worker);
    put_key(&h, key32);
    put_key(&h, challenge32);
    eip712_u64(&h, expiry_s);
    digest_of(out, d, &h);
}

void query_hash(struct hash32 *out, const struct cluster_query *q)
{
    struct keccak256_ctx c;
    uint8_t n[4];

    /* Calldata is the one long field: not copied. */
    store_u32be(n, (uint32_t)q->calldata.n);
    keccak256_init(&c);
    keccak256_put(&c, bytes_of("\0\0\0\x14", 4));
    keccak256_put(&c, BYTES_OF(&q->contract));
    keccak256_put(&c, BYTES_OF(&n));
    keccak256_put(&c, q->calldata);
    keccak256_put(&c, bytes_of("\0\0\0\x20", 4));
    keccak256_put(&c, BYTES_OF(&q->nonce));
    keccak256_final(&c, out);
}

void reply_digest(struct hash32 *out, const struct cluster_domain *d, const struct cluster_reply *r)
{
    struct hash32 result;
    struct eip712 h;

    keccak256(&result, r->result);
    eip712_begin(&h, "Reply(address contractAddress,bytes32 queryHash,uint64 batch,uint64 height,"
                     "bytes32 root,uint8 status,bytes32 resultHash)");
    eip712_address(&h, &r->contract);
    eip712_hash(&h, &r->query_hash);
    eip712_u64(&h, r->batch);
    eip712_u64(&h, r->height);
    eip712_hash(&h, &r->root);
    eip712_u64(&h, r->status);
    eip712_hash(&h, &result);
    digest_of(out, d, &h);
}

void audit_grant_digest(struct hash32 *out, const struct cluster_domain *d,
                        const struct address *contract, const uint8_t auditor32[32],
                        uint64_t end_batch, uint64_t expiry_s)
{
    struct eip712 h;

    eip712_begin(&h, "AuditGrant(address contractAddress,bytes32 auditor,uint64 endBatch,"
                     "uint64 expiry)");
    eip712_address(&h, contract);
    put_key(&h, auditor32);
    eip712_u64(&h, end_batch);
    eip712_u64(&h, expiry_s);
    digest_of(out, d, &h);
}

void logs_digest(struct hash32 *out, const struct cluster_domain *d, const struct address *contract,
                 const struct address *worker, const uint8_t reply32[32], uint64_t first_batch,
                 uint64_t end_batch, uint64_t expiry_s)
{
    struct eip712 h;

    eip712_begin(&h, "Logs(address contractAddress,address worker,bytes32 replyKey,"
                     "uint64 firstBatch,uint64 endBatch,uint64 expiry)");
    eip712_address(&h, contract);
    eip712_address(&h, worker);
    put_key(&h, reply32);
    eip712_u64(&h, first_batch);
    eip712_u64(&h, end_batch);
    eip712_u64(&h, expiry_s);
    digest_of(out, d, &h);
}

void out_message_encode(struct buf *out, const struct out_message *m)
{
    uint8_t value[32];

    u256_to_be(value, &m->value_wei);
    buf_u8(out, OUT_MESSAGE_VERSION);
    buf_put_bytes(out, BYTES_OF(&m->from));
    buf_put_bytes(out, BYTES_OF(&m->to));
    buf_put(out, value, sizeof(value));
    put_lp(out, m->data);
}

static enum rc out_message_read(struct out_message *out, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    uint8_t version = reader_u8(&r), value[32];
    uint32_t n;

    if (reader_ok(&r) && version != OUT_MESSAGE_VERSION)
        return err_set(e, RC_UNSUPPORTED, "outbox message: version %u, known is %u", version,
                       OUT_MESSAGE_VERSION);
    reader_copy(&r, out->from.b, sizeof(out->from.b));
    reader_copy(&r, out->to.b, sizeof(out->to.b));
    reader_copy(&r, value, sizeof(value));
    out->value_wei = u256_from_be(value);
    n = reader_u32be(&r);
    if (n > OUT_MESSAGE_DATA_MAX)
        return err_set(e, RC_LIMIT, "outbox message: data of %u bytes, at most %u", n,
                       OUT_MESSAGE_DATA_MAX);
    out->data = reader_take(&r, n);
    return reader_done(&r, "outbox message", e);
}

enum rc out_message_decode(struct out_message *out, struct bytes in, struct err *e)
{
    enum rc rc;

    *out = (struct out_message){0};
    rc = out_message_read(out, in, e);
    if (rc != RC_OK)
        *out = (struct out_message){0};
    return rc;
}

void outbox_rests(struct hash32 *rests, const struct bytes *messages, size_t n)
{
    struct hash32 pair[2];

    rests[n] = (struct hash32){0};
    for (size_t k = n; k-- > 0;) {
        keccak256(&pair[0], messages[k]);
        pair[1] = rests[k + 1];
        keccak256(&rests[k], BYTES_OF(&pair));
    }
}
