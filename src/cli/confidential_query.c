/* contract query: ask a confidential contract through a member of its cluster, and believe nothing
 * of the answer but what signature and proved state say. */
#include "base/hex.h"
#include "base/mem.h"
#include "chain/abi_sig.h"
#include "cli/internal/commands.h"
#include "cli/internal/confidential.h"
#include "cli/query_channel.h"
#include "crypto/x25519.h"
#include "os/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define QUERY_VALID_S 300
#define CHANNEL_VALID_S 3000
#define FRESH_MS 10000                  /* --fresh: the state is as of no longer ago */
#define LINE_MAX_SIZE ((size_t)1 << 20) /* bytes of a line of --batch */
#define AGAIN_MS 10000                  /* while members are behind, or away */

static bool anonymous, fresh;
static const char *worker_text, *batch_file;
static const struct cli_option OPTIONS[] = {
    {.name = "anonymous", .help = "do not sign: the contract sees nobody", .flag = &anonymous},
    {.name = "batch",
     .arg = "FILE",
     .help = "many queries over one channel, a line of FILE each (-: standard input): SIGNATURE "
             "[ARG...] between blanks, or a JSON array of these texts",
     .value = &batch_file},
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
    uint64_t behind;         /* confirmed batches after the answer's */
    struct query_line *line; /* the channel of --batch */
    struct arena mem;        /* of one line of it */
    struct address commit_signer;
    uint64_t proved_batch; /* of the last answer; UINT64_MAX: none yet */
    struct hash32 proved_root;
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
static enum rc check_root(struct cli *cli, struct question *q, struct err *e)
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
                       cli_addr_text(cli, &q->context.worker), (unsigned long long)r->batch);
    q->behind = q->c.confirmed.batches - r->batch;
    return RC_OK;
}

typedef enum rc ask_fn(struct cli *cli, struct question *q, const struct cluster_member *m,
                       struct err *e);

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
    return check_root(cli, q, e);
}

/* A member that lies, is behind or away is named; another one may do. */
static enum rc ask_any(struct cli *cli, struct question *q, ask_fn *ask_one, struct err *e)
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
            rc = ask_one(cli, q, &members[i], e);
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

static json_t *reply_json(struct cli *cli, const struct question *q, json_t *output)
{
    const struct cluster_reply *r = &q->reply.reply;

    return json_pack("{s:s, s:I, s:I, s:s, s:I, s:s, s:o}", "worker",
                     cli_addr_text(cli, &q->context.worker), "batch", (json_int_t)r->batch,
                     "height", (json_int_t)r->height, "root", cli_hash_text(cli, &r->root),
                     "batches_behind", (json_int_t)q->behind, "status",
                     receipt_status_text((enum receipt_status)r->status), "output", output);
}

static enum rc query_one(struct cli *cli, struct question *q, struct err *e)
{
    const struct cluster_reply *r = &q->reply.reply;
    json_t *printed;
    enum rc rc;

    rc = ask_any(cli, q, ask, e);
    secret32_clear(&q->reply_key);
    TRY(rc);
    cli_step(cli, "answered by %s from batch %llu, block %llu%s",
             cli_addr_text(cli, &q->context.worker), (unsigned long long)r->batch,
             (unsigned long long)r->height, q->behind == 0 ? ", the newest confirmed one" : "");
    TRY(confidential_print_output(cli, cli->args[1], (enum receipt_status)r->status, r->result,
                                  &printed, e));
    cli_json(cli, reply_json(cli, q, printed));
    return RC_OK;
}

/* ---- many, through a channel ---- */

static enum rc open_channel(struct cli *cli, struct question *q, const struct cluster_member *m,
                            struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};

    TRY(cli_member_check(cli, m, e));
    if (!anonymous)
        TRY(cli_key(cli, &key, e));
    q->context.worker = q->request.query.worker = m->worker;
    q->commit_signer = m->commit_signer;
    return query_line_open(&q->line, m->url, &q->context, m->receive32,
                           clock_wall_ns() / 1000000000u + CHANNEL_VALID_S, anonymous ? NULL : &key,
                           e);
}

static enum rc too_many(struct err *e)
{
    return err_set(e, RC_LIMIT, "a signature with more than %d arguments", CLI_MAX_ARGS - 1);
}

/* "counts()(uint256[]) 1 2" or ["counts()(uint256[])","1","2"], to words of `mem`. */
static enum rc split(struct arena *mem, const char **words, size_t *n, char *line, struct err *e)
{
    json_auto_t *list = NULL;
    char *rest = NULL;

    *n = 0;
    if (line[0] != '[') {
        for (char *w = strtok_r(line, " \t", &rest); w != NULL; w = strtok_r(NULL, " \t", &rest)) {
            if (*n == CLI_MAX_ARGS)
                return too_many(e);
            words[(*n)++] = w;
        }
        return RC_OK;
    }
    TRY(json_parse(&list, bytes_str(line), LINE_MAX_SIZE, e));
    if (json_array_size(list) > CLI_MAX_ARGS)
        return too_many(e);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *w = json_string_value(json_array_get(list, i));

        if (w == NULL)
            return err_set(e, RC_MALFORMED, "place %zu of the array is not a text", i);
        words[(*n)++] = arena_strdup(mem, bytes_str(w));
    }
    return *n != 0 ? RC_OK : err_set(e, RC_MALFORMED, "an array of no texts");
}

/* *is_over: the channel is of no more use. */
static enum rc ask_through(struct cli *cli, struct question *q, bool *is_over, struct err *e)
{
    struct bytes text;
    enum rc rc = query_line_ask(q->line, &q->request.query, e);

