/* vm/vm.c - instances: guest memory, registers, what host calls use. */
#include "vm/internal/vm.h"

#include <errno.h>
#include <sys/mman.h>

/* Above this much, pages are given back instead of zeroed. */
#define ZERO_BY_HAND (256u << 10)

static uint32_t round_up(uint32_t v, uint32_t to)
{
    return (v + to - 1) / to * to;
}

enum rc vm_new(struct vm **out, const struct vm_config *config, struct err *e)
{
    uint32_t stack = config->stack == 0 ? VM_STACK_DEFAULT : config->stack;
    struct vm *vm;
    void *mem;

    *out = NULL;
    if (config->memory > VM_MEMORY_MAX || config->memory % VM_PAGE != 0 || stack % VM_PAGE != 0)
        return err_set(e, RC_RANGE, "vm: memory %u, stack %u: not whole pages up to %u",
                       config->memory, stack, VM_MEMORY_MAX);
    if (config->memory < VM_GUARD + 4 * VM_PAGE || stack > config->memory - VM_GUARD - 4 * VM_PAGE)
        return err_set(e, RC_RANGE, "vm: memory %u has no room for a stack of %u", config->memory,
                       stack);
    mem = mmap(NULL, config->memory, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mem == MAP_FAILED)
        return err_errno(e, errno, "vm: reserving %u bytes", config->memory);
    vm = xcalloc(1, sizeof(*vm));
    vm->mem = mem;
    vm->memory = config->memory;
    vm->stack = stack;
    vm->stack_lo = config->memory - stack;
    *out = vm;
    return RC_OK;
}

/* Zero [lo, hi), both within memory. */
static void zero(struct vm *vm, uint32_t lo, uint32_t hi)
{
    uint32_t first = round_up(lo, VM_PAGE), last = hi / VM_PAGE * VM_PAGE;

    if (hi <= lo)
        return;
    if (hi - lo <= ZERO_BY_HAND || madvise(vm->mem + first, last - first, MADV_DONTNEED) != 0) {
        memset(vm->mem + lo, 0, hi - lo);
        return;
    }
    memset(vm->mem + lo, 0, first - lo);
    memset(vm->mem + last, 0, hi - last);
}

void vm_release(struct vm *vm)
{
    CHECK(!vm->running);
    vm_program_unref(vm->program);
    vm->program = NULL;
    vm->loaded = false;
    vm->heap_hi = 0;
    if (madvise(vm->mem, vm->memory, MADV_DONTNEED) != 0)
        memset(vm->mem, 0, vm->memory);
}

void vm_free(struct vm *vm)
{
    if (vm == NULL)
        return;
    CHECK(!vm->running);
    vm_program_unref(vm->program);
    (void)munmap(vm->mem, vm->memory);
    free(vm);
}

void vm_set_spans(struct vm *vm)
{
    bool stack_only = vm->heap_hi == vm->data_lo; /* an empty span cannot be said */

    vm->write_lo = stack_only ? vm->stack_lo : vm->data_lo;
    for (unsigned k = 0; k < 4; k++) {
        uint32_t n = 1u << k;

        vm->read_span[k] = vm->heap_hi - VM_PAGE - n;
        vm->stack_span[k] = vm->stack - n;
        vm->write_span[k] = stack_only ? vm->stack_span[k] : vm->heap_hi - vm->data_lo - n;
    }
}

static void copy_segments(struct vm *vm, const struct vm_program *p, bool all)
{
    for (uint32_t i = 0; i < p->n_segments; i++) {
        const struct vm_segment *s = &p->segments[i];

        if (s->size != 0 && (all || s->addr >= p->info.data_lo))
            memcpy(vm->mem + s->addr, p->bytes + s->off, s->size);
    }
}

enum rc vm_reset(struct vm *vm, struct vm_program *p, struct err *e)
{
    bool same = vm->loaded && vm->program == p;
    uint32_t image_hi = p->info.image_hi;

