/* The jail against programs that attack it. The container program is tests/jail/guest.c. */
#include "base/mem.h"
#include "jail/jail.h"
#include "lib/t.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct jail_limits small(void)
{
    return (struct jail_limits){.memory_size = 48u << 20,
                                .output_size = 2u << 20,
                                .tmp_size = 4u << 20,
                                .wall_ms = 10000,
                                .n_pids = 12};
}

static const char *make_rootfs(void)
{
    static char root[256];
    static const char *const dirs[] = {"bin", "proc", "dev", "sys", "tmp", "input", "output"};
    char cmd[1024];

    (void)snprintf(root, sizeof(root), "%s/rootfs", t_tmpdir());
    CHECK_TRUE(chmod(t_tmpdir(), 0755) == 0);
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        struct err e;
        char path[300];

        (void)snprintf(path, sizeof(path), "%s/%s", root, dirs[i]);
        CHECK_OK(dir_make(path, 0755, &e), &e);
    }
    (void)snprintf(cmd, sizeof(cmd),
                   "cc -D_GNU_SOURCE -static -O1 -w -o %s/bin/guest tests/jail/guest.c", root);
    CHECK_INT(system(cmd), 0);
    return root;
}

static int input_of(const char *text)
{
    int fd = memfd_create("input", MFD_CLOEXEC);

    CHECK_TRUE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    return fd;
}

static struct jail_status run_with(struct buf *results, const char *root, const char *what,
                                   const char *arg, struct jail_limits limits, bool rlimit_only)
{
    const char *argv[] = {"/bin/guest", what, arg, NULL};
    const char *env[] = {"COLOUR=green", NULL};
    struct jail_config c = {
        .rootfs = root, .argv = argv, .env = env, .limits = limits, .rlimit_only = rlimit_only};
    struct jail_status s;
    struct err e = {0};
    AUTO_FD int fd = input_of("the contribution");
    enum rc rc = jail_run(&s, results, &c, fd, &e);

    if (rc == RC_UNSUPPORTED)
        t_skip("%s", e.msg);
    t_check_rc(__FILE__, __LINE__, rc, RC_OK, &e, NULL);
    return s;
}

static struct jail_status run(struct buf *results, const char *root, const char *what,
                              const char *arg)
{
    return run_with(results, root, what, arg, small(), false);
}

TEST(results_input_env_and_exit_codes_come_back)
{
    const char *root = make_rootfs();
    AUTO_CLEAR(buf) struct buf r = {0};
    struct jail_status s = run(&r, root, "result", "{\"score\":1}");

    CHECK_STR(s.error, "");
    CHECK_TRUE(s.started && s.has_results && !s.oom && !s.timed_out);
    CHECK_INT(s.exit_code, 0);
    CHECK_STR(buf_cstr(&r), "{\"score\":1}");
    s = run(&r, root, "input", "");
    CHECK_STR(buf_cstr(&r), "the contribution");
    s = run(&r, root, "env", "COLOUR");
    CHECK_STR(buf_cstr(&r), "green");
    s = run(&r, root, "env", "HOME");
    CHECK_TRUE(strcmp(buf_cstr(&r), "(none)") == 0 || strcmp(buf_cstr(&r), "/") == 0);
    s = run(&r, root, "exit", "7");
    CHECK_INT(s.exit_code, 7);
    CHECK_TRUE(!s.has_results);
    CHECK_INT(r.n, 0);
    s = run(&r, root, "crash", "");
    CHECK_INT(s.signal, SIGSEGV);
    CHECK_INT(s.exit_code, -1);
}

TEST(nothing_dangerous_is_allowed)
{
    const char *root = make_rootfs();
    AUTO_CLEAR(buf) struct buf r = {0};
    struct jail_status s = run(&r, root, "escapes", "");

    CHECK_INT(s.exit_code, 0);
    CHECK_TRUE(s.has_results);
    CHECK_STR(buf_cstr(&r), "");
}

