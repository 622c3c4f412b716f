/* The sealed state of a keeper, and what it reads of the council's actions. */
#include "lib/t.h"

#include "chain/contracts.h"
#include "keeper/internal/council.h"
#include "keeper/internal/vault.h"
#include "os/clock.h"
#include "os/file.h"
#include "tee/seal.h"
#include "tee/simulator.h"

static struct err e;

static struct tee *open_tee(const char *dir, const char *image)
{
    AUTO_FREE char *sim = xasprintf("%s/sim", dir);
    struct tee_sim_launch l = {.dir = sim, .machine = "m", .image = bytes_str(image)};
    struct tee_config c = {.source = TEE_SOURCE_SIMULATOR, .launch = &l};
    uint64_t now = clock_wall_ns() / 1000000000u;
    struct tee_sim *s = NULL;
    struct tee *t = NULL;

    if (!file_exists(sim)) {
        CHECK_OK(tee_sim_create(sim, now, &e), &e);
        CHECK_OK(tee_sim_open(&s, sim, &e), &e);
        CHECK_OK(tee_sim_machine_add(s, "m", NULL, now, &e), &e);
        tee_sim_close(s);
    }
    CHECK_OK(tee_open(&t, &c, &e), &e);
    return t;
}

/* A sharing that decodes: 2 of 3, with points that are on the curve. */
static void some_keys(struct keyset *k, uint64_t round)
{
    *k = (struct keyset){.generation = 1, .round = round, .t = 2, .n = 3};
    k->public_key = RISTRETTO_BASE;
    for (uint32_t i = 0; i < 3; i++) {
        k->members[i].who.b[0] = (uint8_t)(i + 1);
        k->members[i].commitment = RISTRETTO_BASE;
    }
}

static void some_share(struct ristretto_scalar *s, uint8_t v)
{
    *s = (struct ristretto_scalar){.b = {v}};
}

TEST(state_survives_a_restart_and_other_code_cannot_read_it)
{
    const char *dir = t_tmpdir();
    AUTO_FREE char *state = xasprintf("%s/keeper.sealed", dir);
    AUTO_FREE char *account = xasprintf("%s/account.sealed", dir);
    const char *const paths[] = {state, account};
    struct tee *t = open_tee(dir, "ours"), *other = open_tee(dir, "another");
    struct ristretto_scalar share;
    struct hash32 m = {{5}};
    struct vault *v, *again;
    struct keyset k;

    CHECK_TRUE(!vault_exists(dir));
    CHECK_OK(vault_open(&v, t, dir, &e), &e);
    CHECK_TRUE(vault_exists(dir));
    some_keys(&k, 4);
    some_share(&share, 9);
    vault_put(v, &k, &share);
    CHECK_TRUE(vault_note_removal(v, &m, 3));
    CHECK_OK(vault_save(v, t, dir, &e), &e);
    CHECK_OK(vault_open(&again, t, dir, &e), &e);
    CHECK_MEM(BYTES_OF(&again->sender), BYTES_OF(&v->sender));
    CHECK_MEM(BYTES_OF(&again->receive), BYTES_OF(&v->receive));
    CHECK_TRUE(vault_find(again, 4) != NULL);
    CHECK_MEM(BYTES_OF(&vault_find(again, 4)->share), BYTES_OF(&share));
    CHECK_INT(vault_removed_id(again, &m), 3);
    CHECK_INT(again->end, VAULT_IN_USE);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        AUTO_CLEAR(buf) struct buf file = {0};

        CHECK_OK(file_read(&file, paths[i], 1 << 20, &e), &e);
        CHECK_TRUE(memmem(file.p, file.n, v->sender.b, 32) == NULL);
        CHECK_TRUE(memmem(file.p, file.n, v->receive.b, 32) == NULL);
    }
    secret_free(again);
    CHECK_INT(vault_open(&again, other, dir, &e), RC_DENIED);
    secret_free(v);
    tee_close(t);
    tee_close(other);
}

TEST(the_account_outlives_the_state_and_not_the_other_way_round)
{
    const char *dir = t_tmpdir();
    AUTO_FREE char *state = xasprintf("%s/keeper.sealed", dir);
    AUTO_FREE char *account = xasprintf("%s/account.sealed", dir);
    struct tee *t = open_tee(dir, "ours");
    struct ristretto_scalar share;
    struct vault *v, *again;
    struct keyset k;

    CHECK_OK(vault_open(&v, t, dir, &e), &e);
    some_keys(&k, 4);
    some_share(&share, 9);
    vault_put(v, &k, &share);
    CHECK_OK(vault_save(v, t, dir, &e), &e);
    CHECK_OK(file_remove(state, &e), &e);
    CHECK_OK(vault_open(&again, t, dir, &e), &e);
    CHECK_MEM(BYTES_OF(&again->sender), BYTES_OF(&v->sender));
    CHECK_MEM(BYTES_OF(&again->receive), BYTES_OF(&v->receive));
    CHECK_TRUE(vault_find(again, 4) == NULL);
    secret_free(again);
    CHECK_OK(file_remove(account, &e), &e);
    CHECK_RC(vault_open(&again, t, dir, &e), RC_NOTFOUND, &e, "account.sealed is not: put it back");
    secret_free(v);
    tee_close(t);
}

