/* What contracts keep, read from outside: keys as docs/protocol.md §7 spells them, values, and what
 * a value may not be. */
#include "lib/t.h"
#include "light/contracts.h"

static const struct address POOL = {{0xaa, 1, 2, 3}};

static void key_is(struct light_key k, const char *storage_key_hex)
{
    AUTO_CLEAR(buf) struct buf want = {0};

    buf_put_str(&want, "02aa01020300000000000000000000000000000000");
    buf_put_str(&want, storage_key_hex);
    CHECK_HEX(light_key_bytes(&k), buf_cstr(&want));
}

TEST(keys_as_documented)
{
    struct light_key k = light_key_account(&POOL);
    struct address w = {{0x11}};
    struct hash32 h = {{0x22}};

    CHECK_HEX(light_key_bytes(&k), "01aa01020300000000000000000000000000000000");
    key_is(tee_pool_jobs_count_key(&POOL), "02");
    key_is(tee_pool_job_of_key(&POOL, u256_from_u64(1)), "090101");
    key_is(tee_pool_job_of_key(&POOL, u256_from_u64(0)), "0900");
    key_is(tee_pool_job_of_key(&POOL, u256_from_u64(0x1234)), "09021234");
    key_is(tee_pool_active_tees_count_key(&POOL), "0800");
    key_is(tee_pool_active_tees_at_key(&POOL, 0), "080100");
    key_is(tee_pool_active_tees_at_key(&POOL, 300), "080102012c");
    key_is(tee_pool_active_tees_has_key(&POOL, w), "08021100000000000000000000000000000000000000");
    key_is(tee_pool_file_jobs_at_key(&POOL, u256_from_u64(5), 1), "0a0105010101");
    key_is(tee_pool_record_of_key(&POOL, u256_from_u64(5), u256_from_u64(2)), "0d01050102");
    key_is(tee_pool_tee_of_key(&POOL, w), "061100000000000000000000000000000000000000");
    key_is(data_registry_id_of_url_key(&POOL, h),
           "032200000000000000000000000000000000000000000000000000000000000000");
    CHECK_INT(light_key_storage(&POOL, bytes_of(NULL, 0)).n, 0);
}

static struct bytes hex(struct buf *b, const char *digits)
{
    buf_reset(b);
    for (const char *p = digits; *p != '\0'; p += 2) {
        unsigned hi = (unsigned)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
        unsigned lo = (unsigned)(p[1] <= '9' ? p[1] - '0' : p[1] - 'a' + 10);

        buf_u8(b, (uint8_t)(hi << 4 | lo));
    }
    return buf_bytes(b);
}

#define OWNER "1111111111111111111111111111111111111111"
#define WORKER "2222222222222222222222222222222222222222"

TEST(records)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct light_account acc;
    uint64_t n;
    st_job job;
    st_tee tee;
    bool legacy;
    struct err e;

    CHECK_OK(tee_pool_job_of_get(&job,
                                 hex(&b, "0105020100"
                                         "0101"
                                         "0401020304" OWNER WORKER),
                                 &e),
             &e);
    CHECK_INT(job.file_id.w[0], 5);
    CHECK_INT(job.bid.w[0], 256);
    CHECK_INT(job.status, JOB_SUBMITTED);
    CHECK_INT(job.added_at, 0x01020304);
    CHECK_INT(job.owner.b[19], 0x11);
    CHECK_INT(job.tee.b[0], 0x22);
    /* Never written: zeros. Written before a field was added: zeros in it. */
    CHECK_OK(tee_pool_job_of_get(&job, (struct bytes){0}, &e), &e);
    CHECK_INT(job.status, JOB_NONE);
    CHECK_OK(tee_pool_tee_of_get(&tee,
                                 hex(&b, "01010000"
                                         "0103616263"),
                                 &e),
             &e);
    CHECK_INT(tee.status, TEE_ACTIVE);
    CHECK_MEM(tee.url, bytes_str("abc"));
    CHECK_INT(tee.public_key.n, 0);

    CHECK_RC(tee_pool_job_of_get(&job,
                                 hex(&b, "0105020100"
                                         "0101"
                                         "0401020304" OWNER "22"),
                                 &e),
             RC_MALFORMED, &e, "job_of");
    CHECK_INT(job.status, JOB_NONE);
    CHECK_RC(tee_pool_job_of_get(&job,
                                 hex(&b, "0105020100"
                                         "0101"
                                         "0401020304" OWNER WORKER "00"),
                                 &e),
             RC_UNSUPPORTED, &e, "1 bytes more");
    CHECK_RC(tee_pool_tee_of_get(&tee,
                                 hex(&b, "01010000"
                                         "0104616263"),
                                 &e),
             RC_MALFORMED, &e, "text is longer");
    CHECK_RC(tee_pool_jobs_count_get(&job.bid, hex(&b, "020001"), &e), RC_MALFORMED, &e,
             "leading zeros");
    CHECK_RC(tee_pool_jobs_count_get(&job.bid, hex(&b, "21"), &e), RC_MALFORMED, &e, "too long");
    CHECK_RC(data_registry_legacy_events_get(&legacy, hex(&b, "0102"), &e), RC_MALFORMED, &e,
             "bool above 1");
    CHECK_OK(st_count(&n, hex(&b, "020100"), &e), &e);
    CHECK_INT(n, 256);
    CHECK_RC(st_count(&n, hex(&b, "09010203040506070809"), &e), RC_MALFORMED, &e, "too long");

    CHECK_OK(light_account_decode(&acc, (struct bytes){0}, &e), &e);
    CHECK_INT(acc.nonce, 0);
    CHECK_RC(light_account_decode(&acc, hex(&b, "00"), &e), RC_MALFORMED, &e, "1 bytes");
}
