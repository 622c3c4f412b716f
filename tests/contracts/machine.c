/* tests/contracts/machine.c - see machine.h. Guest pointers become host pointers here; the world's
 * own host calls do the rest. */
#include "contracts/machine.h"

#include "contracts/world.h"
#include "ledger/code.h"
#include "lib/t.h"
#include "sdk/hostcall.h"
#include "vm/vm.h"

#include <stdio.h>

#define GAS 2000000000u
#define MEMORY (16u << 20)

bool world_uses_machine;

struct vm_program *machine_load(const char *folder, const char *name, struct bytes *reentrant,
                                struct arena *a)
{
    struct code_selectors selectors;
    AUTO_FREE char *path = xasprintf("%s/../../../contracts/%s.elf", folder, name);
    AUTO_CLEAR(buf) struct buf b = {0};
    struct vm_program *p = NULL;
    struct err e;
    FILE *f = fopen(path, "rb");

    CHECK(f != NULL);
    for (size_t n = 1; n != 0; b.n += n)
        n = fread(buf_reserve(&b, 65536), 1, 65536, f);
    (void)fclose(f);
    CHECK_OK(vm_program_load(&p, buf_bytes(&b), &e), &e);
    selectors = code_reentrant(buf_bytes(&b), a);
    *reentrant = bytes_of((const uint8_t *)selectors.items, 4 * selectors.n);
    return p;
}

void machine_unload(struct vm_program *p)
{
    vm_program_unref(p);
}

/* What an argument is: a pointer to `size` bytes, or to as many as another argument says. */
struct pointer {
    unsigned arg, size, size_arg;
    bool writes, optional;
};
#define IN(arg, size) {arg, size, 9, false, false}
#define IN_N(arg, size_arg) {arg, 0, size_arg, false, false}
#define IN_OR_NULL(arg, size) {arg, size, 9, false, true}
#define OUT(arg, size) {arg, size, 9, true, false}
#define OUT_N(arg, size_arg) {arg, 0, size_arg, true, false}

static const struct {
    unsigned number;
    struct pointer p[5];
} table[] = {
    {HOST_CALLDATA_SIZE, {{0}}},
    {HOST_CALLDATA_READ, {OUT_N(0, 2)}},
    {HOST_CALLER, {OUT(0, 20)}},
    {HOST_ORIGIN, {OUT(0, 20)}},
    {HOST_SELF, {OUT(0, 20)}},
    {HOST_VALUE, {OUT(0, 32)}},
    {HOST_HEIGHT, {{0}}},
    {HOST_TIME, {{0}}},
    {HOST_CHAIN_ID, {{0}}},
    {HOST_GAS_LEFT, {{0}}},
    {HOST_IS_STATIC, {{0}}},
    {HOST_STORAGE_GET, {IN_N(0, 1), OUT_N(2, 3)}},
    {HOST_STORAGE_SET, {IN_N(0, 1), IN_N(2, 3)}},
    {HOST_BALANCE, {IN(0, 20), OUT(1, 32)}},
    {HOST_TRANSFER, {IN(0, 20), IN(1, 32)}},
    {HOST_CALL, {IN(0, 20), IN_N(1, 2), IN_OR_NULL(3, 32)}},
    {HOST_RETURNDATA_SIZE, {{0}}},
    {HOST_RETURNDATA_READ, {OUT_N(0, 2)}},
    {HOST_DEPLOY, {IN(0, 32), IN_OR_NULL(1, 32), IN_N(2, 3), IN_OR_NULL(4, 32), OUT(5, 20)}},
    {HOST_SET_CODE, {IN(0, 32)}},
    {HOST_CODE_HASH, {IN(0, 20), OUT(1, 32)}},
    {HOST_LOG, {IN_N(2, 3)}}, /* and topics, below */
    {HOST_KECCAK256, {IN_N(0, 1), OUT(2, 32)}},
    {HOST_SHA256, {IN_N(0, 1), OUT(2, 32)}},
    {HOST_SHA512, {IN_N(0, 1), OUT(2, 64)}},
    {HOST_GENESIS_HASH, {OUT(0, 32)}},
    {HOST_BLOCK_HASH, {OUT(1, 32)}},
    {HOST_ECRECOVER, {IN(0, 32), IN(1, 65), OUT(2, 20)}},
    {HOST_PROFILE, {{0}}},
    {HOST_SEND, {IN(0, 20), IN_OR_NULL(1, 32), IN_N(2, 3)}},
    {HOST_RANDOM, {OUT_N(0, 1)}},
    {HOST_SIGN, {IN_N(0, 1), OUT(2, 65)}},
    {HOST_HTTP, {IN_N(0, 1)}},
    {HOST_CACHE_GET, {IN_N(0, 1), OUT_N(2, 3)}},
    {HOST_CACHE_SET, {IN_N(0, 1), IN_N(2, 3)}},
    {HOST_RISTRETTO_FROM_HASH, {IN(0, 64), OUT(1, 32)}},
    {HOST_RISTRETTO_SUM, {OUT(3, 32)}},    /* scalars and elements, below */
    {HOST_RISTRETTO_SCALAR, {OUT(3, 32)}}, /* operands, below */
};

