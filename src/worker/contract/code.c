/* Code of contracts: from the store to the process that runs it, and kept in the worker's folder.
 * What is kept is encrypted under a key of this worker, public or not: a folder shows nothing. */
#include "cluster/code.h"

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "os/file.h"
#include "worker/contract/cluster.h"
#include "worker/proof/fetch.h"

#define KEPT_OVERHEAD (AEAD_NONCE_SIZE + AEAD_TAG_SIZE)

/* ---- kept here ---- */

/* Code that is not public is kept for its contract alone. Were it found by its hash, a stranger
 * could name that hash for a contract of his, and read the code with the keys of his contract. */
static char *kept_path(const struct cluster *c, const struct address *contract,
                       const struct hash32 *code_hash, bool is_public)
{
    char hash[65], address[41];

    hex_encode(hash, BYTES_OF(code_hash));
    hex_encode(address, BYTES_OF(contract));
    return is_public ? xasprintf("%s/code/%s", c->w->config.dir, hash)
                     : xasprintf("%s/code/%s-%s", c->w->config.dir, address, hash);
}

static void kept_key(struct secret32 *out, const struct cluster *c)
{
    hkdf_sha256(out->b, sizeof(out->b), BYTES_OF(&c->w->keys->receive), (struct bytes){0},
                bytes_str("cloister/worker/code/v1"));
}

static void kept_aad(uint8_t aad[52], const struct address *contract,
                     const struct hash32 *code_hash, bool is_public)
{
    memset(aad, 0, 52);
    if (!is_public)
        memcpy(aad, contract->b, sizeof(contract->b));
    memcpy(aad + 20, code_hash->b, sizeof(code_hash->b));
}

/* Nonces are drawn: a worker keeps some thousand programs in its life. */
static enum rc keep(const struct cluster *c, const struct address *contract,
                    const struct hash32 *code_hash, struct bytes program, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 key;
    AUTO_CLEAR(buf) struct buf file = {0};
    AUTO_FREE char *path = NULL;
    struct bytes elf, salt;
    uint8_t aad[52], *at;

    TRY(code_split(program, &elf, &salt, e));
    path = kept_path(c, contract, code_hash, salt.n == 0);
    if (file_exists(path))
        return RC_OK;
    kept_key(&key, c);
    kept_aad(aad, contract, code_hash, salt.n == 0);
    at = buf_extend(&file, program.n + KEPT_OVERHEAD);
    random_bytes(at, AEAD_NONCE_SIZE);
    aead_seal(AEAD_AES_256_GCM, at + AEAD_NONCE_SIZE, key.b, at, BYTES_OF(&aad), program);
    return file_write_atomic(path, buf_bytes(&file), 0600, e);
}

/* What does not open is removed. */
static enum rc read_kept(struct secbuf *out, const struct cluster *c,
                         const struct address *contract, const struct hash32 *code_hash,
                         bool is_public, struct err *e)
{
    AUTO_CLEAR(secret32) struct secret32 key;
    AUTO_CLEAR(buf) struct buf file = {0};
    AUTO_FREE char *path = kept_path(c, contract, code_hash, is_public);
    uint8_t aad[52];
    struct hash32 h;
    enum rc rc = file_read(&file, path, CLUSTER_CODE_MAX + KEPT_OVERHEAD, e);

    if (rc != RC_OK && rc != RC_LIMIT)
        return rc;
    kept_key(&key, c);
    kept_aad(aad, contract, code_hash, is_public);
    if (rc == RC_OK && file.n >= KEPT_OVERHEAD &&
        aead_open(AEAD_AES_256_GCM, secbuf_extend(out, file.n - KEPT_OVERHEAD), key.b, file.p,
                  BYTES_OF(&aad), bytes_of(file.p + AEAD_NONCE_SIZE, file.n - AEAD_NONCE_SIZE),
                  NULL) == RC_OK) {
        keccak256(&h, secbuf_bytes(out));
        if (hash32_eq(&h, code_hash))
            return RC_OK;
    }
    secbuf_reset(out);
    TRY(file_remove(path, e));
    return err_set(e, RC_NOTFOUND, "%s was damaged, or another worker's", path);
}

enum rc cluster_read_code(struct secbuf *out, const struct cluster *c,
                          const struct address *contract, const struct hash32 *code_hash,
                          struct err *e)
{
    enum rc rc = read_kept(out, c, contract, code_hash, false, e);

    return rc == RC_NOTFOUND ? read_kept(out, c, contract, code_hash, true, e) : rc;
}

enum rc cluster_put_code(struct cluster *c, const struct address *contract, struct bytes program,
                         struct hash32 *code_hash, struct err *e)
{
    TRY(runtime_put_code(c->runtime, program, code_hash, e));
    return keep(c, contract, code_hash, program, e);
}

/* ---- from the store ---- */

static enum rc open_sealed(struct cluster *c, struct secbuf *out, const struct address *contract,
                           const struct hash32 *code_hash, struct bytes file, uint64_t newest_epoch,
                           struct err *e)
{
    struct code_context context = {.chain_id = c->w->chain_id,
                                   .genesis = c->genesis,
                                   .cluster = c->id,
                                   .contract = *contract,
                                   .code_hash = *code_hash};
    const struct contract_keys *keys;

