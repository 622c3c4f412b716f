/* The block store: durability, damage, crashes. */
#include "base/mem.h"
#include "crypto/hash.h"
#include "kv/power.h"
#include "lib/t.h"
#include "os/file.h"
#include "store/store.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct store *open_store(const char *dir, uint64_t pack_size, struct store_found *found)
{
    struct store_options o = {.dir = dir, .pack_size = pack_size};
    struct store *s = NULL;
    struct err e = {0};

    CHECK_OK(store_open(&s, &o, found, &e), &e);
    return s;
}

/* Block i: its size and bytes follow from i. */
static void make_block(struct buf *b, struct cid *cid, uint32_t i)
{
    struct hash32 digest;
    size_t n = i % 7 == 6 ? 70000 + i % 999 : (i * 37) % 900;

    buf_reset(b);
    buf_u32be(b, i);
    for (size_t k = 0; k < n; k++)
        buf_u8(b, (uint8_t)(k * 31 + i * 7 + (k >> 8)));
    sha256(&digest, buf_bytes(b));
    *cid = cid_raw(&digest);
}

static void put_range(struct store *s, uint32_t from, uint32_t to)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct cid cid;
    struct err e = {0};

    for (uint32_t i = from; i < to; i++) {
        make_block(&b, &cid, i);
        CHECK_OK(store_put(s, &cid, buf_bytes(&b), &e), &e);
    }
}

static void check_range(struct store *s, uint32_t from, uint32_t to)
{
    AUTO_CLEAR(buf) struct buf b = {0}, got = {0};
    struct cid cid;
    struct err e = {0};
    uint64_t size;

    for (uint32_t i = from; i < to; i++) {
        make_block(&b, &cid, i);
        buf_reset(&got);
        CHECK_OK(store_get(s, &cid, &got, &e), &e);
        CHECK_MEM(buf_bytes(&got), buf_bytes(&b));
        CHECK_OK(store_size(s, &cid, &size, &e), &e);
        CHECK_INT(size, b.n);
    }
}

static void check_absent(struct store *s, uint32_t i)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct cid cid;
    struct err e = {0};

    make_block(&b, &cid, i);
    CHECK_RC(store_get(s, &cid, &b, &e), RC_NOTFOUND, &e, "is not here");
}

TEST(blocks_come_back)
{
    const char *dir = t_tmpdir();
    struct store_found found;
    struct store *s = open_store(dir, 200000, &found);
    struct store_stat st;
    struct err e = {0};

    put_range(s, 0, 100);
    check_range(s, 0, 100); /* before the commit */
    CHECK_OK(store_commit(s, &e), &e);
    put_range(s, 50, 100); /* there already */
    check_range(s, 0, 100);
    check_absent(s, 100);
    CHECK_OK(store_stat(s, &st, &e), &e);
    CHECK_INT(st.blocks, 100);
    store_close(s);
    s = open_store(dir, 200000, &found);
    CHECK_INT(found.recovered, 0);
    CHECK_INT(found.cut_bytes, 0);
    check_range(s, 0, 100);
    store_close(s);
}

TEST(wrong_and_large_blocks_are_refused)
{
    struct store *s = open_store(t_tmpdir(), 0, NULL);
    AUTO_CLEAR(buf) struct buf b = {0};
    struct cid cid;
    struct err e = {0};

    make_block(&b, &cid, 1);
    b.p[0] ^= 1;
    CHECK_RC(store_put(s, &cid, buf_bytes(&b), &e), RC_CORRUPT, &e, "another hash");
    b.p[0] ^= 1;
    CHECK_RC(store_get(s, &cid, &b, &e), RC_NOTFOUND, &e, "is not here");
    buf_reset(&b);
    buf_put_zero(&b, STORE_MAX_BLOCK + 1);
    CHECK_RC(store_put(s, &cid, buf_bytes(&b), &e), RC_LIMIT, &e, "2097153");
    store_close(s);
}

TEST(one_process_a_folder)
{
    const char *dir = t_tmpdir();
    struct store *s = open_store(dir, 0, NULL), *other = NULL;
    struct store_options o = {.dir = dir};
    struct err e = {0};

    CHECK_RC(store_open(&other, &o, NULL, &e), RC_EXISTS, &e, dir);
    CHECK_TRUE(other == NULL);
    store_close(s);
}

