/* What a machine says it measures as, is what a verifier finds in its evidence. */
#include "attest/record.h"
#include "attest/snp.h"
#include "client/enroll.h"
#include "lib/t.h"
#include "tee/fake_kernel.h"

static struct tee *sev(uint8_t id_key, uint8_t author_key)
{
    const struct tee_config c = {
        .source = TEE_SOURCE_SEV_GUEST, .sev_device = "/sev", .sys = &FAKE_SYS};
    struct tee *t;
    struct err e = {0};

    fk = (struct fake_kernel){
        .has_sev = true, .report_size = 1184, .id_key = id_key, .author_key = author_key};
    CHECK_OK(tee_open(&t, &c, &e), &e);
    return t;
}

static struct hash32 printed(struct tee *t)
{
    struct hash32 h;
    struct err e = {0};

    CHECK_OK(enroll_measurement(&h, t, &e), &e);
    return h;
}

/* As the contract's verifier reads a report over something else. */
static struct hash32 registered(struct tee *t)
{
    static const uint8_t data[64] = {1, 2, 3};
    struct attest_verdict v = {.tee = TEE_SNP};
    struct tee_evidence evidence = {0};
    struct snp_report r;
    struct hash32 h;
    struct err e = {0};

    CHECK_OK(tee_evidence_get(t, &evidence, data, &e), &e);
    CHECK_OK(snp_report_parse(&r, buf_bytes(&evidence.quote), &e), &e);
    v.m.snp = r.m;
    attest_measurement(&h, &v);
    tee_evidence_clear(&evidence);
    return h;
}

TEST(a_report_is_measured_as_it_is_registered)
{
    static const uint8_t keys[][2] = {{0, 0}, {7, 0}, {0, 9}, {7, 9}};
    struct hash32 all[ARRAY_LEN(keys)];

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct tee *t = sev(keys[i][0], keys[i][1]);
        struct hash32 want = registered(t);

        all[i] = printed(t);
        CHECK_MEM(BYTES_OF(&all[i]), BYTES_OF(&want));
        for (size_t j = 0; j < i; j++) /* who signed the launch is part of it */
            CHECK_TRUE(!hash32_eq(&all[i], &all[j]));
        tee_close(t);
    }
}
