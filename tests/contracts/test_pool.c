/* Pools end to end: factory, registry of pools, token, rewards. */
#include "contracts/net.h"

#define ONE 1000000000000000000ull
#define HALF (ONE / 2)
#define INSTRUCTION "ipfs://validator"

struct fixture {
    struct net n;
    struct world *w;
    struct worker a;
    struct pool p;
    struct address owner, alice, bob;
};

static void fixture_init(struct fixture *f)
{
    net_init(&f->n);
    f->w = &f->n.w;
    f->owner = world_account(20);
    f->alice = world_account(21);
    f->bob = world_account(22);
    world_set_balance(f->w, f->alice, 1000000);
    net_add_worker(&f->n, &f->a, 0);
    f->p = net_add_pool(&f->n, f->owner, "first pool", 1000);
}

static enum world_outcome reward(struct fixture *f, struct u256 file, uint64_t index)
{
    struct buf b = {0};

    data_liquidity_pool_put_requestReward(&b, &file, REF(u256, U(index)));
    return world_call(f->w, f->bob, f->p.dlp, 0, &b);
}

static struct u256 tokens_of(struct fixture *f, struct address who)
{
    struct buf b = {0};
    struct u256 v;
    struct err e;

    data_token_put_balanceOf(&b, &who);
    CHECK_CALL(f->w, world_view(f->w, f->p.token, &b));
    CHECK_OK(data_token_get_balanceOf(&v, NULL, f->w->ret, &e), &e);
    return v;
}

static struct u256 rewards_left(struct fixture *f)
{
    struct buf b = {0};
    struct u256 v;
    struct err e;

    data_liquidity_pool_put_totalContributorsRewardAmount(&b);
    CHECK_CALL(f->w, world_view(f->w, f->p.dlp, &b));
    CHECK_OK(data_liquidity_pool_get_totalContributorsRewardAmount(&v, NULL, f->w->ret, &e), &e);
    return v;
}

/* A file of alice's with one proof through TeePool; returns its id. */
static struct u256 proved(struct fixture *f, const char *url, uint64_t score, struct u256 dlp,
                          const char *instruction)
{
    struct buf b = {0};
    struct u256 file = net_add_file(&f->n, f->alice, url);
    struct u256 job = net_add_job(&f->n, f->alice, file, 1);
    struct tee_pool_Proof p = net_proof(&f->n, &f->a.key, url, score, dlp, instruction);

    tee_pool_put_addProof(&b, &job, &p);
    CHECK_CALL(f->w, world_call(f->w, f->a.at, f->n.tees, 0, &b));
    return file;
}

TEST(factory_gives_everything_to_the_owner)
{
    struct fixture f;
    struct buf b = {0};
    struct err e;
    bool has;
    struct dlp_registry_DlpInfo info;

    fixture_init(&f);
    CHECK_U256(f.p.id, 1);
    CHECK_U256(world_balance(f.w, f.n.treasury), 1000);
    CHECK_U256(world_balance(f.w, f.n.factory), 0);
    CHECK_U256(tokens_of(&f, f.owner), 500);
    CHECK_U256(tokens_of(&f, f.p.dlp), 1000);
    CHECK_U256(tokens_of(&f, f.n.factory), 0);
    CHECK_U256(rewards_left(&f), 1000);
    dlp_registry_put_dlps(&b, &f.p.id);
    CHECK_CALL(f.w, world_view(f.w, f.n.dlps, &b));
    CHECK_OK(dlp_registry_get_dlps(&info, NULL, f.w->ret, &e), &e);
    CHECK_ADDRESS(info.dlpAddress, f.p.dlp);
    CHECK_ADDRESS(info.ownerAddress, f.owner);
    CHECK_INT(info.status, 1);
    struct hash32 admin_role = {{0}};

    data_liquidity_pool_put_hasRole(&b, &admin_role, &f.n.factory);
    CHECK_CALL(f.w, world_view(f.w, f.p.dlp, &b));
    CHECK_OK(data_liquidity_pool_get_hasRole(&has, NULL, f.w->ret, &e), &e);
    CHECK_TRUE(!has);
    data_token_put_hasRole(&b, &admin_role, &f.owner);
    CHECK_CALL(f.w, world_view(f.w, f.p.token, &b));
    CHECK_OK(data_token_get_hasRole(&has, NULL, f.w->ret, &e), &e);
    CHECK_TRUE(has);
    net_clear(&f.n);
}

