/* ConfidentialContracts under random calls, held against a model of its law: whether a call may
 * succeed, what it does to queue, seats, results, epochs and outboxes, and that coin is neither
 * made nor lost. T_SEED repeats a run. */
#include "contracts/confidential.h"

#include <stdio.h>

enum {
    CLUSTERS = 2,
    CONTRACTS = 24,
    PEOPLE = 3,
    BATCHES = 4000,
    COMMITS = 2000,
    RESULTS = 6,
    SENDERS = 4
};
#define ROUNDS 6000
#define COIN 1000000000u

struct batch {
    uint64_t height, end, fees;
    struct hash32 hash;
};

struct result {
    unsigned worker, lie;
    uint64_t checkpoint_epoch; /* 0: no checkpoint */
};

struct outbox {
    struct bytes messages[3];
    uint64_t values[3];
    bool pays[3]; /* else what it sends is the owner's */
    size_t n;
};

struct cluster {
    uint64_t id;
    unsigned quorum, replicas;
    unsigned seats[MEMBERS_ALL]; /* enum seat_why, 0: never */
    uint64_t stakes[MEMBERS_ALL], left_at[MEMBERS_ALL], vouched[MEMBERS_ALL];
    bool invited[MEMBERS_ALL];
    uint64_t epoch, oldest, count, fees, coin;
    struct hash32 queue;
    struct batch batches[BATCHES];
    uint64_t n_batches;
    uint64_t confirmed, confirmed_index, shared, checkpoint;
    struct hash32 root;
    uint64_t round_end; /* 0: none */
    unsigned fixed_by;
    struct result results[RESULTS];
    size_t n_results;
    uint64_t checkpoints[COMMITS]; /* epoch of the one that came with it, 0: none */
    size_t n_commits;
    struct outbox outboxes[COMMITS];
    size_t n_outboxes, delivered, delivered_messages;
};

struct contract {
    struct address at;
    struct cluster *cluster;
    unsigned status; /* 1 waiting, 2 active, 3 canceled */
    uint8_t code, wanted;
    bool pending;
    uint64_t fee, value, key_epoch, sequences[PEOPLE];
    struct {
        uint64_t epoch;
        uint8_t code;
    } votes[MEMBERS_ALL];
};

struct play {
    struct conf c;
    struct cluster clusters[CLUSTERS];
    struct contract contracts[CONTRACTS];
    size_t n_contracts;
    struct address people[PEOPLE], zara;
    bool attested[MEMBERS_ALL];
    uint64_t earned[MEMBERS_ALL], owner_earned, to_zara, burned;
    unsigned payouts[MEMBERS_ALL]; /* 0: none is named, 1: alice, 2: bob */
    uint64_t all;                  /* coin there is */
    uint64_t confirms, convictions, deliveries, differed, accepted;
};

static void step_deploy(struct play *p, struct cluster *k)
{
    struct contract *x = &p->contracts[p->n_contracts];

    if (p->n_contracts == CONTRACTS)
        return;
    *x = (struct contract){.cluster = k,
                           .status = 1,
                           .wanted = (uint8_t)(p->n_contracts + 1),
                           .pending = true,
                           .fee = FEE,
                           .value = 7};
    x->at = conf_deploy(&p->c, k->id, x->wanted);
    p->n_contracts++;
}

