/* busy.c - a validator that computes for about a second and says that all is well: what jobs beside
 * one another cost is not covered by their waiting. */
#include "sdk/validator.h"

#define ROUNDS 100000000u

int validator_main(void)
{
    u64 x = input_all().n + 1;
    struct json j = json_begin();

    for (u64 i = 0; i < ROUNDS; i++)
        x = x * 6364136223846793005u + 1442695040888963407u;
    json_u64(&j, "dlp_id", env_u64("DLP_ID", 0));
    json_bool(&j, "valid", true);
    json_ratio(&j, "score", 50 + x % 2, 100);
    json_open(&j, "metadata");
    json_close(&j);
    json_end(&j);
    return 0;
}
