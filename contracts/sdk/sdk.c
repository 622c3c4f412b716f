/* sdk/sdk.c - the bodies behind contract.h: memory, the call's surroundings, ABI words, calls. */
#include "sdk/contract.h"
#include "sdk/state.h"

/* ---- memory ------------------------------------------------------------------------------------
 */

#define FIRST_HEAP 8192u      /* in .bss: most calls need no more */
#define GROW_STEP (64u << 10) /* asked of the host at least */

struct sdk_state sdk;
#ifndef SDK_NATIVE
static u8 first_heap[FIRST_HEAP] __attribute__((aligned(16)));
#endif

void *alloc(u64 n)
{
    if (n > UINT32_MAX)
        revert_panic(PANIC_MEMORY);
#ifdef SDK_NATIVE
    return (void *)HOST1(HOST_GROW, n); /* each by itself: the sanitizer sees one byte too far */
#else
    n = (n + 15) & ~(u64)15;
    if (sdk.heap == NULL) {
        sdk.heap = first_heap;
        sdk.heap_left = FIRST_HEAP;
    }
    if (n > sdk.heap_left) {
        u64 ask = n > GROW_STEP ? n : GROW_STEP;
        long got = HOST1(HOST_GROW, ask);

        if (got < 0)
            revert_panic(PANIC_MEMORY);
        sdk.heap = (u8 *)got;
        sdk.heap_left = ask;
    }
    u8 *p = sdk.heap;

    sdk.heap += n;
    sdk.heap_left -= n;
    return p;
#endif
}

void *alloc_array(u64 count, u64 size)
{
    if (size != 0 && count > UINT32_MAX / size)
        revert_panic(PANIC_MEMORY);
    void *p = alloc(count * size);

    memset(p, 0, count * size);
    return p;
}

/* ---- ending ------------------------------------------------------------------------------------
 */

[[noreturn]] void revert_raw(str data)
{
    for (;;)
        HOST2(HOST_REVERT, data.p, data.n);
}

[[noreturn]] void revert_text(const char *why)
{
    u64 n = 0;
    enc e = {0};

    while (why[n] != 0)
        n++;
    abi_selector(&e, 0x08c379a0);
    enc_zero(&e, 32);
    abi_put_str(&e, 4, 4, (str){(const u8 *)why, n});
    revert_raw(enc_str(&e));
}

[[noreturn]] void revert_panic(u64 code)
{
    u8 data[36] = {0x4e, 0x48, 0x7b, 0x71};

    data[35] = (u8)code;
    revert_raw((str){data, sizeof(data)});
}

[[noreturn]] void bad_calldata(void)
{
    revert_raw((str){0});
}

/* ---- surroundings ------------------------------------------------------------------------------
 */

/* The machine has no unaligned words as clang sees it; calldata and results are aligned unless
 * somebody made odd offsets. */
