#include "keys/request.h"

#include "keys/internal/hash.h"
#include "keys/labels.h"

#define REQUEST_VERSION 1

void key_request_encode(struct buf *out, const struct key_request *r)
{
    buf_u8(out, REQUEST_VERSION);
    buf_put_bytes(out, BYTES_OF(&r->genesis));
    buf_u8(out, (uint8_t)r->purpose);
    put_lp(out, bytes_of(r->subject, r->subject_n));
    buf_u64be(out, r->epoch);
    buf_u64be(out, r->generation);
    buf_put_bytes(out, BYTES_OF(&r->requester));
    buf_put_bytes(out, BYTES_OF(&r->receive32));
    buf_put_bytes(out, BYTES_OF(&r->measurement));
    buf_put_bytes(out, BYTES_OF(&r->nonce));
}

static enum rc decode(struct key_request *q, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    uint8_t version = reader_u8(&r), purpose;
    struct key_subject subject;

    if (reader_ok(&r) && version != REQUEST_VERSION)
        return err_set(e, RC_MALFORMED, "key request: version %u, not %d", version,
                       REQUEST_VERSION);
    reader_copy(&r, q->genesis.b, sizeof(q->genesis.b));
    purpose = reader_u8(&r);
    if (reader_ok(&r) && (purpose < KEY_POOL_SECRETS || purpose > KEY_PURPOSES))
        return err_set(e, RC_MALFORMED, "key request: purpose %u", purpose);
    q->subject_n = reader_count(&r, reader_u32be(&r), 1, KEY_MAX_SUBJECT);
    reader_copy(&r, q->subject, q->subject_n);
    q->epoch = reader_u64be(&r);
    q->generation = reader_u64be(&r);
    reader_copy(&r, q->requester.b, sizeof(q->requester.b));
    reader_copy(&r, q->receive32, sizeof(q->receive32));
    reader_copy(&r, q->measurement.b, sizeof(q->measurement.b));
    reader_copy(&r, q->nonce, sizeof(q->nonce));
    TRY(reader_done(&r, "key request", e));
    q->purpose = (enum key_purpose)purpose;
    return key_subject_decode(&subject, q->purpose, bytes_of(q->subject, q->subject_n), e);
}

enum rc key_request_decode(struct key_request *out, struct bytes in, struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    rc = decode(out, in, e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

void key_request_hash(struct hash32 *out, const struct key_request *r)
{
    AUTO_CLEAR(buf) struct buf b = {0}, encoded = {0};

    key_request_encode(&encoded, r);
    put_lp(&b, bytes_str(KEYS_LABEL_REQUEST));
    put_lp(&b, buf_bytes(&encoded));
    sha256(out, buf_bytes(&b));
}
