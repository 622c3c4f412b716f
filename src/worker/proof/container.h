/* worker/proof/container.h - run a pool's validator that is a container image, in cloister-jail.
 * Input, environment and outcome are those of RISC-V validators (validator/validator.h). */
#pragma once

#include "validator/validator.h"

struct validator_jail {
    const char *jail_path;
    bool rlimit_only;
    const char *agent; /* socket of the image's agent; NULL: none */
};
struct image;
struct jail_process;

/* In the two steps of validator_start and validator_finish; *out is NULL when the image names no
 * program, and validator_image_finish says so. */
enum rc validator_image_start(struct jail_process **out, const struct image *image,
                              const struct validator_jail *jail, int input_fd, json_t *env,
                              const struct validator_limits *limits, struct err *e);
enum rc validator_image_finish(struct validator_outcome *out, struct buf *results,
                               struct jail_process *p, const struct validator_limits *limits,
                               struct err *e);
