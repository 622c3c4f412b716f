/* Whom a requester of keys asks, against keepers that answer, hang, refuse and lie. */
#include "lib/t.h"

#include "base/hex.h"
#include "base/mem.h"
#include "client/keeper_client.h"
#include "codec/json.h"
#include "crypto/x25519.h"
#include "keys/vss.h"
#include "net/http_server.h"
#include "os/clock.h"
#include "tee/simulator.h"

#include <pthread.h>

#define T 2
#define N 4
#define SUBJECT "a subject of twenty."

enum manner { HONEST, LIES, REFUSES, HANGS, NO_CHALLENGE };

static struct world {
    struct keyset keys;
    struct ristretto_scalar shares[N];
    struct tee *tee;
    struct secret32 receive;
    uint8_t receive32[32];
    struct keeper {
        struct world *w;
        uint32_t index;
        enum manner manner;
        struct http_server *http;
        unsigned n_partials;
    } keepers[N];
    const char *urls[N];
    struct keeper_client *client;
} world;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards manners and counts */
static struct err e;

static void hang(struct http_response *resp)
{
    while (!http_response_is_closed(resp))
        clock_sleep_ms(5);
}

static void answer(struct http_response *resp, json_t *o)
{
    json_put(&resp->body, o);
    json_decref(o);
}

static void give(struct keeper *k, bool lie, struct http_request *req, struct http_response *resp)
{
    AUTO_CLEAR(buf) struct buf request = {0}, sealed = {0};
    json_auto_t *body = NULL;
    struct key_request q;
    struct dprf_input in;
    struct dprf_partial p;
    struct hash32 hash;

    CHECK_OK(json_parse(&body, req->body, 1 << 20, &e), &e);
    CHECK_OK(json_hex(&request, body, "request", KEY_REQUEST_MAX_SIZE, &e), &e);
    CHECK_OK(key_request_decode(&q, buf_bytes(&request), &e), &e);
    key_request_hash(&hash, &q);
    (void)pthread_mutex_lock(&lock);
    k->n_partials++;
    (void)pthread_mutex_unlock(&lock);
    in = (struct dprf_input){.purpose = bytes_str(key_purpose_text(q.purpose)),
                             .subject = bytes_of(q.subject, q.subject_n),
                             .epoch = q.epoch};
    CHECK_OK(
        dprf_evaluate(&p, &k->w->keys, k->index, &k->w->shares[k->index - 1], &in, &hash, NULL, &e),
        &e);
    p.z.b[0] ^= lie;
    CHECK_OK(dprf_partial_seal(&sealed, &p, &k->w->keys, q.receive32, &hash, NULL, &e), &e);
    answer(resp, json_pack("{s:o}", "partial", json_hex_new(buf_bytes(&sealed))));
}

static void handle(struct http_request *req, struct http_response *resp, void *data)
{
    static const uint8_t challenge[32] = {1};
    struct keeper *k = data;
    enum manner manner;

    (void)pthread_mutex_lock(&lock);
    manner = k->manner;
    (void)pthread_mutex_unlock(&lock);
    if (strcmp(req->path, "/challenge") == 0) {
        if (manner == NO_CHALLENGE)
            hang(resp);
        else
            answer(resp, json_pack("{s:o}", "challenge", json_hex_new(BYTES_OF(&challenge))));
    } else if (manner == HANGS) {
        hang(resp);
    } else if (manner == REFUSES) {
        resp->status = 403;
        answer(resp, json_pack("{s:{s:s, s:s}}", "error", "rule", "epoch", "message", "too old"));
    } else {
        give(k, manner == LIES, req, resp);
    }
}

static void deal(struct world *w)
{
    struct vss_polynomial p = {.t = T};

    w->keys = (struct keyset){.generation = 1, .round = 1, .t = T, .n = N};
    for (uint32_t k = 0; k < T; k++)
        ristretto_scalar_random(&p.a[k], NULL);
    ristretto_mul_base(&w->keys.public_key, &p.a[0]);
    for (uint32_t i = 1; i <= N; i++) {
        vss_share(&w->shares[i - 1], &p, i);
        ristretto_mul_base(&w->keys.members[i - 1].commitment, &w->shares[i - 1]);
        memset(w->keys.members[i - 1].who.b, (int)i, 20);
    }
}

static struct world *open_world(void)
{
    const uint64_t now_s = clock_wall_ns() / 1000000000u;
    struct world *w = &world;
    AUTO_FREE char *dir = xasprintf("%s/sim", t_tmpdir());
    struct tee_sim_launch launch = {.dir = dir, .machine = "a", .image = bytes_str("a requester")};
    struct tee_config config = {.source = TEE_SOURCE_SIMULATOR, .launch = &launch};
    struct tee_sim *sim;

    memset(w, 0, sizeof(*w));
    CHECK_OK(tee_sim_create(dir, now_s, &e), &e);
    CHECK_OK(tee_sim_open(&sim, dir, &e), &e);
    CHECK_OK(tee_sim_machine_add(sim, "a", NULL, now_s, &e), &e);
    tee_sim_close(sim);
    CHECK_OK(tee_open(&w->tee, &config, &e), &e);
    deal(w);
    w->receive.b[0] = 1;
    x25519_pub(w->receive32, &w->receive);
    for (uint32_t i = 0; i < N; i++) {
        const struct http_server_config http = {.listen = "127.0.0.1:0", .workers = 4};
        struct keeper *k = &w->keepers[i];

        *k = (struct keeper){.w = w, .index = i + 1};
        CHECK_OK(http_server_start(&k->http, &http, handle, NULL, k, &e), &e);
        w->urls[i] = http_server_url(k->http);
    }
    w->client = keeper_client_new();
    return w;
}

