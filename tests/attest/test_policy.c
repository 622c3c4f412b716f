#include "attest/policy.h"
#include "lib/t.h"

#define NOW 1000000

static struct attest_verdict good_td(void)
{
    struct attest_verdict v = {
        .verified = true,
        .tee = TEE_TDX,
        .root = ATTEST_ROOT_INTEL,
        .tcb_status = TCB_UP_TO_DATE,
        .tcb_date = 500000,
        .evaluation_number = 17,
        .collateral_issued = NOW - 1000,
        .valid_from = NOW - 1000,
        .valid_until = NOW + 1000,
        .has_platform_id = true,
        .platform_id = {{9}},
        .fmspc = {1, 2, 3, 4, 5, 6},
    };

    v.m.td.attributes = TD_ATTR_SEPT_VE_DISABLE;
    v.m.td.mr_td[0] = 0xaa;
    v.m.td.rtmr[3][47] = 0xbb;
    return v;
}

static struct attest_policy open_policy(void)
{
    return (struct attest_policy){
        .tees = POLICY_BIT(TEE_TDX),
        .roots = POLICY_BIT(ATTEST_ROOT_INTEL),
        .any_measurement = true,
        .tcb_statuses = POLICY_BIT(TCB_UP_TO_DATE),
        .td_attributes_required = TD_ATTR_SEPT_VE_DISABLE,
    };
}

/* Refused with this piece of text. */
static void refused(const struct attest_policy *p, const struct attest_verdict *v,
                    const char *piece)
{
    struct err e = {0};

    CHECK_RC(policy_check(p, v, NOW, &e), RC_DENIED, &e, piece);
}

static void allowed(const struct attest_policy *p, const struct attest_verdict *v)
{
    struct err e = {0};

    CHECK_OK(policy_check(p, v, NOW, &e), &e);
}

TEST(absent_means_refuse)
{
    const struct attest_policy zero = {0};
    struct attest_policy p = open_policy();
    struct attest_verdict v = good_td();

    refused(&zero, &v, "tdx is not allowed");
    allowed(&p, &v);
    p.roots = 0;
    refused(&p, &v, "root intel");
    p = open_policy();
    p.tcb_statuses = 0;
    refused(&p, &v, "UpToDate");
    p = open_policy();
    p.any_measurement = false;
    refused(&p, &v, "measurement");
    p = open_policy();
    v.verified = false;
    refused(&p, &v, "not verified");
}

TEST(each_danger_has_its_switch)
{
    const struct attest_policy p = open_policy();
    struct attest_verdict v = good_td();
    struct attest_policy q = p;

    v.debug = true;
    v.m.td.attributes |= TD_ATTR_DEBUG;
    refused(&p, &v, "debug");
    q.insecure_allow_debug = true;
    allowed(&q, &v);
    v = good_td();
    v.service_td = true;
    refused(&p, &v, "service TD");
    q.allow_service_td = true;
    allowed(&q, &v);
    v = good_td();
    v.dynamic_platform = true;
    refused(&p, &v, "more processors");
    q.allow_dynamic_platform = true;
    allowed(&q, &v);
    v = good_td();
    v.cached_keys = true;
    refused(&p, &v, "cached");
    q.allow_cached_keys = true;
    allowed(&q, &v);
    v = good_td();
    v.smt = true;
    refused(&p, &v, "multithreading");
    q.allow_smt = true;
    allowed(&q, &v);
    v = good_td();
    v.m.td.attributes = 0;
    refused(&p, &v, "lack 0x10000000");
    v.m.td.attributes = TD_ATTR_SEPT_VE_DISABLE | TD_ATTR_PERFMON;
    refused(&p, &v, "0x8000000000000000 are not allowed");
    q.td_attributes_allowed = TD_ATTR_PERFMON;
    allowed(&q, &v);
}

TEST(revoked_is_never_accepted)
{
    struct attest_policy p = open_policy();
    struct attest_verdict v = good_td();

    p.tcb_statuses = UINT32_MAX;
    v.tcb_status = TCB_OUT_OF_DATE;
    allowed(&p, &v);
    v.tcb_status = TCB_REVOKED;
    refused(&p, &v, "Revoked");
    v.tcb_status = TCB_STATUS_NONE;
    refused(&p, &v, "none");
}

TEST(numbers_and_dates)
{
    struct attest_policy p = open_policy();
    struct attest_verdict v = good_td();
    struct err e = {0};

    p.min_evaluation_number = 17;
    p.min_tcb_date = 500000;
    p.max_collateral_age = 1000;
    allowed(&p, &v);
    p.min_evaluation_number = 18;
    refused(&p, &v, "evaluation number 17, at least 18");
    p.min_evaluation_number = 0;
    p.min_tcb_date = 500001;
    refused(&p, &v, "at least 500001");
    p.min_tcb_date = 0;
    p.max_collateral_age = 999;
    refused(&p, &v, "1000 seconds old");
    p.max_collateral_age = 0;
    CHECK_RC(policy_check(&p, &v, NOW + 1001, &e), RC_DENIED, &e, "another time");
    CHECK_RC(policy_check(&p, &v, NOW - 1001, &e), RC_DENIED, &e, "another time");
}

