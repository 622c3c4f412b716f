/* The rules of ConfidentialContracts, one after another; test_confidential_play.c holds them
 * against a model under random calls. */
#include "contracts/confidential.h"
#include "crypto/hash.h"

#define REVERTS(outcome, signature) CHECK_REVERT(c.w, outcome, signature)
#define WORKS(outcome) CHECK_CALL(c.w, outcome)

static enum world_outcome create(struct conf *c, unsigned replicas, unsigned quorum,
                                 struct u256 price, uint64_t gas)
{
    struct confidential_contracts_ClusterParams p = {
        .replicas = replicas, .quorum = quorum, .gasPrice = price, .mostGas = gas};
    struct buf b = {0};

    confidential_contracts_put_createCluster(&b, &p);
    return conf_call(c, c->owner, 0, &b);
}

static enum world_outcome cluster_call(struct conf *c, struct address from, uint64_t value,
                                       void (*put)(struct buf *out, uint64_t cluster), uint64_t id)
{
    struct buf b = {0};

    put(&b, id);
    return conf_call(c, from, value, &b);
}
#define JOIN(from, value, id) cluster_call(&c, from, value, confidential_contracts_put_join, id)
#define LEAVE(from, id) cluster_call(&c, from, 0, confidential_contracts_put_leave, id)
#define WITHDRAW(from, id) cluster_call(&c, from, 0, confidential_contracts_put_withdrawStake, id)

static enum world_outcome remove_worker(struct conf *c, struct address from, uint64_t id,
                                        struct address who)
{
    struct buf b = {0};

    confidential_contracts_put_removeWorker(&b, id, &who);
    return conf_call(c, from, 0, &b);
}

static enum world_outcome invite(struct conf *c, struct address from, uint64_t id,
                                 struct address who)
{
    struct buf b = {0};

    confidential_contracts_put_invite(&b, id, &who);
    return conf_call(c, from, 0, &b);
}

TEST(only_its_first_call_sets_it_up_and_only_the_council_changes_it)
{
    struct hash32 code = {{1}};
    struct buf b = {0};
    struct conf c;

    conf_init(&c);
    confidential_contracts_put_initialize(&b, &c.bob, &c.bob, &code);
    REVERTS(conf_call(&c, c.bob, 0, &b), "InvalidInitialization()");
    confidential_contracts_put_setWorkers(&b, &c.bob);
    REVERTS(conf_call(&c, c.bob, 0, &b), "AccessControlUnauthorizedAccount(address,bytes32)");
    confidential_contracts_put_upgradeToAndCall(&b, &c.at, (struct bytes){0});
    REVERTS(conf_call(&c, c.bob, 0, &b), "AccessControlUnauthorizedAccount(address,bytes32)");
    confidential_contracts_put_upgradeToAndCall(&b, &c.workers, (struct bytes){0});
    REVERTS(conf_call(&c, c.council, 0, &b), "ERC1967InvalidImplementation(address)");
    confidential_contracts_put_setWorkers(&b, &c.bob);
    WORKS(conf_call(&c, c.council, 0, &b));
    conf_clear(&c);
}

TEST(a_cluster_is_what_it_was_made_as)
{
    struct confidential_contracts_ClusterInfo x;
    struct hash32 begin;
    struct conf c;

    conf_init(&c);
    REVERTS(create(&c, 0, 0, U(1), GAS_CLASS), "InvalidParameters()");
    REVERTS(create(&c, 17, 9, U(1), GAS_CLASS), "InvalidParameters()");
    REVERTS(create(&c, 4, 2, U(1), GAS_CLASS), "InvalidParameters()"); /* not more than half */
    REVERTS(create(&c, 3, 4, U(1), GAS_CLASS), "InvalidParameters()");
    REVERTS(create(&c, 3, 2, (struct u256){{0, 0, 1, 0}}, GAS_CLASS), "InvalidParameters()");
    REVERTS(create(&c, 3, 2, U(1), GAS_CLASS - 1), "InvalidParameters()");
    REVERTS(create(&c, 3, 2, U(1), UINT64_C(1) << 37), "InvalidParameters()");
    REVERTS(create(&c, 3, 2, U(1), GAS_CLASS + 1), "InvalidParameters()");
    WORKS(create(&c, 16, 9, (struct u256){{UINT64_MAX, UINT64_MAX, 0, 0}}, UINT64_C(1) << 36));
    WORKS(create(&c, 1, 1, U(0), GAS_CLASS));
    x = conf_cluster(&c, 1);
    CHECK_ADDRESS(x.owner, c.owner);
    CHECK_INT(x.replicas, 16);
    CHECK_INT(x.quorum, 9);
    CHECK_INT(x.epoch, 1);
    CHECK_INT(x.oldest, 1);
    conf_queue_begin(&begin, 2);
    CHECK_HASH(conf_queue(&c, 2).hash, begin);
    memcpy(begin.b, "SPARSE_MERKLE_PLACEHOLDER_HASH__", 32);
    CHECK_HASH(conf_confirmed(&c, 2).root, begin);
    REVERTS(JOIN(c.who[0], 0, 3), "UnknownCluster(uint64)");
    REVERTS(invite(&c, c.owner, 0, c.bob), "UnknownCluster(uint64)");
    conf_clear(&c);
}

