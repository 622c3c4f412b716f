/* cloister-jail - run one container with nothing but its input and its limits.
 * Reads a JSON configuration from standard input, the contribution from descriptor 3, writes a JSON
 * status to standard output and results.json to descriptor 4. Where descriptor 5 is open, the
 * contribution is complete when a byte comes from there. See jail/jail.h. */
#include "base/buf.h"
#include "base/mem.h"
#include "jail/jail.h"
#include "os/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

static const char help[] =
    "usage: cloister-jail < config.json > status.json [3< input] [4> results.json]\n"
    "\n"
    "Runs one container: read-only root filesystem, no network, no capabilities, bounded\n"
    "memory, processes, CPU and time. Meant to be started by cloister-worker.\n"
    "\n"
    "config.json: {\"rootfs\": FOLDER, \"argv\": [..], \"env\": [\"NAME=value\", ..], \"cwd\": "
    "\"/\",\n"
    "  \"input_name\": NAME, \"memory_size\": BYTES, \"output_size\": BYTES, \"tmp_size\": BYTES,\n"
    "  \"wall_ms\": N, \"pids\": N, \"cpu_percent\": N, \"rlimit_only\": false}\n"
    "status.json: {\"limits\": \"cgroup-v1\"|\"cgroup-v2\"|\"rlimit-only\", \"started\", "
    "\"exit_code\",\n"
    "  \"signal\", \"oom\", \"timed_out\", \"has_results\", \"results_size\", \"output_bytes\",\n"
    "  \"duration_ms\", \"error\"}\n"
    "Exit status: 0 when the jail itself worked, 1 when not (the reason is printed), 2 usage.\n";

/* Who started us need not wait for our own end. */
static enum rc tell(void *data, const struct jail_status *status, struct bytes results,
                    struct err *e)
{
    const int *go_fd = data;
    AUTO_CLEAR(buf) struct buf json = {0};
    const char told = JAIL_TOLD;

    if (results.n != 0 && fcntl(JAIL_FD_RESULTS, F_GETFD) >= 0)
        TRY(file_write_fd(JAIL_FD_RESULTS, results, e));
    jail_status_encode(&json, status);
    buf_u8(&json, '\n');
    TRY(file_write_fd(JAIL_FD_STATUS, buf_bytes(&json), e));
    if (*go_fd != 0)
        (void)send(*go_fd, &told, 1, MSG_NOSIGNAL);
    return RC_OK;
}

static enum rc run(struct err *e)
{
    AUTO_CLEAR(buf) struct buf json = {0};
    AUTO_CLEAR(buf) struct buf results = {0};
    AUTO_CLEAR(jail_parsed_config) struct jail_parsed_config parsed = {0};
    struct jail_config *c = &parsed.config;
    struct jail_status status;
    bool has_input = fcntl(JAIL_FD_INPUT, F_GETFD) >= 0;
    enum rc rc;

    TRY(file_read_fd(&json, JAIL_FD_CONFIG, JAIL_MAX_CONFIG_SIZE, e));
    TRY(jail_config_parse(&parsed, buf_bytes(&json), e));
    if (fcntl(JAIL_FD_GO, F_GETFD) >= 0)
        c->go_fd = JAIL_FD_GO;
    c->on_end = tell;
    c->on_end_data = &c->go_fd;
    rc = jail_run(&status, &results, c, has_input ? JAIL_FD_INPUT : -1, e);
    wipe(results.p, results.n);
    return rc;
}

int main(int argc, char **argv)
{
    struct err e = {0};

    if (argc > 1) {
        bool asked = strcmp(argv[1], "--help") == 0;

        (void)fputs(help, asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    if (jail_protect_program(argv, &e) != RC_OK || run(&e) != RC_OK) {
        (void)printf("cloister-jail: %s\n", e.msg);
        return 1;
    }
    return 0;
}
