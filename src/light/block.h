/* light/block.h - a light block: what a stranger needs of one height (CometBFT's LightBlock, with
 * the next height's validators too). Pure: bytes in, values out. Trust: input is hostile; decoding
 * proves nothing, light/verify.h does. Thread-safe. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "chain/commit.h"
#include "codec/json.h"

#define LIGHT_BLOCK_MAX_SIZE (4u << 20) /* bytes, binary form */

struct light_block {
    struct header header;
    struct commit commit;                 /* for this header */
    struct validator_set validators;      /* sign this height */
    struct validator_set next_validators; /* sign the next one; n 0: not given */
};

/* Append the binary form, protobuf fields ascending: 1 header, 2 commit, 3 a validator {1 key, 2
 * power} each, 4 a next validator each (left out when they are the same set as 3; 5 = 1 says
 * so). A block without next validators has neither 4 nor 5. */
void light_block_encode(struct buf *out, const struct light_block *b);
/* Whole input, canonical: encode(decode(x)) == x. Lists live in the arena. RC_MALFORMED, RC_LIMIT.
 */
enum rc light_block_decode(struct light_block *out, struct arena *a, struct bytes in,
                           struct err *e);
/* {"height","header","commit","validators":[{"pubKey","power"}],"nextValidators":[…]}: header and
 * commit as CometBFT's protobuf in hexadecimal, numbers as quantities (docs/rpc.md). A new
 * reference. */
json_t *light_block_to_json(const struct light_block *b);
/* nextValidators may be absent or null; unknown members are passed over. */
enum rc light_block_from_json(struct light_block *out, struct arena *a, const json_t *v,
                              struct err *e);
/* A deep copy into the arena. */
void light_block_copy(struct light_block *out, struct arena *a, const struct light_block *in);
/* RC_LIMIT, RC_MALFORMED. */
enum rc validators_from_json(struct validator_set *out, struct arena *a, const json_t *list,
                             struct err *e);
json_t *validators_to_json(const struct validator_set *set);
