#include "worker/contract/view.h"

#include "base/mem.h"
#include "chain/contracts.h"
#include "client/light_client.h"
#include "light/contracts.h"

#define READ_MAX 64 /* values asked for at once */

/* ---- the cluster ---- */

enum {
    V_CLUSTER,
    V_QUEUE,
    V_CONFIRMED,
    V_ROUND,
    V_COMMITS,
    V_MEMBERS,
    V_OUR_INDEX,
    V_CONTRACTS,
    V_OUTBOXES,
    V_DELIVERED,
    V_EARNED,
    V_PAYOUT,
    V_VOUCHED,
    V_SEAT,
    V_INVITED,
    N_VALUES
};

static enum rc take_counts(struct cluster_view *out, const struct light_value *v, struct err *e)
{
    uint64_t index = 0;

    TRY(st_count(&out->n_commits, v[V_COMMITS].value, e));
    TRY(st_count(&out->n_members, v[V_MEMBERS].value, e));
    TRY(st_count(&index, v[V_OUR_INDEX].value, e));
    TRY(st_count(&out->n_contracts, v[V_CONTRACTS].value, e));
    TRY(st_count(&out->n_outboxes, v[V_OUTBOXES].value, e));
    out->is_member = index != 0;
    out->our_place = index != 0 ? index - 1 : 0;
    if (out->n_members > CLUSTER_MEMBERS_MAX)
        return err_set(e, RC_LIMIT, "%llu members are more than %d",
                       (unsigned long long)out->n_members, CLUSTER_MEMBERS_MAX);
    return RC_OK;
}

/* May we join, and what is to be paid: what was left here the last time counts. */
static enum rc take_seat(struct cluster_view *out, const st_cluster_record *record,
                         const struct light_value *v, struct err *e)
{
    st_seat seat;
    bool is_invited;

    TRY(confidential_seat_of_get(&seat, v[V_SEAT].value, e));
    TRY(confidential_invited_get(&is_invited, v[V_INVITED].value, e));
    if (!u256_sub(&out->stake_wei, &record->stake, &seat.stake))
        out->stake_wei = (struct u256){{0}};
    out->is_convicted = seat.status == SEAT_CONVICTED;
    out->has_left = seat.status == SEAT_LEFT;
    out->may_join = !out->is_convicted && out->n_members < record->replicas &&
                    (is_invited || (record->anyone_joins && seat.status != SEAT_REMOVED &&
                                    seat.status != SEAT_DIFFERED));
    return RC_OK;
}

/* Who has answered in the open round, and what is first to be delivered. */
static enum rc read_round(struct worker *w, struct cluster_view *out, uint64_t cluster,
                          uint64_t n_results, uint64_t n_delivered, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    const struct address *c = &w->config.confidential;
    struct light_key keys[CLUSTER_MEMBERS_MAX + 1];
    struct light_value *v;
    size_t n = 0;

    if (n_results > CLUSTER_MEMBERS_MAX)
        return err_set(e, RC_LIMIT, "%llu results in a round", (unsigned long long)n_results);
    for (uint64_t i = 0; i < n_results; i++)
        keys[n++] = confidential_result_of_key(c, cluster, i);
    if (n_delivered < out->n_outboxes)
        keys[n++] = confidential_outboxes_at_key(c, cluster, n_delivered);
    if (n == 0)
        return RC_OK;
    TRY(light_client_read(w->light, &v, &a, keys, n, out->height, NULL, e));
    for (uint64_t i = 0; i < n_results; i++) {
        st_cluster_result r;

        TRY(confidential_result_of_get(&r, v[i].value, e));
        if (address_eq(&r.worker, &w->keys->sender_address))
            out->has_our_result = true;
    }
    if (n_delivered < out->n_outboxes && hash32_is_zero(&out->outbox_rest))
        TRY(confidential_outboxes_get(&out->outbox_rest, v[n - 1].value, e));
    return RC_OK;
}

