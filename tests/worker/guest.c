/* A validator that misbehaves on request (environment variable MODE); built by test_validator. */
#include "sdk/validator.h"

static void put_text(const char *text, u64 n)
{
    (void)HOST2(HOST_RESULT, text, n);
}

static void result(u64 dlp, const char *score)
{
    struct json j = json_begin();

    json_u64(&j, "dlp_id", dlp);
    json_bool(&j, "valid", true);
    json_ratio(&j, "score", score[0] == '1', 1);
    json_end(&j);
}

int validator_main(void)
{
    str mode = env_get("MODE");

    if (same_str(mode, STR("good"))) {
        result(env_u64("DLP_ID", 0), "1");
        return 0;
    }
    if (same_str(mode, STR("zero"))) {
        result(env_u64("DLP_ID", 0), "0");
        return 0;
    }
    if (same_str(mode, STR("other-pool"))) {
        result(env_u64("DLP_ID", 0) + 1, "1");
        return 0;
    }
    if (same_str(mode, STR("nan"))) {
        static const char text[] = "{\"dlp_id\":1,\"valid\":true,\"score\":NaN}";

        put_text(text, sizeof(text) - 1);
        return 0;
    }

    if (same_str(mode, STR("echo"))) {
        str in = input_all();

        put_text((const char *)in.p, in.n);
        return 0;
    }
    if (same_str(mode, STR("exit7")))
        return 7;
    if (same_str(mode, STR("spin")))
        for (volatile u64 i = 0;; i++)
            continue;
    if (same_str(mode, STR("crash")))
        *(volatile u64 *)8 = 1;
    if (same_str(mode, STR("eat")))
        for (;;) {
            u8 *p = alloc(1 << 20);

            p[0] = 1;
        }
    if (same_str(mode, STR("huge"))) {
        u8 *p = alloc(2 << 20);

        return HOST2(HOST_RESULT, p, 2 << 20) == 0 ? 1 : 0;
    }
    if (same_str(mode, STR("hash"))) {
        u8 sum[32];

        sha256_of(input_all(), sum);
        put_text((const char *)sum, 32);
        return 0;
    }
    if (same_str(mode, STR("env"))) {
        str v = env_get("SECRET");

        put_text((const char *)v.p, v.n);
        return 0;
    }
    return 0;
}