TEST(factory_refuses)
{
    struct fixture f;
    struct buf b = {0};
    struct pool_factory_PoolParams p = {.ownerAddress = world_account(20),
                                        .treasuryAddress = world_account(20),
                                        .name = bytes_str("another"),
                                        .tokenName = bytes_str("T"),
                                        .tokenSymbol = bytes_str("T"),
                                        .tokenCap = U(10)};

    fixture_init(&f);
    world_set_balance(f.w, f.owner, 5000);
    pool_factory_put_createPool(&b, &p);
    CHECK_REVERT(f.w, world_call(f.w, f.owner, f.n.factory, 1001, &b), "InvalidDepositAmount()");
    p.name = bytes_str("first pool");
    pool_factory_put_createPool(&b, &p);
    CHECK_REVERT(f.w, world_call(f.w, f.owner, f.n.factory, 1000, &b), "InvalidName()");
    p.name = bytes_str("another");
    p.ownerSupply = U(11);
    pool_factory_put_createPool(&b, &p);
    CHECK_REVERT(f.w, world_call(f.w, f.owner, f.n.factory, 1000, &b),
                 "ERC20ExceededCap(uint256,uint256)");
    p.ownerSupply = U(0);
    p.ownerAddress = (struct address){{0}};
    pool_factory_put_createPool(&b, &p);
    CHECK_REVERT(f.w, world_call(f.w, f.owner, f.n.factory, 1000, &b), "InvalidAddress()");
    CHECK_U256(world_balance(f.w, f.owner), 5000);
    net_clear(&f.n);
}

TEST(reward_is_paid_once_to_the_file_owner)
{
    struct fixture f;

    fixture_init(&f);
    struct u256 file = proved(&f, "ipfs://one", HALF, f.p.id, INSTRUCTION);

    CHECK_CALL(f.w, reward(&f, file, 1));
    CHECK_INT(f.w->n_logs, 2); /* Transfer, RewardRequested */
    CHECK_MEM(BYTES_OF(&f.w->logs[1].topics[0]),
              BYTES_OF(&data_liquidity_pool_topic_RewardRequested));
    CHECK_U256(tokens_of(&f, f.alice), 50); /* 100 * 0.5 */
    CHECK_U256(rewards_left(&f), 950);
    CHECK_REVERT(f.w, reward(&f, file, 1), "FileAlreadyAdded()");
    net_clear(&f.n);
}

TEST(reward_refusals_in_order)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    struct u256 other_code = proved(&f, "u1", HALF, f.p.id, "ipfs://other");
    struct u256 other_pool = proved(&f, "u2", HALF, U(2), INSTRUCTION);
    struct u256 no_score = proved(&f, "u3", 0, f.p.id, INSTRUCTION);
    struct u256 above = proved(&f, "u4", ONE + 1, f.p.id, INSTRUCTION);
    struct u256 file = net_add_file(&f.n, f.alice, "u5");

    CHECK_REVERT(f.w, reward(&f, other_code, 1), "InvalidProof()");
    CHECK_REVERT(f.w, reward(&f, other_pool, 1), "InvalidProof()");
    CHECK_REVERT(f.w, reward(&f, no_score, 1), "InvalidScore()");
    CHECK_REVERT(f.w, reward(&f, above, 1), "InvalidScore()");
    CHECK_REVERT(f.w, reward(&f, file, 1), "InvalidProof()"); /* no proof at all */

    /* A true signature of a true worker, put into the open registry by a stranger: not recorded. */
    struct tee_pool_Proof t = net_proof(&f.n, &f.a.key, "u5", HALF, f.p.id, INSTRUCTION);
    struct data_registry_Proof direct = {
        t.signature,
        {t.data.score, t.data.dlpId, t.data.metadata, t.data.proofUrl, t.data.instruction}};

    data_registry_put_addProof(&b, &file, &direct);
    CHECK_CALL(f.w, world_call(f.w, f.bob, f.n.registry, 0, &b));
    CHECK_REVERT(f.w, reward(&f, file, 1), "InvalidAttestator()");
    net_clear(&f.n);
}

