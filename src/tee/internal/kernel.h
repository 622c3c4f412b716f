/* tee/internal/kernel.h - helpers for the kernel's interfaces, shared by the sources. */
#pragma once

#include "tee/internal/tee.h"

/* All of a file, in one open: a binary attribute is made when it is first read. Appends. RC_AGAIN:
 * the kernel says busy; RC_NOTFOUND; RC_LIMIT: over max, or EFBIG; RC_TIMEOUT; RC_IO. */
enum rc kernel_read(const struct tee_sys *sys, struct buf *out, const char *path, size_t max,
                    struct err *e);
/* All of `data` in one write. Codes as kernel_read. */
enum rc kernel_write(const struct tee_sys *sys, const char *path, struct bytes data, struct err *e);
/* The rc for an errno of these interfaces. */
enum rc kernel_errno(struct err *e, int errnum, const char *what);
/* Wait before another try: false if the deadline passed. Waits grow to 100 ms. */
bool kernel_wait(const struct tee_sys *sys, unsigned attempt, uint64_t deadline_ms);

/* Extend and read registers by the files of /sys/.../measurements (kernel 6.16 and later).
 * RC_NOTFOUND: no such files. */
enum rc measurements_extend(const struct tee_sys *sys, const char *dir, unsigned index,
                            const uint8_t digest48[48], struct err *e);
enum rc measurements_read(const struct tee_sys *sys, const char *dir, unsigned index,
                          uint8_t out48[48], struct err *e);

/* ioctl 3 of /dev/tdx_guest in older vendor kernels. RC_UNSUPPORTED: not known to this kernel. */
enum rc tdx_ioctl_extend(const struct tee_sys *sys, const char *device, unsigned index,
                         const uint8_t digest48[48], struct err *e);

/* GET_DERIVED_KEY of /dev/sev-guest, bound to measurement, guest policy and TCB version. */
enum rc snp_derived_key(const struct tee_sys *sys, const char *device, struct secret32 *out,
                        unsigned vmpl, uint64_t tcb_version, uint64_t deadline_ms, struct err *e);
