/* client/contract_errors.h - the custom errors of all our contracts, for turning revert data into
 * text (chain/abi_sig.h, contract_error_text). */
#pragma once

#include "base/bytes.h"

/* The signature of the custom error in this revert data ("NotJobOwner()"), or NULL when no contract
 * of ours declares it. A constant. */
const char *contract_error_signature(struct bytes revert);
