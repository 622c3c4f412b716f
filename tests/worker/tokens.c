/* A validator that says which variables it was given, by a hash of each; built by
 * tests/e2e/secrets.
 */
#include "sdk/validator.h"

static void put_hash(struct json *j, const char *name)
{
    static const char digits[] = "0123456789abcdef";
    str v = env_get(name);
    u8 sum[32], text[16];

    if (v.n == 0) {
        json_text(j, name, STR("none"));
        return;
    }
    sha256_of(v, sum);
    for (u64 i = 0; i < 8; i++) {
        text[2 * i] = (u8)digits[sum[i] >> 4];
        text[2 * i + 1] = (u8)digits[sum[i] & 15];
    }
    json_text(j, name, (str){text, sizeof(text)});
}

int validator_main(void)
{
    static const char *const names[] = {"TOKEN", "POOL_TOKEN", "JOB_ID", "PLAIN"};
    struct json j = json_begin();

    json_u64(&j, "dlp_id", env_u64("DLP_ID", 0));
    json_bool(&j, "valid", true);
    json_ratio(&j, "score", 1, 1);
    json_open(&j, "metadata");
    for (u64 i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        put_hash(&j, names[i]);
    json_close(&j);
    json_end(&j);
    return 0;
}
