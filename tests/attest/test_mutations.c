/* Changing evidence or collateral: what was not verified never becomes verified, and what stays
 * verified says the same of the same thing. T_LONG=1 takes every byte where `make test` takes some.
 */
#include "attest/vectors.h"

#include <stdlib.h>

#define QUOTE_CASE "tdx-v4-b0c06f-uptodate"
#define QUOTE_NOW 1750415547

static const struct attest_roots VENDORS = {.vendors = true};

static struct bytes copy_of(struct arena *a, struct bytes in)
{
    return arena_dup(a, in);
}

static uint8_t *mutable(struct bytes b)
{
    return (uint8_t *)(uintptr_t)b.p; /* of a copy_of() */
}

static size_t stride(size_t n, size_t samples)
{
    const char *all = getenv("T_LONG");

    return all != NULL || n <= samples ? 1 : n / samples;
}

static void prepare(struct dcap_collateral *out, const char *dir, const char *name,
                    const struct attest_roots *roots, struct arena *a)
{
    enum attest_stage stage;
    struct collateral c;
    struct err e = {0};

    CHECK_OK(collateral_parse(&c, vec_file(dir, name, "collateral.json"), a, &e), &e);
    CHECK_OK(dcap_collateral_prepare(out, &c, roots, a, &stage, &e), &e);
}

/* Every byte of a good quote, two other values each. Nothing signs the bytes after the quote's end,
 * and blanks and framing of PEM are not part of a certificate; everything else must be refused. */
TEST(each_byte_of_a_quote)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct bytes quote = copy_of(&a, vec_file("cases", QUOTE_CASE, "quote.bin"));
    struct attest_verdict good, v;
    struct dcap_collateral c;
    struct quote q;
    struct err e = {0};
    size_t pem, unsigned_changes = 0;

    prepare(&c, "cases", QUOTE_CASE, &VENDORS, &a);
    CHECK_OK(dcap_verify(&good, quote, &c, QUOTE_NOW, &a, &e), &e);
    CHECK_OK(quote_parse(&q, quote, &e), &e);
    pem = (size_t)(q.cert_data.p - quote.p);
    for (size_t i = 0; i < quote.n; i++)
        for (size_t k = 0; k < 2; k++) {
            AUTO_CLEAR(arena) struct arena each = {0};
            uint8_t was = quote.p[i];

            mutable(quote)[i] ^= k == 0 ? 1 : (uint8_t)(1 + t_rand_below(255));
            if (dcap_verify(&v, quote, &c, QUOTE_NOW, &each, &e) == RC_OK) {
                if (i < pem)
                    t_fail(__FILE__, __LINE__, "a quote changed at byte %zu verifies", i);
                if (i < q.size && was != '\n' && was != 0)
                    t_fail(__FILE__, __LINE__, "a certificate changed at byte %zu verifies", i);
                CHECK_MEM(BYTES_OF(&v), BYTES_OF(&good));
                unsigned_changes++;
            }
            mutable(quote)[i] = was;
        }
    CHECK_TRUE(unsigned_changes >= 2 * q.trailing);
}

TEST(each_length_of_a_quote)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct bytes quote = vec_file("cases", QUOTE_CASE, "quote.bin");
    struct attest_verdict v;
    struct dcap_collateral c;
    struct quote q;
    struct err e = {0};

    prepare(&c, "cases", QUOTE_CASE, &VENDORS, &a);
    CHECK_OK(quote_parse(&q, quote, &e), &e);
    for (size_t n = 0; n < q.size; n++)
        CHECK_RC(dcap_verify(&v, bytes_of(quote.p, n), &c, QUOTE_NOW, &a, &e), RC_MALFORMED, &e,
                 "quote: ");
    CHECK_OK(dcap_verify(&v, bytes_of(quote.p, q.size), &c, QUOTE_NOW, &a, &e), &e);
    CHECK_INT(v.unsigned_trailing, 0);
}

