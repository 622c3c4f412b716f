#include "ledger/executor.h"

#include "base/mem.h"
#include "chain/address.h"
#include "crypto/hash.h"
#include "ledger/hostcost.h"
#include "ledger/internal/exec.h"

#include <stdio.h>

const char *tx_code_text(enum tx_code c)
{
    switch (c) {
    case TX_OK:
        return "ok";
    case TX_REVERTED:
        return "execution reverted";
    case TX_OUT_OF_GAS:
        return "out of gas";
    case TX_TRAPPED:
        return "program trapped";
    case TX_BAD_CODE:
        return "not a program the ledger runs";
    case TX_ADDRESS_TAKEN:
        return "contract address collision";
    case TX_MEMORY_LIMIT:
        return "memory limit exceeded";
    case TX_MALFORMED:
        return "malformed transaction";
    case TX_UNSUPPORTED:
        return "transaction type not supported";
    case TX_WRONG_CHAIN:
        return "invalid chain id";
    case TX_NONCE_LOW:
        return "nonce too low";
    case TX_NONCE_HIGH:
        return "nonce too high";
    case TX_NO_FUNDS:
        return "insufficient funds for gas * price + value";
    case TX_GAS_TOO_LOW:
        return "intrinsic gas too low";
    case TX_FEE_TOO_LOW:
        return "max fee per gas less than block base fee";
    case TX_TIP_ABOVE_FEE:
        return "max priority fee per gas higher than max fee per gas";
    case TX_BLOCK_GAS:
        return "exceeds block gas limit";
    case TX_TOO_LARGE:
        return "oversized data";
    case TX_SENDER_HAS_CODE:
        return "sender not an eoa";
    case TX_OVERFLOW:
        return "gas * price + value overflows";
    }
    return "unknown";
}

void ledger_tx_prepare(struct ledger_tx *out, struct bytes raw, struct arena *mem, struct err *e)
{
    enum rc rc;

    memset(out, 0, sizeof(*out));
    out->raw = raw;
    tx_hash(&out->hash, raw);
    rc = tx_decode(&out->tx, mem, raw, e);
    if (rc == RC_OK)
        rc = tx_sender(&out->sender, &out->tx, e);
    if (rc == RC_OK)
        return;
    memset(&out->tx, 0, sizeof(out->tx));
    memset(&out->sender, 0, sizeof(out->sender));
    out->decoded = rc == RC_UNSUPPORTED ? TX_UNSUPPORTED : TX_MALFORMED;
}

uint64_t ledger_intrinsic_gas(const struct ledger_tx *t)
{
    uint64_t gas = GAS_TX + (t->tx.is_create ? GAS_TX_CREATE : 0), nonzero = 0;

    for (size_t i = 0; i < t->tx.data.n; i++)
        nonzero += t->tx.data.p[i] != 0;
    gas += nonzero * GAS_DATA_NONZERO + (t->tx.data.n - nonzero) * GAS_DATA_ZERO;
    gas += t->tx.n_access * (uint64_t)GAS_ACCESS_ADDRESS;
    for (size_t i = 0; i < t->tx.n_access; i++)
        gas += t->tx.access[i].n_keys * (uint64_t)GAS_ACCESS_KEY;
    return gas;
}

enum tx_code ledger_check_static(const struct block_env *env, const struct ledger_tx *t)
{
    if (t->decoded != TX_OK)
        return t->decoded;
    if (t->tx.data.n > LEDGER_TX_DATA_MAX)
        return TX_TOO_LARGE;
    if (t->tx.has_chain_id && t->tx.chain_id != env->chain_id)
        return TX_WRONG_CHAIN;
    if (t->tx.gas_limit > env->gas_limit)
        return TX_BLOCK_GAS;
    if (u256_cmp(&t->tx.max_priority_wei, &t->tx.max_fee_wei) > 0)
        return TX_TIP_ABOVE_FEE;
    if (u256_cmp(&t->tx.max_fee_wei, &env->base_fee_wei) < 0)
        return TX_FEE_TOO_LOW;
    if (t->tx.gas_limit < ledger_intrinsic_gas(t))
        return TX_GAS_TOO_LOW;
    return TX_OK;
}

