/* ELF files against the loader's rules: each bad one differs from a good one in one place. */
#include "vm/guest.h"

static const uint32_t code[] = {EBREAK, EBREAK};
static const uint8_t data[8] = {1, 2, 3, 4, 5, 6, 7, 8};

static struct segment good[3];
static struct buf file;

static struct bytes good_file(void)
{
    good[0] = (struct segment){4, 0x10000, bytes_of(data, 8), 8};
    good[1] = (struct segment){5, 0x11000, bytes_of(code, 8), 8};
    good[2] = (struct segment){6, 0x12000, bytes_of(data, 8), 4000};
    buf_reset(&file);
    elf_write(&file, 0x11004, good, 3);
    return buf_bytes(&file);
}

static enum rc load(struct bytes elf, struct err *e)
{
    struct vm_program *p;
    enum rc rc = vm_program_load(&p, elf, e);

    if ((rc == RC_OK) != (p != NULL))
        t_fail(__FILE__, __LINE__, "program %p with code %d", (void *)p, (int)rc);
    vm_program_unref(p);
    return rc;
}

/* Little-endian field at an offset of the good file. */
static void check_bad(size_t at, unsigned size, uint64_t v, enum rc want, const char *piece)
{
    struct err e = {0};

    (void)good_file();
    for (unsigned i = 0; i < size; i++)
        file.p[at + i] = (uint8_t)(v >> 8 * i);
    CHECK_RC(load(buf_bytes(&file), &e), want, &e, piece);
}

#define PHDR(i, field) (64 + 56 * (size_t)(i) + (field))
#define P_FLAGS 4
#define P_OFFSET 8
#define P_VADDR 16
#define P_FILESZ 32
#define P_MEMSZ 40

TEST(a_good_file_loads_and_tells_what_it_is)
{
    struct vm_program *p, *q;
    struct vm_program_info info;
    struct err e;

    CHECK_OK(vm_program_load(&p, good_file(), &e), &e);
    info = vm_program_info(p);
    CHECK_INT(info.profile, VM_PROFILE_INT);
    CHECK_INT(info.entry, 0x11004);
    CHECK_INT(info.text_lo, 0x11000);
    CHECK_INT(info.text_hi, 0x11008);
    CHECK_INT(info.image_lo, 0x10000);
    CHECK_INT(info.data_lo, 0x12000);
    CHECK_INT(info.image_hi, 0x12000 + 4000);
    CHECK_TRUE(info.host_size > 24);
    q = vm_program_ref(p);
    vm_program_unref(p);
    CHECK_INT(vm_program_info(q).entry, 0x11004);
    vm_program_unref(q);
    vm_program_unref(NULL);
}

TEST(headers_of_other_kinds_are_refused)
{
    check_bad(0, 1, 'X', RC_MALFORMED, "not an ELF");
    check_bad(4, 1, 1, RC_UNSUPPORTED, "64-bit");
    check_bad(5, 1, 2, RC_UNSUPPORTED, "64-bit");
    check_bad(6, 1, 0, RC_UNSUPPORTED, "version 1");
    check_bad(20, 4, 2, RC_UNSUPPORTED, "version 1");
    check_bad(16, 2, 3, RC_UNSUPPORTED, "type 3");
    check_bad(18, 2, 62, RC_UNSUPPORTED, "machine 62");
    check_bad(48, 4, 1, RC_UNSUPPORTED, "compressed");
    check_bad(52, 2, 63, RC_MALFORMED, "header sizes");
    check_bad(54, 2, 55, RC_MALFORMED, "header sizes");
    check_bad(56, 2, 65, RC_LIMIT, "65 program headers");
    check_bad(56, 2, 0, RC_MALFORMED, "no code");
    check_bad(32, 8, 1ull << 63, RC_MALFORMED, "outside the file");
    check_bad(32, 8, UINT64_MAX - 100, RC_MALFORMED, "outside the file");
    check_bad(PHDR(0, 0), 4, 3, RC_UNSUPPORTED, "-static");
    check_bad(PHDR(0, 0), 4, 2, RC_UNSUPPORTED, "-static");
}

