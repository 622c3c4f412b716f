/* agent/compose.h - what the agent itself reads of an app-compose.json; the rest is the
 * application's. Pure. Source: dstack dstack-types/src/lib.rs, AppCompose, 0.6. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define COMPOSE_ENVS_MAX 1024

struct agent_compose {
    char *name;          /* never NULL */
    char **allowed_envs; /* names that an encrypted environment may set */
    size_t allowed_envs_n;
    unsigned event_log_version; /* 1 or 2: of the events that extend RTMR3 */
};
/* Clear it in any case. RC_MALFORMED: not an app-compose.json. RC_RANGE, RC_LIMIT: a member that is
 * no value of dstack's. */
enum rc agent_compose_parse(struct agent_compose *out, struct bytes text, struct err *e);
void agent_compose_clear(struct agent_compose *c);
bool agent_compose_allows(const struct agent_compose *c, const char *env);
