/* contracts/examples, public and in a cluster: the same source, the same law. */
#include "chain/gen/confidential_token.h"
#include "chain/gen/guestbook.h"
#include "chain/gen/rating.h"
#include "chain/gen/sealed_bid_auction.h"
#include "chain/gen/survey.h"
#include "chain/gen/vault.h"
#include "contracts/net.h"

/* Public ledger, then sealed commands and queries. */
static void both(void (*test)(struct world *w, bool cluster))
{
    for (int cluster = 0; cluster < 2; cluster++) {
        struct world w;

        world_init(&w);
        test(&w, cluster);
        world_clear(&w);
    }
}

static enum world_outcome call(struct world *w, struct address who, struct address to,
                               uint64_t coin, struct buf *b, bool cluster)
{
    w->profile = cluster ? 1 : 0;
    return world_call(w, who, to, coin, b);
}

/* What a signed query of `who` gives: no change is looked at. */
static enum world_outcome ask(struct world *w, struct address who, struct address to, struct buf *b,
                              bool cluster)
{
    w->profile = cluster ? 3 : 0;
    return world_call(w, who, to, 0, b);
}

/* ---- survey ---- */

static void open_survey(struct world *w, struct address at, bool cluster, uint64_t least)
{
    struct bytes list[] = {bytes_str("female"), bytes_str("male"), bytes_str("not told")};
    struct survey_bytes_list choices = {list, ARRAY_LEN(list)};
    struct buf b = {0};

    survey_put_open(&b, bytes_str("whose fingerprint is it?"), choices, w->time + 100, least);
    CHECK_CALL(w, call(w, world_account(1), at, 0, &b, cluster));
}

static enum world_outcome answer(struct world *w, unsigned who, struct address at, uint64_t choice,
                                 bool cluster)
{
    struct buf b = {0};

    survey_put_answer(&b, REF(u256, U(choice)));
    return call(w, world_account(who), at, 0, &b, cluster);
}

static void survey_counts_only(struct world *w, bool cluster)
{
    struct address at = world_place(w, "Survey"), book = world_place(w, "Guestbook");
    struct survey_question_result q;
    struct guestbook_Entry_list entries;
    struct survey_u256_list counts;
    struct buf b = {0};
    struct u256 mine;
    struct err e;

    CHECK_REVERT(w, answer(w, 2, at, 0, cluster), "NotOpen()");
    open_survey(w, at, cluster, 3);
    CHECK_CALL(w, answer(w, 2, at, 0, cluster));
    CHECK_CALL(w, answer(w, 3, at, 1, cluster));
    CHECK_CALL(w, answer(w, 4, at, 1, cluster));
    CHECK_CALL(w, answer(w, 4, at, 0, cluster)); /* another answer, not one more */
    CHECK_REVERT(w, answer(w, 5, at, 3, cluster), "NoSuchChoice(uint256)");

    survey_put_question(&b);
    CHECK_CALL(w, ask(w, world_account(9), at, &b, cluster));
    CHECK_OK(survey_get_question(&q, &w->a, w->ret, &e), &e);
    CHECK_INT(q.answers, 3);
    CHECK_INT(q.choices.n, 3);
    CHECK_TRUE(!q.closed);
    survey_put_counts(&b);
    CHECK_REVERT(w, ask(w, world_account(1), at, &b, cluster), "StillOpen(uint64)");
    survey_put_publish(&b, &book);
    CHECK_REVERT(w, call(w, world_account(1), at, 0, &b, cluster), "StillOpen(uint64)");
    survey_put_mine(&b);
    CHECK_CALL(w, ask(w, world_account(4), at, &b, cluster));
    CHECK_OK(survey_get_mine(&mine, NULL, w->ret, &e), &e);
    CHECK_U256(mine, 1);

    w->time += 100;
    CHECK_REVERT(w, answer(w, 5, at, 1, cluster), "Closed()");
    survey_put_close(&b);
    CHECK_CALL(w, call(w, world_account(7), at, 0, &b, cluster));
    w->time -= 50; /* closed is closed */
    survey_put_counts(&b);
    CHECK_CALL(w, ask(w, world_account(9), at, &b, cluster));
    CHECK_OK(survey_get_counts(&counts, &w->a, w->ret, &e), &e);
    CHECK_INT(counts.n, 3);
    CHECK_U256(counts.p[0], 2);
    CHECK_U256(counts.p[1], 1);
    CHECK_U256(counts.p[2], 0);

    survey_put_publish(&b, &book);
    CHECK_CALL(w, call(w, world_account(9), at, 0, &b, cluster));
    if (cluster) {
        struct buf sent = {0};

        CHECK_INT(w->n_messages, 1);
        CHECK_ADDRESS(w->messages[0].from, at);
        CHECK_ADDRESS(w->messages[0].to, book);
        buf_put_bytes(&sent, w->messages[0].data);
        w->profile = 0;
        CHECK_CALL(w, world_call(w, at, book, 0, &sent));
    }
    w->profile = 0;
    guestbook_put_entries(&b, REF(u256, U(0)), REF(u256, U(9)));
    CHECK_CALL(w, world_view(w, book, &b));
    CHECK_OK(guestbook_get_entries(&entries, &w->a, w->ret, &e), &e);
    CHECK_INT(entries.n, 1);
    CHECK_ADDRESS(entries.p[0].author, at);
    CHECK_MEM(entries.p[0].text,
              bytes_str("whose fingerprint is it?: female 2, male 1, not told 0"));
}

