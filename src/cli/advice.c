/* Contracts refuse by the name of an error; people want to know what to do. Errors that the command
 * line's own commands bring about are here, in the words of their contracts' headers. */
#include "cli/internal/command.h"

static const struct {
    const char *error, *advice;
} ADVICE[] = {
    {"AccessControlUnauthorizedAccount",
     "that account lacks the role; what the council administers it changes by `cloister council "
     "propose` (cloister council show)"},
    {"OnlyCouncil", "only the council may: `cloister council propose`"},
    {"CancelDelayNotPassed",
     "a worker may still be at it: try again in some minutes (cloister job ID says how it stands)"},
    {"NotJobOwner", "only the account that asked for the job may, with --key; is there such a job? "
                    "(cloister job ID)"},
    {"InvalidJobStatus", "the job is over already: cloister job ID"},
    {"JobRunning", "a worker has begun it: wait for its proof, or try again later"},
    {"JobCompleted", "the job has its proof: cloister job ID"},
    {"FileAlreadyAdded", "the pool paid for this file before, and pays once"},
    {"FileNotFound", "no such file is registered: cloister file FILE_ID"},
    {"FileUrlAlreadyUsed", "this ciphertext is registered already"},
    {"NotFileOwner", "only the file's owner may: act with --key"},
    {"InvalidName", "another pool has this name (cloister pool list), or it has fewer than four "
                    "letters"},
    {"InvalidDlpStatus", "that pool is registered already, or not eligible now"},
    {"InsufficientFee", "the fee was raised meanwhile: ask again"},
    {"NoActiveTee", "no worker is attested and active now: cloister worker list"},
    {"EnforcedPause", "the contract is paused by its maintainers"},
    {"NotClusterOwner", "only the cluster's owner may: cloister cluster show N says who that is"},
    {"MayNotDeploy", "only those whom the cluster's owner lets may deploy on it"},
    {"NotContractOwner", "only the contract's owner may: cloister contract show ADDRESS"},
    {"NotPayout", "only the payout account may that the worker has named, its --operator when it "
                  "joined: cloister cluster show N"},
    {"NothingToClaim", "it has earned nothing since the last claim"},
    {"NotOperator", "only the worker itself or its operator may: act with --key"},
    {"TooEarly", "its delay is not over: cloister council show says when it is"},
};

const char *cli_advice(const char *message)
{
    const char *at = strstr(message, "reverted: ");

    if (at == NULL)
        return NULL;
    at += strlen("reverted: ");
    for (size_t i = 0; i < ARRAY_LEN(ADVICE); i++) {
        size_t n = strlen(ADVICE[i].error);

        if (strncmp(at, ADVICE[i].error, n) == 0 && at[n] == '(')
            return ADVICE[i].advice;
    }
    return NULL;
}
