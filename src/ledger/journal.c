#include "ledger/journal.h"

#include "base/mem.h"

struct journal_entry {
    struct bytes key;
    struct bytes value;  /* p NULL: absent */
    struct bytes old;    /* as committed */
    uint32_t touched_by; /* transaction */
};

struct journal_undo {
    uint32_t entry;
    struct bytes value;
};

struct journal_slot {
    uint32_t hash;
    uint32_t entry; /* index + 1; 0: free */
};

enum { SLOTS_MIN = 64 };

#define WORK_ENTRY 128u /* besides the bytes of a key */
#define WORK_SET 128u   /* ... of key and values */
#define WORK_LOG 256u   /* ... of the data */

void journal_init(struct journal *j, struct state_source source)
{
    memset(j, 0, sizeof(*j));
    j->source = source;
    j->n_slots = SLOTS_MIN;
    j->transaction = 1;
    j->slots = xcalloc(j->n_slots, sizeof(*j->slots));
}

void journal_clear(struct journal *j)
{
    free(j->entries);
    free(j->slots);
    free(j->undo);
    free(j->logs);
    arena_clear(&j->mem);
    memset(j, 0, sizeof(*j));
}

/* Order in the table decides nothing that anyone sees (changes are sorted), so a plain hash does.
 * Keys chosen to collide cost their sender gas and us a longer probe: mixed over all bytes, with
 * 64-bit state, and the table is at most half full. */
static uint32_t key_hash(struct bytes key)
{
    uint64_t h = 0x9e3779b97f4a7c15ULL ^ key.n;
    size_t i = 0;

    for (; i + 8 <= key.n; i += 8) {
        h = (h ^ load_u64le(key.p + i)) * 0xff51afd7ed558ccdULL;
        h ^= h >> 32;
    }
    for (; i < key.n; i++) {
        h = (h ^ key.p[i]) * 0xff51afd7ed558ccdULL;
        h ^= h >> 32;
    }
    h *= 0xc4ceb9fe1a85ec53ULL;
    return (uint32_t)(h >> 32);
}

static size_t slot_find(const struct journal *j, struct bytes key, uint32_t hash)
{
    size_t mask = j->n_slots - 1;
    size_t i = hash & mask;

    while (j->slots[i].entry != 0) {
        if (j->slots[i].hash == hash && bytes_eq(j->entries[j->slots[i].entry - 1].key, key))
            break;
        i = (i + 1) & mask;
    }
    return i;
}

static void slots_grow(struct journal *j)
{
    size_t old_n = j->n_slots;
    struct journal_slot *old = j->slots;

    j->n_slots = old_n * 2;
    j->slots = xcalloc(j->n_slots, sizeof(*j->slots));
    for (size_t i = 0; i < old_n; i++) {
        size_t at = old[i].hash & (j->n_slots - 1);

        if (old[i].entry == 0)
            continue;
        while (j->slots[at].entry != 0)
            at = (at + 1) & (j->n_slots - 1);
        j->slots[at] = old[i];
    }
    free(old);
}

static void touch(struct journal *j, struct journal_entry *en)
{
    if (en->touched_by == j->transaction)
        return;
    en->touched_by = j->transaction;
    j->work += WORK_ENTRY + en->key.n;
}

/* Index of the key's entry, read from the source the first time. */
static enum rc entry_of(struct journal *j, struct bytes key, uint32_t *entry, struct err *e)
{
    uint32_t hash = key_hash(key);
    size_t at = slot_find(j, key, hash);
    struct bytes value;

    *entry = 0;
    if (j->slots[at].entry != 0) {
        *entry = j->slots[at].entry - 1;
        touch(j, &j->entries[*entry]);
        return RC_OK;
    }
    TRY(j->source.get(j->source.data, key, &j->mem, &value, e));
    if (j->n_entries == j->cap_entries) {
        j->cap_entries = j->cap_entries == 0 ? SLOTS_MIN / 2 : j->cap_entries * 2;
        j->entries = xreallocarray(j->entries, j->cap_entries, sizeof(*j->entries));
    }
    CHECK(j->n_entries < UINT32_MAX / 2);
    j->entries[j->n_entries] =
        (struct journal_entry){.key = arena_dup(&j->mem, key), .value = value, .old = value};
    *entry = (uint32_t)j->n_entries++;
    j->slots[at] = (struct journal_slot){.hash = hash, .entry = *entry + 1};
    touch(j, &j->entries[*entry]);
    if (j->n_entries * 2 > j->n_slots)
        slots_grow(j);
    return RC_OK;
}

