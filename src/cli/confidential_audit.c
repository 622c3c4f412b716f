/* contract audit: a confidential contract executed again, from chain and store, by whoever its
 * owner lets. */
#include "base/hex.h"
#include "chain/state_proof.h"
#include "cli/internal/audit.h"
#include "cli/internal/commands.h"
#include "crypto/x25519.h"
#include "os/clock.h"
#include "os/file.h"

#define GRANT_VALID_S 3600

static const char *grant_to, *auditor_path;
static struct cli_list grants, others;
static const struct cli_option OPTIONS[] = {
    {.name = "grant-to",
     .arg = "KEY",
     .help = "as the owner: only print a grant for this auditor's key (64 digits), valid an hour",
     .value = &grant_to},
    {.name = "grant",
     .arg = "FILE",
     .help = "as an auditor: the owner's grant; more than once: of several contracts",
     .values = &grants},
    {.name = "with",
     .arg = "ADDRESS",
     .help = "execute this contract of the cluster along with it; more than once: of several",
     .values = &others},
    {.name = "auditor-key",
     .arg = "FILE",
     .help = "as an auditor: one's own key; made if absent, and its public half printed",
     .value = &auditor_path},
    {0},
};

/* ---- the grant, and the keys for it ---- */

static enum rc auditor_key(struct cli *cli, struct secret32 *out, uint8_t public32[32], bool *made,
                           struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    enum rc rc;

    *made = false;
    if (auditor_path == NULL) {
        x25519_generate(out, public32, NULL);
        return RC_OK;
    }
    if (!file_exists(auditor_path)) {
        x25519_generate(out, public32, NULL);
        hex_put(&text, BYTES_OF(out));
        buf_u8(&text, '\n');
        rc = file_write_atomic(auditor_path, buf_bytes(&text), 0600, e);
        wipe(text.p, text.n);
        TRY(rc);
        *made = true;
        cli_step(cli, "made the key %s", auditor_path);
        return RC_OK;
    }
    TRY(file_read(&text, auditor_path, 4096, e));
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    rc = hex_decode_fixed(out->b, sizeof(out->b), buf_bytes(&text), e);
    wipe(text.p, text.n);
    if (rc != RC_OK)
        return err_wrap(e, rc, "%s", auditor_path);
    x25519_pub(public32, out);
    return RC_OK;
}

static enum rc make_grant(struct cli *cli, const struct audit *x, const struct audited *a,
                          struct audit_grant *g, const uint8_t public32[32], struct err *e)
{
    const struct cluster_domain domain = {x->c.chain_id, x->c.registry};
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    struct address me;

    *g = (struct audit_grant){.contract = a->context.contract,
                              .end_batch = x->c.confirmed.batches,
                              .expiry_s = clock_wall_ns() / 1000000000u + GRANT_VALID_S};
    memcpy(g->auditor32, public32, sizeof(g->auditor32));
    TRY(cli_key(cli, &key, e));
    secp_key_address(&me, &key);
    if (!address_eq(&me, &a->record.owner))
        return err_set(
            e, RC_DENIED, "only the owner %s may have %s audited: act with --key, or have a grant",
            cli_addr_text(cli, &a->record.owner), cli_addr_text(cli, &a->context.contract));
    audit_grant_sign(g, &domain, &key);
    return RC_OK;
}

/* The grant for this contract among those given. *found: there is one for it. */
static enum rc read_grant(struct cli *cli, const struct audit *x, const struct audited *a,
                          struct audit_grant *g, bool *found, const uint8_t public32[32],
                          struct err *e)
{
    const struct cluster_domain domain = {x->c.chain_id, x->c.registry};

    *found = false;
    for (size_t i = 0; i < grants.n && !*found; i++) {
        AUTO_CLEAR(buf) struct buf text = {0};
        struct address signer;

        TRY(file_read(&text, grants.items[i], 4096, e));
        TRY(audit_grant_parse(g, &signer, &domain, buf_bytes(&text), e));
        if (address_eq(&g->contract, &a->context.contract) &&
            !address_eq(&signer, &a->record.owner))
            return err_set(e, RC_DENIED, "%s is not a grant of %s by its owner %s", grants.items[i],
                           cli_addr_text(cli, &a->context.contract),
                           cli_addr_text(cli, &a->record.owner));
        *found = address_eq(&g->contract, &a->context.contract);
        if (*found && memcmp(g->auditor32, public32, sizeof(g->auditor32)) != 0)
            return err_set(e, RC_DENIED, "%s is for another auditor's key than --auditor-key",
                           grants.items[i]);
    }
    return RC_OK;
}

