/* vm/program.c - ELF files to programs. The file is hostile: every field is compared with its
 * limit before use, and only what the machine needs is looked at.
 * Source: System V ABI, ch. 4-5 (ELF-64); RISC-V ELF psABI, "File header". */
#include "base/reader.h"
#include "vm/internal/vm.h"

#define EM_RISCV 243
#define ET_EXEC 2
#define EF_RVC 1u
#define PT_LOAD 1
#define PT_DYNAMIC 2
#define PT_INTERP 3
#define PF_X 1u
#define PF_W 2u
#define PF_ALL 7u
#define EHDR_SIZE 64
#define PHDR_SIZE 56
#define PHDRS_MAX 64

struct ehdr {
    uint64_t entry, phoff;
    uint32_t flags;
    uint16_t phnum;
};

struct phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, filesz, memsz;
};

static enum rc parse_ehdr(struct ehdr *h, struct bytes elf, struct err *e)
{
    struct reader r = reader_init(elf);
    struct bytes ident = reader_take(&r, 16);
    uint16_t type = reader_u16le(&r), machine = reader_u16le(&r), ehsize, phentsize;
    uint32_t version = reader_u32le(&r);

    h->entry = reader_u64le(&r);
    h->phoff = reader_u64le(&r);
    (void)reader_u64le(&r); /* section headers are not looked at */
    h->flags = reader_u32le(&r);
    ehsize = reader_u16le(&r);
    phentsize = reader_u16le(&r);
    h->phnum = reader_u16le(&r);
    if (!reader_ok(&r) || memcmp(ident.p,
                                 "\x7f"
                                 "ELF",
                                 4) != 0)
        return err_set(e, RC_MALFORMED, "elf: not an ELF file");
    if (ident.p[4] != 2 || ident.p[5] != 1 || ident.p[6] != 1 || version != 1)
        return err_set(e, RC_UNSUPPORTED, "elf: not a 64-bit little-endian file of version 1");
    if (machine != EM_RISCV)
        return err_set(e, RC_UNSUPPORTED, "elf: machine %u is not RISC-V (243)", machine);
    if (type != ET_EXEC)
        return err_set(e, RC_UNSUPPORTED, "elf: type %u is not a static executable (2)", type);
    if ((h->flags & EF_RVC) != 0)
        return err_set(e, RC_UNSUPPORTED,
                       "elf: uses compressed instructions, compile without C in -march");
    if (ehsize != EHDR_SIZE || phentsize != PHDR_SIZE)
        return err_set(e, RC_MALFORMED, "elf: header sizes %u and %u are not 64 and 56", ehsize,
                       phentsize);
    if (h->phnum > PHDRS_MAX)
        return err_set(e, RC_LIMIT, "elf: %u program headers, at most %d", h->phnum, PHDRS_MAX);
    if (h->phoff > elf.n || (uint64_t)h->phnum * PHDR_SIZE > elf.n - h->phoff)
        return err_set(e, RC_MALFORMED, "elf: program headers lie outside the file");
    return RC_OK;
}

static struct phdr parse_phdr(struct reader *r)
{
    struct phdr h;

    h.type = reader_u32le(r);
    h.flags = reader_u32le(r);
    h.offset = reader_u64le(r);
    h.vaddr = reader_u64le(r);
    (void)reader_u64le(r); /* physical address */
    h.filesz = reader_u64le(r);
    h.memsz = reader_u64le(r);
    (void)reader_u64le(r); /* alignment */
    return h;
}

/* One PT_LOAD against the rules; p->info describes the segments before it. */
static enum rc check_load(const struct vm_program *p, const struct phdr *h, size_t file_size,
                          struct err *e)
{
    unsigned long long at = h->vaddr;

    if (h->offset > file_size || h->filesz > file_size - h->offset)
        return err_set(e, RC_MALFORMED, "elf: segment at 0x%llx lies outside the file", at);
    if (h->filesz > h->memsz)
        return err_set(e, RC_MALFORMED, "elf: segment at 0x%llx has more file than memory", at);
    if (h->vaddr < VM_PAGE)
        return err_set(e, RC_MALFORMED, "elf: segment at 0x%llx is in the first page", at);
    if (h->vaddr > VM_MEMORY_MAX || h->memsz > VM_MEMORY_MAX - h->vaddr)
        return err_set(e, RC_LIMIT, "elf: segment at 0x%llx ends above 0x%x", at, VM_MEMORY_MAX);
    if (h->vaddr < p->info.image_hi)
        return err_set(e, RC_MALFORMED, "elf: segment at 0x%llx overlaps or is out of order", at);
    if ((h->flags & ~PF_ALL) != 0 || (h->flags & (PF_W | PF_X)) == (PF_W | PF_X))
        return err_set(e, RC_MALFORMED, "elf: segment at 0x%llx is writable and executable", at);
    if ((h->flags & PF_W) == 0 && p->info.data_lo != 0)
        return err_set(e, RC_MALFORMED, "elf: read-only segment at 0x%llx above writable ones", at);
    if ((h->flags & PF_X) == 0)
        return RC_OK;
    if (p->info.text_hi != 0)
        return err_set(e, RC_MALFORMED, "elf: second executable segment at 0x%llx", at);
    if (h->vaddr % 4 != 0 || h->filesz != h->memsz)
        return err_set(e, RC_MALFORMED,
                       "elf: code at 0x%llx is not aligned to 4 or not in the file", at);
    if (h->filesz > VM_TEXT_MAX)
        return err_set(e, RC_LIMIT, "elf: %llu bytes of code, at most %u",
                       (unsigned long long)h->filesz, VM_TEXT_MAX);
    return RC_OK;
}