/* What an entry weighs with this value. */
static int64_t entry_size(const struct journal_entry *en, struct bytes value)
{
    return value.n == 0 ? 0 : (int64_t)(en->key.n + value.n + STATE_KEY_WEIGHT);
}

static void entry_put(struct journal *j, struct journal_entry *en, struct bytes value)
{
    j->grown += entry_size(en, value) - entry_size(en, en->value);
    en->value = value;
}

struct journal_mark journal_mark(const struct journal *j)
{
    return (struct journal_mark){.n_undo = j->n_undo, .n_logs = j->n_logs};
}

void journal_revert(struct journal *j, struct journal_mark mark)
{
    CHECK(mark.n_undo <= j->n_undo && mark.n_logs <= j->n_logs);
    while (j->n_undo > mark.n_undo) {
        const struct journal_undo *u = &j->undo[--j->n_undo];

        entry_put(j, &j->entries[u->entry], u->value);
    }
    j->n_logs = mark.n_logs;
}

void journal_settle(struct journal *j)
{
    j->n_undo = 0;
    j->n_logs = 0;
    j->transaction++;
}

enum rc journal_get(struct journal *j, struct bytes key, struct bytes *value, struct err *e)
{
    uint32_t at;

    *value = bytes_of(NULL, 0);
    TRY(entry_of(j, key, &at, e));
    *value = j->entries[at].value;
    return RC_OK;
}

enum rc journal_set(struct journal *j, struct bytes key, struct bytes value, struct err *e)
{
    struct journal_entry *en;
    uint32_t at;

    TRY(entry_of(j, key, &at, e));
    en = &j->entries[at];
    if (bytes_eq(en->value, value))
        return RC_OK;
    if (j->n_undo == j->cap_undo) {
        j->cap_undo = j->cap_undo == 0 ? SLOTS_MIN : j->cap_undo * 2;
        j->undo = xreallocarray(j->undo, j->cap_undo, sizeof(*j->undo));
    }
    j->work += WORK_SET + en->key.n + en->value.n + value.n;
    j->undo[j->n_undo++] = (struct journal_undo){.entry = at, .value = en->value};
    entry_put(j, en, value.n == 0 ? bytes_of(NULL, 0) : arena_dup(&j->mem, value));
    return RC_OK;
}

enum rc journal_account(struct journal *j, const struct address *a, struct account *out,
                        struct err *e)
{
    struct state_key k = state_key_account(a);
    struct bytes v;

    memset(out, 0, sizeof(*out));
    TRY(journal_get(j, state_key_bytes(&k), &v, e));
    return account_decode(out, v, e);
}

enum rc journal_set_account(struct journal *j, const struct address *a, const struct account *acc,
                            struct err *e)
{
    struct state_key k = state_key_account(a);
    uint8_t record[STATE_ACCOUNT_SIZE];

    if (account_is_empty(acc))
        return journal_set(j, state_key_bytes(&k), bytes_of(NULL, 0), e);
    account_encode(record, acc);
    return journal_set(j, state_key_bytes(&k), bytes_of(record, sizeof(record)), e);
}

void journal_add_log(struct journal *j, const struct address *a, const struct hash32 *topics,
                     size_t n_topics, struct bytes data)
{
    struct log *log;

    CHECK(n_topics <= LOG_MAX_TOPICS);
    if (j->n_logs == j->cap_logs) {
        j->cap_logs = j->cap_logs == 0 ? 16 : j->cap_logs * 2;
        j->logs = xreallocarray(j->logs, j->cap_logs, sizeof(*j->logs));
    }
    log = &j->logs[j->n_logs++];
    memset(log, 0, sizeof(*log));
    log->address = *a;
    log->n_topics = (uint8_t)n_topics;
    for (size_t i = 0; i < n_topics; i++)
        log->topics[i] = topics[i];
    log->data = arena_dup(&j->mem, data);
    j->work += WORK_LOG + data.n;
}

static int change_cmp(const void *a, const void *b)
{
    const struct state_change *x = a, *y = b;

    return bytes_cmp(x->key, y->key);
}

struct state_changes journal_changes(const struct journal *j, struct arena *mem)
{
    struct state_change *items;
    size_t n = 0;

    for (size_t i = 0; i < j->n_entries; i++)
        n += !bytes_eq(j->entries[i].value, j->entries[i].old);
    items = arena_array(mem, n + 1, sizeof(*items));
    n = 0;
    for (size_t i = 0; i < j->n_entries; i++) {
        const struct journal_entry *en = &j->entries[i];

        if (!bytes_eq(en->value, en->old))
            items[n++] = (struct state_change){.key = en->key, .value = en->value, .old = en->old};
    }
    qsort(items, n, sizeof(*items), change_cmp);
    return (struct state_changes){.items = items, .n = n};
}