TEST(a_survey_tells_counts_and_only_when_it_is_over)
{
    both(survey_counts_only);
}

static void survey_too_few(struct world *w, bool cluster)
{
    struct address at = world_place(w, "Survey");
    struct bytes one[] = {bytes_str("yes")};
    struct survey_bytes_list list = {one, 1};
    struct buf b = {0};

    survey_put_open(&b, bytes_str("?"), list, w->time + 1, 0);
    CHECK_REVERT(w, call(w, world_account(1), at, 0, &b, cluster), "BadSurvey()");
    open_survey(w, at, cluster, 2);
    survey_put_open(&b, bytes_str("?"), list, w->time + 1, 0);
    CHECK_REVERT(w, call(w, world_account(1), at, 0, &b, cluster), "AlreadyOpen()");
    CHECK_CALL(w, answer(w, 2, at, 0, cluster));
    w->time += 100;
    survey_put_counts(&b);
    CHECK_REVERT(w, ask(w, world_account(1), at, &b, cluster), "TooFewAnswers(uint64,uint64)");
}

TEST(too_few_answers_are_never_told)
{
    both(survey_too_few);
}

/* ---- auction ---- */

static enum world_outcome bid(struct world *w, unsigned who, struct address at, uint64_t amount,
                              uint64_t coin, bool cluster)
{
    struct buf b = {0};

    sealed_bid_auction_put_bid(&b, REF(u256, U(amount)));
    return call(w, world_account(who), at, coin, &b, cluster);
}

/* Coin `who` was paid by the last call: in a cluster as a message. */
static uint64_t paid(struct world *w, struct address who, uint64_t before, bool cluster)
{
    uint64_t sum = 0;

    if (!cluster)
        return world_balance(w, who).w[0] - before;
    for (size_t i = 0; i < w->n_messages; i++)
        if (address_eq(&w->messages[i].to, &who))
            sum += w->messages[i].value.w[0];
    return sum;
}

