/* tests/contracts/net.h - the system contracts set up as a genesis does, and shorthands. */
#pragma once

#include "chain/gen/data_liquidity_pool.h"
#include "chain/gen/data_registry.h"
#include "chain/gen/data_token.h"
#include "chain/gen/dlp_registry.h"
#include "chain/gen/pool_factory.h"
#include "chain/gen/tee_pool.h"
#include "contracts/world.h"
#include "lib/t.h"

struct net {
    struct world w;
    struct address admin, forwarder, treasury, registry, tees, dlps, factory;
};

void net_init(struct net *n);
void net_clear(struct net *n);

/* A worker: sender account and proof key. */
struct worker {
    struct address at;
    struct secp_key key; /* signs proofs; announced by setProofSigner */
};
void net_add_worker(struct net *n, struct worker *out, unsigned i);

/* A pool made by the factory for `owner`. */
struct pool {
    struct u256 id;
    struct address dlp, token;
};
struct pool net_add_pool(struct net *n, struct address owner, const char *name, uint64_t rewards);

/* Register url for owner; returns the id. */
struct u256 net_add_file(struct net *n, struct address owner, const char *url);
/* Request a proof as `from`, paying `bid`; returns the job. */
struct u256 net_add_job(struct net *n, struct address from, struct u256 file, uint64_t bid);
/* A proof signed by `key` over `url`. Text lives in the world's arena. */
struct tee_pool_Proof net_proof(struct net *n, const struct secp_key *key, const char *url,
                                uint64_t score, struct u256 dlp_id, const char *instruction);

#define U(v) u256_from_u64(v)
#define REF(type, value) (&(struct type[1]){value}[0])

void check_outcome_ok(const char *file, int line, struct world *w, enum world_outcome got);
void check_outcome_revert(const char *file, int line, struct world *w, enum world_outcome got,
                          const char *signature);
#define CHECK_CALL(w, outcome) check_outcome_ok(__FILE__, __LINE__, (w), (outcome))
/* `signature` of the custom error, "Panic(uint256)", "Error(string)", or "" for empty data. */
#define CHECK_REVERT(w, outcome, signature)                                                        \
    check_outcome_revert(__FILE__, __LINE__, (w), (outcome), (signature))
#define CHECK_U256(got, want)                                                                      \
    do {                                                                                           \
        struct u256 got_u256 = (got);                                                              \
        CHECK_INT(got_u256.w[0], (want));                                                          \
        CHECK_INT(got_u256.w[1] | got_u256.w[2] | got_u256.w[3], 0);                               \
    } while (0)
#define CHECK_ADDRESS(got, want)                                                                   \
    do {                                                                                           \
        struct address got_a = (got), want_a = (want);                                             \
        CHECK_MEM(BYTES_OF(&got_a), BYTES_OF(&want_a));                                            \
    } while (0)