TEST(lists)
{
    static const struct hash32 other = {{8}}, same = {{9}};
    static const uint8_t fmspc[][6] = {{1, 2, 3, 4, 5, 6}}, wrong[][6] = {{1, 2, 3, 4, 5, 7}};
    const struct bytes ids[] = {bytes_str("INTEL-SA-00001")};
    struct attest_policy p = open_policy();
    struct attest_verdict v = good_td();

    p.platforms = &other;
    p.n_platforms = 1;
    refused(&p, &v, "platform is not on the list");
    p.platforms = &same;
    allowed(&p, &v);
    v.has_platform_id = false;
    refused(&p, &v, "platform is not on the list");
    p = open_policy();
    p.fmspcs = wrong;
    p.n_fmspcs = 1;
    refused(&p, &v, "FMSPC");
    p.fmspcs = fmspc;
    allowed(&p, &v);
    memcpy(v.advisories[v.n_advisories++], "INTEL-SA-00001", 15);
    refused(&p, &v, "INTEL-SA-00001 is not allowed");
    p.advisories = ids;
    p.n_advisories = 1;
    allowed(&p, &v);
    memcpy(v.advisories[v.n_advisories++], "INTEL-SA-00002", 15);
    refused(&p, &v, "INTEL-SA-00002");
    p.any_advisory = true;
    allowed(&p, &v);
}

TEST(measurements)
{
    struct measurement_rule rules[2] = {{.tee = TEE_TDX}, {.tee = TEE_SGX}};
    struct attest_policy p = open_policy();
    struct attest_verdict v = good_td();

    p.any_measurement = false;
    p.measurements = rules;
    p.n_measurements = 2;
    refused(&p, &v, "measurement"); /* a rule that compares nothing fits nothing */
    rules[0].set.mr_td = true;
    refused(&p, &v, "measurement");
    rules[0].mr_td[0] = 0xaa;
    allowed(&p, &v);
    rules[0].set.rtmr[3] = true;
    refused(&p, &v, "measurement");
    rules[0].rtmr[3][47] = 0xbb;
    allowed(&p, &v);
    v.tee = TEE_TDX15;
    p.tees = POLICY_BIT(TEE_TDX15);
    allowed(&p, &v); /* one rule for both report formats */
    rules[0].set.mr_enclave = true;
    refused(&p, &v, "measurement"); /* a field of another TEE */
}

TEST(sgx_rules)
{
    struct measurement_rule rule = {.tee = TEE_SGX};
    struct attest_policy p = open_policy();
    struct attest_verdict v = good_td();

    memset(&v.m, 0, sizeof(v.m));
    v.tee = TEE_SGX;
    v.m.sgx.mr_signer[0] = 1;
    v.m.sgx.isv_prod_id = 7;
    v.m.sgx.isv_svn = 3;
    p.tees = POLICY_BIT(TEE_SGX);
    p.any_measurement = false;
    p.measurements = &rule;
    p.n_measurements = 1;
    rule.set.isv_prod_id = true;
    rule.isv_prod_id = 7;
    refused(&p, &v, "measurement"); /* anyone may use product id 7 */
    rule.set.mr_signer = true;
    rule.mr_signer[0] = 1;
    allowed(&p, &v);
    rule.set.min_isv_svn = true;
    rule.min_isv_svn = 4;
    refused(&p, &v, "measurement");
    rule.min_isv_svn = 3;
    allowed(&p, &v);
    rule.isv_prod_id = 8;
    refused(&p, &v, "measurement");
}

TEST(snp_rules)
{
    struct attest_policy p = open_policy(), q;
    struct attest_verdict v = {
        .verified = true,
        .tee = TEE_SNP,
        .root = ATTEST_ROOT_AMD_MILAN,
        .valid_until = UINT64_MAX,
        .crl_checked = true,
    };

    v.m.snp.platform_info = SNP_PLATFORM_ALIAS_CHECK;
    p.tees = POLICY_BIT(TEE_SNP);
    p.roots = POLICY_BIT(ATTEST_ROOT_AMD_MILAN);
    refused(&p, &v, "VMPL 0");
    p.snp_vmpls = POLICY_BIT(0);
    allowed(&p, &v);
    v.m.snp.vmpl = 0xffffffff;
    refused(&p, &v, "VMPL");
    v.m.snp.vmpl = 0;
    v.migratable = true;
    refused(&p, &v, "migration");
    v.migratable = false;
    v.crl_checked = false;
    refused(&p, &v, "revocation list");
    v.crl_checked = true;
    v.m.snp.platform_info = 0;
    refused(&p, &v, "aliases");
    v.m.snp.platform_info = SNP_PLATFORM_ALIAS_CHECK;
    q = p;
    q.snp_min_tcb.snp = 0x18;
    v.m.snp.reported.snp = v.m.snp.committed.snp = v.m.snp.current.snp = 0x18;
    refused(&q, &v, "launch TCB");
    v.m.snp.launch.snp = 0x18;
    allowed(&q, &v);
}