TEST(no_capabilities_own_pids_empty_network)
{
    const char *root = make_rootfs();
    AUTO_CLEAR(buf) struct buf r = {0};
    struct jail_status s = run(&r, root, "facts", "");
    const char *text = buf_cstr(&r);

    CHECK_INT(s.exit_code, 0);
    CHECK_TRUE(strstr(text, "CapPrm:\t0000000000000000") != NULL);
    CHECK_TRUE(strstr(text, "CapEff:\t0000000000000000") != NULL);
    CHECK_TRUE(strstr(text, "CapBnd:\t0000000000000000") != NULL);
    CHECK_TRUE(strstr(text, "NoNewPrivs:\t1") != NULL);
    CHECK_TRUE(strstr(text, "Seccomp:\t2") != NULL);
    CHECK_TRUE(strstr(text, "pid 1\n") != NULL);
    CHECK_TRUE(strstr(text, "eth") == NULL && strstr(text, "ens") == NULL);
}

/* Is there a mount at this place, and does it have these flags? */
static bool mounted(const char *mountinfo, const char *place, const char *flags)
{
    char want[128];

    (void)snprintf(want, sizeof(want), " %s %s", place, flags);
    return strstr(mountinfo, want) != NULL;
}

static void check_mounts(const char *text)
{
    CHECK_TRUE(mounted(text, "/", "ro,nosuid,nodev"));
    CHECK_TRUE(mounted(text, "/input", "ro,nosuid,nodev,noexec"));
    CHECK_TRUE(mounted(text, "/output", "rw,nosuid,nodev,noexec"));
    CHECK_TRUE(mounted(text, "/tmp", "rw,nosuid,nodev"));
    CHECK_TRUE(mounted(text, "/dev", "ro,nosuid,noexec"));
    CHECK_TRUE(mounted(text, "/dev/shm", "rw,nosuid,nodev,noexec"));
    CHECK_TRUE(mounted(text, "/proc", "rw,nosuid,nodev,noexec"));
    CHECK_TRUE(mounted(text, "/proc/sys", "ro,nosuid,nodev,noexec"));
    CHECK_TRUE(mounted(text, "/proc/fs", "ro,nosuid,nodev,noexec"));
    CHECK_TRUE(strstr(text, " - ramfs ") != NULL);
    CHECK_TRUE(strstr(text, "shared:") == NULL && strstr(text, "master:") == NULL);
}

static void check_namespaces(const char *text)
{
    static const char *const names[] = {"pid", "mnt", "net", "ipc", "uts", "cgroup", "user"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[64], ours[64], line[96];
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
        n = readlink(path, ours, sizeof(ours) - 1);
        CHECK_TRUE(n > 0);
        (void)snprintf(line, sizeof(line), "namespace %s:[", names[i]);
        CHECK_TRUE(strstr(text, line) != NULL);
        (void)snprintf(line, sizeof(line), "namespace %.*s\n", (int)n, ours);
        CHECK_TRUE(strstr(text, line) == NULL);
    }
}

TEST(nothing_of_the_host_is_seen)
{
    const char *root = make_rootfs();
    AUTO_CLEAR(buf) struct buf r = {0};
    /* A descriptor without O_CLOEXEC, as a careless library leaves it. */
    int leak = open("/etc/passwd", O_RDONLY);
    struct jail_status s = run(&r, root, "world", "");
    const char *text = buf_cstr(&r);

    CHECK_STR(s.error, "");
    CHECK_INT(s.exit_code, 0);
    CHECK_TRUE(leak >= 0);
    CHECK_TRUE(strstr(text, "descriptor ") == NULL);
    CHECK_TRUE(strstr(text, "readable ") == NULL);
    CHECK_TRUE(strstr(text, "host /") == NULL);
    CHECK_TRUE(strstr(text, "processes 1\n") != NULL);
    CHECK_TRUE(strstr(text, "root ro nosuid nodev\n") != NULL);
    CHECK_TRUE(strstr(text, "lo up\n") != NULL);
    CHECK_TRUE(strstr(text, "host name jail\n") != NULL);
    CHECK_TRUE(strstr(text, "setgroups deny\n") != NULL);
    CHECK_TRUE(strstr(text, "groups 0\n") != NULL);
    CHECK_TRUE(strstr(text, "oom 1000\n") != NULL);
    CHECK_TRUE(strstr(text, "uid_map          0 ") != NULL &&
               strstr(text, "          1\n") != NULL);
    check_namespaces(text);
    check_mounts(text);
    (void)close(leak);
}

