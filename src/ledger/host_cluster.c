/* Host calls that only a cluster of confidential contracts has: messages out, and what a query may
 * besides. */
#include "ledger/hostcost.h"
#include "ledger/internal/exec.h"
#include "ledger/profile.h"
#include "sdk/hostcall.h"

static enum vm_host_action answer(uint64_t *result, int64_t value)
{
    *result = (uint64_t)value;
    return VM_HOST_CONTINUE;
}

/* ---- messages out ---- */

static struct hash32 word_of(const struct address *a)
{
    struct hash32 w = {0};

    memcpy(w.b + 12, a->b, sizeof(a->b));
    return w;
}

void out_log_add(struct journal *j, const struct out_log *m)
{
    const struct address nobody = {0};
    struct hash32 topics[3] = {word_of(&m->from), word_of(&m->to)};

    u256_to_be(topics[2].b, &m->value_wei);
    journal_add_log(j, &nobody, topics, ARRAY_LEN(topics), m->data);
}

bool out_log_read(struct out_log *out, const struct log *log)
{
    const struct address nobody = {0};

    if (!address_eq(&log->address, &nobody))
        return false;
    memcpy(out->from.b, log->topics[0].b + 12, sizeof(out->from.b));
    memcpy(out->to.b, log->topics[1].b + 12, sizeof(out->to.b));
    out->value_wei = u256_from_be(log->topics[2].b);
    out->data = log->data;
    return true;
}

static bool has_room(const struct journal *j)
{
    struct out_log m;
    size_t n = 0;

    for (size_t i = 0; i < j->n_logs && n < SEND_MESSAGES_MAX; i++)
        n += out_log_read(&m, &j->logs[i]);
    return n < SEND_MESSAGES_MAX;
}

enum rc out_send(struct exec_run *run, const struct out_log *m, int64_t *result)
{
    struct account acc;

    *result = -HOST_ELIMIT;
    if (!has_room(run->journal))
        return RC_OK;
    *result = -HOST_EBALANCE;
    TRY(journal_account(run->journal, &m->from, &acc, run->e));
    if (!u256_sub(&acc.balance, &acc.balance, &m->value_wei))
        return RC_OK;
    *result = 0;
    TRY(journal_set_account(run->journal, &m->from, &acc, run->e));
    out_log_add(run->journal, m);
    return RC_OK;
}

enum rc out_is_outside(struct exec_run *run, const struct address *to, bool *outside)
{
    struct account acc;

    *outside = false;
    if (run->env->profile == NULL)
        return RC_OK;
    TRY(journal_account(run->journal, to, &acc, run->e));
    *outside = !account_has_code(&acc);
    return RC_OK;
}

/* (to20, val_b32 or 0, data, n) */
enum vm_host_action host_send(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    struct out_log m = {.from = f->self};
    uint8_t value[32] = {0};
    int64_t said;
    enum rc rc;

    if (f->run->env->profile == NULL)
        return frame_trap(f, "unknown host call");
    if (!host_pay(f, HOST_SEND, a[3]))
        return VM_HOST_OUT_OF_GAS;
    if (f->is_static)
        return answer(result, -HOST_ESTATIC);
    if (a[3] > SEND_DATA_MAX)
        return answer(result, -HOST_ELIMIT);
    if (!vm_mem_read(f->vm, a[0], m.to.b, sizeof(m.to.b)) ||
        (a[1] != 0 && !vm_mem_read(f->vm, a[1], value, sizeof(value))) ||
        !vm_mem_view(f->vm, a[2], a[3], &m.data))
        return frame_bad_pointer(f);
    m.value_wei = u256_from_be(value);
    rc = out_send(f->run, &m, &said);
    return rc != RC_OK ? frame_fail(f, rc) : answer(result, said);
}

/* ---- queries ---- */

/* The query's effects, or what the call answers without them. */
static const struct query_host *effects(const struct frame *f, uint64_t *result)
{
    const struct host_profile *p = f->run->env->profile;

    *result = (uint64_t)(p->kind == PROFILE_QUERY ? -HOST_EINVAL : -HOST_ESTATIC);
    return p->kind == PROFILE_QUERY ? p->query : NULL;
}

static int64_t said(enum rc rc, int64_t good)
{
    switch ((unsigned)rc) {
    case RC_OK:
        return good;
    case RC_NOTFOUND:
        return -HOST_ENOTFOUND;
    case RC_LIMIT:
        return -HOST_ELIMIT;
    default:
        return -HOST_EINVAL;
    }
}

/* (dst, n) */
static enum vm_host_action query_random(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    const struct query_host *q = effects(f, result);
    uint8_t *dst;

    if (q == NULL || q->random == NULL)
        return VM_HOST_CONTINUE;
    if (a[1] > QUERY_RANDOM_MAX)
        return answer(result, -HOST_ELIMIT);
    dst = vm_mem_view_mut(f->vm, a[0], a[1]);
    if (dst == NULL && a[1] != 0)
        return frame_bad_pointer(f);
    if (a[1] == 0)
        return answer(result, 0);
    return answer(result, said(q->random(q->data, dst, (size_t)a[1], NULL), 0));
}

