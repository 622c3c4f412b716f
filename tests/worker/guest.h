/* tests/worker/guest.h - build a validator of tests/worker or contracts/validators into an ELF, as
 * contracts/build.mk does. Skips the test where the compiler is missing. */
#pragma once

#include "lib/t.h"
#include "os/file.h"

#include <stdio.h>

static inline struct buf build_guest(const char *source)
{
    static const char script[] =
        "set -e; d=%s; f='--target=riscv64 -march=rv64em_zba_zbb_zbs_zicond -mabi=lp64e "
        "-mcmodel=medany -mno-relax -ffreestanding -O2 -ffunction-sections -fdata-sections "
        "-fno-stack-protector -std=c23 -Icontracts -Xclang -fexperimental-max-bitint-width=256'; "
        "clang-19 $f -c %s -o $d/g.o; clang-19 $f -c contracts/sdk/validator.c -o $d/v.o; "
        "clang-19 $f -fno-builtin -c contracts/sdk/mem.c -o $d/m.o; "
        "ld.lld-19 -m elf64lriscv -static --gc-sections --strip-all -z stack-size=65536 "
        "-z max-page-size=4096 -T contracts/sdk/link.ld -o $d/g.elf $d/g.o $d/v.o $d/m.o";
    char cmd[2048], path[512];
    struct buf elf = {0};
    struct err e;

    if (system("command -v clang-19 ld.lld-19 >/dev/null") != 0)
        t_skip("clang-19 and lld-19 are not installed");
    (void)snprintf(cmd, sizeof(cmd), script, t_tmpdir(), source);
    CHECK_INT(system(cmd), 0);
    (void)snprintf(path, sizeof(path), "%s/g.elf", t_tmpdir());
    CHECK_OK(file_read(&elf, path, 1u << 24, &e), &e);
    return elf;
}

/* An executable of this build; skips the test where it is not built. */
static inline const char *built_binary(const char *name)
{
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);

    CHECK_TRUE(n > 0);
    path[n] = '\0';
    for (int i = 0; i < 3; i++)
        *strrchr(path, '/') = '\0';
    (void)snprintf(path + strlen(path), 64, "/bin/%s", name);
    if (!file_exists(path))
        t_skip("%s is not built", path);
    return path;
}
