/* client/internal/layouts.h - light/contracts.h beside keys/purpose.h and attest/verdict.h, which
 * have some of the same names: the contracts' are ST_... here. */
#pragma once

#define ROLE_OPEN ST_ROLE_OPEN
#define ROLE_CONTRACT ST_ROLE_CONTRACT
#define ROLE_ANALYSIS ST_ROLE_ANALYSIS
#define ROLE_KEEPER ST_ROLE_KEEPER
#define TEE_NONE ST_TEE_NONE
#include "light/contracts.h"
#undef ROLE_OPEN
#undef ROLE_CONTRACT
#undef ROLE_ANALYSIS
#undef ROLE_KEEPER
#undef TEE_NONE