TEST(members_are_invited_attested_few_and_leave_a_stake)
{
    struct address in[16];
    struct conf c;
    uint64_t id;

    conf_init(&c);
    id = conf_add_cluster(&c, 2, 2, 1);
    REVERTS(JOIN(c.who[0], STAKE, id), "AlreadyMember()");
    REVERTS(JOIN(c.who[1], STAKE, id), "NotInvited()");
    REVERTS(invite(&c, c.bob, id, c.who[1]), "NotClusterOwner()");
    WORKS(invite(&c, c.owner, id, c.who[1]));
    conf_set_worker(&c, 1, 1, c.w->time + DAY); /* another role */
    REVERTS(JOIN(c.who[1], STAKE, id), "NotAttested(address)");
    conf_set_worker(&c, 1, 2, c.w->time); /* over */
    REVERTS(JOIN(c.who[1], STAKE, id), "NotAttested(address)");
    conf_set_worker(&c, 1, 2, c.w->time + DAY);
    REVERTS(JOIN(c.who[1], STAKE - 1, id), "WrongStake(uint256)");
    REVERTS(JOIN(c.who[1], STAKE + 1, id), "WrongStake(uint256)");
    WORKS(JOIN(c.who[1], STAKE, id));
    WORKS(invite(&c, c.owner, id, c.who[2]));
    REVERTS(JOIN(c.who[2], STAKE, id), "ClusterFull(uint64)");
    CHECK_INT(conf_members(&c, id, in), 2);
    CHECK_ADDRESS(in[1], c.who[1]);
    conf_clear(&c);
}

TEST(who_goes_moves_the_epoch_and_its_stake_stays_three_days)
{
    struct conf c;
    uint64_t id;

    conf_init(&c);
    id = conf_add_cluster(&c, 3, 2, 3);
    REVERTS(LEAVE(c.who[3], id), "NotMember(address)");
    REVERTS(WITHDRAW(c.who[0], id), "AlreadyMember()");
    WORKS(LEAVE(c.who[0], id));
    CHECK_INT(conf_cluster(&c, id).epoch, 2);
    REVERTS(WITHDRAW(c.who[0], id), "StakeLocked(uint64)");
    c.w->time += 3 * DAY - 1;
    REVERTS(WITHDRAW(c.who[0], id), "StakeLocked(uint64)");
    c.w->time++;
    WORKS(WITHDRAW(c.who[0], id));
    CHECK_U256(world_balance(c.w, c.who[0]), 1000000);
    REVERTS(WITHDRAW(c.who[0], id), "NothingToWithdraw()");

    REVERTS(remove_worker(&c, c.bob, id, c.who[1]), "StillActive(address)");
    conf_set_worker(&c, 1, 2, c.w->time);
    WORKS(remove_worker(&c, c.bob, id, c.who[1]));
    CHECK_INT(conf_seat(&c, id, c.who[1]).status, EXPIRED);
    REVERTS(remove_worker(&c, c.bob, id, c.who[1]), "NotMember(address)");
    WORKS(remove_worker(&c, c.owner, id, c.who[2]));
    CHECK_INT(conf_seat(&c, id, c.who[2]).status, REMOVED);
    CHECK_INT(conf_cluster(&c, id).epoch, 4);
    CHECK_INT(conf_cluster(&c, id).oldest, 1);
    /* The owner's removal ends the invitation; the others' stakes count when they come again. */
    REVERTS(JOIN(c.who[2], 0, id), "NotInvited()");
    conf_set_worker(&c, 1, 2, c.w->time + DAY);
    WORKS(JOIN(c.who[1], 0, id));
    WORKS(JOIN(c.who[0], STAKE, id));
    CHECK_INT(conf_seat(&c, id, c.who[1]).stake.w[0], STAKE);
    conf_clear(&c);
}

