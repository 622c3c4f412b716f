/* State files: writing. Job: items into sealed sections. Must not: use a salt twice, hold more than
 * a section's plaintext. */
#include "cluster/state_file.h"

#include "base/mem.h"
#include "cluster/internal/form.h"
#include "cluster/internal/state_form.h"
#include "crypto/hash.h"

struct state_file_writer {
    struct state_file_head head;
    struct state_file_contract *contracts; /* the head's, with salts */
    struct state_file_sink sink;
    size_t next;     /* contract that must come next; the one being written is next - 1 */
    uint32_t number; /* of the section being filled */
    uint8_t key[32]; /* of the contract being written */
    struct secbuf plain;
    struct buf sealed;
    bool failed;
};

static enum rc sink_to_buf(void *data, struct bytes bytes, struct err *e)
{
    (void)e;
    buf_put_bytes(data, bytes);
    return RC_OK;
}

struct state_file_sink state_file_to_buf(struct buf *out)
{
    return (struct state_file_sink){.write = sink_to_buf, .data = out};
}

static enum rc emit(struct state_file_writer *w, struct bytes bytes, struct err *e)
{
    enum rc rc = w->sink.write(w->sink.data, bytes, e);

    w->failed = w->failed || rc != RC_OK;
    return rc;
}

static void put_head(struct buf *b, const struct state_file_head *h)
{
    buf_put(b, STATE_FILE_MAGIC, STATE_FILE_MAGIC_SIZE);
    buf_u8(b, (uint8_t)h->kind);
    buf_put_bytes(b, BYTES_OF(&h->genesis));
    buf_u64be(b, h->cluster);
    buf_u64be(b, h->first_batch);
    buf_u64be(b, h->end_batch);
    buf_u64be(b, h->end_index);
    buf_put_bytes(b, BYTES_OF(&h->previous_root));
    buf_put_bytes(b, BYTES_OF(&h->new_root));
    buf_u32be(b, (uint32_t)h->n_contracts);
    for (size_t i = 0; i < h->n_contracts; i++) {
        const struct state_file_contract *c = &h->contracts[i];

        buf_put_bytes(b, BYTES_OF(&c->contract));
        buf_u64be(b, c->epoch);
        buf_put_bytes(b, BYTES_OF(&c->root_before));
        buf_put_bytes(b, BYTES_OF(&c->root_after));
        buf_put(b, c->salt, sizeof(c->salt));
    }
}

enum rc state_file_begin(struct state_file_writer **out, const struct state_file_head *head,
                         const struct rng *rng, struct state_file_sink sink, struct err *e)
{
    struct state_file_writer *w = xcalloc(1, sizeof(*w));
    AUTO_CLEAR(buf) struct buf bytes = {0};

    CHECK(head->n_contracts <= STATE_FILE_CONTRACTS_MAX);
    w->head = *head;
    w->sink = sink;
    w->contracts = xcalloc(head->n_contracts + 1, sizeof(*w->contracts));
    w->head.contracts = w->contracts;
    for (size_t i = 0; i < head->n_contracts; i++) {
        w->contracts[i] = head->contracts[i];
        rng_fill(rng, w->contracts[i].salt, sizeof(w->contracts[i].salt));
        CHECK(i == 0 || memcmp(w->contracts[i - 1].contract.b, w->contracts[i].contract.b,
                               sizeof(w->contracts[i].contract.b)) < 0);
    }
    *out = w;
    put_head(&bytes, &w->head);
    sha256(&w->head.digest, buf_bytes(&bytes));
    return emit(w, buf_bytes(&bytes), e);
}

/* Seal what the section holds and hand it on. */
static enum rc flush(struct state_file_writer *w, bool last, struct err *e)
{
    uint8_t nonce[AEAD_NONCE_SIZE], aad[STATE_AAD_SIZE];
    size_t n = class_of(w->plain.n, STATE_SECTION_MIN);
    uint32_t contract = (uint32_t)w->next - 1;

