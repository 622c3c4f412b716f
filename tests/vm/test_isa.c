/* Every instruction, over edge values, against models that share nothing with src/vm: bit by bit
 * where the machine uses one operation. */
#include "vm/guest.h"

#define BITS(v, lo, n) ((v) >> (lo) & ((1ull << (n)) - 1))

static uint64_t sx(uint64_t v, unsigned bits)
{
    return BITS(v, bits - 1, 1) ? v | ~0ull << (bits - 1) : v & ((1ull << (bits - 1)) - 1);
}
static uint64_t negate(uint64_t v)
{
    return ~v + 1;
}
static bool neg(uint64_t v)
{
    return v >> 63 == 1;
}
/* signed a < b by flipping the sign bits */
static bool lts(uint64_t a, uint64_t b)
{
    return (a ^ 1ull << 63) < (b ^ 1ull << 63);
}

static uint64_t m_add(uint64_t a, uint64_t b)
{
    return a + b;
}
static uint64_t m_sub(uint64_t a, uint64_t b)
{
    return a + negate(b);
}
static uint64_t m_sll(uint64_t a, uint64_t b)
{
    for (unsigned n = b % 64; n > 0; n--)
        a += a;
    return a;
}
static uint64_t m_srl(uint64_t a, uint64_t b)
{
    for (unsigned n = b % 64; n > 0; n--)
        a /= 2;
    return a;
}
static uint64_t m_sra(uint64_t a, uint64_t b)
{
    return neg(a) ? ~m_srl(~a, b) : m_srl(a, b);
}
static uint64_t m_slt(uint64_t a, uint64_t b)
{
    return lts(a, b) ? 1 : 0;
}
static uint64_t m_sltu(uint64_t a, uint64_t b)
{
    return a < b ? 1 : 0;
}
static uint64_t m_xor(uint64_t a, uint64_t b)
{
    return (a | b) & ~(a & b);
}
static uint64_t m_or(uint64_t a, uint64_t b)
{
    return ~(~a & ~b);
}
static uint64_t m_and(uint64_t a, uint64_t b)
{
    return ~(~a | ~b);
}
static uint64_t m_addw(uint64_t a, uint64_t b)
{
    return sx((a + b) & 0xffffffff, 32);
}
static uint64_t m_subw(uint64_t a, uint64_t b)
{
    return sx((a - b) & 0xffffffff, 32);
}
static uint64_t m_sllw(uint64_t a, uint64_t b)
{
    return sx(m_sll(a, b % 32) & 0xffffffff, 32);
}
static uint64_t m_srlw(uint64_t a, uint64_t b)
{
    return sx(m_srl(a & 0xffffffff, b % 32), 32);
}
static uint64_t m_sraw(uint64_t a, uint64_t b)
{
    return m_sra(sx(a & 0xffffffff, 32), b % 32);
}

