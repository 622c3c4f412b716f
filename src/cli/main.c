/* Finds the command, reads options, shows help, prints errors. */
#include "base/log.h"
#include "cli/cli.h"
#include "cli/internal/commands.h"
#include "client/light_client.h"

#include <stdio.h>
#include <unistd.h>

const char CLI_GLOBAL_HELP[] =
    "  --network FILE   the network: devnet.json or its folder [$CLOISTER_NETWORK, ./devnet.json]\n"
    "  --rpc URL        the ledger's JSON-RPC, instead of the network file's\n"
    "  --key KEY        act with this key: a name, a keystore file or 0x… [$CLOISTER_KEY]\n"
    "  --json           print one JSON value to standard output\n"
    "  --quiet          no progress on standard error\n"
    "  --help           this text\n";

static void print_commands(FILE *f)
{
    char group[32] = "";

    (void)fprintf(f, "usage: cloister COMMAND [OPTIONS] [ARGS]\n\n");
    for (size_t i = 0; CLI_COMMANDS[i] != NULL; i++) {
        const struct cli_command *c = CLI_COMMANDS[i];
        size_t n = strcspn(c->name, " ");

        if (strncmp(group, c->name, n) != 0 || group[n] != 0) {
            if (i != 0)
                (void)fprintf(f, "\n");
            (void)snprintf(group, sizeof(group), "%.*s", (int)n, c->name);
        }
        (void)fprintf(f, "  %-19s %-26s %s\n", c->name, c->args, c->summary);
    }
    (void)fprintf(f, "\nEvery command takes:\n%s\n`cloister COMMAND --help` says more.\n",
                  CLI_GLOBAL_HELP);
}

static void print_help(FILE *f, const struct cli_command *c)
{
    (void)fprintf(f, "usage: cloister %s%s%s%s\n\n%s\n", c->name,
                  c->options != NULL ? " [OPTIONS]" : "", c->args[0] != 0 ? " " : "", c->args,
                  c->summary);
    if (c->details != NULL)
        (void)fprintf(f, "\n%s\n", c->details);
    (void)fprintf(f, "\nOptions:\n");
    for (const struct cli_option *o = c->options; o != NULL && o->name != NULL; o++) {
        char left[48];

        (void)snprintf(left, sizeof(left), "--%s%s%s", o->name, o->arg != NULL ? " " : "",
                       o->arg != NULL ? o->arg : "");
        (void)fprintf(f, "  %-16s %s\n", left, o->help);
    }
    (void)fprintf(f, "%s", CLI_GLOBAL_HELP);
}

/* The command that the first one or two words name; *used says how many. */
static const struct cli_command *find_command(char **argv, int argc, int *used)
{
    for (size_t i = 0; CLI_COMMANDS[i] != NULL; i++) {
        const char *name = CLI_COMMANDS[i]->name;
        const char *space = strchr(name, ' ');

        if (space == NULL && strcmp(argv[0], name) == 0) {
            *used = 1;
            return CLI_COMMANDS[i];
        }
        if (space != NULL && argc > 1 && strlen(argv[0]) == (size_t)(space - name) &&
            strncmp(argv[0], name, (size_t)(space - name)) == 0 &&
            strcmp(argv[1], space + 1) == 0) {
            *used = 2;
            return CLI_COMMANDS[i];
        }
    }
    return NULL;
}

/* Subcommands of a word, for "cloister key". */
static bool print_group(const char *word, FILE *f)
{
    bool any = false;

    for (size_t i = 0; CLI_COMMANDS[i] != NULL; i++) {
        const struct cli_command *c = CLI_COMMANDS[i];
        size_t n = strlen(word);

        if (strncmp(c->name, word, n) == 0 && c->name[n] == ' ') {
            if (!any)
                (void)fprintf(f, "usage: cloister %s SUBCOMMAND\n\n", word);
            any = true;
            (void)fprintf(f, "  cloister %-14s %-24s %s\n", c->name, c->args, c->summary);
        }
    }
    return any;
}

static const struct cli_option *find_option(const struct cli *cli, const struct cli_option *globals,
                                            const char *name, size_t n)
{
    const struct cli_option *tables[] = {cli->command->options, globals};

    for (size_t t = 0; t < ARRAY_LEN(tables); t++)
        for (const struct cli_option *o = tables[t]; o != NULL && o->name != NULL; o++)
            if (strlen(o->name) == n && strncmp(o->name, name, n) == 0)
                return o;
    return NULL;
}

