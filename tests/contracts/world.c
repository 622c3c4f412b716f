/* tests/contracts/world.c - the host side of natively compiled contracts; see world.h. */
#include "contracts/world.h"

#include "base/hex.h"
#include "chain/address.h"
#include "contracts/machine.h"
#include "crypto/hash.h"
#include "crypto/ristretto.h"
#include "ledger/evidence.h"
#include "sdk/hostcall.h"
#include "sdk/native/entry.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdio.h>
#include <unistd.h>

#define BUCKETS 16384u
#define MAX_CODES 16u
#define MAX_DEPTH 64u
#define NAME_MAX_SIZE 48u

struct code {
    char name[NAME_MAX_SIZE];
    struct hash32 hash;
    void (*main)(void);
    void *state;
    size_t state_size;
    struct bytes reentrant;     /* selectors, one after another */
    struct vm_program *program; /* on the machine, instead of main and state */
};

struct account {
    struct address at;
    struct u256 balance;
    const struct code *code; /* NULL: a plain account */
};

struct slot {
    struct slot *next;
    struct address at;
    struct bytes key, value;
};

/* One change, to be taken back. */
struct undo {
    struct slot *slot; /* storage: its old value */
    struct bytes value;
    size_t account; /* else an account: its old self */
    struct account old;
};

struct frame {
    struct frame *up;
    struct account *self;
    struct address self_at;
    struct address caller;
    struct u256 value;
    struct bytes input;
    struct bytes result;
    struct bytes returned; /* of the last nested call */
    bool is_static;
    unsigned depth;
    enum world_outcome outcome;
    const struct code *code;
    jmp_buf end;
};

static struct {
    struct world *w;
    struct code codes[MAX_CODES];
    size_t n_codes;
    struct account *accounts;
    size_t n_accounts;
    struct slot *buckets[BUCKETS];
    size_t n_slots;
    struct evidence_cache *evidence;
    struct undo *undo;
    size_t n_undo;
    struct frame *top;
    struct address origin;
    uint64_t made;
} chain;

static long host(long number, const long a[6]);

/* ---- code --------------------------------------------------------------------------------------
 */

static const struct code *code_load(const char *name)
{
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    for (size_t i = 0; i < chain.n_codes; i++)
        if (strcmp(chain.codes[i].name, name) == 0)
            return &chain.codes[i];
    CHECK(n > 0 && chain.n_codes < MAX_CODES && strlen(name) < NAME_MAX_SIZE);
    exe[n] = 0;
    *strrchr(exe, '/') = 0;
    struct code *c = &chain.codes[chain.n_codes];

    memcpy(c->name, name, strlen(name) + 1);
    keccak256(&c->hash, bytes_str(name));
    chain.n_codes++;
    if (world_uses_machine) {
        c->program = machine_load(exe, name, &c->reentrant, &chain.w->a);
        return c;
    }
    AUTO_FREE char *path = xasprintf("%s/%s.so", exe, name);
    void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (so == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        abort();
    }
    void (*set_host)(native_host_fn *);
    void *(*state)(size_t *);

    *(void **)&c->main = dlsym(so, "contract_main");
    *(void **)&set_host = dlsym(so, "contract_set_host");
    *(void **)&state = dlsym(so, "contract_state");
    const uint64_t *reentrant_size = dlsym(so, "reentrant_functions_size");

    if (reentrant_size != NULL)
        c->reentrant = bytes_of(dlsym(so, "reentrant_functions"), (size_t)*reentrant_size);
    CHECK(c->main != NULL && set_host != NULL && state != NULL);
    set_host(host);
    c->state = state(&c->state_size);
    return c;
}

static const struct code *code_by_hash(const uint8_t *hash)
{
    for (size_t i = 0; i < chain.n_codes; i++)
        if (memcmp(chain.codes[i].hash.b, hash, 32) == 0)
            return &chain.codes[i];
    return NULL;
}

struct hash32 world_code_hash(const char *name)
{
    return code_load(name)->hash;
}

/* ---- accounts and storage, with undo -----------------------------------------------------------
 */