TEST(dismissal_after_the_proof_changes_nothing)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    struct u256 file = proved(&f, "ipfs://one", ONE, f.p.id, INSTRUCTION);

    tee_pool_put_removeTee(&b, &f.a.at);
    CHECK_CALL(f.w, world_call(f.w, f.n.admin, f.n.tees, 0, &b));
    CHECK_CALL(f.w, reward(&f, file, 1));
    CHECK_U256(tokens_of(&f, f.alice), 100);
    net_clear(&f.n);
}

TEST(rewards_never_exceed_what_was_brought_in)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    data_liquidity_pool_put_updateFileRewardFactor(&b, REF(u256, U(1001)));
    CHECK_CALL(f.w, world_call(f.w, f.owner, f.p.dlp, 0, &b));
    struct u256 file = proved(&f, "ipfs://one", ONE, f.p.id, INSTRUCTION);

    /* a plain transfer does not count */
    data_token_put_transfer(&b, &f.p.dlp, REF(u256, U(500)));
    CHECK_CALL(f.w, world_call(f.w, f.owner, f.p.token, 0, &b));
    CHECK_REVERT(f.w, reward(&f, file, 1), "Panic(uint256)");
    net_clear(&f.n);
}

TEST(a_reward_of_nothing_uses_the_file_up)
{
    struct fixture f;

    fixture_init(&f);
    struct u256 file = proved(&f, "ipfs://one", 1, f.p.id, INSTRUCTION); /* 100e-18 rounds to 0 */

    CHECK_CALL(f.w, reward(&f, file, 1));
    CHECK_REVERT(f.w, reward(&f, file, 1), "FileAlreadyAdded()");
    net_clear(&f.n);
}

TEST(lists_of_contributors_and_files)
{
    struct fixture f;
    struct buf b = {0};
    struct err e;
    struct data_liquidity_pool_ContributorInfoResponse c;
    struct data_liquidity_pool_FileResponse r;
    struct u256 n;

    fixture_init(&f);
    struct u256 one = proved(&f, "u1", ONE, f.p.id, INSTRUCTION);
    struct u256 two = proved(&f, "u2", HALF, f.p.id, INSTRUCTION);

    CHECK_CALL(f.w, reward(&f, one, 1));
    CHECK_CALL(f.w, reward(&f, two, 1));
    data_liquidity_pool_put_contributorsCount(&b);
    CHECK_CALL(f.w, world_view(f.w, f.p.dlp, &b));
    CHECK_OK(data_liquidity_pool_get_contributorsCount(&n, NULL, f.w->ret, &e), &e);
    CHECK_U256(n, 1);
    data_liquidity_pool_put_contributors(&b, REF(u256, U(1)));
    CHECK_CALL(f.w, world_view(f.w, f.p.dlp, &b));
    CHECK_OK(data_liquidity_pool_get_contributors(&c, NULL, f.w->ret, &e), &e);
    CHECK_ADDRESS(c.contributorAddress, f.alice);
    CHECK_U256(c.filesListCount, 2);
    data_liquidity_pool_put_contributorFiles(&b, &f.alice, REF(u256, U(1)));
    CHECK_CALL(f.w, world_view(f.w, f.p.dlp, &b));
    CHECK_OK(data_liquidity_pool_get_contributorFiles(&r, NULL, f.w->ret, &e), &e);
    CHECK_U256(r.fileId, 2);
    CHECK_U256(r.rewardAmount, 50);
    data_liquidity_pool_put_filesListAt(&b, REF(u256, U(2)));
    CHECK_REVERT(f.w, world_view(f.w, f.p.dlp, &b), "Panic(uint256)");
    net_clear(&f.n);
}

