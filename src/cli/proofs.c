/* file, job, proof: look at what the chain says, and check it. */
#include "base/hex.h"
#include "chain/address.h"
#include "chain/contribution.h"
#include "chain/eip712.h"
#include "cli/internal/commands.h"
#include "cli/internal/proved.h"
#include "crypto/hash.h"

#include <stdio.h>

#define DOCUMENT_MAX ((size_t)1 << 20) /* bytes of an attestation document */

/* ---- file ---- */

struct file_info {
    uint64_t id, height;
    struct address owner;
    const char *url;
};

static enum rc read_file_info(struct cli *cli, struct file_info *out, uint64_t id, struct err *e)
{
    st_file f;

    *out = (struct file_info){0};
    TRY(cli_read_file(cli, &f, id, e));
    out->id = id;
    out->owner = f.owner;
    out->height = f.added_at_block;
    return cli_state_text(cli, &out->url, f.url, e);
}

static enum rc file_command(struct cli *cli, struct err *e)
{
    struct file_info f;
    uint64_t id, n_proofs, *job_ids;
    json_t *jobs = json_array();
    size_t n_jobs;

    TRY(cli_number(&id, cli->args[0], "file", UINT64_MAX, e));
    TRY(read_file_info(cli, &f, id, e));
    TRY(cli_read_proofs_count(cli, &n_proofs, id, e));
    TRY(cli_read_file_jobs(cli, &job_ids, &n_jobs, id, e));
    cli_field(cli, "file", "%llu", (unsigned long long)id);
    cli_field(cli, "owner", "%s", cli_addr_text(cli, &f.owner));
    cli_field(cli, "url", "%s", f.url);
    cli_field(cli, "registered", "block %llu", (unsigned long long)f.height);
    for (size_t i = 0; i < n_jobs; i++) {
        cli_field(cli, "job", "%llu", (unsigned long long)job_ids[i]);
        CHECK(json_array_append_new(jobs, json_integer((json_int_t)job_ids[i])) == 0);
    }
    cli_field(cli, "proofs", "%llu", (unsigned long long)n_proofs);
    cli_json(cli, json_pack("{s:I, s:s, s:s, s:I, s:o, s:I}", "file", (json_int_t)id, "owner",
                            cli_addr_text(cli, &f.owner), "url", f.url, "height",
                            (json_int_t)f.height, "jobs", jobs, "proofs", (json_int_t)n_proofs));
    return RC_OK;
}

const struct cli_command CLI_FILE = {
    .name = "file",
    .args = "FILE_ID",
    .summary = "a registered file: owner, place, jobs, proofs",
    .fn = file_command,
    .min_args = 1,
    .max_args = 1,
};

/* ---- job ---- */

static const char *job_status(uint64_t status)
{
    static const char *const names[] = {"none", "submitted", "completed", "canceled"};

    return status < ARRAY_LEN(names) ? names[status] : "unknown";
}

static enum rc job_command(struct cli *cli, struct err *e)
{
    uint64_t id, file = 0;
    st_job job;

    TRY(cli_number(&id, cli->args[0], "job", UINT64_MAX, e));
    TRY(cli_read_job(cli, &job, id, e));
    if (!u256_to_u64(&job.file_id, &file))
        return err_set(e, RC_RANGE, "file number above 64 bits");
    cli_field(cli, "job", "%llu", (unsigned long long)id);
    cli_field(cli, "status", "%s", job_status(job.status));
    cli_field(cli, "file", "%llu", (unsigned long long)file);
    cli_field(cli, "bid", "%s", cli_amount_text(cli, &job.bid));
    cli_field(cli, "asked by", "%s", cli_addr_text(cli, &job.owner));
    cli_field(cli, "worker", "%s",
              address_is_zero(&job.tee) ? "none yet" : cli_addr_text(cli, &job.tee));
    cli_json(cli,
             json_pack("{s:I, s:s, s:I, s:s, s:s, s:s, s:I}", "job", (json_int_t)id, "status",
                       job_status(job.status), "file", (json_int_t)file, "bid",
                       cli_amount_text(cli, &job.bid), "owner", cli_addr_text(cli, &job.owner),
                       "worker", cli_addr_text(cli, &job.tee), "added", (json_int_t)job.added_at));
    return RC_OK;
}