static void begin(struct play *p)
{
    memset(p, 0, sizeof(*p));
    conf_init(&p->c);
    p->zara = world_account(90);
    for (unsigned i = 0; i < PEOPLE; i++) {
        p->people[i] = world_account(40 + i);
        world_set_balance(p->c.w, p->people[i], COIN);
    }
    for (unsigned i = 0; i < MEMBERS_ALL; i++) {
        world_set_balance(p->c.w, p->c.who[i], COIN);
        p->attested[i] = true;
    }
    world_set_balance(p->c.w, p->c.owner, COIN);
    world_set_balance(p->c.w, p->c.alice, 0);
    world_set_balance(p->c.w, p->c.bob, 0);
    p->all = (uint64_t)COIN * (MEMBERS_ALL + PEOPLE + 1);
    for (unsigned i = 0; i < CLUSTERS; i++) {
        struct cluster *k = &p->clusters[i];

        k->replicas = i == 0 ? 4 : 3;
        k->quorum = i == 0 ? 3 : 2;
        k->id = conf_add_cluster(&p->c, k->replicas, k->quorum, k->replicas);
        k->epoch = k->oldest = 1;
        conf_queue_begin(&k->queue, k->id);
        memcpy(k->root.b, "SPARSE_MERKLE_PLACEHOLDER_HASH__", 32);
        for (unsigned w = 0; w < k->replicas; w++) {
            k->seats[w] = MEMBER;
            k->stakes[w] = STAKE;
            k->invited[w] = true;
        }
    }
    for (unsigned i = 0; i < SENDERS; i++)
        step_deploy(p, &p->clusters[i % CLUSTERS]);
}

static unsigned members(const struct cluster *k)
{
    unsigned n = 0;

    for (unsigned i = 0; i < MEMBERS_ALL; i++)
        n += k->seats[i] == MEMBER;
    return n;
}

static bool one_in(unsigned n)
{
    return t_rand_below(n) == 0;
}

/* The model and the contract agree on whether this may be. */
static bool agree(struct play *p, enum world_outcome got, bool may, int line)
{
    AUTO_CLEAR(buf) struct buf why = {0};

    if ((got == WORLD_OK) == may)
        return may;
    for (size_t i = 0; i < p->c.w->ret.n && i < 36; i++)
        buf_printf(&why, "%02x", p->c.w->ret.p[i]);
    t_fail(__FILE__, line, "the contract %s, the model says otherwise (%s)",
           got == WORLD_OK ? "did it" : "refused", buf_cstr(&why));
}
#define AGREE(outcome, may) agree(p, outcome, may, __LINE__)

/* ---- queue ---- */

static void enqueue(struct play *p, struct cluster *k, struct bytes entry, uint64_t fee,
                    uint64_t value)
{
    struct batch *b;

    conf_queue_add(&k->queue, entry);
    if (k->n_batches == 0 || k->batches[k->n_batches - 1].height != p->c.w->height)
        k->n_batches++;
    CHECK_TRUE(k->n_batches <= BATCHES);
    k->count++;
    k->fees += fee;
    k->coin += value;
    b = &k->batches[k->n_batches - 1];
    *b = (struct batch){p->c.w->height, k->count, k->fees, k->queue};
}

static struct contract *any_contract(struct play *p)
{
    return p->n_contracts == 0 ? NULL : &p->contracts[t_rand_below(p->n_contracts)];
}

static void step_send(struct play *p)
{
    AUTO_CLEAR(buf) struct buf entry = {0}, payload = {0};
    struct contract *x = any_contract(p);
    unsigned who = (unsigned)t_rand_below(PEOPLE);
    uint64_t value = t_rand_below(100), sequence, expiry = p->c.w->height + t_rand_below(3);
    uint64_t class = one_in(8) ? 3 : UINT64_C(1) << t_rand_below(4);
    struct buf b = {0};
    bool plain = one_in(4), old = one_in(10), may;

    if (x == NULL)
        return;
    buf_u8(&payload, 1); /* as an envelope begins */
    buf_u64be(&payload, x->key_epoch - old);
    sequence = x->sequences[who] + one_in(10) - (one_in(10) && x->sequences[who] > 0);
    if (plain && one_in(2))
        sequence = UINT64_MAX;
    expiry -= one_in(10);
    may = x->status == 2 && class != 3 && class <= 4 && expiry >= p->c.w->height &&
          (sequence == x->sequences[who] || (plain && sequence == UINT64_MAX)) && (plain || !old);
    confidential_contracts_put_send(&b, &x->at, sequence, expiry, class * GAS_CLASS,
                                    plain ? PLAIN : SEALED, buf_bytes(&payload));
    if (!AGREE(conf_call(&p->c, p->people[who], class * FEE + value, &b), may))
        return;
    conf_entry(&entry, plain ? PLAIN : SEALED, x->at, p->people[who], x->cluster->count,
               x->sequences[who]++, expiry, class * GAS_CLASS, value, buf_bytes(&payload));
    enqueue(p, x->cluster, buf_bytes(&entry), class * FEE, value);
}

