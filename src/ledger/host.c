/* Host calls of contracts: prices, dispatch, and those that need no state. Rules for all: the price
 * is taken before anything is looked at; a pointer that the program itself could not use traps;
 * other bad arguments give -HOST_E*. */
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/p256.h"
#include "crypto/ristretto.h"
#include "crypto/secp256k1.h"
#include "ledger/hostcost.h"
#include "ledger/internal/exec.h"
#include "sdk/hostcall.h"

uint64_t cost_of(uint64_t base, uint64_t per_32, uint64_t n)
{
    if (n > UINT32_MAX)
        return per_32 == 0 ? base : UINT64_MAX;
    return base + (n * per_32 + 31) / 32;
}

bool host_pay(struct frame *f, uint64_t number, uint64_t n)
{
    switch (number) {
#define PRICE(name, base, per_32)                                                                  \
    case name:                                                                                     \
        return vm_charge(f->vm, cost_of(base, per_32, n));
        HOST_COST_TABLE(PRICE)
#undef PRICE
    default:
        panic_(__FILE__, __LINE__, "a host call without a price");
    }
}

enum vm_host_action frame_bad_pointer(struct frame *f)
{
    return frame_trap(f, "bad pointer given to the host");
}

static enum vm_host_action put(struct frame *f, uint64_t addr, struct bytes src)
{
    if (!vm_mem_write(f->vm, addr, src))
        return frame_bad_pointer(f);
    return VM_HOST_CONTINUE;
}

static enum vm_host_action put_u256(struct frame *f, uint64_t addr, const struct u256 *v)
{
    uint8_t be[32];

    u256_to_be(be, v);
    return put(f, addr, BYTES_OF(&be));
}

/* (dst, offset, n) -> copied, from calldata or return data */
static enum vm_host_action read_from(struct frame *f, uint64_t number, struct bytes src,
                                     const uint64_t a[6], uint64_t *result)
{
    uint64_t off = a[1] < src.n ? a[1] : src.n;
    uint64_t n = a[2] < src.n - off ? a[2] : src.n - off;

    if (!host_pay(f, number, n))
        return VM_HOST_OUT_OF_GAS;
    *result = n;
    return n == 0 ? VM_HOST_CONTINUE : put(f, a[0], bytes_of(src.p + off, (size_t)n));
}

static enum vm_host_action context(struct frame *f, uint64_t number, const uint64_t a[6],
                                   uint64_t *result)
{
    const struct block_env *env = f->run->env;

    if (!host_pay(f, number, 0))
        return VM_HOST_OUT_OF_GAS;
    switch (number) {
    case HOST_CALLDATA_SIZE:
        *result = f->input.n;
        return VM_HOST_CONTINUE;
    case HOST_CALLER:
        return put(f, a[0], BYTES_OF(&f->caller));
    case HOST_ORIGIN:
        return put(f, a[0], BYTES_OF(&f->run->origin));
    case HOST_SELF:
        return put(f, a[0], BYTES_OF(&f->self));
    case HOST_VALUE:
        return put_u256(f, a[0], &f->value_wei);
    case HOST_HEIGHT:
        *result = env->height;
        return VM_HOST_CONTINUE;
    case HOST_TIME:
        *result = env->time_s;
        return VM_HOST_CONTINUE;
    case HOST_CHAIN_ID:
        *result = env->chain_id;
        return VM_HOST_CONTINUE;
    case HOST_GAS_LEFT:
        *result = vm_gas(f->vm) / LEDGER_GAS_UNITS;
        return VM_HOST_CONTINUE;
    case HOST_IS_STATIC:
        *result = f->is_static;
        return VM_HOST_CONTINUE;
    case HOST_PROFILE:
        *result = env->profile == NULL ? PROFILE_LEDGER : env->profile->kind;
        return VM_HOST_CONTINUE;
    case HOST_GENESIS_HASH:
        return put(f, a[0], BYTES_OF(&env->genesis_hash));
    case HOST_RETURNDATA_SIZE:
        *result = f->returned.n;
        return VM_HOST_CONTINUE;
    default:
        return frame_trap(f, "not a context call");
    }
}

