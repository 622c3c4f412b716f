/* Sealed state: who can open it, and what the host can do with it. */
#include "lib/t.h"
#include "os/file.h"
#include "tee/seal.h"
#include "tee/simulator.h"

#define NOW_S UINT64_C(1767225600)
#define PURPOSE "test"

static char *dir, *binary;
static struct tee_sim *sim;

static void set_up(void)
{
    struct err e = {0};

    dir = xasprintf("%s/sim", t_tmpdir());
    binary = xasprintf("%s/binary", t_tmpdir());
    CHECK_OK(tee_sim_create(dir, NOW_S, &e), &e);
    CHECK_OK(tee_sim_open(&sim, dir, &e), &e);
    CHECK_OK(tee_sim_machine_add(sim, "a", NULL, NOW_S, &e), &e);
    CHECK_OK(tee_sim_machine_add(sim, "b", NULL, NOW_S, &e), &e);
    CHECK_OK(file_write_atomic(binary, bytes_str("program"), 0644, &e), &e);
}

static void tear_down(void)
{
    tee_sim_close(sim);
    free(dir);
    free(binary);
}

static struct tee *launch(const char *machine, const char *config)
{
    struct tee_sim_launch l = {
        .dir = dir, .machine = machine, .binary = binary, .config = bytes_str(config)};
    struct tee_config c = {.source = TEE_SOURCE_SIMULATOR, .launch = &l};
    struct tee *t = NULL;
    struct err e = {0};

    CHECK_OK(tee_open(&t, &c, &e), &e);
    return t;
}

static void seal(struct buf *out, uint64_t version, const char *text)
{
    struct tee *t = launch("a", "{}");
    struct err e = {0};

    CHECK_OK(seal_put(t, out, PURPOSE, version, bytes_str(text), &e), &e);
    CHECK_INT(out->n, SEAL_OVERHEAD + strlen(text));
    tee_close(t);
}

/* Open and expect rc; on success the content must be `text`. */
static void expect(const char *machine, const char *config, const char *purpose, uint64_t min,
                   struct bytes sealed, enum rc rc, const char *text_or_piece)
{
    struct tee *t = launch(machine, config);
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    struct seal_info info;
    struct err e = {0};

    secbuf_put_str(&plain, "before");
    if (rc == RC_OK) {
        CHECK_OK(seal_get(t, &plain, &info, purpose, min, sealed, &e), &e);
        CHECK_MEM(bytes_of(plain.p + 6, plain.n - 6), bytes_str(text_or_piece));
        CHECK_TRUE(info.simulated && info.platform == TEE_PLATFORM_TDX);
    } else {
        CHECK_RC(seal_get(t, &plain, &info, purpose, min, sealed, &e), rc, &e, text_or_piece);
        CHECK_INT(info.version, 0);
        CHECK_INT(plain.n, 6);
    }
    tee_close(t);
}

TEST(opens_for_the_same_program_after_a_restart)
{
    AUTO_CLEAR(buf) struct buf s = {0};

    set_up();
    seal(&s, 3, "state");
    expect("a", "{}", PURPOSE, 3, buf_bytes(&s), RC_OK, "state");
    expect("a", "{}", PURPOSE, 0, buf_bytes(&s), RC_OK, "state");
    buf_reset(&s);
    seal(&s, 0, "");
    expect("a", "{}", PURPOSE, 0, buf_bytes(&s), RC_OK, "");
    tear_down();
}

TEST(opens_for_nobody_else)
{
    AUTO_CLEAR(buf) struct buf s = {0};
    struct err e = {0};

    set_up();
    seal(&s, 3, "state");
    expect("b", "{}", PURPOSE, 0, buf_bytes(&s), RC_DENIED, "another machine");
    expect("a", "{\"x\":1}", PURPOSE, 0, buf_bytes(&s), RC_DENIED, "another measurement");
    expect("a", "{}", "other", 0, buf_bytes(&s), RC_DENIED, "purpose");
    expect("a", "{}", "", 0, buf_bytes(&s), RC_RANGE, "purpose");
    CHECK_OK(file_write_atomic(binary, bytes_str("programm"), 0644, &e), &e);
    expect("a", "{}", PURPOSE, 0, buf_bytes(&s), RC_DENIED, "another measurement");
    tear_down();
}

/* The header is not believed: with another program's measurement written into it, the key differs.
 */
