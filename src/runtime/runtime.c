/* The worker's side of cloister-runtime: its process, and commands. */
#include "runtime/runtime.h"

#include "base/log.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"
#include "runtime/internal/process.h"

#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#define START_MS 30000
#define LOAD_MS 60000 /* for one frame of items to be taken */
#define DEFAULT_MEMORY (4ULL << 30)
#define DEFAULT_QUERY_WALL_MS 10000
#define DEFAULT_RUN_WALL_MS 60000
#define GAS_PER_MS 1000
#define RUN_WALL_MAX_MS (24ULL * 3600 * 1000)

/* ---- processes ---- */

static enum rc process_answer(struct channel *c, enum frame_type type, size_t max,
                              uint64_t deadline, struct bytes *answer, bool *is_dead, struct err *e)
{
    uint8_t said = 0;
    enum rc rc =
        channel_recv(c, &said, answer, max > WIRE_FAILED_MAX ? max : WIRE_FAILED_MAX, deadline, e);

    if (rc == RC_OK && said == FRAME_DONE)
        return RC_OK;
    if (rc == RC_OK && said == FRAME_FAILED)
        return wire_get_failed(*answer, e);
    *is_dead = true;
    if (rc == RC_OK)
        return err_set(e, RC_IO, "runtime: an answer of type %u to %u", said, (unsigned)type);
    return err_wrap(e, RC_IO, "runtime");
}

enum rc process_ask(struct channel *c, enum frame_type type, struct bytes body, size_t max,
                    uint64_t deadline, struct bytes *answer, bool *is_dead, struct err *e)
{
    enum rc rc = channel_send(c, (uint8_t)type, body, bytes_of(NULL, 0), NULL, deadline, e);

    if (rc == RC_OK)
        return process_answer(c, type, max, deadline, answer, is_dead, e);
    *is_dead = true;
    return err_wrap(e, RC_IO, "runtime");
}

enum rc fork_get(struct fork *out, struct channel *from, enum frame_type type, bool *is_dead,
                 struct err *e)
{
    struct bytes none;
    int fd;

    *out = (struct fork){.channel = {.fd = -1}, .pidfd = -1};
    TRY(process_ask(from, type, bytes_of(NULL, 0), 0, clock_mono_ms() + FORK_MS, &none, is_dead,
                    e));
    fd = channel_take_fd(from, 0);
    out->pidfd = channel_take_fd(from, 1);
    channel_init(&out->channel, fd);
    if (fd >= 0 && out->pidfd >= 0)
        return RC_OK;
    *is_dead = true;
    fork_end(out);
    return err_set(e, RC_IO, "runtime: a fork without its descriptors");
}

void fork_end(struct fork *f)
{
    if (f->pidfd >= 0) {
        (void)pidfd_send_signal(f->pidfd, SIGKILL, NULL, 0);
        (void)close(f->pidfd);
    }
    f->pidfd = -1;
    channel_clear(&f->channel);
}

/* ---- start and end ---- */

static void set_defaults(struct runtime_config *c, const struct runtime_config *in)
{
    *c = *in;
    c->path = in->path != NULL ? xstrdup(in->path) : spawn_beside_us("cloister-runtime");
    if (c->memory_limit == 0)
        c->memory_limit = DEFAULT_MEMORY;
    if (c->query_wall_ms == 0)
        c->query_wall_ms = DEFAULT_QUERY_WALL_MS;
    if (c->run_wall_ms == 0)
        c->run_wall_ms = DEFAULT_RUN_WALL_MS;
}

static enum rc spawn(struct runtime *r, struct err *e)
{
    const char *const argv[] = {r->config.path, NULL};
    const char *const envp[] = {NULL};
    AUTO_FD int theirs = -1;
    struct spawn_fd map = {-1, RUNTIME_FD};
    const struct spawn_options o = {.argv = argv,
                                    .envp = envp,
                                    .dir = "/",
                                    .fds = &map,
                                    .n_fds = 1,
                                    .new_session = true,
                                    .die_with_parent = true};
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return err_errno(e, errno, "runtime: socket");
    channel_init(&r->channel, ends[0]);
    theirs = map.parent = ends[1];
    return child_spawn(&r->child, &o, e);
}

