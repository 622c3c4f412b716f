/* cloister-validator - the process in which one RISC-V validator runs; cloister-worker starts it.
 * An executable of its own so that it is small: it starts in a millisecond, and nothing of the
 * worker's libraries (HTTP, TLS, archives) can be reached from a validator. */
#include "validator/validator.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: cloister-validator GAS MEMORY_SIZE WALL_MS\n"
    "\n"
    "Runs one RISC-V validator in the virtual machine, with no file, no network and few system\n"
    "calls. Meant to be started by cloister-worker, which hands it program, environment, input "
    "and\n"
    "a place for the outcome over a socket, descriptor 3.\n"
    "\n"
    "Exit status: 0 when there is an outcome to read, 1 when not, 2 usage.\n";

int main(int argc, char **argv)
{
    int code;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(help, stdout);
        return 0;
    }
    code = validator_main(argc, argv);
    (void)fputs(help, stderr);
    return code;
}
