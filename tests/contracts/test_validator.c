/* The biopsies validator, as the worker runs it: its RISC-V code over the demo's files. */
#include "base/arena.h"
#include "contracts/machine.h"
#include "lib/t.h"
#include "sdk/hostcall.h"
#include "vm/vm.h"

#include <stdio.h>
#include <unistd.h>

struct run {
    struct bytes input;
    struct buf result;
    uint64_t exit_code;
};

static bool read_input(struct vm *vm, const struct run *r, const uint64_t a[6], uint64_t *result)
{
    uint64_t off = a[1] < r->input.n ? a[1] : r->input.n;
    uint64_t n = a[2] < r->input.n - off ? a[2] : r->input.n - off;

    *result = n;
    /* An empty input has no address to count from. */
    return n == 0 || vm_mem_write(vm, a[0], bytes_of(r->input.p + off, n));
}

static bool read_env(struct vm *vm, const uint64_t a[6], uint64_t *result)
{
    struct bytes name;

    if (!vm_mem_view(vm, a[0], a[1], &name))
        return false;
    *result = (uint64_t)-HOST_ENOTFOUND;
    if (!bytes_eq(name, bytes_str("DLP_ID")))
        return true;
    *result = 2;
    return vm_mem_write(vm, a[2], bytes_str("17"));
}

static enum vm_host_action ask(void *data, struct vm *vm, uint64_t number, const uint64_t a[6],
                               uint64_t *result)
{
    struct run *r = data;
    struct bytes view;
    uint64_t pages;
    uint8_t *dst;
    struct err e;

    switch (number) {
    case HOST_INPUT_SIZE:
        *result = r->input.n;
        return VM_HOST_CONTINUE;
    case HOST_INPUT_READ:
        return read_input(vm, r, a, result) ? VM_HOST_CONTINUE : VM_HOST_FAIL;
    case HOST_ENV_GET:
        return read_env(vm, a, result) ? VM_HOST_CONTINUE : VM_HOST_FAIL;
    case HOST_RESULT:
        if (!vm_mem_view(vm, a[0], a[1], &view))
            return VM_HOST_FAIL;
        buf_reset(&r->result);
        buf_put_bytes(&r->result, view);
        return VM_HOST_CONTINUE;
    case HOST_EXIT:
        r->exit_code = a[0];
        return VM_HOST_HALT;
    case HOST_GROW:
        return vm_grow(vm, a[0], result, &pages, &e) == RC_OK ? VM_HOST_CONTINUE : VM_HOST_FAIL;
    case HOST_MEMCPY:
        dst = vm_mem_view_mut(vm, a[0], a[2]);
        if (dst == NULL || !vm_mem_view(vm, a[1], a[2], &view))
            return VM_HOST_FAIL;
        memmove(dst, view.p, view.n);
        return VM_HOST_CONTINUE;
    case HOST_MEMSET:
        dst = vm_mem_view_mut(vm, a[0], a[2]);
        if (dst == NULL)
            return VM_HOST_FAIL;
        memset(dst, (int)a[1], a[2]);
        return VM_HOST_CONTINUE;
    case HOST_MEMCMP: {
        struct bytes x, y;

        if (!vm_mem_view(vm, a[0], a[2], &x) || !vm_mem_view(vm, a[1], a[2], &y))
            return VM_HOST_FAIL;
        *result = (uint64_t)(int64_t)memcmp(x.p, y.p, x.n);
        return VM_HOST_CONTINUE;
    }
    default:
        return VM_HOST_FAIL;
    }
}

/* The results.json text over this input. */
static void validate(struct run *r, struct bytes input)
{
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    AUTO_CLEAR(arena) struct arena a = {0};
    struct vm *vm = NULL;
    struct bytes reentrant; /* a validator has none */
    uint64_t gas = 1000000000;
    struct err e;

    CHECK(n > 0);
    exe[n] = 0;
    *strrchr(exe, '/') = 0;
    struct vm_program *p = machine_load(exe, "validators/biopsies", &reentrant, &a);

    *r = (struct run){.input = input};
    CHECK_OK(vm_new(&vm, &(struct vm_config){.memory = 16u << 20}, &e), &e);
    CHECK_OK(vm_reset(vm, p, &e), &e);
    CHECK_INT(vm_run(vm, &gas, ask, r), VM_HALTED);
    CHECK_INT(r->exit_code, 0);
    vm_free(vm);
    vm_program_unref(p);
}

TEST(real_biopsies_are_worth_everything)
{
    struct run r;

    validate(&r, t_file("demo/data/biopsies-1.csv"));
    CHECK_STR(buf_cstr(&r.result),
              "{\"dlp_id\":17,\"valid\":true,\"score\":1.0,\"authenticity\":1.0,\"ownership\":1.0,"
              "\"quality\":1.0,\"uniqueness\":1.0,\"attributes\":{\"header_matches\":true},"
              "\"metadata\":{\"rows\":120}}");
    buf_clear(&r.result);
}

TEST(irises_are_not_biopsies)
{
    struct run r;

    validate(&r, t_file("demo/data/irises.csv"));
    CHECK_TRUE(strstr(buf_cstr(&r.result), "\"valid\":false,\"score\":0.0") != NULL);
    buf_clear(&r.result);
}

TEST(pasted_rows_lower_the_score)
{
    struct run r;
    struct bytes real = t_file("demo/data/biopsies-1.csv");
    const uint8_t *end_of_header = memchr(real.p, '\n', real.n);
    AUTO_CLEAR(buf) struct buf twice = {0};

    buf_put_bytes(&twice, real);
    buf_put(&twice, end_of_header + 1, (size_t)(real.p + real.n - end_of_header - 1));
    validate(&r, buf_bytes(&twice));
    CHECK_TRUE(strstr(buf_cstr(&r.result), "\"score\":0.5,") != NULL);
    CHECK_TRUE(strstr(buf_cstr(&r.result), "\"uniqueness\":0.5,") != NULL);
    buf_clear(&r.result);
}

TEST(any_input_gives_a_result)
{
    struct bytes real = t_file("demo/data/biopsies-1.csv");

    for (int i = 0; i < 300; i++) {
        AUTO_CLEAR(buf) struct buf b = {0};
        struct run r;

        buf_put(&b, real.p, t_rand_below(real.n + 1));
        for (uint64_t k = t_rand_below(20); k != 0 && b.n != 0; k--)
            b.p[t_rand_below(b.n)] = (uint8_t)t_rand();
        validate(&r, buf_bytes(&b));
        CHECK_TRUE(r.result.n > 2 && r.result.p[r.result.n - 1] == '}');
        buf_clear(&r.result);
    }
}