TEST(segments_against_the_rules_are_refused)
{
    check_bad(24, 8, 0x11008, RC_MALFORMED, "entry 0x11008");
    check_bad(24, 8, 0x10000, RC_MALFORMED, "entry");
    check_bad(24, 8, 0x11002, RC_MALFORMED, "entry");
    check_bad(24, 8, 0x100011004, RC_MALFORMED, "entry");
    check_bad(PHDR(2, P_FLAGS), 4, 7, RC_MALFORMED, "writable and executable");
    check_bad(PHDR(2, P_FLAGS), 4, 0x16, RC_MALFORMED, "0x12000");
    check_bad(PHDR(1, P_FLAGS), 4, 4, RC_MALFORMED, "no code");
    check_bad(PHDR(0, P_FLAGS), 4, 5, RC_MALFORMED, "second executable");
    check_bad(PHDR(0, P_FLAGS), 4, 6, RC_MALFORMED, "read-only segment at 0x11000");
    check_bad(PHDR(0, P_VADDR), 8, 0x800, RC_MALFORMED, "first page");
    check_bad(PHDR(0, P_VADDR), 8, 0x10ffc, RC_MALFORMED, "overlaps");
    check_bad(PHDR(2, P_VADDR), 8, 0xf000, RC_MALFORMED, "out of order");
    check_bad(PHDR(2, P_VADDR), 8, 1u << 30, RC_LIMIT, "ends above");
    check_bad(PHDR(2, P_VADDR), 8, UINT64_MAX, RC_LIMIT, "ends above");
    check_bad(PHDR(2, P_MEMSZ), 8, 1u << 30, RC_LIMIT, "ends above");
    check_bad(PHDR(2, P_MEMSZ), 8, UINT64_MAX, RC_LIMIT, "ends above");
    check_bad(PHDR(2, P_MEMSZ), 8, 7, RC_MALFORMED, "more file than memory");
    check_bad(PHDR(2, P_FILESZ), 8, 3000000, RC_MALFORMED, "outside the file");
    check_bad(PHDR(2, P_OFFSET), 8, UINT64_MAX - 3, RC_MALFORMED, "outside the file");
    check_bad(PHDR(1, P_VADDR), 8, 0x11002, RC_MALFORMED, "aligned to 4");
    check_bad(PHDR(1, P_MEMSZ), 8, 12, RC_MALFORMED, "not in the file");
    check_bad(PHDR(1, P_MEMSZ), 8, 0, RC_MALFORMED, "no code");
}

TEST(a_cut_file_never_loads)
{
    struct bytes all = good_file();
    struct err e;

    for (size_t n = 0; n < all.n; n += n < 300 ? 1 : 97) {
        uint8_t *copy = malloc(n + 1); /* exact size, so that a read too far is seen */

        memcpy(copy, all.p, n);
        CHECK_TRUE(load(bytes_of(copy, n), &e) != RC_OK);
        free(copy);
    }
    CHECK_OK(load(all, &e), &e);
    CHECK_RC(load(bytes_of(NULL, 0), &e), RC_MALFORMED, &e, "not an ELF");
}

TEST(limits_on_code_and_segments)
{
    struct segment many[VM_SEGMENTS_MAX + 1];
    struct segment big = {5, 0x10000, {0}, 0};
    uint8_t *text = calloc(1, VM_TEXT_MAX + 4);
    struct err e;

    buf_reset(&file);
    big.content = bytes_of(text, VM_TEXT_MAX + 4);
    big.memsz = VM_TEXT_MAX + 4;
    elf_write(&file, 0x10000, &big, 1);
    CHECK_RC(load(buf_bytes(&file), &e), RC_LIMIT, &e, "bytes of code");
    free(text);
    for (unsigned i = 0; i <= VM_SEGMENTS_MAX; i++)
        many[i] = (struct segment){i == 0 ? 5 : 4, 0x10000 + 0x1000 * i, bytes_of(code, 8), 8};
    buf_reset(&file);
    elf_write(&file, 0x10000, many, VM_SEGMENTS_MAX);
    CHECK_OK(load(buf_bytes(&file), &e), &e);
    buf_reset(&file);
    elf_write(&file, 0x10000, many, VM_SEGMENTS_MAX + 1);
    CHECK_RC(load(buf_bytes(&file), &e), RC_LIMIT, &e, "more than 16 segments");
}