/* (message, n, dst65) */
static enum vm_host_action query_sign(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    const struct query_host *q = effects(f, result);
    struct bytes message;
    uint8_t sig[65];
    enum rc rc;

    if (q == NULL || q->sign == NULL)
        return VM_HOST_CONTINUE;
    if (a[1] > QUERY_MESSAGE_MAX)
        return answer(result, -HOST_ELIMIT);
    if (!vm_mem_view(f->vm, a[0], a[1], &message) ||
        vm_mem_view_mut(f->vm, a[2], sizeof(sig)) == NULL)
        return frame_bad_pointer(f);
    rc = q->sign(q->data, &f->self, message, sig, NULL);
    if (rc == RC_OK && !vm_mem_write(f->vm, a[2], BYTES_OF(&sig)))
        return frame_bad_pointer(f);
    return answer(result, said(rc, 0));
}

/* (request, n) -> bytes of the response, which is in RETURNDATA */
static enum vm_host_action query_http(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    const struct query_host *q = effects(f, result);
    struct bytes request;
    enum rc rc;

    buf_reset(&f->returned);
    if (q == NULL || q->http == NULL)
        return VM_HOST_CONTINUE;
    if (a[1] > QUERY_REQUEST_MAX)
        return answer(result, -HOST_ELIMIT);
    if (!vm_mem_view(f->vm, a[0], a[1], &request))
        return frame_bad_pointer(f);
    rc = q->http(q->data, &f->self, request, &f->returned, NULL);
    if (rc == RC_OK && f->returned.n > QUERY_RESPONSE_MAX)
        rc = RC_LIMIT;
    if (rc != RC_OK)
        buf_reset(&f->returned);
    if (!vm_charge(f->vm, cost_of(0, COST_GET_PER_32, f->returned.n)))
        return VM_HOST_OUT_OF_GAS;
    return answer(result, said(rc, (int64_t)f->returned.n));
}

/* (key, key_n, dst, cap) -> length of the value */
static enum vm_host_action query_cache_get(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    const struct query_host *q = effects(f, result);
    AUTO_CLEAR(buf) struct buf value = {0};
    struct bytes key;
    size_t n;
    enum rc rc;

    if (q == NULL || q->cache_get == NULL || a[1] == 0 || a[1] > QUERY_CACHE_KEY_MAX)
        return VM_HOST_CONTINUE;
    if (!vm_mem_view(f->vm, a[0], a[1], &key))
        return frame_bad_pointer(f);
    rc = q->cache_get(q->data, &f->self, key, &value, NULL);
    if (rc == RC_OK && value.n > QUERY_CACHE_VALUE_MAX)
        rc = RC_LIMIT;
    if (rc != RC_OK)
        return answer(result, said(rc, 0));
    if (!vm_charge(f->vm, cost_of(0, COST_GET_PER_32, value.n)))
        return VM_HOST_OUT_OF_GAS;
    n = a[3] < value.n ? (size_t)a[3] : value.n;
    if (n != 0 && !vm_mem_write(f->vm, a[2], bytes_of(value.p, n)))
        return frame_bad_pointer(f);
    return answer(result, (int64_t)value.n);
}

/* (key, key_n, val, val_n) */
static enum vm_host_action query_cache_set(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    const struct query_host *q = effects(f, result);
    struct bytes key, value;

    if (q == NULL || q->cache_set == NULL || a[1] == 0 || a[1] > QUERY_CACHE_KEY_MAX)
        return VM_HOST_CONTINUE;
    if (a[3] > QUERY_CACHE_VALUE_MAX)
        return answer(result, -HOST_ELIMIT);
    if (!vm_mem_view(f->vm, a[0], a[1], &key) || !vm_mem_view(f->vm, a[2], a[3], &value))
        return frame_bad_pointer(f);
    return answer(result, said(q->cache_set(q->data, &f->self, key, value, NULL), 0));
}

enum vm_host_action host_query(struct frame *f, uint64_t number, const uint64_t a[6],
                               uint64_t *result)
{
    uint64_t n = number == HOST_CACHE_SET ? a[3] : number == HOST_CACHE_GET ? 0 : a[1];

    if (f->run->env->profile == NULL)
        return frame_trap(f, "unknown host call");
    if (!host_pay(f, number, n))
        return VM_HOST_OUT_OF_GAS;
    switch (number) {
    case HOST_RANDOM:
        return query_random(f, a, result);
    case HOST_SIGN:
        return query_sign(f, a, result);
    case HOST_HTTP:
        return query_http(f, a, result);
    case HOST_CACHE_GET:
        return query_cache_get(f, a, result);
    default:
        return query_cache_set(f, a, result);
    }
}
