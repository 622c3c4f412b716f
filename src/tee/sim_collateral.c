/* Collateral of the pretended platform. Job: TCB info v3, QE identity v2 and revocation lists in
 * Intel's formats, for any state of the world a test asks for. Trust: inputs are ours. Must not:
 * re-serialise what was signed (verifiers check the exact bytes). */
#include "base/hex.h"
#include "codec/json.h"
#include "tee/internal/sim.h"

#include <time.h>

#define EVALUATION_NUMBER 17
#define TCB_DATE_S UINT64_C(1710288000) /* 2024-03-13 */

static const char ZEROS_48[] = "0000000000000000000000000000000000000000000000000000000000000000000"
                               "00000000000000000000000000000";

static void put_date(struct buf *out, const char *name, uint64_t at_s)
{
    time_t t = (time_t)at_s;
    struct tm tm;
    char text[32];

    CHECK(gmtime_r(&t, &tm) != NULL);
    CHECK(strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) != 0);
    buf_printf(out, "\"%s\":\"%s\"", name, text);
}

static void put_state(struct buf *out, const struct tee_sim_tcb *row)
{
    buf_put_str(out, ",");
    put_date(out, "tcbDate", row->date_s != 0 ? row->date_s : TCB_DATE_S);
    buf_printf(out, ",\"tcbStatus\":\"%s\"", row->status);
    if (row->advisories != NULL && row->advisories[0] != NULL) {
        buf_put_str(out, ",\"advisoryIDs\":[");
        for (size_t i = 0; row->advisories[i] != NULL; i++)
            buf_printf(out, "%s\"%s\"", i == 0 ? "" : ",", row->advisories[i]);
        buf_put_str(out, "]");
    }
    buf_put_str(out, "}");
}

static void put_components(struct buf *out, const char *name, const uint8_t svn[16])
{
    buf_printf(out, "\"%s\":[", name);
    for (int i = 0; i < TEE_SIM_COMPONENTS; i++)
        buf_printf(out, "%s{\"svn\":%u}", i == 0 ? "" : ",", svn[i]);
    buf_put_str(out, "]");
}

/* Rows whose tcb is {"isvsvn":n}: of the TDX module (from tdx[0]) and of the QE. */
static void put_svn_rows(struct buf *out, const struct tee_sim_tcb *rows, size_t n, bool qe)
{
    buf_put_str(out, "\"tcbLevels\":[");
    for (size_t i = 0; i < n; i++) {
        unsigned svn = qe ? rows[i].level.qe_isvsvn : rows[i].level.tdx[0];

        buf_printf(out, "%s{\"tcb\":{\"isvsvn\":%u}", i == 0 ? "" : ",", svn);
        put_state(out, &rows[i]);
    }
    buf_put_str(out, "]");
}

static void put_platform_rows(struct buf *out, const struct tee_sim_tcb *rows, size_t n)
{
    buf_put_str(out, "\"tcbLevels\":[");
    for (size_t i = 0; i < n; i++) {
        buf_put_str(out, i == 0 ? "{\"tcb\":{" : ",{\"tcb\":{");
        put_components(out, "sgxtcbcomponents", rows[i].level.sgx);
        buf_printf(out, ",\"pcesvn\":%u,", rows[i].level.pcesvn);
        put_components(out, "tdxtcbcomponents", rows[i].level.tdx);
        buf_put_str(out, "}");
        put_state(out, &rows[i]);
    }
    buf_put_str(out, "]");
}

static void put_module(struct buf *out)
{
    buf_printf(out,
               "\"mrsigner\":\"%s\",\"attributes\":\"0000000000000000\","
               "\"attributesMask\":\"FFFFFFFFFFFFFFFF\"",
               ZEROS_48);
}

static void put_head(struct buf *out, const char *id, unsigned version,
                     const struct tee_sim_world *w)
{
    buf_printf(out, "{\"id\":\"%s\",\"version\":%u,", id, version);
    put_date(out, "issueDate", w->issued_s);
    buf_put_str(out, ",");
    put_date(out, "nextUpdate", w->expires_s);
    buf_put_str(out, ",");
}

static void put_tcb_info(struct buf *out, const struct tee_sim_world *w)
{
    put_head(out, "TDX", 3, w);
    buf_put_str(out, "\"fmspc\":\"");
    hex_put(out, bytes_of(SIM_FMSPC, sizeof(SIM_FMSPC)));
    buf_printf(out, "\",\"pceId\":\"0000\",\"tcbType\":0,\"tcbEvaluationDataNumber\":%u,",
               w->evaluation_number);
    buf_put_str(out, "\"tdxModule\":{");
    put_module(out);
    buf_put_str(out, "},\"tdxModuleIdentities\":[{\"id\":\"TDX_01\",");
    put_module(out);
    buf_put_str(out, ",");
    put_svn_rows(out, w->module, w->module_n, false);
    buf_put_str(out, "}],");
    put_platform_rows(out, w->platform, w->platform_n);
    buf_put_str(out, "}");
}