/* ---- seats ---- */

static void drop_result(struct cluster *k, unsigned w)
{
    if (k->round_end == 0)
        return;
    if (k->fixed_by == w) {
        k->round_end = 0;
        k->n_results = 0;
        return;
    }
    for (size_t i = 0; i < k->n_results; i++)
        if (k->results[i].worker == w)
            k->results[i--] = k->results[--k->n_results];
}

static void unseat(struct play *p, struct cluster *k, unsigned w, enum seat_why why)
{
    k->seats[w] = why;
    k->left_at[w] = p->c.w->time;
    k->epoch++;
    drop_result(k, w);
}

static void step_join(struct play *p, struct cluster *k, unsigned w)
{
    struct buf b = {0};
    bool may = k->seats[w] != MEMBER && k->seats[w] != CONVICTED && k->invited[w] &&
               p->attested[w] && members(k) < k->replicas;

    confidential_contracts_put_join(&b, k->id);
    if (!AGREE(conf_call(&p->c, p->c.who[w], STAKE - k->stakes[w], &b), may))
        return;
    k->seats[w] = MEMBER;
    k->stakes[w] = STAKE;
}

static void step_seat(struct play *p, struct cluster *k, unsigned w)
{
    struct buf b = {0};
    bool by_owner = one_in(2);

    switch (t_rand_below(4)) {
    case 0:
        confidential_contracts_put_leave(&b, k->id);
        if (AGREE(conf_call(&p->c, p->c.who[w], 0, &b), k->seats[w] == MEMBER))
            unseat(p, k, w, LEFT);
        return;
    case 1:
        confidential_contracts_put_removeWorker(&b, k->id, &p->c.who[w]);
        if (!AGREE(conf_call(&p->c, by_owner ? p->c.owner : p->c.bob, 0, &b),
                   k->seats[w] == MEMBER && (by_owner || !p->attested[w])))
            return;
        if (by_owner)
            k->invited[w] = false;
        unseat(p, k, w, by_owner ? REMOVED : EXPIRED);
        return;
    case 2:
        p->attested[w] = !one_in(4);
        conf_set_worker(&p->c, w, 2, p->attested[w] ? p->c.w->time + 1000 * DAY : p->c.w->time);
        return;
    default:
        confidential_contracts_put_withdrawStake(&b, k->id);
        if (AGREE(conf_call(&p->c, p->c.who[w], 0, &b),
                  k->stakes[w] != 0 && k->seats[w] != MEMBER &&
                      p->c.w->time >= k->left_at[w] + 3 * DAY))
            k->stakes[w] = 0;
        return;
    }
}

static void step_invite(struct play *p, struct cluster *k, unsigned w)
{
    bool by_owner = !one_in(4);
    struct buf b = {0};

    confidential_contracts_put_invite(&b, k->id, &p->c.who[w]);
    if (AGREE(conf_call(&p->c, by_owner ? p->c.owner : p->c.bob, 0, &b), by_owner))
        k->invited[w] = true;
}

/* ---- contracts ---- */