static enum world_outcome for_worker(struct conf *c, struct address from,
                                     void (*put)(struct buf *out, uint64_t cluster,
                                                 const struct address *worker),
                                     uint64_t id, struct address who)
{
    struct buf b = {0};

    put(&b, id, &who);
    return conf_call(c, from, 0, &b);
}
#define LEAVE_FOR(from, id, who) for_worker(&c, from, confidential_contracts_put_leaveFor, id, who)
#define WITHDRAW_FOR(from, id, who)                                                                \
    for_worker(&c, from, confidential_contracts_put_withdrawStakeFor, id, who)

TEST(whom_a_worker_names_takes_it_out_and_has_the_stake)
{
    struct u256 before;
    struct conf c;
    uint64_t id;

    conf_init(&c); /* alice is payout of worker 0; in Workers the operator of all is c.owner */
    id = conf_add_cluster(&c, 3, 2, 2);
    WORKS(conf_name_payout(&c, c.who[0], c.who[0], c.alice));
    REVERTS(LEAVE_FOR(c.bob, id, c.who[0]), "NotPayout(address)");
    REVERTS(LEAVE_FOR(c.owner, id, c.who[0]),
            "NotPayout(address)"); /* as its registration has it */
    REVERTS(LEAVE_FOR(c.who[1], id, c.who[0]), "NotPayout(address)");
    REVERTS(LEAVE_FOR(c.alice, id, c.who[1]), "NotPayout(address)"); /* has named none */
    REVERTS(LEAVE_FOR((struct address){{0}}, id, c.who[1]), "NotPayout(address)");
    REVERTS(WITHDRAW_FOR(c.alice, id, c.who[0]), "AlreadyMember()");
    WORKS(LEAVE_FOR(c.alice, id, c.who[0]));
    REVERTS(LEAVE_FOR(c.alice, id, c.who[0]), "NotMember(address)");
    CHECK_INT(conf_seat(&c, id, c.who[0]).status, LEFT);
    CHECK_INT(conf_cluster(&c, id).epoch, 2);
    REVERTS(JOIN(c.who[0], 0, id), "NotInvited()");
    REVERTS(WITHDRAW_FOR(c.alice, id, c.who[0]), "StakeLocked(uint64)");
    c.w->time += 3 * DAY;
    REVERTS(WITHDRAW_FOR(c.bob, id, c.who[0]), "NotPayout(address)");
    before = world_balance(c.w, c.alice);
    WORKS(WITHDRAW_FOR(c.alice, id, c.who[0]));
    CHECK_INT(world_balance(c.w, c.alice).w[0], before.w[0] + STAKE);
    REVERTS(WITHDRAW_FOR(c.alice, id, c.who[0]), "NothingToWithdraw()");
    REVERTS(WITHDRAW(c.who[0], id), "NothingToWithdraw()");
    conf_clear(&c);
}

TEST(a_payout_is_named_once_by_the_worker_and_then_by_itself_only)
{
    struct address zero = {{0}};
    struct conf c;

    conf_init(&c);
    REVERTS(conf_name_payout(&c, c.alice, c.who[0], c.alice), "NotPayout(address)");
    REVERTS(conf_name_payout(&c, c.owner, c.who[0], c.owner), "NotPayout(address)");
    REVERTS(conf_name_payout(&c, c.who[0], c.who[0], zero), "InvalidParameters()");
    WORKS(conf_name_payout(&c, c.who[0], c.who[0], c.alice));
    REVERTS(conf_name_payout(&c, c.who[0], c.who[0], c.bob), "NotPayout(address)");
    REVERTS(conf_name_payout(&c, c.bob, c.who[0], c.bob), "NotPayout(address)");
    WORKS(conf_name_payout(&c, c.alice, c.who[0], c.bob));
    REVERTS(conf_name_payout(&c, c.alice, c.who[0], c.alice), "NotPayout(address)");
    REVERTS(conf_name_payout(&c, c.bob, c.who[0], zero), "InvalidParameters()");
    conf_clear(&c);
}

