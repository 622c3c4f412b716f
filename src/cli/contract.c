/* contract build, deploy, call, send. */
#include "abigen/abigen.h"
#include "chain/abi_sig.h"
#include "cli/internal/commands.h"
#include "cli/internal/confidential.h"
#include "ledger/code.h"
#include "os/file.h"
#include "os/spawn.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE_MAX ((size_t)4 << 20)
#define ELF_MAX ((size_t)1 << 20)
#define COMPILE_TIMEOUT_MS 120000

/* ---- build ---- */

static const char *abi_path, *out_path;
static struct cli_list uses;
static bool is_validator;
static const struct cli_option BUILD_OPTIONS[] = {
    {.name = "abi",
     .arg = "FILE",
     .help = "Solidity ABI JSON of the contract [NAME.json beside the source]",
     .value = &abi_path},
    {.name = "uses",
     .arg = "FILE",
     .help = "ABI JSON of another contract that this one calls (OTHER.calls.h); may be repeated",
     .values = &uses},
    {.name = "out", .arg = "FILE", .help = "the program [NAME.elf]", .value = &out_path},
    {.name = "validator",
     .help = "a pool's validator (sdk/validator.h) instead of a contract: it has no interface",
     .flag = &is_validator},
    {0},
};

/* The same flags as contracts/build.mk; a test compares what both make. */
static const char *const COMPILE_FLAGS[] = {"--target=riscv64",
                                            "-march=rv64em_zba_zbb_zbs_zicond",
                                            "-mabi=lp64e",
                                            "-mcmodel=medany",
                                            "-mno-relax",
                                            "-ffreestanding",
                                            "-O2",
                                            "-ffunction-sections",
                                            "-fdata-sections",
                                            "-fno-stack-protector",
                                            "-fno-ident",
                                            "-fno-asynchronous-unwind-tables",
                                            "-std=c23",
                                            "-Xclang",
                                            "-fexperimental-max-bitint-width=256",
                                            "-fno-strict-aliasing",
                                            "-Wall",
                                            "-Wextra"};
static const char *const LINK_FLAGS[] = {"-m",
                                         "elf64lriscv",
                                         "-static",
                                         "--build-id=none",
                                         "--gc-sections",
                                         "--strip-all",
                                         "-z",
                                         "stack-size=65536",
                                         "-z",
                                         "max-page-size=4096",
                                         "-T"};
static const char *const CONTRACT_SDK[] = {"sdk", "storage", "start", "mem", NULL};
static const char *const VALIDATOR_SDK[] = {"validator", "mem", NULL};

struct argv {
    const char *items[64];
    size_t n;
};

static void arg(struct argv *a, const char *text)
{
    CHECK(a->n + 1 < ARRAY_LEN(a->items));
    a->items[a->n++] = text;
}

static const char *join(struct cli *cli, const char *between, const char *a, const char *b)
{
    char *text = xasprintf("%s%s%s", a, between, b);
    const char *kept = arena_strdup(&cli->mem, bytes_str(text));

    free(text);
    return kept;
}

/* Run a tool; what it complains of goes straight to the user. */
static enum rc run(const struct argv *a, struct err *e)
{
    const struct spawn_fd fds[] = {{.parent = STDERR_FILENO, .child = 1},
                                   {.parent = STDERR_FILENO, .child = 2}};
    const struct spawn_options o = {.argv = a->items, .fds = fds, .n_fds = 2};
    struct child_status status;
    struct child child;
    enum rc rc = child_spawn(&child, &o, e);

    if (rc != RC_OK)
        return err_wrap(e, rc, "install clang-19 and lld-19");
    rc = child_wait(&child, COMPILE_TIMEOUT_MS, &status, e);
    child_clear(&child);
    if (rc == RC_OK && !(status.exited && status.code == 0))
        return err_set(e, RC_MALFORMED, "%s found errors (above)", a->items[0]);
    return rc;
}

