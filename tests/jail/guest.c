/* A container program that misbehaves on request; linked statically by test_jail. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        exit(90);
}

static void add(char *text, const char *more)
{
    memcpy(text + strlen(text), more, strlen(more) + 1);
}

static char *get(const char *path)
{
    static char text[65536];
    FILE *f = fopen(path, "r");
    size_t n;

    if (f == NULL)
        exit(91);
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    return text;
}

static int fill(const char *path)
{
    static char block[65536];
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    memset(block, 'x', sizeof(block));
    for (long n = 0;; n++)
        if (write(fd, block, sizeof(block)) <= 0)
            return n > 16384 ? 92 : 0; /* 1 GiB would mean: no limit */
}

static int fork_bomb(void)
{
    char text[64];
    int n = 0;

    while (n < 5000) {
        pid_t pid = fork();

        if (pid < 0)
            break;
        if (pid == 0) {
            pause();
            _exit(0);
        }
        n++;
    }
    snprintf(text, sizeof(text), "{\"forks\":%d}", n);
    put("/output/results.json", text);
    return 0;
}

/* What must be refused; each letter that is there was not. */
static int escapes(void)
{
    char out[64] = "";
    int fd;

    if (unshare(CLONE_NEWUSER) == 0)
        add(out, "u");
    if (syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0) >= 0)
        add(out, "c");
    if (syscall(SYS_clone3, NULL, 0) >= 0 || errno != ENOSYS)
        add(out, "3");
    if (mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0)
        add(out, "m");
    if (umount("/input") == 0)
        add(out, "U");
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
        add(out, "p");
    if (syscall(SYS_keyctl, 0, 0, 0, 0, 0) != -1)
        add(out, "k");
    if (syscall(SYS_bpf, 0, 0, 0) != -1 || errno != EPERM)
        add(out, "b");
    if (syscall(SYS_perf_event_open, 0, 0, 0, 0, 0) != -1 || errno != EPERM)
        add(out, "P");
    if (syscall(SYS_io_uring_setup, 1, 0) != -1 || errno != EPERM)
        add(out, "i");
    if (socket(AF_VSOCK, SOCK_STREAM, 0) >= 0)
        add(out, "v");
    if (socket(AF_PACKET, SOCK_RAW, 0) >= 0)
        add(out, "r");
    if (open("/x", O_WRONLY | O_CREAT, 0600) >= 0 || errno != EROFS)
        add(out, "w");
    if (open("/input/x", O_WRONLY | O_CREAT, 0600) >= 0)
        add(out, "I");
    fd = open("/input/decrypted_file", O_WRONLY);
    if (fd >= 0)
        add(out, "W");
    if (mknod("/tmp/null", S_IFCHR | 0666, 0x103) == 0)
        add(out, "d");
    if (open("/proc/kcore", O_RDONLY) >= 0 && read(open("/proc/kcore", O_RDONLY), out, 1) == 1)
        add(out, "K");
    if (open("/proc/sys/kernel/hostname", O_WRONLY) >= 0)
        add(out, "h");
    if (sethostname("x", 1) == 0)
        add(out, "H");
    if (mkdir("/dev/x", 0700) == 0)
        add(out, "D");
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL) == 0)
        add(out, "R");
    if (syscall(SYS_pivot_root, "/tmp", "/tmp") == 0 || chroot("/tmp") == 0)
        add(out, "C");
    if (syscall(SYS_open_tree, -100, "/", 1) >= 0 || syscall(SYS_setns, 0, 0) == 0)
        add(out, "o");
    if (setgroups(1, (gid_t[]){5}) == 0)
        add(out, "g");
    if (setuid(1) == 0)
        add(out, "s");
    if (kill(-1, 0) == 0) /* there is nobody else */
        add(out, "K");
    put("/output/results.json", out);
    return 0;
}

static int facts(void)
{
    const char *status = get("/proc/self/status");
    const char *keys[] = {"CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:", "Seccomp:"};
    char out[4096] = "";

    for (unsigned i = 0; i < 6; i++) {
        const char *p = strstr(status, keys[i]);

        strncat(out, p, strcspn(p, "\n") + 1);
    }
    snprintf(out + strlen(out), 64, "pid %d\n", (int)getpid());
    add(out, get("/proc/net/dev"));
    put("/output/results.json", out);
    return 0;
}