/* What was given, or as the owner. */
static enum rc grant_of(struct cli *cli, const struct audit *x, const struct audited *a,
                        struct audit_grant *g, const uint8_t public32[32], struct err *e)
{
    bool found;

    TRY(read_grant(cli, x, a, g, &found, public32, e));
    if (found)
        return RC_OK;
    if (grants.n != 0 && make_grant(cli, x, a, g, public32, NULL) != RC_OK)
        return err_set(e, RC_DENIED, "%s is not a grant of %s by its owner %s",
                       grants.items[grants.n - 1], cli_addr_text(cli, &a->context.contract),
                       cli_addr_text(cli, &a->record.owner));
    return grants.n != 0 ? RC_OK : make_grant(cli, x, a, g, public32, e);
}

static enum rc ask_keys(struct cli *cli, struct audited *a, const struct audit_grant *g,
                        const struct secret32 *key, const struct cluster_member *m, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0}, sealed = {0};
    json_auto_t *body = NULL, *answer = NULL;

    audit_grant_put(&text, g);
    TRY(json_parse(&body, buf_bytes(&text), 4096, e));
    TRY(cli_member_call(cli, m, "/contracts/audit", body, &answer, e));
    TRY(json_hex(&sealed, answer, "sealed", 65536, e));
    return audit_keys_open(a->keys, &a->context, key, buf_bytes(&sealed), e);
}

static enum rc get_keys(struct cli *cli, const struct audit *x, struct audited *a,
                        const struct audit_grant *g, const struct secret32 *key, struct err *e)
{
    struct cluster_member *members;
    enum rc rc;
    size_t n;

    TRY(cli_members(cli, &members, &n, &x->c, e));
    rc = err_set(e, RC_NOTFOUND, "cluster %llu has no members to ask for the keys",
                 (unsigned long long)x->c.record.cluster);
    a->context.end_batch = g->end_batch;
    for (size_t i = 0; i < n && rc != RC_OK; i++) {
        rc = ask_keys(cli, a, g, key, &members[i], e);
        if (rc != RC_OK && e != NULL)
            cli_step(cli, "%s: %s", cli_addr_text(cli, &members[i].worker), e->msg);
    }
    return rc;
}

/* ---- the audit ---- */

static enum rc run(struct cli *cli, struct audit *x, struct err *e)
{
    uint64_t last = 0, end_batch = UINT64_MAX;

    for (size_t i = 0; i < x->n; i++)
        if (x->list[i].context.end_batch < end_batch)
            end_batch = x->list[i].context.end_batch;
    TRY(audit_read(x, e));
    while (last < x->n_commits && x->commits[last].end_batch <= end_batch)
        last++;
    cli_step(cli,
             "%llu commands of the cluster in %llu batches, %llu commits, hold against the "
             "chain",
             (unsigned long long)x->n_entries, (unsigned long long)x->n_batches,
             (unsigned long long)last);
    TRY(audit_begin(x, e));
    for (uint64_t i = 0; i < last; i++)
        TRY(audit_commit(x, i, e));
    return RC_OK;
}

static const char *how_text(enum audit_how how)
{
    switch (how) {
    case AUDIT_EXECUTED:
        return "executed again";
    case AUDIT_TAKEN:
        return "taken from deltas, not executed";
    case AUDIT_ROOT:
        return "its root alone, not executed";
    }
    return "";
}

