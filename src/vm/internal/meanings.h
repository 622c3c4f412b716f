/* vm/internal/meanings.h - what each instruction of ops.inc does, once for both executors. They
 * define RD (register to write), R1, R2 (registers read), IM (immediate), SHAMT, PC, LOAD, STORE,
 * BRANCH, JUMP_NEAR, JUMP_FAR, HOST_CALL and STOP before they use these. */
#pragma once

#include "vm/internal/math.h"

/* RV64I */
#define VM_DO_LUI RD = IM
#define VM_DO_AUIPC RD = PC + IM
#define VM_DO_JAL JUMP_NEAR()
#define VM_DO_JALR JUMP_FAR((R1 + IM) & ~1ull)
#define VM_DO_BEQ BRANCH(R1 == R2)
#define VM_DO_BNE BRANCH(R1 != R2)
#define VM_DO_BLT BRANCH((int64_t)R1 < (int64_t)R2)
#define VM_DO_BGE BRANCH((int64_t)R1 >= (int64_t)R2)
#define VM_DO_BLTU BRANCH(R1 < R2)
#define VM_DO_BGEU BRANCH(R1 >= R2)
#define VM_DO_LB LOAD(int8_t, 0)
#define VM_DO_LH LOAD(int16_t, 1)
#define VM_DO_LW LOAD(int32_t, 2)
#define VM_DO_LD LOAD(int64_t, 3)
#define VM_DO_LBU LOAD(uint8_t, 0)
#define VM_DO_LHU LOAD(uint16_t, 1)
#define VM_DO_LWU LOAD(uint32_t, 2)
#define VM_DO_SB STORE(uint8_t, 0)
#define VM_DO_SH STORE(uint16_t, 1)
#define VM_DO_SW STORE(uint32_t, 2)
#define VM_DO_SD STORE(uint64_t, 3)
#define VM_DO_ADDI RD = R1 + IM
#define VM_DO_SLTI RD = (int64_t)R1 < (int64_t)IM
#define VM_DO_SLTIU RD = R1 < IM
#define VM_DO_XORI RD = R1 ^ IM
#define VM_DO_ORI RD = R1 | IM
#define VM_DO_ANDI RD = R1 & IM
#define VM_DO_SLLI RD = R1 << SHAMT
#define VM_DO_SRLI RD = R1 >> SHAMT
#define VM_DO_SRAI RD = (uint64_t)((int64_t)R1 >> SHAMT)
#define VM_DO_ADD RD = R1 + R2
#define VM_DO_SUB RD = R1 - R2
#define VM_DO_SLL RD = R1 << (R2 & 63)
#define VM_DO_SLT RD = (int64_t)R1 < (int64_t)R2
#define VM_DO_SLTU RD = R1 < R2
#define VM_DO_XOR RD = R1 ^ R2
#define VM_DO_SRL RD = R1 >> (R2 & 63)
#define VM_DO_SRA RD = (uint64_t)((int64_t)R1 >> (R2 & 63))
#define VM_DO_OR RD = R1 | R2
#define VM_DO_AND RD = R1 & R2
#define VM_DO_ADDIW RD = SEXT32(R1 + IM)
#define VM_DO_SLLIW RD = SEXT32(R1 << SHAMT)
#define VM_DO_SRLIW RD = SEXT32((uint32_t)R1 >> SHAMT)
#define VM_DO_SRAIW RD = (uint64_t)(int64_t)((int32_t)R1 >> SHAMT)
#define VM_DO_ADDW RD = SEXT32(R1 + R2)
#define VM_DO_SUBW RD = SEXT32(R1 - R2)
#define VM_DO_SLLW RD = SEXT32(R1 << (R2 & 31))
#define VM_DO_SRLW RD = SEXT32((uint32_t)R1 >> (R2 & 31))
#define VM_DO_SRAW RD = (uint64_t)(int64_t)((int32_t)R1 >> (R2 & 31))
#define VM_DO_FENCE (void)0
#define VM_DO_ECALL HOST_CALL()
#define VM_DO_EBREAK STOP(VM_TRAP_BREAK)

