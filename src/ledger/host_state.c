/* Host calls of contracts that read or change state, call others or make them. */
#include "base/mem.h"
#include "chain/address.h"
#include "ledger/hostcost.h"
#include "ledger/internal/exec.h"
#include "sdk/hostcall.h"

static enum vm_host_action answer(uint64_t *result, int64_t value)
{
    *result = (uint64_t)value;
    return VM_HOST_CONTINUE;
}

static bool read_address(struct frame *f, uint64_t addr, struct address *out)
{
    return vm_mem_read(f->vm, addr, out->b, sizeof(out->b));
}

/* A b32 number, 0 where the pointer is 0 and may be. */
static bool read_value(struct frame *f, uint64_t addr, struct u256 *out)
{
    uint8_t be[32] = {0};
    bool ok = addr == 0 || vm_mem_read(f->vm, addr, be, sizeof(be));

    *out = u256_from_be(be);
    return ok;
}

/* ---- storage ---- */

/* The natural key of (key pointer, length); *ok false: the length is no key's. */
static bool read_key(struct frame *f, uint64_t addr, uint64_t n, struct state_key *out)
{
    struct bytes key;

    if (!vm_mem_view(f->vm, addr, n, &key))
        return false;
    *out = state_key_storage(&f->self, key);
    return true;
}

static bool key_size_ok(uint64_t n)
{
    return n >= 1 && n <= STATE_STORAGE_KEY_MAX;
}

enum vm_host_action host_storage_get(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    struct exec_run *run = f->run;
    struct state_key key;
    struct bytes value;
    uint64_t n;
    enum rc rc;

    if (!host_pay(f, HOST_STORAGE_GET, 0))
        return VM_HOST_OUT_OF_GAS;
    if (!key_size_ok(a[1]))
        return answer(result, -HOST_EINVAL);
    if (!read_key(f, a[0], a[1], &key))
        return frame_bad_pointer(f);
    rc = journal_get(run->journal, state_key_bytes(&key), &value, run->e);
    if (rc != RC_OK)
        return frame_fail(f, rc);
    if (value.p == NULL)
        return answer(result, -HOST_ENOTFOUND);
    if (!vm_charge(f->vm, cost_of(0, COST_GET_PER_32, value.n)))
        return VM_HOST_OUT_OF_GAS;
    n = a[3] < value.n ? a[3] : value.n;
    if (n != 0 && !vm_mem_write(f->vm, a[2], bytes_of(value.p, (size_t)n)))
        return frame_bad_pointer(f);
    return answer(result, (int64_t)value.n);
}

/* Every byte that stays in state is paid when it is added; nothing is given back for removing. */
static uint64_t set_cost(struct bytes key, struct bytes old, struct bytes value)
{
    uint64_t grown = value.n > old.n ? value.n - old.n : 0;

    if (bytes_eq(old, value))
        return COST_SET_SAME;
    if (value.n == 0)
        return COST_SET_DELETE;
    if (old.p == NULL)
        return COST_SET_NEW + COST_SET_STORED_BYTE * (uint64_t)(key.n + value.n);
    return COST_SET_CHANGE + COST_SET_WRITTEN_BYTE * (uint64_t)value.n +
           COST_SET_STORED_BYTE * grown;
}

enum vm_host_action host_storage_set(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    struct exec_run *run = f->run;
    struct state_key key;
    struct bytes value, old;
    enum rc rc;

    if (!vm_charge(f->vm, COST_SET_SAME))
        return VM_HOST_OUT_OF_GAS;
    if (f->is_static)
        return answer(result, -HOST_ESTATIC);
    if (!key_size_ok(a[1]))
        return answer(result, -HOST_EINVAL);
    if (a[3] > STATE_VALUE_MAX)
        return answer(result, -HOST_ELIMIT);
    if (!read_key(f, a[0], a[1], &key) || !vm_mem_view(f->vm, a[2], a[3], &value))
        return frame_bad_pointer(f);
    rc = journal_get(run->journal, state_key_bytes(&key), &old, run->e);
    if (rc != RC_OK)
        return frame_fail(f, rc);
    if (!vm_charge(f->vm, set_cost(bytes_of(NULL, (size_t)a[1]), old, value) - COST_SET_SAME))
        return VM_HOST_OUT_OF_GAS;
    rc = journal_set(run->journal, state_key_bytes(&key), value, run->e);
    return rc != RC_OK ? frame_fail(f, rc) : answer(result, 0);
}