static struct jail_status run_program(const char *root, const char *program)
{
    const char *argv[] = {program, "exit", "0", NULL};
    const char *env[] = {"PATH=/proc/self:/nowhere:/bin", NULL};
    struct jail_config c = {.rootfs = root, .argv = argv, .env = env, .limits = small()};
    AUTO_CLEAR(buf) struct buf r = {0};
    struct jail_status s;
    struct err e = {0};

    CHECK_OK(jail_run(&s, &r, &c, -1, &e), &e);
    return s;
}

TEST(programs_are_found_in_the_image_and_nowhere_else)
{
    const char *root = make_rootfs();
    struct jail_status s = run_program(root, "guest");
    char path[300];

    CHECK_STR(s.error, "");
    CHECK_INT(s.exit_code, 0);
    /* The jail's own program, which is /proc/self/exe until the container's runs. */
    s = run_program(root, "/proc/self/exe");
    CHECK_TRUE(!s.started && strstr(s.error, "/proc/self/exe") != NULL);
    s = run_program(root, "exe");
    CHECK_TRUE(!s.started && strstr(s.error, "no program exe") != NULL);
    (void)snprintf(path, sizeof(path), "%s/bin/link", root);
    CHECK_TRUE(symlink("/proc/self/exe", path) == 0);
    s = run_program(root, "/bin/link");
    CHECK_TRUE(!s.started && strstr(s.error, "/bin/link") != NULL);
    s = run_program(root, "/bin");
    CHECK_TRUE(!s.started);
    s = run_program(root, "");
    CHECK_TRUE(!s.started);
}

TEST(links_in_the_image_do_not_lead_out)
{
    const char *root = make_rootfs();
    char path[300];
    struct jail_status s;

    /* A place that is a link is looked up within the image: there is no such folder in there. */
    (void)snprintf(path, sizeof(path), "%s/tmp", root);
    CHECK_TRUE(rmdir(path) == 0 && symlink("../../../../../../var", path) == 0);
    s = run_program(root, "/bin/guest");
    CHECK_TRUE(!s.started && strstr(s.error, "image's /tmp") != NULL);
    CHECK_TRUE(unlink(path) == 0 && symlink("/bin", path) == 0);
    s = run_program(root, "/bin/guest");
    CHECK_TRUE(!s.started && strstr(s.error, "no program") != NULL); /* covered by /tmp */
    CHECK_TRUE(unlink(path) == 0 && mkdir(path, 0755) == 0);
    (void)snprintf(path, sizeof(path), "%s/proc", root);
    CHECK_TRUE(rmdir(path) == 0 && symlink("/bin", path) == 0);
    s = run_program(root, "/bin/guest");
    CHECK_TRUE(!s.started && strstr(s.error, "image's /proc") != NULL);
}

static bool guest_is_alive(const char *mark)
{
    char cmd[256];

    /* The brackets keep the pattern from matching its own command line. */
    (void)snprintf(cmd, sizeof(cmd), "grep -qsa -- '[%c]%s' /proc/[0-9]*/cmdline", mark[0],
                   mark + 1);
    return system(cmd) == 0;
}

TEST(a_hanging_program_is_killed_with_its_children)
{
    const char *root = make_rootfs();
    AUTO_CLEAR(buf) struct buf r = {0};
    struct jail_limits l = small();
    uint64_t start = clock_mono_ms();
    struct jail_status s;

    l.wall_ms = 700;
    s = run_with(&r, root, "hang", "hanging-guest-one", l, false);
    CHECK_TRUE(s.timed_out && !s.has_results);
    CHECK_INT(s.signal, SIGKILL);
    CHECK_TRUE(clock_mono_ms() - start < 5000);
    l.wall_ms = 300;
    s = run_with(&r, root, "hang", "x", l, true);
    CHECK_TRUE(s.timed_out);
}

TEST(killing_the_jail_kills_the_container)
{
    const char *root = make_rootfs();
    char mark[64];
    pid_t pid;

    (void)snprintf(mark, sizeof(mark), "hanging-guest-%d", (int)getpid());
    pid = fork();
    if (pid == 0) {
        struct buf r = {0};

        (void)run(&r, root, "hang", mark);
        _exit(0);
    }
    for (int i = 0; i < 200 && !guest_is_alive(mark); i++)
        clock_sleep_ms(20);
    if (!guest_is_alive(mark))
        t_skip("no container here");
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    for (int i = 0; i < 200 && guest_is_alive(mark); i++)
        clock_sleep_ms(20);
    CHECK_TRUE(!guest_is_alive(mark));
}