/* ---- what a transaction does, between paying and refunding ---- */

/* Store the ELF unless it is there. */
static enum rc store_code(struct exec_run *run, struct bytes elf, const struct hash32 *code_hash,
                          uint64_t *units, enum tx_code *code)
{
    struct state_key key = state_key_code(code_hash);
    uint64_t cost = COST_CODE_BYTE * (uint64_t)elf.n;
    struct bytes have;
    struct err why = {0};
    enum rc rc;

    *code = TX_OK;
    TRY(journal_get(run->journal, state_key_bytes(&key), &have, run->e));
    if (have.p != NULL)
        return RC_OK;
    if (*units < cost) {
        *code = TX_OUT_OF_GAS;
        (void)snprintf(run->why, 96, "out of gas: storing %zu bytes of code", elf.n);
        return RC_OK;
    }
    *units -= cost;
    rc = program_check(run->x, elf, &why);
    if (rc == RC_MALFORMED || rc == RC_UNSUPPORTED || rc == RC_LIMIT || rc == RC_RANGE) {
        *code = TX_BAD_CODE;
        (void)snprintf(run->why, 96, "%.90s", why.msg);
        return RC_OK;
    }
    if (rc != RC_OK) {
        if (run->e != NULL)
            *run->e = why;
        return rc;
    }
    return journal_set(run->journal, state_key_bytes(&key), elf, run->e);
}

static enum rc deploy(struct exec_run *run, const struct ledger_tx *t, uint64_t nonce,
                      uint64_t *units, struct buf *output, struct exec_result *out)
{
    struct call c = {.caller = t->sender, .value_wei = t->tx.value_wei};
    struct bytes elf;
    struct hash32 code_hash;
    struct err why = {0};

    if (code_split(t->tx.data, &elf, &c.input, &why) != RC_OK) {
        out->code = TX_BAD_CODE;
        (void)snprintf(run->why, 96, "%.90s", why.msg);
        return RC_OK;
    }
    keccak256(&code_hash, elf);
    TRY(store_code(run, elf, &code_hash, units, &out->code));
    if (out->code != TX_OK)
        return RC_OK;
    address_create(&c.self, &t->sender, nonce);
    TRY(create_run(run, &c, &code_hash, units, output, &out->code));
    out->has_contract = out->code == TX_OK;
    if (out->has_contract)
        out->contract = c.self;
    return RC_OK;
}

/* Run with gas_limit gas. Sets code, gas_used, output, contract and logs. All effects but these are
 * undone on failure. */
static enum rc run_body(struct executor *x, struct journal *j, const struct block_env *env,
                        const struct ledger_tx *t, uint64_t nonce, uint64_t gas_limit,
                        struct arena *mem, struct exec_result *out, struct err *e)
{
    AUTO_CLEAR(buf) struct buf output = {0};
    struct exec_run run = {
        .x = x, .journal = j, .env = env, .origin = t->sender, .e = e, .why = out->why};
    struct journal_mark mark = journal_mark(j);
    struct call c = {
        .self = t->tx.to, .caller = t->sender, .value_wei = t->tx.value_wei, .input = t->tx.data};
    uint64_t units = (gas_limit - ledger_intrinsic_gas(t)) * LEDGER_GAS_UNITS;

    if (t->tx.is_create)
        TRY(deploy(&run, t, nonce, &units, &output, out));
    else
        TRY(call_run(&run, &c, &units, &output, &out->code));
    if (out->code != TX_OK)
        journal_revert(j, mark);
    if (out->code != TX_OK && out->code != TX_REVERTED)
        units = 0;
    if (out->code == TX_OK || out->code == TX_REVERTED)
        out->why[0] = 0;
    out->gas_used = gas_limit - units / LEDGER_GAS_UNITS;
    out->output = arena_dup(mem, buf_bytes(&output));
    out->logs = j->logs;
    out->n_logs = j->n_logs;
    return RC_OK;
}

/* ---- fees ---- */

static struct u256 gas_times(uint64_t gas, const struct u256 *price)
{
    struct u256 g = u256_from_u64(gas), r;

