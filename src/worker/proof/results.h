/* worker/proof/results.h - results.json of a validator: hostile text, by which a validator could
 * try to carry the file out (PROTOCOL.md P15). Numbers are cut to thousandths; what becomes public
 * is bounded. Source: reference/vana.md §8. */
#pragma once

#include "base/u256.h"
#include "codec/json.h"

#define RESULTS_MAX_PUBLIC_SIZE 1024 /* bytes of metadata and attributes together */
#define RESULTS_SCALE 1000           /* parts of one that a score can have */

struct results {
    uint64_t dlp_id;
    bool valid;
    unsigned score, authenticity, ownership, quality, uniqueness; /* thousandths, 0..1000 */
    json_t *attributes;                                           /* objects; owned */
    json_t *metadata;
};

/* RC_MALFORMED, RC_RANGE or RC_LIMIT name the field. */
enum rc results_parse(struct results *out, struct bytes text, struct err *e);
void results_clear(struct results *r);
/* As on chain: 1e18 is one. */
struct u256 results_score_wei(unsigned thousandths);
