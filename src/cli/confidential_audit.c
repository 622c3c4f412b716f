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

static const char *grant_to, *grant_path, *auditor_path;
static const struct cli_option OPTIONS[] = {
    {.name = "grant-to",
     .arg = "KEY",
     .help = "as the owner: only print a grant for this auditor's key (64 digits), valid an hour",
     .value = &grant_to},
    {.name = "grant",
     .arg = "FILE",
     .help = "as an auditor: the owner's grant",
     .value = &grant_path},
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

static enum rc make_grant(struct cli *cli, struct audit *x, struct audit_grant *g,
                          const uint8_t public32[32], struct err *e)
{
    const struct cluster_domain domain = {x->c.chain_id, x->c.registry};
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    struct address me;

    *g = (struct audit_grant){.contract = x->c.contract,
                              .end_batch = x->c.confirmed.batches,
                              .expiry_s = clock_wall_ns() / 1000000000u + GRANT_VALID_S};
    memcpy(g->auditor32, public32, sizeof(g->auditor32));
    TRY(cli_key(cli, &key, e));
    secp_key_address(&me, &key);
    if (!address_eq(&me, &x->c.record.owner))
        return err_set(e, RC_DENIED,
                       "only the owner %s may have %s audited: act with --key, or have a grant",
                       cli_addr_text(cli, &x->c.record.owner), cli_addr_text(cli, &x->c.contract));
    audit_grant_sign(g, &domain, &key);
    return RC_OK;
}

static enum rc read_grant(struct cli *cli, struct audit *x, struct audit_grant *g,
                          const uint8_t public32[32], struct err *e)
{
    const struct cluster_domain domain = {x->c.chain_id, x->c.registry};
    AUTO_CLEAR(buf) struct buf text = {0};
    struct address signer;

    TRY(file_read(&text, grant_path, 4096, e));
    TRY(audit_grant_parse(g, &signer, &domain, buf_bytes(&text), e));
    if (!address_eq(&g->contract, &x->c.contract) || !address_eq(&signer, &x->c.record.owner))
        return err_set(e, RC_DENIED, "%s is not a grant of %s by its owner %s", grant_path,
                       cli_addr_text(cli, &x->c.contract), cli_addr_text(cli, &x->c.record.owner));
    if (memcmp(g->auditor32, public32, sizeof(g->auditor32)) != 0)
        return err_set(e, RC_DENIED, "%s is for another auditor's key than --auditor-key",
                       grant_path);
    return RC_OK;
}

static enum rc ask_keys(struct cli *cli, struct audit *x, const struct audit_grant *g,
                        const struct secret32 *key, const struct cluster_member *m, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0}, sealed = {0};
    json_auto_t *body = NULL, *answer = NULL;

    audit_grant_put(&text, g);
    TRY(json_parse(&body, buf_bytes(&text), 4096, e));
    TRY(cli_member_call(cli, m, "/contracts/audit", body, &answer, e));
    TRY(json_hex(&sealed, answer, "sealed", 65536, e));
    return audit_keys_open(x->keys, &x->context, key, buf_bytes(&sealed), e);
}

static enum rc get_keys(struct cli *cli, struct audit *x, const struct audit_grant *g,
                        const struct secret32 *key, struct err *e)
{
    struct cluster_member *members;
    enum rc rc;
    size_t n;

    TRY(cli_members(cli, &members, &n, &x->c, e));
    rc = err_set(e, RC_NOTFOUND, "cluster %llu has no members to ask for the keys",
                 (unsigned long long)x->c.record.cluster);
    x->context = (struct audit_context){.chain_id = x->c.chain_id,
                                        .genesis = x->c.genesis,
                                        .contract = x->c.contract,
                                        .end_batch = g->end_batch};
    for (size_t i = 0; i < n && rc != RC_OK; i++) {
        rc = ask_keys(cli, x, g, key, &members[i], e);
        if (rc != RC_OK && e != NULL)
            cli_step(cli, "%s: %s", cli_addr_text(cli, &members[i].worker), e->msg);
    }
    return rc;
}

/* ---- the audit ---- */

static enum rc run(struct cli *cli, struct audit *x, const struct audit_grant *g, struct err *e)
{
    uint64_t last = 0;

