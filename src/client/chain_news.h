/* client/chain_news.h - be woken when a contract makes an event, instead of asking again and again:
 * a subscription to logs over WebSocket. The node is believed in nothing: what it tells is a reason
 * to read, not a fact, and one that is silent, or speaks no WebSocket, delays whoever waits by no
 * more than the time-out he chose. One thread at a time. */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chain_news;

/* Events of `contract` with topics[0..n), n at most 4, in their places. `url` is the node's, as for
 * chain_client_new. It is connected to now or, if that fails, when it is waited for. */
struct chain_news *chain_news_new(const char *url, const struct address *contract,
                                  const struct hash32 *topics, size_t n);
void chain_news_free(struct chain_news *n);
/* Wait for the next event, at most timeout_ms. True: there is one, of block *height by the node's
 * word. Events before the subscription was made are not told: read once after chain_news_new. */
bool chain_news_wait(struct chain_news *n, unsigned timeout_ms, uint64_t *height);
