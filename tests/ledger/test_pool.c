#include "crypto/secp256k1.h"
#include "ledger/pool.h"
#include "world.h"

struct fixture {
    struct arena mem;
    struct block_env env;
    struct secp_key keys[3];
    struct address senders[3];
    struct account accounts[3];
    struct pool *pool;
};

static enum rc account_of(void *data, const struct address *a, struct account *out, struct err *e)
{
    struct fixture *f = data;

    (void)e;
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < 3; i++)
        if (address_eq(&f->senders[i], a))
            *out = f->accounts[i];
    return RC_OK;
}

static void setup(struct fixture *f)
{
    struct err e;

    memset(f, 0, sizeof(*f));
    f->env = (struct block_env){
        .chain_id = 1337, .base_fee_wei = {{BASE_FEE}}, .gas_limit = 10000000, .height = 1};
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t k[32] = {0};

        k[31] = (uint8_t)(i + 1);
        CHECK_OK(secp_key_from_bytes(&f->keys[i], k, &e), &e);
        secp_key_address(&f->senders[i], &f->keys[i]);
        f->accounts[i].balance = u256_from_u64(1000000000000u);
    }
    f->pool = pool_new(&(struct pool_config){.account = account_of, .data = f, .parked_max = 70});
}

static void teardown(struct fixture *f)
{
    pool_free(f->pool);
    arena_clear(&f->mem);
}

static struct ledger_tx signed_tx(struct fixture *f, unsigned who_, uint64_t nonce, uint64_t fee,
                                  uint64_t tip, uint64_t gas)
{
    struct tx t = {.type = TX_DYNAMIC_FEE,
                   .has_chain_id = true,
                   .chain_id = 1337,
                   .nonce = nonce,
                   .max_fee_wei = u256_from_u64(fee),
                   .gas_price_wei = u256_from_u64(fee),
                   .max_priority_wei = u256_from_u64(tip),
                   .gas_limit = gas,
                   .to = {{9}}};
    AUTO_CLEAR(buf) struct buf raw = {0};
    struct ledger_tx out;
    struct err e;

    CHECK_OK(tx_sign(&t, &f->keys[who_], &e), &e);
    tx_encode(&raw, &t);
    ledger_tx_prepare(&out, arena_dup(&f->mem, buf_bytes(&raw)), &f->mem, &e);
    CHECK_INT(out.decoded, TX_OK);
    CHECK_MEM(BYTES_OF(&out.sender), BYTES_OF(&f->senders[who_]));
    return out;
}

static enum rc add(struct fixture *f, unsigned who_, uint64_t nonce, uint64_t fee, uint64_t tip,
                   enum tx_code *code, struct err *e)
{
    struct ledger_tx t = signed_tx(f, who_, nonce, fee, tip, 21000);

    return pool_add(f->pool, &f->env, &t, code, e);
}

static uint64_t next_nonce(struct fixture *f, unsigned who_)
{
    uint64_t n;
    struct err e;

    CHECK_OK(pool_next_nonce(f->pool, &f->senders[who_], &n, &e), &e);
    return n;
}

TEST(refusals_in_geths_words)
{
    struct fixture f;
    struct ledger_tx t;
    enum tx_code code;
    struct err e;

    setup(&f);
    f.accounts[0].nonce = 5;
    CHECK_RC(add(&f, 0, 4, 20, 1, &code, &e), RC_DENIED, &e,
             "nonce too low: next nonce 5, tx nonce 4");
    CHECK_INT(code, TX_NONCE_LOW);
    t = signed_tx(&f, 0, 5, 20, 1, 20999);
    CHECK_RC(pool_add(f.pool, &f.env, &t, &code, &e), RC_DENIED, &e,
             "intrinsic gas too low: gas 20999, minimum needed 21000");
    t = signed_tx(&f, 0, 5, 20, 1, 10000001);
    CHECK_RC(pool_add(f.pool, &f.env, &t, &code, &e), RC_DENIED, &e, "exceeds block gas limit");
    CHECK_RC(add(&f, 0, 5, 6, 1, &code, &e), RC_DENIED, &e,
             "max fee per gas less than block base fee: maxFeePerGas: 6, baseFee: 7");
    f.accounts[0].balance = u256_from_u64(20 * 21000 - 1);
    CHECK_RC(add(&f, 0, 5, 20, 1, &code, &e), RC_DENIED, &e,
             "insufficient funds for gas * price + value: balance 419999, tx cost");
    CHECK_INT(code, TX_NO_FUNDS);
    f.accounts[0].balance = u256_from_u64(20 * 21000);
    CHECK_OK(add(&f, 0, 5, 20, 1, &code, &e), &e);
    CHECK_RC(add(&f, 0, 5, 20, 1, &code, &e), RC_EXISTS, &e, "already known");
    CHECK_RC(add(&f, 0, 6, 20, 1, &code, &e), RC_DENIED, &e, "insufficient funds");
    f.env.chain_id = 1;
    CHECK_RC(add(&f, 1, 0, 20, 1, &code, &e), RC_DENIED, &e,
             "invalid chain id for signer: have 1337 want 1");
    teardown(&f);
}