/* Take one checked PT_LOAD over; `size` counts the bytes of all segments so far. */
static void add_load(struct vm_program *p, const struct phdr *h, size_t *size)
{
    uint32_t lo = (uint32_t)h->vaddr, hi = (uint32_t)(h->vaddr + h->memsz);

    if (p->n_segments == 0)
        p->info.image_lo = lo;
    if ((h->flags & PF_W) != 0 && p->info.data_lo == 0)
        p->info.data_lo = lo;
    if ((h->flags & PF_X) != 0) {
        p->info.text_lo = lo;
        p->info.text_hi = (uint32_t)(h->vaddr + h->filesz / 4 * 4);
    }
    p->info.image_hi = hi;
    p->segments[p->n_segments++] =
        (struct vm_segment){.addr = lo, .size = (uint32_t)h->filesz, .off = *size};
    *size += h->filesz;
}

static enum rc parse_loads(struct vm_program *p, size_t offsets[VM_SEGMENTS_MAX],
                           const struct ehdr *eh, struct bytes elf, struct err *e)
{
    struct reader r = reader_init(bytes_of(elf.p + eh->phoff, (size_t)eh->phnum * PHDR_SIZE));
    size_t size = 0;

    for (unsigned i = 0; i < eh->phnum; i++) {
        struct phdr h = parse_phdr(&r);

        if (h.type == PT_DYNAMIC || h.type == PT_INTERP)
            return err_set(e, RC_UNSUPPORTED, "elf: dynamically linked, link with -static");
        if (h.type != PT_LOAD || h.memsz == 0)
            continue;
        if (p->n_segments == VM_SEGMENTS_MAX)
            return err_set(e, RC_LIMIT, "elf: more than %u segments", VM_SEGMENTS_MAX);
        TRY(check_load(p, &h, elf.n, e));
        offsets[p->n_segments] = (size_t)h.offset;
        add_load(p, &h, &size);
    }
    TRY(reader_done(&r, "elf: program headers", e));
    if (p->info.text_hi == p->info.text_lo)
        return err_set(e, RC_MALFORMED, "elf: no code");
    if (eh->entry < p->info.text_lo || eh->entry >= p->info.text_hi || eh->entry % 4 != 0)
        return err_set(e, RC_MALFORMED, "elf: entry 0x%llx is outside the code",
                       (unsigned long long)eh->entry);
    p->info.entry = (uint32_t)eh->entry;
    if (p->info.data_lo == 0)
        p->info.data_lo = p->info.image_hi;
    p->bytes = xmalloc(size);
    for (uint32_t i = 0; i < p->n_segments; i++)
        if (p->segments[i].size != 0)
            memcpy(p->bytes + p->segments[i].off, elf.p + offsets[i], p->segments[i].size);
    p->info.host_size = sizeof(*p) + size;
    return RC_OK;
}

static void program_free(struct vm_program *p)
{
    free(p->bytes);
    free(p->slots);
    free(p->ops);
    free(p->costs);
    free(p);
}

static void decode_text(struct vm_program *p)
{
    const uint8_t *text = NULL;
    size_t n = (p->info.text_hi - p->info.text_lo) / 4;

    for (uint32_t i = 0; i < p->n_segments; i++)
        if (p->segments[i].addr == p->info.text_lo)
            text = p->bytes + p->segments[i].off;
    CHECK(text != NULL);
    p->n_slots = (uint32_t)n;
    p->slots = xreallocarray(NULL, n + 1, sizeof(*p->slots));
    p->ops = xmalloc(n + 1);
    p->costs = xmalloc(n + 1);
    p->info.host_size += (n + 1) * (sizeof(*p->slots) + 2);
    vm_decode(p, text);
    vm_link(p);
}

enum rc vm_program_load(struct vm_program **out, struct bytes elf, struct err *e)
{
    struct vm_program *p;
    struct ehdr eh;
    size_t offsets[VM_SEGMENTS_MAX];
    enum rc rc;

    *out = NULL;
    TRY(parse_ehdr(&eh, elf, e));
    p = xcalloc(1, sizeof(*p));
    atomic_init(&p->refs, 1);
    p->info.profile = VM_PROFILE_INT;
    rc = parse_loads(p, offsets, &eh, elf, e);
    if (rc != RC_OK) {
        program_free(p);
        return rc;
    }
    decode_text(p);
    *out = p;
    return RC_OK;
}

struct vm_program *vm_program_ref(struct vm_program *p)
{
    (void)atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void vm_program_unref(struct vm_program *p)
{
    if (p != NULL && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        program_free(p);
}

struct vm_program_info vm_program_info(const struct vm_program *p)
{
    return p->info;
}
