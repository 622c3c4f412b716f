/* The execution of an audit: the contracts' commands run here, without those of others, and after
 * each commit their roots are compared with what the cluster confirmed. Trust: the cluster root of
 * each commit is proved state; a delta's list of roots is believed when it gives that root. */
#include "cli/internal/audit.h"
#include "cluster/envelope.h"
#include "cluster/state_file.h"

/* One commit's range. */
struct range {
    uint64_t number, first_batch, end_batch, first, end; /* of entries */
    struct arena a;
    struct command *commands; /* of contracts whose keys we have */
    size_t n;
    bool has_strangers; /* entries of other contracts are in it */
    bool calls_others;  /* other contracts changed though nothing was queued for them */
    bool has_delta;
    struct bytes delta_rest;
    struct state_file_head delta;
    struct contract_root *others; /* after it */
    size_t n_others;
    struct secbuf plain;
    struct state_change *before; /* our state, to go back to */
    size_t n_before;
    struct hash32 outbox;
    const char *why_taken; /* literal; from the delta */
};

static void range_clear(struct range *r)
{
    secbuf_clear(&r->plain);
    arena_clear(&r->a);
}

enum rc audit_begin(struct audit *x, struct err *e)
{
    /* The members' limit: a command that it made fail fails here, too. */
    const struct machine_config config = {
        .chain_id = x->c.chain_id, .genesis = x->c.genesis, .state_limit = MACHINE_STATE_LIMIT};

    x->machine = machine_new(&config);
    x->roots = cluster_roots_new();
    for (size_t i = 0; i < x->n; i++)
        TRY(cluster_roots_add(x->roots, &x->list[i].context.contract, &x->list[i].keys->blind, e));
    return RC_OK;
}

void audit_end(struct audit *x)
{
    machine_free(x->machine);
    cluster_roots_free(x->roots);
    x->machine = NULL;
    x->roots = NULL;
}

/* ---- what the cluster's root says of each contract ---- */

static struct contract_root *find(struct contract_root *list, size_t n, const struct address *a)
{
    for (size_t i = 0; i < n; i++)
        if (address_eq(&list[i].contract, a))
            return &list[i];
    return NULL;
}

static void copy_roots(struct contract_root *out, const struct contract_root *in, size_t n)
{
    if (n != 0)
        memcpy(out, in, n * sizeof(*in));
}

/* With our contracts' roots as they were executed, or as the delta has them. */
static bool gives_root(const struct audit *x, const struct range *r, bool of_delta,
                       const struct hash32 *want)
{
    size_t n = r->n_others;
    struct contract_root *all = xcalloc(n + x->n, sizeof(*all));
    struct hash32 root;
    bool same;

    copy_roots(all, r->others, n);
    for (size_t i = 0; i < x->n; i++)
        all[n + i] = (struct contract_root){.contract = x->list[i].context.contract,
                                            .root = of_delta ? x->list[i].target : x->list[i].root};
    cluster_root_of(&root, all, n + x->n);
    same = hash32_eq(&root, want);
    free(all);
    return same;
}

/* The delta's head: believed if the roots it lists, with those known, give the confirmed one. */
static enum rc read_delta(struct audit *x, struct range *r, struct err *e)
{
    const st_committed *k = &x->commits[r->number];
    struct bytes file;

    r->n_others = x->n_others;
    r->others = arena_array(&r->a, x->n_others + 1, sizeof(*r->others));
    copy_roots(r->others, x->others, x->n_others);
    TRY(audit_get_file(x, &file, k->delta, e));
    TRY(state_file_parse(&r->delta, &r->delta_rest, file, &x->cli->mem, e));
    if (r->delta.kind != STATE_FILE_DELTA || !hash32_eq(&r->delta.genesis, &x->c.genesis) ||
        r->delta.cluster != x->c.record.cluster || r->delta.first_batch != r->first_batch ||
        r->delta.end_batch != r->end_batch)
        return err_set(e, RC_MALFORMED, "the file is not this commit's delta");
    r->others = arena_array(&r->a, x->n_others + r->delta.n_contracts + 1, sizeof(*r->others));
    copy_roots(r->others, x->others, x->n_others);
    for (size_t i = 0; i < r->delta.n_contracts; i++) {
        const struct state_file_contract *c = &r->delta.contracts[i];
        struct contract_root *known = find(r->others, r->n_others, &c->contract);
        struct audited *ours = audit_find(x, &c->contract);

        if (ours != NULL) {
            ours->target = c->root_after;
            continue;
        }
        r->calls_others = r->calls_others || !hash32_eq(&c->root_before, &c->root_after);
        if (known == NULL)
            known = &r->others[r->n_others++];
        *known = (struct contract_root){.contract = c->contract, .root = c->root_after};
    }
    if (!gives_root(x, r, true, &k->root))
        return err_set(e, RC_MALFORMED, "the delta's roots do not give the confirmed one");
    return RC_OK;
}