struct run {
    machine_host *host;
    bool reverted;
    struct bytes data;
    struct world *w;
};

static bool translate(struct vm *vm, const struct pointer *p, const uint64_t args[6], long out[6])
{
    uint64_t n = p->size_arg < 6 ? args[p->size_arg] : p->size;
    struct bytes view;

    if (p->size == 0 && p->size_arg == 0)
        return true; /* no entry */
    if (p->optional && args[p->arg] == 0)
        return true;
    if (n == 0) {
        out[p->arg] = 0;
        return true;
    }
    if (p->writes) {
        out[p->arg] = (long)(intptr_t)vm_mem_view_mut(vm, args[p->arg], n);
        return out[p->arg] != 0;
    }
    if (!vm_mem_view(vm, args[p->arg], n, &view))
        return false;
    out[p->arg] = (long)(intptr_t)view.p;
    return true;
}

/* Operands whose size depends on the call. */
static bool translate_ristretto(struct vm *vm, uint64_t number, const uint64_t args[6], long out[6])
{
    unsigned n = (unsigned)(32 * (args[2] & 63));

    if (number == HOST_RISTRETTO_SUM)
        return translate(vm, &(struct pointer){0, n, 9, false, false}, args, out) &&
               translate(vm, &(struct pointer){1, n, 9, false, false}, args, out);
    if (number == HOST_RISTRETTO_SCALAR)
        return translate(vm, &(struct pointer){1, args[0] == 0 ? 64 : 32, 9, false, false}, args,
                         out) &&
               translate(vm, &(struct pointer){2, 32, 9, false, true}, args, out);
    return true;
}

static bool move_memory(struct vm *vm, uint64_t number, const uint64_t a[6], uint64_t *result)
{
    struct bytes src = {0}, other = {0};
    uint8_t *dst;

    if (a[2] == 0)
        return true;
    if (number == HOST_MEMCMP) {
        if (!vm_mem_view(vm, a[0], a[2], &src) || !vm_mem_view(vm, a[1], a[2], &other))
            return false;
        *result = (uint64_t)(int64_t)memcmp(src.p, other.p, src.n);
        return true;
    }
    if (number == HOST_MEMCPY && !vm_mem_view(vm, a[1], a[2], &src))
        return false;
    dst = vm_mem_view_mut(vm, a[0], a[2]);
    if (dst == NULL)
        return false;
    if (number == HOST_MEMCPY)
        memmove(dst, src.p, a[2]);
    else
        memset(dst, (int)a[1], a[2]);
    return true;
}

static enum vm_host_action ask(void *data, struct vm *vm, uint64_t number, const uint64_t args[6],
                               uint64_t *result)
{
    struct run *r = data;
    long out[6];
    struct bytes view = {0};
    uint64_t pages;
    struct err e;

    if (number == HOST_RETURN || number == HOST_REVERT) {
        r->reverted = number == HOST_REVERT;
        if (args[1] != 0 && !vm_mem_view(vm, args[0], args[1], &view))
            return VM_HOST_FAIL;
        r->data = arena_dup(&r->w->a, view);
        return VM_HOST_HALT;
    }
    if (number == HOST_GROW) {
        if (vm_grow(vm, args[0], result, &pages, &e) != RC_OK)
            *result = (uint64_t)-HOST_ELIMIT;
        return VM_HOST_CONTINUE;
    }
    if (number >= HOST_MEMCPY && number <= HOST_MEMCMP)
        return move_memory(vm, number, args, result) ? VM_HOST_CONTINUE : VM_HOST_FAIL;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (table[i].number != number)
            continue;
        for (size_t k = 0; k < 6; k++)
            out[k] = (long)args[k];
        if (number == HOST_LOG &&
            !translate(vm, &(struct pointer){0, (unsigned)(32 * args[1]), 9, false, false}, args,
                       out))
            return VM_HOST_FAIL;
        if (!translate_ristretto(vm, number, args, out))
            return VM_HOST_FAIL;
        for (size_t k = 0; k < ARRAY_LEN(table[i].p); k++)
            if (!translate(vm, &table[i].p[k], args, out))
                return VM_HOST_FAIL;
        *result = (uint64_t)r->host((long)number, out);
        return VM_HOST_CONTINUE;
    }
    return VM_HOST_FAIL;
}

bool machine_run(struct vm_program *p, machine_host *host, bool *reverted, struct bytes *data,
                 struct world *w)
{
    struct run r = {.host = host, .w = w};
    struct vm *vm = NULL;
    uint64_t gas = GAS;
    struct err e;

    CHECK_OK(vm_new(&vm, &(struct vm_config){.memory = MEMORY}, &e), &e);
    CHECK_OK(vm_reset(vm, p, &e), &e);
    enum vm_exit exit = vm_run(vm, &gas, ask, &r);

    if (exit != VM_HALTED)
        fprintf(stderr, "machine: %s at pc 0x%llx\n", vm_exit_name(exit),
                (unsigned long long)vm_pc(vm));
    w->gas += GAS - gas;
    vm_free(vm);
    *reverted = r.reverted;
    *data = r.data;
    return exit == VM_HALTED;
}
