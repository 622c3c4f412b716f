/* sdk/pause.h - an emergency stop. Include after NAME.abi.h and sdk/access.h. */
#pragma once

VALUE(is_paused, 253, bool)

UNUSED_OK void when_not_paused(void)
{
    if (is_paused())
        revert_EnforcedPause();
}

UNUSED_OK void pause_switch(bool on, bytes32 role)
{
    only_role(role);
    if (on == is_paused()) {
        if (on)
            revert_EnforcedPause();
        revert_ExpectedPause();
    }
    is_paused_set(on);
    if (on)
        emit_Paused(msg_caller());
    else
        emit_Unpaused(msg_caller());
}

#define PAUSE_HANDLERS(N, ROLE)                                                                    \
    bool N##_paused(void)                                                                          \
    {                                                                                              \
        return is_paused();                                                                        \
    }                                                                                              \
    void N##_pause(void)                                                                           \
    {                                                                                              \
        pause_switch(true, ROLE);                                                                  \
    }                                                                                              \
    void N##_unpause(void)                                                                         \
    {                                                                                              \
        pause_switch(false, ROLE);                                                                 \
    }