/* ---- commands ---- */

/* RC_NOTFOUND: keys of its epoch were not given. */
static enum rc open_envelope(struct audit *x, const struct audited *a, struct range *r,
                             const struct queue_entry *entry, struct command *cmd, struct err *e)
{
    struct envelope_context context = {.chain_id = x->c.chain_id,
                                       .genesis = x->c.genesis,
                                       .contract = entry->contract,
                                       .sender = entry->sender,
                                       .sequence = entry->sequence,
                                       .expiry = entry->expiry,
                                       .gas = entry->gas,
                                       .code_hash = a->code_hash};
    struct contract_keys keys;
    uint8_t reply32[32];
    size_t at = r->plain.n;
    enum rc rc;

    cmd->unreadable = true;
    if (envelope_epoch(&context.epoch, entry->payload, NULL) != RC_OK)
        return RC_OK;
    TRY(audit_keys_of(&keys, &a->context, a->keys, context.epoch, e));
    rc = envelope_open(&r->plain, reply32, &context, &keys.receive, entry->payload, NULL);
    contract_keys_wipe(&keys);
    if (rc != RC_OK)
        return RC_OK;
    cmd->unreadable = false;
    cmd->calldata = bytes_of(r->plain.p + at, r->plain.n - at);
    return RC_OK;
}

static enum rc add_code(struct audit *x, struct audited *a, const struct hash32 *hash,
                        struct err *e)
{
    struct hash32 found;
    struct bytes elf;

    TRY(audit_get_code(x, a, hash, &elf, e));
    TRY(machine_put_code(x->machine, elf, &found, e));
    if (!hash32_eq(&found, hash))
        return err_set(e, RC_DENIED, "the code in the store is not %s",
                       cli_hash_text(x->cli, hash));
    a->code_hash = *hash;
    return RC_OK;
}

static enum rc add_command(struct audit *x, struct audited *a, struct range *r,
                           const struct queue_entry *entry, const st_batch_record *batch,
                           struct err *e)
{
    struct command *cmd = &r->commands[r->n];

    *cmd = (struct command){.kind = (uint8_t)entry->kind,
                            .index = entry->index,
                            .height = batch->height,
                            .time_s = batch->time,
                            .contract = entry->contract,
                            .sender = entry->sender,
                            .gas = entry->gas,
                            .value_wei = entry->value_wei};
    r->n++;
    a->n_here++;
    switch (entry->kind) {
    case ENTRY_SEALED:
        return open_envelope(x, a, r, entry, cmd, e);
    case ENTRY_PLAIN:
        cmd->calldata = entry->payload;
        return RC_OK;
    case ENTRY_ACTIVATE:
        TRY(entry_activate_payload(&cmd->code_hash, &cmd->calldata, entry->payload, e));
        return add_code(x, a, &cmd->code_hash, e);
    case ENTRY_UPGRADE:
        TRY(entry_upgrade_payload(&cmd->code_hash, entry->payload, e));
        return add_code(x, a, &cmd->code_hash, e);
    }
    return RC_OK;
}

static enum rc make_commands(struct audit *x, struct range *r, struct err *e)
{
    uint64_t batch = r->first_batch;
    struct audited *a;
    size_t room = 0;

    r->commands = arena_array(&r->a, r->end - r->first + 1, sizeof(*r->commands));
    for (uint64_t i = r->first; i < r->end; i++)
        room += x->entries[i].payload.n;
    (void)secbuf_reserve(&r->plain, room + 1); /* calldata stays where it is */
    for (uint64_t i = r->first; i < r->end; i++) {
        while (i >= x->batches[batch].end)
            batch++;
        a = audit_find(x, &x->entries[i].contract);
        if (a != NULL)
            TRY(add_command(x, a, r, &x->entries[i], &x->batches[batch], e));
    }
    return RC_OK;
}