TEST(removed_blocks_stay_away)
{
    const char *dir = t_tmpdir();
    struct store *s = open_store(dir, 100000, NULL);
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_FREE char *index = xasprintf("%s/index", dir);
    struct store_found found;
    struct cid cid;
    struct err e = {0};

    put_range(s, 0, 20);
    make_block(&b, &cid, 7);
    CHECK_OK(store_remove(s, &cid, &e), &e);
    check_absent(s, 7);
    CHECK_RC(store_remove(s, &cid, &e), RC_NOTFOUND, &e, "is not here");
    CHECK_OK(store_commit(s, &e), &e);
    check_absent(s, 7);
    make_block(&b, &cid, 8);
    CHECK_OK(store_remove(s, &cid, &e), &e);
    CHECK_OK(store_put(s, &cid, buf_bytes(&b), &e), &e); /* and back again */
    store_close(s);
    CHECK_OK(dir_remove(index, &e), &e);
    s = open_store(dir, 100000, &found);
    check_absent(s, 7);
    check_range(s, 0, 7);
    check_range(s, 8, 20);
    store_close(s);
}

static enum rc count_pin(void *ctx, const struct cid *cid, enum store_pin kind, struct bytes name,
                         struct err *e)
{
    unsigned *sum = ctx;

    (void)e;
    *sum += 1 + 100 * (unsigned)kind + 10000 * (unsigned)cid->version + 100000 * (unsigned)name.n;
    return RC_OK;
}

TEST(pins_survive_the_loss_of_the_index)
{
    const char *dir = t_tmpdir();
    AUTO_FREE char *index = xasprintf("%s/index", dir);
    struct store *s = open_store(dir, 0, NULL);
    AUTO_CLEAR(buf) struct buf b = {0}, name = {0};
    struct cid a, v0, other;
    enum store_pin kind;
    struct store_found found;
    unsigned sum = 0;
    struct err e = {0};

    make_block(&b, &a, 1);
    make_block(&b, &other, 2);
    v0 = cid_v0(&other.digest);
    other = cid_v1(CID_DAG_PB, &other.digest);
    CHECK_OK(store_pin_set(s, &a, STORE_PIN_DIRECT, bytes_str("name"), &e), &e);
    CHECK_OK(store_pin_set(s, &v0, STORE_PIN_RECURSIVE, bytes_str(""), &e), &e);
    put_range(s, 0, 10);
    store_close(s);
    CHECK_OK(dir_remove(index, &e), &e);
    s = open_store(dir, 0, &found);
    CHECK_INT(found.recovered, 12);
    CHECK_OK(store_pin_get(s, &a, &kind, &name, &e), &e);
    CHECK_INT(kind, STORE_PIN_DIRECT);
    CHECK_STR(buf_cstr(&name), "name");
    CHECK_OK(store_pin_get(s, &other, &kind, NULL, &e), &e); /* version 1 of the same */
    CHECK_INT(kind, STORE_PIN_RECURSIVE);
    CHECK_OK(store_pin_each(s, count_pin, &sum, &e), &e);
    CHECK_INT(sum, 2 + 100 + 200 + 10000 + 400000);
    CHECK_OK(store_pin_set(s, &other, STORE_PIN_NONE, bytes_str(""), &e), &e);
    CHECK_OK(store_pin_get(s, &v0, &kind, NULL, &e), &e);
    CHECK_INT(kind, STORE_PIN_NONE);
    store_close(s);
}

/* ---- damage ---- */

static void patch(const char *path, uint64_t at, const char *bytes, size_t n)
{
    AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC);

    CHECK_TRUE(fd >= 0);
    CHECK_INT(pwrite(fd, bytes, n, (off_t)at), n);
}

static uint64_t find_in_file(const char *path, struct bytes what)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    const uint8_t *hit;
    struct err e = {0};

    CHECK_OK(file_read(&b, path, 1u << 30, &e), &e);
    hit = memmem(b.p, b.n, what.p, what.n);
    CHECK_TRUE(hit != NULL);
    return (uint64_t)(hit - b.p);
}