static enum rc compile(struct cli *cli, const char *source, const char *object, const char *dir,
                       const char *sdk_parent, bool no_builtin, struct err *e)
{
    struct argv a = {0};

    arg(&a, "clang-19");
    for (size_t i = 0; i < ARRAY_LEN(COMPILE_FLAGS); i++)
        arg(&a, COMPILE_FLAGS[i]);
    if (no_builtin)
        arg(&a, "-fno-builtin");
    arg(&a, join(cli, "", "-I", sdk_parent));
    arg(&a, join(cli, "", "-I", dir));
    arg(&a, join(cli, "=", join(cli, "", "-ffile-prefix-map=", dir), "."));
    arg(&a, "-c");
    arg(&a, source);
    arg(&a, "-o");
    arg(&a, object);
    return run(&a, e);
}

static enum rc write_text(struct cli *cli, const char *dir, const char *name, const char *suffix,
                          const struct buf *text, const char **path, struct err *e)
{
    *path = join(cli, "/", dir, join(cli, "", name, suffix));
    return file_write_atomic(*path, buf_bytes(text), 0644, e);
}

/* OTHER.calls.h of each contract that --uses names. */
static enum rc write_calls(struct cli *cli, const char *dir, struct err *e)
{
    for (size_t i = 0; i < uses.n; i++) {
        AUTO_CLEAR(buf) struct buf json = {0};
        AUTO_CLEAR(buf) struct buf calls = {0};
        const char *file = uses.items[i];
        const char *base = strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file;
        size_t n = strcspn(base, ".");
        const char *name = arena_strdup(&cli->mem, bytes_of(base, n));
        const char *path;

        TRY(file_read(&json, file, ABIGEN_JSON_MAX, e));
        if (abigen_contract(NULL, NULL, &calls, buf_bytes(&json), name, e) != RC_OK)
            return err_wrap(e, RC_MALFORMED, "%s", file);
        TRY(write_text(cli, dir, name, ".calls.h", &calls, &path, e));
    }
    return RC_OK;
}

