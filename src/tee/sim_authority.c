/* The pretended platform's authority and machines. Job: make and keep root, platform CA, TCB
 * signing and PCK certificates in a folder. Trust: the folder is ours; whoever reads it can say
 * anything under its root, and every certificate says so. Must not: serve anything but simulators.
 */
#include "base/hex.h"
#include "codec/json.h"
#include "os/file.h"
#include "tee/internal/sim.h"

#define AUTHORITY_LIFE_S ((uint64_t)20 * 365 * 24 * 3600)
#define BACKDATE_S 3600
#define MACHINE_JSON_MAX ((size_t)4096)

const uint8_t SIM_FMSPC[6] = {0x00, 0x5a, 0x49, 0x4d, 0x00, 0x00};

const struct tee_sim_level TEE_SIM_LEVEL_NOW = {
    .sgx = {5, 5, 2, 2, 3, 1, 0, 3},
    .pcesvn = 11,
    .tdx = {5, 1, 2},
    .qe_isvsvn = 4,
};

static const char README[] = SIM_NOTICE
    "\n\n"
    "This folder is a pretended Intel TDX platform: an authority with its keys, and machines.\n"
    "Whoever can read it can make evidence for anything. Trust root.pem on test networks only.\n";

/* ---- authority ---- */

static X509 *issue(enum pki_role role, const char *name, EVP_PKEY *key, X509 *issuer,
                   EVP_PKEY *issuer_key, uint64_t now_s)
{
    struct pki_request r = {
        .role = role,
        .common_name = name,
        .organisation = SIM_ORGANISATION,
        .from_s = now_s - BACKDATE_S,
        .until_s = now_s + AUTHORITY_LIFE_S,
    };

    return pki_cert_new(&r, key, issuer, issuer_key);
}

enum rc tee_sim_create(const char *dir, uint64_t now_s, struct err *e)
{
    AUTO_FREE char *readme = xasprintf("%s/README", dir);
    AUTO_FREE char *machines = xasprintf("%s/machines", dir);
    AUTO_PKEY EVP_PKEY *root_key = p256_key_new(), *ca_key = p256_key_new(),
                       *signer_key = p256_key_new();
    AUTO_CERT X509 *root = issue(PKI_ROOT, "Intel SGX Root CA", root_key, NULL, NULL, now_s);
    AUTO_CERT X509 *ca = issue(PKI_CA, "Intel SGX PCK Platform CA", ca_key, root, root_key, now_s);
    AUTO_CERT X509 *signer =
        issue(PKI_SIGNER, "Intel SGX TCB Signing", signer_key, root, root_key, now_s);

    TRY(dir_make(dir, 0700, e));
    TRY(pki_save(dir, "root", root, root_key, false, e));
    TRY(pki_save(dir, "platform-ca", ca, ca_key, false, e));
    TRY(pki_save(dir, "tcb-signing", signer, signer_key, false, e));
    TRY(dir_make(machines, 0700, e));
    return file_write_atomic(readme, bytes_str(README), 0644, e);
}

static enum rc load_all(struct tee_sim *s, struct err *e)
{
    TRY(pki_load(&s->root, &s->root_key, s->dir, "root", e));
    TRY(pki_load(&s->platform, &s->platform_key, s->dir, "platform-ca", e));
    TRY(pki_load(&s->signer, &s->signer_key, s->dir, "tcb-signing", e));
    pki_cert_der(&s->root_der, s->root);
    return RC_OK;
}

enum rc tee_sim_open(struct tee_sim **out, const char *dir, struct err *e)
{
    struct tee_sim *s = xcalloc(1, sizeof(*s));
    enum rc rc;

    *out = NULL;
    s->dir = xstrdup(dir);
    rc = load_all(s, e);
    if (rc != RC_OK) {
        tee_sim_close(s);
        return err_wrap(e, rc, "simulator");
    }
    *out = s;
    return RC_OK;
}

void tee_sim_close(struct tee_sim *s)
{
    if (s == NULL)
        return;
    pki_cert_clear(&s->root);
    pki_cert_clear(&s->platform);
    pki_cert_clear(&s->signer);
    p256_key_clear(&s->root_key);
    p256_key_clear(&s->platform_key);
    p256_key_clear(&s->signer_key);
    buf_clear(&s->root_der);
    free(s->dir);
    free(s);
}

struct bytes tee_sim_root(const struct tee_sim *s)
{
    return buf_bytes(&s->root_der);
}

/* ---- PCK certificates ---- */

/* Intel SGX extensions hang below 1.2.840.113741.1.13.1: these octets, then the last numbers. */
static void put_item(struct buf *out, const uint8_t *tail, size_t tail_n, struct bytes value)
{
    AUTO_CLEAR(buf) struct buf oid = {0}, item = {0};

    buf_put(&oid, "\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01", 9);
    buf_put(&oid, tail, tail_n);
    der_put_oid(&item, buf_bytes(&oid));
    buf_put_bytes(&item, value);
    der_put(out, 0x30, buf_bytes(&item));
}

