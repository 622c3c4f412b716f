/* tests/cluster/rig.h - a machine of a cluster with guests in it (tests/ledger/guest.h): contracts
 * that do what their calldata says. */
#pragma once

#include "base/mem.h"
#include "cluster/entry.h"
#include "cluster/machine.h"
#include "ledger/guest.h"
#include "lib/t.h"

#define UNUSED __attribute__((unused))
#define GAS (1u << 20)
#define OUT 0x30000u /* where scripts keep results */
#define RET(s, n) guest_step(&(s)->steps, HOST_RETURN, OUT, (n) * 8, 0, 0, 0, 0, 0)
#define STEP(s, ...) guest_step(&(s)->steps, __VA_ARGS__)

UNUSED static struct address contract_at(unsigned i)
{
    return (struct address){{0xc0, [19] = (uint8_t)i}};
}

UNUSED static struct address person(unsigned i)
{
    return (struct address){{0xee, [19] = (uint8_t)i}};
}

struct rig {
    struct machine *m;
    struct arena mem;
    struct hash32 code[2]; /* of guests 1 (open to reentry by HOST_STORAGE_SET) and 2 */
    uint64_t index;
    /* of the last rig_run */
    struct command_result *results;
    const struct out_message *messages;
    size_t n_messages;
    struct state_changes changes;
};

UNUSED static void rig_elf(struct buf *elf, unsigned i)
{
    static const uint8_t marked[][4] = {{HOST_STORAGE_SET, 0, 0, 0}};

    guest_elf(elf, i + 1, marked, i == 0);
}

UNUSED static void rig_code(struct rig *r)
{
    struct err e;

    for (unsigned i = 0; i < 2; i++) {
        AUTO_CLEAR(buf) struct buf elf = {0};

        rig_elf(&elf, i);
        CHECK_OK(machine_put_code(r->m, buf_bytes(&elf), &r->code[i], &e), &e);
    }
}

UNUSED static void rig_run(struct rig *r, const struct command *c, size_t n)
{
    struct err e;

    r->results = arena_array(&r->mem, n + 1, sizeof(*r->results));
    CHECK_OK(
        machine_run(r->m, c, n, &r->mem, r->results, &r->messages, &r->n_messages, &r->changes, &e),
        &e);
}

UNUSED static struct command command_to(struct rig *r, unsigned contract, struct bytes calldata)
{
    return (struct command){.kind = ENTRY_SEALED,
                            .index = r->index++,
                            .height = 7,
                            .time_s = 1700000000,
                            .contract = contract_at(contract),
                            .sender = person(0),
                            .gas = GAS,
                            .calldata = calldata};
}

UNUSED static struct command activation(struct rig *r, unsigned contract, unsigned code)
{
    struct command c = command_to(r, contract, bytes_of(NULL, 0));

    c.kind = ENTRY_ACTIVATE;
    c.code_hash = r->code[code];
    return c;
}

/* `limit`: of state. */
UNUSED static void rig_init(struct rig *r, size_t limit)
{
    const struct machine_config config = {
        .chain_id = 1337, .genesis = {{0xaa}}, .state_limit = limit};

    *r = (struct rig){.m = machine_new(&config)};
    rig_code(r);
}

/* Contracts 1 and 2, with 1000 wei each. */
UNUSED static void rig_contracts(struct rig *r)
{
    struct command c[2];

    for (unsigned i = 0; i < 2; i++) {
        c[i] = activation(r, i + 1, i);
        c[i].value_wei = u256_from_u64(1000);
    }
    rig_run(r, c, 2);
    CHECK_INT(r->results[0].status, RECEIPT_DONE);
    CHECK_INT(r->results[1].status, RECEIPT_DONE);
}

UNUSED static void rig_clear(struct rig *r)
{
    machine_free(r->m);
    arena_clear(&r->mem);
}

/* One command; its result. */
UNUSED static struct command_result rig_one(struct rig *r, struct command c)
{
    rig_run(r, &c, 1);
    return r->results[0];
}

UNUSED static struct bytes script_bytes(struct rig *r, struct script *s)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    script_done(s, &b);
    script_clear(s);
    return arena_dup(&r->mem, buf_bytes(&b));
}

UNUSED static uint64_t word(struct bytes out, size_t i)
{
    if (out.n < (i + 1) * 8)
        t_fail(__FILE__, __LINE__, "output has %zu bytes, no word %zu", out.n, i);
    return load_u64le(out.p + i * 8);
}

struct looked_up {
    struct state_key key;
    struct bytes value;
    struct arena *mem;
};

UNUSED static enum rc look(void *data, struct bytes key, struct bytes value, struct err *e)
{
    struct looked_up *l = data;

    (void)e;
    if (bytes_eq(key, state_key_bytes(&l->key)))
        l->value = arena_dup(l->mem, value);
    return RC_OK;
}

/* A value of the state; p NULL: absent. */
UNUSED static struct bytes rig_state(struct rig *r, struct state_key key)
{
    struct looked_up l = {.key = key, .mem = &r->mem};
    struct err e;

    CHECK_OK(machine_each(r->m, look, &l, &e), &e);
    return l.value;
}

UNUSED static uint64_t rig_balance(struct rig *r, struct address a)
{
    struct account acc;
    struct err e;

    CHECK_OK(account_decode(&acc, rig_state(r, state_key_account(&a)), &e), &e);
    CHECK_TRUE(acc.balance.w[1] == 0);
    return acc.balance.w[0];
}
