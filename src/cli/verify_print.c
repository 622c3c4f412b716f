/* A verdict for a person, and as JSON. */
#include "attest/record.h"
#include "base/hex.h"
#include "cli/internal/verify.h"

#include <stdio.h>
#include <time.h>

static const char *hex_text(struct cli *cli, const void *p, size_t n)
{
    char *text = arena_alloc(&cli->mem, 2 * n + 1);

    hex_encode(text, bytes_of(p, n));
    return text;
}
#define HEX(field) hex_text(cli, (field), sizeof(field))

const char *cli_date_text(struct cli *cli, uint64_t t)
{
    char *text = arena_alloc(&cli->mem, 32);
    time_t tt = (time_t)t;
    struct tm tm;

    if (t > (uint64_t)INT32_MAX * 100 || gmtime_r(&tt, &tm) == NULL ||
        strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return "never";
    return text;
}

static const char *yes_no(bool b)
{
    return b ? "yes" : "no";
}

static const char *tcb_text(struct cli *cli, const struct snp_tcb *t)
{
    char *text = arena_alloc(&cli->mem, 96);

    (void)snprintf(text, 96, "boot loader %u, TEE %u, SNP %u, microcode %u, FMC %u", t->boot_loader,
                   t->tee, t->snp, t->microcode, t->fmc);
    return text;
}

static const char *tee_text(enum tee_kind k)
{
    switch (k) {
    case TEE_SGX:
        return "Intel SGX enclave";
    case TEE_TDX:
        return "Intel TDX trust domain (report 1.0)";
    case TEE_TDX15:
        return "Intel TDX trust domain (report 1.5)";
    case TEE_SNP:
        return "AMD SEV-SNP guest";
    case TEE_NONE:
        break;
    }
    return "unknown";
}

static void print_root(struct cli *cli, const struct attest_verdict *v)
{
    cli_field(cli, "root", "%s%s, SHA-256 %s", attest_root_name(v->root),
              v->root == ATTEST_ROOT_GIVEN ? " (not a vendor's: simulated or test evidence)" : "",
              HEX(v->root_fingerprint.b));
}

static void print_platform(struct cli *cli, const struct attest_verdict *v)
{
    if (v->tee != TEE_SNP)
        cli_field(cli, "platform", "FMSPC %s, PCEID %s", HEX(v->fmspc), HEX(v->pce_id));
    cli_field(cli, v->tee != TEE_SNP ? "" : "platform", "id %s",
              v->has_platform_id ? HEX(v->platform_id.b) : "masked");
    if (v->has_platform_flags && v->tee != TEE_SNP)
        cli_field(cli, "", "dynamic platform %s, cached keys %s, SMT %s",
                  yes_no(v->dynamic_platform), yes_no(v->cached_keys), yes_no(v->smt));
    else if (v->has_platform_flags)
        cli_field(cli, "", "SMT %s", yes_no(v->smt));
}

static void print_dcap_tcb(struct cli *cli, const struct attest_verdict *v)
{
    AUTO_CLEAR(buf) struct buf list = {0};

    cli_field(cli, "TCB status", "%s (platform %s, TDX module %s, quoting enclave %s)",
              tcb_status_name(v->tcb_status), tcb_status_name(v->platform_status),
              tcb_status_name(v->module_status), tcb_status_name(v->qe_status));
    cli_field(cli, "TCB date", "%s, evaluation number %u", cli_date_text(cli, v->tcb_date),
              v->evaluation_number);
    for (size_t i = 0; i < v->n_advisories; i++)
        buf_printf(&list, "%s%s", i == 0 ? "" : ", ", v->advisories[i]);
    cli_field(cli, "advisories", "%s", list.n == 0 ? "none" : buf_cstr(&list));
}

static void print_measurement(struct cli *cli, const struct attest_verdict *v)
{
    const struct td_measurement *td = &v->m.td;
    const struct sgx_measurement *sgx = &v->m.sgx;
    const struct snp_measurement *snp = &v->m.snp;

    if (v->tee == TEE_SGX) {
        cli_field(cli, "MRENCLAVE", "%s", HEX(sgx->mr_enclave));
        cli_field(cli, "MRSIGNER", "%s", HEX(sgx->mr_signer));
        cli_field(cli, "product", "id %u, SVN %u, attributes 0x%llx", sgx->isv_prod_id,
                  sgx->isv_svn, (unsigned long long)sgx->flags);
    } else if (v->tee == TEE_SNP) {
        cli_field(cli, "measurement", "%s", HEX(snp->measurement));
        cli_field(cli, "host data", "%s", HEX(snp->host_data));
        cli_field(cli, "guest", "SVN %u, VMPL %u, policy 0x%llx, signed by %s", snp->guest_svn,
                  snp->vmpl, (unsigned long long)snp->policy, snp->vlek ? "VLEK" : "VCEK");
        cli_field(cli, "reported TCB", "%s", tcb_text(cli, &snp->reported));
        cli_field(cli, "current TCB", "%s", tcb_text(cli, &snp->current));
        cli_field(cli, "CRL", "%s", v->crl_checked ? "checked" : "none given: not checked");
    } else {
        cli_field(cli, "MRTD", "%s", HEX(td->mr_td));
        for (unsigned i = 0; i < 4; i++) {
            char name[8];

            (void)snprintf(name, sizeof(name), "RTMR%u", i);
            cli_field(cli, name, "%s", HEX(td->rtmr[i]));
        }
        cli_field(cli, "MRCONFIGID", "%s", HEX(td->mr_config_id));
        cli_field(cli, "MROWNER", "%s", HEX(td->mr_owner));
        cli_field(cli, "MRSEAM", "%s", HEX(td->mr_seam));
        cli_field(cli, "attributes", "0x%016llx", (unsigned long long)td->attributes);
    }
}

static void print_binding(struct cli *cli, const struct verify_result *r)
{
    cli_field(cli, "report data", "%s", HEX(r->v.report_data));
    if (r->bound_to != NULL) {
        cli_field(cli, "bound to", "%s %llu", r->bound_to, (unsigned long long)r->bound_height);
        return;
    }
    if (r->ratls.n == 0) {
        cli_field(cli, "bound to", "nothing in this file: compare the report data yourself");
        return;
    }
    for (size_t i = 0; i < r->ratls.n; i++)
        cli_field(cli, i == 0 ? "bound to" : "", "the certificate's key, SHA-256 %s (%s%s%s)",
                  HEX(r->key_hash.b), ratls_kind_name(r->ratls.ev[i].kind),
                  r->ratls.ev[i].has_nonce ? ", nonce " : "",
                  r->ratls.ev[i].has_nonce
                      ? hex_text(cli, r->ratls.ev[i].nonce.p,
                                 r->ratls.ev[i].nonce.n < 64 ? r->ratls.ev[i].nonce.n : 64)
                      : "");
}

int verify_exit_code(const struct verify_result *r)
{
    if (!r->v.verified)
        return ATTEST_NOT_VERIFIED;
    return r->allowed ? ATTEST_ALLOWED : ATTEST_REFUSED;
}

void verify_print(struct cli *cli, const struct verify_result *r)
{
    const struct attest_verdict *v = &r->v;

    if (!v->verified) {
        cli_print(cli, "NOT VERIFIED at stage %s: %s", attest_stage_name(v->stage), v->reason);
        return;
    }
    cli_print(cli, "verified: %s%s", tee_text(v->tee),
              v->root == ATTEST_ROOT_GIVEN ? ", under a given root" : "");
    if (r->simulator)
        cli_print(cli, VERIFY_SIMULATOR);
    cli_print(cli, "%s", r->allowed ? "the policy allows it" : "but REFUSED by the policy");
    if (!r->allowed)
        cli_field(cli, "refused", "%s", r->refusal);
    cli_field(cli, "policy", "%s", r->policy_name);
    if (v->debug)
        cli_field(cli, "WARNING", "debug mode: the host can read and change everything inside");
    if (v->service_td)
        cli_field(cli, "WARNING", "a service TD is bound to it");
    if (v->migratable)
        cli_field(cli, "WARNING", "it may be moved to another machine");
    if (v->unsigned_trailing != 0)
        cli_field(cli, "note", "%zu bytes after the quote are signed by nobody",
                  v->unsigned_trailing);
    print_root(cli, v);
    print_platform(cli, v);
    if (v->tee != TEE_SNP)
        print_dcap_tcb(cli, v);
    cli_field(cli, "valid", "%s to %s", cli_date_text(cli, v->valid_from),
              cli_date_text(cli, v->valid_until));
    print_measurement(cli, v);
    print_binding(cli, r);
}

/* ---- JSON --------------------------------------------------------------------------------------
 */

static void set(json_t *o, const char *key, json_t *v)
{
    CHECK(v != NULL && json_object_set_new(o, key, v) == 0);
}

static void set_hex(struct cli *cli, json_t *o, const char *key, const void *p, size_t n)
{
    set(o, key, json_string(hex_text(cli, p, n)));
}
#define SET_HEX(o, from, field) set_hex(cli, (o), #field, (from)->field, sizeof((from)->field))

static json_t *u64_json(uint64_t v)
{
    return json_integer((json_int_t)(v > INT64_MAX ? INT64_MAX : v));
}

static json_t *tcb_json(const struct snp_tcb *t)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i}", "fmc", t->fmc, "boot_loader", t->boot_loader,
                     "tee", t->tee, "snp", t->snp, "microcode", t->microcode);
}

