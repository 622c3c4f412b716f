/* completion, man: made from the table of commands, so that they say what --help says. */
#include "cli/internal/commands.h"

#include <stdio.h>

/* One option as a generator sees it: of a command's table, or a line of CLI_GLOBAL_HELP. */
struct opt {
    char name[32], arg[32], help[160];
};

static void copy(char *out, size_t cap, const char *from, size_t n)
{
    if (n >= cap)
        n = cap - 1;
    memcpy(out, from, n);
    out[n] = 0;
}

/* The i-th option that every command has; false: there is none. */
static bool global_option(struct opt *out, size_t i)
{
    const char *p = CLI_GLOBAL_HELP, *end, *gap;

    for (; i > 0 && p != NULL; i--) {
        p = strchr(p, '\n');
        p = p == NULL ? NULL : p + 1;
    }
    if (p == NULL || strncmp(p, "  --", 4) != 0)
        return false;
    end = strchr(p, '\n');
    gap = strstr(p + 4, "  ");
    CHECK(end != NULL && gap != NULL && gap < end);
    *out = (struct opt){0};
    p += 4;
    copy(out->name, sizeof(out->name), p, strcspn(p, " "));
    p += strlen(out->name);
    if (p < gap)
        copy(out->arg, sizeof(out->arg), p + 1, (size_t)(gap - p - 1));
    gap += strspn(gap, " ");
    copy(out->help, sizeof(out->help), gap, (size_t)(end - gap));
    return true;
}

static void table_option(struct opt *out, const struct cli_option *o)
{
    *out = (struct opt){0};
    copy(out->name, sizeof(out->name), o->name, strlen(o->name));
    if (o->arg != NULL)
        copy(out->arg, sizeof(out->arg), o->arg, strlen(o->arg));
    if (o->help != NULL)
        copy(out->help, sizeof(out->help), o->help, strlen(o->help));
}

/* The i-th of a command's own options and then the global ones. */
static bool any_option(struct opt *out, const struct cli_command *c, size_t i)
{
    size_t n = 0;

    while (c->options != NULL && c->options[n].name != NULL) {
        if (n == i) {
            table_option(out, &c->options[n]);
            return true;
        }
        n++;
    }
    return global_option(out, i - n);
}

/* Is this row the first of its word ("key" of "key new")? */
static bool is_first(size_t row)
{
    const char *name = CLI_COMMANDS[row]->name;
    size_t n = strcspn(name, " ");

    for (size_t i = 0; i < row; i++)
        if (strncmp(CLI_COMMANDS[i]->name, name, n) == 0 &&
            (CLI_COMMANDS[i]->name[n] == ' ' || CLI_COMMANDS[i]->name[n] == 0))
            return false;
    return true;
}

static void print_first_words(void)
{
    for (size_t i = 0; CLI_COMMANDS[i] != NULL; i++)
        if (is_first(i))
            (void)printf(" %.*s", (int)strcspn(CLI_COMMANDS[i]->name, " "), CLI_COMMANDS[i]->name);
}

static void print_second_words(const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; CLI_COMMANDS[i] != NULL; i++)
        if (strncmp(CLI_COMMANDS[i]->name, word, n) == 0 && CLI_COMMANDS[i]->name[n] == ' ')
            (void)printf(" %s", CLI_COMMANDS[i]->name + n + 1);
}

/* Is the command also the first word of others ("job" of "job cancel")? */
static bool has_second_words(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; CLI_COMMANDS[i] != NULL; i++)
        if (strncmp(CLI_COMMANDS[i]->name, name, n) == 0 && CLI_COMMANDS[i]->name[n] == ' ')
            return true;
    return false;
}

/* ---- bash ---- */

static void bash_options(const struct cli_command *c)
{
    struct opt o;

    for (size_t k = 0; any_option(&o, c, k); k++)
        (void)printf(" --%s", o.name);
}

