#include "cluster/roots.h"
#include "cluster/state_file.h"
#include "vectors.h"

/* Salts as the vectors have them. */
struct given {
    struct bytes bytes;
};

static void given_fill(void *data, void *p, size_t n)
{
    struct given *g = data;

    CHECK_TRUE(n <= g->bytes.n);
    memcpy(p, g->bytes.p, n);
    g->bytes = bytes_of(g->bytes.p + n, g->bytes.n - n);
}

static struct bytes salts(void)
{
    const json_t *list = v_of(v_of(v_all(), "files"), "salts");
    AUTO_CLEAR(buf) struct buf b = {0};

    for (size_t i = 0; i < json_array_size(list); i++)
        buf_put_bytes(&b, v_bytes(json_array_get(list, i)));
    return arena_dup(&v_mem, buf_bytes(&b));
}

struct walk {
    struct state_file_writer *writer; /* NULL: only count */
    size_t n[ITEM_MESSAGE + 1];
    struct cluster_roots *roots; /* NULL: none */
};

static enum rc walk_item(struct walk *w, const struct state_file_contract *c, enum state_item tag,
                         struct bytes item)
{
    struct bytes key, value;
    struct secret32 blind;
    uint64_t index;
    struct log event;

    w->n[tag]++;
    switch (tag) {
    case ITEM_BLIND:
        memcpy(blind.b, item.p, item.n);
        return w->roots == NULL ? RC_OK : cluster_roots_add(w->roots, &c->contract, &blind, NULL);
    case ITEM_CHANGE:
        TRY(state_item_change(&key, &value, &c->contract, item, NULL));
        if (w->roots != NULL)
            TRY(cluster_roots_load(w->roots, key, value, NULL));
        return w->writer == NULL ? RC_OK : state_file_change(w->writer, key, value, NULL);
    case ITEM_CODE:
        return w->writer == NULL ? RC_OK
                                 : state_file_item(w->writer, tag, item, (struct bytes){0}, NULL);
    case ITEM_RECEIPT:
        TRY(state_item_receipt(&index, &value, item, NULL));
        return w->writer == NULL ? RC_OK : state_file_receipt(w->writer, index, value, NULL);
    case ITEM_EVENT:
        TRY(state_item_event(&index, &event, item, NULL));
        return w->writer == NULL ? RC_OK : state_file_event(w->writer, index, &event, NULL);
    case ITEM_MESSAGE:
        return w->writer == NULL ? RC_OK
                                 : state_file_item(w->writer, tag, item, (struct bytes){0}, NULL);
    }
    return RC_MALFORMED;
}

/* Open everything; what cannot be is the result. */
static enum rc walk_file(struct walk *w, struct bytes file, struct state_file_head *h,
                         struct err *e)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct state_sections it;
    struct state_section s;
    struct bytes rest;
    enum rc rc;

    TRY(state_file_parse(h, &rest, file, &mem, e));
    state_sections_begin(&it, h, rest);
    while ((rc = state_sections_next(&s, &it, e)) == RC_OK) {
        struct contract_keys k = v_keys(s.contract);
        AUTO_CLEAR(secbuf) struct secbuf plain = {0};
        enum state_item tag;
        struct bytes left, item;

        TRY(state_section_open(&plain, h, &s, &k, e));
        if (s.number == 0 && w->writer != NULL)
            TRY(state_file_contract(w->writer, &k, &k.blind, e));
        left = secbuf_bytes(&plain);
        while ((rc = state_item_next(&tag, &item, &left, e)) == RC_OK)
            TRY(walk_item(w, &h->contracts[s.contract], tag, item));
        if (rc != RC_NOTFOUND)
            return rc;
    }
    h->contracts = NULL;
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

/* Read one of the vectors, writing it again on the way: the same bytes come out. */
static void same_again(const char *name)
{
    struct bytes file = v_hex(v_of(v_all(), "files"), name), rest;
    struct given given = {salts()};
    struct rng rng = {.fill = given_fill, .data = &given};
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf out = {0};
    struct state_file_head h;
    struct walk w = {0};
    struct err e;

    CHECK_OK(state_file_parse(&h, &rest, file, &mem, &e), &e);
    CHECK_INT(h.n_contracts, 2);
    CHECK_OK(state_file_begin(&w.writer, &h, &rng, state_file_to_buf(&out), &e), &e);
    CHECK_OK(walk_file(&w, file, &h, &e), &e);
    CHECK_OK(state_file_end(w.writer, &e), &e);
    CHECK_MEM(buf_bytes(&out), file);
    CHECK_INT(w.n[ITEM_BLIND], 2);
}

TEST(files_of_the_document_are_read_and_written)
{
    same_again("delta");
    same_again("checkpoint");
}

