#include "worker/worker.h"

#include "base/log.h"
#include "base/mem.h"
#include "client/enroll.h"
#include "client/light_client.h"
#include "client/store_client.h"
#include "os/file.h"
#include "os/spawn.h"
#include "tee/ratls.h"
#include "tee/tee.h"
#include "validator/validator.h"
#include "worker/contract/contracts.h"
#include "worker/internal/enroll.h"
#include "worker/internal/keepers.h"
#include "worker/proof/journal.h"
#include "worker/proof/request.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#define STOP_GRACE_MS 3000
#define GENESIS_MAX ((size_t)4 << 20)

static char *copy_or_null(const char *s)
{
    return s != NULL ? xstrdup(s) : NULL;
}

static void set_defaults(struct worker_config *c, const struct worker_config *in)
{
    *c = *in;
    c->dir = xstrdup(in->dir);
    c->listen = xstrdup(in->listen != NULL ? in->listen : "127.0.0.1:8555");
    c->url = copy_or_null(in->url);
    c->rpc_url = xstrdup(in->rpc_url);
    c->genesis_path = copy_or_null(in->genesis_path);
    c->store_rpc = xstrdup(in->store_rpc);
    c->store_gateway = copy_or_null(in->store_gateway);
    c->tls_listen = copy_or_null(in->tls_listen);
    c->simulator = copy_or_null(in->simulator);
    c->machine = copy_or_null(in->machine);
    c->key_file = in->key_file != NULL ? xstrdup(in->key_file) : xasprintf("%s/worker.key", c->dir);
    c->jail_path =
        in->jail_path != NULL ? xstrdup(in->jail_path) : spawn_beside_us("cloister-jail");
    c->validator_path = in->validator_path != NULL ? xstrdup(in->validator_path)
                                                   : spawn_beside_us("cloister-validator");
    c->runtime_path =
        in->runtime_path != NULL ? xstrdup(in->runtime_path) : spawn_beside_us("cloister-runtime");
    c->clusters = copy_or_null(in->clusters);
    c->http_allow = copy_or_null(in->http_allow);
    c->role = in->role != 0 ? in->role : WORKER_OPEN;
    c->n_jobs = in->n_jobs != 0 ? in->n_jobs : 4;
    c->max_file_size = in->max_file_size != 0 ? in->max_file_size : 64ull << 20;
    c->max_validator_size = in->max_validator_size != 0 ? in->max_validator_size : 2ull << 30;
    c->gas = in->gas != 0 ? in->gas : 20000000000ull;
    c->memory_size = in->memory_size != 0 ? in->memory_size : 256ull << 20;
    c->wall_ms = in->wall_ms != 0 ? in->wall_ms : 60000;
    c->max_head_age_ms = in->max_head_age_ms != 0 ? in->max_head_age_ms : 10000;
    c->key_wait_ms = in->key_wait_ms != 0 ? in->key_wait_ms : 30000;
    c->claim_interval_s = in->claim_interval_s != 0 ? in->claim_interval_s : 30;
}

static void free_text(const char *s)
{
    char *p;

    memcpy(&p, &s, sizeof(p));
    free(p);
}

static void free_worker(struct worker *w)
{
    tasks_clear(w);
    for (size_t i = 0; i < WORKER_MAX_PROGRAMS; i++) {
        free(w->programs[i].instruction);
        buf_clear(&w->programs[i].elf);
    }
    light_client_free(w->light);
    chain_client_free(w->chain);
    while (w->n_stores != 0)
        store_client_free(w->stores[--w->n_stores]);
    validator_pool_free(w->validators);
    worker_metrics_free(w->metrics);
    keepers_free(w);
    tee_close(w->tee);
    secret_free(w->keys);
    if (w->dir_lock >= 0)
        (void)close(w->dir_lock);
    free(w->validator_dir);
    free(w->image_dir);
    free(w->tmp_dir);
    free_text(w->config.dir);
    free_text(w->config.listen);
    free_text(w->config.url);
    free_text(w->config.rpc_url);
    free_text(w->config.genesis_path);
    free_text(w->config.store_rpc);
    free_text(w->config.store_gateway);
    free_text(w->config.key_file);
    free_text(w->config.tls_listen);
    free_text(w->config.simulator);
    free_text(w->config.machine);
    free_text(w->config.jail_path);
    free_text(w->config.validator_path);
    free_text(w->config.runtime_path);
    free_text(w->config.clusters);
    free_text(w->config.http_allow);
    (void)pthread_mutex_destroy(&w->lock);
    (void)pthread_mutex_destroy(&w->send);
    (void)pthread_mutex_destroy(&w->images);
    (void)pthread_mutex_destroy(&w->freshness);
    (void)pthread_mutex_destroy(&w->attest);
    (void)pthread_cond_destroy(&w->changed);
    free(w);
}

