/* contract deploy --confidential, contract upgrade: code into the store, the contract onto its
 * cluster, and the wait for its members to publish its key; code that is not public follows then.
 */
#include "chain/abi_sig.h"
#include "chain/gen/confidential_contracts.h"
#include "cli/internal/commands.h"
#include "cli/internal/confidential.h"
#include "cluster/code.h"
#include "cluster/entry.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "os/clock.h"
#include "os/file.h"

#define KEY_WAIT_MS 120000
#define LOOK_EVERY_MS 500

/* Code to be deployed. */
struct upload {
    bool is_sealed;
    struct secbuf program; /* with its salt, where it is sealed */
    struct hash32 hash;
    const char *url; /* once it is in the store */
};

static void upload_clear(struct upload *u)
{
    secbuf_clear(&u->program);
}

static enum rc read_code(const char *path, struct upload *u, bool is_sealed, struct err *e)
{
    AUTO_CLEAR(buf) struct buf elf = {0};
    struct bytes program, rest;
    enum rc rc;

    u->is_sealed = is_sealed;
    TRY(file_read(&elf, path, STATE_CODE_MAX, e));
    rc = code_split(buf_bytes(&elf), &program, &rest, e);
    if (rc != RC_OK || rest.n != 0)
        return err_set(e, RC_MALFORMED,
                       "%s is not an ELF program (cloister contract build makes "
                       "one)",
                       path);
    if (is_sealed) {
        rc = code_salt(&u->program, &u->hash, program, e);
        return rc == RC_OK ? RC_OK : err_wrap(e, rc, "%s", path);
    }
    secbuf_put_bytes(&u->program, program);
    keccak256(&u->hash, program);
    return RC_OK;
}

static enum rc add_to_store(struct cli *cli, struct upload *u, struct bytes file, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct store_client *store;
    char cid_text[CID_TEXT_SIZE];
    struct cid cid;

    TRY(cli_store(cli, &store, e));
    TRY(store_client_add_bytes(store, &cid, file, e));
    cid_format(cid_text, &cid);
    buf_printf(&text, "%sipfs://%s", u->is_sealed ? CODE_URL_SEALED : "", cid_text);
    u->url = arena_strdup(&cli->mem, buf_bytes(&text));
    cli_step(cli, "the code (%zu bytes%s) is in the store as %s", file.n,
             u->is_sealed ? ", encrypted" : "", u->url);
    return RC_OK;
}

/* c: with the contract's key, where the code is sealed. */
static enum rc store_code(struct cli *cli, const struct confidential *c, struct upload *u,
                          struct err *e)
{
    const struct code_context context = {.chain_id = c->chain_id,
                                         .genesis = c->genesis,
                                         .cluster = c->record.cluster,
                                         .contract = c->contract,
                                         .epoch = c->record.key_epoch,
                                         .code_hash = u->hash};
    AUTO_CLEAR(buf) struct buf file = {0};

    if (!u->is_sealed)
        return add_to_store(cli, u, secbuf_bytes(&u->program), e);
    TRY(code_seal(&file, &context, c->record.public_key.b, secbuf_bytes(&u->program), e));
    return add_to_store(cli, u, buf_bytes(&file), e);
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

/* Sealed code follows, when there is a key to seal it to. */
static enum rc send_deploy(struct cli *cli, const struct confidential_deploy *d,
                           const struct confidential *c, const struct secp_key *key,
                           const struct upload *u, struct address *made,
                           struct chain_receipt *receipt, struct err *e)
{
    AUTO_CLEAR(buf) struct buf calldata = {0}, init = {0};
    struct confidential_contracts_DeployParams p = {.upgradable = d->upgradable};
    struct chain_send s = {.to = &c->registry};
    struct confidential_contracts_event_Deployed event;
    const struct chain_log *log;
    struct chain_client *chain;
    struct u256 fee;

