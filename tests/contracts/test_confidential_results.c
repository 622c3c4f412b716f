/* The rules of ConfidentialContracts on results: what is confirmed, who pays for a lie, which
 * checkpoints count, what leaves a cluster. */
#include "chain/gen/data_registry.h"
#include "chain/gen/guestbook.h"
#include "contracts/confidential.h"
#include "crypto/hash.h"

#define REVERTS(outcome, signature) CHECK_REVERT(c.w, outcome, signature)
#define WORKS(outcome) CHECK_CALL(c.w, outcome)

typedef struct confidential_contracts_Commit commit;

/* A cluster of three that decide by two, a contract, n commands in batches of their own. */
static struct address begin(struct conf *c, uint64_t *id, unsigned n)
{
    struct address at;

    conf_init(c);
    *id = conf_add_cluster(c, 3, 2, 3);
    at = conf_add_contract(c, *id, 1, 2);
    for (unsigned i = 0; i < n; i++) {
        CHECK_CALL(c->w, conf_send(c, c->alice, at, i, 100));
        conf_block(c);
    }
    return at;
}

static enum world_outcome leave(struct conf *c, struct address who, uint64_t id)
{
    struct buf b = {0};

    confidential_contracts_put_leave(&b, id);
    return conf_call(c, who, 0, &b);
}

static enum world_outcome commit_texts(struct conf *c, unsigned worker, const commit *m,
                                       const char *delta, const char *checkpoint, uint64_t epoch)
{
    struct buf b = {0};

    confidential_contracts_put_commit(&b, m, bytes_str(delta), bytes_str(checkpoint), epoch,
                                      conf_sign(c, worker, m));
    return conf_call(c, c->bob, 0, &b);
}

static struct confidential_contracts_CommitInfo commit_at(struct conf *c, uint64_t id, uint64_t n)
{
    struct confidential_contracts_CommitInfo x;
    struct buf b = {0};
    struct err e;

    confidential_contracts_put_commitAt(&b, id, n);
    CHECK_CALL(c->w, world_view(c->w, c->at, &b));
    CHECK_OK(confidential_contracts_get_commitAt(&x, NULL, c->w->ret, &e), &e);
    return x;
}

TEST(a_result_starts_where_the_confirmed_ends)
{
    struct conf c;
    uint64_t id;
    commit m, x;

    begin(&c, &id, 2);
    m = conf_result(&c, id, 3, 1, NULL);
    x = m;
    x.cluster = id + 1;
    REVERTS(conf_commit(&c, 0, &x), "UnknownCluster(uint64)");
    x = m;
    x.epoch++;
    REVERTS(conf_commit(&c, 0, &x), "WrongEpoch(uint64)");
    x = m;
    x.firstBatch = 1;
    REVERTS(conf_commit(&c, 0, &x), "WrongStart(uint64,uint64)");
    x = m;
    x.firstIndex = 1;
    REVERTS(conf_commit(&c, 0, &x), "WrongStart(uint64,uint64)");
    x = m;
    x.previousRoot.b[0] ^= 1;
    REVERTS(conf_commit(&c, 0, &x), "WrongRoot(bytes32)");
    x = m;
    x.endBatch = 4;
    REVERTS(conf_commit(&c, 0, &x), "WrongRange(uint64,uint64,bytes32)");
    x.endBatch = 0;
    REVERTS(conf_commit(&c, 0, &x), "WrongRange(uint64,uint64,bytes32)");
    x = m;
    x.endIndex--;
    REVERTS(conf_commit(&c, 0, &x), "WrongRange(uint64,uint64,bytes32)");
    x = m;
    x.queueHash.b[31] ^= 1;
    REVERTS(conf_commit(&c, 0, &x), "WrongRange(uint64,uint64,bytes32)");
    REVERTS(conf_commit(&c, 3, &m), "NotMember(address)");
    conf_set_worker(&c, 0, 2, c.w->time);
    REVERTS(conf_commit(&c, 0, &m), "NotAttested(address)");
    c.w->height--; /* the last batch's own block */
    REVERTS(conf_commit(&c, 1, &m), "BatchOpen(uint64)");
    c.w->height++;
    REVERTS(commit_texts(&c, 1, &m, "d", "c", 0), "WrongEpoch(uint64)");
    REVERTS(commit_texts(&c, 1, &m, "d", "c", 2), "WrongEpoch(uint64)");
    REVERTS(commit_texts(&c, 1, &m, "d", "", 1), "WrongEpoch(uint64)");
    REVERTS(commit_texts(&c, 1, &m,
                         "0123456789012345678901234567890123456789012345678901234567890123456789"
                         "01234567890123456789012345678901234567890123456789012345678",
                         "", 0),
            "InvalidText()");
    WORKS(conf_commit(&c, 1, &m));
    REVERTS(conf_commit(&c, 1, &m), "AlreadyCommitted(address)");
    /* The first fixes the range. */
    x = conf_result(&c, id, 2, 1, NULL);
    REVERTS(conf_commit(&c, 2, &x), "WrongRange(uint64,uint64,bytes32)");
    conf_clear(&c);
}

