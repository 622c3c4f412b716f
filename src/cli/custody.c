/* custody: a custodian's own part. Its key is in a file of its own, which is wanted once in a
 * chain's life, if ever; what it is asked for then it checks itself. */
#include "base/hex.h"
#include "chain/address.h"
#include "cli/internal/commands.h"
#include "crypto/x25519.h"
#include "keeper/custodian.h"
#include "os/file.h"

static const char *key_file, *keeper_url_text, *genesis_file;

#define KEY_OPTION                                                                                 \
    {.name = "custodian-key",                                                                      \
     .arg = "FILE",                                                                                \
     .help = "one's key, from custody new-key (needed)",                                           \
     .value = &key_file}
#define GENESIS_OPTION                                                                             \
    {.name = "genesis",                                                                            \
     .arg = "FILE",                                                                                \
     .help = "one's own copy of the genesis file, which is believed [the network's]",              \
     .value = &genesis_file}
static const struct cli_option CHECK_OPTIONS[] = {KEY_OPTION, GENESIS_OPTION, {0}};
static const struct cli_option RETURN_OPTIONS[] = {
    KEY_OPTION,
    GENESIS_OPTION,
    {.name = "keeper",
     .arg = "URL",
     .help = "the keeper that asks for its share (needed)",
     .value = &keeper_url_text},
    {0},
};

/* ---- the key ---- */

static const char *hex_of(struct cli *cli, struct bytes b)
{
    char *text = arena_alloc(&cli->mem, 2 * b.n + 1);

    hex_encode(text, b);
    return text;
}

static enum rc new_key(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 key;
    AUTO_CLEAR(buf) struct buf text = {0};
    const char *path = cli->args[0];
    uint8_t pub[32];
    enum rc rc;

    if (file_exists(path))
        return err_set(e, RC_EXISTS, "%s is there already", path);
    x25519_generate(&key, pub, NULL);
    hex_put(&text, BYTES_OF(&key));
    buf_u8(&text, '\n');
    rc = file_write_atomic(path, buf_bytes(&text), 0600, e);
    wipe(text.p, text.n);
    TRY(rc);
    cli_field(cli, "key", "%s", path);
    cli_field(cli, "public", "%s", hex_of(cli, BYTES_OF(&pub)));
    cli_json(cli, json_pack("{s:s, s:s}", "file", path, "publicKey", hex_of(cli, BYTES_OF(&pub))));
    cli_hint(cli, "keep the file where no machine of the network is; the public key goes into the "
                  "genesis");
    return RC_OK;
}

static enum rc read_key(struct secret32 *out, struct err *e)
{
    uint8_t text[128 + 1];
    size_t n;
    enum rc rc;

    if (key_file == NULL)
        return err_set(e, RC_MALFORMED, "give --custodian-key FILE");
    TRY(file_read_secret(text, sizeof(text) - 1, &n, key_file, e));
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    rc = hex_decode_fixed(out->b, sizeof(out->b), bytes_of(text, n), e);
    wipe(text, sizeof(text));
    return rc == RC_OK ? rc : err_wrap(e, rc, "%s", key_file);
}

/* ---- the network ---- */

static enum rc read_network(struct cli *cli, struct keeper_config *c, struct err *e)
{
    struct network *n;

    TRY(cli_network(cli, &n, e));
    *c = (struct keeper_config){.rpc_url = cli->rpc != NULL ? cli->rpc : n->rpc,
                                .genesis_path = genesis_file != NULL ? genesis_file : n->genesis,
                                .max_head_age_ms = 60000};
    TRY(cli_contract(cli, &c->workers, "Workers", e));
    TRY(cli_contract(cli, &c->gatekeepers, "Gatekeepers", e));
    TRY(cli_contract(cli, &c->council, "Council", e));
    TRY(cli_contract(cli, &c->collateral, "Collateral", e));
    return cli_contract(cli, &c->tee_pool, "TeePool", e);
}

static enum rc check(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 key;
    struct custodian_report *r = arena_alloc(&cli->mem, sizeof(*r));
    struct keeper_config c;
    json_t *list;
    bool all = true;

    TRY(read_key(&key, e));
    TRY(read_network(cli, &c, e));
    TRY(custodian_check(r, &c, &key, e));
    list = json_array();
    cli_field(cli, "custodian", "%u of %u; %u are needed", r->custodian, r->of, r->needed);
    cli_field(cli, "round", "%llu", (unsigned long long)r->round);
    for (uint32_t i = 0; i < r->n; i++) {
        const char *who = cli_addr_text(cli, &r->keepers[i].who);
        bool good = r->keepers[i].has_backup && r->keepers[i].fault.code == RC_OK;
        const char *said = good                       ? "good"
                           : r->keepers[i].has_backup ? r->keepers[i].fault.msg
                                                      : "left no backup";

        all = all && good;
        cli_field(cli, i == 0 ? "keepers" : "", "%s  %s", who, said);
        CHECK(json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "account", who, "good", good,
                                                    "says", said)) == 0);
    }
    cli->exit_code = all ? 0 : CLI_FAILED;
    cli_json(cli, json_pack("{s:I, s:I, s:I, s:I, s:o}", "custodian", (json_int_t)r->custodian,
                            "of", (json_int_t)r->of, "needed", (json_int_t)r->needed, "round",
                            (json_int_t)r->round, "keepers", list));
    return RC_OK;
}

static enum rc give_back(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 key;
    struct custodian_returned r;
    struct keeper_config c;

    if (keeper_url_text == NULL)
        return err_set(e, RC_MALFORMED, "give --keeper URL");
    TRY(read_key(&key, e));
    TRY(read_network(cli, &c, e));
    TRY(custodian_return(&r, &c, &key, keeper_url_text, e));
    cli_field(cli, "returned to", "%s", cli_addr_text(cli, &r.account));
    cli_field(cli, "share", "keeper %u's of round %llu", r.keeper, (unsigned long long)r.round);
    cli_field(cli, "pieces", "%llu of the %llu needed", (unsigned long long)r.pieces,
              (unsigned long long)r.needed);
    cli_json(cli, json_pack("{s:s, s:I, s:I, s:I, s:I}", "account", cli_addr_text(cli, &r.account),
                            "keeper", (json_int_t)r.keeper, "round", (json_int_t)r.round, "pieces",
                            (json_int_t)r.pieces, "needed", (json_int_t)r.needed));
    return RC_OK;
}

const struct cli_command CLI_CUSTODY_NEW_KEY = {
    .name = "custody new-key",
    .args = "FILE",
    .summary = "make a custodian's key",
    .details = "A custodian keeps a piece of every keeper's share against the loss of all keepers. "
               "Its public key stands in the network's genesis, its private one in FILE, far from "
               "any machine of the network.",
    .fn = new_key,
    .min_args = 1,
    .max_args = 1};
const struct cli_command CLI_CUSTODY_CHECK = {
    .name = "custody check",
    .args = "",
    .summary = "is there a good backup of every keeper's share?",
    .details = "Reads the backups of the sharing in force, proved, and opens this custodian's "
               "piece of each. Exit status 1: one is missing or bad.",
    .fn = check,
    .options = CHECK_OPTIONS};
const struct cli_command CLI_CUSTODY_RETURN = {
    .name = "custody return",
    .args = "",
    .summary = "hand one's piece of a lost share to a keeper",
    .details = "The keeper shows fresh evidence, which is judged here: its account holds that "
               "share by the keyset or by the council's word, and its measurement is allowed by "
               "the council's own signatures. Ask the council before: what is handed over cannot "
               "be taken back.",
    .fn = give_back,
    .options = RETURN_OPTIONS};
