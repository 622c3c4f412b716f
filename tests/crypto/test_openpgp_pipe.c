/* With OPENPGP_PIPE=enc|enc-stream|enc-armor|dec in the environment this program is a pipe (stdin
 * to stdout, password in OPENPGP_PASSWORD), for other implementations' tests; otherwise it runs the
 * tests against GnuPG and RNP. */
#include "crypto/openpgp.h"
#include "lib/t.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static enum rc read_file(void *data, uint8_t *p, size_t cap, size_t *n, struct err *e)
{
    FILE *f = data;

    *n = fread(p, 1, cap, f);
    return ferror(f) != 0 ? err_set(e, RC_IO, "cannot read") : RC_OK;
}

static enum rc put_buf(void *data, struct bytes piece, struct err *e)
{
    (void)e;
    buf_put_bytes(data, piece);
    return RC_OK;
}

static enum rc pipe_run(const char *mode, struct bytes password, struct buf *out, struct err *e)
{
    struct openpgp_source in = {.read = read_file, .data = stdin};
    struct buf message = {0};
    struct openpgp_sink sink = {.write = put_buf, .data = out};

    if (strcmp(mode, "dec") == 0)
        return openpgp_decrypt(&in, &sink, password, NULL, e);
    if (strcmp(mode, "enc-stream") == 0)
        return openpgp_encrypt(&in, &sink, OPENPGP_SIZE_UNKNOWN, password, NULL, e);
    for (;;) {
        uint8_t piece[4096];
        size_t n;

        TRY(read_file(stdin, piece, sizeof(piece), &n, e));
        if (n == 0)
            break;
        buf_put(&message, piece, n);
    }
    if (strcmp(mode, "enc-armor") == 0) {
        struct buf binary = {0};

        TRY(openpgp_encrypt_bytes(&binary, buf_bytes(&message), password, NULL, e));
        openpgp_armor(out, buf_bytes(&binary));
        buf_clear(&binary);
    } else {
        TRY(openpgp_encrypt_bytes(out, buf_bytes(&message), password, NULL, e));
    }
    buf_clear(&message);
    return RC_OK;
}

/* Before main: the harness would take over there. */
__attribute__((constructor)) static void pipe_main(void)
{
    const char *mode = getenv("OPENPGP_PIPE"), *password = getenv("OPENPGP_PASSWORD");
    struct buf out = {0};
    struct err e;

    if (mode == NULL)
        return;
    if (pipe_run(mode, bytes_str(password == NULL ? "" : password), &out, &e) != RC_OK) {
        (void)fprintf(stderr, "%s: %s\n", rc_name(e.code), e.msg);
        _exit(1);
    }
    (void)fwrite(out.p, 1, out.n, stdout);
    _exit(fflush(stdout) == 0 ? 0 : 1);
}

/* ---- against GnuPG ---- */

/* Run a shell command in the folder; its exit code. */
static int run(const char *dir, const char *command)
{
    char *line = xasprintf("cd %s && export GNUPGHOME=$PWD && ( %s ) >log 2>&1", dir, command);
    int status = system(line);

    free(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *gpg_dir(void)
{
    const char *dir = t_tmpdir();

    if (run(dir, "command -v gpg") != 0)
        t_skip("no gpg");
    return dir;
}

static struct buf load(const char *dir, const char *name)
{
    char *path = xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    struct buf out = {0};
    uint8_t piece[4096];
    size_t n;

    CHECK_TRUE(f != NULL);
    while ((n = fread(piece, 1, sizeof(piece), f)) != 0)
        buf_put(&out, piece, n);
    (void)fclose(f);
    free(path);
    return out;
}

static void store(const char *dir, const char *name, struct bytes content)
{
    char *path = xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "wb");

    CHECK_TRUE(f != NULL);
    CHECK_INT(fwrite(content.p, 1, content.n, f), content.n);
    CHECK_INT(fclose(f), 0);
    free(path);
}

#define GPG "gpg --batch --yes --quiet --pinentry-mode loopback --passphrase pass-word "

TEST(gpg_reads_ours)
{
    static const size_t sizes[] = {0, 1, 190, 8400, 65530, 65536, 1000000};
    const char *dir = gpg_dir();

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        for (int known = 0; known < 2; known++) {
            struct buf plain = {0}, message = {0}, back;
            struct err e;

            t_rand_bytes(buf_extend(&plain, sizes[i]), sizes[i]);
            if (known == 1) {
                CHECK_OK(openpgp_encrypt_bytes(&message, buf_bytes(&plain), bytes_str("pass-word"),
                                               NULL, &e),
                         &e);
            } else {
                char *path = xasprintf("%s/plain", dir);
                struct openpgp_source in = {.read = read_file};
                struct openpgp_sink out = {.write = put_buf, .data = &message};
                FILE *f;

                store(dir, "plain", buf_bytes(&plain));
                f = fopen(path, "rb");
                in.data = f;
                CHECK_OK(openpgp_encrypt(&in, &out, OPENPGP_SIZE_UNKNOWN, bytes_str("pass-word"),
                                         NULL, &e),
                         &e);
                (void)fclose(f);
                free(path);
            }
            store(dir, "m.gpg", buf_bytes(&message));
            if (run(dir, GPG "-o back -d m.gpg") != 0) {
                struct buf log = load(dir, "log");

                t_fail(__FILE__, __LINE__, "gpg refuses %zu bytes: %s", sizes[i], buf_cstr(&log));
            }
            back = load(dir, "back");
            CHECK_MEM(buf_bytes(&back), buf_bytes(&plain));
            buf_clear(&plain);
            buf_clear(&message);
            buf_clear(&back);
        }
    }
}

