/* What keepers send and the chain stores, by the first byte: a partial, a keyset, the parameters of
 * a round, what a keeper remembers, a request, a beacon, a backup. Written again it is the same
 * bytes; a beacon that was not made by the keepers never verifies. */
#include "keys/dprf.h"

#include "keys/custody.h"
#include "keys/dkg.h"
#include "keys/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_beacon(struct bytes in)
{
    struct keyset k = {.generation = 1, .round = 1, .t = 2, .n = 3};
    struct ristretto_scalar s;
    struct hash32 value;
    uint64_t height;

    /* shares 7, 8, 9 of f(x) = 6 + x */
    for (uint32_t i = 0; i < 3; i++) {
        ristretto_scalar_from_u64(&s, 7 + i);
        ristretto_mul_base(&k.members[i].commitment, &s);
        memset(k.members[i].who.b, (int)i + 1, 20);
    }
    ristretto_scalar_from_u64(&s, 6);
    ristretto_mul_base(&k.public_key, &s);
    CHECK(keyset_verify(&k, NULL) == RC_OK);
    CHECK(beacon_verify(&value, &height, in, &k, NULL) != RC_OK);
    CHECK(hash32_is_zero(&value) && height == 0);
}

/* No backup is of a share that nobody knows. */
static void try_backup(struct bytes in)
{
    struct keyset k = {.generation = 1, .round = 1, .t = 2, .n = 3};
    struct custodians c = {.t = 2, .n = 3};
    struct secret32 key = {{1}};
    uint8_t h[64] = {1};

    for (uint32_t i = 0; i < 3; i++) {
        h[1] = (uint8_t)i;
        ristretto_from_hash(&k.members[i].commitment, h);
    }
    CHECK(custody_check(in, &k, &c, 1, &key, NULL) != RC_OK);
}

static void try_ask(struct bytes in)
{
    AUTO_CLEAR(buf) struct buf again = {0};
    struct custody_ask q;

    if (custody_ask_decode(&q, in, NULL) != RC_OK)
        return;
    custody_ask_encode(&again, &q);
    CHECK(again.n == in.n && memcmp(again.p, in.p, in.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    AUTO_CLEAR(secbuf) struct secbuf sec = {0};
    struct bytes in = bytes_of(data + 1, size - 1);
    struct dprf_partial p;
    struct dkg_params params;
    struct dkg_member m;
    struct key_request q;
    struct keyset k;

    if (size == 0)
        return 0;
    switch (data[0] % 7) {
    case 0:
        if (dprf_partial_decode(&p, in, NULL) != RC_OK)
            return 0;
        dprf_partial_encode(&b, &p);
        break;
    case 1:
        if (keyset_decode(&k, in, NULL) != RC_OK)
            return 0;
        keyset_encode(&b, &k);
        break;
    case 2:
        if (dkg_params_decode(&params, in, NULL) != RC_OK)
            return 0;
        dkg_params_encode(&b, &params);
        break;
    case 3:
        if (dkg_member_decode(&m, in, NULL) != RC_OK)
            return 0;
        dkg_member_encode(&sec, &m);
        buf_put_bytes(&b, secbuf_bytes(&sec));
        break;
    case 4:
        if (key_request_decode(&q, in, NULL) != RC_OK)
            return 0;
        key_request_encode(&b, &q);
        break;
    case 6:
        try_backup(in);
        try_ask(in);
        return 0;
    default:
        try_beacon(in);
        return 0;
    }
    CHECK(bytes_eq(buf_bytes(&b), in));
    return 0;
}
