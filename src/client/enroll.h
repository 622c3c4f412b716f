/* client/enroll.h - registration in the Workers contract with this machine's evidence: of workers
 * and of keepers. Thread-safe where the enrollment is not changed meanwhile. */
#pragma once

#include "chain/registration.h"
#include "client/chain_client.h"
#include "tee/tee.h"

#include <pthread.h>

/* What is registered, and by what means. All is borrowed. */
struct enrollment {
    struct chain_client *chain;
    struct tee *tee;
    const struct secp_key *sender; /* sends the registration; r.sender is its address */
    struct address workers;        /* the contract */
    const char *url;               /* by which others reach us */
    struct registration r;         /* genesis, height and block hash are filled in here */
    pthread_mutex_t *send;         /* held from signing to sending; NULL: nobody else sends */
};

/* The hash that names what runs here (attest/record.h), from fresh evidence. As
 * tee_evidence_get(). */
enum rc enroll_measurement(struct hash32 *out, struct tee *t, struct err *e);
/* Where the chain keeps the collateral that judges this quote, by the node's word: chain and
 * workers of `n` are used. As chain_rpc(); RC_MALFORMED: no such quote. */
enum rc enroll_collateral_key(const struct enrollment *n, struct hash32 *out, struct bytes quote,
                              struct err *e);
/* Make evidence over a recent block and register with it, which stands in block *height. RC_DENIED:
 * the contract refuses. Else as
 * chain_rpc() and tee_evidence_get(). */
enum rc enroll_register(const struct enrollment *n, uint64_t *height, struct err *e);
/* *soon: our registration ended, names another URL, or has a third of its life left at most.
 * *expires: its end, Unix seconds; 0: not active. */
enum rc enroll_standing(const struct enrollment *n, bool *soon, uint64_t *expires, struct err *e);
