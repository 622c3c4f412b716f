/* tests/ledger/guest.h - a contract that does what its calldata says: a list of 64-byte steps
 * {number, a0..a5, dst}, each a host call whose result is stored at dst (0: not). Assembled here,
 * so tests need no compiler for the machine. Steps end with number 0; data may follow. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "ledger/code.h"
#include "sdk/hostcall.h"

#define GUEST_TEXT 0x10000u
#define GUEST_BUF 0x20000u    /* calldata is copied here */
#define GUEST_MEMORY 0x40000u /* end of the writable segment */
#define GUEST_SPIN 1001u      /* step: loop for ever */
#define GUEST_SKIP_IF 1002u   /* step: if the last result is not zero, skip a0 steps */
#define GUEST_ILLEGAL 1003u   /* step: an instruction that is none */
#define GUEST_STEP 64u

/* ---- a few instructions (RISC-V unprivileged ISA 20191213, chapter 24) ---- */

static inline uint32_t rv_i(uint32_t op, uint32_t f3, uint32_t rd, uint32_t rs1, int32_t imm)
{
    return ((uint32_t)imm & 0xfffu) << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op;
}
static inline uint32_t rv_b(uint32_t f3, uint32_t rs1, uint32_t rs2, int32_t off)
{
    uint32_t u = (uint32_t)off;

    return (u >> 12 & 1) << 31 | (u >> 5 & 0x3f) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 |
           (u >> 1 & 0xf) << 8 | (u >> 11 & 1) << 7 | 0x63;
}
static inline uint32_t rv_j(uint32_t rd, int32_t off)
{
    uint32_t u = (uint32_t)off;

    return (u >> 20 & 1) << 31 | (u >> 1 & 0x3ff) << 21 | (u >> 11 & 1) << 20 |
           (u >> 12 & 0xff) << 12 | rd << 7 | 0x6f;
}

enum {
    T0 = 5,
    S0 = 8,
    S1 = 9,
    A0 = 10,
    A1 = 11,
    A2 = 12,
    A5 = 15,
    S2 = 18,
    T3 = 28,
    T4 = 29,
    T5 = 30,
};

#define RV_LI(rd, v) rv_i(0x13, 0, (rd), 0, (v))
#define RV_MV(rd, rs) rv_i(0x13, 0, (rd), (rs), 0)
#define RV_ADDI(rd, rs, v) rv_i(0x13, 0, (rd), (rs), (v))
#define RV_LD(rd, rs, off) rv_i(0x03, 3, (rd), (rs), (off))
#define RV_LUI(rd, v) ((uint32_t)(v) | (uint32_t)(rd) << 7 | 0x37)
#define RV_ECALL 0x73u
#define RV_BEQ(a, b, off) rv_b(0, (a), (b), (off))
#define RV_BNE(a, b, off) rv_b(1, (a), (b), (off))

/* `salt` only makes the code another one. */
static inline void guest_text(struct buf *b, uint32_t salt)
{
    const uint32_t code[] = {
        RV_LUI(T5, salt << 12),
        RV_LUI(S0, GUEST_BUF),
        RV_LI(T0, HOST_CALLDATA_SIZE),
        RV_ECALL,
        RV_MV(A2, A0),
        RV_MV(A0, S0),
        RV_LI(A1, 0),
        RV_LI(T0, HOST_CALLDATA_READ),
        RV_ECALL,
        RV_LI(T4, 0),
        /* loop: (10) */
        RV_LD(T0, S0, 0),
        RV_BEQ(T0, 0, 4 * (40 - 11)), /* -> end (40) */
        RV_LD(A0, S0, 8),
        RV_LD(A1, S0, 16),
        RV_LD(A2, S0, 24),
        RV_LD(13, S0, 32),
        RV_LD(14, S0, 40),
        RV_LD(A5, S0, 48),
        RV_LD(S2, S0, 56),
        RV_LI(T3, GUEST_SPIN),
        RV_BEQ(T0, T3, 4 * (34 - 20)), /* -> spin (34) */
        RV_LI(T3, GUEST_SKIP_IF),
        RV_BEQ(T0, T3, 4 * (35 - 22)), /* -> skip (35) */
        RV_LI(T3, GUEST_ILLEGAL),
        RV_BEQ(T0, T3, 4 * (39 - 24)), /* -> illegal (39) */
        RV_ECALL,
        RV_MV(T4, A0),
        RV_BEQ(S2, 0, 4 * 2),
        0x00a93023, /* sd a0, 0(s2) */
        /* next: (29) */
        RV_ADDI(S0, S0, GUEST_STEP),
        rv_j(0, 4 * (10 - 30)),
        RV_ADDI(0, 0, 0),
        RV_ADDI(0, 0, 0),
        RV_ADDI(0, 0, 0),
        /* spin: (34) */
        rv_j(0, 0),
        /* skip: (35) */
        RV_BEQ(T4, 0, 4 * (29 - 35)),
        0x00651513, /* slli a0, a0, 6 */
        0x00a40433, /* add s0, s0, a0 */
        rv_j(0, 4 * (29 - 38)),
        /* illegal: (39) */
        0,
        /* end: (40) return nothing */
        RV_LI(A0, 0),
        RV_LI(A1, 0),
        RV_LI(T0, HOST_RETURN),
        RV_ECALL,
    };

    for (size_t i = 0; i < sizeof(code) / sizeof(code[0]); i++)
        buf_u32le(b, code[i]);
}

