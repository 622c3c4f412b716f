/* ledger/profile.h - where contracts run, when not on the public ledger: in a cluster of
 * confidential contracts (docs/confidential.md, Execution). block_env.profile NULL is the public
 * ledger, for which nothing here exists but HOST_PROFILE, which answers 0. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "ledger/journal.h"

enum host_profile_kind {
    PROFILE_LEDGER = 0,
    PROFILE_SEALED = 1, /* a command whose envelope was opened */
    PROFILE_PLAIN = 2,  /* a command all can read; an activation */
    PROFILE_QUERY = 3,
};

#define QUERY_RANDOM_MAX 4096u      /* bytes of one HOST_RANDOM */
#define QUERY_MESSAGE_MAX 65536u    /* that a contract signs */
#define QUERY_REQUEST_MAX 65536u    /* of HOST_HTTP */
#define QUERY_RESPONSE_MAX 1048576u /* longer: RC_LIMIT */
#define QUERY_CACHE_KEY_MAX 128u
#define QUERY_CACHE_VALUE_MAX 65536u

/* Query effects, given by whoever runs the machine. NULL functions answer -HOST_EINVAL. Any rc but
 * RC_OK becomes the contract's answer: RC_NOTFOUND -HOST_ENOTFOUND, RC_LIMIT -HOST_ELIMIT, others
 * -HOST_EINVAL. */
struct query_host {
    void *data;
    enum rc (*random)(void *data, uint8_t *out, size_t n, struct err *e);
    enum rc (*sign)(void *data, const struct address *contract, struct bytes message,
                    uint8_t sig65[65], struct err *e);
    /* request and response: JSON texts, docs/confidential.md; response is appended. */
    enum rc (*http)(void *data, const struct address *contract, struct bytes request,
                    struct buf *response, struct err *e);
    enum rc (*cache_get)(void *data, const struct address *contract, struct bytes key,
                         struct buf *value, struct err *e);
    enum rc (*cache_set)(void *data, const struct address *contract, struct bytes key,
                         struct bytes value, struct err *e);
};

struct host_profile {
    enum host_profile_kind kind;    /* not PROFILE_LEDGER */
    const struct query_host *query; /* PROFILE_QUERY; NULL: none of it */
};

/* ---- what leaves a cluster ----
 * A message out is a log of the address zero, where no contract is: what undoes logs undoes it. */

#define SEND_MESSAGES_MAX 256 /* of one command */
#define SEND_DATA_MAX 16384u

struct out_log {
    struct address from, to;
    struct u256 value_wei;
    struct bytes data;
};

/* Append one; the data is copied. */
void out_log_add(struct journal *j, const struct out_log *m);
/* Is this log a message out? *out then borrows from it. */
bool out_log_read(struct out_log *out, const struct log *log);