bool worker_is_ready(struct worker *w)
{
    bool is;

    (void)pthread_mutex_lock(&w->lock);
    is = w->ready;
    (void)pthread_mutex_unlock(&w->lock);
    return is;
}

enum rc worker_store_take(struct worker *w, struct store_client **out, const atomic_bool *stop,
                          struct err *e)
{
    const struct store_client_config config = {.rpc_url = w->config.store_rpc,
                                               .gateway_url = w->config.store_gateway};

    *out = NULL;
    (void)pthread_mutex_lock(&w->lock);
    if (w->n_stores != 0)
        *out = w->stores[--w->n_stores];
    (void)pthread_mutex_unlock(&w->lock);
    if (*out == NULL)
        TRY(store_client_new(out, &config, e));
    store_client_stop_on(*out, stop);
    return RC_OK;
}

void worker_store_give_back(struct worker *w, struct store_client *store)
{
    store_client_stop_on(store, NULL);
    (void)pthread_mutex_lock(&w->lock);
    if (w->n_stores < WORKER_MAX_STORES) {
        w->stores[w->n_stores++] = store;
        store = NULL;
    }
    (void)pthread_mutex_unlock(&w->lock);
    store_client_free(store);
}

/* What is believed of the chain follows from genesis; the newest block seen is kept in DIR. */
static enum rc open_light(struct worker *w, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    AUTO_FREE char *path = xasprintf("%s/trusted.json", w->config.dir);
    struct light_client_config config = {
        .urls = &w->config.rpc_url, .n_urls = 1, .path = path, .caller_saves = true};

    if (w->config.genesis_path == NULL) {
        log_warn("worker", "no genesis file: what the ledger node says is believed");
        return RC_OK;
    }
    TRY(file_read(&text, w->config.genesis_path, GENESIS_MAX, e));
    if (light_root_from_genesis(&config.root, &a, buf_bytes(&text), e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "%s", w->config.genesis_path);
    return light_client_new(&w->light, &config, e);
}

static enum rc open_folders(struct worker *w, struct err *e)
{
    const char *dir = w->config.dir;

    TRY(dir_make(dir, 0755, e));
    TRY(dir_lock(&w->dir_lock, dir, e));
    w->validator_dir = xasprintf("%s/validators", dir);
    w->image_dir = xasprintf("%s/images", dir);
    w->tmp_dir = xasprintf("%s/tmp", dir);
    TRY(dir_make(w->validator_dir, 0755, e));
    TRY(dir_make(w->image_dir, 0755, e));
    TRY(dir_remove(w->tmp_dir, e));
    TRY(dir_make(w->tmp_dir, 0700, e));
    return journal_init(dir, e);
}

static enum rc listen_and_serve(struct worker *w, struct err *e)
{
    const struct http_server_config config = {.name = "worker",
                                              .listen = w->config.listen,
                                              .workers = w->config.n_jobs * 2 + 8,
                                              .body_max = REQUEST_MAX_SIZE,
                                              .limits = w->config.limits};

    TRY(http_server_start(&w->http, &config, service_handle, NULL, w, e));
    (void)pthread_mutex_lock(&w->lock);
    if (w->config.url == NULL)
        w->config.url = xstrdup(http_server_url(w->http));
    (void)pthread_mutex_unlock(&w->lock);
    return RC_OK;
}

/* The same API over TLS whose certificates carry evidence and name our sender account. */
static enum rc serve_tls(struct worker *w, struct err *e)
{
    const struct ratls_options options = {.name = "cloister-worker",
                                          .identity = BYTES_OF(&w->keys->sender_address)};
    const struct tls_server_config tls = {.name = "worker", .listen = w->config.tls_listen};
    struct ratls_server *ratls;

    if (w->config.tls_listen == NULL)
        return RC_OK;
    if (w->tee == NULL)
        return err_set(e, RC_MALFORMED, "a TLS port needs evidence: give --tee");
    TRY(ratls_server_start(&ratls, w->tee, &options, &tls, w->http, e));
    log_info("worker", "TLS with evidence at %s", ratls_server_url(ratls));
    (void)pthread_mutex_lock(&w->attest);
    w->ratls = ratls;
    (void)pthread_mutex_unlock(&w->attest);
    return RC_OK;
}

static enum rc open_validators(struct worker *w, struct err *e)
{
    const struct worker_config *c = &w->config;
    const struct validator_limits limits = {c->gas, c->memory_size, c->wall_ms};
    size_t n = c->n_jobs < WORKER_MAX_READY ? c->n_jobs : WORKER_MAX_READY;

    return validator_pool_new(&w->validators, c->validator_path, n, &limits, e);
}

static enum rc start(struct worker *w, struct err *e)
{
    int rc;

    TRY(open_folders(w, e));
    TRY(enroll_open(w, e));
    TRY(worker_keys_load(&w->keys, w->config.key_file, w->tee, e));
    w->chain = chain_client_new(w->config.rpc_url);
    TRY(open_light(w, e));
    TRY(open_validators(w, e));
    if (keepers_configured(w))
        keepers_open(w);
    if (w->config.role == WORKER_CONTRACT)
        TRY(contracts_start(&w->contracts, w, e));
    TRY(listen_and_serve(w, e));
    TRY(serve_tls(w, e));
    rc = pthread_create(&w->keeper, NULL, keeper_main, w);
    if (rc != 0)
        return err_errno(e, rc, "worker: thread");
    w->has_keeper = true;
    /* The pool's secrets are for those who run validators. */
    if (!keepers_configured(w) || w->config.role != WORKER_OPEN)
        return RC_OK;
    rc = pthread_create(&w->secrets, NULL, pool_secrets_main, w);
    w->has_secrets = rc == 0;
    return rc == 0 ? RC_OK : err_errno(e, rc, "worker: thread");
}

static struct worker *new_worker(const struct worker_config *config)
{
    struct worker *w = xcalloc(1, sizeof(*w));
    pthread_condattr_t monotonic;

    w->dir_lock = -1;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_mutex_init(&w->send, NULL);
    (void)pthread_mutex_init(&w->images, NULL);
    (void)pthread_mutex_init(&w->freshness, NULL);
    (void)pthread_mutex_init(&w->attest, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    w->metrics = worker_metrics_new();
    set_defaults(&w->config, config);
    return w;
}

enum rc worker_start(struct worker **out, const struct worker_config *config, struct err *e)
{
    const struct rlimit no_core = {0, 0};
    struct worker *w;
    enum rc rc;

    *out = NULL;
    if (config->dir == NULL || config->rpc_url == NULL || config->store_rpc == NULL ||
        address_is_zero(&config->tee_pool) || address_is_zero(&config->data_registry) ||
        address_is_zero(&config->dlp_registry))
        return err_set(e, RC_MALFORMED,
                       "worker: folder, ledger, store, TeePool, DataRegistry and DLPRegistry must "
                       "be given");
    /* A crash must not write what was decrypted to the disk. */
    if (setrlimit(RLIMIT_CORE, &no_core) != 0)
        return err_errno(e, errno, "worker: core dumps");
    w = new_worker(config);
    rc = start(w, e);
    if (rc != RC_OK) {
        worker_stop(w);
        return rc;
    }
    *out = w;
    return RC_OK;
}

enum rc worker_measurement(struct hash32 *out, const struct worker_config *config, struct err *e)
{
    struct worker *w;
    enum rc rc;

    if (config->tee == WORKER_TEE_NONE)
        return err_set(e, RC_MALFORMED, "no evidence is configured: give --tee");
    w = new_worker(config);
    rc = enroll_open(w, e);
    if (rc == RC_OK)
        rc = enroll_measurement(out, w->tee, e);
    free_worker(w);
    return rc;
}

const char *worker_url(const struct worker *w)
{
    return w->config.url;
}

void worker_stop(struct worker *w)
{
    struct ratls_server *ratls;

    if (w == NULL)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->stopping = true;
    (void)pthread_cond_broadcast(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_mutex_lock(&w->attest);
    ratls = MOVE(w->ratls);
    (void)pthread_mutex_unlock(&w->attest);
    keepers_stop(w);
    contracts_close(w->contracts); /* while their connections can still be told */
    ratls_server_stop(ratls);
    http_server_stop(w->http, STOP_GRACE_MS);
    if (w->has_secrets)
        (void)pthread_join(w->secrets, NULL);
    if (w->has_keeper)
        (void)pthread_join(w->keeper, NULL);
    contracts_stop(w->contracts);
    free_worker(w);
}