/* Quotes that are refused for different reasons: no single byte mends one. */
TEST(no_byte_mends_a_quote)
{
    static const char *const bad[] = {"td-reserved-bit-2", "pck-revoked", "qe-reportdata-tail",
                                      "pceid-mismatch", "qe-debug"};
    struct vec_roots roots;

    vec_sim_roots(&roots);
    for (size_t n = 0; n < ARRAY_LEN(bad); n++) {
        AUTO_CLEAR(arena) struct arena a = {0};
        struct bytes quote = copy_of(&a, vec_file("sim", bad[n], "quote.bin"));
        struct attest_verdict v;
        struct dcap_collateral c;
        struct err e = {0};

        prepare(&c, "sim", bad[n], &roots.roots, &a);
        CHECK_RC(dcap_verify(&v, quote, &c, 1767225600, &a, &e), RC_DENIED, &e, "");
        for (size_t i = 0; i < quote.n; i += stride(quote.n, 600)) {
            AUTO_CLEAR(arena) struct arena each = {0};
            uint8_t was = quote.p[i];

            mutable(quote)[i] ^= (uint8_t)(1 + t_rand_below(255));
            if (dcap_verify(&v, quote, &c, 1767225600, &each, &e) == RC_OK || v.verified)
                t_fail(__FILE__, __LINE__, "%s verifies when byte %zu is changed", bad[n], i);
            mutable(quote)[i] = was;
        }
    }
}

static enum rc verify_json(struct attest_verdict *v, struct bytes quote, struct bytes json,
                           uint64_t now, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct collateral c;

    *v = (struct attest_verdict){0};
    TRY(collateral_parse(&c, json, &a, e));
    return dcap_verify_cold(v, quote, &c, &VENDORS, now, &a, e);
}

/* A changed byte of collateral: refused, or a blank, the case of a hexadecimal digit, the name of a
 * part that is not read; then the verdict is the same to the last bit. And at a time when the
 * collateral has expired, no byte brings it back. */
TEST(bytes_of_collateral)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct bytes quote = vec_file("cases", QUOTE_CASE, "quote.bin");
    struct bytes json = copy_of(&a, vec_file("cases", QUOTE_CASE, "collateral.json"));
    struct attest_verdict good, v;
    struct err e = {0};

    CHECK_OK(verify_json(&good, quote, json, QUOTE_NOW, &e), &e);
    for (size_t i = 0; i < json.n; i += 1 + t_rand_below(2 * stride(json.n, 700) - 1)) {
        uint8_t was = json.p[i];

        mutable(json)[i] ^= i % 2 == 0 ? 1 : (uint8_t)(1 + t_rand_below(255));
        if (verify_json(&v, quote, json, QUOTE_NOW, &e) == RC_OK)
            CHECK_MEM(BYTES_OF(&v), BYTES_OF(&good));
        if (verify_json(&v, quote, json, good.valid_until + 1, &e) == RC_OK || v.verified)
            t_fail(__FILE__, __LINE__, "expired collateral verifies with byte %zu changed", i);
        mutable(json)[i] = was;
    }
}

/* The window of the verdict is exact on both sides. */
TEST(window)
{
    struct bytes quote = vec_file("cases", QUOTE_CASE, "quote.bin");
    struct bytes json = vec_file("cases", QUOTE_CASE, "collateral.json");
    struct attest_verdict v;
    struct err e = {0};
    uint64_t from, until;

    CHECK_OK(verify_json(&v, quote, json, QUOTE_NOW, &e), &e);
    from = v.valid_from;
    until = v.valid_until;
    CHECK_OK(verify_json(&v, quote, json, from, &e), &e);
    CHECK_OK(verify_json(&v, quote, json, until, &e), &e);
    CHECK_RC(verify_json(&v, quote, json, from - 1, &e), RC_DENIED, &e, "not valid before");
    CHECK_RC(verify_json(&v, quote, json, until + 1, &e), RC_DENIED, &e, "expired");
    CHECK_RC(verify_json(&v, quote, json, 0, &e), RC_DENIED, &e, "not valid before");
    CHECK_RC(verify_json(&v, quote, json, UINT64_MAX, &e), RC_DENIED, &e, "expired");
}

/* ---- the container, taken apart and put together otherwise ---- */

static struct bytes edited(const char *name, void (*edit)(json_t *), struct buf *mem)
{
    struct bytes in = vec_file("cases", name, "collateral.json");
    json_t *v = json_loadb((const char *)in.p, in.n, 0, NULL);
    char *text;

    CHECK_TRUE(v != NULL);
    edit(v);
    text = json_dumps(v, JSON_COMPACT);
    buf_put_str(mem, text);
    free(text);
    json_decref(v);
    return buf_bytes(mem);
}

static void set_text(json_t *o, const char *key, const char *fmt, const char *with)
{
    char *text = xasprintf("%s%s", fmt, with);

    CHECK_TRUE(json_object_set_new(o, key, json_string(text)) == 0);
    free(text);
}

