/* verify: evidence of a trusted execution environment, told to a person. */
#include "cli/internal/verify.h"

#include "attest/record.h"
#include "attest/snp.h"
#include "base/hex.h"
#include "base/num.h"
#include "cli/internal/commands.h"
#include "cli/internal/evidence.h"
#include "crypto/hash.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>

#define MAX_INPUT_SIZE ((size_t)4 << 20)
#define EXIT_NOT_VERIFIED 2

static struct cli_list collateral_files;
static const char *at_text, *root_file, *policy_file, *worker_text;
static const struct cli_option OPTIONS[] = {
    {.name = "collateral",
     .arg = "WHERE",
     .help = "Intel: a file with QuoteCollateralV3 JSON, the URL of a PCCS, or `chain`: what the "
             "network's chain keeps, by the network file's roots; AMD: files with certificates and "
             "CRL, PEM or DER (repeat)",
     .values = &collateral_files},
    {.name = "at", .arg = "UNIX_TIME", .help = "judge as of this time [now]", .value = &at_text},
    {.name = "root",
     .arg = "FILE",
     .help = "believe this root certificate and no vendor's",
     .value = &root_file},
    {.name = "policy",
     .arg = "FILE",
     .help = "what is good enough, as JSON [vendors' roots, up to date, no debug, any program]",
     .value = &policy_file},
    {.name = "worker",
     .arg = "ADDRESS",
     .help = "a worker's evidence on chain, by the network file's roots and the chain's policy",
     .value = &worker_text},
    {0},
};

struct run {
    struct cli *cli;
    struct verify_result *out;
    struct attest_roots roots;
    struct hash32 given_root;
    struct bytes chain_collateral;      /* used where no file is given */
    struct worker_evidence *registered; /* whom a TLS port says it is; NULL: nobody we know */
    uint64_t now;
};

/* A failure outside the library's verification: still "not verified", with a stage. */
static enum rc fail(struct run *r, enum attest_stage stage, enum rc rc, const struct err *e)
{
    r->out->v = (struct attest_verdict){.stage = stage};
    (void)snprintf(r->out->v.reason, sizeof(r->out->v.reason), "%s", e->msg);
    return rc;
}

static enum rc read_file(struct run *r, struct bytes *out, const char *path, struct err *e)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    TRY(file_read(&b, path, MAX_INPUT_SIZE, e));
    *out = arena_dup(&r->cli->mem, buf_bytes(&b));
    return RC_OK;
}

static bool is_url(const char *text)
{
    return strstr(text, "://") != NULL;
}

/* ---- kinds of input ----------------------------------------------------------------------------
 */

static bool is_quote(struct bytes in)
{
    /* version 3 to 5, attestation key type 2 */
    return in.n >= 8 && in.p[0] >= 3 && in.p[0] <= 5 && in.p[1] == 0 && in.p[2] == 2 &&
           in.p[3] == 0;
}

static bool is_snp(struct bytes in)
{
    return in.n >= SNP_REPORT_SIZE && load_u32le(in.p) <= 5 && load_u32le(in.p) >= 2 &&
           load_u32le(in.p + 0x34) == 1;
}

static bool is_der(struct bytes in)
{
    return in.n > 4 && in.p[0] == 0x30 && in.p[1] == 0x82;
}

/* Text of hexadecimal digits, with blanks around: the bytes. */
static struct bytes from_hex(struct run *r, struct bytes in)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct bytes t = in;

    while (t.n != 0 && t.p[t.n - 1] <= ' ')
        t.n--;
    while (t.n != 0 && t.p[0] <= ' ')
        t = bytes_of(t.p + 1, t.n - 1);
    if (t.n < 16 || hex_decode(&b, t, MAX_INPUT_SIZE, NULL) != RC_OK)
        return in;
    return arena_dup(&r->cli->mem, buf_bytes(&b));
}

/* ---- one piece of evidence ---------------------------------------------------------------------
 */

static enum rc verify_snp(struct run *r, struct attest_verdict *v, struct bytes in, struct err *e)
{
    struct snp_certs certs = {0};

