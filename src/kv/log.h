/* kv/log.h - an append-only log of records in segment files DIR/<first offset, 16 hex digits>.log.
 * Record: u32le magic "CLR1", u32le length, u32le CRC-32C of the data, u32le CRC-32C of the twelve
 * bytes before, the data, zeros up to a multiple of 16 (so that a header never lies across a
 * sector). Offsets count bytes over all segments from the first record ever and never change. A
 * record is durable after record_log_sync returned RC_OK; at most one record is not synced at any
 * time, so whatever follows a record proves that it was. At opening, an incomplete record at the
 * very end (a write that power loss tore) is cut off and reported; damage anywhere else is
 * RC_CORRUPT. One writer thread; record_log_read from any thread. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "os/disk.h"

struct record_log;

#define RECORD_HEADER_SIZE 16
#define RECORD_MAX_SIZE (256u << 20) /* bytes of data */

struct record_log_options {
    const char *dir;         /* made if absent */
    const struct disk *disk; /* NULL: disk_os() */
    uint64_t segment_size;   /* a new segment starts above this many bytes; 0: 256 MiB */
    bool read_only;          /* a torn tail is left out but not cut from the file; no append */
};

/* What opening found. */
struct record_log_found {
    uint64_t first;     /* offset of the first record kept */
    uint64_t end;       /* offset where the next record goes */
    uint64_t cut_bytes; /* length of the torn tail that was cut off */
};

/* Open and check the last segment; earlier ones are checked record by record as they are read
 * (record_log_check does it now). RC_NOTFOUND (read_only and absent), RC_CORRUPT, RC_IO. */
enum rc record_log_open(struct record_log **out, const struct record_log_options *o,
                        struct record_log_found *found, struct err *e);
/* NULL is allowed. */
void record_log_close(struct record_log *log);
/* Append; *offset names the record. Not durable before record_log_sync; an append that was not
 * synced is synced first. After a failure (disk full, I/O error) the log refuses appends until it
 * is opened again. RC_LIMIT: empty, larger than RECORD_MAX_SIZE, or the disk is full; RC_IO. */
enum rc record_log_append(struct record_log *log, struct bytes data, uint64_t *offset,
                          struct err *e);
/* Make what was appended durable (fdatasync). RC_IO: as a failed append. */
enum rc record_log_sync(struct record_log *log, struct err *e);
/* Append the data of the record at `offset` to out; *next (may be NULL) is where the following one
 * starts. RC_NOTFOUND: at the end or before the first; RC_CORRUPT: damaged, or no record starts
 * there. */
enum rc record_log_read(struct record_log *log, uint64_t offset, struct buf *out, uint64_t *next,
                        struct err *e);
uint64_t record_log_first(struct record_log *log);
uint64_t record_log_end(struct record_log *log);
/* Remove whole segments that lie before `offset`. RC_IO. */
enum rc record_log_drop_front(struct record_log *log, uint64_t offset, struct err *e);
/* Read every record. RC_CORRUPT names the offset. */
enum rc record_log_check(struct record_log *log, uint64_t *n_records, struct err *e);

/* What stands at the start of `in`, which reaches to the end of its segment. RC_OK: a whole record,
 * *data its content, *size the bytes it takes. RC_AGAIN: a torn tail (all of `in` may be cut).
 * RC_CORRUPT: damage. Pure. */
enum rc record_parse(struct bytes in, struct bytes *data, size_t *size, struct err *e);
/* CRC-32C (Castagnoli, RFC 3720 §12.1), continuing from crc (0 to start). */
uint32_t crc32c(uint32_t crc, struct bytes in);