TEST(a_damaged_block_is_named_and_not_served)
{
    const char *dir = t_tmpdir();
    AUTO_FREE char *pack = xasprintf("%s/packs/0000000000000001.pack", dir);
    AUTO_FREE char *index = xasprintf("%s/index", dir);
    struct store *s = open_store(dir, 0, NULL);
    AUTO_CLEAR(buf) struct buf b = {0}, got = {0};
    char text[CID_TEXT_SIZE];
    struct cid cid;
    struct err e = {0};

    put_range(s, 0, 20);
    CHECK_OK(store_commit(s, &e), &e);
    make_block(&b, &cid, 13);
    patch(pack, find_in_file(pack, buf_bytes(&b)) + b.n / 2, "\xee", 1);
    cid_format(text, &cid);
    CHECK_RC(store_get(s, &cid, &got, &e), RC_CORRUPT, &e, text);
    CHECK_TRUE(strstr(e.msg, "pack 0000000000000001") != NULL);
    CHECK_INT(got.n, 0);
    check_range(s, 0, 13);
    check_range(s, 14, 20);
    store_close(s);
    /* without an index the damage is stepped over */
    CHECK_OK(dir_remove(index, &e), &e);
    s = open_store(dir, 0, NULL);
    check_absent(s, 13);
    check_range(s, 0, 13);
    check_range(s, 14, 20);
    CHECK_OK(store_put(s, &cid, buf_bytes(&b), &e), &e); /* heals */
    check_range(s, 0, 20);
    store_close(s);
}

TEST(a_truncated_pack_is_read_as_far_as_it_goes)
{
    const char *dir = t_tmpdir();
    AUTO_FREE char *pack = xasprintf("%s/packs/0000000000000001.pack", dir);
    struct store *s = open_store(dir, 0, NULL);
    AUTO_CLEAR(buf) struct buf b = {0};
    struct store_found found;
    struct cid cid;

    put_range(s, 0, 20);
    store_close(s);
    make_block(&b, &cid, 19);
    CHECK_INT(truncate(pack, (off_t)(find_in_file(pack, buf_bytes(&b)) + 1)), 0);
    s = open_store(dir, 0, &found);
    CHECK_TRUE(found.rebuilt);
    check_range(s, 0, 19);
    check_absent(s, 19);
    store_close(s);
}

TEST(a_damaged_index_is_made_anew)
{
    const char *dir = t_tmpdir();
    AUTO_FREE char *data = xasprintf("%s/index/data.mdb", dir);
    struct store *s = open_store(dir, 0, NULL);
    struct store_found found;

    put_range(s, 0, 50);
    store_close(s);
    patch(data, 0, "this is no database at all, nor was it ever one", 40);
    patch(data, 4096, "this is no database at all, nor was it ever one", 40);
    s = open_store(dir, 0, &found);
    CHECK_TRUE(found.rebuilt);
    check_range(s, 0, 50);
    store_close(s);
}

/* ---- crashes ---- */

/* Whatever power loss leaves, every committed block is there; without the index, which the
 * recording does not cover, so each opening makes it anew. */
TEST(power_loss_at_every_event)
{
    AUTO_FREE char *dir = xasprintf("%s/run", t_tmpdir());
    AUTO_FREE char *after = xasprintf("%s/after", t_tmpdir());
    AUTO_FREE char *after_packs = xasprintf("%s/packs", after);
    struct store_options o = {.dir = dir, .pack_size = 100000};
    struct store *s = NULL;
    struct power p;
    struct err e = {0};

    power_init(&p, dir);
    o.disk = &p.disk;
    CHECK_OK(store_open(&s, &o, NULL, &e), &e);
    for (uint32_t i = 0; i < 12; i++) {
        put_range(s, 2 * i, 2 * i + 2);
        CHECK_OK(store_commit(s, &e), &e);
        power_mark(&p, bytes_of(NULL, 0));
    }
    store_close(s);
    for (size_t cut = 0; cut <= p.n; cut++) {
        uint32_t acked = 0;

        for (size_t i = 0; i < cut; i++)
            acked += p.events[i].kind == POWER_MARK;
        CHECK_OK(dir_remove(after, &e), &e);
        CHECK_OK(dir_make(after_packs, 0700, &e), &e);
        power_replay(&p, cut, after);
        s = open_store(after, 100000, NULL);
        check_range(s, 0, 2 * acked);
        put_range(s, 100, 103);
        CHECK_OK(store_commit(s, &e), &e);
        check_range(s, 0, 2 * acked);
        check_range(s, 100, 103);
        store_close(s);
    }
    power_clear(&p);
}

/* A sync fails, and the process is started again on the same system: its cache holds blocks that
 * the disk does not. */
