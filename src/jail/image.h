/* jail/image.h - container images from one archive file: `docker save` output (old and new form) or
 * an OCI image layout in a tar, gzip or not.
 * Trust: the archive is hostile until its SHA-256 equals the digest that the pool named; what is in
 * it stays hostile for ever. Every blob's digest and every layer's diff_id is checked. Files are
 * placed by openat2(RESOLVE_IN_ROOT), device nodes are dropped, set-id bits are cleared, whiteouts
 * applied. Sources: OCI image-spec 1.0 (image-layout, manifest, config, layer), docker save. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

/* Zero means the default in brackets. */
struct image_limits {
    uint64_t archive_size;  /* bytes of the archive [4 GiB] */
    uint64_t unpacked_size; /* bytes of all files together [8 GiB] */
    uint64_t n_files;       /* entries of all layers together [400,000] */
    uint32_t depth;         /* path components [64] */
    uint32_t n_layers;      /* [127] */
    uint32_t ratio;         /* unpacked bytes a byte of archive, above 64 MiB [200] */
};

/* An unpacked image. Owned strings; image_clear frees them, the folder stays in the cache. */
struct image {
    char *rootfs; /* folder of the root filesystem */
    char *digest; /* of the image configuration: "sha256:<hex>" */
    char *cwd;    /* "/" if none */
    char **argv;  /* entrypoint and command; NULL-terminated; may be empty */
    char **env;   /* NULL-terminated "NAME=value" */
    bool was_cached;
};

/* Unpack `archive_fd` (read from its start) below `cache_dir`, once: a finished image is found
 * again by the archive's SHA-256. With `want` not NULL the archive must have that SHA-256
 * (RC_DENIED else, before anything is unpacked). RC_MALFORMED: not an image, or breaks a rule;
 * RC_LIMIT: one of the limits; RC_UNSUPPORTED: e.g. another processor's image. On failure nothing
 * is left behind. Processes may do this at the same time. */
enum rc image_open(struct image *out, int archive_fd, const struct hash32 *want,
                   const char *cache_dir, const struct image_limits *limits, struct err *e);
void image_clear(struct image *image);

/* True if the first bytes look like what image_open reads (tar or gzip). */
bool image_is_archive(struct bytes head);

/* Remove all but the `keep` most recently used images of the cache, and what killed processes left
 * unfinished more than an hour ago. Not while containers of these images run. */
enum rc image_cache_trim(const char *cache_dir, unsigned keep, struct err *e);
