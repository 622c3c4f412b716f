/* key new, import, show, list; and finding the key to act with. */
#include "base/hex.h"
#include "chain/address.h"
#include "chain/keystore.h"
#include "cli/internal/commands.h"
#include "os/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#define NAME_MAX_LEN 64

enum rc cli_home(struct cli *cli, const char **out, struct err *e)
{
    const char *set = getenv("CLOISTER_HOME");
    const char *home = getenv("HOME");
    char *path;

    if (set == NULL && home == NULL)
        return err_set(e, RC_NOTFOUND, "neither CLOISTER_HOME nor HOME is set");
    if (set != NULL) {
        path = arena_strdup(&cli->mem, bytes_str(set));
    } else {
        path = arena_alloc(&cli->mem, strlen(home) + 16);
        (void)snprintf(path, strlen(home) + 16, "%s/.cloister", home);
    }
    *out = path;
    return dir_make(path, 0700, e);
}

/* Names become file names. */
static enum rc check_name(const char *name, struct err *e)
{
    size_t n = strlen(name);

    if (n == 0 || n > NAME_MAX_LEN || name[0] == '.' || name[0] == '-')
        return err_set(e, RC_MALFORMED,
                       "key name \"%.80s\": 1 to %d characters, not beginning with "
                       "a dot or a dash",
                       name, NAME_MAX_LEN);
    for (size_t i = 0; i < n; i++)
        if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
              (name[i] >= '0' && name[i] <= '9') || strchr("._-", name[i]) != NULL))
            return err_set(e, RC_MALFORMED,
                           "key name \"%s\": letters, digits, dots and dashes only", name);
    return RC_OK;
}

static enum rc key_path(struct cli *cli, const char **out, const char *name, struct err *e)
{
    const char *home;
    char *path;

    TRY(check_name(name, e));
    TRY(cli_home(cli, &home, e));
    path = arena_alloc(&cli->mem, strlen(home) + strlen(name) + 16);
    (void)snprintf(path, strlen(home) + strlen(name) + 16, "%s/keys", home);
    TRY(dir_make(path, 0700, e));
    (void)snprintf(path, strlen(home) + strlen(name) + 16, "%s/keys/%s.json", home, name);
    *out = path;
    return RC_OK;
}

const char *cli_stored_key_address(struct cli *cli, const char *name)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct address a;
    const char *path;

    if (key_path(cli, &path, name, NULL) != RC_OK ||
        file_read(&text, path, KEYSTORE_MAX_SIZE, NULL) != RC_OK ||
        keystore_address(&a, buf_bytes(&text), NULL) != RC_OK)
        return NULL;
    return cli_addr_text(cli, &a);
}

/* ---- passphrase ---- */

static enum rc read_line(struct secbuf *out, int fd, struct err *e)
{
    for (;;) {
        uint8_t c;
        ssize_t n = read(fd, &c, 1);

        if (n < 0)
            return err_set(e, RC_IO, "reading the passphrase failed");
        if (n == 0 || c == '\n')
            return RC_OK;
        if (out->n == 1024)
            return err_set(e, RC_LIMIT, "passphrase above 1024 bytes");
        secbuf_u8(out, c);
    }
}

static enum rc ask(struct secbuf *out, const char *prompt, struct err *e)
{
    AUTO_FD int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
    struct termios was, silent;
    enum rc rc;

    if (tty < 0 || tcgetattr(tty, &was) != 0)
        return err_set(e, RC_NOTFOUND,
                       "no terminal to ask for the passphrase: put it into a file "
                       "and name that in CLOISTER_PASSPHRASE_FILE");
    silent = was;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    (void)dprintf(tty, "%s: ", prompt);
    (void)tcsetattr(tty, TCSAFLUSH, &silent);
    rc = read_line(out, tty, e);
    (void)tcsetattr(tty, TCSAFLUSH, &was);
    (void)dprintf(tty, "\n");
    return rc;
}

