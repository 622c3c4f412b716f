/* Key records: this worker says which public key a contract has in an epoch, with the code it has
 * in hand. More than half of the members saying the same makes it count. */
#include "base/log.h"
#include "base/mem.h"
#include "chain/contracts.h"
#include "os/clock.h"
#include "worker/contract/cluster.h"

#define SCAN_EVERY_MS 400
#define PUBLISH_GAS 2000000

static enum rc publish(struct cluster *c, const struct cluster_view *v,
                       const struct address *contract, const struct hash32 *code_hash,
                       struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    const struct cluster_domain domain = {c->w->chain_id, c->w->config.confidential};
    const struct contract_keys *keys;
    struct hash32 digest, public_key;
    struct secp_sig sig;

    TRY(range_fetch_code(c, contract, code_hash, v->height, e));
    TRY(keyring_get(c->keys, &keys, contract, v->epoch, CLUSTER_KEY_WAIT_MS, e));
    key_record_digest(&digest, &domain, contract, v->epoch, keys->public32, code_hash);
    secp_sign(&sig, &c->w->keys->commit, &digest);
    memcpy(public_key.b, keys->public32, sizeof(public_key.b));
    confidential_contracts_put_publishKey(&data, contract, v->epoch, &public_key, code_hash,
                                          BYTES_OF(&sig));
    return cluster_transact(c, buf_bytes(&data), NULL, PUBLISH_GAS, e);
}

/* The code that a record of ours is wanted for. */
static bool wants_record(const struct cluster_view *v, const struct contract_view *x,
                         const struct key_vote_view *vote, struct hash32 *code_hash)
{
    bool has_wish = !hash32_is_zero(&x->wanted_code_hash);

    *code_hash = has_wish ? x->wanted_code_hash : x->code_hash;
    if ((!x->is_waiting && !x->is_active) || hash32_is_zero(code_hash))
        return false;
    if (vote->epoch == v->epoch && hash32_eq(&vote->code_hash, code_hash))
        return false;
    return has_wish || x->key_epoch != v->epoch;
}

enum rc records_publish(struct cluster *c, const struct cluster_view *v, struct err *e)
{
    uint64_t now = clock_mono_ms();

    if (c->records_seen == v->n_contracts && now < c->next_records_ms)
        return RC_OK;
    c->records_seen = v->n_contracts;
    for (uint64_t at = 0; at < v->n_contracts && !c->stopping;) {
        AUTO_CLEAR(arena) struct arena a = {0};
        struct contract_view x[VIEW_CONTRACTS_MAX];
        struct key_vote_view votes[VIEW_CONTRACTS_MAX];
        uint64_t n = v->n_contracts - at;

        n = n < VIEW_CONTRACTS_MAX ? n : VIEW_CONTRACTS_MAX;
        TRY(view_contracts(c->w, x, votes, &a, c->id, at, n, v->height, e));
        for (uint64_t i = 0; i < n && !c->stopping; i++) {
            struct hash32 code_hash;
            struct err why = {0};

            if (!wants_record(v, &x[i], &votes[i], &code_hash))
                continue;
            /* One contract whose code cannot be had must not hold up the others. */
            if (publish(c, v, &x[i].address, &code_hash, &why) != RC_OK)
                cluster_say(c, "key record", why.msg);
        }
        at += n;
    }
    c->next_records_ms = clock_mono_ms() + SCAN_EVERY_MS;
    return RC_OK;
}