static void undo_push(struct undo u)
{
    chain.undo = xreallocarray(chain.undo, chain.n_undo + 1, sizeof(u));
    chain.undo[chain.n_undo++] = u;
}

static size_t account_index(struct address at)
{
    for (size_t i = 0; i < chain.n_accounts; i++)
        if (address_eq(&chain.accounts[i].at, &at))
            return i;
    chain.accounts = xreallocarray(chain.accounts, chain.n_accounts + 1, sizeof(struct account));
    chain.accounts[chain.n_accounts] = (struct account){.at = at};
    return chain.n_accounts++;
}

/* Valid until the next account is made. */
static struct account *account_of(struct address at)
{
    size_t i = account_index(at);

    return &chain.accounts[i];
}

static struct account *account_change(struct address at)
{
    size_t i = account_index(at);

    undo_push((struct undo){.account = i, .old = chain.accounts[i]});
    return &chain.accounts[i];
}

static struct slot *slot_find(struct address at, struct bytes key, bool make)
{
    struct hash32 h;
    struct slot *s;
    uint8_t both[20 + 128];

    CHECK(key.n <= 128);
    memcpy(both, at.b, 20);
    memcpy(both + 20, key.p, key.n);
    keccak256(&h, bytes_of(both, 20 + key.n));
    struct slot **bucket = &chain.buckets[load_u32be(h.b) % BUCKETS];

    for (s = *bucket; s != NULL; s = s->next)
        if (address_eq(&s->at, &at) && bytes_eq(s->key, key))
            return s;
    if (!make)
        return NULL;
    s = arena_alloc(&chain.w->a, sizeof(*s));
    *s = (struct slot){.next = *bucket, .at = at, .key = arena_dup(&chain.w->a, key)};
    *bucket = s;
    return s;
}

static void slot_set(struct address at, struct bytes key, struct bytes value)
{
    struct slot *s = slot_find(at, key, true);

    undo_push((struct undo){.slot = s, .value = s->value});
    chain.n_slots += (value.n != 0);
    chain.n_slots -= (s->value.n != 0);
    s->value = arena_dup(&chain.w->a, value);
}

static void undo_to(size_t mark)
{
    while (chain.n_undo > mark) {
        struct undo u = chain.undo[--chain.n_undo];

        if (u.slot != NULL) {
            chain.n_slots += (u.value.n != 0);
            chain.n_slots -= (u.slot->value.n != 0);
            u.slot->value = u.value;
        } else {
            chain.accounts[u.account] = u.old;
        }
    }
}

static bool move_coin(struct address from, struct address to, const struct u256 *amount)
{
    if (u256_is_zero(amount))
        return true;
    struct account *a = account_change(from);

    if (!u256_sub(
            &a->balance,
            &(struct u256){{a->balance.w[0], a->balance.w[1], a->balance.w[2], a->balance.w[3]}},
            amount)) {
        undo_to(chain.n_undo - 1);
        return false;
    }
    a = account_change(to);
    struct u256 before = a->balance;

    CHECK(u256_add(&a->balance, &before, amount));
    return true;
}

/* ---- calls -------------------------------------------------------------------------------------
 */

static bool on_stack(struct address at)
{
    for (const struct frame *f = chain.top; f != NULL; f = f->up)
        if (address_eq(&f->self_at, &at))
            return true;
    return false;
}

/* Nested calls of one contract share its variables here: put them aside meanwhile. */
static void run_natively(struct frame *f)
{
    const struct code *code = f->code;
    AUTO_FREE void *saved = xmemdup(code->state, code->state_size);

    memset(code->state, 0, code->state_size);
    if (setjmp(f->end) == 0)
        code->main();
    memcpy(code->state, saved, code->state_size);
}

static void run_on_machine(struct frame *f)
{
    bool reverted = false;

    if (!machine_run(f->code->program, host, &reverted, &f->result, chain.w))
        f->outcome = WORLD_TRAPPED;
    else
        f->outcome = reverted ? WORLD_REVERTED : WORLD_OK;
}

static bool may_reenter(const struct code *code, struct bytes data)
{
    if (data.n < 4)
        return false;
    for (size_t i = 0; i < code->reentrant.n; i += 4)
        if (memcmp(code->reentrant.p + i, data.p, 4) == 0)
            return true;
    return false;
}

