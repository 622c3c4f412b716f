/* contract query: ask a confidential contract through a member of its cluster, and believe nothing
 * of the answer but what signature and proved state say. */
#include "base/hex.h"
#include "chain/abi_sig.h"
#include "cli/internal/commands.h"
#include "cli/internal/confidential.h"
#include "crypto/x25519.h"
#include "os/clock.h"

#define QUERY_VALID_S 300
#define FRESH_MS 10000 /* --fresh: the state is as of no longer ago */
#define AGAIN_MS 10000 /* while members are behind, or away */

static bool anonymous, fresh;
static const char *worker_text;
static const struct cli_option OPTIONS[] = {
    {.name = "anonymous", .help = "do not sign: the contract sees nobody", .flag = &anonymous},
    {.name = "fresh",
     .help = "the newest confirmed state, as of ten seconds ago at most (sends a transaction that "
             "proves it)",
     .flag = &fresh},
    {.name = "worker",
     .arg = "ADDRESS",
     .help = "ask this member of the cluster [any that answers]",
     .value = &worker_text},
    {0},
};

struct question {
    struct confidential c;
    struct query_context context;
    struct query_request request;
    struct secret32 reply_key;
    struct query_reply reply;
    uint64_t behind; /* confirmed batches after the answer's */
};

static enum rc prepare(struct cli *cli, struct question *q, const struct address *contract,
                       struct bytes calldata, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    struct light_client *lc;
    struct chain_client *chain;

    if (fresh) {
        TRY(cli_light(cli, &lc, e));
        TRY(cli_chain(cli, &chain, e));
        TRY(cli_key(cli, &key, e));
        TRY(light_client_refresh(lc, chain, &key, FRESH_MS, e));
    }
    TRY(cli_confidential_active(cli, &q->c, contract, e));
    q->context.domain = (struct cluster_domain){q->c.chain_id, q->c.registry};
    q->context.genesis = q->c.genesis;
    q->request.query = (struct cluster_query){
        .contract = *contract,
        .calldata = calldata,
        .expiry_s = clock_wall_ns() / 1000000000u + QUERY_VALID_S,
    };
    return RC_OK;
}

/* --fresh: of the state that was just proved to us, or a later one. Its header is one block above.
 */
static enum rc least_height(struct cli *cli, struct question *q, struct err *e)
{
    struct light_client *lc;
    struct light_block head;

    if (!fresh)
        return RC_OK;
    TRY(cli_light(cli, &lc, e));
    light_client_head(lc, &head, &cli->mem);
    q->request.query.minimum_height = (uint64_t)head.header.height - 1;
    return RC_OK;
}

/* The root in the answer is one that the cluster's quorum confirmed. */
static enum rc check_root(struct cli *cli, struct question *q, const struct cluster_member *m,
                          struct err *e)
{
    const struct cluster_reply *r = &q->reply.reply;
    st_committed commit = {0};
    uint64_t number;

    TRY(cli_light_newest(cli, e));
    TRY(cli_cluster(cli, &q->c, q->c.record.cluster, e));
    if (r->batch == q->c.confirmed.batches)
        commit.root = q->c.confirmed.root;
    else
        TRY(cli_commit_at(cli, &q->c, r->batch, &commit, &number, e));
    if (!hash32_eq(&commit.root, &r->root))
        return err_set(e, RC_DENIED,
                       "worker %s answered from a state that was never confirmed: its root is not "
                       "that of batch %llu",
                       cli_addr_text(cli, &m->worker), (unsigned long long)r->batch);
    q->behind = q->c.confirmed.batches - r->batch;
    return RC_OK;
}

