/* collateral: Intel's statements on platforms, from a PCCS, and onto the chain, where everybody's
 * evidence is judged by the same. Anyone may post: the contract believes signatures. */
#include "attest/dcap.h"
#include "base/hex.h"
#include "chain/contracts.h"
#include "cli/internal/commands.h"
#include "cli/internal/evidence.h"
#include "cli/internal/proved.h"
#include "cli/internal/verify.h"
#include "os/file.h"

#include <stdio.h>

#define MAX_ENTRIES 1000

static const char *quote_file, *fmspc_text, *ca_text, *tee_text, *out_file;
#define PLATFORM_OPTIONS                                                                           \
    {.name = "quote",                                                                              \
     .arg = "FILE",                                                                                \
     .help = "for the platform of this quote",                                                     \
     .value = &quote_file},                                                                        \
        {.name = "fmspc",                                                                          \
         .arg = "HEX",                                                                             \
         .help = "for the platforms of this FMSPC, 12 digits",                                     \
         .value = &fmspc_text},                                                                    \
        {.name = "ca",                                                                             \
         .arg = "NAME",                                                                            \
         .help = "platform or processor: whose certificates they have [platform]",                 \
         .value = &ca_text},                                                                       \
    {                                                                                              \
        .name = "tee", .arg = "NAME", .help = "tdx or sgx [tdx]", .value = &tee_text               \
    }

static const struct cli_option FETCH_OPTIONS[] = {
    PLATFORM_OPTIONS,
    {.name = "out", .arg = "FILE", .help = "write it here [standard output]", .value = &out_file},
    {0},
};
static const struct cli_option POST_OPTIONS[] = {PLATFORM_OPTIONS, {0}};

/* ---- which platform ---- */

/* One of two words; NULL: the first. */
static enum rc choose(bool *first, const char *text, const char *a, const char *b, const char *name,
                      struct err *e)
{
    *first = text == NULL || strcmp(text, a) == 0;
    if (*first || strcmp(text, b) == 0)
        return RC_OK;
    return err_set(e, RC_MALFORMED, "--%s: \"%s\" is neither %s nor %s", name, text, a, b);
}

static bool names_platform(void)
{
    return quote_file != NULL || fmspc_text != NULL || ca_text != NULL || tee_text != NULL;
}

static enum rc take_platform(struct cli *cli, struct pccs_platform *p, struct err *e)
{
    AUTO_CLEAR(buf) struct buf quote = {0};

    if ((quote_file == NULL) == (fmspc_text == NULL))
        return err_set(e, RC_MALFORMED, "give either --quote or --fmspc");
    if (quote_file != NULL) {
        if (ca_text != NULL || tee_text != NULL)
            return err_set(e, RC_MALFORMED, "--quote names CA and TEE itself");
        TRY(file_read(&quote, quote_file, QUOTE_MAX_SIZE, e));
        return pccs_platform_of(p, buf_bytes(&quote), &cli->mem, e);
    }
    TRY(choose(&p->platform_ca, ca_text, "platform", "processor", "ca", e));
    TRY(choose(&p->tdx, tee_text, "tdx", "sgx", "tee", e));
    if (hex_decode_fixed(p->fmspc, sizeof(p->fmspc), bytes_str(fmspc_text), NULL) != RC_OK)
        return err_set(e, RC_MALFORMED, "--fmspc: \"%.40s\" is not 12 hexadecimal digits",
                       fmspc_text);
    return RC_OK;
}

static enum rc fetch_for(struct cli *cli, struct bytes *json, const char *url,
                         const struct pccs_platform *p, enum attest_stage *stage, struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    const struct pccs_source source = {.url = url};

    TRY(pccs_fetch(&b, &source, p, stage, e));
    *json = arena_dup(&cli->mem, buf_bytes(&b));
    return RC_OK;
}

enum rc cli_pccs(struct cli *cli, struct bytes *json, const struct pccs_source *source,
                 struct bytes quote, enum attest_stage *stage, struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct pccs_platform p;

    *stage = ATTEST_STAGE_QUOTE;
    TRY(pccs_platform_of(&p, quote, &cli->mem, e));
    TRY(pccs_fetch(&b, source, &p, stage, e));
    *json = arena_dup(&cli->mem, buf_bytes(&b));
    return RC_OK;
}

