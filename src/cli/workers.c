/* worker list, show, evict, admit, sweep, deregister: who is attested, and by what evidence. */
#include "base/hex.h"
#include "cli/internal/commands.h"
#include "cli/internal/council.h"
#include "cli/internal/evidence.h"

#include <stdio.h>

static const char *hex_text(struct cli *cli, struct bytes b)
{
    char *text = arena_alloc(&cli->mem, 2 * b.n + 1);

    hex_encode(text, b);
    return text;
}

/* "in 2 h", "3 min ago": of t, seen from now. */
static const char *relative(struct cli *cli, uint64_t t, uint64_t now)
{
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    uint64_t d = t > now ? t - now : now - t;
    char *text = arena_alloc(&cli->mem, 48);
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(units) && d < 2 * units[i].seconds)
        i++;
    (void)snprintf(text, 48, t > now ? "in %llu %s" : "%llu %s ago",
                   (unsigned long long)(d / units[i].seconds), units[i].name);
    return text;
}

static const char *when(struct cli *cli, uint64_t t, uint64_t now)
{
    char *text = arena_alloc(&cli->mem, 96);

    (void)snprintf(text, 96, "%s (%s)", cli_date_text(cli, t), relative(cli, t, now));
    return text;
}

static const char *removal_text(uint64_t why)
{
    static const char *const names[] = {"", "by itself or its operator", "by the council",
                                        "it stood no more"};

    return why > 0 && why < ARRAY_LEN(names) ? names[why] : "for an unknown reason";
}

static const char *tcb_text(uint64_t status)
{
    return status < TCB_STATUS_COUNT ? tcb_status_name((enum tcb_status)status) : "unknown";
}

/* ---- list ---- */

static json_t *info_json(struct cli *cli, const struct worker_evidence *w)
{
    const struct workers_WorkerInfo *i = &w->info;
    json_t *o = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s, s:b, s:s, s:I, s:I, s:I, s:I, s:I}",
        "worker", cli_addr_text(cli, &i->worker), "standing", worker_standing(w), "role",
        worker_role_name(i->role), "operator", cli_addr_text(cli, &i->operator), "url",
        arena_strdup(&cli->mem, i->url), "platform", hex_text(cli, BYTES_OF(&i->platform)),
        "measurement", hex_text(cli, BYTES_OF(&i->measurement)), "label", w->label, "root",
        hex_text(cli, BYTES_OF(&i->root)), "simulator", (int)i->insecureSimulator, "tcb_status",
        tcb_text(i->tcbStatus), "confidence", (json_int_t)i->confidence, "evaluation_number",
        (json_int_t)i->evaluationNumber, "attested_at", (json_int_t)i->attestedAt, "expires_at",
        (json_int_t)i->expiresAt, "registrations", (json_int_t)i->registrations);

    if (o == NULL) /* a URL on chain may be any bytes */
        o = json_pack("{s:s}", "worker", cli_addr_text(cli, &i->worker));
    return o;
}

static enum rc list(struct cli *cli, struct err *e)
{
    json_auto_t *result = json_array();
    struct address *who;
    size_t n;

    TRY(cli_evidence_workers(cli, &who, &n, e));
    if (n == 0)
        cli_print(cli, "no workers yet");
    else
        cli_print(cli, "%-44s %-9s %-16s %-5s %-12s %s", "worker", "role", "standing", "conf",
                  "expires", "measurement");
    for (size_t i = 0; i < n; i++) {
        struct worker_evidence w;

        TRY(cli_evidence_standing(cli, &w, &who[i], e));
        cli_print(cli, "%-44s %-9s %-16s %-5llu %-12s %s%s", cli_addr_text(cli, &w.info.worker),
                  worker_role_name(w.info.role), worker_standing(&w),
                  (unsigned long long)w.info.confidence, relative(cli, w.info.expiresAt, w.now),
                  w.label != NULL ? w.label : hex_text(cli, BYTES_OF(&w.info.measurement)),
                  w.info.insecureSimulator ? "  SIMULATOR" : "");
        CHECK(json_array_append_new(result, info_json(cli, &w)) == 0);
    }
    cli_json(cli, json_incref(result));
    return RC_OK;
}

const struct cli_command CLI_WORKER_LIST = {
    .name = "worker list",
    .args = "",
    .summary = "all workers that were ever attested, and how they stand",
    .fn = list,
};

/* ---- show ---- */

static bool no_verify;
static const struct cli_option SHOW_OPTIONS[] = {
    {.name = "no-verify",
     .help = "only what the chain says; the evidence is not looked at",
     .flag = &no_verify},
    {0},
};

