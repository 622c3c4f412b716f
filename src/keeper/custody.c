/* Shares that are left with custodians, for the day when too many keepers are gone at once. Job:
 * the keeper's side: its backup on chain after each activation, and a share back out of t'
 * custodians' pieces. Trust: genesis, for who the custodians are: what the chain says of it does
 * not count; the chain, for who holds a share now. Each custodian judges us itself (custodian.c).
 * docs/keys.md. */
#include "keys/custody.h"

#include "base/log.h"
#include "chain/contracts.h"
#include "keeper/internal/peer.h"
#include "keeper/internal/state.h"
#include "light/contracts.h"

#define HEAD_AGE_MS 1000

/* Good pieces that came: sealed to us, so that they are no secret. Under k->lock. */
struct keeper_custody {
    struct hash32 id; /* of the share they are of */
    struct hash32 evidence[KEYS_MAX_KEEPERS];
    uint8_t pieces[KEYS_MAX_KEEPERS][CUSTODY_RETURN_SIZE];
    uint32_t have; /* bit j - 1 */
};

struct keeper_custody *custody_new(void)
{
    return xcalloc(1, sizeof(struct keeper_custody));
}

/* ---- what the chain says ---- */

static enum rc read_round(struct keeper *k, uint64_t *out, uint64_t *min_height, struct err *e)
{
    const struct address *g = &k->config.gatekeepers;
    const struct light_key keys[] = {gatekeepers_current_round_key(g),
                                     gatekeepers_next_round_key(g)};
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_value *v;
    struct light_key at;
    struct bytes value;
    st_key_round info;
    uint64_t next;

    TRY(light_client_read(k->light, &v, &a, keys, ARRAY_LEN(keys), *min_height, min_height, e));
    TRY(gatekeepers_current_round_get(out, v[0].value, e));
    TRY(gatekeepers_next_round_get(&next, v[1].value, e));
    at = gatekeepers_round_of_key(g, next);
    TRY(light_client_value(k->light, &value, &a, &at, *min_height, e));
    TRY(gatekeepers_round_of_get(&info, value, e));
    if (next != 0 && *min_height >= info.activation_height)
        *out = next;
    return *out != 0 ? RC_OK : err_set(e, RC_NOTFOUND, "no sharing of the keys is in force");
}

/* Whose share `who` holds: by the council's word, or by the keyset where it gave none. */
static uint32_t find_index(const struct keyset *keys, st_str holders, const struct address *who)
{
    uint32_t index = 0;

    if (holders.n != (size_t)keys->n * sizeof(who->b))
        return keyset_find(keys, who, &index) ? index : 0;
    for (uint32_t i = 0; i < keys->n && index == 0; i++)
        if (memcmp(holders.p + i * sizeof(who->b), who->b, sizeof(who->b)) == 0)
            index = i + 1;
    return index;
}

enum rc custody_backup_at(struct keeper *k, struct bytes *out, uint64_t round, uint32_t index,
                          struct arena *a, uint64_t min_height, struct err *e)
{
    const struct light_key at = gatekeepers_backup_of_key(&k->config.gatekeepers, round, index);
    struct bytes value;

    TRY(light_client_value(k->light, &value, a, &at, min_height, e));
    return gatekeepers_backup_of_get(out, value, e);
}

enum rc custody_read(struct keeper *k, struct custody_place *out, const struct address *who,
                     struct arena *a, uint64_t min_height, struct err *e)
{
    const struct address *g = &k->config.gatekeepers;
    struct light_value *v;
    st_str keys, holders;
    uint64_t number;

    *out = (struct custody_place){0};
    TRY(read_round(k, &number, &min_height, e));
    const struct light_key at[] = {gatekeepers_keyset_of_key(g, number),
                                   gatekeepers_holders_of_key(g, number)};
    TRY(light_client_read(k->light, &v, a, at, ARRAY_LEN(at), min_height, &min_height, e));
    TRY(gatekeepers_keyset_of_get(&keys, v[0].value, e));
    TRY(gatekeepers_holders_of_get(&holders, v[1].value, e));
    TRY(keyset_decode(&out->keys, keys, e));
    out->index = find_index(&out->keys, holders, who);
    return custody_backup_at(k, &out->backup, number, out->index, a, min_height, e);
}