static enum rc greet(struct runtime *r, struct err *e)
{
    const struct wire_config c = {r->config.machine, r->config.memory_limit};
    uint64_t deadline = clock_mono_ms() + START_MS;
    struct bytes body;
    uint8_t type;

    buf_reset(&r->out);
    wire_put_config(&r->out, &c);
    TRY(channel_send(&r->channel, FRAME_CONFIG, buf_bytes(&r->out), bytes_of(NULL, 0), NULL,
                     deadline, e));
    TRY(channel_recv(&r->channel, &type, &body, WIRE_FAILED_MAX, deadline, e));
    if (type == FRAME_FAILED)
        return wire_get_failed(body, e);
    if (type != FRAME_READY || body.n != 1)
        return err_set(e, RC_IO, "it says something else than that it is ready");
    if (body.p[0] == 0)
        log_warn("runtime",
                 "this system gives %s no namespaces: a system call filter alone holds it",
                 r->config.path);
    return RC_OK;
}

enum rc runtime_start(struct runtime **out, const struct runtime_config *c, struct err *e)
{
    struct runtime *r = xcalloc(1, sizeof(*r));
    enum rc rc;

    *out = NULL;
    r->child.pidfd = -1;
    channel_init(&r->channel, -1);
    set_defaults(&r->config, c);
    rc = spawn(r, e);
    if (rc == RC_OK)
        rc = greet(r, e);
    if (rc == RC_OK) {
        *out = r;
        return RC_OK;
    }
    rc = err_wrap(e, RC_IO, "start of %s (run it by hand with --help to see that it works)",
                  r->config.path);
    runtime_stop(r);
    return rc;
}

void runtime_stop(struct runtime *r)
{
    if (r == NULL)
        return;
    child_clear(&r->child);
    channel_clear(&r->channel);
    wipe(r->out.p, r->out.cap);
    buf_clear(&r->out);
    wipe(r->load.p, r->load.cap);
    buf_clear(&r->load);
    free((void *)(uintptr_t)r->config.path);
    free(r);
}

/* ---- state ---- */

static enum rc alive(const struct runtime *r, struct err *e)
{
    return r->is_dead ? err_set(e, RC_IO, "runtime: its process is gone") : RC_OK;
}

static enum rc send_load(struct runtime *r, struct err *e)
{
    enum rc rc;

    if (r->load.n == 0)
        return RC_OK;
    rc = channel_send(&r->channel, FRAME_LOAD, buf_bytes(&r->load), bytes_of(NULL, 0), NULL,
                      clock_mono_ms() + LOAD_MS, e);
    buf_reset(&r->load);
    if (rc == RC_OK)
        return RC_OK;
    r->is_dead = true;
    child_kill(&r->child, SIGKILL);
    return err_wrap(e, RC_IO, "runtime: load");
}

/* Something of n bytes is about to be asked; what was loaded goes before it. */
static enum rc ready(struct runtime *r, size_t n, struct err *e)
{
    TRY(alive(r, e));
    if (n > WIRE_DOWN_MAX)
        return err_set(e, RC_LIMIT, "runtime: %zu bytes at a time, at most %u", n, WIRE_DOWN_MAX);
    return send_load(r, e);
}

/* A process that broke the rules goes. */
static void reap(struct runtime *r)
{
    if (r->is_dead)
        child_kill(&r->child, SIGKILL);
}

static enum rc ask(struct runtime *r, enum frame_type type, struct bytes body, size_t max,
                   uint64_t wall_ms, struct bytes *answer, struct err *e)
{
    enum rc rc;

    TRY(ready(r, body.n, e));
    rc = process_ask(&r->channel, type, body, max, clock_mono_ms() + wall_ms, answer, &r->is_dead,
                     e);
    reap(r);
    return rc;
}

bool runtime_is_alive(const struct runtime *r)
{
    return !r->is_dead;
}