static bool has_strangers(const struct audit *x, const struct range *r)
{
    for (uint64_t i = r->first; i < r->end; i++)
        if (audit_find(x, &x->entries[i].contract) == NULL)
            return true;
    return false;
}

/* ---- state to go back to ---- */

struct copy {
    struct audit *x;
    struct range *r;
    size_t cap;
};

static enum rc copy_one(void *data, struct bytes key, struct bytes value, struct err *e)
{
    struct copy *c = data;
    struct range *r = c->r;

    (void)e;
    if (key.n == 0 || key.p[0] == STATE_CODE)
        return RC_OK;
    if (r->n_before == c->cap) {
        size_t cap = c->cap == 0 ? 64 : c->cap * 2;
        struct state_change *more = arena_array(&r->a, cap, sizeof(*more));

        if (r->n_before != 0)
            memcpy(more, r->before, r->n_before * sizeof(*more));
        r->before = more;
        c->cap = cap;
    }
    r->before[r->n_before++] =
        (struct state_change){.key = arena_dup(&r->a, key), .value = arena_dup(&r->a, value)};
    return RC_OK;
}

static enum rc go_back(struct audit *x, const struct range *r, struct err *e)
{
    struct hash32 root, ignored;
    struct bytes elf;

    audit_end(x);
    TRY(audit_begin(x, e));
    for (size_t i = 0; i < r->n_before; i++) {
        TRY(machine_load(x->machine, r->before[i].key, r->before[i].value, e));
        TRY(cluster_roots_load(x->roots, r->before[i].key, r->before[i].value, e));
    }
    TRY(cluster_roots_loaded(x->roots, NULL, &root, e));
    for (size_t k = 0; k < x->n; k++)
        for (size_t i = 0; i < x->list[k].n_codes; i++) {
            elf = x->list[k].codes[i].elf;
            if (elf.p != NULL)
                TRY(machine_put_code(x->machine, elf, &ignored, e));
        }
    return RC_OK;
}

/* ---- from the delta ---- */

static enum rc delta_changes(struct audit *x, struct range *r, struct state_change **out, size_t *n,
                             struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    struct bytes left, item, key, value;
    struct state_sections it;
    struct state_section s;
    enum state_item tag;
    size_t cap = 0;
    enum rc rc;

    *out = NULL;
    *n = 0;
    state_sections_begin(&it, &r->delta, r->delta_rest);
    while ((rc = state_sections_next(&s, &it, e)) == RC_OK) {
        const struct state_file_contract *c = &r->delta.contracts[s.contract];
        const struct audited *a = audit_find(x, &c->contract);
        struct contract_keys keys;

        if (a == NULL)
            continue;
        TRY(audit_keys_of(&keys, &a->context, a->keys, c->epoch, e));
        secbuf_reset(&plain);
        rc = state_section_open(&plain, &r->delta, &s, &keys, e);
        contract_keys_wipe(&keys);
        TRY(rc);
        left = bytes_of(arena_dup(&r->a, secbuf_bytes(&plain)).p, plain.n);
        while ((rc = state_item_next(&tag, &item, &left, e)) == RC_OK) {
            if (tag != ITEM_CHANGE)
                continue;
            TRY(state_item_change(&key, &value, &c->contract, item, e));
            if (*n == cap) {
                struct state_change *more;

                cap = cap == 0 ? 64 : cap * 2;
                more = arena_array(&r->a, cap, sizeof(*more));
                if (*n != 0)
                    memcpy(more, *out, *n * sizeof(*more));
                *out = more;
            }
            (*out)[(*n)++] = (struct state_change){.key = key, .value = value};
        }
        if (rc != RC_NOTFOUND)
            return rc;
    }
    return rc == RC_NOTFOUND ? RC_OK : rc;
}

static int by_key(const void *a, const void *b)
{
    return bytes_cmp(((const struct state_change *)a)->key, ((const struct state_change *)b)->key);
}

static void read_roots(struct audit *x)
{
    for (size_t i = 0; i < x->n; i++)
        cluster_roots_of(x->roots, &x->list[i].context.contract, &x->list[i].root);
}

