/* contract deploy --confidential: code into the store, the contract onto its cluster, and the wait
 * for its members to publish its key. */
#include "chain/abi_sig.h"
#include "chain/gen/confidential_contracts.h"
#include "cli/internal/commands.h"
#include "cli/internal/confidential.h"
#include "cluster/entry.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "ledger/code.h"
#include "ledger/state.h"
#include "os/clock.h"
#include "os/file.h"

#define KEY_WAIT_MS 120000
#define LOOK_EVERY_MS 500

static enum rc read_code(const char *path, struct buf *elf, struct hash32 *hash, struct err *e)
{
    struct bytes program, rest;
    enum rc rc;

    TRY(file_read(elf, path, STATE_CODE_MAX, e));
    rc = code_split(buf_bytes(elf), &program, &rest, e);
    if (rc != RC_OK || rest.n != 0)
        return err_set(e, RC_MALFORMED,
                       "%s is not an ELF program (cloister contract build makes "
                       "one)",
                       path);
    keccak256(hash, program);
    return RC_OK;
}

static enum rc store_code(struct cli *cli, const char **url, const struct buf *elf, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct store_client *store;
    char cid_text[CID_TEXT_SIZE];
    struct cid cid;

    TRY(cli_store(cli, &store, e));
    TRY(store_client_add_bytes(store, &cid, buf_bytes(elf), e));
    cid_format(cid_text, &cid);
    buf_printf(&text, "ipfs://%s", cid_text);
    *url = arena_strdup(&cli->mem, buf_bytes(&text));
    cli_step(cli, "the code (%zu bytes) is in the store as %s", elf->n, *url);
    return RC_OK;
}

static enum rc audit_of(uint64_t *out, const char *text, struct err *e)
{
    *out = AUDIT_NONE;
    if (text == NULL || strcmp(text, "none") == 0)
        return RC_OK;
    if (strcmp(text, "owner") != 0)
        return err_set(e, RC_MALFORMED, "--audit %s: it is owner or none", text);
    *out = AUDIT_OWNER;
    return RC_OK;
}

/* Somebody who may not deploy there is told before anything is sent. */
static enum rc may_deploy(struct cli *cli, const struct confidential *c, const struct address *who,
                          struct err *e)
{
    if (!c->cluster.anyone_deploys && !address_eq(&c->cluster.owner, who))
        return err_set(
            e, RC_DENIED,
            "only its owner %s may deploy on cluster %llu: take another one, or make one "
            "(`cloister cluster create`)",
            cli_addr_text(cli, &c->cluster.owner), (unsigned long long)c->record.cluster);
    if (c->cluster.quorum == 1)
        cli_step(cli,
                 "WARNING: one member alone decides in cluster %llu: nobody compares its "
                 "results with another's",
                 (unsigned long long)c->record.cluster);
    return RC_OK;
}

static enum rc send_deploy(struct cli *cli, const struct confidential_deploy *d,
                           const struct confidential *c, const struct secp_key *key,
                           const struct hash32 *hash, const char *url, struct address *made,
                           struct chain_receipt *receipt, struct err *e)
{
    AUTO_CLEAR(buf) struct buf calldata = {0}, init = {0};
    struct confidential_contracts_DeployParams p = {
        .codeHash = *hash, .codeUrl = bytes_str(url), .upgradable = d->upgradable};
    struct chain_send s = {.to = &c->registry};
    struct confidential_contracts_event_Deployed event;
    const struct chain_log *log;
    struct chain_client *chain;
    struct u256 fee;