static __attribute__((noinline)) u64 be64_odd(const u8 *p)
{
    u64 v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

static u64 be64(const u8 *p)
{
    if (((uintptr_t)p & 7) != 0)
        return be64_odd(p);
    return __builtin_bswap64(*(const u64 *)__builtin_assume_aligned(p, 8));
}

static __attribute__((noinline)) void be64_put(u8 *p, u64 v)
{
    if (((uintptr_t)p & 7) == 0)
        *(u64 *)__builtin_assume_aligned(p, 8) = __builtin_bswap64(v);
    else
        for (int i = 0; i < 8; i++)
            p[i] = (u8)(v >> (56 - 8 * i));
}

static __attribute__((noinline)) u256 u256_load(const u8 *p)
{
    return (u256)be64(p) << 192 | (u256)be64(p + 8) << 128 | (u256)be64(p + 16) << 64 |
           be64(p + 24);
}

static void u256_store(u8 *p, u256 v)
{
    be64_put(p, (u64)(v >> 192));
    be64_put(p + 8, (u64)(v >> 128));
    be64_put(p + 16, (u64)(v >> 64));
    be64_put(p + 24, (u64)v);
}

u256 u256_of(bytes32 big_endian)
{
    return u256_load(big_endian.b);
}

bytes32 bytes32_of(u256 v)
{
    bytes32 r;

    u256_store(r.b, v);
    return r;
}

address msg_caller(void)
{
    address a;

    HOST1(HOST_CALLER, &a);
    return a;
}

address tx_origin(void)
{
    address a;

    HOST1(HOST_ORIGIN, &a);
    return a;
}

address self_address(void)
{
    address a;

    HOST1(HOST_SELF, &a);
    return a;
}

u256 msg_value(void)
{
    bytes32 v;

    HOST1(HOST_VALUE, &v);
    return u256_of(v);
}

str msg_data(void)
{
    return sdk.calldata;
}

u64 block_height(void)
{
    return (u64)HOST0(HOST_HEIGHT);
}

u64 block_time(void)
{
    return (u64)HOST0(HOST_TIME);
}

u64 chain_id(void)
{
    return (u64)HOST0(HOST_CHAIN_ID);
}

u64 gas_left(void)
{
    return (u64)HOST0(HOST_GAS_LEFT);
}

u256 balance_of_account(address account)
{
    bytes32 v;

    HOST2(HOST_BALANCE, &account, &v);
    return u256_of(v);
}

bool pay(address to, u256 amount)
{
    bytes32 v = bytes32_of(amount);

    return HOST2(HOST_TRANSFER, &to, &v) == 0;
}

bool code_hash_of(address account, bytes32 *out)
{
    return HOST2(HOST_CODE_HASH, &account, out) == 0;
}

void nonpayable(void)
{
    if (msg_value() != 0)
        bad_calldata();
}

bytes32 keccak(str data)
{
    bytes32 h;

    HOST3(HOST_KECCAK256, data.p, data.n, &h);
    return h;
}

bytes32 sha256_of(str data)
{
    bytes32 h;

    HOST3(HOST_SHA256, data.p, data.n, &h);
    return h;
}

str sha512_of(str data)
{
    u8 *h = alloc(64);

    HOST3(HOST_SHA512, data.p, data.n, h);
    return (str){h, 64};
}

bytes32 genesis_hash(void)
{
    bytes32 h;

    HOST1(HOST_GENESIS_HASH, &h);
    return h;
}

bool block_hash(u64 height, bytes32 *out)
{
    return HOST2(HOST_BLOCK_HASH, height, out) == 0;
}

bool ecrecover(bytes32 digest, str signature65, address *out)
{
    return signature65.n == 65 && HOST3(HOST_ECRECOVER, &digest, signature65.p, out) == 0;
}

/* ---- arithmetic --------------------------------------------------------------------------------
 */

u256 checked_mul(u256 a, u256 b)
{
    u256 r;

    if (__builtin_mul_overflow(a, b, &r))
        revert_panic(PANIC_ARITHMETIC);
    return r;
}

u256 checked_div(u256 a, u256 b)
{
    if (b == 0)
        revert_panic(PANIC_DIVISION);
    if (a <= UINT64_MAX && b <= UINT64_MAX)
        return (u64)a / (u64)b;
    return a / b;
}

u64 checked_u64(u256 a)
{
    if (a > UINT64_MAX)
        revert_panic(PANIC_ARITHMETIC);
    return (u64)a;
}

/* ---- growing bytes -----------------------------------------------------------------------------
 */

u8 *enc_room(enc *e, u64 n)
{
    if (n > UINT32_MAX)
        revert_panic(PANIC_MEMORY);
    if (n > e->cap - e->n) {
        u64 cap = e->cap * 2 > e->n + n ? e->cap * 2 : e->n + n;
        u8 *p = alloc(cap < 64 ? 64 : cap);

        if (e->n != 0)
            memcpy(p, e->p, e->n);
        e->p = p;
        e->cap = cap < 64 ? 64 : cap;
    }
    u8 *at = e->p + e->n;

    e->n += n;
    return at;
}

void enc_raw(enc *e, const void *p, u64 n)
{
    if (n != 0)
        memcpy(enc_room(e, n), p, n);
}

u64 enc_zero(enc *e, u64 n)
{
    u64 at = e->n;

    if (n != 0)
        memset(enc_room(e, n), 0, n);
    return at;
}

/* ---- ABI: reading ------------------------------------------------------------------------------
 */

static const u8 *word(dec c, u64 at)
{
    if (at > c.n || c.n - at < 32)
        bad_calldata();
    return c.p + at;
}

u256 abi_get_u256(dec c, u64 base, u64 at)
{
    (void)base;
    return u256_load(word(c, at));
}

u64 abi_get_u64(dec c, u64 base, u64 at)
{
    const u8 *p = word(c, at);

    (void)base;
    if ((be64(p) | be64(p + 8) | be64(p + 16)) != 0)
        bad_calldata();
    return be64(p + 24);
}

bool abi_get_bool(dec c, u64 base, u64 at)
{
    return abi_limit(abi_get_u64(c, base, at), 1) != 0;
}

address abi_get_address(dec c, u64 base, u64 at)
{
    const u8 *p = word(c, at);
    address a;

    (void)base;
    if ((be64(p) | be64(p + 8) >> 32) != 0)
        bad_calldata();
    memcpy(&a, p + 12, 20);
    return a;
}

bytes32 abi_get_bytes32(dec c, u64 base, u64 at)
{
    bytes32 v;

    (void)base;
    memcpy(&v, word(c, at), 32);
    return v;
}

bytes4 abi_get_bytes4(dec c, u64 base, u64 at)
{
    const u8 *p = word(c, at);
    bytes4 v;

    (void)base;
    if ((be64(p) << 32 | be64(p + 8) | be64(p + 16) | be64(p + 24)) != 0)
        bad_calldata();
    memcpy(&v, p, 4);
    return v;
}

u64 abi_get_tail(dec c, u64 base, u64 at)
{
    u64 offset = abi_get_u64(c, base, at);

    if (offset > c.n || base + offset > c.n)
        bad_calldata();
    return base + offset;
}

u64 abi_get_count(dec c, u64 at, u64 element_head)
{
    u64 n = abi_get_u64(c, 0, at);

    if (n > (c.n - at - 32) / element_head)
        bad_calldata();
    return n;
}

str abi_get_str(dec c, u64 base, u64 at)
{
    u64 tail = abi_get_tail(c, base, at);

    return (str){c.p + tail + 32, abi_get_count(c, tail, 1)};
}

/* ---- ABI: writing ------------------------------------------------------------------------------
 */

void abi_put_u256(enc *e, u64 base, u64 at, u256 v)
{
    (void)base;
    u256_store(e->p + at, v);
}

void abi_put_u64(enc *e, u64 base, u64 at, u64 v)
{
    (void)base;
    be64_put(e->p + at + 24, v);
}

void abi_put_bool(enc *e, u64 base, u64 at, bool v)
{
    (void)base;
    e->p[at + 31] = v;
}

void abi_put_address(enc *e, u64 base, u64 at, address v)
{
    (void)base;
    memcpy(e->p + at + 12, &v, 20);
}

void abi_put_bytes32(enc *e, u64 base, u64 at, bytes32 v)
{
    (void)base;
    memcpy(e->p + at, &v, 32);
}

void abi_put_bytes4(enc *e, u64 base, u64 at, bytes4 v)
{
    (void)base;
    memcpy(e->p + at, &v, 4);
}

u64 abi_put_tail(enc *e, u64 base, u64 at, u64 head)
{
    abi_put_u64(e, base, at, e->n - base);
    return enc_zero(e, head);
}

void abi_put_str(enc *e, u64 base, u64 at, str v)
{
    u64 b = abi_put_tail(e, base, at, 32);

    abi_put_u64(e, b, b, v.n);
    enc_raw(e, v.p, v.n);
    enc_zero(e, -v.n & 31);
}

u64 abi_put_list(enc *e, u64 base, u64 at, u64 n, u64 element_head)
{
    u64 b = abi_put_tail(e, base, at, 32);

    if (n > UINT32_MAX / element_head)
        revert_panic(PANIC_MEMORY);
    abi_put_u64(e, b, b, n);
    return enc_zero(e, n * element_head);
}

void abi_selector(enc *e, u64 selector)
{
    u8 *p = enc_room(e, 4);

    p[0] = (u8)(selector >> 24);
    p[1] = (u8)(selector >> 16);
    p[2] = (u8)(selector >> 8);
    p[3] = (u8)selector;
}

void emit_log(const bytes32 *topics, u64 n_topics, const enc *data)
{
    if (HOST4(HOST_LOG, topics, n_topics, data->p, data->n) < 0)
        bad_calldata(); /* a view may not log */
}

bytes32 topic_u256(u256 v)
{
    return bytes32_of(v);
}

bytes32 topic_address(address v)
{
    bytes32 r = {0};

    memcpy(r.b + 12, &v, 20);
    return r;
}

/* ---- calls -------------------------------------------------------------------------------------
 */

static str returndata(void)
{
    u64 n = (u64)HOST0(HOST_RETURNDATA_SIZE);
    u8 *p = alloc(n);

    HOST3(HOST_RETURNDATA_READ, p, 0, n);
    return (str){p, n};
}

long call_raw(address to, str data, u256 value, bool is_static, str *result)
{
    bytes32 v = bytes32_of(value);
    long rc = HOST5(HOST_CALL, &to, data.p, data.n, value == 0 ? NULL : &v,
                    is_static ? HOST_CALL_STATIC : 0);

    *result = rc == 0 || rc == -HOST_EREVERTED ? returndata() : (str){0};
    return rc;
}

str call_or_revert(address to, str data, u256 value, bool is_static)
{
    bytes32 hash;
    str result;

    if (!code_hash_of(to, &hash))
        bad_calldata();
    if (call_raw(to, data, value, is_static, &result) != 0)
        revert_raw(result);
    return result;
}

address deploy_clone(bytes32 code_hash, str init, u256 value)
{
    bytes32 v = bytes32_of(value);
    address made;
    long rc = HOST6(HOST_DEPLOY, &code_hash, NULL, init.p, init.n, value == 0 ? NULL : &v, &made);

    if (rc == -HOST_EREVERTED)
        revert_raw(returndata());
    if (rc == -HOST_EINVAL)
        revert_text("in a cluster contracts are made by send_out to ConfidentialContracts");
    if (rc != 0)
        bad_calldata();
    return made;
}