/* The 128-bit product by shift and add. */
static void mul128(uint64_t a, uint64_t b, uint64_t *hi, uint64_t *lo)
{
    *hi = *lo = 0;
    for (int i = 63; i >= 0; i--) {
        *hi = *hi << 1 | *lo >> 63;
        *lo <<= 1;
        if (BITS(b, i, 1)) {
            *lo += a;
            *hi += *lo < a;
        }
    }
}
static uint64_t m_mul(uint64_t a, uint64_t b)
{
    uint64_t hi, lo;

    mul128(a, b, &hi, &lo);
    return lo;
}
static uint64_t m_mulhu(uint64_t a, uint64_t b)
{
    uint64_t hi, lo;

    mul128(a, b, &hi, &lo);
    return hi;
}
/* high half of (-1)^sign * |a| * |b| */
static uint64_t high_signed(uint64_t a, uint64_t b, bool sign)
{
    uint64_t hi, lo;

    mul128(a, b, &hi, &lo);
    return sign ? ~hi + (lo == 0) : hi;
}
static uint64_t m_mulh(uint64_t a, uint64_t b)
{
    return high_signed(neg(a) ? negate(a) : a, neg(b) ? negate(b) : b, neg(a) != neg(b));
}
static uint64_t m_mulhsu(uint64_t a, uint64_t b)
{
    return high_signed(neg(a) ? negate(a) : a, b, neg(a));
}
/* Long division; by zero: quotient all ones, remainder the dividend. */
static void divide(uint64_t a, uint64_t b, uint64_t *q, uint64_t *r)
{
    *q = *r = 0;
    for (int i = 63; i >= 0; i--) {
        bool carry = *r >> 63 != 0;

        *r = *r << 1 | BITS(a, i, 1);
        *q <<= 1;
        if (carry || *r >= b) {
            *r -= b;
            *q |= 1;
        }
    }
    if (b == 0)
        *r = a;
}
static uint64_t m_divu(uint64_t a, uint64_t b)
{
    uint64_t q, r;

    divide(a, b, &q, &r);
    return q;
}
static uint64_t m_remu(uint64_t a, uint64_t b)
{
    uint64_t q, r;

    divide(a, b, &q, &r);
    return r;
}
static uint64_t m_div(uint64_t a, uint64_t b)
{
    uint64_t q = m_divu(neg(a) ? negate(a) : a, neg(b) ? negate(b) : b);

    if (b == 0)
        return ~0ull;
    return neg(a) != neg(b) ? negate(q) : q;
}
static uint64_t m_rem(uint64_t a, uint64_t b)
{
    uint64_t r = m_remu(neg(a) ? negate(a) : a, neg(b) ? negate(b) : b);

    return neg(a) ? negate(r) : r;
}
static uint64_t m_mulw(uint64_t a, uint64_t b)
{
    return sx(m_mul(a, b) & 0xffffffff, 32);
}
static uint64_t s32(uint64_t v)
{
    return sx(v & 0xffffffff, 32);
}
static uint64_t m_divw(uint64_t a, uint64_t b)
{
    return s32(m_div(s32(a), s32(b)));
}
static uint64_t m_remw(uint64_t a, uint64_t b)
{
    return s32(m_rem(s32(a), s32(b)));
}
static uint64_t m_divuw(uint64_t a, uint64_t b)
{
    return s32(m_divu(a & 0xffffffff, b & 0xffffffff));
}
static uint64_t m_remuw(uint64_t a, uint64_t b)
{
    return s32(m_remu(a & 0xffffffff, b & 0xffffffff));
}

static uint64_t m_sh1add(uint64_t a, uint64_t b)
{
    return a * 2 + b;
}
static uint64_t m_sh2add(uint64_t a, uint64_t b)
{
    return a * 4 + b;
}
static uint64_t m_sh3add(uint64_t a, uint64_t b)
{
    return a * 8 + b;
}
static uint64_t m_adduw(uint64_t a, uint64_t b)
{
    return a % (1ull << 32) + b;
}
static uint64_t m_sh1adduw(uint64_t a, uint64_t b)
{
    return a % (1ull << 32) * 2 + b;
}
static uint64_t m_sh2adduw(uint64_t a, uint64_t b)
{
    return a % (1ull << 32) * 4 + b;
}
static uint64_t m_sh3adduw(uint64_t a, uint64_t b)
{
    return a % (1ull << 32) * 8 + b;
}
static uint64_t m_slliuw(uint64_t a, uint64_t b)
{
    return m_sll(a % (1ull << 32), b);
}

