/* RISC-V validators: the host calls in this process, the isolation in the real child process. */
#include "base/mem.h"
#include "crypto/hash.h"
#include "guest.h"
#include "os/clock.h"
#include "worker/proof/container.h"

#include <fcntl.h>
#include <sys/mman.h>

static const struct validator_limits small = {
    .gas = 200000000, .memory_size = 16u << 20, .wall_ms = 20000};

static json_t *env_of(const char *mode)
{
    json_t *o = json_pack("{s:s, s:s}", "MODE", mode, "SECRET", "a \"secret\"");

    CHECK_TRUE(o != NULL);
    return o;
}

static struct validator_outcome run(struct buf *results, struct bytes elf, const char *mode,
                                    bool in_child, struct validator_limits limits)
{
    AUTO_FD int fd = memfd_create("input", MFD_CLOEXEC);
    json_auto_t *env = env_of(mode);
    struct validator_outcome o;
    struct err e = {0};

    CHECK_OK(file_write_fd(fd, bytes_str("the contribution"), &e), &e);
    if (in_child)
        CHECK_OK(validator_run_program(&o, results, built_binary("cloister-validator"), elf, fd,
                                       env, &limits, &e),
                 &e);
    else
        CHECK_OK(
            validator_run_here(&o, results, elf, bytes_str("the contribution"), env, &limits, &e),
            &e);
    return o;
}

static void check_good(bool in_child)
{
    AUTO_CLEAR(buf) struct buf elf = build_guest("tests/worker/guest.c");
    AUTO_CLEAR(buf) struct buf r = {0};
    struct validator_outcome o = run(&r, buf_bytes(&elf), "echo", in_child, small);
    struct hash32 sum;

    CHECK_STR(o.error, "");
    CHECK_INT(o.exit_code, 0);
    CHECK_STR(o.limits, "vm");
    CHECK_TRUE(o.gas_used > 0 && o.gas_used < 1000000);
    CHECK_STR(buf_cstr(&r), "the contribution");
    o = run(&r, buf_bytes(&elf), "env", in_child, small);
    CHECK_STR(buf_cstr(&r), "a \"secret\"");
    o = run(&r, buf_bytes(&elf), "hash", in_child, small);
    sha256(&sum, bytes_str("the contribution"));
    CHECK_MEM(buf_bytes(&r), BYTES_OF(&sum));
    o = run(&r, buf_bytes(&elf), "exit7", in_child, small);
    CHECK_INT(o.exit_code, 7);
    CHECK_INT(r.n, 0);
}

TEST(host_calls)
{
    check_good(false);
}

TEST(host_calls_in_the_child)
{
    check_good(true);
}

TEST(the_same_gas_here_and_in_the_child)
{
    AUTO_CLEAR(buf) struct buf elf = build_guest("tests/worker/guest.c");
    AUTO_CLEAR(buf) struct buf r = {0};
    struct validator_outcome here = run(&r, buf_bytes(&elf), "hash", false, small);
    struct validator_outcome there = run(&r, buf_bytes(&elf), "hash", true, small);

    CHECK_INT(here.gas_used, there.gas_used);
}

TEST(bad_programs_end_with_a_reason)
{
    AUTO_CLEAR(buf) struct buf elf = build_guest("tests/worker/guest.c");
    AUTO_CLEAR(buf) struct buf r = {0};
    struct validator_outcome o = run(&r, buf_bytes(&elf), "spin", true, small);

    CHECK_TRUE(strstr(o.error, "all its gas (200000000)") != NULL);
    CHECK_TRUE(o.gas_used > small.gas - 20);
    o = run(&r, buf_bytes(&elf), "crash", true, small);
    CHECK_TRUE(strstr(o.error, "stopped") != NULL);
    o = run(&r, buf_bytes(&elf), "eat", true, small);
    CHECK_INT(o.exit_code, 3);
    o = run(&r, buf_bytes(&elf), "huge", true, small);
    CHECK_INT(o.exit_code, 0);
    CHECK_INT(r.n, 0);
    o = run(&r, bytes_str("this is no program"), "echo", true, small);
    CHECK_TRUE(o.error[0] != '\0');
    CHECK_INT(o.exit_code, -1);
}

TEST(a_program_that_never_ends_is_stopped_by_the_clock)
{
    AUTO_CLEAR(buf) struct buf elf = build_guest("tests/worker/guest.c");
    AUTO_CLEAR(buf) struct buf r = {0};
    struct validator_limits l = {.gas = UINT64_MAX >> 2, .memory_size = 16u << 20, .wall_ms = 300};
    uint64_t start = clock_mono_ms();
    struct validator_outcome o = run(&r, buf_bytes(&elf), "spin", true, l);

    CHECK_TRUE(strstr(o.error, "longer than 300 ms") != NULL);
    CHECK_TRUE(clock_mono_ms() - start < 6000);
}

TEST(a_process_waits_for_its_input)
{
    AUTO_CLEAR(buf) struct buf elf = build_guest("tests/worker/guest.c");
    AUTO_CLEAR(buf) struct buf r = {0};
    json_auto_t *env = json_pack("{s:s}", "MODE", "echo");
    AUTO_FD int fd = memfd_create("input", MFD_CLOEXEC);
    struct validator_process *p, *unused;
    struct validator_outcome o;
    struct err e = {0};

    CHECK_OK(validator_start(&p, built_binary("cloister-validator"), buf_bytes(&elf), fd, env,
                             &small, &e),
             &e);
    CHECK_OK(validator_start(&unused, built_binary("cloister-validator"), buf_bytes(&elf), fd, env,
                             &small, &e),
             &e);
    validator_process_free(unused);
    CHECK_OK(file_write_fd(fd, bytes_str("came later"), &e), &e);
    CHECK_OK(validator_finish(&o, &r, p, &e), &e);
    validator_process_free(p);
    CHECK_STR(o.error, "");
    CHECK_STR(buf_cstr(&r), "came later");
}

TEST(the_guides_smallest_validator)
{
    static const struct validator_limits l = {
        .gas = 100000000, .memory_size = 64u << 20, .wall_ms = 10000};
    AUTO_CLEAR(buf) struct buf elf = build_guest("contracts/validators/lines.c");
    AUTO_CLEAR(buf) struct buf r = {0};
    json_auto_t *env = json_pack("{s:s}", "DLP_ID", "12");
    struct validator_outcome o;
    struct err e = {0};

    CHECK_OK(validator_run_here(&o, &r, buf_bytes(&elf),
                                bytes_str("1\n2\n\n3\n4\n5\n6\n7\n8\n9\n10\n11\n"), env, &l, &e),
             &e);
    CHECK_STR(o.error, "");
    CHECK_STR(buf_cstr(&r), "{\"dlp_id\":12,\"valid\":true,\"score\":0.11,"
                            "\"metadata\":{\"lines\":10}}");
}