TEST(a_checkpoint_gives_its_root)
{
    struct bytes file = v_hex(v_of(v_all(), "files"), "checkpoint");
    struct walk w = {.roots = cluster_roots_new()};
    struct state_file_head h;
    struct hash32 root;
    struct err e;

    CHECK_OK(walk_file(&w, file, &h, &e), &e);
    CHECK_INT(h.kind, STATE_FILE_CHECKPOINT);
    CHECK_INT(h.end_batch, 12);
    CHECK_INT(h.end_index, 140);
    CHECK_INT(w.n[ITEM_CODE], 2);
    CHECK_OK(cluster_roots_loaded(w.roots, NULL, &root, NULL), NULL);
    CHECK_MEM(BYTES_OF(&root), BYTES_OF(&h.new_root));
    cluster_roots_free(w.roots);
}

TEST(receipts_and_events_of_a_delta)
{
    const json_t *files = v_of(v_all(), "files"), *event = v_of(files, "event");
    struct bytes file = v_hex(files, "delta"), rest, left, item, sealed;
    struct contract_keys k = v_keys(0);
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    struct state_file_head h;
    struct state_sections it;
    struct state_section s;
    enum state_item tag;
    struct log log;
    uint64_t index;
    struct err e;

    CHECK_OK(state_file_parse(&h, &rest, file, &mem, &e), &e);
    state_sections_begin(&it, &h, rest);
    CHECK_OK(state_sections_next(&s, &it, &e), &e);
    CHECK_OK(state_section_open(&plain, &h, &s, &k, &e), &e);
    left = secbuf_bytes(&plain);
    do
        CHECK_OK(state_item_next(&tag, &item, &left, &e), &e);
    while (tag != ITEM_RECEIPT);
    CHECK_OK(state_item_receipt(&index, &sealed, item, &e), &e);
    CHECK_INT(index, 10);
    CHECK_MEM(sealed, v_hex(json_array_get(v_of(v_all(), "receipts"), 0), "sealed"));
    CHECK_RC(state_item_receipt(&index, &sealed, bytes_of(item.p, 7), &e), RC_MALFORMED, &e,
             "receipt");
    CHECK_OK(state_item_next(&tag, &item, &left, &e), &e);
    CHECK_INT(tag, ITEM_EVENT);
    CHECK_OK(state_item_event(&index, &log, item, &e), &e);
    CHECK_INT(index, v_u64(event, "index"));
    CHECK_INT(log.n_topics, 2);
    CHECK_MEM(BYTES_OF(&log.topics[1]), v_bytes(json_array_get(v_of(event, "topics"), 1)));
    CHECK_MEM(log.data, v_hex(event, "data"));
    CHECK_RC(state_item_event(&index, &log, bytes_of(item.p, 72), &e), RC_MALFORMED, &e, "event");
    CHECK_OK(state_item_next(&tag, &item, &left, &e), &e);
    CHECK_INT(tag, ITEM_MESSAGE);
    CHECK_RC(state_item_next(&tag, &item, &left, &e), RC_NOTFOUND, &e, "no further item");
}

TEST(no_byte_of_a_file_can_be_altered_or_lost)
{
    static const char *const names[] = {"delta", "checkpoint"};

    for (size_t f = 0; f < 2; f++) {
        struct bytes file = v_hex(v_of(v_all(), "files"), names[f]);
        uint8_t *copy = arena_dup(&v_mem, file).p == NULL ? NULL : xmemdup(file.p, file.n);
        struct state_file_head h;
        struct walk w = {0};

        for (size_t i = 0; i < file.n; i++) {
            copy[i] ^= 1;
            CHECK_TRUE(walk_file(&w, bytes_of(copy, file.n), &h, NULL) != RC_OK);
            copy[i] ^= 1;
            CHECK_TRUE(walk_file(&w, bytes_of(copy, i), &h, NULL) != RC_OK);
        }
        CHECK_TRUE(walk_file(&w, bytes_of(copy, file.n), &h, NULL) == RC_OK);
        free(copy);
    }
}

/* ---- sections of files made here ---- */

static struct state_file_head one_contract(struct state_file_contract *c)
{
    struct contract_keys k = v_keys(0);

    *c = (struct state_file_contract){.contract = k.contract, .epoch = k.epoch};
    return (struct state_file_head){.kind = STATE_FILE_DELTA, .contracts = c, .n_contracts = 1};
}

