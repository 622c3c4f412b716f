/* Real processes of cloister-runtime. */
#include "base/hex.h"
#include "cluster/rig.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/secp256k1.h"
#include "os/clock.h"
#include "runtime/runtime.h"
#include "worker/guest.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct world {
    struct runtime *rt;
    struct rig r; /* its scripts and arena; no machine */
};

static void world_start(struct world *w, const struct runtime_config *c)
{
    struct runtime_config config = c != NULL ? *c : (struct runtime_config){0};
    struct err e;

    *w = (struct world){0};
    config.path = built_binary("cloister-runtime");
    config.machine.chain_id = 1337;
    config.machine.genesis = (struct hash32){{0xaa}};
    CHECK_OK(runtime_start(&w->rt, &config, &e), &e);
    for (unsigned i = 0; i < 2; i++) {
        AUTO_CLEAR(buf) struct buf elf = {0};

        rig_elf(&elf, i);
        CHECK_OK(runtime_put_code(w->rt, buf_bytes(&elf), &w->r.code[i], &e), &e);
    }
}

static void world_clear(struct world *w)
{
    runtime_stop(w->rt);
    arena_clear(&w->r.mem);
}

static enum rc try_run(struct world *w, const struct command *c, size_t n, struct err *e)
{
    w->r.results = arena_array(&w->r.mem, n + 1, sizeof(*w->r.results));
    return runtime_run(w->rt, c, n, &w->r.mem, w->r.results, &w->r.messages, &w->r.n_messages,
                       &w->r.changes, e);
}

static struct command_result one(struct world *w, struct command c)
{
    struct err e;

    CHECK_OK(try_run(w, &c, 1, &e), &e);
    return w->r.results[0];
}

static void add_contracts(struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        struct command c = activation(&w->r, i + 1, i);

        c.value_wei = u256_from_u64(1000);
        CHECK_INT(one(w, c).status, RECEIPT_DONE);
    }
}

/* Store a number, or get it. */
static struct bytes set_word(struct world *w, uint64_t value)
{
    struct script s = script_new(2);
    uint64_t at = script_data(&s, BYTES_OF(&value));

    STEP(&s, HOST_STORAGE_SET, at + 8, 1, at, 8, 0, 0, 0);
    script_data(&s, bytes_str("k"));
    return script_bytes(&w->r, &s);
}

static struct bytes get_word(struct world *w)
{
    struct script s = script_new(2);
    uint64_t at = script_data(&s, bytes_str("k"));

    STEP(&s, HOST_STORAGE_GET, at, 1, OUT, 8, 0, 0, 0);
    RET(&s, 1);
    return script_bytes(&w->r, &s);
}

static struct bytes spin(struct world *w)
{
    struct script s = script_new(1);

    STEP(&s, GUEST_SPIN, 0, 0, 0, 0, 0, 0, 0);
    return script_bytes(&w->r, &s);
}

static struct machine_query query_of(struct bytes calldata)
{
    return (struct machine_query){.contract = contract_at(1),
                                  .caller = person(1),
                                  .calldata = calldata,
                                  .gas = GAS,
                                  .height = 7,
                                  .time_s = 1700000000};
}

static uint64_t ask_word(struct world *w, struct snapshot *s)
{
    struct machine_query q = query_of(get_word(w));
    struct command_result x;
    struct err e;

    CHECK_OK(snapshot_query(s, &q, &w->r.mem, &x, &e), &e);
    CHECK_INT(x.status, RECEIPT_DONE);
    return word(x.output, 0);
}

static struct snapshot *snap(struct world *w)
{
    struct snapshot *s;
    struct err e;

    CHECK_OK(runtime_snapshot(w->rt, &s, &e), &e);
    return s;
}

/* ---- the processes ---- */

/* The number that begins the text, or what follows its blanks. */
static long long number_at(const char *text)
{
    long long v = 0;

    while (*text == ' ' || *text == '\t')
        text++;
    for (; *text >= '0' && *text <= '9'; text++)
        v = v * 10 + (*text - '0');
    return v;
}