const struct cli_command CLI_JOB = {
    .name = "job",
    .args = "JOB_ID",
    .summary = "a validation job: status, worker, bid",
    .fn = job_command,
    .min_args = 1,
    .max_args = 1,
};

static enum rc job_cancel(struct cli *cli, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    struct chain_receipt receipt;
    struct address tee_pool;
    struct chain_client *c;
    uint64_t id;

    TRY(cli_number(&id, cli->args[0], "job", UINT64_MAX, e));
    TRY(cli_key(cli, &key, e));
    TRY(cli_contract(cli, &tee_pool, "TeePool", e));
    TRY(cli_chain(cli, &c, e));
    TRY(contract_write(c, &receipt, &cli->mem, &key, &tee_pool, "cancelJob(uint256)", cli->args, 1,
                       NULL, e));
    cli_print(cli, "job %llu is canceled, its bid refunded", (unsigned long long)id);
    cli_json(cli, json_pack("{s:I, s:s}", "job", (json_int_t)id, "transaction",
                            cli_hash_text(cli, &receipt.tx_hash)));
    return RC_OK;
}

const struct cli_command CLI_JOB_CANCEL = {
    .name = "job cancel",
    .args = "JOB_ID",
    .summary = "take back a job that no worker completed in time",
    .fn = job_cancel,
    .min_args = 1,
    .max_args = 1,
};

/* ---- proof ---- */

enum rc cli_proof(struct cli *cli, struct chain_proof *out, uint64_t file_id, uint64_t index,
                  struct err *e)
{
    const char *args[2] = {contract_arg_u64(&cli->mem, file_id),
                           contract_arg_u64(&cli->mem, index)};
    const struct abi_value *proof, *data;
    struct address registry;
    struct chain_client *c;
    struct abi_value v;

    TRY(cli_contract(cli, &registry, "DataRegistry", e));
    TRY(cli_chain(cli, &c, e));
    TRY(contract_read(c, &cli->mem, &v, &registry,
                      "fileProofs(uint256,uint256)((bytes,(uint256,uint256,string,string,string)))",
                      args, 2, e));
    proof = value_item(&v, 0);
    data = value_item(proof, 1);
    *out = (struct chain_proof){.signature = value_bytes(proof, 0),
                                .score = value_u256(data, 0),
                                .dlp_id = value_u256(data, 1),
                                .metadata = value_str(&cli->mem, data, 2),
                                .proof_url = value_str(&cli->mem, data, 3),
                                .instruction = value_str(&cli->mem, data, 4)};
    if (out->signature.n == 0)
        return err_set(e, RC_NOTFOUND, "file %llu has no proof %llu", (unsigned long long)file_id,
                       (unsigned long long)index);
    return RC_OK;
}

/* The same, proved. */
static enum rc proved_proof(struct cli *cli, struct chain_proof *out, uint64_t file_id,
                            uint64_t index, struct err *e)
{
    st_proof_entry p;

    *out = (struct chain_proof){0};
    TRY(cli_read_proof(cli, &p, file_id, index, e));
    out->signature = p.signature;
    out->score = p.score;
    out->dlp_id = p.dlp_id;
    TRY(cli_state_text(cli, &out->metadata, p.metadata, e));
    TRY(cli_state_text(cli, &out->proof_url, p.proof_url, e));
    return cli_state_text(cli, &out->instruction, p.instruction, e);
}

/* The arguments FILE_ID [PROOF]; without PROOF the newest. */
static enum rc proof_args(struct cli *cli, uint64_t *file_id, uint64_t *index, struct err *e)
{
    TRY(cli_number(file_id, cli->args[0], "file", UINT64_MAX, e));
    if (cli->n_args > 1)
        return cli_number(index, cli->args[1], "proof index", UINT64_MAX, e);
    TRY(cli_read_proofs_count(cli, index, *file_id, e));
    if (*index == 0)
        return err_set(e, RC_NOTFOUND, "file %llu has no proof yet", (unsigned long long)*file_id);
    return RC_OK;
}

