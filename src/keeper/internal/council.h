/* keeper/internal/council.h - the council as a keeper sees it: which measurements its members
 * allowed and removed, by their own signatures, read as proved state. */
#pragma once

#include "base/arena.h"
#include "client/light_client.h"
#include "keys/approval.h"

/* An action that matters to keepers. */
struct council_action {
    struct council_action *next; /* older */
    uint64_t id, posted_s;
    struct hash32 measurement;
    uint64_t roles;
    struct bytes label;
    struct approval_sigs sigs;
};

/* Zero-initialise, then set governors. One owner; council_view_clear() frees. */
struct council_view {
    struct arena a;
    struct authority governors; /* followed by signatures alone */
    uint64_t last_change;
    uint64_t seen;                  /* actions up to this id are settled */
    uint64_t refused_id;            /* a change of members that was not theirs: said once */
    struct council_action *allowed; /* newest first */
};
void council_view_clear(struct council_view *v);

/* What one action's calldata asks for. */
enum council_kind { COUNCIL_OTHER, COUNCIL_ALLOW, COUNCIL_REMOVE, COUNCIL_MEMBERS };
struct council_call {
    enum council_kind kind;
    struct hash32 measurement;
    uint64_t roles;
    struct bytes label;
    struct address members[AUTHORITY_MAX];
    uint32_t n_members, threshold;
};
/* Never fails: what is not understood is COUNCIL_OTHER. Pure. */
void council_read_call(struct council_call *out, const struct address *to, struct bytes data,
                       const struct approval_domain *d);

/* Take the actions that are new as of min_height. removed() is told of each executed removal. */
enum rc council_follow(struct council_view *v, struct light_client *light,
                       const struct approval_domain *d, uint64_t min_height,
                       void (*removed)(void *ctx, const struct hash32 *measurement, uint64_t id),
                       void *ctx, struct err *e);
/* The newest action that allows this measurement, of an application's image or of all else; NULL:
 * none. */
const struct council_action *council_find(const struct council_view *v,
                                          const struct hash32 *measurement, bool of_app);