static uint64_t m_andn(uint64_t a, uint64_t b)
{
    return a - (a & b);
}
static uint64_t m_orn(uint64_t a, uint64_t b)
{
    return ~(~a & b);
}
static uint64_t m_xnor(uint64_t a, uint64_t b)
{
    return (a & b) | (~a & ~b);
}
static uint64_t m_min(uint64_t a, uint64_t b)
{
    return lts(b, a) ? b : a;
}
static uint64_t m_minu(uint64_t a, uint64_t b)
{
    return b < a ? b : a;
}
static uint64_t m_max(uint64_t a, uint64_t b)
{
    return lts(a, b) ? b : a;
}
static uint64_t m_maxu(uint64_t a, uint64_t b)
{
    return a < b ? b : a;
}
static uint64_t leading(uint64_t a, unsigned bits)
{
    uint64_t n = 0;

    while (n < bits && !BITS(a, bits - 1 - n, 1))
        n++;
    return n;
}
static uint64_t trailing(uint64_t a, unsigned bits)
{
    uint64_t n = 0;

    while (n < bits && !BITS(a, n, 1))
        n++;
    return n;
}
static uint64_t ones(uint64_t a, unsigned bits)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < bits; i++)
        n += BITS(a, i, 1);
    return n;
}
static uint64_t m_clz(uint64_t a, uint64_t b)
{
    (void)b;
    return leading(a, 64);
}
static uint64_t m_clzw(uint64_t a, uint64_t b)
{
    (void)b;
    return leading(a, 32);
}
static uint64_t m_ctz(uint64_t a, uint64_t b)
{
    (void)b;
    return trailing(a, 64);
}
static uint64_t m_ctzw(uint64_t a, uint64_t b)
{
    (void)b;
    return trailing(a, 32);
}
static uint64_t m_cpop(uint64_t a, uint64_t b)
{
    (void)b;
    return ones(a, 64);
}
static uint64_t m_cpopw(uint64_t a, uint64_t b)
{
    (void)b;
    return ones(a, 32);
}
static uint64_t m_sextb(uint64_t a, uint64_t b)
{
    (void)b;
    return sx(a & 255, 8);
}
static uint64_t m_sexth(uint64_t a, uint64_t b)
{
    (void)b;
    return sx(a & 65535, 16);
}
static uint64_t m_zexth(uint64_t a, uint64_t b)
{
    (void)b;
    return a & 65535;
}
static uint64_t m_ror(uint64_t a, uint64_t b)
{
    for (unsigned n = b % 64; n > 0; n--)
        a = a / 2 + (a % 2 << 63);
    return a;
}
static uint64_t m_rol(uint64_t a, uint64_t b)
{
    return m_ror(a, 64 - b % 64);
}
static uint64_t m_rorw(uint64_t a, uint64_t b)
{
    a &= 0xffffffff;
    for (unsigned n = b % 32; n > 0; n--)
        a = a / 2 + (a % 2 << 31);
    return s32(a);
}
static uint64_t m_rolw(uint64_t a, uint64_t b)
{
    return m_rorw(a, 32 - b % 32);
}
static uint64_t m_rev8(uint64_t a, uint64_t b)
{
    uint64_t r = 0;

    (void)b;
    for (int i = 0; i < 8; i++)
        r = r << 8 | BITS(a, 8 * i, 8);
    return r;
}
static uint64_t m_orcb(uint64_t a, uint64_t b)
{
    uint64_t r = 0;

    (void)b;
    for (int i = 0; i < 8; i++)
        if (BITS(a, 8 * i, 8) != 0)
            r |= 255ull << 8 * i;
    return r;
}
static uint64_t m_bset(uint64_t a, uint64_t b)
{
    return a | m_sll(1, b);
}
static uint64_t m_bclr(uint64_t a, uint64_t b)
{
    return m_bset(a, b) - m_sll(1, b);
}
static uint64_t m_binv(uint64_t a, uint64_t b)
{
    return BITS(a, b % 64, 1) ? m_bclr(a, b) : m_bset(a, b);
}
static uint64_t m_bext(uint64_t a, uint64_t b)
{
    return m_srl(a, b) % 2;
}
static uint64_t m_czeqz(uint64_t a, uint64_t b)
{
    return b ? a : 0;
}
static uint64_t m_cznez(uint64_t a, uint64_t b)
{
    return b ? 0 : a;
}

typedef uint64_t model_fn(uint64_t a, uint64_t b);