    *is_over = rc != RC_OK && rc != RC_LIMIT;
    TRY(rc);
    *is_over = true;
    TRY(query_line_answer(q->line, &text, e));
    *is_over = false;
    return query_reply_parse(&q->reply, &q->context, &q->request.query, &q->commit_signer, text,
                             &cli->mem, e);
}

/* What a line leaves in cli->mem goes with it. */
static void swap_memory(struct cli *cli, struct question *q)
{
    struct arena mem = cli->mem;

    cli->mem = q->mem;
    q->mem = mem;
}

static enum rc answer_line(struct cli *cli, struct question *q, char *line, bool *is_over,
                           struct err *e)
{
    AUTO_CLEAR(buf) struct buf calldata = {0}, text = {0};
    const struct cluster_reply *r = &q->reply.reply;
    const char *words[CLI_MAX_ARGS];
    json_t *output;
    size_t n;

    TRY(split(&cli->mem, words, &n, line, e));
    TRY(abi_calldata(&calldata, bytes_str(words[0]), words + 1, n - 1, e));
    q->request.query.calldata = buf_bytes(&calldata);
    random_bytes(q->request.query.nonce.b, sizeof(q->request.query.nonce.b));
    TRY(ask_through(cli, q, is_over, e));
    if (q->proved_batch != r->batch || !hash32_eq(&q->proved_root, &r->root)) {
        enum rc rc;

        swap_memory(cli, q);
        rc = check_root(cli, q, e);
        swap_memory(cli, q);
        TRY(rc);
    }
    q->proved_batch = r->batch;
    q->proved_root = r->root;
    TRY(confidential_put_output(cli, &text, " ", words[0], (enum receipt_status)r->status,
                                r->result, &output, e));
    cli_print(cli, "%s", buf_cstr(&text));
    cli_json(cli, reply_json(cli, q, output));
    return RC_OK;
}

/* A line of output for each line; those that fail make the exit code 1. */
static enum rc answer_lines(struct cli *cli, struct question *q, FILE *f, struct err *e)
{
    const int cap = (int)LINE_MAX_SIZE + 2; /* with its end, and the end of a text */
    AUTO_FREE char *line = xmalloc((size_t)cap);
    enum rc rc = RC_OK;

    while (rc == RC_OK && fgets(line, cap, f) != NULL) {
        size_t n = strlen(line);
        bool is_over = false;

        if (n > LINE_MAX_SIZE && line[n - 1] != '\n')
            return err_set(e, RC_LIMIT, "--batch: a line of more than %zu bytes", LINE_MAX_SIZE);
        while (n > 0 && strchr("\r\n", line[n - 1]) != NULL)
            line[--n] = '\0';
        if (line[strspn(line, " \t")] == '\0')
            continue;
        swap_memory(cli, q);
        rc = answer_line(cli, q, line, &is_over, e);
        arena_reset(&cli->mem);
        swap_memory(cli, q);
        (void)fflush(stdout);
        if (rc == RC_OK || is_over)
            continue;
        rc = RC_OK;
        cli->exit_code = CLI_FAILED;
        cli_print(cli, "error: %s", e->msg);
        cli_json(cli, json_pack("{s:s}", "error", e->msg));
    }
    return rc == RC_OK && ferror(f) ? err_errno(e, errno, "%s", batch_file) : rc;
}

static enum rc query_many(struct cli *cli, struct question *q, struct err *e)
{
    FILE *f = strcmp(batch_file, "-") == 0 ? stdin : fopen(batch_file, "re");
    enum rc rc;

    if (f == NULL)
        return err_errno(e, errno, "%s", batch_file);
    q->proved_batch = UINT64_MAX;
    rc = ask_any(cli, q, open_channel, e);
    if (rc == RC_OK)
        rc = answer_lines(cli, q, f, e);
    query_line_close(q->line);
    arena_clear(&q->mem);
    if (f != stdin)
        (void)fclose(f);
    return rc;
}

static enum rc contract_query(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(buf) struct buf calldata = {0};
    struct question *q = arena_alloc(&cli->mem, sizeof(*q));
    struct address contract;

    if (batch_file != NULL && cli->n_args > 1)
        return err_set(e, RC_MALFORMED, "with --batch the questions are in the file alone");
    if (batch_file == NULL && cli->n_args < 2)
        return err_set(e, RC_MALFORMED, "give the SIGNATURE of a function, or --batch FILE");
    TRY(cli_address(cli, &contract, cli->args[0], e));
    if (batch_file == NULL)
        TRY(abi_calldata(&calldata, bytes_str(cli->args[1]), cli->args + 2, cli->n_args - 2, e));
    TRY(prepare(cli, q, &contract, buf_bytes(&calldata), e));
    TRY(least_height(cli, q, e));
    return batch_file == NULL ? query_one(cli, q, e) : query_many(cli, q, e);
}

const struct cli_command CLI_CONTRACT_QUERY = {
    .name = "contract query",
    .args = "ADDRESS [SIGNATURE [ARG...]]",
    .summary = "ask a confidential contract: 'counts()(uint256[])'",
    .details = "A member of the contract's cluster answers, from a state that the cluster has "
               "confirmed. Its\n"
               "evidence is judged here before anything is sealed to it; its answer counts when it "
               "is signed by\n"
               "its key and the root it names is the confirmed one, in proved state. The contract "
               "sees the key's\n"
               "account as the caller, unless --anonymous.\n"
               "Exit code 1 also when the contract refused (reverted).\n"
               "With --batch one caller's many questions go to one member through one channel, and "
               "each has a line\n"
               "of output; one that fails (\"error: …\") leaves the others alone.",
    .fn = contract_query,
    .options = OPTIONS,
    .min_args = 1,
    .max_args = CLI_MAX_ARGS,
};
