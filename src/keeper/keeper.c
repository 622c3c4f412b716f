#include "keeper/keeper.h"

#include "base/hex.h"
#include "base/log.h"
#include "chain/address.h"
#include "client/enroll.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "crypto/x25519.h"
#include "keeper/internal/state.h"
#include "os/clock.h"
#include "os/file.h"
#include "tee/ratls.h"

#include <errno.h>
#include <sys/resource.h>

#define STOP_GRACE_MS 2000
#define GENESIS_MAX ((size_t)4 << 20)

/* What decides a keeper's behaviour besides its program: whom it believes. Sorted keys. */
static enum rc put_settings(struct buf *out, const struct keeper_config *c, struct err *e)
{
    const struct {
        const char *name;
        const struct address *a;
    } contracts[] = {{"collateral", &c->collateral}, {"confidential_contracts", &c->confidential},
                     {"council", &c->council},       {"gatekeepers", &c->gatekeepers},
                     {"tee_pool", &c->tee_pool},     {"workers", &c->workers}};
    AUTO_CLEAR(buf) struct buf genesis = {0};
    struct hash32 root_of_trust;
    json_auto_t *o = json_pack("{s:s, s:I}", "role", "keeper", "max_head_age_ms",
                               (json_int_t)c->max_head_age_ms);

    TRY(file_read(&genesis, c->genesis_path, GENESIS_MAX, e));
    sha256(&root_of_trust, buf_bytes(&genesis));
    CHECK(json_object_set_new(o, "genesis", json_hex_new(BYTES_OF(&root_of_trust))) == 0);
    for (size_t i = 0; i < ARRAY_LEN(contracts); i++)
        CHECK(json_object_set_new(o, contracts[i].name, json_hex_new(BYTES_OF(contracts[i].a))) ==
              0);
    json_put(out, o);
    return RC_OK;
}

static enum rc open_tee(struct tee **out, const struct keeper_config *c, struct err *e)
{
    AUTO_CLEAR(buf) struct buf settings = {0};

    TRY(put_settings(&settings, c, e));
    return tee_open_option(out, c->tee, (struct bytes){0}, buf_bytes(&settings), e);
}

static void set_defaults(struct keeper_config *c, const struct keeper_config *in)
{
    *c = *in;
    c->listen = in->listen != NULL ? in->listen : "127.0.0.1:8595";
    c->tee = in->tee != NULL ? in->tee : "auto";
    c->poke_ms = in->poke_ms != 0 ? in->poke_ms : 1000;
    c->max_head_age_ms = in->max_head_age_ms != 0 ? in->max_head_age_ms : 10000;
}

static enum rc check(const struct keeper_config *c, struct err *e)
{
    if (c->genesis_path == NULL)
        return err_set(e, RC_MALFORMED,
                       "a keeper needs the genesis file (--genesis): it believes "
                       "no node");
    if (address_is_zero(&c->workers) || address_is_zero(&c->gatekeepers) ||
        address_is_zero(&c->council) || address_is_zero(&c->collateral) ||
        address_is_zero(&c->tee_pool))
        return err_set(e, RC_MALFORMED,
                       "the addresses of Workers, Gatekeepers, Council, "
                       "Collateral and TeePool must be given");
    return RC_OK;
}

