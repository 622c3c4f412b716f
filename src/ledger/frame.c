#include "base/mem.h"
#include "ledger/hostcost.h"
#include "ledger/internal/exec.h"

#include <stdio.h>

static enum rc run_fail(struct exec_run *run, enum rc rc)
{
    if (run->rc == RC_OK)
        run->rc = rc;
    return rc;
}

/* ---- coin ---- */

enum rc coin_move(struct exec_run *run, const struct address *from, const struct address *to,
                  const struct u256 *amount, bool *ok)
{
    struct account acc;

    *ok = false;
    TRY(journal_account(run->journal, from, &acc, run->e));
    if (!u256_sub(&acc.balance, &acc.balance, amount))
        return RC_OK;
    TRY(journal_set_account(run->journal, from, &acc, run->e));
    TRY(journal_account(run->journal, to, &acc, run->e));
    /* Genesis caps the sum of all balances below 2^256 and only base fees leave it. */
    CHECK(u256_add(&acc.balance, &acc.balance, amount));
    TRY(journal_set_account(run->journal, to, &acc, run->e));
    *ok = true;
    return RC_OK;
}

/* ---- running code ---- */

static void say_why(struct frame *f, const char *text)
{
    /* An outer frame that goes on and fails for a reason of its own has the last word. */
    (void)snprintf(f->run->why, 96, "%s in 0x%02x%02x%02x%02x", text, f->self.b[0], f->self.b[1],
                   f->self.b[2], f->self.b[3]);
}

enum vm_host_action frame_trap(struct frame *f, const char *why)
{
    f->code = TX_TRAPPED;
    say_why(f, why);
    return VM_HOST_HALT;
}

enum vm_host_action frame_fail(struct frame *f, enum rc rc)
{
    (void)run_fail(f->run, rc);
    vm_set_host_rc(f->vm, rc);
    return VM_HOST_FAIL;
}

static void frame_conclude(struct frame *f, enum vm_exit exit)
{
    char text[64];

    switch (exit) {
    case VM_HALTED: /* the host call said why */
        break;
    case VM_OUT_OF_GAS:
        f->code = TX_OUT_OF_GAS;
        say_why(f, "out of gas");
        break;
    case VM_TRAP_ILLEGAL:
    case VM_TRAP_MEMORY:
    case VM_TRAP_PC:
    case VM_TRAP_BREAK:
        f->code = TX_TRAPPED;
        (void)snprintf(text, sizeof(text), "%s at 0x%llx", vm_exit_name(exit),
                       (unsigned long long)vm_pc(f->vm));
        say_why(f, text);
        break;
    case VM_HOST_ERROR:
    case VM_STEPS_DONE: /* only of vm_run_steps */
        CHECK(f->run->rc != RC_OK);
        break;
    }
}

/* Run the code of f->self. *units: given, left. */
static enum rc frame_run(struct frame *f, const struct hash32 *code_hash, uint64_t *units)
{
    struct exec_run *run = f->run;
    struct program *p;
    enum rc rc = program_use(run->x, run->journal, code_hash, &p, run->e);

    if (rc != RC_OK) /* an account names code that is not stored */
        return run_fail(run, rc == RC_NOTFOUND ? RC_CORRUPT : rc);
    if (*units < p->load_units) {
        *units = 0;
        f->code = TX_OUT_OF_GAS;
        say_why(f, "out of gas");
        program_release(p);
        return RC_OK;
    }
    *units -= p->load_units;
    rc = vm_take(run->x, p, &f->vm, run->e);
    if (rc != RC_OK) {
        program_release(p);
        return run_fail(run, rc);
    }
    f->memory_counted = vm_memory_used(f->vm);
    run->memory_used += f->memory_counted;
    if (run->memory_used > LEDGER_TX_MEMORY) {
        f->code = TX_MEMORY_LIMIT;
        say_why(f, "memory of the transaction used up");
    } else {
        f->code = TX_TRAPPED;
        frame_conclude(f, vm_run(f->vm, units, host_call, f));
    }
    run->memory_used -= f->memory_counted;
    vm_give_back(run->x, f->vm, p);
    f->vm = NULL;
    program_release(p);
    return run->rc;
}

static enum rc code_run(struct exec_run *run, const struct call *c, const struct hash32 *code_hash,
                        uint64_t *units, struct buf *output, enum tx_code *code)
{
    struct frame f = {
        .run = run,
        .parent = c->parent,
        .self = c->self,
        .caller = c->caller,
        .value_wei = c->value_wei,
        .input = c->input,
        .is_static = c->is_static,
        .depth = c->parent == NULL ? 1 : c->parent->depth + 1,
        .output = output,
    };
    enum rc rc = frame_run(&f, code_hash, units);

    buf_clear(&f.returned);
    *code = f.code;
    if (f.code != TX_OK && f.code != TX_REVERTED) {
        *units = 0;
        buf_reset(output);
    }
    return rc;
}

enum rc call_run(struct exec_run *run, const struct call *c, uint64_t *units, struct buf *output,
                 enum tx_code *code)
{
    struct journal_mark mark = journal_mark(run->journal);
    struct account acc;
    bool paid;

    *code = TX_OK;
    buf_reset(output);
    if (!u256_is_zero(&c->value_wei)) {
        TRY(coin_move(run, &c->caller, &c->self, &c->value_wei, &paid));
        if (!paid) {
            *code = TX_NO_FUNDS;
            return RC_OK;
        }
    }
    TRY(journal_account(run->journal, &c->self, &acc, run->e));
    if (!account_has_code(&acc))
        return RC_OK;
    TRY(code_run(run, c, &acc.code_hash, units, output, code));
    if (*code != TX_OK)
        journal_revert(run->journal, mark);
    return RC_OK;
}

enum rc create_run(struct exec_run *run, const struct call *c, const struct hash32 *code_hash,
                   uint64_t *units, struct buf *output, enum tx_code *code)
{
    struct journal_mark mark = journal_mark(run->journal);
    struct account acc;
    bool paid = true;

    *code = TX_OK;
    buf_reset(output);
    TRY(journal_account(run->journal, &c->self, &acc, run->e));
    if (acc.nonce != 0 || account_has_code(&acc)) {
        *code = TX_ADDRESS_TAKEN;
        return RC_OK;
    }
    acc.nonce = 1; /* EIP-161 */
    acc.code_hash = *code_hash;
    TRY(journal_set_account(run->journal, &c->self, &acc, run->e));
    if (!u256_is_zero(&c->value_wei))
        TRY(coin_move(run, &c->caller, &c->self, &c->value_wei, &paid));
    if (!paid)
        *code = TX_NO_FUNDS;
    else if (c->input.n != 0)
        TRY(code_run(run, c, code_hash, units, output, code));
    if (*code != TX_OK)
        journal_revert(run->journal, mark);
    return RC_OK;
}