/* What can be seen from inside; each line is checked by the test. */
static int world(void)
{
    static const char *const hidden[] = {"kcore",      "keys",        "key-users",
                                         "timer_list", "kmsg",        "kallsyms",
                                         "config.gz",  "sched_debug", "sysrq-trigger"};
    static const char *const spaces[] = {"pid", "mnt", "net", "ipc", "uts", "cgroup", "user"};
    static const char *const host[] = {
        "/etc",        "/root",    "/home", "/usr", "/mnt", "/../etc", "/proc/1/root/etc",
        "/sys/kernel", "/.oldroot"};
    FILE *out = fopen("/output/results.json", "w");
    char path[128], text[4096];
    struct dirent *d;
    struct statvfs fs;
    DIR *dir;
    int n = 0, sock;
    struct ifreq lo = {.ifr_name = "lo"};

    if (out == NULL)
        return 90;
    for (int fd = 3; fd < 1024; fd++)
        if (fd != fileno(out) && fcntl(fd, F_GETFD) >= 0)
            fprintf(out, "descriptor %d\n", fd);
    for (unsigned i = 0; i < sizeof(hidden) / sizeof(*hidden); i++) {
        int fd;

        snprintf(path, sizeof(path), "/proc/%s", hidden[i]);
        fd = open(path, O_RDONLY);
        if (fd >= 0 && read(fd, text, 1) == 1)
            fprintf(out, "readable %s\n", path);
        close(fd);
    }
    for (unsigned i = 0; i < sizeof(spaces) / sizeof(*spaces); i++) {
        ssize_t len;

        snprintf(path, sizeof(path), "/proc/self/ns/%s", spaces[i]);
        len = readlink(path, text, sizeof(text) - 1);
        fprintf(out, "namespace %.*s\n", (int)len, text);
    }
    for (unsigned i = 0; i < sizeof(host) / sizeof(*host); i++)
        if (access(host[i], F_OK) == 0)
            fprintf(out, "host %s\n", host[i]);
    dir = opendir("/proc");
    while (dir != NULL && (d = readdir(dir)) != NULL)
        n += d->d_name[0] >= '0' && d->d_name[0] <= '9';
    fprintf(out, "processes %d\n", n);
    if (statvfs("/", &fs) == 0)
        fprintf(out, "root%s%s%s\n", fs.f_flag & ST_RDONLY ? " ro" : "",
                fs.f_flag & ST_NOSUID ? " nosuid" : "", fs.f_flag & ST_NODEV ? " nodev" : "");
    sock = socket(AF_INET, SOCK_DGRAM, 0);
    fprintf(out, "lo %s\n",
            ioctl(sock, SIOCGIFFLAGS, &lo) == 0 && lo.ifr_flags & IFF_UP ? "up" : "down");
    gethostname(text, sizeof(text));
    fprintf(out, "host name %s\n", text);
    fprintf(out, "uid_map %s", get("/proc/self/uid_map"));
    fprintf(out, "setgroups %s", get("/proc/self/setgroups"));
    fprintf(out, "groups %d\n", getgroups(0, NULL));
    fprintf(out, "oom %s", get("/proc/self/oom_score_adj"));
    fprintf(out, "%s", get("/proc/net/dev"));
    fprintf(out, "%s", get("/proc/self/mountinfo"));
    return fclose(out);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : getenv("MODE");
    const char *arg = argc > 2 ? argv[2] : getenv("ARG");

    what = what != NULL ? what : "";
    arg = arg != NULL ? arg : "";
    if (strcmp(what, "good") == 0) {
        char text[128];

        snprintf(text, sizeof(text), "{\"dlp_id\":%s,\"valid\":true,\"score\":0.5}",
                 getenv("DLP_ID"));
        put("/output/results.json", text);
    }

    if (strcmp(what, "exit") == 0)
        return arg[0] - '0';
    if (strcmp(what, "crash") == 0)
        *(volatile int *)8 = 1; /* process 1 ignores signals it sends, but not faults */
    if (strcmp(what, "result") == 0)
        put("/output/results.json", arg);
    if (strcmp(what, "env") == 0)
        put("/output/results.json", getenv(arg) ? getenv(arg) : "(none)");
    if (strcmp(what, "input") == 0)
        put("/output/results.json", get("/input/decrypted_file"));
    if (strcmp(what, "print") == 0)
        for (int i = 0; i < 100000; i++)
            puts("marker-that-must-not-be-logged");
    if (strcmp(what, "link") == 0)
        return symlink(arg, "/output/results.json") == 0 ? 0 : 93;
    if (strcmp(what, "fifo") == 0)
        return mkfifo("/output/results.json", 0600) == 0 ? 0 : 93;
    if (strcmp(what, "folder") == 0)
        return mkdir("/output/results.json", 0700) == 0 ? 0 : 93;
    if (strcmp(what, "huge") == 0)
        return fill("/output/results.json");
    if (strcmp(what, "fill") == 0)
        return fill(arg);
    if (strcmp(what, "forks") == 0)
        return fork_bomb();
    if (strcmp(what, "escapes") == 0)
        return escapes();
    if (strcmp(what, "facts") == 0)
        return facts();
    if (strcmp(what, "world") == 0)
        return world();
    if (strcmp(what, "hang") == 0) {
        signal(SIGTERM, SIG_IGN);
        if (fork() == 0)
            setsid();
        for (;;)
            pause();
    }
    if (strcmp(what, "eat") == 0) {
        for (size_t n = 0; n < 1024; n++) {
            char *p = malloc(1 << 20);

            if (p == NULL)
                return 7;
            memset(p, 1, 1 << 20);
        }
        return 94; /* 1 GiB would mean: no limit */
    }
    return 0;
}
