/* council show, propose, sign, execute, cancel; measurement list, allow, remove. What members sign
 * is shown before it is signed, and signatures may be gathered from other machines. */
#include "cli/internal/council.h"

#include "base/hex.h"
#include "chain/abi_sig.h"
#include "chain/council.h"
#include "chain/gen/council.h"
#include "cli/internal/commands.h"
#include "cli/internal/evidence.h"
#include "codec/abi.h"
#include "os/file.h"

#include <stdio.h>

#define MAX_ACTIONS_SHOWN 100
#define SIGNATURE_FILE_MAX 4096
#define EXECUTABLE_FOR_S ((uint64_t)14 * 24 * 3600) /* contracts/system/Council.c */
enum { ACTION_NONE, ACTION_PROPOSED, ACTION_EXECUTED, ACTION_CANCELED };

static struct cli_list keys, signatures;
static const char *id_text;
static bool only_sign;

/* Of every command that acts as the council. */
/* clang-format off */
#define SIGNING_OPTIONS                                                                            \
    {.name = "key", .arg = "KEY", .help = "sign with this member's key (repeat)", .values = &keys},\
    {.name = "signature", .arg = "HEX|FILE",                                                       \
     .help = "a signature made elsewhere with --sign (repeat)", .values = &signatures},            \
    {.name = "id", .arg = "N", .help = "the number the action will have [the next one]",           \
     .value = &id_text},                                                                           \
    {.name = "sign", .help = "only print the signature, propose nothing", .flag = &only_sign}
/* clang-format on */

const struct cli_option COUNCIL_OPTIONS[] = {
    SIGNING_OPTIONS,
    {0},
};

/* ---- the council as it is ---- */

struct council {
    struct address address;
    struct council_address_list members;
    uint64_t threshold, delay, height, now;
    struct u256 count;
};

static enum rc load(struct cli *cli, struct council *c, struct err *e)
{
    struct bytes answer;
    struct buf b = {0};

    TRY(cli_contract(cli, &c->address, "Council", e));
    TRY(cli_newest(cli, &c->height, &c->now, e));
    council_put_members(&b);
    TRY(cli_ask(cli, &answer, &c->address, &b, c->height, e));
    TRY(council_get_members(&c->members, &cli->mem, answer, e));
    council_put_threshold(&b);
    TRY(cli_ask(cli, &answer, &c->address, &b, c->height, e));
    TRY(council_get_threshold(&c->threshold, NULL, answer, e));
    council_put_delay(&b);
    TRY(cli_ask(cli, &answer, &c->address, &b, c->height, e));
    TRY(council_get_delay(&c->delay, NULL, answer, e));
    council_put_actionsCount(&b);
    TRY(cli_ask(cli, &answer, &c->address, &b, c->height, e));
    return council_get_actionsCount(&c->count, NULL, answer, e);
}

static bool is_member(const struct council *c, const struct address *who)
{
    for (size_t i = 0; i < c->members.n; i++)
        if (address_eq(&c->members.p[i], who))
            return true;
    return false;
}

static enum rc load_action(struct cli *cli, struct council_Action *a, const struct council *c,
                           const struct u256 *id, struct err *e)
{
    struct bytes answer;
    struct buf b = {0};

    council_put_actions(&b, id);
    TRY(cli_ask(cli, &answer, &c->address, &b, c->height, e));
    TRY(council_get_actions(a, &cli->mem, answer, e));
    if (a->status == ACTION_NONE)
        return err_set(e, RC_NOTFOUND, "no such action of the council");
    return RC_OK;
}

/* ---- a call, for people ---- */

