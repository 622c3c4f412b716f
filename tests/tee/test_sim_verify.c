/* The simulator's evidence before our own verifier: every state a platform can be in, no hardware
 * needed. The second opinion is tests/e2e/tee-dcap-qvl. */
#include "attest/dcap.h"
#include "crypto/hash.h"
#include "lib/t.h"
#include "tee/simulator.h"
#include "tee/tee.h"

#define NOW_S UINT64_C(1767225600)

struct world {
    char *dir;
    struct tee_sim *sim;
    struct arena a;
};

static struct world new_world(const char *name)
{
    struct world w = {0};
    struct err e = {0};

    w.dir = xasprintf("%s/%s", t_tmpdir(), name);
    CHECK_OK(tee_sim_create(w.dir, NOW_S, &e), &e);
    CHECK_OK(tee_sim_open(&w.sim, w.dir, &e), &e);
    CHECK_OK(tee_sim_machine_add(w.sim, "m0", NULL, NOW_S, &e), &e);
    CHECK_OK(tee_sim_machine_add(w.sim, "m1", NULL, NOW_S, &e), &e);
    return w;
}

static void end(struct world *w)
{
    tee_sim_close(w->sim);
    arena_clear(&w->a);
    free(w->dir);
}

static struct bytes quote(struct world *w, const char *machine, enum tee_sim_format format)
{
    struct tee_sim_launch l = {.dir = w->dir, .machine = machine, .format = format};
    struct tee_config c = {.source = TEE_SOURCE_SIMULATOR, .launch = &l};
    struct tee_evidence v = {0};
    struct tee *t = NULL;
    uint8_t data[64] = {1, 2, 3};
    struct bytes out;
    struct err e = {0};

    CHECK_OK(tee_open(&t, &c, &e), &e);
    CHECK_OK(tee_evidence_get(t, &v, data, &e), &e);
    out = arena_dup(&w->a, buf_bytes(&v.quote));
    tee_evidence_clear(&v);
    tee_close(t);
    return out;
}

static enum rc verify(struct attest_verdict *out, struct world *w, struct bytes q,
                      const struct tee_sim_world *state, uint64_t now, struct err *e)
{
    AUTO_CLEAR(buf) struct buf json = {0};
    struct attest_roots roots = {.n_given = 1};
    struct collateral c;
    struct hash32 root;

    sha256(&root, tee_sim_root(w->sim));
    roots.given = &root;
    CHECK_OK(tee_sim_collateral(w->sim, &json, state, NOW_S, e), e);
    CHECK_OK(collateral_parse(&c, arena_dup(&w->a, buf_bytes(&json)), &w->a, e), e);
    return dcap_verify_cold(out, q, &c, &roots, now, &w->a, e);
}

TEST(all_formats_verify)
{
    static const enum tee_sim_format formats[] = {TEE_SIM_V4, TEE_SIM_V5_TD10, TEE_SIM_V5_TD15};
    struct world w = new_world("a");
    struct hash32 want;
    uint8_t ppid[16];
    struct err e = {0};

    CHECK_OK(tee_sim_machine_ppid(w.sim, "m0", ppid, &e), &e);
    sha256(&want, BYTES_OF(&ppid));
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        struct attest_verdict v;

        CHECK_OK(verify(&v, &w, quote(&w, "m0", formats[i]), NULL, NOW_S, &e), &e);
        CHECK_TRUE(v.verified);
        CHECK_INT(v.root, ATTEST_ROOT_GIVEN);
        CHECK_INT(v.tcb_status, TCB_UP_TO_DATE);
        CHECK_INT(v.tee, formats[i] == TEE_SIM_V5_TD15 ? TEE_TDX15 : TEE_TDX);
        CHECK_INT(v.n_advisories, 0);
        CHECK_INT(v.unsigned_trailing, 0);
        CHECK_INT(v.report_data[2], 3);
        CHECK_INT(v.m.td.attributes, TD_ATTR_SEPT_VE_DISABLE);
        CHECK_TRUE(v.has_platform_id && hash32_eq(&v.platform_id, &want));
        CHECK_TRUE(!v.debug && !v.smt && !v.dynamic_platform && v.has_platform_flags);
    }
    end(&w);
}

TEST(every_status_can_be_had)
{
    static const struct {
        const char *word;
        enum tcb_status status;
    } cases[] = {
        {"UpToDate", TCB_UP_TO_DATE},
        {"SWHardeningNeeded", TCB_SW_HARDENING_NEEDED},
        {"ConfigurationNeeded", TCB_CONFIGURATION_NEEDED},
        {"ConfigurationAndSWHardeningNeeded", TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED},
        {"OutOfDate", TCB_OUT_OF_DATE},
        {"OutOfDateConfigurationNeeded", TCB_OUT_OF_DATE_CONFIGURATION_NEEDED},
        {"Revoked", TCB_REVOKED},
    };
    static const char *const advisories[] = {"SIM-SA-7", NULL};
    struct world w = new_world("a");
    struct bytes q = quote(&w, "m0", TEE_SIM_V4);
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tee_sim_tcb row = {
            .level = TEE_SIM_LEVEL_NOW, .status = cases[i].word, .advisories = advisories};
        struct tee_sim_world state = {.platform = &row, .platform_n = 1, .evaluation_number = 21};
        struct attest_verdict v;

        CHECK_OK(verify(&v, &w, q, &state, NOW_S, &e), &e);
        CHECK_INT(v.tcb_status, cases[i].status);
        CHECK_INT(v.evaluation_number, 21);
        CHECK_STR(v.advisories[0], "SIM-SA-7");
    }
    {
        struct tee_sim_tcb row = {.level = TEE_SIM_LEVEL_NOW, .status = "OutOfDate"};
        struct attest_verdict v;

        CHECK_OK(
            verify(&v, &w, q, &(struct tee_sim_world){.module = &row, .module_n = 1}, NOW_S, &e),
            &e);
        CHECK_INT(v.module_status, TCB_OUT_OF_DATE);
        CHECK_INT(v.tcb_status, TCB_OUT_OF_DATE);
        CHECK_OK(verify(&v, &w, q, &(struct tee_sim_world){.qe = &row, .qe_n = 1}, NOW_S, &e), &e);
        CHECK_INT(v.qe_status, TCB_OUT_OF_DATE);
        CHECK_INT(v.tcb_status, TCB_OUT_OF_DATE);
    }
    end(&w);
}