static json_t *report_spans(struct cli *cli, const struct audit *x)
{
    json_t *list = json_array();

    for (size_t i = 0; i < x->n_spans; i++) {
        const struct audit_span *s = &x->spans[i];

        cli_field(cli, i == 0 ? "found" : "", "%s  batches %llu to %llu: %s, %llu commands%s%s",
                  cli_addr_text(cli, &s->contract), (unsigned long long)s->first_batch,
                  (unsigned long long)s->end_batch - 1, how_text(s->how),
                  (unsigned long long)s->n_commands, s->why == NULL ? "" : ": ",
                  s->why == NULL ? "" : s->why);
        CHECK(json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:s, s:I, s:s}", "contract",
                                                    cli_addr_text(cli, &s->contract), "first_batch",
                                                    (json_int_t)s->first_batch, "end_batch",
                                                    (json_int_t)s->end_batch, "how",
                                                    s->how == AUDIT_EXECUTED ? "executed"
                                                    : s->how == AUDIT_TAKEN  ? "delta"
                                                                             : "root",
                                                    "commands", (json_int_t)s->n_commands, "why",
                                                    s->why == NULL ? "" : s->why)) == 0);
    }
    return list;
}

/* Of the contracts that were to be executed. */
static bool is_all_executed(const struct audit *x)
{
    for (size_t i = 0; i < x->n_spans; i++)
        if (x->spans[i].how == AUDIT_TAKEN)
            return false;
    return true;
}

static void report(struct cli *cli, const struct audit *x, enum rc rc, const struct err *e)
{
    bool whole = is_all_executed(x);
    json_t *roots = json_array(), *spans;

    cli_field(cli, "commits", "%llu compared: %s", (unsigned long long)x->n_compared,
              rc != RC_OK ? "then it ended"
              : whole     ? "every root is the confirmed one"
                          : "NOT VERIFIED where roots were taken from deltas");
    cli_field(cli, "commands", "%llu executed again", (unsigned long long)x->n_commands);
    spans = report_spans(cli, x);
    if (rc != RC_OK)
        cli_field(cli, rc == RC_DENIED ? "WRONG" : "not compared", "%s", e->msg);
    for (size_t i = 0; i < x->n; i++)
        CHECK(json_array_append_new(roots,
                                    json_pack("{s:s, s:s}", "contract",
                                              cli_addr_text(cli, &x->list[i].context.contract),
                                              "root", cli_hash_text(cli, &x->list[i].root))) == 0);
    cli_json(cli,
             json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:s}", "address",
                       cli_addr_text(cli, &x->c.contract), "verdict",
                       rc == RC_OK       ? whole ? "verified" : "partly verified"
                       : rc == RC_DENIED ? "wrong"
                                         : "not compared",
                       "commits", (json_int_t)x->n_compared, "commands", (json_int_t)x->n_commands,
                       "found", spans, "roots", roots, "reason", rc == RC_OK ? "" : e->msg));
}

/* One more contract of the cluster, with its keys. */
static enum rc add_contract(struct cli *cli, struct audit *x, const struct confidential *c,
                            const uint8_t public32[32], const struct secret32 *key, struct err *e)
{
    struct audited *a = &x->list[x->n];
    struct audit_grant g;

    if (c->record.cluster != x->c.record.cluster)
        return err_set(e, RC_MALFORMED, "%s is of cluster %llu, not %llu",
                       cli_addr_text(cli, &c->contract), (unsigned long long)c->record.cluster,
                       (unsigned long long)x->c.record.cluster);
    if (audit_find(x, &c->contract) != NULL)
        return err_set(e, RC_MALFORMED, "%s is named twice", cli_addr_text(cli, &c->contract));
    if (c->record.audit != AUDIT_OWNER)
        return err_set(e, RC_DENIED,
                       "%s was deployed without --audit owner: its members give its keys to nobody",
                       cli_addr_text(cli, &c->contract));
    *a = (struct audited){
        .record = c->record,
        .context = {.chain_id = c->chain_id, .genesis = c->genesis, .contract = c->contract},
        .root = STATE_EMPTY};
    TRY(grant_of(cli, x, a, &g, public32, e));
    a->keys = secret_alloc(sizeof(*a->keys));
    x->n++;
    return get_keys(cli, x, a, &g, key, e);
}

