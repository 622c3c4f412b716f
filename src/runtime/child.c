/* cloister-runtime from the inside: one machine, and forks of it that answer queries. Whatever
 * fails here ends the process: the worker starts another. Three kinds of process run this:
 * the machine (main_loop), a snapshot, which only makes more of itself (snapshot_loop), and what
 * answers queries (answer_loop). */
#include "base/mem.h"
#include "crypto/closed.h"
#include "crypto/random.h"
#include "runtime/internal/channel.h"
#include "runtime/internal/wire.h"
#include "runtime/runtime.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

struct inside {
    struct channel up;
    struct machine *machine;
    struct buf out;   /* a frame being made */
    struct arena mem; /* of one frame */
    enum rc load_rc;  /* first failure of loads */
    struct err load_e;
};

_Noreturn static void leave(void)
{
    _exit(0); /* nothing is to be run on the way out */
}

static void send_up(struct inside *x, enum frame_type type, struct bytes body)
{
    if (channel_send(&x->up, (uint8_t)type, body, bytes_of(NULL, 0), NULL, 0, NULL) != RC_OK)
        leave();
}

static void send_failed(struct inside *x, enum rc rc, const struct err *why)
{
    buf_reset(&x->out);
    wire_put_failed(&x->out, rc, why->msg);
    send_up(x, FRAME_FAILED, buf_bytes(&x->out));
}

static void send_outcome(struct inside *x, enum rc rc, const struct err *why)
{
    if (rc == RC_OK)
        send_up(x, FRAME_DONE, bytes_of(NULL, 0));
    else
        send_failed(x, rc, why);
}

static struct bytes receive(struct inside *x, uint8_t *type)
{
    struct bytes body;

    if (channel_recv(&x->up, type, &body, WIRE_DOWN_MAX, 0, NULL) != RC_OK)
        leave();
    return body;
}

/* ---- forks ---- */

static long fork_process(int *pidfd)
{
    return syscall(SYS_clone, (long)SANDBOX_CLONE_FLAGS, NULL, pidfd, NULL, 0);
}

