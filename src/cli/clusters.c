/* cluster create, list, show, invite, remove, leave, withdraw, claim, payout: who runs confidential
 * contracts, by what rules, and who has what they earn. */
#include "chain/gen/confidential_contracts.h"
#include "cli/internal/commands.h"
#include "cli/internal/confidential.h"
#include "cli/internal/evidence.h"

#include <stdio.h>

#define CLUSTERS_MAX 100000
#define CONTRACTS_SHOWN_MAX 10000
#define ONE_DECIDES "  WARNING: nobody compares one with another"

static const char *seat_text(uint64_t status)
{
    static const char *const names[] = {"never joined",
                                        "member",
                                        "left",
                                        "removed by the owner",
                                        "removed: not attested any more",
                                        "lost: its result differed",
                                        "convicted"};

    return status < ARRAY_LEN(names) ? names[status] : "unknown";
}

static json_t *amount_json(struct cli *cli, const struct u256 *v)
{
    return json_string(cli_amount_text(cli, v));
}

static const char *wei_text(struct cli *cli, const struct u256 *v)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    u256_put_units(&b, v, 0);
    return arena_strdup(&cli->mem, buf_bytes(&b));
}

/* ---- create, invite, remove, leave, withdraw, claim, payout ---- */

/* Sent by the key; *receipt is that of the transaction. */
static enum rc transact(struct cli *cli, struct buf *calldata, struct chain_receipt *receipt,
                        struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    struct chain_send s = {.data = arena_dup(&cli->mem, buf_bytes(calldata))};
    struct chain_client *c;
    struct address at;

    buf_clear(calldata);
    TRY(cli_contract(cli, &at, "ConfidentialContracts", e));
    s.to = &at;
    TRY(cli_key(cli, &key, e));
    TRY(cli_chain(cli, &c, e));
    return chain_transact(c, receipt, &cli->mem, &key, &s, e);
}

static const char *replicas_text, *quorum_text, *price_text, *gas_text, *stake_text;
static bool anyone_deploys, anyone_joins;
static const struct cli_option CREATE_OPTIONS[] = {
    {.name = "replicas", .arg = "N", .help = "most members, 1 to 16 [3]", .value = &replicas_text},
    {.name = "quorum",
     .arg = "N",
     .help = "equal results that confirm; more than half of the replicas [the least]",
     .value = &quorum_text},
    {.name = "gas-price", .arg = "WEI", .help = "of a unit of gas [1]", .value = &price_text},
    {.name = "most-gas",
     .arg = "N",
     .help = "of a command, a power of two from 65536 [67108864]",
     .value = &gas_text},
    {.name = "stake", .arg = "COINS", .help = "what a member leaves [0]", .value = &stake_text},
    {.name = "anyone-deploys",
     .help = "not only the owner may deploy contracts",
     .flag = &anyone_deploys},
    {.name = "anyone-joins",
     .help = "any attested contract worker is a member if it likes, uninvited",
     .flag = &anyone_joins},
    {0},
};

static enum rc create_params(struct confidential_contracts_ClusterParams *p, struct err *e)
{
    uint64_t replicas = 3, quorum, gas = (uint64_t)1 << 26;

    *p = (struct confidential_contracts_ClusterParams){
        .anyoneDeploys = anyone_deploys, .anyoneJoins = anyone_joins, .gasPrice = u256_from_u64(1)};
    if (replicas_text != NULL)
        TRY(cli_number(&replicas, replicas_text, "--replicas", 16, e));
    quorum = replicas / 2 + 1;
    if (quorum_text != NULL)
        TRY(cli_number(&quorum, quorum_text, "--quorum", replicas, e));
    if (replicas == 0 || quorum <= replicas / 2)
        return err_set(e, RC_RANGE,
                       "%llu of %llu replicas do not decide: give --quorum from %llu to %llu",
                       (unsigned long long)quorum, (unsigned long long)replicas,
                       (unsigned long long)replicas / 2 + 1, (unsigned long long)replicas);
    if (gas_text != NULL)
        TRY(cli_number(&gas, gas_text, "--most-gas", (uint64_t)1 << 36, e));
    if (gas < 65536 || (gas & (gas - 1)) != 0)
        return err_set(e, RC_RANGE, "--most-gas %llu is not a power of two from 65536 on",
                       (unsigned long long)gas);
    if (price_text != NULL)
        TRY(u256_parse_dec(&p->gasPrice, bytes_str(price_text), e));
    if (stake_text != NULL)
        TRY(cli_amount(&p->stake, stake_text, "--stake", e));
    p->replicas = replicas;
    p->quorum = quorum;
    p->mostGas = gas;
    return RC_OK;
}

