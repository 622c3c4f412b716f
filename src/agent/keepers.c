#include "agent/keepers.h"

#include "attest/quote.h"
#include "base/hex.h"
#include "base/log.h"
#include "client/keeper_client.h"
#include "client/keeper_group.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/x25519.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>

#define GENESIS_MAX ((size_t)4 << 20)
#define APPROVAL_MAX 8192
#define ASK_TIMEOUT_MS 4000
#define AGAIN_MS 500
#define CONTEXT_ROOT "agent-root"
#define CONTEXT_DISK "disk"

static enum rc read_all(struct agent_keepers *k, const char *network_path,
                        const char *approval_path, struct err *e)
{
    json_auto_t *approval = NULL;

    TRY(network_read(&k->network, network_path, e));
    if (k->network.rpc == NULL)
        return err_set(e, RC_NOTFOUND, "%s names no ledger node", k->network.path);
    TRY(network_contract(&k->gatekeepers, &k->network, "Gatekeepers", e));
    TRY(network_contract(&k->workers, &k->network, "Workers", e));
    TRY(file_read(&k->genesis, k->network.genesis, GENESIS_MAX, e));
    if (approval_path == NULL)
        return RC_OK;
    TRY(file_read(&k->approval, approval_path, APPROVAL_MAX, e));
    (void)buf_cstr(&k->approval);
    if (json_parse(&approval, buf_bytes(&k->approval), APPROVAL_MAX, e) != RC_OK ||
        !json_is_object(approval))
        return err_set(e, RC_MALFORMED, "%s: not an approval", approval_path);
    return RC_OK;
}

enum rc agent_keepers_read(struct agent_keepers *out, const char *network_path,
                           const char *approval_path, struct err *e)
{
    *out = (struct agent_keepers){0};
    return read_all(out, network_path, approval_path, e);
}

void agent_keepers_clear(struct agent_keepers *k)
{
    network_clear(&k->network);
    buf_clear(&k->genesis);
    buf_clear(&k->approval);
}

void agent_keepers_measured(struct hash32 *out, const struct agent_keepers *k)
{
    struct hash32 genesis;

    sha256(&genesis, buf_bytes(&k->genesis));
    sha256_parts(out,
                 (struct bytes[]){bytes_str("cloister/agent/network/v1"), BYTES_OF(&genesis),
                                  BYTES_OF(&k->gatekeepers), BYTES_OF(&k->workers)},
                 4);
}

enum rc agent_keepers_self(struct attest_app *out, struct tee *t, struct err *e)
{
    static const uint8_t nothing[64];
    AUTO_CLEAR(tee_evidence) struct tee_evidence evidence = {0};
    struct attest_verdict v = {0};
    struct quote q;

    TRY(tee_evidence_get(t, &evidence, nothing, e));
    TRY(quote_parse(&q, buf_bytes(&evidence.quote), e));
    v.tee = q.tee;
    v.m.td = q.td;
    return attest_app_read(out, &v, buf_bytes(&evidence.event_log), e);
}

/* ---- asking ---- */

struct asking {
    const struct agent_keepers *k;
    struct tee *t;
    struct light_client *light;
    struct keeper_client *client;
    struct attest_app self;
    struct keepers_found group;
    uint64_t until_ms;
};

