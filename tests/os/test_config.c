/* Configuration files of the daemons. */
#include "lib/t.h"
#include "os/config.h"
#include "os/file.h"

#include <string.h>

static const struct option TABLE[] = {
    {"config", required_argument, NULL, 1}, {"dir", required_argument, NULL, 2},
    {"origin", required_argument, NULL, 3}, {"quiet", no_argument, NULL, 4},
    {"help", no_argument, NULL, 5},         {NULL, 0, NULL, 0}};

static enum rc parse(struct config_args *a, const char *text, struct err *e)
{
    char *argv[] = {(char[]){"prog"}, (char[]){"--dir"}, (char[]){"/cmd"}, NULL};

    return config_args_parse(a, bytes_str(text), "x.conf", 3, argv, TABLE, e);
}

static void refused(const char *text, const char *piece)
{
    struct config_args a;
    struct err e;

    CHECK_RC(parse(&a, text, &e), RC_MALFORMED, &e, piece);
    config_args_clear(&a);
}

TEST(a_file_becomes_options_before_the_command_line)
{
    static const char text[] = "# a comment\n\n dir = /a b \r\norigin=\" x \"\n\torigin = y=z\n"
                               "quiet = yes\nquiet = no";
    static const char *const want[] = {"prog",    "--dir=/a b", "--origin= x ", "--origin=y=z",
                                       "--quiet", "--dir",      "/cmd"};
    static const unsigned lines[] = {0, 3, 4, 5, 6, 0, 0};
    struct config_args a;
    struct err e;

    CHECK_OK(parse(&a, text, &e), &e);
    CHECK_INT(a.argc, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        CHECK_STR(a.argv[i], want[i]);
        CHECK_INT(a.lines[i], lines[i]);
    }
    CHECK_TRUE(a.argv[a.argc] == NULL);
    config_args_clear(&a);
}

TEST(errors_name_file_line_and_option)
{
    refused("dir = /a\nnope = 1\n", "x.conf:2: no option 'nope' here");
    refused("dir\n", "x.conf:1: no '='");
    refused("\n\ndir =  \n", "x.conf:3: dir: the value is missing");
    refused("dir = \"\"\n", "x.conf:1: dir: the value is missing");
    refused("dir = \"/a\n", "x.conf:1: dir: the value has no closing quote");
    refused("dir = \"\n", "x.conf:1: dir: the value has no closing quote");
    refused("quiet = maybe\n", "x.conf:1: quiet: 'maybe' is neither yes nor no");
    refused("config = /other\n", "no option 'config' here");
    refused("help = yes\n", "no option 'help' here");
    refused(" = 1\n", "no option '' here");
    refused("--dir = /a\n", "no option '--dir' here");
}

TEST(limits_hold)
{
    AUTO_CLEAR(buf) struct buf many = {0};
    struct config_args a;
    struct err e;
    char *argv[] = {(char[]){"prog"}, NULL};

    for (unsigned i = 0; i < CONFIG_MAX_OPTIONS; i++)
        buf_put_str(&many, "origin = x\n");
    CHECK_RC(parse(&a, buf_cstr(&many), &e), RC_LIMIT, &e, "x.conf:1024: more than 1024 options");
    config_args_clear(&a);
    buf_put_zero(&many, CONFIG_MAX_SIZE);
    CHECK_RC(config_args_parse(&a, buf_bytes(&many), "x.conf", 1, argv, TABLE, &e), RC_LIMIT, &e,
             "at most 262144");
    config_args_clear(&a);
    CHECK_RC(config_args_parse(&a, bytes_of((const uint8_t *)"dir=\0x", 6), "x.conf", 1, argv,
                               TABLE, &e),
             RC_MALFORMED, &e, "zero byte");
    config_args_clear(&a);
}

TEST(the_file_is_found_on_the_command_line)
{
    AUTO_FREE char *path = xasprintf("%s/d.conf", t_tmpdir());
    AUTO_FREE char *joined = xasprintf("--config=%s", path);
    char *argv[] = {(char[]){"prog"}, joined, NULL};
    struct config_args a;
    struct err e = {0};

    CHECK_RC(config_args_read(&a, 2, argv, TABLE, &e), RC_NOTFOUND, &e, "d.conf");
    config_args_clear(&a);
    CHECK_OK(file_write_atomic(path, bytes_str("dir = /d\n"), 0600, &e), &e);
    CHECK_OK(config_args_read(&a, 2, argv, TABLE, &e), &e);
    CHECK_INT(a.argc, 3);
    CHECK_STR(a.argv[1], "--dir=/d");
    (void)err_set(&e, RC_RANGE, "too far");
    CHECK_RC(config_args_wrap(&a, 2, "dir", RC_RANGE, &e), RC_RANGE, &e, "d.conf:1: dir: too far");
    (void)err_set(&e, RC_RANGE, "too far");
    CHECK_RC(config_args_wrap(&a, 3, "dir", RC_RANGE, &e), RC_RANGE, &e, "--dir: too far");
    config_args_clear(&a);
}