TEST(an_open_cluster_takes_any_contract_worker_but_whom_it_sent_away)
{
    struct confidential_contracts_ClusterParams p = {
        .anyoneJoins = true, .replicas = 3, .quorum = 2, .gasPrice = U(0), .mostGas = GAS_CLASS};
    struct buf b = {0};
    struct conf c;

    conf_init(&c);
    confidential_contracts_put_createCluster(&b, &p);
    WORKS(conf_call(&c, c.owner, 0, &b));
    WORKS(JOIN(c.who[0], 0, 1));
    WORKS(LEAVE(c.who[0], 1));
    WORKS(JOIN(c.who[0], 0, 1));
    WORKS(remove_worker(&c, c.owner, 1, c.who[0]));
    REVERTS(JOIN(c.who[0], 0, 1), "NotInvited()");
    conf_clear(&c);
}

/* ---- contracts ---- */

static enum world_outcome deploy(struct conf *c, struct address from, uint64_t id, uint64_t value,
                                 const struct confidential_contracts_DeployParams *p)
{
    struct buf b = {0};

    confidential_contracts_put_deploy(&b, id, p);
    return conf_call(c, from, value, &b);
}

TEST(a_contract_is_deployed_by_who_may_with_its_fee)
{
    struct confidential_contracts_DeployParams p = {.codeHash = conf_code(1),
                                                    .codeUrl = bytes_str("ipfs://x"),
                                                    .gas = GAS_CLASS},
                                               bad = p;
    char url[513];
    struct address parent;
    struct buf b = {0};
    struct err e;
    struct conf c;
    uint64_t id;

    conf_init(&c);
    id = conf_add_cluster(&c, 3, 2, 3);
    REVERTS(deploy(&c, c.owner, id + 1, FEE, &p), "UnknownCluster(uint64)");
    REVERTS(deploy(&c, c.bob, id, FEE, &p), "MayNotDeploy()");
    REVERTS(deploy(&c, c.owner, id, FEE - 1, &p), "InsufficientFee(uint256)");
    REVERTS(deploy(&c, c.owner, id, FEE + 1, &p), "InvalidDeployment()"); /* value, no call */
    bad.gas = GAS_CLASS - 1;
    REVERTS(deploy(&c, c.owner, id, FEE, &bad), "InvalidGas(uint64)");
    bad.gas = GAS_CLASS * 8;
    REVERTS(deploy(&c, c.owner, id, 8 * FEE, &bad), "InvalidGas(uint64)");
    bad.gas = GAS_CLASS * 3;
    REVERTS(deploy(&c, c.owner, id, 3 * FEE, &bad), "InvalidGas(uint64)");
    bad = p;
    bad.audit = 2;
    REVERTS(deploy(&c, c.owner, id, FEE, &bad), "InvalidDeployment()");
    bad = p;
    bad.codeUrl = (struct bytes){0};
    REVERTS(deploy(&c, c.owner, id, FEE, &bad), "InvalidDeployment()");
    memset(url, 'u', sizeof(url));
    bad.codeUrl = bytes_of(url, 513);
    REVERTS(deploy(&c, c.owner, id, FEE, &bad), "InvalidDeployment()");
    bad = p;
    bad.codeHash = (struct hash32){0};
    REVERTS(deploy(&c, c.owner, id, FEE, &bad), "InvalidDeployment()");
    WORKS(deploy(&c, c.owner, id, FEE, &p));
    REVERTS(deploy(&c, c.owner, id, FEE, &p), "AddressTaken()");
    p.salt.b[0] = 1;
    WORKS(deploy(&c, c.owner, id, FEE, &p));
    CHECK_OK(confidential_contracts_get_deploy(&parent, NULL, c.w->ret, &e), &e);

    /* The account is its parent's alone. */
    confidential_account_put_execute(&b, &c.bob, REF(u256, U(0)), (struct bytes){0});
    REVERTS(world_call(c.w, c.bob, parent, 0, &b), "OnlyParent()");
    REVERTS(world_call(c.w, c.bob, parent, 5, &b), "");
    confidential_account_put_initialize(&b);
    REVERTS(world_call(c.w, c.bob, parent, 0, &b), "InvalidInitialization()");
    conf_clear(&c);
}

