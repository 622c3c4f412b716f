/* SEV-SNP reports of real machines. */
#include "attest/snp.h"
#include "attest/vectors.h"
#include "base/hex.h"

struct snp_case {
    const char *report;
    size_t offset; /* of the report in the file */
    bool hex;
    const char *certs[3];
    uint64_t now;
    enum attest_stage stage; /* NONE: verified */
    enum attest_root root;
    bool debug, vlek, chip;
    uint32_t vmpl;
    uint64_t from, until; /* 0: not compared */
};

#define MILAN "snp/roots/ask_ark_milan.pem"
static const struct snp_case CASES[] = {
    {"snp/go-sev-guest/attestation.bin",
     0,
     false,
     {"snp/go-sev-guest/vcek.testcer", "snp/go-sev-guest/milan.testcer"},
     1663981200,
     ATTEST_STAGE_NONE,
     ATTEST_ROOT_AMD_MILAN,
     true,
     false,
     true,
     0,
     0,
     0},
    {"snp/trustee/snp_test-report.bin",
     0,
     false,
     {"snp/trustee/snp_test-vcek.der", MILAN},
     1700000000,
     ATTEST_STAGE_NONE,
     ATTEST_ROOT_AMD_MILAN,
     false,
     false,
     true,
     0,
     1674583106,
     1895507906},
    {"snp/trustee/snp_test-report.bin",
     0,
     false,
     {"snp/trustee/snp_test-vcek.der", MILAN},
     1674583105,
     ATTEST_STAGE_SNP_CHAIN,
     ATTEST_ROOT_NONE,
     false,
     false,
     false,
     0,
     0,
     0},
    {"snp/trustee/snp_test-report.bin",
     0,
     false,
     {"snp/trustee/snp_test-vcek.der", MILAN},
     1895507907,
     ATTEST_STAGE_SNP_CHAIN,
     ATTEST_ROOT_NONE,
     false,
     false,
     false,
     0,
     0,
     0},
    {"snp/trustee/snp_test-report.bin",
     0,
     false,
     {"snp/trustee/snp_test-vcek-invalid-legacy.der", MILAN},
     1700000000,
     ATTEST_STAGE_SNP_CHAIN,
     ATTEST_ROOT_NONE,
     false,
     false,
     false,
     0,
     0,
     0},
    {"snp/trustee/snp_test-report.bin",
     0,
     false,
     {"snp/trustee/snp_test-vcek-invalid-new.der", MILAN},
     1700000000,
     ATTEST_STAGE_SNP_CHAIN,
     ATTEST_ROOT_NONE,
     false,
     false,
     false,
     0,
     0,
     0},
    {"snp/trustee/snp_test-vlek-report.bin",
     0,
     false,
     {"snp/trustee/snp_test-vlek.der", "snp/roots/ask_ark_milan_vlek.pem"},
     1735689600,
     ATTEST_STAGE_NONE,
     ATTEST_ROOT_AMD_MILAN,
     false,
     true,
     false,
     1,
     1733868861,
     1765404861},
    {"snp/trustee/snp_test-vlek-report.bin",
     0,
     false,
     {"snp/trustee/snp_test-vlek.der", "snp/roots/ask_ark_milan_vlek.pem"},
     1765404862,
     ATTEST_STAGE_SNP_CHAIN,
     ATTEST_ROOT_NONE,
     false,
     false,
     false,
     0,
     0,
     0},
    /* A VLEK under the CA of VCEKs, and the other way round. */
    {"snp/trustee/snp_test-vlek-report.bin",
     0,
     false,
     {"snp/trustee/snp_test-vlek.der", MILAN},
     1735689600,
     ATTEST_STAGE_SNP_CHAIN,
     ATTEST_ROOT_NONE,
     false,
     false,
     false,
     0,
     0,
     0},
    {"snp/trustee/snp_test-report.bin",
     0,
     false,
     {"snp/trustee/snp_test-vlek.der", MILAN},
     1735689600,
     ATTEST_STAGE_SNP_CHAIN,
     ATTEST_ROOT_NONE,
     false,
     false,
     false,
     0,
     0,
     0},
    {"snp/trustee/az-snp-vtpm_hcl-report.bin",
     32,
     false,
     {"snp/trustee/az-snp-vtpm_vcek.pem", MILAN},
     1700000000,
     ATTEST_STAGE_NONE,
     ATTEST_ROOT_AMD_MILAN,
     false,
     false,
     true,
     0,
     0,
     0},
    {"snp/trustee/genoa_hcl_report.bin",
     32,
     false,
     {"snp/trustee/az-snp-vtpm_vcek-genoa.pem", "snp/roots/ask_ark_genoa.pem"},
     1740000000,
     ATTEST_STAGE_NONE,
     ATTEST_ROOT_AMD_GENOA,
     false,
     false,
     true,
     0,
     0,
     0},
    /* Another product's chain; another chip's certificate. */
    {"snp/trustee/genoa_hcl_report.bin",
     32,
     false,
     {"snp/trustee/az-snp-vtpm_vcek-genoa.pem", MILAN},
     1740000000,
     ATTEST_STAGE_SNP_CHAIN,
     ATTEST_ROOT_NONE,
     false,
     false,
     false,
     0,
     0,
     0},
    {"snp/trustee/az-snp-vtpm_hcl-report.bin",
     32,
     false,
     {"snp/trustee/snp_test-vcek.der", MILAN},
     1700000000,
     ATTEST_STAGE_SNP_SIGNATURE,
     ATTEST_ROOT_NONE,
     false,
     false,
     false,
     0,
     0,
     0},
    {"snp/virtee-sev/report_milan.hex",
     0,
     true,
     {"snp/virtee-sev/vcek_milan.der", "snp/virtee-sev/cert_chain_milan"},
     1700000000,
     ATTEST_STAGE_NONE,
     ATTEST_ROOT_AMD_MILAN,
     false,
     false,
     true,
     0,
     0,
     0},
    {"snp/dstack/report.bin",
     0,
     false,
     {"snp/dstack/sev_snp_vcek.pem", "snp/dstack/sev_snp_ask.pem", MILAN},
     1790000000,
     ATTEST_STAGE_NONE,
     ATTEST_ROOT_AMD_MILAN,
     false,
     false,
     true,
     0,
     0,
     0},
    /* No root, no intermediate, no leaf. */
    {"snp/dstack/report.bin",
     0,
     false,
     {"snp/dstack/sev_snp_vcek.pem", "snp/dstack/sev_snp_ask.pem"},
     1790000000,
     ATTEST_STAGE_ROOT,
     ATTEST_ROOT_NONE,
     false,
     false,
     false,
     0,
     0,
     0},
    {"snp/dstack/report.bin",
     0,
     false,
     {MILAN},
     1790000000,
     ATTEST_STAGE_SNP_CHAIN,
     ATTEST_ROOT_NONE,
     false,
     false,
     false,
     0,
     0,
     0},
};

