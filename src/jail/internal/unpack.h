/* jail/internal/unpack.h - the parts of unpacking an image. */
#pragma once

#include "codec/json.h"
#include "crypto/hash.h"
#include "jail/image.h"

struct archive;

/* Bytes and entries that may still be written. */
struct budget {
    uint64_t bytes;
    uint64_t entries;
};
/* RC_LIMIT when more than what is left is asked for. */
enum rc budget_take(struct budget *b, uint64_t bytes, uint64_t entries, struct err *e);

/* A regular member of the outer archive, kept as file "blob.N" of the working folder. */
struct blob {
    char *name; /* normalised: no leading "./" or "/" */
    char *link; /* normalised target when it is a symbolic link; else NULL */
    unsigned number;
    uint64_t size;
    struct hash32 sha256;
};
struct blobs {
    int dir; /* the working folder */
    size_t n;
    size_t cap;
    struct blob *list;
};
void blobs_clear(struct blobs *b);
/* Write all members of the tar (gzip or not) in `fd` into b->dir. */
enum rc blobs_extract(struct blobs *b, int fd, struct budget *budget, struct err *e);
/* By name, links followed once. RC_MALFORMED if absent. */
enum rc blobs_get(const struct blob **out, const struct blobs *b, const char *name, struct err *e);
/* By "sha256:<hex>": must be there and have that content. */
enum rc blobs_get_digest(const struct blob **out, const struct blobs *b, const char *digest,
                         struct err *e);
int blob_open(const struct blobs *b, const struct blob *blob);
enum rc blob_json(json_t **out, const struct blobs *b, const struct blob *blob, struct err *e);

/* What the manifest says. Arrays of `n_layers`. */
#define UNPACK_MAX_LAYERS 127
struct plan {
    json_t *config; /* owned */
    struct hash32 config_sha256;
    size_t n_layers;
    const struct blob *layers[UNPACK_MAX_LAYERS];
    struct hash32 diff_ids[UNPACK_MAX_LAYERS];
};
void plan_clear(struct plan *p);
enum rc plan_read(struct plan *out, const struct blobs *b, struct err *e);
/* Entrypoint, command, environment, working folder out of plan->config. */
enum rc plan_image(struct image *out, const struct plan *p, struct err *e);
/* "sha256:<64 hex>" only. */
enum rc digest_parse(struct hash32 *out, const char *text, struct err *e);

/* Apply the layer in `fd` (tar, gzip or not) to the folder `root` after checking its diff_id.
 * `work` is a folder for the uncompressed copy. */
enum rc layer_apply(int root, int work, int fd, const struct hash32 *diff_id, struct budget *plain,
                    struct budget *files, unsigned max_depth, struct err *e);

/* Path text to components joined by single slashes, without leading "./" or "/". RC_MALFORMED: a
 * ".." component or an empty path where `may_be_root` is false; RC_LIMIT: deeper than max_depth or
 * longer than PATH_MAX. */
enum rc path_normalise(struct buf *out, const char *path, unsigned max_depth, bool may_be_root,
                       struct err *e);
/* Remove what is at `name` in `dir`, whatever it is; absent is not an error. */
enum rc remove_at(int dir, const char *name, struct err *e);

/* A libarchive reader of tars (gzip or not) over fd; or, `raw`, of any one stream. */
enum rc tar_open(struct archive **out, int fd, bool raw, struct err *e);
enum rc tar_error(struct archive *a, const char *what, struct err *e);
void tar_close(struct archive *a);