static enum rc create(struct cli *cli, struct err *e)
{
    struct confidential_contracts_event_ClusterCreated made;
    struct confidential_contracts_ClusterParams p;
    struct chain_receipt receipt;
    const struct chain_log *log;
    struct address at;
    struct buf b = {0};

    TRY(create_params(&p, e));
    confidential_contracts_put_createCluster(&b, &p);
    TRY(transact(cli, &b, &receipt, e));
    TRY(cli_contract(cli, &at, "ConfidentialContracts", e));
    log = chain_receipt_find(&receipt, &at, &confidential_contracts_topic_ClusterCreated);
    if (log == NULL)
        return err_set(e, RC_MALFORMED, "the transaction made no cluster");
    TRY(confidential_contracts_parse_ClusterCreated(&made, NULL, log->topics, log->n_topics,
                                                    log->data, e));
    cli_print(cli, "cluster %llu: %llu of %llu decide%s", (unsigned long long)made.cluster,
              (unsigned long long)p.quorum, (unsigned long long)p.replicas,
              p.quorum == 1 ? ONE_DECIDES : "");
    if (!p.anyoneJoins)
        cli_hint(cli, "invite its workers: cloister cluster invite %llu WORKER",
                 (unsigned long long)made.cluster);
    cli_json(cli,
             json_pack("{s:I, s:I, s:I, s:s, s:I}", "cluster", (json_int_t)made.cluster, "replicas",
                       (json_int_t)p.replicas, "quorum", (json_int_t)p.quorum, "transaction",
                       cli_hash_text(cli, &receipt.tx_hash), "height", (json_int_t)receipt.height));
    return RC_OK;
}

const struct cli_command CLI_CLUSTER_CREATE = {
    .name = "cluster create",
    .args = "",
    .summary = "a new cluster for confidential contracts; its rules never change",
    .details = "Its owner is the key that makes it: it invites and removes workers, and deploys "
               "unless anyone may.\n"
               "A cluster of one worker, or whose quorum is one, stands on a single machine's "
               "word.",
    .fn = create,
    .options = CREATE_OPTIONS,
};

static enum rc number_and_worker(struct cli *cli, uint64_t *cluster, struct address *worker,
                                 struct err *e)
{
    TRY(cli_number(cluster, cli->args[0], "the cluster", UINT64_MAX, e));
    return cli_address(cli, worker, cli->args[1], e);
}

static enum rc say(struct cli *cli, uint64_t cluster, const struct address *worker,
                   const char *what, const struct chain_receipt *receipt)
{
    cli_print(cli, "worker %s %s cluster %llu, transaction %s, block %llu",
              cli_addr_text(cli, worker), what, (unsigned long long)cluster,
              cli_hash_text(cli, &receipt->tx_hash), (unsigned long long)receipt->height);
    cli_json(cli, json_pack("{s:I, s:s, s:s, s:I}", "cluster", (json_int_t)cluster, "worker",
                            cli_addr_text(cli, worker), "transaction",
                            cli_hash_text(cli, &receipt->tx_hash), "height",
                            (json_int_t)receipt->height));
    return RC_OK;
}

typedef void put_fn(struct buf *out, uint64_t cluster, const struct address *worker);

static enum rc about_worker(struct cli *cli, put_fn *put, const char *what, struct err *e)
{
    struct chain_receipt receipt;
    struct address worker;
    struct buf b = {0};
    uint64_t cluster;

    TRY(number_and_worker(cli, &cluster, &worker, e));
    put(&b, cluster, &worker);
    TRY(transact(cli, &b, &receipt, e));
    return say(cli, cluster, &worker, what, &receipt);
}

static enum rc invite(struct cli *cli, struct err *e)
{
    return about_worker(cli, confidential_contracts_put_invite, "may join", e);
}

static enum rc remove_worker(struct cli *cli, struct err *e)
{
    return about_worker(cli, confidential_contracts_put_removeWorker, "is out of", e);
}

static enum rc leave(struct cli *cli, struct err *e)
{
    TRY(about_worker(cli, confidential_contracts_put_leaveFor, "has left", e));
    cli_hint(cli, "in three days: cloister cluster withdraw %s %s", cli->args[0], cli->args[1]);
    return RC_OK;
}