/* Cases "word)" that set `words` to what may follow it. */
static void bash_groups(void)
{
    for (size_t i = 0; CLI_COMMANDS[i] != NULL; i++) {
        const char *name = CLI_COMMANDS[i]->name;
        char word[32];

        if (!is_first(i) || strchr(name, ' ') == NULL)
            continue;
        copy(word, sizeof(word), name, strcspn(name, " "));
        (void)printf("        %s) words=\"", word);
        print_second_words(word);
        for (size_t k = 0; CLI_COMMANDS[k] != NULL; k++)
            if (strcmp(CLI_COMMANDS[k]->name, word) == 0)
                bash_options(CLI_COMMANDS[k]);
        (void)printf("\" ;;\n");
    }
}

static void bash_commands(void)
{
    for (size_t i = 0; CLI_COMMANDS[i] != NULL; i++) {
        if (has_second_words(CLI_COMMANDS[i]->name))
            continue;
        (void)printf("        '%s') words=\"", CLI_COMMANDS[i]->name);
        bash_options(CLI_COMMANDS[i]);
        (void)printf("\" ;;\n");
    }
}

/* "command:--option" of all options with a value, so that their values are passed over. */
static void bash_valued(void)
{
    struct opt o;

    (void)printf("    case \"$1\" in\n    ");
    for (size_t k = 0; global_option(&o, k); k++)
        if (o.arg[0] != 0)
            (void)printf("*:--%s | ", o.name);
    (void)printf("-) return 0 ;;\n");
    for (size_t i = 0; CLI_COMMANDS[i] != NULL; i++)
        for (const struct cli_option *p = CLI_COMMANDS[i]->options; p != NULL && p->name != NULL;
             p++)
            if (p->arg != NULL)
                (void)printf("    '%s:--%s') return 0 ;;\n", CLI_COMMANDS[i]->name, p->name);
    (void)printf("    esac\n    return 1\n");
}

static void bash(void)
{
    (void)printf("# bash completion of cloister; made by `cloister completion bash`\n"
                 "_cloister_takes_value() {\n");
    bash_valued();
    (void)printf("}\n"
                 "_cloister() {\n"
                 "    local cur=${COMP_WORDS[COMP_CWORD]} command='' i=1 word words=''\n"
                 "    COMPREPLY=()\n"
                 "    while [ \"$i\" -lt \"$COMP_CWORD\" ]; do\n"
                 "        word=${COMP_WORDS[i]}\n"
                 "        if _cloister_takes_value \"$command:$word\"; then\n"
                 "            i=$((i + 1))\n"
                 "            if [ \"$i\" -eq \"$COMP_CWORD\" ]; then\n"
                 "                mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                 "                return\n"
                 "            fi\n"
                 "        elif [ \"${word#-}\" = \"$word\" ]; then\n"
                 "            case \"$command\" in\n"
                 "            '') command=$word ;;\n"
                 "            *' '*) ;;\n"
                 "            *) case \" $(_cloister_words \"$command\") \" in\n"
                 "                *\" $word \"*) command=\"$command $word\" ;;\n"
                 "            esac ;;\n"
                 "            esac\n"
                 "        fi\n"
                 "        i=$((i + 1))\n"
                 "    done\n"
                 "    words=$(_cloister_words \"$command\")\n"
                 "    case \"$cur:$words\" in\n"
                 "    -*) words=$(_cloister_words \"$command\" options) ;;\n"
                 "    *:*--*) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n"
                 "    esac\n"
                 "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                 "}\n"
                 "_cloister_words() {\n"
                 "    local words=''\n"
                 "    case \"$1\" in\n"
                 "        '') words=\"");
    print_first_words();
    (void)printf("\" ;;\n");
    bash_groups();
    bash_commands();
    (void)printf("    esac\n    if [ \"${2-}\" = options ] && [ \"${words#*--}\" = \"$words\" ]; "
                 "then\n        words='");
    for (size_t k = 0;; k++) {
        struct opt o;

        if (!global_option(&o, k))
            break;
        (void)printf(" --%s", o.name);
    }
    (void)printf(
        "'\n    fi\n    echo \"$words\"\n}\ncomplete -o filenames -F _cloister cloister\n");
}

/* ---- zsh ---- */

