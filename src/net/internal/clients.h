/* net/internal/clients.h - what each address has used: a bounded table of token buckets and
 * connection counts. Thread-safe. Private to net. */
#pragma once

#include "net/limits.h"

/* Addresses remembered beyond those with open connections; the one used longest ago is forgotten,
 * which gives it a full bucket again. */
#define CLIENTS_REMEMBERED 16384

struct clients;

/* Copies *l, with defaults filled in. */
struct clients *clients_new(const struct http_limits *l);
/* NULL is fine. */
void clients_free(struct clients *c);
const struct http_limits *clients_limits(const struct clients *c);
/* Is this one of the trusted proxies? */
bool clients_is_proxy(const struct clients *c, const struct http_address *a);
/* A connection of this address: false if it has as many as it may. */
bool clients_enter(struct clients *c, const struct http_address *a, uint64_t now_ms);
/* What clients_enter() admitted has ended. */
void clients_leave(struct clients *c, const struct http_address *a);
/* Take n requests from the address' bucket; `more`: after one that has been taken, for the rest of
 * a batch. More than the burst are let through when the bucket is full, and owed. False: there are
 * not so many, or its bytes are owed; try again in *retry_ms. */
bool clients_take(struct clients *c, const struct http_address *a, unsigned n, bool more,
                  uint64_t now_ms, uint64_t *retry_ms);
/* So many bytes came or went; the bucket of bytes may be overdrawn. */
void clients_spend(struct clients *c, const struct http_address *a, uint64_t bytes,
                   uint64_t now_ms);
/* A number that stands for the address' network, the same until the process ends. */
uint64_t clients_id(const struct clients *c, const struct http_address *a);
size_t clients_len(struct clients *c);
