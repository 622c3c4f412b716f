#include "client/contract_errors.h"

#include "base/mem.h"
#include "chain/contracts.h"
#include "chain/gen/collateral.h"
#include "chain/gen/council.h"
#include "chain/gen/workers.h"

const char *contract_error_signature(struct bytes revert)
{
    static const char *(*const tables[])(struct bytes) = {data_registry_error,
                                                          tee_pool_error,
                                                          data_liquidity_pool_error,
                                                          dlp_registry_error,
                                                          data_token_error,
                                                          pool_factory_error,
                                                          multicall3_error,
                                                          data_refiner_registry_error,
                                                          council_error,
                                                          collateral_error,
                                                          workers_error,
                                                          gatekeepers_error,
                                                          confidential_contracts_error};

    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        const char *signature = tables[i](revert);

        if (signature != NULL)
            return signature;
    }
    return NULL;
}