/* Between single quotes, for _describe and _arguments: colons and brackets have a meaning. */
static void zsh_text(const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '\'')
            (void)printf("'\\''");
        else if (strchr(":[]\\", *text) != NULL)
            (void)printf("\\%c", *text);
        else
            (void)putchar(*text);
    }
}

static void zsh_names(const char *group)
{
    size_t n = strlen(group);

    for (size_t i = 0; CLI_COMMANDS[i] != NULL; i++) {
        const struct cli_command *c = CLI_COMMANDS[i];
        size_t word = strcspn(c->name, " ");

        if (n != 0 ? strncmp(c->name, group, n) != 0 || c->name[n] != ' ' : !is_first(i))
            continue;
        (void)printf(" '");
        if (n != 0)
            (void)printf("%s:", c->name + n + 1);
        else
            (void)printf("%.*s:", (int)word, c->name);
        zsh_text(n == 0 && c->name[word] != 0 ? "..." : c->summary);
        (void)printf("'");
    }
}

static void zsh_command(const struct cli_command *c)
{
    struct opt o;

    (void)printf("    '%s') _arguments", c->name);
    for (size_t k = 0; any_option(&o, c, k); k++) {
        bool many = c->options != NULL && o.arg[0] != 0;

        /* Given before the command or twice: still offered, as the program takes it. */
        (void)printf(" '%s--%s[", many ? "*" : "", o.name);
        zsh_text(o.help);
        (void)printf("]");
        if (o.arg[0] != 0) {
            (void)printf(":");
            zsh_text(o.arg);
            (void)printf(":_files");
        }
        (void)printf("'");
    }
    (void)printf(" '*:");
    zsh_text(c->args[0] != 0 ? c->args : "no argument");
    (void)printf(":_files' ;;\n");
}

static void zsh(void)
{
    (void)printf("#compdef cloister\n# zsh completion; made by `cloister completion zsh`\n"
                 "_cloister() {\n"
                 "  local -a names\n"
                 "  if (( CURRENT == 2 )); then\n    names=(");
    zsh_names("");
    (void)printf(")\n    _describe command names\n    return\n  fi\n  case $words[2] in\n");
    for (size_t i = 0; CLI_COMMANDS[i] != NULL; i++) {
        const char *name = CLI_COMMANDS[i]->name;
        char word[32];

        copy(word, sizeof(word), name, strcspn(name, " "));
        if (!is_first(i))
            continue;
        if (strchr(name, ' ') == NULL)
            (void)printf("  %s) shift words; (( CURRENT-- )); _cloister_options '%s' ;;\n", word,
                         word);
        else {
            (void)printf("  %s) if (( CURRENT == 3 )); then names=(", word);
            zsh_names(word);
            (void)printf("); _describe subcommand names\n"
                         "    else local c=\"$words[2] $words[3]\"; shift 2 words; "
                         "(( CURRENT -= 2 )); _cloister_options \"$c\"; fi ;;\n");
        }
    }
    (void)printf("  esac\n}\n_cloister_options() {\n  case $1 in\n");
    for (size_t i = 0; CLI_COMMANDS[i] != NULL; i++)
        zsh_command(CLI_COMMANDS[i]);
    (void)printf("  esac\n}\n"
                 "if [ \"$funcstack[1]\" = _cloister ]; then _cloister \"$@\"; "
                 "else compdef _cloister cloister; fi\n");
}

static enum rc completion(struct cli *cli, struct err *e)
{
    if (strcmp(cli->args[0], "bash") == 0)
        bash();
    else if (strcmp(cli->args[0], "zsh") == 0)
        zsh();
    else
        return err_set(e, RC_UNSUPPORTED, "no completion for '%.40s': there are bash and zsh",
                       cli->args[0]);
    return RC_OK;
}

const struct cli_command CLI_COMPLETION = {
    .name = "completion",
    .args = "SHELL",
    .summary = "completion for bash or zsh, to standard output",
    .details = "For this shell: . <(cloister completion bash). For all: write it to\n"
               "/usr/share/bash-completion/completions/cloister (bash) or to a file _cloister in\n"
               "a folder of $fpath (zsh); `make install` does.",
    .fn = completion,
    .min_args = 1,
    .max_args = 1,
};

