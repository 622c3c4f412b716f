/* verify, of an AWS Nitro enclave's attestation document. */
#include "attest/nitro.h"
#include "base/hex.h"
#include "cli/internal/verify.h"

#include <stdio.h>

#define EXIT_REFUSED 1
#define EXIT_NOT_VERIFIED 2

bool verify_nitro_find(struct bytes *out, struct bytes in)
{
    size_t size;

    *out = in;
    if (nitro_is_document(in))
        return true;
    /* dstack: 0, kind 2, SCALE's compact length of two bytes, the document, what it does not sign
     */
    if (in.n < 4 || in.p[0] != 0 || in.p[1] != 2 || (in.p[2] & 3) != 1)
        return false;
    size = (size_t)(in.p[2] | in.p[3] << 8) >> 2;
    if (size > in.n - 4 || !nitro_is_document(bytes_of(in.p + 4, size)))
        return false;
    *out = bytes_of(in.p + 4, size);
    return true;
}

static const char *hex_of(struct cli *cli, struct bytes b)
{
    char *text = arena_alloc(&cli->mem, 2 * b.n + 1);

    text[0] = 0;
    if (b.n != 0)
        hex_encode(text, b);
    return text;
}

static void set(json_t *o, const char *key, json_t *v)
{
    CHECK(json_object_set_new(o, key, v) == 0);
}

static void set_blob(struct cli *cli, json_t *o, const char *key, struct bytes b)
{
    set(o, key, b.p == NULL ? json_null() : json_string(hex_of(cli, b)));
}

static json_t *document_json(struct cli *cli, const struct nitro_document *d)
{
    json_t *o = json_object(), *pcrs = json_object();
    json_t *module = json_stringn((const char *)d->module_id.p, d->module_id.n);
    char name[16];

    for (unsigned i = 0; i < NITRO_PCRS; i++) {
        (void)snprintf(name, sizeof(name), "pcr%u", i);
        if (d->pcrs[i].n != 0)
            set(pcrs, name, json_string(hex_of(cli, d->pcrs[i])));
    }
    set(o, "root", json_string(d->is_given_root ? "given" : "aws-nitro"));
    set(o, "root_sha256", json_string(hex_of(cli, BYTES_OF(&d->root_fingerprint))));
    set(o, "debug", json_boolean(d->debug));
    set(o, "module_id", module != NULL ? module : json_string(hex_of(cli, d->module_id)));
    set(o, "timestamp_ms", json_integer((json_int_t)d->timestamp_ms));
    set(o, "measurements", pcrs);
    set_blob(cli, o, "user_data", d->user_data);
    set_blob(cli, o, "nonce", d->nonce);
    set_blob(cli, o, "public_key", d->public_key);
    set(o, "valid_from", json_integer((json_int_t)d->valid_from));
    set(o, "valid_until", json_integer((json_int_t)d->valid_until));
    return o;
}

static void print_document(struct cli *cli, const struct nitro_document *d)
{
    static const uint8_t zero[NITRO_PCR_SIZE];

    cli_print(cli, "verified: AWS Nitro enclave");
    cli_field(cli, "root", "%s", d->is_given_root ? "given" : "aws-nitro");
    cli_field(cli, "made at", "%s", cli_date_text(cli, d->timestamp_ms / 1000));
    for (unsigned i = 0; i < NITRO_PCRS; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "PCR%u", i);
        if (d->pcrs[i].n != 0 && (i < 3 || memcmp(d->pcrs[i].p, zero, sizeof(zero)) != 0))
            cli_field(cli, name, "%s", hex_of(cli, d->pcrs[i]));
    }
    if (d->user_data.p != NULL)
        cli_field(cli, "user data", "%s", hex_of(cli, d->user_data));
    if (d->nonce.p != NULL)
        cli_field(cli, "nonce", "%s", hex_of(cli, d->nonce));
    if (d->public_key.p != NULL)
        cli_field(cli, "public key", "%s", hex_of(cli, d->public_key));
    cli_field(cli, "valid", "%s to %s", cli_date_text(cli, d->valid_from),
              cli_date_text(cli, d->valid_until));
    cli_print(cli, "%s",
              d->debug
                  ? "refused: debug mode: PCR0 is zero, and the host can read its console"
                  : "not in debug mode. Compare the PCRs and the user data with what you expect; "
                    "revocation lists were not looked at");
}

enum rc verify_nitro(struct cli *cli, struct bytes document, const struct attest_roots *roots,
                     uint64_t now, struct err *e)
{
    struct nitro_document *d = arena_alloc(&cli->mem, sizeof(*d));
    enum attest_stage stage;
    json_t *o;
    enum rc rc = nitro_verify(d, document, roots, now, &stage, e);

    if (rc == RC_OK)
        print_document(cli, d);
    else
        cli_print(cli, "NOT verified: stage %s: %s", attest_stage_name(stage), e->msg);
    o = rc == RC_OK ? document_json(cli, d) : json_object();
    set(o, "verified", json_boolean(rc == RC_OK));
    set(o, "policy", json_string(rc != RC_OK ? "not asked" : d->debug ? "refused" : "allowed"));
    set(o, "stage",
        json_string(attest_stage_name(rc == RC_OK && d->debug ? ATTEST_STAGE_POLICY : stage)));
    set(o, "reason", json_string(rc != RC_OK ? e->msg : d->debug ? "debug mode" : ""));
    set(o, "input", json_string("nitro document"));
    set(o, "tee", json_string("nitro"));
    set(o, "at", json_integer((json_int_t)now));
    cli_json(cli, o);
    cli->exit_code = rc != RC_OK ? EXIT_NOT_VERIFIED : d->debug ? EXIT_REFUSED : 0;
    return RC_OK;
}