static void print_info(struct cli *cli, const struct worker_evidence *w)
{
    const struct workers_WorkerInfo *i = &w->info;

    cli_field(cli, "worker", "%s  %s", cli_addr_text(cli, &i->worker), worker_standing(w));
    if (i->insecureSimulator)
        cli_field(cli, "WARNING", VERIFY_SIMULATOR);
    cli_field(cli, "role", "%s", worker_role_name(i->role));
    cli_field(cli, "url", "%s", arena_strdup(&cli->mem, i->url));
    cli_field(cli, "operator", "%s", cli_addr_text(cli, &i->operator));
    cli_field(cli, "measurement", "%s  %s", hex_text(cli, BYTES_OF(&i->measurement)),
              w->label != NULL ? w->label : "NOT ALLOWED");
    cli_field(cli, "platform", "%s%s", hex_text(cli, BYTES_OF(&i->platform)),
              w->banned ? "  BANNED" : "");
    cli_field(cli, "root", "%s", hex_text(cli, BYTES_OF(&i->root)));
    cli_field(cli, "TCB status", "%s, confidence %llu of 1 (best) to 5, evaluation number %llu",
              tcb_text(i->tcbStatus), (unsigned long long)i->confidence,
              (unsigned long long)i->evaluationNumber);
    cli_field(cli, "advisories", "%s",
              i->advisories.n == 0 ? "none" : arena_strdup(&cli->mem, i->advisories));
    cli_field(cli, "attested", "%s", when(cli, i->attestedAt, w->now));
    cli_field(cli, "expires", "%s", when(cli, i->expiresAt, w->now));
    cli_field(cli, "proof signer", "%s", cli_addr_text(cli, &i->proofSigner));
    cli_field(cli, "commit signer", "%s", cli_addr_text(cli, &i->commitSigner));
    cli_field(cli, "receive key", "x25519:%s", hex_text(cli, BYTES_OF(&i->receiveKey)));
    if (i->receiveKeyEth.n != 0)
        cli_field(cli, "", "0x%s", hex_text(cli, i->receiveKeyEth));
    cli_field(cli, "registrations", "%llu", (unsigned long long)i->registrations);
}

/* One line of history; logs come in the order of the chain. */
static enum rc print_event(struct cli *cli, json_t *list, const struct chain_log *log,
                           struct err *e)
{
    struct workers_event_WorkerAttested a;
    struct workers_event_WorkerRemoved r;
    json_t *entry;

    if (workers_parse_WorkerAttested(&a, NULL, log->topics, log->n_topics, log->data, NULL) ==
        RC_OK) {
        cli_field(cli, "", "block %llu: attested as %s, %s, until %s",
                  (unsigned long long)log->height, worker_role_name(a.role), tcb_text(a.tcbStatus),
                  cli_date_text(cli, a.expiresAt));
        entry =
            json_pack("{s:I, s:s, s:s, s:s, s:s, s:I}", "height", (json_int_t)log->height, "event",
                      "attested", "role", worker_role_name(a.role), "tcb_status",
                      tcb_text(a.tcbStatus), "measurement", hex_text(cli, BYTES_OF(&a.measurement)),
                      "expires_at", (json_int_t)a.expiresAt);
    } else {
        TRY(workers_parse_WorkerRemoved(&r, NULL, log->topics, log->n_topics, log->data, e));
        cli_field(cli, "", "block %llu: removed: %s", (unsigned long long)log->height,
                  removal_text(r.why));
        entry = json_pack("{s:I, s:s, s:s}", "height", (json_int_t)log->height, "event", "removed",
                          "why", removal_text(r.why));
    }
    CHECK(entry != NULL && json_array_append_new(list, entry) == 0);
    return RC_OK;
}

static enum rc print_history(struct cli *cli, json_t *list, const struct worker_evidence *w,
                             struct err *e)
{
    struct chain_log *in, *out;
    size_t n_in, n_out, i = 0, k = 0;
    struct hash32 who = {{0}};
    struct address workers;
    struct chain_client *c;

    memcpy(who.b + 12, w->info.worker.b, sizeof(w->info.worker.b));
    TRY(cli_contract(cli, &workers, "Workers", e));
    TRY(cli_chain(cli, &c, e));
    TRY(chain_logs(c, &in, &n_in, &cli->mem, &workers, &workers_topic_WorkerAttested, &who, 0,
                   w->height, e));
    TRY(chain_logs(c, &out, &n_out, &cli->mem, &workers, &workers_topic_WorkerRemoved, &who, 0,
                   w->height, e));
    cli_field(cli, "history", "%zu events", n_in + n_out);
    /* Of one block: removed, then registered again; only a worker itself does both at once. */
    while (i < n_in || k < n_out) {
        bool removed = i == n_in || (k < n_out && out[k].height <= in[i].height);

        TRY(print_event(cli, list, removed ? &out[k++] : &in[i++], e));
    }
    return RC_OK;
}

