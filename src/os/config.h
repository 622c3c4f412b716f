/* os/config.h - the configuration file of a daemon: its options, one `name = value` a line.
 * "#" begins a comment line; blank lines are nothing; a value goes to the end of its line, and may
 * be put between double quotes to keep spaces at its ends. An option without value is switched on
 * with `name = yes` (`no`: left off). An option that may be repeated is repeated. The file is put
 * before the command line's options, so these win. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <getopt.h>

#define CONFIG_MAX_SIZE ((size_t)256 << 10)
#define CONFIG_MAX_OPTIONS 1024

/* The command line with what the file says in it. */
struct config_args {
    int argc;
    char **argv;     /* [0], the file's options as --name=value, the command line's; then NULL */
    unsigned *lines; /* line in the file of each argv entry, 0 for the others */
    char *path;      /* of the file, or NULL */
};

/* Looks for --config FILE (or --config=FILE) in argv; `table` is the daemon's, for getopt_long(),
 * and has an entry "config". Without it *out is a copy of argv. RC_NOTFOUND, RC_IO (no such file),
 * RC_LIMIT, RC_MALFORMED (the text names file, line and option). Clear *out in every case. */
enum rc config_args_read(struct config_args *out, int argc, char **argv, const struct option *table,
                         struct err *e);
void config_args_clear(struct config_args *a);
/* The same from a text; path is for errors. */
enum rc config_args_parse(struct config_args *out, struct bytes text, const char *path, int argc,
                          char **argv, const struct option *table, struct err *e);
/* An option's value was refused with rc and *e: put before the text where it stands. Call it after
 * getopt_long() with its optind. name may be NULL (not known). Returns rc. */
enum rc config_args_wrap(const struct config_args *a, int index, const char *name, enum rc rc,
                         struct err *e);
