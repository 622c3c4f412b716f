/* Secrets for validators: sealing them, and a pool's own on chain. Plain values stand in secret
 * memory only, never in a file, a log or an error's text. */
#include "cli/internal/secrets.h"

#include "cli/internal/commands.h"
#include "cli/internal/proved.h"
#include "os/clock.h"
#include "os/file.h"

#define KEY_WAIT_MS 30000
#define KEY_AGAIN_MS 250
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
#define POOL_JSON_MAX 16384 /* contracts/system/DataLiquidityPool.c */

/* ---- the key ---- */

enum rc cli_secrets_epochs(struct cli *cli, uint64_t *oldest, uint64_t *current, struct err *e)
{
    struct light_value *v;
    struct address pool;

    TRY(cli_contract(cli, &pool, "TeePool", e));
    const struct light_key keys[] = {tee_pool_secrets_oldest_key(&pool),
                                     tee_pool_secrets_epoch_key(&pool)};
    TRY(cli_read(cli, &v, keys, ARRAY_LEN(keys), e));
    TRY(tee_pool_secrets_oldest_get(oldest, v[0].value, e));
    return tee_pool_secrets_epoch_get(current, v[1].value, e);
}

static enum rc read_key(struct cli *cli, struct secrets_key *out, struct err *e)
{
    struct light_value *v;
    struct address pool;
    struct light_key key;
    st_secrets_key k;
    uint64_t oldest;

    TRY(cli_contract(cli, &pool, "TeePool", e));
    TRY(cli_secrets_epochs(cli, &oldest, &out->epoch, e));
    key = tee_pool_secrets_key_of_key(&pool, out->epoch);
    TRY(cli_read(cli, &v, &key, 1, e));
    TRY(tee_pool_secrets_key_of_get(&k, v[0].value, e));
    out->generation = k.generation;
    out->announced = k.announced;
    memcpy(out->pub32, k.key.b, sizeof(out->pub32));
    return RC_OK;
}

enum rc cli_secrets_key(struct cli *cli, struct secrets_key *out, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + KEY_WAIT_MS;
    struct address gatekeepers;

    if (cli_contract(cli, &gatekeepers, "Gatekeepers", NULL) != RC_OK)
        return err_set(e, RC_NOTFOUND,
                       "this network has no keepers, so there is no key to seal secrets to");
    for (;;) {
        TRY(cli_light_newest(cli, e));
        TRY(read_key(cli, out, e));
        if (out->generation != 0)
            return RC_OK;
        if (clock_mono_ms() > give_up)
            return err_set(e, RC_NOTFOUND,
                           "no key for secrets of epoch %llu: more than half of the active workers "
                           "must announce it; are the keepers there?",
                           (unsigned long long)out->epoch);
        clock_sleep_ms(KEY_AGAIN_MS);
    }
}

/* ---- values ---- */

static enum rc take_name(struct cli *cli, const char **name, const char *text, size_t n,
                         struct err *e)
{
    *name = arena_strdup(&cli->mem, bytes_of(text, n));
    if (n == 0 || n > SEALED_SECRET_MAX_NAME || strspn(*name, NAME_CHARS) != n ||
        (*name[0] >= '0' && *name[0] <= '9'))
        return err_set(e, RC_MALFORMED, "--secret: '%.40s' is not a variable's name", *name);
    return RC_OK;
}

enum rc cli_secret_parse(struct cli *cli, const char **name, struct secbuf *value, const char *text,
                         struct err *e)
{
    const char *eq = strchr(text, '=');
    size_t n;