TEST(a_contract_is_active_when_a_quorum_has_signed_the_same_key)
{
    AUTO_CLEAR(buf) struct buf entry = {0}, payload = {0};
    struct confidential_contracts_ContractInfo k;
    struct hash32 queue, other = {{9}}, pub = {{1}}, none = {0};
    struct address at;
    struct buf b = {0};
    struct conf c;
    uint64_t id, held;

    conf_init(&c);
    id = conf_add_cluster(&c, 3, 2, 3);
    at = conf_deploy(&c, id, 1);
    held = world_balance(c.w, c.at).w[0];
    CHECK_INT(held, 3 * STAKE + FEE + 7);
    CHECK_INT(conf_contract(&c, at).status, 1);
    REVERTS(conf_send(&c, c.alice, at, 0, 0), "NotActive(address)");
    REVERTS(conf_publish(&c, at, 0, other), "WrongCode(bytes32)");
    REVERTS(conf_publish(&c, at, 3, conf_code(1)), "NotMember(address)");
    confidential_contracts_put_publishKey(&b, &at, 2, &pub, REF(hash32, conf_code(1)),
                                          (struct bytes){0});
    REVERTS(conf_call(&c, c.bob, 0, &b), "WrongEpoch(uint64)");
    confidential_contracts_put_publishKey(&b, &at, 1, &none, REF(hash32, conf_code(1)),
                                          (struct bytes){0});
    REVERTS(conf_call(&c, c.bob, 0, &b), "InvalidKey()");
    confidential_contracts_put_publishKey(&b, &at, 1, &pub, REF(hash32, conf_code(1)),
                                          bytes_str("short"));
    REVERTS(conf_call(&c, c.bob, 0, &b), "InvalidSignature()");
    confidential_contracts_put_publishKey(&b, &c.bob, 1, &pub, REF(hash32, conf_code(1)),
                                          (struct bytes){0});
    REVERTS(conf_call(&c, c.bob, 0, &b), "UnknownContract(address)");
    WORKS(conf_publish(&c, at, 0, conf_code(1)));
    WORKS(conf_publish(&c, at, 0, conf_code(1))); /* again is not one more */
    CHECK_INT(conf_contract(&c, at).status, 1);
    conf_set_worker(&c, 1, 2, c.w->time);
    REVERTS(conf_publish(&c, at, 1, conf_code(1)), "NotAttested(address)");
    WORKS(conf_publish(&c, at, 2, conf_code(1)));
    k = conf_contract(&c, at);
    CHECK_INT(k.status, 2);
    CHECK_INT(k.keyEpoch, 1);
    CHECK_INT(k.publicKey.b[0], 0x70);
    CHECK_MEM(k.codeUrl, bytes_str("ipfs://code"));
    CHECK_INT(k.wantedUrl.n, 0);

    /* The activation stands in the queue with its value; the fee is in the batch. */
    buf_put_bytes(&payload, BYTES_OF(&k.codeHash));
    buf_u32be(&payload, 4);
    buf_put_str(&payload, "init");
    WORKS(conf_publish(&c, at, 0, conf_code(1))); /* is active already: nothing is queued */
    CHECK_INT(conf_queue(&c, id).count, 1);
    conf_entry(&entry, ACTIVATE, at, c.owner, 0, 1, 0, GAS_CLASS, 7, buf_bytes(&payload));
    conf_queue_begin(&queue, id);
    conf_queue_add(&queue, buf_bytes(&entry));
    CHECK_HASH(conf_queue(&c, id).hash, queue);
    CHECK_INT(conf_batch(&c, id, 0).fees.w[0], FEE);
    CHECK_INT(conf_coin(&c, id), 7);
    CHECK_INT(world_balance(c.w, c.at).w[0], held);
    conf_clear(&c);
}

TEST(a_new_epoch_takes_new_keys_and_the_old_ones_serve_until_then)
{
    struct address at;
    struct conf c;
    uint64_t id;

    conf_init(&c);
    id = conf_add_cluster(&c, 3, 2, 3);
    at = conf_add_contract(&c, id, 1, 3);
    WORKS(LEAVE(c.who[2], id));
    CHECK_INT(conf_contract(&c, at).keyEpoch, 1);
    WORKS(conf_send(&c, c.alice, at, 0, 0));
    WORKS(conf_publish(&c, at, 0, conf_code(1)));
    CHECK_INT(conf_contract(&c, at).keyEpoch, 1);
    WORKS(conf_publish(&c, at, 1, conf_code(1)));
    CHECK_INT(conf_contract(&c, at).keyEpoch, 2);
    CHECK_INT(conf_queue(&c, id).count, 2); /* no entry for it */
    conf_clear(&c);
}

