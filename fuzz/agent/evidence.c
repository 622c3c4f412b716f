/* What the platform gives the guest agent: a quote (up to the first byte 0xff), an event log. */
#include "agent/internal/agent.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t report_data[64] = {1};
    AUTO_CLEAR(tee_evidence) struct tee_evidence v = {0};
    AUTO_CLEAR(buf) struct buf out = {0};
    struct agent_measures m;
    struct err e;
    size_t n = 0;

    while (n < size && data[n] != 0xff)
        n++;
    (void)!agent_measures_read(&m, bytes_of(data, n), &e);
    buf_put(&v.quote, data, n);
    if (n < size)
        buf_put(&v.event_log, data + n + 1, size - n - 1);
    (void)!agent_attestation(&out, &v, report_data, "{}", &e);
    return 0;
}
