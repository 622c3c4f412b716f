#include "worker/proof/document.h"

#include "base/hex.h"
#include "chain/address.h"
#include "chain/eip712.h"
#include "codec/json.h"
#include "crypto/hash.h"

static void set(json_t *o, const char *key, json_t *v)
{
    CHECK(json_object_set_new(o, key, v) == 0);
}

static json_t *int_of(uint64_t v)
{
    return json_integer((json_int_t)v);
}

static json_t *address_text(const struct address *a)
{
    char text[ADDRESS_TEXT_SIZE];

    address_format(text, a);
    return json_string(text);
}

static json_t *hex_text(const struct hash32 *h)
{
    char text[65];

    hex_encode(text, BYTES_OF(h));
    return json_string(text);
}

static json_t *part(unsigned thousandths)
{
    return json_real((double)thousandths / RESULTS_SCALE);
}

static json_t *subject(const struct document_input *in)
{
    json_t *o = json_object();

    set(o, "file_id", int_of(in->file_id));
    set(o, "url", json_string(in->file_url));
    set(o, "owner_address", address_text(&in->owner));
    set(o, "decrypted_file_checksum", hex_text(&in->decrypted_sha256));
    set(o, "encrypted_file_checksum", hex_text(&in->encrypted_sha256));
    set(o, "encryption_seed", json_string(in->seed != NULL ? in->seed : ""));
    return o;
}

static json_t *prover(const struct document_input *in)
{
    json_t *o = json_object();

    set(o, "type", json_string("satya"));
    set(o, "address", address_text(&in->signer));
    set(o, "url", json_string(in->worker_url));
    return o;
}

static json_t *proof(const struct document_input *in)
{
    const struct results *r = in->results;
    json_t *o = json_object();

    set(o, "image_url", json_string(in->instruction));
    set(o, "created_at", int_of(in->created_s));
    set(o, "duration", json_real((double)in->duration_ms / 1000));
    set(o, "dlp_id", int_of(r->dlp_id));
    set(o, "valid", json_boolean(r->valid));
    set(o, "score", part(r->score));
    set(o, "authenticity", part(r->authenticity));
    set(o, "ownership", part(r->ownership));
    set(o, "quality", part(r->quality));
    set(o, "uniqueness", part(r->uniqueness));
    set(o, "attributes", json_incref(r->attributes));
    set(o, "metadata", json_incref(r->metadata));
    return o;
}

static json_t *cloister(const struct document_input *in, struct bytes signed_text,
                        const struct secp_key *key)
{
    json_t *o = json_object();
    struct hash32 evidence, domain, hash, digest;
    struct secp_sig sig;
    struct eip712 h;

    keccak256(&evidence, signed_text);
    eip712_domain(&domain, "Cloister", "1", in->chain_id, &in->tee_pool);
    eip712_begin(&h, "ContributionProof(uint256 jobId,uint256 fileId,uint256 dlpId,bytes32 "
                     "evidenceHash)");
    eip712_u64(&h, in->job_id);
    eip712_u64(&h, in->file_id);
    eip712_u64(&h, in->results->dlp_id);
    eip712_hash(&h, &evidence);
    eip712_end(&hash, &h);
    eip712_digest(&digest, &domain, &hash);
    secp_sign(&sig, key, &digest);
    set(o, "chain_id", int_of(in->chain_id));
    set(o, "tee_pool", address_text(&in->tee_pool));
    set(o, "job_id", int_of(in->job_id));
    set(o, "evidence_hash", json_hex_new(BYTES_OF(&evidence)));
    set(o, "consent", json_string(in->consent));
    set(o, "validator_pinned", json_boolean(in->pinned));
    set(o, "isolation", json_string(in->validator_limits));
    set(o, "attestation", json_string(in->attestation));
    set(o, "signature", json_hex_new(BYTES_OF(&sig)));
    return o;
}

void document_encode(struct buf *out, const struct document_input *in, const struct secp_key *key)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    json_auto_t *doc = json_object();
    json_t *fields = json_object();
    struct secp_sig sig;

    set(fields, "subject", subject(in));
    set(fields, "prover", prover(in));
    set(fields, "proof", proof(in));
    json_python_dumps(&text, fields);
    personal_sign(&sig, key, buf_bytes(&text));
    set(doc, "signed_fields", fields);
    set(doc, "signature", json_hex_new(BYTES_OF(&sig)));
    set(doc, "cloister", cloister(in, buf_bytes(&text), key));
    json_python_dumps(out, doc);
}
