/* The record log: reading back, damage, power loss. CRC-32C values: RFC 3720 §B.4. */
#include "kv/log.h"
#include "kv/power.h"

TEST(crc32c_known_answers)
{
    uint8_t b[32] = {0};

    CHECK_INT(crc32c(0, bytes_of(b, 32)), 0x8a9136aa);
    memset(b, 0xff, 32);
    CHECK_INT(crc32c(0, bytes_of(b, 32)), 0x62a8ab43);
    for (size_t i = 0; i < 32; i++)
        b[i] = (uint8_t)i;
    CHECK_INT(crc32c(0, bytes_of(b, 32)), 0x46dd794e);
    CHECK_INT(crc32c(crc32c(0, bytes_of(b, 5)), bytes_of(b + 5, 27)), 0x46dd794e);
    CHECK_INT(crc32c(0, bytes_str("123456789")), 0xe3069283);
}

/* Record i: its number, then i * 37 % 3000 bytes that follow from it. */
static void make_record(struct buf *b, uint32_t i)
{
    buf_reset(b);
    buf_u32be(b, i);
    for (uint32_t k = 0; k < i * 37 % 3000; k++)
        buf_u8(b, (uint8_t)(i + k * 7));
}

static struct record_log *open_log(const char *dir, struct record_log_found *found)
{
    static struct disk fast;
    struct record_log_options o = {.dir = dir, .segment_size = 8192, .disk = &fast};
    struct record_log *log;
    struct err e;

    fast = power_fast_disk();

    CHECK_OK(record_log_open(&log, &o, found, &e), &e);
    return log;
}

static void append_some(struct record_log *log, uint32_t from, uint32_t to, uint64_t *offsets)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct err e;

    for (uint32_t i = from; i < to; i++) {
        uint64_t at;

        make_record(&b, i);
        CHECK_OK(record_log_append(log, buf_bytes(&b), &at, &e), &e);
        CHECK_OK(record_log_sync(log, &e), &e);
        if (offsets != NULL)
            offsets[i] = at;
    }
}

/* Records 0, 1, ... as far as they go. */
static uint32_t read_all(struct record_log *log)
{
    AUTO_CLEAR(buf) struct buf want = {0};
    uint64_t at = record_log_first(log);
    uint32_t n = 0;
    struct err e;

    for (; at < record_log_end(log); n++) {
        AUTO_CLEAR(buf) struct buf got = {0};

        make_record(&want, n);
        CHECK_OK(record_log_read(log, at, &got, &at, &e), &e);
        CHECK_MEM(buf_bytes(&got), buf_bytes(&want));
    }
    return n;
}

TEST(append_reopen_read)
{
    struct record_log_found found;
    struct record_log *log = open_log(t_tmpdir(), &found);
    AUTO_CLEAR(buf) struct buf b = {0};
    uint64_t offsets[200], n;
    struct err e;

    CHECK_INT(found.end, 0);
    append_some(log, 0, 150, offsets);
    CHECK_INT(read_all(log), 150);
    CHECK_RC(record_log_read(log, record_log_end(log), &b, NULL, &e), RC_NOTFOUND, &e, "no record");
    CHECK_RC(record_log_read(log, offsets[9] + 16, &b, NULL, &e), RC_CORRUPT, &e, "");
    CHECK_RC(record_log_read(log, offsets[9] + 1, &b, NULL, &e), RC_CORRUPT, &e,
             "no record starts");
    CHECK_RC(record_log_append(log, bytes_of(NULL, 0), offsets, &e), RC_LIMIT, &e, "0 bytes");
    record_log_close(log);
    log = open_log(t_tmpdir(), &found);
    CHECK_INT(found.cut_bytes, 0);
    append_some(log, 150, 200, offsets);
    CHECK_INT(read_all(log), 200);
    CHECK_OK(record_log_check(log, &n, &e), &e);
    CHECK_INT(n, 200);
    CHECK_OK(record_log_drop_front(log, offsets[100], &e), &e);
    CHECK_TRUE(record_log_first(log) > offsets[50] && record_log_first(log) <= offsets[100]);
    CHECK_OK(record_log_read(log, offsets[100], &b, NULL, &e), &e);
    CHECK_RC(record_log_read(log, 0, &b, NULL, &e), RC_NOTFOUND, &e, "no record");
    record_log_close(log);
    log = open_log(t_tmpdir(), &found);
    CHECK_TRUE(found.first > offsets[50] && found.first <= offsets[100]);
    record_log_close(log);
}