TEST(a_rewritten_header_does_not_help)
{
    AUTO_CLEAR(buf) struct buf s = {0};
    struct tee *t;
    struct tee_measurement m;
    struct hash32 id;
    struct err e = {0};

    set_up();
    seal(&s, 3, "state");
    t = launch("a", "{\"x\":1}");
    CHECK_OK(tee_measurement_get(t, &m, &e), &e);
    tee_measurement_id(&id, &m);
    tee_close(t);
    memcpy(s.p + 8, id.b, 32);
    expect("a", "{\"x\":1}", PURPOSE, 0, buf_bytes(&s), RC_DENIED, "altered");
    tear_down();
}

TEST(an_older_version_is_refused)
{
    AUTO_CLEAR(buf) struct buf old = {0};

    set_up();
    seal(&old, 3, "old state");
    expect("a", "{}", PURPOSE, 4, buf_bytes(&old), RC_DENIED, "rolled back");
    old.p[55] = 4; /* the version, in the clear but authenticated */
    expect("a", "{}", PURPOSE, 4, buf_bytes(&old), RC_DENIED, "altered");
    tear_down();
}

TEST(every_byte_is_authenticated)
{
    AUTO_CLEAR(buf) struct buf s = {0};
    struct tee *t;
    struct err e = {0};

    set_up();
    seal(&s, 1, "state");
    t = launch("a", "{}");
    for (size_t i = 0; i < s.n; i++) {
        AUTO_CLEAR(secbuf) struct secbuf plain = {0};

        s.p[i] ^= 1;
        if (seal_get(t, &plain, NULL, PURPOSE, 0, buf_bytes(&s), &e) == RC_OK || plain.n != 0)
            t_fail(__FILE__, __LINE__, "byte %zu flipped, still opened", i);
        s.p[i] ^= 1;
    }
    for (size_t n = 0; n < s.n; n++) {
        AUTO_CLEAR(secbuf) struct secbuf plain = {0};

        CHECK_TRUE(seal_get(t, &plain, NULL, PURPOSE, 0, bytes_of(s.p, n), &e) != RC_OK);
    }
    tee_close(t);
    tear_down();
}

/* A platform update: old state opens and says so; sealed again it is of the new platform. A
 * platform that went back cannot open what the newer one sealed. */
TEST(a_platform_update_is_survived_and_a_rollback_is_not)
{
    struct tee_sim_level newer = TEE_SIM_LEVEL_NOW;
    AUTO_CLEAR(buf) struct buf s = {0}, again = {0};
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    struct seal_info info;
    struct tee *t;
    struct err e = {0};

    set_up();
    seal(&s, 5, "state");
    newer.sgx[0]++;
    CHECK_OK(tee_sim_machine_update(sim, "a", &newer, NOW_S, &e), &e);
    t = launch("a", "{}");
    CHECK_OK(seal_get(t, &plain, &info, PURPOSE, 5, buf_bytes(&s), &e), &e);
    CHECK_TRUE(info.is_old_platform);
    CHECK_OK(seal_put(t, &again, PURPOSE, 5, secbuf_bytes(&plain), &e), &e);
    secbuf_reset(&plain);
    CHECK_OK(seal_get(t, &plain, &info, PURPOSE, 5, buf_bytes(&again), &e), &e);
    CHECK_TRUE(!info.is_old_platform);
    CHECK_MEM(secbuf_bytes(&plain), bytes_str("state"));
    tee_close(t);
    CHECK_OK(tee_sim_machine_update(sim, "a", NULL, NOW_S, &e), &e);
    expect("a", "{}", PURPOSE, 5, buf_bytes(&again), RC_DENIED, "rolled back");
    tear_down();
}

TEST(headers_can_be_read_without_keys)
{
    AUTO_CLEAR(buf) struct buf s = {0};
    struct seal_info info;
    struct err e = {0};

    set_up();
    seal(&s, 77, "state");
    CHECK_OK(seal_peek(&info, buf_bytes(&s), &e), &e);
    CHECK_INT(info.version, 77);
    CHECK_TRUE(info.simulated);
    s.p[0] = 'X';
    CHECK_RC(seal_peek(&info, buf_bytes(&s), &e), RC_MALFORMED, &e, "not sealed state");
    s.p[0] = 'C';
    s.p[4] = 2;
    CHECK_RC(seal_peek(&info, buf_bytes(&s), &e), RC_MALFORMED, &e, "version");
    CHECK_RC(seal_peek(&info, bytes_of(s.p, 20), &e), RC_MALFORMED, &e, "sealed state");
    tear_down();
}
