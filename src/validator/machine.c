/* A RISC-V validator in the virtual machine: the host calls of contracts/sdk/validator.h.
 * Runs in the child process (child.c); everything here may be wrong in the face of a hostile
 * program without reaching a key. Gas is charged for what a call makes the host do, so that the
 * same program over the same file costs the same everywhere. */
#include "base/mem.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/p256.h"
#include "crypto/secp256k1.h"
#include "os/clock.h"
#include "sdk/hostcall.h"
#include "validator/internal/child.h"
#include "vm/vm.h"

#include <stdio.h>

#define STACK_SIZE (1u << 20)
#define MIN_MEMORY_SIZE (4u << 20)
#define COPY_PER_32 2  /* gas for each 32 bytes moved */
#define HASH_PER_32 24 /* and hashed */
#define COST_RECOVER 60000
#define COST_VERIFY 80000

struct run {
    struct bytes input;
    const json_t *env;
    struct buf *results;
    uint64_t exit_code;
};

/* False, having noted nothing, if the gas is not there. */
static bool pay(struct vm *vm, uint64_t base, uint64_t per_32, uint64_t n)
{
    uint64_t units = n / 32 + 1;

    if (per_32 != 0 && units > (UINT64_MAX - base) / per_32)
        return false;
    return vm_charge(vm, base + units * per_32);
}

static uint64_t fail(uint64_t code)
{
    return (uint64_t)0 - code;
}

/* Copy as much of src from `offset` as the program asked for. */
static uint64_t copy_out(struct vm *vm, struct bytes src, uint64_t dst, uint64_t offset, uint64_t n)
{
    if (offset >= src.n)
        return 0;
    if (n > src.n - offset)
        n = src.n - offset;
    if (!vm_mem_write(vm, dst, bytes_of(src.p + offset, (size_t)n)))
        return fail(HOST_EINVAL);
    return n;
}

static uint64_t env_get(const struct run *r, struct vm *vm, const uint64_t a[6])
{
    struct bytes name;
    const json_t *v;
    char key[256];

    if (a[1] == 0 || a[1] >= sizeof(key) || !vm_mem_view(vm, a[0], a[1], &name))
        return fail(HOST_EINVAL);
    memcpy(key, name.p, name.n);
    key[name.n] = '\0';
    v = json_object_get(r->env, key);
    if (!json_is_string(v))
        return fail(HOST_ENOTFOUND);
    if (a[3] != 0 && (int64_t)copy_out(vm, bytes_of(json_string_value(v), json_string_length(v)),
                                       a[2], 0, a[3]) < 0)
        return fail(HOST_EINVAL);
    return json_string_length(v);
}

static uint64_t take_result(const struct run *r, const struct vm *vm, const uint64_t a[6])
{
    struct bytes text;

    if (a[1] > VALIDATOR_MAX_RESULTS_SIZE)
        return fail(HOST_ELIMIT);
    if (!vm_mem_view(vm, a[0], a[1], &text))
        return fail(HOST_EINVAL);
    buf_reset(r->results);
    buf_put_bytes(r->results, text);
    return 0;
}

static uint64_t hash(struct vm *vm, const uint64_t a[6], bool keccak)
{
    struct bytes src;
    struct hash32 h;

    if (!vm_mem_view(vm, a[0], a[1], &src))
        return fail(HOST_EINVAL);
    if (keccak)
        keccak256(&h, src);
    else
        sha256(&h, src);
    return vm_mem_write(vm, a[2], BYTES_OF(&h)) ? 0 : fail(HOST_EINVAL);
}

static uint64_t ec_recover(struct vm *vm, const uint64_t a[6])
{
    struct hash32 digest;
    struct address who;
    uint8_t sig[65];

    if (!vm_mem_read(vm, a[0], digest.b, 32) || !vm_mem_read(vm, a[1], sig, 65) ||
        (sig[64] != 27 && sig[64] != 28) ||
        secp_recover_address(&who, &digest, sig, SECP_S_LOW, NULL) != RC_OK)
        return fail(HOST_EINVAL);
    return vm_mem_write(vm, a[2], BYTES_OF(&who)) ? 0 : fail(HOST_EINVAL);
}