    TRY(audit_read(x, e));
    while (last < x->n_commits && x->commits[last].end_batch <= g->end_batch)
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

static void report(struct cli *cli, const struct audit *x, enum rc rc, const struct err *e)
{
    const json_t *text;
    size_t i;

    cli_field(cli, "commits", "%llu compared: %s", (unsigned long long)x->n_compared,
              rc == RC_OK ? "every root is the confirmed one" : "then it ended");
    cli_field(cli, "commands", "%llu of this contract, executed again",
              (unsigned long long)x->n_commands);
    json_array_foreach(x->from_delta, i, text)
        cli_field(cli, i == 0 ? "from deltas" : "", "%s", json_string_value(text));
    if (rc != RC_OK)
        cli_field(cli, rc == RC_DENIED ? "WRONG" : "not compared", "%s", e->msg);
    cli_json(cli, json_pack("{s:s, s:s, s:I, s:I, s:O, s:s, s:s}", "address",
                            cli_addr_text(cli, &x->c.contract), "verdict",
                            rc == RC_OK       ? "good"
                            : rc == RC_DENIED ? "wrong"
                                              : "not compared",
                            "commits", (json_int_t)x->n_compared, "commands",
                            (json_int_t)x->n_commands, "from_delta", x->from_delta, "root",
                            cli_hash_text(cli, &x->root), "reason", rc == RC_OK ? "" : e->msg));
}

static enum rc with_grant(struct cli *cli, struct audit *x, const struct audit_grant *g,
                          const struct secret32 *key, struct err *e)
{
    struct err why = {0};
    enum rc rc;

    x->keys = secret_alloc(sizeof(*x->keys));
    x->from_delta = json_array();
    x->root = STATE_EMPTY;
    rc = get_keys(cli, x, g, key, e);
    if (rc == RC_OK) {
        rc = run(cli, x, g, &why);
        report(cli, x, rc, &why);
        cli->exit_code = rc == RC_OK ? 0 : CLI_FAILED;
        rc = RC_OK;
    }
    audit_end(x);
    audit_keys_clear(x->keys);
    secret_free(x->keys);
    json_decref(x->from_delta);
    return rc;
}

static enum rc print_grant(struct cli *cli, struct audit *x, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct audit_grant g;
    uint8_t public32[32];
    json_t *v = NULL;

    TRY(hex_decode_fixed(public32, sizeof(public32), bytes_str(grant_to), e));
    TRY(make_grant(cli, x, &g, public32, e));
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
    struct audit_grant g;
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
    if (grant_path == NULL && auditor_path != NULL) {
        cli_print(cli, "auditor's key %s", cli_hash_text(cli, &public32));
        cli_hint(cli, "the owner: cloister contract audit %s --grant-to %s > FILE",
                 cli_addr_text(cli, &contract), cli_hash_text(cli, &public32));
        cli_json(cli, json_pack("{s:s}", "auditor", cli_hash_text(cli, &public32)));
        return RC_OK;
    }
    if (grant_path != NULL && (auditor_path == NULL || made))
        return err_set(e, RC_MALFORMED, "--grant goes with the --auditor-key it was made for");
    if (grant_path != NULL)
        TRY(read_grant(cli, x, &g, public32.b, e));
    else
        TRY(make_grant(cli, x, &g, public32.b, e));
    return with_grant(cli, x, &g, &key, e);
}

const struct cli_command CLI_CONTRACT_AUDIT = {
    .name = "contract audit",
    .args = "ADDRESS",
    .summary = "execute a confidential contract again and compare every root",
    .details =
        "The contract's commands are taken from the chain, opened, and run here; after each commit "
        "the\n"
        "root is compared with the one the cluster confirmed, in proved state. Batches in which "
        "other\n"
        "contracts of the cluster had a part are taken from deltas in the store, and named. The "
        "owner\n"
        "audits without further options; anybody else makes a key (--auditor-key FILE), has the "
        "owner\n"
        "grant it (--grant-to KEY), and gives both. The contract must be deployed with --audit "
        "owner.\n"
        "Exit code 0: every root is the confirmed one.",
    .fn = contract_audit,
    .options = OPTIONS,
    .min_args = 1,
    .max_args = 1,
};