/* Their numbers: what descends from us and is cloister-runtime. */
static size_t processes(pid_t *out, size_t max)
{
    pid_t all[4096], up[4096];
    size_t n = 0, found = 0;
    DIR *d = opendir("/proc");
    const struct dirent *entry;

    CHECK_TRUE(d != NULL);
    while ((entry = readdir(d)) != NULL && n < ARRAY_LEN(all)) {
        char path[300], text[512] = "", *after;
        FILE *f;

        (void)snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        f = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        if (f == NULL)
            continue;
        /* "123 (name) S 45 ..." */
        after = fgets(text, sizeof(text), f) != NULL ? strrchr(text, ')') : NULL;
        if (after != NULL && strlen(after) > 4) {
            all[n] = (pid_t)number_at(text);
            up[n++] = (pid_t)number_at(after + 4);
        }
        (void)fclose(f);
    }
    (void)closedir(d);
    /* A parent may stand after its child: go round until nothing is new. */
    for (size_t before = SIZE_MAX; before != found;) {
        before = found;
        for (size_t i = 0; i < n; i++) {
            bool is_ours = up[i] == getpid(), is_known = false;

            for (size_t k = 0; k < found; k++) {
                is_ours |= up[i] == out[k];
                is_known |= all[i] == out[k];
            }
            if (is_ours && !is_known && found < max)
                out[found++] = all[i];
        }
    }
    return found;
}

/* Until there are n of them; a process that was killed takes its time to go. */
static void wait_for_processes(size_t n)
{
    pid_t pids[64];
    uint64_t end = clock_mono_ms() + 20000;

    while (processes(pids, ARRAY_LEN(pids)) != n && clock_mono_ms() < end)
        clock_sleep_ms(5);
    CHECK_INT(processes(pids, ARRAY_LEN(pids)), n);
}

/* A line "name: value" of /proc/PID/status as a number. */
static long long status_of(pid_t pid, const char *name)
{
    char path[64], line[256];
    long long value = -1;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "r");
    CHECK_TRUE(f != NULL);
    while (fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = number_at(line + strlen(name) + 1);
    (void)fclose(f);
    return value;
}

static bool has_namespaces(void)
{
    return system("unshare -Urnp true 2>/dev/null") == 0;
}

TEST(processes_are_shut_in)
{
    struct world w;
    pid_t pids[16];
    size_t n, shut = 0;
    struct snapshot *s;
    bool spaces = has_namespaces();
    char ours[64], theirs[64], path[64];
    ssize_t n_ours, n_theirs;

    setenv("CLOISTER_TEST_SECRET", "in the environment", 1);
    int leak = open("/dev/null", O_RDONLY); /* not close-on-exec */

    world_start(&w, NULL);
    add_contracts(&w);
    s = snap(&w);
    (void)one(&w, command_to(&w.r, 1, set_word(&w, 1)));
    (void)ask_word(&w, s);
    n = processes(pids, ARRAY_LEN(pids));
    CHECK_INT(n, spaces ? 4 : 3); /* what waits, the machine, the snapshot, what answers */
    for (size_t i = 0; i < n; i++) {
        if (status_of(pids[i], "Seccomp") != 2)
            continue;
        shut++;
        CHECK_INT(status_of(pids[i], "NoNewPrivs"), 1);
        CHECK_INT(status_of(pids[i], "Threads"), 1);
        CHECK_TRUE(!spaces || status_of(pids[i], "CapEff") == 0);
        /* 0 to 2 are /dev/null, 3 and perhaps one more are sockets. */
        (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pids[i]);
        DIR *d = opendir(path);
        unsigned open_fds = 0;

        if (d != NULL) { /* only root may look */
            while (readdir(d) != NULL)
                open_fds++;
            (void)closedir(d);
            CHECK_INT(open_fds, 2 + 4);
        }
        (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pids[i]);
        FILE *f = fopen(path, "r");

        if (f != NULL) {
            CHECK_TRUE(fgetc(f) == EOF);
            (void)fclose(f);
        }
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pids[i]);
        n_ours = readlink("/proc/self/ns/net", ours, sizeof(ours));
        n_theirs = readlink(path, theirs, sizeof(theirs));
        if (spaces && n_theirs > 0)
            CHECK_TRUE(n_ours != n_theirs || memcmp(ours, theirs, (size_t)n_ours) != 0);
    }
    CHECK_INT(shut, 3);
    (void)close(leak);
    snapshot_free(s);
    wait_for_processes(spaces ? 2 : 1);
    world_clear(&w);
    wait_for_processes(0);
}

TEST(a_program_that_is_none)
{
    struct runtime *rt;
    struct runtime_config c = {.path = "/nonexistent/cloister-runtime"};
    struct err e;

    CHECK_RC(runtime_start(&rt, &c, &e), RC_IO, &e, "no such program");
    c.path = "/bin/true";
    CHECK_RC(runtime_start(&rt, &c, &e), RC_IO, &e, "/bin/true");
    c.path = "/bin/cat";
    CHECK_RC(runtime_start(&rt, &c, &e), RC_IO, &e, "/bin/cat");
    wait_for_processes(0);
}

