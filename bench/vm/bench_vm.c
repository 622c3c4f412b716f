/* bench/vm/bench_vm.c - each program natively (gcc -O2, linked in) and in the machine: CPU time,
 * ratio, gas a second. Argument: the folder with NAME.elf. */
#include "base/buf.h"
#include "vm/vm.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#define ROUNDS 5

#define PROGRAMS(X) X(sha256, 8) X(qsort, 4) X(sieve, 20) X(modmul, 800000) X(mix, 600) X(calls, 30)

#define DECLARE(name, n) uint64_t bench_##name(uint32_t scale);
PROGRAMS(DECLARE)

static const struct program {
    const char *name;
    uint64_t (*native)(uint32_t scale);
    uint32_t scale;
} programs[] = {
#define ROW(name, n) {#name, bench_##name, n},
    PROGRAMS(ROW)};

static double cpu_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double median(double v[ROUNDS])
{
    qsort(v, ROUNDS, sizeof(*v), by_value);
    return v[ROUNDS / 2];
}

static enum vm_host_action on_call(void *data, struct vm *vm, uint64_t number,
                                   const uint64_t args[6], uint64_t *result)
{
    uint64_t *checksum = data;

    (void)vm, (void)result;
    *checksum = args[0];
    return number == 100 ? VM_HOST_HALT : VM_HOST_FAIL;
}

static void or_die(enum rc rc, const struct err *e)
{
    if (rc != RC_OK) {
        (void)fprintf(stderr, "bench_vm: %s\n", e->msg);
        exit(1);
    }
}

static struct vm_program *load(const char *dir, const char *name)
{
    struct buf path = {0}, elf = {0};
    struct vm_program *p;
    struct err e;
    FILE *f;

    buf_printf(&path, "%s/%s.elf", dir, name);
    f = fopen(buf_cstr(&path), "rb");
    if (f == NULL)
        or_die(err_set(&e, RC_IO, "no file %s", buf_cstr(&path)), &e);
    for (int c; (c = getc(f)) != EOF;)
        buf_u8(&elf, (uint8_t)c);
    (void)fclose(f);
    or_die(vm_program_load(&p, buf_bytes(&elf), &e), &e);
    buf_clear(&elf);
    buf_clear(&path);
    return p;
}

/* One run; returns the gas it took. */
static uint64_t run(struct vm *vm, struct vm_program *p, uint32_t scale, uint64_t *checksum)
{
    uint64_t gas = UINT64_MAX;
    enum vm_exit exit_code;
    struct err e;

    or_die(vm_reset(vm, p, &e), &e);
    vm_set_reg(vm, 10, scale);
    exit_code = vm_run(vm, &gas, on_call, checksum);
    if (exit_code != VM_HALTED)
        or_die(err_set(&e, RC_IO, "%s", vm_exit_name(exit_code)), &e);
    return UINT64_MAX - gas;
}

static double compare(struct vm *vm, const struct program *c, struct vm_program *p)
{
    double native[ROUNDS], in_vm[ROUNDS], n, v;
    uint64_t want = 0, got = 0, gas = 0;

    for (int i = 0; i < ROUNDS; i++) {
        double t = cpu_s();

        want = c->native(c->scale);
        native[i] = cpu_s() - t;
        t = cpu_s();
        gas = run(vm, p, c->scale, &got);
        in_vm[i] = cpu_s() - t;
        if (got != want) {
            (void)fprintf(stderr, "%s: checksums differ\n", c->name);
            exit(1);
        }
    }
    n = median(native);
    v = median(in_vm);
    printf("%-8s %9.1f ms %9.1f ms %7.2f %9.0f\n", c->name, 1e3 * n, 1e3 * v, v / n,
           1e-6 * (double)gas / v);
    return v / n;
}

int main(int argc, char **argv)
{
    const struct vm_config config = {.memory = 16u << 20};
    size_t n = sizeof(programs) / sizeof(programs[0]);
    struct vm_program *p;
    struct vm *vm;
    struct err e;
    double log_sum = 0, t;
    uint64_t sum;

    if (argc != 2)
        return 2;
    or_die(vm_new(&vm, &config, &e), &e);
    printf("%-8s %12s %12s %7s %9s\n", "program", "gcc -O2", "machine", "ratio", "Mgas/s");
    for (size_t i = 0; i < n; i++) {
        p = load(argv[1], programs[i].name);
        log_sum += log(compare(vm, &programs[i], p));
        vm_program_unref(p);
    }
    printf("geometric mean of the ratios %.2f (medians of %d)\n", exp(log_sum / (double)n), ROUNDS);
    p = load(argv[1], "noop");
    vm_release(vm);
    (void)run(vm, p, 1, &sum);
    t = cpu_s();
    for (int i = 0; i < 10000; i++)
        (void)run(vm, p, 1, &sum);
    printf("reset and run a program that does nothing: %.2f us\n", (cpu_s() - t) * 100);
    vm_free(vm);
    t = cpu_s();
    for (int i = 0; i < 1000; i++) {
        or_die(vm_new(&vm, &config, &e), &e);
        (void)run(vm, p, 1, &sum);
        vm_free(vm);
    }
    printf("the same in a new instance each time: %.2f us\n", (cpu_s() - t) * 1000);
    vm_program_unref(p);
    return 0;
}
