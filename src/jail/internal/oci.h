/* jail/internal/oci.h - the OCI runtime configuration given to crun. */
#pragma once

#include "jail/jail.h"

/* Folders inside the jail's private mount namespace. */
struct oci_paths {
    const char *rootfs, *input, *output, *tmp;
};

/* The text of config.json. `config` has its limits set. With `rlimit_only` memory is bounded by
 * RLIMIT_AS a process. */
void oci_config_encode(struct buf *out, const struct jail_config *config,
                       const struct oci_paths *paths, bool rlimit_only);