TEST(memory_is_bounded)
{
    const char *root = make_rootfs();
    AUTO_CLEAR(buf) struct buf r = {0};
    struct jail_status s = run(&r, root, "eat", "");

    if (s.limits == JAIL_LIMITS_CGROUP) {
        CHECK_TRUE(s.oom);
        CHECK_INT(s.signal, SIGKILL);
    }
    s = run_with(&r, root, "eat", "", small(), true);
    CHECK_INT(s.limits, JAIL_LIMITS_RLIMIT_ONLY);
    CHECK_INT(s.cgroup_version, 0);
    CHECK_INT(s.exit_code, 7);
}

TEST(processes_are_bounded)
{
    const char *root = make_rootfs();
    AUTO_CLEAR(buf) struct buf r = {0};
    int n = 0;

    for (int mode = 0; mode < 2; mode++) {
        struct jail_status s = run_with(&r, root, "forks", "", small(), mode == 1);
        const char *text = buf_cstr(&r);

        CHECK_TRUE(s.has_results);
        CHECK_INT(strncmp(text, "{\"forks\":", 9), 0);
        for (text += 9, n = 0; *text >= '0' && *text <= '9'; text++)
            n = n * 10 + (*text - '0');
        CHECK_TRUE(n >= 4 && n <= 24);
    }
}

TEST(writing_without_end_stops)
{
    const char *root = make_rootfs();
    AUTO_CLEAR(buf) struct buf r = {0};
    struct jail_status s = run(&r, root, "fill", "/output/big");

    CHECK_TRUE(s.exit_code == 0 || s.signal == SIGXFSZ);
    s = run(&r, root, "fill", "/tmp/big");
    CHECK_TRUE(s.exit_code == 0 || s.signal == SIGXFSZ);
    s = run(&r, root, "fill", "/dev/shm/big");
    CHECK_TRUE(s.exit_code == 0 || s.signal == SIGXFSZ);
}

TEST(results_must_be_a_small_regular_file)
{
    const char *root = make_rootfs();
    AUTO_CLEAR(buf) struct buf r = {0};
    struct jail_status s = run(&r, root, "link", "/etc/passwd");

    CHECK_TRUE(!s.has_results && strstr(s.error, "link") != NULL);
    s = run(&r, root, "link", "../input/decrypted_file");
    CHECK_TRUE(!s.has_results && r.n == 0);
    s = run(&r, root, "fifo", "");
    CHECK_TRUE(!s.has_results && strstr(s.error, "regular") != NULL);
    s = run(&r, root, "folder", "");
    CHECK_TRUE(!s.has_results && strstr(s.error, "regular") != NULL);
    s = run(&r, root, "huge", "");
    CHECK_TRUE(!s.has_results && r.n == 0 && strstr(s.error, "larger") != NULL);
}

TEST(prints_are_counted_and_dropped)
{
    const char *root = make_rootfs();
    AUTO_CLEAR(buf) struct buf r = {0};
    struct jail_status s = run(&r, root, "print", "");

    CHECK_INT(s.output_bytes, 3100000);
    CHECK_TRUE(!s.has_results);
}

TEST(what_cannot_start_says_why)
{
    const char *root = make_rootfs();
    const char *argv[] = {"/bin/absent", NULL};
    const char *env[] = {NULL};
    struct jail_config c = {.rootfs = root, .argv = argv, .env = env, .limits = small()};
    AUTO_CLEAR(buf) struct buf r = {0};
    struct jail_status s;
    struct err e = {0};

    (void)run(&r, root, "exit", "0");
    CHECK_OK(jail_run(&s, &r, &c, -1, &e), &e);
    CHECK_TRUE(!s.started && strstr(s.error, "absent") != NULL);
    c.rootfs = "/nonexistent";
    CHECK_RC(jail_run(&s, &r, &c, -1, &e), RC_NOTFOUND, &e, "/nonexistent");
    c.rootfs = root;
    c.input_name = "../x";
    CHECK_RC(jail_run(&s, &r, &c, -1, &e), RC_MALFORMED, &e, "/input");
}

