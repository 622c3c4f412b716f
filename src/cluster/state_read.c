/* State files: reading. Job: nothing but what a writer wrote comes out. Trust: none in the file:
 * every length is the store's. */
#include "cluster/internal/form.h"
#include "cluster/internal/state_form.h"
#include "cluster/roots.h"
#include "cluster/state_file.h"
#include "crypto/hash.h"

void state_key(uint8_t key32[32], const struct contract_keys *keys, const uint8_t salt[32])
{
    hkdf_sha256(key32, 32, BYTES_OF(&keys->state), bytes_of(salt, 32),
                bytes_str("cloister/cluster/state/v1"));
}

void state_nonce(uint8_t nonce[AEAD_NONCE_SIZE], uint32_t number)
{
    memset(nonce, 0, 4);
    store_u64be(nonce + 4, number);
}

void state_aad(uint8_t aad[STATE_AAD_SIZE], const struct hash32 *digest, uint32_t contract,
               uint32_t number, bool last)
{
    memcpy(aad, digest->b, sizeof(digest->b));
    store_u32be(aad + 32, contract);
    store_u32be(aad + 36, number);
    aad[40] = last;
}

/* ---- head ---- */

static enum rc read_contracts(struct state_file_head *out, struct reader *r, struct arena *a,
                              struct err *e)
{
    size_t n = reader_u32be(r);
    struct state_file_contract *list;

    if (n > STATE_FILE_CONTRACTS_MAX)
        return err_set(e, RC_LIMIT, "state file: %zu contracts, at most %d", n,
                       STATE_FILE_CONTRACTS_MAX);
    n = reader_count(r, n, STATE_CONTRACT_SIZE, STATE_FILE_CONTRACTS_MAX);
    list = arena_array(a, n + 1, sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        struct state_file_contract *c = &list[i];

        reader_copy(r, c->contract.b, sizeof(c->contract.b));
        c->epoch = reader_u64be(r);
        reader_copy(r, c->root_before.b, sizeof(c->root_before.b));
        reader_copy(r, c->root_after.b, sizeof(c->root_after.b));
        reader_copy(r, c->salt, sizeof(c->salt));
        if (i != 0 && memcmp(list[i - 1].contract.b, c->contract.b, sizeof(c->contract.b)) >= 0)
            reader_fail(r, "contracts are not in the order of their addresses");
    }
    out->contracts = list;
    out->n_contracts = n;
    return RC_OK;
}

/* Before the number of contracts: magic and kind, genesis, four numbers, two roots. */
#define HEAD_FIXED (STATE_FILE_MAGIC_SIZE + 1 + 32 + 4 * 8 + 2 * 32)

enum rc state_file_head_size(size_t *size, struct bytes begun, struct err *e)
{
    size_t n;

    *size = 0;
    if (begun.n < HEAD_FIXED + 4)
        return RC_OK;
    n = load_u32be(begun.p + HEAD_FIXED);
    if (n > STATE_FILE_CONTRACTS_MAX)
        return err_set(e, RC_LIMIT, "state file: %zu contracts, at most %d", n,
                       STATE_FILE_CONTRACTS_MAX);
    *size = HEAD_FIXED + 4 + n * STATE_CONTRACT_SIZE;
    return RC_OK;
}

enum rc state_section_size(size_t *size, struct bytes begun, struct err *e)
{
    size_t n;

    *size = 0;
    if (begun.n < STATE_SECTION_HEAD + 4)
        return RC_OK;
    n = load_u32be(begun.p + STATE_SECTION_HEAD);
    if (n > STATE_SECTION_MAX + AEAD_TAG_SIZE)
        return err_set(e, RC_LIMIT, "state file: a section of %zu bytes, at most %zu", n,
                       (size_t)STATE_SECTION_MAX + AEAD_TAG_SIZE);
    *size = STATE_SECTION_HEAD + 4 + n;
    return RC_OK;
}

/* A checkpoint's own roots: they must agree before a key is needed. */
static enum rc check_checkpoint(const struct state_file_head *h, struct arena *a, struct err *e)
{
    struct contract_root *roots = arena_array(a, h->n_contracts + 1, sizeof(*roots));
    struct hash32 root;

    if (h->first_batch != 0 || !hash32_is_zero(&h->previous_root))
        return err_set(e, RC_MALFORMED, "checkpoint: begins at batch %llu or names a root before",
                       (unsigned long long)h->first_batch);
    for (size_t i = 0; i < h->n_contracts; i++) {
        if (!hash32_is_zero(&h->contracts[i].root_before))
            return err_set(e, RC_MALFORMED, "checkpoint: contract %zu has a root before it", i);
        roots[i] = (struct contract_root){.contract = h->contracts[i].contract,
                                          .root = h->contracts[i].root_after};
    }
    cluster_root_of(&root, roots, h->n_contracts);
    if (!hash32_eq(&root, &h->new_root))
        return err_set(e, RC_MALFORMED, "checkpoint: its contracts' roots do not give its root");
    return RC_OK;
}

