#include "lib/t.h"

#include "base/hex.h"
#include "base/num.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_TESTS 512
#define EXIT_SKIP 77

static struct {
    const char *name;
    t_fn fn;
} tests[MAX_TESTS];
static size_t n_tests;
static uint64_t rng_state;
static char tmpdir[64];

void t_register(const char *name, t_fn fn)
{
    CHECK(n_tests < MAX_TESTS);
    tests[n_tests].name = name;
    tests[n_tests++].fn = fn;
}

/* exit() and not _exit(), so that the leak check runs and tmpdir goes. */
_Noreturn void t_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)fprintf(stderr, "    %s:%d: ", file, line);
    (void)vfprintf(stderr, fmt, ap);
    (void)fprintf(stderr, "\n");
    va_end(ap);
    _exit(1);
}

_Noreturn void t_skip(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)printf("    skipped: ");
    (void)vprintf(fmt, ap);
    (void)printf("\n");
    va_end(ap);
    (void)fflush(stdout);
    _exit(EXIT_SKIP);
}

uint64_t t_rand(void)
{
    uint64_t z = (rng_state += 0x9e3779b97f4a7c15U);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

uint64_t t_times(uint64_t n)
{
    const char *env = getenv("T_TIMES");
    uint64_t times = 1;

    if (env != NULL)
        CHECK(parse_u64(&times, bytes_str(env), 1000, NULL) == RC_OK);
    return n * times;
}

uint64_t t_rand_below(uint64_t n)
{
    return t_rand() % n;
}

void t_rand_bytes(void *p, size_t n)
{
    uint8_t *b = p;

    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)(t_rand() & 0xff);
}

/* Read a whole file; NULL pointer if it cannot be opened. Kept until exit. */
static struct bytes slurp(const char *path)
{
    static struct buf kept[64];
    static size_t n_kept;
    FILE *f = fopen(path, "rb");
    struct buf *b = &kept[n_kept];
    size_t n;

    if (f == NULL)
        return bytes_of(NULL, 0);
    CHECK(n_kept < ARRAY_LEN(kept));
    n_kept++;
    do {
        n = fread(buf_reserve(b, 65536), 1, 65536, f);
        b->n += n;
    } while (n != 0);
    (void)fclose(f);
    return buf_bytes(b);
}

struct bytes t_vector(const char *relative_path)
{
    const char *root = getenv("VECTORS");
    char *path = xasprintf("%s/%s", root == NULL ? "../shared/vectors" : root, relative_path);
    struct bytes b = slurp(path);

    if (b.p == NULL)
        t_skip("no %s here", path);
    free(path);
    return b;
}

struct bytes t_file(const char *relative_path)
{
    struct bytes b = slurp(relative_path);

    if (b.p == NULL)
        t_fail(__FILE__, __LINE__, "cannot open %s: %s (run from the project's root)",
               relative_path, strerror(errno));
    return b;
}

const char *t_tmpdir(void)
{
    if (tmpdir[0] == 0) {
        (void)snprintf(tmpdir, sizeof(tmpdir), "/tmp/cloister-test.XXXXXX");
        CHECK(mkdtemp(tmpdir) != NULL);
    }
    return tmpdir;
}

static void remove_tmpdir(void)
{
    if (tmpdir[0] != 0) {
        char *cmd = xasprintf("rm -rf '%s'", tmpdir);
        int status = system(cmd);

        free(cmd);
        CHECK(status == 0);
    }
}

static void print_bytes(const char *what, struct bytes b)
{
    (void)fprintf(stderr, "    %s (%zu): ", what, b.n);
    for (size_t i = 0; i < b.n && i < 256; i++)
        (void)fprintf(stderr, "%02x", b.p[i]);
    (void)fprintf(stderr, "%s\n", b.n > 256 ? "..." : "");
}

void t_check_mem(const char *file, int line, struct bytes got, struct bytes want)
{
    if (bytes_eq(got, want))
        return;
    print_bytes("got ", got);
    print_bytes("want", want);
    t_fail(file, line, "bytes differ");
}

void t_check_hex(const char *file, int line, struct bytes got, const char *want_hex)
{
    struct buf want = {0};
    struct err e;

    if (hex_decode(&want, bytes_str(want_hex), SIZE_MAX / 4, &e) != RC_OK)
        t_fail(file, line, "bad expected hex: %s", e.msg);
    t_check_mem(file, line, got, buf_bytes(&want));
    buf_clear(&want);
}

void t_check_str(const char *file, int line, const char *got, const char *want)
{
    if (got == NULL || strcmp(got, want) != 0)
        t_fail(file, line, "got \"%s\", expected \"%s\"", got == NULL ? "(null)" : got, want);
}

void t_check_rc(const char *file, int line, enum rc got, enum rc want, const struct err *e,
                const char *piece)
{
    if (got != want)
        t_fail(file, line, "result is %s, expected %s (%s)", rc_name(got), rc_name(want),
               got == RC_OK || e == NULL ? "" : e->msg);
    if (piece != NULL && (e == NULL || strstr(e->msg, piece) == NULL))
        t_fail(file, line, "error text \"%s\" does not contain \"%s\"", e == NULL ? "" : e->msg,
               piece);
}

static int run_one(size_t i, uint64_t seed)
{
    int status = 0;
    pid_t pid;

    (void)fflush(stdout);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        rng_state = seed;
        tests[i].fn();
        remove_tmpdir();
        exit(0);
    }
    while (waitpid(pid, &status, 0) < 0)
        CHECK(errno == EINTR);
    if (WIFSIGNALED(status))
        (void)fprintf(stderr, "    killed by signal %d\n", WTERMSIG(status));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    const char *env = getenv("T_SEED");
    uint64_t seed = (uint64_t)time(NULL) * 1000003U ^ (uint64_t)getpid();
    size_t passed = 0, failed = 0, skipped = 0;

    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < n_tests; i++)
            (void)printf("%s\n", tests[i].name);
        return 0;
    }
    if (env != NULL) {
        seed = 0;
        for (; *env >= '0' && *env <= '9'; env++)
            seed = seed * 10 + (uint64_t)(*env - '0');
    }
    for (size_t i = 0; i < n_tests; i++) {
        bool wanted = argc == 1;
        int code;

        for (int a = 1; a < argc; a++)
            wanted = wanted || strcmp(argv[a], tests[i].name) == 0;
        if (!wanted)
            continue;
        code = run_one(i, seed);
        if (code == 0)
            passed++;
        else if (code == EXIT_SKIP)
            skipped++;
        else
            failed++;
        if (code != 0)
            (void)printf("  %s %s\n", code == EXIT_SKIP ? "skip" : "FAIL", tests[i].name);
    }
    (void)printf("%zu passed, %zu failed, %zu skipped%s", passed, failed, skipped,
                 failed == 0 ? "\n" : "");
    if (failed != 0)
        (void)printf(" (repeat with T_SEED=%llu)\n", (unsigned long long)seed);
    return failed != 0;
}
