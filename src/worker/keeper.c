/* The background thread: waits for the ledger, settles what the journal holds, then collects fees
 * now and then and sends again what could not be sent. */
#include "base/log.h"
#include "base/mem.h"
#include "client/light_client.h"
#include "os/clock.h"
#include "worker/internal/enroll.h"
#include "worker/internal/fresh.h"
#include "worker/proof/journal.h"
#include "worker/proof/onchain.h"
#include "worker/proof/request.h"

#include <limits.h>

#define RETRY_MS 500
#define JOURNAL_EVERY_MS 5000
#define SAVE_EVERY_MS 1000
#define RECEIPT_WAIT_MS 10000
#define MAX_RUNS 5
#define ENROLL_EVERY_MS 3000
#define ENROLL_AGAIN_MS 250

static bool pause_for(const struct worker *w, uint64_t ms)
{
    uint64_t until = clock_mono_ms() + ms;

    while (!w->stopping && clock_mono_ms() < until)
        clock_sleep_ms(50);
    return !w->stopping;
}

/* An entry whose request cannot be run again: only its transaction counts. */
static void settle_bare(struct worker *w, const struct journal_entry *j)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct chain_receipt receipt;
    enum rc rc = RC_NOTFOUND;

    if (j->tx.n != 0) {
        rc = chain_send_raw(w->chain, buf_bytes(&j->tx), NULL);
        if (rc == RC_OK)
            rc = chain_receipt_wait(w->chain, &receipt, &a, &j->tx_hash, RECEIPT_WAIT_MS, NULL);
        if (rc == RC_IO || rc == RC_TIMEOUT || rc == RC_CLOSED || rc == RC_AGAIN)
            return;
    }
    log_info("worker", "job %llu: left the journal (%s)", (unsigned long long)j->job_id,
             rc == RC_OK ? "proved" : "its sender must ask again");
    (void)!journal_remove(w->config.dir, j->job_id, NULL);
}

static void settle(struct worker *w, uint64_t job_id, bool with_tx_only)
{
    struct journal_entry j;
    struct run_request r;
    struct task out = {0};
    struct err e = {0};

    if (journal_get(&j, w->config.dir, job_id, &e) != RC_OK) {
        log_error("worker", "journal: %s", e.msg);
        return;
    }
    if (!with_tx_only || j.tx.n != 0) {
        /* A job that brought the worker down time and again must not do so for ever. */
        if (j.tx.n == 0 && j.n_runs >= MAX_RUNS)
            settle_bare(w, &j);
        else if (j.request == NULL || run_request_from_json(&r, j.request, &e) != RC_OK) {
            settle_bare(w, &j);
        } else {
            worker_run_unready(w, &r, &out);
            json_decref(out.proof);
            run_request_clear(&r);
        }
    }
    journal_entry_clear(&j);
}

/* All transactions to the node first, in whatever order, so that none waits for another's nonce. */
static void send_all(struct worker *w, const uint64_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct journal_entry j;

        if (journal_get(&j, w->config.dir, ids[i], NULL) != RC_OK)
            continue;
        if (j.tx.n != 0)
            (void)!chain_send_raw(w->chain, buf_bytes(&j.tx), NULL);
        journal_entry_clear(&j);
    }
}

static void settle_journal(struct worker *w, bool with_tx_only)
{
    AUTO_FREE uint64_t *ids = NULL;
    struct err e = {0};
    size_t n = 0;

    if (journal_list(&ids, &n, w->config.dir, &e) != RC_OK) {
        log_error("worker", "journal: %s", e.msg);
        return;
    }
    if (with_tx_only)
        send_all(w, ids, n);
    for (size_t i = 0; i < n && !w->stopping; i++)
        settle(w, ids[i], with_tx_only);
}

static bool reach_chain(struct worker *w)
{
    bool said = false;
    struct err e = {0};
    uint64_t id;

    while (chain_id(w->chain, &id, &e) != RC_OK) {
        if (!said)
            log_warn("worker", "waiting for the ledger: %s", e.msg);
        said = true;
        if (!pause_for(w, RETRY_MS))
            return false;
    }
    (void)pthread_mutex_lock(&w->lock);
    w->chain_id = id;
    (void)pthread_mutex_unlock(&w->lock);
    return true;
}

static void become_ready(struct worker *w)
{
    (void)pthread_mutex_lock(&w->lock);
    w->ready = true;
    (void)pthread_cond_broadcast(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
}

/* What was seen of the chain, to begin from after a crash; no job waits for the disk. */
static void save_view(struct worker *w, bool *said)
{
    struct err e = {0};
    enum rc rc = w->light != NULL ? light_client_save(w->light, &e) : RC_OK;

    if (rc != RC_OK && !*said)
        log_warn("worker", "what was seen of the chain is not kept: %s", e.msg);
    *said = rc != RC_OK;
}

void *keeper_main(void *worker)
{
    struct worker *w = worker;
    uint64_t claim_ms = (uint64_t)w->config.claim_interval_s * 1000, next_claim, next_journal,
             next_enroll, next_save = 0;
    bool said_unsaved = false;
    struct err e = {0};

    if (!reach_chain(w))
        return NULL;
    enroll_keep(w);
    if (w->config.role == WORKER_OPEN)
        settle_journal(w, true);
    become_ready(w);
    if (w->config.role == WORKER_OPEN)
        settle_journal(w, false);
    next_claim = clock_mono_ms() + claim_ms;
    next_journal = clock_mono_ms() + JOURNAL_EVERY_MS;
    next_enroll = clock_mono_ms();
    while (pause_for(w, 200)) {
        uint64_t now = clock_mono_ms();

        fresh_keep(w);
        if (now >= next_save) {
            save_view(w, &said_unsaved);
            next_save = clock_mono_ms() + SAVE_EVERY_MS;
        }
        if (now >= next_enroll) {
            enroll_keep(w);
            next_enroll =
                clock_mono_ms() + (w->enroll_failure[0] != 0 ? ENROLL_AGAIN_MS : ENROLL_EVERY_MS);
        }
        if (w->config.role != WORKER_OPEN)
            continue;
        if (now >= next_journal) {
            settle_journal(w, true);
            next_journal = clock_mono_ms() + JOURNAL_EVERY_MS;
        }
        if (w->config.claim_interval_s != UINT_MAX && now >= next_claim) {
            if (onchain_claim(w, &e) != RC_OK)
                log_warn("worker", "claim: %s", e.msg);
            next_claim = clock_mono_ms() + claim_ms;
        }
    }
    return NULL;
}