TEST(a_quorum_of_equal_results_confirms_and_shares_the_fees)
{
    struct confidential_contracts_ConfirmedInfo f;
    struct confidential_contracts_CommitInfo k;
    struct confidential_contracts_round_result r;
    struct hash32 root = {{7, 1}};
    struct conf c;
    uint64_t id;
    commit m;

    begin(&c, &id, 2);
    m = conf_result(&c, id, 2, 7, NULL);
    WORKS(commit_texts(&c, 0, &m, "", "point", 1));
    r = conf_round(&c, id);
    CHECK_INT(r.results.n, 1);
    CHECK_INT(r.endBatch, 2);
    CHECK_ADDRESS(r.fixedBy, c.who[0]);
    CHECK_INT(conf_confirmed(&c, id).batches, 0);
    WORKS(commit_texts(&c, 2, &m, "delta", "other", 1));
    f = conf_confirmed(&c, id);
    CHECK_INT(f.batches, 2);
    CHECK_INT(f.index, 2);
    CHECK_INT(f.commits, 1);
    CHECK_HASH(f.root, root);
    k = commit_at(&c, id, 0);
    CHECK_MEM(k.delta, bytes_str("delta")); /* the first there was */
    CHECK_MEM(k.checkpoint, bytes_str("point"));
    CHECK_INT(k.members, 2);
    CHECK_INT(conf_round(&c, id).endBatch, 0);
    CHECK_INT(conf_earned(&c, c.who[0]), FEE);
    CHECK_INT(conf_earned(&c, c.who[1]), 0);
    /* A late one has nothing to say. */
    REVERTS(conf_commit(&c, 1, &m), "WrongStart(uint64,uint64)");
    m = conf_result(&c, id, 3, 8, NULL);
    WORKS(conf_commit(&c, 1, &m));
    WORKS(conf_commit(&c, 0, &m));
    CHECK_INT(conf_earned(&c, c.who[0]), FEE + FEE / 2);
    WORKS(conf_claim(&c, c.who[0]));
    CHECK_INT(world_balance(c.w, c.who[0]).w[0], 1000000 - STAKE + FEE + FEE / 2);
    REVERTS(conf_claim(&c, c.who[0]), "NothingToClaim()");
    conf_clear(&c);
}

/* What it needs for its own transactions, a worker takes; the rest is for whom it named. */
TEST(fees_go_to_whom_the_worker_named)
{
    struct u256 before;
    struct conf c;
    uint64_t id;
    commit m;

    conf_init(&c); /* in Workers the operator of all is c.owner */
    id = conf_add_cluster(&c, 1, 1, 1);
    (void)conf_add_contract(&c, id, 1, 1);
    m = conf_result(&c, id, 1, 7, NULL);
    WORKS(conf_commit(&c, 0, &m));
    CHECK_INT(conf_earned(&c, c.who[0]), FEE);
    REVERTS(conf_claim_for(&c, c.owner, c.who[0]), "NotPayout(address)");
    REVERTS(conf_claim_for(&c, c.who[0], c.who[0]), "NotPayout(address)");
    REVERTS(conf_claim_for(&c, (struct address){{0}}, c.who[0]), "NotPayout(address)");
    WORKS(conf_name_payout(&c, c.who[0], c.who[0], c.alice));
    REVERTS(conf_claim_for(&c, c.bob, c.who[0]), "NotPayout(address)");
    REVERTS(conf_claim_for(&c, c.owner, c.who[0]), "NotPayout(address)");
    REVERTS(conf_claim_part(&c, c.alice, 1), "NothingToClaim()"); /* its own are none */
    REVERTS(conf_claim_part(&c, c.who[0], 0), "NothingToClaim()");
    WORKS(conf_claim_part(&c, c.who[0], 100));
    CHECK_INT(world_balance(c.w, c.who[0]).w[0], 1000000 - STAKE + 100);
    CHECK_INT(conf_earned(&c, c.who[0]), FEE - 100);
    before = world_balance(c.w, c.alice);
    WORKS(conf_claim_for(&c, c.alice, c.who[0]));
    CHECK_INT(world_balance(c.w, c.alice).w[0], before.w[0] + FEE - 100);
    REVERTS(conf_claim_for(&c, c.alice, c.who[0]), "NothingToClaim()");
    REVERTS(conf_claim_part(&c, c.who[0], UINT64_MAX), "NothingToClaim()");
    conf_clear(&c);
}