    if (in.n > SNP_REPORT_SIZE && /* an extended report: the certificates follow */
        snp_certs_from_table(&certs, bytes_of(in.p + SNP_REPORT_SIZE, in.n - SNP_REPORT_SIZE), e) !=
            RC_OK)
        return fail(r, ATTEST_STAGE_COLLATERAL, e->code, e);
    for (size_t i = 0; i < collateral_files.n; i++) {
        struct bytes file;

        if (is_url(collateral_files.items[i])) {
            (void)err_set(e, RC_UNSUPPORTED,
                          "%s: a collateral service is for Intel's quotes; give AMD's certificates "
                          "as files",
                          collateral_files.items[i]);
            return fail(r, ATTEST_STAGE_COLLATERAL, e->code, e);
        }
        if (read_file(r, &file, collateral_files.items[i], e) != RC_OK ||
            snp_certs_add(&certs, file, &r->cli->mem, e) != RC_OK)
            return fail(r, ATTEST_STAGE_COLLATERAL, e->code, e);
    }
    return snp_verify(v, bytes_of(in.p, SNP_REPORT_SIZE), &certs, &r->roots, r->now, &r->cli->mem,
                      e);
}

static bool is_from_chain(void)
{
    return collateral_files.n == 1 && strcmp(collateral_files.items[0], "chain") == 0;
}

/* What to ask a collateral service for. */
static enum rc no_collateral(struct run *r, struct bytes quote, struct err *e)
{
    char text[13] = "";
    uint8_t fmspc[6];
    bool platform;

    if (dcap_quote_platform(fmspc, &platform, quote, &r->cli->mem, NULL) != RC_OK)
        return err_set(e, RC_DENIED, "a quote needs --collateral FILE|URL|chain");
    hex_encode(text, BYTES_OF(&fmspc));
    return err_set(e, RC_DENIED, "a quote needs --collateral FILE|URL|chain (FMSPC %s, %s CA)",
                   text, platform ? "platform" : "processor");
}

/* A file's, a PCCS's, or the chain's. */
static enum rc load_collateral(struct run *r, struct bytes *json, enum attest_stage *stage,
                               struct bytes quote, struct err *e)
{
    struct pccs_source pccs = {0};

    *stage = ATTEST_STAGE_COLLATERAL;
    *json = r->chain_collateral;
    if (collateral_files.n == 0)
        return RC_OK;
    if (is_from_chain())
        return cli_chain_collateral(r->cli, json, quote, e);
    if (!is_url(collateral_files.items[0]))
        return read_file(r, json, collateral_files.items[0], e);
    pccs.url = collateral_files.items[0];
    return cli_pccs(r->cli, json, &pccs, quote, stage, e);
}

static enum rc verify_quote(struct run *r, struct attest_verdict *v, struct bytes in, struct err *e)
{
    enum attest_stage stage;
    struct collateral c;
    struct bytes json;
    struct quote q;

    if (quote_parse(&q, in, e) != RC_OK)
        return fail(r, ATTEST_STAGE_QUOTE, e->code, e);
    r->out->quote_version = q.version;
    sha256(&r->out->evidence_hash, bytes_of(in.p, q.size));
    if (collateral_files.n == 0 && r->chain_collateral.n == 0) {
        (void)no_collateral(r, in, e);
        return fail(r, ATTEST_STAGE_COLLATERAL, RC_DENIED, e);
    }
    if (collateral_files.n > 1) {
        (void)err_set(e, RC_MALFORMED, "a quote takes one --collateral, not %zu",
                      collateral_files.n);
        return fail(r, ATTEST_STAGE_COLLATERAL, e->code, e);
    }
    if (load_collateral(r, &json, &stage, in, e) != RC_OK)
        return fail(r, stage, e->code, e);
    if (collateral_parse(&c, json, &r->cli->mem, e) != RC_OK)
        return fail(r, ATTEST_STAGE_COLLATERAL, e->code, e);
    return dcap_verify_cold(v, in, &c, &r->roots, r->now, &r->cli->mem, e);
}

static enum rc verify_evidence(struct run *r, struct attest_verdict *v, struct bytes in,
                               struct err *e)
{
    if (is_snp(in)) {
        sha256(&r->out->evidence_hash, bytes_of(in.p, SNP_REPORT_SIZE));
        return verify_snp(r, v, in, e);
    }
    if (is_quote(in))
        return verify_quote(r, v, in, e);
    (void)err_set(e, RC_MALFORMED, "neither a quote, nor a SEV-SNP report, nor a certificate");
    return fail(r, ATTEST_STAGE_INPUT, e->code, e);
}

/* ---- certificates ------------------------------------------------------------------------------
 */