static enum rc withdraw(struct cli *cli, struct err *e)
{
    return about_worker(cli, confidential_contracts_put_withdrawStakeFor,
                        "has nothing at stake any more in", e);
}

const struct cli_command CLI_CLUSTER_INVITE = {
    .name = "cluster invite",
    .args = "CLUSTER WORKER",
    .summary = "let a contract worker join, as the cluster's owner",
    .fn = invite,
    .min_args = 2,
    .max_args = 2,
};
const struct cli_command CLI_CLUSTER_REMOVE = {
    .name = "cluster remove",
    .args = "CLUSTER WORKER",
    .summary = "take a worker's seat: the owner always, others when it is not attested any more",
    .details = "The cluster gets a new epoch: new keys, which the worker cannot have. A range that "
               "only the worker\n"
               "was about to confirm is open again; what is confirmed stays.",
    .fn = remove_worker,
    .min_args = 2,
    .max_args = 2,
};

const struct cli_command CLI_CLUSTER_LEAVE = {
    .name = "cluster leave",
    .args = "CLUSTER WORKER",
    .summary = "take your worker out of a cluster, as its payout account",
    .details =
        "The key is that of the account given to the worker as --operator when it joined. It works "
        "too when the machine is\n"
        "gone. The cluster gets a new epoch, and the worker's invitation ends; it stays away until "
        "it is\n"
        "started anew with the cluster among its --clusters. Its stake comes back with `cloister "
        "cluster\n"
        "withdraw` three days later.",
    .fn = leave,
    .min_args = 2,
    .max_args = 2,
};
const struct cli_command CLI_CLUSTER_WITHDRAW = {
    .name = "cluster withdraw",
    .args = "CLUSTER WORKER",
    .summary = "have the stake of your worker that is out of a cluster for three days",
    .details = "Paid to the worker's payout account, which calls this. A worker that was convicted "
               "has none.",
    .fn = withdraw,
    .min_args = 2,
    .max_args = 2,
};

static enum rc claim(struct cli *cli, struct err *e)
{
    struct confidential_contracts_event_Claimed claimed;
    struct chain_receipt receipt;
    const struct chain_log *log;
    struct address worker, at;
    struct buf b = {0};

    TRY(cli_address(cli, &worker, cli->args[0], e));
    confidential_contracts_put_claimFor(&b, &worker);
    TRY(transact(cli, &b, &receipt, e));
    TRY(cli_contract(cli, &at, "ConfidentialContracts", e));
    log = chain_receipt_find(&receipt, &at, &confidential_contracts_topic_Claimed);
    if (log == NULL)
        return err_set(e, RC_MALFORMED, "the transaction claimed nothing");
    TRY(confidential_contracts_parse_Claimed(&claimed, NULL, log->topics, log->n_topics, log->data,
                                             e));
    cli_print(cli, "%s earned by worker %s, transaction %s, block %llu",
              cli_amount_text(cli, &claimed.amount), cli_addr_text(cli, &worker),
              cli_hash_text(cli, &receipt.tx_hash), (unsigned long long)receipt.height);
    cli_json(cli,
             json_pack("{s:s, s:o, s:s, s:I}", "worker", cli_addr_text(cli, &worker), "amount",
                       amount_json(cli, &claimed.amount), "transaction",
                       cli_hash_text(cli, &receipt.tx_hash), "height", (json_int_t)receipt.height));
    return RC_OK;
}

static enum rc payout(struct cli *cli, struct err *e)
{
    struct chain_receipt receipt;
    struct address worker, to;
    struct buf b = {0};

    TRY(cli_address(cli, &worker, cli->args[0], e));
    TRY(cli_address(cli, &to, cli->args[1], e));
    confidential_contracts_put_namePayout(&b, &worker, &to);
    TRY(transact(cli, &b, &receipt, e));
    cli_print(cli, "stakes and fees of worker %s are %s's from now on, transaction %s, block %llu",
              cli_addr_text(cli, &worker), cli_addr_text(cli, &to),
              cli_hash_text(cli, &receipt.tx_hash), (unsigned long long)receipt.height);
    cli_json(cli,
             json_pack("{s:s, s:s, s:s, s:I}", "worker", cli_addr_text(cli, &worker), "payout",
                       cli_addr_text(cli, &to), "transaction", cli_hash_text(cli, &receipt.tx_hash),
                       "height", (json_int_t)receipt.height));
    return RC_OK;
}

