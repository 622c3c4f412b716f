/* worker/proof/image_agent.h - what a container image inside a worker may ask for: keys of its own
 * and signatures by them, and no evidence (PROTOCOL P5; docs/agent.md). One socket a job. */
#pragma once

#include "worker/internal/state.h"
#include "worker/proof/request.h"

struct image_agent;

/* Serve the agent of the image that `instruction` pins, while `r`'s job runs. *out is NULL where
 * there is none to serve: this worker gets no keys from keepers, the image is not pinned, or the
 * owner signed no authorization, which keepers want to see. Keys are asked for when the image asks.
 * RC_IO, RC_LIMIT: no socket. */
enum rc image_agent_start(struct image_agent **out, struct worker *w, const struct run_request *r,
                          const char *instruction, struct err *e);
/* Path of its socket. */
const char *image_agent_path(const struct image_agent *a);
/* Ends it and wipes its keys. NULL is fine. */
void image_agent_stop(struct image_agent *a);