static void put_octets(struct buf *out, uint8_t number, const void *p, size_t n)
{
    AUTO_CLEAR(buf) struct buf v = {0};

    der_put(&v, 0x04, bytes_of(p, n));
    put_item(out, &number, 1, buf_bytes(&v));
}

static void put_tcb(struct buf *out, const struct tee_sim_level *level)
{
    AUTO_CLEAR(buf) struct buf tcb = {0}, seq = {0};
    uint8_t number = 2;

    for (unsigned i = 1; i <= 17; i++) {
        AUTO_CLEAR(buf) struct buf v = {0};
        uint8_t tail[2] = {2, (uint8_t)i};

        der_put_uint(&v, i == 17 ? level->pcesvn : level->sgx[i - 1]);
        put_item(&tcb, tail, 2, buf_bytes(&v));
    }
    {
        AUTO_CLEAR(buf) struct buf v = {0};

        der_put(&v, 0x04, bytes_of(level->sgx, 16));
        put_item(&tcb, (const uint8_t[]){2, 18}, 2, buf_bytes(&v));
    }
    der_put(&seq, 0x30, buf_bytes(&tcb));
    put_item(out, &number, 1, buf_bytes(&seq));
}

/* dynamic platform, cached keys, SMT: all off. */
static void put_configuration(struct buf *out)
{
    static const uint8_t no[] = {0x01, 0x01, 0x00};
    AUTO_CLEAR(buf) struct buf config = {0}, seq = {0};
    uint8_t number = 7;

    for (unsigned i = 1; i <= 3; i++)
        put_item(&config, (const uint8_t[]){7, (uint8_t)i}, 2, bytes_of(no, sizeof(no)));
    der_put(&seq, 0x30, buf_bytes(&config));
    put_item(out, &number, 1, buf_bytes(&seq));
}

static void put_sgx_extension(struct buf *out, const struct sim_machine *m)
{
    static const uint8_t pceid[2], scalable[] = {0x0a, 0x01, 0x01};
    AUTO_CLEAR(buf) struct buf all = {0};
    uint8_t type = 5;

    put_octets(&all, 1, m->ppid, 16);
    put_tcb(&all, &m->level);
    put_octets(&all, 3, pceid, 2);
    put_octets(&all, 4, SIM_FMSPC, 6);
    put_item(&all, &type, 1, bytes_of(scalable, sizeof(scalable)));
    put_octets(&all, 6, m->instance_id, 16);
    put_configuration(&all);
    der_put(out, 0x30, buf_bytes(&all));
}

static void issue_pck(struct tee_sim *s, struct sim_machine *m, uint64_t now_s)
{
    AUTO_CLEAR(buf) struct buf sgx = {0};
    struct pki_ext ext = {.oid = "1.2.840.113741.1.13.1"};
    struct pki_request r = {
        .role = PKI_SIGNER,
        .common_name = "Intel SGX PCK Certificate",
        .organisation = SIM_ORGANISATION,
        .from_s = now_s - BACKDATE_S,
        .until_s = now_s + AUTHORITY_LIFE_S,
        .exts = &ext,
        .exts_n = 1,
    };

    put_sgx_extension(&sgx, m);
    ext.value = buf_bytes(&sgx);
    pki_cert_clear(&m->pck);
    p256_key_clear(&m->pck_key);
    m->pck_key = p256_key_new();
    m->pck = pki_cert_new(&r, m->pck_key, s->platform, s->platform_key);
}

void sim_pck_chain(struct buf *pem, const struct tee_sim *s, const struct sim_machine *m)
{
    pki_cert_pem(pem, m->pck);
    pki_cert_pem(pem, s->platform);
    pki_cert_pem(pem, s->root);
}

/* ---- machines ---- */

enum rc sim_name_check(const char *name, struct err *e)
{
    size_t n = strlen(name);

    if (n == 0 || n > TEE_SIM_NAME_MAX ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
        return err_set(e, RC_MALFORMED, "machine name '%.80s': give 1 to %d of a-z, 0-9 and '-'",
                       name, TEE_SIM_NAME_MAX);
    return RC_OK;
}

void sim_machine_clear(struct sim_machine *m)
{
    pki_cert_clear(&m->pck);
    p256_key_clear(&m->pck_key);
    secret32_clear(&m->sealing_root);
    *m = (struct sim_machine){0};
}

static void put_hex_member(struct buf *out, const char *name, const void *p, size_t n)
{
    buf_printf(out, ",\"%s\":\"", name);
    hex_put(out, bytes_of(p, n));
    buf_put_str(out, "\"");
}

static enum rc machine_save(const struct sim_machine *m, const char *dir, bool replace,
                            struct err *e)
{
    AUTO_FREE char *path = xasprintf("%s/machine.json", dir);
    struct buf json = {0};
    enum rc rc;

