/* light/layout.h - storage declarations as readers of proved state. Between this header and
 * light/layout_end.h, and with LAYOUT defined as a prefix, the lines of contracts/layout/X.h become
 *
 *   VALUE(name, tag, V)       P_name_key(contract)            P_name_get(&out, value, e)
 *   MAP, MAP2                 P_name_key(contract, k[, l])    P_name_get
 *   LIST, SET, .._OF          P_name_count_key(contract[, k]) st_count
 *                             P_name_at_key(contract[, k], i) P_name_get
 *   SET, SET_OF               P_name_has_key(contract[, k], v) st_count: 0 = not in it
 *   RECORD(name, FIELDS)      st_name, a struct
 *
 * where P is LAYOUT. The contract makes its own functions of the same lines, so a reader cannot
 * differ from it. Strings in `out` borrow from value; an absent value (p NULL) gives zeros. */
#pragma once

#include "light/storage.h"

#define ST_CAT_(p, n, s) p##_##n##s
#define ST_CAT(p, n, s) ST_CAT_(p, n, s)
#define ST_NAME(n, s) ST_CAT(LAYOUT, n, s)

/* C17's bool is a macro, and arrives here expanded. */
#define st__Bool st_bool
#define st_get__Bool st_get_bool
#define st_key__Bool st_key_bool

#define ST_FIELD(type, field) st_##type field;
#define ST_READ(type, field) v.field = st_get_##type(r);
#define RECORD(name, FIELDS)                                                                       \
    typedef struct {                                                                               \
        FIELDS(ST_FIELD)                                                                           \
    } st_##name;                                                                                   \
    static inline st_##name st_get_##name(struct reader *r)                                        \
    {                                                                                              \
        st_##name v;                                                                               \
        FIELDS(ST_READ)                                                                            \
        return v;                                                                                  \
    }

#define ST_GET(name, V)                                                                            \
    static inline enum rc ST_NAME(name, _get)(st_##V * out, struct bytes value, struct err * e)    \
    {                                                                                              \
        struct reader r = reader_init(value);                                                      \
        enum rc rc;                                                                                \
        *out = st_get_##V(&r);                                                                     \
        rc = st_done(&r, #name, e);                                                                \
        if (rc != RC_OK)                                                                           \
            memset(out, 0, sizeof(*out));                                                          \
        return rc;                                                                                 \
    }

/* PARAMS: of the function, in parentheses; PUT: what it appends. */
#define ST_KEY(name, suffix, tag, PARAMS, PUT)                                                     \
    static inline struct light_key ST_NAME(name, suffix) PARAMS {                                  \
        struct light_key key = st_key(contract, tag);                                              \
        PUT return key;                                                                            \
    }
#define ST_PUT(K, v) st_key_##K(&key, v);

#define VALUE(name, tag, V)                                                                        \
    ST_KEY(name, _key, tag, (const struct address *contract), ) ST_GET(name, V)
#define MAP(name, tag, K, V)                                                                       \
    ST_KEY(name, _key, tag, (const struct address *contract, st_##K k), ST_PUT(K, k))              \
    ST_GET(name, V)
#define MAP2(name, tag, K, L, V)                                                                   \
    ST_KEY(name, _key, tag, (const struct address *contract, st_##K k, st_##L l),                  \
           ST_PUT(K, k) ST_PUT(L, l))                                                              \
    ST_GET(name, V)

#define LIST(name, tag, V)                                                                         \
    ST_KEY(name, _count_key, tag, (const struct address *contract), st_key_count(&key);)           \
    ST_KEY(name, _at_key, tag, (const struct address *contract, uint64_t i), st_key_at(&key, i);)  \
    ST_GET(name, V)
#define LIST_OF(name, tag, K, V)                                                                   \
    ST_KEY(name, _count_key, tag, (const struct address *contract, st_##K k),                      \
           ST_PUT(K, k) st_key_count(&key);)                                                       \
    ST_KEY(name, _at_key, tag, (const struct address *contract, st_##K k, uint64_t i),             \
           ST_PUT(K, k) st_key_at(&key, i);)                                                       \
    ST_GET(name, V)
#define SET(name, tag, V)                                                                          \
    LIST(name, tag, V)                                                                             \
    ST_KEY(name, _has_key, tag, (const struct address *contract, st_##V v), st_key_index(&key);    \
           ST_PUT(V, v))
#define SET_OF(name, tag, K, V)                                                                    \
    LIST_OF(name, tag, K, V)                                                                       \
    ST_KEY(name, _has_key, tag, (const struct address *contract, st_##K k, st_##V v),              \
           ST_PUT(K, k) st_key_index(&key);                                                        \
           ST_PUT(V, v))