TEST(blocks_whose_sync_failed_are_written_again)
{
    AUTO_FREE char *dir = xasprintf("%s/run", t_tmpdir());
    AUTO_FREE char *after = xasprintf("%s/after", t_tmpdir());
    AUTO_FREE char *after_packs = xasprintf("%s/packs", after);
    struct store_options o = {.dir = dir};
    struct store_found found;
    struct store *s = NULL;
    struct power p;
    struct err e = {0};

    power_init(&p, dir);
    o.disk = &p.disk;
    CHECK_OK(store_open(&s, &o, NULL, &e), &e);
    put_range(s, 0, 3);
    CHECK_OK(store_commit(s, &e), &e);
    put_range(s, 3, 6);
    p.fail_syncs = 1;
    CHECK_RC(store_commit(s, &e), RC_IO, &e, "input/output error");
    store_close(s);
    CHECK_OK(store_open(&s, &o, NULL, &e), &e);
    put_range(s, 3, 9); /* three are there, it finds */
    CHECK_OK(store_commit(s, &e), &e);
    store_close(s);
    CHECK_OK(dir_make(after_packs, 0700, &e), &e);
    power_replay(&p, p.n, after);
    s = open_store(after, 0, &found);
    CHECK_INT(found.cut_bytes, 0);
    check_range(s, 0, 9);
    store_close(s);
    power_clear(&p);
}

/* ---- compaction ---- */

#define N_COMPACT 30u /* blocks; every sixth is kept */

static struct cid block_cid(uint32_t i)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct cid cid;

    make_block(&b, &cid, i);
    return cid;
}

static enum store_pin pin_of(struct store *s, uint32_t i)
{
    struct cid cid = block_cid(i);
    enum store_pin kind;
    struct err e = {0};

    CHECK_OK(store_pin_get(s, &cid, &kind, NULL, &e), &e);
    return kind;
}

static void set_pin(struct store *s, uint32_t i, enum store_pin kind)
{
    struct cid cid = block_cid(i);
    struct err e = {0};

    CHECK_OK(store_pin_set(s, &cid, kind, bytes_str("n"), &e), &e);
}

/* Pins 0 and 1, takes the second away again, removes five of six blocks. */
static void fill_and_remove(struct store *s)
{
    struct err e = {0};

    set_pin(s, 0, STORE_PIN_RECURSIVE);
    set_pin(s, 1, STORE_PIN_DIRECT);
    put_range(s, 0, N_COMPACT);
    set_pin(s, 1, STORE_PIN_NONE);
    for (uint32_t i = 0; i < N_COMPACT; i++) {
        struct cid cid = block_cid(i);

        if (i % 6 != 0)
            CHECK_OK(store_remove(s, &cid, &e), &e);
    }
    CHECK_OK(store_commit(s, &e), &e);
}

static void check_compacted(struct store *s)
{
    for (uint32_t i = 0; i < N_COMPACT; i++)
        if (i % 6 == 0)
            check_range(s, i, i + 1);
        else
            check_absent(s, i);
    CHECK_INT(pin_of(s, 0), STORE_PIN_RECURSIVE);
    CHECK_INT(pin_of(s, 1), STORE_PIN_NONE);
}

TEST(compaction_frees_what_was_removed)
{
    const char *dir = t_tmpdir();
    AUTO_FREE char *index = xasprintf("%s/index", dir);
    struct store *s = open_store(dir, 100000, NULL);
    struct store_stat before, after;
    struct store_found found;
    uint64_t freed;
    struct err e = {0};

    fill_and_remove(s);
    CHECK_OK(store_stat(s, &before, &e), &e);
    CHECK_OK(store_compact(s, &freed, &e), &e);
    CHECK_OK(store_stat(s, &after, &e), &e);
    CHECK_TRUE(freed > 200000);
    CHECK_TRUE(after.disk_bytes < before.disk_bytes / 3);
    check_compacted(s);
    CHECK_OK(store_compact(s, &freed, &e), &e);
    CHECK_INT(freed, 0);
    store_close(s);
    s = open_store(dir, 100000, &found);
    CHECK_TRUE(!found.rebuilt && found.recovered == 0);
    check_compacted(s);
    put_range(s, 200, 210);
    store_close(s);
    CHECK_OK(dir_remove(index, &e), &e);
    s = open_store(dir, 100000, &found);
    check_compacted(s);
    check_range(s, 200, 210);
    store_close(s);
}