/* What is administered by a council, so that members can read what they sign. */
static const char *const KNOWN_CALLS[] = {
    "allowMeasurement(bytes32,uint64,string)",
    "removeMeasurement(bytes32)",
    "evict(address)",
    "admit(address)",
    "banPlatform(bytes32,bool)",
    "setPolicy(bytes)",
    "setLifetime(uint64)",
    "setTeePool(address)",
    "setCouncil(address)",
    "addRoot(bytes32,string,bool)",
    "removeRoot(bytes32)",
    "setVendors(bool)",
    "setGrace(uint64)",
    "setMembers(address[],uint64)",
    "setDelay(uint64)",
    "setUrgent(address,bytes4,bool)",
    "updateWorkers(address)",
    "upgradeToAndCall(address,bytes)",
    "grantRole(bytes32,address)",
    "revokeRole(bytes32,address)",
    "pause()",
    "unpause()",
    "removeTee(address)",
    "updateDataRegistry(address)",
    "updateTeeFee(uint256)",
    "updateCancelDelay(uint256)",
    "updateStartWindow(uint256)",
    "updateDataRefinerRegistry(address)",
    "updateDlpRegistry(address)",
    "updateTemplates(bytes32,bytes32)",
};

/* Its name in the network file, or its address. */
static const char *contract_name(struct cli *cli, const struct address *a)
{
    struct network *net;
    const char *name;
    json_t *text;

    if (cli_network(cli, &net, NULL) == RC_OK) {
        json_object_foreach(json_object_get(net->file, "contracts"), name, text)
        {
            struct address known;

            if (cli_contract(cli, &known, name, NULL) == RC_OK && address_eq(&known, a))
                return name;
        }
    }
    return cli_addr_text(cli, a);
}

static const char *call_text(struct cli *cli, const struct address *to, struct bytes data)
{
    AUTO_CLEAR(buf) struct buf out = {0};

    buf_printf(&out, "%s.", contract_name(cli, to));
    for (size_t i = 0; i < ARRAY_LEN(KNOWN_CALLS) && data.n >= 4; i++) {
        struct abi_signature sig;
        struct abi_value v;
        uint8_t selector[4];

        if (abi_selector(selector, bytes_str(KNOWN_CALLS[i]), NULL) != RC_OK ||
            memcmp(selector, data.p, 4) != 0 ||
            abi_signature_parse(&sig, &cli->mem, bytes_str(KNOWN_CALLS[i]), NULL) != RC_OK ||
            abi_decode(&v, &cli->mem, sig.args, bytes_of(data.p + 4, data.n - 4), NULL) != RC_OK)
            continue;
        buf_put_bytes(&out, sig.name);
        abi_value_put(&out, &v);
        return arena_strdup(&cli->mem, buf_bytes(&out));
    }
    hex_put_0x(&out, data);
    return arena_strdup(&cli->mem, buf_bytes(&out));
}

/* ---- signatures ---- */

struct gathered {
    struct address signer[CLI_MAX_ARGS];
    struct secp_sig sig[CLI_MAX_ARGS];
    size_t n;
};

/* In rising order of signers, as the contract wants them; each once. */
static void gather(struct gathered *g, const struct address *signer, const struct secp_sig *sig)
{
    size_t i = 0;

    while (i < g->n && memcmp(g->signer[i].b, signer->b, sizeof(signer->b)) < 0)
        i++;
    if ((i < g->n && address_eq(&g->signer[i], signer)) || g->n == ARRAY_LEN(g->signer))
        return;
    memmove(&g->signer[i + 1], &g->signer[i], (g->n - i) * sizeof(g->signer[0]));
    memmove(&g->sig[i + 1], &g->sig[i], (g->n - i) * sizeof(g->sig[0]));
    g->signer[i] = *signer;
    g->sig[i] = *sig;
    g->n++;
}

static enum rc read_signature(struct secp_sig *out, const char *text, struct err *e)
{
    AUTO_CLEAR(buf) struct buf file = {0};
    struct bytes t = bytes_str(text);

    if (file_exists(text)) {
        TRY(file_read(&file, text, SIGNATURE_FILE_MAX, e));
        t = buf_bytes(&file);
    }
    while (t.n != 0 && t.p[t.n - 1] <= ' ')
        t.n--;
    if (hex_decode_fixed(out->b, sizeof(out->b), t, e) != RC_OK)
        return err_set(e, RC_MALFORMED,
                       "--signature \"%.80s\" is neither 65 bytes in hexadecimal nor a file with "
                       "them",
                       text);
    return RC_OK;
}