enum rc view_read(struct worker *w, struct cluster_view *out, uint64_t cluster, uint64_t min_height,
                  struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    const struct address *c = &w->config.confidential, *us = &w->keys->sender_address;
    const struct light_key keys[N_VALUES] = {
        [V_CLUSTER] = confidential_cluster_of_key(c, cluster),
        [V_QUEUE] = confidential_queue_of_key(c, cluster),
        [V_CONFIRMED] = confidential_confirmed_of_key(c, cluster),
        [V_ROUND] = confidential_round_of_key(c, cluster),
        [V_COMMITS] = confidential_commits_count_key(c, cluster),
        [V_MEMBERS] = confidential_members_count_key(c, cluster),
        [V_OUR_INDEX] = confidential_members_has_key(c, cluster, *us),
        [V_CONTRACTS] = confidential_cluster_contracts_count_key(c, cluster),
        [V_OUTBOXES] = confidential_outboxes_count_key(c, cluster),
        [V_DELIVERED] = confidential_delivered_of_key(c, cluster),
        [V_EARNED] = confidential_earned_key(c, *us),
        [V_PAYOUT] = confidential_payout_of_key(c, *us),
        [V_VOUCHED] = confidential_vouched_key(c, cluster, *us),
        [V_SEAT] = confidential_seat_of_key(c, cluster, *us),
        [V_INVITED] = confidential_invited_key(c, cluster, *us),
    };
    struct light_value *v;
    st_cluster_record record;
    st_queue_record queue;
    st_confirmed_record confirmed;
    st_cluster_round round;
    st_delivered_record delivered;

    memset(out, 0, sizeof(*out));
    TRY(light_client_read(w->light, &v, &a, keys, N_VALUES, min_height, &out->height, e));
    TRY(confidential_cluster_of_get(&record, v[V_CLUSTER].value, e));
    TRY(confidential_queue_of_get(&queue, v[V_QUEUE].value, e));
    TRY(confidential_confirmed_of_get(&confirmed, v[V_CONFIRMED].value, e));
    TRY(confidential_round_of_get(&round, v[V_ROUND].value, e));
    TRY(confidential_delivered_of_get(&delivered, v[V_DELIVERED].value, e));
    TRY(confidential_earned_get(&out->earned_wei, v[V_EARNED].value, e));
    TRY(confidential_payout_of_get(&out->payout, v[V_PAYOUT].value, e));
    TRY(confidential_vouched_get(&out->vouched, v[V_VOUCHED].value, e));
    TRY(take_counts(out, v, e));
    TRY(take_seat(out, &record, v, e));
    out->exists = record.created_at != 0;
    out->epoch = record.epoch;
    out->oldest_epoch = record.oldest;
    out->quorum = record.quorum;
    out->n_entries = queue.count;
    out->n_batches = queue.batches;
    out->confirmed_batches = confirmed.batches;
    out->confirmed_entries = confirmed.index;
    out->accepted_checkpoint = confirmed.checkpoint;
    out->root = confirmed.root;
    out->round_is_open = round.end_batch != 0;
    out->round_end = round.end_batch;
    out->n_delivered = delivered.outboxes;
    out->outbox_rest = delivered.rest;
    return read_round(w, out, cluster, round.results, delivered.outboxes, e);
}

/* ---- lists ---- */

enum rc view_batches(struct worker *w, struct batch_view *out, uint64_t cluster, uint64_t first,
                     uint64_t n, uint64_t min_height, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_key keys[READ_MAX] = {0};
    struct light_value *v;

    for (uint64_t at = 0; at < n;) {
        size_t m = n - at < READ_MAX ? (size_t)(n - at) : READ_MAX;

        for (size_t i = 0; i < m; i++)
            keys[i] = confidential_batch_of_key(&w->config.confidential, cluster, first + at + i);
        TRY(light_client_read(w->light, &v, &a, keys, m, min_height, NULL, e));
        for (size_t i = 0; i < m; i++) {
            st_batch_record b;

            TRY(confidential_batch_of_get(&b, v[i].value, e));
            out[at + i] = (struct batch_view){b.height, b.time, b.end, b.hash};
        }
        at += m;
    }
    return RC_OK;
}

enum rc view_commits(struct worker *w, struct commit_view *out, struct arena *a, uint64_t cluster,
                     uint64_t first, uint64_t n, uint64_t min_height, struct err *e)
{
    struct light_key keys[READ_MAX] = {0};
    struct light_value *v;

    CHECK(n <= READ_MAX);
    for (size_t i = 0; i < n; i++)
        keys[i] = confidential_commits_at_key(&w->config.confidential, cluster, first + i);
    TRY(light_client_read(w->light, &v, a, keys, n, min_height, NULL, e));
    for (size_t i = 0; i < n; i++) {
        st_committed x;

        TRY(confidential_commits_get(&x, v[i].value, e));
        out[i] = (struct commit_view){.end_batch = x.end_batch,
                                      .end_index = x.end_index,
                                      .queue_hash = x.queue_hash,
                                      .root = x.root,
                                      .outbox_digest = x.outbox_digest,
                                      .epoch = x.epoch,
                                      .delta = arena_strdup(a, x.delta),
                                      .checkpoint = arena_strdup(a, x.checkpoint),
                                      .checkpoint_epoch = x.checkpoint_epoch};
    }
    return RC_OK;
}

static enum rc take_contract(struct contract_view *out, struct arena *a,
                             const struct address *address, struct bytes record,
                             struct bytes pending, struct err *e)
{
    st_contract_record x;
    st_pending_entry p;

    TRY(confidential_contract_of_get(&x, record, e));
    TRY(confidential_pending_of_get(&p, pending, e));
    *out = (struct contract_view){.address = *address,
                                  .owner = x.owner,
                                  .cluster = x.cluster,
                                  .is_waiting = x.status == CONTRACT_WAITING,
                                  .is_active = x.status == CONTRACT_ACTIVE,
                                  .code_hash = x.code_hash,
                                  .code_url = arena_strdup(a, x.code_url),
                                  .wanted_url = "",
                                  .key_epoch = x.key_epoch,
                                  .has_audit = x.audit == AUDIT_OWNER};
    memcpy(out->public32, x.public_key.b, sizeof(out->public32));
    if (p.gas != 0) {
        out->wanted_code_hash = p.code_hash;
        out->wanted_url = arena_strdup(a, p.code_url);
    }
    return RC_OK;
}