static void step_pending(struct play *p, struct contract *x)
{
    struct hash32 code = conf_code((uint8_t)(100 + t_rand_below(50)));
    struct buf b = {0};

    if (one_in(4)) {
        confidential_contracts_put_cancel(&b, &x->at);
        if (!AGREE(conf_call(&p->c, p->c.owner, 0, &b), x->pending))
            return;
        x->pending = false;
        x->status = x->status == 1 ? 3 : x->status;
        x->fee = x->value = 0;
        return;
    }
    confidential_contracts_put_upgrade(&b, &x->at, &code, bytes_str("url"), GAS_CLASS);
    if (!AGREE(conf_call(&p->c, p->c.owner, FEE, &b),
               x->status == 2 && !x->pending && code.b[2] != x->code))
        return;
    x->pending = true;
    x->wanted = code.b[2];
    x->fee = FEE;
    x->value = 0;
}

static void activate(struct play *p, struct contract *x, uint8_t code)
{
    AUTO_CLEAR(buf) struct buf entry = {0}, payload = {0};
    struct hash32 hash = conf_code(code);
    bool is_first = x->status == 1;

    x->key_epoch = x->cluster->epoch;
    if (code == x->code)
        return;
    buf_put_bytes(&payload, BYTES_OF(&hash));
    if (is_first) {
        buf_u32be(&payload, 4);
        buf_put_str(&payload, "init");
    }
    conf_entry(&entry, is_first ? ACTIVATE : UPGRADE, x->at, p->c.owner, x->cluster->count,
               x->key_epoch, 0, GAS_CLASS, x->value, buf_bytes(&payload));
    enqueue(p, x->cluster, buf_bytes(&entry), x->fee, x->value);
    x->status = 2;
    x->code = code;
    x->pending = false;
    x->fee = x->value = 0;
}

static void step_publish(struct play *p, struct contract *x, unsigned w)
{
    struct cluster *k = x->cluster;
    uint8_t code = x->pending && !one_in(4) ? x->wanted : x->code;
    unsigned equal = 0;
    bool may = (x->status == 1 || x->status == 2) && k->seats[w] == MEMBER && p->attested[w] &&
               ((x->pending && code == x->wanted) || (x->status == 2 && code == x->code));

    if (!AGREE(conf_publish(&p->c, x->at, w, conf_code(code)), may))
        return;
    x->votes[w].epoch = k->epoch;
    x->votes[w].code = code;
    for (unsigned i = 0; i < MEMBERS_ALL; i++)
        equal += k->seats[i] == MEMBER && x->votes[i].epoch == k->epoch && x->votes[i].code == code;
    if (equal >= k->quorum && !(x->key_epoch == k->epoch && x->code == code))
        activate(p, x, code);
}

/* ---- results ---- */

/* What a result is, as a function of the queue: root and messages. */
static void make_outbox(struct play *p, const struct cluster *k, const struct hash32 *h,
                        unsigned lie, struct outbox *out)
{
    size_t n = (h->b[0] + lie) % 4;

    *out = (struct outbox){0};
    for (size_t i = 0; i < n; i++) {
        const struct contract *from = &p->contracts[h->b[1 + i] % SENDERS];
        bool fails = h->b[4 + i] % 5 == 0;

        out->values[i] = h->b[7 + i] % 64;
        out->pays[i] = !fails;
        if (from->cluster !=
            k) /* the machine of a cluster would not; the chain lets it move nothing */
            out->values[i] = UINT32_MAX;
        out->messages[out->n++] = conf_message(&p->c, from->at, fails ? from->at : p->zara,
                                               out->values[i], (struct bytes){0});
    }
}

static struct confidential_contracts_Commit result_of(struct play *p, const struct cluster *k,
                                                      uint64_t end, unsigned lie)
{
    const struct batch *last = &k->batches[end - 1];
    struct confidential_contracts_Commit m = {.cluster = k->id,
                                              .epoch = k->epoch,
                                              .firstBatch = k->confirmed,
                                              .endBatch = end,
                                              .firstIndex = k->confirmed_index,
                                              .endIndex = last->end,
                                              .queueHash = last->hash,
                                              .previousRoot = k->root};
    struct outbox out;

    make_outbox(p, k, &last->hash, lie, &out);
    m.newRoot = last->hash;
    m.newRoot.b[31] = (uint8_t)lie;
    m.outboxDigest = conf_rest(out.messages, out.n, 0);
    return m;
}

