#include "worker/internal/enroll.h"

#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "chain/address.h"
#include "client/enroll.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "os/file.h"
#include "tee/simulator.h"
#include "tee/tee.h"
#include "worker/proof/onchain.h"

#define PROGRAM_MAX ((size_t)256 << 20)
#define GENESIS_MAX ((size_t)4 << 20)

/* ---- what is measured ---- */

static enum rc put_program(struct buf *image, const char *path, struct err *e)
{
    AUTO_CLEAR(buf) struct buf program = {0};
    struct hash32 h;

    TRY(file_read(&program, path, PROGRAM_MAX, e));
    sha256(&h, buf_bytes(&program));
    buf_put_bytes(image, BYTES_OF(&h));
    return RC_OK;
}

/* The programs this one starts. */
static enum rc put_image(struct buf *image, const struct worker_config *c, struct err *e)
{
    if (c->role == WORKER_CONTRACT)
        return put_program(image, c->runtime_path, e);
    TRY(put_program(image, c->jail_path, e));
    return put_program(image, c->validator_path, e);
}

static void set_address(json_t *o, const char *key, const struct address *a)
{
    char text[ADDRESS_TEXT_SIZE];

    address_format(text, a);
    CHECK(json_object_set_new(o, key, json_string(text)) == 0);
}

/* The settings that decide what this worker does with a contribution; not where it listens, nor
 * where its ledger is, which it need not believe. Sorted keys, no spaces. */
static enum rc put_settings(struct buf *out, const struct worker_config *c, struct err *e)
{
    AUTO_CLEAR(buf) struct buf genesis = {0};
    struct hash32 root_of_trust = {{0}};

    json_auto_t *o = json_pack(
        "{s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "role",
        c->role == WORKER_CONTRACT ? "contract" : "open", "profile",
        c->profile == WORKER_VANA_COMPAT ? "vana-compat" : "devnet", "no_containers",
        c->no_containers, "rlimit_only", c->jail_rlimit_only, "gas", (json_int_t)c->gas,
        "memory_size", (json_int_t)c->memory_size, "wall_ms", (json_int_t)c->wall_ms,
        "max_file_size", (json_int_t)c->max_file_size, "max_validator_size",
        (json_int_t)c->max_validator_size, "max_head_age_ms", (json_int_t)c->max_head_age_ms);

    CHECK(o != NULL);
    /* Without it the worker believes its node: a worker of another kind. */
    if (c->genesis_path != NULL) {
        TRY(file_read(&genesis, c->genesis_path, GENESIS_MAX, e));
        sha256(&root_of_trust, buf_bytes(&genesis));
    }
    CHECK(json_object_set_new(o, "genesis", json_hex_new(BYTES_OF(&root_of_trust))) == 0);
    set_address(o, "tee_pool", &c->tee_pool);
    set_address(o, "data_registry", &c->data_registry);
    set_address(o, "dlp_registry", &c->dlp_registry);
    set_address(o, "workers", &c->workers);
    set_address(o, "gatekeepers", &c->gatekeepers);
    if (c->role == WORKER_CONTRACT) {
        set_address(o, "confidential_contracts", &c->confidential);
        CHECK(json_object_set_new(o, "http_allow",
                                  json_string(c->http_allow != NULL ? c->http_allow : "")) == 0);
    }
    json_put(out, o);
    return RC_OK;
}

enum rc enroll_open(struct worker *w, struct err *e)
{
    const struct worker_config *c = &w->config;
    AUTO_CLEAR(buf) struct buf image = {0};
    AUTO_CLEAR(buf) struct buf settings = {0};
    struct tee_sim_launch launch = {.dir = c->simulator, .machine = c->machine};
    struct tee_config t = {.source = TEE_SOURCE_AUTO};

    if (c->tee == WORKER_TEE_NONE)
        return RC_OK;
    if (c->tee == WORKER_TEE_SIMULATOR) {
        if (c->simulator == NULL || c->machine == NULL)
            return err_set(e, RC_MALFORMED,
                           "the simulator needs its folder and a machine in it: give "
                           "--insecure-simulator DIR and --machine NAME");
        TRY(put_image(&image, c, e));
        TRY(put_settings(&settings, c, e));
        launch.image = buf_bytes(&image);
        launch.config = buf_bytes(&settings);
        t.source = TEE_SOURCE_SIMULATOR;
        t.launch = &launch;
    }
    TRY(tee_open(&w->tee, &t, e));
    log_info("worker", "evidence by %s", tee_describe(w->tee));
    return RC_OK;
}

const char *enroll_statement(const struct worker *w)
{
    if (w->tee == NULL)
        return "none: this worker has no evidence";
    if (tee_is_simulator(w->tee))
        return "simulator: no hardware stands behind this worker's evidence";
    return "hardware: see the worker's registration in the Workers contract";
}

/* ---- the contract ---- */

static void enrollment_of(struct enrollment *out, struct worker *w)
{
    const struct worker_keys *k = w->keys;

    *out = (struct enrollment){.chain = w->chain,
                               .tee = w->tee,
                               .sender = &k->sender,
                               .workers = w->config.workers,
                               .url = w->config.url,
                               .r = {.sender = k->sender_address,
                                     .proof_signer = k->signer_address,
                                     .commit_signer = k->commit_address,
                                     .receive_key_eth = BYTES_OF(&k->receive_secp_pub),
                                     .operator= address_is_zero(&w->config.operator)
                                         ? k->sender_address
                                         : w->config.operator,
                                     .role = w->config.role },
                                     .send = &w->send};
    memcpy(out->r.receive_key, k->receive_pub, sizeof(out->r.receive_key));
}

void enroll_keep(struct worker *w)
{
    struct enrollment n;
    struct err e = {0};
    uint64_t expires = 0, height = 0;
    bool soon = false;
    enum rc rc;

    if (w->tee == NULL || address_is_zero(&w->config.workers))
        return;
    enrollment_of(&n, w);
    rc = enroll_standing(&n, &soon, &expires, &e);
    if (rc == RC_OK && soon) {
        rc = enroll_register(&n, &height, &e);
        onchain_saw(w, height); /* keepers judge us by no older state */
        if (rc == RC_OK)
            rc = enroll_standing(&n, &soon, &expires, &e);
        if (rc == RC_OK)
            log_info("worker", "registered with evidence by %s", tee_describe(w->tee));
    }
    /* The same complaint every few seconds would hide everything else. */
    if (rc != RC_OK && strcmp(e.msg, w->enroll_failure) != 0)
        log_warn("worker", "registration: %s", e.msg);
    (void)pthread_mutex_lock(&w->lock);
    (void)snprintf(w->enroll_failure, sizeof(w->enroll_failure), "%s", rc == RC_OK ? "" : e.msg);
    w->attested_until = rc == RC_OK ? expires : w->attested_until;
    (void)pthread_mutex_unlock(&w->lock);
}
