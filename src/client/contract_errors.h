/* client/contract_errors.h - the custom errors of all our contracts, for turning revert data into
 * text (chain/abi_sig.h, contract_error_text). */
#pragma once

#include "chain/abi_sig.h"

extern const struct contract_error CONTRACT_ERRORS[];
extern const size_t N_CONTRACT_ERRORS;
