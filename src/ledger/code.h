/* ledger/code.h - what the ledger reads of an ELF besides running it: its own length within deploy
 * data, and its note of which functions may be entered while the contract is already on the call
 * stack. Pure, bounded. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

/* Section of a contract's ELF: 4-byte selectors, each of a function that may be entered
 * again. Put there with __attribute__((section(".cloister.reentrant"))). */
#define CODE_REENTRANT_SECTION ".cloister.reentrant"
#define CODE_REENTRANT_MAX 64 /* selectors */
/* Random bytes after the ELF of a confidential contract whose code is not public: its hash, over
 * both, says nothing about the ELF. */
#define CODE_SALT_SIZE 32

/* Split deploy data (`to` absent) into the ELF and what follows, which is the init calldata. The
 * ELF ends where the last of its header, program headers, segments, section headers and sections
 * (but SHT_NOBITS) ends. RC_MALFORMED: not an ELF64 LSB file whose tables lie in `data`; RC_LIMIT:
 * above STATE_CODE_MAX. */
enum rc code_split(struct bytes data, struct bytes *elf, struct bytes *init, struct err *e);

/* The selectors of CODE_REENTRANT_SECTION, at most CODE_REENTRANT_MAX, n = 0 if there is no such
 * section. `elf` has passed code_split. Array lives in `mem`. */
struct code_selectors {
    const uint8_t (*items)[4];
    size_t n;
};
struct code_selectors code_reentrant(struct bytes elf, struct arena *mem);