struct reg_case {
    uint32_t opcode, f3, f7;
    model_fn *model;
    unsigned cost;
};
static const struct reg_case reg_cases[] = {
    {0x33, 0, 0x00, m_add, 1},      {0x33, 0, 0x20, m_sub, 1},      {0x33, 1, 0x00, m_sll, 1},
    {0x33, 2, 0x00, m_slt, 1},      {0x33, 3, 0x00, m_sltu, 1},     {0x33, 4, 0x00, m_xor, 1},
    {0x33, 5, 0x00, m_srl, 1},      {0x33, 5, 0x20, m_sra, 1},      {0x33, 6, 0x00, m_or, 1},
    {0x33, 7, 0x00, m_and, 1},      {0x3b, 0, 0x00, m_addw, 1},     {0x3b, 0, 0x20, m_subw, 1},
    {0x3b, 1, 0x00, m_sllw, 1},     {0x3b, 5, 0x00, m_srlw, 1},     {0x3b, 5, 0x20, m_sraw, 1},
    {0x33, 0, 0x01, m_mul, 2},      {0x33, 1, 0x01, m_mulh, 3},     {0x33, 2, 0x01, m_mulhsu, 3},
    {0x33, 3, 0x01, m_mulhu, 3},    {0x33, 4, 0x01, m_div, 16},     {0x33, 5, 0x01, m_divu, 16},
    {0x33, 6, 0x01, m_rem, 16},     {0x33, 7, 0x01, m_remu, 16},    {0x3b, 0, 0x01, m_mulw, 2},
    {0x3b, 4, 0x01, m_divw, 16},    {0x3b, 5, 0x01, m_divuw, 16},   {0x3b, 6, 0x01, m_remw, 16},
    {0x3b, 7, 0x01, m_remuw, 16},   {0x33, 2, 0x10, m_sh1add, 1},   {0x33, 4, 0x10, m_sh2add, 1},
    {0x33, 6, 0x10, m_sh3add, 1},   {0x3b, 0, 0x04, m_adduw, 1},    {0x3b, 2, 0x10, m_sh1adduw, 1},
    {0x3b, 4, 0x10, m_sh2adduw, 1}, {0x3b, 6, 0x10, m_sh3adduw, 1}, {0x33, 7, 0x20, m_andn, 1},
    {0x33, 6, 0x20, m_orn, 1},      {0x33, 4, 0x20, m_xnor, 1},     {0x33, 4, 0x05, m_min, 1},
    {0x33, 5, 0x05, m_minu, 1},     {0x33, 6, 0x05, m_max, 1},      {0x33, 7, 0x05, m_maxu, 1},
    {0x33, 1, 0x30, m_rol, 1},      {0x33, 5, 0x30, m_ror, 1},      {0x3b, 1, 0x30, m_rolw, 1},
    {0x3b, 5, 0x30, m_rorw, 1},     {0x33, 1, 0x24, m_bclr, 1},     {0x33, 5, 0x24, m_bext, 1},
    {0x33, 1, 0x34, m_binv, 1},     {0x33, 1, 0x14, m_bset, 1},     {0x33, 5, 0x07, m_czeqz, 1},
    {0x33, 7, 0x07, m_cznez, 1},
};

/* imm: 0 = any 12 bits, 64 or 32 = shift amounts below; else the whole field is `top` */
struct imm_case {
    uint32_t opcode, f3;
    unsigned imm_kind;
    uint32_t top; /* bits above the shift amount, or the whole 12-bit field */
    model_fn *model;
};
static const struct imm_case imm_cases[] = {
    {0x13, 0, 0, 0, m_add},       {0x13, 2, 0, 0, m_slt},         {0x13, 3, 0, 0, m_sltu},
    {0x13, 4, 0, 0, m_xor},       {0x13, 6, 0, 0, m_or},          {0x13, 7, 0, 0, m_and},
    {0x1b, 0, 0, 0, m_addw},      {0x13, 1, 64, 0x000, m_sll},    {0x13, 5, 64, 0x000, m_srl},
    {0x13, 5, 64, 0x400, m_sra},  {0x1b, 1, 32, 0x000, m_sllw},   {0x1b, 5, 32, 0x000, m_srlw},
    {0x1b, 5, 32, 0x400, m_sraw}, {0x1b, 1, 64, 0x080, m_slliuw}, {0x13, 5, 64, 0x600, m_ror},
    {0x1b, 5, 32, 0x600, m_rorw}, {0x13, 1, 64, 0x480, m_bclr},   {0x13, 5, 64, 0x480, m_bext},
    {0x13, 1, 64, 0x680, m_binv}, {0x13, 1, 64, 0x280, m_bset},   {0x13, 1, 1, 0x600, m_clz},
    {0x13, 1, 1, 0x601, m_ctz},   {0x13, 1, 1, 0x602, m_cpop},    {0x1b, 1, 1, 0x600, m_clzw},
    {0x1b, 1, 1, 0x601, m_ctzw},  {0x1b, 1, 1, 0x602, m_cpopw},   {0x13, 1, 1, 0x604, m_sextb},
    {0x13, 1, 1, 0x605, m_sexth}, {0x3b, 4, 1, 0x080, m_zexth},   {0x13, 5, 1, 0x6b8, m_rev8},
    {0x13, 5, 1, 0x287, m_orcb},
};

