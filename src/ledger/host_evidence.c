/* Host calls about attestation: the guest's request, and the answer into its memory. */
#include "ledger/evidence.h"
#include "ledger/internal/exec.h"
#include "sdk/hostcall.h"

static bool read_words(struct frame *f, uint64_t at, uint64_t *words, size_t n)
{
    uint8_t raw[8 * HOST_EVIDENCE_REQUEST_WORDS];

    if (!vm_mem_read(f->vm, at, raw, 8 * n))
        return false;
    for (size_t i = 0; i < n; i++)
        words[i] = load_u64le(raw + 8 * i);
    return true;
}

static bool piece(struct frame *f, struct bytes *out, const uint64_t words[2])
{
    *out = (struct bytes){0};
    return words[1] == 0 || vm_mem_view(f->vm, words[0], words[1], out);
}

/* Address, number and vendors. *ok false: no such request. */
static bool read_roots(struct frame *f, const uint64_t words[3],
                       struct hash32 given[HOST_EVIDENCE_ROOTS_MAX], struct attest_roots *out,
                       bool *ok)
{
    *ok = words[1] <= HOST_EVIDENCE_ROOTS_MAX && words[2] <= 1;
    if (!*ok)
        return true;
    *out = (struct attest_roots){words[2] == 1, given, (size_t)words[1]};
    return words[1] == 0 || vm_mem_read(f->vm, words[0], given, words[1] * sizeof(struct hash32));
}

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

enum vm_host_action host_verify_collateral(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    uint64_t words[HOST_COLLATERAL_REQUEST_WORDS];
    struct hash32 given[HOST_EVIDENCE_ROOTS_MAX];
    AUTO_CLEAR(buf) struct buf out = {0};
    struct attest_roots roots;
    struct bytes json;
    bool ok;

    if (!read_words(f, a[0], words, ARRAY_LEN(words)))
        return frame_bad_pointer(f);
    if (!host_pay(f, HOST_VERIFY_COLLATERAL, words[1]))
        return VM_HOST_OUT_OF_GAS;
    if (!piece(f, &json, words) || !read_roots(f, words + 2, given, &roots, &ok))
        return frame_bad_pointer(f);
    *result = (uint64_t)-HOST_EINVAL;
    if (!ok)
        return VM_HOST_CONTINUE;
    evidence_collateral(executor_evidence(f->run->x), json, &roots, &out);
    *result = 0;
    return vm_mem_write(f->vm, a[1], buf_bytes(&out)) ? VM_HOST_CONTINUE : frame_bad_pointer(f);
}

enum vm_host_action host_verify_evidence(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    uint64_t words[HOST_EVIDENCE_REQUEST_WORDS], n;
    struct hash32 given[HOST_EVIDENCE_ROOTS_MAX];
    AUTO_CLEAR(buf) struct buf record = {0};
    struct evidence_request r;
    bool ok;

    if (!read_words(f, a[0], words, ARRAY_LEN(words)))
        return frame_bad_pointer(f);
    if (!host_pay(f, HOST_VERIFY_EVIDENCE, sum(sum(words[1], words[3]), words[5])))
        return VM_HOST_OUT_OF_GAS;
    if (!piece(f, &r.evidence, words) || !piece(f, &r.collateral, words + 2) ||
        !piece(f, &r.policy, words + 4) || !read_roots(f, words + 6, given, &r.roots, &ok))
        return frame_bad_pointer(f);
    r.now = words[9];
    *result = (uint64_t)-HOST_EINVAL;
    if (!ok || !evidence_judge(executor_evidence(f->run->x), &r, &record))
        return VM_HOST_CONTINUE;
    *result = record.n;
    n = record.n < a[2] ? record.n : a[2];
    return vm_mem_write(f->vm, a[1], bytes_of(record.p, (size_t)n)) ? VM_HOST_CONTINUE
                                                                    : frame_bad_pointer(f);
}
