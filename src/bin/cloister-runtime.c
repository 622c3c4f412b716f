/* cloister-runtime - the process in which the contracts of one cluster run; cloister-worker starts
 * it. An executable of its own: it has the contracts' plaintext and their code, which may be
 * hostile, and none of the worker's keys, files or connections. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: cloister-runtime 3<> socket\n"
    "\n"
    "Runs the confidential contracts of one cluster in the virtual machine, with no file, no "
    "network\n"
    "and few system calls. Meant to be started by cloister-worker, which speaks to it over\n"
    "descriptor 3.\n"
    "\n"
    "Exit status: 0 when the worker has gone, 2 usage.\n";

int main(int argc, char **argv)
{
    int code = 2;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(help, stdout);
        return 0;
    }
    if (argc == 1)
        code = runtime_main();
    (void)fputs(help, stderr);
    return code;
}