/* A program in place of cloister-runtime that says what an enemy would: READY, then `rest`. */
static const char *enemy(const char *rest)
{
    static char path[600];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/enemy", t_tmpdir());
    f = fopen(path, "w");
    CHECK_TRUE(f != NULL);
    (void)fprintf(f, "#!/bin/sh\nprintf '\\000\\000\\000\\002\\100\\001' >&3\n%s\n", rest);
    CHECK_INT(fclose(f), 0);
    CHECK_INT(chmod(path, 0700), 0);
    return path;
}

TEST(enemies)
{
    static const char *const rests[] = {
        "sleep 1000",                                               /* silence */
        "while :; do printf '\\000' >&3; sleep 0.05; done",         /* a word at a time */
        "printf '\\377\\377\\377\\377\\101' >&3; sleep 1000",       /* 4 GiB are coming */
        "printf '\\000\\000\\000\\000' >&3; sleep 1000",            /* no type */
        "printf '\\000\\000\\000\\001\\101' >&3; sleep 1000",       /* DONE, with nothing */
        "printf '\\000\\000\\000\\001\\143' >&3; sleep 1000",       /* no such type */
        "while :; do printf '\\000\\000\\000\\001\\101'; done >&3", /* DONE for ever */
    };

    for (size_t i = 0; i < ARRAY_LEN(rests); i++) {
        AUTO_CLEAR(arena) struct arena mem = {0};
        struct runtime_config config = {.path = enemy(rests[i]), .run_wall_ms = 300};
        const struct command c = {.kind = ENTRY_PLAIN, .contract = contract_at(1)};
        struct command_result result;
        const struct out_message *messages;
        struct state_changes changes;
        struct runtime *rt;
        struct snapshot *s;
        size_t n;
        struct err e;

        CHECK_OK(runtime_start(&rt, &config, &e), &e);
        CHECK_INT(runtime_run(rt, &c, 1, &mem, &result, &messages, &n, &changes, &e), RC_IO);
        CHECK_TRUE(!runtime_is_alive(rt));
        CHECK_INT(runtime_snapshot(rt, &s, &e), RC_IO);
        runtime_stop(rt);
        /* Snapshots without a process behind them. */
        if (i < 3)
            continue; /* these would make us wait */
        CHECK_OK(runtime_start(&rt, &config, &e), &e);
        CHECK_INT(runtime_snapshot(rt, &s, &e), RC_IO);
        runtime_stop(rt);
    }
    wait_for_processes(0);
}

/* ---- the same as in process ---- */

TEST(commands_as_in_process)
{
    struct world w;
    struct rig here;
    struct command c[3];

    world_start(&w, NULL);
    rig_init(&here, 0);
    rig_contracts(&here);
    add_contracts(&w);
    c[0] = command_to(&w.r, 1, set_word(&w, 5));
    c[0].value_wei = u256_from_u64(7);
    struct script s = script_new(5);
    struct address to = person(3);
    uint64_t at = script_data(&s, BYTES_OF(&to));

    STEP(&s, HOST_SEND, at, 0, at, 20, 0, 0, OUT);
    STEP(&s, HOST_LOG, GUEST_BUF, 3, at, 20, 0, 0, OUT);
    RET(&s, 4);
    c[1] = command_to(&w.r, 2, script_bytes(&w.r, &s));
    c[2] = command_to(&w.r, 9, bytes_of(NULL, 0));
    c[2].value_wei = u256_from_u64(9);
    rig_run(&here, c, 3);
    struct err e;

    CHECK_OK(try_run(&w, c, 3, &e), &e);
    for (size_t i = 0; i < 3; i++) {
        const struct command_result *a = &w.r.results[i], *b = &here.results[i];

        CHECK_INT(a->status, b->status);
        CHECK_INT(a->gas_used, b->gas_used);
        CHECK_MEM(a->output, b->output);
        CHECK_INT(a->n_events, b->n_events);
    }
    CHECK_INT(here.results[1].n_events, 1);
    CHECK_INT(w.r.results[1].events[0].n_topics, 3);
    CHECK_MEM(BYTES_OF(&w.r.results[1].events[0].topics),
              BYTES_OF(&here.results[1].events[0].topics));
    CHECK_MEM(w.r.results[1].events[0].data, here.results[1].events[0].data);
    CHECK_INT(w.r.n_messages, 2);
    CHECK_MEM(w.r.messages[0].data, BYTES_OF(&to));
    CHECK_TRUE(u256_cmp(&w.r.messages[1].value_wei, &c[2].value_wei) == 0);
    CHECK_INT(w.r.changes.n, here.changes.n);
    for (size_t i = 0; i < here.changes.n; i++) {
        CHECK_MEM(w.r.changes.items[i].key, here.changes.items[i].key);
        CHECK_MEM(w.r.changes.items[i].value, here.changes.items[i].value);
        CHECK_MEM(w.r.changes.items[i].old, here.changes.items[i].old);
    }
    rig_clear(&here);
    world_clear(&w);
}