static enum rc add_all(struct cli *cli, struct audit *x, const uint8_t public32[32],
                       const struct secret32 *key, struct err *e)
{
    x->list = arena_array(&cli->mem, 1 + others.n, sizeof(*x->list));
    TRY(add_contract(cli, x, &x->c, public32, key, e));
    for (size_t i = 0; i < others.n; i++) {
        struct confidential c;
        struct address contract;

        TRY(cli_address(cli, &contract, others.items[i], e));
        TRY(cli_confidential(cli, &c, &contract, e));
        TRY(add_contract(cli, x, &c, public32, key, e));
    }
    return RC_OK;
}

static enum rc audit(struct cli *cli, struct audit *x, const uint8_t public32[32],
                     const struct secret32 *key, struct err *e)
{
    struct err why = {0};
    enum rc rc = add_all(cli, x, public32, key, e);

    if (rc == RC_OK) {
        rc = run(cli, x, &why);
        report(cli, x, rc, &why);
        cli->exit_code = rc == RC_OK ? 0 : CLI_FAILED;
        rc = RC_OK;
    }
    audit_end(x);
    for (size_t i = 0; i < x->n; i++) {
        audit_keys_clear(x->list[i].keys);
        secret_free(x->list[i].keys);
    }
    return rc;
}

static enum rc print_grant(struct cli *cli, struct audit *x, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    const struct audited a = {.record = x->c.record, .context.contract = x->c.contract};
    struct audit_grant g;
    uint8_t public32[32];
    json_t *v = NULL;

    TRY(hex_decode_fixed(public32, sizeof(public32), bytes_str(grant_to), e));
    TRY(make_grant(cli, x, &a, &g, public32, e));
    audit_grant_put(&text, &g);
    cli_print(cli, "%s", buf_cstr(&text));
    TRY(json_parse(&v, buf_bytes(&text), 4096, e));
    cli_json(cli, v);
    return RC_OK;
}

static enum rc contract_audit(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 key = {0};
    struct audit *x = arena_alloc(&cli->mem, sizeof(*x));
    struct hash32 public32;
    struct address contract;
    bool made;

    x->cli = cli;
    TRY(cli_address(cli, &contract, cli->args[0], e));
    TRY(cli_confidential(cli, &x->c, &contract, e));
    if (x->c.record.audit != AUDIT_OWNER)
        return err_set(e, RC_DENIED,
                       "%s was deployed without --audit owner: its members give its keys to nobody",
                       cli_addr_text(cli, &contract));
    if (grant_to != NULL)
        return print_grant(cli, x, e);
    TRY(auditor_key(cli, &key, public32.b, &made, e));
    if (grants.n == 0 && auditor_path != NULL) {
        cli_print(cli, "auditor's key %s", cli_hash_text(cli, &public32));
        cli_hint(cli, "the owner: cloister contract audit %s --grant-to %s > FILE",
                 cli_addr_text(cli, &contract), cli_hash_text(cli, &public32));
        cli_json(cli, json_pack("{s:s}", "auditor", cli_hash_text(cli, &public32)));
        return RC_OK;
    }
    if (grants.n != 0 && (auditor_path == NULL || made))
        return err_set(e, RC_MALFORMED, "--grant goes with the --auditor-key it was made for");
    return audit(cli, x, public32.b, &key, e);
}

const struct cli_command CLI_CONTRACT_AUDIT = {
    .name = "contract audit",
    .args = "ADDRESS",
    .summary = "execute a confidential contract again and compare every root",
    .details =
        "The contract's commands are taken from the chain, opened, and run here; after each commit "
        "the\n"
        "root is compared with the one the cluster confirmed, in proved state. Where other "
        "contracts of\n"
        "the cluster had a part in it, it is taken from deltas, and the verdict is `partly "
        "verified`:\n"
        "what was executed and what was not is told batch by batch. With --with their commands are "
        "run,\n"
        "too. The owner audits without further options; anybody else makes a key (--auditor-key "
        "FILE),\n"
        "has the owner of each grant it (--grant-to KEY), and gives all of them. The contracts "
        "must be\n"
        "deployed with --audit owner. Their state is held in memory, at most 1,280 MiB as in a "
        "worker (64 bytes\n"
        "counted for each key besides), twice where other contracts of the cluster had a part.\n"
        "Exit code 0: nothing was found wrong.",
    .fn = contract_audit,
    .options = OPTIONS,
    .min_args = 1,
    .max_args = 1,
};