static void auction(struct world *w, bool cluster)
{
    struct address at = world_place(w, "SealedBidAuction"), seller = world_account(1);
    struct sealed_bid_auction_outcome_result outcome;
    struct sealed_bid_auction_mine_result mine;
    struct buf b = {0};
    uint64_t before;
    struct err e;

    for (unsigned i = 2; i < 6; i++)
        world_set_balance(w, world_account(i), 1000);
    CHECK_REVERT(w, bid(w, 2, at, 60, 100, cluster), "NotOpen()");
    sealed_bid_auction_put_open(&b, bytes_str("a chair"), REF(u256, U(50)), w->time + 10);
    CHECK_CALL(w, call(w, seller, at, 0, &b, cluster));
    CHECK_REVERT(w, bid(w, 2, at, 49, 100, cluster), "BelowReserve(uint256)");
    CHECK_REVERT(w, bid(w, 2, at, 101, 100, cluster), "DepositTooSmall(uint256)");
    CHECK_CALL(w, bid(w, 2, at, 60, 100, cluster));
    CHECK_CALL(w, bid(w, 3, at, 80, 300, cluster));
    CHECK_CALL(w, bid(w, 4, at, 80, 80, cluster)); /* as high, later */
    CHECK_CALL(w, bid(w, 2, at, 70, 0, cluster));
    CHECK_CALL(w, bid(w, 3, at, 200, 0, cluster)); /* the leader's own bid is no second */
    CHECK_REVERT(w, bid(w, 3, at, 200, 0, cluster), "NotHigher(uint256)");
    sealed_bid_auction_put_mine(&b);
    CHECK_CALL(w, ask(w, world_account(3), at, &b, cluster));
    CHECK_OK(sealed_bid_auction_get_mine(&mine, NULL, w->ret, &e), &e);
    CHECK_U256(mine.amount, 200);
    CHECK_U256(mine.deposit, 300);
    sealed_bid_auction_put_settle(&b);
    CHECK_REVERT(w, call(w, seller, at, 0, &b, cluster), "StillOpen(uint64)");
    sealed_bid_auction_put_outcome(&b);
    CHECK_REVERT(w, ask(w, seller, at, &b, cluster), "NotSettled()");
    sealed_bid_auction_put_withdraw(&b);
    CHECK_REVERT(w, call(w, world_account(2), at, 0, &b, cluster), "NotSettled()");

    w->time += 10;
    CHECK_REVERT(w, bid(w, 5, at, 500, 500, cluster), "Closed()");
    before = world_balance(w, seller).w[0];
    sealed_bid_auction_put_settle(&b);
    CHECK_CALL(w, call(w, world_account(9), at, 0, &b, cluster));
    CHECK_INT(paid(w, seller, before, cluster), 80);
    sealed_bid_auction_put_settle(&b);
    CHECK_REVERT(w, call(w, seller, at, 0, &b, cluster), "AlreadySettled()");
    sealed_bid_auction_put_outcome(&b);
    CHECK_CALL(w, ask(w, seller, at, &b, cluster));
    CHECK_OK(sealed_bid_auction_get_outcome(&outcome, NULL, w->ret, &e), &e);
    CHECK_ADDRESS(outcome.winner, world_account(3));
    CHECK_U256(outcome.price, 80);
    for (unsigned i = 2; i < 5; i++) {
        static const uint64_t left[] = {100, 220, 80};

        before = world_balance(w, world_account(i)).w[0];
        sealed_bid_auction_put_withdraw(&b);
        CHECK_CALL(w, call(w, world_account(i), at, 0, &b, cluster));
        CHECK_INT(paid(w, world_account(i), before, cluster), left[i - 2]);
        sealed_bid_auction_put_withdraw(&b);
        CHECK_REVERT(w, call(w, world_account(i), at, 0, &b, cluster), "NothingToWithdraw()");
    }
    CHECK_U256(world_balance(w, at), 0);
}

TEST(the_highest_bid_wins_and_pays_the_second)
{
    both(auction);
}

static void auction_alone(struct world *w, bool cluster)
{
    struct address at = world_place(w, "SealedBidAuction"), seller = world_account(1);
    struct buf b = {0};
    uint64_t before;

    world_set_balance(w, world_account(2), 1000);
    sealed_bid_auction_put_open(&b, bytes_str("a chair"), REF(u256, U(50)), w->time + 10);
    CHECK_CALL(w, call(w, seller, at, 0, &b, cluster));
    CHECK_CALL(w, bid(w, 2, at, 900, 1000, cluster));
    w->time += 10;
    before = world_balance(w, seller).w[0];
    sealed_bid_auction_put_settle(&b);
    CHECK_CALL(w, call(w, seller, at, 0, &b, cluster));
    CHECK_INT(paid(w, seller, before, cluster), 50);
}

TEST(who_bids_alone_pays_the_reserve)
{
    both(auction_alone);
}

/* ---- token ---- */

