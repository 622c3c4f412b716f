/* vm/cost.h - what each instruction costs, version 1 (consensus). Gas of a run is the exact sum
 * over retired instructions; the costs of host calls beyond VM_COST_ECALL are the host's own. A
 * change of any number here is a new version, chosen by height or by program, never an edit. */
#pragma once

#define VM_COST_VERSION 1

#define VM_COST_ALU 1 /* register and immediate arithmetic, bit manipulation, lui, auipc, fence */
#define VM_COST_BRANCH 1 /* conditional branch, taken or not */
#define VM_COST_JUMP 2   /* jal, jalr */
#define VM_COST_MEM 2    /* load, store */
#define VM_COST_MUL 2    /* mul, mulw */
#define VM_COST_MULH 3   /* mulh, mulhu, mulhsu */
#define VM_COST_DIV 16   /* div, rem and their kin */
#define VM_COST_ECALL 50 /* ecall, before what the host charges */

/* What a host should charge for each 4 KiB page vm_grow() adds: zeroing it, and room. */
#define VM_COST_PAGE 256
