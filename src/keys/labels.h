/* keys/labels.h - every domain string of the keepers' cryptography, once. A label keeps its meaning
 * for ever; a changed format is a new label with the next version. docs/keys.md says what each
 * hashes. */
#pragma once

#define KEYS_LABEL_PRF "cloister/dprf/input/v1"        /* SHA-512 -> element: what is raised to s */
#define KEYS_LABEL_DLEQ "cloister/dprf/dleq/v1"        /* SHA-512 -> challenge */
#define KEYS_LABEL_DLEQ_NONCE "cloister/dprf/nonce/v1" /* SHA-512 -> hedged nonce; never leaves */
#define KEYS_LABEL_KEY "cloister/dprf/key/v1"          /* HKDF salt: element -> key */
#define KEYS_LABEL_PARTIAL "cloister/dprf/partial/v1"  /* HPKE info: a sealed partial */
#define KEYS_LABEL_REQUEST "cloister/keys/request/v1"  /* SHA-256: request hash */
#define KEYS_LABEL_BEACON "cloister/keys/beacon/v1"    /* SHA-256: request hash of a beacon */
#define KEYS_LABEL_KEYSET "cloister/keys/keyset/v1"    /* SHA-256: keyset hash */
#define KEYS_LABEL_POLY "cloister/vss/polynomial/v1"   /* HKDF info: coefficients from a seed */
#define KEYS_LABEL_EPHEMERAL "cloister/vss/ephemeral/v1"   /* HKDF info: HPKE keys from a seed */
#define KEYS_LABEL_SHARE "cloister/vss/share/v1"           /* HPKE info: a dealt share */
#define KEYS_LABEL_ROUND "cloister/dkg/round/v1"           /* SHA-256: round id */
#define KEYS_LABEL_RECEIVE "cloister/dkg/receive/v1"       /* HKDF info: a round's receive key */
#define KEYS_LABEL_DEAL "cloister/dkg/deal/v1"             /* SHA-256: what a dealer commits to */
#define KEYS_LABEL_POSSESSION "cloister/dkg/possession/v1" /* SHA-512 -> challenge of a confirm */
#define KEYS_LABEL_POSSESSION_NONCE                                                                \
    "cloister/dkg/possession-nonce/v1"                  /* SHA-512 -> hedged nonce                 \
                                                         */
#define KEYS_LABEL_RECOVERY "cloister/keys/recovery/v1" /* SHA-256: recovery id */
#define KEYS_LABEL_PIECE "cloister/keys/piece/v1"       /* HPKE info: helper to helper */
#define KEYS_LABEL_SUM "cloister/keys/sum/v1"           /* HPKE info: helper to the restarted */
#define KEYS_LABEL_RECOVERY_REQUEST "cloister/keys/recovery-request/v1"   /* SHA-256 */
#define KEYS_LABEL_RECOVERY_EVIDENCE "cloister/keys/recovery-evidence/v1" /* SHA-256 */
#define KEYS_LABEL_HANDOVER "cloister/keys/hand-over/v1"                  /* SHA-256: request */
#define KEYS_LABEL_HANDOVER_ANSWER "cloister/keys/hand-over-answer/v1"    /* SHA-256: attested */
#define KEYS_LABEL_HANDOVER_STATE "cloister/keys/hand-over-state/v1"      /* HPKE info: state */
#define KEYS_LABEL_AUTHORITY "cloister/keys/authority/v1"     /* keccak256: who decides */
#define KEYS_LABEL_APP "cloister/keys/app/v1"                 /* keccak256: an application's id */
#define KEYS_LABEL_CUSTODY "cloister/keys/custody/v1"         /* SHA-256: custody id */
#define KEYS_LABEL_CUSTODY_ASK "cloister/keys/custody-ask/v1" /* SHA-256: what is attested */
#define KEYS_LABEL_RETURN "cloister/keys/return/v1"           /* HPKE info: custodian to keeper */
