/* worker/internal/enroll.h - this worker's evidence, and its registration in the Workers contract:
 * made, renewed before it expires, made again when it ended. */
#pragma once

#include "worker/internal/state.h"

/* Open the platform that config.tee names and measure what decides this worker's behaviour; w->tee
 * stays NULL where none is named. Errors of tee_open(), RC_IO (a program beside us is unreadable).
 */
enum rc enroll_open(struct worker *w, struct err *e);
/* What stands behind this worker, in a sentence for people; a literal. */
const char *enroll_statement(const struct worker *w);
/* From the keeper thread, every few seconds: register if our standing on chain ended or soon ends.
 * Failures are logged and tried again. */
void enroll_keep(struct worker *w);