static int as_ordinary_user(const char *root)
{
    struct buf r = {0};
    struct jail_status s;

    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
        return 1;
    /* Undo what the change of user did to our /proc files; a login shell's child is like this. */
    if (prctl(PR_SET_DUMPABLE, 1) != 0)
        return 2;
    s = run(&r, root, "escapes", "");
    if (s.exit_code != 0 || !s.has_results || r.n != 0)
        return 3;
    s = run(&r, root, "input", "");
    return strcmp(buf_cstr(&r), "the contribution") == 0 ? 0 : 4;
}

TEST(an_ordinary_user_gets_a_jail_too)
{
    const char *root = make_rootfs();
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(as_ordinary_user(root));
    CHECK_TRUE(waitpid(pid, &status, 0) == pid);
    CHECK_TRUE(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
}

TEST(groups_and_mounts_are_gone_afterwards)
{
    const char *root = make_rootfs();
    AUTO_CLEAR(buf) struct buf r = {0};
    char cmd[128];

    (void)run(&r, root, "exit", "0");
    (void)snprintf(cmd, sizeof(cmd), "find /sys/fs/cgroup -name 'cloister-jail.%d' | grep -q .",
                   (int)getpid());
    CHECK_TRUE(system(cmd) != 0);
    CHECK_TRUE(system("grep -q ' /mnt.*ramfs' /proc/self/mounts") != 0);
}

static const char *jail_binary(void)
{
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);

    CHECK_TRUE(n > 0);
    path[n] = '\0';
    for (int i = 0; i < 3; i++)
        *strrchr(path, '/') = '\0';
    memcpy(path + strlen(path), "/bin/cloister-jail", sizeof("/bin/cloister-jail"));
    if (!file_exists(path))
        t_skip("%s is not built", path);
    return path;
}

struct end {
    unsigned calls;
    bool refuse;
    struct jail_status status;
    struct buf results;
};

static enum rc on_end(void *data, const struct jail_status *s, struct bytes results, struct err *e)
{
    struct end *end = data;

    end->calls++;
    end->status = *s;
    buf_reset(&end->results);
    buf_put_bytes(&end->results, results);
    return end->refuse ? err_set(e, RC_IO, "nobody listens") : RC_OK;
}

/* All there is to tell is told before the jail takes itself down, once, and only when it ran. */
TEST(the_end_is_told)
{
    const char *root = make_rootfs();
    const char *argv[] = {"/bin/guest", "input", NULL};
    const char *env[] = {NULL};
    struct end end = {0};
    struct jail_config c = {.rootfs = root,
                            .argv = argv,
                            .env = env,
                            .limits = small(),
                            .on_end = on_end,
                            .on_end_data = &end};
    AUTO_CLEAR(buf) struct buf r = {0};
    AUTO_FD int fd = input_of("told");
    struct jail_status s;
    struct err e = {0};

    (void)run(&r, root, "exit", "0");
    CHECK_OK(jail_run(&s, &r, &c, fd, &e), &e);
    CHECK_INT(end.calls, 1);
    CHECK_STR(buf_cstr(&end.results), "told");
    CHECK_TRUE(end.status.started && end.status.has_results);
    CHECK_INT(end.status.exit_code, s.exit_code);
    CHECK_INT(end.status.duration_ms, s.duration_ms);
    end.refuse = true;
    CHECK_RC(jail_run(&s, &r, &c, fd, &e), RC_IO, &e, "nobody listens");
    c.rootfs = "/nonexistent";
    CHECK_RC(jail_run(&s, &r, &c, fd, &e), RC_NOTFOUND, &e, "/nonexistent");
    CHECK_INT(end.calls, 2);
    buf_clear(&end.results);
}