/* ---- leaving ---- */

enum rc custody_step(struct keeper *k, struct err *e)
{
    struct keeper_round *r = &k->round;
    const struct keeper_serving *s = k->serving;
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf backup = {0};
    struct buf data = {0};
    struct bytes left;

    if (k->genesis.custodians.n == 0 || s->index == 0 || r->in_force == 0 ||
        r->backed_up == r->in_force || s->keys.round != r->in_force)
        return RC_OK;
    TRY(custody_backup_at(k, &left, r->in_force, s->index, &a, r->height, e));
    if (left.n == 0) {
        TRY(custody_backup(&backup, &s->keys, s->index, &s->share, &k->genesis.custodians, NULL,
                           e));
        gatekeepers_put_postBackup(&data, r->in_force, buf_bytes(&backup));
        TRY(keeper_transact(k, &k->config.gatekeepers, &data, e));
        log_info("keeper", "round %llu: our share is left with %u custodians",
                 (unsigned long long)r->in_force, k->genesis.custodians.n);
    }
    r->backed_up = r->in_force;
    return RC_OK;
}

/* ---- getting back ---- */

/* The share that we hold and do not have. */
static enum rc find_place(struct keeper *k, struct custody_place *p, struct hash32 *id,
                          struct arena *a, struct err *e)
{
    uint64_t newest;
    bool has;

    TRY(light_client_newest(k->light, &newest, e));
    TRY(custody_read(k, p, &k->address, a, newest, e));
    if (p->index == 0)
        return err_set(e, RC_DENIED, "the sharing in force has no share for this keeper");
    (void)pthread_mutex_lock(&k->lock);
    has = vault_find(k->vault, p->keys.round) != NULL;
    (void)pthread_mutex_unlock(&k->lock);
    if (has)
        return err_set(e, RC_DENIED, "this keeper has its share of round %llu",
                       (unsigned long long)p->keys.round);
    if (p->backup.n == 0)
        return err_set(e, RC_DENIED, "keeper %u left no backup of its share of round %llu",
                       p->index, (unsigned long long)p->keys.round);
    custody_id(id, &p->keys, p->index, &k->genesis.custodians);
    return RC_OK;
}

static bool refuse_early(struct keeper *k, struct http_response *resp)
{
    bool serves;

    (void)pthread_mutex_lock(&k->lock);
    serves = k->serving->index != 0;
    (void)pthread_mutex_unlock(&k->lock);
    if (k->genesis.custodians.n == 0)
        keeper_refuse(resp, 404, "no custodians", "this network's genesis names none");
    else if (k->retired)
        keeper_refuse(resp, 403, "handed over", "a later build of this keeper has its share");
    else if (serves)
        keeper_refuse(resp, 403, "custody", "this keeper has its share");
    else
        return false;
    return true;
}

/* So that the custodian sees a head that is no older than its question. */
static enum rc show_fresh(struct keeper *k, struct err *e)
{
    enum rc rc;

    (void)pthread_mutex_lock(&k->send);
    rc = light_client_refresh(k->light, k->chain, &k->sender, HEAD_AGE_MS, e);
    (void)pthread_mutex_unlock(&k->send);
    return rc;
}

static enum rc make_ask(struct keeper *k, json_t **out, uint32_t j, const uint8_t challenge[1][32],
                        struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf request = {0}, evidence = {0};
    struct custody_ask q = {.custodian = j};
    struct custody_place p;
    struct hash32 hash;

    TRY(find_place(k, &p, &q.id, &a, e));
    TRY(show_fresh(k, e));
    memcpy(q.receive32, k->receive_pub, sizeof(q.receive32));
    custody_ask_encode(&request, &q);
    custody_ask_hash(&hash, &q);
    TRY(peer_body(out, &evidence, k->tee, buf_bytes(&request), &hash, challenge, 1, e));
    CHECK(json_object_set_new(*out, "account", json_hex_new(BYTES_OF(&k->address))) == 0);
    return RC_OK;
}

