/* sdk/release.h - when results may be told. Who sees a count before and after one input knows that
 * input, although counts are all that is told. So either nothing is told until inputs are over
 * (examples/Survey.c), or what is told changes by cohorts: inputs wait until enough of them have
 * come, and then count all at once (examples/Rating.c). Nothing helps where all of a cohort but one
 * are one person's: let each account count once, and make accounts cost something. */
#pragma once

#include "sdk/storage.h"

/* Counts by number, told by cohorts; takes the tags TAG, TAG + 1 and TAG + 2.
 *   void NAME_add(u64 which, u64 cohort)   one more of `which`; with `cohort` of them, all are told
 *   u64 NAME_told(u64 which)               how many of it are told
 *   u64 NAME_waiting(void)                 how many inputs wait for their cohort */
#define COHORTS(name, tag)                                                                         \
    MAP(name##_told, tag, u64, u64)                                                                \
    MAP(name##_input, (tag) + 1, u64, u64)                                                         \
    VALUE(name##_waiting, (tag) + 2, u64)                                                          \
    UNUSED_OK void name##_add(u64 which, u64 cohort)                                               \
    {                                                                                              \
        u64 n_ = name##_waiting();                                                                 \
        name##_input_set(n_, which);                                                               \
        n_++;                                                                                      \
        if (n_ < cohort) {                                                                         \
            name##_waiting_set(n_);                                                                \
            return;                                                                                \
        }                                                                                          \
        for (u64 i_ = 0; i_ < n_; i_++) {                                                          \
            u64 which_ = name##_input(i_);                                                         \
            name##_told_set(which_, name##_told(which_) + 1);                                      \
        }                                                                                          \
        name##_waiting_set(0);                                                                     \
    }