static enum rc check_certificate(struct run *r, const struct x509_cert *c, struct err *e)
{
    struct attest_verdict *v = &r->out->v;

    if (r->now < c->not_before || r->now > c->not_after)
        return err_set(e, RC_DENIED, "the certificate is valid from %llu to %llu (now %llu)",
                       (unsigned long long)c->not_before, (unsigned long long)c->not_after,
                       (unsigned long long)r->now);
    if (v->valid_from < c->not_before)
        v->valid_from = c->not_before;
    if (v->valid_until > c->not_after)
        v->valid_until = c->not_after;
    return RC_OK;
}

static enum rc verify_certificate(struct run *r, struct bytes der, struct err *e)
{
    struct verify_result *out = r->out;
    struct ratls *ra = &out->ratls;
    struct x509_cert c;

    out->kind = "certificate";
    if (x509_parse(&c, der, e) != RC_OK || ratls_extract(ra, &c, e) != RC_OK)
        return fail(r, ATTEST_STAGE_INPUT, e->code, e);
    sha256(&out->key_hash, c.spki);
    for (size_t i = 0; i < ra->n; i++) {
        struct attest_verdict v = {0};

        if (verify_evidence(r, &v, ra->ev[i].quote, e) != RC_OK) {
            if (v.stage != ATTEST_STAGE_NONE)
                out->v = v;
            return e->code;
        }
        if (ratls_check_binding(&ra->ev[i], c.spki, v.report_data, e) != RC_OK)
            return fail(r, ATTEST_STAGE_BINDING, e->code, e);
        if (i != 0 && !ratls_agree(&out->v, &v)) {
            (void)err_set(e, RC_DENIED, "the certificate's two quotes are not of the same thing");
            return fail(r, ATTEST_STAGE_BINDING, e->code, e);
        }
        out->v = v;
    }
    if (check_certificate(r, &c, e) != RC_OK)
        return fail(r, ATTEST_STAGE_BINDING, e->code, e);
    return RC_OK;
}

static enum rc verify_input(struct run *r, struct bytes in, struct err *e)
{
    struct bytes ders[X509_MAX_CHAIN];
    size_t n;

    if (!x509_is_pem(in) && !is_der(in) && !is_snp(in) && !is_quote(in))
        in = from_hex(r, in);
    if (x509_is_pem(in)) {
        if (x509_pem_chain(ders, &n, ARRAY_LEN(ders), in, &r->cli->mem, e) != RC_OK)
            return fail(r, ATTEST_STAGE_INPUT, e->code, e);
        return verify_certificate(r, ders[0], e); /* text that starts like PEM has one at least */
    }
    if (is_der(in))
        return verify_certificate(r, in, e);
    r->out->kind = is_snp(in) ? "snp report" : is_quote(in) ? "quote" : "unknown";
    return verify_evidence(r, &r->out->v, in, e);
}

/* ---- the command -------------------------------------------------------------------------------
 */

static enum rc load_root(struct run *r, struct err *e)
{
    struct bytes in, ders[1];
    size_t n;

    r->roots.vendors = root_file == NULL;
    if (root_file == NULL && is_from_chain())
        return cli_network_roots(r->cli, &r->roots, &r->out->simulator, e);
    if (root_file == NULL)
        return RC_OK;
    TRY(read_file(r, &in, root_file, e));
    if (x509_is_pem(in)) {
        TRY(x509_pem_chain(ders, &n, ARRAY_LEN(ders), in, &r->cli->mem, e));
        in = ders[0];
    }
    sha256(&r->given_root, in);
    r->roots.given = &r->given_root;
    r->roots.n_given = 1;
    return RC_OK;
}

/* Strict but for the program, which nobody but the user can name. */
static void default_policy(struct attest_policy *p)
{
    *p = (struct attest_policy){
        .tees =
            POLICY_BIT(TEE_SGX) | POLICY_BIT(TEE_TDX) | POLICY_BIT(TEE_TDX15) | POLICY_BIT(TEE_SNP),
        .roots = root_file != NULL
                     ? POLICY_BIT(ATTEST_ROOT_GIVEN)
                     : POLICY_BIT(ATTEST_ROOT_INTEL) | POLICY_BIT(ATTEST_ROOT_AMD_MILAN) |
                           POLICY_BIT(ATTEST_ROOT_AMD_GENOA) | POLICY_BIT(ATTEST_ROOT_AMD_TURIN) |
                           (is_from_chain() ? POLICY_BIT(ATTEST_ROOT_GIVEN) : 0u),
        .any_measurement = true,
        .tcb_statuses = POLICY_BIT(TCB_UP_TO_DATE),
        .td_attributes_required = TD_ATTR_SEPT_VE_DISABLE,
        .td_attributes_allowed = TD_ATTR_PKS | TD_ATTR_KL | TD_ATTR_LASS | TD_ATTR_ICSSD,
        .allow_dynamic_platform = true,
        .allow_cached_keys = true,
        .allow_smt = true,
        .snp_vmpls = POLICY_BIT(0),
    };
}