enum rc view_contract(struct worker *w, struct contract_view *out, struct arena *a,
                      const struct address *contract, uint64_t min_height, struct err *e)
{
    const struct light_key keys[] = {
        confidential_contract_of_key(&w->config.confidential, *contract),
        confidential_pending_of_key(&w->config.confidential, *contract)};
    struct light_value *v;

    TRY(light_client_read(w->light, &v, a, keys, ARRAY_LEN(keys), min_height, NULL, e));
    return take_contract(out, a, contract, v[0].value, v[1].value, e);
}

enum rc view_contracts(struct worker *w, struct contract_view *out, struct key_vote_view *votes,
                       struct arena *a, uint64_t cluster, uint64_t first, uint64_t n,
                       uint64_t min_height, struct err *e)
{
    const struct address *c = &w->config.confidential;
    struct light_key keys[3 * VIEW_CONTRACTS_MAX] = {0};
    struct light_value *v, *u;

    CHECK(n <= VIEW_CONTRACTS_MAX);
    for (size_t i = 0; i < n; i++)
        keys[i] = confidential_cluster_contracts_at_key(c, cluster, first + i);
    TRY(light_client_read(w->light, &v, a, keys, n, min_height, NULL, e));
    for (size_t i = 0; i < n; i++) {
        TRY(confidential_cluster_contracts_get(&out[i].address, v[i].value, e));
        keys[3 * i] = confidential_contract_of_key(c, out[i].address);
        keys[3 * i + 1] = confidential_pending_of_key(c, out[i].address);
        keys[3 * i + 2] = confidential_key_vote_of_key(c, out[i].address, w->keys->sender_address);
    }
    TRY(light_client_read(w->light, &u, a, keys, 3 * n, min_height, NULL, e));
    for (size_t i = 0; i < n; i++) {
        const struct address address = out[i].address;
        st_key_vote vote;

        TRY(take_contract(&out[i], a, &address, u[3 * i].value, u[3 * i + 1].value, e));
        TRY(confidential_key_vote_of_get(&vote, u[3 * i + 2].value, e));
        votes[i] = (struct key_vote_view){vote.epoch, vote.code_hash};
    }
    return RC_OK;
}

/* ---- the queue's entries ---- */

/* The last argument of Queued(uint64,uint64,address,bytes): the entry as it was encoded. */
enum rc view_take_entry(struct entry_sink *s, const struct chain_log *log, struct err *e)
{
    struct confidential_contracts_event_Queued event;
    uint64_t index;

    TRY(confidential_contracts_parse_Queued(&event, NULL, log->topics, log->n_topics, log->data,
                                            e));
    index = event.index;
    if (index < s->first || index >= s->end)
        return RC_OK; /* of a block's other batches */
    if (index != s->next)
        return err_set(e, RC_DENIED, "entry %llu of the queue came where %llu should",
                       (unsigned long long)index, (unsigned long long)s->next);
    TRY(entry_decode(&s->entries[index - s->first], event.entry, e));
    if (s->entries[index - s->first].index != index)
        return err_set(e, RC_DENIED, "entry %llu of the queue calls itself another",
                       (unsigned long long)index);
    queue_hash_add(&s->hash, event.entry);
    s->next++;
    return RC_OK;
}

enum rc view_entries(struct worker *w, struct queue_entry *entries, struct arena *a,
                     uint64_t cluster, uint64_t first, uint64_t end, const struct hash32 *before,
                     const struct hash32 *after, uint64_t from_height, uint64_t to_height,
                     struct err *e)
{
    struct entry_sink s = {
        .entries = entries, .first = first, .end = end, .next = first, .hash = *before};
    const struct hash32 topic0 = confidential_contracts_topic_Queued;
    struct hash32 topic1 = {{0}};
    struct chain_log *logs;
    struct err why = {0};
    enum rc rc = RC_OK;
    size_t n;

    for (int i = 0; i < 8; i++)
        topic1.b[24 + i] = (uint8_t)(cluster >> (56 - 8 * i));
    TRY(chain_logs(w->chain, &logs, &n, a, &w->config.confidential, &topic0, &topic1, from_height,
                   to_height, e));
    for (size_t i = 0; i < n && s.next < end && rc == RC_OK; i++)
        rc = view_take_entry(&s, &logs[i], &why);
    if (rc == RC_OK && (s.next != end || !hash32_eq(&s.hash, after)))
        (void)err_set(&why, RC_DENIED, "cut or changed");
    if (why.msg[0] != '\0')
        return err_set(e, RC_DENIED,
                       "ledger node %s: what it gave as entries %llu to %llu is not the queue that "
                       "the chain committed to: %s",
                       chain_client_url(w->chain), (unsigned long long)first,
                       (unsigned long long)end, why.msg);
    return RC_OK;
}