static uint64_t verify_ed25519(const struct vm *vm, const uint64_t a[6])
{
    uint8_t pub[32], sig[64];
    struct bytes msg;

    if (!vm_mem_read(vm, a[0], pub, 32) || !vm_mem_read(vm, a[1], sig, 64) ||
        !vm_mem_view(vm, a[2], a[3], &msg))
        return fail(HOST_EINVAL);
    return ed25519_verify(pub, msg, sig, NULL) == RC_OK ? 1 : 0;
}

static uint64_t verify_p256(const struct vm *vm, const uint64_t a[6])
{
    uint8_t pub[64], sig[64];
    struct hash32 digest;

    if (!vm_mem_read(vm, a[0], pub, 64) || !vm_mem_read(vm, a[1], sig, 64) ||
        !vm_mem_read(vm, a[2], digest.b, 32))
        return fail(HOST_EINVAL);
    return p256_verify(pub, &digest, sig, NULL) == RC_OK ? 1 : 0;
}

static uint64_t move(struct vm *vm, const uint64_t a[6])
{
    uint8_t *dst = vm_mem_view_mut(vm, a[0], a[2]);
    struct bytes src;

    if (a[2] == 0)
        return 0;
    if (dst == NULL || !vm_mem_view(vm, a[1], a[2], &src))
        return fail(HOST_EINVAL);
    memmove(dst, src.p, src.n);
    return 0;
}

static uint64_t fill(struct vm *vm, const uint64_t a[6])
{
    uint8_t *dst = vm_mem_view_mut(vm, a[0], a[2]);

    if (a[2] == 0)
        return 0;
    if (dst == NULL)
        return fail(HOST_EINVAL);
    memset(dst, (int)(a[1] & 0xff), (size_t)a[2]);
    return 0;
}

static uint64_t compare(const struct vm *vm, const uint64_t a[6])
{
    struct bytes x, y;

    if (a[2] == 0)
        return 0;
    if (!vm_mem_view(vm, a[0], a[2], &x) || !vm_mem_view(vm, a[1], a[2], &y))
        return fail(HOST_EINVAL);
    return (uint64_t)(int64_t)memcmp(x.p, y.p, x.n);
}

static enum vm_host_action grow(struct vm *vm, uint64_t n, uint64_t *result)
{
    uint64_t addr, pages;

    if (n > VM_MEMORY_MAX || vm_gas(vm) < (n / VM_PAGE + 1) * VM_COST_PAGE) {
        *result = fail(HOST_ELIMIT);
        return n > VM_MEMORY_MAX ? VM_HOST_CONTINUE : VM_HOST_OUT_OF_GAS;
    }
    if (vm_grow(vm, n, &addr, &pages, NULL) != RC_OK) {
        *result = fail(HOST_ELIMIT);
        return VM_HOST_CONTINUE;
    }
    if (!vm_charge(vm, pages * VM_COST_PAGE))
        return VM_HOST_OUT_OF_GAS;
    *result = addr;
    return VM_HOST_CONTINUE;
}

/* The price, paid before any work is done. */
static bool charge(struct vm *vm, uint64_t number, const uint64_t a[6])
{
    switch (number) {
    case HOST_INPUT_READ:
        return pay(vm, 0, COPY_PER_32, a[2]);
    case HOST_ENV_GET:
        return pay(vm, 100, COPY_PER_32, a[3]);
    case HOST_RESULT:
        return pay(vm, 100, COPY_PER_32, a[1]);
    case HOST_KECCAK256:
    case HOST_SHA256:
        return pay(vm, 100, HASH_PER_32, a[1]);
    case HOST_ECRECOVER:
        return pay(vm, COST_RECOVER, 0, 0);
    case HOST_ED25519_VERIFY:
        return pay(vm, COST_VERIFY, HASH_PER_32, a[3]);
    case HOST_P256_VERIFY:
        return pay(vm, COST_VERIFY, 0, 0);
    case HOST_MEMCPY:
    case HOST_MEMSET:
    case HOST_MEMCMP:
        return pay(vm, 0, COPY_PER_32, a[2]);
    default:
        return true;
    }
}

