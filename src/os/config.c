/* Configuration files become command lines, so that there is one way in which options are read. */
#include "os/config.h"

#include "base/buf.h"
#include "base/mem.h"
#include "os/file.h"

#include <string.h>

struct line {
    struct config_args *out;
    const char *path;
    unsigned number;
    const struct option *table;
};

static void add(struct config_args *a, char *text, unsigned line)
{
    a->argv = xrealloc(a->argv, ((size_t)a->argc + 2) * sizeof(*a->argv));
    a->lines = xrealloc(a->lines, ((size_t)a->argc + 2) * sizeof(*a->lines));
    a->argv[a->argc] = text;
    a->lines[a->argc++] = line;
    a->argv[a->argc] = NULL;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct bytes trim(struct bytes s)
{
    while (s.n != 0 && is_space(s.p[0]))
        s = bytes_of(s.p + 1, s.n - 1);
    while (s.n != 0 && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

static bool is_text(struct bytes s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static const struct option *find(const struct option *table, struct bytes name)
{
    for (; table->name != NULL; table++)
        if (is_text(name, table->name))
            return table;
    return NULL;
}

/* Quotes around the whole value are taken off. */
static enum rc unquote(struct bytes *value, const struct line *l, const char *name, struct err *e)
{
    if (value->n == 0 || value->p[0] != '"')
        return RC_OK;
    if (value->n < 2 || value->p[value->n - 1] != '"')
        return err_set(e, RC_MALFORMED, "%s:%u: %s: the value has no closing quote", l->path,
                       l->number, name);
    *value = bytes_of(value->p + 1, value->n - 2);
    return RC_OK;
}

static enum rc take_flag(const struct line *l, const char *name, struct bytes value, struct err *e)
{
    if (is_text(value, "yes") || is_text(value, "true"))
        add(l->out, xasprintf("--%s", name), l->number);
    else if (!is_text(value, "no") && !is_text(value, "false"))
        return err_set(e, RC_MALFORMED, "%s:%u: %s: '%.*s' is neither yes nor no", l->path,
                       l->number, name, (int)(value.n < 40 ? value.n : 40),
                       value.n != 0 ? (const char *)value.p : "");
    return RC_OK;
}

static enum rc take_line(const struct line *l, struct bytes text, struct err *e)
{
    struct bytes name = trim(text), value;
    const struct option *o;
    const uint8_t *eq;

    if (name.n == 0 || name.p[0] == '#')
        return RC_OK;
    if (l->out->argc >= CONFIG_MAX_OPTIONS)
        return err_set(e, RC_LIMIT, "%s:%u: more than %d options", l->path, l->number,
                       CONFIG_MAX_OPTIONS);
    eq = memchr(name.p, '=', name.n);
    if (eq == NULL)
        return err_set(e, RC_MALFORMED, "%s:%u: no '=': write `option = value`", l->path,
                       l->number);
    value = trim(bytes_of(eq + 1, name.n - (size_t)(eq + 1 - name.p)));
    name = trim(bytes_of(name.p, (size_t)(eq - name.p)));
    o = find(l->table, name);
    if (o == NULL || is_text(name, "config") || is_text(name, "help"))
        return err_set(e, RC_MALFORMED, "%s:%u: no option '%.*s' here; see --help", l->path,
                       l->number, (int)(name.n < 40 ? name.n : 40),
                       name.n != 0 ? (const char *)name.p : "");
    TRY(unquote(&value, l, o->name, e));
    if (value.n == 0)
        return err_set(e, RC_MALFORMED, "%s:%u: %s: the value is missing", l->path, l->number,
                       o->name);
    if (o->has_arg == no_argument)
        return take_flag(l, o->name, value, e);
    add(l->out, xasprintf("--%s=%.*s", o->name, (int)value.n, (const char *)value.p), l->number);
    return RC_OK;
}

static void add_command_line(struct config_args *out, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        add(out, xstrdup(argv[i]), 0);
}

enum rc config_args_parse(struct config_args *out, struct bytes text, const char *path, int argc,
                          char **argv, const struct option *table, struct err *e)
{
    struct line l = {.out = out, .path = path, .table = table};

    *out = (struct config_args){.path = xstrdup(path)};
    add(out, xstrdup(argc > 0 ? argv[0] : ""), 0);
    if (text.n > CONFIG_MAX_SIZE)
        return err_set(e, RC_LIMIT, "%s: %zu bytes, at most %zu", path, text.n, CONFIG_MAX_SIZE);
    if (text.n != 0 && memchr(text.p, 0, text.n) != NULL)
        return err_set(e, RC_MALFORMED, "%s: there is a zero byte: this is not a text", path);
    while (text.n != 0) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end != NULL ? (size_t)(end - text.p) : text.n;

        l.number++;
        TRY(take_line(&l, bytes_of(text.p, n), e));
        text = bytes_of(text.p + n, text.n - n);
        if (text.n != 0)
            text = bytes_of(text.p + 1, text.n - 1);
    }
    add_command_line(out, argc, argv);
    return RC_OK;
}

/* The last one counts. */
static const char *config_path(int argc, char **argv)
{
    const char *path = NULL;

    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--config=", 9) == 0)
            path = argv[i] + 9;
        else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            path = argv[++i];
    }
    return path;
}

enum rc config_args_read(struct config_args *out, int argc, char **argv, const struct option *table,
                         struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    const char *path = config_path(argc, argv);

    *out = (struct config_args){0};
    if (path == NULL) {
        add(out, xstrdup(argc > 0 ? argv[0] : ""), 0);
        add_command_line(out, argc, argv);
        return RC_OK;
    }
    TRY(file_read(&text, path, CONFIG_MAX_SIZE, e));
    return config_args_parse(out, buf_bytes(&text), path, argc, argv, table, e);
}

void config_args_clear(struct config_args *a)
{
    for (int i = 0; i < a->argc; i++)
        free(a->argv[i]);
    free(a->argv);
    free(a->lines);
    free(a->path);
    *a = (struct config_args){0};
}

enum rc config_args_wrap(const struct config_args *a, int index, const char *name, enum rc rc,
                         struct err *e)
{
    /* getopt_long() has gone past a --name=value of the file. */
    if (index > 0 && index <= a->argc && a->lines[index - 1] != 0)
        return err_wrap(e, rc, "%s:%u: %s", a->path, a->lines[index - 1],
                        name != NULL ? name : "option");
    return name != NULL ? err_wrap(e, rc, "--%s", name) : rc;
}
