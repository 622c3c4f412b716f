/* sdk/storage.h - declared storage. The tag is the field's number for ever, as in protobuf, because
 * the layout outlives the code; tags 240 to 255 belong to the SDK.
 *
 *   VALUE(name, tag, V)           name(), name_set(v)
 *   MAP(name, tag, K, V)          name(k), name_set(k, v)
 *   MAP2(name, tag, K, L, V)      name(k, l), name_set(k, l, v)
 *   LIST(name, tag, V)            name_count(), name_at(i), name_push(v)
 *   LIST_OF(name, tag, K, V)      the same for each k: name_count(k), name_at(k, i), name_push(k,
 * v) SET(name, tag, V)             name_count(), name_at(i), name_has(v), name_add(v),
 * name_remove(v) SET_OF(name, tag, K, V)       the same for each k RECORD(name, FIELDS)          a
 * struct type usable as V; FIELDS(F) lists F(type, field)
 *
 * Reading what was never written gives zeros. A LIST and a SET keep their own dense index (count
 * and elements 0 .. count-1), so that a reader outside can prove a whole list: there is no
 * iteration over keys in the machine. SET removal moves the last element into the hole, as
 * OpenZeppelin's EnumerableSet does. Index out of range is Panic 0x32.
 *
 * Encoding (what a state proof shows): key = tag, then the parts; integers are a length byte and
 * that many big-endian bytes without leading zeros; address 20 and bytes32 32 bytes; bool as an
 * integer; str (values only) an integer length and the bytes; a record its fields in order. In
 * LISTs and SETs a byte follows the tag and key: 0 = count, 1 then index = element, 2 then element
 * = index + 1 (SETs). A value that is all zero bytes is not stored, except as an element of a LIST
 * or SET. */
#pragma once

void put_u64(enc *e, u64 v);
void put_u256(enc *e, u256 v);
void put_bool(enc *e, bool v);
void put_address(enc *e, address v);
void put_bytes32(enc *e, bytes32 v);
void put_str(enc *e, str v);
u64 get_u64(dec *d);
u256 get_u256(dec *d);
bool get_bool(dec *d);
address get_address(dec *d);
bytes32 get_bytes32(dec *d);
str get_str(dec *d);

enc storage_key(u8 tag);
dec storage_load(const enc *key);
void storage_store(const enc *key, const enc *value);

u64 list_count(const enc *key);
dec list_at(const enc *key, u64 i);
void list_push(const enc *key, const enc *value);
bool set_has(const enc *key, const enc *value);
bool set_add(const enc *key, const enc *value);    /* false: was there */
bool set_remove(const enc *key, const enc *value); /* false: was not there */

#define R_DECL(type, field) type field;
#define R_PUT(type, field) put_##type(e, v.field);
#define R_GET(type, field) v.field = get_##type(d);
#define RECORD(name, FIELDS)                                                                       \
    typedef struct {                                                                               \
        FIELDS(R_DECL)                                                                             \
    } name;                                                                                        \
    UNUSED_OK void put_##name(enc *e, name v){FIELDS(R_PUT)} UNUSED_OK name get_##name(dec *d)     \
    {                                                                                              \
        name v;                                                                                    \
        FIELDS(R_GET)                                                                              \
        return v;                                                                                  \
    }

#define STORAGE_VALUE_(V, var)                                                                     \
    enc value_ = {0};                                                                              \
    put_##V(&value_, var)

#define VALUE(name, tag, V)                                                                        \
    UNUSED_OK V name(void)                                                                         \
    {                                                                                              \
        enc key_ = storage_key(tag);                                                               \
        dec d_ = storage_load(&key_);                                                              \
        return get_##V(&d_);                                                                       \
    }                                                                                              \
    UNUSED_OK void name##_set(V v)                                                                 \
    {                                                                                              \
        enc key_ = storage_key(tag);                                                               \
        STORAGE_VALUE_(V, v);                                                                      \
        storage_store(&key_, &value_);                                                             \
    }