static void confirm(struct play *p, struct cluster *k, uint64_t end, unsigned lie, unsigned equal)
{
    const struct batch *last = &k->batches[end - 1];
    struct confidential_contracts_Commit m = result_of(p, k, end, lie);
    uint64_t share = (last->fees - k->shared) / equal;
    struct result all[RESULTS];
    size_t n = k->n_results;

    memcpy(all, k->results, sizeof(all));
    CHECK_TRUE(k->n_commits < COMMITS);
    make_outbox(p, k, &last->hash, lie, &k->outboxes[k->n_outboxes]);
    k->n_outboxes += k->outboxes[k->n_outboxes].n != 0;
    k->checkpoints[k->n_commits] = 0;
    k->shared += share * equal;
    k->confirmed = end;
    k->confirmed_index = last->end;
    k->root = m.newRoot;
    k->round_end = 0;
    k->n_results = 0;
    for (size_t i = 0; i < n; i++) {
        if (all[i].lie != lie) {
            unseat(p, k, all[i].worker, DIFFERED);
            p->differed++;
            continue;
        }
        p->earned[all[i].worker] += share;
        if (k->checkpoints[k->n_commits] == 0)
            k->checkpoints[k->n_commits] = all[i].checkpoint_epoch;
    }
    k->n_commits++;
    p->confirms++;
}

static void step_commit(struct play *p, struct cluster *k, unsigned w)
{
    uint64_t left = k->n_batches - k->confirmed, end, checkpoint_epoch = 0;
    unsigned lie = one_in(12), equal = 1;
    struct confidential_contracts_Commit m;
    struct buf b = {0};
    bool may;

    if (left == 0)
        return;
    end = k->round_end != 0 && !one_in(10) ? k->round_end : k->confirmed + 1 + t_rand_below(left);
    if (one_in(3))
        checkpoint_epoch = k->oldest + t_rand_below(k->epoch - k->oldest + 1);
    may = k->seats[w] == MEMBER && p->attested[w] && (k->round_end == 0 || k->round_end == end) &&
          k->batches[end - 1].height < p->c.w->height;
    for (size_t i = 0; i < k->n_results; i++) {
        may = may && k->results[i].worker != w;
        equal += k->results[i].lie == lie;
    }
    m = result_of(p, k, end, lie);
    confidential_contracts_put_commit(&b, &m, bytes_str("delta"),
                                      bytes_str(checkpoint_epoch != 0 ? "checkpoint" : ""),
                                      checkpoint_epoch, conf_sign(&p->c, w, &m));
    if (!AGREE(conf_call(&p->c, p->c.bob, 0, &b), may))
        return;
    if (k->round_end == 0) {
        k->round_end = end;
        k->fixed_by = w;
    }
    k->results[k->n_results++] = (struct result){w, lie, checkpoint_epoch};
    if (equal >= k->quorum)
        confirm(p, k, end, lie, equal);
}

static void step_vouch(struct play *p, struct cluster *k, unsigned w)
{
    uint64_t n = k->n_commits == 0 ? 0 : t_rand_below(k->n_commits + 1);
    unsigned equal = 0;
    struct buf b = {0};

    if (k->n_commits > 3)
        n = k->n_commits - 1 - t_rand_below(2);
    confidential_contracts_put_vouch(&b, k->id, n);
    if (!AGREE(conf_call(&p->c, p->c.who[w], 0, &b), k->seats[w] == MEMBER && p->attested[w] &&
                                                         n < k->n_commits && n >= k->checkpoint &&
                                                         k->checkpoints[n] != 0))
        return;
    k->vouched[w] = n + 1;
    for (unsigned i = 0; i < MEMBERS_ALL; i++)
        equal += k->seats[i] == MEMBER && k->vouched[i] == n + 1;
    if (equal < k->quorum)
        return;
    k->checkpoint = n + 1;
    k->oldest = k->checkpoints[n] > k->oldest ? k->checkpoints[n] : k->oldest;
    p->accepted++;
}

