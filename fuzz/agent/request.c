/* Calls of the guest agent: the first byte chooses the method and the form. Whatever comes is
 * arguments within the limits, or an error; texts are never NULL where it succeeds. */
#include "agent/internal/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(agent_request) struct agent_request r = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    enum agent_method m = METHOD_GET_KEY;
    enum rc rc;

    if (size == 0)
        return 0;
    buf_put(&text, data + 1, size - 1);
    if (agent_method_find(&m, buf_cstr(&text), NULL) != RC_OK)
        m = (enum agent_method)((data[0] >> 1) % N_METHODS);
    rc = data[0] & 1 ? agent_request_query(&r, m, buf_cstr(&text), NULL)
                     : agent_request_json(&r, m, buf_bytes(&text), NULL);
    if (rc != RC_OK)
        return 0;
    CHECK(strlen(r.path) <= REQUEST_TEXT_MAX && strlen(r.purpose) <= REQUEST_TEXT_MAX);
    CHECK(strlen(r.event) <= REQUEST_TEXT_MAX && strlen(r.subject) <= REQUEST_TEXT_MAX);
    CHECK(strlen(r.prefix) <= REQUEST_TEXT_MAX && strlen(r.algorithm) <= REQUEST_ALGORITHM_MAX);
    CHECK(r.names_n <= REQUEST_NAMES_MAX && r.signature.n <= 65 && r.public_key.n <= 65);
    CHECK(m == METHOD_TAPPD_TDX_QUOTE || r.report_data.n <= 64);
    return 0;
}