/* NAME.abi.h and, at `path`, NAME.abi.c. */
static enum rc generate(struct cli *cli, const char **path, const char *dir, const char *name,
                        const char *abi, struct err *e)
{
    AUTO_CLEAR(buf) struct buf json = {0};
    AUTO_CLEAR(buf) struct buf header = {0};
    AUTO_CLEAR(buf) struct buf code = {0};
    AUTO_CLEAR(buf) struct buf calls = {0};

    TRY(file_read(&json, abi, ABIGEN_JSON_MAX, e));
    if (abigen_contract(&header, &code, &calls, buf_bytes(&json), name, e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "%s", abi);
    TRY(write_calls(cli, dir, e));
    TRY(write_text(cli, dir, name, ".abi.h", &header, path, e));
    TRY(write_text(cli, dir, name, ".calls.h", &calls, path, e));
    return write_text(cli, dir, name, ".abi.c", &code, path, e);
}

static enum rc build_in(struct cli *cli, const char *dir, const char *source, const char *name,
                        const char *abi, const char *out, struct err *e)
{
    const char *const *parts = is_validator ? VALIDATOR_SDK : CONTRACT_SDK;
    const char *sdk, *path = NULL, *script, *sdk_parent;
    struct argv link = {0};

    TRY(cli_share(cli, &sdk, "contracts/sdk/contract.h", e));
    sdk = arena_strdup(&cli->mem, bytes_of(sdk, strlen(sdk) - strlen("/contract.h")));
    sdk_parent = arena_strdup(&cli->mem, bytes_of(sdk, strlen(sdk) - strlen("/sdk")));
    if (!is_validator)
        TRY(generate(cli, &path, dir, name, abi, e));
    arg(&link, "ld.lld-19");
    for (size_t i = 0; i < ARRAY_LEN(LINK_FLAGS); i++)
        arg(&link, LINK_FLAGS[i]);
    script = join(cli, "/", sdk, "link.ld");
    arg(&link, script);
    arg(&link, "-o");
    arg(&link, out);
    arg(&link, join(cli, "/", dir, "contract.o"));
    TRY(compile(cli, source, link.items[link.n - 1], dir, sdk_parent, false, e));
    if (path != NULL) {
        arg(&link, join(cli, "/", dir, "abi.o"));
        TRY(compile(cli, path, link.items[link.n - 1], dir, sdk_parent, false, e));
    }
    for (size_t i = 0; parts[i] != NULL; i++) {
        arg(&link, join(cli, "/", dir, join(cli, "", parts[i], ".sdk.o")));
        TRY(compile(cli, join(cli, "/", sdk, join(cli, "", parts[i], ".c")), link.items[link.n - 1],
                    dir, sdk_parent, strcmp(parts[i], "mem") == 0, e));
    }
    return run(&link, e);
}

/* To --out, or NAME.elf here; *elf says where. */
static enum rc build(struct cli *cli, const char *source, const char **elf, struct err *e)
{
    const char *base = strrchr(source, '/') != NULL ? strrchr(source, '/') + 1 : source;
    size_t n = strlen(base);
    char dir[] = "/tmp/cloister-build.XXXXXX";
    const char *name, *stem, *abi, *out;
    enum rc rc;

    if (n < 3 || strcmp(base + n - 2, ".c") != 0)
        return err_set(e, RC_MALFORMED, "%s is not a .c file", source);
    name = arena_strdup(&cli->mem, bytes_of(base, n - 2));
    stem = arena_strdup(&cli->mem, bytes_of(source, strlen(source) - 2));
    abi = abi_path != NULL ? abi_path : join(cli, "", stem, ".json");
    out = out_path != NULL ? out_path : join(cli, "", name, ".elf");
    if (!file_exists(source))
        return err_set(e, RC_NOTFOUND, "%s: no such file", source);
    if (!is_validator && !file_exists(abi))
        return err_set(e, RC_NOTFOUND, "%s: no such file: give the interface with --abi FILE", abi);
    if (mkdtemp(dir) == NULL)
        return err_set(e, RC_IO, "no temporary folder");
    rc = build_in(cli, dir, source, name, abi, out, e);
    if (dir_remove(dir, NULL) != RC_OK)
        cli_step(cli, "left behind: %s", dir);
    *elf = out;
    return rc;
}

static enum rc contract_build(struct cli *cli, struct err *e)
{
    const char *out;
    struct stat st;

    TRY(build(cli, cli->args[0], &out, e));
    if (stat(out, &st) != 0)
        return err_set(e, RC_IO, "%s was not written", out);
    cli_print(cli, "%s (%lld bytes)", out, (long long)st.st_size);
    if (is_validator)
        cli_hint(cli, "cloister pool create NAME --validator %s", out);
    else
        cli_hint(cli, "cloister contract deploy %s", out);
    cli_json(cli, json_pack("{s:s, s:I}", "elf", out, "size", (json_int_t)st.st_size));
    return RC_OK;
}

const struct cli_command CLI_CONTRACT_BUILD = {
    .name = "contract build",
    .args = "NAME.c",
    .summary = "compile a contract, or a validator: C and an ABI JSON file to an ELF",
    .fn = contract_build,
    .options = BUILD_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};

/* ---- deploy ---- */

static const char *init_signature, *value_text, *gas_text, *cluster_text, *audit_text;
static bool confidential, upgradable, encrypts_code, plain, wait_for_it;
static const struct cli_option DEPLOY_OPTIONS[] = {
    {.name = "init",
     .arg = "SIGNATURE",
     .help = "first call, e.g. 'initialize(address)'; its arguments follow the ELF",
     .value = &init_signature},
    {.name = "value", .arg = "COINS", .help = "sent along", .value = &value_text},
    {.name = "abi",
     .arg = "FILE",
     .help = "of a .c file, which is compiled first [NAME.json beside it]",
     .value = &abi_path},
    {.name = "uses", .arg = "FILE", .help = "as for contract build", .values = &uses},
    {.name = "confidential",
     .help = "run it where nobody can look: on a cluster of attested workers",
     .flag = &confidential},
    {.name = "cluster",
     .arg = "N",
     .help = "with --confidential: the cluster's number",
     .value = &cluster_text},
    {.name = "upgradable",
     .help = "with --confidential: its owner may replace the code",
     .flag = &upgradable},
    {.name = "encrypt-code",
     .help = "with --confidential: only the cluster's workers can read the code",
     .flag = &encrypts_code},
    {.name = "audit",
     .arg = "WHO",
     .help = "with --confidential: owner: whom the owner names may re-execute it; none [none]",
     .value = &audit_text},
    {.name = "gas",
     .arg = "N",
     .help = "with --confidential: for the first call [4194304]",
     .value = &gas_text},
    {0},
};

static enum rc value_of(struct u256 *out, struct err *e)
{
    *out = U256_ZERO;
    return value_text == NULL ? RC_OK : cli_amount(out, value_text, "--value", e);
}

/* What only confidential contracts have. */
static enum rc deploy_options(struct err *e)
{
    if (confidential && cluster_text == NULL)
        return err_set(
            e, RC_MALFORMED,
            "--confidential needs --cluster N: `cloister cluster list` shows which there "
            "are");
    if (!confidential && (cluster_text != NULL || upgradable || encrypts_code ||
                          audit_text != NULL || gas_text != NULL))
        return err_set(e, RC_MALFORMED,
                       "--cluster, --upgradable, --encrypt-code, --audit and --gas are for "
                       "--confidential");
    return RC_OK;
}

static enum rc deploy_confidential(struct cli *cli, const char *elf, struct err *e)
{
    struct confidential_deploy d = {.upgradable = upgradable,
                                    .encrypts_code = encrypts_code,
                                    .audit = audit_text,
                                    .init = init_signature,
                                    .gas = gas_text,
                                    .value = value_text,
                                    .elf_path = elf,
                                    .args = cli->args + 1,
                                    .n_args = cli->n_args - 1};

    TRY(cli_number(&d.cluster, cluster_text, "cluster", UINT64_MAX, e));
    return confidential_deploy(cli, &d, e);
}

static enum rc contract_deploy(struct cli *cli, struct err *e)
{
    const char *path = cli->args[0];
    size_t n_path = strlen(path);
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    AUTO_CLEAR(buf) struct buf data = {0};
    struct chain_receipt receipt;
    struct chain_client *c;
    struct chain_send s = {0};
    struct bytes elf, rest;
    enum rc rc;

    TRY(deploy_options(e));
    if (n_path > 2 && strcmp(path + n_path - 2, ".c") == 0)
        TRY(build(cli, path, &path, e));
    if (confidential)
        return deploy_confidential(cli, path, e);
    TRY(file_read(&data, path, ELF_MAX, e));
    rc = code_split(buf_bytes(&data), &elf, &rest, e);
    if (rc != RC_OK || rest.n != 0)
        return err_set(e, RC_MALFORMED,
                       "%s is not an ELF program (cloister contract build makes one)", path);
    if (init_signature != NULL)
        TRY(abi_calldata(&data, bytes_str(init_signature), cli->args + 1, cli->n_args - 1, e));
    else if (cli->n_args > 1)
        return err_set(e, RC_MALFORMED, "arguments without --init SIGNATURE");
    TRY(value_of(&s.value, e));
    s.data = buf_bytes(&data);
    TRY(cli_key(cli, &key, e));
    TRY(cli_chain(cli, &c, e));
    TRY(chain_transact(c, &receipt, &cli->mem, &key, &s, e));
    cli_print(cli, "%s, transaction %s, %llu gas", cli_addr_text(cli, &receipt.contract),
              cli_hash_text(cli, &receipt.tx_hash), (unsigned long long)receipt.gas_used);
    cli_json(cli,
             json_pack("{s:s, s:s, s:I, s:I}", "address", cli_addr_text(cli, &receipt.contract),
                       "transaction", cli_hash_text(cli, &receipt.tx_hash), "height",
                       (json_int_t)receipt.height, "gas", (json_int_t)receipt.gas_used));
    return RC_OK;
}

const struct cli_command CLI_CONTRACT_DEPLOY = {
    .name = "contract deploy",
    .args = "FILE.elf|FILE.c [ARG...]",
    .summary = "put a contract on the chain, public or confidential",
    .details =
        "With --confidential the code goes into the store, and the contract onto a cluster; "
        "the command\n"
        "ends when the cluster's workers have published the key that commands are sealed to. With\n"
        "--encrypt-code the code goes into the store sealed to that key, and the chain has a hash "
        "that\n"
        "says nothing about it; whom the owner has audit the contract can read it.",
    .fn = contract_deploy,
    .options = DEPLOY_OPTIONS,
    .min_args = 1,
    .max_args = CLI_MAX_ARGS,
};

/* ---- call, send ---- */

static enum rc contract_call_command(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct chain_client *c;
    struct address to;
    struct abi_value v;

    TRY(cli_address(cli, &to, cli->args[0], e));
    TRY(cli_chain(cli, &c, e));
    TRY(contract_read(c, &cli->mem, &v, &to, cli->args[1], cli->args + 2, cli->n_args - 2, e));
    for (size_t i = 0; i < v.n_items; i++) {
        buf_reset(&text);
        abi_value_put(&text, &v.items[i]);
        cli_print(cli, "%s", buf_cstr(&text));
    }
    if (v.n_items == 0)
        cli_step(cli, "what it returned is not shown: name the types, as in 'owner()(address)'");
    buf_reset(&text);
    if (v.type != NULL)
        abi_value_put(&text, &v);
    cli_json(cli, json_string(buf_cstr(&text)));
    return RC_OK;
}

const struct cli_command CLI_CONTRACT_CALL = {
    .name = "contract call",
    .args = "TO SIGNATURE [ARG...]",
    .summary = "ask a contract: 'balanceOf(address)(uint256)' 0x…",
    .fn = contract_call_command,
    .min_args = 2,
    .max_args = CLI_MAX_ARGS,
};

static const struct cli_option SEND_OPTIONS[] = {
    {.name = "value", .arg = "COINS", .help = "sent along", .value = &value_text},
    {.name = "gas",
     .arg = "N",
     .help =
         "to a confidential contract: gas of the command, rounded up to a power of two [4194304]",
     .value = &gas_text},
    {.name = "plain",
     .help = "to a confidential contract: not sealed, readable by all",
     .flag = &plain},
    {.name = "wait",
     .help = "to a confidential contract: until it is confirmed; then what came of it",
     .flag = &wait_for_it},
    {0},
};

/* Proved, not asked: what is meant for a confidential contract must not be sent in the open. */
static enum rc is_confidential(struct cli *cli, const struct address *to, bool *is, struct err *e)
{
    struct light_client *lc;
    struct confidential c;
    enum rc rc;

    *is = false;
    if (!cli_has_confidential(cli))
        return RC_OK;
    TRY(cli_light(cli, &lc, e));
    rc = cli_confidential(cli, &c, to, e);
    *is = rc == RC_OK;
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

static enum rc contract_send_command(struct cli *cli, struct err *e)
{
    const struct confidential_send s = {.signature = cli->args[1],
                                        .args = cli->args + 2,
                                        .n_args = cli->n_args - 2,
                                        .gas = gas_text,
                                        .value = value_text,
                                        .plain = plain,
                                        .wait = wait_for_it};
    bool is;
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    struct chain_receipt receipt;
    struct chain_client *c;
    struct address to;
    struct u256 value;

    TRY(cli_address(cli, &to, cli->args[0], e));
    TRY(is_confidential(cli, &to, &is, e));
    if (is)
        return confidential_send(cli, &to, &s, e);
    if (plain || wait_for_it || gas_text != NULL)
        return err_set(e, RC_MALFORMED,
                       "%s is no confidential contract: --plain, --wait and --gas are for those",
                       cli->args[0]);
    TRY(value_of(&value, e));
    TRY(cli_key(cli, &key, e));
    TRY(cli_chain(cli, &c, e));
    TRY(contract_write(c, &receipt, &cli->mem, &key, &to, cli->args[1], cli->args + 2,
                       cli->n_args - 2, &value, e));
    cli_print(cli, "transaction %s, block %llu, %llu gas, %zu logs",
              cli_hash_text(cli, &receipt.tx_hash), (unsigned long long)receipt.height,
              (unsigned long long)receipt.gas_used, receipt.n_logs);
    cli_json(cli,
             json_pack("{s:s, s:I, s:I, s:I}", "transaction", cli_hash_text(cli, &receipt.tx_hash),
                       "height", (json_int_t)receipt.height, "gas", (json_int_t)receipt.gas_used,
                       "logs", (json_int_t)receipt.n_logs));
    return RC_OK;
}

const struct cli_command CLI_CONTRACT_SEND = {
    .name = "contract send",
    .args = "TO SIGNATURE [ARG...]",
    .summary = "have a contract do something: 'transfer(address,uint256)' 0x… 5",
    .details = "To a confidential contract the call is sealed: nobody but the contract sees it. "
               "With --wait the\n"
               "command ends when it is confirmed, and prints what the call returned: "
               "'f(types)(results)'.",
    .fn = contract_send_command,
    .options = SEND_OPTIONS,
    .min_args = 2,
    .max_args = CLI_MAX_ARGS,
};