static const char *platform_text(struct cli *cli, const struct pccs_platform *p)
{
    char fmspc[2 * sizeof(p->fmspc) + 1], text[64];

    hex_encode(fmspc, BYTES_OF(&p->fmspc));
    (void)snprintf(text, sizeof(text), "%s, FMSPC %s, %s CA", p->tdx ? "tdx" : "sgx", fmspc,
                   p->platform_ca ? "platform" : "processor");
    return arena_strdup(&cli->mem, bytes_str(text));
}

/* ---- fetch ---- */

static enum rc fetch(struct cli *cli, struct err *e)
{
    struct pccs_platform p;
    struct bytes json;

    TRY(take_platform(cli, &p, e));
    TRY(fetch_for(cli, &json, cli->args[0], &p, NULL, e));
    if (out_file == NULL) {
        if (fwrite(json.p, 1, json.n, stdout) != json.n || putchar('\n') == EOF)
            return err_set(e, RC_IO, "cannot write to standard output");
        return RC_OK;
    }
    TRY(file_write_atomic(out_file, json, 0644, e));
    cli_step(cli, "%s: %zu bytes of collateral (%s), not judged yet", out_file, json.n,
             platform_text(cli, &p));
    return RC_OK;
}

const struct cli_command CLI_COLLATERAL_FETCH = {
    .name = "collateral fetch",
    .args = "URL",
    .summary = "collect a platform's collateral from a PCCS",
    .details = "URL is the PCCS's base, https://host:8081. The answers are read, and not yet "
               "judged: `verify`\n"
               "and the Collateral contract do that.",
    .fn = fetch,
    .options = FETCH_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};

/* ---- what the chain has ---- */

struct entries {
    struct hash32 *keys;
    st_entry *v;
    size_t n;
};

static enum rc load_entries(struct cli *cli, struct entries *out, struct err *e)
{
    struct light_value *v;
    struct address where;
    struct light_key key;
    uint64_t count;

    TRY(cli_contract(cli, &where, "Collateral", e));
    key = collateral_entry_keys_count_key(&where);
    TRY(cli_read(cli, &v, &key, 1, e));
    TRY(st_count(&count, v[0].value, e));
    if (count > MAX_ENTRIES)
        return err_set(e, RC_LIMIT, "%llu entries of collateral, limit %d",
                       (unsigned long long)count, MAX_ENTRIES);
    *out = (struct entries){.keys = arena_array(&cli->mem, (size_t)count + 1, sizeof(*out->keys)),
                            .v = arena_array(&cli->mem, (size_t)count + 1, sizeof(*out->v))};
    for (; out->n < count; out->n++) {
        key = collateral_entry_keys_at_key(&where, out->n);
        TRY(cli_read(cli, &v, &key, 1, e));
        TRY(collateral_entry_keys_get(&out->keys[out->n], v[0].value, e));
        key = collateral_entry_of_key(&where, out->keys[out->n]);
        TRY(cli_read(cli, &v, &key, 1, e));
        TRY(collateral_entry_of_get(&out->v[out->n], v[0].value, e));
    }
    return RC_OK;
}

static enum rc entry_platform(struct pccs_platform *p, const st_entry *s, struct err *e)
{
    *p = (struct pccs_platform){.tdx = s->tdx, .platform_ca = s->platform_ca};
    if (s->fmspc.n != sizeof(p->fmspc))
        return err_set(e, RC_MALFORMED, "an entry's FMSPC has %zu bytes", s->fmspc.n);
    memcpy(p->fmspc, s->fmspc.p, sizeof(p->fmspc));
    return RC_OK;
}

static enum rc list(struct cli *cli, struct err *e)
{
    json_auto_t *result = json_array();
    struct entries all;

    TRY(load_entries(cli, &all, e));
    if (all.n == 0)
        cli_print(cli, "no collateral was ever posted: no quote can be judged on this chain");
    for (size_t i = 0; i < all.n; i++) {
        const st_entry *s = &all.v[i];
        struct pccs_platform p;

        TRY(entry_platform(&p, s, e));
        cli_print(cli, "%s  root %s", platform_text(cli, &p), cli_hash_text(cli, &s->root) + 2);
        cli_print(cli, "  valid %s to %s, evaluation %llu, posted %s",
                  cli_date_text(cli, s->valid_from), cli_date_text(cli, s->valid_until),
                  (unsigned long long)s->evaluation_number, cli_date_text(cli, s->posted_at));
        CHECK(json_array_append_new(
                  result,
                  json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "key",
                            cli_hash_text(cli, &all.keys[i]), "platform", platform_text(cli, &p),
                            "root", cli_hash_text(cli, &s->root), "valid_from",
                            (json_int_t)s->valid_from, "valid_until", (json_int_t)s->valid_until,
                            "evaluation_number", (json_int_t)s->evaluation_number, "posted_at",
                            (json_int_t)s->posted_at)) == 0);
    }
    cli_json(cli, json_incref(result));
    return RC_OK;
}

