/* keys/release.h - whether a keeper gives a key: one pure decision over the closed table of
 * purposes (PROTOCOL P5-P7, P10, P12, P13). What the chain says can only narrow it; what widens it
 * is signed by governors or owners and checked here. Absent means refuse. The caller has verified
 * the facts: evidence by attest/, chain state by light/, the rest is its own memory. Thread-safe.
 */
#pragma once

#include "keys/approval.h"
#include "keys/request.h"

/* Why not. The order is the order of the checks. */
enum release_reason {
    RELEASE_ALLOWED = 0,
    RELEASE_OTHER_NETWORK,  /* genesis or generation is not ours */
    RELEASE_NOT_AVAILABLE,  /* the purpose is never released (beacon) */
    RELEASE_STALE_HEAD,     /* the chain's head is older than may be */
    RELEASE_NO_AGREEMENT,   /* fewer than t keepers saw this head */
    RELEASE_EVIDENCE,       /* no fresh evidence, or not of this key and measurement */
    RELEASE_MEASUREMENT,    /* not allowed on chain, removed, or its delay runs */
    RELEASE_NOT_SIGNED,     /* the approval lacks signatures */
    RELEASE_NOT_REGISTERED, /* not on the list of workers, other key, or expired */
    RELEASE_ROLE,           /* this role never gets keys of this purpose */
    RELEASE_EPOCH,          /* outside the open epochs */
    RELEASE_ERASED,         /* the subject was deleted: never again */
    RELEASE_NOT_ASSIGNED,   /* the chain does not tie this enclave to the subject */
    RELEASE_NOT_APPROVED,   /* owner's or members' approval is missing or does not fit */
};
/* "stale head", ... */
const char *release_reason_text(enum release_reason r);

/* A keeper's own configuration, fixed by genesis. */
struct release_policy {
    struct hash32 genesis;
    uint64_t generation;
    uint32_t t; /* keepers that must agree on the head, this one included */
    struct approval_domain domain;
    struct authority governors; /* the council: genesis', then by authority_follow */
    uint64_t timelock_s;        /* between an action's proposal on chain and its force */
    uint64_t max_head_age_ms;   /* 10 s by default */
    bool insecure_no_timelock;  /* devnet: timelock_s may be 0 */
};
/* RC_RANGE, RC_MALFORMED: an authority or limits that make no sense; no timelock without the
 * option.
 */
enum rc release_policy_check(const struct release_policy *p, struct err *e);

struct release_facts {
    /* the newest proved head, and the caller's clock */
    uint64_t now_s;
    uint64_t head_age_ms;
    uint32_t head_agreements; /* keepers with the same hash at its height, this one included */

    /* the requester's evidence, verified, on this very channel */
    bool has_evidence;           /* verified, policy satisfied, nonce ours */
    bool is_up_to_date;          /* TCB status UpToDate */
    struct hash32 measurement;   /* as measured */
    uint8_t bound_receive32[32]; /* the receive key its report data binds */

    /* the measurement's approval, and what the chain adds */
    const struct measurement_approval *approval; /* NULL: none */
    const struct approval_sigs *approval_sigs;
    uint64_t approval_posted_s; /* when the council's action was proposed on chain */
    bool is_measurement_listed; /* the chain allows it now (not removed) */
    uint64_t removed_id; /* of the latest action that removed this measurement, of all the keeper
                            ever saw; 0: none */

    /* the chain's registration of the requester (not for ROLE_APP) */
    bool is_registered;
    enum key_role role;
    uint8_t registered_receive32[32];
    struct hash32 registered_measurement;
    uint64_t registration_expires_s;

    /* of the subject, from the chain */
    uint64_t oldest_epoch, current_epoch; /* EPOCH_WINDOW */
    bool is_erased;
    bool is_assigned; /* POOL_SECRETS: active in the TEE pool; IMAGE: has a running job that names
                         the image; CONTRACT: of the cluster; POOL_DATA: holds an open run's ticket
                       */

    /* applications: from the event log that evidence covers */
    struct hash32 compose_hash, device;
    struct address instance;
    const struct address *app_owner; /* NULL: none */
    struct hash32 app_salt;
    const struct app_approval *app; /* NULL: none */
    const struct approval_sigs *app_sigs;

    /* pool data: what the ticket runs, and the members' approval */
    struct hash32 run_code, run_parameters, run_schema;
    struct bytes run_buyer_class;
    const struct authority *pool_authority; /* NULL: none */
    const struct code_approval *code;
    const struct approval_sigs *code_sigs;
};

/* The decision; why (may be NULL) takes the reason in words. Never guesses: an unknown or missing
 * fact refuses. */
enum release_reason release_decide(const struct release_policy *p, const struct key_request *q,
                                   const struct release_facts *f, struct err *why);

/* Whether the requester is a keeper of this network with a fresh start: to it alone other keepers
 * help to regain a share (keys/recover.h). The same head, evidence, measurement and registration as
 * for a key, for ROLE_KEEPER. receive32: the key that it asks to be answered to. */
enum release_reason release_check_keeper(const struct release_policy *p,
                                         const struct release_facts *f, const uint8_t receive32[32],
                                         struct err *why);

/* A keeper hands what it holds to another version of itself on the same or another machine: both
 * measurements allowed for ROLE_KEEPER by signed actions, the taker's strictly later, and in force.
 * RC_DENIED with the reason. */
enum rc release_check_handover(const struct release_policy *p,
                               const struct measurement_approval *from,
                               const struct approval_sigs *from_sigs,
                               const struct measurement_approval *to,
                               const struct approval_sigs *to_sigs, uint64_t to_posted_s,
                               uint64_t to_removed_id, uint64_t now_s, struct err *e);
