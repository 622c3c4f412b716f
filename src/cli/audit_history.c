/* What an audit reads: batches and commits as proved state, the queue from the node's events, held
 * against the proved hashes; code and state files from the store. */
#include "chain/gen/confidential_contracts.h"
#include "cli/internal/audit.h"
#include "cluster/code.h"

#define BLOCKS_AT_ONCE 2000
#define FILE_MAX_SIZE ((uint64_t)1 << 30)
#define BATCHES_MAX 10000000u

/* ---- proved lists ---- */

static enum rc read_batches(struct audit *x, struct err *e)
{
    struct cli *cli = x->cli;
    struct light_key *keys = arena_array(&cli->mem, LIGHT_PROOFS_MAX, sizeof(*keys));
    struct light_value *v;

    x->n_batches = x->c.confirmed.batches;
    if (x->n_batches > BATCHES_MAX)
        return err_set(e, RC_LIMIT, "%llu batches, at most %u", (unsigned long long)x->n_batches,
                       BATCHES_MAX);
    x->batches = arena_array(&cli->mem, x->n_batches + 1, sizeof(*x->batches));
    for (uint64_t at = 0; at < x->n_batches;) {
        size_t n = 0;

        for (; n < LIGHT_PROOFS_MAX && at + n < x->n_batches; n++)
            keys[n] = confidential_batch_of_key(&x->c.registry, x->c.record.cluster, at + n);
        TRY(cli_read(cli, &v, keys, n, e));
        for (size_t i = 0; i < n; i++)
            TRY(confidential_batch_of_get(&x->batches[at + i], v[i].value, e));
        at += n;
    }
    return RC_OK;
}

static enum rc read_commits(struct audit *x, struct err *e)
{
    struct cli *cli = x->cli;
    struct light_key *keys = arena_array(&cli->mem, LIGHT_PROOFS_MAX, sizeof(*keys));
    struct light_value *v;
    uint64_t n_all;

    TRY(cli_commits_count(cli, &x->c, &n_all, e));
    if (n_all > BATCHES_MAX)
        return err_set(e, RC_LIMIT, "%llu commits, at most %u", (unsigned long long)n_all,
                       BATCHES_MAX);
    x->commits = arena_array(&cli->mem, n_all + 1, sizeof(*x->commits));
    while (x->n_commits < n_all) {
        size_t n = 0;

        for (; n < LIGHT_PROOFS_MAX && x->n_commits + n < n_all; n++)
            keys[n] =
                confidential_commits_at_key(&x->c.registry, x->c.record.cluster, x->n_commits + n);
        TRY(cli_read(cli, &v, keys, n, e));
        for (size_t i = 0; i < n; i++) {
            st_committed *k = &x->commits[x->n_commits];

            TRY(confidential_commits_get(k, v[i].value, e));
            /* Confirmed while we read: beyond what we know of batches. */
            if (k->end_batch > x->n_batches)
                return RC_OK;
            x->n_commits++;
        }
    }
    return RC_OK;
}

/* ---- the queue ---- */

static enum rc take_entry(struct audit *x, const struct chain_log *log, struct hash32 *hash,
                          struct err *e)
{
    struct confidential_contracts_event_Queued event;
    struct queue_entry *entry = &x->entries[x->n_entries];

    TRY(confidential_contracts_parse_Queued(&event, NULL, log->topics, log->n_topics, log->data,
                                            e));
    TRY(entry_decode(entry, event.entry, e));
    if (entry->index != x->n_entries)
        return err_set(e, RC_DENIED,
                       "the ledger node's events of the queue are not whole: command %llu stands "
                       "where %llu belongs",
                       (unsigned long long)entry->index, (unsigned long long)x->n_entries);
    queue_hash_add(hash, event.entry);
    x->n_entries++;
    return RC_OK;
}

static enum rc read_entries(struct audit *x, struct err *e)
{
    struct hash32 hash, topic1 = {0};
    struct chain_client *chain;
    uint64_t batch = 0, total, last;