const struct cli_command CLI_COLLATERAL_LIST = {
    .name = "collateral list",
    .args = "",
    .summary = "for which platforms the chain has collateral, and until when",
    .fn = list,
};

/* ---- post ---- */

static enum rc post_one(struct cli *cli, json_t *result, const struct secp_key *key,
                        struct bytes json, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    struct chain_receipt receipt;
    struct chain_client *c;
    struct address where;
    struct chain_send s;

    TRY(cli_contract(cli, &where, "Collateral", e));
    collateral_put_post(&data, json);
    s = (struct chain_send){.to = &where, .data = buf_bytes(&data)};
    TRY(cli_chain(cli, &c, e));
    TRY(chain_transact(c, &receipt, &cli->mem, key, &s, e));
    cli_light_at_least(cli, receipt.height);
    cli_print(cli, "posted, transaction %s, block %llu", cli_hash_text(cli, &receipt.tx_hash),
              (unsigned long long)receipt.height);
    CHECK(json_array_append_new(result, json_pack("{s:s, s:I}", "transaction",
                                                  cli_hash_text(cli, &receipt.tx_hash), "height",
                                                  (json_int_t)receipt.height)) == 0);
    return RC_OK;
}

static enum rc post_from_pccs(struct cli *cli, json_t *result, const struct secp_key *key,
                              const struct pccs_platform *p, struct err *e)
{
    struct bytes json;

    TRY(fetch_for(cli, &json, cli->args[0], p, NULL, e));
    cli_step(cli, "%s: %zu bytes of collateral", platform_text(cli, p), json.n);
    return post_one(cli, result, key, json, e);
}

/* All that the chain has, anew. One that fails leaves the others; the first failure is told. */
static enum rc renew_all(struct cli *cli, json_t *result, const struct secp_key *key, struct err *e)
{
    struct err first = {0};
    struct entries all;

    TRY(load_entries(cli, &all, e));
    if (all.n == 0)
        return err_set(e, RC_NOTFOUND,
                       "the chain has no collateral to renew: name a platform with --quote or "
                       "--fmspc");
    for (size_t i = 0; i < all.n; i++) {
        struct pccs_platform p;
        struct err why = {0};

        TRY(entry_platform(&p, &all.v[i], e));
        if (post_from_pccs(cli, result, key, &p, &why) == RC_OK)
            continue;
        cli_step(cli, "%s: %s", platform_text(cli, &p), why.msg);
        if (first.code == RC_OK)
            first = why;
    }
    return first.code == RC_OK ? RC_OK : err_set(e, first.code, "%s", first.msg);
}

static enum rc post(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    AUTO_CLEAR(buf) struct buf file = {0};
    json_auto_t *result = json_array();
    struct pccs_platform p;

    if (strstr(cli->args[0], "://") == NULL) {
        if (names_platform())
            return err_set(e, RC_MALFORMED, "a file's collateral names its platform itself");
        TRY(file_read(&file, cli->args[0], COLLATERAL_MAX_SIZE, e));
        TRY(cli_key(cli, &key, e));
        TRY(post_one(cli, result, &key, buf_bytes(&file), e));
    } else if (names_platform()) {
        TRY(take_platform(cli, &p, e));
        TRY(cli_key(cli, &key, e));
        TRY(post_from_pccs(cli, result, &key, &p, e));
    } else {
        TRY(cli_key(cli, &key, e));
        TRY(renew_all(cli, result, &key, e));
    }
    cli_json(cli, json_incref(result));
    return RC_OK;
}

const struct cli_command CLI_COLLATERAL_POST = {
    .name = "collateral post",
    .args = "FILE|URL",
    .summary = "put collateral on chain, from a file or a PCCS (anyone may)",
    .details = "From a PCCS without --quote and --fmspc: for every platform that the chain has "
               "collateral of\n"
               "already, which is what to run once a day. The contract checks every signature "
               "under its roots\n"
               "and takes nothing older than it has.",
    .fn = post,
    .options = POST_OPTIONS,
    .min_args = 1,
    .max_args = 1,
};