TEST(ours_reads_gpg)
{
    static const char *const options[] = {
        "",
        "--armor",
        "--compress-algo none",
        "--compress-algo zlib --armor",
        "--compress-algo zip -z 9",
        "--cipher-algo AES128 --s2k-digest-algo SHA512",
        "--cipher-algo AES192 --s2k-digest-algo SHA1",
        "--s2k-mode 1 --s2k-digest-algo SHA256",
        "--s2k-mode 0",
        "--set-filename x-and-a-much-longer-name.json",
    };
    const char *dir = gpg_dir();

    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        for (size_t size = 0; size < 400000; size = size * 9 + 7) {
            AUTO_CLEAR(secbuf) struct secbuf back = {0};
            char *command = xasprintf(GPG "%s --s2k-count 65536 -o m.gpg -c plain", options[i]);
            struct buf plain = {0}, message;
            struct err e;

            for (size_t j = 0; j < size; j++)
                buf_u8(&plain, (uint8_t)(t_rand_below(7) + 'a'));
            store(dir, "plain", buf_bytes(&plain));
            CHECK_INT(run(dir, command), 0);
            message = load(dir, "m.gpg");
            CHECK_OK(
                openpgp_decrypt_bytes(&back, buf_bytes(&message), bytes_str("pass-word"), NULL, &e),
                &e);
            CHECK_MEM(secbuf_bytes(&back), buf_bytes(&plain));
            CHECK_RC(
                openpgp_decrypt_bytes(&back, buf_bytes(&message), bytes_str("pass-worD"), NULL, &e),
                RC_DENIED, &e, "wrong password");
            CHECK_INT(back.n, size);
            buf_clear(&plain);
            buf_clear(&message);
            free(command);
        }
    }
}

/* What gpg streams has partial lengths; what it makes for others we do not read. */
TEST(ours_reads_gpg_stream)
{
    AUTO_CLEAR(secbuf) struct secbuf back = {0};
    const char *dir = gpg_dir();
    struct buf message;
    struct err e;

    CHECK_INT(run(dir, "head -c 700000 /dev/zero | " GPG
                       "--compress-algo none --s2k-count 65536 -c > m.gpg"),
              0);
    message = load(dir, "m.gpg");
    CHECK_OK(openpgp_decrypt_bytes(&back, buf_bytes(&message), bytes_str("pass-word"), NULL, &e),
             &e);
    CHECK_INT(back.n, 700000);
    buf_clear(&message);
    CHECK_INT(run(dir, "head -c 700000 /dev/zero | " GPG
                       "--compress-algo bzip2 --s2k-count 65536 -c > m.gpg"),
              0);
    message = load(dir, "m.gpg");
    CHECK_RC(openpgp_decrypt_bytes(&back, buf_bytes(&message), bytes_str("pass-word"), NULL, &e),
             RC_UNSUPPORTED, &e, "BZip2");
    buf_clear(&message);
    CHECK_INT(run(dir, "head -c 70 /dev/zero | " GPG "--cipher-algo TWOFISH -c > m.gpg"), 0);
    message = load(dir, "m.gpg");
    CHECK_RC(openpgp_decrypt_bytes(&back, buf_bytes(&message), bytes_str("pass-word"), NULL, &e),
             RC_UNSUPPORTED, &e, "cipher 10");
    buf_clear(&message);
}

/* ---- against RNP ---- */

#define RNP "rnp --homedir . --password pass-word --overwrite "

TEST(rnp_both_ways)
{
    static const char *const options[] = {"-z 0", "--zlib -z 6", "--zip --armor",
                                          "--cipher AES128 --hash SHA512"};
    const char *dir = t_tmpdir();

    if (run(dir, "command -v rnp") != 0)
        t_skip("no rnp");
    for (size_t size = 1; size < 400000; size = size * 23 + 7) {
        struct buf plain = {0}, message = {0}, back;
        struct err e;

        t_rand_bytes(buf_extend(&plain, size), size);
        store(dir, "plain", buf_bytes(&plain));
        CHECK_OK(
            openpgp_encrypt_bytes(&message, buf_bytes(&plain), bytes_str("pass-word"), NULL, &e),
            &e);
        store(dir, "m.pgp", buf_bytes(&message));
        CHECK_INT(run(dir, RNP "--output back -d m.pgp"), 0);
        back = load(dir, "back");
        CHECK_MEM(buf_bytes(&back), buf_bytes(&plain));
        buf_clear(&back);
        for (size_t i = 0; i < ARRAY_LEN(options); i++) {
            AUTO_CLEAR(secbuf) struct secbuf ours = {0};
            char *command = xasprintf(RNP "%s --output theirs -c plain", options[i]);

            CHECK_INT(run(dir, command), 0);
            buf_clear(&message);
            message = load(dir, "theirs");
            CHECK_OK(
                openpgp_decrypt_bytes(&ours, buf_bytes(&message), bytes_str("pass-word"), NULL, &e),
                &e);
            CHECK_MEM(secbuf_bytes(&ours), buf_bytes(&plain));
            CHECK_RC(
                openpgp_decrypt_bytes(&ours, buf_bytes(&message), bytes_str("pass-worD"), NULL, &e),
                RC_DENIED, &e, "wrong password");
            free(command);
        }
        buf_clear(&plain);
        buf_clear(&message);
    }
}
