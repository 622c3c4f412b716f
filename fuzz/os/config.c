/* Configuration files: what is taken becomes options getopt_long() knows, each from its line. */
#include "os/config.h"

#include "base/mem.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const struct option table[] = {{"dir", required_argument, NULL, 1},
                                          {"origin", required_argument, NULL, 2},
                                          {"quiet", no_argument, NULL, 3},
                                          {NULL, 0, NULL, 0}};
    char name[] = "prog";
    char *argv[] = {name, NULL};
    struct config_args a;
    struct err e = {0};

    if (config_args_parse(&a, bytes_of(p, n), "f", 1, argv, table, &e) == RC_OK) {
        for (int i = 1; i < a.argc; i++) {
            CHECK(a.lines[i] != 0 && a.lines[i] >= a.lines[i - 1]);
            CHECK(strncmp(a.argv[i], "--dir=", 6) == 0 || strncmp(a.argv[i], "--origin=", 9) == 0 ||
                  strcmp(a.argv[i], "--quiet") == 0);
        }
    } else {
        CHECK(e.msg[0] == 'f' && e.msg[1] == ':');
    }
    config_args_clear(&a);
    return 0;
}