static const uint64_t edges[] = {
    0,
    1,
    2,
    3,
    7,
    31,
    32,
    33,
    63,
    64,
    127,
    128,
    255,
    0x7fff,
    0x8000,
    0xffff,
    0x7fffffff,
    0x80000000,
    0x80000001,
    0xffffffff,
    0x100000000,
    0x7fffffffffffffff,
    0x8000000000000000,
    0x8000000000000001,
    0xfffffffffffffffe,
    0xffffffffffffffff,
    0xffffffff80000000,
    0xffffffff7fffffff,
    0x0123456789abcdef,
    0xdeadbeefcafebabe,
    0x00ff00ff00ff00ff,
    0x0100000000000080,
};
#define N_EDGES (sizeof(edges) / sizeof(edges[0]))

/* Run the one instruction in front of an ebreak with x5 = a and x6 = b, and look at all registers.
 */
static void check_one(struct vm *vm, unsigned rd, uint64_t a, uint64_t b, uint64_t want,
                      unsigned cost, const char *what, size_t i)
{
    uint64_t gas = 100;

    for (unsigned r = 1; r < 32; r++)
        vm_set_reg(vm, r, 0x1111 * r);
    vm_set_reg(vm, 5, a);
    vm_set_reg(vm, 6, b);
    vm_set_pc(vm, TEXT_ADDR);
    CHECK_INT(vm_run(vm, &gas, NULL, NULL), VM_TRAP_BREAK);
    CHECK_INT(vm_pc(vm), TEXT_ADDR + 4);
    CHECK_INT(100 - gas, cost);
    for (unsigned r = 0; r < 32; r++) {
        uint64_t expect = r == 0 ? 0 : r == rd ? want : r == 5 ? a : r == 6 ? b : 0x1111 * r;

        if (vm_reg(vm, r) != expect)
            t_fail(__FILE__, __LINE__, "%s case %zu: a=%llx b=%llx: x%u is %llx, expected %llx",
                   what, i, (unsigned long long)a, (unsigned long long)b, r,
                   (unsigned long long)vm_reg(vm, r), (unsigned long long)expect);
    }
}

static struct vm *one(uint32_t word)
{
    uint32_t code[2] = {word, EBREAK};
    struct vm_program *p = program_at(TEXT_ADDR, code, 2);
    struct vm *vm = machine(p);

    vm_program_unref(p);
    return vm;
}

TEST(register_instructions_agree_with_the_model)
{
    static const unsigned rds[] = {9, 5, 6, 0};

    for (size_t i = 0; i < sizeof(reg_cases) / sizeof(reg_cases[0]); i++) {
        const struct reg_case *c = &reg_cases[i];

        for (size_t k = 0; k < 4; k++) {
            struct vm *vm = one(enc_r(c->opcode, c->f3, c->f7, rds[k], 5, 6));

            for (size_t a = 0; a < N_EDGES; a++)
                for (size_t b = 0; b < N_EDGES; b++)
                    check_one(vm, rds[k], edges[a], edges[b], c->model(edges[a], edges[b]), c->cost,
                              "register", i);
            vm_free(vm);
        }
    }
}