enum rc cli_passphrase(struct secbuf *out, const char *prompt, bool confirm, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf again = {0};
    const char *path = getenv("CLOISTER_PASSPHRASE_FILE");

    if (path != NULL) {
        uint8_t text[1024 + 1];
        size_t n;

        TRY(file_read_secret(text, sizeof(text) - 1, &n, path, e));
        while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
            n--;
        secbuf_put(out, text, n);
        wipe(text, sizeof(text));
        return RC_OK;
    }
    TRY(ask(out, prompt, e));
    if (!confirm)
        return RC_OK;
    TRY(ask(&again, "once more", e));
    if (again.n != out->n || !ct_eq(again.p, out->p, out->n))
        return err_set(e, RC_MALFORMED, "the two passphrases differ");
    return RC_OK;
}

/* ---- the key to act with ---- */

static enum rc key_from_hex(struct secp_key *out, const char *text, struct err *e)
{
    uint8_t raw[32];
    enum rc rc = hex_decode_fixed(raw, sizeof(raw), bytes_str(text), NULL);

    if (rc == RC_OK)
        rc = secp_key_from_bytes(out, raw, NULL);
    wipe(raw, sizeof(raw));
    return rc == RC_OK ? RC_OK
                       : err_set(e, RC_MALFORMED,
                                 "private key is not 64 hexadecimal "
                                 "digits of a valid key");
}

static enum rc key_from_file(struct secp_key *out, const char *path, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf passphrase = {0};
    AUTO_CLEAR(secbuf) struct secbuf text = {0}; /* a keystore, or what was taken for one */
    enum rc rc;

    TRY(file_read_secret(secbuf_reserve(&text, KEYSTORE_MAX_SIZE + 1), KEYSTORE_MAX_SIZE, &text.n,
                         path, e));
    TRY(cli_passphrase(&passphrase, "passphrase", false, e));
    rc = keystore_decrypt(out, secbuf_bytes(&text), secbuf_bytes(&passphrase), e);
    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "%s", path);
}

enum rc cli_key(struct cli *cli, struct secp_key *out, struct err *e)
{
    const char *name = cli->key_name;
    const char *path, *known;

    if (name == NULL)
        return err_set(e, RC_NOTFOUND,
                       "whose key? give --key NAME (or set CLOISTER_KEY): an account "
                       "of the network file, one of `cloister key list`, a keystore "
                       "file");
    if (strncmp(name, "0x", 2) == 0)
        return key_from_hex(out, name, e);
    if (strchr(name, '/') != NULL)
        return key_from_file(out, name, e);
    if (key_path(cli, &path, name, NULL) == RC_OK && file_exists(path))
        return key_from_file(out, path, e);
    known = cli_account_key(cli, name);
    if (known != NULL)
        return key_from_hex(out, known, e);
    return err_set(e, RC_NOTFOUND,
                   "no key \"%s\" in the network file nor among one's own (cloister "
                   "key list)",
                   name);
}

/* ---- commands ---- */

static bool light;
static const struct cli_option NEW_OPTIONS[] = {
    {.name = "light",
     .help = "cheaper protection of the file, for throw-away keys",
     .flag = &light},
    {0},
};

static enum rc save(struct cli *cli, const char *name, const struct secp_key *key, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf passphrase = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    struct address a;
    const char *path;
    enum rc rc;

    TRY(key_path(cli, &path, name, e));
    if (file_exists(path))
        return err_set(e, RC_EXISTS, "%s exists: choose another name", path);
    TRY(cli_passphrase(&passphrase, "new passphrase", true, e));
    TRY(keystore_encrypt(&text, key, secbuf_bytes(&passphrase), light ? KEYSTORE_SCRYPT_N_LIGHT : 0,
                         NULL, e));
    rc = file_write_new(path, buf_bytes(&text), 0600, e);
    if (rc != RC_OK)
        return rc;
    secp_key_address(&a, key);
    cli_print(cli, "%s", cli_addr_text(cli, &a));
    cli_step(cli, "kept in %s; without the passphrase it is lost", path);
    cli_json(cli, json_pack("{s:s, s:s, s:s}", "name", name, "address", cli_addr_text(cli, &a),
                            "file", path));
    return RC_OK;
}

static enum rc key_new(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};

    secp_key_generate(&key, NULL);
    return save(cli, cli->args[0], &key, e);
}

const struct cli_command CLI_KEY_NEW = {
    .name = "key new",
    .args = "NAME",
    .summary = "make a key, kept in a password-protected file (Web3 Secret Storage v3)",
    .details = "The passphrase is asked on the terminal, or taken from the file that\n"
               "CLOISTER_PASSPHRASE_FILE names. Files lie in ~/.cloister/keys (CLOISTER_HOME).",
    .fn = key_new,
    .options = NEW_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};

