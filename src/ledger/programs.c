/* Decoded programs by code hash, and warm VM instances. Nothing here may be seen from inside a
 * contract: hits and misses differ in time only. */
#include "base/mem.h"
#include "crypto/hash.h"
#include "ledger/evidence.h"
#include "ledger/hostcost.h"
#include "ledger/internal/exec.h"

enum {
    BUCKETS = 1024,
    VMS_MAX = LEDGER_DEPTH_MAX + 1,
};

struct idle_vm {
    struct vm *vm;
    struct hash32 code_hash; /* of what it ran last: its text need not be copied again */
};

struct executor {
    struct program *buckets[BUCKETS]; /* chains */
    size_t cached_size, cache_limit;
    uint64_t clock;
    struct idle_vm idle[VMS_MAX];
    size_t n_idle, idle_limit;
    struct evidence_cache *evidence;
};

struct executor *executor_new(const struct executor_opts *opts)
{
    struct executor *x = xcalloc(1, sizeof(*x));

    x->cache_limit =
        opts != NULL && opts->code_cache_size != 0 ? opts->code_cache_size : (size_t)256 << 20;
    x->idle_limit = opts != NULL && opts->idle_vms != 0 ? opts->idle_vms : 4;
    if (x->idle_limit > VMS_MAX)
        x->idle_limit = VMS_MAX;
    x->evidence = evidence_cache_new();
    return x;
}

static void program_free(struct program *p)
{
    vm_program_unref(p->vm);
    arena_clear(&p->mem);
    free(p);
}

static void evict(struct executor *x, struct program **at)
{
    struct program *p = *at;

    x->cached_size -= p->host_size;
    *at = p->next;
    program_free(p);
}

void executor_free(struct executor *x)
{
    if (x == NULL)
        return;
    for (size_t i = 0; i < x->n_idle; i++)
        vm_free(x->idle[i].vm);
    for (size_t i = 0; i < BUCKETS; i++)
        while (x->buckets[i] != NULL)
            evict(x, &x->buckets[i]);
    evidence_cache_free(x->evidence);
    free(x);
}

struct evidence_cache *executor_evidence(struct executor *x)
{
    return x->evidence;
}

/* ---- programs ---- */

static struct program *program_load(struct bytes elf, const struct hash32 *code_hash, struct err *e)
{
    struct program *p = xcalloc(1, sizeof(*p));
    struct vm_program_info info;
    uint64_t pages;

    if (vm_program_load(&p->vm, elf, e) != RC_OK) {
        free(p);
        return NULL;
    }
    info = vm_program_info(p->vm);
    pages = ((uint64_t)info.image_hi - info.data_lo + VM_PAGE - 1) / VM_PAGE;
    p->code_hash = *code_hash;
    p->load_units = cost_of(0, COST_LOAD_PER_32, elf.n) + pages * VM_COST_PAGE;
    p->reentrant = code_reentrant(elf, &p->mem);
    p->host_size = info.host_size + sizeof(*p);
    return p;
}

static struct program **bucket_of(struct executor *x, const struct hash32 *code_hash)
{
    return &x->buckets[load_u16be(code_hash->b) % BUCKETS];
}

static struct program *cache_find(struct executor *x, const struct hash32 *code_hash)
{
    struct program *p = *bucket_of(x, code_hash);

    while (p != NULL && !hash32_eq(&p->code_hash, code_hash))
        p = p->next;
    return p;
}

/* Where the least recently used program stands that no frame is running; NULL if there is none. */
static struct program **oldest(struct executor *x)
{
    struct program **best = NULL;

    for (size_t i = 0; i < BUCKETS; i++)
        for (struct program **at = &x->buckets[i]; *at != NULL; at = &(*at)->next)
            if ((*at)->users == 0 && (best == NULL || (*at)->used_at < (*best)->used_at))
                best = at;
    return best;
}

/* Keep p if there is room or something to drop; else its last user frees it. */
static void cache_put(struct executor *x, struct program *p)
{
    struct program **bucket;

    while (x->cached_size + p->host_size > x->cache_limit) {
        struct program **old = oldest(x);

        if (old == NULL)
            return;
        evict(x, old);
    }
    bucket = bucket_of(x, &p->code_hash);
    p->next = *bucket;
    *bucket = p;
    x->cached_size += p->host_size;
    p->cached = true;
}

enum rc program_use(struct executor *x, struct journal *j, const struct hash32 *code_hash,
                    struct program **out, struct err *e)
{
    struct state_key key;
    struct bytes elf;
    struct err why = {0};

    *out = cache_find(x, code_hash);
    if (*out == NULL) {
        key = state_key_code(code_hash);
        TRY(journal_get(j, state_key_bytes(&key), &elf, e));
        if (elf.p == NULL)
            return err_set(e, RC_NOTFOUND, "ledger: no code under its hash");
        *out = program_load(elf, code_hash, &why);
        if (*out == NULL)
            return err_set(e, RC_CORRUPT, "ledger: stored code does not load: %.160s", why.msg);
        cache_put(x, *out);
    }
    (*out)->used_at = ++x->clock;
    (*out)->users++;
    return RC_OK;
}

void program_release(struct program *p)
{
    p->users--;
    if (p->users == 0 && !p->cached)
        program_free(p);
}

/* ---- instances ---- */

static enum rc vm_make(struct vm **out, struct err *e)
{
    return vm_new(
        out, &(struct vm_config){.memory = LEDGER_FRAME_MEMORY, .stack = LEDGER_FRAME_STACK}, e);
}

enum rc vm_take(struct executor *x, struct program *p, struct vm **out, struct err *e)
{
    size_t at = x->n_idle;
    enum rc rc = RC_OK;

    *out = NULL;
    for (size_t i = x->n_idle; i-- > 0;)
        if (at == x->n_idle || hash32_eq(&x->idle[i].code_hash, &p->code_hash))
            at = i;
    if (x->n_idle != 0) {
        *out = x->idle[at].vm;
        x->idle[at] = x->idle[--x->n_idle];
    } else {
        TRY(vm_make(out, e));
    }
    rc = vm_reset(*out, p->vm, e);
    if (rc != RC_OK) {
        vm_free(*out);
        *out = NULL;
    }
    return rc;
}

void vm_give_back(struct executor *x, struct vm *vm, const struct program *p)
{
    if (vm == NULL)
        return;
    if (x->n_idle >= x->idle_limit) {
        vm_free(vm);
        return;
    }
    x->idle[x->n_idle++] = (struct idle_vm){.vm = vm, .code_hash = p->code_hash};
}

enum rc program_check(struct executor *x, struct bytes elf, struct err *e)
{
    struct hash32 code_hash;
    struct program *p;
    struct vm *vm;
    struct err why = {0};
    enum rc rc;

    if (elf.n > STATE_CODE_MAX)
        return err_set(e, RC_LIMIT, "code has %zu bytes, at most %u", elf.n, STATE_CODE_MAX);
    keccak256(&code_hash, elf);
    p = program_load(elf, &code_hash, &why);
    if (p == NULL) {
        if (e != NULL)
            *e = why;
        return why.code;
    }
    rc = vm_take(x, p, &vm, e);
    if (rc == RC_OK)
        vm_give_back(x, vm, p);
    program_free(p);
    return rc;
}
