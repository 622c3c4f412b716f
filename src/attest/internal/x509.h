/* attest/internal/x509.h - what certificates and CRLs share. */
#pragma once

#include "attest/x509.h"
#include "base/reader.h"

/* By the content of an AlgorithmIdentifier. */
enum x509_sig_type x509_sig_type_of(struct bytes alg);
/* keyIdentifier of an AuthorityKeyIdentifier; empty if there is none. */
struct bytes x509_read_aki(struct reader *r);
/* The one commonName of a Name element, UTF8String or PrintableString; empty if it has none or
 * several.
 */
struct bytes x509_common_name(struct bytes name);