/* Run `to`. Returns as HOST_CALL does; *result is the return or revert data. */
static long run(struct address from, struct address to, const struct u256 *value, struct bytes data,
                bool is_static, struct bytes *result)
{
    struct world *w = chain.w;
    size_t mark = chain.n_undo, logs = w->n_logs, messages = w->n_messages;
    struct frame f = {.up = chain.top,
                      .self_at = to,
                      .caller = from,
                      .value = *value,
                      .input = data,
                      .is_static = is_static};
    const struct code *code = account_of(to)->code;

    *result = (struct bytes){0};
    f.depth = f.up == NULL ? 1 : f.up->depth + 1;
    if (f.depth > MAX_DEPTH)
        return -HOST_EDEPTH;
    if (code != NULL && on_stack(to) && !may_reenter(code, data))
        return -HOST_EREENTRANT;
    if (is_static && !u256_is_zero(value))
        return -HOST_ESTATIC;
    if (!move_coin(from, to, value))
        return -HOST_EBALANCE;
    if (code == NULL)
        return 0;
    f.code = code;
    chain.top = &f;
    if (world_uses_machine)
        run_on_machine(&f);
    else
        run_natively(&f);
    chain.top = f.up;
    *result = f.result;
    if (f.outcome == WORLD_OK)
        return 0;
    undo_to(mark);
    w->n_logs = logs;
    w->n_messages = messages;
    return f.outcome == WORLD_REVERTED ? -HOST_EREVERTED : -HOST_ETRAPPED;
}

_Noreturn static void end(struct frame *f, enum world_outcome outcome, struct bytes data)
{
    f->outcome = outcome;
    f->result = arena_dup(&chain.w->a, data);
    longjmp(f->end, 1);
}

static struct bytes in(long p, long n)
{
    return bytes_of((const void *)p, (size_t)n);
}

static struct address address_in(long p)
{
    struct address a;

    memcpy(a.b, (const void *)p, 20);
    return a;
}

static struct u256 u256_in(long p)
{
    return p == 0 ? U256_ZERO : u256_from_be((const uint8_t *)p);
}

static long copy_out(struct bytes from, const long a[6])
{
    size_t off = (size_t)a[1] < from.n ? (size_t)a[1] : from.n;
    size_t n = (size_t)a[2] < from.n - off ? (size_t)a[2] : from.n - off;

    if (n != 0)
        memcpy((void *)a[0], from.p + off, n);
    return (long)n;
}

/* ---- a cluster (sdk/confidential.h) ---- */

static long send_message(struct frame *f, struct address to, struct u256 value, struct bytes data)
{
    struct world *w = chain.w;
    struct world_message *grown;
    struct account *a;
    struct u256 left;

    if (w->n_messages >= 256)
        return -HOST_ELIMIT;
    if (!u256_sub(&left, &account_of(f->self_at)->balance, &value))
        return -HOST_EBALANCE;
    a = account_change(f->self_at);
    a->balance = left;
    grown = arena_array(&w->a, w->n_messages + 1, sizeof(*grown));
    if (w->n_messages != 0)
        memcpy(grown, w->messages, w->n_messages * sizeof(*grown));
    grown[w->n_messages++] = (struct world_message){
        .from = f->self_at, .to = to, .value = value, .data = arena_dup(&w->a, data)};
    w->messages = grown;
    return 0;
}

static bool is_outside(struct address to)
{
    return chain.w->profile != 0 && account_of(to)->code == NULL;
}

/* A payment to what is no contract of the cluster. */
static long pay_outside(struct frame *f, struct address to, struct u256 value)
{
    if (u256_is_zero(&value))
        return 0;
    return send_message(f, to, value, (struct bytes){0});
}

static long do_send(struct frame *f, const long a[6])
{
    if (f->is_static)
        return -HOST_ESTATIC;
    if (a[3] > 16384)
        return -HOST_ELIMIT;
    return send_message(f, address_in(a[0]), u256_in(a[1]), in(a[2], a[3]));
}