static enum world_outcome upgrade(struct conf *c, struct address from, struct address at,
                                  struct hash32 code, uint64_t value)
{
    struct buf b = {0};

    confidential_contracts_put_upgrade(&b, &at, &code, bytes_str("ipfs://new"), GAS_CLASS);
    return conf_call(c, from, value, &b);
}

static enum world_outcome cancel(struct conf *c, struct address from, struct address at)
{
    struct buf b = {0};

    confidential_contracts_put_cancel(&b, &at);
    return conf_call(c, from, 0, &b);
}

TEST(an_upgrade_waits_for_its_key_record_and_can_be_called_off)
{
    struct confidential_contracts_DeployParams fixed = {.codeHash = conf_code(1),
                                                        .codeUrl = bytes_str("ipfs://x"),
                                                        .gas = GAS_CLASS,
                                                        .salt = {{77}}};
    AUTO_CLEAR(buf) struct buf entry = {0};
    struct hash32 code = conf_code(2);
    struct address at, other;
    struct err e;
    struct conf c;
    uint64_t id, before;

    conf_init(&c);
    id = conf_add_cluster(&c, 3, 2, 3);
    before = world_balance(c.w, c.owner).w[0];
    at = conf_deploy(&c, id, 1);
    REVERTS(upgrade(&c, c.owner, at, code, FEE), "NotActive(address)");
    REVERTS(cancel(&c, c.bob, at), "NotContractOwner()");
    REVERTS(cancel(&c, c.owner, c.bob), "UnknownContract(address)");
    WORKS(cancel(&c, c.owner, at));
    CHECK_INT(world_balance(c.w, c.owner).w[0], before);
    REVERTS(conf_publish(&c, at, 0, conf_code(1)), "UnknownContract(address)");

    at = conf_add_contract(&c, id, 3, 2);
    REVERTS(cancel(&c, c.owner, at), "NothingPending()");
    REVERTS(upgrade(&c, c.bob, at, code, FEE), "NotContractOwner()");
    REVERTS(upgrade(&c, c.owner, at, conf_code(3), FEE), "InvalidDeployment()"); /* as it is */
    REVERTS(upgrade(&c, c.owner, at, code, FEE + 1), "InvalidDeployment()");
    REVERTS(upgrade(&c, c.owner, at, code, FEE - 1), "InsufficientFee(uint256)");
    WORKS(upgrade(&c, c.owner, at, code, FEE));
    REVERTS(upgrade(&c, c.owner, at, code, FEE), "UpgradePending()");
    WORKS(conf_publish(&c, at, 0, code));
    WORKS(conf_send(&c, c.alice, at, 0, 0)); /* to the old code */
    WORKS(cancel(&c, c.owner, at));
    CHECK_INT(conf_contract(&c, at).status, 2);
    REVERTS(conf_publish(&c, at, 1, code), "WrongCode(bytes32)");
    WORKS(upgrade(&c, c.owner, at, code, FEE));
    WORKS(conf_publish(&c, at, 1, code));
    CHECK_HASH(conf_contract(&c, at).codeHash, code);
    CHECK_MEM(conf_contract(&c, at).codeUrl, bytes_str("ipfs://new"));
    REVERTS(conf_publish(&c, at, 1, conf_code(3)), "WrongCode(bytes32)");

    WORKS(deploy(&c, c.owner, id, FEE, &fixed));
    CHECK_OK(confidential_contracts_get_deploy(&other, NULL, c.w->ret, &e), &e);
    WORKS(conf_publish(&c, other, 0, conf_code(1)));
    WORKS(conf_publish(&c, other, 1, conf_code(1)));
    REVERTS(upgrade(&c, c.owner, other, code, FEE), "NotUpgradable()");
    conf_clear(&c);
}

static enum world_outcome provide(struct conf *c, struct address from, struct address at,
                                  struct hash32 code, size_t url)
{
    static const char text[513] = {'u'};
    struct buf b = {0};

    confidential_contracts_put_provideCode(&b, &at, &code, bytes_of(text, url));
    return conf_call(c, from, 0, &b);
}

