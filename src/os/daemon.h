/* os/daemon.h - what the main of every daemon does: options from tables and a configuration file,
 * --help, the log, exit status. A daemon is its tables, its text and a function that serves.
 * Options every daemon has are added here: --config, --log-level, --log-json, --help. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DAEMON_MAX_OPTIONS 96 /* in all tables together */

/* What an option's value is, and the type of the field it goes to. */
enum daemon_option_kind {
    DAEMON_TEXT,      /* const char *; lives until daemon_main() returns */
    DAEMON_FLAG,      /* bool: no value, becomes true */
    DAEMON_UNSIGNED,  /* unsigned, at most max */
    DAEMON_U64,       /* uint64_t: the number given, at most max, times unit */
    DAEMON_CALL,      /* take() decides */
    DAEMON_CALL_FLAG, /* take() decides; no value (arg is NULL) */
    DAEMON_FIELD      /* take() decides; its target is the field, not the struct */
};

struct daemon_option {
    const char *name; /* without "--" */
    enum daemon_option_kind kind;
    size_t offset; /* of the field in the table's target */
    uint64_t max;
    uint64_t unit; /* 0: 1 */
    enum rc (*take)(void *target, const char *arg, struct err *e);
};

/* A table of options, ended by a NULL name, and the struct it fills. */
struct daemon_table {
    const struct daemon_option *options;
    void *target;
};

struct daemon {
    const char *name; /* "cloister-ledger": begins its errors */
    const char *help; /* answers --help; tools/help-to-man makes the manual page of it */
    const struct daemon_table *tables;
    size_t n_tables;
    /* After the options: is something missing? An error ends the process with 2. May be NULL. */
    enum rc (*check)(void *ctx, struct err *e);
    enum rc (*run)(void *ctx, struct err *e);
    void *ctx;
};

/* Returns the exit status: 0 done, 1 failure of run(), 2 usage. Raises the limit of open files to
 * what the system allows, before run(). Call it once, from main(). */
int daemon_main(const struct daemon *d, int argc, char **argv);

/* Let this process open as many files as its hard limit allows; returns that number. */
uint64_t daemon_raise_file_limit(void);