/* ---- coin ---- */

enum vm_host_action host_balance(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    struct address who;
    struct account acc;
    uint8_t be[32];
    enum rc rc;

    *result = 0;
    if (!host_pay(f, HOST_BALANCE, 0))
        return VM_HOST_OUT_OF_GAS;
    if (!read_address(f, a[0], &who))
        return frame_bad_pointer(f);
    rc = journal_account(f->run->journal, &who, &acc, f->run->e);
    if (rc != RC_OK)
        return frame_fail(f, rc);
    u256_to_be(be, &acc.balance);
    return vm_mem_write(f->vm, a[1], BYTES_OF(&be)) ? VM_HOST_CONTINUE : frame_bad_pointer(f);
}

/* A message without data; nothing for nothing. */
static enum vm_host_action pay_outside(struct frame *f, const struct address *to,
                                       const struct u256 *amount, uint64_t *result)
{
    const struct out_log m = {.from = f->self, .to = *to, .value_wei = *amount};
    int64_t said = 0;
    enum rc rc = RC_OK;

    if (!u256_is_zero(amount))
        rc = out_send(f->run, &m, &said);
    return rc != RC_OK ? frame_fail(f, rc) : answer(result, said);
}

enum vm_host_action host_transfer(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    struct address to;
    struct u256 amount;
    enum rc rc;
    bool ok = false, outside;

    if (!host_pay(f, HOST_TRANSFER, 0))
        return VM_HOST_OUT_OF_GAS;
    if (f->is_static)
        return answer(result, -HOST_ESTATIC);
    if (!read_address(f, a[0], &to) || !read_value(f, a[1], &amount))
        return frame_bad_pointer(f);
    rc = out_is_outside(f->run, &to, &outside);
    if (rc == RC_OK && outside)
        return pay_outside(f, &to, &amount, result);
    if (rc == RC_OK)
        rc = coin_move(f->run, &f->self, &to, &amount, &ok);
    if (rc != RC_OK)
        return frame_fail(f, rc);
    return answer(result, ok ? 0 : -HOST_EBALANCE);
}

/* ---- calls ---- */

static int64_t outcome(enum tx_code code)
{
    switch ((unsigned)code) {
    case TX_OK:
        return 0;
    case TX_REVERTED:
        return -HOST_EREVERTED;
    case TX_NO_FUNDS:
        return -HOST_EBALANCE;
    case TX_ADDRESS_TAKEN:
        return -HOST_EINVAL;
    default:
        return -HOST_ETRAPPED;
    }
}

/* May `to` be entered with this calldata: it is not on the stack, or says so for the function. */
static enum rc check_reentry(struct frame *f, const struct address *to, struct bytes input,
                             bool *ok)
{
    struct exec_run *run = f->run;
    struct program *p;
    struct account acc;
    const struct frame *up = f;
    enum rc rc;

    while (up != NULL && !address_eq(&up->self, to))
        up = up->parent;
    *ok = up == NULL;
    if (*ok || input.n < 4)
        return RC_OK;
    TRY(journal_account(run->journal, to, &acc, run->e));
    if (!account_has_code(&acc))
        return RC_OK;
    rc = program_use(run->x, run->journal, &acc.code_hash, &p, run->e);
    if (rc != RC_OK)
        return rc == RC_NOTFOUND ? RC_CORRUPT : rc;
    for (size_t i = 0; i < p->reentrant.n && !*ok; i++)
        *ok = memcmp(p->reentrant.items[i], input.p, 4) == 0;
    program_release(p);
    return RC_OK;
}

