/* tee/tee.h - this machine's evidence: who runs here, said by hardware or by the simulator.
 * Trust: the kernel's answers are checked for form and size, not believed; whoever receives the
 * evidence verifies it (attest/). Nothing here decides whether evidence is good.
 * Sources: Linux Documentation/ABI/testing/configfs-tsm-report,
 * sysfs-devices-virtual-misc-tdx_guest, virt/coco/sev-guest; Intel TDX DCAP quoting library (quote
 * layouts); dstack's event log. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "crypto/secret.h"

struct tee;
struct tee_sys;
struct tee_sim_launch;
struct measurement_rule;

#define TEE_QUOTE_MAX ((size_t)16 << 10) /* bytes of a quote or report that we pass on */
#define TEE_BLOB_MAX ((size_t)64 << 10)  /* bytes taken from the kernel: quotes come padded */
#define TEE_CERTS_MAX ((size_t)64 << 10) /* bytes of an SNP certificate table */
#define TEE_EVENT_NAME_MAX 128           /* bytes of an event's name */
#define TEE_EVENT_PAYLOAD_MAX 4096       /* bytes of an event's payload */
#define TEE_EVENTS_MAX 1024              /* events one process may add */

/* Where evidence comes from. */
enum tee_source {
    TEE_SOURCE_AUTO, /* the first that is there: configfs-tsm, /dev/tdx_guest, /dev/sev-guest; never
                 the simulator */
    TEE_SOURCE_SIMULATOR, /* tee/simulator.h: no hardware stands behind it */
    TEE_SOURCE_CONFIGFS,  /* /sys/kernel/config/tsm/report: TDX or SEV-SNP, kernel 6.7 and later */
    TEE_SOURCE_TDX_GUEST, /* /dev/tdx_guest with the GetQuote ioctl of vendor kernels before 6.7 */
    TEE_SOURCE_SEV_GUEST, /* /dev/sev-guest */
};

/* What format the evidence has. */
enum tee_platform {
    TEE_PLATFORM_NONE = 0,
    TEE_PLATFORM_TDX = 1, /* quote v4 or v5 */
    TEE_PLATFORM_SNP = 2, /* attestation report of 1184 bytes */
};

/* Zero or NULL means the default in brackets. Strings and structs are copied. */
struct tee_config {
    enum tee_source source;
    const struct tee_sim_launch *launch; /* for TEE_SOURCE_SIMULATOR, required there */
    const char *tsm_dir;                 /* [/sys/kernel/config/tsm/report] */
    const char *measurements_dir;        /* [/sys/devices/virtual/misc/tdx_guest/measurements] */
    const char *tdx_device;              /* [/dev/tdx_guest] */
    const char *sev_device;              /* [/dev/sev-guest] */
    unsigned vmpl;                       /* SNP: privilege level asked for, 0..3 [0] */
    unsigned timeout_ms;                 /* one piece of evidence, retries included [10,000] */
    const struct tee_sys *sys;           /* system calls [the system's]; must outlive the tee */
};

/* A piece of evidence. Zero-initialise; the buffers are reused by later calls. */
struct tee_evidence {
    enum tee_platform platform;
    bool simulated;       /* made by the simulator: proves nothing about hardware */
    struct buf quote;     /* TDX quote without trailing bytes, or SNP report */
    struct buf event_log; /* JSON array of what was extended, dstack's form; "[]" if nothing */
    struct buf certs;     /* SNP: certificate table as the firmware's host gave it; may be empty */
};
void tee_evidence_clear(struct tee_evidence *v);

/* What this process or machine measures as. */
struct tee_measurement {
    enum tee_platform platform;
    uint8_t launch[48];       /* MRTD, or SNP's measurement */
    uint8_t rtmr[4][48];      /* TDX, as of the call; zero for SNP */
    uint8_t host_data[32];    /* SNP; zero for TDX */
    uint8_t mr_config_id[48]; /* TDX; zero for SNP */
};