/* Those given with --signature. One over another call or number recovers to a stranger. */
static enum rc gather_given(struct cli *cli, struct gathered *g, const struct council *c,
                            const struct hash32 *digest, const struct u256 *id, struct err *e)
{
    for (size_t i = 0; i < signatures.n; i++) {
        char dec[U256_DEC_SIZE];
        struct address signer;
        struct secp_sig sig;

        TRY(read_signature(&sig, signatures.items[i], e));
        u256_to_dec(dec, id);
        if (secp_recover_address(&signer, digest, sig.b, SECP_S_LOW, e) != RC_OK)
            return err_wrap(e, RC_MALFORMED, "signature %zu", i + 1);
        if (!is_member(c, &signer))
            return err_set(e, RC_DENIED,
                           "signature %zu is by %s, who is no member: or it was made for another "
                           "action than number %s with exactly this call",
                           i + 1, cli_addr_text(cli, &signer), dec);
        gather(g, &signer, &sig);
    }
    return RC_OK;
}

/* Those of the keys that are here; the first key is who sends. */
static enum rc gather_here(struct cli *cli, struct gathered *g, struct secp_key *sender,
                           const struct council *c, const struct hash32 *digest, struct err *e)
{
    size_t n = keys.n == 0 ? 1 : keys.n;

    for (size_t i = 0; i < n; i++) {
        AUTO_CLEAR(secp_key) struct secp_key key = {0};
        struct address a;
        struct secp_sig sig;

        if (keys.n != 0)
            cli->key_name = keys.items[i];
        TRY(cli_key(cli, &key, e));
        if (i == 0)
            *sender = key;
        secp_key_address(&a, &key);
        if (!is_member(c, &a))
            continue;
        secp_sign(&sig, &key, digest);
        gather(g, &a, &sig);
    }
    return RC_OK;
}

static enum rc enough(const struct gathered *g, const struct council *c, const struct u256 *id,
                      struct err *e)
{
    char dec[U256_DEC_SIZE];

    if (g->n >= c->threshold)
        return RC_OK;
    u256_to_dec(dec, id);
    return err_set(e, RC_DENIED,
                   "the council needs %llu signatures of its %zu members and has %zu: %llu missing "
                   "(members add --sign --id %s to this command; give theirs with --signature)",
                   (unsigned long long)c->threshold, c->members.n, g->n,
                   (unsigned long long)(c->threshold - g->n), dec);
}

static enum rc print_signatures(struct cli *cli, const struct gathered *g, const char *call,
                                const struct u256 *id, struct err *e)
{
    json_t *list = json_array();
    char dec[U256_DEC_SIZE];

    u256_to_dec(dec, id);
    if (g->n == 0) {
        json_decref(list);
        return err_set(e, RC_DENIED, "none of the keys given is a member's");
    }
    cli_step(cli, "action %s: %s", dec, call);
    for (size_t i = 0; i < g->n; i++) {
        AUTO_CLEAR(buf) struct buf hex = {0};

        hex_put_0x(&hex, BYTES_OF(&g->sig[i]));
        cli_step(cli, "signed by %s", cli_addr_text(cli, &g->signer[i]));
        cli_print(cli, "%s", buf_cstr(&hex));
        CHECK(json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "id", dec, "signer",
                                                    cli_addr_text(cli, &g->signer[i]), "signature",
                                                    buf_cstr(&hex))) == 0);
    }
    cli_json(cli, list);
    return RC_OK;
}

static struct council_bytes_list signature_list(struct cli *cli, const struct gathered *g)
{
    struct council_bytes_list list = {arena_array(&cli->mem, g->n + 1, sizeof(struct bytes)), g->n};

    for (size_t i = 0; i < g->n; i++)
        list.p[i] = BYTES_OF(&g->sig[i]);
    return list;
}

static enum rc transact(struct cli *cli, struct chain_receipt *receipt, const struct secp_key *key,
                        const struct address *to, struct buf *calldata, struct err *e)
{
    const struct chain_send s = {.to = to, .data = arena_dup(&cli->mem, buf_bytes(calldata))};
    struct chain_client *c;

    buf_clear(calldata);
    TRY(cli_chain(cli, &c, e));
    return chain_transact(c, receipt, &cli->mem, key, &s, e);
}