static long do_random(const long a[6])
{
    struct rng r = insecure_rng(&chain.w->random);

    if (a[1] > 4096)
        return -HOST_ELIMIT;
    rng_fill(&r, (void *)a[0], (size_t)a[1]);
    return 0;
}

/* The digest of docs/confidential.md, Keys. */
static long do_sign(struct frame *f, const long a[6])
{
    static const char label[] = "cloister/cluster/sign/v1";
    AUTO_CLEAR(buf) struct buf b = {0};
    struct hash32 digest;
    struct secp_sig sig;

    if (chain.w->sign == NULL)
        return -HOST_EINVAL;
    buf_u32be(&b, sizeof(label) - 1);
    buf_put_str(&b, label);
    buf_put(&b, f->self_at.b, 20);
    buf_u32be(&b, (uint32_t)a[1]);
    buf_put_bytes(&b, in(a[0], a[1]));
    keccak256(&digest, buf_bytes(&b));
    secp_sign(&sig, chain.w->sign, &digest);
    memcpy((void *)a[2], sig.b, sizeof(sig.b));
    return 0;
}

static long do_http(struct frame *f, const long a[6])
{
    f->returned = (struct bytes){0};
    chain.w->http_request = arena_dup(&chain.w->a, in(a[0], a[1]));
    if (chain.w->http_response.p == NULL)
        return -HOST_ENOTFOUND;
    f->returned = chain.w->http_response;
    return (long)f->returned.n;
}

/* Kept beside storage, under an address no contract has; a query's end does not undo it. */
static struct slot *cache_slot(const struct frame *f, const long a[6])
{
    struct address at = f->self_at;

    at.b[0] ^= 0xff;
    return slot_find(at, in(a[0], a[1]), true);
}

static long do_cache(const struct frame *f, long number, const long a[6])
{
    struct slot *s;

    if (a[1] < 1 || a[1] > 128)
        return -HOST_EINVAL;
    s = cache_slot(f, a);
    if (number == HOST_CACHE_SET) {
        if (a[3] > 65536)
            return -HOST_ELIMIT;
        s->value = arena_dup(&chain.w->a, in(a[2], a[3]));
        return 0;
    }
    if (s->value.n == 0)
        return -HOST_ENOTFOUND;
    if (a[3] != 0)
        memcpy((void *)a[2], s->value.p, s->value.n < (size_t)a[3] ? s->value.n : (size_t)a[3]);
    return (long)s->value.n;
}

static long in_query(struct frame *f, long number, const long a[6])
{
    if (chain.w->profile != 3)
        return -HOST_ESTATIC;
    switch (number) {
    case HOST_RANDOM:
        return do_random(a);
    case HOST_SIGN:
        return do_sign(f, a);
    case HOST_HTTP:
        return do_http(f, a);
    default:
        return do_cache(f, number, a);
    }
}

static long do_call(struct frame *f, const long a[6])
{
    struct address to = address_in(a[0]);
    struct u256 value = u256_in(a[3]);

    if (f->is_static && !u256_is_zero(&value))
        return -HOST_ESTATIC;
    f->returned = (struct bytes){0};
    if (is_outside(to))
        return pay_outside(f, to, value);
    return run(f->self_at, to, &value, arena_dup(&chain.w->a, in(a[1], a[2])),
               f->is_static || (a[4] & HOST_CALL_STATIC) != 0, &f->returned);
}

static struct address new_address(void)
{
    struct address at = {{0xc0}};

    store_u64be(at.b + 12, ++chain.made);
    return at;
}

static long do_deploy(struct frame *f, const long a[6])
{
    const struct code *code = code_by_hash((const uint8_t *)a[0]);
    struct u256 value = u256_in(a[4]);
    struct address at;
    size_t mark = chain.n_undo;

    if (f->is_static)
        return -HOST_ESTATIC;
    if (chain.w->profile != 0)
        return -HOST_EINVAL;
    if (code == NULL)
        return -HOST_ENOTFOUND;
    if (a[1] != 0) {
        struct hash32 salt;

        memcpy(salt.b, (const void *)a[1], 32);
        address_create2(&at, &f->self_at, &salt, &code->hash);
        if (account_of(at)->code != NULL)
            return -HOST_ETRAPPED;
    } else {
        at = new_address();
    }
    account_change(at)->code = code;
    long rc =
        run(f->self_at, at, &value, arena_dup(&chain.w->a, in(a[2], a[3])), false, &f->returned);

    if (rc != 0)
        undo_to(mark);
    else
        memcpy((void *)a[5], at.b, 20);
    return rc;
}

