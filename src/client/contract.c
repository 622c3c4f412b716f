#include "client/contract.h"

#include "base/hex.h"
#include "chain/abi_sig.h"
#include "codec/json.h"

/* What the call of `sig` gave. */
static enum rc read_result(struct abi_value *out, struct arena *a, const struct abi_signature *sig,
                           enum rc rc, const struct buf *result, struct err *e)
{
    if (rc != RC_OK)
        return err_wrap(e, rc, "%.*s", (int)sig->name.n, (const char *)sig->name.p);
    if (sig->results == NULL)
        return RC_OK;
    if (result->n == 0 && sig->results->n_fields != 0)
        return err_set(e, RC_NOTFOUND, "%.*s: the address has no such contract (empty answer)",
                       (int)sig->name.n, (const char *)sig->name.p);
    return abi_decode(out, a, sig->results, arena_dup(a, buf_bytes(result)), e);
}

enum rc contract_read(struct chain_client *c, struct arena *a, struct abi_value *out,
                      const struct address *to, const char *signature, const char *const *args,
                      size_t n_args, struct err *e)
{
    AUTO_CLEAR(buf) struct buf calldata = {0};
    AUTO_CLEAR(buf) struct buf result = {0};
    struct abi_signature sig;
    enum rc rc;

    *out = (struct abi_value){0};
    TRY(abi_signature_parse(&sig, a, bytes_str(signature), e));
    TRY(abi_calldata(&calldata, bytes_str(signature), args, n_args, e));
    rc = chain_call(c, &result, NULL, to, buf_bytes(&calldata), CHAIN_LATEST, e);
    return read_result(out, a, &sig, rc, &result, e);
}

static enum rc read_answers(struct arena *a, struct abi_value *out, const char *const *signatures,
                            const struct chain_request *r, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        AUTO_CLEAR(buf) struct buf result = {0};
        struct abi_signature sig;
        enum rc rc;

        TRY(abi_signature_parse(&sig, a, bytes_str(signatures[i]), e));
        rc = chain_request_data(&result, &r[i], e);
        TRY(read_result(&out[i], a, &sig, rc, &result, e));
    }
    return RC_OK;
}

enum rc contract_read_all(struct chain_client *c, struct arena *a, struct abi_value *out,
                          const struct address *to, const char *const *signatures, size_t n,
                          struct err *e)
{
    struct chain_request r[CONTRACT_READ_MAX] = {{0}};
    enum rc rc = RC_OK;

    CHECK(n <= CONTRACT_READ_MAX);
    memset(out, 0, n * sizeof(*out));
    for (size_t i = 0; i < n && rc == RC_OK; i++) {
        AUTO_CLEAR(buf) struct buf calldata = {0};

        rc = abi_calldata(&calldata, bytes_str(signatures[i]), NULL, 0, e);
        if (rc == RC_OK)
            r[i] = chain_call_request(NULL, to, buf_bytes(&calldata), CHAIN_LATEST);
    }
    if (rc == RC_OK)
        rc = chain_rpc_batch(c, r, n, e);
    if (rc == RC_OK)
        rc = read_answers(a, out, signatures, r, n, e);
    for (size_t i = 0; i < n; i++)
        chain_request_clear(&r[i]);
    return rc;
}

enum rc contract_write(struct chain_client *c, struct chain_receipt *out, struct arena *a,
                       const struct secp_key *key, const struct address *to, const char *signature,
                       const char *const *args, size_t n_args, const struct u256 *value,
                       struct err *e)
{
    AUTO_CLEAR(buf) struct buf calldata = {0};
    struct chain_send send = {.to = to, .value = value == NULL ? U256_ZERO : *value};
    const char *end = strchr(signature, '(');
    enum rc rc;

    *out = (struct chain_receipt){0};
    TRY(abi_calldata(&calldata, bytes_str(signature), args, n_args, e));
    send.data = buf_bytes(&calldata);
    rc = chain_transact(c, out, a, key, &send, e);
    return rc == RC_OK || end == NULL ? rc
                                      : err_wrap(e, rc, "%.*s", (int)(end - signature), signature);
}

struct hash32 contract_topic(const char *signature)
{
    struct hash32 t = {0};

    CHECK(abi_topic(&t, bytes_str(signature), NULL) == RC_OK);
    return t;
}

const struct abi_value *value_item(const struct abi_value *tuple, size_t i)
{
    CHECK(i < tuple->n_items);
    return &tuple->items[i];
}

struct u256 value_u256(const struct abi_value *tuple, size_t i)
{
    return u256_from_be(value_item(tuple, i)->word.b);
}

uint64_t value_u64(const struct abi_value *tuple, size_t i)
{
    struct u256 v = value_u256(tuple, i);
    uint64_t n;

    return u256_to_u64(&v, &n) ? n : UINT64_MAX;
}

struct address value_address(const struct abi_value *tuple, size_t i)
{
    struct address a;

    memcpy(a.b, value_item(tuple, i)->word.b + 12, sizeof(a.b));
    return a;
}

struct bytes value_bytes(const struct abi_value *tuple, size_t i)
{
    return value_item(tuple, i)->data;
}

char *value_str(struct arena *a, const struct abi_value *tuple, size_t i)
{
    return arena_strdup(a, value_bytes(tuple, i));
}

char *contract_arg_u64(struct arena *a, uint64_t v)
{
    struct u256 wide = u256_from_u64(v);

    return contract_arg_u256(a, &wide);
}

char *contract_arg_u256(struct arena *a, const struct u256 *v)
{
    char text[U256_DEC_SIZE];

    u256_to_dec(text, v);
    return arena_strdup(a, bytes_str(text));
}

char *contract_arg_address(struct arena *a, const struct address *v)
{
    char *text = arena_alloc(a, 43);

    memcpy(text, "0x", 2);
    hex_encode(text + 2, BYTES_OF(v));
    return text;
}

char *contract_arg_str(struct arena *a, struct bytes text)
{
    AUTO_CLEAR(buf) struct buf quoted = {0};
    json_auto_t *v = json_stringn((const char *)text.p, text.n);

    CHECK(v != NULL); /* callers give UTF-8 */
    json_put(&quoted, v);
    return arena_strdup(a, buf_bytes(&quoted));
}