    CHECK(u256_mul(&r, &g, price)); /* at most tx_max_cost, which fits */
    return r;
}

static enum rc refuse(struct exec_result *out, enum tx_code code, const char *detail)
{
    out->code = code;
    (void)snprintf(out->why, sizeof(out->why), "%s%s%s", tx_code_text(code),
                   detail[0] != 0 ? ": " : "", detail);
    return RC_OK;
}

/* Everything that decides whether the transaction has a place in the block. */
static enum rc check_sender(struct journal *j, const struct block_env *env,
                            const struct ledger_tx *t, uint64_t block_gas_used, struct account *acc,
                            struct exec_result *out, struct err *e)
{
    enum tx_code code = ledger_check_static(env, t);
    struct u256 cost;
    char text[64];

    memset(acc, 0, sizeof(*acc));
    if (code != TX_OK)
        return refuse(out, code, "");
    if (block_gas_used > env->gas_limit || t->tx.gas_limit > env->gas_limit - block_gas_used)
        return refuse(out, TX_BLOCK_GAS, "");
    TRY(journal_account(j, &t->sender, acc, e));
    (void)snprintf(text, sizeof(text), "next nonce %llu, tx nonce %llu",
                   (unsigned long long)acc->nonce, (unsigned long long)t->tx.nonce);
    if (t->tx.nonce < acc->nonce)
        return refuse(out, TX_NONCE_LOW, text);
    if (t->tx.nonce > acc->nonce || t->tx.nonce == UINT64_MAX)
        return refuse(out, TX_NONCE_HIGH, text);
    if (account_has_code(acc))
        return refuse(out, TX_SENDER_HAS_CODE, "");
    if (tx_max_cost(&cost, &t->tx, NULL) != RC_OK)
        return refuse(out, TX_OVERFLOW, "");
    if (u256_cmp(&acc->balance, &cost) < 0)
        return refuse(out, TX_NO_FUNDS, "");
    return RC_OK;
}

/* After the run: give back what was not used, pay the proposer; base fees are gone. */
static enum rc settle_fee(struct journal *j, const struct block_env *env, const struct ledger_tx *t,
                          struct exec_result *out, struct err *e)
{
    struct u256 back = gas_times(t->tx.gas_limit - out->gas_used, &out->gas_price_wei);
    struct u256 tip_price;
    struct account acc;

    CHECK(u256_sub(&tip_price, &out->gas_price_wei, &env->base_fee_wei));
    out->burned_wei = gas_times(out->gas_used, &env->base_fee_wei);
    out->tip_wei = gas_times(out->gas_used, &tip_price);
    TRY(journal_account(j, &t->sender, &acc, e));
    CHECK(u256_add(&acc.balance, &acc.balance, &back));
    TRY(journal_set_account(j, &t->sender, &acc, e));
    TRY(journal_account(j, &env->proposer, &acc, e));
    CHECK(u256_add(&acc.balance, &acc.balance, &out->tip_wei));
    return journal_set_account(j, &env->proposer, &acc, e);
}

enum rc ledger_execute_tx(struct executor *x, struct journal *j, const struct block_env *env,
                          const struct ledger_tx *t, uint64_t block_gas_used, struct arena *mem,
                          struct exec_result *out, struct err *e)
{
    struct account acc;
    struct u256 upfront;

    memset(out, 0, sizeof(*out));
    journal_settle(j);
    TRY(check_sender(j, env, t, block_gas_used, &acc, out, e));
    if (out->code != TX_OK)
        return RC_OK;
    CHECK(tx_effective_gas_price(&out->gas_price_wei, &t->tx, &env->base_fee_wei, NULL) == RC_OK);
    upfront = gas_times(t->tx.gas_limit, &out->gas_price_wei);
    CHECK(u256_sub(&acc.balance, &acc.balance, &upfront));
    acc.nonce++;
    TRY(journal_set_account(j, &t->sender, &acc, e));
    TRY(run_body(x, j, env, t, t->tx.nonce, t->tx.gas_limit, mem, out, e));
    return settle_fee(j, env, t, out, e);
}