TEST(a_tombstone_stays)
{
    const char *dir = t_tmpdir();
    struct tee *t = open_tee(dir, "ours");
    const uint8_t nothing[32] = {0};
    struct ristretto_scalar share;
    struct vault *v, *again;
    struct keyset k;

    CHECK_OK(vault_open(&v, t, dir, &e), &e);
    some_keys(&k, 4);
    some_share(&share, 9);
    vault_put(v, &k, &share);
    v->end = VAULT_HANDED;
    v->to = (struct hash32){{1, 2, 3}};
    v->to_key[31] = 9;
    CHECK_OK(vault_save(v, t, dir, &e), &e);
    CHECK_OK(vault_open(&again, t, dir, &e), &e);
    CHECK_INT(again->end, VAULT_HANDED);
    CHECK_MEM(BYTES_OF(&again->to), BYTES_OF(&v->to));
    CHECK_MEM(BYTES_OF(&again->to_key), BYTES_OF(&v->to_key));
    CHECK_TRUE(vault_find(again, 4) != NULL);
    secret_free(again);
    vault_wipe(v);
    CHECK_OK(vault_save(v, t, dir, &e), &e);
    CHECK_OK(vault_save_keys(v, t, dir, &e), &e);
    CHECK_OK(vault_open(&again, t, dir, &e), &e);
    CHECK_INT(again->end, VAULT_GONE);
    CHECK_TRUE(vault_find(again, 4) == NULL);
    CHECK_MEM(BYTES_OF(&again->sender), bytes_of(nothing, 32));
    CHECK_MEM(BYTES_OF(&again->receive), bytes_of(nothing, 32));
    CHECK_MEM(BYTES_OF(&again->to), BYTES_OF(&v->to));
    secret_free(again);
    secret_free(v);
    tee_close(t);
}

static void machine_goes_up(const char *dir, uint8_t by)
{
    AUTO_FREE char *sim = xasprintf("%s/sim", dir);
    struct tee_sim_level level = TEE_SIM_LEVEL_NOW;
    struct tee_sim *s;

    level.sgx[0] = (uint8_t)(level.sgx[0] + by);
    CHECK_OK(tee_sim_open(&s, sim, &e), &e);
    CHECK_OK(tee_sim_machine_update(s, "m", &level, clock_wall_ns() / 1000000000u, &e), &e);
    tee_sim_close(s);
}

static uint64_t sealed_for(const char *path)
{
    AUTO_CLEAR(buf) struct buf file = {0};
    struct seal_info info;

    CHECK_OK(file_read(&file, path, 1 << 20, &e), &e);
    CHECK_OK(seal_peek(&info, buf_bytes(&file), &e), &e);
    return info.platform_version;
}

TEST(state_moves_on_with_the_platform)
{
    const char *dir = t_tmpdir();
    AUTO_FREE char *state = xasprintf("%s/keeper.sealed", dir);
    AUTO_FREE char *account = xasprintf("%s/account.sealed", dir);
    struct tee *t = open_tee(dir, "ours");
    struct ristretto_scalar share;
    struct vault *v, *again;
    struct keyset k;
    uint64_t before, now;

    CHECK_OK(vault_open(&v, t, dir, &e), &e);
    some_keys(&k, 4);
    some_share(&share, 9);
    vault_put(v, &k, &share);
    CHECK_OK(vault_save(v, t, dir, &e), &e);
    before = sealed_for(state);
    tee_close(t);
    machine_goes_up(dir, 1);
    t = open_tee(dir, "ours");
    CHECK_OK(vault_open(&again, t, dir, &e), &e);
    CHECK_MEM(BYTES_OF(&again->sender), BYTES_OF(&v->sender));
    CHECK_TRUE(vault_find(again, 4) != NULL);
    CHECK_OK(tee_platform_version(t, &now, &e), &e);
    CHECK_TRUE(now > before);
    CHECK_INT(sealed_for(state), now);
    CHECK_INT(sealed_for(account), now);
    secret_free(again);
    tee_close(t);
    /* a platform that was put back cannot read it any more */
    machine_goes_up(dir, 0);
    t = open_tee(dir, "ours");
    CHECK_INT(vault_open(&again, t, dir, &e), RC_DENIED);
    secret_free(v);
    tee_close(t);
}