static void step_convict(struct play *p, struct cluster *k, unsigned w)
{
    struct confidential_contracts_Commit x, y;
    bool same = one_in(3), may;
    struct buf b = {0};

    if (k->n_batches == k->confirmed)
        return;
    x = result_of(p, k, k->n_batches, 0);
    y = result_of(p, k, k->n_batches, same ? 0 : 1);
    y.epoch += one_in(2);
    may = !same && k->seats[w] != 0 && k->seats[w] != CONVICTED;
    confidential_contracts_put_convict(&b, &x, conf_sign(&p->c, w, &x), &y,
                                       conf_sign(&p->c, w, &y));
    if (!AGREE(conf_call(&p->c, p->c.alice, 0, &b), may))
        return;
    p->burned += k->stakes[w] - k->stakes[w] / 2;
    k->stakes[w] = 0;
    if (k->seats[w] == MEMBER)
        unseat(p, k, w, CONVICTED);
    k->seats[w] = CONVICTED;
    p->convictions++;
}

/* ---- delivery ---- */

static void delivered(struct play *p, struct cluster *k, const struct outbox *o, size_t i)
{
    if (o->values[i] > k->coin || o->values[i] == UINT32_MAX)
        return;
    k->coin -= o->values[i];
    if (o->pays[i])
        p->to_zara += o->values[i];
    else
        p->owner_earned += o->values[i];
    p->deliveries++;
}

static void step_deliver(struct play *p, struct cluster *k)
{
    const struct outbox *o = &k->outboxes[k->delivered];
    size_t from = k->delivered_messages, n;
    struct hash32 rest;
    bool may;

    if (k->n_outboxes == 0)
        return;
    if (one_in(5) && k->delivered > 0) { /* once more */
        o = &k->outboxes[t_rand_below(k->delivered)];
        from = 0;
    } else if (one_in(8)) { /* some left out */
        from = t_rand_below(3);
    }
    if (from >= o->n)
        from = 0;
    n = 1 + t_rand_below(o->n == 0 ? 1 : o->n - from);
    rest = conf_rest(o->messages, o->n, from + n);
    may = k->delivered < k->n_outboxes && o->n != 0 &&
          hash32_eq(&(struct hash32[1]){conf_rest(o->messages, o->n, from)}[0],
                    &(struct hash32[1]){conf_rest(k->outboxes[k->delivered].messages,
                                                  k->outboxes[k->delivered].n,
                                                  k->delivered_messages)}[0]);
    if (!AGREE(conf_deliver(&p->c, k->id, o->messages + from, n, &rest), may))
        return;
    for (size_t i = from; i < from + n; i++)
        delivered(p, k, o, i);
    /* Another outbox may end with the same messages as the one whose turn it is. */
    k->delivered_messages += n;
    if (k->delivered_messages == k->outboxes[k->delivered].n) {
        k->delivered++;
        k->delivered_messages = 0;
    }
}

static void step_claim(struct play *p, unsigned w)
{
    struct address people[] = {p->c.who[w], p->c.alice, p->c.bob};
    unsigned by = (unsigned)t_rand_below(3), to = 1 + (unsigned)t_rand_below(2);
    uint64_t most = t_rand_below(2 * FEE);

    switch (t_rand_below(4)) {
    case 0:
        if (AGREE(conf_claim(&p->c, p->c.who[w]), p->earned[w] != 0))
            p->earned[w] = 0;
        return;
    case 1:
        if (AGREE(conf_claim_part(&p->c, p->c.who[w], most), p->earned[w] != 0 && most != 0))
            p->earned[w] -= most < p->earned[w] ? most : p->earned[w];
        return;
    case 2:
        if (AGREE(conf_claim_for(&p->c, people[by], p->c.who[w]),
                  p->earned[w] != 0 && by != 0 && p->payouts[w] == by))
            p->earned[w] = 0;
        return;
    default:
        if (AGREE(conf_name_payout(&p->c, people[by], p->c.who[w], people[to]),
                  p->payouts[w] == by))
            p->payouts[w] = to;
        return;
    }
}

