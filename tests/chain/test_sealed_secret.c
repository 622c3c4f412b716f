#include "lib/t.h"

#include "base/hex.h"
#include "chain/sealed_secret.h"
#include "crypto/hash.h"

static struct err e;

struct fixture {
    struct secret32 key;
    uint8_t pub[32];
    struct secret_scope scope;
};

static void fixture_init(struct fixture *f)
{
    const struct secret32 released = {{7}};

    *f = (struct fixture){.scope = {.chain_id = 31337,
                                    .tee_pool = {{1, 2, 3}},
                                    .dlp_id = 4,
                                    .validator = bytes_str("ipfs://validator"),
                                    .job_id = 9,
                                    .name = bytes_str("API_KEY")}};
    sealed_secret_key(&f->key, f->pub, &released);
}

static void seal(const struct fixture *f, struct buf *out, const char *value)
{
    CHECK_OK(sealed_secret_seal(out, f->pub, 3, 1, &f->scope, bytes_str(value), NULL, &e), &e);
}

static enum rc open_text(struct secbuf *out, const struct fixture *f, struct bytes text)
{
    AUTO_CLEAR(sealed_secret) struct sealed_secret s = {0};
    enum rc rc = sealed_secret_parse(&s, text, &e);

    return rc == RC_OK ? sealed_secret_open(out, &s, &f->key, &f->scope, &e) : rc;
}

TEST(a_secret_opens_where_it_was_sealed_for)
{
    AUTO_CLEAR(sealed_secret) struct sealed_secret s = {0};
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    struct fixture f;

    fixture_init(&f);
    seal(&f, &text, "hunter2");
    CHECK_TRUE(sealed_secret_is(buf_bytes(&text)));
    CHECK_OK(sealed_secret_parse(&s, buf_bytes(&text), &e), &e);
    CHECK_INT(s.epoch, 3);
    CHECK_INT(s.generation, 1);
    CHECK_INT(s.dlp_id, 4);
    CHECK_INT(s.job_id, 9);
    CHECK_STR(s.name, "API_KEY");
    CHECK_OK(sealed_secret_open(&plain, &s, &f.key, &f.scope, &e), &e);
    CHECK_STR(secbuf_cstr(&plain), "hunter2");
}

TEST(lengths_show_in_steps_only)
{
    AUTO_CLEAR(buf) struct buf a = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_CLEAR(buf) struct buf c = {0};
    struct fixture f;
    char longer[64];

    fixture_init(&f);
    memset(longer, 'x', sizeof(longer));
    longer[63] = '\0';
    seal(&f, &a, "");
    longer[62] = '\0';
    seal(&f, &b, longer);
    longer[62] = 'x';
    seal(&f, &c, longer);
    CHECK_INT(a.n, b.n);
    CHECK_INT(c.n, b.n + 128);
}

static void refused(const struct fixture *f, struct bytes text, const char *why)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};

    CHECK_RC(open_text(&plain, f, text), RC_DENIED, &e, why);
    CHECK_INT(plain.n, 0);
}

TEST(elsewhere_it_is_refused_by_name)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct fixture f, other;

    fixture_init(&f);
    seal(&f, &text, "hunter2");
    other = f;
    other.scope.dlp_id = 5;
    refused(&other, buf_bytes(&text), "sealed for pool 4, not pool 5");
    other = f;
    other.scope.validator = bytes_str("ipfs://validator2");
    refused(&other, buf_bytes(&text), "another validator");
    other = f;
    other.scope.name = bytes_str("API_KEY2");
    refused(&other, buf_bytes(&text), "the variable API_KEY");
    other = f;
    other.scope.job_id = 10;
    refused(&other, buf_bytes(&text), "for job 9, not for job 10");
    other = f;
    other.scope.chain_id = 1;
    refused(&other, buf_bytes(&text), "another network");
    other = f;
    other.scope.tee_pool.b[0] ^= 1;
    refused(&other, buf_bytes(&text), "another network");
    other = f;
    other.key.b[1] ^= 1;
    refused(&other, buf_bytes(&text), "does not open with the key of epoch 3");
}

TEST(a_pools_own_fits_every_job)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    struct fixture f;

    fixture_init(&f);
    f.scope.job_id = 0;
    seal(&f, &text, "hunter2");
    f.scope.job_id = 10;
    CHECK_OK(open_text(&plain, &f, buf_bytes(&text)), &e);
    CHECK_STR(secbuf_cstr(&plain), "hunter2");
}

TEST(no_altered_byte_opens)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct fixture f;

    fixture_init(&f);
    seal(&f, &text, "hunter2");
    for (size_t i = 0; i < text.n; i++) {
        AUTO_CLEAR(secbuf) struct secbuf plain = {0};
        uint8_t was = text.p[i];

        text.p[i] = was == '5' ? '6' : '5';
        CHECK_TRUE(open_text(&plain, &f, buf_bytes(&text)) != RC_OK);
        CHECK_INT(plain.n, 0);
        text.p[i] = was;
    }
    for (size_t n = 0; n < text.n; n++) {
        AUTO_CLEAR(secbuf) struct secbuf plain = {0};

        CHECK_TRUE(open_text(&plain, &f, bytes_of(text.p, n)) != RC_OK);
    }
}

TEST(limits)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    AUTO_CLEAR(buf) struct buf big = {0};
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    struct fixture f;

    fixture_init(&f);
    for (size_t i = 0; i < SEALED_SECRET_MAX_VALUE; i++)
        buf_u8(&big, 'a');
    CHECK_OK(sealed_secret_seal(&text, f.pub, 3, 1, &f.scope, buf_bytes(&big), NULL, &e), &e);
    CHECK_TRUE(text.n < SEALED_SECRET_MAX_TEXT);
    CHECK_OK(open_text(&plain, &f, buf_bytes(&text)), &e);
    CHECK_INT(plain.n, SEALED_SECRET_MAX_VALUE);
    buf_u8(&big, 'a');
    CHECK_RC(sealed_secret_seal(&text, f.pub, 3, 1, &f.scope, buf_bytes(&big), NULL, &e), RC_LIMIT,
             &e, "4097 bytes");
    f.scope.name = bytes_of(big.p, SEALED_SECRET_MAX_NAME + 1);
    CHECK_RC(sealed_secret_seal(&text, f.pub, 3, 1, &f.scope, bytes_str("x"), NULL, &e), RC_LIMIT,
             &e, "129");
    f.scope.name = bytes_str("");
    CHECK_RC(sealed_secret_seal(&text, f.pub, 3, 1, &f.scope, bytes_str("x"), NULL, &e),
             RC_MALFORMED, &e, "without a name");
}
