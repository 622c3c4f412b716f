/* Control groups of both kinds in one place (DESIGN.md §11). The group is made and entered before
 * the container starts.
 * v1: a child in the memory, pids and cpu hierarchies. v2: a child of the nearest ancestor of our
 * own group that hands the controllers down. */
#include "jail/internal/cgroup.h"

#include "base/mem.h"
#include "base/num.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#define GROUP_PREFIX "cloister-jail."
#define PROC_FILE_MAX 65536

enum controller { CTL_MEMORY, CTL_PIDS, CTL_CPU, N_CONTROLLERS };
static const char *const controller_names[N_CONTROLLERS] = {"memory", "pids", "cpu"};

struct hierarchy {
    char mount[CGROUP_PATH_SIZE]; /* mount point */
    char root[CGROUP_PATH_SIZE];  /* the part of the hierarchy that is mounted there */
    char own[CGROUP_PATH_SIZE];   /* our group in it, as /proc/self/cgroup says */
};

struct hierarchies {
    struct hierarchy v1[N_CONTROLLERS];
    struct hierarchy v2;
};

static bool read_text(struct buf *out, const char *path)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    while (out->n < PROC_FILE_MAX) {
        ssize_t n = read(fd, buf_reserve(out, 4096), 4096);

        if (n < 0)
            return false;
        if (n == 0)
            break;
        out->n += (size_t)n;
    }
    (void)buf_cstr(out);
    return true;
}

static bool write_text(const char *dir, const char *file, const char *text)
{
    char path[CGROUP_PATH_SIZE + 64];
    AUTO_FD int fd = -1;

    if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
        return false;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool write_u64(const char *dir, const char *file, uint64_t v)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
    return write_text(dir, file, text);
}

/* The next token ended by `sep` or the end of line; NULL at the end. Cuts *rest in place. */
static char *next_token(char **rest, char sep)
{
    char *start = *rest, *p;

    if (start == NULL)
        return NULL;
    p = strchr(start, sep);
    if (p != NULL)
        *p++ = '\0';
    *rest = p;
    return start;
}

static bool list_has(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = list; p != NULL; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, word, n) == 0 && (p[n] == '\0' || p[n] == ','))
            return true;
    return false;
}

static void copy_path(char dst[CGROUP_PATH_SIZE], const char *src)
{
    if (strlen(src) < CGROUP_PATH_SIZE && strchr(src, '\\') == NULL)
        memcpy(dst, src, strlen(src) + 1);
}

static void set_mount(struct hierarchy *h, const char *mount, const char *root)
{
    copy_path(h->mount, mount);
    copy_path(h->root, root);
}

/* "36 35 98:0 /root /mount opts [tags] - type source superopts" */
static void scan_mount(struct hierarchies *all, char *line)
{
    char *rest = line, *root = NULL, *mount = NULL, *type, *super;
    char *sep = strstr(line, " - ");

    if (sep == NULL)
        return;
    *sep = '\0';
    for (int i = 0; i < 3; i++)
        (void)next_token(&rest, ' ');
    root = next_token(&rest, ' ');
    mount = next_token(&rest, ' ');
    rest = sep + 3;
    type = next_token(&rest, ' ');
    (void)next_token(&rest, ' ');
    super = rest;
    if (root == NULL || mount == NULL || type == NULL || super == NULL)
        return;
    if (strcmp(type, "cgroup2") == 0)
        set_mount(&all->v2, mount, root);
    if (strcmp(type, "cgroup") != 0)
        return;
    for (int i = 0; i < N_CONTROLLERS; i++)
        if (list_has(super, controller_names[i]))
            set_mount(&all->v1[i], mount, root);
}

/* "8:pids:/path" */
static void scan_own(struct hierarchies *all, char *line)
{
    char *rest = line;
    const char *id = next_token(&rest, ':');
    const char *names = next_token(&rest, ':');

    if (id == NULL || names == NULL || rest == NULL)
        return;
    if (names[0] == '\0')
        copy_path(all->v2.own, rest);
    for (int i = 0; i < N_CONTROLLERS; i++)
        if (list_has(names, controller_names[i]))
            copy_path(all->v1[i].own, rest);
}

static bool scan(struct hierarchies *all)
{
    AUTO_CLEAR(buf) struct buf mounts = {0};
    AUTO_CLEAR(buf) struct buf own = {0};
    char *rest, *line;

    if (!read_text(&mounts, "/proc/self/mountinfo") || !read_text(&own, "/proc/self/cgroup"))
        return false;
    for (rest = (char *)mounts.p; (line = next_token(&rest, '\n')) != NULL;)
        scan_mount(all, line);
    for (rest = (char *)own.p; (line = next_token(&rest, '\n')) != NULL;)
        scan_own(all, line);
    return true;
}

