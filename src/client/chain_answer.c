/* What a chain's node answers, read. */
#include "base/hex.h"
#include "chain/abi_sig.h"
#include "client/contract_errors.h"
#include "client/internal/answer.h"
#include "codec/json.h"

#define LOGS_MAX 100000

/* A JSON-RPC error object as ours. */
static enum rc rpc_error(const json_t *error, const char *method, struct buf *error_data,
                         struct err *e)
{
    const char *text = json_string_value(json_object_get(error, "message"));
    const char *data = json_string_value(json_object_get(error, "data"));
    json_int_t code = json_integer_value(json_object_get(error, "code"));
    AUTO_CLEAR(buf) struct buf revert = {0};

    if (text == NULL)
        text = "no message";
    if (data != NULL && hex_decode(&revert, bytes_str(data), CHAIN_ANSWER_MAX, NULL) != RC_OK)
        buf_reset(&revert);
    if (error_data != NULL)
        buf_put_bytes(error_data, buf_bytes(&revert));
    if (code == 3) {
        const struct contract_error known = {contract_error_signature(buf_bytes(&revert))};
        AUTO_CLEAR(buf) struct buf why = {0};

        contract_error_text(&why, buf_bytes(&revert), &known, known.signature == NULL ? 0 : 1);
        return err_set(e, RC_DENIED, "reverted: %s", buf_cstr(&why));
    }
    return err_set(e, code == -32601 ? RC_UNSUPPORTED : RC_MALFORMED, "%s: %s (code %lld)", method,
                   text, (long long)code);
}

enum rc answer_result(json_t **result, const json_t *answer, const char *url, const char *method,
                      struct buf *error_data, struct err *e)
{
    json_t *member = json_object_get(answer, "error");

    if (member != NULL && !json_is_null(member))
        return rpc_error(member, method, error_data, e);
    member = json_object_get(answer, "result");
    if (member == NULL)
        return err_set(e, RC_MALFORMED, "chain node %s: answer to %s has no result", url, method);
    *result = json_incref(member);
    return RC_OK;
}

void answer_batch(struct chain_request *list, size_t n, const json_t *answers, uint64_t first,
                  const char *url)
{
    size_t i;
    const json_t *answer;

    for (size_t k = 0; k < n; k++)
        list[k].rc = err_set(&list[k].err, RC_MALFORMED,
                             "chain node %s: no answer to %s in a batch", url, list[k].method);
    json_array_foreach(answers, i, answer)
    {
        const json_t *id = json_object_get(answer, "id");
        uint64_t at = (uint64_t)json_integer_value(id) - first;

        if (json_is_integer(id) && at < n && list[at].result == NULL)
            list[at].rc =
                answer_result(&list[at].result, answer, url, list[at].method, NULL, &list[at].err);
    }
}

static enum rc log_read(struct chain_log *out, struct arena *a, const json_t *v, struct err *e)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    json_t *topics;

    *out = (struct chain_log){0};
    TRY(json_hex_fixed(out->address.b, 20, v, "address", e));
    TRY(json_arr(&topics, v, "topics", 4, e));
    out->n_topics = json_array_size(topics);
    for (size_t i = 0; i < out->n_topics; i++)
        TRY(json_value_hex_fixed(out->topics[i].b, 32, json_array_get(topics, i), "topic", e));
    TRY(json_hex(&data, v, "data", CHAIN_ANSWER_MAX, e));
    out->data = arena_dup(a, buf_bytes(&data));
    TRY(json_u64(&out->height, v, "blockNumber", UINT64_MAX, e));
    return json_hex_fixed(out->tx_hash.b, 32, v, "transactionHash", e);
}

enum rc answer_logs(struct chain_log **out, size_t *n, struct arena *a, const json_t *list,
                    struct err *e)
{
    *out = NULL;
    *n = 0;
    if (!json_is_array(list) || json_array_size(list) > LOGS_MAX)
        return err_set(e, RC_MALFORMED, "logs: not an array of at most %d", LOGS_MAX);
    *out = arena_array(a, json_array_size(list), sizeof(**out));
    for (; *n < json_array_size(list); (*n)++)
        TRY(log_read(&(*out)[*n], a, json_array_get(list, *n), e));
    return RC_OK;
}

enum rc answer_receipt(struct chain_receipt *out, struct arena *a, const json_t *r, struct err *e)
{
    uint64_t status;

    TRY(json_u64(&status, r, "status", 1, e));
    TRY(json_u64(&out->height, r, "blockNumber", UINT64_MAX, e));
    TRY(json_u64(&out->gas_used, r, "gasUsed", UINT64_MAX, e));
    if (json_is_string(json_object_get(r, "contractAddress")))
        TRY(json_hex_fixed(out->contract.b, 20, r, "contractAddress", e));
    out->ok = status == 1;
    return answer_logs(&out->logs, &out->n_logs, a, json_object_get(r, "logs"), e);
}

const struct chain_log *chain_receipt_find(const struct chain_receipt *r,
                                           const struct address *contract,
                                           const struct hash32 *topic0)
{
    for (size_t i = 0; i < r->n_logs; i++)
        if (address_eq(&r->logs[i].address, contract) && r->logs[i].n_topics > 0 &&
            hash32_eq(&r->logs[i].topics[0], topic0))
            return &r->logs[i];
    return NULL;
}