TEST(whose_result_is_another_loses_its_seat)
{
    struct conf c;
    uint64_t id;
    commit good, bad;

    begin(&c, &id, 1);
    good = conf_result(&c, id, 2, 1, NULL);
    bad = conf_result(&c, id, 2, 2, NULL);
    WORKS(conf_commit(&c, 0, &bad));
    WORKS(conf_commit(&c, 1, &good));
    CHECK_INT(conf_seat(&c, id, c.who[0]).status, MEMBER);
    WORKS(conf_commit(&c, 2, &good));
    CHECK_INT(conf_seat(&c, id, c.who[0]).status, DIFFERED);
    CHECK_INT(conf_cluster(&c, id).epoch, 2);
    CHECK_INT(conf_cluster(&c, id).members, 2);
    CHECK_INT(conf_earned(&c, c.who[0]), 0);
    CHECK_INT(conf_earned(&c, c.who[1]), FEE);
    conf_clear(&c);
}

TEST(a_range_that_a_removed_member_fixed_is_open_again)
{
    struct address at;
    struct buf b = {0};
    struct conf c;
    uint64_t id;
    commit m;

    at = begin(&c, &id, 2);
    m = conf_result(&c, id, 1, 1, NULL);
    WORKS(conf_commit(&c, 0, &m));
    m.newRoot.b[0] = 9;
    WORKS(conf_commit(&c, 1, &m));
    /* One that did not fix it takes only its own result along. */
    WORKS(leave(&c, c.who[1], id));
    CHECK_INT(conf_round(&c, id).results.n, 1);
    /* The cluster stands still: two of three are gone. Its owner lets others in. */
    confidential_contracts_put_removeWorker(&b, id, &c.who[0]);
    WORKS(conf_call(&c, c.owner, 0, &b));
    CHECK_INT(conf_round(&c, id).endBatch, 0);
    confidential_contracts_put_invite(&b, id, &c.who[3]);
    WORKS(conf_call(&c, c.owner, 0, &b));
    confidential_contracts_put_join(&b, id);
    WORKS(conf_call(&c, c.who[3], STAKE, &b));
    m = conf_result(&c, id, 3, 4, NULL);
    CHECK_INT(m.epoch, 3);
    WORKS(conf_commit(&c, 2, &m));
    WORKS(conf_commit(&c, 3, &m));
    CHECK_INT(conf_confirmed(&c, id).batches, 3);
    WORKS(conf_publish(&c, at, 2, conf_code(1)));
    WORKS(conf_publish(&c, at, 3, conf_code(1)));
    CHECK_INT(conf_contract(&c, at).keyEpoch, 3);
    conf_clear(&c);
}

/* ---- checkpoints ---- */

static enum world_outcome vouch(struct conf *c, struct address who, uint64_t id, uint64_t n)
{
    struct buf b = {0};

    confidential_contracts_put_vouch(&b, id, n);
    return conf_call(c, who, 0, &b);
}

