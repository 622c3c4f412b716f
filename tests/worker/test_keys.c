/* The worker's keys where the platform seals: plain ones are sealed, other programs cannot open
 * them, and whoever comes back has its own again. */
#include "base/hex.h"
#include "lib/t.h"
#include "os/file.h"
#include "tee/simulator.h"
#include "worker/internal/keys.h"

#include <stdio.h>
#include <sys/stat.h>

#define NOW_S UINT64_C(1767225600)
#define PLAIN "0x1111111111111111111111111111111111111111111111111111111111111111\n"

struct fixture {
    char dir[256], path[300];
};

static void setup(struct fixture *f)
{
    struct tee_sim *sim;
    struct err e;

    (void)snprintf(f->dir, sizeof(f->dir), "%s/sim", t_tmpdir());
    (void)snprintf(f->path, sizeof(f->path), "%s/worker.key", t_tmpdir());
    CHECK_OK(tee_sim_create(f->dir, NOW_S, &e), &e);
    CHECK_OK(tee_sim_open(&sim, f->dir, &e), &e);
    CHECK_OK(tee_sim_machine_add(sim, "one", NULL, NOW_S, &e), &e);
    CHECK_OK(tee_sim_machine_add(sim, "two", NULL, NOW_S, &e), &e);
    tee_sim_close(sim);
}

static struct tee *program(const struct fixture *f, const char *machine, const char *config)
{
    const struct tee_sim_launch launch = {
        .dir = f->dir, .machine = machine, .config = bytes_str(config)};
    const struct tee_config c = {.source = TEE_SOURCE_SIMULATOR, .launch = &launch};
    struct tee *t;
    struct err e;

    CHECK_OK(tee_open(&t, &c, &e), &e);
    return t;
}

/* Who a worker with these settings on this machine is. */
static struct address start(const struct fixture *f, const char *machine, const char *config)
{
    struct tee *t = program(f, machine, config);
    struct worker_keys *k;
    struct address a;
    struct err e;

    CHECK_OK(worker_keys_load(&k, f->path, t, &e), &e);
    a = k->sender_address;
    secret_free(k);
    tee_close(t);
    return a;
}

static struct bytes content(const struct fixture *f, struct buf *b)
{
    struct err e;

    buf_reset(b);
    CHECK_OK(file_read(b, f->path, 4096, &e), &e);
    return buf_bytes(b);
}

TEST(fresh_keys_are_sealed_and_stay)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct fixture f;
    struct address a, again;
    struct stat st;

    setup(&f);
    a = start(&f, "one", "x");
    CHECK_MEM(bytes_of(content(&f, &b).p, 4), bytes_str("CLSL"));
    CHECK_TRUE(stat(f.path, &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    again = start(&f, "one", "x");
    CHECK_TRUE(address_eq(&a, &again));
}

TEST(plain_keys_are_sealed_at_once)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct fixture f;
    struct worker_keys *k;
    struct address a;
    struct err e;

    setup(&f);
    CHECK_OK(file_write_atomic(f.path, bytes_str(PLAIN), 0600, &e), &e);
    CHECK_OK(worker_keys_load(&k, f.path, NULL, &e), &e);
    CHECK_MEM(content(&f, &b), bytes_str(PLAIN)); /* nothing seals here */
    a = start(&f, "one", "x");
    CHECK_TRUE(address_eq(&a, &k->sender_address));
    CHECK_MEM(bytes_of(content(&f, &b).p, 4), bytes_str("CLSL"));
    CHECK_TRUE(memmem(b.p, b.n, "1111111111111111", 16) == NULL);
    a = start(&f, "one", "x");
    CHECK_TRUE(address_eq(&a, &k->sender_address));
    secret_free(k);
}

TEST(another_program_is_another_worker_and_the_first_comes_back)
{
    struct fixture f;
    struct address first, other, third, back;

    setup(&f);
    first = start(&f, "one", "x");
    other = start(&f, "one", "y");
    CHECK_TRUE(!address_eq(&first, &other));
    back = start(&f, "one", "x");
    CHECK_TRUE(address_eq(&first, &back));
    third = start(&f, "one", "z");
    CHECK_TRUE(!address_eq(&third, &first) && !address_eq(&third, &other));
    back = start(&f, "one", "y");
    CHECK_TRUE(address_eq(&other, &back));
}

TEST(elsewhere_altered_or_without_evidence_they_stay_shut)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct fixture f;
    struct worker_keys *k;
    struct tee *t;
    struct err e;

    setup(&f);
    (void)start(&f, "one", "x");
    CHECK_RC(worker_keys_load(&k, f.path, NULL, &e), RC_DENIED, &e, "is sealed: give the --tee");
    CHECK_TRUE(k == NULL);
    t = program(&f, "two", "x");
    CHECK_RC(worker_keys_load(&k, f.path, t, &e), RC_DENIED, &e, "another machine");
    tee_close(t);
    (void)content(&f, &b);
    b.p[b.n - 1] ^= 1;
    CHECK_OK(file_write_atomic(f.path, buf_bytes(&b), 0600, &e), &e);
    t = program(&f, "one", "x");
    CHECK_RC(worker_keys_load(&k, f.path, t, &e), RC_DENIED, &e, "altered");
    tee_close(t);
    CHECK_MEM(content(&f, &b), buf_bytes(&b)); /* left as it was */
    CHECK_OK(file_write_atomic(f.path, bytes_str("CLSL but short"), 0600, &e), &e);
    t = program(&f, "one", "x");
    CHECK_RC(worker_keys_load(&k, f.path, t, &e), RC_MALFORMED, &e, "sealed state");
    tee_close(t);
}