static json_t *measurements_json(struct cli *cli, const struct attest_verdict *v)
{
    const struct td_measurement *td = &v->m.td;
    const struct sgx_measurement *sgx = &v->m.sgx;
    const struct snp_measurement *snp = &v->m.snp;
    json_t *o = json_object();
    uint8_t be[8];

    if (v->tee == TEE_SGX) {
        SET_HEX(o, sgx, mr_enclave);
        SET_HEX(o, sgx, mr_signer);
        set(o, "isv_prod_id", json_integer(sgx->isv_prod_id));
        set(o, "isv_svn", json_integer(sgx->isv_svn));
    } else if (v->tee == TEE_SNP) {
        SET_HEX(o, snp, measurement);
        SET_HEX(o, snp, host_data);
        SET_HEX(o, snp, id_key_digest);
        SET_HEX(o, snp, author_key_digest);
        set(o, "guest_svn", json_integer(snp->guest_svn));
        set(o, "vmpl", json_integer(snp->vmpl));
        store_u64be(be, snp->policy);
        set_hex(cli, o, "policy", be, sizeof(be));
        set(o, "reported_tcb", tcb_json(&snp->reported));
        set(o, "committed_tcb", tcb_json(&snp->committed));
        set(o, "current_tcb", tcb_json(&snp->current));
        set(o, "launch_tcb", tcb_json(&snp->launch));
    } else {
        SET_HEX(o, td, mr_td);
        for (unsigned i = 0; i < 4; i++) {
            char name[8];

            (void)snprintf(name, sizeof(name), "rtmr%u", i);
            set_hex(cli, o, name, td->rtmr[i], sizeof(td->rtmr[i]));
        }
        SET_HEX(o, td, mr_config_id);
        SET_HEX(o, td, mr_owner);
        SET_HEX(o, td, mr_owner_config);
        SET_HEX(o, td, mr_seam);
        SET_HEX(o, td, mr_signer_seam);
        SET_HEX(o, td, mr_service_td);
        store_u64be(be, td->attributes);
        set_hex(cli, o, "td_attributes", be, sizeof(be));
        store_u64be(be, td->xfam);
        set_hex(cli, o, "xfam", be, sizeof(be));
    }
    return o;
}

