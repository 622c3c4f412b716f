/* What a worker has signed for a cluster: never two results for one range. */
#include "base/mem.h"
#include "lib/t.h"
#include "os/file.h"
#include "worker/contract/signed_log.h"

static struct cluster_commit commit_of(uint64_t end, uint8_t root)
{
    return (struct cluster_commit){.cluster = 7,
                                   .epoch = 1,
                                   .first_batch = 2,
                                   .end_batch = end,
                                   .first_index = 5,
                                   .end_index = end + 5,
                                   .queue_hash = {{(uint8_t)end}},
                                   .previous_root = {{1}},
                                   .new_root = {{root}}};
}

static const char *folder(void)
{
    const char *dir = t_tmpdir();
    AUTO_FREE char *clusters = xasprintf("%s/clusters", dir);
    struct err e;

    CHECK_OK(dir_make(clusters, 0700, &e), &e);
    return dir;
}

TEST(the_same_result_may_be_signed_again_another_not)
{
    const char *dir = folder();
    struct cluster_commit c = commit_of(4, 9);
    struct err e;

    CHECK_OK(signed_log_add(dir, &c, &e), &e);
    CHECK_OK(signed_log_add(dir, &c, &e), &e);
    c.epoch = 2; /* a newer epoch is no other result */
    CHECK_OK(signed_log_add(dir, &c, &e), &e);
    c.new_root.b[0] = 8;
    CHECK_RC(signed_log_add(dir, &c, &e), RC_DENIED, &e, "another result was signed");
    c = commit_of(4, 9);
    c.outbox_digest.b[31] = 1;
    CHECK_RC(signed_log_add(dir, &c, &e), RC_DENIED, &e, "another result was signed");
    c = commit_of(4, 9);
    c.previous_root.b[0] = 2;
    CHECK_RC(signed_log_add(dir, &c, &e), RC_DENIED, &e, "another result was signed");
    /* Another range, or the range of another queue, is another question. */
    c = commit_of(6, 3);
    CHECK_OK(signed_log_add(dir, &c, &e), &e);
    c.queue_hash.b[1] = 1;
    c.new_root.b[0] = 4;
    CHECK_OK(signed_log_add(dir, &c, &e), &e);
    /* Clusters have nothing to do with one another. */
    c = commit_of(6, 77);
    c.cluster = 8;
    CHECK_OK(signed_log_add(dir, &c, &e), &e);
}

TEST(what_was_signed_for_another_end_is_remembered_too)
{
    const char *dir = folder();
    struct cluster_commit c;
    struct err e;

    for (uint64_t end = 4; end < 10; end++) {
        c = commit_of(end, 9);
        CHECK_OK(signed_log_add(dir, &c, &e), &e);
    }
    for (uint64_t end = 4; end < 10; end++) {
        c = commit_of(end, 8);
        CHECK_RC(signed_log_add(dir, &c, &e), RC_DENIED, &e, "another result was signed");
    }
    /* What came before is confirmed; a chain in which it is not has gone back. */
    c = commit_of(12, 9);
    c.first_batch = 9;
    CHECK_OK(signed_log_add(dir, &c, &e), &e);
    c = commit_of(4, 9);
    CHECK_RC(signed_log_add(dir, &c, &e), RC_DENIED, &e, "went back");
}

TEST(what_was_signed_and_cannot_be_read_stops_signing)
{
    const char *dir = folder();
    AUTO_FREE char *path = xasprintf("%s/clusters/7.signed", dir);
    AUTO_CLEAR(buf) struct buf good = {0};
    struct cluster_commit c = commit_of(4, 9);
    struct err e;

    CHECK_OK(signed_log_add(dir, &c, &e), &e);
    CHECK_OK(file_read(&good, path, 4096, &e), &e);
    CHECK_OK(file_write_atomic(path, bytes_of(good.p, good.n - 1), 0600, &e), &e);
    CHECK_RC(signed_log_add(dir, &c, &e), RC_CORRUPT, &e, "damaged");
    good.p[0] = 2;
    CHECK_OK(file_write_atomic(path, buf_bytes(&good), 0600, &e), &e);
    CHECK_RC(signed_log_add(dir, &c, &e), RC_CORRUPT, &e, "damaged");
    CHECK_OK(file_write_atomic(path, (struct bytes){0}, 0600, &e), &e);
    CHECK_RC(signed_log_add(dir, &c, &e), RC_CORRUPT, &e, "damaged");
}