static struct bytes load_report(const struct snp_case *c, struct buf *mem)
{
    struct bytes in = t_vector(c->report);

    if (c->hex) {
        struct err e;

        while (in.n != 0 && in.p[in.n - 1] == '\n')
            in.n--;
        CHECK_OK(hex_decode(mem, in, 4096, &e), &e);
        in = buf_bytes(mem);
    }
    CHECK_TRUE(in.n >= c->offset + SNP_REPORT_SIZE);
    return bytes_of(in.p + c->offset, SNP_REPORT_SIZE);
}

static void load_certs(const struct snp_case *c, struct snp_certs *out, struct arena *a)
{
    struct err e = {0};

    *out = (struct snp_certs){0};
    for (size_t i = 0; i < ARRAY_LEN(c->certs) && c->certs[i] != NULL; i++)
        CHECK_OK(snp_certs_add(out, t_vector(c->certs[i]), a, &e), &e);
}

TEST(real_reports)
{
    const struct attest_roots roots = {.vendors = true};

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        const struct snp_case *c = &CASES[i];
        AUTO_CLEAR(arena) struct arena a = {0};
        AUTO_CLEAR(buf) struct buf mem = {0};
        struct bytes report = load_report(c, &mem);
        struct attest_verdict v;
        struct snp_certs certs;
        struct err e = {0};
        enum rc rc;

        load_certs(c, &certs, &a);
        rc = snp_verify(&v, report, &certs, &roots, c->now, &a, &e);
        if (v.stage != c->stage || (rc == RC_OK) != (c->stage == ATTEST_STAGE_NONE) ||
            v.verified != (rc == RC_OK))
            t_fail(__FILE__, __LINE__, "case %zu (%s): stage %s (%s), expected %s", i, c->report,
                   attest_stage_name(v.stage), v.reason, attest_stage_name(c->stage));
        CHECK_INT(v.root, c->root);
        if (rc != RC_OK)
            continue;
        CHECK_INT(v.debug, c->debug);
        CHECK_INT(v.m.snp.vlek, c->vlek);
        CHECK_INT(v.has_platform_id, c->chip);
        CHECK_INT(v.m.snp.vmpl, c->vmpl);
        CHECK_TRUE(!v.crl_checked);
        CHECK_TRUE(c->from == 0 || c->from == v.valid_from);
        CHECK_TRUE(c->until == 0 || c->until == v.valid_until);
    }
}

/* Values that can be read off the vectors' own documentation. */
TEST(fields)
{
    struct snp_report r;
    struct err e;

    CHECK_OK(snp_report_parse(&r, t_vector("snp/go-sev-guest/attestation.bin"), &e), &e);
    CHECK_INT(r.m.version, 2);
    CHECK_INT(r.m.policy, 0xb0000);
    CHECK_HEX(bytes_of(r.report_data, 5), "0102030405");
    CHECK_OK(snp_report_parse(&r, t_vector("snp/dstack/report.bin"), &e), &e);
    CHECK_INT(r.m.version, 3);
    CHECK_INT(r.m.reported.snp, 0x17);
    CHECK_INT(r.m.current.snp, 0x18);
    CHECK_INT(r.m.current.fmc, 0);
}