/* A file of five records in one segment; returns its bytes. */
static void small_log(struct buf *file, char **path, const char *dir)
{
    struct record_log_found found;
    struct record_log *log = open_log(dir, &found);
    struct err e;

    append_some(log, 0, 5, NULL);
    record_log_close(log);
    *path = xasprintf("%s/0000000000000000.log", dir);
    CHECK_OK(file_read(file, *path, 1u << 20, &e), &e);
}

TEST(every_cut_of_the_tail_is_cut_off)
{
    AUTO_CLEAR(buf) struct buf file = {0};
    AUTO_FREE char *dir = xasprintf("%s/a", t_tmpdir());
    AUTO_FREE char *path = NULL;

    small_log(&file, &path, dir);
    for (size_t n = 0; n <= file.n; n++) {
        struct record_log_found found;
        struct record_log *log;
        uint32_t left;

        power_put(path, bytes_of(file.p, n));
        log = open_log(dir, &found);
        CHECK_INT(found.end + found.cut_bytes, n);
        left = read_all(log);
        CHECK_TRUE(n < file.n ? left < 5 : left == 5);
        append_some(log, left, 7, NULL);
        CHECK_INT(read_all(log), 7);
        record_log_close(log);
    }
}

TEST(damage_in_the_middle_is_refused)
{
    AUTO_CLEAR(buf) struct buf file = {0};
    AUTO_FREE char *dir = xasprintf("%s/a", t_tmpdir());
    AUTO_FREE char *path = NULL;
    size_t last = 0;
    struct err e;

    small_log(&file, &path, dir);
    /* Where the last record starts: its own header is the last that any byte belongs to. */
    for (size_t at = 0; at < file.n;) {
        struct bytes data;
        size_t size;

        CHECK_OK(record_parse(bytes_of(file.p + at, file.n - at), &data, &size, &e), &e);
        last = at;
        at += size;
    }
    for (size_t at = 0; at < last; at++) {
        struct record_log_options o = {.dir = dir, .segment_size = 8192};
        struct record_log_found found;
        struct record_log *log;

        file.p[at] ^= (uint8_t)(1u << (at % 8));
        power_put(path, buf_bytes(&file));
        CHECK_RC(record_log_open(&log, &o, &found, &e), RC_CORRUPT, &e, "offset");
        CHECK_TRUE(log == NULL);
        file.p[at] ^= (uint8_t)(1u << (at % 8));
    }
}

TEST(a_missing_segment_is_noticed)
{
    AUTO_FREE char *dir = xasprintf("%s/a", t_tmpdir());
    struct record_log_found found;
    struct record_log *log = open_log(dir, &found);
    struct record_log_options o = {.dir = dir, .segment_size = 8192};
    uint64_t offsets[60];
    AUTO_FREE char *path = NULL;
    struct err e;

    append_some(log, 0, 60, offsets);
    record_log_close(log);
    /* The second segment starts at the first record at or above 8192. */
    for (size_t i = 0; i < 60 && path == NULL; i++)
        if (offsets[i] >= 8192)
            path = xasprintf("%s/%016llx.log", dir, (unsigned long long)offsets[i]);
    CHECK_TRUE(file_exists(path));
    CHECK_OK(file_remove(path, &e), &e);
    CHECK_RC(record_log_open(&log, &o, &found, &e), RC_CORRUPT, &e, "the next starts at");
}