#define MAP(name, tag, K, V)                                                                       \
    UNUSED_OK V name(K k)                                                                          \
    {                                                                                              \
        enc key_ = storage_key(tag);                                                               \
        put_##K(&key_, k);                                                                         \
        dec d_ = storage_load(&key_);                                                              \
        return get_##V(&d_);                                                                       \
    }                                                                                              \
    UNUSED_OK void name##_set(K k, V v)                                                            \
    {                                                                                              \
        enc key_ = storage_key(tag);                                                               \
        put_##K(&key_, k);                                                                         \
        STORAGE_VALUE_(V, v);                                                                      \
        storage_store(&key_, &value_);                                                             \
    }

#define MAP2(name, tag, K, L, V)                                                                   \
    UNUSED_OK V name(K k, L l)                                                                     \
    {                                                                                              \
        enc key_ = storage_key(tag);                                                               \
        put_##K(&key_, k);                                                                         \
        put_##L(&key_, l);                                                                         \
        dec d_ = storage_load(&key_);                                                              \
        return get_##V(&d_);                                                                       \
    }                                                                                              \
    UNUSED_OK void name##_set(K k, L l, V v)                                                       \
    {                                                                                              \
        enc key_ = storage_key(tag);                                                               \
        put_##K(&key_, k);                                                                         \
        put_##L(&key_, l);                                                                         \
        STORAGE_VALUE_(V, v);                                                                      \
        storage_store(&key_, &value_);                                                             \
    }

#define LIST_BODY_(name, V, PARAMS0, PARAMS, KEY)                                                  \
    UNUSED_OK u64 name##_count PARAMS0                                                             \
    {                                                                                              \
        KEY;                                                                                       \
        return list_count(&key_);                                                                  \
    }                                                                                              \
    UNUSED_OK V name##_at(PARAMS u64 i)                                                            \
    {                                                                                              \
        KEY;                                                                                       \
        dec d_ = list_at(&key_, i);                                                                \
        return get_##V(&d_);                                                                       \
    }

#define LIST_PUSH_(name, V, PARAMS, KEY)                                                           \
    UNUSED_OK void name##_push(PARAMS V v)                                                         \
    {                                                                                              \
        KEY;                                                                                       \
        STORAGE_VALUE_(V, v);                                                                      \
        list_push(&key_, &value_);                                                                 \
    }

#define SET_BODY_(name, V, PARAMS, KEY)                                                            \
    UNUSED_OK bool name##_has(PARAMS V v)                                                          \
    {                                                                                              \
        KEY;                                                                                       \
        STORAGE_VALUE_(V, v);                                                                      \
        return set_has(&key_, &value_);                                                            \
    }                                                                                              \
    UNUSED_OK bool name##_add(PARAMS V v)                                                          \
    {                                                                                              \
        KEY;                                                                                       \
        STORAGE_VALUE_(V, v);                                                                      \
        return set_add(&key_, &value_);                                                            \
    }                                                                                              \
    UNUSED_OK bool name##_remove(PARAMS V v)                                                       \
    {                                                                                              \
        KEY;                                                                                       \
        STORAGE_VALUE_(V, v);                                                                      \
        return set_remove(&key_, &value_);                                                         \
    }

#define KEY_(tag) enc key_ = storage_key(tag)
#define KEY_OF_(tag, K)                                                                            \
    enc key_ = storage_key(tag);                                                                   \
    put_##K(&key_, k)
#define ONE_(K) K k,

#define LIST(name, tag, V) LIST_BODY_(name, V, (void), , KEY_(tag)) LIST_PUSH_(name, V, , KEY_(tag))
#define LIST_OF(name, tag, K, V)                                                                   \
    LIST_BODY_(name, V, (K k), ONE_(K), KEY_OF_(tag, K))                                           \
    LIST_PUSH_(name, V, ONE_(K), KEY_OF_(tag, K))
#define SET(name, tag, V) LIST_BODY_(name, V, (void), , KEY_(tag)) SET_BODY_(name, V, , KEY_(tag))
#define SET_OF(name, tag, K, V)                                                                    \
    LIST_BODY_(name, V, (K k), ONE_(K), KEY_OF_(tag, K))                                           \
    SET_BODY_(name, V, ONE_(K), KEY_OF_(tag, K))