TEST(report_data_is_compared_whole)
{
    struct attest_policy p = open_policy();
    struct attest_verdict v = good_td();

    p.has_report_data = true;
    allowed(&p, &v);
    v.report_data[63] = 1;
    refused(&p, &v, "report_data");
}

TEST(from_json)
{
    static const char json[] =
        "{\"tees\":[\"tdx\",\"tdx15\"],\"roots\":[\"intel\",\"given\"],"
        "\"tcb_statuses\":[\"UpToDate\",\"SWHardeningNeeded\"],\"advisories\":[\"INTEL-SA-00615\"],"
        "\"min_evaluation_number\":17,\"min_tcb_date\":\"1970-01-02T00:00:01Z\","
        "\"max_collateral_age\":604800,\"td_attributes_required\":\"0000000010000000\","
        "\"td_attributes_allowed\":\"0000000040000000\",\"allow_service_td\":true,"
        "\"platforms\":[\"00000000000000000000000000000000000000000000000000000000000000ff\"],"
        "\"fmspcs\":[\"00806F050000\"],\"snp_vmpls\":[0,2],\"snp_min_tcb\":{\"snp\":24},"
        "\"measurements\":[{\"tee\":\"sgx\",\"min_isv_svn\":2,\"mr_signer\":"
        "\"0100000000000000000000000000000000000000000000000000000000000002\"}]}";
    AUTO_CLEAR(arena) struct arena a = {0};
    struct attest_policy p;
    struct err e = {0};

    CHECK_OK(policy_parse(&p, bytes_str(json), &a, &e), &e);
    CHECK_INT(p.tees, POLICY_BIT(TEE_TDX) | POLICY_BIT(TEE_TDX15));
    CHECK_INT(p.roots, POLICY_BIT(ATTEST_ROOT_INTEL) | POLICY_BIT(ATTEST_ROOT_GIVEN));
    CHECK_INT(p.tcb_statuses, POLICY_BIT(TCB_UP_TO_DATE) | POLICY_BIT(TCB_SW_HARDENING_NEEDED));
    CHECK_INT(p.n_advisories, 1);
    CHECK_MEM(p.advisories[0], bytes_str("INTEL-SA-00615"));
    CHECK_INT(p.min_evaluation_number, 17);
    CHECK_INT(p.min_tcb_date, 86401);
    CHECK_INT(p.max_collateral_age, 604800);
    CHECK_INT(p.td_attributes_required, TD_ATTR_SEPT_VE_DISABLE);
    CHECK_INT(p.td_attributes_allowed, TD_ATTR_PKS);
    CHECK_TRUE(p.allow_service_td && !p.allow_smt && !p.insecure_allow_debug);
    CHECK_INT(p.n_platforms, 1);
    CHECK_INT(p.platforms[0].b[31], 0xff);
    CHECK_INT(p.n_fmspcs, 1);
    CHECK_INT(p.fmspcs[0][2], 0x6f);
    CHECK_INT(p.snp_vmpls, 5);
    CHECK_INT(p.snp_min_tcb.snp, 24);
    CHECK_INT(p.n_measurements, 1);
    CHECK_TRUE(p.measurements[0].set.mr_signer && p.measurements[0].set.min_isv_svn);
    CHECK_INT(p.measurements[0].mr_signer[31], 2);
    CHECK_TRUE(!p.any_measurement && !p.any_advisory && !p.has_report_data);
}

TEST(json_that_is_refused)
{
    static const struct {
        const char *json, *piece;
    } bad[] = {
        {"", "expected"},
        {"{}x", "after the end"},
        {"{\"tee\":[]}", "unknown member"},
        {"{\"tees\":[\"tdx\"],\"tees\":[]}", "twice"},
        {"{\"tees\":[\"TDX\"]}", "unknown name"},
        {"{\"tcb_statuses\":[\"Revoked\"]}", "unknown name"},
        {"{\"roots\":\"any\"}", "expected"},
        {"{\"measurements\":\"all\"}", "any"},
        {"{\"measurements\":[{\"mr_td\":\"00\"}]}", "hexadecimal"},
        {"{\"measurements\":[{}]}", "without \"tee\""},
        {"{\"measurements\":[{\"tee\":\"sgx\",\"mrenclave\":\"00\"}]}", "unknown member"},
        {"{\"min_tcb_date\":\"2024-02-30T00:00:00Z\"}", "no such time"},
        {"{\"min_evaluation_number\":-1}", "whole number"},
        {"{\"min_evaluation_number\":017}", "whole number"},
        {"{\"allow_smt\":1}", "true or false"},
        {"{\"snp_vmpls\":[4]}", "out of range"},
        {"{\"insecure_allow_debug\":true", "expected"},
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_CLEAR(arena) struct arena a = {0};
        struct attest_policy p;
        struct err e = {0};

        CHECK_RC(policy_parse(&p, bytes_str(bad[i].json), &a, &e), RC_MALFORMED, &e, bad[i].piece);
        CHECK_INT(p.tees | p.roots | p.tcb_statuses, 0);
    }
}
