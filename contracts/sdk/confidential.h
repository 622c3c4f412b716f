/* sdk/confidential.h - what a contract may use besides when it is run confidentially, in a cluster
 * (docs/confidential.md). The same source runs on the public ledger: there run_profile() says so,
 * send_out() is a plain call, and what only queries have fails. */
#pragma once

#include "sdk/contract.h"

typedef enum {
    RUN_PUBLIC = 0,
    RUN_SEALED = 1, /* a command whose calldata was sealed to this contract */
    RUN_PLAIN = 2,  /* a command that all can read */
    RUN_QUERY = 3,  /* changes are dropped; the caller is zero unless it signed */
} run_profile_kind;

/* Where this call runs. */
UNUSED_OK run_profile_kind run_profile(void)
{
    return (run_profile_kind)HOST0(HOST_PROFILE);
}

/* Call a contract of the public ledger, or pay an account there, from this contract. In a cluster
 * the message leaves when the command's batch is confirmed, once, and nothing comes back; if this
 * call is undone it never leaves. False: too little coin, too long (16 KiB), too many (256 of a
 * command), a view; on the public ledger also that the callee failed. */
[[nodiscard]] UNUSED_OK bool send_out(address to, u256 value, str data)
{
    if (run_profile() == RUN_PUBLIC) {
        str ignored;

        return call_raw(to, data, value, false, &ignored) == 0;
    }
    bytes32 v = bytes32_of(value);

    return HOST4(HOST_SEND, &to, value == 0 ? NULL : &v, data.p, data.n) == 0;
}

/* ---- only in queries; false elsewhere, or where the worker does not offer it ---- */

/* n <= 4096 fresh random bytes. */
[[nodiscard]] UNUSED_OK bool random_bytes(u8 *out, u64 n)
{
    return run_profile() == RUN_QUERY && HOST2(HOST_RANDOM, out, n) == 0;
}

/* Sign with this contract's own key: r|s|v, which ecrecover takes, over the digest that
 * docs/confidential.md, Keys, makes of the message. */
[[nodiscard]] UNUSED_OK bool sign_message(str message, u8 signature65[65])
{
    return run_profile() == RUN_QUERY && HOST3(HOST_SIGN, message.p, message.n, signature65) == 0;
}

/* Ask a host of the worker's allow-list. Request and response are JSON (docs/confidential.md,
 * Queries). */
[[nodiscard]] UNUSED_OK bool http_fetch(str request, str *response)
{
    *response = (str){0};
    if (run_profile() != RUN_QUERY)
        return false;
    long n = HOST2(HOST_HTTP, request.p, request.n);

    if (n < 0)
        return false;
    u8 *p = alloc((u64)n);

    HOST3(HOST_RETURNDATA_READ, p, 0, n);
    *response = (str){p, (u64)n};
    return true;
}

/* What this worker remembers for this contract between queries; it may forget at any time. Keys
 * have 1 to 128 bytes, values at most 65,536. */
[[nodiscard]] UNUSED_OK bool cache_get(str key, str *value)
{
    u8 *p;
    long n;

    *value = (str){0};
    if (run_profile() != RUN_QUERY)
        return false;
    n = HOST4(HOST_CACHE_GET, key.p, key.n, NULL, 0);
    if (n < 0)
        return false;
    p = alloc((u64)n);
    /* Another query may have set it in between. */
    if (HOST4(HOST_CACHE_GET, key.p, key.n, p, n) != n)
        return false;
    *value = (str){p, (u64)n};
    return true;
}

/* An empty value forgets. */
[[nodiscard]] UNUSED_OK bool cache_set(str key, str value)
{
    return run_profile() == RUN_QUERY && HOST4(HOST_CACHE_SET, key.p, key.n, value.p, value.n) == 0;
}
