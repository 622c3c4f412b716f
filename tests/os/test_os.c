/* Files, locks, paths from outside, children. */
#include "base/mem.h"
#include "lib/t.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/signal.h"
#include "os/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char *in_dir(const char *name)
{
    return xasprintf("%s/%s", t_tmpdir(), name);
}

TEST(atomic_write_and_bounded_read)
{
    AUTO_FREE char *path = in_dir("f");
    AUTO_CLEAR(buf) struct buf b = {0};
    struct stat st;
    struct err e;

    CHECK_RC(file_read(&b, path, 10, &e), RC_NOTFOUND, &e, "no such file");
    CHECK_OK(file_write_atomic(path, bytes_str("one"), 0640, &e), &e);
    CHECK_TRUE(stat(path, &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0640);
    CHECK_OK(file_write_atomic(path, bytes_str("twenty"), 0600, &e), &e);
    CHECK_OK(file_read(&b, path, 6, &e), &e);
    CHECK_MEM(buf_bytes(&b), bytes_str("twenty"));
    CHECK_RC(file_read(&b, path, 5, &e), RC_LIMIT, &e, "larger than 5");
    CHECK_INT(b.n, 6);
    CHECK_RC(file_write_new(path, bytes_str("x"), 0600, &e), RC_EXISTS, &e, "exists");
    CHECK_OK(file_remove(path, &e), &e);
    CHECK_OK(file_remove(path, &e), &e);
    CHECK_OK(file_write_new(path, bytes_str("x"), 0600, &e), &e);
    CHECK_RC(file_write_atomic("/proc/nothing/here", bytes_str("x"), 0600, &e), RC_IO, &e,
             "No such file");
}

static enum rc add_name(void *ctx, const char *name, struct err *e)
{
    (void)e;
    buf_printf(ctx, "%s ", name);
    return RC_OK;
}

TEST(folders)
{
    AUTO_FREE char *deep = in_dir("a/b/c");
    AUTO_FREE char *top = in_dir("a");
    AUTO_FREE char *file = in_dir("a/b/file");
    AUTO_FREE char *link_path = in_dir("a/link");
    AUTO_CLEAR(buf) struct buf names = {0};
    struct err e;

    CHECK_OK(dir_make(deep, 0700, &e), &e);
    CHECK_OK(dir_make(deep, 0700, &e), &e);
    CHECK_OK(file_write_atomic(file, bytes_str("x"), 0600, &e), &e);
    CHECK_RC(dir_make(file, 0700, &e), RC_IO, &e, "Not a directory");
    CHECK_TRUE(symlink("/etc", link_path) == 0);
    CHECK_OK(dir_list(top, add_name, &names, &e), &e);
    CHECK_STR(buf_cstr(&names), "b link ");
    CHECK_OK(dir_remove(top, &e), &e);
    CHECK_TRUE(!file_exists(top));
    CHECK_TRUE(file_exists("/etc/passwd"));
    CHECK_OK(dir_remove(top, &e), &e);
}

TEST(one_lock_a_folder)
{
    int a, b, status;
    struct err e;
    pid_t pid;

    CHECK_OK(dir_lock(&a, t_tmpdir(), &e), &e);
    CHECK_RC(dir_lock(&b, t_tmpdir(), &e), RC_EXISTS, &e, "in use by process");
    (void)close(a);
    pid = fork();
    if (pid == 0)
        _exit(dir_lock(&a, t_tmpdir(), NULL) == RC_OK && raise(SIGKILL) ? 1 : 2);
    CHECK_TRUE(waitpid(pid, &status, 0) == pid);
    CHECK_TRUE(WIFSIGNALED(status));
    CHECK_OK(dir_lock(&b, t_tmpdir(), &e), &e);
    (void)close(b);
}

TEST(paths_from_outside_stay_inside)
{
    AUTO_FREE char *inner = in_dir("root/sub");
    AUTO_FREE char *root = in_dir("root");
    AUTO_FREE char *link_path = in_dir("root/etc_link");
    AUTO_FREE char *file = in_dir("root/sub/f");
    AUTO_FD int dir = -1;
    struct err e;
    int fd;

    CHECK_OK(dir_make(inner, 0700, &e), &e);
    CHECK_OK(file_write_atomic(file, bytes_str("x"), 0600, &e), &e);
    CHECK_TRUE(symlink("/etc", link_path) == 0);
    dir = open(root, O_RDONLY | O_DIRECTORY);
    CHECK_OK(file_open_in(&fd, dir, "sub/f", O_RDONLY, 0, FILE_NO_LINKS, &e), &e);
    (void)close(fd);
    CHECK_OK(file_open_in(&fd, dir, "sub/../sub/f", O_RDONLY, 0, FILE_BENEATH, &e), &e);
    (void)close(fd);
    CHECK_OK(file_open_in(&fd, dir, "../../sub/f", O_RDONLY, 0, FILE_IN_ROOT, &e), &e);
    (void)close(fd);
    CHECK_RC(file_open_in(&fd, dir, "../x", O_RDONLY, 0, FILE_BENEATH, &e), RC_DENIED, &e,
             "out of");
    CHECK_INT(fd, -1);
    CHECK_RC(file_open_in(&fd, dir, "/etc/passwd", O_RDONLY, 0, FILE_BENEATH, &e), RC_DENIED, &e,
             "out of");
    CHECK_RC(file_open_in(&fd, dir, "etc_link/passwd", O_RDONLY, 0, FILE_BENEATH, &e), RC_DENIED,
             &e, "link");
    CHECK_RC(file_open_in(&fd, dir, "etc_link/passwd", O_RDONLY, 0, FILE_IN_ROOT, &e), RC_NOTFOUND,
             &e, "");
    CHECK_RC(file_open_in(&fd, dir, "etc_link", O_RDONLY, 0, FILE_NO_LINKS, &e), RC_DENIED, &e, "");
    CHECK_OK(file_open_in(&fd, dir, "sub/new", O_WRONLY | O_CREAT, 0600, FILE_BENEATH, &e), &e);
    (void)close(fd);
}

static struct child_status run(const char *const *argv, int out, struct buf *text)
{
    struct spawn_fd fds[] = {{out, 1}};
    struct spawn_options o = {.argv = argv, .fds = fds, .n_fds = 1, .dir = "/"};
    struct child_status st;
    struct child c;
    struct err e;

    CHECK_OK(child_spawn(&c, &o, &e), &e);
    CHECK_OK(child_wait(&c, 10000, &st, &e), &e);
    CHECK_INT(c.pidfd, -1);
    if (text != NULL) {
        CHECK_TRUE(lseek(out, 0, SEEK_SET) == 0);
        CHECK_OK(file_read_fd(text, out, 4096, &e), &e);
    }
    return st;
}

TEST(children_get_what_they_are_given)
{
    static const char *const pwd[] = {"sh", "-c", "pwd; cat; exit 7", NULL};
    static const char *const fds[] = {"/bin/sh", "-c", "ls /proc/self/fd | wc -l", NULL};
    static const char *const none[] = {"no-such-program-here", NULL};
    static const char *const text_file[] = {"/etc/passwd", NULL};
    AUTO_CLEAR(buf) struct buf out = {0};
    AUTO_FREE char *path = in_dir("out");
    struct spawn_options o = {.argv = none};
    AUTO_FD int fd = open(path, O_RDWR | O_CREAT, 0600);
    /* An open descriptor without O_CLOEXEC must not reach the child. */
    AUTO_FD int leak = open("/", O_RDONLY | O_DIRECTORY);
    struct child_status st = run(pwd, fd, &out);
    struct child c;
    struct err e;

    CHECK_TRUE(leak >= 0);
    CHECK_TRUE(st.exited);
    CHECK_INT(st.code, 7);
    CHECK_STR(buf_cstr(&out), "/\n");
    buf_reset(&out);
    CHECK_TRUE(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    st = run(fds, fd, &out);
    /* 0, 1, 2 and the folder that ls reads. */
    CHECK_STR(buf_cstr(&out), "4\n");
    CHECK_RC(child_spawn(&c, &o, &e), RC_NOTFOUND, &e, "no such program");
    o.argv = text_file;
    CHECK_RC(child_spawn(&c, &o, &e), RC_DENIED, &e, "not executable");
    child_clear(&c);
}

TEST(children_end_when_told)
{
    static const char *const argv[] = {"sh", "-c", "sleep 100 & sleep 100", NULL};
    struct spawn_options o = {.argv = argv, .new_session = true, .die_with_parent = true};
    uint64_t start = clock_mono_ms();
    struct child_status st;
    struct child c;
    struct err e;

    CHECK_OK(child_spawn(&c, &o, &e), &e);
    CHECK_RC(child_wait(&c, 50, &st, &e), RC_TIMEOUT, &e, "still runs");
    child_kill(&c, SIGTERM);
    CHECK_OK(child_wait(&c, 10000, &st, &e), &e);
    CHECK_TRUE(!st.exited);
    CHECK_INT(st.code, SIGTERM);
    CHECK_OK(child_spawn(&c, &o, &e), &e);
    child_clear(&c);
    CHECK_INT(c.pid, 0);
    CHECK_TRUE(clock_mono_ms() - start < 20000);
}

TEST(stop_signal)
{
    int fd, signum;
    struct err e;

    CHECK_OK(stop_signal_open(&fd, &e), &e);
    CHECK_RC(stop_signal_wait(fd, 10, &signum, &e), RC_TIMEOUT, &e, "");
    CHECK_TRUE(kill(getpid(), SIGTERM) == 0);
    CHECK_OK(stop_signal_wait(fd, 1000, &signum, &e), &e);
    CHECK_INT(signum, SIGTERM);
    (void)close(fd);
}

TEST(clocks_go_on)
{
    uint64_t a = clock_mono_ns(), w = clock_wall_ns();

    clock_sleep_ms(5);
    CHECK_TRUE(clock_mono_ns() - a >= 5000000);
    CHECK_TRUE(w > 1600000000ull * 1000000000u);
}

TEST(secrets_are_read_into_one_allocation)
{
    AUTO_FREE char *path = xasprintf("%s/key", t_tmpdir());
    uint8_t p[8 + 1];
    struct err e;
    size_t n;

    memset(p, 7, sizeof(p));
    CHECK_RC(file_read_secret(p, 8, &n, path, &e), RC_NOTFOUND, &e, "key: no such file");
    CHECK_OK(file_write_new(path, bytes_str("12345678"), 0600, &e), &e);
    CHECK_OK(file_read_secret(p, 8, &n, path, &e), &e);
    CHECK_INT(n, 8);
    CHECK_STR((const char *)p, "12345678");
    memset(p, 7, sizeof(p));
    CHECK_RC(file_read_secret(p, 7, &n, path, &e), RC_LIMIT, &e, "key: larger than 7 bytes");
    CHECK_INT(n, 0);
    CHECK_MEM(bytes_of(p, 9), bytes_of("\0\0\0\0\0\0\0\0\7", 9)); /* nothing is left */
}

TEST(what_a_write_left_is_removed)
{
    static const char *const stay[] = {"a",        "a.tmp",      "a.tmp.1", "a.tmp.1.",
                                       "a.tmp..2", "a.tmp.1.2x", "tmp.1.2"};
    static const char *const go[] = {"a.tmp.1.2", "keeper.sealed.tmp.4711.4712"};
    const char *dir = t_tmpdir();
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(stay); i++) {
        AUTO_FREE char *path = xasprintf("%s/%s", dir, stay[i]);

        CHECK_OK(file_write_atomic(path, bytes_str("x"), 0600, &e), &e);
    }
    for (size_t i = 0; i < ARRAY_LEN(go); i++) {
        AUTO_FREE char *path = xasprintf("%s/%s", dir, go[i]);

        CHECK_OK(file_write_atomic(path, bytes_str("x"), 0600, &e), &e);
    }
    CHECK_OK(dir_clean(dir, &e), &e);
    for (size_t i = 0; i < ARRAY_LEN(stay); i++) {
        AUTO_FREE char *path = xasprintf("%s/%s", dir, stay[i]);

        CHECK_TRUE(file_exists(path));
    }
    for (size_t i = 0; i < ARRAY_LEN(go); i++) {
        AUTO_FREE char *path = xasprintf("%s/%s", dir, go[i]);

        CHECK_TRUE(!file_exists(path));
    }
}
