/* First line: a type. The rest: data of it, decoded, printed, encoded; and as text of a value. */
#include "codec/abi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void data_of(struct arena *a, const struct abi_type *t, struct bytes in)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_CLEAR(buf) struct buf b2 = {0};
    struct abi_value v, w;

    if (abi_decode(&v, a, t, in, NULL) != RC_OK || !abi_is_canonical(&v, in))
        return;
    abi_value_put(&b, &v);
    CHECK(abi_value_parse(&w, a, t, buf_bytes(&b), NULL) == RC_OK);
    abi_encode(&b2, &w);
    CHECK(bytes_eq(buf_bytes(&b2), in));
}

static void text_of(struct arena *a, const struct abi_type *t, struct bytes in)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct abi_value v, w;

    if (abi_value_parse(&v, a, t, in, NULL) != RC_OK)
        return;
    abi_encode(&b, &v);
    CHECK(abi_decode(&w, a, t, buf_bytes(&b), NULL) == RC_OK);
    CHECK(abi_is_canonical(&w, buf_bytes(&b)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf text = {0};
    const uint8_t *nl = size == 0 ? NULL : memchr(data, '\n', size);
    const struct abi_type *t, *t2;
    struct abi_signature s;
    size_t n = nl == NULL ? size : (size_t)(nl - data);
    struct bytes rest = nl == NULL ? (struct bytes){0} : bytes_of(nl + 1, size - n - 1);

    (void)abi_signature_parse(&s, &a, bytes_of(data, n), NULL);
    if (abi_type_parse(&t, &a, bytes_of(data, n), NULL) != RC_OK)
        return 0;
    abi_type_put(&text, t);
    CHECK(abi_type_parse(&t2, &a, buf_bytes(&text), NULL) == RC_OK);
    if (t->head_size > 65536)
        return 0;
    data_of(&a, t, rest);
    text_of(&a, t, rest);
    return 0;
}
