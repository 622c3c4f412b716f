/* cli/internal/council.h - acting as the council: calls that its members sign. */
#pragma once

#include "cli/internal/command.h"

/* --key, --signature, --id, --sign: what every action of the council takes. */
extern const struct cli_option COUNCIL_OPTIONS[];
#define COUNCIL_DETAILS                                                                            \
    "This is an action of the council: it needs signatures of `threshold` members over exactly "   \
    "this\n"                                                                                       \
    "call and the action's number. --key signs with a member's key that is here; where more are\n" \
    "needed, each member prints a signature with --sign, and whoever proposes gives them with\n"   \
    "--signature. The first --key pays the transaction and need not be a member's."

/* Propose the call (to, data) with the signatures there are; with --sign only print those of the
 * keys here. Prints the outcome. RC_DENIED: too few signatures, or one that is no member's. */
enum rc council_act(struct cli *cli, const struct address *to, struct bytes data, struct err *e);