static enum rc load_policy(struct run *r, struct attest_policy *p, struct err *e)
{
    struct bytes json;

    r->out->policy_name = policy_file == NULL ? "default" : policy_file;
    if (policy_file == NULL) {
        default_policy(p);
        return RC_OK;
    }
    TRY(read_file(r, &json, policy_file, e));
    return policy_parse(p, json, &r->cli->mem, e);
}

/* What is wrong with the question is exit code 2 as well: nothing was verified. */
static enum rc setup(struct run *r, struct bytes *in, struct attest_policy *policy, struct err *e)
{
    r->now = clock_wall_ns() / 1000000000;
    if (at_text != NULL)
        TRY(cli_number(&r->now, at_text, "--at", INT64_MAX, e));
    r->out->at = r->now;
    TRY(load_root(r, e));
    TRY(load_policy(r, policy, e));
    *in = (struct bytes){0};
    return is_url(r->cli->args[0]) ? RC_OK : read_file(r, in, r->cli->args[0], e);
}

/* --worker: as `worker show` judges. */
static enum rc verify_worker(struct cli *cli, struct verify_result *out, struct err *e)
{
    struct worker_evidence w;
    struct address who;

    if (cli->n_args != 0 || collateral_files.n != 0 || at_text != NULL || root_file != NULL ||
        policy_file != NULL)
        return err_set(e, RC_MALFORMED,
                       "--worker takes evidence, collateral, time, roots and policy from the "
                       "network: give no FILE and no other option");
    TRY(cli_address(cli, &who, worker_text, e));
    TRY(cli_evidence(cli, &w, out, &who, e));
    verify_print(cli, out);
    cli_json(cli, verify_json(cli, out));
    cli->exit_code = verify_exit_code(out);
    return RC_OK;
}

/* ---- a worker's or keeper's TLS port -----------------------------------------------------------
 */

/* Who the certificate says it is, among the network's registered: by its collateral, policy and
 * roots, unless files were given. */
static enum rc take_network(struct run *r, struct bytes der, struct attest_policy *policy,
                            struct err *e)
{
    struct address who = {{0}};
    struct network *network;
    struct x509_cert c;
    struct ratls ra;

    if (r->cli->network != NULL)
        TRY(cli_network(r->cli, &network, e));
    if (!cli_has_workers(r->cli))
        return RC_OK;
    TRY(x509_parse(&c, der, e));
    TRY(ratls_extract(&ra, &c, e));
    for (size_t i = 0; i < ra.n; i++)
        if (ra.ev[i].identity.n == sizeof(who.b))
            memcpy(who.b, ra.ev[i].identity.p, sizeof(who.b));
    if (address_is_zero(&who))
        return RC_OK;
    r->registered = arena_alloc(&r->cli->mem, sizeof(*r->registered));
    TRY(cli_evidence_load(r->cli, r->registered, &who, e));
    r->chain_collateral = r->registered->collateral;
    if (policy_file == NULL) {
        r->out->policy_name = "the network's";
        TRY(policy_parse(policy, r->registered->policy, &r->cli->mem, e));
    }
    return root_file != NULL ? RC_OK : cli_network_roots(r->cli, &r->roots, &r->out->simulator, e);
}

/* The port's certificate, then its answer to our nonce: the same machine, the same key, now. */
static enum rc verify_port(struct run *r, const struct verify_url *u, struct err *e)
{
    struct attest_verdict fresh = {0};
    struct hash32 measurement;
    uint8_t report_data[64];
    struct bytes quote;