/* Whatever a power loss leaves at any moment, what was synced is there and the rest is cut off. */
TEST(power_loss_at_every_event)
{
    AUTO_FREE char *dir = xasprintf("%s/run", t_tmpdir());
    struct record_log_options o = {.dir = dir, .segment_size = 4096};
    AUTO_CLEAR(buf) struct buf b = {0};
    struct record_log_found found;
    struct record_log *log;
    struct power p;
    struct err e;

    power_init(&p, dir);
    o.disk = &p.disk;
    CHECK_OK(record_log_open(&log, &o, &found, &e), &e);
    for (uint32_t i = 0; i < 40; i++) {
        uint64_t at;

        make_record(&b, i);
        CHECK_OK(record_log_append(log, buf_bytes(&b), &at, &e), &e);
        CHECK_OK(record_log_sync(log, &e), &e);
        power_mark(&p, bytes_of(NULL, 0));
    }
    record_log_close(log);
    for (int round = 0; round < 5; round++)
        for (size_t cut = 0; cut <= p.n; cut++) {
            AUTO_FREE char *after = xasprintf("%s/after", t_tmpdir());
            uint32_t acked = 0, left;

            for (size_t i = 0; i < cut; i++)
                acked += p.events[i].kind == POWER_MARK;
            CHECK_OK(dir_remove(after, &e), &e);
            CHECK_OK(dir_make(after, 0700, &e), &e);
            power_replay(&p, cut, after);
            log = open_log(after, &found);
            left = read_all(log);
            CHECK_TRUE(left == acked || left == acked + 1);
            append_some(log, left, left + 2, NULL);
            CHECK_INT(read_all(log), left + 2);
            record_log_close(log);
        }
    power_clear(&p);
}

static enum rc full(void *ctx, int fd, struct bytes data, uint64_t off, struct err *e)
{
    (void)ctx;
    /* Half of it gets there. */
    (void)!disk_os()->pwrite(NULL, fd, bytes_of(data.p, data.n / 2), off, NULL);
    return err_set(e, RC_LIMIT, "the disk is full (%zu bytes to write)", data.n);
}

/* A sync fails, and the process is started again on the same system: its cache holds a record that
 * the disk does not. */
TEST(a_record_whose_sync_failed_is_written_again)
{
    AUTO_FREE char *dir = xasprintf("%s/run", t_tmpdir());
    AUTO_FREE char *after = xasprintf("%s/after", t_tmpdir());
    struct record_log_options o = {.dir = dir};
    AUTO_CLEAR(buf) struct buf b = {0};
    struct record_log_found found;
    struct record_log *log;
    struct power p;
    uint64_t at;
    struct err e;

    power_init(&p, dir);
    o.disk = &p.disk;
    CHECK_OK(record_log_open(&log, &o, &found, &e), &e);
    append_some(log, 0, 5, NULL);
    make_record(&b, 5);
    CHECK_OK(record_log_append(log, buf_bytes(&b), &at, &e), &e);
    p.fail_syncs = 1;
    CHECK_RC(record_log_sync(log, &e), RC_IO, &e, "input/output error");
    record_log_close(log);
    CHECK_OK(record_log_open(&log, &o, &found, &e), &e);
    CHECK_INT(read_all(log), 6);
    append_some(log, 6, 9, NULL);
    record_log_close(log);
    CHECK_OK(dir_make(after, 0700, &e), &e);
    power_replay(&p, p.n, after);
    log = open_log(after, &found);
    CHECK_INT(found.cut_bytes, 0);
    CHECK_INT(read_all(log), 9);
    record_log_close(log);
    /* Where it fails again, nothing is opened. */
    p.fail_syncs = 1;
    CHECK_RC(record_log_open(&log, &o, &found, &e), RC_IO, &e, "input/output error");
    power_clear(&p);
}

TEST(a_full_disk_stops_the_log_and_loses_nothing)
{
    struct disk d = *disk_os();
    struct record_log_options o = {.dir = t_tmpdir(), .disk = &d};
    struct record_log_found found;
    struct record_log *log;
    uint64_t at;
    struct err e;

    CHECK_OK(record_log_open(&log, &o, &found, &e), &e);
    append_some(log, 0, 3, NULL);
    d.pwrite = full;
    CHECK_RC(record_log_append(log, bytes_str("some more text than one sector"), &at, &e), RC_LIMIT,
             &e, "full");
    d.pwrite = disk_os()->pwrite;
    CHECK_RC(record_log_append(log, bytes_str("x"), &at, &e), RC_IO, &e, "failed earlier");
    CHECK_INT(read_all(log), 3);
    record_log_close(log);
    log = open_log(t_tmpdir(), &found);
    CHECK_TRUE(found.cut_bytes != 0);
    append_some(log, 3, 5, NULL);
    CHECK_INT(read_all(log), 5);
    record_log_close(log);
}