static enum rc read_head(struct state_file_head *out, struct bytes *rest, struct bytes file,
                         struct arena *a, struct err *e)
{
    struct reader r = reader_init(file);
    struct bytes magic = reader_take(&r, STATE_FILE_MAGIC_SIZE - 1);
    uint8_t version = reader_u8(&r), kind = reader_u8(&r);

    if (reader_ok(&r) && memcmp(magic.p, STATE_FILE_MAGIC, magic.n) != 0)
        return err_set(e, RC_MALFORMED, "state file: does not begin with " STATE_FILE_MAGIC);
    if (reader_ok(&r) && version != STATE_FILE_MAGIC[STATE_FILE_MAGIC_SIZE - 1])
        return err_set(e, RC_UNSUPPORTED, "state file: version 0x%02x, known is 1", version);
    if (reader_ok(&r) && kind != STATE_FILE_DELTA && kind != STATE_FILE_CHECKPOINT)
        return err_set(e, RC_UNSUPPORTED, "state file: kind %u, known are 1 and 2", kind);
    out->kind = (enum state_file_kind)kind;
    reader_copy(&r, out->genesis.b, sizeof(out->genesis.b));
    out->cluster = reader_u64be(&r);
    out->first_batch = reader_u64be(&r);
    out->end_batch = reader_u64be(&r);
    out->end_index = reader_u64be(&r);
    reader_copy(&r, out->previous_root.b, sizeof(out->previous_root.b));
    reader_copy(&r, out->new_root.b, sizeof(out->new_root.b));
    TRY(read_contracts(out, &r, a, e));
    if (reader_ok(&r) && out->first_batch > out->end_batch)
        reader_fail(&r, "it ends before it begins");
    sha256(&out->digest, bytes_of(file.p, r.off));
    *rest = reader_rest(&r);
    TRY(reader_done(&r, "state file", e));
    return out->kind == STATE_FILE_CHECKPOINT ? check_checkpoint(out, a, e) : RC_OK;
}

enum rc state_file_parse(struct state_file_head *out, struct bytes *rest, struct bytes file,
                         struct arena *a, struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    *rest = (struct bytes){0};
    rc = read_head(out, rest, file, a, e);
    if (rc != RC_OK) {
        memset(out, 0, sizeof(*out));
        *rest = (struct bytes){0};
    }
    return rc;
}

/* ---- sections ---- */

void state_sections_begin(struct state_sections *it, const struct state_file_head *h,
                          struct bytes rest)
{
    *it = (struct state_sections){.head = h, .rest = rest};
}

static bool is_class(size_t n)
{
    return n >= STATE_SECTION_MIN && n <= STATE_SECTION_MAX && (n & (n - 1)) == 0;
}

static enum rc section_read(struct state_section *out, struct state_sections *it, struct err *e)
{
    struct reader r = reader_init(it->rest);
    uint8_t last;
    size_t n;

    out->contract = reader_u32be(&r);
    out->number = reader_u32be(&r);
    last = reader_u8(&r);
    n = reader_u32be(&r);
    out->sealed = reader_take(&r, n);
    if (!reader_ok(&r))
        return err_set(e, RC_MALFORMED,
                       "state file: cut in section %u of contract %u, or before it", it->number,
                       it->contract);
    if (out->contract != it->contract || out->number != it->number || last > 1)
        return err_set(e, RC_MALFORMED,
                       "state file: section %u of contract %u stands where section %u of contract "
                       "%u belongs",
                       out->number, out->contract, it->number, it->contract);
    if (n < AEAD_TAG_SIZE || !is_class(n - AEAD_TAG_SIZE))
        return err_set(e, RC_MALFORMED, "state file: a section of %zu bytes is of no size class",
                       n);
    out->last = last == 1;
    it->rest = reader_rest(&r);
    return RC_OK;
}

enum rc state_sections_next(struct state_section *out, struct state_sections *it, struct err *e)
{
    *out = (struct state_section){0};
    if (it->contract == it->head->n_contracts) {
        if (it->rest.n == 0)
            return err_set(e, RC_NOTFOUND, "state file: no further section");
        return err_set(e, RC_MALFORMED, "state file: %zu bytes after its last section", it->rest.n);
    }
    if (section_read(out, it, e) != RC_OK) {
        *out = (struct state_section){0};
        return RC_MALFORMED;
    }
    it->number++;
    if (out->last) {
        it->contract++;
        it->number = 0;
    }
    return RC_OK;
}