static void refuse(struct http_response *resp, const struct err *e)
{
    keeper_refuse(resp, e->code == RC_DENIED || e->code == RC_NOTFOUND ? 403 : 503, "custody",
                  e->msg);
}

static enum rc read_custodian(struct keeper *k, uint64_t *j, const json_t *body, struct err *e)
{
    TRY(json_u64(j, body, "custodian", k->genesis.custodians.n, e));
    return *j != 0 ? RC_OK : err_set(e, RC_RANGE, "custodians count from 1");
}

void custody_post_ask(struct keeper *k, const json_t *body, struct http_response *resp)
{
    uint8_t challenge[1][32];
    struct err e = {0};
    json_t *o = NULL;
    uint64_t j;

    if (refuse_early(k, resp))
        return;
    if (read_custodian(k, &j, body, &e) != RC_OK ||
        json_hex_fixed(challenge[0], 32, body, "challenge", &e) != RC_OK)
        keeper_refuse(resp, 400, "malformed", e.msg);
    else if (make_ask(k, &o, (uint32_t)j, (const uint8_t(*)[32])challenge, &e) != RC_OK)
        refuse(resp, &e);
    else
        keeper_answer(resp, 200, o);
}

/* Good ones stay; *have is how many there are. */
static enum rc take_piece(struct keeper *k, const struct custody_place *p, const struct hash32 *id,
                          uint32_t j, struct bytes piece, const struct hash32 *evidence,
                          uint32_t *have, struct err *e)
{
    AUTO_CLEAR(ristretto_scalar) struct ristretto_scalar share = {0};
    const struct custodians *c = &k->genesis.custodians;
    struct keeper_custody *got = k->custody;
    struct bytes returns[KEYS_MAX_KEEPERS] = {{0}};
    enum rc rc = RC_AGAIN;

    TRY(custody_check_return(p->backup, &p->keys, c, j, piece, &k->vault->receive, evidence, e));
    (void)pthread_mutex_lock(&k->lock);
    if (!hash32_eq(&got->id, id))
        *got = (struct keeper_custody){.id = *id};
    got->evidence[j - 1] = *evidence;
    memcpy(got->pieces[j - 1], piece.p, CUSTODY_RETURN_SIZE);
    got->have |= 1U << (j - 1);
    for (uint32_t i = 0; i < c->n; i++)
        if ((got->have >> i & 1) != 0)
            returns[i] = bytes_of(got->pieces[i], CUSTODY_RETURN_SIZE);
    *have = (uint32_t)__builtin_popcount(got->have);
    if (*have >= c->t)
        rc = custody_recover(&share, p->backup, &p->keys, c, returns, &k->vault->receive,
                             got->evidence, e);
    (void)pthread_mutex_unlock(&k->lock);
    if (rc == RC_OK)
        recovery_give(k, &p->keys, &share, true);
    return rc == RC_AGAIN ? RC_OK : rc;
}

void custody_post_return(struct keeper *k, const json_t *body, struct http_response *resp)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf piece = {0};
    struct custody_place p;
    struct hash32 id, evidence;
    struct err e = {0};
    uint32_t have;
    uint64_t j;

    if (refuse_early(k, resp))
        return;
    if (read_custodian(k, &j, body, &e) != RC_OK ||
        json_hex_fixed(evidence.b, sizeof(evidence.b), body, "evidence", &e) != RC_OK ||
        json_hex(&piece, body, "piece", CUSTODY_RETURN_SIZE, &e) != RC_OK) {
        keeper_refuse(resp, 400, "malformed", e.msg);
    } else if (find_place(k, &p, &id, &a, &e) != RC_OK) {
        refuse(resp, &e);
    } else if (take_piece(k, &p, &id, (uint32_t)j, buf_bytes(&piece), &evidence, &have, &e) !=
               RC_OK) {
        keeper_refuse(resp, 403, "piece", e.msg);
    } else {
        keeper_answer(resp, 200,
                      json_pack("{s:I, s:I, s:I, s:I}", "keeper", (json_int_t)p.index, "round",
                                (json_int_t)p.keys.round, "pieces", (json_int_t)have, "needed",
                                (json_int_t)k->genesis.custodians.t));
    }
}
