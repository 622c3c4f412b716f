/* tests/engine/net.h - a small chain for tests: one validator, four accounts with 1000 coins. */
#pragma once

#include "base/hex.h"
#include "chain/tx.h"
#include "crypto/hash.h"
#include "crypto/secp256k1.h"
#include "engine/check.h"
#include "engine/engine.h"
#include "lib/t.h"
#include "os/file.h"

#define NET_CHAIN_ID 7771
#define NET_ACCOUNTS 4
#define NET_TRANSFER_GAS 21000
#define NET_COIN 1000000000000000000ull

struct net {
    char *dir;
    char *genesis;
    struct secp_key keys[NET_ACCOUNTS];
    struct address who[NET_ACCOUNTS];
};

/* Repeatable keys. */
static inline void net_key(struct secp_key *key, struct address *who, unsigned i)
{
    uint8_t secret[32] = {[30] = 0x5a, [31] = (uint8_t)(i + 1)};
    struct err e;

    CHECK_OK(secp_key_from_bytes(key, secret, &e), &e);
    secp_key_address(who, key);
}

/* Folder `dir`/node with a validator key, and a genesis file beside it. */
static inline void net_init(struct net *n, const char *dir)
{
    AUTO_CLEAR(buf) struct buf j = {0};
    uint8_t pub[32];
    struct err e;

    n->dir = xasprintf("%s/node", dir);
    n->genesis = xasprintf("%s/genesis.json", dir);
    CHECK_OK(engine_validator_key(n->dir, pub, &e), &e);
    buf_printf(&j,
               "{\"chain_id\":%d,\"chain_name\":\"test-1\",\"profile\":\"devnet\","
               "\"engine\":\"solo\",\"time\":1700000000,"
               "\"admin\":\"0x00000000000000000000000000000000000000aa\","
               "\"validators\":[{\"pub_key\":\"",
               NET_CHAIN_ID);
    hex_put(&j, BYTES_OF(&pub));
    buf_put_str(&j, "\",\"power\":1}],\"accounts\":[");
    for (unsigned i = 0; i < NET_ACCOUNTS; i++) {
        net_key(&n->keys[i], &n->who[i], i);
        buf_put_str(&j, i == 0 ? "{\"address\":\"" : ",{\"address\":\"");
        hex_put_0x(&j, BYTES_OF(&n->who[i]));
        buf_put_str(&j, "\",\"balance_wei\":\"1000000000000000000000\"}");
    }
    buf_put_str(&j, "]}");
    CHECK_OK(file_write_atomic(n->genesis, buf_bytes(&j), 0600, &e), &e);
}

static inline void net_clear(struct net *n)
{
    free(n->dir);
    free(n->genesis);
}

/* With further options; folder and genesis are filled in. */
static inline struct engine *net_open_with(const struct net *n, struct engine_options o)
{
    struct engine *en;
    struct err e;

    o.dir = n->dir;
    o.genesis_path = n->genesis;
    CHECK_OK(engine_open(&en, &o, &e), &e);
    return en;
}

static inline struct engine *net_open(const struct net *n)
{
    return net_open_with(n, (struct engine_options){0});
}

/* A signed transfer of `wei` from account `from`. */
static inline void net_transfer(struct buf *raw, const struct net *n, unsigned from,
                                const struct address *to, uint64_t nonce, uint64_t wei)
{
    struct tx tx = {.type = TX_DYNAMIC_FEE,
                    .has_chain_id = true,
                    .chain_id = NET_CHAIN_ID,
                    .nonce = nonce,
                    .gas_limit = NET_TRANSFER_GAS,
                    .to = *to,
                    .value_wei = u256_from_u64(wei),
                    .max_fee_wei = u256_from_u64(100000000000ull)};
    struct err e;

    tx.gas_price_wei = tx.max_fee_wei;
    CHECK_OK(tx_sign(&tx, &n->keys[from], &e), &e);
    tx_encode(raw, &tx);
}

static inline struct hash32 net_send(struct engine *en, const struct net *n, unsigned from,
                                     const struct address *to, uint64_t nonce, uint64_t wei)
{
    AUTO_CLEAR(buf) struct buf raw = {0};
    struct hash32 hash;
    struct err e;

    net_transfer(&raw, n, from, to, nonce, wei);
    CHECK_OK(engine_submit(en, buf_bytes(&raw), &hash, &e), &e);
    return hash;
}

/* The height the transaction is in; it must have succeeded. */
static inline uint64_t net_wait(struct engine *en, const struct hash32 *hash)
{
    AUTO_CLEAR(engine_block_p) struct engine_block *b = NULL;
    uint32_t index;
    struct err e;

    CHECK_OK(engine_wait(en, hash, 10000, &b, &index, &e), &e);
    return b->height;
}

static inline struct account net_account(struct engine *en, const struct address *a,
                                         uint64_t height)
{
    struct engine_snapshot *s;
    struct account acc;
    struct err e;

    CHECK_OK(engine_snapshot_open(en, height, &s, &e), &e);
    CHECK_OK(state_account(engine_snapshot_source(s), a, &acc, &e), &e);
    engine_snapshot_close(s);
    return acc;
}

/* Wait until a block of at least this height is there. */
static inline void net_until(struct engine *en, uint64_t height)
{
    for (int i = 0; i < 1000 && engine_height(en) < height; i++)
        (void)usleep(5000);
    CHECK_TRUE(engine_height(en) >= height);
}