/* More than fits into one reading of the socket, both ways. */
TEST(a_large_range)
{
    enum { N = 300, SETS = 20 };
    struct world w;
    struct command c[N];
    struct err e;

    world_start(&w, NULL);
    add_contracts(&w);
    for (uint32_t i = 0; i < N; i++) {
        struct script s = script_new(SETS);
        uint64_t at = 0;

        for (uint32_t k = 0; k < SETS; k++) {
            uint32_t name = i * SETS + k;

            at = script_data(&s, BYTES_OF(&name));
            STEP(&s, HOST_STORAGE_SET, at, 4, GUEST_BUF, 500, 0, 0, 0);
        }
        c[i] = command_to(&w.r, 1, script_bytes(&w.r, &s));
        c[i].gas = 1u << 22;
    }
    CHECK_OK(try_run(&w, c, N, &e), &e);
    for (size_t i = 0; i < N; i++)
        CHECK_INT(w.r.results[i].status, RECEIPT_DONE);
    CHECK_INT(w.r.changes.n, N * SETS);
    /* And the same as a delta, on another one. */
    struct world other;

    world_start(&other, NULL);
    CHECK_OK(runtime_apply(other.rt, w.r.changes.items, w.r.changes.n, &e), &e);
    world_clear(&other);
    world_clear(&w);
}

TEST(errors_come_back)
{
    struct world w;
    struct hash32 hash;
    struct address a = contract_at(3);
    struct state_key key = state_key_storage(&a, bytes_str("k"));
    struct state_change c = {.key = state_key_bytes(&key), .value = bytes_str("v")};
    struct command cmd;
    struct err e;

    world_start(&w, NULL);
    CHECK_RC(runtime_put_code(w.rt, bytes_str("no program"), &hash, &e), RC_MALFORMED, &e, "ELF");
    cmd = activation(&w.r, 1, 0);
    cmd.code_hash.b[0] ^= 1;
    CHECK_RC(try_run(&w, &cmd, 1, &e), RC_NOTFOUND, &e, "code");
    CHECK_OK(runtime_load(w.rt, c.key, c.value, &e), &e);
    CHECK_OK(runtime_load(w.rt, c.key, c.value, &e), &e);
    CHECK_RC(runtime_loaded(w.rt, &e), RC_EXISTS, &e, "twice");
    CHECK_OK(runtime_loaded(w.rt, &e), &e);
    c.value = bytes_of(NULL, 0);
    CHECK_OK(runtime_apply(w.rt, &c, 1, &e), &e);
    c.key.n = 5;
    CHECK_RC(runtime_apply(w.rt, &c, 1, &e), RC_MALFORMED, &e, "");
    add_contracts(&w); /* it goes on */
    world_clear(&w);
}

/* ---- snapshots ---- */

TEST(snapshots_stay_as_they_were)
{
    struct world w;
    struct snapshot *s[3];

    world_start(&w, NULL);
    add_contracts(&w);
    for (uint64_t i = 0; i < 3; i++) {
        (void)one(&w, command_to(&w.r, 1, set_word(&w, 100 + i)));
        s[i] = snap(&w);
    }
    (void)one(&w, command_to(&w.r, 1, set_word(&w, 999)));
    for (uint64_t round = 0; round < 3; round++)
        for (uint64_t i = 0; i < 3; i++)
            CHECK_INT(ask_word(&w, s[i]), 100 + i);
    for (size_t i = 0; i < 3; i++)
        snapshot_free(s[i]);
    world_clear(&w);
}

static enum rc to_other(void *data, struct bytes key, struct bytes value, struct err *e)
{
    struct world *other = data;
    struct hash32 hash;

    if (key.p[0] == STATE_CODE)
        return runtime_put_code(other->rt, value, &hash, e);
    return runtime_load(other->rt, key, value, e);
}

static enum rc stop_at_once(void *data, struct bytes key, struct bytes value, struct err *e)
{
    (void)key, (void)value;
    *(unsigned *)data += 1;
    return err_set(e, RC_LIMIT, "enough");
}