static void put_qe_identity(struct buf *out, const struct tee_sim_world *w)
{
    put_head(out, "TD_QE", 2, w);
    buf_printf(out, "\"tcbEvaluationDataNumber\":%u,", w->evaluation_number);
    buf_put_str(out, "\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\","
                     "\"attributes\":\"11000000000000000000000000000000\","
                     "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\","
                     "\"mrsigner\":\"" SIM_QE_SIGNER_HEX "\",\"isvprodid\":2,");
    put_svn_rows(out, w->qe, w->qe_n, true);
    buf_put_str(out, "}");
}

/* ---- the container ---- */

static void set_text(json_t *v, const char *name, struct bytes text)
{
    CHECK(json_object_set_new(v, name, json_stringn((const char *)text.p, text.n)) == 0);
}

static void set_hex(json_t *v, const char *name, struct bytes data)
{
    AUTO_CLEAR(buf) struct buf hex = {0};

    hex_put(&hex, data);
    set_text(v, name, buf_bytes(&hex));
}

static void set_signed(json_t *v, const char *name, const struct tee_sim *s, struct bytes body)
{
    AUTO_FREE char *chain_name = xasprintf("%s_issuer_chain", name);
    AUTO_FREE char *sig_name = xasprintf("%s_signature", name);
    AUTO_CLEAR(buf) struct buf chain = {0};
    uint8_t sig[64];

    pki_cert_pem(&chain, s->signer);
    pki_cert_pem(&chain, s->root);
    p256_sign(sig, s->signer_key, body);
    set_text(v, chain_name, buf_bytes(&chain));
    set_text(v, name, body);
    set_hex(v, sig_name, bytes_of(sig, sizeof(sig)));
}

static void set_lists(json_t *v, const struct tee_sim *s, const struct tee_sim_world *w,
                      const struct sim_machine *revoked, size_t revoked_n)
{
    AUTO_CLEAR(buf) struct buf chain = {0}, root_crl = {0}, pck_crl = {0};
    X509 **pcks = xcalloc(revoked_n, sizeof(*pcks));

    for (size_t i = 0; i < revoked_n; i++)
        pcks[i] = revoked[i].pck;
    pki_cert_pem(&chain, s->platform);
    pki_cert_pem(&chain, s->root);
    /* the number must rise: the time it was issued does */
    pki_crl(&root_crl, s->root, s->root_key, &s->platform, w->ca_revoked ? 1 : 0, w->issued_s,
            w->issued_s, w->expires_s);
    pki_crl(&pck_crl, s->platform, s->platform_key, pcks, revoked_n, w->issued_s, w->issued_s,
            w->expires_s);
    set_text(v, "pck_crl_issuer_chain", buf_bytes(&chain));
    set_hex(v, "root_ca_crl", buf_bytes(&root_crl));
    set_hex(v, "pck_crl", buf_bytes(&pck_crl));
    free(pcks);
}

static enum rc load_revoked(struct sim_machine **out, size_t *n, const struct tee_sim *s,
                            const char *const *names, struct err *e)
{
    struct sim_machine *m;
    size_t count = 0;

    while (names != NULL && names[count] != NULL)
        count++;
    m = xcalloc(count, sizeof(*m));
    *out = m;
    for (*n = 0; *n < count; ++*n)
        TRY(sim_machine_load(&m[*n], s->dir, names[*n], e));
    return RC_OK;
}

static void apply_defaults(struct tee_sim_world *w, const struct tee_sim_tcb *row, uint64_t now_s)
{
    if (w->platform_n == 0) {
        w->platform = row;
        w->platform_n = 1;
    }
    if (w->module_n == 0) {
        w->module = row;
        w->module_n = 1;
    }
    if (w->qe_n == 0) {
        w->qe = row;
        w->qe_n = 1;
    }
    if (w->evaluation_number == 0)
        w->evaluation_number = EVALUATION_NUMBER;
    if (w->issued_s == 0)
        w->issued_s = now_s;
    if (w->expires_s == 0)
        w->expires_s = w->issued_s + TEE_SIM_COLLATERAL_S;
}

enum rc tee_sim_collateral(struct tee_sim *s, struct buf *json, const struct tee_sim_world *world,
                           uint64_t now_s, struct err *e)
{
    struct tee_sim_tcb row = {.level = TEE_SIM_LEVEL_NOW, .status = "UpToDate"};
    struct tee_sim_world w = world != NULL ? *world : (struct tee_sim_world){0};
    AUTO_CLEAR(buf) struct buf tcb_info = {0}, qe_identity = {0};
    struct sim_machine *revoked = NULL;
    size_t revoked_n = 0;
    enum rc rc;

    CHECK(w.platform_n <= TEE_SIM_LEVELS_MAX && w.module_n <= TEE_SIM_LEVELS_MAX &&
          w.qe_n <= TEE_SIM_LEVELS_MAX);
    apply_defaults(&w, &row, now_s);
    rc = load_revoked(&revoked, &revoked_n, s, w.revoked, e);
    if (rc == RC_OK) {
        json_auto_t *v = json_object();

        put_tcb_info(&tcb_info, &w);
        put_qe_identity(&qe_identity, &w);
        set_lists(v, s, &w, revoked, revoked_n);
        set_signed(v, "tcb_info", s, buf_bytes(&tcb_info));
        set_signed(v, "qe_identity", s, buf_bytes(&qe_identity));
        json_put(json, v);
    }
    for (size_t i = 0; i < revoked_n; i++)
        sim_machine_clear(&revoked[i]);
    free(revoked);
    return rc;
}