/* RC_NOTFOUND: nothing of that kind here (the text says what was looked for). RC_UNSUPPORTED: it is
 * there but speaks something else. RC_CORRUPT: the simulator's folder is damaged. RC_IO. */
enum rc tee_open(struct tee **out, const struct tee_config *config, struct err *e);
/* NULL is fine. */
void tee_close(struct tee *t);

/* The same by a daemon's option: "auto", "configfs", "tdx_guest", "sev_guest", or
 * "simulator:DIR/MACHINE". image and config are measured where it is a simulator (tee/simulator.h);
 * a real machine's image was measured at boot. RC_MALFORMED: none of these. Else as tee_open(). */
enum rc tee_open_option(struct tee **out, const char *option, struct bytes image,
                        struct bytes config, struct err *e);

enum tee_platform tee_platform(const struct tee *t);
/* True: no hardware stands behind this; say so wherever it is shown. */
bool tee_is_simulator(const struct tee *t);
/* For people: "simulator (insecure, no hardware), machine worker-0", "configfs-tsm (tdx_guest)".
 * Lives as long as t. */
const char *tee_describe(const struct tee *t);

/* Evidence over 64 bytes of report data. All calls on one tee are thread-safe.
 * RC_TIMEOUT: the platform stayed busy until the deadline. RC_MALFORMED: it gave something that is
 * no quote over these bytes. RC_LIMIT: larger than TEE_BLOB_MAX. RC_IO. On failure *out is empty.
 */
enum rc tee_evidence_get(struct tee *t, struct tee_evidence *out, const uint8_t report_data[64],
                         struct err *e);

/* Extend RTMR `index` (2 or 3) by a named event and append it to the event log:
 * RTMR' = SHA-384(RTMR | digest), the digest as attest/event.h says.
 * event: 1..TEE_EVENT_NAME_MAX bytes without ':' and control bytes. RC_UNSUPPORTED: no such
 * registers here (SNP). RC_RANGE: index, or a name or payload that is too long. RC_LIMIT:
 * TEE_EVENTS_MAX reached. RC_IO. */
enum rc tee_extend(struct tee *t, unsigned index, const char *event, struct bytes payload,
                   struct err *e);
/* What RTMR `index` (0..3) holds. RC_UNSUPPORTED, RC_RANGE, RC_IO. */
enum rc tee_rtmr_read(struct tee *t, unsigned index, uint8_t out48[48], struct err *e);

/* Read from fresh evidence. Errors as tee_evidence_get. */
enum rc tee_measurement_get(struct tee *t, struct tee_measurement *out, struct err *e);
/* The identity state is sealed to: SHA-256("cloister/sealing-identity/v1" | platform u8 | launch |
 * rtmr0 | rtmr1 | rtmr2 | host_data). RTMR3 is left out: it goes on counting while we run. */
void tee_measurement_id(struct hash32 *out, const struct tee_measurement *m);

/* What attest/policy.h compares for this measurement: MRTD, RTMR0, RTMR1 and RTMR2, or launch
 * digest and host data. */
void tee_measurement_rule(struct measurement_rule *out, const struct tee_measurement *m);

/* The platform's security version: what a sealing key is bound to besides the measurement. Larger
 * is newer, byte by byte (SNP: committed TCB; simulator: the machine's level). RC_UNSUPPORTED: TDX
 * has no sealing keys. */
enum rc tee_platform_version(struct tee *t, uint64_t *out, struct err *e);
/* Key that only this measurement on this very machine gets, for a platform version up to the
 * present one. RC_UNSUPPORTED: TDX (state comes back from peers instead, or from custodians).
 * RC_DENIED: `version` is newer than the platform: it was rolled back. RC_TIMEOUT, RC_IO. */
enum rc tee_sealing_key(struct tee *t, struct secret32 *out, uint64_t version, struct err *e);