static void blank_in_tcb_info(json_t *o)
{
    set_text(o, "tcb_info", vec_str(o, "tcb_info"), " ");
}
static void blank_in_identity(json_t *o)
{
    set_text(o, "qe_identity", vec_str(o, "qe_identity"), " ");
}
static void no_root_crl(json_t *o)
{
    (void)json_object_set_new(o, "root_ca_crl", json_string(""));
}
static void no_pck_crl(json_t *o)
{
    (void)json_object_set_new(o, "pck_crl", json_string(""));
}
static void swapped_crls(json_t *o)
{
    json_t *x = json_copy(json_object_get(o, "root_ca_crl"));

    (void)json_object_set(o, "root_ca_crl", json_object_get(o, "pck_crl"));
    (void)json_object_set_new(o, "pck_crl", x);
}
static void pck_ca_signs_tcb(json_t *o)
{
    (void)json_object_set(o, "tcb_info_issuer_chain", json_object_get(o, "pck_crl_issuer_chain"));
}
static void swapped_documents(json_t *o)
{
    json_t *x = json_copy(json_object_get(o, "tcb_info"));
    json_t *s = json_copy(json_object_get(o, "tcb_info_signature"));

    (void)json_object_set(o, "tcb_info", json_object_get(o, "qe_identity"));
    (void)json_object_set(o, "tcb_info_signature", json_object_get(o, "qe_identity_signature"));
    (void)json_object_set_new(o, "qe_identity", x);
    (void)json_object_set_new(o, "qe_identity_signature", s);
}
static void one_certificate(json_t *o)
{
    const char *chain = vec_str(o, "qe_identity_issuer_chain");
    const char *end = strstr(chain, "-----END CERTIFICATE-----");
    json_t *first = json_stringn(chain, (size_t)(end - chain) + 25);

    (void)json_object_set_new(o, "qe_identity_issuer_chain", first);
}
static void zero_signature(json_t *o)
{
    char zeros[129];

    memset(zeros, '0', 128);
    zeros[128] = 0;
    (void)json_object_set_new(o, "tcb_info_signature", json_string(zeros));
}
static void whole_answers(json_t *o)
{
    char *tcb = xasprintf("{\"tcbInfo\":%s,\"signature\":\"%s\"}", vec_str(o, "tcb_info"),
                          vec_str(o, "tcb_info_signature"));
    char *qe = xasprintf("{\"enclaveIdentity\":%s,\"signature\":\"%s\"}", vec_str(o, "qe_identity"),
                         vec_str(o, "qe_identity_signature"));

    (void)json_object_set_new(o, "tcb_info", json_string(tcb));
    (void)json_object_set_new(o, "qe_identity", json_string(qe));
    (void)json_object_del(o, "tcb_info_signature");
    (void)json_object_del(o, "qe_identity_signature");
    free(tcb);
    free(qe);
}

TEST(other_collateral)
{
    static const struct {
        void (*edit)(json_t *);
        enum attest_stage stage;
        const char *piece;
    } edits[] = {
        {blank_in_tcb_info, ATTEST_STAGE_TCB_INFO, "does not verify"},
        {blank_in_identity, ATTEST_STAGE_QE_IDENTITY, "does not verify"},
        {no_root_crl, ATTEST_STAGE_ROOT_CRL, "missing"},
        {no_pck_crl, ATTEST_STAGE_PCK_CRL, "missing"},
        {swapped_crls, ATTEST_STAGE_ROOT_CRL, "another issuer"},
        {pck_ca_signs_tcb, ATTEST_STAGE_TCB_SIGNER, "Intel SGX PCK Platform CA"},
        {swapped_documents, ATTEST_STAGE_TCB_INFO, "version"},
        {one_certificate, ATTEST_STAGE_TCB_SIGNER, "1 certificates"},
        {zero_signature, ATTEST_STAGE_TCB_INFO, "outside"},
    };
    struct bytes quote = vec_file("cases", QUOTE_CASE, "quote.bin");
    AUTO_CLEAR(buf) struct buf mem = {0};
    struct attest_verdict v;
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
        buf_reset(&mem);
        if (verify_json(&v, quote, edited(QUOTE_CASE, edits[i].edit, &mem), QUOTE_NOW, &e) == RC_OK)
            t_fail(__FILE__, __LINE__, "edit %zu verifies", i);
        if (v.stage != edits[i].stage || strstr(v.reason, edits[i].piece) == NULL)
            t_fail(__FILE__, __LINE__, "edit %zu: stage %s: %s", i, attest_stage_name(v.stage),
                   v.reason);
    }
    buf_reset(&mem);
    CHECK_OK(verify_json(&v, quote, edited(QUOTE_CASE, whole_answers, &mem), QUOTE_NOW, &e), &e);
}