static enum world_outcome register_dlp(struct fixture *f, struct dlp_registry_DlpRegistration *r,
                                       uint64_t value)
{
    struct buf b = {0};

    dlp_registry_put_registerDlp(&b, r);
    return world_call(f->w, f->alice, f->n.dlps, value, &b);
}

TEST(registration_rules)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    struct dlp_registry_DlpRegistration r = {
        .dlpAddress = f.p.dlp, .ownerAddress = f.alice, .name = bytes_str("a  b c")};

    CHECK_REVERT(f.w, register_dlp(&f, &r, 0), "InvalidAddress()");
    r.treasuryAddress = f.alice;
    CHECK_REVERT(f.w, register_dlp(&f, &r, 0), "InvalidDlpStatus()"); /* the address is taken */
    r.dlpAddress = world_account(77);
    CHECK_REVERT(f.w, register_dlp(&f, &r, 0), "InvalidName()"); /* three letters */
    r.name = bytes_str("second");
    CHECK_REVERT(f.w, register_dlp(&f, &r, 999), "InvalidDepositAmount()");
    CHECK_CALL(f.w, register_dlp(&f, &r, 1000));
    CHECK_INT(f.w->n_logs, 2);
    CHECK_MEM(BYTES_OF(&f.w->logs[0].topics[0]), BYTES_OF(&dlp_registry_topic_DlpRegistered));
    CHECK_MEM(BYTES_OF(&f.w->logs[1].topics[0]), BYTES_OF(&dlp_registry_topic_DlpStatusUpdated));

    dlp_registry_put_updateTreasury(&b, &(struct address){{0}});
    CHECK_CALL(f.w, world_call(f.w, f.n.admin, f.n.dlps, 0, &b));
    struct dlp_registry_DlpRegistration third = r;

    third.dlpAddress = world_account(79);
    third.name = bytes_str("third");
    CHECK_REVERT(f.w, register_dlp(&f, &third, 1000), "TransferFailed()");

    dlp_registry_put_updateDlp(&b, REF(u256, U(2)), &r);
    CHECK_REVERT(f.w, world_call(f.w, f.bob, f.n.dlps, 0, &b), "NotDlpOwner()");
    r.dlpAddress = world_account(78);
    dlp_registry_put_updateDlp(&b, REF(u256, U(2)), &r);
    CHECK_REVERT(f.w, world_call(f.w, f.alice, f.n.dlps, 0, &b), "DlpAddressCannotBeChanged()");
    r.dlpAddress = world_account(77);
    r.name = bytes_str("first pool");
    dlp_registry_put_updateDlp(&b, REF(u256, U(2)), &r);
    CHECK_REVERT(f.w, world_call(f.w, f.alice, f.n.dlps, 0, &b), "InvalidName()");
    dlp_registry_put_deregisterDlp(&b, REF(u256, U(2)));
    CHECK_CALL(f.w, world_call(f.w, f.alice, f.n.dlps, 0, &b));
    dlp_registry_put_deregisterDlp(&b, REF(u256, U(2)));
    CHECK_REVERT(f.w, world_call(f.w, f.alice, f.n.dlps, 0, &b), "InvalidDlpStatus()");
    net_clear(&f.n);
}

static bool is_eligible(struct fixture *f)
{
    struct buf b = {0};
    struct err e;
    bool v;

    dlp_registry_put_isEligibleDlp(&b, &f->p.id);
    CHECK_CALL(f->w, world_view(f->w, f->n.dlps, &b));
    CHECK_OK(dlp_registry_get_isEligibleDlp(&v, NULL, f->w->ret, &e), &e);
    return v;
}