/* The folder of our own group, as it can be reached here. */
static bool own_dir(char out[CGROUP_PATH_SIZE], const struct hierarchy *h)
{
    const char *own = h->own;
    size_t n = strlen(h->root);
    int len;

    if (h->mount[0] == '\0')
        return false;
    if (n > 1 && strncmp(own, h->root, n) == 0)
        own += n;
    if (strncmp(own, "/..", 3) == 0 || strcmp(own, "/") == 0)
        own = "";
    len = snprintf(out, CGROUP_PATH_SIZE, "%s%s", h->mount, own);
    if (len > 0 && len < CGROUP_PATH_SIZE && access(out, F_OK) == 0)
        return true;
    copy_path(out, h->mount);
    return true;
}

/* Process numbers mean something within one PID namespace only, and the group tree is shared by all
 * of them: a group's name says whose namespace its maker's number is of. */
static uint64_t pid_namespace(void)
{
    struct stat st;

    return stat("/proc/self/ns/pid", &st) == 0 ? (uint64_t)st.st_ino : 0;
}

/* The maker's number in a group's name, "PREFIX NAMESPACE.PID.RANDOM", if it is of our namespace.
 */
static bool maker_of(const char *name, uint64_t namespace, pid_t *pid)
{
    char ours[64];
    const char *end;
    uint64_t v;
    int n = snprintf(ours, sizeof(ours), GROUP_PREFIX "%llu.", (unsigned long long)namespace);

    if (n < 0 || strncmp(name, ours, (size_t)n) != 0)
        return false;
    end = strchr(name + n, '.');
    if (end == NULL ||
        parse_u64(&v, bytes_of(name + n, (size_t)(end - name - n)), INT32_MAX, NULL) != RC_OK)
        return false;
    *pid = (pid_t)v;
    return true;
}

/* Groups left by jails that were killed: empty ones whose maker is gone. */
static void sweep(const char *parent)
{
    DIR *dir = opendir(parent);
    uint64_t namespace = pid_namespace();
    const struct dirent *d;

    if (dir == NULL)
        return;
    while ((d = readdir(dir)) != NULL) {
        char path[CGROUP_PATH_SIZE];
        pid_t maker;

        if (!maker_of(d->d_name, namespace, &maker) || kill(maker, 0) == 0 || errno != ESRCH)
            continue;
        if (snprintf(path, sizeof(path), "%s/%s", parent, d->d_name) < (int)sizeof(path))
            (void)rmdir(path);
    }
    (void)closedir(dir);
}

static bool make_child(struct cgroup *cg, const char *parent)
{
    char *path = cg->dirs[cg->n_dirs];
    uint64_t random;
    int n;

    /* No secret, so no need of crypto's generator and the library behind it. */
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return false;
    n = snprintf(path, CGROUP_PATH_SIZE, "%s/" GROUP_PREFIX "%llu.%d.%016llx", parent,
                 (unsigned long long)pid_namespace(), (int)getpid(), (unsigned long long)random);
    sweep(parent);
    if (n < 0 || n >= CGROUP_PATH_SIZE || mkdir(path, 0755) != 0)
        return false;
    cg->n_dirs++;
    return true;
}

static bool has_file(const char *dir, const char *file)
{
    char path[CGROUP_PATH_SIZE + 64];

    return snprintf(path, sizeof(path), "%s/%s", dir, file) < (int)sizeof(path) &&
           access(path, W_OK) == 0;
}

static bool create_v2(struct cgroup *cg, const struct hierarchies *all,
                      const struct jail_limits *limits)
{
    char parent[CGROUP_PATH_SIZE], cpu[48];
    const char *dir = cg->dirs[0];

    if (!own_dir(parent, &all->v2))
        return false;
    cg->version = 2;
    for (size_t floor = strlen(all->v2.mount);;) {
        char *slash;

        for (int i = 0; i < N_CONTROLLERS; i++) {
            char word[16];

            (void)snprintf(word, sizeof(word), "+%s", controller_names[i]);
            (void)write_text(parent, "cgroup.subtree_control", word);
        }
        if (make_child(cg, parent)) {
            if (has_file(dir, "memory.max") && has_file(dir, "pids.max"))
                break;
            cgroup_remove(cg);
            cg->version = 2;
        }
        slash = strrchr(parent, '/');
        if (strlen(parent) <= floor || slash == NULL || (size_t)(slash - parent) < floor)
            return false;
        *slash = '\0';
    }
    (void)write_text(dir, "memory.swap.max", "0");
    (void)write_text(dir, "memory.oom.group", "0");
    (void)snprintf(cpu, sizeof(cpu), "%llu 100000", (unsigned long long)limits->cpu_percent * 1000);
    (void)write_text(dir, "cpu.max", cpu);
    return write_u64(dir, "memory.max", limits->memory_size) &&
           write_u64(dir, "pids.max", limits->n_pids);
}