TEST(spawned_jail_gives_status_and_results)
{
    const char *root = make_rootfs();
    const char *argv[] = {"/bin/guest", "input", NULL};
    const char *env[] = {NULL};
    struct jail_config c = {.rootfs = root, .argv = argv, .env = env, .limits = small()};
    AUTO_CLEAR(buf) struct buf r = {0};
    AUTO_FD int fd = input_of("through the process boundary");
    struct jail_status s;
    struct err e = {0};

    (void)run(&r, root, "exit", "0");
    CHECK_OK(jail_spawn(&s, &r, jail_binary(), &c, fd, &e), &e);
    CHECK_STR(s.error, "");
    CHECK_STR(buf_cstr(&r), "through the process boundary");
    c.rootfs = "/nonexistent";
    CHECK_RC(jail_spawn(&s, &r, jail_binary(), &c, fd, &e), RC_IO, &e, "/nonexistent");
    CHECK_RC(jail_spawn(&s, &r, "/nonexistent/jail", &c, fd, &e), RC_NOTFOUND, &e, "jail");
}

TEST(a_jail_waits_for_its_input)
{
    const char *root = make_rootfs();
    const char *argv[] = {"/bin/guest", "input", NULL};
    const char *env[] = {NULL};
    struct jail_config c = {.rootfs = root, .argv = argv, .env = env, .limits = small()};
    AUTO_CLEAR(buf) struct buf r = {0};
    AUTO_FD int fd = input_of("");
    struct jail_process *p, *unused;
    struct jail_status s;
    struct err e = {0};

    (void)run(&r, root, "exit", "0");
    c.limits.wall_ms = 3000; /* from the input on */
    CHECK_OK(jail_start(&p, jail_binary(), &c, fd, &e), &e);
    CHECK_OK(jail_start(&unused, jail_binary(), &c, fd, &e), &e);
    jail_process_free(unused);
    CHECK_TRUE(write(fd, "came later", 10) == 10);
    CHECK_OK(jail_finish(&s, &r, p, &e), &e);
    jail_process_free(p);
    CHECK_STR(s.error, "");
    CHECK_STR(buf_cstr(&r), "came later");
}

TEST(configuration_and_status_survive_json)
{
    const char *argv[] = {"/bin/x", "a \"quoted\" word", NULL};
    const char *env[] = {"A=1", "B=\xc3\xa4", NULL};
    struct jail_config c = {.rootfs = "/r",
                            .argv = argv,
                            .env = env,
                            .cwd = "/w",
                            .limits = {.memory_size = 1, .n_pids = 2, .cpu_percent = 3},
                            .rlimit_only = true};
    struct jail_status s = {
        .limits = JAIL_LIMITS_CGROUP, .cgroup_version = 2, .exit_code = 3, .duration_ms = 9};
    AUTO_CLEAR(jail_parsed_config) struct jail_parsed_config p = {0};
    AUTO_CLEAR(buf) struct buf text = {0}, again = {0};
    struct jail_status s2;
    struct err e = {0};

    jail_config_encode(&text, &c);
    CHECK_OK(jail_config_parse(&p, buf_bytes(&text), &e), &e);
    jail_config_encode(&again, &p.config);
    CHECK_MEM(buf_bytes(&again), buf_bytes(&text));
    CHECK_STR(p.config.argv[1], "a \"quoted\" word");
    buf_reset(&text);
    jail_status_encode(&text, &s);
    CHECK_OK(jail_status_parse(&s2, buf_bytes(&text), &e), &e);
    CHECK_INT(s2.cgroup_version, 2);
    CHECK_INT(s2.exit_code, 3);
    CHECK_INT(s2.duration_ms, 9);
}

TEST(bad_configurations_are_refused)
{
    struct jail_parsed_config p;
    struct err e = {0};

    CHECK_RC(jail_config_parse(&p, bytes_str("[]"), &e), RC_MALFORMED, &e, "object");
    CHECK_RC(jail_config_parse(&p, bytes_str("{"), &e), RC_MALFORMED, &e, "jail configuration");
    CHECK_RC(jail_config_parse(&p, bytes_str("{\"rootfs\":\"/\",\"argv\":[1],\"env\":[]}"), &e),
             RC_MALFORMED, &e, "argv[0]");
    CHECK_RC(
        jail_config_parse(&p, bytes_str("{\"rootfs\":\"/\",\"argv\":[],\"env\":[],\"x\":1}"), &e),
        RC_MALFORMED, &e, "x");
    CHECK_RC(
        jail_config_parse(
            &p, bytes_str("{\"rootfs\":\"/\",\"argv\":[],\"env\":[],\"wall_ms\":99999999999}"), &e),
        RC_RANGE, &e, "wall_ms");
}