static enum rc ask(struct cli *cli, struct question *q, const struct cluster_member *m,
                   struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    AUTO_CLEAR(secbuf) struct secbuf text = {0};
    AUTO_CLEAR(buf) struct buf sealed = {0};
    json_auto_t *body = NULL, *answer = NULL;

    TRY(cli_member_check(cli, m, e));
    q->context.worker = q->request.query.worker = m->worker;
    random_bytes(q->request.query.nonce.b, sizeof(q->request.query.nonce.b));
    x25519_generate(&q->reply_key, q->request.reply32, NULL);
    if (!anonymous) {
        TRY(cli_key(cli, &key, e));
        query_request_sign(&q->request, &q->context, &key);
    }
    TRY(query_request_seal(&sealed, &q->context, m->receive32, &q->request, e));
    body = json_pack("{s:o}", "sealed", json_hex_new(buf_bytes(&sealed)));
    TRY(cli_member_call(cli, m, "/contracts/query", body, &answer, e));
    buf_reset(&sealed);
    TRY(json_hex(&sealed, answer, "sealed", REPLY_SEALED_MAX, e));
    TRY(query_answer_open(&text, &q->context, &q->request.query, &q->reply_key, buf_bytes(&sealed),
                          e));
    TRY(query_reply_parse(&q->reply, &q->context, &q->request.query, &m->commit_signer,
                          secbuf_bytes(&text), &cli->mem, e));
    return check_root(cli, q, m, e);
}

/* A member that lies, is behind or away is named; another one may do. */
static enum rc ask_any(struct cli *cli, struct question *q, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + AGAIN_MS;
    struct cluster_member *members;
    struct address only = {0};
    size_t n;

    if (worker_text != NULL)
        TRY(cli_address(cli, &only, worker_text, e));
    for (;;) {
        enum rc rc = RC_NOTFOUND;
        bool later = false;

        TRY(cli_members(cli, &members, &n, &q->c, e));
        (void)err_set(e, RC_NOTFOUND, "cluster %llu has no such member to ask",
                      (unsigned long long)q->c.record.cluster);
        for (size_t i = 0; i < n; i++) {
            if (worker_text != NULL && !address_eq(&only, &members[i].worker))
                continue;
            rc = ask(cli, q, &members[i], e);
            if (rc == RC_OK)
                return RC_OK;
            if (e != NULL)
                cli_step(cli, "%s: %s", cli_addr_text(cli, &members[i].worker), e->msg);
            later = later || rc == RC_AGAIN || rc == RC_IO || rc == RC_CLOSED || rc == RC_TIMEOUT;
        }
        if (!later || clock_mono_ms() > give_up)
            return rc;
        clock_sleep_ms(300);
    }
}

static enum rc contract_query(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(buf) struct buf calldata = {0};
    struct question *q = arena_alloc(&cli->mem, sizeof(*q));
    const struct cluster_reply *r = &q->reply.reply;
    struct address contract;
    json_t *printed;
    enum rc rc;

    TRY(cli_address(cli, &contract, cli->args[0], e));
    TRY(abi_calldata(&calldata, bytes_str(cli->args[1]), cli->args + 2, cli->n_args - 2, e));
    TRY(prepare(cli, q, &contract, buf_bytes(&calldata), e));
    TRY(least_height(cli, q, e));
    rc = ask_any(cli, q, e);
    secret32_clear(&q->reply_key);
    TRY(rc);
    cli_step(cli, "answered by %s from batch %llu, block %llu%s",
             cli_addr_text(cli, &q->context.worker), (unsigned long long)r->batch,
             (unsigned long long)r->height, q->behind == 0 ? ", the newest confirmed one" : "");
    TRY(confidential_print_output(cli, cli->args[1], (enum receipt_status)r->status, r->result,
                                  &printed, e));
    cli_json(cli,
             json_pack("{s:s, s:I, s:I, s:s, s:I, s:s, s:o}", "worker",
                       cli_addr_text(cli, &q->context.worker), "batch", (json_int_t)r->batch,
                       "height", (json_int_t)r->height, "root", cli_hash_text(cli, &r->root),
                       "batches_behind", (json_int_t)q->behind, "status",
                       receipt_status_text((enum receipt_status)r->status), "output", printed));
    return RC_OK;
}

const struct cli_command CLI_CONTRACT_QUERY = {
    .name = "contract query",
    .args = "ADDRESS SIGNATURE [ARG...]",
    .summary = "ask a confidential contract: 'counts()(uint256[])'",
    .details = "A member of the contract's cluster answers, from a state that the cluster has "
               "confirmed. Its\n"
               "evidence is judged here before anything is sealed to it; its answer counts when it "
               "is signed by\n"
               "its key and the root it names is the confirmed one, in proved state. The contract "
               "sees the key's\n"
               "account as the caller, unless --anonymous.\n"
               "Exit code 1 also when the contract refused (reverted).",
    .fn = contract_query,
    .options = OPTIONS,
    .min_args = 2,
    .max_args = CLI_MAX_ARGS,
};