    TRY(verify_certificate(r, u->certificate, e));
    if (verify_url_answer(r->cli, &quote, report_data, u, &r->out->key_hash, e) != RC_OK)
        return fail(r, ATTEST_STAGE_BINDING, e->code, e);
    if (verify_evidence(r, &fresh, quote, e) != RC_OK)
        return fail(r, fresh.stage, e->code, e);
    if (memcmp(fresh.report_data, report_data, sizeof(report_data)) != 0) {
        (void)err_set(e, RC_DENIED, "the fresh evidence is not over our nonce and this key");
        return fail(r, ATTEST_STAGE_BINDING, e->code, e);
    }
    if (r->registered != NULL) {
        attest_measurement(&measurement, &fresh);
        if (!hash32_eq(&measurement, &r->registered->info.measurement)) {
            (void)err_set(e, RC_DENIED, "the port runs another program than the one registered");
            return fail(r, ATTEST_STAGE_BINDING, e->code, e);
        }
    }
    if (!ratls_agree(&r->out->v, &fresh)) {
        (void)err_set(e, RC_DENIED, "the fresh evidence is of another program or machine");
        return fail(r, ATTEST_STAGE_BINDING, e->code, e);
    }
    return RC_OK;
}

static enum rc verify_at(struct run *r, struct attest_policy *policy, struct err *why,
                         struct err *e)
{
    struct verify_url u;

    TRY(verify_url_fetch(r->cli, &u, r->cli->args[0], e));
    if (collateral_files.n == 0)
        TRY(take_network(r, u.certificate, policy, e));
    return verify_port(r, &u, why);
}

static enum rc verify(struct cli *cli, struct err *e)
{
    struct verify_result *out = arena_alloc(&cli->mem, sizeof(*out));
    struct run r = {.cli = cli, .out = out};
    struct attest_policy policy;
    struct err why = {0};
    struct bytes in;
    enum rc rc;

    out->kind = "unknown";
    cli->exit_code = EXIT_NOT_VERIFIED;
    if (worker_text != NULL)
        return verify_worker(cli, out, e);
    if (cli->n_args == 0)
        return err_set(e, RC_MALFORMED, "expected FILE, URL, or --worker ADDRESS");
    TRY(setup(&r, &in, &policy, e));
    if (!is_url(cli->args[0]) && verify_nitro_find(&in, in)) {
        if (collateral_files.n != 0 || policy_file != NULL)
            return err_set(e, RC_UNSUPPORTED,
                           "a Nitro enclave's document takes no collateral and no policy");
        return verify_nitro(cli, in, &r.roots, r.now, e);
    }
    if (is_url(cli->args[0])) {
        rc = verify_at(&r, &policy, &why, e);
        if (rc != RC_OK && why.msg[0] == '\0')
            return rc; /* it was not even asked */
    } else {
        rc = verify_input(&r, in, &why);
    }
    if (rc == RC_OK) {
        out->allowed = policy_check(&policy, &out->v, r.now, &why) == RC_OK;
        if (out->allowed && r.registered != NULL && !r.registered->active) {
            (void)err_set(&why, RC_DENIED, "its registration is %s", worker_standing(r.registered));
            out->allowed = false;
        }
        if (!out->allowed)
            (void)snprintf(out->refusal, sizeof(out->refusal), "%s", why.msg);
    }
    cli->exit_code = verify_exit_code(out);
    verify_print(cli, out);
    cli_json(cli, verify_json(cli, out));
    return RC_OK;
}

const struct cli_command CLI_VERIFY = {
    .name = "verify",
    .args = "[FILE|URL]",
    .summary = "verify evidence of an SGX, TDX, SEV-SNP machine or a Nitro enclave",
    .details =
        "FILE is a quote (version 3, 4, 5; binary or hexadecimal), a SEV-SNP report (alone, or "
        "with\n"
        "its certificate table behind it), or a certificate with evidence inside (RA-TLS; PEM or "
        "DER),\n"
        "or a Nitro enclave's attestation document (COSE).\n"
        "URL is a worker's or keeper's TLS port: its certificate is judged, and asked for fresh "
        "evidence\n"
        "over a nonce; collateral and policy are the network's unless others are given.\n"
        "A PCCS is named by its base URL: https://host:8081. It is not believed: it only hands on "
        "what\n"
        "Intel signed.\n"
        "Exit code: 0 verified and the policy allows it, 1 verified but the policy refuses it,\n"
        "2 not verified (or the question itself was wrong).",
    .fn = verify,
    .options = OPTIONS,
    .min_args = 0,
    .max_args = 1,
};
