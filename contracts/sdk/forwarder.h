/* sdk/forwarder.h - ERC-2771: when the trusted forwarder calls, the last 20 bytes of the calldata
 * name the sender. Inside multicall the suffix of the whole call counts, so an inner call cannot
 * name somebody else. Include after NAME.abi.h and sdk/access.h. */
#pragma once

VALUE(trusted_forwarder, 252, address)

/* On whose behalf this call acts. */
UNUSED_OK address msg_sender(void)
{
    address sender = msg_caller();
    str data = msg_data();

    if (data.n >= 20 && !is_zero(sender) && same(sender, trusted_forwarder()))
        memcpy(&sender, data.p + data.n - 20, 20);
    return sender;
}

#define FORWARDER_HANDLERS(N, ROLE)                                                                \
    address N##_trustedForwarder(void)                                                             \
    {                                                                                              \
        return trusted_forwarder();                                                                \
    }                                                                                              \
    bool N##_isTrustedForwarder(address forwarder)                                                 \
    {                                                                                              \
        return same(forwarder, trusted_forwarder());                                               \
    }                                                                                              \
    void N##_updateTrustedForwarder(address trustedForwarderAddress)                               \
    {                                                                                              \
        only_role(ROLE);                                                                           \
        trusted_forwarder_set(trustedForwarderAddress);                                            \
    }
