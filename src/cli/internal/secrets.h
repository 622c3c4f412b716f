/* cli/internal/secrets.h - secrets for validators, sealed to the TEE pool's key as proved state has
 * it. */
#pragma once

#include "chain/sealed_secret.h"
#include "cli/internal/command.h"

/* The key that senders use now. */
struct secrets_key {
    uint64_t epoch, generation;
    uint8_t pub32[32];
    uint64_t announced; /* workers that said so when it came into force */
};
/* Waits a while for workers to announce it. RC_NOTFOUND: they have not. */
enum rc cli_secrets_key(struct cli *cli, struct secrets_key *out, struct err *e);
/* Epochs whose secrets still open: oldest to current. */
enum rc cli_secrets_epochs(struct cli *cli, uint64_t *oldest, uint64_t *current, struct err *e);
/* "NAME=VALUE", or "NAME=@FILE" for a file's content without a line end at its end. *name lives in
 * cli->mem. RC_MALFORMED, RC_LIMIT, RC_NOTFOUND. */
enum rc cli_secret_parse(struct cli *cli, const char **name, struct secbuf *value, const char *text,
                         struct err *e);
/* Is it of that form, and is its file there? Nothing of it is kept. */
enum rc cli_secrets_check(struct cli *cli, const struct cli_list *list, struct err *e);
/* Add each to out, sealed; one that is sealed already is passed on as it is. scope->name is not
 * looked at. */
enum rc cli_secrets_seal(struct cli *cli, json_t *out, const struct cli_list *list,
                         const struct secret_scope *scope, struct err *e);
