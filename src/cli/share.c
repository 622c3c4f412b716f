/* Where the parts that are not programs lie: contract ELFs, the SDK, interface files. In an
 * installed system PREFIX/share/cloister, in a build tree beside the programs. */
#include "cli/internal/commands.h"
#include "os/file.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum rc cli_program_dir(struct cli *cli, const char **out, struct err *e)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    char *slash;

    if (n <= 0)
        return err_set(e, RC_IO, "cannot tell where this program lies (/proc/self/exe)");
    path[n] = 0;
    slash = strrchr(path, '/');
    CHECK(slash != NULL);
    *slash = 0;
    *out = arena_strdup(&cli->mem, bytes_str(path));
    return RC_OK;
}

enum rc cli_share(struct cli *cli, const char **out, const char *rel, struct err *e)
{
    /* installed; build tree: build/release/bin and build/contracts */
    static const char *const places[] = {"../share/cloister", "../.."};
    const char *dir;

    TRY(cli_program_dir(cli, &dir, e));
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        size_t n = strlen(dir) + strlen(places[i]) + strlen(rel) + 3;
        char *path = arena_alloc(&cli->mem, n);

        (void)snprintf(path, n, "%s/%s/%s", dir, places[i], rel);
        if (file_exists(path)) {
            *out = path;
            return RC_OK;
        }
    }
    return err_set(e, RC_NOTFOUND, "%s is not installed beside %s (make all)", rel, dir);
}