static void token(struct world *w, bool cluster)
{
    struct address at = world_place(w, "ConfidentialToken"), alice = world_account(1);
    struct address bob = world_account(2), carol = world_account(3);
    struct buf b = {0};
    struct u256 v;
    struct err e;

    confidential_token_put_issue(&b, bytes_str("Quiet"), bytes_str("QUI"), REF(u256, U(100)));
    CHECK_CALL(w, call(w, alice, at, 0, &b, cluster));
    confidential_token_put_issue(&b, bytes_str("Loud"), bytes_str("L"), REF(u256, U(100)));
    CHECK_REVERT(w, call(w, bob, at, 0, &b, cluster), "AlreadyIssued()");
    confidential_token_put_transfer(&b, &bob, REF(u256, U(101)));
    CHECK_REVERT(w, call(w, alice, at, 0, &b, cluster), "TooLittle()");
    confidential_token_put_transfer(&b, &bob, REF(u256, U(30)));
    CHECK_CALL(w, call(w, alice, at, 0, &b, cluster));
    CHECK_INT(w->n_logs, 0);
    confidential_token_put_transferFrom(&b, &alice, &carol, REF(u256, U(1)));
    CHECK_REVERT(w, call(w, bob, at, 0, &b, cluster), "TooLittle()");
    confidential_token_put_approve(&b, &bob, REF(u256, U(10)));
    CHECK_CALL(w, call(w, alice, at, 0, &b, cluster));
    confidential_token_put_transferFrom(&b, &alice, &carol, REF(u256, U(4)));
    CHECK_CALL(w, call(w, bob, at, 0, &b, cluster));
    confidential_token_put_allowance(&b, &alice, &bob);
    CHECK_CALL(w, ask(w, bob, at, &b, cluster));
    CHECK_OK(confidential_token_get_allowance(&v, NULL, w->ret, &e), &e);
    CHECK_U256(v, 6);
    confidential_token_put_allowance(&b, &alice, &bob);
    CHECK_REVERT(w, ask(w, carol, at, &b, cluster), "NotYours()");

    confidential_token_put_balanceOf(&b, &alice);
    CHECK_CALL(w, ask(w, alice, at, &b, cluster));
    CHECK_OK(confidential_token_get_balanceOf(&v, NULL, w->ret, &e), &e);
    CHECK_U256(v, 66);
    confidential_token_put_balanceOf(&b, &alice);
    CHECK_REVERT(w, ask(w, carol, at, &b, cluster), "NotYours()");
    confidential_token_put_balanceOf(&b, &(struct address){{0}});
    CHECK_REVERT(w, ask(w, (struct address){{0}}, at, &b, cluster), "NotYours()");
    confidential_token_put_letSee(&b, &carol, true);
    CHECK_CALL(w, call(w, alice, at, 0, &b, cluster));
    confidential_token_put_balanceOf(&b, &alice);
    CHECK_CALL(w, ask(w, carol, at, &b, cluster));
    confidential_token_put_letSee(&b, &carol, false);
    CHECK_CALL(w, call(w, alice, at, 0, &b, cluster));
    confidential_token_put_balanceOf(&b, &alice);
    CHECK_REVERT(w, ask(w, carol, at, &b, cluster), "NotYours()");
    confidential_token_put_transfer(&b, &(struct address){{0}}, REF(u256, U(1)));
    CHECK_REVERT(w, call(w, alice, at, 0, &b, cluster), "ZeroAddress()");
    confidential_token_put_transfer(&b, &alice, REF(u256, U(66)));
    CHECK_CALL(w, call(w, alice, at, 0, &b, cluster));
    confidential_token_put_balanceOf(&b, &alice);
    CHECK_CALL(w, ask(w, alice, at, &b, cluster));
    CHECK_OK(confidential_token_get_balanceOf(&v, NULL, w->ret, &e), &e);
    CHECK_U256(v, 66);
}

TEST(balances_are_their_holders_business)
{
    both(token);
}

/* ---- vault ---- */

static void vault(struct world *w, bool cluster)
{
    struct address at = world_place(w, "Vault"), alice = world_account(1), bob = world_account(2);
    struct bytes name = bytes_str("passport"), got;
    struct vault_bytes_list names;
    char long_name[66];
    struct buf b = {0};
    struct err e;

    memset(long_name, 'x', 65);
    long_name[65] = 0;
    vault_put_put(&b, bytes_str(long_name), name);
    CHECK_REVERT(w, call(w, alice, at, 0, &b, cluster), "BadName(uint256)");
    vault_put_put(&b, bytes_str(""), name);
    CHECK_REVERT(w, call(w, alice, at, 0, &b, cluster), "BadName(uint256)");
    vault_put_put(&b, name, bytes_str("number 1"));
    CHECK_CALL(w, call(w, alice, at, 0, &b, cluster));
    vault_put_get(&b, &alice, name);
    CHECK_REVERT(w, ask(w, bob, at, &b, cluster), "NotFound()");
    vault_put_share(&b, name, &bob, w->time + 10);
    CHECK_REVERT(w, call(w, bob, at, 0, &b, cluster), "NotFound()");
    vault_put_share(&b, name, &bob, w->time + 10);
    CHECK_CALL(w, call(w, alice, at, 0, &b, cluster));
    vault_put_get(&b, &alice, name);
    CHECK_CALL(w, ask(w, bob, at, &b, cluster));
    CHECK_OK(vault_get_get(&got, NULL, w->ret, &e), &e);
    CHECK_MEM(got, bytes_str("number 1"));
    vault_put_put(&b, name, bytes_str("number 2"));
    CHECK_CALL(w, call(w, alice, at, 0, &b, cluster));
    vault_put_get(&b, &alice, name);
    CHECK_CALL(w, ask(w, bob, at, &b, cluster));
    CHECK_OK(vault_get_get(&got, NULL, w->ret, &e), &e);
    CHECK_MEM(got, bytes_str("number 2"));
    w->time += 10;
    vault_put_get(&b, &alice, name);
    CHECK_REVERT(w, ask(w, bob, at, &b, cluster), "NotFound()");
    vault_put_get(&b, &alice, name);
    CHECK_CALL(w, ask(w, alice, at, &b, cluster));
    vault_put_names(&b);
    CHECK_CALL(w, ask(w, alice, at, &b, cluster));
    CHECK_OK(vault_get_names(&names, &w->a, w->ret, &e), &e);
    CHECK_INT(names.n, 1);
    CHECK_MEM(names.p[0], name);
    vault_put_remove(&b, name);
    CHECK_CALL(w, call(w, alice, at, 0, &b, cluster));
    vault_put_remove(&b, name);
    CHECK_REVERT(w, call(w, alice, at, 0, &b, cluster), "NotFound()");
    vault_put_get(&b, &alice, name);
    CHECK_REVERT(w, ask(w, alice, at, &b, cluster), "NotFound()");
    vault_put_get(&b, &(struct address){{0}}, name);
    CHECK_REVERT(w, ask(w, (struct address){{0}}, at, &b, cluster), "NotFound()");
}

