/* Inside the process in which a RISC-V validator runs. It closes the door behind itself (rlimits,
 * no new privileges, a seccomp filter that allows memory and the descriptors it has or is handed)
 * and waits for its one job; then it maps what it is given, decodes the program and runs it. */
#include "validator/internal/child.h"

#include "base/mem.h"
#include "base/num.h"
#include "crypto/closed.h"
#include "os/file.h"
#include "sandbox/sandbox.h"
#include "validator/validator.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define ENV_MAX_SIZE (1u << 20)

static enum rc map_fd(struct bytes *out, int fd, uint64_t max, struct err *e)
{
    struct stat st;
    void *p;

    *out = bytes_of(NULL, 0);
    if (fstat(fd, &st) != 0 || st.st_size < 0 || (uint64_t)st.st_size > max)
        return err_set(e, RC_LIMIT, "validator: descriptor %d is no file of at most %llu bytes", fd,
                       (unsigned long long)max);
    if (st.st_size == 0)
        return RC_OK;
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return err_errno(e, errno, "validator: map descriptor %d", fd);
    *out = bytes_of(p, (size_t)st.st_size);
    return RC_OK;
}

/* Little time, small results, no further process; then no system call but those that memory, the
 * clock and the open descriptors need. */
static enum rc close_door(uint64_t wall_ms, struct err *e)
{
    const struct rlimit none = {0, 0};
    const struct rlimit cpu = {wall_ms / 1000 + 1, wall_ms / 1000 + 2};
    const struct rlimit out = {VALIDATOR_MAX_RESULTS_SIZE + 65536,
                               VALIDATOR_MAX_RESULTS_SIZE + 65536};

    if (setrlimit(RLIMIT_CPU, &cpu) != 0 || setrlimit(RLIMIT_FSIZE, &out) != 0 ||
        setrlimit(RLIMIT_NPROC, &none) != 0)
        return err_errno(e, errno, "validator: limits");
    return sandbox_close(SANDBOX_RECEIVE, e);
}

/* A byte, and descriptors with it. Without: not wanted any more. */
static void wait_for_task(int fds[N_TASK_FDS])
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(N_TASK_FDS * sizeof(int))];
    uint8_t byte;
    struct iovec v = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    const struct cmsghdr *c;
    ssize_t n;

    do
        n = recvmsg(FD_TASK, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    c = n == 1 ? CMSG_FIRSTHDR(&m) : NULL;
    if (c == NULL || c->cmsg_type != SCM_RIGHTS ||
        c->cmsg_len != CMSG_LEN(N_TASK_FDS * sizeof(int)))
        _exit(1);
    memcpy(fds, CMSG_DATA(c), N_TASK_FDS * sizeof(int));
}

/* The input is complete when a byte comes. */
static void wait_for_input(void)
{
    uint8_t go;
    ssize_t n;

    do
        n = read(FD_TASK, &go, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        _exit(1);
}

static enum rc child_run(struct child_header *h, struct buf *results, const int fds[N_TASK_FDS],
                         const struct validator_limits *l, struct err *e)
{
    json_auto_t *env = NULL;
    struct bytes input, elf, env_text;
    struct validator_machine m;
    enum rc loaded;

    TRY(map_fd(&elf, fds[TASK_PROGRAM], VALIDATOR_MAX_PROGRAM_SIZE, e));
    TRY(map_fd(&env_text, fds[TASK_ENV], ENV_MAX_SIZE, e));
    TRY(json_parse(&env, env_text, ENV_MAX_SIZE, e));
    loaded = validator_machine_load(&m, elf, l->memory_size, e);
    wait_for_input();
    TRY(loaded);
    TRY(map_fd(&input, fds[TASK_INPUT], UINT32_MAX, e));
    validator_machine_run(&h->outcome, results, &m, input, env, l->gas);
    return RC_OK; /* the process ends: nothing is worth tidying up */
}

int validator_main(int argc, char **argv)
{
    struct validator_limits l;
    struct child_header *h;
    struct buf results = {0};
    int fds[N_TASK_FDS];
    enum rc door;
    bool ok;

    if (argc != 4 || parse_u64(&l.gas, bytes_str(argv[1]), UINT64_MAX, NULL) != RC_OK ||
        parse_u64(&l.memory_size, bytes_str(argv[2]), UINT64_MAX, NULL) != RC_OK ||
        parse_u64(&l.wall_ms, bytes_str(argv[3]), UINT64_MAX, NULL) != RC_OK)
        return 2;
    h = xcalloc(1, sizeof(*h));
    h->magic = CHILD_MAGIC;
    h->outcome.exit_code = -1;
    crypto_stay_closed();
    json_object_seed(0); /* opens /dev/urandom, which it could not later */
    door = close_door(l.wall_ms, &h->err);
    wait_for_task(fds);
    h->rc = door == RC_OK ? child_run(h, &results, fds, &l, &h->err) : door;
    h->results_size = results.n;
    ok = file_write_fd(fds[TASK_OUTPUT], bytes_of(h, sizeof(*h)), NULL) == RC_OK &&
         file_write_fd(fds[TASK_OUTPUT], buf_bytes(&results), NULL) == RC_OK;
    /* Not exit(): nothing is to be run on the way out. */
    _exit(ok ? 0 : 1);
}