static enum rc number_id(struct u256 *out, const char *text, struct err *e)
{
    uint64_t n;

    TRY(cli_number(&n, text, "action", UINT64_MAX, e));
    *out = u256_from_u64(n);
    return RC_OK;
}

/* ---- propose ---- */

static enum rc next_id(struct u256 *id, const struct council *c, struct err *e)
{
    const struct u256 one = u256_from_u64(1);

    if (id_text != NULL)
        return number_id(id, id_text, e);
    if (!u256_add(id, &c->count, &one))
        return err_set(e, RC_RANGE, "the council's number of actions is above 256 bits");
    return RC_OK;
}

/* What became of a proposal. */
static enum rc print_proposed(struct cli *cli, const struct chain_receipt *receipt,
                              const struct council *c, const char *call, struct err *e)
{
    struct council_event_ActionProposed p = {0};
    bool executed = false, proposed = false;
    char dec[U256_DEC_SIZE];

    for (size_t i = 0; i < receipt->n_logs; i++) {
        const struct chain_log *log = &receipt->logs[i];
        struct council_event_ActionProposed found;
        struct council_event_ActionExecuted x;

        if (!address_eq(&log->address, &c->address))
            continue;
        if (council_parse_ActionProposed(&found, NULL, log->topics, log->n_topics, log->data,
                                         NULL) == RC_OK) {
            p = found;
            proposed = true;
        }
        executed |= council_parse_ActionExecuted(&x, NULL, log->topics, log->n_topics, log->data,
                                                 NULL) == RC_OK;
    }
    if (!proposed)
        return err_set(e, RC_MALFORMED, "the council made no ActionProposed event");
    u256_to_dec(dec, &p.id);
    if (executed)
        cli_print(cli, "action %s executed: %s", dec, call);
    else
        cli_print(cli,
                  "action %s proposed: %s, to be executed from %s on: cloister council execute %s",
                  dec, call, cli_date_text(cli, p.notBefore), dec);
    cli_json(cli, json_pack("{s:s, s:s, s:b, s:I, s:s, s:I}", "id", dec, "call", call, "executed",
                            (int)executed, "not_before", (json_int_t)p.notBefore, "transaction",
                            cli_hash_text(cli, &receipt->tx_hash), "height",
                            (json_int_t)receipt->height));
    return RC_OK;
}

enum rc council_act(struct cli *cli, const struct address *to, struct bytes data, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key sender = {0};
    struct gathered g = {.n = 0};
    struct chain_receipt receipt;
    struct chain_client *client;
    struct hash32 digest;
    struct council c;
    struct buf b = {0};
    const char *call = call_text(cli, to, data);
    uint64_t chain;
    struct u256 id;

    TRY(load(cli, &c, e));
    TRY(cli_chain(cli, &client, e));
    TRY(chain_id(client, &chain, e));
    TRY(next_id(&id, &c, e));
    council_action_digest(&digest, chain, &c.address, &id, to, data);
    TRY(gather_here(cli, &g, &sender, &c, &digest, e));
    if (only_sign)
        return print_signatures(cli, &g, call, &id, e);
    TRY(gather_given(cli, &g, &c, &digest, &id, e));
    TRY(enough(&g, &c, &id, e));
    council_put_propose(&b, to, data, signature_list(cli, &g));
    TRY(transact(cli, &receipt, &sender, &c.address, &b, e));
    return print_proposed(cli, &receipt, &c, call, e);
}

/* TO SIGNATURE [ARG...] */
static enum rc propose(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    struct address to;

    TRY(cli_address(cli, &to, cli->args[0], e));
    TRY(abi_calldata(&data, bytes_str(cli->args[1]), cli->args + 2, cli->n_args - 2, e));
    return council_act(cli, &to, buf_bytes(&data), e);
}

static enum rc sign_command(struct cli *cli, struct err *e)
{
    only_sign = true;
    return propose(cli, e);
}