TEST(code_may_follow_the_key)
{
    struct confidential_contracts_DeployParams p = {.gas = GAS_CLASS, .init = bytes_str("init")};
    AUTO_CLEAR(buf) struct buf entry = {0}, payload = {0};
    struct hash32 none = {0}, queue;
    struct address at, other;
    struct err e;
    struct conf c;
    uint64_t id;

    conf_init(&c);
    id = conf_add_cluster(&c, 3, 2, 3);
    WORKS(deploy(&c, c.owner, id, FEE + 3, &p));
    CHECK_OK(confidential_contracts_get_deploy(&at, NULL, c.w->ret, &e), &e);
    WORKS(conf_publish(&c, at, 0, none));
    REVERTS(conf_publish(&c, at, 1, conf_code(1)), "WrongCode(bytes32)");
    CHECK_INT(conf_contract(&c, at).keyEpoch, 0);
    WORKS(conf_publish(&c, at, 1, none));
    CHECK_INT(conf_contract(&c, at).keyEpoch, 1);
    CHECK_INT(conf_contract(&c, at).publicKey.b[0], 0x70);
    CHECK_INT(conf_contract(&c, at).status, 1);
    CHECK_INT(conf_queue(&c, id).count, 0);
    REVERTS(conf_send(&c, c.alice, at, 0, 0), "NotActive(address)");
    REVERTS(upgrade(&c, c.owner, at, conf_code(1), FEE), "NotActive(address)");

    REVERTS(provide(&c, c.bob, at, conf_code(1), 9), "NotContractOwner()");
    REVERTS(provide(&c, c.owner, c.bob, conf_code(1), 9), "UnknownContract(address)");
    REVERTS(provide(&c, c.owner, at, none, 9), "InvalidDeployment()");
    REVERTS(provide(&c, c.owner, at, conf_code(1), 0), "InvalidDeployment()");
    REVERTS(provide(&c, c.owner, at, conf_code(1), 513), "InvalidDeployment()");
    WORKS(provide(&c, c.owner, at, conf_code(1), 512));
    REVERTS(conf_publish(&c, at, 0, none), "WrongCode(bytes32)");
    WORKS(conf_publish(&c, at, 0, conf_code(1)));
    WORKS(provide(&c, c.owner, at, conf_code(2), 9)); /* better code: what was signed is nothing */
    REVERTS(conf_publish(&c, at, 1, conf_code(1)), "WrongCode(bytes32)");
    WORKS(conf_publish(&c, at, 1, conf_code(2)));
    CHECK_INT(conf_contract(&c, at).status, 1);
    WORKS(conf_publish(&c, at, 2, conf_code(2)));
    CHECK_INT(conf_contract(&c, at).status, 2);
    CHECK_HASH(conf_contract(&c, at).codeHash, conf_code(2));
    CHECK_INT(conf_contract(&c, at).codeUrl.n, 9);
    REVERTS(provide(&c, c.owner, at, conf_code(3), 9), "NothingPending()");
    buf_put_bytes(&payload, BYTES_OF(REF(hash32, conf_code(2))));
    buf_u32be(&payload, 4);
    buf_put_str(&payload, "init");
    conf_entry(&entry, ACTIVATE, at, c.owner, 0, 1, 0, GAS_CLASS, 3, buf_bytes(&payload));
    conf_queue_begin(&queue, id);
    conf_queue_add(&queue, buf_bytes(&entry));
    CHECK_HASH(conf_queue(&c, id).hash, queue);

    /* Called off while it waits for its code, and after the epoch moved. */
    p.salt.b[0] = 1;
    WORKS(deploy(&c, c.owner, id, FEE + 3, &p));
    CHECK_OK(confidential_contracts_get_deploy(&other, NULL, c.w->ret, &e), &e);
    WORKS(conf_publish(&c, other, 0, none));
    WORKS(LEAVE(c.who[2], id));
    WORKS(conf_publish(&c, other, 0, none));
    CHECK_INT(conf_contract(&c, other).keyEpoch, 0); /* the other vote is of an epoch before */
    WORKS(conf_publish(&c, other, 1, none));
    CHECK_INT(conf_contract(&c, other).keyEpoch, 2);
    WORKS(cancel(&c, c.owner, other));
    REVERTS(provide(&c, c.owner, other, conf_code(1), 9), "NothingPending()");
    REVERTS(conf_publish(&c, other, 0, none), "UnknownContract(address)");
    conf_clear(&c);
}

/* ---- the queue ---- */

