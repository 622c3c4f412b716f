/* contract show: what the chain knows of a confidential contract, proved. */
#include "cli/internal/commands.h"
#include "cli/internal/confidential.h"
#include "cli/internal/evidence.h"
#include "cluster/code.h"

static enum rc members_json(struct cli *cli, json_t *list, const struct confidential *c,
                            struct err *e)
{
    struct cluster_member *members;
    size_t n;

    TRY(cli_members(cli, &members, &n, c, e));
    cli_field(cli, "workers", "%zu, of which %llu decide%s", n,
              (unsigned long long)c->cluster.quorum,
              c->cluster.quorum == 1 ? "  WARNING: nobody compares one with another" : "");
    for (size_t i = 0; i < n; i++) {
        struct worker_evidence w;

        TRY(cli_evidence_standing(cli, &w, &members[i].worker, e));
        cli_field(cli, "", "%s  %s  %s", cli_addr_text(cli, &members[i].worker),
                  worker_standing(&w), members[i].url);
        CHECK(json_array_append_new(list,
                                    json_pack("{s:s, s:s, s:s}", "worker",
                                              cli_addr_text(cli, &members[i].worker), "standing",
                                              worker_standing(&w), "url", members[i].url)) == 0);
    }
    return RC_OK;
}

static enum rc contract_show(struct cli *cli, struct err *e)
{
    json_t *list = json_array();
    json_auto_t *result = json_pack("{s:o}", "workers", list);
    const st_contract_record *r;
    struct confidential c;
    struct address contract;
    uint64_t pending;
    const char *url;
    struct bytes where;
    bool is_sealed;

    TRY(cli_address(cli, &contract, cli->args[0], e));
    TRY(cli_confidential(cli, &c, &contract, e));
    r = &c.record;
    pending = c.queue.count - c.confirmed.index;
    TRY(cli_state_text(cli, &url, r->code_url, e));
    is_sealed = code_url_is_sealed(&where, bytes_str(url));
    cli_field(cli, "contract", "%s  %s", cli_addr_text(cli, &contract),
              confidential_status_text(r->status));
    cli_field(cli, "owner", "%s", cli_addr_text(cli, &r->owner));
    cli_field(cli, "cluster", "%llu", (unsigned long long)r->cluster);
    cli_field(cli, "code", "%s  %s  %s%s", cli_hash_text(cli, &r->code_hash), url,
              url[0] == '\0' ? "not named yet"
              : is_sealed    ? "encrypted: only its cluster can read it"
                             : "public",
              r->upgradable ? "  upgradable" : "");
    cli_field(cli, "audit", "%s", r->audit == AUDIT_OWNER ? "by whom the owner names" : "none");
    cli_field(cli, "key", "%s  epoch %llu", cli_hash_text(cli, &r->public_key),
              (unsigned long long)r->key_epoch);
    TRY(members_json(cli, list, &c, e));
    cli_field(cli, "confirmed", "%llu batches, %llu commands",
              (unsigned long long)c.confirmed.batches, (unsigned long long)c.confirmed.index);
    cli_field(cli, "state root", "%s", cli_hash_text(cli, &c.confirmed.root));
    cli_field(cli, "pending", "%llu commands", (unsigned long long)pending);
    cli_field(cli, "as of", "block %llu", (unsigned long long)c.height);
    CHECK(
        json_object_update_new(
            result,
            json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:b, s:b, s:b, s:s, s:I, s:I}", "address",
                      cli_addr_text(cli, &contract), "status", confidential_status_text(r->status),
                      "owner", cli_addr_text(cli, &r->owner), "cluster", (json_int_t)r->cluster,
                      "code_hash", cli_hash_text(cli, &r->code_hash), "code_url", url,
                      "code_encrypted", (int)is_sealed, "upgradable", (int)r->upgradable, "audit",
                      (int)(r->audit == AUDIT_OWNER), "public_key",
                      cli_hash_text(cli, &r->public_key), "key_epoch", (json_int_t)r->key_epoch,
                      "quorum", (json_int_t)c.cluster.quorum)) == 0 &&
        json_object_update_new(result, json_pack("{s:I, s:I, s:s, s:I, s:I}", "batches",
                                                 (json_int_t)c.confirmed.batches, "index",
                                                 (json_int_t)c.confirmed.index, "root",
                                                 cli_hash_text(cli, &c.confirmed.root), "pending",
                                                 (json_int_t)pending, "height",
                                                 (json_int_t)c.height)) == 0);
    cli_json(cli, json_incref(result));
    return RC_OK;
}

const struct cli_command CLI_CONTRACT_SHOW = {
    .name = "contract show",
    .args = "ADDRESS",
    .summary = "a confidential contract: key, workers, state root, pending commands",
    .details = "All of it is proved state of the chain; nothing is asked of a worker.",
    .fn = contract_show,
    .min_args = 1,
    .max_args = 1,
};
