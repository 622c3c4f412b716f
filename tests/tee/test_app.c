/* What an application's evidence says (attest/app.h), as the simulator boots it. */
#include "attest/app.h"
#include "attest/event.h"
#include "attest/quote.h"
#include "base/hex.h"
#include "crypto/hash.h"
#include "lib/t.h"
#include "tee/simulator.h"
#include "tee/tee.h"

#define NOW_S UINT64_C(1767225600)

struct booted {
    struct tee_evidence v;
    struct attest_verdict verdict;
};

static void boot_as(struct booted *b, const struct tee_sim_launch *l, const char *app_event)
{
    struct tee *t = NULL;
    uint8_t data[64] = {0};
    struct err e = {0};
    struct quote q;

    *b = (struct booted){0};
    CHECK_OK(tee_open(&t, &(struct tee_config){.source = TEE_SOURCE_SIMULATOR, .launch = l}, &e),
             &e);
    if (app_event != NULL)
        CHECK_OK(tee_extend(t, 3, app_event, bytes_str("x"), &e), &e);
    CHECK_OK(tee_evidence_get(t, &b->v, data, &e), &e);
    CHECK_OK(quote_parse(&q, buf_bytes(&b->v.quote), &e), &e);
    b->verdict.tee = q.tee;
    b->verdict.m.td = q.td;
    tee_close(t);
}

static void boot(struct booted *b, const char *dir, const char *machine, const char *config,
                 const char *app_event, bool with_keys)
{
    const struct tee_sim_launch l = {.dir = dir,
                                     .machine = machine,
                                     .config = bytes_str(config),
                                     .image_only = true,
                                     .without_keys = !with_keys};

    boot_as(b, &l, app_event);
}

static enum rc read_app(struct attest_app *out, struct booted *b, struct err *e)
{
    return attest_app_read(out, &b->verdict, buf_bytes(&b->v.event_log), e);
}

static const char *machines(void)
{
    const char *dir = t_tmpdir();
    struct tee_sim *s = NULL;
    struct err e = {0};

    CHECK_OK(tee_sim_create(dir, NOW_S, &e), &e);
    CHECK_OK(tee_sim_open(&s, dir, &e), &e);
    CHECK_OK(tee_sim_machine_add(s, "a", NULL, NOW_S, &e), &e);
    CHECK_OK(tee_sim_machine_add(s, "b", NULL, NOW_S, &e), &e);
    tee_sim_close(s);
    return dir;
}

TEST(one_image_many_versions_and_instances)
{
    const char *dir = machines();
    struct attest_app x, y, z;
    struct booted a, b, c;
    struct hash32 compose;
    struct err e = {0};

    boot(&a, dir, "a", "{}", NULL, false);
    boot(&b, dir, "b", "{}", NULL, false);
    boot(&c, dir, "a", "{ }", NULL, false);
    CHECK_OK(read_app(&x, &a, &e), &e);
    CHECK_OK(read_app(&y, &b, &e), &e);
    CHECK_OK(read_app(&z, &c, &e), &e);
    sha256(&compose, bytes_str("{}"));
    CHECK_MEM(BYTES_OF(&x.compose_hash), BYTES_OF(&compose));
    CHECK_MEM(BYTES_OF(&x.id), bytes_of(compose.b, 20));
    CHECK_MEM(BYTES_OF(&x.image), BYTES_OF(&y.image));
    CHECK_MEM(BYTES_OF(&x.image), BYTES_OF(&z.image));
    CHECK_TRUE(!address_eq(&x.instance, &y.instance));
    CHECK_TRUE(!hash32_eq(&x.compose_hash, &z.compose_hash));
    a.verdict.m.td.rtmr[2][0] ^= 1;
    CHECK_OK(read_app(&y, &a, &e), &e);
    CHECK_TRUE(!hash32_eq(&x.image, &y.image));
    tee_evidence_clear(&a.v);
    tee_evidence_clear(&b.v);
    tee_evidence_clear(&c.v);
}

/* dstack's preimage of the same event: cc-eventlog/src/runtime_events.rs, v2_digest_is_canonical.
 */