/* (height, dst32) -> 0 or -HOST_ENOTFOUND. Block 0 is genesis and has no header. */
static enum vm_host_action block_hash(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    const struct block_env *env = f->run->env;
    struct hash32 hash;
    enum rc rc;

    if (!host_pay(f, HOST_BLOCK_HASH, 0))
        return VM_HOST_OUT_OF_GAS;
    *result = (uint64_t)-HOST_ENOTFOUND;
    if (env->profile != NULL || a[0] == 0 || a[0] >= env->height ||
        env->height - a[0] > LEDGER_HASHES)
        return VM_HOST_CONTINUE;
    rc = env->hashes.get(env->hashes.data, a[0], &hash, f->run->e);
    if (rc != RC_OK)
        return frame_fail(f, rc);
    *result = 0;
    return put(f, a[1], BYTES_OF(&hash));
}

/* ---- ending, memory ---- */

static enum vm_host_action finish(struct frame *f, uint64_t number, const uint64_t a[6])
{
    struct bytes data;

    if (!host_pay(f, number, a[1]))
        return VM_HOST_OUT_OF_GAS;
    if (a[1] > LEDGER_OUTPUT_MAX)
        return frame_trap(f, "returns more than a frame may");
    if (!vm_mem_view(f->vm, a[0], a[1], &data))
        return frame_bad_pointer(f);
    buf_reset(f->output);
    buf_put_bytes(f->output, data);
    f->code = number == HOST_RETURN ? TX_OK : TX_REVERTED;
    return VM_HOST_HALT;
}

static enum vm_host_action grow(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    uint64_t before = vm_memory_used(f->vm), addr, pages;

    if (!host_pay(f, HOST_GROW, 0))
        return VM_HOST_OUT_OF_GAS;
    *result = (uint64_t)-HOST_ELIMIT;
    if (a[0] > LEDGER_FRAME_MEMORY || f->run->memory_used + a[0] > LEDGER_TX_MEMORY)
        return VM_HOST_CONTINUE;
    /* Pages are paid first: at most one more than the bytes fill is begun. */
    if (vm_gas(f->vm) < (a[0] / VM_PAGE) * VM_COST_PAGE)
        return VM_HOST_OUT_OF_GAS;
    if (vm_grow(f->vm, a[0], &addr, &pages, NULL) != RC_OK)
        return VM_HOST_CONTINUE;
    f->memory_counted += vm_memory_used(f->vm) - before;
    f->run->memory_used += vm_memory_used(f->vm) - before;
    if (!vm_charge(f->vm, pages * VM_COST_PAGE))
        return VM_HOST_OUT_OF_GAS;
    *result = addr;
    return VM_HOST_CONTINUE;
}

static enum vm_host_action move_bytes(struct frame *f, uint64_t number, const uint64_t a[6],
                                      uint64_t *result)
{
    struct bytes src = {0}, other;
    uint8_t *dst = NULL;
    int c;

    if (!host_pay(f, number, a[2]))
        return VM_HOST_OUT_OF_GAS;
    if (a[2] == 0)
        return VM_HOST_CONTINUE;
    if (number != HOST_MEMSET && !vm_mem_view(f->vm, a[1], a[2], &src))
        return frame_bad_pointer(f);
    if (number == HOST_MEMCMP) {
        if (!vm_mem_view(f->vm, a[0], a[2], &other))
            return frame_bad_pointer(f);
        c = memcmp(other.p, src.p, src.n);
        *result = c < 0 ? UINT64_MAX : c > 0; /* the host's memcmp gives any size of sign */
        return VM_HOST_CONTINUE;
    }
    dst = vm_mem_view_mut(f->vm, a[0], a[2]);
    if (dst == NULL)
        return frame_bad_pointer(f);
    if (number == HOST_MEMSET)
        memset(dst, (int)(a[1] & 0xff), (size_t)a[2]);
    else
        memmove(dst, src.p, src.n);
    return VM_HOST_CONTINUE;
}

/* ---- hashes and signatures ---- */

static enum vm_host_action hash(struct frame *f, uint64_t number, const uint64_t a[6])
{
    struct bytes src;
    struct hash32 out;
    uint8_t wide[64];