static inline void guest_phdr(struct buf *b, uint32_t flags, uint64_t off, uint64_t addr,
                              uint64_t filesz, uint64_t memsz)
{
    buf_u32le(b, 1); /* PT_LOAD */
    buf_u32le(b, flags);
    buf_u64le(b, off);
    buf_u64le(b, addr);
    buf_u64le(b, addr);
    buf_u64le(b, filesz);
    buf_u64le(b, memsz);
    buf_u64le(b, 0x1000);
}

static inline void guest_shdr(struct buf *b, uint32_t name, uint32_t type, uint64_t off, uint64_t n)
{
    buf_u32le(b, name);
    buf_u32le(b, type);
    buf_u64le(b, 0);
    buf_u64le(b, 0);
    buf_u64le(b, off);
    buf_u64le(b, n);
    buf_u64le(b, 0);
    buf_u64le(b, 1);
    buf_u64le(b, 0);
}

/* An ELF around some text; n_selectors > 0 adds section headers and the reentrancy note. */
static inline void guest_wrap(struct buf *out, struct bytes text, const uint8_t (*selectors)[4],
                              size_t n_selectors)
{
    static const char names[] = "\0.shstrtab\0" CODE_REENTRANT_SECTION;
    uint64_t text_off = 64 + 2 * 56, notes = text_off + text.n, strings = notes + 4 * n_selectors;
    uint64_t shoff = strings + sizeof(names);

    buf_put(out, "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0", 16);
    buf_put(out, "\2\0\363\0\1\0\0\0", 8); /* EXEC, RISC-V, version 1 */
    buf_u64le(out, GUEST_TEXT);
    buf_u64le(out, 64);
    buf_u64le(out, n_selectors == 0 ? 0 : shoff);
    buf_u32le(out, 0);
    buf_put(out, "\100\0\70\0\2\0\100\0", 8);
    buf_put(out, n_selectors == 0 ? "\0\0\0\0" : "\3\0\1\0", 4);
    guest_phdr(out, 5, text_off, GUEST_TEXT, text.n, text.n);
    guest_phdr(out, 6, 0, GUEST_BUF, 0, GUEST_MEMORY - GUEST_BUF);
    buf_put_bytes(out, text);
    if (n_selectors == 0)
        return;
    buf_put(out, selectors, 4 * n_selectors);
    buf_put(out, names, sizeof(names));
    guest_shdr(out, 0, 0, 0, 0);
    guest_shdr(out, 1, 3, strings, sizeof(names));
    guest_shdr(out, 11, 1, notes, 4 * n_selectors);
}

static inline void guest_elf(struct buf *out, uint32_t salt, const uint8_t (*selectors)[4],
                             size_t n_selectors)
{
    AUTO_CLEAR(buf) struct buf text = {0};

    guest_text(&text, salt);
    guest_wrap(out, buf_bytes(&text), selectors, n_selectors);
}

/* ---- scripts ---- */

static inline void guest_step(struct buf *b, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2,
                              uint64_t a3, uint64_t a4, uint64_t a5, uint64_t dst)
{
    const uint64_t w[8] = {number, a0, a1, a2, a3, a4, a5, dst};

    for (size_t i = 0; i < 8; i++)
        buf_u64le(b, w[i]);
}

/* A script under construction: steps first, data from `data` on (room for n_steps). */
struct script {
    struct buf steps, data;
    size_t n_steps;
};

static inline void script_clear(struct script *s)
{
    buf_clear(&s->steps);
    buf_clear(&s->data);
}

static inline struct script script_new(size_t n_steps)
{
    return (struct script){.n_steps = n_steps};
}

/* Put data; its address in the guest. */
static inline uint64_t script_data(struct script *s, struct bytes d)
{
    uint64_t at = GUEST_BUF + (s->n_steps + 1) * GUEST_STEP + s->data.n;

    buf_put_bytes(&s->data, d);
    while (s->data.n % 8 != 0)
        buf_u8(&s->data, 0);
    return at;
}

/* The calldata: steps, the end, data. Steps beyond those used are ends too. */
static inline void script_done(struct script *s, struct buf *out)
{
    CHECK(s->steps.n <= s->n_steps * GUEST_STEP);
    buf_put_bytes(out, buf_bytes(&s->steps));
    buf_put_zero(out, (s->n_steps + 1) * GUEST_STEP - s->steps.n);
    buf_put_bytes(out, buf_bytes(&s->data));
}