static void step(struct play *p)
{
    struct cluster *k = &p->clusters[t_rand_below(CLUSTERS)];
    unsigned w = (unsigned)t_rand_below(MEMBERS_ALL);
    struct contract *x = any_contract(p);

    for (unsigned i = 0; i < 2 && k->seats[w] != MEMBER; i++)
        w = (unsigned)t_rand_below(MEMBERS_ALL); /* mostly one that has something to say */
    switch (t_rand_below(40)) {
    case 0:
        if (one_in(3))
            step_seat(p, k, w);
        break;
    case 1:
    case 2:
    case 3:
        step_join(p, k, (unsigned)t_rand_below(MEMBERS_ALL));
        break;
    case 4:
        step_invite(p, k, (unsigned)t_rand_below(MEMBERS_ALL));
        break;
    case 5:
        if (!one_in(8))
            break;
        step_deploy(p, k);
        break;
    case 6:
        if (x != NULL)
            step_pending(p, x);
        break;
    case 7:
        if (one_in(25))
            step_convict(p, k, w);
        break;
    case 8:
    case 9:
        step_vouch(p, k, w);
        break;
    case 10:
    case 11:
    case 12:
        step_deliver(p, k);
        break;
    case 13:
        step_claim(p, w);
        break;
    case 14:
    case 15:
    case 16:
    case 17:
    case 18:
        if (x != NULL)
            step_publish(p, x, w);
        break;
    case 19:
        p->c.w->time += t_rand_below(2 * DAY);
        break;
    case 20:
    case 21:
    case 22:
    case 23:
    case 24:
    case 25:
        conf_block(&p->c);
        break;
    case 26:
    case 27:
    case 28:
    case 29:
    case 30:
    case 31:
    case 32:
    case 33:
        step_commit(p, k, w);
        break;
    default:
        step_send(p);
        break;
    }
}

/* ---- what must hold ---- */

static void check_cluster(struct play *p, struct cluster *k)
{
    struct confidential_contracts_ClusterInfo x = conf_cluster(&p->c, k->id);
    struct confidential_contracts_QueueInfo q = conf_queue(&p->c, k->id);
    struct confidential_contracts_ConfirmedInfo f = conf_confirmed(&p->c, k->id);
    struct address in[16];
    size_t n = conf_members(&p->c, k->id, in);

    CHECK_INT(x.epoch, k->epoch);
    CHECK_INT(x.oldest, k->oldest);
    CHECK_TRUE(x.oldest <= x.epoch);
    CHECK_INT(q.count, k->count);
    CHECK_INT(q.batches, k->n_batches);
    CHECK_HASH(q.hash, k->queue);
    CHECK_U256(q.fees, k->fees);
    CHECK_INT(f.batches, k->confirmed);
    CHECK_INT(f.index, k->confirmed_index);
    CHECK_INT(f.commits, k->n_commits);
    CHECK_INT(f.checkpoint, k->checkpoint);
    CHECK_HASH(f.root, k->root);
    CHECK_INT(conf_coin(&p->c, k->id), k->coin);
    CHECK_INT(conf_round(&p->c, k->id).endBatch, k->round_end);
    CHECK_INT(conf_round(&p->c, k->id).results.n, k->n_results);
    if (k->n_batches != 0) {
        uint64_t any = t_rand_below(k->n_batches);
        struct confidential_contracts_BatchInfo b = conf_batch(&p->c, k->id, any);

        CHECK_INT(b.end, k->batches[any].end);
        CHECK_INT(b.height, k->batches[any].height);
        CHECK_HASH(b.hash, k->batches[any].hash);
    }
    CHECK_INT(n, members(k));
    for (unsigned i = 0; i < MEMBERS_ALL; i++) {
        struct confidential_contracts_SeatInfo s = conf_seat(&p->c, k->id, p->c.who[i]);
        size_t found = 0;

        for (size_t j = 0; j < n; j++)
            found += address_eq(&in[j], &p->c.who[i]);
        CHECK_INT(found, k->seats[i] == MEMBER);
        CHECK_INT(s.status, k->seats[i]);
        CHECK_U256(s.stake, k->stakes[i]);
    }
}

