/* vm/decode.c - instruction words to slots. Pure; any word gives a slot. */
#include "vm/internal/vm.h"

enum format {
    FORMAT_R,
    FORMAT_R1ONLY,
    FORMAT_I,
    FORMAT_SH,
    FORMAT_SHW,
    FORMAT_S,
    FORMAT_B,
    FORMAT_U,
    FORMAT_J,
    FORMAT_N
};

struct encoding {
    uint32_t mask, match;
    uint8_t op, format;
};

static const struct encoding encodings[] = {
#define OP(name, format, mask, match, cost) {mask, match, VM_OP_##name, FORMAT_##format},
#include "vm/internal/ops.inc"
};

const uint8_t vm_op_cost[VM_N_OPS] = {
#define OP(name, format, mask, match, cost) [VM_OP_##name] = cost,
#include "vm/internal/ops.inc"
};

/* The two last encodings are no instructions. */
#define N_ENCODINGS VM_OP_ILLEGAL

/* Encodings by major opcode, so that a word is compared with few of them. */
struct index {
    uint8_t order[N_ENCODINGS];
    uint8_t first[129];
};

static void index_build(struct index *ix)
{
    unsigned n = 0;

    for (unsigned major = 0; major < 128; major++) {
        ix->first[major] = (uint8_t)n;
        for (unsigned i = 0; i < N_ENCODINGS; i++)
            if ((encodings[i].match & 127) == major)
                ix->order[n++] = (uint8_t)i;
    }
    ix->first[128] = (uint8_t)n;
}

static const struct encoding *find(const struct index *ix, uint32_t w)
{
    for (unsigned i = ix->first[w & 127]; i < ix->first[(w & 127) + 1]; i++) {
        const struct encoding *c = &encodings[ix->order[i]];

        if ((w & c->mask) == c->match)
            return c;
    }
    return &encodings[VM_OP_ILLEGAL];
}

/* The lowest `bits` bits of v as a signed number. */
static int32_t sext(uint32_t v, unsigned bits)
{
    return (int32_t)(v << (32 - bits)) >> (32 - bits);
}

static int32_t imm_b(uint32_t w)
{
    return sext((w >> 31 & 1) << 12 | (w >> 7 & 1) << 11 | (w >> 25 & 63) << 5 | (w >> 8 & 15) << 1,
                13);
}

static int32_t imm_j(uint32_t w)
{
    return sext((w >> 31 & 1) << 20 | (w >> 12 & 255) << 12 | (w >> 20 & 1) << 11 |
                    (w >> 21 & 1023) << 1,
                21);
}

static void decode_operands(struct vm_slot *s, uint32_t w, enum format format)
{
    uint8_t rd = (uint8_t)(w >> 7 & 31), rs1 = (uint8_t)(w >> 15 & 31);
    uint8_t rs2 = (uint8_t)(w >> 20 & 31);

    *s = (struct vm_slot){.rd = VM_SINK};
    if (format == FORMAT_N)
        return;
    if (format != FORMAT_S && format != FORMAT_B)
        s->rd = rd == 0 ? VM_SINK : rd;
    if (format != FORMAT_U && format != FORMAT_J)
        s->rs1 = rs1;
    if (format == FORMAT_R || format == FORMAT_S || format == FORMAT_B)
        s->rs2 = rs2;
    switch (format) {
    case FORMAT_I:
        s->imm = sext(w >> 20, 12);
        break;
    case FORMAT_SH:
        s->imm = (int32_t)(w >> 20 & 63);
        break;
    case FORMAT_SHW:
        s->imm = (int32_t)(w >> 20 & 31);
        break;
    case FORMAT_S:
        s->imm = sext((w >> 25) << 5 | rd, 12);
        break;
    case FORMAT_B:
        s->imm = imm_b(w);
        break;
    case FORMAT_U:
        s->imm = (int32_t)(w & 0xfffff000);
        break;
    case FORMAT_J:
        s->imm = imm_j(w);
        break;
    case FORMAT_R:
    case FORMAT_R1ONLY:
    case FORMAT_N:
        break;
    }
}

bool vm_op_ends_block(enum vm_op op)
{
    return (op >= VM_OP_JAL && op <= VM_OP_BGEU) || op == VM_OP_ECALL || op == VM_OP_EBREAK ||
           op >= VM_OP_ILLEGAL;
}

/* Block costs, from the end: a block that would exceed what `charge` holds is cut. */
static void sum_costs(struct vm_program *p)
{
    for (uint32_t i = p->n_slots + 1; i-- > 0;) {
        enum vm_op op = p->ops[i];
        unsigned own = vm_op_cost[op];

        p->costs[i] = (uint8_t)own;
        if (vm_op_ends_block(op))
            continue;
        if (own + p->costs[i + 1] <= UINT8_MAX)
            p->costs[i] = (uint8_t)(own + p->costs[i + 1]);
        else
            p->slots[i + 1].charge = 1; /* marks a cut until vm_link() */
    }
}

void vm_decode(struct vm_program *p, const uint8_t *text)
{
    struct index ix;

    index_build(&ix);
    for (uint32_t i = 0; i < p->n_slots; i++) {
        uint32_t w = load_u32le(text + 4 * (size_t)i);
        const struct encoding *c = find(&ix, w);

        p->ops[i] = c->op;
        decode_operands(&p->slots[i], w, c->format);
    }
    p->ops[p->n_slots] = VM_OP_END;
    p->slots[p->n_slots] = (struct vm_slot){.rd = VM_SINK};
    sum_costs(p);
}