static json_t *proof_json(struct cli *cli, uint64_t file_id, uint64_t index,
                          const struct chain_proof *p)
{
    AUTO_CLEAR(buf) struct buf sig = {0};
    char dlp[U256_DEC_SIZE];

    hex_put_0x(&sig, p->signature);
    u256_to_dec(dlp, &p->dlp_id);
    return json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s}", "file", (json_int_t)file_id,
                     "proof", (json_int_t)index, "score", cli_amount_text(cli, &p->score), "pool",
                     dlp, "metadata", p->metadata, "proof_url", p->proof_url, "validator",
                     p->instruction, "signature", buf_cstr(&sig));
}

/* Fetch the attestation document; from ipfs:// only, where its name proves its content. */
static enum rc document(struct cli *cli, json_t **out, const char *url, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct store_client *store;
    struct cid cid;

    if (cid_parse_url(&cid, NULL, bytes_str(url), e) != RC_OK)
        return err_wrap(e, RC_UNSUPPORTED, "proof document %s", url);
    TRY(cli_store(cli, &store, e));
    TRY(store_client_cat_bytes(store, &text, &cid, DOCUMENT_MAX, e));
    return json_parse(out, buf_bytes(&text), DOCUMENT_MAX, e);
}

static enum rc proof_show(struct cli *cli, struct err *e)
{
    json_auto_t *doc = NULL;
    struct chain_proof p;
    uint64_t file_id, index;
    char dlp[U256_DEC_SIZE];
    json_t *result;

    TRY(proof_args(cli, &file_id, &index, e));
    TRY(proved_proof(cli, &p, file_id, index, e));
    TRY(document(cli, &doc, p.proof_url, e));
    u256_to_dec(dlp, &p.dlp_id);
    cli_field(cli, "file", "%llu, proof %llu", (unsigned long long)file_id,
              (unsigned long long)index);
    cli_field(cli, "score", "%s", cli_amount_text(cli, &p.score));
    cli_field(cli, "pool", "%s", dlp);
    cli_field(cli, "validator", "%s", p.instruction);
    cli_field(cli, "metadata", "%s", p.metadata);
    cli_field(cli, "document", "%s", p.proof_url);
    if (!cli->json) {
        char *text = json_dumps(doc, JSON_INDENT(2) | JSON_SORT_KEYS);

        (void)printf("%s\n", text == NULL ? "" : text);
        free(text);
    }
    result = proof_json(cli, file_id, index, &p);
    CHECK(json_object_set(result, "document", doc) == 0);
    cli_json(cli, result);
    return RC_OK;
}

const struct cli_command CLI_PROOF_SHOW = {
    .name = "proof show",
    .args = "FILE_ID [PROOF]",
    .summary = "a proof of contribution and its attestation document",
    .fn = proof_show,
    .min_args = 1,
    .max_args = 2,
};

/* ---- verify ---- */

/* One thing checked; the first that fails is the error. */
static void checked(struct cli *cli, json_t *list, const char *what)
{
    cli_print(cli, "%s %s", cli->color ? "\033[32mok\033[0m" : "ok", what);
    CHECK(json_array_append_new(list, json_string(what)) == 0);
}

/* The signature in the registry is the proof signer's that the TEE pool recorded. */
static enum rc verify_chain(struct cli *cli, json_t *list, const struct file_info *f,
                            const struct chain_proof *p, uint64_t index, struct address *signer,
                            struct u256 *job, struct err *e)
{
    const struct proof_fields fields = {.file_url = bytes_str(f->url),
                                        .score = p->score,
                                        .dlp_id = p->dlp_id,
                                        .metadata = bytes_str(p->metadata),
                                        .proof_url = bytes_str(p->proof_url),
                                        .instruction = bytes_str(p->instruction)};
    struct hash32 digest;
    st_record record;