TEST(gaps_are_parked_and_filled)
{
    struct fixture f;
    struct err e;

    setup(&f);
    CHECK_OK(add(&f, 0, 2, 20, 1, NULL, &e), &e);
    CHECK_OK(add(&f, 0, 1, 20, 1, NULL, &e), &e);
    CHECK_INT(pool_n_ready(f.pool), 0);
    CHECK_INT(pool_n_parked(f.pool), 2);
    CHECK_INT(next_nonce(&f, 0), 0);
    CHECK_OK(add(&f, 0, 0, 20, 1, NULL, &e), &e);
    CHECK_INT(pool_n_ready(f.pool), 3);
    CHECK_INT(next_nonce(&f, 0), 3);
    for (uint64_t n = 0; n < POOL_SENDER_PARKED_MAX; n++)
        CHECK_OK(add(&f, 0, 100 + n, 20, 1, NULL, &e), &e);
    CHECK_RC(add(&f, 0, 500, 20, 1, NULL, &e), RC_LIMIT, &e, "next nonce 3, tx nonce 500");
    for (uint64_t n = 0; n < 70 - POOL_SENDER_PARKED_MAX; n++)
        CHECK_OK(add(&f, 1, 100 + n, 20, 1, NULL, &e), &e);
    CHECK_RC(add(&f, 1, 500, 20, 1, NULL, &e), RC_LIMIT, &e, "txpool is full");
    CHECK_OK(add(&f, 1, 0, 20, 1, NULL, &e), &e); /* ready ones still get in */
    /* Two were mined; one turned out bad. */
    f.accounts[0].nonce = 2;
    CHECK_OK(pool_block_done(f.pool, f.senders, 2, &e), &e);
    CHECK_INT(pool_n_ready(f.pool), 2);
    CHECK_INT(next_nonce(&f, 0), 3);
    teardown(&f);
}

TEST(replacement)
{
    struct fixture f;
    struct ledger_tx old, better;
    struct err e;

    setup(&f);
    old = signed_tx(&f, 0, 0, 100, 10, 21000);
    CHECK_OK(pool_add(f.pool, &f.env, &old, NULL, &e), &e);
    CHECK_RC(add(&f, 0, 0, 109, 11, NULL, &e), RC_DENIED, &e,
             "replacement transaction underpriced");
    CHECK_RC(add(&f, 0, 0, 110, 10, NULL, &e), RC_DENIED, &e, "underpriced");
    CHECK_OK(add(&f, 0, 1, 100, 10, NULL, &e), &e);
    better = signed_tx(&f, 0, 0, 110, 11, 21000);
    CHECK_OK(pool_add(f.pool, &f.env, &better, NULL, &e), &e);
    CHECK_TRUE(pool_find(f.pool, &old.hash) == NULL);
    CHECK_TRUE(pool_find(f.pool, &better.hash) != NULL);
    CHECK_MEM(pool_find(f.pool, &better.hash)->raw, better.raw);
    CHECK_INT(pool_n_ready(f.pool), 2);
    pool_remove(f.pool, &better.hash);
    CHECK_INT(pool_n_ready(f.pool), 0);
    CHECK_INT(pool_n_parked(f.pool), 1);
    teardown(&f);
}