TEST(values_are_shared_by_permission)
{
    both(vault);
}

/* ---- rating ---- */

static enum world_outcome rate(struct world *w, unsigned who, struct address at, uint64_t stars,
                               bool cluster)
{
    struct buf b = {0};

    rating_put_rate(&b, REF(u256, U(stars)));
    return call(w, world_account(who), at, 0, &b, cluster);
}

static void seen(struct world *w, struct address at, bool cluster, const uint64_t expected[5],
                 uint64_t waiting)
{
    struct rating_u256_list counts;
    struct buf b = {0};
    struct u256 n;
    struct err e;

    rating_put_counts(&b);
    CHECK_CALL(w, ask(w, world_account(9), at, &b, cluster));
    CHECK_OK(rating_get_counts(&counts, &w->a, w->ret, &e), &e);
    CHECK_INT(counts.n, 5);
    for (size_t i = 0; i < 5; i++)
        CHECK_U256(counts.p[i], expected[i]);
    rating_put_waiting(&b);
    CHECK_CALL(w, ask(w, world_account(9), at, &b, cluster));
    CHECK_OK(rating_get_waiting(&n, NULL, w->ret, &e), &e);
    CHECK_U256(n, waiting);
}

static void ratings_by_cohorts(struct world *w, bool cluster)
{
    struct address at = world_place(w, "Rating");
    struct buf b = {0};

    CHECK_REVERT(w, rate(w, 2, at, 5, cluster), "NotOpen()");
    rating_put_open(&b, 1);
    CHECK_REVERT(w, call(w, world_account(1), at, 0, &b, cluster), "BadCohort(uint256,uint256)");
    rating_put_open(&b, 3);
    CHECK_CALL(w, call(w, world_account(1), at, 0, &b, cluster));
    rating_put_open(&b, 4);
    CHECK_REVERT(w, call(w, world_account(1), at, 0, &b, cluster), "AlreadyOpen()");
    CHECK_REVERT(w, rate(w, 2, at, 0, cluster), "BadStars(uint256)");
    CHECK_REVERT(w, rate(w, 2, at, 6, cluster), "BadStars(uint256)");
    CHECK_CALL(w, rate(w, 2, at, 5, cluster));
    CHECK_REVERT(w, rate(w, 2, at, 4, cluster), "RatedAlready()");
    CHECK_CALL(w, rate(w, 3, at, 1, cluster));
    seen(w, at, cluster, (uint64_t[5]){0}, 2);
    CHECK_CALL(w, rate(w, 4, at, 5, cluster));
    seen(w, at, cluster, (uint64_t[5]){1, 0, 0, 0, 2}, 0);
    CHECK_CALL(w, rate(w, 5, at, 2, cluster));
    CHECK_CALL(w, rate(w, 6, at, 1, cluster));
    seen(w, at, cluster, (uint64_t[5]){1, 0, 0, 0, 2}, 2);
    CHECK_CALL(w, rate(w, 7, at, 1, cluster));
    seen(w, at, cluster, (uint64_t[5]){3, 1, 0, 0, 2}, 0);
}

TEST(ratings_are_told_by_cohorts_only)
{
    both(ratings_by_cohorts);
}