static enum world_outcome send(struct conf *c, struct address at, uint64_t sequence,
                               uint64_t expiry, uint64_t gas, uint64_t kind, size_t n,
                               uint64_t value)
{
    AUTO_FREE uint8_t *payload = xcalloc(n + 1, 1);
    struct buf b = {0};

    if (n >= 9) {
        payload[0] = 1; /* version and epoch of an envelope */
        payload[8] = 1;
    }
    confidential_contracts_put_send(&b, &at, sequence, expiry, gas, kind, bytes_of(payload, n));
    return conf_call(c, c->alice, value, &b);
}

TEST(commands_are_numbered_paid_and_hashed)
{
    AUTO_CLEAR(buf) struct buf entry = {0};
    struct hash32 queue;
    struct address at;
    struct conf c;
    uint64_t id, now;

    conf_init(&c);
    id = conf_add_cluster(&c, 3, 2, 2);
    at = conf_add_contract(&c, id, 1, 2);
    queue = conf_queue(&c, id).hash;
    now = c.w->height;
    REVERTS(send(&c, at, 1, now, GAS_CLASS, SEALED, 9, FEE), "WrongSequence(uint64)");
    REVERTS(send(&c, at, UINT64_MAX, now, GAS_CLASS, SEALED, 9, FEE), "WrongSequence(uint64)");
    REVERTS(send(&c, at, 0, now - 1, GAS_CLASS, SEALED, 9, FEE), "Expired(uint64)");
    REVERTS(send(&c, at, 0, now, GAS_CLASS * 8, SEALED, 9, 8 * FEE), "InvalidGas(uint64)");
    REVERTS(send(&c, at, 0, now, 0, SEALED, 9, FEE), "InvalidGas(uint64)");
    REVERTS(send(&c, at, 0, now, GAS_CLASS, SEALED, 9, FEE - 1), "InsufficientFee(uint256)");
    REVERTS(send(&c, at, 0, now, GAS_CLASS, ACTIVATE, 9, FEE), "InvalidKind(uint8)");
    REVERTS(send(&c, at, 0, now, GAS_CLASS, 0, 9, FEE), "InvalidKind(uint8)");
    REVERTS(send(&c, at, 0, now, GAS_CLASS, SEALED, 33025, FEE), "PayloadTooLong(uint64)");
    REVERTS(send(&c, at, 0, now, GAS_CLASS, SEALED, 8, FEE), "WrongEpoch(uint64)");
    REVERTS(send(&c, c.bob, 0, now, GAS_CLASS, SEALED, 9, FEE), "NotActive(address)");

    WORKS(send(&c, at, 0, now, GAS_CLASS, SEALED, 33024, FEE));
    CHECK_INT(conf_queued(&c).n, 110 + 33024);
    conf_queue_add(&queue, conf_queued(&c));
    WORKS(send(&c, at, 1, now + 9, 2 * GAS_CLASS, PLAIN, 0, 2 * FEE + 3));
    conf_entry(&entry, PLAIN, at, c.alice, 2, 1, now + 9, 2 * GAS_CLASS, 3, (struct bytes){0});
    CHECK_MEM(conf_queued(&c), buf_bytes(&entry));
    conf_queue_add(&queue, buf_bytes(&entry));
    /* One batch a block: the second of this cluster, whatever came in it. */
    CHECK_INT(conf_queue(&c, id).batches, 2);
    CHECK_INT(conf_batch(&c, id, 1).end, 3);
    CHECK_INT(conf_batch(&c, id, 1).height, now);
    CHECK_INT(conf_batch(&c, id, 1).time, c.w->time);
    CHECK_INT(conf_batch(&c, id, 1).fees.w[0], 4 * FEE);
    CHECK_HASH(conf_batch(&c, id, 1).hash, queue);
    conf_block(&c);
    /* A plain command may leave the number to the chain. */
    WORKS(send(&c, at, UINT64_MAX, UINT64_MAX, GAS_CLASS, PLAIN, 4, FEE));
    CHECK_INT(load_u64be(conf_queued(&c).p + 50), 2);
    CHECK_INT(conf_queue(&c, id).batches, 3);
    CHECK_INT(conf_batch(&c, id, 1).end, 3);
    CHECK_INT(conf_batch(&c, id, 2).end, 4);
    CHECK_INT(conf_coin(&c, id), 7 + 3);
    conf_clear(&c);
}