static void close_world(struct world *w)
{
    keeper_client_free(w->client);
    for (uint32_t i = 0; i < N; i++)
        http_server_stop(w->keepers[i].http, 1000);
    tee_close(w->tee);
}

static void set_manner(struct world *w, uint32_t index, enum manner m)
{
    (void)pthread_mutex_lock(&lock);
    w->keepers[index - 1].manner = m;
    (void)pthread_mutex_unlock(&lock);
}

static enum rc get(struct world *w, uint8_t key[32], struct keeper_answer answers[KEYS_MAX_KEEPERS])
{
    const struct keeper_group g = {.keys = &w->keys, .urls = w->urls, .timeout_ms = 20000};
    struct key_request q = {
        .purpose = KEY_POOL_SECRETS, .subject_n = 24, .generation = 1, .measurement = {{3}}};

    q.subject[3] = 20;
    memcpy(q.subject + 4, SUBJECT, 20);
    memcpy(q.receive32, w->receive32, 32);
    return keeper_client_key(w->client, key, 32, &g, &q, bytes_str("test"), w->tee, &w->receive,
                             answers, &e);
}

static unsigned n_used(const struct keeper_answer *answers)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < N; i++)
        n += answers[i].used;
    return n;
}

static unsigned n_asked(const struct keeper_answer *answers)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < N; i++)
        n += answers[i].asked;
    return n;
}

TEST(as_many_as_needed_are_asked_in_turn)
{
    struct keeper_answer answers[KEYS_MAX_KEEPERS];
    struct world *w = open_world();
    uint8_t first[32], key[32];

    CHECK_OK(get(w, first, answers), &e);
    for (int i = 0; i < 2 * N; i++) {
        CHECK_OK(get(w, key, answers), &e);
        CHECK_MEM(BYTES_OF(&key), BYTES_OF(&first));
        CHECK_TRUE(n_used(answers) == T && n_asked(answers) >= T);
    }
    for (uint32_t i = 0; i < N; i++)
        CHECK_TRUE(w->keepers[i].n_partials != 0);
    close_world(w);
}

/* Two of four: each pair that is first must get by. */
TEST(others_come_for_the_late_and_liars)
{
    static const enum manner manners[] = {LIES, REFUSES, HANGS, NO_CHALLENGE};
    struct keeper_answer answers[KEYS_MAX_KEEPERS];
    struct world *w = open_world();
    uint8_t first[32], key[32];

    CHECK_OK(get(w, first, answers), &e);
    for (size_t m = 0; m < ARRAY_LEN(manners); m++) {
        unsigned lies = 0, timeouts = 0, refusals = 0;

        set_manner(w, 2, manners[m]);
        set_manner(w, 3, manners[m]);
        keeper_client_free(w->client); /* it knows nothing of them */
        w->client = keeper_client_new();
        for (int i = 0; i < N; i++) {
            CHECK_OK(get(w, key, answers), &e);
            CHECK_MEM(BYTES_OF(&key), BYTES_OF(&first));
            for (uint32_t k = 1; k <= 2; k++) {
                lies += answers[k].lied;
                timeouts += answers[k].rc == RC_TIMEOUT;
                refusals += !answers[k].lied && answers[k].rc == RC_DENIED;
                CHECK_TRUE(!answers[k].used);
            }
            CHECK_TRUE(!answers[0].lied && !answers[3].lied);
        }
        CHECK_TRUE((lies != 0) == (manners[m] == LIES));
        CHECK_TRUE((refusals != 0) == (manners[m] == REFUSES));
        CHECK_TRUE((timeouts != 0) == (manners[m] == HANGS || manners[m] == NO_CHALLENGE));
        /* Whoever failed is asked last: once is enough for each. */
        if (manners[m] == LIES)
            CHECK_INT(lies, 2);
    }
    close_world(w);
}

TEST(too_few_are_no_key)
{
    struct keeper_answer answers[KEYS_MAX_KEEPERS];
    struct world *w = open_world();
    uint8_t key[32];

    for (uint32_t i = 1; i <= 3; i++)
        set_manner(w, i, REFUSES);
    CHECK_RC(get(w, key, answers), RC_DENIED, &e, "epoch: too old");
    for (uint32_t i = 1; i <= 3; i++)
        set_manner(w, i, LIES);
    CHECK_RC(get(w, key, answers), RC_DENIED, &e, "lies");
    for (uint32_t i = 0; i < N; i++)
        w->urls[i] = "http://127.0.0.1:1";
    CHECK_RC(get(w, key, answers), RC_AGAIN, &e, "127.0.0.1:1");
    w->urls[0] = w->urls[1] = w->urls[2] = NULL;
    CHECK_RC(get(w, key, NULL), RC_AGAIN, &e, "has no address");
    close_world(w);
}