static json_t *platform_json(struct cli *cli, const struct attest_verdict *v)
{
    json_t *o = json_object();

    if (v->has_platform_id)
        set_hex(cli, o, "id", v->platform_id.b, sizeof(v->platform_id.b));
    if (v->tee != TEE_SNP) {
        SET_HEX(o, v, fmspc);
        SET_HEX(o, v, pce_id);
    }
    if (v->has_platform_flags) {
        set(o, "dynamic_platform", json_boolean(v->dynamic_platform));
        set(o, "cached_keys", json_boolean(v->cached_keys));
        set(o, "smt", json_boolean(v->smt));
    }
    return o;
}

static void set_dcap(json_t *o, const struct attest_verdict *v)
{
    json_t *list = json_array();

    for (size_t i = 0; i < v->n_advisories; i++)
        CHECK(json_array_append_new(list, json_string(v->advisories[i])) == 0);
    set(o, "tcb_status", json_string(tcb_status_name(v->tcb_status)));
    set(o, "platform_status", json_string(tcb_status_name(v->platform_status)));
    set(o, "module_status", json_string(tcb_status_name(v->module_status)));
    set(o, "qe_status", json_string(tcb_status_name(v->qe_status)));
    set(o, "advisories", list);
    set(o, "tcb_date", u64_json(v->tcb_date));
    set(o, "evaluation_number", json_integer(v->evaluation_number));
    set(o, "collateral_issued", u64_json(v->collateral_issued));
}