TEST(state_moves_to_another_process)
{
    struct world w, other;
    struct snapshot *s;
    unsigned seen = 0;
    struct err e;

    world_start(&w, NULL);
    world_start(&other, NULL);
    add_contracts(&w);
    /* More than one frame of items. */
    for (uint32_t i = 0; i < 3000; i++) {
        uint8_t value[300] = {(uint8_t)i};
        struct address a = contract_at(2);
        struct state_key key = state_key_storage(&a, BYTES_OF(&i));

        CHECK_OK(runtime_load(w.rt, state_key_bytes(&key), BYTES_OF(&value), &e), &e);
    }
    CHECK_OK(runtime_loaded(w.rt, &e), &e);
    (void)one(&w, command_to(&w.r, 1, set_word(&w, 77)));
    s = snap(&w);
    CHECK_RC(snapshot_each(s, stop_at_once, &seen, &e), RC_LIMIT, &e, "enough");
    CHECK_INT(seen, 1);
    CHECK_OK(snapshot_each(s, to_other, &other, &e), &e);
    CHECK_OK(runtime_loaded(other.rt, &e), &e);
    snapshot_free(s);
    s = snap(&other);
    CHECK_INT(ask_word(&other, s), 77);
    snapshot_free(s);
    world_clear(&other);
    world_clear(&w);
}

/* ---- effects ---- */

struct host_log {
    struct address who;
    unsigned signs, gets;
    struct buf kept;
    enum rc http;
};

static enum rc do_random(void *data, uint8_t *out, size_t n, struct err *e)
{
    (void)data, (void)out, (void)n, (void)e;
    t_fail(__FILE__, __LINE__, "randomness comes from inside");
}

static enum rc do_sign(void *data, const struct address *contract, struct bytes message,
                       uint8_t sig65[65], struct err *e)
{
    struct host_log *h = data;

    (void)e;
    h->who = *contract;
    h->signs++;
    memset(sig65, message.p[0], 65);
    return RC_OK;
}

static enum rc do_http(void *data, const struct address *contract, struct bytes request,
                       struct buf *response, struct err *e)
{
    struct host_log *h = data;

    (void)contract;
    buf_put_str(response, "to ");
    buf_put_bytes(response, request);
    return h->http == RC_OK ? RC_OK : err_set(e, h->http, "no");
}

static enum rc do_get(void *data, const struct address *contract, struct bytes key,
                      struct buf *value, struct err *e)
{
    struct host_log *h = data;

    (void)contract, (void)key;
    h->gets++;
    if (h->kept.n == 0)
        return err_set(e, RC_NOTFOUND, "none");
    buf_put_bytes(value, buf_bytes(&h->kept));
    return RC_OK;
}

static enum rc do_set(void *data, const struct address *contract, struct bytes key,
                      struct bytes value, struct err *e)
{
    struct host_log *h = data;

    (void)contract, (void)key, (void)e;
    buf_reset(&h->kept);
    buf_put_bytes(&h->kept, value);
    return RC_OK;
}

TEST(effects)
{
    struct world w;
    struct host_log log = {.http = RC_OK};
    const struct query_host host = {&log, do_random, do_sign, do_http, do_get, do_set};
    struct machine_query q;
    struct command_result x, y;
    struct script s = script_new(8);
    struct address me = contract_at(1);
    struct snapshot *shot;
    uint64_t at;
    struct err e;

    world_start(&w, NULL);
    add_contracts(&w);
    at = script_data(&s, bytes_str("abcdefgh"));
    STEP(&s, HOST_RANDOM, OUT + 64, 32, 0, 0, 0, 0, OUT);
    STEP(&s, HOST_SIGN, at, 8, OUT + 128, 0, 0, 0, OUT + 8);
    STEP(&s, HOST_HTTP, at, 8, 0, 0, 0, 0, OUT + 16);
    STEP(&s, HOST_CACHE_GET, at, 2, 0, 0, 0, 0, OUT + 24);
    STEP(&s, HOST_CACHE_SET, at, 2, at, 8, 0, 0, OUT + 32);
    STEP(&s, HOST_CACHE_GET, at, 2, OUT + 48, 8, 0, 0, OUT + 40);
    STEP(&s, HOST_RETURNDATA_READ, OUT + 96, 0, 11, 0, 0, 0, 0);
    RET(&s, 16);
    shot = snap(&w);
    q = query_of(script_bytes(&w.r, &s));
    q.host = &host;
    CHECK_OK(snapshot_query(shot, &q, &w.r.mem, &x, &e), &e);
    CHECK_INT(x.status, RECEIPT_DONE);
    CHECK_INT(word(x.output, 0), 0);
    CHECK_INT(word(x.output, 1), 0);
    CHECK_INT(word(x.output, 2), 11);
    CHECK_INT((int64_t)word(x.output, 3), -HOST_ENOTFOUND);
    CHECK_INT(word(x.output, 4), 0);
    CHECK_INT(word(x.output, 5), 8);
    CHECK_MEM(bytes_of(x.output.p + 48, 8), bytes_str("abcdefgh"));
    CHECK_MEM(bytes_of(x.output.p + 96, 11), bytes_str("to abcdefgh"));
    CHECK_MEM(BYTES_OF(&log.who), BYTES_OF(&me));
    CHECK_INT(log.signs, 1);
    CHECK_INT(log.gets, 2);
    /* Fresh each time; what fails says so; what is not offered is not asked for. */
    log.http = RC_LIMIT;
    q.host = &(struct query_host){&log, do_random, NULL, do_http, NULL, NULL};
    CHECK_OK(snapshot_query(shot, &q, &w.r.mem, &y, &e), &e);
    CHECK_TRUE(memcmp(x.output.p + 64, y.output.p + 64, 32) != 0);
    CHECK_INT((int64_t)word(y.output, 1), -HOST_EINVAL);
    CHECK_INT((int64_t)word(y.output, 2), -HOST_ELIMIT);
    CHECK_INT(log.signs, 1);
    q.host = NULL;
    CHECK_OK(snapshot_query(shot, &q, &w.r.mem, &y, &e), &e);
    CHECK_INT((int64_t)word(y.output, 0), -HOST_EINVAL);
    buf_clear(&log.kept);
    snapshot_free(shot);
    world_clear(&w);
}