TEST(events_of_version_2)
{
    const char *dir = machines();
    const struct tee_sim_launch l = {.dir = dir,
                                     .machine = "a",
                                     .config = bytes_str("{}"),
                                     .image_only = true,
                                     .is_log_v2 = true,
                                     .without_keys = true};
    AUTO_CLEAR(buf) struct buf preimage = {0};
    struct booted one, two;
    struct attest_app x, y;
    struct err e = {0};
    char *at;

    event_preimage(&preimage, 2, "compose-hash", bytes_of("\xab\xcd", 2));
    CHECK_STR(buf_cstr(&preimage),
              "{\"name\":\"compose-hash\",\"payload\":\"abcd\",\"type\":134217729}");
    boot(&one, dir, "a", "{}", NULL, false);
    boot_as(&two, &l, NULL);
    CHECK_OK(read_app(&x, &one, &e), &e);
    CHECK_OK(read_app(&y, &two, &e), &e);
    CHECK_MEM(BYTES_OF(&x.image), BYTES_OF(&y.image));
    CHECK_TRUE(memcmp(one.verdict.m.td.rtmr[3], two.verdict.m.td.rtmr[3], 48) != 0);
    (void)buf_cstr(&two.v.event_log);
    at = strstr((char *)two.v.event_log.p, "\"version\":2");
    CHECK_TRUE(at != NULL);
    at[10] = '1';
    CHECK_RC(read_app(&y, &two, &e), RC_DENIED, &e, "does not give the quote's RTMR3");
    at[10] = '0';
    CHECK_RC(read_app(&y, &two, &e), RC_MALFORMED, &e, "version 0");
    at[10] = '3';
    CHECK_RC(read_app(&y, &two, &e), RC_RANGE, &e, "version");
    tee_evidence_clear(&one.v);
    tee_evidence_clear(&two.v);
}

TEST(what_runs_already_gets_nothing)
{
    const char *dir = machines();
    struct attest_app x;
    struct booted b;
    struct err e = {0};

    boot(&b, dir, "a", "{}", NULL, true);
    CHECK_RC(read_app(&x, &b, &e), RC_DENIED, &e, "keys are given at boot");
    tee_evidence_clear(&b.v);
    boot(&b, dir, "a", "{}", "compose-hash", false);
    CHECK_RC(read_app(&x, &b, &e), RC_DENIED, &e, "keys are given at boot");
    tee_evidence_clear(&b.v);
}

TEST(a_log_that_is_not_the_quotes_is_refused)
{
    const char *dir = machines();
    struct booted b, other;
    struct attest_app x;
    struct err e = {0};
    char *at;

    boot(&b, dir, "a", "{}", NULL, false);
    boot(&other, dir, "a", "{ }", NULL, false);
    CHECK_RC(attest_app_read(&x, &b.verdict, buf_bytes(&other.v.event_log), &e), RC_DENIED, &e,
             "does not give the quote's RTMR3");
    CHECK_RC(attest_app_read(&x, &b.verdict, bytes_str("[]"), &e), RC_DENIED, &e,
             "ends before boot-mr-done");
    CHECK_RC(attest_app_read(&x, &b.verdict, bytes_str("{}"), &e), RC_MALFORMED, &e,
             "not an array");
    /* the same hash in mr_config_id, or none */
    memset(b.verdict.m.td.mr_config_id, 0, 48);
    CHECK_OK(read_app(&x, &b, &e), &e);
    b.verdict.m.td.mr_config_id[1] = 1;
    CHECK_RC(read_app(&x, &b, &e), RC_DENIED, &e, "mr_config_id");
    memset(b.verdict.m.td.mr_config_id, 0, 48);
    /* an event of another name */
    at = strstr(buf_cstr(&b.v.event_log), "\"compose-hash\"");
    CHECK_TRUE(at != NULL);
    memcpy(at, "\"compose-hasx\"", 14);
    CHECK_RC(read_app(&x, &b, &e), RC_DENIED, &e,
             "'compose-hasx' of 32 bytes where 'compose-hash'");
    b.verdict.tee = TEE_SNP;
    CHECK_RC(read_app(&x, &b, &e), RC_UNSUPPORTED, &e, "TDX");
    tee_evidence_clear(&b.v);
    tee_evidence_clear(&other.v);
}