TEST(bad_states_are_refused_with_their_stage)
{
    static const char *const revoked[] = {"m0", NULL};
    struct tee_sim_tcb high = {.level = TEE_SIM_LEVEL_NOW, .status = "UpToDate"};
    struct world w = new_world("a");
    struct bytes q = quote(&w, "m0", TEE_SIM_V4), other = quote(&w, "m1", TEE_SIM_V4);
    struct attest_verdict v;
    struct err e = {0};

    CHECK_RC(verify(&v, &w, q, &(struct tee_sim_world){.revoked = revoked}, NOW_S, &e), RC_DENIED,
             &e, "revoked");
    CHECK_INT(v.stage, ATTEST_STAGE_PCK_CRL);
    CHECK_OK(verify(&v, &w, other, &(struct tee_sim_world){.revoked = revoked}, NOW_S, &e), &e);
    CHECK_RC(verify(&v, &w, q, &(struct tee_sim_world){.ca_revoked = true}, NOW_S, &e), RC_DENIED,
             &e, "revoked");
    CHECK_TRUE(!v.verified);
    CHECK_RC(verify(&v, &w, q, NULL, NOW_S + TEE_SIM_COLLATERAL_S + 1, &e), RC_DENIED, &e, "");
    CHECK_TRUE(!v.verified);
    CHECK_RC(verify(&v, &w, q, NULL, NOW_S - 1, &e), RC_DENIED, &e, "");
    high.level.sgx[0]++;
    CHECK_RC(
        verify(&v, &w, q, &(struct tee_sim_world){.platform = &high, .platform_n = 1}, NOW_S, &e),
        RC_DENIED, &e, "");
    CHECK_INT(v.stage, ATTEST_STAGE_TCB_LEVEL);
    end(&w);
}

/* A platform update is a new certificate: quotes from before are judged by their own level. */
TEST(a_machine_can_be_updated)
{
    struct tee_sim_tcb rows[2] = {{.level = TEE_SIM_LEVEL_NOW, .status = "UpToDate"},
                                  {.level = TEE_SIM_LEVEL_NOW, .status = "OutOfDate"}};
    struct tee_sim_world state = {.platform = rows, .platform_n = 2};
    struct world w = new_world("a");
    struct bytes before = quote(&w, "m0", TEE_SIM_V4), after;
    struct attest_verdict v, u;
    struct err e = {0};

    rows[0].level.sgx[0]++;
    CHECK_OK(tee_sim_machine_update(w.sim, "m0", &rows[0].level, NOW_S, &e), &e);
    after = quote(&w, "m0", TEE_SIM_V4);
    CHECK_OK(verify(&v, &w, before, &state, NOW_S, &e), &e);
    CHECK_INT(v.tcb_status, TCB_OUT_OF_DATE);
    CHECK_OK(verify(&u, &w, after, &state, NOW_S, &e), &e);
    CHECK_INT(u.tcb_status, TCB_UP_TO_DATE);
    CHECK_TRUE(hash32_eq(&u.platform_id, &v.platform_id));
    end(&w);
}

TEST(another_authority_is_refused)
{
    struct world w = new_world("a"), x = new_world("b");
    struct attest_verdict v;
    struct err e = {0};

    CHECK_RC(verify(&v, &w, quote(&x, "m0", TEE_SIM_V4), NULL, NOW_S, &e), RC_DENIED, &e, "");
    CHECK_TRUE(!v.verified);
    end(&w);
    end(&x);
}

/* No byte of a good quote can be flipped without a refusal. */
TEST(every_flipped_byte_is_refused)
{
    struct world w = new_world("a");
    struct bytes q = quote(&w, "m0", TEE_SIM_V5_TD15);
    AUTO_FREE uint8_t *good = xmemdup(q.p, q.n), *bad = xmemdup(q.p, q.n);
    struct err e = {0};

    for (size_t i = 0; i < q.n; i += i < 1400 ? 1 : 13) {
        struct attest_verdict v;

        bad[i] ^= (uint8_t)(1u << t_rand_below(8));
        if (verify(&v, &w, bytes_of(bad, q.n), NULL, NOW_S, &e) == RC_OK || v.verified)
            t_fail(__FILE__, __LINE__, "byte %zu flipped, still verified", i);
        bad[i] = good[i];
        if (i % 64 == 0)
            arena_reset(&w.a);
    }
    end(&w);
}
