/* attest/record.h - a verdict in the fixed form that contracts see, and the one hash that names
 * what runs. Version 1: consensus; a change is a new version. Pure; thread-safe. */
#pragma once

#include "attest/verdict.h"
#include "base/buf.h"

/* SHA-256 of "cloister/measurement/v1" and, each behind its length (u32be), the kind's name as
 * tee_kind_name() gives it ("tdx" for both report forms) and:
 *   TDX  mr_td, rtmr0, rtmr1, rtmr2, mr_config_id, mr_owner, mr_owner_config
 *   SGX  mr_enclave, config_id, isv_ext_prod_id, isv_family_id
 *   SNP  measurement, host_data, id_key_digest, author_key_digest
 * Versions of firmware and modules are not in it: they are the platform's TCB. Nor is RTMR3, which
 * counts on while a guest runs and holds the instance's own name: what decides the behaviour of an
 * image must be measured before that, or into mr_config_id. */
void attest_measurement(struct hash32 *out, const struct attest_verdict *v);

/* What a policy made of a verdict; the exit codes of `cloister verify`. */
enum attest_outcome { ATTEST_ALLOWED = 0, ATTEST_REFUSED = 1, ATTEST_NOT_VERIFIED = 2 };

#define ATTEST_RECORD_HEAD 224 /* bytes before the text */
#define ATTEST_RECORD_MAX (ATTEST_RECORD_HEAD + ATTEST_MAX_ADVISORIES * ATTEST_ADVISORY_SIZE)

/* Append, integers big-endian:
 *   0 u8 outcome       1 u8 stage       2 u8 tee     3 u8 root     4 u8 tcb status
 *   5 u8 flags: 1 debug, 2 service TD, 4 migratable, 8 has a platform id, 16 given root
 *   6 u16 size of the text              8 u32 evaluation number   12 u32 zero
 *  16 u64 valid from  24 u64 valid until  32 u64 TCB date  40 u64 collateral issued
 *  48 platform id 32  80 measurement 32  112 report data 64  176 root fingerprint 32  208 zero 16
 * 224 text: the advisories, separated by commas
 * No reason in words: those may be improved, and what a contract sees may not. */
void attest_record_put(struct buf *out, const struct attest_verdict *v,
                       enum attest_outcome outcome);
