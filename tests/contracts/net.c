#include "contracts/net.h"

#include "base/hex.h"
#include "crypto/hash.h"

void check_outcome_ok(const char *file, int line, struct world *w, enum world_outcome got)
{
    if (got == WORLD_OK)
        return;
    AUTO_CLEAR(buf) struct buf hex = {0};

    hex_put(&hex, w->ret);
    t_fail(file, line, "%s with %s", got == WORLD_REVERTED ? "reverted" : "trapped",
           buf_cstr(&hex));
}

void check_outcome_revert(const char *file, int line, struct world *w, enum world_outcome got,
                          const char *signature)
{
    struct hash32 h;
    AUTO_CLEAR(buf) struct buf hex = {0};

    if (got != WORLD_REVERTED)
        t_fail(file, line, "%s, expected revert %s", got == WORLD_OK ? "succeeded" : "trapped",
               signature);
    keccak256(&h, bytes_str(signature));
    hex_put(&hex, w->ret);
    if (*signature == 0 ? w->ret.n != 0 : w->ret.n < 4 || memcmp(w->ret.p, h.b, 4) != 0)
        t_fail(file, line, "reverted with %s, expected %s", buf_cstr(&hex), signature);
}

void net_init(struct net *n)
{
    struct buf b = {0};
    struct world *w = &n->w;

    world_init(w);
    n->admin = world_account(1);
    n->forwarder = world_account(2);
    n->treasury = world_account(3);
    n->registry = world_place(w, "DataRegistry");
    n->tees = world_place(w, "TeePool");
    n->dlps = world_place(w, "DLPRegistry");
    n->factory = world_place(w, "PoolFactory");
    data_registry_put_initialize(&b, &n->forwarder, &n->admin);
    CHECK_CALL(w, world_call(w, n->admin, n->registry, 0, &b));
    tee_pool_put_initialize(&b, &n->forwarder, &n->admin, &n->registry, REF(u256, U(3600)));
    CHECK_CALL(w, world_call(w, n->admin, n->tees, 0, &b));
    dlp_registry_put_initialize(&b, &n->admin);
    CHECK_CALL(w, world_call(w, n->admin, n->dlps, 0, &b));
    dlp_registry_put_updateTreasury(&b, &n->treasury);
    CHECK_CALL(w, world_call(w, n->admin, n->dlps, 0, &b));
    dlp_registry_put_updateDlpRegistrationDepositAmount(&b, REF(u256, U(1000)));
    CHECK_CALL(w, world_call(w, n->admin, n->dlps, 0, &b));
    struct hash32 dlp = world_code_hash("DataLiquidityPool"), token = world_code_hash("DataToken");

    pool_factory_put_initialize(&b, &n->admin, &n->forwarder, &n->registry, &n->tees, &n->dlps,
                                &dlp, &token);
    CHECK_CALL(w, world_call(w, n->admin, n->factory, 0, &b));
}

void net_clear(struct net *n)
{
    world_clear(&n->w);
}

void net_add_worker(struct net *n, struct worker *out, unsigned i)
{
    struct buf b = {0};
    uint8_t secret[32] = {0};
    struct err e;

    out->at = world_account(1000 + i);
    store_u32be(secret + 28, i + 1);
    CHECK_OK(secp_key_from_bytes(&out->key, secret, &e), &e);
    tee_pool_put_addTee(&b, &out->at, bytes_str("http://worker"), bytes_str("0xkey"));
    CHECK_CALL(&n->w, world_call(&n->w, n->admin, n->tees, 0, &b));
    struct address signer;

    secp_key_address(&signer, &out->key);
    tee_pool_put_setProofSigner(&b, &signer);
    CHECK_CALL(&n->w, world_call(&n->w, out->at, n->tees, 0, &b));
}

struct pool net_add_pool(struct net *n, struct address owner, const char *name, uint64_t rewards)
{
    struct buf b = {0};
    struct pool_factory_createPool_result made;
    struct err e;
    struct pool_factory_PoolParams p = {
        .ownerAddress = owner,
        .treasuryAddress = n->treasury,
        .name = bytes_str(name),
        .tokenName = bytes_str("Token"),
        .tokenSymbol = bytes_str("TOK"),
        .tokenCap = U(UINT64_MAX),
        .ownerSupply = U(500),
        .rewardsSupply = U(rewards),
        .publicKey = bytes_str("pk"),
        .proofInstruction = bytes_str("ipfs://validator"),
        .fileRewardFactor = U(100),
    };

    world_set_balance(&n->w, owner, 1000);
    pool_factory_put_createPool(&b, &p);
    CHECK_CALL(&n->w, world_call(&n->w, owner, n->factory, 1000, &b));
    CHECK_OK(pool_factory_get_createPool(&made, NULL, n->w.ret, &e), &e);
    return (struct pool){made.dlpId, made.dlp, made.token};
}

struct u256 net_add_file(struct net *n, struct address owner, const char *url)
{
    struct buf b = {0};
    struct u256 id;
    struct err e;

    data_registry_put_addFile(&b, bytes_str(url));
    CHECK_CALL(&n->w, world_call(&n->w, owner, n->registry, 0, &b));
    CHECK_OK(data_registry_get_addFile(&id, NULL, n->w.ret, &e), &e);
    return id;
}

struct u256 net_add_job(struct net *n, struct address from, struct u256 file, uint64_t bid)
{
    struct buf b = {0};
    struct tee_pool_event_JobSubmitted ev;
    struct err e;

    tee_pool_put_requestContributionProof(&b, &file);
    CHECK_CALL(&n->w, world_call(&n->w, from, n->tees, bid, &b));
    CHECK_INT(n->w.n_logs, 1);
    CHECK_OK(tee_pool_parse_JobSubmitted(&ev, NULL, n->w.logs[0].topics, n->w.logs[0].n_topics,
                                         n->w.logs[0].data, &e),
             &e);
    return ev.jobId;
}

struct tee_pool_Proof net_proof(struct net *n, const struct secp_key *key, const char *url,
                                uint64_t score, struct u256 dlp_id, const char *instruction)
{
    struct tee_pool_Proof p = {.data = {.score = U(score),
                                        .dlpId = dlp_id,
                                        .metadata = bytes_str("{\"m\":1}"),
                                        .proofUrl = bytes_str("ipfs://proof"),
                                        .instruction = bytes_str(instruction)}};
    AUTO_CLEAR(buf) struct buf packed = {0}, text = {0};
    struct hash32 h;
    struct secp_sig sig;

    buf_put_str(&packed, url);
    abi_put_u256(&packed, &p.data.score);
    abi_put_u256(&packed, &p.data.dlpId);
    buf_put_bytes(&packed, p.data.metadata);
    buf_put_bytes(&packed, p.data.proofUrl);
    buf_put_bytes(&packed, p.data.instruction);
    keccak256(&h, buf_bytes(&packed));
    buf_put_str(&text, "\x19"
                       "Ethereum Signed Message:\n32");
    buf_put_bytes(&text, BYTES_OF(&h));
    keccak256(&h, buf_bytes(&text));
    secp_sign(&sig, key, &h);
    p.signature = arena_dup(&n->w.a, BYTES_OF(&sig));
    return p;
}