const struct cli_command CLI_COUNCIL_PROPOSE = {
    .name = "council propose",
    .args = "TO SIGNATURE [ARG...]",
    .summary = "have the council call a contract: Workers 'setLifetime(uint64)' 3600",
    .details = COUNCIL_DETAILS,
    .fn = propose,
    .options = COUNCIL_OPTIONS,
    .min_args = 2,
    .max_args = CLI_MAX_ARGS,
};
const struct cli_command CLI_COUNCIL_SIGN = {
    .name = "council sign",
    .args = "TO SIGNATURE [ARG...]",
    .summary = "print a member's signature over an action, for who proposes it",
    .details = COUNCIL_DETAILS,
    .fn = sign_command,
    .options = COUNCIL_OPTIONS,
    .min_args = 2,
    .max_args = CLI_MAX_ARGS,
};

/* ---- execute, cancel ---- */

static enum rc execute(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    struct chain_receipt receipt;
    struct council_Action a;
    struct council c;
    struct buf b = {0};
    struct u256 id;

    TRY(number_id(&id, cli->args[0], e));
    TRY(load(cli, &c, e));
    TRY(load_action(cli, &a, &c, &id, e));
    TRY(cli_key(cli, &key, e));
    council_put_execute(&b, &id);
    TRY(transact(cli, &receipt, &key, &c.address, &b, e));
    cli_print(cli, "action %s executed: %s", cli->args[0], call_text(cli, &a.to, a.data));
    cli_json(cli,
             json_pack("{s:s, s:s, s:s, s:I}", "id", cli->args[0], "call",
                       call_text(cli, &a.to, a.data), "transaction",
                       cli_hash_text(cli, &receipt.tx_hash), "height", (json_int_t)receipt.height));
    return RC_OK;
}

static enum rc cancel(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key sender = {0};
    struct gathered g = {.n = 0};
    struct chain_receipt receipt;
    struct chain_client *client;
    struct council_Action a;
    struct hash32 digest;
    struct council c;
    struct buf b = {0};
    const char *call;
    uint64_t chain;
    struct u256 id;

    TRY(number_id(&id, cli->args[0], e));
    TRY(load(cli, &c, e));
    TRY(load_action(cli, &a, &c, &id, e));
    call = call_text(cli, &a.to, a.data);
    TRY(cli_chain(cli, &client, e));
    TRY(chain_id(client, &chain, e));
    council_cancel_digest(&digest, chain, &c.address, &id);
    TRY(gather_here(cli, &g, &sender, &c, &digest, e));
    if (only_sign)
        return print_signatures(cli, &g, call, &id, e);
    TRY(gather_given(cli, &g, &c, &digest, &id, e));
    TRY(enough(&g, &c, &id, e));
    council_put_cancel(&b, &id, signature_list(cli, &g));
    TRY(transact(cli, &receipt, &sender, &c.address, &b, e));
    cli_print(cli, "action %s canceled: %s", cli->args[0], call);
    cli_json(cli,
             json_pack("{s:s, s:s, s:s, s:I}", "id", cli->args[0], "call", call, "transaction",
                       cli_hash_text(cli, &receipt.tx_hash), "height", (json_int_t)receipt.height));
    return RC_OK;
}

const struct cli_command CLI_COUNCIL_EXECUTE = {
    .name = "council execute",
    .args = "ID",
    .summary = "have an action of the council happen, once its delay is over (anyone may)",
    .fn = execute,
    .min_args = 1,
    .max_args = 1,
};
const struct cli_command CLI_COUNCIL_CANCEL = {
    .name = "council cancel",
    .args = "ID",
    .summary = "call an action off before it happened",
    .details = COUNCIL_DETAILS,
    .fn = cancel,
    .options = COUNCIL_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};

/* ---- show ---- */

static const char *action_status(const struct council_Action *a, uint64_t now)
{
    if (a->status == ACTION_EXECUTED)
        return "executed";
    if (a->status == ACTION_CANCELED)
        return "canceled";
    if (now < a->notBefore)
        return "waits";
    return now - a->notBefore > EXECUTABLE_FOR_S ? "expired" : "may be executed";
}

