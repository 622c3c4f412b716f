/* The network a command talks to: what `cloister devnet` wrote, or --rpc. */
#include "base/num.h"
#include "chain/address.h"
#include "cli/internal/command.h"
#include "os/file.h"

#include <stdio.h>

enum rc cli_network(struct cli *cli, struct network **out, struct err *e)
{
    const char *path = cli->network != NULL ? cli->network : "devnet.json";

    if (cli->net == NULL) {
        struct network *net = arena_alloc(&cli->mem, sizeof(*net));

        *net = (struct network){0};
        if (cli->network != NULL || file_exists(path)) {
            enum rc rc = network_read(net, path, e);

            if (rc != RC_OK)
                network_clear(net);
            if (rc == RC_NOTFOUND)
                return err_set(
                    e, rc, "no network at %s: start one with `cloister devnet --dir DIR`", path);
            TRY(rc);
        } else if (cli->rpc == NULL) {
            return err_set(e, RC_NOTFOUND,
                           "no network: start one with `cloister devnet --dir DIR`, then give "
                           "--network DIR (or set CLOISTER_NETWORK)");
        }
        if (cli->rpc != NULL)
            net->rpc = cli->rpc;
        cli->net = net;
    }
    *out = cli->net;
    return RC_OK;
}

enum rc cli_chain(struct cli *cli, struct chain_client **out, struct err *e)
{
    struct network *net;

    if (cli->chain == NULL) {
        TRY(cli_network(cli, &net, e));
        if (net->rpc == NULL)
            return err_set(e, RC_NOTFOUND, "%s names no rpc: give --rpc URL", net->path);
        cli->chain = chain_client_new(net->rpc);
    }
    *out = cli->chain;
    return RC_OK;
}

enum rc cli_store(struct cli *cli, struct store_client **out, struct err *e)
{
    struct network *net;

    if (cli->store == NULL) {
        struct store_client_config config = {0};

        TRY(cli_network(cli, &net, e));
        config.rpc_url = net->store_rpc;
        config.gateway_url = net->store_gateway;
        if (config.rpc_url == NULL && config.gateway_url == NULL)
            return err_set(e, RC_NOTFOUND,
                           "the network names no store: use a network file that has one");
        TRY(store_client_new(&cli->store, &config, e));
    }
    *out = cli->store;
    return RC_OK;
}

enum rc cli_contract(struct cli *cli, struct address *out, const char *name, struct err *e)
{
    struct network *net;

    TRY(cli_network(cli, &net, e));
    return network_contract(out, net, name, e);
}

/* An account of the network file. */
static const json_t *account(const struct network *net, const char *name)
{
    const json_t *accounts = json_object_get(net->file, "accounts");

    for (size_t i = 0; i < json_array_size(accounts); i++) {
        const json_t *a = json_array_get(accounts, i);
        const char *n = json_string_value(json_object_get(a, "name"));

        if (n != NULL && strcmp(n, name) == 0)
            return a;
    }
    return NULL;
}

const char *cli_account_key(struct cli *cli, const char *name)
{
    struct network *net;

    if (cli_network(cli, &net, NULL) != RC_OK)
        return NULL;
    return json_string_value(json_object_get(account(net, name), "private_key"));
}

enum rc cli_address(struct cli *cli, struct address *out, const char *text, struct err *e)
{
    struct network *net;
    const char *found = NULL;

    if (strncmp(text, "0x", 2) == 0)
        return address_parse(out, bytes_str(text), e);
    if (cli_network(cli, &net, NULL) == RC_OK) {
        found = json_string_value(json_object_get(account(net, text), "address"));
        if (found == NULL)
            found =
                json_string_value(json_object_get(json_object_get(net->file, "contracts"), text));
    }
    if (found == NULL)
        found = cli_stored_key_address(cli, text);
    if (found == NULL)
        return err_set(e, RC_NOTFOUND,
                       "\"%s\" is neither an address nor a name of the network "
                       "file or of one of your keys (cloister key list)",
                       text);
    return address_parse(out, bytes_str(found), e);
}

enum rc cli_amount(struct u256 *out, const char *text, const char *what, struct err *e)
{
    enum rc rc = u256_parse_units(out, bytes_str(text), 18, e);

    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "%s \"%s\"", what, text);
}

enum rc cli_number(uint64_t *out, const char *text, const char *what, uint64_t max, struct err *e)
{
    enum rc rc = parse_u64(out, bytes_str(text), max, e);

    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "%s \"%s\"", what, text);
}
