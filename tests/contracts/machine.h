/* tests/contracts/machine.h - the other way to run a contract in the world: its RISC-V ELF in the
 * VM, so that the same tests hold for what is deployed. A test file that includes this one runs so.
 */
#pragma once

#include "base/bytes.h"

struct arena;
struct world;
struct vm_program;

/* The contract `name` from the build folder of this test binary (`folder`), and the selectors, in
 * the arena, of its functions that may be called while it runs. Aborts if absent. */
struct vm_program *machine_load(const char *folder, const char *name, struct bytes *reentrant,
                                struct arena *a);
void machine_unload(struct vm_program *p);

/* How the machine asks the world; args are host pointers by then. */
typedef long machine_host(long number, const long args[6]);
/* End of the call: `reverted` and its data. False: it trapped. */
bool machine_run(struct vm_program *p, machine_host *host, bool *reverted, struct bytes *data,
                 struct world *w);

/* Set before world_init(). */
extern bool world_uses_machine;