TEST(immediate_instructions_agree_with_the_model)
{
    static const int32_t imms[] = {0, 1, -1, 2047, -2048, 31, 32, 63, 5, -7, 1023, 255};

    for (size_t i = 0; i < sizeof(imm_cases) / sizeof(imm_cases[0]); i++) {
        const struct imm_case *c = &imm_cases[i];

        for (size_t k = 0; k < sizeof(imms) / sizeof(imms[0]); k++) {
            bool shift = c->imm_kind >= 32;
            uint32_t n = shift ? (uint32_t)imms[k] % c->imm_kind : 0;
            int32_t field = c->imm_kind == 0 ? imms[k] : (int32_t)(c->top | n);
            uint64_t b = c->imm_kind == 0 ? (uint64_t)(int64_t)imms[k] : n;
            struct vm *vm = one(enc_i(c->opcode, c->f3, 9, 5, field));

            for (size_t a = 0; a < N_EDGES; a++)
                check_one(vm, 9, edges[a], 77, c->model(edges[a], b), 1, "immediate", i);
            vm_free(vm);
        }
    }
}

TEST(lui_and_auipc)
{
    static const uint32_t uppers[] = {0, 1, 0x7ffff, 0x80000, 0xfffff, 0x12345};

    for (size_t i = 0; i < 6; i++) {
        uint64_t value = sx((uint64_t)uppers[i] << 12, 32);
        struct vm *vm = one(enc_u(0x37, 9, uppers[i]));

        check_one(vm, 9, 1, 2, value, 1, "lui", i);
        vm_free(vm);
        vm = one(enc_u(0x17, 9, uppers[i]));
        check_one(vm, 9, 1, 2, TEXT_ADDR + value, 1, "auipc", i);
        vm_free(vm);
    }
}

TEST(auipc_and_jal_see_where_the_text_really_is)
{
    /* far from the usual address, and not at the start of a page */
    uint32_t at = 0xa3c24;
    uint32_t code[] = {enc_u(0x17, 10, 0xfffff), enc_jal(1, 8), EBREAK, enc_u(0x17, 11, 0), EBREAK};
    struct vm_program *p = program_at(at, code, 5);
    struct vm *vm = machine(p);
    uint64_t gas = 100;

    CHECK_INT(vm_run(vm, &gas, NULL, NULL), VM_TRAP_BREAK);
    CHECK_INT(vm_pc(vm), at + 16);
    CHECK_INT(vm_reg(vm, 10), (int64_t)at - 4096);
    CHECK_INT(vm_reg(vm, 1), at + 8);
    CHECK_INT(vm_reg(vm, 11), at + 12);
    CHECK_INT(100 - gas, 1 + 2 + 1);
    vm_free(vm);
    vm_program_unref(p);
}

static bool m_branch(uint32_t f3, uint64_t a, uint64_t b)
{
    bool r = f3 < 2 ? a == b : f3 < 6 ? lts(a, b) : a < b;

    return (f3 & 1) != 0 ? !r : r;
}

TEST(branches_agree_with_the_model)
{
    static const uint32_t f3s[] = {0, 1, 4, 5, 6, 7};

    for (size_t i = 0; i < 6; i++) {
        uint32_t code[] = {enc_jal(0, 8), EBREAK, enc_b(f3s[i], 5, 6, -4), EBREAK};
        struct vm_program *p = program_at(TEXT_ADDR, code, 4);
        struct vm *vm = machine(p);

        for (size_t a = 0; a < N_EDGES; a++)
            for (size_t b = 0; b < N_EDGES; b++) {
                uint64_t gas = 100;

                vm_set_reg(vm, 5, edges[a]);
                vm_set_reg(vm, 6, edges[b]);
                vm_set_pc(vm, TEXT_ADDR);
                CHECK_INT(vm_run(vm, &gas, NULL, NULL), VM_TRAP_BREAK);
                CHECK_INT(vm_pc(vm), TEXT_ADDR + (m_branch(f3s[i], edges[a], edges[b]) ? 4 : 12));
                CHECK_INT(gas, 97);
            }
        vm_free(vm);
        vm_program_unref(p);
    }
}