static json_t *action_json(struct cli *cli, const struct council_Action *a, uint64_t id,
                           const struct council *c)
{
    return json_pack("{s:I, s:s, s:s, s:s, s:I, s:I, s:I}", "id", (json_int_t)id, "status",
                     action_status(a, c->now), "to", cli_addr_text(cli, &a->to), "call",
                     call_text(cli, &a->to, a->data), "proposed_at", (json_int_t)a->proposedAt,
                     "not_before", (json_int_t)a->notBefore, "signatures",
                     (json_int_t)a->signatures.n);
}

static enum rc show_actions(struct cli *cli, json_t *list, const struct council *c, struct err *e)
{
    uint64_t count;

    if (!u256_to_u64(&c->count, &count))
        return err_set(e, RC_RANGE, "number of actions above 64 bits");
    cli_field(cli, "actions", "%llu", (unsigned long long)count);
    for (uint64_t id = count; id > 0 && count - id < MAX_ACTIONS_SHOWN; id--) {
        struct u256 wide = u256_from_u64(id);
        struct council_Action a;

        TRY(load_action(cli, &a, c, &wide, e));
        cli_field(cli, "", "%llu  %s (%s%s)  %s", (unsigned long long)id, action_status(&a, c->now),
                  a.status == ACTION_PROPOSED ? "from " : "proposed ",
                  cli_date_text(cli, a.status == ACTION_PROPOSED ? a.notBefore : a.proposedAt),
                  call_text(cli, &a.to, a.data));
        CHECK(json_array_append_new(list, action_json(cli, &a, id, c)) == 0);
    }
    return RC_OK;
}

static enum rc show(struct cli *cli, struct err *e)
{
    json_auto_t *result = NULL;
    json_t *members = json_array(), *actions = json_array();
    struct council c;
    enum rc rc = load(cli, &c, e);

    if (rc != RC_OK) {
        json_decref(members);
        json_decref(actions);
        return rc;
    }
    cli_field(cli, "council", "%s", cli_addr_text(cli, &c.address));
    cli_field(cli, "threshold", "%llu of %zu members", (unsigned long long)c.threshold,
              c.members.n);
    cli_field(cli, "delay", "%llu s%s", (unsigned long long)c.delay,
              c.delay == 0 ? "  WARNING: actions happen at once" : "");
    for (size_t i = 0; i < c.members.n; i++) {
        cli_field(cli, i == 0 ? "members" : "", "%s", cli_addr_text(cli, &c.members.p[i]));
        CHECK(json_array_append_new(members, json_string(cli_addr_text(cli, &c.members.p[i]))) ==
              0);
    }
    result = json_pack("{s:s, s:I, s:I, s:o, s:o}", "council", cli_addr_text(cli, &c.address),
                       "threshold", (json_int_t)c.threshold, "delay", (json_int_t)c.delay,
                       "members", members, "actions", actions);
    CHECK(result != NULL);
    TRY(show_actions(cli, actions, &c, e));
    cli_json(cli, json_incref(result));
    return RC_OK;
}

const struct cli_command CLI_COUNCIL_SHOW = {
    .name = "council show",
    .args = "",
    .summary = "who may change what this network trusts, and what they did",
    .fn = show,
};

/* ---- measurements ---- */

static const char *roles_text(struct cli *cli, uint64_t roles)
{
    AUTO_CLEAR(buf) struct buf out = {0};

    for (uint64_t r = 1; r <= WORKER_ROLE_LAST; r++)
        if ((roles >> r & 1) != 0)
            buf_printf(&out, "%s%s", out.n == 0 ? "" : ",", worker_role_name(r));
    return arena_strdup(&cli->mem, buf_bytes(&out));
}

static enum rc measurement_list(struct cli *cli, struct err *e)
{
    json_auto_t *result = json_array();
    struct workers_MeasurementInfo_list list;
    struct address workers;
    uint64_t height, now;
    struct bytes answer;
    struct buf b = {0};