/* M */
#define VM_DO_MUL RD = R1 * R2
#define VM_DO_MULH RD = vm_mulh(R1, R2)
#define VM_DO_MULHSU RD = vm_mulhsu(R1, R2)
#define VM_DO_MULHU RD = vm_mulhu(R1, R2)
#define VM_DO_DIV RD = vm_div(R1, R2)
#define VM_DO_DIVU RD = R2 == 0 ? UINT64_MAX : R1 / R2
#define VM_DO_REM RD = vm_rem(R1, R2)
#define VM_DO_REMU RD = R2 == 0 ? R1 : R1 % R2
#define VM_DO_MULW RD = SEXT32(R1 * R2)
#define VM_DO_DIVW RD = vm_divw(R1, R2)
#define VM_DO_DIVUW RD = vm_divuw(R1, R2)
#define VM_DO_REMW RD = vm_remw(R1, R2)
#define VM_DO_REMUW RD = vm_remuw(R1, R2)

/* Zba */
#define VM_DO_SH1ADD RD = (R1 << 1) + R2
#define VM_DO_SH2ADD RD = (R1 << 2) + R2
#define VM_DO_SH3ADD RD = (R1 << 3) + R2
#define VM_DO_ADD_UW RD = (uint64_t)(uint32_t)R1 + R2
#define VM_DO_SH1ADD_UW RD = ((uint64_t)(uint32_t)R1 << 1) + R2
#define VM_DO_SH2ADD_UW RD = ((uint64_t)(uint32_t)R1 << 2) + R2
#define VM_DO_SH3ADD_UW RD = ((uint64_t)(uint32_t)R1 << 3) + R2
#define VM_DO_SLLI_UW RD = (uint64_t)(uint32_t)R1 << SHAMT

/* Zbb */
#define VM_DO_ANDN RD = R1 & ~R2
#define VM_DO_ORN RD = R1 | ~R2
#define VM_DO_XNOR RD = ~(R1 ^ R2)
#define VM_DO_CLZ RD = vm_clz(R1)
#define VM_DO_CTZ RD = vm_ctz(R1)
#define VM_DO_CPOP RD = vm_cpop(R1)
#define VM_DO_CLZW RD = vm_clz((uint32_t)R1) - 32
#define VM_DO_CTZW RD = vm_ctz(R1 | 1ull << 32)
#define VM_DO_CPOPW RD = vm_cpop((uint32_t)R1)
#define VM_DO_MIN RD = (int64_t)R1 < (int64_t)R2 ? R1 : R2
#define VM_DO_MINU RD = R1 < R2 ? R1 : R2
#define VM_DO_MAX RD = (int64_t)R1 > (int64_t)R2 ? R1 : R2
#define VM_DO_MAXU RD = R1 > R2 ? R1 : R2
#define VM_DO_SEXT_B RD = (uint64_t)(int64_t)(int8_t)R1
#define VM_DO_SEXT_H RD = (uint64_t)(int64_t)(int16_t)R1
#define VM_DO_ZEXT_H RD = (uint16_t)R1
#define VM_DO_ROL RD = vm_ror(R1, 0 - R2)
#define VM_DO_ROR RD = vm_ror(R1, R2)
#define VM_DO_RORI RD = vm_ror(R1, SHAMT)
#define VM_DO_ROLW RD = SEXT32(vm_rorw((uint32_t)R1, 0 - R2))
#define VM_DO_RORW RD = SEXT32(vm_rorw((uint32_t)R1, R2))
#define VM_DO_RORIW RD = SEXT32(vm_rorw((uint32_t)R1, SHAMT))
#define VM_DO_REV8 RD = __builtin_bswap64(R1)
#define VM_DO_ORC_B RD = vm_orc_b(R1)

/* Zbs */
#define VM_DO_BCLR RD = R1 & ~(1ull << (R2 & 63))
#define VM_DO_BCLRI RD = R1 & ~(1ull << SHAMT)
#define VM_DO_BEXT RD = R1 >> (R2 & 63) & 1
#define VM_DO_BEXTI RD = R1 >> SHAMT & 1
#define VM_DO_BINV RD = R1 ^ 1ull << (R2 & 63)
#define VM_DO_BINVI RD = R1 ^ 1ull << SHAMT
#define VM_DO_BSET RD = R1 | 1ull << (R2 & 63)
#define VM_DO_BSETI RD = R1 | 1ull << SHAMT

/* Zicond */
#define VM_DO_CZERO_EQZ RD = R2 == 0 ? 0 : R1
#define VM_DO_CZERO_NEZ RD = R2 != 0 ? 0 : R1

#define VM_DO_ILLEGAL STOP(VM_TRAP_ILLEGAL)
#define VM_DO_END STOP(VM_TRAP_PC)
