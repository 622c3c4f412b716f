/* app approve, revoke: what an application's owner says to keepers (docs/keys.md). */
#include "base/hex.h"
#include "base/num.h"
#include "chain/address.h"
#include "chain/gen/gatekeepers.h"
#include "cli/internal/commands.h"
#include "crypto/hash.h"
#include "keys/approval.h"
#include "os/clock.h"
#include "os/file.h"

#define COMPOSE_MAX ((size_t)1 << 20)
#define APPROVAL_MAX 8192
#define DAYS_MAX 36500

static const char *salt_text, *device_text, *days_text, *out_path;
static bool up_to_date;

static const struct cli_option APPROVE_OPTIONS[] = {
    {.name = "salt",
     .arg = "HEX",
     .help = "32 bytes: which of the owner's applications [zeros]",
     .value = &salt_text},
    {.name = "device", .arg = "HEX", .help = "only on this device [any]", .value = &device_text},
    {.name = "up-to-date", .help = "only on platforms that are up to date", .flag = &up_to_date},
    {.name = "days", .arg = "N", .help = "for so long [until it is revoked]", .value = &days_text},
    {.name = "out", .arg = "FILE", .help = "where the approval goes (needed)", .value = &out_path},
    {0},
};

static enum rc domain_of(struct cli *cli, struct approval_domain *d, struct err *e)
{
    *d = (struct approval_domain){0};
    TRY(cli_contract(cli, &d->gatekeepers, "Gatekeepers", e));
    return cli_chain_id(cli, &d->chain_id, e);
}

static enum rc hash_option(struct hash32 *out, const char *name, const char *text, struct err *e)
{
    *out = (struct hash32){0};
    if (text == NULL || hex_decode_fixed(out->b, sizeof(out->b), bytes_str(text), e) == RC_OK)
        return RC_OK;
    return err_wrap(e, RC_MALFORMED, "--%s", name);
}

static enum rc read_expiry(uint64_t *out, struct err *e)
{
    *out = 0;
    if (days_text == NULL)
        return RC_OK;
    if (parse_u64(out, bytes_str(days_text), DAYS_MAX, e) != RC_OK || *out == 0)
        return err_set(e, RC_RANGE, "--days: give 1 to %d", DAYS_MAX);
    *out = clock_wall_ns() / 1000000000 + *out * 24 * 3600;
    return RC_OK;
}

static json_t *to_json(const struct app_approval *a, const struct address *owner,
                       const struct hash32 *salt, const struct secp_sig *sig)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:b, s:I, s:o}", "app", json_hex_new(BYTES_OF(&a->app)), "owner",
        json_hex_new(BYTES_OF(owner)), "salt", json_hex_new(BYTES_OF(salt)), "compose_hash",
        json_hex_new(BYTES_OF(&a->compose_hash)), "device", json_hex_new(BYTES_OF(&a->device)),
        "require_up_to_date", (int)a->require_up_to_date, "expiry", (json_int_t)a->expiry_s,
        "signature", json_hex_new(BYTES_OF(&sig->b)));
}

static enum rc app_approve(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    AUTO_CLEAR(buf) struct buf compose = {0}, text = {0};
    struct app_approval a = {.require_up_to_date = up_to_date};
    json_auto_t *o = NULL, *parsed = NULL;
    struct approval_domain d;
    struct hash32 salt, digest;
    struct address owner;
    struct secp_sig sig;
    char app[ADDRESS_TEXT_SIZE];

    if (out_path == NULL)
        return err_set(e, RC_MALFORMED, "give --out FILE");
    TRY(hash_option(&salt, "salt", salt_text, e));
    TRY(hash_option(&a.device, "device", device_text, e));
    TRY(read_expiry(&a.expiry_s, e));
    TRY(file_read(&compose, cli->args[0], COMPOSE_MAX, e));
    if (json_parse(&parsed, buf_bytes(&compose), COMPOSE_MAX, e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "%s is not the JSON of an app-compose file", cli->args[0]);
    sha256(&a.compose_hash, buf_bytes(&compose));
    TRY(domain_of(cli, &d, e));
    TRY(cli_key(cli, &key, e));
    secp_key_address(&owner, &key);
    app_id_of_owner(&a.app, &owner, &salt);
    app_approval_digest(&digest, &d, &a);
    secp_sign(&sig, &key, &digest);
    o = to_json(&a, &owner, &salt, &sig);
    CHECK(o != NULL);
    json_put(&text, o);
    buf_put_str(&text, "\n");
    TRY(file_write_atomic(out_path, buf_bytes(&text), 0644, e));
    address_format(app, &a.app);
    cli_print(cli, "application %s may run compose hash %s", app,
              cli_hash_text(cli, &a.compose_hash) + 2);
    cli_json(cli, json_incref(o));
    return RC_OK;
}

/* As it was signed: what was changed in the file is another approval, which nobody made. */
static enum rc read_approval(struct app_approval *a, const char *path, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    json_auto_t *o = NULL;

    *a = (struct app_approval){0};
    TRY(file_read(&text, path, APPROVAL_MAX, e));
    TRY(json_parse(&o, buf_bytes(&text), APPROVAL_MAX, e));
    TRY(json_hex_fixed(a->app.b, sizeof(a->app.b), o, "app", e));
    TRY(json_hex_fixed(a->compose_hash.b, 32, o, "compose_hash", e));
    TRY(json_hex_fixed(a->device.b, 32, o, "device", e));
    TRY(json_bool_opt(&a->require_up_to_date, o, "require_up_to_date", false, e));
    return json_u64(&a->expiry_s, o, "expiry", UINT64_MAX >> 1, e);
}

static enum rc app_revoke(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    AUTO_CLEAR(buf) struct buf data = {0};
    struct chain_receipt receipt;
    struct approval_domain d;
    struct app_approval a;
    struct chain_client *c;
    struct hash32 digest;
    struct chain_send s;

    if (read_approval(&a, cli->args[0], e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "%s", cli->args[0]);
    TRY(domain_of(cli, &d, e));
    app_approval_digest(&digest, &d, &a);
    gatekeepers_put_revokeApproval(&data, &digest);
    s = (struct chain_send){.to = &d.gatekeepers, .data = buf_bytes(&data)};
    TRY(cli_key(cli, &key, e));
    TRY(cli_chain(cli, &c, e));
    TRY(chain_transact(c, &receipt, &cli->mem, &key, &s, e));
    cli_print(cli, "revoked: keepers give nothing more under it, whoever shows it");
    cli_json(cli, json_pack("{s:s}", "approval", cli_hash_text(cli, &digest)));
    return RC_OK;
}

const struct cli_command CLI_APP_APPROVE = {
    .name = "app approve",
    .args = "COMPOSE",
    .summary = "sign that a version of an application gets the application's keys from keepers",
    .details =
        "COMPOSE is the app-compose.json, to the byte. The application's name is made of the\n"
        "owner's address (--key) and the salt: it stays the same over all versions, and so do its\n"
        "keys; give it to cloister-agent as --app-id, and the file as --approval. Anybody may "
        "read\n"
        "the file: it is of use only with evidence of an image that the council allowed.",
    .fn = app_approve,
    .options = APPROVE_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};

const struct cli_command CLI_APP_REVOKE = {
    .name = "app revoke",
    .args = "FILE",
    .summary = "take an approval back, for ever: on chain, by who signed it",
    .details =
        "Instances that run keep the keys they have. The same version can be approved again\n"
        "only by another approval: with other --days, or for a device.",
    .fn = app_revoke,
    .min_args = 1,
    .max_args = 1,
};