    TRY(cli_contract(cli, &workers, "Workers", e));
    TRY(cli_newest(cli, &height, &now, e));
    workers_put_measurements(&b);
    TRY(cli_ask(cli, &answer, &workers, &b, height, e));
    TRY(workers_get_measurements(&list, &cli->mem, answer, e));
    if (list.n == 0)
        cli_print(cli, "no measurement is allowed: no worker can register");
    for (size_t i = 0; i < list.n; i++) {
        const struct workers_MeasurementInfo *m = &list.p[i];
        const char *digest = cli_hash_text(cli, &m->measurement) + 2;
        const char *label = arena_strdup(&cli->mem, m->label);

        cli_print(cli, "%s  %-12s %s  %s", digest, roles_text(cli, m->roles),
                  cli_date_text(cli, m->allowedAt), label);
        CHECK(json_array_append_new(result,
                                    json_pack("{s:s, s:s, s:s, s:I}", "measurement", digest,
                                              "roles", roles_text(cli, m->roles), "label", label,
                                              "allowed_at", (json_int_t)m->allowedAt)) == 0);
    }
    cli_json(cli, json_incref(result));
    return RC_OK;
}

static const char *roles_option, *label_option;
static const struct cli_option ALLOW_OPTIONS[] = {
    {.name = "roles",
     .arg = "LIST",
     .help = "of open, contract, analysis, keeper, separated by commas (needed)",
     .value = &roles_option},
    {.name = "label", .arg = "TEXT", .help = "what it is, for people", .value = &label_option},
    SIGNING_OPTIONS,
    {0},
};

/* Bits 1 << role. */
static enum rc parse_roles(uint64_t *out, struct err *e)
{
    const char *p = roles_option;

    *out = 0;
    if (p == NULL)
        return err_set(e, RC_MALFORMED, "give --roles: open, contract, analysis, keeper");
    for (;;) {
        size_t n = strcspn(p, ",");
        uint64_t found = 0;

        for (uint64_t r = 1; r <= WORKER_ROLE_LAST; r++)
            if (strlen(worker_role_name(r)) == n && strncmp(worker_role_name(r), p, n) == 0)
                found = r;
        if (found == 0)
            return err_set(e, RC_MALFORMED,
                           "--roles: \"%.*s\" is none of open, contract, analysis, keeper", (int)n,
                           p);
        *out |= (uint64_t)1 << found;
        if (p[n] == 0)
            return RC_OK;
        p += n + 1;
    }
}

static enum rc digest_argument(struct cli *cli, struct address *workers, struct hash32 *digest,
                               struct err *e)
{
    enum rc rc = hex_decode_fixed(digest->b, sizeof(digest->b), bytes_str(cli->args[0]), e);

    if (rc != RC_OK)
        return err_wrap(e, rc, "a measurement has 64 hexadecimal digits");
    return cli_contract(cli, workers, "Workers", e);
}

static enum rc measurement_allow(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    struct address workers;
    struct hash32 digest;
    uint64_t roles;

    TRY(digest_argument(cli, &workers, &digest, e));
    TRY(parse_roles(&roles, e));
    workers_put_allowMeasurement(&data, &digest, roles,
                                 bytes_str(label_option != NULL ? label_option : ""));
    return council_act(cli, &workers, buf_bytes(&data), e);
}

static enum rc measurement_remove(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    struct address workers;
    struct hash32 digest;

    TRY(digest_argument(cli, &workers, &digest, e));
    workers_put_removeMeasurement(&data, &digest);
    return council_act(cli, &workers, buf_bytes(&data), e);
}

const struct cli_command CLI_MEASUREMENT_LIST = {
    .name = "measurement list",
    .args = "",
    .summary = "which programs workers may run, and in which roles",
    .fn = measurement_list,
};
const struct cli_command CLI_MEASUREMENT_ALLOW = {
    .name = "measurement allow",
    .args = "HEX",
    .summary = "allow workers with this measurement, as the council",
    .details = COUNCIL_DETAILS,
    .fn = measurement_allow,
    .options = ALLOW_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};
const struct cli_command CLI_MEASUREMENT_REMOVE = {
    .name = "measurement remove",
    .args = "HEX",
    .summary = "end all workers with this measurement at once, as the council",
    .details = COUNCIL_DETAILS,
    .fn = measurement_remove,
    .options = COUNCIL_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};