    CHECK(!vm->running);
    if (image_hi > vm->stack_lo - VM_GUARD - 2 * VM_PAGE)
        return err_set(e, RC_LIMIT, "vm: the image ends at %u, memory has room for %u", image_hi,
                       vm->stack_lo - VM_GUARD - 2 * VM_PAGE);
    if (vm->program != NULL) {
        zero(vm, same ? vm->program->info.data_lo : VM_PAGE, vm->heap_hi);
        zero(vm, vm->stack_lo, vm->memory);
    }
    if (!same) {
        (void)vm_program_ref(p);
        vm_program_unref(vm->program);
        vm->program = p;
    }
    copy_segments(vm, p, !same);
    vm->loaded = true;
    /* at least 16 bytes on, so that the largest access fits into the writable area */
    vm->heap_hi = round_up(image_hi + 16, VM_PAGE);
    vm->data_lo = p->info.data_lo < image_hi ? p->info.data_lo : vm->heap_hi;
    vm_set_spans(vm);
    memset(vm->x, 0, sizeof(vm->x));
    vm->x[2] = vm->memory;
    vm->pc = p->info.entry;
    vm->gas = 0;
    vm->fault = 0;
    vm->host_rc = RC_OK;
    return RC_OK;
}

enum rc vm_grow(struct vm *vm, uint64_t n, uint64_t *addr, uint64_t *new_pages, struct err *e)
{
    uint32_t room = vm->stack_lo - VM_GUARD - vm->heap_hi, old = vm->heap_hi;

    *addr = 0;
    if (new_pages != NULL)
        *new_pages = 0;
    if (n > room)
        return err_set(e, RC_LIMIT, "vm: %llu bytes more of heap, room for %u",
                       (unsigned long long)n, room);
    /* room is a multiple of 16, so rounding up stays within it */
    vm->heap_hi += round_up((uint32_t)n, 16);
    vm_set_spans(vm);
    *addr = old;
    if (new_pages != NULL)
        *new_pages = (round_up(vm->heap_hi, VM_PAGE) - round_up(old, VM_PAGE)) / VM_PAGE;
    return RC_OK;
}

uint64_t vm_memory_used(const struct vm *vm)
{
    return vm->heap_hi - VM_PAGE + vm->stack;
}

/* n bytes at a lie in [lo, hi). */
static bool within(uint32_t a, uint64_t n, uint32_t lo, uint32_t hi)
{
    return a >= lo && a <= hi && n <= hi - a;
}

bool vm_mem_view(const struct vm *vm, uint64_t addr, uint64_t n, struct bytes *out)
{
    uint32_t a = (uint32_t)addr;

    *out = bytes_of(NULL, 0);
    if (n == 0) {
        *out = bytes_of(vm->mem, 0);
        return true;
    }
    if (!within(a, n, VM_PAGE, vm->heap_hi) && !within(a, n, vm->stack_lo, vm->memory))
        return false;
    *out = bytes_of(vm->mem + a, n);
    return true;
}

uint8_t *vm_mem_view_mut(struct vm *vm, uint64_t addr, uint64_t n)
{
    uint32_t a = (uint32_t)addr;

    if (n == 0)
        return vm->mem;
    if (!within(a, n, vm->data_lo, vm->heap_hi) && !within(a, n, vm->stack_lo, vm->memory))
        return NULL;
    return vm->mem + a;
}

bool vm_mem_read(const struct vm *vm, uint64_t addr, void *dst, size_t n)
{
    struct bytes view;

    if (!vm_mem_view(vm, addr, n, &view))
        return false;
    if (n != 0)
        memcpy(dst, view.p, n);
    return true;
}

bool vm_mem_write(struct vm *vm, uint64_t addr, struct bytes src)
{
    uint8_t *p = vm_mem_view_mut(vm, addr, src.n);

    if (p == NULL)
        return false;
    if (src.n != 0)
        memcpy(p, src.p, src.n);
    return true;
}

uint64_t vm_pc(const struct vm *vm)
{
    return vm->pc;
}

void vm_set_pc(struct vm *vm, uint64_t pc)
{
    vm->pc = pc;
}

uint64_t vm_fault_address(const struct vm *vm)
{
    return vm->fault;
}

uint64_t vm_reg(const struct vm *vm, unsigned i)
{
    CHECK(i < 32);
    return vm->x[i];
}

void vm_set_reg(struct vm *vm, unsigned i, uint64_t v)
{
    CHECK(i < 32);
    if (i != 0)
        vm->x[i] = v;
}

uint64_t vm_gas(const struct vm *vm)
{
    return vm->gas;
}

bool vm_charge(struct vm *vm, uint64_t n)
{
    if (vm->gas < n)
        return false;
    vm->gas -= n;
    return true;
}

void vm_refund(struct vm *vm, uint64_t n)
{
    CHECK(n <= UINT64_MAX - vm->gas);
    vm->gas += n;
}

void vm_set_host_rc(struct vm *vm, enum rc rc)
{
    vm->host_rc = rc;
}

enum rc vm_host_rc(const struct vm *vm)
{
    return vm->host_rc;
}
