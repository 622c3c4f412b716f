/* cluster/internal/text.h - members of the JSON texts that pass between callers and workers. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "codec/json.h"

#define TEXT_CLASS_MIN 512u /* texts are padded with spaces to powers of two from here on */

void text_put_hex(struct buf *b, const char *name, struct bytes v);
void text_put_num(struct buf *b, const char *name, uint64_t v);
/* At most max bytes, in the arena. */
enum rc text_hex(struct bytes *out, const json_t *v, const char *key, size_t max, struct arena *a,
                 struct err *e);
/* An object with no keys but these; `what` begins the error. */
enum rc text_check_keys(const json_t *v, const char *const *keys, size_t n_keys, const char *what,
                        struct err *e);
enum rc text_parse(json_t **out, struct bytes json, size_t max, const char *const *keys,
                   size_t n_keys, const char *what, struct err *e);
/* Members are as they should be, or the message is malformed: that one is missing is no NOTFOUND
 * of what it asks for. */
enum rc text_malformed(enum rc rc, const char *what, struct err *e);
/* What a worker says instead of an answer, as an error: never RC_OK. */
enum rc text_worker_error(const json_t *v, struct err *e);