static enum rc show(struct cli *cli, struct err *e)
{
    struct verify_result *r = arena_alloc(&cli->mem, sizeof(*r));
    json_auto_t *result = NULL;
    json_t *history;
    struct worker_evidence w;
    struct address who;

    TRY(cli_address(cli, &who, cli->args[0], e));
    TRY(cli_evidence_load(cli, &w, &who, e));
    print_info(cli, &w);
    result = info_json(cli, &w);
    history = json_array();
    CHECK(json_object_set_new(result, "history", history) == 0);
    TRY(print_history(cli, history, &w, e));
    if (!no_verify) {
        TRY(cli_evidence_judge(cli, r, &w, e));
        cli_print(cli, "\nthe evidence, judged here by the network file's roots:");
        verify_print(cli, r);
        CHECK(json_object_set_new(result, "evidence", verify_json(cli, r)) == 0);
        cli->exit_code = verify_exit_code(r);
    }
    cli_json(cli, json_incref(result));
    return RC_OK;
}

const struct cli_command CLI_WORKER_SHOW = {
    .name = "worker show",
    .args = "ADDRESS",
    .summary = "one worker: standing, evidence, measurement, expiry, history",
    .details = "The evidence is read from the chain and verified here: under the roots that the "
               "network file\n"
               "names, as of the newest block, and that it binds the keys on chain.\n"
               "Exit code: as `cloister verify` (0 good, 1 refused, 2 not verified).",
    .fn = show,
    .options = SHOW_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};

/* ---- evict, admit, sweep, deregister ---- */

static enum rc target(struct cli *cli, struct address *workers, struct address *who, struct err *e)
{
    TRY(cli_contract(cli, workers, "Workers", e));
    return cli_address(cli, who, cli->args[0], e);
}

/* Sent by the key itself. */
static enum rc transact(struct cli *cli, const struct address *to, const struct address *who,
                        struct buf *calldata, const char *what, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    const struct chain_send s = {.to = to, .data = arena_dup(&cli->mem, buf_bytes(calldata))};
    struct chain_receipt receipt;
    struct chain_client *c;

    buf_clear(calldata);
    TRY(cli_key(cli, &key, e));
    TRY(cli_chain(cli, &c, e));
    TRY(chain_transact(c, &receipt, &cli->mem, &key, &s, e));
    cli_print(cli, "worker %s %s, transaction %s, block %llu", cli_addr_text(cli, who), what,
              cli_hash_text(cli, &receipt.tx_hash), (unsigned long long)receipt.height);
    cli_json(cli, json_pack("{s:s, s:s, s:s, s:I}", "worker", cli_addr_text(cli, who), "what", what,
                            "transaction", cli_hash_text(cli, &receipt.tx_hash), "height",
                            (json_int_t)receipt.height));
    return RC_OK;
}

static enum rc sweep(struct cli *cli, struct err *e)
{
    struct address workers, who;
    struct buf b = {0};

    TRY(target(cli, &workers, &who, e));
    workers_put_sweep(&b, &who);
    return transact(cli, &workers, &who, &b, "swept", e);
}

static enum rc deregister(struct cli *cli, struct err *e)
{
    struct address workers, who;
    struct buf b = {0};

    TRY(target(cli, &workers, &who, e));
    workers_put_deregister(&b, &who);
    return transact(cli, &workers, &who, &b, "deregistered", e);
}

static enum rc evict(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct address workers, who;

    TRY(target(cli, &workers, &who, e));
    workers_put_evict(&b, &who);
    return council_act(cli, &workers, buf_bytes(&b), e);
}

static enum rc admit(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct address workers, who;

    TRY(target(cli, &workers, &who, e));
    workers_put_admit(&b, &who);
    return council_act(cli, &workers, buf_bytes(&b), e);
}

const struct cli_command CLI_WORKER_SWEEP = {
    .name = "worker sweep",
    .args = "ADDRESS",
    .summary = "take out a worker that stands no more (anyone may)",
    .fn = sweep,
    .min_args = 1,
    .max_args = 1,
};
const struct cli_command CLI_WORKER_DEREGISTER = {
    .name = "worker deregister",
    .args = "ADDRESS",
    .summary = "end a registration, as the worker or its operator",
    .fn = deregister,
    .min_args = 1,
    .max_args = 1,
};
const struct cli_command CLI_WORKER_EVICT = {
    .name = "worker evict",
    .args = "ADDRESS",
    .summary = "put a worker and its machine out until it is admitted again, as the council",
    .details = COUNCIL_DETAILS,
    .fn = evict,
    .options = COUNCIL_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};
const struct cli_command CLI_WORKER_ADMIT = {
    .name = "worker admit",
    .args = "ADDRESS",
    .summary = "let an evicted worker and its machine register again, as the council",
    .details = COUNCIL_DETAILS,
    .fn = admit,
    .options = COUNCIL_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};