TEST(loads_and_stores_of_every_size_at_every_alignment)
{
    static const uint32_t stack = (1u << 20) - 256;

    for (uint32_t f3 = 0; f3 < 7; f3++) {
        unsigned n = 1u << (f3 & 3);
        struct vm *ld = one(enc_i(0x03, f3, 9, 5, -3)), *st = one(enc_s(f3 & 3, 5, 6, 2047));
        uint8_t content[64], got[64];

        for (unsigned at = 8; at < 24; at++) {
            uint64_t v = 0, a = stack + at + 3 - (1ull << 32); /* modulo 2^32 */

            t_rand_bytes(content, sizeof(content));
            CHECK_TRUE(vm_mem_write(ld, stack, bytes_of(content, 64)));
            for (unsigned i = n; i-- > 0;)
                v = v << 8 | content[at + i];
            check_one(ld, 9, a, 1, f3 < 3 ? sx(v, 8 * n) : v, 2, "load", f3);

            CHECK_TRUE(vm_mem_write(st, stack, bytes_of(content, 64)));
            v = t_rand();
            check_one(st, 40, stack + at - 2047, v, 0, 2, "store", f3);
            for (unsigned i = 0; i < n; i++)
                content[at + i] = (uint8_t)(v >> 8 * i);
            CHECK_TRUE(vm_mem_read(st, stack, got, 64));
            CHECK_MEM(bytes_of(got, 64), bytes_of(content, 64));
        }
        vm_free(ld);
        vm_free(st);
    }
}

TEST(jalr_clears_the_lowest_bit_and_may_link_into_its_base)
{
    uint32_t code[] = {enc_i(0x67, 0, 5, 5, 9), EBREAK, EBREAK};
    struct vm_program *p = program_at(TEXT_ADDR, code, 3);
    struct vm *vm = machine(p);
    uint64_t gas = 100;

    vm_set_reg(vm, 5, TEXT_ADDR);
    CHECK_INT(vm_run(vm, &gas, NULL, NULL), VM_TRAP_BREAK);
    CHECK_INT(vm_pc(vm), TEXT_ADDR + 8);
    CHECK_INT(vm_reg(vm, 5), TEXT_ADDR + 4);
    CHECK_INT(gas, 98);
    vm_free(vm);
    vm_program_unref(p);
}

TEST(fence_does_nothing_and_everything_else_is_illegal)
{
    static const uint32_t illegal[] = {
        0,
        0xffffffff,
        0x0000100f /* fence.i */,
        0xc0002573 /* rdcycle */,
        0xc0102573 /* rdtime */,
        0x30200073 /* mret */,
        0x10500073 /* wfi */,
        0x1005252f /* lr.w */,
        0x00002507 /* flw */,
        0x02a57553 /* fadd.d */,
        0x00000001 /* c.nop */,
        0x0a001033 /* clmul */,
        0x00003063,
        0x00002063,
        0x00007003,
        0x00004023,
        0x02001013 /* slli, bit 25 is the amount's: legal */,
        0x0200101b /* slliw 32 */,
        0x00001067 /* jalr, funct3 1 */,
        0x60301013,

        0x69805013,
        0x0810403b,
        0x40001033,
    };

    for (size_t i = 0; i < sizeof(illegal) / sizeof(illegal[0]); i++) {
        struct vm *vm = one(illegal[i]);
        uint64_t gas = 9;
        bool legal = illegal[i] == 0x02001013;

        enum vm_exit want = legal ? VM_TRAP_BREAK : VM_TRAP_ILLEGAL, got;

        got = vm_run(vm, &gas, NULL, NULL);
        if (got != want)
            t_fail(__FILE__, __LINE__, "%08x: %s", illegal[i], vm_exit_name(got));
        CHECK_INT(vm_pc(vm), TEXT_ADDR + (legal ? 4 : 0));
        CHECK_INT(gas, legal ? 8 : 9);
        vm_free(vm);
    }
    for (int i = 0; i < 2; i++) {
        struct vm *vm = one(i == 0 ? 0x0ff0000f : 0x8330000f /* fence.tso */);

        check_one(vm, 0, 1, 2, 0, 1, "fence", 0);
        vm_free(vm);
    }
}