    TRY(code_file_epoch(&context.epoch, file, e));
    /* Keepers are not bothered with what cannot be. */
    if (context.epoch == 0 || context.epoch > newest_epoch)
        return err_set(e, RC_DENIED, "encrypted code: sealed for epoch %llu, it is %llu now",
                       (unsigned long long)context.epoch, (unsigned long long)newest_epoch);
    TRY(keyring_get(c->keys, &keys, contract, context.epoch, CLUSTER_KEY_WAIT_MS, e));
    return code_open(out, &context, &keys->receive, file, e);
}

static enum rc fetch(struct cluster *c, struct buf *out, struct bytes url, uint64_t max,
                     const atomic_bool *stop, struct err *e)
{
    struct store_client *store;
    struct cid cid;
    enum rc rc;

    TRY(cid_parse_url(&cid, NULL, url, e));
    TRY(worker_store_take(c->w, &store, stop, e));
    rc = store_client_cat_bytes(store, out, &cid, max, e);
    worker_store_give_back(c->w, store);
    if (rc == RC_OK)
        return RC_OK;
    return err_wrap(e, rc == RC_LIMIT ? RC_DENIED : RC_AGAIN, "code of a contract, %.*s",
                    (int)url.n, (const char *)url.p);
}

/* What is at the URL, opened, and found to be what the chain names. */
static enum rc fetch_program(struct cluster *c, struct secbuf *out, const struct address *contract,
                             const struct hash32 *code_hash, const char *url_text,
                             uint64_t newest_epoch, const atomic_bool *stop, struct err *e)
{
    AUTO_CLEAR(buf) struct buf file = {0};
    struct hash32 h;
    struct bytes url;
    bool is_sealed = code_url_is_sealed(&url, bytes_str(url_text));

    TRY(fetch(c, &file, url, is_sealed ? CODE_FILE_MAX : CLUSTER_CODE_MAX, stop, e));
    if (is_sealed)
        TRY(open_sealed(c, out, contract, code_hash, buf_bytes(&file), newest_epoch, e));
    else
        secbuf_put_bytes(out, buf_bytes(&file));
    keccak256(&h, secbuf_bytes(out));
    return hash32_eq(&h, code_hash) ? RC_OK
                                    : err_set(e, RC_DENIED, "the code is not what the chain names");
}

enum rc cluster_keep_code(struct cluster *c, const struct address *contract,
                          const struct hash32 *code_hash, const char *url, uint64_t newest_epoch,
                          const atomic_bool *stop, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf program = {0};

    TRY(fetch_program(c, &program, contract, code_hash, url, newest_epoch, stop, e));
    return keep(c, contract, code_hash, secbuf_bytes(&program), e);
}

/* What the runtime does not take is not kept. */
static enum rc put_kept(struct cluster *c, const struct address *contract, struct bytes program,
                        const struct hash32 *code_hash, struct err *e)
{
    struct hash32 h;
    enum rc rc = runtime_put_code(c->runtime, program, &h, e);

    for (unsigned is_public = 0;
         is_public < 2 && (rc == RC_MALFORMED || rc == RC_UNSUPPORTED || rc == RC_LIMIT);
         is_public++) {
        AUTO_FREE char *path = kept_path(c, contract, code_hash, is_public != 0);

        (void)!file_remove(path, NULL);
    }
    return rc;
}

enum rc cluster_fetch_code(struct cluster *c, const struct address *contract,
                           const struct hash32 *code_hash, uint64_t min_height, struct err *e)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(secbuf) struct secbuf program = {0};
    struct contract_view view;
    struct hash32 h;
    const char *url;
    enum rc rc = cluster_read_code(&program, c, contract, code_hash, e);

    if (rc != RC_NOTFOUND)
        return rc == RC_OK ? put_kept(c, contract, secbuf_bytes(&program), code_hash, e) : rc;
    TRY(view_contract(c->w, &view, &a, contract, min_height, e));
    url = hash32_eq(&view.wanted_code_hash, code_hash) ? view.wanted_url : view.code_url;
    TRY(fetch_program(c, &program, contract, code_hash, url, c->seen_epoch, &c->stopping, e));
    return cluster_put_code(c, contract, secbuf_bytes(&program), &h, e);
}

/* Whoever wrote a state file may have left code out. */
enum rc cluster_need_code(struct cluster *c, const struct state_change *changes, size_t n,
                          uint64_t min_height, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        const struct known_contract *known;
        struct address address;
        struct account acc;

        if (changes[i].key.n != 21 || changes[i].key.p[0] != STATE_ACCOUNT)
            continue;
        memcpy(address.b, changes[i].key.p + 1, sizeof(address.b));
        TRY(account_decode(&acc, changes[i].value, e));
        known = cluster_known(c, &address);
        if (!account_has_code(&acc) ||
            (known != NULL && hash32_eq(&known->code_hash, &acc.code_hash)))
            continue;
        TRY(cluster_fetch_code(c, &address, &acc.code_hash, min_height, e));
    }
    return RC_OK;
}