enum rc state_section_open(struct secbuf *out, const struct state_file_head *h,
                           const struct state_section *s, const struct contract_keys *keys,
                           struct err *e)
{
    uint8_t key[32], nonce[AEAD_NONCE_SIZE], aad[STATE_AAD_SIZE];
    const struct state_file_contract *c;
    size_t before = out->n;
    enum rc rc;

    CHECK(s->contract < h->n_contracts && s->sealed.n >= AEAD_TAG_SIZE);
    c = &h->contracts[s->contract];
    if (!address_eq(&c->contract, &keys->contract) || c->epoch != keys->epoch)
        return err_set(e, RC_DENIED, "state file: contract %u is sealed for epoch %llu of it",
                       s->contract, (unsigned long long)c->epoch);
    state_key(key, keys, c->salt);
    state_nonce(nonce, s->number);
    state_aad(aad, &h->digest, s->contract, s->number, s->last);
    rc = aead_open(AEAD_AES_256_GCM, secbuf_extend(out, s->sealed.n - AEAD_TAG_SIZE), key, nonce,
                   BYTES_OF(&aad), s->sealed, NULL);
    wipe(key, sizeof(key));
    if (rc == RC_OK)
        return RC_OK;
    secbuf_truncate(out, before);
    return err_set(e, RC_DENIED, "state file: section %u of contract %u does not open", s->number,
                   s->contract);
}

/* ---- items ---- */

static enum rc bad_item(struct bytes *plain, const char *why, struct err *e)
{
    *plain = (struct bytes){0};
    return err_set(e, RC_MALFORMED, "state file: %s", why);
}

enum rc state_item_next(enum state_item *tag, struct bytes *item, struct bytes *plain,
                        struct err *e)
{
    uint8_t t = plain->n == 0 ? 0 : plain->p[0];
    size_t n;

    memset(tag, 0, sizeof(*tag));
    *item = (struct bytes){0};
    if (t == 0) {
        if (!all_zero(*plain))
            return bad_item(plain, "padding is not all zeros", e);
        *plain = (struct bytes){0};
        return err_set(e, RC_NOTFOUND, "state file: no further item");
    }
    if (t > ITEM_MESSAGE)
        return bad_item(plain, "an item of an unknown kind", e);
    n = plain->n < STATE_ITEM_HEAD ? SIZE_MAX : load_u32be(plain->p + 1);
    if (plain->n < STATE_ITEM_HEAD || n > plain->n - STATE_ITEM_HEAD)
        return bad_item(plain, "an item goes beyond its section", e);
    if (t == ITEM_BLIND && n != sizeof(struct secret32))
        return bad_item(plain, "a blinding key is not of 32 bytes", e);
    *tag = (enum state_item)t;
    *item = bytes_of(plain->p + STATE_ITEM_HEAD, n);
    *plain = bytes_of(item->p + n, plain->n - STATE_ITEM_HEAD - n);
    return RC_OK;
}

enum rc state_item_change(struct bytes *key, struct bytes *value, const struct address *contract,
                          struct bytes item, struct err *e)
{
    struct reader r = reader_init(item);
    struct address owner;

    *value = (struct bytes){0};
    *key = reader_take(&r, reader_u16be(&r));
    if (!reader_ok(&r) || state_key_owner(&owner, *key, NULL) != RC_OK ||
        !address_eq(&owner, contract)) {
        *key = (struct bytes){0};
        return err_set(e, RC_MALFORMED, "state file: a change of no key of this contract");
    }
    if (r.left > STATE_VALUE_MAX) {
        *key = (struct bytes){0};
        return err_set(e, RC_MALFORMED, "state file: a value of %zu bytes, at most %d", r.left,
                       STATE_VALUE_MAX);
    }
    if (r.left != 0)
        *value = reader_rest(&r);
    return RC_OK;
}

enum rc state_item_receipt(uint64_t *index, struct bytes *sealed, struct bytes item, struct err *e)
{
    struct reader r = reader_init(item);
    enum rc rc;

    *index = reader_u64be(&r);
    *sealed = reader_rest(&r);
    rc = reader_done(&r, "state file: receipt", e);
    if (rc != RC_OK)
        *index = 0;
    return rc;
}

enum rc state_item_event(uint64_t *index, struct log *event, struct bytes item, struct err *e)
{
    struct reader r = reader_init(item);
    enum rc rc;

    *event = (struct log){0};
    *index = reader_u64be(&r);
    event->n_topics = reader_u8(&r);
    if (event->n_topics > LOG_MAX_TOPICS)
        reader_fail(&r, "more than 4 topics");
    for (size_t i = 0; reader_ok(&r) && i < event->n_topics; i++)
        reader_copy(&r, event->topics[i].b, sizeof(event->topics[i].b));
    event->data = reader_rest(&r);
    rc = reader_done(&r, "state file: event", e);
    if (rc != RC_OK) {
        *event = (struct log){0};
        *index = 0;
    }
    return rc;
}
