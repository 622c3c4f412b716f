/* tee/simulator.h - a pretended TDX platform: authority, machines, collateral. INSECURE on purpose:
 * whoever can read the folder can say anything under its root. For devnets and tests.
 * Formats are Intel's to the byte (quote v4/v5, PCK extensions, TCB info v3, QE identity v2), so a
 * verifier runs the code it runs for hardware; only the trusted root differs. Common names are
 * Intel's because verifiers demand them; the organisation says "Cloister Simulator (insecure)".
 * The folder (all text is PEM or JSON, keys have mode 0600):
 *   README root.pem root.key platform-ca.pem platform-ca.key tcb-signing.pem tcb-signing.key
 *   machines/NAME/{pck.pem,pck.key,machine.json}
 * Sources: Intel PCK certificate and CRL profile, PCS v4 collateral, quote appendix A. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "crypto/random.h"

struct tee_sim;

#define TEE_SIM_COMPONENTS 16
#define TEE_SIM_LEVELS_MAX 8
#define TEE_SIM_NAME_MAX 64
#define TEE_SIM_COLLATERAL_S ((uint64_t)30 * 24 * 3600) /* life of issued collateral */

/* The root, platform CA, PCK and TCB signing certificates are valid from an hour before now_s. */

/* Make an authority in a new or empty folder. RC_EXISTS: there is one already. RC_IO. */
enum rc tee_sim_create(const char *dir, uint64_t now_s, struct err *e);
/* RC_NOTFOUND: no authority there. RC_CORRUPT: damaged. */
enum rc tee_sim_open(struct tee_sim **out, const char *dir, struct err *e);
void tee_sim_close(struct tee_sim *s);
/* The root certificate, DER; lives as long as s. What a network's genesis names as a root. */
struct bytes tee_sim_root(const struct tee_sim *s);

/* Security versions of a machine. */
struct tee_sim_level {
    uint8_t sgx[TEE_SIM_COMPONENTS]; /* of the PCK certificate */
    uint16_t pcesvn;
    uint8_t tdx[TEE_SIM_COMPONENTS]; /* tee_tcb_svn: [0] module version, [1] module number */
    uint16_t qe_isvsvn;
};
/* The level that the default collateral calls UpToDate. */
extern const struct tee_sim_level TEE_SIM_LEVEL_NOW;

/* Add a machine with a platform id of its own. name: 1..TEE_SIM_NAME_MAX of [a-z0-9-]. level NULL:
 * TEE_SIM_LEVEL_NOW. RC_EXISTS, RC_MALFORMED (name), RC_IO. */
enum rc tee_sim_machine_add(struct tee_sim *s, const char *name, const struct tee_sim_level *level,
                            uint64_t now_s, struct err *e);
/* Give a machine a new PCK certificate for another level, as after a microcode update. Its id and
 * its sealing root stay. RC_NOTFOUND, RC_IO, RC_CORRUPT. */
enum rc tee_sim_machine_update(struct tee_sim *s, const char *name,
                               const struct tee_sim_level *level, uint64_t now_s, struct err *e);
/* The machine's PPID: 16 bytes. RC_NOTFOUND, RC_CORRUPT. */
enum rc tee_sim_machine_ppid(struct tee_sim *s, const char *name, uint8_t out16[16], struct err *e);

/* One row of TCB levels. status and advisories are Intel's words; advisories is a NULL-terminated
 * list or NULL. */
struct tee_sim_tcb {
    struct tee_sim_level level; /* sgx, pcesvn, tdx for platform rows; qe_isvsvn for QE rows; tdx[0]
                                   for module rows */
    const char *status;
    uint64_t date_s; /* tcbDate */
    const char *const *advisories;
};

/* States of the world for collateral. NULL and 0 are the defaults in brackets. */
struct tee_sim_world {
    const struct tee_sim_tcb *platform; /* rows, best first [one: TEE_SIM_LEVEL_NOW, UpToDate] */
    size_t platform_n;
    const struct tee_sim_tcb *module; /* rows of TDX_01 [one: UpToDate] */
    size_t module_n;
    const struct tee_sim_tcb *qe; /* rows [one: UpToDate] */
    size_t qe_n;
    const char *const *revoked; /* NULL-terminated machine names whose PCK is on the CRL [none] */
    bool ca_revoked;            /* the platform CA is on the root CRL [false] */
    uint32_t evaluation_number; /* tcbEvaluationDataNumber [17] */
    uint64_t issued_s;          /* issueDate and thisUpdate [now] */
    uint64_t expires_s;         /* nextUpdate [issued + TEE_SIM_COLLATERAL_S] */
};

/* Issue collateral as of now_s: appends QuoteCollateralV3 JSON (the members dcap-qvl reads). world
 * NULL: all defaults. To renew, issue again. RC_NOTFOUND: a revoked machine is unknown. */
enum rc tee_sim_collateral(struct tee_sim *s, struct buf *json, const struct tee_sim_world *world,
                           uint64_t now_s, struct err *e);

enum tee_sim_format {
    TEE_SIM_V4,      /* quote version 4, TDX 1.0 body */
    TEE_SIM_V5_TD10, /* quote version 5, TDX 1.0 body */
    TEE_SIM_V5_TD15, /* quote version 5, TDX 1.5 body */
};

#define TEE_SIM_TD_ATTRIBUTES UINT64_C(0x10000000) /* SEPT_VE_DISABLE, no DEBUG */

/* Start a pretended trust domain for this process: see tee_open(). What is measured:
 *   MRTD  = SHA-384("cloister/simulator/mrtd/v1" 00 | bytes of the binary)
 *   RTMR0 = event "cloister-simulator" (payload: text that says what this is)
 *   RTMR1 = event "image" (payload: launch.image)
 *   RTMR2 = event "config" (payload: SHA-256 of launch.config)
 *   RTMR3 = system-preparing, app-id, compose-hash, instance-id, boot-mr-done, key-provider,
 *           system-ready, as dstack's guests do, with compose-hash = SHA-256(config); app-id is its
 *           first 20 bytes, or launch.app_id
 *   mr_config_id = 01 | compose-hash | zeros */
struct tee_sim_launch {
    const char *dir;     /* the simulator's folder */
    const char *machine; /* name of the pretended machine */
    const char *binary;  /* file that is measured [/proc/self/exe] */
    struct bytes image;  /* digest of what the process was started to run [empty] */
    struct bytes config; /* configuration that decides what it does [empty] */
    enum tee_sim_format format;
    uint64_t td_attributes; /* [TEE_SIM_TD_ATTRIBUTES] */
    struct bytes app_id;    /* 20 bytes [the first of the compose hash] */
    bool image_only;   /* RTMR2 without the configuration: the image is one measurement whatever it
                          was   told to run, as dstack's; compose-hash and mr_config_id say that */
    bool is_log_v2;    /* RTMR3's events are dstack's version 2 (attest/event.h) instead of 1 */
    bool without_keys; /* boot ends at boot-mr-done: whoever fetches the keys extends the rest */
};