TEST(state_that_is_cut_or_longer_is_refused)
{
    struct vault *v = secret_alloc(sizeof(*v)), *to = secret_alloc(sizeof(*to));
    AUTO_CLEAR(secbuf) struct secbuf b = {0};
    struct ristretto_scalar share;
    struct keyset k;

    some_keys(&k, 1);
    some_share(&share, 1);
    vault_put(v, &k, &share);
    v->end = VAULT_HANDED;
    vault_encode(&b, v);
    CHECK_OK(vault_decode(to, secbuf_bytes(&b), &e), &e);
    for (size_t n = 0; n < b.n; n++) {
        memset(to, 0, sizeof(*to));
        CHECK_TRUE(vault_decode(to, bytes_of(b.p, n), &e) != RC_OK);
    }
    secbuf_u8(&b, 0);
    memset(to, 0, sizeof(*to));
    CHECK_TRUE(vault_decode(to, secbuf_bytes(&b), &e) != RC_OK);
    secret_free(v);
    secret_free(to);
}

TEST(the_share_in_force_outlives_rounds_that_came_to_nothing)
{
    struct vault *v = secret_alloc(sizeof(*v));
    struct ristretto_scalar share;
    struct keyset k;

    for (uint8_t round = 1; round <= 9; round++) {
        some_keys(&k, round);
        some_share(&share, round);
        vault_put(v, &k, &share);
    }
    CHECK_TRUE(vault_find(v, 1) != NULL);
    CHECK_TRUE(vault_find(v, 9) != NULL);
    CHECK_TRUE(vault_drop_before(v, 9));
    CHECK_TRUE(vault_find(v, 1) == NULL);
    CHECK_TRUE(vault_find(v, 9) != NULL);
    CHECK_TRUE(!vault_drop_before(v, 9));
    secret_free(v);
}

TEST(the_highest_removal_is_remembered)
{
    struct vault *v = secret_alloc(sizeof(*v));
    struct hash32 m = {{1}};

    CHECK_TRUE(vault_note_removal(v, &m, 5));
    CHECK_TRUE(!vault_note_removal(v, &m, 4));
    CHECK_INT(vault_removed_id(v, &m), 5);
    for (uint8_t i = 2; i < 100; i++) {
        m.b[0] = i;
        CHECK_TRUE(vault_note_removal(v, &m, 10u + i));
    }
    CHECK_INT(v->n_removals, VAULT_REMOVALS);
    CHECK_INT(vault_removed_id(v, &m), 109);
    secret_free(v);
}

TEST(calls_of_the_council_are_read)
{
    const struct approval_domain d = {.workers = {{1}}, .council = {{2}}, .gatekeepers = {{4}}};
    const struct address other = {{3}};
    struct address members[2] = {{{8}}, {{9}}};
    struct hash32 m = {{7}};
    struct council_call c;
    struct buf data = {0};

    workers_put_allowMeasurement(&data, &m, 1u << 4, bytes_str("label"));
    council_read_call(&c, &d.workers, buf_bytes(&data), &d);
    CHECK_INT(c.kind, COUNCIL_ALLOW);
    CHECK_INT(c.roles, 1 << 4);
    CHECK_MEM(BYTES_OF(&c.measurement), BYTES_OF(&m));
    CHECK_MEM(c.label, bytes_str("label"));
    council_read_call(&c, &other, buf_bytes(&data), &d);
    CHECK_INT(c.kind, COUNCIL_OTHER);
    for (size_t n = 0; n < data.n - 32; n++) {
        council_read_call(&c, &d.workers, bytes_of(data.p, n), &d);
        CHECK_INT(c.kind, COUNCIL_OTHER);
    }
    buf_clear(&data);
    workers_put_removeMeasurement(&data, &m);
    council_read_call(&c, &d.workers, buf_bytes(&data), &d);
    CHECK_INT(c.kind, COUNCIL_REMOVE);
    CHECK_MEM(BYTES_OF(&c.measurement), BYTES_OF(&m));
    buf_clear(&data);
    council_put_setMembers(&data, (struct council_address_list){members, 2}, 2);
    council_read_call(&c, &d.council, buf_bytes(&data), &d);
    CHECK_INT(c.kind, COUNCIL_MEMBERS);
    CHECK_INT(c.n_members, 2);
    CHECK_INT(c.threshold, 2);
    CHECK_MEM(BYTES_OF(&c.members[1]), BYTES_OF(&members[1]));
    buf_clear(&data);
    gatekeepers_put_allowApp(&data, &m, bytes_str("image"));
    council_read_call(&c, &d.gatekeepers, buf_bytes(&data), &d);
    CHECK_INT(c.kind, COUNCIL_ALLOW);
    CHECK_INT(c.roles, 1 << ROLE_APP);
    CHECK_MEM(c.label, bytes_str("image"));
    council_read_call(&c, &d.workers, buf_bytes(&data), &d);
    CHECK_INT(c.kind, COUNCIL_OTHER);
    buf_clear(&data);
    gatekeepers_put_removeApp(&data, &m);
    council_read_call(&c, &d.gatekeepers, buf_bytes(&data), &d);
    CHECK_INT(c.kind, COUNCIL_REMOVE);
    CHECK_MEM(BYTES_OF(&c.measurement), BYTES_OF(&m));
    buf_clear(&data);
}