static enum rc open_chain(struct keeper *k, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    AUTO_FREE char *path =
        k->config.dir == NULL ? NULL : xasprintf("%s/trusted.json", k->config.dir);
    struct light_client_config config = {.urls = &k->config.rpc_url, .n_urls = 1, .path = path};

    TRY(file_read(&text, k->config.genesis_path, GENESIS_MAX, e));
    if (genesis_read(k, buf_bytes(&text), e) != RC_OK ||
        light_root_from_genesis(&config.root, &a, buf_bytes(&text), e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "%s", k->config.genesis_path);
    k->council.governors = k->genesis.governors;
    k->chain = chain_client_new(k->config.rpc_url);
    TRY(light_client_new(&k->light, &config, e));
    k->at = (struct keepers_at){
        .light = k->light, .gatekeepers = k->config.gatekeepers, .workers = k->config.workers};
    return RC_OK;
}

/* Nothing is left to be a keeper with. */
static enum rc gone(struct keeper *k, struct err *e)
{
    char to[65];

    vault_wipe(k->vault);
    TRY(vault_save_keys(k->vault, k->tee, k->config.dir, e));
    hex_encode(to, BYTES_OF(&k->vault->to));
    return err_set(e, RC_DENIED,
                   "%s: this keeper has handed over to measurement %s: the folder can be removed",
                   k->config.dir, to);
}

static enum rc open_vault(struct keeper *k, struct err *e)
{
    const char *from = k->config.take_over_from;

    if (from != NULL && !vault_exists(k->config.dir))
        TRY(handover_take(k, from, e));
    TRY(vault_open(&k->vault, k->tee, k->config.dir, e));
    k->retired = k->vault->end != VAULT_IN_USE;
    if (k->vault->end == VAULT_GONE)
        return gone(k, e);
    TRY(secp_key_from_bytes(&k->sender, k->vault->sender.b, e));
    secp_key_address(&k->address, &k->sender);
    x25519_pub(k->receive_pub, &k->vault->receive);
    return RC_OK;
}

static enum rc serve(struct keeper *k, struct err *e)
{
    const struct http_server_config config = {
        .name = "keeper", .listen = k->config.listen, .workers = 16, .limits = k->config.limits};

    TRY(http_server_start(&k->http, &config, keeper_handle, NULL, k, e));
    /* Before our address is known nobody else knows it either. */
    k->url = xstrdup(k->config.url != NULL ? k->config.url : http_server_url(k->http));
    if (k->config.tls_listen != NULL) {
        char name[ADDRESS_TEXT_SIZE];
        const struct ratls_options o = {.name = "cloister-keeper",
                                        .identity = BYTES_OF(&k->address)};
        const struct tls_server_config tls = {.listen = k->config.tls_listen};

        address_format(name, &k->address);
        TRY(ratls_server_start(&k->tls, k->tee, &o, &tls, k->http, e));
        log_info("keeper", "%s: TLS with evidence at %s", name, ratls_server_url(k->tls));
    }
    return RC_OK;
}

static enum rc start(struct keeper *k, struct err *e)
{
    int rc;

    TRY(check(&k->config, e));
    TRY(dir_make(k->config.dir, 0700, e));
    TRY(dir_lock(&k->dir_lock, k->config.dir, e));
    TRY(dir_clean(k->config.dir, e)); /* shares of before too */
    TRY(open_tee(&k->tee, &k->config, e));
    TRY(enroll_measurement(&k->measurement, k->tee, e));
    TRY(open_chain(k, e));
    TRY(open_vault(k, e));
    TRY(serve(k, e));
    rc = pthread_create(&k->thread, NULL, rounds_main, k);
    if (rc != 0)
        return err_errno(e, rc, "keeper: thread");
    k->has_thread = true;
    rc = pthread_create(&k->recovery_thread, NULL, recovery_main, k);
    if (rc != 0)
        return err_errno(e, rc, "keeper: thread");
    k->has_recovery_thread = true;
    return RC_OK;
}

static enum rc new_keeper(struct keeper **out, const struct keeper_config *config, struct err *e)
{
    const struct rlimit no_core = {0, 0};
    struct keeper *k;

    if (setrlimit(RLIMIT_CORE, &no_core) != 0)
        return err_errno(e, errno, "keeper: core dumps");
    *out = k = xcalloc(1, sizeof(*k));
    k->dir_lock = -1;
    k->serving = secret_alloc(sizeof(*k->serving));
    k->recovery = recovery_new();
    k->custody = custody_new();
    k->metrics = metrics_new();
    k->collateral = collateral_new();
    k->lines = keeper_lines_new();
    (void)pthread_mutex_init(&k->lock, NULL);
    (void)pthread_mutex_init(&k->send, NULL);
    (void)pthread_mutex_init(&k->ask, NULL);
    set_defaults(&k->config, config);
    return RC_OK;
}

enum rc keeper_start(struct keeper **out, const struct keeper_config *config, struct err *e)
{
    struct keeper *k;
    enum rc rc;

    *out = NULL;
    if (config->dir == NULL || config->rpc_url == NULL)
        return err_set(e, RC_MALFORMED, "a keeper needs a folder (--dir) and a ledger (--rpc)");
    TRY(new_keeper(&k, config, e));
    rc = start(k, e);
    if (rc != RC_OK) {
        keeper_stop(k);
        return rc;
    }
    *out = k;
    return RC_OK;
}

enum rc keeper_view(struct keeper **out, const struct keeper_config *config, struct err *e)
{
    struct keeper *k;
    enum rc rc;

    *out = NULL;
    TRY(new_keeper(&k, config, e));
    k->vault = secret_alloc(sizeof(*k->vault)); /* of removals that are seen */
    rc = check(&k->config, e);
    if (rc == RC_OK)
        rc = open_chain(k, e);
    if (rc == RC_OK)
        *out = k;
    else
        keeper_stop(k);
    return rc;
}

enum rc keeper_measurement(struct hash32 *out, const struct keeper_config *config, struct err *e)
{
    struct keeper_config c;
    struct tee *t;
    enum rc rc;

    set_defaults(&c, config);
    TRY(check(&c, e));
    TRY(open_tee(&t, &c, e));
    rc = enroll_measurement(out, t, e);
    tee_close(t);
    return rc;
}

const char *keeper_url(const struct keeper *k)
{
    return k->url;
}

void keeper_stop(struct keeper *k)
{
    if (k == NULL)
        return;
    k->stopping = true;
    ratls_server_stop(k->tls);
    http_server_stop(k->http, STOP_GRACE_MS);
    if (k->has_thread)
        (void)pthread_join(k->thread, NULL);
    if (k->has_recovery_thread)
        (void)pthread_join(k->recovery_thread, NULL);
    keeper_lines_free(k->lines);
    light_client_free(k->light);
    chain_client_free(k->chain);
    council_view_clear(&k->council);
    collateral_free(k->collateral);
    for (size_t i = 0; i < KEEPER_HEADS; i++)
        arena_clear(&k->blocks[i].mem);
    arena_clear(&k->arena);
    secp_key_clear(&k->sender);
    secret_free(k->vault);
    secret_free(k->serving);
    secret_free(k->recovery);
    free(k->custody);
    tee_close(k->tee);
    metrics_free(k->metrics);
    if (k->dir_lock >= 0)
        (void)close(k->dir_lock);
    (void)pthread_mutex_destroy(&k->lock);
    (void)pthread_mutex_destroy(&k->send);
    (void)pthread_mutex_destroy(&k->ask);
    free(k->url);
    free(k);
}