const struct cli_command CLI_CLUSTER_CLAIM = {
    .name = "cluster claim",
    .args = "WORKER",
    .summary = "have the fees your worker earned, in all its clusters, as its payout account",
    .details = "Works too when the machine is gone. The worker keeps for itself what its own "
               "transactions cost.",
    .fn = claim,
    .min_args = 1,
    .max_args = 1,
};
const struct cli_command CLI_CLUSTER_PAYOUT = {
    .name = "cluster payout",
    .args = "WORKER ADDRESS",
    .summary = "let another account have your worker's stakes and fees, as its payout account",
    .details = "A worker names its --operator when it first joins a cluster. From then on only the "
               "account that was\n"
               "named names another; neither the worker nor whoever has its machine can.",
    .fn = payout,
    .min_args = 2,
    .max_args = 2,
};

/* ---- list ---- */

static enum rc count_of(struct cli *cli, uint64_t *out, struct light_key key, struct err *e)
{
    struct light_value *v;

    TRY(cli_read(cli, &v, &key, 1, e));
    return st_count(out, v[0].value, e);
}

static json_t *cluster_json(struct cli *cli, uint64_t id, const struct confidential *c,
                            uint64_t members, uint64_t contracts)
{
    const st_cluster_record *r = &c->cluster;
    json_t *o = json_pack("{s:I, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "cluster",
                          (json_int_t)id, "owner", cli_addr_text(cli, &r->owner), "anyone_deploys",
                          (int)r->anyone_deploys, "anyone_joins", (int)r->anyone_joins, "replicas",
                          (json_int_t)r->replicas, "quorum", (json_int_t)r->quorum, "members",
                          (json_int_t)members, "contracts", (json_int_t)contracts, "epoch",
                          (json_int_t)r->epoch, "oldest_epoch", (json_int_t)r->oldest, "most_gas",
                          (json_int_t)r->most_gas);

    CHECK(o != NULL &&
          json_object_update_new(o, json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:s}",
                                              "gas_price_wei", wei_text(cli, &r->gas_price),
                                              "stake", amount_json(cli, &r->stake), "commands",
                                              (json_int_t)c->queue.count, "batches",
                                              (json_int_t)c->queue.batches, "confirmed_commands",
                                              (json_int_t)c->confirmed.index, "confirmed_batches",
                                              (json_int_t)c->confirmed.batches, "root",
                                              cli_hash_text(cli, &c->confirmed.root))) == 0);
    return o;
}

static enum rc read_counts(struct cli *cli, const struct confidential *c, uint64_t id,
                           uint64_t *members, uint64_t *contracts, struct err *e)
{
    TRY(count_of(cli, members, confidential_members_count_key(&c->registry, id), e));
    return count_of(cli, contracts, confidential_cluster_contracts_count_key(&c->registry, id), e);
}

static enum rc list(struct cli *cli, struct err *e)
{
    json_auto_t *result = json_array();
    struct light_key key;
    struct light_value *v;
    struct address at;
    uint64_t n;

    TRY(cli_contract(cli, &at, "ConfidentialContracts", e));
    key = confidential_clusters_count_key(&at);
    TRY(cli_read(cli, &v, &key, 1, e));
    TRY(confidential_clusters_count_get(&n, v[0].value, e));
    if (n > CLUSTERS_MAX)
        return err_set(e, RC_LIMIT, "%llu clusters, limit %d", (unsigned long long)n, CLUSTERS_MAX);
    if (n == 0)
        cli_print(cli, "no clusters yet");
    else
        cli_print(cli, "%-8s %-44s %-9s %-7s %-6s %-10s %s", "cluster", "owner", "members",
                  "quorum", "epoch", "contracts", "confirmed of commands");
    for (uint64_t id = 1; id <= n; id++) {
        struct confidential c = {0};
        uint64_t members, contracts;
        char of[48];

        TRY(cli_cluster(cli, &c, id, e));
        TRY(read_counts(cli, &c, id, &members, &contracts, e));
        (void)snprintf(of, sizeof(of), "%llu of %llu", (unsigned long long)members,
                       (unsigned long long)c.cluster.replicas);
        cli_print(cli, "%-8llu %-44s %-9s %-7llu %-6llu %-10llu %llu of %llu%s",
                  (unsigned long long)id, cli_addr_text(cli, &c.cluster.owner), of,
                  (unsigned long long)c.cluster.quorum, (unsigned long long)c.cluster.epoch,
                  (unsigned long long)contracts, (unsigned long long)c.confirmed.index,
                  (unsigned long long)c.queue.count, c.cluster.quorum == 1 ? ONE_DECIDES : "");
        CHECK(json_array_append_new(result, cluster_json(cli, id, &c, members, contracts)) == 0);
    }
    cli_json(cli, json_incref(result));
    return RC_OK;
}