    if (!u->is_sealed) {
        p.codeHash = u->hash;
        p.codeUrl = bytes_str(u->url);
    }
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

/* The members derive the key, and sign its record: with the code, once they have it. */
static enum rc await_key(struct cli *cli, struct confidential *c, const struct address *made,
                         const struct address *owner, bool with_code, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + KEY_WAIT_MS;

    for (;;) {
        TRY(cli_confidential(cli, c, made, e));
        if (!address_eq(&c->record.owner, owner))
            return err_set(e, RC_DENIED,
                           "the contract at %s is not ours: the ledger node named "
                           "another",
                           cli_addr_text(cli, made));
        if (c->record.status == CONTRACT_ACTIVE || (!with_code && c->record.key_epoch != 0))
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

static enum rc provide_code(struct cli *cli, const struct confidential *c,
                            const struct secp_key *key, struct upload *u, struct err *e)
{
    AUTO_CLEAR(buf) struct buf calldata = {0};
    struct chain_send s = {.to = &c->registry};
    struct chain_receipt receipt;
    struct chain_client *chain;

    TRY(store_code(cli, c, u, e));
    confidential_contracts_put_provideCode(&calldata, &c->contract, &u->hash, bytes_str(u->url));
    s.data = buf_bytes(&calldata);
    TRY(cli_chain(cli, &chain, e));
    TRY(chain_transact(chain, &receipt, &cli->mem, key, &s, e));
    cli_light_at_least(cli, receipt.height);
    return RC_OK;
}

static enum rc deploy(struct cli *cli, const struct confidential_deploy *d, struct upload *u,
                      struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    struct confidential c = {0};
    struct chain_receipt receipt;
    struct address owner, made;

    TRY(read_code(d->elf_path, u, d->encrypts_code, e));
    TRY(cli_key(cli, &key, e));
    secp_key_address(&owner, &key);
    TRY(cli_cluster(cli, &c, d->cluster, e));
    TRY(may_deploy(cli, &c, &owner, e));
    if (!u->is_sealed)
        TRY(store_code(cli, &c, u, e));
    TRY(send_deploy(cli, d, &c, &key, u, &made, &receipt, e));
    cli_step(cli, "deployed as %s, transaction %s, block %llu; its key is awaited",
             cli_addr_text(cli, &made), cli_hash_text(cli, &receipt.tx_hash),
             (unsigned long long)receipt.height);
    if (u->is_sealed) {
        TRY(await_key(cli, &c, &made, &owner, false, e));
        TRY(provide_code(cli, &c, &key, u, e));
    }
    TRY(await_key(cli, &c, &made, &owner, true, e));
    cli_print(cli, "%s, confidential, cluster %llu, transaction %s", cli_addr_text(cli, &made),
              (unsigned long long)d->cluster, cli_hash_text(cli, &receipt.tx_hash));
    cli_hint(cli, "cloister contract send %s 'f(types)' ARGS --wait", cli_addr_text(cli, &made));
    cli_json(cli, json_pack("{s:s, s:I, s:s, s:I, s:s, s:s, s:b, s:s, s:I}", "address",
                            cli_addr_text(cli, &made), "cluster", (json_int_t)d->cluster,
                            "transaction", cli_hash_text(cli, &receipt.tx_hash), "height",
                            (json_int_t)receipt.height, "code_hash", cli_hash_text(cli, &u->hash),
                            "code_url", u->url, "code_encrypted", (int)u->is_sealed, "public_key",
                            cli_hash_text(cli, &c.record.public_key), "key_epoch",
                            (json_int_t)c.record.key_epoch));
    return RC_OK;
}

enum rc confidential_deploy(struct cli *cli, const struct confidential_deploy *d, struct err *e)
{
    AUTO_CLEAR(upload) struct upload u = {0};

    return deploy(cli, d, &u, e);
}

/* ---- upgrade ---- */

static const char *upgrade_gas;
static bool upgrade_encrypts_code;
static const struct cli_option UPGRADE_OPTIONS[] = {
    {.name = "encrypt-code",
     .help = "only the cluster's workers can read the new code",
     .flag = &upgrade_encrypts_code},
    {.name = "gas", .arg = "N", .help = "gas of the replacement [4194304]", .value = &upgrade_gas},
    {0},
};

static enum rc send_upgrade(struct cli *cli, const struct confidential *c,
                            const struct secp_key *key, const struct upload *u,
                            struct chain_receipt *receipt, struct err *e)
{
    AUTO_CLEAR(buf) struct buf calldata = {0};
    struct chain_send s = {.to = &c->registry};
    struct chain_client *chain;
    uint64_t gas;

    TRY(confidential_fee(c, upgrade_gas, &gas, &s.value, e));
    confidential_contracts_put_upgrade(&calldata, &c->contract, &u->hash, bytes_str(u->url), gas);
    s.data = buf_bytes(&calldata);
    TRY(cli_chain(cli, &chain, e));
    TRY(chain_transact(chain, receipt, &cli->mem, key, &s, e));
    cli_light_at_least(cli, receipt->height);
    return RC_OK;
}

/* The record names the new code once a quorum of members has it. */
static enum rc await_code(struct cli *cli, struct confidential *c, const struct hash32 *hash,
                          struct err *e)
{
    const struct address contract = c->contract;
    uint64_t give_up = clock_mono_ms() + KEY_WAIT_MS;

    for (;;) {
        TRY(cli_confidential(cli, c, &contract, e));
        if (hash32_eq(&c->record.code_hash, hash))
            return RC_OK;
        if (clock_mono_ms() > give_up)
            return err_set(e, RC_TIMEOUT,
                           "the members of cluster %llu have not taken the new code in %d s; the "
                           "old one goes on until they have",
                           (unsigned long long)c->record.cluster, KEY_WAIT_MS / 1000);
        clock_sleep_ms(LOOK_EVERY_MS);
        TRY(cli_light_newest(cli, e));
    }
}

static enum rc upgrade(struct cli *cli, struct upload *u, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    struct address contract, me;
    struct chain_receipt receipt;
    struct confidential c;

    TRY(cli_address(cli, &contract, cli->args[0], e));
    TRY(read_code(cli->args[1], u, upgrade_encrypts_code, e));
    TRY(cli_confidential_active(cli, &c, &contract, e));
    TRY(cli_key(cli, &key, e));
    secp_key_address(&me, &key);
    if (!address_eq(&me, &c.record.owner) || !c.record.upgradable)
        return err_set(e, RC_DENIED, "%s %s", cli_addr_text(cli, &contract),
                       c.record.upgradable ? "is upgraded by its owner alone"
                                           : "was deployed without --upgradable");
    TRY(store_code(cli, &c, u, e));
    TRY(send_upgrade(cli, &c, &key, u, &receipt, e));
    cli_step(cli, "asked for, transaction %s, block %llu; its members fetch the code",
             cli_hash_text(cli, &receipt.tx_hash), (unsigned long long)receipt.height);
    TRY(await_code(cli, &c, &u->hash, e));
    cli_print(cli, "%s runs %s", cli_addr_text(cli, &contract), cli_hash_text(cli, &u->hash));
    cli_json(cli,
             json_pack("{s:s, s:s, s:I, s:s, s:s, s:b}", "address", cli_addr_text(cli, &contract),
                       "transaction", cli_hash_text(cli, &receipt.tx_hash), "height",
                       (json_int_t)receipt.height, "code_hash", cli_hash_text(cli, &u->hash),
                       "code_url", u->url, "code_encrypted", (int)u->is_sealed));
    return RC_OK;
}

static enum rc contract_upgrade(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(upload) struct upload u = {0};

    return upgrade(cli, &u, e);
}

const struct cli_command CLI_CONTRACT_UPGRADE = {
    .name = "contract upgrade",
    .args = "ADDRESS FILE.elf",
    .summary = "other code for a confidential contract that is upgradable",
    .details = "Its state stays, and its key. Commands that were sealed for the old code and meet "
               "the new one\n"
               "are not opened.",
    .fn = contract_upgrade,
    .options = UPGRADE_OPTIONS,
    .min_args = 2,
    .max_args = 2,
};