/* Run below f with all but a 64th of its gas (EIP-150); what is left comes back. */
static enum rc run_below(struct frame *f, const struct call *c, const struct hash32 *new_code,
                         enum tx_code *code)
{
    uint64_t given = vm_gas(f->vm), left;
    enum rc rc;

    given -= given / 64;
    left = given;
    CHECK(vm_charge(f->vm, given));
    if (new_code != NULL)
        rc = create_run(f->run, c, new_code, &left, &f->returned, code);
    else
        rc = call_run(f->run, c, &left, &f->returned, code);
    vm_refund(f->vm, left);
    return rc;
}

enum vm_host_action host_call_contract(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    struct call c = {.parent = f, .caller = f->self};
    enum tx_code code = TX_OK;
    enum rc rc;
    bool ok, outside;

    buf_reset(&f->returned);
    if (!host_pay(f, HOST_CALL, 0))
        return VM_HOST_OUT_OF_GAS;
    if ((a[4] & ~(uint64_t)HOST_CALL_STATIC) != 0)
        return answer(result, -HOST_EINVAL);
    if (!read_address(f, a[0], &c.self) || !vm_mem_view(f->vm, a[1], a[2], &c.input) ||
        !read_value(f, a[3], &c.value_wei))
        return frame_bad_pointer(f);
    c.is_static = f->is_static || (a[4] & HOST_CALL_STATIC) != 0;
    if (!u256_is_zero(&c.value_wei)) {
        if (!vm_charge(f->vm, COST_CALL_VALUE))
            return VM_HOST_OUT_OF_GAS;
        if (c.is_static)
            return answer(result, -HOST_ESTATIC);
    }
    if (f->depth >= LEDGER_DEPTH_MAX)
        return answer(result, -HOST_EDEPTH);
    rc = out_is_outside(f->run, &c.self, &outside);
    if (rc != RC_OK)
        return frame_fail(f, rc);
    if (outside)
        return pay_outside(f, &c.self, &c.value_wei, result);
    rc = check_reentry(f, &c.self, c.input, &ok);
    if (rc != RC_OK)
        return frame_fail(f, rc);
    if (!ok)
        return answer(result, -HOST_EREENTRANT);
    rc = run_below(f, &c, NULL, &code);
    return rc != RC_OK ? frame_fail(f, rc) : answer(result, outcome(code));
}

/* ---- code ---- */

/* Is the ELF of this hash in state? */
static enum rc code_known(struct frame *f, const struct hash32 *code_hash, bool *known)
{
    struct state_key key = state_key_code(code_hash);
    struct bytes elf;

    *known = false;
    TRY(journal_get(f->run->journal, state_key_bytes(&key), &elf, f->run->e));
    *known = elf.p != NULL;
    return RC_OK;
}

/* The address of what f makes; CREATE counts f's nonce up. */
static enum rc new_address(struct frame *f, const struct hash32 *salt,
                           const struct hash32 *code_hash, struct address *out)
{
    struct account acc;

    TRY(journal_account(f->run->journal, &f->self, &acc, f->run->e));
    if (salt != NULL)
        address_create2(out, &f->self, salt, code_hash);
    else
        address_create(out, &f->self, acc.nonce);
    acc.nonce++;
    return journal_set_account(f->run->journal, &f->self, &acc, f->run->e);
}