    if (!host_pay(f, number, a[1]))
        return VM_HOST_OUT_OF_GAS;
    if (!vm_mem_view(f->vm, a[0], a[1], &src))
        return frame_bad_pointer(f);
    if (number == HOST_SHA512) {
        sha512(wide, src);
        return put(f, a[2], BYTES_OF(&wide));
    }
    if (number == HOST_KECCAK256)
        keccak256(&out, src);
    else
        sha256(&out, src);
    return put(f, a[2], BYTES_OF(&out));
}

static enum vm_host_action recover(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    struct hash32 digest;
    struct address who;
    uint8_t sig[65];

    if (!host_pay(f, HOST_ECRECOVER, 0))
        return VM_HOST_OUT_OF_GAS;
    if (!vm_mem_read(f->vm, a[0], &digest, sizeof(digest)) ||
        !vm_mem_read(f->vm, a[1], sig, sizeof(sig)))
        return frame_bad_pointer(f);
    *result = (uint64_t)-HOST_EINVAL;
    if (sig[64] != 27 && sig[64] != 28)
        return VM_HOST_CONTINUE;
    if (secp_recover_address(&who, &digest, sig, SECP_S_LOW, NULL) != RC_OK)
        return VM_HOST_CONTINUE;
    *result = 0;
    return put(f, a[2], BYTES_OF(&who));
}

static enum vm_host_action verify(struct frame *f, uint64_t number, const uint64_t a[6],
                                  uint64_t *result)
{
    uint8_t pub[64], sig[64];
    struct hash32 digest = {0};
    struct bytes msg = {0};
    bool is_p256 = number == HOST_P256_VERIFY;
    bool readable;

    if (!host_pay(f, number, is_p256 ? 0 : a[3]))
        return VM_HOST_OUT_OF_GAS;
    readable = vm_mem_read(f->vm, a[0], pub, is_p256 ? 64 : 32) &&
               vm_mem_read(f->vm, a[1], sig, sizeof(sig)) &&
               (is_p256 ? vm_mem_read(f->vm, a[2], &digest, sizeof(digest))
                        : vm_mem_view(f->vm, a[2], a[3], &msg));
    if (!readable)
        return frame_bad_pointer(f);
    if (is_p256)
        *result = p256_verify(pub, &digest, sig, NULL) == RC_OK;
    else
        *result = ed25519_verify(pub, msg, sig, NULL) == RC_OK;
    return VM_HOST_CONTINUE;
}

/* ---- ristretto255 ---- */

static enum vm_host_action element_from_hash(struct frame *f, const uint64_t a[6])
{
    struct ristretto p;
    uint8_t in[64];

    if (!host_pay(f, HOST_RISTRETTO_FROM_HASH, 0))
        return VM_HOST_OUT_OF_GAS;
    if (!vm_mem_read(f->vm, a[0], in, sizeof(in)))
        return frame_bad_pointer(f);
    ristretto_from_hash(&p, in);
    return put(f, a[1], BYTES_OF(&p));
}

static enum vm_host_action element_sum(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    uint64_t n = a[2] <= RISTRETTO_SUM_MAX ? a[2] : 0;
    struct bytes scalars, elements;
    uint8_t sum[32];

    if (!host_pay(f, HOST_RISTRETTO_SUM, n * 32))
        return VM_HOST_OUT_OF_GAS;
    *result = (uint64_t)-HOST_EINVAL;
    if (n == 0)
        return VM_HOST_CONTINUE;
    if (!vm_mem_view(f->vm, a[0], n * 32, &scalars) || !vm_mem_view(f->vm, a[1], n * 32, &elements))
        return frame_bad_pointer(f);
    if (ristretto_sum(sum, scalars.p, elements.p, (size_t)n, NULL) != RC_OK)
        return VM_HOST_CONTINUE;
    *result = 0;
    return put(f, a[3], BYTES_OF(&sum));
}

static enum vm_host_action scalar_calc(struct frame *f, const uint64_t a[6], uint64_t *result)
{
    uint8_t x[64], y[32] = {0}, out[32];
    bool takes_two = a[0] >= RISTRETTO_ADD && a[0] <= RISTRETTO_MUL;