/* The calls that libraries do the work of, with what they accept: none of them needs a system call
 * that the filter refuses. */
static uint64_t hex_data(struct script *s, const char *hex)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct err e;

    CHECK_OK(hex_decode(&b, bytes_str(hex), 256, &e), &e);
    return script_data(s, buf_bytes(&b));
}

TEST(signatures_inside)
{
    struct world w;
    struct script s = script_new(8);
    struct hash32 digest;
    struct secp_sig sig;
    struct secp_key key;
    struct ed25519_key ed;
    const uint8_t seed[32] = {7};
    uint8_t pub[32], sig64[64];
    struct err e;

    world_start(&w, NULL);
    add_contracts(&w);
    /* RFC 6979 A.2.5, P-256, SHA-256, message "sample". */
    sha256(&digest, bytes_str("sample"));
    uint64_t d = script_data(&s, BYTES_OF(&digest));
    uint64_t p = hex_data(&s, "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                              "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
    uint64_t ps = hex_data(&s, "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                               "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");

    CHECK_OK(secp_key_from_bytes(&key, seed, &e), &e);
    secp_sign(&sig, &key, &digest);
    ed25519_from_seed(&ed, seed);
    ed25519_pub(pub, &ed);
    ed25519_sign(sig64, &ed, BYTES_OF(&digest));
    uint64_t r = script_data(&s, BYTES_OF(&sig)), ep = script_data(&s, BYTES_OF(&pub)),
             es = script_data(&s, BYTES_OF(&sig64));

    STEP(&s, HOST_P256_VERIFY, p, ps, d, 0, 0, 0, OUT);
    STEP(&s, HOST_ECRECOVER, d, r, OUT + 64, 0, 0, 0, OUT + 8);
    STEP(&s, HOST_ED25519_VERIFY, ep, es, d, 32, 0, 0, OUT + 16);
    STEP(&s, HOST_RISTRETTO_FROM_HASH, es, OUT + 64, 0, 0, 0, 0, OUT + 24);
    STEP(&s, HOST_SHA512, es, 64, OUT + 64, 0, 0, 0, 0);
    STEP(&s, HOST_RISTRETTO_SCALAR, 0, es, 0, OUT + 64, 0, 0, OUT + 32);
    RET(&s, 5);
    struct command_result x = one(&w, command_to(&w.r, 1, script_bytes(&w.r, &s)));

    CHECK_INT(x.status, RECEIPT_DONE);
    CHECK_INT(word(x.output, 0), 1);
    CHECK_INT(word(x.output, 1), 0);
    CHECK_INT(word(x.output, 2), 1);
    CHECK_INT(word(x.output, 4), 0);
    world_clear(&w);
}

#define EVIDENCE_ALLOWED 0 /* byte 0 of the record, attest/record.h */

static uint8_t judged(struct world *w, const char *evidence, const char *collateral,
                      const char *root)
{
    struct script s = script_new(2);
    struct hash32 fingerprint;
    uint64_t request[HOST_EVIDENCE_REQUEST_WORDS] = {0};
    struct bytes quote = t_file(evidence), json = t_file(collateral);
    struct bytes policy = bytes_str("{\"name\":\"none\"}");

    sha256(&fingerprint, t_file(root));
    request[0] = script_data(&s, quote);
    request[1] = quote.n;
    request[2] = script_data(&s, json);
    request[3] = json.n;
    request[4] = script_data(&s, policy);
    request[5] = policy.n;
    request[6] = script_data(&s, BYTES_OF(&fingerprint));
    request[7] = 1;
    request[9] = 1800000000;
    uint64_t at = script_data(&s, BYTES_OF(&request));

    STEP(&s, HOST_VERIFY_EVIDENCE, at, OUT + 8, 64, 0, 0, 0, OUT);
    RET(&s, 4);
    struct command c = command_to(&w->r, 1, script_bytes(&w->r, &s));

    c.gas = 1u << 23;
    struct command_result x = one(w, c);

    CHECK_INT(x.status, RECEIPT_DONE);
    CHECK_TRUE(word(x.output, 0) >= HOST_EVIDENCE_RECORD_HEAD);
    return x.output.p[8];
}

TEST(evidence_inside)
{
    struct world w;

    world_start(&w, NULL);
    add_contracts(&w);
    CHECK_INT(judged(&w, "tests/attest/own/quote.bin", "tests/attest/own/collateral.json",
                     "tests/attest/own/root.der"),
              EVIDENCE_ALLOWED);
    CHECK_INT(judged(&w, "tests/attest/own/snp-report.bin", "tests/attest/own/snp-chain.pem",
                     "tests/attest/own/snp-ark.der"),
              EVIDENCE_ALLOWED);
    world_clear(&w);
}

/* ---- bad contracts, dead processes ---- */

struct slow {
    struct world *w;
    struct snapshot *s;
    struct bytes calldata;
    enum rc rc;
    struct err e;
};

static void *ask_slowly(void *data)
{
    struct slow *x = data;
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct machine_query q = query_of(x->calldata);
    struct command_result out;

    q.gas = UINT64_MAX;
    x->rc = snapshot_query(x->s, &q, &mem, &out, &x->e);
    return NULL;
}

TEST(an_endless_query_holds_nobody_up)
{
    enum { N = 3 };
    struct world w;
    struct slow x[N];
    pthread_t threads[N];
    pid_t pids[32];
    size_t before;

    world_start(&w, &(struct runtime_config){.query_wall_ms = 1500});
    add_contracts(&w);
    (void)one(&w, command_to(&w.r, 1, set_word(&w, 1)));
    struct snapshot *s = snap(&w);

    CHECK_INT(ask_word(&w, s), 1);
    before = processes(pids, ARRAY_LEN(pids));
    for (size_t i = 0; i < N; i++) {
        x[i] = (struct slow){.w = &w, .s = s, .calldata = spin(&w)};
        CHECK_INT(pthread_create(&threads[i], NULL, ask_slowly, &x[i]), 0);
    }
    /* Meanwhile: commands and other queries. */
    for (uint64_t i = 2; i < 6; i++) {
        CHECK_INT(one(&w, command_to(&w.r, 1, set_word(&w, i))).status, RECEIPT_DONE);
        CHECK_INT(ask_word(&w, s), 1);
    }
    for (size_t i = 0; i < N; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
        CHECK_INT(x[i].rc, RC_AGAIN);
    }
    CHECK_INT(ask_word(&w, s), 1);
    wait_for_processes(before); /* the endless ones are dead */
    snapshot_free(s);
    world_clear(&w);
}

TEST(many_queries_at_a_time)
{
    enum { N = 24 }; /* more than there are processes */
    struct world w;
    struct slow x[N];
    pthread_t threads[N];

    world_start(&w, NULL);
    add_contracts(&w);
    struct snapshot *s = snap(&w);

    for (size_t i = 0; i < N; i++) {
        x[i] = (struct slow){.w = &w, .s = s, .calldata = get_word(&w)};
        CHECK_INT(pthread_create(&threads[i], NULL, ask_slowly, &x[i]), 0);
    }
    for (size_t i = 0; i < N; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
        CHECK_OK(x[i].rc, &x[i].e);
    }
    snapshot_free(s);
    world_clear(&w);
}

static void *kill_later(void *data)
{
    const pid_t *pid = data;

    clock_sleep_us(t_rand_below(60000));
    (void)kill(*pid, SIGKILL);
    return NULL;
}

/* Whichever process dies, whenever: RC_IO or RC_AGAIN in time, never a wait, and another runtime
 * takes over. */
TEST(killed_at_any_moment)
{
    for (uint64_t round = 0; round < t_times(12); round++) {
        struct world w;
        struct snapshot *s;
        pid_t pids[16], victim;
        pthread_t killer;
        size_t n;
        enum rc rc = RC_OK;
        struct err e;

        world_start(&w, NULL);
        add_contracts(&w);
        s = snap(&w);
        CHECK_INT(ask_word(&w, s), 0);
        n = processes(pids, ARRAY_LEN(pids));
        victim = pids[t_rand_below(n)];
        uint64_t start = clock_mono_ms();

        CHECK_INT(pthread_create(&killer, NULL, kill_later, &victim), 0);
        for (unsigned i = 0; i < 2000 && rc == RC_OK; i++) {
            struct command c = command_to(&w.r, 1, set_word(&w, i));
            struct machine_query q = query_of(get_word(&w));
            struct command_result x;

            rc = try_run(&w, &c, 1, &e);
            CHECK_TRUE(rc == RC_OK || rc == RC_IO);
            enum rc asked = snapshot_query(s, &q, &w.r.mem, &x, &e);

            CHECK_TRUE(asked == RC_OK || asked == RC_AGAIN || asked == RC_IO);
            if (clock_mono_ms() - start > 400 && rc == RC_OK)
                break; /* it was a snapshot's process */
        }
        CHECK_INT(pthread_join(killer, NULL), 0);
        CHECK_INT(runtime_is_alive(w.rt), rc == RC_OK);
        if (rc == RC_IO) {
            struct command c = command_to(&w.r, 1, set_word(&w, 1));

            CHECK_RC(try_run(&w, &c, 1, &e), RC_IO, &e, "gone");
            CHECK_RC(runtime_loaded(w.rt, &e), RC_IO, &e, "gone");
        }
        snapshot_free(s);
        world_clear(&w);
        wait_for_processes(0);
    }
}

/* A worker that dies takes its runtimes with it. */
TEST(no_process_stays)
{
    pid_t pid;
    int status, ends[2];
    pid_t pids[16] = {0};
    size_t n = 0;

    (void)built_binary(
        "cloister-runtime"); /* where there is none, it is skipped here and not in a child */
    CHECK_INT(pipe(ends), 0);
    pid = fork();
    CHECK_TRUE(pid >= 0);
    if (pid == 0) {
        struct world w;

        world_start(&w, NULL);
        add_contracts(&w);
        struct snapshot *s = snap(&w);

        CHECK_INT(ask_word(&w, s), 0);
        n = processes(pids, ARRAY_LEN(pids));
        CHECK_TRUE(write(ends[1], pids, sizeof(pids)) == sizeof(pids));
        (void)kill(getpid(), SIGKILL);
    }
    CHECK_TRUE(read(ends[0], pids, sizeof(pids)) == sizeof(pids));
    CHECK_TRUE(waitpid(pid, &status, 0) == pid);
    while (n < ARRAY_LEN(pids) && pids[n] != 0)
        n++;
    CHECK_TRUE(n >= 3);
    for (uint64_t end = clock_mono_ms() + 20000; clock_mono_ms() < end;) {
        size_t left = 0;

        for (size_t i = 0; i < n; i++) {
            char path[64], text[512] = "", *after;
            FILE *f;

            (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pids[i]);
            f = fopen(path, "r");
            if (f == NULL)
                continue;
            after = fgets(text, sizeof(text), f) != NULL ? strrchr(text, ')') : NULL;
            left += after != NULL && strncmp(after, ") Z", 3) != 0;
            (void)fclose(f);
        }
        if (left == 0)
            return;
        clock_sleep_ms(10);
    }
    t_fail(__FILE__, __LINE__, "processes are left");
}

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define HAS_SHADOW true
#else
#define HAS_SHADOW false
#endif

TEST(memory_limit)
{
    struct world w;
    uint8_t value[60000] = {1};
    struct address a = contract_at(2);
    enum rc rc = RC_OK;
    struct err e;

    if (HAS_SHADOW)
        t_skip("a sanitizer's shadow is beyond any limit");
    world_start(&w, &(struct runtime_config){.memory_limit = 300u << 20});
    for (uint32_t i = 0; i < 10000 && rc == RC_OK; i++) {
        struct state_key key = state_key_storage(&a, BYTES_OF(&i));

        rc = runtime_load(w.rt, state_key_bytes(&key), BYTES_OF(&value), &e);
    }
    if (rc == RC_OK)
        rc = runtime_loaded(w.rt, &e);
    CHECK_INT(rc, RC_IO);
    world_clear(&w);
}

TEST(state_limit_inside)
{
    struct world w;
    struct address a = contract_at(2);
    struct state_key key = state_key_storage(&a, bytes_str("k"));
    struct err e;

    world_start(&w, &(struct runtime_config){.machine.state_limit = 20});
    CHECK_OK(runtime_load(w.rt, state_key_bytes(&key), bytes_str("v"), &e), &e);
    CHECK_RC(runtime_loaded(w.rt, &e), RC_LIMIT, &e, "20");
    world_clear(&w);
}