TEST(keys_of_old_epochs_end_with_a_checkpoint_that_a_quorum_can_open)
{
    struct conf c;
    uint64_t id;
    commit m;

    begin(&c, &id, 2);
    WORKS(leave(&c, c.who[2], id));
    m = conf_result(&c, id, 1, 1, NULL);
    WORKS(commit_texts(&c, 0, &m, "d", "c", 1));
    WORKS(commit_texts(&c, 1, &m, "d", "", 0));
    m = conf_result(&c, id, 2, 2, NULL);
    WORKS(commit_texts(&c, 0, &m, "d", "", 0));
    WORKS(commit_texts(&c, 1, &m, "d", "", 0));
    m = conf_result(&c, id, 3, 3, NULL);
    WORKS(commit_texts(&c, 0, &m, "d", "c2", 2));
    WORKS(commit_texts(&c, 1, &m, "d", "c3", 2));
    CHECK_INT(conf_cluster(&c, id).oldest, 1);

    REVERTS(vouch(&c, c.who[2], id, 2), "NotMember(address)");
    REVERTS(vouch(&c, c.who[0], id, 1), "NoCheckpoint()");
    REVERTS(vouch(&c, c.who[0], id, 3), "NoCheckpoint()");
    conf_set_worker(&c, 0, 2, c.w->time);
    REVERTS(vouch(&c, c.who[0], id, 2), "NotAttested(address)");
    conf_set_worker(&c, 0, 2, c.w->time + DAY);
    WORKS(vouch(&c, c.who[0], id, 0));
    WORKS(vouch(&c, c.who[0], id, 2));
    WORKS(vouch(&c, c.who[1], id, 0)); /* not the same one */
    CHECK_INT(conf_confirmed(&c, id).checkpoint, 0);
    WORKS(vouch(&c, c.who[1], id, 2));
    CHECK_INT(conf_confirmed(&c, id).checkpoint, 3);
    CHECK_INT(conf_cluster(&c, id).oldest, 2);
    REVERTS(vouch(&c, c.who[1], id, 0), "NoCheckpoint()"); /* never back */
    conf_clear(&c);
}

/* ---- conviction ---- */

static enum world_outcome convict(struct conf *c, struct address from, unsigned worker_a,
                                  const commit *a, unsigned worker_b, const commit *b)
{
    struct buf out = {0};

    confidential_contracts_put_convict(&out, a, conf_sign(c, worker_a, a), b,
                                       conf_sign(c, worker_b, b));
    return conf_call(c, from, 0, &out);
}

TEST(two_results_over_one_range_convict)
{
    struct address zero = {0};
    struct buf b = {0};
    struct conf c;
    uint64_t id, before;
    commit x, y, z;

    begin(&c, &id, 2);
    before = world_balance(c.w, c.alice).w[0];
    x = conf_result(&c, id, 2, 1, NULL);
    y = conf_result(&c, id, 2, 2, NULL);
    REVERTS(convict(&c, c.alice, 0, &x, 0, &x), "SameResult()");
    z = x;
    z.epoch++; /* signed again in a new epoch */
    REVERTS(convict(&c, c.alice, 0, &x, 0, &z), "SameResult()");
    z = conf_result(&c, id, 1, 2, NULL);
    REVERTS(convict(&c, c.alice, 0, &x, 0, &z), "DifferentRanges()");
    z = y;
    z.cluster++;
    REVERTS(convict(&c, c.alice, 0, &x, 0, &z), "DifferentRanges()");
    z = y;
    z.queueHash.b[0] ^= 1;
    REVERTS(convict(&c, c.alice, 0, &x, 0, &z), "DifferentRanges()");
    REVERTS(convict(&c, c.alice, 0, &x, 1, &y), "DifferentSigners()");
    REVERTS(convict(&c, c.alice, 4, &x, 4, &y), "NothingToConvict()");
    confidential_contracts_put_convict(&b, &x, bytes_str("?"), &y, bytes_str("?"));
    REVERTS(conf_call(&c, c.alice, 0, &b), "InvalidSignature()");
    WORKS(conf_commit(&c, 0, &x));
    WORKS(convict(&c, c.alice, 0, &x, 0, &y));
    CHECK_INT(conf_seat(&c, id, c.who[0]).status, CONVICTED);
    CHECK_INT(conf_cluster(&c, id).members, 2);
    CHECK_INT(conf_cluster(&c, id).epoch, 2);
    CHECK_INT(conf_round(&c, id).endBatch, 0); /* its range is open again */
    CHECK_INT(world_balance(c.w, c.alice).w[0], before + STAKE / 2);
    CHECK_INT(world_balance(c.w, zero).w[0], STAKE / 2);
    REVERTS(convict(&c, c.alice, 0, &x, 0, &y), "NothingToConvict()");
    confidential_contracts_put_withdrawStake(&b, id);
    REVERTS(conf_call(&c, c.who[0], 0, &b), "NothingToWithdraw()");
    confidential_contracts_put_join(&b, id);
    REVERTS(conf_call(&c, c.who[0], STAKE, &b), "IsConvicted(address)");
    /* Leaving in time saves nothing while the stake is here. */
    WORKS(leave(&c, c.who[1], id));
    WORKS(convict(&c, c.alice, 1, &x, 1, &y));
    CHECK_INT(conf_cluster(&c, id).epoch, 3);
    CHECK_INT(conf_seat(&c, id, c.who[1]).stake.w[0], 0);
    conf_clear(&c);
}

