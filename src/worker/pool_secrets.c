/* The key of the TEE pool's secrets: had ready, and its public half announced on chain, where
 * senders find it. What counts there is what more than half of the active workers say. */
#include "base/log.h"
#include "base/mem.h"
#include "chain/contracts.h"
#include "chain/sealed_secret.h"
#include "client/light_client.h"
#include "crypto/hash.h"
#include "light/contracts.h"
#include "os/clock.h"
#include "worker/internal/keepers.h"
#include "worker/proof/onchain.h"

#include <stdio.h>

#define LOOK_EVERY_MS 3000
#define LOOK_SOON_MS 500 /* while something of ours is not done yet */
#define LOOK_MOST_MS 8000
/* TeePool's, where the chain has no value: contracts/system/TeePool.c */
#define PERIOD_DEFAULT_S (7u * 24 * 3600)
#define OPEN_DEFAULT_S (90u * 24 * 3600)

/* As proved. */
struct view {
    uint64_t oldest, epoch;
    uint64_t began_s, period_s;      /* of the current epoch */
    uint64_t second_began_s, open_s; /* when the oldest one's successor began */
    struct address pool_workers;
    bool is_active; /* we, in the pool */
    struct hash32 said;
    st_secrets_key in_force;
};

enum { P_OLDEST, P_EPOCH, P_PERIOD, P_OPEN, P_TEE, P_WORKERS, N_FIRST };
enum { P_BEGAN, P_SECOND, P_SAID, P_KEY, N_SECOND };

static enum rc read_epochs(struct worker *w, struct view *out, uint64_t *height, struct err *e)
{
    const struct address *p = &w->config.tee_pool;
    const struct light_key keys[N_FIRST] = {
        [P_OLDEST] = tee_pool_secrets_oldest_key(p),
        [P_EPOCH] = tee_pool_secrets_epoch_key(p),
        [P_PERIOD] = tee_pool_secrets_period_key(p),
        [P_OPEN] = tee_pool_secrets_open_for_key(p),
        [P_TEE] = tee_pool_tee_of_key(p, w->keys->sender_address),
        [P_WORKERS] = tee_pool_workers_contract_key(p),
    };
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_value *v;
    st_tee tee;

    TRY(light_client_read(w->light, &v, &a, keys, N_FIRST, *height, height, e));
    TRY(tee_pool_secrets_oldest_get(&out->oldest, v[P_OLDEST].value, e));
    TRY(tee_pool_secrets_epoch_get(&out->epoch, v[P_EPOCH].value, e));
    TRY(tee_pool_secrets_period_get(&out->period_s, v[P_PERIOD].value, e));
    TRY(tee_pool_secrets_open_for_get(&out->open_s, v[P_OPEN].value, e));
    TRY(tee_pool_tee_of_get(&tee, v[P_TEE].value, e));
    TRY(tee_pool_workers_contract_get(&out->pool_workers, v[P_WORKERS].value, e));
    out->is_active = tee.status == TEE_ACTIVE && address_eq(&out->pool_workers, &w->config.workers);
    out->period_s = out->period_s != 0 ? out->period_s : PERIOD_DEFAULT_S;
    out->open_s = out->open_s != 0 ? out->open_s : OPEN_DEFAULT_S;
    return RC_OK;
}

static enum rc look(struct worker *w, struct view *out, struct err *e)
{
    const struct address *p = &w->config.tee_pool;
    AUTO_CLEAR(arena) struct arena a = {0};
    uint64_t height = w->own_height;
    struct light_value *v;

    memset(out, 0, sizeof(*out));
    TRY(read_epochs(w, out, &height, e));
    const struct light_key keys[N_SECOND] = {
        [P_BEGAN] = tee_pool_secrets_began_key(p, out->epoch),
        [P_SECOND] = tee_pool_secrets_began_key(p, out->oldest + 1),
        [P_SAID] = tee_pool_secrets_said_key(p, out->epoch, w->keys->sender_address),
        [P_KEY] = tee_pool_secrets_key_of_key(p, out->epoch),
    };
    TRY(light_client_read(w->light, &v, &a, keys, N_SECOND, height, NULL, e));
    TRY(tee_pool_secrets_began_get(&out->began_s, v[P_BEGAN].value, e));
    TRY(tee_pool_secrets_began_get(&out->second_began_s, v[P_SECOND].value, e));
    TRY(tee_pool_secrets_said_get(&out->said, v[P_SAID].value, e));
    return tee_pool_secrets_key_of_get(&out->in_force, v[P_KEY].value, e);
}

static struct key_wish wish_for(const struct worker *w, uint64_t epoch, uint64_t generation)
{
    return (struct key_wish){.purpose = KEY_POOL_SECRETS,
                             .subject = {.account = w->config.tee_pool},
                             .epoch = epoch,
                             .generation = generation,
                             .context = bytes_str(SEALED_SECRET_CONTEXT)};
}

/* What TeePool keeps of an announcement. */
static void announcement_id(struct hash32 *out, uint64_t epoch, uint64_t generation,
                            const struct hash32 *key)
{
    uint8_t numbers[16];

    store_u64be(numbers, epoch);
    store_u64be(numbers + 8, generation);
    sha256_parts(out, (struct bytes[]){BYTES_OF(&numbers), BYTES_OF(key)}, 2);
}

