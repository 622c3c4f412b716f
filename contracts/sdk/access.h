/* sdk/access.h - roles, as OpenZeppelin's AccessControl 5.0. Include after NAME.abi.h, which must
 * declare the events and errors used here. Role checks look at the raw caller, never at the sender
 * a trusted forwarder names (as Vana's contracts do): a forwarder cannot administer. */
#pragma once

#include "sdk/roles.h"

MAP2(role_member, 255, bytes32, address, bool)
MAP(role_admin, 254, bytes32, bytes32)

UNUSED_OK bool has_role(bytes32 role, address account)
{
    return role_member(role, account);
}

UNUSED_OK void only_role(bytes32 role)
{
    address caller = msg_caller();

    if (!has_role(role, caller))
        revert_AccessControlUnauthorizedAccount(caller, role);
}

UNUSED_OK void grant_role(bytes32 role, address account)
{
    if (has_role(role, account))
        return;
    role_member_set(role, account, true);
    emit_RoleGranted(role, account, msg_caller());
}

UNUSED_OK void revoke_role(bytes32 role, address account)
{
    if (!has_role(role, account))
        return;
    role_member_set(role, account, false);
    emit_RoleRevoked(role, account, msg_caller());
}

UNUSED_OK bool supports_access_control(bytes4 id)
{
    static const bytes4 erc165 = {{0x01, 0xff, 0xc9, 0xa7}};
    static const bytes4 access_control = {{0x79, 0x65, 0xdb, 0x0b}};

    return memcmp(&id, &erc165, 4) == 0 || memcmp(&id, &access_control, 4) == 0;
}

/* The handlers of the contract N. */
#define ACCESS_HANDLERS(N)                                                                         \
    bytes32 N##_DEFAULT_ADMIN_ROLE(void)                                                           \
    {                                                                                              \
        return DEFAULT_ADMIN_ROLE;                                                                 \
    }                                                                                              \
    bool N##_hasRole(bytes32 role, address account)                                                \
    {                                                                                              \
        return has_role(role, account);                                                            \
    }                                                                                              \
    bytes32 N##_getRoleAdmin(bytes32 role)                                                         \
    {                                                                                              \
        return role_admin(role);                                                                   \
    }                                                                                              \
    void N##_grantRole(bytes32 role, address account)                                              \
    {                                                                                              \
        only_role(role_admin(role));                                                               \
        grant_role(role, account);                                                                 \
    }                                                                                              \
    void N##_revokeRole(bytes32 role, address account)                                             \
    {                                                                                              \
        only_role(role_admin(role));                                                               \
        revoke_role(role, account);                                                                \
    }                                                                                              \
    void N##_renounceRole(bytes32 role, address callerConfirmation)                                \
    {                                                                                              \
        if (!same(callerConfirmation, msg_caller()))                                               \
            revert_AccessControlBadConfirmation();                                                 \
        revoke_role(role, callerConfirmation);                                                     \
    }                                                                                              \
    bool N##_supportsInterface(bytes4 interfaceId)                                                 \
    {                                                                                              \
        return supports_access_control(interfaceId);                                               \
    }
