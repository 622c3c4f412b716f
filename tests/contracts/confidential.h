/* tests/contracts/confidential.h - a network with ConfidentialContracts, contract workers as their
 * registrations would have left them in Workers, and shorthands. Messages and signatures are put
 * together here from docs/confidential.md, not with the code they are made with elsewhere. */
#pragma once

#include "chain/gen/confidential_account.h"
#include "chain/gen/confidential_contracts.h"
#include "contracts/net.h"

enum { MEMBERS_ALL = 6 };
enum kind { SEALED = 1, PLAIN = 2, ACTIVATE = 3, UPGRADE = 4 };
enum seat_why { MEMBER = 1, LEFT, REMOVED, EXPIRED, DIFFERED, CONVICTED };
#define GAS_CLASS 65536u
#define PRICE 2u
#define FEE ((uint64_t)GAS_CLASS * PRICE)
#define STAKE 1000u
#define CHECK_HASH(got, want)                                                                      \
    do {                                                                                           \
        struct hash32 got_h = (got), want_h = (want);                                              \
        CHECK_MEM(BYTES_OF(&got_h), BYTES_OF(&want_h));                                            \
    } while (0)
#define DAY ((uint64_t)24 * 3600)

struct conf {
    struct net n;
    struct world *w;
    struct address council, workers, at; /* at: ConfidentialContracts */
    struct address owner, alice, bob;
    struct address who[MEMBERS_ALL];
    struct secp_key keys[MEMBERS_ALL]; /* commit keys */
};

void conf_init(struct conf *c);
void conf_clear(struct conf *c);
/* A contract worker, attested until then (0: not at all), with this commit key. */
void conf_set_worker(struct conf *c, unsigned i, uint64_t role, uint64_t expires_at);
void conf_block(struct conf *c); /* the next one */
enum world_outcome conf_call(struct conf *c, struct address from, uint64_t value, struct buf *b);

/* By the owner, for invited workers 0 .. n - 1, who join. */
uint64_t conf_add_cluster(struct conf *c, unsigned replicas, unsigned quorum, unsigned n);
struct address conf_deploy(struct conf *c, uint64_t cluster, uint8_t salt);
/* The members 0 .. n - 1 publish its key; active, activation queued, next block. */
struct address conf_add_contract(struct conf *c, uint64_t cluster, uint8_t salt, unsigned n);
enum world_outcome conf_publish(struct conf *c, struct address contract, unsigned worker,
                                struct hash32 code);
struct hash32 conf_code(uint8_t salt); /* what conf_deploy names */

enum world_outcome conf_send(struct conf *c, struct address from, struct address contract,
                             uint64_t sequence, uint64_t value);
/* What a worker would sign: the whole queue up to batch `end`, from what is confirmed; the new root
 * and outbox are given. */
struct confidential_contracts_Commit conf_result(struct conf *c, uint64_t cluster, uint64_t end,
                                                 uint8_t root, const struct hash32 *outbox);
struct bytes conf_sign(struct conf *c, unsigned worker,
                       const struct confidential_contracts_Commit *m);
enum world_outcome conf_commit(struct conf *c, unsigned worker,
                               const struct confidential_contracts_Commit *m);

struct bytes conf_message(struct conf *c, struct address from, struct address to, uint64_t value,
                          struct bytes data);
/* Digest of what is left from message k on. */
struct hash32 conf_rest(const struct bytes *messages, size_t n, size_t k);
enum world_outcome conf_deliver(struct conf *c, uint64_t cluster, const struct bytes *messages,
                                size_t n, const struct hash32 *rest);

enum world_outcome conf_name_payout(struct conf *c, struct address from, struct address worker,
                                    struct address payout);
enum world_outcome conf_claim(struct conf *c, struct address from); /* its own fees */
enum world_outcome conf_claim_part(struct conf *c, struct address from, uint64_t most);
enum world_outcome conf_claim_for(struct conf *c, struct address from, struct address worker);

struct confidential_contracts_ClusterInfo conf_cluster(struct conf *c, uint64_t id);
struct confidential_contracts_QueueInfo conf_queue(struct conf *c, uint64_t id);
struct confidential_contracts_BatchInfo conf_batch(struct conf *c, uint64_t id, uint64_t n);
struct confidential_contracts_ConfirmedInfo conf_confirmed(struct conf *c, uint64_t id);
struct confidential_contracts_ContractInfo conf_contract(struct conf *c, struct address at);
struct confidential_contracts_SeatInfo conf_seat(struct conf *c, uint64_t id, struct address who);
struct confidential_contracts_round_result conf_round(struct conf *c, uint64_t id);
uint64_t conf_coin(struct conf *c, uint64_t id);
uint64_t conf_earned(struct conf *c, struct address who);
size_t conf_members(struct conf *c, uint64_t id, struct address out[16]);

/* An entry as it must be. */
void conf_entry(struct buf *out, uint8_t kind, struct address contract, struct address sender,
                uint64_t index, uint64_t sequence, uint64_t expiry, uint64_t gas, uint64_t value,
                struct bytes payload);
void conf_queue_begin(struct hash32 *out, uint64_t cluster);
void conf_queue_add(struct hash32 *hash, struct bytes entry);
/* The entry of the last Queued event; fails if there is none. */
struct bytes conf_queued(struct conf *c);
