/* Real quotes with Intel's own collateral (cases/), and synthetic states under a throw-away root
 * (sim/): the verdicts of the manifests, which are those of Intel's library. */
#include "attest/vectors.h"

/* What a strict verifier refuses beyond Intel's: text of the manifest -> where we stop. Debug is
 * for the policy to refuse: the verdict says it. */
static const struct {
    const char *must_reject;
    enum attest_stage stage;
} REJECTS[] = {
    {"missing CRL", ATTEST_STAGE_ROOT_CRL},
    {"FMSPC mismatch (and CRL of another CA)", ATTEST_STAGE_PCK_CRL},
    {"PCK certificate not yet valid at any time the collateral is valid", ATTEST_STAGE_PCK_CHAIN},
    {"TCB_NOT_SUPPORTED", ATTEST_STAGE_TCB_LEVEL},
    {"reject:QE level not supported", ATTEST_STAGE_QE},
    {"reject:TDX module mismatch", ATTEST_STAGE_TDX_MODULE},
    {"reject:TDX module signer", ATTEST_STAGE_TDX_MODULE},
    {"reject:PCK revoked", ATTEST_STAGE_PCK_CRL},
    {"reject:TCB info not signed by TCB Signing", ATTEST_STAGE_TCB_SIGNER},
    {"reject:PCEID", ATTEST_STAGE_PLATFORM},
    {"reject:QE report data", ATTEST_STAGE_QE_REPORT},
    {"reject:QE debug", ATTEST_STAGE_QE},
    {"reject:reserved attribute", ATTEST_STAGE_ATTRIBUTES},
};

static void check_rejected(const char *name, const char *why, enum rc rc,
                           const struct attest_verdict *v)
{
    if (rc == RC_OK || v->verified)
        t_fail(__FILE__, __LINE__, "%s: verified, expected %s", name, why);
    for (size_t i = 0; i < ARRAY_LEN(REJECTS); i++)
        if (strcmp(REJECTS[i].must_reject, why) == 0) {
            if (v->stage != REJECTS[i].stage)
                t_fail(__FILE__, __LINE__, "%s: stage %s (%s), expected %s", name,
                       attest_stage_name(v->stage), v->reason, attest_stage_name(REJECTS[i].stage));
            return;
        }
    t_fail(__FILE__, __LINE__, "%s: no stage known for \"%s\"", name, why);
}

static void check_advisories(const char *name, const struct attest_verdict *v, const json_t *want)
{
    size_t n = json_array_size(want);

    if (v->n_advisories != n)
        t_fail(__FILE__, __LINE__, "%s: %zu advisories, expected %zu", name, v->n_advisories, n);
    for (size_t i = 0; i < n; i++)
        CHECK_STR(v->advisories[i], json_string_value(json_array_get(want, i)));
}

static void check_status(const char *name, enum rc rc, const struct err *e,
                         const struct attest_verdict *v, const char *want)
{
    if (rc != RC_OK)
        t_fail(__FILE__, __LINE__, "%s: %s", name, e->msg);
    CHECK_TRUE(v->verified && v->stage == ATTEST_STAGE_NONE);
    if (strcmp(tcb_status_name(v->tcb_status), want) != 0)
        t_fail(__FILE__, __LINE__, "%s: %s, expected %s", name, tcb_status_name(v->tcb_status),
               want);
}

TEST(real_cases)
{
    const struct attest_roots roots = {.vendors = true};
    json_t *list = vec_json("cases/manifest.json");
    size_t i, n = 0;
    json_t *c;

    json_array_foreach(list, i, c)
    {
        const char *name = vec_str(c, "name"), *reject = vec_str(c, "must_reject");
        const json_t *window = json_object_get(c, "window");
        struct attest_verdict v;
        struct err e = {0};
        enum rc rc = vec_verify(&v, "cases", name, &roots,
                                (uint64_t)json_integer_value(json_object_get(c, "now")), &e);

        if (reject[0] != 0 && strcmp(reject, "debug") != 0) {
            check_rejected(name, reject, rc, &v);
            n++;
            continue;
        }
        check_status(name, rc, &e, &v, vec_str(c, "tcb_status"));
        check_advisories(name, &v, json_object_get(c, "advisories"));
        CHECK_INT(v.root, ATTEST_ROOT_INTEL);
        CHECK_INT(v.debug, json_is_true(json_object_get(c, "debug")));
        CHECK_INT(v.service_td, json_is_true(json_object_get(c, "mr_service_td_nonzero")));
        CHECK_INT(v.valid_from, json_integer_value(json_array_get(window, 0)));
        CHECK_INT(v.valid_until, json_integer_value(json_array_get(window, 1)));
        n++;
    }
    CHECK_INT(n, 19);
    json_decref(list);
}

TEST(sim_cases)
{
    json_t *list = vec_json("sim/manifest.json");
    struct vec_roots roots;
    size_t i, n = 0;
    json_t *c;

    vec_sim_roots(&roots);
    json_array_foreach(list, i, c)
    {
        const char *name = vec_str(c, "name"), *want = vec_str(c, "expect");
        struct attest_verdict v;
        struct err e = {0};
        enum rc rc = vec_verify(&v, "sim", name, &roots.roots,
                                (uint64_t)json_integer_value(json_object_get(c, "now")), &e);

        n++;
        if (strcmp(want, "reject:debug") == 0) {
            check_status(name, rc, &e, &v, "UpToDate");
            CHECK_TRUE(v.debug);
        } else if (strncmp(want, "reject:", 7) == 0) {
            check_rejected(name, want, rc, &v);
        } else {
            check_status(name, rc, &e, &v, strncmp(want, "policy:", 7) == 0 ? "UpToDate" : want);
            CHECK_INT(v.root, ATTEST_ROOT_GIVEN);
            CHECK_INT(v.service_td, strcmp(want, "policy:service TD") == 0);
        }
    }
    CHECK_INT(n, 28);
    json_decref(list);
}

/* The same evidence under roots that are not the simulator's. */
TEST(root_must_be_trusted)
{
    static const struct hash32 other = {{1}};
    const struct attest_roots none = {0}, vendors = {.vendors = true},
                              wrong = {.given = &other, .n_given = 1};
    const struct attest_roots *all[] = {&none, &vendors, &wrong};
    struct attest_verdict v;
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        CHECK_RC(vec_verify(&v, "sim", "tdx-v4-uptodate", all[i], 1767225600, &e), RC_DENIED, &e,
                 "root");
        CHECK_INT(v.stage, ATTEST_STAGE_ROOT);
    }
    CHECK_RC(vec_verify(&v, "cases", "tdx-v4-b0c06f-uptodate", &none, 1750415547, &e), RC_DENIED,
             &e, "root");
}