static enum rc take_delta(struct audit *x, struct range *r, const char *why, struct err *e)
{
    struct state_change *changes;
    struct hash32 root;
    size_t n;

    r->why_taken = why;
    TRY(delta_changes(x, r, &changes, &n, e));
    if (n != 0)
        qsort(changes, n, sizeof(*changes), by_key);
    TRY(machine_apply(x->machine, changes, n, e));
    TRY(cluster_roots_apply(x->roots, changes, n, &root, e));
    read_roots(x);
    for (size_t i = 0; i < x->n; i++)
        if (!hash32_eq(&x->list[i].root, &x->list[i].target))
            return err_set(e, RC_DENIED,
                           "batches %llu to %llu: the delta does not give the root of %s that was "
                           "confirmed",
                           (unsigned long long)r->first_batch, (unsigned long long)r->end_batch - 1,
                           cli_addr_text(x->cli, &x->list[i].context.contract));
    return RC_OK;
}

/* ---- what was found ---- */

/* Batches in between in which the contract had no part do not matter. */
static struct audit_span *open_span(struct audit *x, const struct address *contract,
                                    enum audit_how how, const char *why)
{
    for (size_t i = x->n_spans; i > 0; i--) {
        struct audit_span *s = &x->spans[i - 1];

        if (address_eq(&s->contract, contract))
            return s->how == how && s->why == why ? s : NULL;
    }
    return NULL;
}

static void note(struct audit *x, const struct range *r, const struct address *contract,
                 enum audit_how how, const char *why, uint64_t n_commands)
{
    struct audit_span *s = open_span(x, contract, how, why);

    if (s == NULL) {
        if (x->n_spans == x->cap_spans) {
            size_t cap = x->cap_spans == 0 ? 64 : x->cap_spans * 2;
            struct audit_span *more = arena_array(&x->cli->mem, cap, sizeof(*more));

            if (x->n_spans != 0)
                memcpy(more, x->spans, x->n_spans * sizeof(*more));
            x->spans = more;
            x->cap_spans = cap;
        }
        s = &x->spans[x->n_spans++];
        *s = (struct audit_span){
            .contract = *contract, .first_batch = r->first_batch, .how = how, .why = why};
    }
    s->end_batch = r->end_batch;
    s->n_commands += n_commands;
}

static bool has_part(const struct range *r, const struct address *contract)
{
    for (size_t i = 0; r->has_delta && i < r->delta.n_contracts; i++)
        if (address_eq(&r->delta.contracts[i].contract, contract))
            return !hash32_eq(&r->delta.contracts[i].root_before,
                              &r->delta.contracts[i].root_after);
    return false;
}

static void note_all(struct audit *x, const struct range *r)
{
    for (size_t i = 0; i < x->n; i++) {
        const struct audited *a = &x->list[i];

        if (a->n_here == 0 && !has_part(r, &a->context.contract))
            continue;
        if (a->matched)
            note(x, r, &a->context.contract, AUDIT_EXECUTED, NULL, a->n_here);
        else
            note(x, r, &a->context.contract, AUDIT_TAKEN, r->why_taken, a->n_here);
        x->n_commands += a->matched ? a->n_here : 0;
    }
    for (uint64_t i = r->first; i < r->end; i++)
        if (audit_find(x, &x->entries[i].contract) == NULL)
            note(x, r, &x->entries[i].contract, AUDIT_ROOT, NULL, 1);
    for (size_t i = 0; r->has_delta && i < r->delta.n_contracts; i++)
        if (audit_find(x, &r->delta.contracts[i].contract) == NULL)
            note(x, r, &r->delta.contracts[i].contract, AUDIT_ROOT, NULL, 0);
}

/* ---- a commit ---- */

static enum rc run(struct audit *x, struct range *r, struct err *e)
{
    struct command_result *results = arena_array(&r->a, r->n + 1, sizeof(*results));
    const struct out_message *messages;
    struct state_changes changes;
    struct hash32 root, *rests;
    struct bytes *encoded;
    size_t n;