static json_t *binding_json(struct cli *cli, const struct verify_result *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->ratls.n; i++) {
        json_t *o = json_object();

        set(o, "kind", json_string(ratls_kind_name(r->ratls.ev[i].kind)));
        set_hex(cli, o, "spki_sha256", r->key_hash.b, sizeof(r->key_hash.b));
        if (r->ratls.ev[i].has_nonce)
            set_hex(cli, o, "nonce", r->ratls.ev[i].nonce.p, r->ratls.ev[i].nonce.n);
        CHECK(json_array_append_new(list, o) == 0);
    }
    if (r->bound_to != NULL)
        CHECK(json_array_append_new(list, json_pack("{s:s, s:I}", "kind", "registration", "height",
                                                    (json_int_t)r->bound_height)) == 0);
    return list;
}

json_t *verify_json(struct cli *cli, const struct verify_result *r)
{
    const struct attest_verdict *v = &r->v;
    bool refused = v->verified && !r->allowed;
    json_t *o = json_object();

    set(o, "verified", json_boolean(v->verified));
    set(o, "policy", json_string(!v->verified ? "not asked" : r->allowed ? "allowed" : "refused"));
    set(o, "policy_name", json_string(r->policy_name));
    set(o, "stage", json_string(attest_stage_name(refused ? ATTEST_STAGE_POLICY : v->stage)));
    set(o, "reason", json_string(refused ? r->refusal : v->reason));
    set(o, "input", json_string(r->kind));
    set(o, "at", u64_json(r->at));
    if (!v->verified)
        return o;
    set(o, "tee", json_string(tee_kind_name(v->tee)));
    if (r->quote_version != 0)
        set(o, "quote_version", json_integer(r->quote_version));
    set_hex(cli, o, "evidence_sha256", r->evidence_hash.b, sizeof(r->evidence_hash.b));
    set(o, "root", json_string(attest_root_name(v->root)));
    set_hex(cli, o, "root_sha256", v->root_fingerprint.b, sizeof(v->root_fingerprint.b));
    set(o, "debug", json_boolean(v->debug));
    set(o, "service_td", json_boolean(v->service_td));
    set(o, "migratable", json_boolean(v->migratable));
    set(o, "crl_checked", json_boolean(v->crl_checked));
    if (v->tee != TEE_SNP)
        set_dcap(o, v);
    set(o, "platform", platform_json(cli, v));
    set(o, "measurements", measurements_json(cli, v));
    SET_HEX(o, v, report_data);
    set(o, "valid_from", u64_json(v->valid_from));
    set(o, "valid_until", u64_json(v->valid_until));
    set(o, "bound_to", binding_json(cli, r));
    set(o, "simulator", json_boolean(r->simulator));
    return o;
}