/* ---- man ---- */

/* Text as roff: hyphens and backslashes escaped, no line that begins with a request. */
static void roff(const char *text)
{
    bool line_start = true;

    for (; *text != 0; text++) {
        if (line_start && (*text == '.' || *text == '\''))
            (void)printf("\\&");
        if (line_start && *text == ' ') /* keeps roff from breaking the line here */
            continue;
        line_start = *text == '\n';
        if (*text == '\n' && text[1] == '\n') {
            (void)printf("\n.PP\n");
            while (text[1] == '\n')
                text++;
        } else if (*text == '\\') {
            (void)printf("\\e");
        } else if (*text == '-') {
            (void)printf("\\-");
        } else {
            (void)putchar(*text);
        }
    }
}

static void roff_option(const struct opt *o)
{
    (void)printf(".TP\n\\fB\\-\\-");
    roff(o->name);
    (void)printf("\\fR");
    if (o->arg[0] != 0) {
        (void)printf(" \\fI");
        roff(o->arg);
        (void)printf("\\fR");
    }
    (void)printf("\n");
    roff(o->help[0] != 0 ? o->help : "-");
    (void)printf("\n");
}

static void roff_command(const struct cli_command *c)
{
    (void)printf(".SS cloister %s", c->name);
    if (c->args[0] != 0) {
        (void)printf(" ");
        roff(c->args);
    }
    (void)printf("\n");
    roff(c->summary);
    (void)printf(".\n");
    if (c->details != NULL) {
        (void)printf(".PP\n");
        roff(c->details);
        (void)printf("\n");
    }
    for (const struct cli_option *o = c->options; o != NULL && o->name != NULL; o++) {
        struct opt one;

        table_option(&one, o);
        roff_option(&one);
    }
}

static enum rc man(struct cli *cli, struct err *e)
{
    struct opt o;

    (void)cli;
    (void)e;
    (void)printf(
        ".TH CLOISTER 1 2026-11-21 \"cloister " CLI_VERSION "\" \"Cloister\"\n"
        ".SH NAME\ncloister \\- the command line of a confidential data network\n"
        ".SH SYNOPSIS\n\\fBcloister\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGS\\fR]\n"
        ".SH DESCRIPTION\n"
        "People contribute encrypted files to pools they own together. A worker opens a "
        "file only for the run its owner signed, lets the pool's validator judge it, and "
        "writes a signed proof to a ledger.\n"
        "\\fBcloister\\fR makes keys, contributes files, makes pools, checks proofs, looks "
        "into ledgers, and runs a whole network on one machine (\\fBcloister "
        "devnet\\fR).\n.SH OPTIONS\nEvery command takes these:\n");
    for (size_t i = 0; global_option(&o, i); i++)
        roff_option(&o);
    (void)printf(".SH COMMANDS\n");
    for (size_t i = 0; CLI_COMMANDS[i] != NULL; i++)
        roff_command(CLI_COMMANDS[i]);
    (void)printf(".SH ENVIRONMENT\n"
                 ".TP\nCLOISTER_NETWORK\nThe network, where \\fB\\-\\-network\\fR is not given.\n"
                 ".TP\nCLOISTER_KEY\nThe key, where \\fB\\-\\-key\\fR is not given.\n"
                 ".TP\nCLOISTER_HOME\nFolder of one's own keys and notes, instead of ~/.cloister.\n"
                 ".TP\nCLOISTER_PASSPHRASE_FILE\nA file with the passphrase of an encrypted key.\n"
                 ".TP\nNO_COLOR\nNo colours, even on a terminal.\n"
                 ".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage.\n"
                 ".SH SEE ALSO\n.BR cloister\\-ledger (8),\n.BR cloister\\-store (8),\n"
                 ".BR cloister\\-worker (8),\n.BR cloister\\-jail (8)\n");
    return RC_OK;
}

const struct cli_command CLI_MAN = {
    .name = "man",
    .args = "",
    .summary = "this manual as a man page, to standard output",
    .details = "Read it with: cloister man | man -l -",
    .fn = man,
};
