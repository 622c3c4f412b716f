/* The light client of the command line, and light sync, show, forget. */
#include "cli/internal/commands.h"
#include "cli/internal/proved.h"
#include "os/file.h"

#include <stdio.h>
#include <time.h>

#define GENESIS_MAX ((size_t)4 << 20)

static struct cli_list witnesses;
static const struct cli_option SYNC_OPTIONS[] = {
    {.name = "witness",
     .arg = "URL",
     .help = "another ledger node to compare with; may be repeated",
     .values = &witnesses},
    {0},
};

/* The genesis file: named by the network file, or beside it. */
static enum rc genesis_path(struct cli *cli, const char **out, struct err *e)
{
    struct network *net;

    TRY(cli_network(cli, &net, e));
    if (net->genesis == NULL)
        return err_set(e, RC_NOTFOUND,
                       "no network file, so no genesis to check the ledger node against: give "
                       "--network FILE (--rpc URL may stay)");
    if (!file_exists(net->genesis))
        return err_set(e, RC_NOTFOUND,
                       "no %s: the network's genesis file is needed to check what the ledger node "
                       "says; put it beside %s",
                       net->genesis, net->path);
    *out = net->genesis;
    return RC_OK;
}

static enum rc read_root(struct cli *cli, struct light_root *out, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    const char *path;

    TRY(genesis_path(cli, &path, e));
    TRY(file_read(&text, path, GENESIS_MAX, e));
    if (light_root_from_genesis(out, &cli->mem, buf_bytes(&text), e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "%s", path);
    for (const char *p = out->chain_name; *p != '\0'; p++)
        if ((*p < 'a' || *p > 'z') && (*p < 'A' || *p > 'Z') && (*p < '0' || *p > '9') &&
            *p != '-' && *p != '_')
            return err_set(e, RC_MALFORMED, "%s: chain name \"%s\" is not of [A-Za-z0-9_-]", path,
                           out->chain_name);
    return RC_OK;
}

static enum rc path_of(struct cli *cli, const char **out, const struct light_root *root,
                       struct err *e)
{
    const char *home;
    char *path;
    size_t n;

    TRY(cli_home(cli, &home, e));
    n = strlen(home) + strlen(root->chain_name) + 32;
    path = arena_alloc(&cli->mem, n);
    (void)snprintf(path, n, "%s/light", home);
    TRY(dir_make(path, 0700, e));
    (void)snprintf(path, n, "%s/light/%s.json", home, root->chain_name);
    *out = path;
    return RC_OK;
}

enum rc cli_light_path(struct cli *cli, const char **out, struct err *e)
{
    struct light_root root;

    TRY(read_root(cli, &root, e));
    return path_of(cli, out, &root, e);
}

static enum rc open_light(struct cli *cli, struct err *e)
{
    const char *urls[LIGHT_CLIENT_MAX_NODES];
    struct light_client_config config = {.urls = urls};
    const json_t *list;
    struct network *net;

    TRY(cli_network(cli, &net, e));
    TRY(read_root(cli, &config.root, e));
    TRY(path_of(cli, &config.path, &config.root, e));
    if (net->rpc == NULL)
        return err_set(e, RC_NOTFOUND, "%s names no rpc: give --rpc URL", net->path);
    urls[config.n_urls++] = net->rpc;
    list = json_object_get(net->file, "witnesses");
    for (size_t i = 0; i < json_array_size(list) + witnesses.n; i++) {
        size_t in_file = json_array_size(list);
        const char *url =
            i < in_file ? json_string_value(json_array_get(list, i)) : witnesses.items[i - in_file];

        if (url == NULL || config.n_urls == LIGHT_CLIENT_MAX_NODES)
            return err_set(e, RC_LIMIT, "witnesses: not at most %d URLs",
                           LIGHT_CLIENT_MAX_NODES - 1);
        urls[config.n_urls++] = url;
    }
    return light_client_new(&cli->light, &config, e);
}

enum rc cli_light(struct cli *cli, struct light_client **out, struct err *e)
{
    *out = NULL;
    if (cli->light == NULL) {
        TRY(open_light(cli, e));
        TRY(cli_light_newest(cli, e));
    }
    *out = cli->light;
    return RC_OK;
}

enum rc cli_chain_id(struct cli *cli, uint64_t *out, struct err *e)
{
    struct light_client *lc;
    struct chain_client *c;

    TRY(cli_light(cli, &lc, e));
    TRY(cli_chain(cli, &c, e));
    TRY(chain_id(c, out, e));
    if (*out != light_client_root(lc)->chain_id)
        return err_set(e, RC_DENIED, "ledger node %s says it is chain %llu, genesis says %llu",
                       light_client_url(lc), (unsigned long long)*out,
                       (unsigned long long)light_client_root(lc)->chain_id);
    return RC_OK;
}

void cli_light_at_least(struct cli *cli, uint64_t height)
{
    if (height > cli->min_height)
        cli->min_height = height;
}

enum rc cli_light_newest(struct cli *cli, struct err *e)
{
    uint64_t height;

    TRY(light_client_newest(cli->light, &height, e));
    cli_light_at_least(cli, height);
    return RC_OK;
}

/* ---- commands ---- */

static enum rc show(struct cli *cli, struct light_client *lc, struct err *e)
{
    const struct light_root *root = light_client_root(lc);
    struct light_block head;
    struct hash32 hash;
    char when[40] = "";
    const char *path;
    struct tm tm;
    time_t t;

    TRY(path_of(cli, &path, root, e));
    light_client_head(lc, &head, &cli->mem);
    header_hash(&hash, &head.header);
    t = (time_t)head.header.time.s;
    if (gmtime_r(&t, &tm) != NULL)
        (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    cli_field(cli, "chain", "%s (%llu)", root->chain_name, (unsigned long long)root->chain_id);
    cli_field(cli, "root", "genesis, %zu validator%s", root->validators.n,
              root->validators.n == 1 ? "" : "s");
    if (head.header.height < root->initial_height) {
        cli_field(cli, "trusted", "%s", "nothing but genesis yet");
    } else {
        cli_field(cli, "trusted", "block %llu of %s", (unsigned long long)head.header.height, when);
        cli_field(cli, "hash", "%s", cli_hash_text(cli, &hash));
    }
    cli_field(cli, "kept in", "%s", path);
    if (root->solo)
        cli_print(cli, "One validator makes all blocks (engine solo): its operator is trusted for "
                       "what the chain allows.");
    cli_json(cli, json_pack("{s:s, s:I, s:I, s:s, s:s, s:b, s:s}", "chain", root->chain_name,
                            "chain_id", (json_int_t)root->chain_id, "height",
                            (json_int_t)head.header.height, "hash", cli_hash_text(cli, &hash),
                            "time", when, "operator_trusted", root->solo ? 1 : 0, "file", path));
    return RC_OK;
}

static enum rc light_sync(struct cli *cli, struct err *e)
{
    struct light_client *lc;

    TRY(cli_light(cli, &lc, e));
    TRY(light_client_sync(lc, e));
    TRY(light_client_save(lc, e));
    return show(cli, lc, e);
}

static enum rc light_show(struct cli *cli, struct err *e)
{
    if (cli->light == NULL)
        TRY(open_light(cli, e));
    return show(cli, cli->light, e);
}

static enum rc light_forget(struct cli *cli, struct err *e)
{
    const char *path;

    TRY(cli_light_path(cli, &path, e));
    TRY(file_remove(path, e));
    cli_print(cli, "forgotten: the next command begins from genesis again");
    cli_json(cli, json_pack("{s:s}", "removed", path));
    return RC_OK;
}

const struct cli_command CLI_LIGHT_SYNC = {
    .name = "light sync",
    .args = "",
    .summary = "follow the chain to its newest block, verifying it",
    .details = "From the network's genesis file (or the block trusted last), by CometBFT's light "
               "client\n"
               "rules: two thirds of the validators must have signed. The block is remembered; a "
               "node that\n"
               "later shows an older or another one is refused and named. All commands that prove "
               "what they\n"
               "read do this by themselves. Witnesses may also stand in the network file "
               "(\"witnesses\").",
    .fn = light_sync,
    .options = SYNC_OPTIONS,
};

const struct cli_command CLI_LIGHT_SHOW = {
    .name = "light show",
    .args = "",
    .summary = "the newest block that was verified, without asking anybody",
    .fn = light_show,
};

const struct cli_command CLI_LIGHT_FORGET = {
    .name = "light forget",
    .args = "",
    .summary = "begin again from genesis, when a network was put back on purpose",
    .fn = light_forget,
};