enum vm_host_action host_deploy(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    struct call c = {.parent = f, .caller = f->self};
    struct hash32 code_hash, salt;
    enum tx_code code = TX_OK;
    bool known;
    enum rc rc;

    buf_reset(&f->returned);
    if (!host_pay(f, HOST_DEPLOY, 0))
        return VM_HOST_OUT_OF_GAS;
    if (f->is_static)
        return answer(result, -HOST_ESTATIC);
    if (f->run->env->profile != NULL)
        return answer(result, -HOST_EINVAL);
    if (!vm_mem_read(f->vm, a[0], &code_hash, sizeof(code_hash)) ||
        (a[1] != 0 && !vm_mem_read(f->vm, a[1], &salt, sizeof(salt))) ||
        !vm_mem_view(f->vm, a[2], a[3], &c.input) || !read_value(f, a[4], &c.value_wei) ||
        vm_mem_view_mut(f->vm, a[5], sizeof(c.self)) == NULL)
        return frame_bad_pointer(f);
    if (!u256_is_zero(&c.value_wei) && !vm_charge(f->vm, COST_CALL_VALUE))
        return VM_HOST_OUT_OF_GAS;
    if (f->depth >= LEDGER_DEPTH_MAX)
        return answer(result, -HOST_EDEPTH);
    rc = code_known(f, &code_hash, &known);
    if (rc == RC_OK && !known)
        return answer(result, -HOST_ENOTFOUND);
    if (rc == RC_OK)
        rc = new_address(f, a[1] != 0 ? &salt : NULL, &code_hash, &c.self);
    if (rc == RC_OK)
        rc = run_below(f, &c, &code_hash, &code);
    if (rc != RC_OK)
        return frame_fail(f, rc);
    if (code == TX_OK && !vm_mem_write(f->vm, a[5], BYTES_OF(&c.self)))
        return frame_bad_pointer(f);
    return answer(result, outcome(code));
}

enum vm_host_action host_set_code(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    struct exec_run *run = f->run;
    struct hash32 code_hash;
    struct account acc;
    bool known;
    enum rc rc;

    if (!host_pay(f, HOST_SET_CODE, 0))
        return VM_HOST_OUT_OF_GAS;
    if (f->is_static)
        return answer(result, -HOST_ESTATIC);
    if (run->env->profile != NULL)
        return answer(result, -HOST_EINVAL);
    if (!vm_mem_read(f->vm, a[0], &code_hash, sizeof(code_hash)))
        return frame_bad_pointer(f);
    rc = code_known(f, &code_hash, &known);
    if (rc == RC_OK && !known)
        return answer(result, -HOST_ENOTFOUND);
    if (rc == RC_OK)
        rc = journal_account(run->journal, &f->self, &acc, run->e);
    if (rc == RC_OK) {
        acc.code_hash = code_hash;
        rc = journal_set_account(run->journal, &f->self, &acc, run->e);
    }
    return rc != RC_OK ? frame_fail(f, rc) : answer(result, 0);
}

enum vm_host_action host_code_hash(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    struct address who;
    struct account acc;
    enum rc rc;

    if (!host_pay(f, HOST_CODE_HASH, 0))
        return VM_HOST_OUT_OF_GAS;
    if (!read_address(f, a[0], &who))
        return frame_bad_pointer(f);
    rc = journal_account(f->run->journal, &who, &acc, f->run->e);
    if (rc != RC_OK)
        return frame_fail(f, rc);
    if (!account_has_code(&acc))
        return answer(result, -HOST_ENOTFOUND);
    if (!vm_mem_write(f->vm, a[1], BYTES_OF(&acc.code_hash)))
        return frame_bad_pointer(f);
    return answer(result, 0);
}

enum vm_host_action host_log(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    struct hash32 topics[LOG_MAX_TOPICS];
    struct bytes data;

    if (!host_pay(f, HOST_LOG, a[3]))
        return VM_HOST_OUT_OF_GAS;
    if (f->is_static)
        return answer(result, -HOST_ESTATIC);
    if (a[1] > LOG_MAX_TOPICS)
        return answer(result, -HOST_EINVAL);
    if (!vm_charge(f->vm, a[1] * COST_LOG_TOPIC))
        return VM_HOST_OUT_OF_GAS;
    if (!vm_mem_read(f->vm, a[0], topics, (size_t)a[1] * sizeof(topics[0])) ||
        !vm_mem_view(f->vm, a[2], a[3], &data))
        return frame_bad_pointer(f);
    journal_add_log(f->run->journal, &f->self, topics, (size_t)a[1], data);
    return answer(result, 0);
}