/* A removal must outlive its pack as long as an older one holds the block. */
TEST(compaction_does_not_bring_removed_blocks_back)
{
    const char *dir = t_tmpdir();
    AUTO_FREE char *index = xasprintf("%s/index", dir);
    struct store *s = open_store(dir, 100000, NULL);
    struct store_found found;
    struct cid two;
    uint64_t freed;
    struct err e = {0};

    put_range(s, 0, 13); /* the first pack stays: most of it is in use */
    set_pin(s, 3, STORE_PIN_DIRECT);
    put_range(s, 13, 21);
    set_pin(s, 3, STORE_PIN_NONE);
    for (uint32_t i = 13; i < 21; i++) {
        struct cid cid = block_cid(i);

        CHECK_OK(store_remove(s, &cid, &e), &e);
    }
    two = block_cid(2);
    CHECK_OK(store_remove(s, &two, &e), &e);
    CHECK_OK(store_compact(s, &freed, &e), &e);
    CHECK_TRUE(freed > 70000);
    store_close(s);
    CHECK_OK(dir_remove(index, &e), &e);
    s = open_store(dir, 100000, &found);
    check_absent(s, 2);
    check_absent(s, 20);
    check_range(s, 3, 13);
    CHECK_INT(pin_of(s, 3), STORE_PIN_NONE);
    store_close(s);
}

TEST(power_loss_during_compaction)
{
    AUTO_FREE char *dir = xasprintf("%s/run", t_tmpdir());
    AUTO_FREE char *after = xasprintf("%s/after", t_tmpdir());
    AUTO_FREE char *after_packs = xasprintf("%s/packs", after);
    struct store_options o = {.dir = dir, .pack_size = 100000};
    struct store *s = NULL;
    uint64_t freed;
    size_t from;
    struct power p;
    struct err e = {0};

    power_init(&p, dir);
    o.disk = &p.disk;
    CHECK_OK(store_open(&s, &o, NULL, &e), &e);
    fill_and_remove(s);
    from = p.n;
    CHECK_OK(store_compact(s, &freed, &e), &e);
    CHECK_TRUE(freed > 200000);
    store_close(s);
    for (size_t cut = from; cut <= p.n; cut++) {
        CHECK_OK(dir_remove(after, &e), &e);
        CHECK_OK(dir_make(after_packs, 0700, &e), &e);
        power_replay(&p, cut, after);
        s = open_store(after, 100000, NULL);
        check_compacted(s);
        store_close(s);
    }
    power_clear(&p);
}

/* ---- kill ---- */

static void add_until_killed(const char *dir, int ack_fd)
{
    struct store *s = open_store(dir, 2000000, NULL);

    for (uint32_t i = 0;; i += 3) {
        uint32_t next = i + 3;

        put_range(s, i, next);
        if (store_commit(s, NULL) != RC_OK || write(ack_fd, &next, sizeof(next)) != sizeof(next))
            _exit(1);
    }
}

TEST(kill_9_during_adds)
{
    const char *dir = t_tmpdir();
    struct err e = {0};

    for (int round = 0; round < 8; round++) {
        AUTO_FREE char *at = xasprintf("%s/%d", dir, round);
        int fds[2], status;
        uint32_t acked = 0, v;
        struct store *s;
        pid_t pid;

        CHECK_INT(pipe(fds), 0);
        pid = fork();
        CHECK_TRUE(pid >= 0);
        if (pid == 0) {
            (void)close(fds[0]);
            add_until_killed(at, fds[1]);
        }
        (void)close(fds[1]);
        CHECK_INT(read(fds[0], &v, sizeof(v)), sizeof(v));
        (void)usleep((useconds_t)(20000 + t_rand_below(100000)));
        CHECK_INT(kill(pid, SIGKILL), 0);
        CHECK_INT(waitpid(pid, &status, 0), pid);
        do
            acked = v;
        while (read(fds[0], &v, sizeof(v)) == sizeof(v));
        (void)close(fds[0]);
        s = open_store(at, 2000000, NULL);
        check_range(s, 0, acked);
        put_range(s, acked, acked + 2);
        CHECK_OK(store_commit(s, &e), &e);
        store_close(s);
    }
}

/* ---- syncs ---- */

static int syncs_made;

static enum rc counting_sync(void *ctx, int fd, struct err *e)
{
    syncs_made++;
    return disk_os()->sync(ctx, fd, e);
}