static bool create_v1(struct cgroup *cg, const struct hierarchies *all,
                      const struct jail_limits *limits)
{
    char parent[CGROUP_PATH_SIZE];

    cg->version = 1;
    for (int i = 0; i < N_CONTROLLERS; i++) {
        bool made = own_dir(parent, &all->v1[i]) &&
                    (make_child(cg, parent) || make_child(cg, all->v1[i].mount));
        const char *dir = cg->dirs[cg->n_dirs ? cg->n_dirs - 1 : 0];

        if (!made && i == CTL_CPU)
            continue;
        if (!made)
            return false;
        switch ((enum controller)i) {
        case CTL_MEMORY:
            if (!write_u64(dir, "memory.limit_in_bytes", limits->memory_size))
                return false;
            (void)write_u64(dir, "memory.memsw.limit_in_bytes", limits->memory_size);
            (void)write_text(dir, "memory.swappiness", "0");
            break;
        case CTL_PIDS:
            if (!write_u64(dir, "pids.max", limits->n_pids))
                return false;
            break;
        case CTL_CPU:
            (void)write_text(dir, "cpu.cfs_period_us", "100000");
            (void)write_u64(dir, "cpu.cfs_quota_us", (uint64_t)limits->cpu_percent * 1000);
            break;
        case N_CONTROLLERS:
            break;
        }
    }
    return true;
}

/* v1: a process that moves itself alone, through "tasks", does not wait for the kernel's lock on
 * all threads of the system. Moved by another it would wait some ten milliseconds. */
static bool open_joins(struct cgroup *cg)
{
    for (unsigned i = 0; i < cg->n_dirs; i++)
        cg->join_fds[i] = -1;
    cg->joins = true;
    for (unsigned i = 0; i < cg->n_dirs; i++) {
        char path[CGROUP_PATH_SIZE + 64];

        if (snprintf(path, sizeof(path), "%s/tasks", cg->dirs[i]) < (int)sizeof(path))
            cg->join_fds[i] = open(path, O_WRONLY | O_CLOEXEC);
        if (cg->join_fds[i] < 0)
            return false;
    }
    return true;
}

bool cgroup_create(struct cgroup *out, const struct jail_limits *limits, struct err *why)
{
    struct hierarchies *all = xcalloc(1, sizeof(*all));
    bool ok = false;

    memset(out, 0, sizeof(*out));
    if (scan(all)) {
        ok = create_v2(out, all, limits);
        if (!ok) {
            cgroup_remove(out);
            ok = create_v1(out, all, limits) && open_joins(out);
        }
    }
    if (!ok) {
        cgroup_remove(out);
        (void)err_set(why, RC_UNSUPPORTED,
                      "no control group with memory and process limits can be made here");
    }
    free(all);
    return ok;
}

enum rc cgroup_enter(const struct cgroup *cg, pid_t pid, struct err *e)
{
    for (unsigned i = 0; i < cg->n_dirs && !cg->joins; i++)
        if (!write_u64(cg->dirs[i], "cgroup.procs", (uint64_t)pid))
            return err_errno(e, errno, "cgroup: cannot move process into %s", cg->dirs[i]);
    return RC_OK;
}

enum rc cgroup_join(const struct cgroup *cg, struct err *e)
{
    for (unsigned i = 0; i < cg->n_dirs && cg->joins; i++)
        if (write(cg->join_fds[i], "0", 1) != 1)
            return err_errno(e, errno, "cgroup: cannot join %s", cg->dirs[i]);
    return RC_OK;
}

enum rc cgroup_raise_memory(const struct cgroup *cg, uint64_t size, struct err *e)
{
    bool ok = true;

    if (cg->version == 2)
        ok = write_u64(cg->dirs[0], "memory.max", size);
    if (cg->version == 1) {
        /* Memory with swap may never be below memory alone. */
        (void)write_u64(cg->dirs[0], "memory.memsw.limit_in_bytes", size);
        ok = write_u64(cg->dirs[0], "memory.limit_in_bytes", size);
    }
    return ok ? RC_OK : err_errno(e, errno, "cgroup: memory of %s", cg->dirs[0]);
}

bool cgroup_had_oom(const struct cgroup *cg)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    char path[CGROUP_PATH_SIZE + 64];
    const char *p;

    if (cg->version == 0)
        return false;
    (void)snprintf(path, sizeof(path), "%s/%s", cg->dirs[0],
                   cg->version == 2 ? "memory.events" : "memory.oom_control");
    if (!read_text(&text, path) || text.n == 0)
        return false;
    p = strstr((const char *)text.p, "oom_kill ");
    return p != NULL && p[9] != '0';
}

void cgroup_remove(struct cgroup *cg)
{
    struct timespec pause = {.tv_nsec = 50000};

    for (unsigned i = 0; i < cg->n_dirs && cg->joins; i++)
        if (cg->join_fds[i] >= 0)
            (void)close(cg->join_fds[i]);
    /* A group is busy until the kernel has let go of its last, killed process. */
    for (unsigned i = 0; i < cg->n_dirs; i++)
        for (int tries = 0; rmdir(cg->dirs[i]) != 0 && errno == EBUSY && tries < 2000; tries++) {
            (void)nanosleep(&pause, NULL);
            if (pause.tv_nsec < 500000)
                pause.tv_nsec *= 2;
        }
    memset(cg, 0, sizeof(*cg));
}