/* A copy of us that runs `loop` over a socket of its own, which the worker gets. */
static void hand_out_fork(struct inside *x, void (*loop)(struct inside *))
{
    int ends[2], pidfd = -1;
    long pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        leave();
    pid = fork_process(&pidfd);
    if (pid == 0) {
        (void)close(ends[0]);
        channel_clear(&x->up);
        channel_init(&x->up, ends[1]);
        loop(x);
        leave();
    }
    if (pid < 0) {
        struct err e;

        send_failed(x, err_errno(&e, errno, "fork of the runtime"), &e);
    } else {
        const int fds[CHANNEL_FDS] = {ends[0], pidfd};

        if (channel_send(&x->up, FRAME_DONE, bytes_of(NULL, 0), bytes_of(NULL, 0), fds, 0, NULL) !=
            RC_OK)
            leave();
        (void)close(pidfd);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* ---- queries ---- */

static enum rc own_random(void *data, uint8_t *out, size_t n, struct err *e)
{
    (void)data, (void)e;
    random_bytes(out, n);
    return RC_OK;
}

/* Ask the worker. The answer is appended to *out. */
static enum rc ask(struct inside *x, const struct wire_ask *a, struct buf *out, struct err *e)
{
    struct bytes body, result;
    uint8_t type;
    enum rc rc;

    buf_reset(&x->out);
    wire_put_ask(&x->out, a);
    send_up(x, FRAME_ASK, buf_bytes(&x->out));
    body = receive(x, &type);
    if (type != FRAME_EFFECT)
        leave();
    rc = wire_get_effect(&result, body, e);
    if (rc == RC_OK)
        buf_put_bytes(out, result);
    return rc;
}

static enum rc ask_sign(void *data, const struct address *contract, struct bytes message,
                        uint8_t sig65[65], struct err *e)
{
    AUTO_CLEAR(buf) struct buf sig = {0};

    TRY(ask(data, &(struct wire_ask){.effect = EFFECT_SIGN, .contract = *contract, .key = message},
            &sig, e));
    if (sig.n != 65)
        return err_set(e, RC_MALFORMED, "a signature of %zu bytes", sig.n);
    memcpy(sig65, sig.p, 65);
    return RC_OK;
}

static enum rc ask_http(void *data, const struct address *contract, struct bytes request,
                        struct buf *response, struct err *e)
{
    return ask(data,
               &(struct wire_ask){.effect = EFFECT_HTTP, .contract = *contract, .key = request},
               response, e);
}

static enum rc ask_get(void *data, const struct address *contract, struct bytes key,
                       struct buf *value, struct err *e)
{
    return ask(data,
               &(struct wire_ask){.effect = EFFECT_CACHE_GET, .contract = *contract, .key = key},
               value, e);
}

static enum rc ask_set(void *data, const struct address *contract, struct bytes key,
                       struct bytes value, struct err *e)
{
    AUTO_CLEAR(buf) struct buf nothing = {0};

    return ask(data, &(struct wire_ask){EFFECT_CACHE_SET, *contract, key, value}, &nothing, e);
}

static void answer_query(struct inside *x, struct bytes body)
{
    struct query_host host = {.data = x};
    struct command_result result;
    struct machine_query q;
    unsigned effects;
    struct err e;
    enum rc rc = wire_get_query(&q, &effects, arena_dup(&x->mem, body), &e);

    host.random = (effects & EFFECT_RANDOM) != 0 ? own_random : NULL;
    host.sign = (effects & EFFECT_SIGN) != 0 ? ask_sign : NULL;
    host.http = (effects & EFFECT_HTTP) != 0 ? ask_http : NULL;
    host.cache_get = (effects & EFFECT_CACHE_GET) != 0 ? ask_get : NULL;
    host.cache_set = (effects & EFFECT_CACHE_SET) != 0 ? ask_set : NULL;
    q.host = &host;
    if (rc == RC_OK)
        rc = machine_query(x->machine, &q, &x->mem, &result, &e);
    if (rc != RC_OK) {
        send_failed(x, rc, &e);
        return;
    }
    buf_reset(&x->out);
    wire_put_answer(&x->out, &result);
    send_up(x, FRAME_ANSWER, buf_bytes(&x->out));
}

static enum rc send_item(void *data, struct bytes key, struct bytes value, struct err *e)
{
    struct inside *x = data;

    (void)e;
    wire_put_item(&x->out, key, value);
    if (x->out.n >= WIRE_LOAD_STEP) {
        send_up(x, FRAME_ITEMS, buf_bytes(&x->out));
        buf_reset(&x->out);
    }
    return RC_OK;
}

static void send_state(struct inside *x)
{
    struct err e;
    enum rc rc;

    buf_reset(&x->out);
    rc = machine_each(x->machine, send_item, x, &e);
    if (rc == RC_OK && x->out.n != 0)
        send_up(x, FRAME_ITEMS, buf_bytes(&x->out));
    send_outcome(x, rc, &e);
}

static void answer_loop(struct inside *x)
{
    for (;;) {
        uint8_t type;
        struct bytes body = receive(x, &type);

        if (type == FRAME_QUERY)
            answer_query(x, body);
        else if (type == FRAME_EACH)
            send_state(x);
        else
            leave();
        arena_reset(&x->mem);
    }
}

static void snapshot_loop(struct inside *x)
{
    for (;;) {
        uint8_t type;

        (void)receive(x, &type);
        if (type != FRAME_FORK)
            leave();
        hand_out_fork(x, answer_loop);
    }
}

/* ---- the machine ---- */

static void load(struct inside *x, struct bytes body)
{
    struct reader r = reader_init(body);
    struct bytes key, value;

    while (x->load_rc == RC_OK) {
        enum rc rc = wire_next_item(&r, &key, &value, &x->load_e);

        if (rc == RC_NOTFOUND)
            return;
        if (rc == RC_OK)
            rc = machine_load(x->machine, key, value, &x->load_e);
        x->load_rc = rc;
    }
}

static void put_code(struct inside *x, struct bytes elf)
{
    struct hash32 hash;
    struct err e;
    enum rc rc = machine_put_code(x->machine, elf, &hash, &e);

    if (rc == RC_OK)
        send_up(x, FRAME_DONE, BYTES_OF(&hash));
    else
        send_failed(x, rc, &e);
}

static enum rc run_all(struct inside *x, struct bytes body, struct wire_run *out, size_t *n,
                       struct err *e)
{
    struct command_result *results;
    struct command *commands;

    TRY(wire_get_commands(&commands, n, body, &x->mem, e));
    results = arena_array(&x->mem, *n + 1, sizeof(*results));
    out->results = results;
    return machine_run(x->machine, commands, *n, &x->mem, results, &out->messages, &out->n_messages,
                       &out->changes, e);
}

static void run(struct inside *x, struct bytes body)
{
    struct wire_run done = {0};
    struct err e;
    size_t n;
    enum rc rc = run_all(x, body, &done, &n, &e);

    if (rc != RC_OK) {
        send_failed(x, rc, &e);
        return;
    }
    buf_reset(&x->out);
    wire_put_run(&x->out, &done, n);
    send_up(x, FRAME_DONE, buf_bytes(&x->out));
    if (x->out.n > WIRE_ITEMS_MAX)
        buf_clear(&x->out);
}

static enum rc apply_items(struct inside *x, struct bytes body, struct err *e)
{
    struct reader r = reader_init(body);
    AUTO_CLEAR(buf) struct buf list = {0};
    struct state_change c = {0};
    enum rc rc;

    while ((rc = wire_next_item(&r, &c.key, &c.value, e)) == RC_OK)
        buf_put(&list, &c, sizeof(c));
    if (rc != RC_NOTFOUND)
        return rc;
    return machine_apply(x->machine, (const struct state_change *)(const void *)list.p,
                         list.n / sizeof(c), e);
}

static void main_loop(struct inside *x)
{
    for (;;) {
        uint8_t type;
        struct bytes body = receive(x, &type);
        struct err e;

        switch (type) {
        case FRAME_LOAD:
            load(x, body);
            break;
        case FRAME_LOADED:
            send_outcome(x, x->load_rc, &x->load_e);
            x->load_rc = RC_OK;
            break;
        case FRAME_CODE:
            put_code(x, body);
            break;
        case FRAME_RUN:
            run(x, body);
            break;
        case FRAME_APPLY:
            send_outcome(x, apply_items(x, body, &e), &e);
            break;
        case FRAME_SNAPSHOT:
            hand_out_fork(x, snapshot_loop);
            break;
        default:
            leave();
        }
        arena_reset(&x->mem);
    }
}

/* ---- the start ---- */

/* A sanitizer's shadow alone is beyond any limit. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define HAS_SHADOW true
#else
#define HAS_SHADOW false
#endif

static enum rc shut_in(uint64_t memory_limit, bool *has_namespaces, struct err *e)
{
    const struct rlimit files = {64, 64}, memory = {memory_limit, memory_limit};
    enum rc rc = sandbox_enter(e);

    *has_namespaces = rc == RC_OK;
    if (rc != RC_OK && rc != RC_UNSUPPORTED)
        return rc;
    /* Nobody waits for forks; nobody looks into us. */
    if (signal(SIGCHLD, SIG_IGN) == SIG_ERR || prctl(PR_SET_DUMPABLE, 0) != 0 ||
        setrlimit(RLIMIT_NOFILE, &files) != 0 ||
        (!HAS_SHADOW && setrlimit(RLIMIT_AS, &memory) != 0))
        return err_errno(e, errno, "limits");
    return sandbox_close(SANDBOX_MESSAGES | SANDBOX_FORK, e);
}

int runtime_main(void)
{
    struct inside x = {0};
    struct wire_config config;
    struct stat st;
    struct bytes body;
    bool has_namespaces;
    uint8_t type;
    struct err e;

    if (fstat(RUNTIME_FD, &st) != 0 || !S_ISSOCK(st.st_mode))
        return 2;
    channel_init(&x.up, RUNTIME_FD);
    (void)fcntl(RUNTIME_FD, F_SETFD, FD_CLOEXEC);
    body = receive(&x, &type);
    if (type != FRAME_CONFIG || wire_get_config(&config, body, NULL) != RC_OK)
        leave();
    crypto_stay_closed();
    if (shut_in(config.memory_limit, &has_namespaces, &e) != RC_OK) {
        send_failed(&x, RC_IO, &e);
        leave();
    }
    x.machine = machine_new(&config.machine);
    send_up(&x, FRAME_READY, bytes_of(&(uint8_t){has_namespaces}, 1));
    main_loop(&x);
    leave();
}