/* ---- delivery ---- */

static void confirm_outbox(struct conf *c, uint64_t id, uint64_t end, uint8_t root,
                           const struct bytes *messages, size_t n)
{
    struct hash32 digest = conf_rest(messages, n, 0);
    commit m = conf_result(c, id, end, root, &digest);

    CHECK_CALL(c->w, conf_commit(c, 0, &m));
    CHECK_CALL(c->w, conf_commit(c, 1, &m));
}

static bool delivered_well(struct conf *c, size_t i)
{
    struct confidential_contracts_event_Delivered ev;
    size_t seen = 0;
    struct err e;

    for (size_t k = 0; k < c->w->n_logs; k++) {
        const struct world_log *l = &c->w->logs[k];

        if (confidential_contracts_parse_Delivered(&ev, NULL, l->topics, l->n_topics, l->data,
                                                   &e) == RC_OK &&
            seen++ == i)
            return ev.success;
    }
    t_fail(__FILE__, __LINE__, "message %zu was not delivered", i);
}

TEST(messages_are_delivered_in_order_once_each)
{
    struct address at, book, zara = world_account(90);
    struct bytes m[3], second[1];
    struct buf b = {0};
    struct hash32 rest;
    struct u256 left;
    struct err e;
    struct conf c;
    uint64_t id;

    at = begin(&c, &id, 2);
    book = world_place(c.w, "Guestbook");
    CHECK_INT(conf_coin(&c, id), 207);
    REVERTS(conf_deliver(&c, id, m, 0, NULL), "NothingToDeliver()");
    m[0] = conf_message(&c, at, zara, 50, (struct bytes){0});
    guestbook_put_sign(&b, bytes_str("from inside"));
    m[1] = conf_message(&c, at, book, 30, buf_bytes(&b));
    buf_clear(&b);
    m[2] = conf_message(&c, at, zara, 1, bytes_str("no code there to read it"));
    REVERTS(conf_deliver(&c, id, m, 3, NULL), "NothingToDeliver()");
    confirm_outbox(&c, id, 1, 1, m, 3);
    second[0] = conf_message(&c, at, zara, 2, (struct bytes){0});
    confirm_outbox(&c, id, 2, 2, NULL, 0); /* nothing leaves: no outbox of it */
    confirm_outbox(&c, id, 3, 3, second, 1);

    REVERTS(conf_deliver(&c, id, m + 1, 2, NULL), "WrongMessages()");
    REVERTS(conf_deliver(&c, id, m, 2, NULL), "WrongMessages()");
    REVERTS(conf_deliver(&c, id, second, 1, NULL), "WrongMessages()");
    REVERTS(conf_deliver(&c, id, m, 0, NULL), "NothingToDeliver()");
    rest = conf_rest(m, 3, 1);
    WORKS(conf_deliver(&c, id, m, 1, &rest));
    CHECK_TRUE(delivered_well(&c, 0));
    CHECK_INT(world_balance(c.w, zara).w[0], 50);
    REVERTS(conf_deliver(&c, id, m, 3, NULL), "WrongMessages()");
    WORKS(conf_deliver(&c, id, m + 1, 2, NULL));
    CHECK_TRUE(delivered_well(&c, 0) && delivered_well(&c, 1));
    guestbook_put_thanks(&b, &at); /* the contract's own address called */
    CHECK_CALL(c.w, world_view(c.w, book, &b));
    CHECK_OK(guestbook_get_thanks(&left, NULL, c.w->ret, &e), &e);
    CHECK_U256(left, 30);
    REVERTS(conf_deliver(&c, id, m + 1, 2, NULL), "WrongMessages()");
    WORKS(conf_deliver(&c, id, second, 1, NULL));
    CHECK_INT(world_balance(c.w, zara).w[0], 53);
    CHECK_INT(conf_coin(&c, id), 207 - 83);
    REVERTS(conf_deliver(&c, id, second, 1, NULL), "NothingToDeliver()");
    conf_clear(&c);
}

