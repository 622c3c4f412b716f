/* That the chain we see is the one the other keepers see, and that it is not old. */
#include "base/hex.h"
#include "base/log.h"
#include "chain/eip712.h"
#include "chain/header.h"
#include "codec/json.h"
#include "crypto/random.h"
#include "keeper/internal/state.h"
#include "os/clock.h"

#define ANSWER_MAX ((size_t)1 << 20)
#define TRIES 3
#define COUNT_FOR_MS 2000 /* an agreement is counted again after this */

enum rc heads_follow(struct keeper *k, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_block head;
    struct keeper_head h;

    TRY(light_client_sync(k->light, e));
    light_client_head(k->light, &head, &a);
    h.height = (uint64_t)head.header.height;
    header_hash(&h.hash, &head.header);
    (void)pthread_mutex_lock(&k->lock);
    if (k->n_heads == 0 || k->heads[(k->n_heads - 1) % KEEPER_HEADS].height < h.height) {
        struct keeper_block *b = &k->blocks[k->n_heads % KEEPER_HEADS];

        k->heads[k->n_heads++ % KEEPER_HEADS] = h;
        arena_clear(&b->mem);
        light_block_copy(&b->block, &b->mem, &head);
    }
    (void)pthread_mutex_unlock(&k->lock);
    return RC_OK;
}

bool heads_block(struct keeper *k, uint64_t height, struct light_block *out, struct arena *a)
{
    bool found = false;

    (void)pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < k->n_heads && i < KEEPER_HEADS && !found; i++) {
        found = k->heads[i].height == height;
        if (found)
            light_block_copy(out, a, &k->blocks[i].block);
    }
    (void)pthread_mutex_unlock(&k->lock);
    return found;
}

enum heads_claim heads_judge(const struct light_block *ours, const struct hash32 *said,
                             const json_t *block, struct err *why)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_evidence v;
    struct light_block theirs;
    struct hash32 hash;

    header_hash(&hash, &ours->header);
    if (hash32_eq(&hash, said))
        return HEADS_AGREES;
    if (block == NULL || json_is_null(block)) {
        (void)err_set(why, RC_DENIED, "it says another hash and shows no block");
        return HEADS_LIES;
    }
    if (light_block_from_json(&theirs, &a, block, why) != RC_OK)
        return HEADS_LIES;
    header_hash(&hash, &theirs.header);
    if (!hash32_eq(&hash, said)) {
        (void)err_set(why, RC_DENIED, "it says another hash than that of the block it shows");
        return HEADS_LIES;
    }
    return light_conflict(&v, &a, ours, &theirs, why) == RC_OK ? HEADS_CONFLICTS : HEADS_LIES;
}

bool heads_find(struct keeper *k, uint64_t height, struct hash32 *hash)
{
    bool found = false;

    (void)pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < k->n_heads && i < KEEPER_HEADS; i++)
        if (k->heads[i].height == height) {
            *hash = k->heads[i].hash;
            found = true;
        }
    (void)pthread_mutex_unlock(&k->lock);
    return found;
}

void heads_newest(struct keeper *k, struct keeper_head *out)
{
    *out = (struct keeper_head){0};
    (void)pthread_mutex_lock(&k->lock);
    if (k->n_heads != 0)
        *out = k->heads[(k->n_heads - 1) % KEEPER_HEADS];
    (void)pthread_mutex_unlock(&k->lock);
}

void heads_digest(struct hash32 *out, uint64_t chain_id, const struct address *gatekeepers,
                  const struct keeper_head *h, const struct hash32 *nonce)
{
    struct hash32 domain, hash;
    struct eip712 t;

    eip712_domain(&domain, "Cloister", "1", chain_id, gatekeepers);
    eip712_begin(&t, "KeeperHead(uint256 height,bytes32 hash,bytes32 nonce)");
    eip712_u64(&t, h->height);
    eip712_hash(&t, &h->hash);
    eip712_hash(&t, nonce);
    eip712_end(&hash, &t);
    eip712_digest(out, &domain, &hash);
}

/* ---- what the other keepers see ---- */

struct count {
    struct keeper *k;
    const struct keeper_serving *s;
    struct keeper_head ours;
    struct hash32 nonce;
    uint32_t agreements;
    uint32_t again; /* who is to be asked once more */
    bool contradicted;
};

