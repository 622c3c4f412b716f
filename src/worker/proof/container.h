/* worker/proof/container.h - run a pool's validator that is a container image, in cloister-jail.
 * Input, environment and outcome are those of RISC-V validators (validator/validator.h). */
#pragma once

#include "validator/validator.h"

struct validator_jail {
    const char *jail_path;
    bool rlimit_only;
};
struct image;
enum rc validator_run_image(struct validator_outcome *out, struct buf *results,
                            const struct image *image, const struct validator_jail *jail,
                            int input_fd, json_t *env, const struct validator_limits *limits,
                            struct err *e);
