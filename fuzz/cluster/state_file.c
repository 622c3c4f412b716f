/* State files as a store may give them: the first byte says whether the rest is a file, the
 * plaintext of a section, or items that are written, read and compared. */
#include "cluster/state_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct contract_keys keys_of(const struct state_file_contract *c)
{
    struct contract_keys k;
    struct secret32 ikm = {{1}};

    contract_keys_derive(&k, &c->contract, c->epoch, &ikm);
    return k;
}

static void walk_items(struct bytes plain, const struct address *contract)
{
    struct bytes item, key, value;
    enum state_item tag;
    struct log event;
    uint64_t index;
    enum rc rc;

    while ((rc = state_item_next(&tag, &item, &plain, NULL)) == RC_OK) {
        if (state_item_change(&key, &value, contract, item, NULL) == RC_OK)
            CHECK(key.n <= STATE_KEY_MAX && value.n <= STATE_VALUE_MAX);
        (void)(state_item_receipt(&index, &value, item, NULL) == RC_OK);
        if (state_item_event(&index, &event, item, NULL) == RC_OK)
            CHECK(event.n_topics <= LOG_MAX_TOPICS);
    }
    CHECK(rc == RC_NOTFOUND || rc == RC_MALFORMED);
    CHECK(plain.n == 0);
}

/* The same file in pieces has the same sections, as far as it goes. */
static void walk_pieces(struct bytes file)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct state_file_head h;
    struct state_sections whole, cut;
    struct bytes rest, none;
    size_t size;

    if (state_file_parse(&h, &rest, file, &mem, NULL) != RC_OK)
        return;
    CHECK(state_file_head_size(&size, file, NULL) == RC_OK && size == file.n - rest.n);
    CHECK(state_file_parse(&h, &none, bytes_of(file.p, size), &mem, NULL) == RC_OK && none.n == 0);
    state_sections_begin(&whole, &h, rest);
    state_sections_begin(&cut, &h, none);
    for (;;) {
        struct state_section a, b;
        enum rc rc = state_section_size(&size, rest, NULL);

        cut.rest = rc == RC_OK && size != 0 && size <= rest.n ? bytes_of(rest.p, size) : rest;
        rc = state_sections_next(&a, &whole, NULL);
        CHECK(state_sections_next(&b, &cut, NULL) == rc);
        if (rc != RC_OK)
            return;
        CHECK(a.sealed.p == b.sealed.p && a.sealed.n == b.sealed.n && a.last == b.last);
        rest = whole.rest;
    }
}

static void walk_file(struct bytes file)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct state_file_head h;
    struct state_sections it;
    struct state_section s;
    struct bytes rest;

    if (state_file_parse(&h, &rest, file, &mem, NULL) != RC_OK)
        return;
    state_sections_begin(&it, &h, rest);
    while (state_sections_next(&s, &it, NULL) == RC_OK) {
        struct contract_keys k = keys_of(&h.contracts[s.contract]);
        AUTO_CLEAR(secbuf) struct secbuf plain = {0};

        if (state_section_open(&plain, &h, &s, &k, NULL) == RC_OK)
            walk_items(secbuf_bytes(&plain), &k.contract);
    }
}

/* Each byte is an item; a few of them fill sections. */
static size_t item_size(uint8_t byte)
{
    return byte < 0xf8 ? byte : (size_t)1 << 20;
}

static void write_and_read(struct bytes in)
{
    static const uint8_t body[1 << 20];
    struct state_file_contract c = {.epoch = 3};
    struct state_file_head h = {.kind = STATE_FILE_DELTA, .contracts = &c, .n_contracts = 1};
    struct contract_keys k = keys_of(&c);
    AUTO_CLEAR(arena) struct arena mem = {0};
    AUTO_CLEAR(buf) struct buf out = {0};
    struct state_file_writer *w;
    struct state_sections it;
    struct state_section s;
    struct bytes rest;
    size_t at = 0;

    CHECK(state_file_begin(&w, &h, NULL, state_file_to_buf(&out), NULL) == RC_OK);
    CHECK(state_file_contract(w, &k, &k.blind, NULL) == RC_OK);
    for (size_t i = 0; i < in.n && i < 32; i++) {
        CHECK(state_file_item(w, ITEM_CODE, bytes_of(in.p, i), bytes_of(body, item_size(in.p[i])),
                              NULL) == RC_OK);
    }
    CHECK(state_file_end(w, NULL) == RC_OK);
    CHECK(state_file_parse(&h, &rest, buf_bytes(&out), &mem, NULL) == RC_OK);
    state_sections_begin(&it, &h, rest);
    while (state_sections_next(&s, &it, NULL) == RC_OK) {
        AUTO_CLEAR(secbuf) struct secbuf plain = {0};
        enum state_item tag;
        struct bytes left, item;

        CHECK(state_section_open(&plain, &h, &s, &k, NULL) == RC_OK);
        left = secbuf_bytes(&plain);
        while (state_item_next(&tag, &item, &left, NULL) == RC_OK) {
            if (tag == ITEM_BLIND)
                continue;
            CHECK(item.n == at + item_size(in.p[at]) && memcmp(item.p, in.p, at) == 0);
            at++;
        }
    }
    CHECK(at == (in.n < 32 ? in.n : 32));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct address contract = {{7}};

    if (size == 0)
        return 0;
    switch (data[0] % 3) {
    case 0:
        walk_file(bytes_of(data + 1, size - 1));
        walk_pieces(bytes_of(data + 1, size - 1));
        break;
    case 1:
        walk_items(bytes_of(data + 1, size - 1), &contract);
        break;
    default:
        write_and_read(bytes_of(data + 1, size - 1));
        break;
    }
    return 0;
}
