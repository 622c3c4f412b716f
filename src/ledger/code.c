#include "ledger/code.h"

#include "base/reader.h"
#include "ledger/state.h"

/* ELF-64 object file format, version 1.5: the fields used here. */
enum {
    EHDR_SIZE = 64,
    PHDR_SIZE = 56,
    SHDR_SIZE = 64,
    HEADERS_MAX = 128, /* of each table */
    SHT_NOBITS = 8,
};

struct elf_tables {
    uint64_t phoff, shoff;
    uint16_t phnum, shnum, shstrndx;
};

static bool read_header(struct bytes data, struct elf_tables *t)
{
    static const uint8_t ident[6] = {0x7f, 'E', 'L', 'F', 2, 1}; /* 64-bit, little-endian */
    struct reader r = reader_init(data);
    uint16_t ehsize, phentsize, shentsize;

    if (!bytes_eq(reader_take(&r, sizeof(ident)), BYTES_OF(&ident)))
        return false;
    (void)reader_take(&r, 32 - sizeof(ident)); /* ident, type, machine, version, entry */
    t->phoff = reader_u64le(&r);
    t->shoff = reader_u64le(&r);
    (void)reader_u32le(&r); /* flags */
    ehsize = reader_u16le(&r);
    phentsize = reader_u16le(&r);
    t->phnum = reader_u16le(&r);
    shentsize = reader_u16le(&r);
    t->shnum = reader_u16le(&r);
    t->shstrndx = reader_u16le(&r);
    return reader_ok(&r) && ehsize == EHDR_SIZE && (t->phnum == 0 || phentsize == PHDR_SIZE) &&
           (t->shnum == 0 || shentsize == SHDR_SIZE) && t->phnum <= HEADERS_MAX &&
           t->shnum <= HEADERS_MAX;
}

/* Lengthen *end to cover n bytes at off; false if that is not within the data. */
static bool cover(struct bytes data, uint64_t off, uint64_t n, size_t *end)
{
    if (off > data.n || n > data.n - off)
        return false;
    if ((size_t)(off + n) > *end)
        *end = (size_t)(off + n);
    return true;
}

enum rc code_split(struct bytes data, struct bytes *elf, struct bytes *init, struct err *e)
{
    struct elf_tables t;
    size_t end = EHDR_SIZE;

    *elf = *init = bytes_of(NULL, 0);
    if (!read_header(data, &t))
        return err_set(e, RC_MALFORMED, "deploy data does not begin with an ELF64 LSB header");
    if (!cover(data, t.phoff, (uint64_t)t.phnum * PHDR_SIZE, &end) ||
        !cover(data, t.shoff, (uint64_t)t.shnum * SHDR_SIZE, &end))
        return err_set(e, RC_MALFORMED, "the ELF's header tables lie outside the deploy data");
    for (size_t i = 0; i < t.phnum; i++) {
        const uint8_t *ph = data.p + t.phoff + i * PHDR_SIZE;

        if (!cover(data, load_u64le(ph + 8), load_u64le(ph + 32), &end))
            return err_set(e, RC_MALFORMED, "segment %zu of the ELF is cut off", i);
    }
    for (size_t i = 0; i < t.shnum; i++) {
        const uint8_t *sh = data.p + t.shoff + i * SHDR_SIZE;

        if (load_u32le(sh + 4) != SHT_NOBITS && load_u32le(sh + 4) != 0 &&
            !cover(data, load_u64le(sh + 24), load_u64le(sh + 32), &end))
            return err_set(e, RC_MALFORMED, "section %zu of the ELF is cut off", i);
    }
    if (end > STATE_CODE_MAX)
        return err_set(e, RC_LIMIT, "the ELF has %zu bytes, at most %u", end, STATE_CODE_MAX);
    *elf = bytes_of(data.p, end);
    *init = bytes_of(data.p + end, data.n - end);
    return RC_OK;
}

/* Content of a section by index; empty when it has none in the file. */
static struct bytes section(struct bytes elf, const struct elf_tables *t, size_t i)
{
    const uint8_t *sh = elf.p + t->shoff + i * SHDR_SIZE;
    uint64_t off = load_u64le(sh + 24), n = load_u64le(sh + 32);
    size_t end = 0;

    if (load_u32le(sh + 4) == SHT_NOBITS || load_u32le(sh + 4) == 0 || !cover(elf, off, n, &end))
        return bytes_of(NULL, 0);
    return bytes_of(elf.p + off, (size_t)n);
}

static bool has_name(struct bytes names, const uint8_t *sh)
{
    const size_t want = sizeof(CODE_REENTRANT_SECTION); /* with its NUL */
    uint32_t at = load_u32le(sh);

    return at <= names.n && names.n - at >= want &&
           memcmp(names.p + at, CODE_REENTRANT_SECTION, want) == 0;
}

struct code_selectors code_reentrant(struct bytes elf, struct arena *mem)
{
    struct code_selectors out = {0};
    struct elf_tables t;
    struct bytes names, list = {0};
    uint8_t(*items)[4];
    size_t end = 0;

    if (!read_header(elf, &t) || t.shstrndx >= t.shnum ||
        !cover(elf, t.shoff, (uint64_t)t.shnum * SHDR_SIZE, &end))
        return out;
    names = section(elf, &t, t.shstrndx);
    for (size_t i = 0; i < t.shnum && list.n == 0; i++)
        if (has_name(names, elf.p + t.shoff + i * SHDR_SIZE))
            list = section(elf, &t, i);
    out.n = list.n / 4 < CODE_REENTRANT_MAX ? list.n / 4 : CODE_REENTRANT_MAX;
    items = arena_array(mem, out.n + 1, sizeof(*items));
    if (out.n != 0)
        memcpy(items, list.p, out.n * sizeof(*items));
    out.items = (const uint8_t(*)[4])items;
    return out;
}
