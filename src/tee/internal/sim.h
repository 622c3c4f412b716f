/* tee/internal/sim.h - the simulator's parts: authority, machine, quote. Private to tee. */
#pragma once

#include "tee/internal/pki.h"
#include "tee/simulator.h"
#include "tee/tee.h"

#define SIM_ORGANISATION "Cloister Simulator (insecure)"
#define SIM_NOTICE                                                                                 \
    "Cloister simulator: no hardware stands behind this. It proves nothing about who can read "    \
    "what runs here."

extern const uint8_t SIM_FMSPC[6];
/* The TD quoting enclave's signer, as Intel's: verifiers compare it with the QE identity only. */
#define SIM_QE_SIGNER_HEX "dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5"

struct tee_sim {
    char *dir;
    X509 *root, *platform, *signer;
    EVP_PKEY *root_key, *platform_key, *signer_key;
    struct buf root_der;
};

/* A pretended machine. Zero-initialise. */
struct sim_machine {
    struct tee_sim_level level;
    uint8_t ppid[16], instance_id[16], qe_id[16];
    struct secret32 sealing_root;
    X509 *pck;
    EVP_PKEY *pck_key;
};
void sim_machine_clear(struct sim_machine *m);
enum rc sim_machine_load(struct sim_machine *m, const char *dir, const char *name, struct err *e);
/* RC_MALFORMED unless 1..TEE_SIM_NAME_MAX of [a-z0-9-]. */
enum rc sim_name_check(const char *name, struct err *e);
/* PEM of PCK, platform CA and root, as a quote carries it. */
void sim_pck_chain(struct buf *pem, const struct tee_sim *s, const struct sim_machine *m);

/* What a quote says besides its report data. */
struct sim_td {
    uint64_t attributes;
    uint8_t mrtd[48], mr_config_id[48], rtmr[4][48];
};

/* Quotes of one process: an attestation key of its own, certified once. */
struct sim_quoter {
    enum tee_sim_format format;
    struct tee_sim_level level;
    uint8_t user_data[20];
    EVP_PKEY *key;
    struct buf tail; /* signature data after the quote's signature */
};
void sim_quoter_init(struct sim_quoter *q, const struct tee_sim *s, const struct sim_machine *m,
                     enum tee_sim_format format);
void sim_quoter_clear(struct sim_quoter *q);
/* Append one quote. */
void sim_quote(struct buf *out, const struct sim_quoter *q, const struct sim_td *td,
               const uint8_t report_data[64]);
