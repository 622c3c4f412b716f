/* tests/vm/guest.h - programs for the machine's tests: an assembler of words and a writer of ELF
 * files, written from the specifications without looking at src/vm. */
#pragma once

#include "lib/t.h"
#include "vm/vm.h"

#define TEXT_ADDR 0x10000u

static inline uint32_t enc_r(uint32_t opcode, uint32_t f3, uint32_t f7, unsigned rd, unsigned rs1,
                             unsigned rs2)
{
    return opcode | rd << 7 | f3 << 12 | rs1 << 15 | rs2 << 20 | f7 << 25;
}
static inline uint32_t enc_i(uint32_t opcode, uint32_t f3, unsigned rd, unsigned rs1, int32_t imm)
{
    return opcode | rd << 7 | f3 << 12 | rs1 << 15 | ((uint32_t)imm & 0xfff) << 20;
}
static inline uint32_t enc_s(uint32_t f3, unsigned rs1, unsigned rs2, int32_t imm)
{
    uint32_t i = (uint32_t)imm & 0xfff;

    return 0x23 | (i & 31) << 7 | f3 << 12 | rs1 << 15 | rs2 << 20 | i >> 5 << 25;
}
static inline uint32_t enc_b(uint32_t f3, unsigned rs1, unsigned rs2, int32_t offset)
{
    uint32_t i = (uint32_t)offset;

    return 0x63 | (i >> 11 & 1) << 7 | (i >> 1 & 15) << 8 | f3 << 12 | rs1 << 15 | rs2 << 20 |
           (i >> 5 & 63) << 25 | (i >> 12 & 1) << 31;
}
static inline uint32_t enc_u(uint32_t opcode, unsigned rd, uint32_t upper20)
{
    return opcode | rd << 7 | upper20 << 12;
}
static inline uint32_t enc_jal(unsigned rd, int32_t offset)
{
    uint32_t i = (uint32_t)offset;

    return 0x6f | rd << 7 | (i >> 12 & 255) << 12 | (i >> 11 & 1) << 20 | (i >> 1 & 1023) << 21 |
           (i >> 20 & 1) << 31;
}
static inline uint32_t enc_addi(unsigned rd, unsigned rs1, int32_t imm)
{
    return enc_i(0x13, 0, rd, rs1, imm);
}
#define ECALL 0x00000073u
#define EBREAK 0x00100073u

struct segment {
    uint32_t flags; /* 1 X, 2 W, 4 R */
    uint64_t addr;
    struct bytes content;
    uint64_t memsz;
};

static inline void put_u16le(struct buf *b, unsigned v)
{
    buf_u8(b, (uint8_t)v);
    buf_u8(b, (uint8_t)(v >> 8));
}

/* An ELF file: headers, then the segments' contents one after the other, at page offsets so that
 * any loader takes it. */
static inline void elf_write(struct buf *out, uint64_t entry, const struct segment *s, unsigned n)
{
    static const uint8_t ident[16] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    uint64_t off = 0x1000;

    buf_put(out, ident, sizeof(ident));
    put_u16le(out, 2);
    put_u16le(out, 243);
    buf_u32le(out, 1);
    buf_u64le(out, entry);
    buf_u64le(out, 64);
    buf_u64le(out, 0);
    buf_u32le(out, 0);
    put_u16le(out, 64);
    put_u16le(out, 56);
    put_u16le(out, n);
    put_u16le(out, 64);
    put_u16le(out, 0);
    put_u16le(out, 0);
    for (unsigned i = 0; i < n; i++) {
        buf_u32le(out, 1);
        buf_u32le(out, s[i].flags);
        buf_u64le(out, off + s[i].addr % 0x1000);
        buf_u64le(out, s[i].addr);
        buf_u64le(out, s[i].addr);
        buf_u64le(out, s[i].content.n);
        buf_u64le(out, s[i].memsz);
        buf_u64le(out, 0x1000);
        off = (off + s[i].addr % 0x1000 + s[i].content.n + 0xfff) & ~0xfffull;
    }
    off = 0x1000;
    for (unsigned i = 0; i < n; i++) {
        buf_put_zero(out, off + s[i].addr % 0x1000 - out->n);
        buf_put_bytes(out, s[i].content);
        off = (off + s[i].addr % 0x1000 + s[i].content.n + 0xfff) & ~0xfffull;
    }
}

/* A program of nothing but code at `addr`. */
static inline struct vm_program *program_at(uint32_t addr, const uint32_t *words, size_t n)
{
    struct segment text = {5, addr, bytes_of(words, 4 * n), 4 * n};
    struct vm_program *p;
    struct buf elf = {0};
    struct err e;

    elf_write(&elf, addr, &text, 1);
    CHECK_OK(vm_program_load(&p, buf_bytes(&elf), &e), &e);
    buf_clear(&elf);
    return p;
}

static inline struct vm *machine(struct vm_program *p)
{
    struct vm *vm;
    struct err e;

    CHECK_OK(vm_new(&vm, &(struct vm_config){.memory = 1u << 20, .stack = 16384}, &e), &e);
    CHECK_OK(vm_reset(vm, p, &e), &e);
    return vm;
}
