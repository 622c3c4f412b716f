/* store/internal/writer.h - puts blocks into the store on a thread of its own, in order, so that a
 * large add hashes the next block while the last one is written. At most WRITER_DEPTH blocks wait.
 */
#pragma once

#include "store/store.h"

#define WRITER_DEPTH 4

struct writer;

/* NULL: no thread could be started; put without one. */
struct writer *writer_new(struct store *store);
/* Hand over a block; *block is swapped for an empty buffer to be filled next. Returns the first
 * failure of an earlier put. */
enum rc writer_put(struct writer *w, const struct cid *cid, struct buf *block, struct err *e);
/* Wait until all is put; the first failure, if any. */
enum rc writer_finish(struct writer *w, struct err *e);
/* Ends the thread; what still waits is put or, after a failure, dropped. NULL is fine. */
void writer_free(struct writer *w);