TEST(eligibility_follows_its_three_conditions)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    dlp_registry_put_updateDlpToken(&b, &f.p.id, &f.p.token, REF(u256, U(5)));
    CHECK_REVERT(f.w, world_call(f.w, f.owner, f.n.dlps, 0, &b),
                 "AccessControlUnauthorizedAccount(address,bytes32)");
    dlp_registry_put_updateDlpToken(&b, &f.p.id, &f.p.token, REF(u256, U(5)));
    CHECK_CALL(f.w, world_call(f.w, f.n.admin, f.n.dlps, 0, &b));
    CHECK_TRUE(!is_eligible(&f));
    dlp_registry_put_updateDlpVerificationBlock(&b, &f.p.id, REF(u256, U(9)));
    CHECK_CALL(f.w, world_call(f.w, f.n.admin, f.n.dlps, 0, &b));
    CHECK_TRUE(is_eligible(&f));
    dlp_registry_put_unverifyDlp(&b, &f.p.id);
    CHECK_CALL(f.w, world_call(f.w, f.n.admin, f.n.dlps, 0, &b));
    CHECK_TRUE(!is_eligible(&f));
    dlp_registry_put_deregisterDlp(&b, &f.p.id);
    CHECK_CALL(f.w, world_call(f.w, f.owner, f.n.dlps, 0, &b));
    dlp_registry_put_updateDlpVerificationBlock(&b, &f.p.id, REF(u256, U(9)));
    CHECK_REVERT(f.w, world_call(f.w, f.n.admin, f.n.dlps, 0, &b), "InvalidDlpStatus()");
    net_clear(&f.n);
}

TEST(token_rules)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    data_token_put_transfer(&b, &f.bob, REF(u256, U(501)));
    CHECK_REVERT(f.w, world_call(f.w, f.owner, f.p.token, 0, &b),
                 "ERC20InsufficientBalance(address,uint256,uint256)");
    data_token_put_transfer(&b, &(struct address){{0}}, REF(u256, U(1)));
    CHECK_REVERT(f.w, world_call(f.w, f.owner, f.p.token, 0, &b), "ERC20InvalidReceiver(address)");
    data_token_put_transferFrom(&b, &f.owner, &f.bob, REF(u256, U(1)));
    CHECK_REVERT(f.w, world_call(f.w, f.bob, f.p.token, 0, &b),
                 "ERC20InsufficientAllowance(address,uint256,uint256)");
    data_token_put_approve(&b, &f.bob, REF(u256, U(10)));
    CHECK_CALL(f.w, world_call(f.w, f.owner, f.p.token, 0, &b));
    data_token_put_transferFrom(&b, &f.owner, &f.bob, REF(u256, U(4)));
    CHECK_CALL(f.w, world_call(f.w, f.bob, f.p.token, 0, &b));
    CHECK_U256(tokens_of(&f, f.bob), 4);
    data_token_put_mint(&b, &f.bob, REF(u256, U(4)));
    CHECK_REVERT(f.w, world_call(f.w, f.bob, f.p.token, 0, &b),
                 "AccessControlUnauthorizedAccount(address,bytes32)");
    data_token_put_blockAddress(&b, &f.bob);
    CHECK_CALL(f.w, world_call(f.w, f.owner, f.p.token, 0, &b));
    data_token_put_transfer(&b, &f.alice, REF(u256, U(1)));
    CHECK_REVERT(f.w, world_call(f.w, f.bob, f.p.token, 0, &b), "AccountBlocked()");
    data_token_put_transfer(&b, &f.bob, REF(u256, U(1)));
    CHECK_REVERT(f.w, world_call(f.w, f.owner, f.p.token, 0, &b), "AccountBlocked()");
    data_token_put_blockAddress(&b, &f.owner);
    CHECK_REVERT(f.w, world_call(f.w, f.owner, f.p.token, 0, &b),
                 "BlockingRejected(address,string)");
    data_token_put_unblockAddress(&b, &f.alice);
    CHECK_REVERT(f.w, world_call(f.w, f.owner, f.p.token, 0, &b),
                 "BlockListDoesNotContain(address)");
    data_token_put_burn(&b, REF(u256, U(496)));
    CHECK_CALL(f.w, world_call(f.w, f.owner, f.p.token, 0, &b));
    CHECK_U256(tokens_of(&f, f.owner), 0);
    net_clear(&f.n);
}