    (void)buf_reserve(&json, 1024); /* holds a secret: must not grow */
    buf_put_str(&json, "{\"simulator\":true");
    put_hex_member(&json, "ppid", m->ppid, 16);
    put_hex_member(&json, "platform_instance_id", m->instance_id, 16);
    put_hex_member(&json, "qe_id", m->qe_id, 16);
    put_hex_member(&json, "sealing_root", m->sealing_root.b, 32);
    put_hex_member(&json, "sgx_svn", m->level.sgx, 16);
    put_hex_member(&json, "tdx_svn", m->level.tdx, 16);
    buf_printf(&json, ",\"pcesvn\":%u,\"qe_isvsvn\":%u}\n", m->level.pcesvn, m->level.qe_isvsvn);
    CHECK(json.n < 1024);
    rc = pki_save(dir, "pck", m->pck, m->pck_key, replace, e);
    if (rc == RC_OK)
        rc = replace ? file_write_atomic(path, buf_bytes(&json), 0600, e)
                     : file_write_new(path, buf_bytes(&json), 0600, e);
    wipe(json.p, json.n);
    buf_clear(&json);
    return rc;
}

static enum rc parse_machine(struct sim_machine *m, struct bytes text, struct err *e)
{
    json_auto_t *v = NULL;
    uint64_t pcesvn, qe;

    TRY(json_parse(&v, text, MACHINE_JSON_MAX, e));
    TRY(json_hex_fixed(m->ppid, 16, v, "ppid", e));
    TRY(json_hex_fixed(m->instance_id, 16, v, "platform_instance_id", e));
    TRY(json_hex_fixed(m->qe_id, 16, v, "qe_id", e));
    TRY(json_hex_fixed(m->sealing_root.b, 32, v, "sealing_root", e));
    TRY(json_hex_fixed(m->level.sgx, 16, v, "sgx_svn", e));
    TRY(json_hex_fixed(m->level.tdx, 16, v, "tdx_svn", e));
    TRY(json_u64(&pcesvn, v, "pcesvn", UINT16_MAX, e));
    TRY(json_u64(&qe, v, "qe_isvsvn", UINT16_MAX, e));
    m->level.pcesvn = (uint16_t)pcesvn;
    m->level.qe_isvsvn = (uint16_t)qe;
    return RC_OK;
}

enum rc sim_machine_load(struct sim_machine *m, const char *dir, const char *name, struct err *e)
{
    AUTO_FREE char *folder = xasprintf("%s/machines/%s", dir, name);
    AUTO_FREE char *path = xasprintf("%s/machine.json", folder);
    struct buf text = {0};
    enum rc rc;

    TRY(sim_name_check(name, e));
    rc = file_read(&text, path, MACHINE_JSON_MAX, e);
    if (rc == RC_OK && parse_machine(m, buf_bytes(&text), e) != RC_OK)
        rc = err_wrap(e, RC_CORRUPT, "%s", path);
    wipe(text.p, text.n);
    buf_clear(&text);
    if (rc == RC_OK)
        rc = pki_load(&m->pck, &m->pck_key, folder, "pck", e);
    if (rc != RC_OK)
        sim_machine_clear(m);
    return rc;
}

enum rc tee_sim_machine_add(struct tee_sim *s, const char *name, const struct tee_sim_level *level,
                            uint64_t now_s, struct err *e)
{
    AUTO_FREE char *folder = NULL;
    struct sim_machine m = {.level = level != NULL ? *level : TEE_SIM_LEVEL_NOW};
    enum rc rc;

    TRY(sim_name_check(name, e));
    folder = xasprintf("%s/machines/%s", s->dir, name);
    random_bytes(m.ppid, sizeof(m.ppid));
    random_bytes(m.instance_id, sizeof(m.instance_id));
    random_bytes(m.qe_id, sizeof(m.qe_id));
    random_bytes(m.sealing_root.b, sizeof(m.sealing_root.b));
    issue_pck(s, &m, now_s);
    rc = dir_make(folder, 0700, e);
    if (rc == RC_OK)
        rc = machine_save(&m, folder, false, e);
    sim_machine_clear(&m);
    return rc;
}

enum rc tee_sim_machine_update(struct tee_sim *s, const char *name,
                               const struct tee_sim_level *level, uint64_t now_s, struct err *e)
{
    AUTO_FREE char *folder = xasprintf("%s/machines/%s", s->dir, name);
    struct sim_machine m = {0};
    enum rc rc;

    TRY(sim_machine_load(&m, s->dir, name, e));
    m.level = level != NULL ? *level : TEE_SIM_LEVEL_NOW;
    issue_pck(s, &m, now_s);
    rc = machine_save(&m, folder, true, e);
    sim_machine_clear(&m);
    return rc;
}

enum rc tee_sim_machine_ppid(struct tee_sim *s, const char *name, uint8_t out16[16], struct err *e)
{
    struct sim_machine m = {0};

    memset(out16, 0, 16);
    TRY(sim_machine_load(&m, s->dir, name, e));
    memcpy(out16, m.ppid, 16);
    sim_machine_clear(&m);
    return RC_OK;
}