    TRY(machine_run(x->machine, r->commands, r->n, &r->a, results, &messages, &n, &changes, e));
    TRY(cluster_roots_apply(x->roots, changes.items, changes.n, &root, e));
    read_roots(x);
    encoded = arena_array(&r->a, n + 1, sizeof(*encoded));
    rests = arena_array(&r->a, n + 1, sizeof(*rests));
    for (size_t i = 0; i < n; i++) {
        AUTO_CLEAR(buf) struct buf b = {0};

        out_message_encode(&b, &messages[i]);
        encoded[i] = arena_dup(&r->a, buf_bytes(&b));
    }
    outbox_rests(rests, encoded, n);
    r->outbox = rests[0];
    return RC_OK;
}

static enum rc not_confirmed(const struct range *r, const char *what, struct err *e)
{
    return err_set(e, RC_DENIED,
                   "batches %llu to %llu: the %s that the cluster confirmed is not what the "
                   "contract's commands give%s",
                   (unsigned long long)r->first_batch, (unsigned long long)r->end_batch - 1, what,
                   r->n_others == 0 ? "" : " (unless they read another contract of the cluster)");
}

/* Our roots are what the commands make of them; are they what was confirmed? */
static enum rc compare(struct audit *x, struct range *r, struct err *why, struct err *e)
{
    const st_committed *k = &x->commits[r->number];
    bool same = r->has_delta || gives_root(x, r, false, &k->root);

    for (size_t i = 0; i < x->n; i++) {
        struct audited *a = &x->list[i];

        a->matched = r->has_delta ? hash32_eq(&a->root, &a->target) : same;
        same = same && a->matched;
    }
    if (same && !r->has_strangers && !r->calls_others && !hash32_eq(&r->outbox, &k->outbox_digest))
        return not_confirmed(r, "outbox", e);
    if (same)
        return RC_OK;
    if (r->has_delta && (r->has_strangers || r->calls_others)) {
        TRY(go_back(x, r, e));
        return take_delta(x, r, "other contracts of the cluster may have had a part in them", e);
    }
    if (!r->has_delta && (r->has_strangers || r->n_others != 0))
        return err_set(e, RC_NOTFOUND,
                       "batches %llu to %llu and all after them: other contracts had a part, and "
                       "the delta is not to be had: %s",
                       (unsigned long long)r->first_batch, (unsigned long long)r->end_batch - 1,
                       why->msg);
    return not_confirmed(r, "root", e);
}

static enum rc execute(struct audit *x, struct range *r, struct err *e)
{
    struct copy copy = {.x = x, .r = r};
    struct err why = {0};
    enum rc rc;

    for (size_t i = 0; i < x->n; i++) {
        x->list[i].target = x->list[i].root;
        x->list[i].n_here = 0;
        x->list[i].matched = false;
    }
    r->has_strangers = has_strangers(x, r);
    r->has_delta = read_delta(x, r, &why) == RC_OK;
    if (!r->has_delta) { /* nothing of what it says counts */
        r->calls_others = false;
        r->n_others = x->n_others;
        copy_roots(r->others, x->others, x->n_others);
    }
    if (r->n_others != 0)
        TRY(machine_each(x->machine, copy_one, &copy, e));
    rc = make_commands(x, r, e);
    if (rc == RC_NOTFOUND && r->has_delta)
        return take_delta(x, r, "keys or code that their commands need were not to be had", e);
    TRY(rc);
    TRY(run(x, r, e));
    return compare(x, r, &why, e);
}

enum rc audit_commit(struct audit *x, uint64_t n, struct err *e)
{
    const st_committed *k = &x->commits[n], *before = n == 0 ? NULL : &x->commits[n - 1];
    struct range r = {.number = n,
                      .first_batch = before == NULL ? 0 : before->end_batch,
                      .end_batch = k->end_batch,
                      .first = before == NULL ? 0 : before->end_index,
                      .end = k->end_index};
    enum rc rc;

    if (r.end_batch <= r.first_batch || r.end < r.first || r.end > x->n_entries ||
        r.end_batch > x->n_batches || x->batches[r.end_batch - 1].end != r.end)
        rc = err_set(e, RC_DENIED, "commit %llu is of no range of batches", (unsigned long long)n);
    else
        rc = execute(x, &r, e);
    if (rc == RC_OK) {
        struct contract_root *others = arena_array(&x->cli->mem, r.n_others + 1, sizeof(*others));

        copy_roots(others, r.others, r.n_others);
        x->others = others;
        x->n_others = r.n_others;
        x->n_compared++;
        note_all(x, &r);
    }
    range_clear(&r);
    return rc;
}
