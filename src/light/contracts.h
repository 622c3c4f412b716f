/* light/contracts.h - the system contracts' state: keys and decoders, made from the declarations
 * the contracts themselves are compiled from (contracts/layout). For example
 *
 *   key = tee_pool_job_of_key(&tee_pool, u256_from_u64(7));      the state key of job 7
 *   st_job job;
 *   TRY(tee_pool_job_of_get(&job, proved_value, e));             job.tee is its worker
 *
 * How the names are made: light/layout.h. Pure; thread-safe. */
#pragma once

/* clang-format off */
#include "light/layout.h"

/* keys/purpose.h and attest/verdict.h have constants of these names: the contracts' are ST_... */
#define ROLE_OPEN ST_ROLE_OPEN
#define ROLE_CONTRACT ST_ROLE_CONTRACT
#define ROLE_ANALYSIS ST_ROLE_ANALYSIS
#define ROLE_KEEPER ST_ROLE_KEEPER
#define TEE_NONE ST_TEE_NONE

#define LAYOUT tee_pool
#include "layout/TeePool.h"
#undef LAYOUT
#define LAYOUT data_registry
#include "layout/DataRegistry.h"
#undef LAYOUT
#define LAYOUT dlp_registry
#include "layout/DLPRegistry.h"
#undef LAYOUT
#define LAYOUT data_pool
#include "layout/DataLiquidityPool.h"
#undef LAYOUT
#define LAYOUT workers
#include "layout/Workers.h"
#undef LAYOUT
#define LAYOUT collateral
#include "layout/Collateral.h"
#undef LAYOUT
#define LAYOUT gatekeepers
#include "layout/Gatekeepers.h"
#undef LAYOUT
#define LAYOUT council
#include "layout/Council.h"
#undef LAYOUT
#define LAYOUT confidential
#include "layout/ConfidentialContracts.h"
#undef LAYOUT

#include "light/layout_end.h"

/* The declarations' field lists. */
#undef TEE
#undef JOB
#undef PROOF_RECORD
#undef SECRETS_KEY
#undef FILE_RECORD
#undef PROOF
#undef DLP
#undef PAID
#undef WORKER
#undef MEASUREMENT
#undef ROOT
#undef ENTRY
#undef KEY_ROUND
#undef MESSAGE
#undef RELEASE
#undef APP_IMAGE
#undef ACTION
#undef CLUSTER
#undef QUEUE
#undef BATCH
#undef CONFIRMED
#undef CLUSTER_ROUND
#undef CLUSTER_RESULT
#undef COMMITTED
#undef CONTRACT_RECORD
#undef PENDING
#undef KEY_VOTE
#undef SEAT
#undef DELIVERED
#undef ROLE_OPEN
#undef ROLE_CONTRACT
#undef ROLE_ANALYSIS
#undef ROLE_KEEPER
#undef TEE_NONE