static enum vm_host_action host_call(void *data, struct vm *vm, uint64_t number,
                                     const uint64_t a[6], uint64_t *result)
{
    struct run *r = data;

    if (!charge(vm, number, a))
        return VM_HOST_OUT_OF_GAS;
    switch (number) {
    case HOST_INPUT_SIZE:
        *result = r->input.n;
        return VM_HOST_CONTINUE;
    case HOST_INPUT_READ:
        *result = copy_out(vm, r->input, a[0], a[1], a[2]);
        return VM_HOST_CONTINUE;
    case HOST_ENV_GET:
        *result = env_get(r, vm, a);
        return VM_HOST_CONTINUE;
    case HOST_RESULT:
        *result = take_result(r, vm, a);
        return VM_HOST_CONTINUE;
    case HOST_EXIT:
        r->exit_code = a[0];
        return VM_HOST_HALT;
    case HOST_GAS_LEFT:
        *result = vm_gas(vm);
        return VM_HOST_CONTINUE;
    case HOST_GROW:
        return grow(vm, a[0], result);
    case HOST_KECCAK256:
    case HOST_SHA256:
        *result = hash(vm, a, number == HOST_KECCAK256);
        return VM_HOST_CONTINUE;
    case HOST_ECRECOVER:
        *result = ec_recover(vm, a);
        return VM_HOST_CONTINUE;
    case HOST_ED25519_VERIFY:
        *result = verify_ed25519(vm, a);
        return VM_HOST_CONTINUE;
    case HOST_P256_VERIFY:
        *result = verify_p256(vm, a);
        return VM_HOST_CONTINUE;
    case HOST_MEMCPY:
        *result = move(vm, a);
        return VM_HOST_CONTINUE;
    case HOST_MEMSET:
        *result = fill(vm, a);
        return VM_HOST_CONTINUE;
    case HOST_MEMCMP:
        *result = compare(vm, a);
        return VM_HOST_CONTINUE;
    default:
        vm_set_host_rc(vm, RC_UNSUPPORTED);
        return VM_HOST_FAIL;
    }
}

static void describe(struct validator_outcome *out, const struct vm *vm, enum vm_exit exit,
                     const struct run *r, uint64_t gas)
{
    if (exit == VM_HALTED) {
        out->exit_code = r->exit_code <= 255 ? (int)r->exit_code : 255;
        return;
    }
    out->exit_code = -1;
    if (exit == VM_OUT_OF_GAS)
        (void)snprintf(out->error, sizeof(out->error), "the program used all its gas (%llu)",
                       (unsigned long long)gas);
    else
        (void)snprintf(out->error, sizeof(out->error), "the program stopped: %s at 0x%llx",
                       vm_exit_name(exit), (unsigned long long)vm_pc(vm));
}

enum rc validator_machine_load(struct validator_machine *out, struct bytes elf,
                               uint64_t memory_size, struct err *e)
{
    uint64_t memory = memory_size < VM_MEMORY_MAX ? memory_size : VM_MEMORY_MAX;
    struct vm_config config;

    *out = (struct validator_machine){0};
    if (memory < MIN_MEMORY_SIZE)
        memory = MIN_MEMORY_SIZE;
    config =
        (struct vm_config){.memory = (uint32_t)(memory / VM_PAGE * VM_PAGE), .stack = STACK_SIZE};
    TRY(vm_program_load(&out->program, elf, e));
    TRY(vm_new(&out->vm, &config, e));
    return vm_reset(out->vm, out->program, e);
}

static void begin_outcome(struct validator_outcome *out)
{
    memset(out, 0, sizeof(*out));
    (void)snprintf(out->limits, sizeof(out->limits), "vm");
    out->exit_code = -1;
}

void validator_machine_run(struct validator_outcome *out, struct buf *results,
                           struct validator_machine *m, struct bytes input, const json_t *env,
                           uint64_t gas)
{
    struct run r = {.input = input, .env = env, .results = results};
    uint64_t start = clock_mono_ms();
    uint64_t left = gas;
    enum vm_exit exit;

    begin_outcome(out);
    exit = vm_run(m->vm, &left, host_call, &r);
    describe(out, m->vm, exit, &r, gas);
    out->gas_used = gas - left;
    out->duration_ms = clock_mono_ms() - start;
}

void validator_machine_clear(struct validator_machine *m)
{
    vm_free(m->vm);
    vm_program_unref(m->program);
    *m = (struct validator_machine){0};
}

enum rc validator_run_here(struct validator_outcome *out, struct buf *results, struct bytes elf,
                           struct bytes input, const json_t *env,
                           const struct validator_limits *limits, struct err *e)
{
    struct validator_machine m;
    enum rc rc = validator_machine_load(&m, elf, limits->memory_size, e);

    begin_outcome(out);
    buf_reset(results);
    if (rc == RC_OK)
        validator_machine_run(out, results, &m, input, env, limits->gas);
    validator_machine_clear(&m);
    return rc;
}
