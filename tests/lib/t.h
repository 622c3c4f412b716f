/* tests/lib/t.h - the test harness. TEST(name) { ... } registers itself; each runs in a process of
 * its own; a failed check prints file, line and values and ends that test only.
 * Usage: test_x [--list] [NAME...]. Exit 0 if none failed. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

typedef void (*t_fn)(void);
void t_register(const char *name, t_fn fn);

#define TEST(name)                                                                                 \
    static void name(void);                                                                        \
    __attribute__((constructor)) static void register_##name(void)                                 \
    {                                                                                              \
        t_register(#name, name);                                                                   \
    }                                                                                              \
    static void name(void)

_Noreturn void t_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* End this test as skipped, saying why. */
_Noreturn void t_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Random numbers from the printed seed (T_SEED=n repeats a run). */
uint64_t t_rand(void);
uint64_t t_rand_below(uint64_t n);
void t_rand_bytes(void *p, size_t n);
/* n, or as many times n as T_TIMES says: how long a property test goes on. */
uint64_t t_times(uint64_t n);

/* A file of the shared vectors ($VECTORS), NULL-free: skips the test where it is absent. Freed at
 * exit. */
struct bytes t_vector(const char *relative_path);
/* A file of our own, relative to the project's root; fails the test if absent. */
struct bytes t_file(const char *relative_path);
/* A new empty folder, removed when the test ends. */
const char *t_tmpdir(void);

void t_check_mem(const char *file, int line, struct bytes got, struct bytes want);
void t_check_str(const char *file, int line, const char *got, const char *want);
void t_check_rc(const char *file, int line, enum rc got, enum rc want, const struct err *e,
                const char *piece);

#define CHECK_TRUE(cond) ((cond) ? (void)0 : t_fail(__FILE__, __LINE__, "not true: %s", #cond))
#define CHECK_INT(got, want)                                                                       \
    do {                                                                                           \
        long long got_ = (long long)(got), want_ = (long long)(want);                              \
        if (got_ != want_)                                                                         \
            t_fail(__FILE__, __LINE__, "%s is %lld (0x%llx), expected %lld (0x%llx)", #got, got_,  \
                   (unsigned long long)got_, want_, (unsigned long long)want_);                    \
    } while (0)
#define CHECK_MEM(got, want) t_check_mem(__FILE__, __LINE__, (got), (want))
/* want as hexadecimal text */
#define CHECK_HEX(got, hex) t_check_hex(__FILE__, __LINE__, (got), (hex))
void t_check_hex(const char *file, int line, struct bytes got, const char *want_hex);
#define CHECK_STR(got, want) t_check_str(__FILE__, __LINE__, (got), (want))
/* The call succeeds; `e` is the struct err it was given. */
#define CHECK_OK(call, e) t_check_rc(__FILE__, __LINE__, (call), RC_OK, (e), NULL)
/* The call fails with this code and its text contains `piece`. */
#define CHECK_RC(call, want, e, piece) t_check_rc(__FILE__, __LINE__, (call), (want), (e), (piece))