/* SGX evidence with TDX collateral and the other way round, both good in themselves. */
TEST(collateral_of_another_tee)
{
    struct vec_roots roots;
    struct bytes quotes[2];
    struct dcap_collateral c[2];
    AUTO_CLEAR(arena) struct arena a = {0};
    struct attest_verdict v;
    struct err e = {0};

    vec_sim_roots(&roots);
    quotes[0] = vec_file("sim", "tdx-v4-uptodate", "quote.bin");
    quotes[1] = vec_file("sim", "sgx-v3-uptodate", "quote.bin");
    prepare(&c[0], "sim", "tdx-v4-uptodate", &roots.roots, &a);
    prepare(&c[1], "sim", "sgx-v3-uptodate", &roots.roots, &a);
    for (size_t i = 0; i < 2; i++) {
        CHECK_OK(dcap_verify(&v, quotes[i], &c[i], 1767225600, &a, &e), &e);
        CHECK_RC(dcap_verify(&v, quotes[i], &c[1 - i], 1767225600, &a, &e), RC_DENIED, &e,
                 "TCB info is for");
        CHECK_INT(v.stage, ATTEST_STAGE_TCB_INFO);
    }
}

/* Good collateral of the same CA and time, but for another kind of platform. */
TEST(collateral_of_another_platform)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct bytes quote = vec_file("cases", "tdx-v4-00806f05-automata-0625", "quote.bin");
    struct dcap_collateral c;
    struct attest_verdict v;
    struct err e = {0};

    prepare(&c, "cases", "tdx-v5-90c06f-trustee-2025", &VENDORS, &a);
    CHECK_RC(dcap_verify(&v, quote, &c, 1749181425, &a, &e), RC_DENIED, &e, "FMSPC");
    CHECK_INT(v.stage, ATTEST_STAGE_PLATFORM);
}

/* A QE in debug mode, even if an identity's mask did not ask for that bit. */
TEST(debug_qe_under_a_lax_mask)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct dcap_collateral c;
    struct attest_verdict v;
    struct vec_roots roots;
    struct err e = {0};

    vec_sim_roots(&roots);
    prepare(&c, "sim", "qe-debug", &roots.roots, &a);
    c.qe_identity.attributes_mask[0] &= (uint8_t)~SGX_FLAG_DEBUG;
    CHECK_RC(dcap_verify(&v, vec_file("sim", "qe-debug", "quote.bin"), &c, 1767225600, &a, &e),
             RC_DENIED, &e, "is a debug enclave");
    CHECK_INT(v.stage, ATTEST_STAGE_QE);
}

/* Real quote, simulator's collateral: the roots differ, even where both are trusted. */
TEST(roots_do_not_mix)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct dcap_collateral c;
    struct attest_verdict v;
    struct vec_roots roots;
    struct err e = {0};

    vec_sim_roots(&roots);
    roots.roots.vendors = true;
    prepare(&c, "sim", "tdx-v4-uptodate", &roots.roots, &a);
    CHECK_RC(dcap_verify(&v, vec_file("cases", QUOTE_CASE, "quote.bin"), &c, QUOTE_NOW, &a, &e),
             RC_DENIED, &e, "root");
    CHECK_INT(v.stage, ATTEST_STAGE_ROOT);
}

/* What go-tdx-guest's tests change in its sample (INDEX.md §5). */
TEST(go_tdx_guest_changes)
{
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {{0x00, 3},     {0x278, 0x10}, {0x1343, 0x32}, {0x1329, 0x32},
                   {0xf5f, 0x32}, {0xb77, 0x32}, {0x1e, 0x32},   {0x3c, 0x32}};
    AUTO_CLEAR(arena) struct arena a = {0};
    struct bytes quote = copy_of(&a, t_vector("tdx/go-tdx-guest/tdx_prod_quote_SPR_E4.dat"));
    struct dcap_collateral c;
    struct attest_verdict v;
    struct err e = {0};

    /* Collateral of this platform and time; the quote's own level is not in it. */
    prepare(&c, "cases", "tdx-v4-50806f-trustee-debug", &VENDORS, &a);
    CHECK_RC(dcap_verify(&v, quote, &c, 1687164178, &a, &e), RC_DENIED, &e, "TCB level");
    CHECK_INT(v.stage, ATTEST_STAGE_TCB_LEVEL);
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        uint8_t was = quote.p[changes[i].at];

        mutable(quote)[changes[i].at] = changes[i].value;
        CHECK_TRUE(dcap_verify(&v, quote, &c, 1687164178, &a, &e) != RC_OK);
        CHECK_TRUE(v.stage < ATTEST_STAGE_TCB_LEVEL);
        mutable(quote)[changes[i].at] = was;
    }
}
