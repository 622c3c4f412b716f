/* store add, store get. */
#include "cli/internal/commands.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static enum rc source_fd(void *data, void *p, size_t cap, size_t *n, struct err *e)
{
    const int *fd = data;
    ssize_t got = read(*fd, p, cap);

    *n = got < 0 ? 0 : (size_t)got;
    return got < 0 ? err_set(e, RC_IO, "reading the file failed") : RC_OK;
}

static enum rc sink_fd(void *data, struct bytes piece, struct err *e)
{
    const int *fd = data;

    return file_write_fd(*fd, piece, e);
}

static enum rc add_fd(struct cli *cli, struct cid *out, uint64_t *size, const char *path,
                      struct err *e)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct store_client *store;

    if (fd < 0)
        return err_set(e, RC_NOTFOUND, "cannot open %s", path);
    TRY(cli_store(cli, &store, e));
    return store_client_add(store, out, size, source_fd, &fd, e);
}

enum rc cli_store_add_file(struct cli *cli, struct cid *out, const char *path, struct err *e)
{
    return add_fd(cli, out, NULL, path, e);
}

static enum rc store_add(struct cli *cli, struct err *e)
{
    json_t *list = json_array();

    for (size_t i = 0; i < cli->n_args; i++) {
        char text[CID_TEXT_SIZE];
        uint64_t size = 0;
        struct cid cid;
        enum rc rc = add_fd(cli, &cid, &size, cli->args[i], e);

        if (rc != RC_OK) {
            json_decref(list);
            return rc;
        }
        cid_format(text, &cid);
        cli_print(cli, "%s %s", text, cli->args[i]);
        CHECK(json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "cid", text, "file",
                                                    cli->args[i], "size", (json_int_t)size)) == 0);
    }
    cli_json(cli, list);
    return RC_OK;
}

const struct cli_command CLI_STORE_ADD = {
    .name = "store add",
    .args = "FILE...",
    .summary = "put files into the store, as they are (not encrypted)",
    .fn = store_add,
    .min_args = 1,
    .max_args = CLI_MAX_ARGS,
};

static const char *out_path;
static const struct cli_option GET_OPTIONS[] = {
    {.name = "out", .arg = "FILE", .help = "write there [standard output]", .value = &out_path},
    {0},
};

static enum rc get_in_place(struct store_client *store, const struct cid *cid, struct err *e)
{
    AUTO_FD int fd = open(out_path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(e, errno, "cannot write %s", out_path);
    return store_client_cat(store, cid, 0, sink_fd, &fd, e);
}

/* The file appears when all of it is there and verified. */
static enum rc get_to_file(struct store_client *store, const struct cid *cid, struct err *e)
{
    AUTO_FREE char *part = xasprintf("%s.part", out_path);
    AUTO_FD int fd = -1;
    struct stat st;
    enum rc rc;

    /* A terminal or /dev/null must not be replaced by a file. */
    if (stat(out_path, &st) == 0 && !S_ISREG(st.st_mode))
        return get_in_place(store, cid, e);
    fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(e, errno, "cannot write %s", part);
    rc = store_client_cat(store, cid, 0, sink_fd, &fd, e);
    if (rc == RC_OK && rename(part, out_path) != 0)
        rc = err_errno(e, errno, "cannot write %s", out_path);
    if (rc != RC_OK)
        (void)unlink(part);
    return rc;
}

static enum rc store_get(struct cli *cli, struct err *e)
{
    int fd = STDOUT_FILENO;
    struct store_client *store;
    struct cid cid;

    if (cid_parse_url(&cid, NULL, bytes_str(cli->args[0]), e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "\"%.100s\"", cli->args[0]);
    TRY(cli_store(cli, &store, e));
    if (out_path == NULL)
        return store_client_cat(store, &cid, 0, sink_fd, &fd, e);
    TRY(get_to_file(store, &cid, e));
    cli_json(cli, json_pack("{s:s}", "file", out_path));
    return RC_OK;
}

const struct cli_command CLI_STORE_GET = {
    .name = "store get",
    .args = "CID",
    .summary = "read a file out of the store; every block is checked against its name",
    .fn = store_get,
    .options = GET_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};