const struct cli_command CLI_CLUSTER_LIST = {
    .name = "cluster list",
    .args = "",
    .summary = "all clusters: who owns them, how many run them, how far they are confirmed",
    .details = "Proved state: the node is not believed.",
    .fn = list,
};

/* ---- show ---- */

static enum rc show_members(struct cli *cli, json_t *out, const struct confidential *c, uint64_t id,
                            struct err *e)
{
    struct cluster_member *m;
    size_t n;

    TRY(cli_members(cli, &m, &n, c, e));
    for (size_t i = 0; i < n; i++) {
        const struct light_key keys[] = {confidential_seat_of_key(&c->registry, id, m[i].worker),
                                         confidential_earned_key(&c->registry, m[i].worker),
                                         confidential_payout_of_key(&c->registry, m[i].worker)};
        struct worker_evidence w;
        struct light_value *v;
        struct address payee;
        struct u256 earned;
        const char *to;
        st_seat s;

        TRY(cli_read(cli, &v, keys, ARRAY_LEN(keys), e));
        TRY(confidential_seat_of_get(&s, v[0].value, e));
        TRY(confidential_earned_get(&earned, v[1].value, e));
        TRY(confidential_payout_of_get(&payee, v[2].value, e));
        to = address_is_zero(&payee) ? "itself" : cli_addr_text(cli, &payee);
        TRY(cli_evidence_standing(cli, &w, &m[i].worker, e));
        cli_field(cli, i == 0 ? "members" : "", "%s  %s  %s  stake %s  since %s",
                  cli_addr_text(cli, &m[i].worker), worker_standing(&w), m[i].url,
                  cli_amount_text(cli, &s.stake), cli_date_text(cli, s.joined_at));
        cli_field(cli, "", "%-42s  earned %s, for %s", "", cli_amount_text(cli, &earned), to);
        CHECK(json_array_append_new(
                  out, json_pack("{s:s, s:s, s:s, s:s, s:o, s:I, s:o, s:s}", "worker",
                                 cli_addr_text(cli, &m[i].worker), "standing", worker_standing(&w),
                                 "seat", seat_text(s.status), "url", m[i].url, "stake",
                                 amount_json(cli, &s.stake), "joined_at", (json_int_t)s.joined_at,
                                 "earned", amount_json(cli, &earned), "payout", to)) == 0);
    }
    if (n == 0)
        cli_field(cli, "members", "none: nothing is run");
    return RC_OK;
}

static enum rc show_contracts(struct cli *cli, json_t *out, const struct confidential *c,
                              uint64_t id, uint64_t n, struct err *e)
{
    if (n > CONTRACTS_SHOWN_MAX)
        return err_set(e, RC_LIMIT, "%llu contracts, limit %d", (unsigned long long)n,
                       CONTRACTS_SHOWN_MAX);
    for (uint64_t i = 0; i < n; i++) {
        struct light_key key = confidential_cluster_contracts_at_key(&c->registry, id, i);
        st_contract_record r;
        struct light_value *v;
        struct address at;

        TRY(cli_read(cli, &v, &key, 1, e));
        TRY(confidential_cluster_contracts_get(&at, v[0].value, e));
        key = confidential_contract_of_key(&c->registry, at);
        TRY(cli_read(cli, &v, &key, 1, e));
        TRY(confidential_contract_of_get(&r, v[0].value, e));
        cli_field(cli, i == 0 ? "contracts" : "", "%s  %s, key of epoch %llu, owner %s",
                  cli_addr_text(cli, &at), confidential_status_text(r.status),
                  (unsigned long long)r.key_epoch, cli_addr_text(cli, &r.owner));
        CHECK(json_array_append_new(
                  out, json_pack("{s:s, s:s, s:I, s:s}", "address", cli_addr_text(cli, &at),
                                 "status", confidential_status_text(r.status), "key_epoch",
                                 (json_int_t)r.key_epoch, "owner", cli_addr_text(cli, &r.owner))) ==
              0);
    }
    return RC_OK;
}

