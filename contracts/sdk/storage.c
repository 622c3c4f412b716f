/* sdk/storage.c - how declared storage becomes keys and values; the encoding is in storage.h. */
#include "sdk/contract.h"

#define FIRST_READ 256u /* most values fit; a longer one costs a second host call */
#define KEY_MAX 128u
#define SUB_COUNT 0
#define SUB_ELEMENT 1
#define SUB_INDEX 2

void put_u256(enc *e, u256 v)
{
    u8 be[33];
    bytes32 b = bytes32_of(v);
    u64 skip = 0;

    while (skip < 32 && b.b[skip] == 0)
        skip++;
    be[0] = (u8)(32 - skip);
    memcpy(be + 1, b.b + skip, 32 - skip);
    enc_raw(e, be, 33 - skip);
}

void put_u64(enc *e, u64 v)
{
    u8 be[9];
    u64 n = v == 0 ? 0 : 8 - (u64)__builtin_clzll(v) / 8;

    be[0] = (u8)n;
    for (u64 i = 0; i < n; i++)
        be[n - i] = (u8)(v >> (8 * i));
    enc_raw(e, be, n + 1);
}

void put_bool(enc *e, bool v)
{
    put_u64(e, v);
}

void put_address(enc *e, address v)
{
    enc_raw(e, &v, 20);
}

void put_bytes32(enc *e, bytes32 v)
{
    enc_raw(e, &v, 32);
}

void put_str(enc *e, str v)
{
    put_u64(e, v.n);
    enc_raw(e, v.p, v.n);
}

/* An empty value reads as zeros; a damaged one is our own bug, or code that changed a tag's type.
 */
static const u8 *take(dec *d, u64 n)
{
    if (d->n == 0)
        return NULL;
    if (n > d->n)
        revert_panic(PANIC_ASSERT);
    const u8 *p = d->p;

    d->p += n;
    d->n -= n;
    return p;
}

static u256 get_integer(dec *d, u64 max)
{
    const u8 *len = take(d, 1);

    if (len == NULL || *len == 0)
        return 0;
    if (*len > max || *len > d->n)
        revert_panic(PANIC_ASSERT);
    bytes32 b = {0};

    memcpy(b.b + 32 - *len, take(d, *len), *len);
    return u256_of(b);
}

u256 get_u256(dec *d)
{
    return get_integer(d, 32);
}

u64 get_u64(dec *d)
{
    const u8 *len = take(d, 1);
    u64 v = 0;

    if (len == NULL || *len == 0)
        return 0;
    if (*len > 8 || *len > d->n)
        revert_panic(PANIC_ASSERT);
    const u8 *p = take(d, *len);

    for (u64 i = 0; i < *len; i++)
        v = v << 8 | p[i];
    return v;
}

bool get_bool(dec *d)
{
    return get_u64(d) != 0;
}

address get_address(dec *d)
{
    address a = {0};
    const u8 *p = take(d, 20);

    if (p != NULL)
        memcpy(&a, p, 20);
    return a;
}

bytes32 get_bytes32(dec *d)
{
    bytes32 v = {0};
    const u8 *p = take(d, 32);

    if (p != NULL)
        memcpy(&v, p, 32);
    return v;
}

str get_str(dec *d)
{
    u64 n = get_u64(d);

    return n == 0 ? (str){0} : (str){take(d, n), n};
}

enc storage_key(u8 tag)
{
    enc e = {alloc(KEY_MAX), 1, KEY_MAX};

    e.p[0] = tag;
    return e;
}

dec storage_load(const enc *key)
{
    u8 *p = alloc(FIRST_READ);
    long n = HOST4(HOST_STORAGE_GET, key->p, key->n, p, FIRST_READ);

    if (n < 0)
        return (dec){0};
    if ((u64)n > FIRST_READ) {
        p = alloc((u64)n);
        n = HOST4(HOST_STORAGE_GET, key->p, key->n, p, n);
    }
    return (dec){p, (u64)n};
}

static void store_exactly(const enc *key, const enc *value)
{
    long rc = HOST4(HOST_STORAGE_SET, key->p, key->n, value->p, value->n);

    if (rc == -HOST_ELIMIT || rc == -HOST_EINVAL)
        revert_text("storage: key above 128 or value above 65536 bytes");
    if (rc < 0)
        bad_calldata(); /* a view may not write */
}

void storage_store(const enc *key, const enc *value)
{
    bool zero = true;

    for (u64 i = 0; i < value->n && zero; i++)
        zero = value->p[i] == 0;
    store_exactly(key, zero ? &(enc){0} : value);
}

static enc sub_key(const enc *key, u8 sub)
{
    enc k = {alloc(KEY_MAX), 0, KEY_MAX};

    enc_raw(&k, key->p, key->n);
    *enc_room(&k, 1) = sub;
    return k;
}

static enc element_key(const enc *key, u64 i)
{
    enc k = sub_key(key, SUB_ELEMENT);

    put_u64(&k, i);
    return k;
}

static enc index_key(const enc *key, const enc *value)
{
    enc k = sub_key(key, SUB_INDEX);

    enc_raw(&k, value->p, value->n);
    return k;
}

static void store_u64(const enc *key, u64 v)
{
    enc e = {0};

    put_u64(&e, v);
    storage_store(key, &e);
}

static u64 load_u64(const enc *key)
{
    dec d = storage_load(key);

    return get_u64(&d);
}

static void store_count(const enc *key, u64 n)
{
    enc k = sub_key(key, SUB_COUNT);

    store_u64(&k, n);
}

u64 list_count(const enc *key)
{
    enc k = sub_key(key, SUB_COUNT);

    return load_u64(&k);
}

dec list_at(const enc *key, u64 i)
{
    if (i >= list_count(key))
        revert_panic(PANIC_INDEX);
    enc k = element_key(key, i);

    return storage_load(&k);
}

void list_push(const enc *key, const enc *value)
{
    u64 n = list_count(key);
    enc k = element_key(key, n);

    store_exactly(&k, value); /* also an all-zero one: set_remove needs its exact form */
    store_count(key, n + 1);
}

bool set_has(const enc *key, const enc *value)
{
    enc k = index_key(key, value);

    return load_u64(&k) != 0;
}

bool set_add(const enc *key, const enc *value)
{
    if (set_has(key, value))
        return false;
    list_push(key, value);
    enc k = index_key(key, value);

    store_u64(&k, list_count(key));
    return true;
}

bool set_remove(const enc *key, const enc *value)
{
    enc gone = index_key(key, value);
    u64 place = load_u64(&gone); /* index + 1 */

    if (place == 0)
        return false;
    u64 n = list_count(key);
    enc last_key = element_key(key, n - 1);

    if (place != n) {
        dec last = storage_load(&last_key);
        enc last_value = {0};

        enc_raw(&last_value, last.p, last.n);
        enc hole = element_key(key, place - 1);
        enc moved = index_key(key, &last_value);

        store_exactly(&hole, &last_value);
        store_u64(&moved, place);
    }
    storage_store(&last_key, &(enc){0});
    storage_store(&gone, &(enc){0});
    store_count(key, n - 1);
    return true;
}