TEST(items_fill_sections)
{
    struct contract_keys k = v_keys(0);
    struct state_file_contract c;
    struct state_file_head h = one_contract(&c);
    AUTO_CLEAR(buf) struct buf out = {0}, swapped = {0};
    AUTO_CLEAR(arena) struct arena mem = {0};
    uint8_t *code = xcalloc(1, STATE_CODE_MAX);
    struct state_file_writer *w;
    struct state_section s[3];
    struct state_sections it;
    struct walk count = {0};
    struct bytes rest;
    struct err e;

    CHECK_OK(state_file_begin(&w, &h, NULL, state_file_to_buf(&out), &e), &e);
    CHECK_OK(state_file_contract(w, &k, &k.blind, &e), &e);
    for (size_t i = 0; i < 9; i++)
        CHECK_OK(
            state_file_item(w, ITEM_CODE, (struct bytes){0}, bytes_of(code, STATE_CODE_MAX), &e),
            &e);
    CHECK_OK(state_file_end(w, &e), &e);
    CHECK_OK(walk_file(&count, buf_bytes(&out), &h, &e), &e);
    CHECK_INT(count.n[ITEM_CODE], 9);

    /* 3 and 3 and 3, each in 4 MiB. */
    CHECK_OK(state_file_parse(&h, &rest, buf_bytes(&out), &mem, &e), &e);
    CHECK_INT(rest.n, 3 * (9 + 4 + STATE_SECTION_MAX + 16));
    state_sections_begin(&it, &h, rest);
    for (size_t i = 0; i < 3; i++) {
        CHECK_OK(state_sections_next(&s[i], &it, &e), &e);
        CHECK_INT(s[i].last, i == 2);
    }
    CHECK_RC(state_sections_next(&s[0], &it, &e), RC_NOTFOUND, &e, "no further");
    /* One that was left out is missed; so is one that says it is the last. */
    buf_put(&swapped, rest.p, rest.n / 3);
    buf_put(&swapped, rest.p + 2 * (rest.n / 3), rest.n / 3);
    state_sections_begin(&it, &h, buf_bytes(&swapped));
    CHECK_OK(state_sections_next(&s[0], &it, &e), &e);
    CHECK_RC(state_sections_next(&s[1], &it, &e), RC_MALFORMED, &e, "section 2 of contract 0");
    swapped.p[8] = 1;
    state_sections_begin(&it, &h, bytes_of(swapped.p, rest.n / 3));
    CHECK_OK(state_sections_next(&s[0], &it, &e), &e);
    {
        AUTO_CLEAR(secbuf) struct secbuf plain = {0};

        CHECK_RC(state_section_open(&plain, &h, &s[0], &k, &e), RC_DENIED, &e, "section 0");
        CHECK_INT(plain.n, 0);
        k.epoch++;
        CHECK_RC(state_section_open(&plain, &h, &s[0], &k, &e), RC_DENIED, &e, "epoch");
    }
    free(code);
}

TEST(salts_are_never_the_same)
{
    struct contract_keys k = v_keys(0);
    struct state_file_contract c;
    struct state_file_head h = one_contract(&c);
    AUTO_CLEAR(buf) struct buf a = {0}, b = {0};
    struct err e;

    for (size_t i = 0; i < 2; i++) {
        struct state_file_writer *w;

        CHECK_OK(state_file_begin(&w, &h, NULL, state_file_to_buf(i == 0 ? &a : &b), &e), &e);
        CHECK_OK(state_file_contract(w, &k, &k.blind, &e), &e);
        CHECK_OK(state_file_end(w, &e), &e);
    }
    CHECK_INT(a.n, b.n);
    CHECK_TRUE(memcmp(a.p + a.n - 512, b.p + b.n - 512, 512) != 0);
}

struct failing {
    size_t left;
};

static enum rc fail_later(void *data, struct bytes bytes, struct err *e)
{
    struct failing *f = data;

    (void)bytes;
    if (f->left-- == 0)
        return err_set(e, RC_IO, "disk is full");
    return RC_OK;
}

TEST(a_writer_that_cannot_write_says_so)
{
    struct contract_keys k = v_keys(0);
    struct state_file_contract c;
    struct state_file_head h = one_contract(&c);
    struct failing f = {0};
    struct state_file_sink sink = {.write = fail_later, .data = &f};
    struct state_file_writer *w;
    uint8_t *big = xcalloc(1, STATE_SECTION_MAX);
    struct err e;

    CHECK_RC(state_file_begin(&w, &h, NULL, sink, &e), RC_IO, &e, "disk is full");
    CHECK_RC(state_file_end(w, &e), RC_CLOSED, &e, "not whole");
    f.left = 1;
    CHECK_OK(state_file_begin(&w, &h, NULL, sink, &e), &e);
    CHECK_OK(state_file_contract(w, &k, &k.blind, &e), &e);
    CHECK_RC(state_file_end(w, &e), RC_IO, &e, "disk is full");
    f.left = 9;
    CHECK_OK(state_file_begin(&w, &h, NULL, sink, &e), &e);
    CHECK_OK(state_file_contract(w, &k, &k.blind, &e), &e);
    CHECK_RC(
        state_file_item(w, ITEM_CODE, (struct bytes){0}, bytes_of(big, STATE_SECTION_MAX - 4), &e),
        RC_LIMIT, &e, "at most 4194299");
    CHECK_RC(state_file_end(w, &e), RC_CLOSED, &e, "not whole");
    CHECK_OK(state_file_end(NULL, &e), &e);
    free(big);
}