/* A keystore file of another program, or 64 digits. Keys are not taken from the command line, where
 * other users of the machine can read them. */
static enum rc key_import(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    AUTO_CLEAR(secbuf) struct secbuf text = {0}; /* wiped also when the key is refused */
    size_t n;

    TRY(file_read_secret(secbuf_reserve(&text, KEYSTORE_MAX_SIZE + 1), KEYSTORE_MAX_SIZE, &n,
                         cli->args[1], e));
    text.n = n;
    while (n > 0 && (text.p[n - 1] == '\n' || text.p[n - 1] == ' '))
        n--;
    secbuf_truncate(&text, n);
    if (n == 64 || n == 66)
        TRY(key_from_hex(&key, secbuf_cstr(&text), e));
    else
        TRY(key_from_file(&key, cli->args[1], e));
    return save(cli, cli->args[0], &key, e);
}

const struct cli_command CLI_KEY_IMPORT = {
    .name = "key import",
    .args = "NAME FILE",
    .summary = "take over a key: a keystore file, or a file with 64 hexadecimal digits",
    .fn = key_import,
    .options = NEW_OPTIONS,
    .min_args = 2,
    .max_args = 2,
};

static bool show_private;
static const struct cli_option SHOW_OPTIONS[] = {
    {.name = "private",
     .help = "print the private key too (asks for the passphrase)",
     .flag = &show_private},
    {0},
};

static enum rc key_show(struct cli *cli, struct err *e)
{
    struct address a;
    json_t *result;

    TRY(cli_address(cli, &a, cli->args[0], e));
    result = json_pack("{s:s, s:s}", "name", cli->args[0], "address", cli_addr_text(cli, &a));
    cli_print(cli, "%s", cli_addr_text(cli, &a));
    if (show_private) {
        AUTO_CLEAR(secp_key) struct secp_key key = {0};
        char hex[65];
        enum rc rc;

        cli->key_name = cli->args[0];
        rc = cli_key(cli, &key, e);
        if (rc != RC_OK) {
            json_decref(result);
            return rc;
        }
        hex_encode(hex, bytes_of(key.k.b, 32));
        cli_print(cli, "0x%s", hex);
        CHECK(json_object_set_new(result, "private_key", json_sprintf("0x%s", hex)) == 0);
        wipe(hex, sizeof(hex));
    }
    cli_json(cli, result);
    return RC_OK;
}

const struct cli_command CLI_KEY_SHOW = {
    .name = "key show",
    .args = "NAME",
    .summary = "the address of a key",
    .fn = key_show,
    .options = SHOW_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};

struct listing {
    struct cli *cli;
    json_t *list;
};

static enum rc list_one(void *ctx, const char *file, struct err *e)
{
    struct listing *l = ctx;
    size_t n = strlen(file);
    const char *address;
    char *name;

    (void)e;
    if (n < 6 || strcmp(file + n - 5, ".json") != 0)
        return RC_OK;
    name = arena_strdup(&l->cli->mem, bytes_of(file, n - 5));
    address = cli_stored_key_address(l->cli, name);
    cli_print(l->cli, "%-20s %s", name, address != NULL ? address : "(unreadable)");
    CHECK(json_array_append_new(l->list,
                                json_pack("{s:s, s:s?}", "name", name, "address", address)) == 0);
    return RC_OK;
}

static enum rc key_list(struct cli *cli, struct err *e)
{
    struct listing l = {.cli = cli, .list = json_array()};
    const char *home;
    char *dir;
    enum rc rc;

    TRY(cli_home(cli, &home, e));
    dir = arena_alloc(&cli->mem, strlen(home) + 8);
    (void)snprintf(dir, strlen(home) + 8, "%s/keys", home);
    rc = dir_list(dir, list_one, &l, e);
    if (rc != RC_OK && rc != RC_NOTFOUND) {
        json_decref(l.list);
        return rc;
    }
    cli_json(cli, l.list);
    return RC_OK;
}

const struct cli_command CLI_KEY_LIST = {
    .name = "key list",
    .args = "",
    .summary = "one's keys and their addresses",
    .fn = key_list,
};