/* ---- calls ---- */

enum rc ledger_call(struct executor *x, struct journal *j, const struct block_env *env,
                    const struct ledger_tx *t, struct arena *mem, struct exec_result *out,
                    struct err *e)
{
    uint64_t gas = t->tx.gas_limit;
    struct bytes elf, init;
    struct account acc;

    memset(out, 0, sizeof(*out));
    journal_settle(j);
    if (gas == 0 || gas > env->gas_limit)
        gas = env->gas_limit;
    if (t->tx.data.n > LEDGER_TX_DATA_MAX)
        return refuse(out, TX_TOO_LARGE, "");
    if (gas < ledger_intrinsic_gas(t))
        return refuse(out, TX_GAS_TOO_LOW, "");
    if (t->tx.is_create && code_split(t->tx.data, &elf, &init, NULL) != RC_OK) {
        out->code = TX_REVERTED;
        out->gas_used = ledger_intrinsic_gas(t);
        return RC_OK;
    }
    TRY(journal_account(j, &t->sender, &acc, e));
    if (u256_cmp(&acc.balance, &t->tx.value_wei) < 0)
        return refuse(out, TX_NO_FUNDS, "");
    return run_body(x, j, env, t, acc.nonce, gas, mem, out, e);
}

static enum rc try_gas(struct executor *x, struct state_source source, const struct block_env *env,
                       const struct ledger_tx *t, uint64_t gas, struct arena *mem,
                       struct exec_result *out, struct err *e)
{
    struct ledger_tx with = *t;
    struct journal j;
    enum rc rc;

    with.tx.gas_limit = gas;
    journal_init(&j, source);
    rc = ledger_call(x, &j, env, &with, mem, out, e);
    out->logs = NULL; /* they go with the journal */
    out->n_logs = 0;
    journal_clear(&j);
    return rc;
}

enum rc ledger_estimate(struct executor *x, struct state_source source, const struct block_env *env,
                        const struct ledger_tx *t, struct arena *mem, uint64_t *gas,
                        struct exec_result *out, struct err *e)
{
    uint64_t hi = env->gas_limit, lo, guess;
    struct exec_result last;

    *gas = 0;
    if (t->tx.gas_limit != 0 && t->tx.gas_limit < hi)
        hi = t->tx.gas_limit;
    TRY(try_gas(x, source, env, t, hi, mem, out, e));
    if (out->code != TX_OK)
        return RC_OK;
    /* Less than was used is never enough. That much is, or a little more where calls below keep
     * back their 64th; only a program that looks at the gas left needs the bisection. */
    lo = out->gas_used - 1;
    guess = out->gas_used;
    for (unsigned step = 0; hi - lo > 1 && (step < 2 || hi - lo > lo / 64); step++) {
        if (guess >= hi)
            guess = lo + (hi - lo) / 2;
        TRY(try_gas(x, source, env, t, guess, mem, &last, e));
        if (last.code == TX_OK) {
            hi = guess;
            *out = last;
        } else {
            lo = guess;
        }
        guess = step == 0 ? lo + lo / 16 : lo + (hi - lo) / 2;
    }
    *gas = hi;
    return RC_OK;
}

enum rc ledger_put_code(struct executor *x, struct journal *j, struct bytes elf,
                        struct hash32 *hash, struct err *e)
{
    struct bytes whole, rest;
    struct state_key key;

    memset(hash, 0, sizeof(*hash));
    TRY(code_split(elf, &whole, &rest, e));
    if (rest.n != 0 && rest.n != CODE_SALT_SIZE)
        return err_set(e, RC_MALFORMED, "%zu bytes follow the end of the ELF", rest.n);
    TRY(program_check(x, elf, e));
    keccak256(hash, elf);
    key = state_key_code(hash);
    return journal_set(j, state_key_bytes(&key), elf, e);
}

enum rc ledger_warm_code(struct executor *x, struct journal *j, const struct hash32 *hash,
                         struct err *e)
{
    struct program *p;

    TRY(program_use(x, j, hash, &p, e));
    program_release(p);
    return RC_OK;
}
