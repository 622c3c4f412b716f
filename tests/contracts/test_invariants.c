/* Random calls by random people; after each the books must balance. T_SEED repeats a run. */
#include "contracts/net.h"

#include <stdio.h>

#define ROUNDS 1500
#define PEOPLE 5u
#define WORKERS 4u
#define FILES_MAX 40u
#define INSTRUCTION "ipfs://validator"

struct play {
    struct net n;
    struct world *w;
    struct worker workers[WORKERS];
    struct address people[PEOPLE];
    struct pool pool;
    uint64_t files, jobs;
    uint64_t proofs_seen[FILES_MAX + 1];
};

static void play_init(struct play *p)
{
    memset(p, 0, sizeof(*p));
    net_init(&p->n);
    p->w = &p->n.w;
    for (unsigned i = 0; i < PEOPLE; i++) {
        p->people[i] = world_account(100 + i);
        world_set_balance(p->w, p->people[i], 1000000);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        net_add_worker(&p->n, &p->workers[i], i);
    p->pool = net_add_pool(&p->n, world_account(20), "the pool", 3000);
}

static struct address person(const struct play *p)
{
    return p->people[t_rand_below(PEOPLE)];
}

static void file_url(char url[32], uint64_t id)
{
    (void)snprintf(url, 32, "ipfs://file-%llu", (unsigned long long)id);
}

static void step_job(struct play *p, struct buf *b)
{
    tee_pool_put_requestContributionProof(b, REF(u256, U(1 + t_rand_below(p->files + 1))));
    p->jobs += world_call(p->w, person(p), p->n.tees, t_rand_below(50), b) == WORLD_OK;
}

static void step_proof(struct play *p, struct buf *b)
{
    uint64_t job = 1 + t_rand_below(p->jobs + 1);
    struct worker *who = &p->workers[t_rand_below(WORKERS)];
    struct tee_pool_Job j;
    struct err e;
    char url[32];

    tee_pool_put_jobs(b, REF(u256, U(job)));
    CHECK_CALL(p->w, world_view(p->w, p->n.tees, b));
    CHECK_OK(tee_pool_get_jobs(&j, NULL, p->w->ret, &e), &e);
    file_url(url, j.fileId.w[0]);
    struct tee_pool_Proof proof = net_proof(
        &p->n, &who->key, url, 1 + t_rand_below(1000000000000000000), p->pool.id, INSTRUCTION);

    tee_pool_put_addProof(b, REF(u256, U(job)), &proof);
    (void)world_call(p->w, who->at, p->n.tees, 0, b);
}

/* One call; whether it may succeed is the contract's business. */
static void step(struct play *p)
{
    struct buf b = {0};
    struct worker *who = &p->workers[t_rand_below(WORKERS)];
    struct u256 job = U(1 + t_rand_below(p->jobs + 1));
    char url[32];

    p->w->time += 1 + t_rand_below(300);
    p->w->height++;
    switch (t_rand_below(14)) {
    case 0:
        if (p->files < FILES_MAX) {
            file_url(url, p->files + 1);
            net_add_file(&p->n, person(p), url);
            p->files++;
        }
        break;
    case 1:
    case 2:
        step_job(p, &b);
        break;
    case 3:
    case 4:
    case 5:
        step_proof(p, &b);
        break;
    case 6:
        tee_pool_put_startJob(&b, &job);
        (void)world_call(p->w, who->at, p->n.tees, 0, &b);
        break;
    case 7:
        tee_pool_put_cancelJob(&b, &job);
        (void)world_call(p->w, person(p), p->n.tees, 0, &b);
        break;
    case 12:
        tee_pool_put_rejectJob(&b, &job);
        (void)world_call(p->w, who->at, p->n.tees, 0, &b);
        break;
    case 8:
        tee_pool_put_claim(&b);
        (void)world_call(p->w, who->at, p->n.tees, 0, &b);
        break;
    case 9:
        tee_pool_put_removeTee(&b, &who->at);
        (void)world_call(p->w, p->n.admin, p->n.tees, 0, &b);
        break;
    case 10:
        tee_pool_put_addTee(&b, &who->at, bytes_str("u"), bytes_str("k"));
        (void)world_call(p->w, p->n.admin, p->n.tees, 0, &b);
        break;
    case 11:
        data_token_put_transfer(&b, &p->people[t_rand_below(PEOPLE)],
                                REF(u256, U(t_rand_below(60))));
        (void)world_call(p->w, person(p), p->pool.token, 0, &b);
        break;
    default:
        data_liquidity_pool_put_requestReward(&b, REF(u256, U(1 + t_rand_below(p->files + 1))),
                                              REF(u256, U(1 + t_rand_below(2))));
        (void)world_call(p->w, person(p), p->pool.dlp, 0, &b);
        break;
    }
    buf_clear(&b);
}

/* ---- what must hold ---- */

static struct tee_pool_TeeInfo tee_info(struct play *p, struct address at)
{
    struct buf b = {0};
    struct tee_pool_TeeInfo t;
    struct err e;

    tee_pool_put_tees(&b, &at);
    CHECK_CALL(p->w, world_view(p->w, p->n.tees, &b));
    CHECK_OK(tee_pool_get_tees(&t, NULL, p->w->ret, &e), &e);
    return t;
}

/* Coin held = payments of Submitted jobs + earned and not claimed; pending sets agree with jobs. */
static void check_escrow(struct play *p)
{
    uint64_t open = 0, owed = 0, pending = 0, submitted = 0;
    struct err e;

    for (uint64_t i = 1; i <= p->jobs; i++) {
        struct buf b = {0};
        struct tee_pool_Job j;

        tee_pool_put_jobs(&b, REF(u256, U(i)));
        CHECK_CALL(p->w, world_view(p->w, p->n.tees, &b));
        CHECK_OK(tee_pool_get_jobs(&j, NULL, p->w->ret, &e), &e);
        CHECK_TRUE(j.status >= 1 && j.status <= 3);
        submitted += j.status == 1;
        open += j.status == 1 ? j.bidAmount.w[0] : 0;
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        struct tee_pool_TeeInfo t = tee_info(p, p->workers[i].at);

        CHECK_TRUE(u256_cmp(&t.withdrawnAmount, &t.amount) <= 0);
        owed += t.amount.w[0] - t.withdrawnAmount.w[0];
        pending += t.jobsCount.w[0];
    }
    CHECK_INT(pending, submitted);
    CHECK_U256(world_balance(p->w, p->n.tees), open + owed);
}

/* The active list is dense, without doubles, and holds exactly the active ones. */
static void check_active(struct play *p)
{
    struct buf b = {0};
    struct err e;
    struct tee_pool_address_list list;
    size_t active = 0;

    tee_pool_put_activeTeeList(&b);
    CHECK_CALL(p->w, world_view(p->w, p->n.tees, &b));
    CHECK_OK(tee_pool_get_activeTeeList(&list, &p->w->a, p->w->ret, &e), &e);
    for (unsigned i = 0; i < WORKERS; i++) {
        size_t found = 0;

        for (size_t k = 0; k < list.n; k++)
            found += address_eq(&list.p[k], &p->workers[i].at);
        CHECK_INT(found, tee_info(p, p->workers[i].at).status == 1);
        active += found;
    }
    CHECK_INT(list.n, active);
}

static uint64_t tokens(struct play *p, struct address who)
{
    struct buf b = {0};
    struct u256 v;
    struct err e;

    data_token_put_balanceOf(&b, &who);
    CHECK_CALL(p->w, world_view(p->w, p->pool.token, &b));
    CHECK_OK(data_token_get_balanceOf(&v, NULL, p->w->ret, &e), &e);
    return v.w[0];
}

/* Tokens: nothing is made or lost; the pool's books equal its balance. */
static void check_tokens(struct play *p)
{
    struct buf b = {0};
    struct u256 left;
    struct err e;
    uint64_t sum = tokens(p, world_account(20)) + tokens(p, p->pool.dlp);

    for (unsigned i = 0; i < PEOPLE; i++)
        sum += tokens(p, p->people[i]);
    CHECK_INT(sum, 3500);
    data_liquidity_pool_put_totalContributorsRewardAmount(&b);
    CHECK_CALL(p->w, world_view(p->w, p->pool.dlp, &b));
    CHECK_OK(data_liquidity_pool_get_totalContributorsRewardAmount(&left, NULL, p->w->ret, &e), &e);
    CHECK_U256(left, tokens(p, p->pool.dlp));
}

TEST(books_balance_under_random_calls)
{
    uint64_t rounds = t_times(ROUNDS);
    struct play p;

    play_init(&p);
    for (uint64_t i = 0; i < rounds; i++) {
        step(&p);
        if (i % 25 == 0 || i == rounds - 1) {
            check_escrow(&p);
            check_active(&p);
            check_tokens(&p);
        }
    }
    CHECK_TRUE(p.jobs > 100 && p.files == FILES_MAX); /* the play was worth something */
    net_clear(&p.n);
}

/* Coin is neither made nor lost, whoever holds it. */
TEST(coin_is_conserved)
{
    struct play p;
    uint64_t total = 0;

    play_init(&p);
    for (uint64_t i = 0; i < t_times(400); i++)
        step(&p);
    for (unsigned i = 0; i < PEOPLE; i++)
        total += world_balance(p.w, p.people[i]).w[0];
    for (unsigned i = 0; i < WORKERS; i++)
        total += world_balance(p.w, p.workers[i].at).w[0];
    total += world_balance(p.w, p.n.tees).w[0] + world_balance(p.w, p.n.treasury).w[0];
    CHECK_INT(total, 1000000 * PEOPLE + 1000);
    net_clear(&p.n);
}