static long do_log(struct frame *f, const long a[6])
{
    struct world *w = chain.w;

    if (f->is_static)
        return -HOST_ESTATIC;
    if (a[1] > 4)
        return -HOST_EINVAL;
    struct world_log *grown = arena_array(&w->a, w->n_logs + 1, sizeof(*grown));

    if (w->n_logs != 0)
        memcpy(grown, w->logs, w->n_logs * sizeof(*grown));
    w->logs = grown;
    struct world_log *log = &w->logs[w->n_logs++];

    log->from = f->self_at;
    log->n_topics = (size_t)a[1];
    memcpy(log->topics, (const void *)a[0], 32 * log->n_topics);
    log->data = arena_dup(&w->a, in(a[2], a[3]));
    return 0;
}

static long do_storage(struct frame *f, long number, const long a[6])
{
    struct bytes key = in(a[0], a[1]);

    if (a[1] > 128)
        return -HOST_EINVAL;
    if (number == HOST_STORAGE_SET) {
        if (f->is_static)
            return -HOST_ESTATIC;
        if (a[3] > 65536)
            return -HOST_ELIMIT;
        slot_set(f->self_at, key, in(a[2], a[3]));
        return 0;
    }
    const struct slot *s = slot_find(f->self_at, key, false);

    if (s == NULL || s->value.n == 0)
        return -HOST_ENOTFOUND;
    memcpy((void *)a[2], s->value.p, s->value.n < (size_t)a[3] ? s->value.n : (size_t)a[3]);
    return (long)s->value.n;
}

static long do_recover(const long a[6])
{
    struct hash32 digest;
    struct address who;
    uint8_t v = ((const uint8_t *)a[1])[64];

    memcpy(digest.b, (const void *)a[0], 32);
    if ((v != 27 && v != 28) ||
        secp_recover_address(&who, &digest, (const uint8_t *)a[1], SECP_S_LOW, NULL) != RC_OK)
        return -HOST_EINVAL;
    memcpy((void *)a[2], who.b, 20);
    return 0;
}

static long do_set_code(struct frame *f, const long a[6])
{
    const struct code *code = code_by_hash((const uint8_t *)a[0]);

    if (f->is_static)
        return -HOST_ESTATIC;
    if (chain.w->profile != 0)
        return -HOST_EINVAL;
    if (code == NULL)
        return -HOST_ENOTFOUND;
    account_change(f->self_at)->code = code;
    return 0;
}

static long do_code_hash(const long a[6])
{
    const struct code *code = account_of(address_in(a[0]))->code;

    if (code == NULL)
        return -HOST_ENOTFOUND;
    memcpy((void *)a[1], code->hash.b, 32);
    return 0;
}

static void put_u256(long at, const struct u256 *v)
{
    u256_to_be((uint8_t *)at, v);
}

static struct attest_roots roots_in(const uint64_t words[3])
{
    return (struct attest_roots){words[2] == 1, (const struct hash32 *)words[0], words[1]};
}

static long do_collateral(const uint64_t *words, long out)
{
    AUTO_CLEAR(buf) struct buf answer = {0};
    struct attest_roots roots = roots_in(words + 2);

    evidence_collateral(chain.evidence, bytes_of((const void *)words[0], words[1]), &roots,
                        &answer);
    memcpy((void *)out, answer.p, HOST_COLLATERAL_SIZE);
    return 0;
}

static long do_evidence(const uint64_t *words, const long a[6])
{
    AUTO_CLEAR(buf) struct buf record = {0};
    struct evidence_request r = {.evidence = bytes_of((const void *)words[0], words[1]),
                                 .collateral = bytes_of((const void *)words[2], words[3]),
                                 .policy = bytes_of((const void *)words[4], words[5]),
                                 .roots = roots_in(words + 6),
                                 .now = words[9]};

    if (!evidence_judge(chain.evidence, &r, &record))
        return -HOST_EINVAL;
    memcpy((void *)a[1], record.p, record.n < (size_t)a[2] ? record.n : (size_t)a[2]);
    return (long)record.n;
}

