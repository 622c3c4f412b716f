/* chain/contracts.h - the system contracts as our programs call them. Each header is generated from
 * contracts/abi/NAME.json (make contracts; names in docs/contracts.md):
 *   STEM_put_FN(out, args…)             appends the calldata of FN
 *   STEM_get_FN(out, arena, data, e)    decodes FN's result; arena may be NULL where no list comes
 *   STEM_topic_EV, STEM_parse_EV(out, arena, topics, n_topics, data, e)   an event of a log
 *   STEM_error(revert data)             signature of a custom error, or NULL */
#pragma once

#include "chain/gen/collateral.h"
#include "chain/gen/confidential_contracts.h"
#include "chain/gen/council.h"
#include "chain/gen/data_liquidity_pool.h"
#include "chain/gen/data_refiner_registry.h"
#include "chain/gen/data_registry.h"
#include "chain/gen/data_token.h"
#include "chain/gen/dlp_registry.h"
#include "chain/gen/gatekeepers.h"
#include "chain/gen/multicall3.h"
#include "chain/gen/pool_factory.h"
#include "chain/gen/tee_pool.h"
#include "chain/gen/workers.h"
