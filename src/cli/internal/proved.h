/* cli/internal/proved.h - what the command line reads as proved state: the ledger node is not
 * believed. Every function may fail with RC_DENIED, its text naming the node. Texts live in
 * cli->mem. */
#pragma once

#include "cli/internal/command.h"
#include "client/light_client.h"
#include "light/contracts.h"

/* The light client of this network: its root is the genesis file beside the network file (or the
 * one that names as "genesis"); what it trusts is kept in the home folder, light/CHAIN.json. The
 * network file's "witnesses", a list of URLs, are compared with. RC_NOTFOUND: no genesis file. */
enum rc cli_light(struct cli *cli, struct light_client **out, struct err *e);
/* From now on reads are at least as new as what the node says is its newest state; the light client
 * is open. */
enum rc cli_light_newest(struct cli *cli, struct err *e);
/* From now on reads are at least of this height: a transaction of ours is in that block. */
void cli_light_at_least(struct cli *cli, uint64_t height);
/* The file of what is trusted. */
enum rc cli_light_path(struct cli *cli, const char **out, struct err *e);

/* values[n], proved, of one height. */
enum rc cli_read(struct cli *cli, struct light_value **values, const struct light_key *keys,
                 size_t n, struct err *e);

/* RC_NOTFOUND: proved that there is none. */
enum rc cli_read_job(struct cli *cli, st_job *out, uint64_t id, struct err *e);
enum rc cli_read_file(struct cli *cli, st_file *out, uint64_t id, struct err *e);
enum rc cli_read_proof(struct cli *cli, st_proof_entry *out, uint64_t file, uint64_t index,
                       struct err *e);
enum rc cli_read_record(struct cli *cli, st_record *out, uint64_t file, uint64_t index,
                        struct err *e);
/* A record of zeros where the TEE pool never heard of it. */
enum rc cli_read_tee(struct cli *cli, st_tee *out, const struct address *who, struct err *e);
enum rc cli_read_proofs_count(struct cli *cli, uint64_t *out, uint64_t file, struct err *e);
/* All jobs of a file, oldest first. */
enum rc cli_read_file_jobs(struct cli *cli, uint64_t **out, size_t *n, uint64_t file,
                           struct err *e);
/* The node told the truth about this pool: registered under this number and name, this contract,
 * this validator, this key. `text` is what the user asked for. RC_DENIED names what differs. */
enum rc cli_check_pool(struct cli *cli, const struct pool_info *pool, const char *text,
                       struct err *e);
/* A C string of a text in state. RC_MALFORMED: it has a zero byte inside. */
enum rc cli_state_text(struct cli *cli, const char **out, struct bytes text, struct err *e);