    checked(cli, list, "file and proof are in the chain's state, signed by its validators");
    if (p->signature.n != 65)
        return err_set(e, RC_DENIED, "signature on chain has %zu bytes, expected 65",
                       p->signature.n);
    proof_digest(&digest, &fields);
    TRY(secp_recover_address(signer, &digest, p->signature.p, SECP_S_LOW, e));
    checked(cli, list, "the proof's signature covers file, score, pool, metadata and validator");
    TRY(cli_read_record(cli, &record, f->id, index, e));
    if (!address_eq(&record.signer, signer))
        return err_set(e, RC_DENIED, "signed by %s, but the job was %s's",
                       cli_addr_text(cli, signer), cli_addr_text(cli, &record.signer));
    if (record.tee_status != TEE_ACTIVE)
        return err_set(e, RC_DENIED, "the worker was not in good standing when it added the proof");
    checked(cli, list, "the TEE pool recorded it from the worker assigned to the job");
    *job = record.job_id;
    return RC_OK;
}

/* The document says the same, and its own signature is the prover's. */
static enum rc verify_document(struct cli *cli, json_t *list, const struct file_info *f,
                               const struct chain_proof *p, const json_t *doc,
                               const struct address *signer, struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    const json_t *fields = json_object_get(doc, "signed_fields");
    const json_t *subject = json_object_get(fields, "subject");
    const json_t *proof = json_object_get(fields, "proof");
    struct address prover;
    struct hash32 digest;
    struct u256 rounded;
    uint8_t sig[65];
    uint64_t file_id;
    double score;
    const char *url;

    TRY(json_hex_fixed(sig, sizeof(sig), doc, "signature", e));
    json_python_dumps(&text, fields);
    personal_digest(&digest, buf_bytes(&text));
    TRY(secp_recover_address(&prover, &digest, sig, SECP_S_LOW, e));
    if (!address_eq(&prover, signer))
        return err_set(e, RC_DENIED, "the document is signed by %s, the proof by %s",
                       cli_addr_text(cli, &prover), cli_addr_text(cli, signer));
    checked(cli, list, "the attestation document is signed by the same prover");
    TRY(json_u64(&file_id, subject, "file_id", UINT64_MAX, e));
    TRY(json_str(&url, subject, "url", 4096, e));
    TRY(json_real_num(&score, proof, "score", e));
    rounded = u256_from_u64((uint64_t)(score * 1e6 + 0.5));
    {
        struct u256 q, r, scale = u256_from_u64(1000000000000U);

        if (!u256_divmod(&q, &r, &p->score, &scale) || u256_cmp(&q, &rounded) != 0)
            return err_set(e, RC_DENIED, "the document's score differs from the chain's");
    }
    if (file_id != f->id || strcmp(url, f->url) != 0)
        return err_set(e, RC_DENIED, "the document is about file %llu at %s",
                       (unsigned long long)file_id, url);
    checked(cli, list, "the document is about this file and has the chain's score");
    return RC_OK;
}

/* Our own signature beside Vana's form binds what that leaves out: chain, contract, job, pool. Only
 * workers of older networks have none. */
static enum rc verify_binding(struct cli *cli, json_t *list, const struct file_info *f,
                              const struct chain_proof *p, const struct u256 *job,
                              const json_t *doc, const struct address *signer, struct err *e)
{
    const json_t *ours = json_object_get(doc, "cloister");
    AUTO_CLEAR(buf) struct buf text = {0};
    struct hash32 evidence, domain, hash, digest;
    struct address tee_pool, prover;
    struct light_client *lc;
    struct eip712 h;
    uint8_t sig[65];

    if (!json_is_object(ours))
        return err_set(e, RC_DENIED,
                       "the document has no signature over chain, job and pool: it is an older "
                       "network's");
    TRY(json_hex_fixed(sig, sizeof(sig), ours, "signature", e));
    TRY(cli_contract(cli, &tee_pool, "TeePool", e));
    TRY(cli_light(cli, &lc, e));
    json_python_dumps(&text, json_object_get(doc, "signed_fields"));
    keccak256(&evidence, buf_bytes(&text));
    eip712_domain(&domain, "Cloister", "1", light_client_root(lc)->chain_id, &tee_pool);
    eip712_begin(&h, "ContributionProof(uint256 jobId,uint256 fileId,uint256 dlpId,bytes32 "
                     "evidenceHash)");
    eip712_u256(&h, job);
    eip712_u64(&h, f->id);
    eip712_u256(&h, &p->dlp_id);
    eip712_hash(&h, &evidence);
    eip712_end(&hash, &h);
    eip712_digest(&digest, &domain, &hash);
    TRY(secp_recover_address(&prover, &digest, sig, SECP_S_LOW, e));
    if (!address_eq(&prover, signer))
        return err_set(e, RC_DENIED,
                       "the document is not signed for this chain, job, file and pool");
    checked(cli, list, "the document is bound to this chain, job, file and pool");
    return RC_OK;
}