/* The last confirmed range, what leaves, and who has said what of the next range. */
static enum rc show_progress(struct cli *cli, json_t *out, const struct confidential *c,
                             uint64_t id, struct err *e)
{
    struct light_key keys[] = {confidential_commits_count_key(&c->registry, id),
                               confidential_round_of_key(&c->registry, id),
                               confidential_outboxes_count_key(&c->registry, id),
                               confidential_delivered_of_key(&c->registry, id)};
    st_delivered_record d;
    struct light_value *v;
    uint64_t commits, boxes;
    st_cluster_round r;

    TRY(cli_read(cli, &v, keys, ARRAY_LEN(keys), e));
    TRY(st_count(&commits, v[0].value, e));
    TRY(confidential_round_of_get(&r, v[1].value, e));
    TRY(st_count(&boxes, v[2].value, e));
    TRY(confidential_delivered_of_get(&d, v[3].value, e));
    cli_field(cli, "confirmed", "%llu of %llu commands, %llu of %llu batches, in %llu commits",
              (unsigned long long)c->confirmed.index, (unsigned long long)c->queue.count,
              (unsigned long long)c->confirmed.batches, (unsigned long long)c->queue.batches,
              (unsigned long long)commits);
    cli_field(cli, "root", "%s", cli_hash_text(cli, &c->confirmed.root));
    if (r.end_batch != 0)
        cli_field(cli, "in work", "batches %llu to %llu: %llu of %llu results",
                  (unsigned long long)c->confirmed.batches, (unsigned long long)r.end_batch - 1,
                  (unsigned long long)r.results, (unsigned long long)c->cluster.quorum);
    if (c->confirmed.checkpoint != 0)
        cli_field(cli, "checkpoint", "of commit %llu",
                  (unsigned long long)c->confirmed.checkpoint - 1);
    cli_field(cli, "outboxes", "%llu of %llu delivered", (unsigned long long)d.outboxes,
              (unsigned long long)boxes);
    CHECK(json_object_update_new(
              out, json_pack("{s:I, s:I, s:I, s:I, s:I}", "commits", (json_int_t)commits,
                             "round_results", (json_int_t)r.results, "outboxes", (json_int_t)boxes,
                             "outboxes_delivered", (json_int_t)d.outboxes, "checkpoint_commit",
                             (json_int_t)c->confirmed.checkpoint - 1)) == 0);
    return RC_OK;
}

static enum rc show(struct cli *cli, struct err *e)
{
    json_auto_t *result = NULL;
    json_t *members = json_array(), *contracts = json_array();
    struct confidential c = {0};
    const st_cluster_record *r = &c.cluster;
    uint64_t id, n_members = 0, n_contracts = 0;
    enum rc rc = cli_number(&id, cli->args[0], "the cluster", UINT64_MAX, e);

    if (rc == RC_OK)
        rc = cli_cluster(cli, &c, id, e);
    if (rc == RC_OK)
        rc = read_counts(cli, &c, id, &n_members, &n_contracts, e);
    if (rc != RC_OK) {
        json_decref(members);
        json_decref(contracts);
        return rc;
    }
    result = cluster_json(cli, id, &c, n_members, n_contracts);
    CHECK(json_object_set_new(result, "workers", members) == 0 &&
          json_object_set_new(result, "contract_list", contracts) == 0);
    cli_field(cli, "cluster", "%llu, of %s", (unsigned long long)id, cli_addr_text(cli, &r->owner));
    cli_field(cli, "deploys", "%s", r->anyone_deploys ? "anyone" : "its owner");
    cli_field(cli, "joins", "%s", r->anyone_joins ? "any contract worker" : "who is invited");
    cli_field(cli, "decide", "%llu of at most %llu workers%s", (unsigned long long)r->quorum,
              (unsigned long long)r->replicas, r->quorum == 1 ? ONE_DECIDES : "");
    cli_field(cli, "gas", "%s wei each, at most %llu a command", wei_text(cli, &r->gas_price),
              (unsigned long long)r->most_gas);
    cli_field(cli, "stake", "%s", cli_amount_text(cli, &r->stake));
    cli_field(cli, "epoch", "%llu, keys from %llu on", (unsigned long long)r->epoch,
              (unsigned long long)r->oldest);
    TRY(show_members(cli, members, &c, id, e));
    TRY(show_contracts(cli, contracts, &c, id, n_contracts, e));
    TRY(show_progress(cli, result, &c, id, e));
    cli_json(cli, json_incref(result));
    return RC_OK;
}

const struct cli_command CLI_CLUSTER_SHOW = {
    .name = "cluster show",
    .args = "CLUSTER",
    .summary = "one cluster: rules, members and how they stand, contracts, what is confirmed",
    .details = "Proved state: the node is not believed.",
    .fn = show,
    .min_args = 1,
    .max_args = 1,
};