TEST(taking_for_a_block)
{
    struct fixture f;
    const struct ledger_tx *out[10];
    struct ledger_tx t;
    size_t n;
    struct err e;

    setup(&f);
    CHECK_OK(add(&f, 0, 0, 100, 1, NULL, &e), &e);
    CHECK_OK(add(&f, 0, 1, 100, 50, NULL, &e), &e);
    CHECK_OK(add(&f, 1, 0, 100, 5, NULL, &e), &e);
    CHECK_OK(add(&f, 1, 1, 10, 10, NULL, &e), &e); /* 10 - base fee leaves 3 */
    CHECK_OK(add(&f, 2, 0, 100, 5, NULL, &e), &e);
    CHECK_OK(add(&f, 2, 7, 100, 90, NULL, &e), &e); /* parked */
    n = pool_take(f.pool, &f.env, 1 << 20, out, 10);
    CHECK_INT(n, 5);
    CHECK_MEM(BYTES_OF(&out[0]->sender), BYTES_OF(&f.senders[1]));
    CHECK_MEM(BYTES_OF(&out[1]->sender), BYTES_OF(&f.senders[2]));
    CHECK_MEM(BYTES_OF(&out[2]->sender), BYTES_OF(&f.senders[1]));
    CHECK_INT(out[2]->tx.nonce, 1);
    CHECK_INT(out[3]->tx.nonce, 0);
    CHECK_INT(out[4]->tx.nonce, 1);
    CHECK_MEM(BYTES_OF(&out[4]->sender), BYTES_OF(&f.senders[0]));
    CHECK_INT(pool_take(f.pool, &f.env, 1 << 20, out, 2), 2);
    CHECK_INT(pool_take(f.pool, &f.env, out[0]->raw.n, out, 10), 1);
    f.env.gas_limit = 21000 * 2 + 1;
    CHECK_INT(pool_take(f.pool, &f.env, 1 << 20, out, 10), 2);
    /* What is too big holds up its own sender alone. */
    f.env.gas_limit = 10000000;
    t = signed_tx(&f, 2, 1, 1000, 999, 9000000);
    CHECK_OK(pool_add(f.pool, &f.env, &t, NULL, &e), &e);
    f.env.gas_limit = 200000;
    CHECK_INT(pool_take(f.pool, &f.env, 1 << 20, out, 10), 5);
    f.env.base_fee_wei = u256_from_u64(50); /* the fee of 10 waits */
    CHECK_INT(pool_take(f.pool, &f.env, 1 << 20, out, 10), 4);
    teardown(&f);
}

/* Random traffic against counts and orders that must hold. */
TEST(random_traffic)
{
    struct fixture f;
    struct err e;

    setup(&f);
    for (int step = 0; step < 1500; step++) {
        const struct ledger_tx *out[40];
        uint64_t expect[3];
        unsigned a = (unsigned)t_rand_below(3);
        size_t n;

        if (t_rand_below(8) != 0) {
            (void)add(&f, a, f.accounts[a].nonce + t_rand_below(6), 10 + t_rand_below(30),
                      t_rand_below(10), NULL, &e);
            continue;
        }
        n = pool_take(f.pool, &f.env, 1 << 20, out, t_rand_below(40));
        for (unsigned i = 0; i < 3; i++)
            expect[i] = f.accounts[i].nonce;
        for (size_t i = 0; i < n; i++)
            for (unsigned k = 0; k < 3; k++)
                if (address_eq(&out[i]->sender, &f.senders[k]))
                    CHECK_INT(out[i]->tx.nonce, expect[k]++);
        if (n > 0 && t_rand_below(4) == 0) {
            struct hash32 gone = out[t_rand_below(n)]->hash;

            pool_remove(f.pool, &gone);
            continue;
        }
        for (unsigned k = 0; k < 3; k++)
            f.accounts[k].nonce = expect[k];
        CHECK_OK(pool_block_done(f.pool, f.senders, 3, &e), &e);
        n = 0;
        for (unsigned k = 0; k < 3; k++)
            n += next_nonce(&f, k) - f.accounts[k].nonce;
        CHECK_INT(pool_n_ready(f.pool), n);
    }
    for (unsigned k = 0; k < 3; k++)
        f.accounts[k].nonce += 1000;
    CHECK_OK(pool_block_done(f.pool, f.senders, 3, &e), &e);
    CHECK_INT(pool_n_ready(f.pool) + pool_n_parked(f.pool), 0);
    teardown(&f);
}