/* What keeper i says of the block at ours.height, or of its newest one. */
static enum rc read_answer(struct keeper_head *theirs, const struct count *x, uint32_t i,
                           const json_t *o, struct err *e)
{
    struct hash32 digest;
    struct address signer;
    struct secp_sig sig;

    TRY(json_u64(&theirs->height, o, "height", UINT64_MAX, e));
    TRY(json_hex_fixed(theirs->hash.b, sizeof(theirs->hash.b), o, "hash", e));
    TRY(json_hex_fixed(sig.b, sizeof(sig.b), o, "signature", e));
    heads_digest(&digest, x->k->chain_id, &x->k->config.gatekeepers, theirs, &x->nonce);
    TRY(secp_recover_address(&signer, &digest, sig.b, SECP_S_LOW, e));
    if (!address_eq(&signer, &x->s->keys.members[i].who))
        return err_set(e, RC_DENIED, "signed by another account");
    return RC_OK;
}

/* Only a block that validators signed says that there is another chain; its word alone would let
 * one liar stop all others. */
static void judge(struct count *x, const char *url, const struct light_block *ours,
                  const struct keeper_head *theirs, const json_t *block)
{
    unsigned long long height = theirs->height;
    struct err why;

    switch (heads_judge(ours, &theirs->hash, block, &why)) {
    case HEADS_AGREES:
        x->agreements++;
        break;
    case HEADS_LIES:
        log_error("keeper", "keeper at %s lies about block %llu: %s", url, height, why.msg);
        break;
    case HEADS_CONFLICTS:
        x->contradicted = true;
        log_error("keeper", "keeper at %s shows another signed block of height %llu than ours", url,
                  height);
        break;
    }
}

static void take(void *ctx, uint32_t i, const json_t *answer, struct err *e)
{
    AUTO_CLEAR(arena) struct arena mem = {0};
    struct count *x = ctx;
    struct keeper_head theirs;
    struct light_block ours;

    if (answer == NULL || read_answer(&theirs, x, i, answer, e) != RC_OK) {
        log_debug("keeper", "%s: %s", x->s->urls[i], e->msg);
        x->k->look_soon = true; /* it may have moved */
        return;
    }
    /* An older block than the one we ask about would prove nothing about now. */
    if (theirs.height >= x->ours.height && heads_block(x->k, theirs.height, &ours, &mem))
        judge(x, x->s->urls[i], &ours, &theirs, json_object_get(answer, "block"));
    else
        x->again |= 1u << i;
}

static enum rc ask_all(struct keeper *k, const struct keeper_serving *s, uint32_t *agreements,
                       struct err *e)
{
    struct count x = {.k = k, .s = s, .agreements = 1, .again = ask_others(s)};

    heads_newest(k, &x.ours);
    for (int i = 0; i < TRIES && x.again != 0; i++) {
        AUTO_CLEAR(buf) struct buf body = {0};
        const uint32_t whom = x.again;

        if (i > 0) {
            clock_sleep_ms(20);
            if (heads_follow(k, NULL) == RC_OK)
                heads_newest(k, &x.ours);
        }
        x.again = 0;
        random_bytes(x.nonce.b, sizeof(x.nonce.b));
        buf_printf(&body, "{\"height\":%llu,\"nonce\":\"", (unsigned long long)x.ours.height);
        hex_put_0x(&body, BYTES_OF(&x.nonce));
        buf_put_str(&body, "\"}");
        ask_each(k, s, whom,
                 &(struct ask){.path = "/head",
                               .body = buf_bytes(&body),
                               .answer_max = ANSWER_MAX,
                               .taken = take,
                               .ctx = &x});
    }
    *agreements = x.agreements;
    return x.contradicted ? err_set(e, RC_DENIED, "another keeper sees another chain") : RC_OK;
}

enum rc heads_agree(struct keeper *k, const struct keeper_serving *s, uint64_t *age_ms,
                    uint32_t *agreements, struct err *e)
{
    uint64_t max = k->config.max_head_age_ms, started = clock_mono_ms();
    bool counted;

    (void)pthread_mutex_lock(&k->lock);
    counted = k->agreed_ms != 0 && started < k->agreed_ms + COUNT_FOR_MS;
    *agreements = k->agreements;
    *age_ms = max / 2 + started - k->agreed_ms;
    (void)pthread_mutex_unlock(&k->lock);
    if (counted)
        return RC_OK;
    (void)pthread_mutex_lock(&k->send);
    /* Half of what may be, so that an agreement counted on it does not outlive it. */
    {
        enum rc rc = light_client_refresh(k->light, k->chain, &k->sender, max / 2, e);

        (void)pthread_mutex_unlock(&k->send);
        TRY(rc);
    }
    TRY(heads_follow(k, e));
    TRY(ask_all(k, s, agreements, e));
    (void)pthread_mutex_lock(&k->lock);
    k->agreed_ms = *agreements >= s->keys.t ? started : 0;
    k->agreements = *agreements;
    (void)pthread_mutex_unlock(&k->lock);
    *age_ms = max / 2 + clock_mono_ms() - started;
    return RC_OK;
}