/* What is held here is what the law says it is, and all coin there was is somewhere. */
static void check_coin(struct play *p)
{
    uint64_t held = p->owner_earned, all = 0;
    struct address zero = {0};

    for (unsigned i = 0; i < CLUSTERS; i++) {
        held += p->clusters[i].coin + p->clusters[i].fees - p->clusters[i].shared;
        for (unsigned w = 0; w < MEMBERS_ALL; w++)
            held += p->clusters[i].stakes[w];
    }
    for (size_t i = 0; i < p->n_contracts; i++) {
        held += p->contracts[i].fee + p->contracts[i].value;
        CHECK_U256(world_balance(p->c.w, p->contracts[i].at), 0);
    }
    for (unsigned w = 0; w < MEMBERS_ALL; w++) {
        CHECK_INT(conf_earned(&p->c, p->c.who[w]), p->earned[w]);
        held += p->earned[w];
        all += world_balance(p->c.w, p->c.who[w]).w[0];
    }
    for (unsigned i = 0; i < PEOPLE; i++)
        all += world_balance(p->c.w, p->people[i]).w[0];
    CHECK_U256(world_balance(p->c.w, p->c.at), held);
    CHECK_INT(conf_earned(&p->c, p->c.owner), p->owner_earned);
    CHECK_U256(world_balance(p->c.w, p->zara), p->to_zara);
    CHECK_U256(world_balance(p->c.w, zero), p->burned);
    all += held + p->to_zara + p->burned + world_balance(p->c.w, p->c.owner).w[0] +
           world_balance(p->c.w, p->c.alice).w[0] + world_balance(p->c.w, p->c.bob).w[0];
    CHECK_INT(all, p->all);
}

static void check_contracts(struct play *p)
{
    for (size_t i = 0; i < p->n_contracts; i++) {
        const struct contract *x = &p->contracts[i];
        struct confidential_contracts_ContractInfo k = conf_contract(&p->c, x->at);

        CHECK_INT(k.status, x->status);
        CHECK_INT(k.keyEpoch, x->key_epoch);
        CHECK_INT(k.codeHash.b[2], x->code);
        CHECK_INT(k.wantedCodeHash.b[2], x->pending ? x->wanted : 0);
    }
}

TEST(the_contract_does_what_its_law_says)
{
    uint64_t rounds = t_times(ROUNDS);
    struct play *p = xmalloc(sizeof(*p));

    begin(p);
    for (uint64_t i = 0; i < rounds; i++) {
        step(p);
        if (i % 50 == 0 || i == rounds - 1) {
            for (unsigned k = 0; k < CLUSTERS; k++)
                check_cluster(p, &p->clusters[k]);
            check_contracts(p);
            check_coin(p);
        }
    }
    CHECK_TRUE(p->confirms > 20 && p->deliveries > 5); /* the play was worth something */
    printf("%llu confirmed, %llu delivered, %llu convicted, %llu differed, %llu checkpoints\n",
           (unsigned long long)p->confirms, (unsigned long long)p->deliveries,
           (unsigned long long)p->convictions, (unsigned long long)p->differed,
           (unsigned long long)p->accepted);
    conf_clear(&p->c);
    free(p);
}