enum rc runtime_load(struct runtime *r, struct bytes key, struct bytes value, struct err *e)
{
    TRY(alive(r, e));
    if (key.n > STATE_KEY_MAX || value.n > STATE_VALUE_MAX)
        return err_set(e, RC_MALFORMED, "runtime: a key of %zu bytes, a value of %zu", key.n,
                       value.n);
    wire_put_item(&r->load, key, value);
    return r->load.n < WIRE_LOAD_STEP ? RC_OK : send_load(r, e);
}

enum rc runtime_loaded(struct runtime *r, struct err *e)
{
    struct bytes none;

    return ask(r, FRAME_LOADED, bytes_of(NULL, 0), 0, LOAD_MS, &none, e);
}

enum rc runtime_put_code(struct runtime *r, struct bytes elf, struct hash32 *hash, struct err *e)
{
    struct bytes answer;

    memset(hash, 0, sizeof(*hash));
    TRY(ask(r, FRAME_CODE, elf, sizeof(*hash), FORK_MS, &answer, e));
    if (answer.n != sizeof(hash->b))
        return err_set(e, RC_IO, "runtime: a code hash of %zu bytes", answer.n);
    memcpy(hash->b, answer.p, sizeof(hash->b));
    return RC_OK;
}

enum rc runtime_apply_begin(struct runtime *r, const struct state_change *changes, size_t n,
                            struct err *e)
{
    size_t size = 0;
    enum rc rc;

    for (size_t i = 0; i < n; i++)
        size += WIRE_ITEM_HEAD + changes[i].key.n + changes[i].value.n;
    buf_reset(&r->out);
    (void)buf_reserve(&r->out, size);
    for (size_t i = 0; i < n; i++) {
        if (changes[i].key.n > STATE_KEY_MAX || changes[i].value.n > STATE_VALUE_MAX)
            return err_set(e, RC_MALFORMED, "runtime: change %zu is none of a contract's state", i);
        wire_put_item(&r->out, changes[i].key, changes[i].value);
    }
    TRY(ready(r, r->out.n, e));
    rc = channel_send(&r->channel, FRAME_APPLY, buf_bytes(&r->out), bytes_of(NULL, 0), NULL,
                      clock_mono_ms() + LOAD_MS, e);
    if (rc == RC_OK)
        return RC_OK;
    r->is_dead = true;
    reap(r);
    return err_wrap(e, RC_IO, "runtime");
}

enum rc runtime_applied(struct runtime *r, struct err *e)
{
    struct bytes none;
    enum rc rc = process_answer(&r->channel, FRAME_APPLY, 0, clock_mono_ms() + LOAD_MS, &none,
                                &r->is_dead, e);

    reap(r);
    return rc;
}

enum rc runtime_apply(struct runtime *r, const struct state_change *changes, size_t n,
                      struct err *e)
{
    TRY(runtime_apply_begin(r, changes, n, e));
    return runtime_applied(r, e);
}

/* ---- commands ---- */

static uint64_t run_wall_ms(const struct runtime *r, const struct command *c, size_t n)
{
    uint64_t ms = r->config.run_wall_ms;

    for (size_t i = 0; i < n && ms < RUN_WALL_MAX_MS; i++)
        ms += c[i].gas / GAS_PER_MS;
    return ms < RUN_WALL_MAX_MS ? ms : RUN_WALL_MAX_MS;
}

enum rc runtime_run(struct runtime *r, const struct command *commands, size_t n, struct arena *mem,
                    struct command_result *results, const struct out_message **messages,
                    size_t *n_messages, struct state_changes *changes, struct err *e)
{
    struct wire_run done;
    struct bytes answer;
    enum rc rc;

    *messages = NULL;
    *n_messages = 0;
    *changes = (struct state_changes){0};
    buf_reset(&r->out);
    wire_put_commands(&r->out, commands, n);
    TRY(ask(r, FRAME_RUN, buf_bytes(&r->out), wire_run_max(n), run_wall_ms(r, commands, n), &answer,
            e));
    rc = wire_get_run(&done, results, n, answer, mem, e);
    if (rc != RC_OK) {
        r->is_dead = true;
        child_kill(&r->child, SIGKILL);
        return err_wrap(e, RC_IO, "runtime");
    }
    *messages = done.messages;
    *n_messages = done.n_messages;
    *changes = done.changes;
    return RC_OK;
}