    /* The value may stand where the name should: it is not repeated. */
    if (eq == NULL)
        return err_set(e, RC_MALFORMED, "--secret needs NAME=VALUE or NAME=@FILE");
    TRY(take_name(cli, name, text, (size_t)(eq - text), e));
    if (eq[1] != '@') {
        secbuf_put_str(value, eq + 1);
    } else {
        TRY(file_read_secret(secbuf_reserve(value, SEALED_SECRET_MAX_TEXT + 1),
                             SEALED_SECRET_MAX_TEXT, &n, eq + 2, e));
        value->n = n;
        if (n != 0 && value->p[n - 1] == '\n')
            secbuf_truncate(value, n - 1);
    }
    if (value->n > SEALED_SECRET_MAX_VALUE && !sealed_secret_is(secbuf_bytes(value)))
        return err_set(e, RC_LIMIT, "--secret %s: %zu bytes, limit %d", *name, value->n,
                       SEALED_SECRET_MAX_VALUE);
    if (value->n != 0 && memchr(value->p, 0, value->n) != NULL)
        return err_set(e, RC_MALFORMED, "--secret %s has a zero byte inside", *name);
    return RC_OK;
}

enum rc cli_secrets_check(struct cli *cli, const struct cli_list *list, struct err *e)
{
    for (size_t i = 0; i < list->n; i++) {
        AUTO_CLEAR(secbuf) struct secbuf value = {0};
        const char *name;

        TRY(cli_secret_parse(cli, &name, &value, list->items[i], e));
    }
    return RC_OK;
}

static enum rc seal_one(struct cli *cli, json_t *out, const char *text,
                        const struct secrets_key *key, struct secret_scope scope, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf value = {0};
    AUTO_CLEAR(buf) struct buf sealed = {0};
    const char *name;

    TRY(cli_secret_parse(cli, &name, &value, text, e));
    scope.name = bytes_str(name);
    if (sealed_secret_is(secbuf_bytes(&value))) {
        AUTO_CLEAR(sealed_secret) struct sealed_secret s = {0};

        TRY(sealed_secret_parse(&s, secbuf_bytes(&value), e));
        if (sealed_secret_check(&s, &scope, e) != RC_OK)
            return err_wrap(e, RC_DENIED, "secret %s", name);
        buf_put_bytes(&sealed, secbuf_bytes(&value));
    } else {
        TRY(sealed_secret_seal(&sealed, key->pub32, key->epoch, key->generation, &scope,
                               secbuf_bytes(&value), NULL, e));
    }
    if (json_object_set_new(out, name, json_stringn((const char *)sealed.p, sealed.n)) != 0)
        return err_set(e, RC_MALFORMED, "secret %s: a sealed text of another form", name);
    return RC_OK;
}

enum rc cli_secrets_seal(struct cli *cli, json_t *out, const struct cli_list *list,
                         const struct secret_scope *scope, struct err *e)
{
    struct secrets_key key;

    if (list->n == 0)
        return RC_OK;
    TRY(cli_secrets_key(cli, &key, e));
    for (size_t i = 0; i < list->n; i++)
        TRY(seal_one(cli, out, list->items[i], &key, *scope, e));
    cli_step(cli, "%zu secret%s sealed to the TEE pool's key of epoch %llu, announced by %llu %s",
             list->n, list->n == 1 ? "" : "s", (unsigned long long)key.epoch,
             (unsigned long long)key.announced, key.announced == 1 ? "worker" : "workers");
    return RC_OK;
}

/* ---- pool seal-secret ---- */

static bool set;
static struct cli_list secrets, forgotten;

static const struct cli_option SEAL_OPTIONS[] = {
    {.name = "secret",
     .arg = "NAME=VALUE",
     .help = "what to seal: the variable and its value, or NAME=@FILE; may be repeated",
     .values = &secrets},
    {.name = "set",
     .help = "put it into the pool's settings on chain: workers then give it to every run",
     .flag = &set},
    {.name = "forget",
     .arg = "NAME",
     .help = "take this one out of the settings (with --set); may be repeated",
     .values = &forgotten},
    {0},
};

/* What the settings have, proved. */
static enum rc read_sealed(struct cli *cli, json_t **out, const struct pool_info *pool,
                           struct err *e)
{
    const struct light_key key = data_pool_sealed_secrets_key(&pool->dlp);
    struct light_value *v;
    struct bytes text;