    if (!host_pay(f, HOST_RISTRETTO_SCALAR, 0) ||
        (a[0] == RISTRETTO_INVERT && !vm_charge(f->vm, COST_SCALAR_INVERT)))
        return VM_HOST_OUT_OF_GAS;
    *result = (uint64_t)-HOST_EINVAL;
    if (a[0] > RISTRETTO_INVERT)
        return VM_HOST_CONTINUE;
    if (!vm_mem_read(f->vm, a[1], x, a[0] == RISTRETTO_REDUCE ? 64 : 32) ||
        (takes_two && !vm_mem_read(f->vm, a[2], y, sizeof(y))))
        return frame_bad_pointer(f);
    if (ristretto_scalar_calc(out, a[0], x, y, NULL) != RC_OK)
        return VM_HOST_CONTINUE;
    *result = 0;
    return put(f, a[3], BYTES_OF(&out));
}

enum vm_host_action host_call(void *frame, struct vm *vm, uint64_t number, const uint64_t a[6],
                              uint64_t *result)
{
    struct frame *f = frame;

    (void)vm;
    if (journal_is_full(f->run->journal)) /* whoever set the limit undoes all of it */
        return VM_HOST_OUT_OF_GAS;
    switch (number) {
    case HOST_CALLDATA_READ:
        return read_from(f, number, f->input, a, result);
    case HOST_RETURNDATA_READ:
        return read_from(f, number, buf_bytes(&f->returned), a, result);
    case HOST_BLOCK_HASH:
        return block_hash(f, a, result);
    case HOST_STORAGE_GET:
        return host_storage_get(f, a, result);
    case HOST_STORAGE_SET:
        return host_storage_set(f, a, result);
    case HOST_BALANCE:
        return host_balance(f, a, result);
    case HOST_TRANSFER:
        return host_transfer(f, a, result);
    case HOST_CALL:
        return host_call_contract(f, a, result);
    case HOST_DEPLOY:
        return host_deploy(f, a, result);
    case HOST_SET_CODE:
        return host_set_code(f, a, result);
    case HOST_CODE_HASH:
        return host_code_hash(f, a, result);
    case HOST_LOG:
        return host_log(f, a, result);
    case HOST_SEND:
        return host_send(f, a, result);
    case HOST_RANDOM:
    case HOST_SIGN:
    case HOST_HTTP:
    case HOST_CACHE_GET:
    case HOST_CACHE_SET:
        return host_query(f, number, a, result);
    case HOST_RETURN:
    case HOST_REVERT:
        return finish(f, number, a);
    case HOST_GROW:
        return grow(f, a, result);
    case HOST_KECCAK256:
    case HOST_SHA256:
    case HOST_SHA512:
        return hash(f, number, a);
    case HOST_ECRECOVER:
        return recover(f, a, result);
    case HOST_ED25519_VERIFY:
    case HOST_P256_VERIFY:
        return verify(f, number, a, result);
    case HOST_VERIFY_COLLATERAL:
        return host_verify_collateral(f, a, result);
    case HOST_VERIFY_EVIDENCE:
        return host_verify_evidence(f, a, result);
    case HOST_RISTRETTO_FROM_HASH:
        return element_from_hash(f, a);
    case HOST_RISTRETTO_SUM:
        return element_sum(f, a, result);
    case HOST_RISTRETTO_SCALAR:
        return scalar_calc(f, a, result);
    case HOST_MEMCPY:
    case HOST_MEMSET:
    case HOST_MEMCMP:
        return move_bytes(f, number, a, result);
    case HOST_CALLDATA_SIZE:
    case HOST_CALLER:
    case HOST_ORIGIN:
    case HOST_SELF:
    case HOST_VALUE:
    case HOST_HEIGHT:
    case HOST_TIME:
    case HOST_CHAIN_ID:
    case HOST_GAS_LEFT:
    case HOST_IS_STATIC:
    case HOST_PROFILE:
    case HOST_GENESIS_HASH:
    case HOST_RETURNDATA_SIZE:
        return context(f, number, a, result);
    default:
        return frame_trap(f, "unknown host call");
    }
}
