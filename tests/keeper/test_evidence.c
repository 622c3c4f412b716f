/* A requester's evidence before a keeper: reports of SEV-SNP with the certificates of its
 * registration; quotes with the chain's collateral. */
#include "attest/snp.h"
#include "crypto/hash.h"
#include "keeper/internal/evidence.h"
#include "lib/t.h"
#include "tee/fake_kernel.h"
#include "tee/tee.h"

#define OWN "tests/attest/own/"
#define NOW 1800000000

struct setup {
    struct arena a;
    struct hash32 ark;
    struct attest_roots roots;
    struct attest_policy policy;
    struct requester_evidence in;
    uint8_t expected[64];
    struct attest_verdict v;
};

static void setup(struct setup *s)
{
    static const char policy[] =
        "{\"tees\":[\"sev-snp\",\"tdx\"],\"roots\":[\"given\"],\"measurements\":\"any\","
        "\"snp_vmpls\":[0],\"snp_allow_no_crl\":true,\"snp_allow_no_alias_check\":true,"
        "\"allow_smt\":true}";
    struct snp_report r;
    struct err e = {0};

    *s = (struct setup){0};
    sha256(&s->ark, t_file(OWN "snp-ark.der"));
    s->roots = (struct attest_roots){.given = &s->ark, .n_given = 1};
    CHECK_OK(policy_parse(&s->policy, bytes_str(policy), &s->a, &e), &e);
    s->in = (struct requester_evidence){.evidence = t_file(OWN "snp-report.bin"),
                                        .endorsements = t_file(OWN "snp-chain.pem")};
    CHECK_OK(snp_report_parse(&r, s->in.evidence, &e), &e);
    memcpy(s->expected, r.report_data, sizeof(s->expected));
}

static enum rc verify(struct setup *s, struct err *e)
{
    return requester_verify(&s->v, &s->in, &s->roots, &s->policy, NOW, s->expected, &s->a, e);
}

TEST(a_report_is_taken)
{
    struct setup s;
    struct err e = {0};

    setup(&s);
    CHECK_OK(verify(&s, &e), &e);
    CHECK_TRUE(s.v.verified && s.v.tee == TEE_SNP && s.v.root == ATTEST_ROOT_GIVEN);
    arena_clear(&s.a);
}

TEST(a_report_over_something_else_is_refused)
{
    struct setup s;
    struct err e = {0};

    setup(&s);
    for (size_t i = 0; i < sizeof(s.expected); i += 21) {
        s.expected[i] ^= 1;
        CHECK_RC(verify(&s, &e), RC_DENIED, &e, "over something else");
        s.expected[i] ^= 1;
    }
    arena_clear(&s.a);
}

TEST(a_report_needs_its_certificates_a_root_and_the_policy)
{
    static const char tdx_only[] =
        "{\"tees\":[\"tdx\"],\"roots\":[\"given\"],\"measurements\":\"any\"}";
    struct setup s;
    struct hash32 other = {{1}};
    struct bytes chain;
    struct err e = {0};

    setup(&s);
    chain = s.in.endorsements;
    s.in.endorsements = (struct bytes){0};
    CHECK_RC(verify(&s, &e), RC_DENIED, &e, "no certificates");
    s.in.endorsements = bytes_str("-----BEGIN nothing");
    CHECK_RC(verify(&s, &e), RC_MALFORMED, &e, "");
    s.in.endorsements = chain;
    s.roots.given = &other;
    CHECK_RC(verify(&s, &e), RC_DENIED, &e, "");
    s.roots.given = &s.ark;
    CHECK_OK(verify(&s, &e), &e);
    CHECK_OK(policy_parse(&s.policy, bytes_str(tdx_only), &s.a, &e), &e);
    CHECK_RC(verify(&s, &e), RC_DENIED, &e, "sev-snp is not allowed");
    arena_clear(&s.a);
}

/* A guest of a kernel that nobody's chip stands behind. */
TEST(a_report_that_no_chip_signed_is_refused)
{
    const struct tee_config c = {
        .source = TEE_SOURCE_SEV_GUEST, .sev_device = "/sev", .sys = &FAKE_SYS};
    struct tee_evidence evidence = {0};
    struct setup s;
    struct tee *t;
    struct err e = {0};

    setup(&s);
    fk = (struct fake_kernel){.has_sev = true, .report_size = 1184};
    CHECK_OK(tee_open(&t, &c, &e), &e);
    CHECK_OK(tee_evidence_get(t, &evidence, s.expected, &e), &e);
    s.in.evidence = buf_bytes(&evidence.quote);
    CHECK_RC(verify(&s, &e), RC_MALFORMED, &e, "");
    CHECK_INT(s.v.stage, ATTEST_STAGE_SNP_SIGNATURE);
    tee_evidence_clear(&evidence);
    tee_close(t);
    arena_clear(&s.a);
}

TEST(a_quote_needs_the_chains_collateral)
{
    struct setup s;
    struct err e = {0};

    setup(&s);
    s.in.evidence = t_file(OWN "quote.bin");
    CHECK_RC(verify(&s, &e), RC_DENIED, &e, "no collateral");
    arena_clear(&s.a);
}
