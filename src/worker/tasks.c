/* The table of jobs: one run a job at a time, equal requests share it, finished ones are remembered
 * for a while. */
#include "base/log.h"
#include "base/mem.h"
#include "os/clock.h"
#include "worker/internal/state.h"
#include "worker/proof/request.h"

#include <stdio.h>
#include <time.h>

#define MAX_TASKS 1024
#define READY_WAIT_S 30

const struct secp_key *worker_proof_key(struct worker *w, struct address *who)
{
    bool with_sender;

    (void)pthread_mutex_lock(&w->lock);
    with_sender = w->signs_with_sender;
    (void)pthread_mutex_unlock(&w->lock);
    *who = with_sender ? w->keys->sender_address : w->keys->signer_address;
    return with_sender ? &w->keys->sender : &w->keys->proof_signer;
}

void task_step(struct worker *w, struct task *t, const char *step)
{
    (void)pthread_mutex_lock(&w->lock);
    t->step = step;
    (void)pthread_mutex_unlock(&w->lock);
}

static struct task *find(struct worker *w, uint64_t job_id)
{
    for (struct task *t = w->tasks; t != NULL; t = t->next)
        if (t->job_id == job_id)
            return t;
    return NULL;
}

static void free_task(struct task *t)
{
    json_decref(t->proof);
    free(t);
}

void tasks_clear(struct worker *w)
{
    while (w->tasks != NULL) {
        struct task *t = w->tasks;

        w->tasks = t->next;
        free_task(t);
    }
    w->n_tasks = 0;
}

/* Forget the oldest finished one that nobody waits for. */
static void prune(struct worker *w)
{
    struct task **oldest = NULL;

    if (w->n_tasks < MAX_TASKS)
        return;
    for (struct task **p = &w->tasks; *p != NULL; p = &(*p)->next)
        if ((*p)->state != TASK_RUNNING && (*p)->n_waiting == 0)
            oldest = p;
    if (oldest != NULL) {
        struct task *t = *oldest;

        *oldest = t->next;
        w->n_tasks--;
        free_task(t);
    }
}

static void copy_out(struct task *out, const struct task *t)
{
    *out = *t;
    out->next = NULL;
    json_incref(out->proof);
}

static void refuse(struct task *out, uint64_t job_id, unsigned http, const char *code,
                   const char *text)
{
    memset(out, 0, sizeof(*out));
    out->job_id = job_id;
    out->state = TASK_FAILED;
    out->step = "";
    out->http = http;
    out->code = code;
    (void)snprintf(out->message, sizeof(out->message), "%s", text);
}

static bool wait_ready(struct worker *w)
{
    struct timespec until;

    /* `changed` waits by this clock: the wall clock may be set meanwhile. */
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += READY_WAIT_S;
    while (!w->ready && !w->stopping)
        if (pthread_cond_timedwait(&w->changed, &w->lock, &until) != 0)
            break;
    return w->ready && !w->stopping;
}

/* A task of our own at the head of the table. */
static struct task *enter(struct worker *w, struct task *old, const struct run_request *r)
{
    struct task *t = old;

    if (t == NULL) {
        prune(w);
        t = xcalloc(1, sizeof(*t));
        t->next = w->tasks;
        w->tasks = t;
        w->n_tasks++;
    }
    json_decref(t->proof);
    t->proof = NULL;
    t->job_id = r->job_id;
    t->id = r->id;
    t->state = TASK_RUNNING;
    t->step = "waiting";
    return t;
}

static void run_locked(struct worker *w, struct task *t, struct run_request *r)
{
    while (w->n_running >= w->config.n_jobs)
        (void)pthread_cond_wait(&w->changed, &w->lock);
    w->n_running++;
    (void)pthread_mutex_unlock(&w->lock);
    job_run(w, t, r);
    (void)pthread_mutex_lock(&w->lock);
    w->n_running--;
    (void)pthread_cond_broadcast(&w->changed);
}

void worker_run_unready(struct worker *w, struct run_request *r, struct task *out)
{
    struct task *t;

    (void)pthread_mutex_lock(&w->lock);
    t = find(w, r->job_id);
    if (t != NULL && t->state == TASK_RUNNING && !hash32_eq(&t->id, &r->id)) {
        refuse(out, r->job_id, 409, "JOB_BUSY", "another request for this job is running");
    } else if (t != NULL && t->state == TASK_RUNNING) {
        t->n_waiting++;
        while (t->state == TASK_RUNNING)
            (void)pthread_cond_wait(&w->changed, &w->lock);
        t->n_waiting--;
        copy_out(out, t);
    } else if (t != NULL && t->state == TASK_DONE && hash32_eq(&t->id, &r->id)) {
        copy_out(out, t);
    } else if (t != NULL && t->n_waiting != 0) {
        refuse(out, r->job_id, 409, "JOB_BUSY", "the job's last run is being answered");
    } else {
        t = enter(w, t, r);
        run_locked(w, t, r);
        copy_out(out, t);
    }
    (void)pthread_mutex_unlock(&w->lock);
}

void worker_run(struct worker *w, struct run_request *r, struct task *out)
{
    bool ready;

    (void)pthread_mutex_lock(&w->lock);
    ready = wait_ready(w);
    (void)pthread_mutex_unlock(&w->lock);
    if (ready)
        worker_run_unready(w, r, out);
    else
        refuse(out, r->job_id, 503, "CHAIN_UNAVAILABLE",
               "the worker has not reached its ledger yet: try again");
}

bool worker_find_task(struct worker *w, uint64_t job_id, struct task *out)
{
    const struct task *t;

    (void)pthread_mutex_lock(&w->lock);
    t = find(w, job_id);
    if (t != NULL)
        copy_out(out, t);
    (void)pthread_mutex_unlock(&w->lock);
    return t != NULL;
}