TEST(a_message_that_fails_holds_up_nobody)
{
    struct address at, other, zara = world_account(90);
    uint64_t id, foreign;
    struct bytes m[8];
    struct buf b = {0};
    struct conf c;

    at = begin(&c, &id, 1);
    foreign = conf_add_cluster(&c, 1, 1, 1);
    other = conf_add_contract(&c, foreign, 5, 1);
    data_registry_put_addFile(&b, (struct bytes){0});
    m[0] = conf_message(&c, at, c.n.registry, 5, buf_bytes(&b)); /* takes no coin */
    buf_clear(&b);
    m[1] = conf_message(&c, at, zara, 1000, (struct bytes){0});   /* more than there is */
    m[2] = conf_message(&c, other, zara, 1, (struct bytes){0});   /* of another cluster */
    m[3] = conf_message(&c, zara, c.alice, 1, (struct bytes){0}); /* of nobody */
    m[4] = conf_message(&c, at, other, 2, (struct bytes){0});     /* could not leave again */
    m[5] = conf_message(&c, at, c.at, 3, (struct bytes){0});      /* nor here */
    m[6] = conf_message(&c, at, at, 4, (struct bytes){0});
    m[7] = conf_message(&c, at, zara, 6, (struct bytes){0});
    confirm_outbox(&c, id, 2, 1, m, 8);
    c.w->gas_left = 1999999;
    REVERTS(conf_deliver(&c, id, m, 8, NULL), "NotEnoughGas(uint64)");
    c.w->gas_left = 2000000;
    WORKS(conf_deliver(&c, id, m, 8, NULL));
    for (size_t i = 0; i < 7; i++)
        CHECK_TRUE(!delivered_well(&c, i));
    CHECK_TRUE(delivered_well(&c, 7));
    /* What failed of its own coin is the owner's; what was never its own moved nothing. */
    CHECK_INT(conf_earned(&c, c.owner), 5 + 2 + 3 + 4);
    CHECK_INT(world_balance(c.w, zara).w[0], 6);
    CHECK_INT(conf_coin(&c, id), 107 - 5 - 2 - 3 - 4 - 6);
    CHECK_INT(conf_coin(&c, foreign), 7);
    conf_clear(&c);
}

TEST(messages_have_a_form)
{
    struct bytes m[1];
    uint8_t raw[128];
    struct address at;
    struct conf c;
    uint64_t id;

    at = begin(&c, &id, 1);
    m[0] = conf_message(&c, at, c.bob, 1, bytes_str("abc"));
    confirm_outbox(&c, id, 2, 1, m, 1);
    memcpy(raw, m[0].p, m[0].n);
    m[0] = bytes_of(raw, 76);
    REVERTS(conf_deliver(&c, id, m, 1, NULL), "InvalidMessage()");
    m[0] = bytes_of(raw, 79);
    REVERTS(conf_deliver(&c, id, m, 1, NULL), "InvalidMessage()");
    raw[0] = 2;
    m[0] = bytes_of(raw, 80);
    REVERTS(conf_deliver(&c, id, m, 1, NULL), "InvalidMessage()");
    conf_clear(&c);
}

static struct hash32 keccak_of(struct buf *b)
{
    struct hash32 h;

    keccak256(&h, buf_bytes(b));
    buf_clear(b);
    return h;
}

/* keccak256(0xff | parent | keccak256(u64 cluster | maker | salt) | code hash of the account) */
static struct address made_at(struct conf *c, uint64_t cluster, struct address maker, uint8_t salt)
{
    struct hash32 code, h, word = {{salt}};
    struct buf b = {0}, call = {0};
    struct address at;
    struct err e;

    confidential_contracts_put_accountCodeHash(&call);
    CHECK_CALL(c->w, conf_call(c, c->bob, 0, &call));
    CHECK_OK(confidential_contracts_get_accountCodeHash(&code, NULL, c->w->ret, &e), &e);
    buf_u64be(&b, cluster);
    buf_put_bytes(&b, BYTES_OF(&maker));
    buf_put_bytes(&b, BYTES_OF(&word));
    h = keccak_of(&b);
    buf_u8(&b, 0xff);
    buf_put_bytes(&b, BYTES_OF(&c->at));
    buf_put_bytes(&b, BYTES_OF(&h));
    buf_put_bytes(&b, BYTES_OF(&code));
    h = keccak_of(&b);
    memcpy(at.b, h.b + 12, sizeof(at.b));
    return at;
}

