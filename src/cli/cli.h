/* cli/cli.h - the command line: `cloister COMMAND [SUBCOMMAND] [OPTIONS] ARGS`. One file a command;
 * each has a table row here, from which help, completion and man pages are made. */
#pragma once

/* Run the command line; returns the exit code: 0 done, 1 failed, 2 wrong usage. */
int cli_main(int argc, char **argv);