/* A report of Turin splits its versions otherwise: a made-up one (no real one is public). */
TEST(turin_tcb)
{
    uint8_t in[SNP_REPORT_SIZE] = {3};
    struct snp_report r;
    struct err e;

    in[8 + 2] = 2; /* the policy bit that must be one */
    in[0x34] = 1;
    in[0x188] = 0x1a;
    for (uint8_t i = 0; i < 8; i++)
        in[0x180 + i] = (uint8_t)(i + 1);
    CHECK_OK(snp_report_parse(&r, bytes_of(in, sizeof(in)), &e), &e);
    CHECK_INT(r.m.reported.fmc, 1);
    CHECK_INT(r.m.reported.boot_loader, 2);
    CHECK_INT(r.m.reported.tee, 3);
    CHECK_INT(r.m.reported.snp, 4);
    CHECK_INT(r.m.reported.microcode, 8);
    in[0x188] = 0x19;
    CHECK_OK(snp_report_parse(&r, bytes_of(in, sizeof(in)), &e), &e);
    CHECK_INT(r.m.reported.boot_loader, 1);
    CHECK_INT(r.m.reported.snp, 7);
    in[0x208] = 1; /* reserved */
    CHECK_RC(snp_report_parse(&r, bytes_of(in, sizeof(in)), &e), RC_MALFORMED, &e, "reserved");
    in[0x208] = 0;
    in[0x1f8] = 1; /* mitigations: version 5 only */
    CHECK_RC(snp_report_parse(&r, bytes_of(in, sizeof(in)), &e), RC_MALFORMED, &e, "reserved");
    in[0] = 5;
    CHECK_OK(snp_report_parse(&r, bytes_of(in, sizeof(in)), &e), &e);
    CHECK_INT(r.m.launch_mitigations, 1);
    in[0] = 4;
    CHECK_RC(snp_report_parse(&r, bytes_of(in, sizeof(in)), &e), RC_UNSUPPORTED, &e, "version 4");
    CHECK_RC(snp_report_parse(&r, bytes_of(in, sizeof(in) - 1), &e), RC_MALFORMED, &e, "1183");
}

/* Every byte of a good report: a changed one never verifies (all of it is signed, or is the
 * signature, or must be zero). */
TEST(each_byte_of_a_report)
{
    const struct attest_roots roots = {.vendors = true};
    AUTO_CLEAR(arena) struct arena a = {0};
    struct bytes good = t_vector(CASES[1].report);
    uint8_t report[SNP_REPORT_SIZE];
    struct attest_verdict v;
    struct snp_certs certs;
    struct err e = {0};

    load_certs(&CASES[1], &certs, &a);
    memcpy(report, good.p, sizeof(report));
    for (size_t i = 0; i < sizeof(report); i++) {
        AUTO_CLEAR(arena) struct arena each = {0};

        report[i] ^= (uint8_t)(1 + t_rand_below(255));
        if (snp_verify(&v, bytes_of(report, sizeof(report)), &certs, &roots, 1700000000, &each,
                       &e) == RC_OK)
            t_fail(__FILE__, __LINE__, "a report changed at byte %zu verifies", i);
        report[i] = good.p[i];
    }
    CHECK_OK(snp_verify(&v, bytes_of(report, sizeof(report)), &certs, &roots, 1700000000, &a, &e),
             &e);
}

/* The table that comes with an extended report. */
TEST(certificate_table)
{
    static const uint8_t vcek[16] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64,
                                     0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
    struct bytes der = t_vector("snp/trustee/snp_test-vcek.der");
    AUTO_CLEAR(buf) struct buf table = {0};
    struct snp_certs certs = {0};
    struct err e = {0};

    buf_put(&table, vcek, sizeof(vcek));
    buf_u32le(&table, 48);
    buf_u32le(&table, (uint32_t)der.n);
    buf_put_zero(&table, 24);
    buf_put_bytes(&table, der);
    CHECK_OK(snp_certs_from_table(&certs, buf_bytes(&table), &e), &e);
    CHECK_MEM(certs.leaf, der);
    CHECK_TRUE(certs.ask.n == 0 && certs.ark.n == 0);
    CHECK_RC(snp_certs_from_table(&certs, bytes_of(table.p, table.n - 1), &e), RC_MALFORMED, &e,
             "entry");
    CHECK_RC(snp_certs_from_table(&certs, bytes_of(table.p, 40), &e), RC_MALFORMED, &e, "entry");
    CHECK_RC(snp_certs_from_table(&certs, bytes_of(NULL, 0), &e), RC_MALFORMED, &e, "truncated");
}