    (void)secbuf_extend(&w->plain, n - w->plain.n);
    state_nonce(nonce, w->number);
    state_aad(aad, &w->head.digest, contract, w->number, last);
    buf_reset(&w->sealed);
    buf_put(&w->sealed, aad + sizeof(struct hash32), STATE_SECTION_HEAD);
    buf_u32be(&w->sealed, (uint32_t)(n + AEAD_TAG_SIZE));
    aead_seal(AEAD_AES_256_GCM, buf_extend(&w->sealed, n + AEAD_TAG_SIZE), w->key, nonce,
              BYTES_OF(&aad), secbuf_bytes(&w->plain));
    secbuf_reset(&w->plain);
    /* A nonce counts sections: the key would have to serve 16 PiB. */
    CHECK(w->number < UINT32_MAX);
    w->number++;
    return emit(w, buf_bytes(&w->sealed), e);
}

enum rc state_file_contract(struct state_file_writer *w, const struct contract_keys *keys,
                            const struct secret32 *blind, struct err *e)
{
    const struct state_file_contract *c;

    if (w->next != 0)
        TRY(flush(w, true, e));
    CHECK(w->next < w->head.n_contracts);
    c = &w->contracts[w->next];
    CHECK(address_eq(&c->contract, &keys->contract) && c->epoch == keys->epoch);
    w->next++;
    w->number = 0;
    state_key(w->key, keys, c->salt);
    return state_file_item(w, ITEM_BLIND, BYTES_OF(blind), (struct bytes){0}, e);
}

enum rc state_file_item(struct state_file_writer *w, enum state_item tag, struct bytes head,
                        struct bytes body, struct err *e)
{
    size_t n = head.n + body.n;
    uint8_t start[STATE_ITEM_HEAD] = {(uint8_t)tag};

    CHECK(w->next != 0);
    if (n > STATE_SECTION_MAX - STATE_ITEM_HEAD) {
        w->failed = true;
        return err_set(e, RC_LIMIT, "state file: an item of %zu bytes, at most %zu", n,
                       (size_t)STATE_SECTION_MAX - STATE_ITEM_HEAD);
    }
    if (w->plain.n + STATE_ITEM_HEAD + n > STATE_SECTION_MAX)
        TRY(flush(w, false, e));
    store_u32be(start + 1, (uint32_t)n);
    secbuf_put(&w->plain, start, sizeof(start));
    secbuf_put_bytes(&w->plain, head);
    secbuf_put_bytes(&w->plain, body);
    return RC_OK;
}

enum rc state_file_change(struct state_file_writer *w, struct bytes key, struct bytes value,
                          struct err *e)
{
    uint8_t head[2 + STATE_KEY_MAX] = {(uint8_t)(key.n >> 8), (uint8_t)key.n};

    CHECK(key.n <= STATE_KEY_MAX && (value.p == NULL || value.n != 0));
    memcpy(head + 2, key.p, key.n);
    return state_file_item(w, ITEM_CHANGE, bytes_of(head, 2 + key.n), value, e);
}

enum rc state_file_receipt(struct state_file_writer *w, uint64_t index, struct bytes sealed,
                           struct err *e)
{
    uint8_t head[8];

    store_u64be(head, index);
    return state_file_item(w, ITEM_RECEIPT, BYTES_OF(&head), sealed, e);
}

enum rc state_file_event(struct state_file_writer *w, uint64_t index, const struct log *event,
                         struct err *e)
{
    uint8_t head[8 + 1 + LOG_MAX_TOPICS * sizeof(struct hash32)];
    size_t topics = event->n_topics * sizeof(struct hash32);

    CHECK(event->n_topics <= LOG_MAX_TOPICS);
    store_u64be(head, index);
    head[8] = event->n_topics;
    memcpy(head + 9, event->topics, topics);
    return state_file_item(w, ITEM_EVENT, bytes_of(head, 9 + topics), event->data, e);
}

enum rc state_file_end(struct state_file_writer *w, struct err *e)
{
    enum rc rc;

    if (w == NULL)
        return RC_OK;
    CHECK(w->failed || w->next == w->head.n_contracts);
    if (w->failed)
        rc = err_set(e, RC_CLOSED, "state file: not whole, since it could not be written");
    else
        rc = w->next == 0 ? RC_OK : flush(w, true, e);
    secbuf_clear(&w->plain);
    buf_clear(&w->sealed);
    wipe(w->key, sizeof(w->key));
    free(w->contracts);
    free(w);
    return rc;
}
