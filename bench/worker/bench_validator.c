/* bench/worker/bench_validator.c - what it costs to start, run and end one validator: a RISC-V
 * program in this process, in its own process as the worker does it, and a container image.
 * Medians, and means of the CPU time. Arguments: VALIDATOR JAIL ELF CSV IMAGE CSV CACHE_FOLDER. */
#include "jail/image.h"
#include "jail/jail.h"
#include "os/clock.h"
#include "os/file.h"
#include "worker/proof/container.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define ROUNDS 51

static const struct validator_limits LIMITS = {
    .gas = 20000000000u, .memory_size = 256u << 20, .wall_ms = 60000};

static void must(enum rc rc, const struct err *e)
{
    if (rc == RC_OK)
        return;
    (void)fprintf(stderr, "bench_validator: %s\n", e->msg);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static int open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct err e;

    if (fd < 0)
        must(err_set(&e, RC_IO, "cannot open %s", path), &e);
    return fd;
}

struct setting {
    const char *worker;
    struct validator_jail jail;
    struct buf elf, csv;
    struct image image;
    json_t *env;
};

typedef void run_fn(const struct setting *s, int fd, struct validator_outcome *o,
                    struct buf *results, struct err *e);

static void here(const struct setting *s, int fd, struct validator_outcome *o, struct buf *results,
                 struct err *e)
{
    (void)fd;
    must(validator_run_here(o, results, buf_bytes(&s->elf), buf_bytes(&s->csv), s->env, &LIMITS, e),
         e);
}

static void program(const struct setting *s, int fd, struct validator_outcome *o,
                    struct buf *results, struct err *e)
{
    must(validator_run_program(o, results, s->worker, buf_bytes(&s->elf), fd, s->env, &LIMITS, e),
         e);
}

static void container(const struct setting *s, int fd, struct validator_outcome *o,
                      struct buf *results, struct err *e)
{
    struct jail_process *p;

    must(validator_image_start(&p, &s->image, &s->jail, fd, s->env, &LIMITS, e), e);
    must(validator_image_finish(o, results, p, &LIMITS, e), e);
    jail_process_free(p);
}

/* CPU time of ended children and theirs, milliseconds: says more than the clock on a busy machine.
 */
static double cpu_ms(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_CHILDREN, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static double measure(const struct setting *s, const char *what, run_fn *run, int fd)
{
    double ms[ROUNDS];

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct validator_outcome o;
        struct buf results = {0};
        struct err e = {0};
        uint64_t t = clock_mono_ns();

        run(s, fd, &o, &results, &e);
        ms[i] = (double)(clock_mono_ns() - t) / 1e6;
        if (o.exit_code != 0 || results.n == 0)
            must(err_set(&e, RC_IO, "%s: exit code %d, %s", what, o.exit_code, o.error), &e);
        buf_clear(&results);
    }
    qsort(ms, ROUNDS, sizeof(ms[0]), by_value);
    return ms[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    struct setting s = {0};
    struct err e = {0};
    int archive, rows, wines;
    double in_process, own_process, image, cpu[3];

    if (argc != 8)
        return 2;
    s.worker = argv[1];
    s.jail.jail_path = argv[2];
    must(file_read(&s.elf, argv[3], VALIDATOR_MAX_PROGRAM_SIZE, &e), &e);
    must(file_read(&s.csv, argv[4], 1 << 20, &e), &e);
    rows = open_file(argv[4]);
    archive = open_file(argv[5]);
    wines = open_file(argv[6]);
    must(image_open(&s.image, archive, NULL, argv[7], NULL, &e), &e);
    s.env = json_pack("{s:s}", "DLP_ID", "1");
    in_process = measure(&s, "program", here, -1);
    cpu[0] = cpu_ms();
    own_process = measure(&s, "program", program, rows);
    cpu[1] = cpu_ms();
    image = measure(&s, "image", container, wines);
    cpu[2] = cpu_ms();
    (void)printf("worker|RISC-V validator alone, in the worker's process|%.2f ms||\n", in_process);
    (void)printf("worker|RISC-V validator alone, in its own process|%.2f ms||\n", own_process);
    (void)printf("worker|container image alone|%.2f ms|RISC-V %.2f ms|%.2f\n", image, own_process,
                 image / own_process);
    (void)printf(
        "worker|container image alone, CPU time of its processes|%.2f ms|RISC-V %.2f ms|%.2f\n",
        (cpu[2] - cpu[1]) / ROUNDS, (cpu[1] - cpu[0]) / ROUNDS,
        (cpu[2] - cpu[1]) / (cpu[1] - cpu[0]));
    json_decref(s.env);
    image_clear(&s.image);
    buf_clear(&s.elf);
    buf_clear(&s.csv);
    (void)close(archive);
    (void)close(rows);
    (void)close(wines);
    return 0;
}