static long host(long number, const long a[6])
{
    struct frame *f = chain.top;
    struct hash32 h;

    switch (number) {
    case HOST_CALLDATA_SIZE:
        return (long)f->input.n;
    case HOST_CALLDATA_READ:
        return copy_out(f->input, a);
    case HOST_CALLER:
        memcpy((void *)a[0], f->caller.b, 20);
        return 0;
    case HOST_ORIGIN:
        memcpy((void *)a[0], chain.origin.b, 20);
        return 0;
    case HOST_SELF:
        memcpy((void *)a[0], f->self_at.b, 20);
        return 0;
    case HOST_VALUE:
        put_u256(a[0], &f->value);
        return 0;
    case HOST_HEIGHT:
        return (long)chain.w->height;
    case HOST_TIME:
        return (long)chain.w->time;
    case HOST_CHAIN_ID:
        return (long)chain.w->chain_id;
    case HOST_GAS_LEFT:
        return (long)chain.w->gas_left;
    case HOST_IS_STATIC:
        return f->is_static;
    case HOST_STORAGE_GET:
    case HOST_STORAGE_SET:
        return do_storage(f, number, a);
    case HOST_BALANCE:
        put_u256(a[1], &account_of(address_in(a[0]))->balance);
        return 0;
    case HOST_TRANSFER: {
        struct u256 v = u256_in(a[1]);

        if (f->is_static)
            return -HOST_ESTATIC;
        if (is_outside(address_in(a[0])))
            return pay_outside(f, address_in(a[0]), v);
        return move_coin(f->self_at, address_in(a[0]), &v) ? 0 : -HOST_EBALANCE;
    }
    case HOST_CALL:
        return do_call(f, a);
    case HOST_PROFILE:
        return (long)chain.w->profile;
    case HOST_SEND:
        if (chain.w->profile == 0)
            end(f, WORLD_TRAPPED, (struct bytes){0});
        return do_send(f, a);
    case HOST_RANDOM:
    case HOST_SIGN:
    case HOST_HTTP:
    case HOST_CACHE_GET:
    case HOST_CACHE_SET:
        if (chain.w->profile == 0)
            end(f, WORLD_TRAPPED, (struct bytes){0});
        return in_query(f, number, a);
    case HOST_RETURNDATA_SIZE:
        return (long)f->returned.n;
    case HOST_RETURNDATA_READ:
        return copy_out(f->returned, a);
    case HOST_DEPLOY:
        return do_deploy(f, a);
    case HOST_SET_CODE:
        return do_set_code(f, a);
    case HOST_CODE_HASH:
        return do_code_hash(a);
    case HOST_LOG:
        return do_log(f, a);
    case HOST_RETURN:
        end(f, WORLD_OK, in(a[0], a[1]));
    case HOST_REVERT:
        end(f, WORLD_REVERTED, in(a[0], a[1]));
    case HOST_GROW: /* never freed before the test ends: as the machine's memory, one call's whole
                     */
        return a[0] > (16 << 20) ? -HOST_ELIMIT : (long)arena_alloc(&chain.w->a, (size_t)a[0]);
    case HOST_KECCAK256:
        keccak256(&h, in(a[0], a[1]));
        memcpy((void *)a[2], h.b, 32);
        return 0;
    case HOST_SHA256:
        sha256(&h, in(a[0], a[1]));
        memcpy((void *)a[2], h.b, 32);
        return 0;
    case HOST_RISTRETTO_FROM_HASH: {
        struct ristretto p;

        ristretto_from_hash(&p, (const uint8_t *)a[0]);
        memcpy((void *)a[1], p.b, 32);
        return 0;
    }
    case HOST_RISTRETTO_SUM:
        return ristretto_sum((uint8_t *)a[3], (const uint8_t *)a[0], (const uint8_t *)a[1],
                             (size_t)a[2], NULL) == RC_OK
                   ? 0
                   : -HOST_EINVAL;
    case HOST_RISTRETTO_SCALAR:
        return ristretto_scalar_calc((uint8_t *)a[3], (uint64_t)a[0], (const uint8_t *)a[1],
                                     (const uint8_t *)a[2], NULL) == RC_OK
                   ? 0
                   : -HOST_EINVAL;
    case HOST_SHA512:
        sha512((void *)a[2], in(a[0], a[1]));
        return 0;
    case HOST_VERIFY_COLLATERAL:
        return do_collateral((const uint64_t *)a[0], a[1]);
    case HOST_VERIFY_EVIDENCE:
        return do_evidence((const uint64_t *)a[0], a);
    case HOST_GENESIS_HASH:
        h = world_block_hash(0);
        memcpy((void *)a[0], h.b, 32);
        return 0;
    case HOST_BLOCK_HASH:
        if (a[0] < 1 || chain.w->profile != 0 || (uint64_t)a[0] >= chain.w->height ||
            chain.w->height - (uint64_t)a[0] > 256)
            return -HOST_ENOTFOUND;
        h = world_block_hash((uint64_t)a[0]);
        memcpy((void *)a[1], h.b, 32);
        return 0;
    case HOST_ECRECOVER:
        return do_recover(a);
    default:
        end(f, WORLD_TRAPPED, (struct bytes){0});
    }
}

