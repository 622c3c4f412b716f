#include "ledger/block.h"

#include "base/mem.h"

void block_run_init(struct block_run *run, struct executor *x, struct state_source source,
                    const struct block_env *env, struct arena *mem)
{
    memset(run, 0, sizeof(*run));
    run->x = x;
    run->env = *env;
    run->mem = mem;
    journal_init(&run->journal, source);
}

void block_run_clear(struct block_run *run)
{
    journal_clear(&run->journal);
    free(run->receipts);
    memset(run, 0, sizeof(*run));
}

static struct log *logs_dup(struct arena *mem, const struct log *logs, size_t n)
{
    struct log *copy = arena_array(mem, n + 1, sizeof(*copy));

    if (n != 0)
        memcpy(copy, logs, n * sizeof(*copy));
    return copy;
}

static void add_receipt(struct block_run *run, const struct ledger_tx *t,
                        const struct exec_result *r)
{
    if (run->n == run->cap) {
        run->cap = run->cap == 0 ? 64 : run->cap * 2;
        run->receipts = xreallocarray(run->receipts, run->cap, sizeof(*run->receipts));
    }
    run->receipts[run->n++] = (struct receipt){
        .tx_type = t->tx.type,
        .code = (uint32_t)r->code,
        .tx_hash = t->hash,
        .from = t->sender,
        .is_create = t->tx.is_create,
        .to = t->tx.to,
        .contract = r->contract,
        .gas_limit = t->tx.gas_limit,
        .gas_used = r->gas_used,
        .cumulative_gas = run->gas_used,
        .gas_price_wei = r->gas_price_wei,
        .logs = logs_dup(run->mem, r->logs, r->n_logs),
        .n_logs = r->n_logs,
        .output = r->output,
    };
}

enum rc block_run_add(struct block_run *run, const struct ledger_tx *t, bool keep_invalid,
                      enum tx_code *code, struct err *e)
{
    struct exec_result r;

    TRY(ledger_execute_tx(run->x, &run->journal, &run->env, t, run->gas_used, run->mem, &r, e));
    *code = r.code;
    if (tx_code_is_included(r.code)) {
        run->gas_used += r.gas_used;
        CHECK(u256_add(&run->burned_wei, &run->burned_wei, &r.burned_wei));
    } else if (!keep_invalid) {
        return RC_OK;
    }
    add_receipt(run, t, &r);
    return RC_OK;
}

void block_run_record(struct block_run *run, const struct ledger_tx *t, const struct exec_result *r)
{
    run->gas_used += r->gas_used;
    add_receipt(run, t, r);
}

void block_run_finish(struct block_run *run, struct block_result *out)
{
    struct bloom one;

    memset(out, 0, sizeof(*out));
    out->receipts = run->receipts;
    out->n = run->n;
    out->gas_used = run->gas_used;
    out->burned_wei = run->burned_wei;
    for (size_t i = 0; i < run->n; i++) {
        if (run->receipts[i].n_logs == 0)
            continue;
        receipt_bloom(&one, &run->receipts[i]);
        bloom_merge(&out->bloom, &one);
    }
    out->changes = journal_changes(&run->journal, run->mem);
    receipts_root(&out->last_results_hash, run->receipts, run->n);
}

enum rc ledger_apply_block(struct block_run *run, const struct ledger_tx *txs, size_t n,
                           struct block_result *out, struct err *e)
{
    enum tx_code code;

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < n; i++)
        TRY(block_run_add(run, &txs[i], true, &code, e));
    block_run_finish(run, out);
    return RC_OK;
}

enum rc ledger_supply_delta(const struct state_changes *changes, struct u256 *plus,
                            struct u256 *minus, struct err *e)
{
    *plus = *minus = U256_ZERO;
    for (size_t i = 0; i < changes->n; i++) {
        const struct state_change *c = &changes->items[i];
        struct account now, before;

        if (c->key.p[0] != STATE_ACCOUNT)
            continue;
        TRY(account_decode(&now, c->value, e));
        TRY(account_decode(&before, c->old, e));
        if (!u256_add(plus, plus, &now.balance) || !u256_add(minus, minus, &before.balance))
            return err_set(e, RC_CORRUPT, "state: balances sum up to more than 2^256");
    }
    return RC_OK;
}