/* As begin(), with another cluster of one, and `value` more that came in for the contract, with
 * which it makes messages to ConfidentialContracts. */
static struct address begin_two(struct conf *c, uint64_t *id, uint64_t *second, uint64_t value)
{
    struct address at = begin(c, id, 1);

    *second = conf_add_cluster(c, 1, 1, 1);
    world_set_balance(c->w, c->alice, UINT64_C(1) << 40);
    CHECK_CALL(c->w, conf_send(c, c->alice, at, 1, value));
    conf_block(c);
    return at;
}

/* A message from the contract to ConfidentialContracts; `call` is used up. */
static struct bytes message_home(struct conf *c, struct address from, uint64_t value,
                                 struct buf *call)
{
    struct bytes m = conf_message(c, from, c->at, value, buf_bytes(call));

    buf_clear(call);
    return m;
}

TEST(a_contract_makes_contracts_by_messages)
{
    struct confidential_contracts_DeployParams p = {.codeHash = conf_code(9),
                                                    .codeUrl = bytes_str("ipfs://vault"),
                                                    .salt = {{42}},
                                                    .gas = GAS_CLASS};
    struct confidential_contracts_ContractInfo k;
    struct address at, made;
    struct bytes m[3];
    struct buf b = {0};
    uint64_t id, second;
    struct conf c;

    at = begin_two(&c, &id, &second, 3 * FEE);
    confidential_contracts_put_deploy(&b, id, &p);
    m[0] = m[1] = message_home(&c, at, FEE, &b);       /* the address is taken then */
    confidential_contracts_put_deploy(&b, second, &p); /* where its owner alone deploys */
    m[2] = message_home(&c, at, FEE, &b);
    confirm_outbox(&c, id, 3, 1, m, 3);
    WORKS(conf_deliver(&c, id, m, 3, NULL));
    CHECK_TRUE(delivered_well(&c, 0) && !delivered_well(&c, 1) && !delivered_well(&c, 2));
    made = made_at(&c, id, at, 42);
    k = conf_contract(&c, made);
    CHECK_INT(k.status, 1);
    CHECK_INT(k.cluster, id);
    CHECK_MEM(BYTES_OF(&k.owner), BYTES_OF(&c.owner));
    WORKS(conf_publish(&c, made, 0, conf_code(9)));
    WORKS(conf_publish(&c, made, 1, conf_code(9)));
    CHECK_INT(conf_contract(&c, made).status, 2);
    conf_clear(&c);
}

/* A message to this contract itself is a command to another cluster. */
TEST(clusters_talk_by_messages)
{
    AUTO_CLEAR(buf) struct buf entry = {0};
    struct address at, other;
    struct hash32 queue;
    struct bytes m[2];
    struct buf b = {0};
    uint64_t id, second;
    struct conf c;

    at = begin_two(&c, &id, &second, FEE + 9);
    other = conf_add_contract(&c, second, 5, 1);
    queue = conf_queue(&c, second).hash;
    confidential_contracts_put_send(&b, &other, UINT64_MAX, UINT64_MAX, GAS_CLASS, PLAIN,
                                    bytes_str("hello"));
    m[0] = message_home(&c, at, FEE + 9, &b);
    confidential_contracts_put_claim(&b); /* nothing else is let in meanwhile */
    m[1] = message_home(&c, at, 0, &b);
    confirm_outbox(&c, id, 3, 1, m, 2);
    WORKS(conf_deliver(&c, id, m, 2, NULL));
    CHECK_TRUE(delivered_well(&c, 0));
    CHECK_TRUE(!delivered_well(&c, 1));
    conf_entry(&entry, PLAIN, other, at, 1, 0, UINT64_MAX, GAS_CLASS, 9, bytes_str("hello"));
    conf_queue_add(&queue, buf_bytes(&entry));
    CHECK_HASH(conf_queue(&c, second).hash, queue);
    CHECK_INT(conf_coin(&c, second), 7 + 9);
    conf_clear(&c);
}