TEST(plaintexts_that_no_writer_made)
{
    static const uint8_t unknown[] = {7, 0, 0, 0, 0}, cut[] = {3, 0, 0}, beyond[] = {3, 0, 0, 0, 9};
    static const uint8_t dirty[] = {0, 0, 0, 1}, blind[] = {1, 0, 0, 0, 1, 7};
    struct contract_keys k = v_keys(0), other = v_keys(1);
    struct state_key own = state_key_storage(&k.contract, bytes_str("k"));
    uint8_t change[2 + 22 + 1] = {0, 22};
    struct bytes left, item, key, value;
    enum state_item tag;
    struct err e;

    left = BYTES_OF(&unknown);
    CHECK_RC(state_item_next(&tag, &item, &left, &e), RC_MALFORMED, &e, "unknown kind");
    CHECK_INT(left.n, 0);
    left = BYTES_OF(&cut);
    CHECK_RC(state_item_next(&tag, &item, &left, &e), RC_MALFORMED, &e, "beyond");
    left = BYTES_OF(&beyond);
    CHECK_RC(state_item_next(&tag, &item, &left, &e), RC_MALFORMED, &e, "beyond");
    left = BYTES_OF(&dirty);
    CHECK_RC(state_item_next(&tag, &item, &left, &e), RC_MALFORMED, &e, "zeros");
    left = BYTES_OF(&blind);
    CHECK_RC(state_item_next(&tag, &item, &left, &e), RC_MALFORMED, &e, "32 bytes");
    left = (struct bytes){0};
    CHECK_RC(state_item_next(&tag, &item, &left, &e), RC_NOTFOUND, &e, "no further");

    memcpy(change + 2, own.b, 22);
    CHECK_OK(state_item_change(&key, &value, &k.contract, BYTES_OF(&change), &e), &e);
    CHECK_INT(value.n, 1);
    CHECK_OK(state_item_change(&key, &value, &k.contract, bytes_of(change, 24), &e), &e);
    CHECK_TRUE(value.p == NULL);
    CHECK_RC(state_item_change(&key, &value, &other.contract, BYTES_OF(&change), &e), RC_MALFORMED,
             &e, "no key of this contract");
    CHECK_RC(state_item_change(&key, &value, &k.contract, bytes_of(change, 23), &e), RC_MALFORMED,
             &e, "no key");
}

TEST(heads_that_no_writer_made)
{
    struct bytes file = v_hex(v_of(v_all(), "files"), "checkpoint"), rest;
    AUTO_CLEAR(arena) struct arena mem = {0};
    uint8_t *copy = xmemdup(file.p, file.n);
    struct bytes in = bytes_of(copy, file.n);
    struct state_file_head h;
    struct err e;

    copy[7] = '2';
    CHECK_RC(state_file_parse(&h, &rest, in, &mem, &e), RC_UNSUPPORTED, &e, "version");
    copy[7] = '1';
    copy[8] = 3;
    CHECK_RC(state_file_parse(&h, &rest, in, &mem, &e), RC_UNSUPPORTED, &e, "kind 3");
    copy[8] = 2;
    copy[0] = 'c';
    CHECK_RC(state_file_parse(&h, &rest, in, &mem, &e), RC_MALFORMED, &e, "CLSTATE1");
    copy[0] = 'C';
    store_u32be(copy + 137, STATE_FILE_CONTRACTS_MAX + 1);
    CHECK_RC(state_file_parse(&h, &rest, in, &mem, &e), RC_LIMIT, &e, "at most 65536");
    store_u32be(copy + 137, STATE_FILE_CONTRACTS_MAX);
    CHECK_RC(state_file_parse(&h, &rest, in, &mem, &e), RC_MALFORMED, &e, "state file");
    store_u32be(copy + 137, 2);
    copy[105] ^= 1; /* new root */
    CHECK_RC(state_file_parse(&h, &rest, in, &mem, &e), RC_MALFORMED, &e, "do not give its root");
    copy[105] ^= 1;
    copy[56] = 1; /* first batch */
    CHECK_RC(state_file_parse(&h, &rest, in, &mem, &e), RC_MALFORMED, &e, "begins at batch 1");
    copy[56] = 0;
    memcpy(copy + 141 + 124, copy + 141, 20);
    CHECK_RC(state_file_parse(&h, &rest, in, &mem, &e), RC_MALFORMED, &e, "order");
    CHECK_TRUE(h.n_contracts == 0 && rest.p == NULL);
    free(copy);
}
