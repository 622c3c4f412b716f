/* sdk/upgrade.h - upgradeToAndCall: from the next call on this contract runs the code that is at
 * `newImplementation`, keeping its storage. The new code must answer proxiableUUID() as ours does.
 * `data` must be empty: the new code begins with the next call, so a migration is a call of its
 * own. Include after NAME.abi.h and sdk/access.h. */
#pragma once

/* keccak256("eip1967.proxy.implementation") - 1 */
__attribute__((unused)) static const bytes32 ERC1967_SLOT = {{
    0x36, 0x08, 0x94, 0xa1, 0x3b, 0xa1, 0xa3, 0x21, 0x06, 0x67, 0xc8, 0x28, 0x49, 0x2d, 0xb9, 0x8d,
    0xca, 0x3e, 0x20, 0x76, 0xcc, 0x37, 0x35, 0xa9, 0x20, 0xa3, 0xca, 0x50, 0x5d, 0x38, 0x2b, 0xbc,
}};

UNUSED_OK void upgrade_to(address implementation, str data)
{
    static const u8 proxiable_uuid[4] = {0x52, 0xd1, 0x90, 0x2d};
    bytes32 code, uuid;
    str answer;

    if (!code_hash_of(implementation, &code))
        revert_ERC1967InvalidImplementation(implementation);
    if (!same(implementation, self_address())) {
        if (call_raw(implementation, (str){proxiable_uuid, 4}, 0, true, &answer) != 0 ||
            answer.n != 32)
            revert_ERC1967InvalidImplementation(implementation);
        memcpy(&uuid, answer.p, 32);
        if (!same32(uuid, ERC1967_SLOT))
            revert_UUPSUnsupportedProxiableUUID(uuid);
    }
    if (data.n != 0)
        revert_text("upgradeToAndCall: data must be empty: call the new code in a call of its own");
    if (msg_value() != 0)
        revert_ERC1967NonPayable();
    if (HOST1(HOST_SET_CODE, &code) != 0)
        revert_ERC1967InvalidImplementation(implementation);
    emit_Upgraded(implementation);
}

#define UPGRADE_HANDLERS(N, ROLE)                                                                  \
    void N##_upgradeToAndCall(address newImplementation, str data)                                 \
    {                                                                                              \
        only_role(ROLE);                                                                           \
        upgrade_to(newImplementation, data);                                                       \
    }                                                                                              \
    bytes32 N##_proxiableUUID(void)                                                                \
    {                                                                                              \
        return ERC1967_SLOT;                                                                       \
    }                                                                                              \
    str N##_UPGRADE_INTERFACE_VERSION(void)                                                        \
    {                                                                                              \
        return STR("5.0.0");                                                                       \
    }