    TRY(audit_of(&p.audit, d->audit, e));
    if (d->init != NULL)
        TRY(abi_calldata(&init, bytes_str(d->init), d->args, d->n_args, e));
    else if (d->n_args != 0)
        return err_set(e, RC_MALFORMED, "arguments without --init SIGNATURE");
    p.init = buf_bytes(&init);
    random_bytes(p.salt.b, sizeof(p.salt.b));
    TRY(confidential_fee(c, d->gas, &p.gas, &fee, e));
    TRY(confidential_value(&s.value, &fee, d->value, e));
    confidential_contracts_put_deploy(&calldata, c->record.cluster, &p);
    s.data = buf_bytes(&calldata);
    TRY(cli_chain(cli, &chain, e));
    TRY(chain_transact(chain, receipt, &cli->mem, key, &s, e));
    log = chain_receipt_find(receipt, &c->registry, &confidential_contracts_topic_Deployed);
    if (log == NULL)
        return err_set(e, RC_MALFORMED, "ConfidentialContracts made no Deployed event");
    TRY(confidential_contracts_parse_Deployed(&event, NULL, log->topics, log->n_topics, log->data,
                                              e));
    *made = event.contractAddress;
    cli_light_at_least(cli, receipt->height);
    return RC_OK;
}

/* The members fetch the code, derive the key, and sign its record. */
static enum rc await_key(struct cli *cli, struct confidential *c, const struct address *made,
                         const struct address *owner, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + KEY_WAIT_MS;

    for (;;) {
        TRY(cli_confidential(cli, c, made, e));
        if (!address_eq(&c->record.owner, owner))
            return err_set(e, RC_DENIED,
                           "the contract at %s is not ours: the ledger node named "
                           "another",
                           cli_addr_text(cli, made));
        if (c->record.status == CONTRACT_ACTIVE)
            return RC_OK;
        if (clock_mono_ms() > give_up)
            return err_set(e, RC_TIMEOUT,
                           "the members of cluster %llu have not published a key for %s in %d s: "
                           "`cloister contract show %s` tells which there are",
                           (unsigned long long)c->record.cluster, cli_addr_text(cli, made),
                           KEY_WAIT_MS / 1000, cli_addr_text(cli, made));
        clock_sleep_ms(LOOK_EVERY_MS);
        TRY(cli_light_newest(cli, e));
    }
}

enum rc confidential_deploy(struct cli *cli, const struct confidential_deploy *d, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    AUTO_CLEAR(buf) struct buf elf = {0};
    struct confidential c = {0};
    struct chain_receipt receipt;
    struct address owner, made;
    struct hash32 hash;
    const char *url;

    TRY(read_code(d->elf_path, &elf, &hash, e));
    TRY(cli_key(cli, &key, e));
    secp_key_address(&owner, &key);
    TRY(cli_cluster(cli, &c, d->cluster, e));
    TRY(may_deploy(cli, &c, &owner, e));
    TRY(store_code(cli, &url, &elf, e));
    TRY(send_deploy(cli, d, &c, &key, &hash, url, &made, &receipt, e));
    cli_step(cli, "deployed as %s, transaction %s, block %llu; its key is awaited",
             cli_addr_text(cli, &made), cli_hash_text(cli, &receipt.tx_hash),
             (unsigned long long)receipt.height);
    TRY(await_key(cli, &c, &made, &owner, e));
    cli_print(cli, "%s, confidential, cluster %llu, transaction %s", cli_addr_text(cli, &made),
              (unsigned long long)d->cluster, cli_hash_text(cli, &receipt.tx_hash));
    cli_hint(cli, "cloister contract send %s 'f(types)' ARGS --wait", cli_addr_text(cli, &made));
    cli_json(cli, json_pack("{s:s, s:I, s:s, s:I, s:s, s:s, s:s, s:I}", "address",
                            cli_addr_text(cli, &made), "cluster", (json_int_t)d->cluster,
                            "transaction", cli_hash_text(cli, &receipt.tx_hash), "height",
                            (json_int_t)receipt.height, "code_hash", cli_hash_text(cli, &hash),
                            "code_url", url, "public_key", cli_hash_text(cli, &c.record.public_key),
                            "key_epoch", (json_int_t)c.record.key_epoch));
    return RC_OK;
}