static enum rc announce(struct worker *w, const struct view *v, uint64_t generation,
                        const struct hash32 *key, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    struct hash32 id;

    if (v->in_force.generation == generation && !hash32_eq(&v->in_force.key, key))
        log_error("worker",
                  "the key on chain for secrets of epoch %llu is not the keepers' one: a "
                  "majority of the workers announced another",
                  (unsigned long long)v->epoch);
    announcement_id(&id, v->epoch, generation, key);
    if (hash32_eq(&id, &v->said))
        return RC_OK;
    tee_pool_put_announceSecretsKey(&data, v->epoch, generation, key);
    TRY(onchain_send(w, &data, e));
    log_info("worker", "announced the key for secrets of epoch %llu", (unsigned long long)v->epoch);
    return RC_OK;
}

/* Others do it too: whose transaction comes second is refused, and that is fine. */
static void move_epoch(struct worker *w, const struct view *v)
{
    uint64_t now_s = clock_wall_ns() / 1000000000;
    AUTO_CLEAR(buf) struct buf data = {0};
    struct err e;

    if (v->began_s == 0)
        return;
    if (now_s < v->began_s + v->period_s &&
        (v->oldest == v->epoch || now_s < v->second_began_s + v->open_s))
        return;
    tee_pool_put_moveSecretsEpoch(&data);
    if (onchain_send(w, &data, &e) != RC_OK)
        log_debug("worker", "the epoch of secrets: %s", e.msg);
}

/* RC_AGAIN without words: nothing to do before we are in the pool. */
static enum rc keep(struct worker *w, bool *done, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 released = {0};
    AUTO_CLEAR(secret32) struct secret32 key = {0};
    struct key_wish wish;
    uint64_t generation;
    struct hash32 pub;
    struct view v;

    *done = false;
    TRY(look(w, &v, e));
    if (!v.is_active)
        return RC_OK;
    move_epoch(w, &v);
    TRY(keepers_generation(w, &generation, e));
    wish = wish_for(w, v.epoch, generation);
    TRY(keys_keepers_get(w, &released, &generation, &wish, 0, e));
    sealed_secret_key(&key, pub.b, &released);
    TRY(announce(w, &v, generation, &pub, e));
    *done = true;
    return RC_OK;
}

static bool pause_for(const struct worker *w, uint64_t ms)
{
    uint64_t until = clock_mono_ms() + ms;

    while (!w->stopping && clock_mono_ms() < until)
        clock_sleep_ms(50);
    return !w->stopping;
}

void *pool_secrets_main(void *worker)
{
    struct worker *w = worker;
    char said[sizeof(((struct err *)NULL)->msg)] = "";
    uint64_t pause = LOOK_SOON_MS;

    while (pause_for(w, pause)) {
        struct err e = {0};
        bool done = false;
        enum rc rc;

        if (!worker_is_ready(w))
            continue;
        rc = keep(w, &done, &e);
        if (rc == RC_OK) {
            said[0] = '\0';
            pause = done ? LOOK_EVERY_MS : LOOK_SOON_MS;
            continue;
        }
        /* The same complaint again and again would hide everything else. */
        if (strcmp(said, e.msg) != 0 && rc == RC_DENIED)
            log_warn("worker", "no key for secrets: %s", e.msg);
        else if (strcmp(said, e.msg) != 0)
            log_info("worker", "no key for secrets yet: %s", e.msg);
        (void)snprintf(said, sizeof(said), "%s", e.msg);
        pause = pause * 2 < LOOK_MOST_MS ? pause * 2 : LOOK_MOST_MS;
    }
    return NULL;
}

/* ---- for jobs ---- */

enum rc pool_secrets_window(struct worker *w, uint64_t epoch, struct err *e)
{
    uint64_t height = w->own_height;
    struct view v = {0};

    if (w->light == NULL)
        return err_set(e, RC_UNSUPPORTED, "this worker has no genesis file, so it gets no keys");
    TRY(read_epochs(w, &v, &height, e));
    if (epoch > v.epoch) {
        /* It may have begun in a block that we have not seen. */
        TRY(light_client_newest(w->light, &height, e));
        TRY(read_epochs(w, &v, &height, e));
    }
    if (epoch < v.oldest || epoch > v.epoch)
        return err_set(
            e, RC_RANGE, "it was sealed under epoch %llu; open are %llu to %llu: seal it again",
            (unsigned long long)epoch, (unsigned long long)v.oldest, (unsigned long long)v.epoch);
    return RC_OK;
}

enum rc pool_secrets_key(struct worker *w, struct secret32 *out, uint64_t epoch,
                         uint64_t generation, struct err *e)
{
    const struct key_wish wish = wish_for(w, epoch, generation);
    AUTO_CLEAR(secret32) struct secret32 released = {0};
    uint8_t pub[32];

    memset(out, 0, sizeof(*out));
    if (generation == 0)
        return err_set(e, RC_RANGE, "it names no generation of the keys");
    TRY(keys_keepers_get(w, &released, NULL, &wish, (unsigned)w->config.key_wait_ms, e));
    sealed_secret_key(out, pub, &released);
    return RC_OK;
}