static enum rc ask_once(struct asking *x, struct secret32 *out, enum key_purpose purpose,
                        const char *context, struct err *e)
{
    struct keepers_at at = {
        .light = x->light, .gatekeepers = x->k->gatekeepers, .workers = x->k->workers};
    struct keeper_group group = {.keys = &x->group.keys,
                                 .urls = x->group.url_of,
                                 .judge = keepers_judge,
                                 .judge_ctx = &at,
                                 .timeout_ms = ASK_TIMEOUT_MS,
                                 .app = x->k->approval.n != 0 ? (const char *)x->k->approval.p
                                                              : "null"};
    const struct key_subject subject = {.account = x->self.id,
                                        .has_instance = purpose == KEY_APP_DISK,
                                        .instance = x->self.instance};
    AUTO_CLEAR(buf) struct buf encoded = {0};
    AUTO_CLEAR(secret32) struct secret32 receive = {0};
    struct key_request q = {.purpose = purpose, .measurement = x->self.image};

    TRY(keepers_find(&x->group, &at, e));
    key_subject_encode(&encoded, purpose, &subject);
    CHECK(encoded.n <= sizeof(q.subject));
    memcpy(q.subject, encoded.p, encoded.n);
    q.subject_n = encoded.n;
    q.genesis = x->group.keys.genesis;
    q.generation = x->group.keys.generation;
    random_bytes(receive.b, sizeof(receive.b));
    x25519_pub(q.receive32, &receive);
    random_bytes(q.nonce, sizeof(q.nonce));
    return keeper_client_key(x->client, out->b, sizeof(out->b), &group, &q, bytes_str(context),
                             x->t, &receive, NULL, e);
}

/* Who does not answer yet is asked again; who refuses is not. */
static enum rc ask(struct asking *x, struct secret32 *out, enum key_purpose purpose,
                   const char *context, struct err *e)
{
    for (;;) {
        enum rc rc = ask_once(x, out, purpose, context, e);

        if (rc == RC_OK || rc == RC_DENIED || clock_mono_ms() >= x->until_ms)
            return rc;
        log_info("agent", "no keys from keepers yet: %s", e != NULL ? e->msg : rc_name(rc));
        clock_sleep_ms(AGAIN_MS);
    }
}

static enum rc ask_all(struct asking *x, struct agent_root *out, struct secret32 *disk,
                       struct err *e)
{
    AUTO_CLEAR(buf) struct buf more = {0};

    TRY(ask(x, &out->seed, KEY_APP_SIGN, CONTEXT_ROOT, e));
    TRY(ask(x, &out->ca_seed, KEY_APP_CA, CONTEXT_ROOT, e));
    TRY(ask(x, &out->env_seed, KEY_APP_ENV, CONTEXT_ROOT, e));
    if (disk != NULL)
        TRY(ask(x, disk, KEY_APP_DISK, CONTEXT_DISK, e));
    buf_put_str(&more, ",\"genesis\":\"");
    hex_put(&more, BYTES_OF(&x->group.keys.genesis));
    buf_put_str(&more, "\",\"keepers\":\"");
    hex_put(&more, BYTES_OF(&x->group.keys.public_key));
    buf_put_str(&more, "\"");
    (void)snprintf(out->more, sizeof(out->more), "%s", buf_cstr(&more));
    return RC_OK;
}

enum rc agent_keepers_get(const struct agent_keepers *k, struct agent_root *out,
                          struct secret32 *disk, struct tee *t, unsigned wait_ms, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_FREE struct asking *x = xcalloc(1, sizeof(*x));
    struct light_client_config config = {.urls = &k->network.rpc, .n_urls = 1};
    enum rc rc;

    *out = (struct agent_root){.provider = "keepers",
                               .organisation = tee_is_simulator(t) ? "Cloister Simulator (insecure)"
                                                                   : "Cloister"};
    x->k = k;
    x->t = t;
    x->until_ms = clock_mono_ms() + wait_ms;
    TRY(agent_keepers_self(&x->self, t, e));
    if (light_root_from_genesis(&config.root, &a, buf_bytes(&k->genesis), e) != RC_OK)
        return err_wrap(e, RC_MALFORMED, "%s", k->network.genesis);
    TRY(light_client_new(&x->light, &config, e));
    x->client = keeper_client_new();
    rc = ask_all(x, out, disk, e);
    keeper_client_free(x->client);
    light_client_free(x->light);
    if (rc != RC_OK) {
        agent_root_clear(out);
        if (disk != NULL)
            secret32_clear(disk);
    }
    return rc;
}
