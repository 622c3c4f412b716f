/* attest/roots.h - the root certificates that are believed. Pure. */
#pragma once

#include "attest/verdict.h"

/* Which roots a verification accepts. Zero-initialised: none. */
struct attest_roots {
    bool vendors;               /* the pinned ones of Intel and AMD */
    const struct hash32 *given; /* SHA-256 of the DER of others; their evidence is marked "given" */
    size_t n_given;
};

/* Which root the certificate with this fingerprint is under `roots`; ATTEST_ROOT_NONE: not one of
 * them. A given root counts as given even if it is a vendor's, unless vendors are accepted too.
 * Sources: Intel SGX Root CA, serial 22650CD65A9D3489F383B49552BF501B392706AC, as Intel PCS serves
 * it; AMD's ARK-Milan, ARK-Genoa, ARK-Turin as kdsintf.amd.com/vcek/v1/{Product}/cert_chain has
 * them. */
enum attest_root attest_root_find(const struct attest_roots *roots,
                                  const struct hash32 *fingerprint);
/* SHA-256 of the DER of a vendor's root; zero for ATTEST_ROOT_NONE and ATTEST_ROOT_GIVEN. */
struct hash32 attest_root_fingerprint(enum attest_root r);