    if (x->n_batches == 0)
        return RC_OK;
    total = x->batches[x->n_batches - 1].end;
    last = x->batches[x->n_batches - 1].height;
    x->entries = arena_array(&x->cli->mem, total + 1, sizeof(*x->entries));
    store_u64be(topic1.b + 24, x->c.record.cluster);
    queue_hash_begin(&hash, &x->c.genesis, x->c.record.cluster);
    TRY(cli_chain(x->cli, &chain, e));
    for (uint64_t from = x->batches[0].height; from <= last; from += BLOCKS_AT_ONCE) {
        uint64_t to = from + BLOCKS_AT_ONCE - 1 < last ? from + BLOCKS_AT_ONCE - 1 : last;
        struct chain_log *logs;
        size_t n;

        TRY(chain_logs(chain, &logs, &n, &x->cli->mem, &x->c.registry,
                       &confidential_contracts_topic_Queued, &topic1, from, to, e));
        for (size_t i = 0; i < n && x->n_entries < total; i++) {
            TRY(take_entry(x, &logs[i], &hash, e));
            if (x->n_entries < x->batches[batch].end)
                continue;
            if (!hash32_eq(&hash, &x->batches[batch].hash))
                return err_set(e, RC_DENIED,
                               "the ledger node's events of the queue are not what the chain "
                               "hashed: batch %llu",
                               (unsigned long long)batch);
            batch++;
        }
    }
    if (x->n_entries != total)
        return err_set(e, RC_NOTFOUND,
                       "the ledger node has events of %llu commands, of %llu that were queued: ask "
                       "a node that keeps all receipts",
                       (unsigned long long)x->n_entries, (unsigned long long)total);
    return RC_OK;
}

/* ---- code ---- */

static void add_code(struct audit *x, struct audited *a, const struct hash32 *hash,
                     struct bytes url)
{
    for (size_t i = 0; i < a->n_codes; i++)
        if (hash32_eq(&a->codes[i].hash, hash) && bytes_eq(bytes_str(a->codes[i].url), url))
            return;
    a->codes[a->n_codes++] =
        (struct audit_code){.hash = *hash, .url = arena_strdup(&x->cli->mem, url)};
}

/* Where code is told in events; that it is the code its hash tells. */
static enum rc read_codes(struct audit *x, struct err *e)
{
    struct confidential_contracts_event_UpgradeWanted wanted;
    struct confidential_contracts_event_CodeProvided provided;
    struct confidential_contracts_event_Deployed deployed;
    struct chain_log *first, *then, *later;
    size_t n_first, n_then, n_later;
    struct chain_client *chain;
    struct audited *a;

    TRY(cli_chain(x->cli, &chain, e));
    TRY(chain_logs(chain, &first, &n_first, &x->cli->mem, &x->c.registry,
                   &confidential_contracts_topic_Deployed, NULL, 0, x->c.height, e));
    TRY(chain_logs(chain, &later, &n_later, &x->cli->mem, &x->c.registry,
                   &confidential_contracts_topic_UpgradeWanted, NULL, 0, x->c.height, e));
    TRY(chain_logs(chain, &then, &n_then, &x->cli->mem, &x->c.registry,
                   &confidential_contracts_topic_CodeProvided, NULL, 0, x->c.height, e));
    for (size_t i = 0; i < x->n; i++) {
        a = &x->list[i];
        a->codes = arena_array(&x->cli->mem, n_first + n_then + n_later + 1, sizeof(*a->codes));
        add_code(x, a, &a->record.code_hash, a->record.code_url);
    }
    for (size_t i = 0; i < n_first; i++)
        if (confidential_contracts_parse_Deployed(&deployed, NULL, first[i].topics,
                                                  first[i].n_topics, first[i].data,
                                                  NULL) == RC_OK &&
            (a = audit_find(x, &deployed.contractAddress)) != NULL)
            add_code(x, a, &deployed.codeHash, deployed.codeUrl);
    for (size_t i = 0; i < n_then; i++)
        if (confidential_contracts_parse_CodeProvided(
                &provided, NULL, then[i].topics, then[i].n_topics, then[i].data, NULL) == RC_OK &&
            (a = audit_find(x, &provided.contractAddress)) != NULL)
            add_code(x, a, &provided.codeHash, provided.codeUrl);
    for (size_t i = 0; i < n_later; i++)
        if (confidential_contracts_parse_UpgradeWanted(
                &wanted, NULL, later[i].topics, later[i].n_topics, later[i].data, NULL) == RC_OK &&
            (a = audit_find(x, &wanted.contractAddress)) != NULL)
            add_code(x, a, &wanted.codeHash, wanted.codeUrl);
    return RC_OK;
}