struct hashing {
    struct sha256_ctx ctx;
};

static enum rc hash_piece(void *data, struct bytes piece, struct err *e)
{
    struct hashing *h = data;

    (void)e;
    sha256_put(&h->ctx, piece);
    return RC_OK;
}

/* The ciphertext in the store is the one that was validated. */
static enum rc verify_ciphertext(struct cli *cli, json_t *list, const struct file_info *f,
                                 const json_t *doc, struct err *e)
{
    const json_t *subject = json_object_get(json_object_get(doc, "signed_fields"), "subject");
    struct store_client *store;
    struct hash32 want, got;
    struct hashing h;
    struct cid cid;

    TRY(json_hex_fixed(want.b, 32, subject, "encrypted_file_checksum", e));
    TRY(cid_parse_url(&cid, NULL, bytes_str(f->url), e));
    TRY(cli_store(cli, &store, e));
    sha256_init(&h.ctx);
    TRY(store_client_cat(store, &cid, 0, hash_piece, &h, e));
    sha256_final(&h.ctx, &got);
    if (!hash32_eq(&want, &got))
        return err_set(e, RC_DENIED, "the stored file's checksum differs from the document's");
    checked(cli, list, "the stored ciphertext is the one that was validated");
    return RC_OK;
}

static enum rc proof_verify(struct cli *cli, struct err *e)
{
    json_auto_t *doc = NULL;
    json_auto_t *list = json_array();
    struct chain_proof p;
    struct file_info f;
    struct address signer;
    struct u256 job;
    uint64_t file_id, index;
    json_t *result;

    TRY(proof_args(cli, &file_id, &index, e));
    TRY(read_file_info(cli, &f, file_id, e));
    TRY(proved_proof(cli, &p, file_id, index, e));
    TRY(verify_chain(cli, list, &f, &p, index, &signer, &job, e));
    TRY(document(cli, &doc, p.proof_url, e));
    TRY(verify_document(cli, list, &f, &p, doc, &signer, e));
    TRY(verify_binding(cli, list, &f, &p, &job, doc, &signer, e));
    TRY(verify_ciphertext(cli, list, &f, doc, e));
    cli_print(cli, "proof %llu of file %llu is verified (score %s, prover %s)",
              (unsigned long long)index, (unsigned long long)file_id,
              cli_amount_text(cli, &p.score), cli_addr_text(cli, &signer));
    result = proof_json(cli, file_id, index, &p);
    CHECK(json_object_update_new(result, json_pack("{s:b, s:s, s:O}", "verified", 1, "prover",
                                                   cli_addr_text(cli, &signer), "checked", list)) ==
          0);
    cli_json(cli, result);
    return RC_OK;
}

const struct cli_command CLI_PROOF_VERIFY = {
    .name = "proof verify",
    .args = "FILE_ID [PROOF]",
    .summary = "check a proof: signatures, record on chain, document, ciphertext",
    .details = "What is checked: that the chain's validators signed the state that is shown (the "
               "ledger node\n"
               "is not believed); the signature on chain and who made it; that the TEE pool "
               "assigned the job\n"
               "to that prover; the signature of the attestation document; that document, chain "
               "and stored\n"
               "ciphertext speak of the same file. Workers are admitted by role here: no hardware "
               "evidence\n"
               "stands behind a prover yet.",
    .fn = proof_verify,
    .min_args = 1,
    .max_args = 2,
};
