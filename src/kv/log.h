/* kv/log.h - an append-only log of records in segment files DIR/<first offset, 16 hex digits>.log.
 * Record: u32le length, u32le CRC-32C of (length ‖ data), data. Offsets count bytes over all
 * segments from the log's first record ever and never change. A record is durable after log_sync
 * returned RC_OK. At opening, an incomplete record at the very end (a write that power loss tore)
 * is cut off; damage anywhere else is RC_CORRUPT: nothing that was synced is ever dropped silently.
 * One writer thread; log_read from any thread. */
#pragma once

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "os/disk.h"

struct log;

#define LOG_HEADER_SIZE 8
#define LOG_MAX_RECORD_SIZE (256u << 20)

struct log_options {
    const char *dir;         /* made if absent */
    const struct disk *disk; /* NULL: disk_os() */
    uint64_t segment_size;   /* a new segment starts above this many bytes; 0: 64 MiB */
};

/* What opening found. */
struct log_found {
    uint64_t first;     /* offset of the first record kept */
    uint64_t end;       /* offset where the next record goes */
    uint64_t cut_bytes; /* length of the torn tail that was cut off */
};

/* Open and check the last segment from its start; earlier ones are checked record by record when
 * they are read (log_check does it now). RC_CORRUPT, RC_LIMIT, RC_IO. */
enum rc log_open(struct log **out, const struct log_options *o, struct log_found *found,
                 struct err *e);
void log_close(struct log *log);
/* Append; *offset names the record. Not durable before log_sync. After a failure (disk full, I/O
 * error) the log refuses appends until it is opened again. RC_LIMIT: larger than
 * LOG_MAX_RECORD_SIZE, or the disk is full; RC_IO. */
enum rc log_append(struct log *log, struct bytes data, uint64_t *offset, struct err *e);
/* fdatasync what was appended. */
enum rc log_sync(struct log *log, struct err *e);
/* Append the record at `offset` to out; *next (may be NULL) is where the following one starts.
 * RC_NOTFOUND: at the end or before the first; RC_CORRUPT: damaged, or no record starts there. */
enum rc log_read(struct log *log, uint64_t offset, struct buf *out, uint64_t *next, struct err *e);
uint64_t log_first(struct log *log);
uint64_t log_end(struct log *log);
/* Remove whole segments that lie before `offset`. RC_IO. */
enum rc log_drop_front(struct log *log, uint64_t offset, struct err *e);
/* Read every record. RC_CORRUPT names the segment and offset. */
enum rc log_check(struct log *log, uint64_t *n_records, struct err *e);

/* Verify one record at the start of `in` (a segment's bytes from some offset on): *data is its
 * content, *size the bytes it takes. RC_AGAIN: `in` ends inside it; RC_CORRUPT: the checksum or
 * length is wrong. Pure. */
enum rc log_record_parse(struct bytes in, struct bytes *data, size_t *size, struct err *e);
/* CRC-32C (Castagnoli, RFC 3720 §12.1), continuing from crc (0 to start). */
uint32_t crc32c(uint32_t crc, struct bytes in);