/* Commits of one block each up to `n`; the process ends without closing. True: each made one sync.
 */
static void commit_singly(const char *dir, uint32_t n)
{
    struct disk d = *disk_os();
    struct store_options o = {.dir = dir, .disk = &d};
    struct store *s = NULL;
    bool ok;

    d.sync = counting_sync;
    ok = store_open(&s, &o, NULL, NULL) == RC_OK;
    for (uint32_t i = 0; i < n && ok; i++) {
        put_range(s, i, i + 1);
        syncs_made = 0;
        ok = store_commit(s, NULL) == RC_OK && syncs_made == 1 && store_commit(s, NULL) == RC_OK &&
             syncs_made == 1;
    }
    _exit(ok ? 0 : 1);
}

/* One sync makes a commit durable; the index follows after some hundred, and a start reads the rest
 * from the pack. */
TEST(a_commit_is_one_sync)
{
    static const uint32_t sizes[] = {3, 300};

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        AUTO_FREE char *dir = xasprintf("%s/%zu", t_tmpdir(), i);
        struct store_found found;
        struct store *s;
        int status;
        pid_t pid = fork();

        CHECK_TRUE(pid >= 0);
        if (pid == 0)
            commit_singly(dir, sizes[i]);
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK_INT(status, 0);
        s = open_store(dir, 0, &found);
        CHECK_INT(found.recovered, sizes[i] % 256);
        check_range(s, 0, sizes[i]);
        store_close(s);
        s = open_store(dir, 0, &found); /* closed in peace */
        CHECK_INT(found.recovered, 0);
        store_close(s);
    }
}

/* ---- a disk that fails ---- */

static int writes_left, syncs_left;

static enum rc failing_pwrite(void *ctx, int fd, struct bytes data, uint64_t off, struct err *e)
{
    if (writes_left-- > 0)
        return disk_os()->pwrite(ctx, fd, data, off, e);
    (void)disk_os()->pwrite(ctx, fd, bytes_of(data.p, data.n / 2), off, NULL);
    return err_set(e, RC_LIMIT, "no space left on device");
}

static enum rc failing_sync(void *ctx, int fd, struct err *e)
{
    if (syncs_left-- > 0)
        return disk_os()->sync(ctx, fd, e);
    return err_set(e, RC_IO, "sync: input/output error");
}

TEST(full_disk_loses_nothing)
{
    const char *dir = t_tmpdir();
    struct disk d = *disk_os();
    struct store_options o = {.dir = dir, .disk = &d};
    AUTO_CLEAR(buf) struct buf b = {0};
    struct store_found found;
    struct store *s = NULL;
    struct cid cid;
    struct err e = {0};

    d.pwrite = failing_pwrite;
    writes_left = 11;
    CHECK_OK(store_open(&s, &o, NULL, &e), &e);
    put_range(s, 7, 13); /* the file header, then one write each: small blocks */
    writes_left = 0;
    make_block(&b, &cid, 14);
    CHECK_RC(store_put(s, &cid, buf_bytes(&b), &e), RC_LIMIT, &e, "no space left");
    check_absent(s, 14);
    writes_left = 1000; /* somebody made room */
    put_range(s, 14, 17);
    CHECK_OK(store_commit(s, &e), &e);
    store_close(s);
    s = open_store(dir, 0, &found);
    CHECK_INT(found.cut_bytes, 0);
    check_range(s, 7, 13);
    check_range(s, 14, 17);
    store_close(s);
}

TEST(no_writes_after_a_failed_sync)
{
    const char *dir = t_tmpdir();
    struct disk d = *disk_os();
    struct store_options o = {.dir = dir, .disk = &d};
    AUTO_CLEAR(buf) struct buf b = {0};
    struct store *s = NULL;
    struct cid cid;
    struct err e = {0};

    d.sync = failing_sync;
    syncs_left = 2; /* of the new pack, of the first commit */
    CHECK_OK(store_open(&s, &o, NULL, &e), &e);
    syncs_left = 0;
    put_range(s, 0, 3);
    CHECK_RC(store_commit(s, &e), RC_IO, &e, "input/output error");
    make_block(&b, &cid, 4);
    CHECK_RC(store_put(s, &cid, buf_bytes(&b), &e), RC_IO, &e, "restart");
    CHECK_RC(store_commit(s, &e), RC_IO, &e, "restart");
    check_range(s, 0, 3); /* what was put can be read until then */
    store_close(s);
}
