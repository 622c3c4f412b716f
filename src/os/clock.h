/* os/clock.h - time. Wall time is the host's claim; deadlines use the monotonic clock. */
#pragma once

#include <stdint.h>

/* Nanoseconds since 1970-01-01 UTC, by the host's wall clock. */
uint64_t clock_wall_ns(void);
/* Nanoseconds of a clock that never goes back; its zero is arbitrary. */
uint64_t clock_mono_ns(void);
static inline uint64_t clock_mono_ms(void)
{
    return clock_mono_ns() / 1000000;
}
/* Sleep the whole time, signals or not. */
void clock_sleep_ms(uint64_t ms);
void clock_sleep_us(uint64_t us);
