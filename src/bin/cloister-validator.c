/* cloister-validator - the process in which one RISC-V validator runs; cloister-worker starts it.
 * An executable of its own so that it is small: it starts in a millisecond, and nothing of the
 * worker's libraries (HTTP, TLS, archives) can be reached from a validator. */
#include "validator/validator.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    int code = validator_main(argc, argv);

    (void)fputs("usage: cloister-validator GAS MEMORY_SIZE WALL_MS 3<INPUT 4<PROGRAM 5<ENV 6>OUT\n"
                "Started by cloister-worker for one run of a pool's RISC-V validator.\n",
                stderr);
    return code;
}