/* Returns 0, or CLI_USAGE after saying what is wrong. Sets *help. */
static int parse(struct cli *cli, int argc, char **argv, bool *help)
{
    const struct cli_option globals[] = {
        {.name = "network", .arg = "FILE", .value = &cli->network},
        {.name = "rpc", .arg = "URL", .value = &cli->rpc},
        {.name = "key", .arg = "KEY", .value = &cli->key_name},
        {.name = "json", .flag = &cli->json},
        {.name = "quiet", .flag = &cli->quiet},
        {.name = "help", .flag = help},
        {0},
    };
    bool only_args = false;

    for (int i = 0; i < argc; i++) {
        const char *a = argv[i];
        const struct cli_option *o;
        const char *eq, *value;

        if (!only_args && strcmp(a, "--") == 0) {
            only_args = true;
            continue;
        }
        if (only_args || strncmp(a, "--", 2) != 0) {
            if (strcmp(a, "-h") == 0 && !only_args) {
                *help = true;
                continue;
            }
            if (cli->n_args == CLI_MAX_ARGS) {
                (void)fprintf(stderr, "cloister: more than %d arguments\n", CLI_MAX_ARGS);
                return CLI_USAGE;
            }
            cli->args[cli->n_args++] = a;
            continue;
        }
        eq = strchr(a, '=');
        o = find_option(cli, globals, a + 2, eq != NULL ? (size_t)(eq - a - 2) : strlen(a + 2));
        if (o == NULL) {
            (void)fprintf(stderr, "cloister %s: unknown option %s\n", cli->command->name, a);
            return CLI_USAGE;
        }
        if (o->flag != NULL) {
            if (eq != NULL) {
                (void)fprintf(stderr, "cloister %s: --%s takes no value\n", cli->command->name,
                              o->name);
                return CLI_USAGE;
            }
            *o->flag = true;
            continue;
        }
        value = eq != NULL ? eq + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (value == NULL) {
            (void)fprintf(stderr, "cloister %s: --%s needs a %s\n", cli->command->name, o->name,
                          o->arg);
            return CLI_USAGE;
        }
        if (o->values != NULL && o->values->n < CLI_MAX_ARGS)
            o->values->items[o->values->n++] = value;
        else if (o->value != NULL)
            *o->value = value;
    }
    return 0;
}

/* How many of the arguments are options that stand before the command, with their values. */
static int leading_options(int argc, char **argv)
{
    static const char *const flags[] = {"--json", "--quiet"};
    int n = 0;

    while (n + 1 < argc && strncmp(argv[n + 1], "--", 2) == 0) {
        const char *a = argv[n + 1];
        bool flag = strchr(a, '=') != NULL;

        for (size_t i = 0; i < ARRAY_LEN(flags); i++)
            flag = flag || strcmp(a, flags[i]) == 0;
        n += flag ? 1 : 2;
    }
    return n < argc - 1 ? n : argc - 1;
}

static void clear(struct cli *cli)
{
    light_client_free(cli->light);
    chain_client_free(cli->chain);
    store_client_free(cli->store);
    if (cli->net != NULL)
        network_clear(cli->net);
    arena_clear(&cli->mem);
}

/* Errors go to standard error, with --json as a value of their own on standard output as well. */
static int report(const struct cli *cli, const struct err *e)
{
    const char *advice = cli_advice(e->msg);

    if (cli->json) {
        json_auto_t *v = json_pack("{s:s, s:s, s:s*}", "error", rc_name(e->code), "message", e->msg,
                                   "advice", advice);
        char *text = v == NULL ? NULL : json_dumps(v, JSON_COMPACT);

        (void)printf("%s\n", text == NULL ? "{\"error\":\"internal\"}" : text);
        free(text);
    }
    (void)fprintf(stderr, "cloister %s: %s\n", cli->command->name, e->msg);
    if (advice != NULL)
        (void)fprintf(stderr, "  %s\n", advice);
    return cli->exit_code != 0 ? cli->exit_code : CLI_FAILED;
}

int cli_main(int argc, char **argv)
{
    static const struct cli_command none = {.name = ""};
    struct cli cli = {.command = &none};
    struct err e = {0};
    bool help = false;
    int used = 0;
    int lead, code;

    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        (strcmp(argv[1], "help") == 0 && argc == 2)) {
        print_commands(argc < 2 ? stderr : stdout);
        return argc < 2 ? CLI_USAGE : 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        (void)printf("cloister " CLI_VERSION "\n");
        return 0;
    }
    json_wipe_freed();
    cli.network = getenv("CLOISTER_NETWORK");
    cli.key_name = getenv("CLOISTER_KEY");
    cli.color = isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == NULL;
    lead = leading_options(argc, argv);
    if (parse(&cli, lead, argv + 1, &help) != 0)
        return CLI_USAGE;
    argv += lead;
    argc -= lead;
    if (argc < 2) {
        print_commands(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "help") == 0) {
        argv++;
        argc--;
        help = true;
    }
    cli.command = find_command(argv + 1, argc - 1, &used);
    if (cli.command == NULL) {
        if (!print_group(argv[1], argc > 2 && strcmp(argv[2], "--help") == 0 ? stdout : stderr))
            (void)fprintf(stderr, "cloister: no command \"%s\"; `cloister --help` lists them\n",
                          argv[1]);
        return argc > 2 && strcmp(argv[2], "--help") == 0 ? 0 : CLI_USAGE;
    }
    code = parse(&cli, argc - 1 - used, argv + 1 + used, &help);
    if (code == 0 && help) {
        print_help(stdout, cli.command);
        return 0;
    }
    if (code == 0 && (cli.n_args < cli.command->min_args || cli.n_args > cli.command->max_args)) {
        (void)fprintf(stderr, "cloister %s: %zu arguments, expected %s%s\n", cli.command->name,
                      cli.n_args, cli.command->args[0] != 0 ? cli.command->args : "none",
                      cli.command->options != NULL ? " (and see --help)" : "");
        code = CLI_USAGE;
    }
    if (code == 0)
        code = cli.command->fn(&cli, &e) != RC_OK ? report(&cli, &e) : cli.exit_code;
    clear(&cli);
    return code;
}