struct audited *audit_find(const struct audit *x, const struct address *contract)
{
    for (size_t i = 0; i < x->n; i++)
        if (address_eq(&x->list[i].context.contract, contract))
            return &x->list[i];
    return NULL;
}

enum rc audit_read(struct audit *x, struct err *e)
{
    TRY(read_batches(x, e));
    TRY(read_commits(x, e));
    TRY(read_entries(x, e));
    return read_codes(x, e);
}

/* ---- the store ---- */

static enum rc get(struct audit *x, struct bytes *out, const struct cid *cid, uint64_t max,
                   struct err *e)
{
    AUTO_CLEAR(buf) struct buf content = {0};
    struct store_client *store;

    TRY(cli_store(x->cli, &store, e));
    TRY(store_client_cat_bytes(store, &content, cid, max, e));
    *out = arena_dup(&x->cli->mem, buf_bytes(&content));
    return RC_OK;
}

/* Sealed to the contract, whose keys we were given. */
static enum rc open_code(struct audit *x, struct audited *a, struct audit_code *code,
                         struct bytes file, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf program = {0};
    struct code_context context = {.chain_id = x->c.chain_id,
                                   .genesis = x->c.genesis,
                                   .cluster = x->c.record.cluster,
                                   .contract = a->context.contract,
                                   .code_hash = code->hash};
    struct contract_keys keys;
    enum rc rc;

    TRY(code_file_epoch(&context.epoch, file, e));
    TRY(audit_keys_of(&keys, &a->context, a->keys, context.epoch, e));
    rc = code_open(&program, &context, &keys.receive, file, e);
    contract_keys_wipe(&keys);
    TRY(rc);
    code->elf = arena_dup(&x->cli->mem, secbuf_bytes(&program));
    return RC_OK;
}

static enum rc fetch_code(struct audit *x, struct audited *a, struct audit_code *code,
                          struct err *e)
{
    struct bytes url, file;
    bool is_sealed = code_url_is_sealed(&url, bytes_str(code->url));
    struct cid cid;

    TRY(cid_parse_url(&cid, NULL, url, e));
    if (!is_sealed)
        return get(x, &code->elf, &cid, STATE_CODE_MAX, e);
    TRY(get(x, &file, &cid, CODE_FILE_MAX, e));
    return open_code(x, a, code, file, e);
}

enum rc audit_get_code(struct audit *x, struct audited *a, const struct hash32 *hash,
                       struct bytes *elf, struct err *e)
{
    enum rc rc =
        err_set(e, RC_NOTFOUND, "no event says where the code %s is", cli_hash_text(x->cli, hash));

    /* One that was no good may have been provided again. */
    for (size_t i = 0; i < a->n_codes; i++) {
        struct audit_code *code = &a->codes[i];

        if (!hash32_eq(&code->hash, hash))
            continue;
        rc = code->elf.p == NULL ? fetch_code(x, a, code, e) : RC_OK;
        if (rc != RC_OK)
            continue;
        *elf = code->elf;
        return RC_OK;
    }
    return rc;
}

enum rc audit_get_file(struct audit *x, struct bytes *out, struct bytes cid_text, struct err *e)
{
    struct cid cid;

    *out = (struct bytes){0};
    if (cid_text.n == 0)
        return err_set(e, RC_NOTFOUND, "no member left a delta");
    TRY(cid_parse(&cid, cid_text, e));
    return get(x, out, &cid, FILE_MAX_SIZE, e);
}