    TRY(cli_read(cli, &v, &key, 1, e));
    TRY(data_pool_sealed_secrets_get(&text, v[0].value, e));
    if (text.n == 0) {
        *out = json_object();
        return RC_OK;
    }
    TRY(json_parse(out, text, POOL_JSON_MAX, e));
    return json_is_object(*out) ? RC_OK
                                : err_set(e, RC_MALFORMED,
                                          "pool %llu: its sealed secrets are no "
                                          "JSON object",
                                          (unsigned long long)pool->id);
}

static enum rc put_on_chain(struct cli *cli, const struct pool_info *pool, json_t *all,
                            struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    struct chain_receipt receipt;
    struct chain_client *c;
    const char *arg;

    if (json_object_size(all) != 0)
        json_put(&text, all);
    if (text.n > POOL_JSON_MAX)
        return err_set(e, RC_LIMIT, "%zu bytes of sealed secrets, limit %d", text.n, POOL_JSON_MAX);
    TRY(cli_key(cli, &key, e));
    TRY(cli_chain(cli, &c, e));
    arg = contract_arg_str(&cli->mem, bytes_str(buf_cstr(&text)));
    TRY(contract_write(c, &receipt, &cli->mem, &key, &pool->dlp, "updateSealedSecrets(string)",
                       &arg, 1, NULL, e));
    cli_light_at_least(cli, receipt.height);
    cli_step(cli, "pool %llu has %zu sealed secrets, transaction %s", (unsigned long long)pool->id,
             json_object_size(all), cli_hash_text(cli, &receipt.tx_hash));
    return RC_OK;
}

static enum rc change_settings(struct cli *cli, const struct pool_info *pool, json_t *sealed,
                               struct err *e)
{
    json_auto_t *all = NULL;

    TRY(read_sealed(cli, &all, pool, e));
    for (size_t i = 0; i < forgotten.n; i++)
        if (json_object_del(all, forgotten.items[i]) != 0)
            return err_set(e, RC_NOTFOUND, "pool %llu has no sealed secret %.64s",
                           (unsigned long long)pool->id, forgotten.items[i]);
    CHECK(json_object_update(all, sealed) == 0);
    return put_on_chain(cli, pool, all, e);
}

static enum rc pool_seal_secret(struct cli *cli, struct err *e)
{
    json_auto_t *sealed = json_object();
    struct secret_scope scope = {0};
    struct pool_info pool;
    const char *name;
    json_t *text;

    if (secrets.n == 0 && (forgotten.n == 0 || !set))
        return err_set(e, RC_MALFORMED, "give --secret NAME=VALUE or NAME=@FILE");
    if (forgotten.n != 0 && !set)
        return err_set(e, RC_MALFORMED, "--forget goes with --set");
    TRY(cli_secrets_check(cli, &secrets, e));
    TRY(cli_pool(cli, &pool, cli->args[0], e));
    TRY(cli_check_pool(cli, &pool, cli->args[0], e));
    TRY(cli_contract(cli, &scope.tee_pool, "TeePool", e));
    TRY(cli_chain_id(cli, &scope.chain_id, e));
    scope.dlp_id = pool.id;
    scope.validator = bytes_str(pool.proof_instruction);
    TRY(cli_secrets_seal(cli, sealed, &secrets, &scope, e));
    if (set)
        TRY(change_settings(cli, &pool, sealed, e));
    else
        json_object_foreach(sealed, name, text)
        {
            cli_print(cli, "%s=%s", name, json_string_value(text));
        }
    cli_json(cli, json_incref(sealed));
    return RC_OK;
}

const struct cli_command CLI_POOL_SEAL_SECRET = {
    .name = "pool seal-secret",
    .args = "POOL",
    .summary = "seal a secret for the pool's validator, so that only workers can open it",
    .details =
        "Sealed to the key that keepers give to attested workers, for this pool, its validator as\n"
        "of now, and this variable. With --set it stands in the pool's settings, and every run of\n"
        "the validator gets it, over whatever a contributor sends; without, the text is printed:\n"
        "who has it can pass it on with `contribute --secret NAME=secret1:...` and not read it.\n"
        "A changed validator, and an epoch that closed, need it sealed again. A value on the\n"
        "command line can be seen by other users of this machine: better NAME=@FILE.",
    .fn = pool_seal_secret,
    .options = SEAL_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};