struct hash32 world_block_hash(uint64_t height)
{
    struct hash32 h;

    sha256(&h, BYTES_OF(&height));
    return h;
}

/* ---- the tests' side ---------------------------------------------------------------------------
 */

void world_init(struct world *w)
{
    *w = (struct world){.height = 1, .time = 1700000000, .chain_id = 1480, .gas_left = 10000000};
    chain.w = w;
    chain.evidence = evidence_cache_new();
}

void world_clear(struct world *w)
{
    arena_clear(&w->a);
    for (size_t i = 0; i < chain.n_codes; i++)
        machine_unload(chain.codes[i].program);
    free(chain.accounts);
    free(chain.undo);
    evidence_cache_free(chain.evidence);
    memset(&chain, 0, sizeof(chain));
}

struct address world_place(struct world *w, const char *name)
{
    struct address at = new_address();

    (void)w;
    account_change(at)->code = code_load(name);
    return at;
}

struct address world_account(unsigned i)
{
    struct address at = {{0xaa}};

    store_u32be(at.b + 16, i);
    return at;
}

void world_set_balance(struct world *w, struct address who, uint64_t amount)
{
    (void)w;
    account_of(who)->balance = u256_from_u64(amount);
}

struct u256 world_balance(struct world *w, struct address who)
{
    (void)w;
    return account_of(who)->balance;
}

struct bytes world_storage(struct world *w, struct address at, struct bytes key)
{
    const struct slot *s = slot_find(at, key, false);

    (void)w;
    return s == NULL ? (struct bytes){0} : s->value;
}

void world_store(struct world *w, struct address at, struct bytes key, struct bytes value)
{
    slot_find(at, key, true)->value = arena_dup(&w->a, value);
}

size_t world_storage_count(struct world *w)
{
    (void)w;
    return chain.n_slots;
}

static enum world_outcome outermost(struct world *w, struct address from, struct address to,
                                    uint64_t value, struct buf *data, bool is_static)
{
    struct u256 v = u256_from_u64(value);
    struct bytes input = arena_dup(&w->a, buf_bytes(data));

    buf_clear(data);
    chain.origin = from;
    w->n_logs = 0;
    w->n_messages = 0;
    long rc = run(from, to, &v, input, is_static, &w->ret);

    if (w->profile == 3)
        undo_to(0);
    chain.n_undo = 0;
    if (rc == 0)
        return WORLD_OK;
    return rc == -HOST_EREVERTED ? WORLD_REVERTED : WORLD_TRAPPED;
}

enum world_outcome world_call(struct world *w, struct address from, struct address to,
                              uint64_t value, struct buf *data)
{
    return outermost(w, from, to, value, data, false);
}

enum world_outcome world_view(struct world *w, struct address to, struct buf *data)
{
    return outermost(w, world_account(0), to, 0, data, true);
}
