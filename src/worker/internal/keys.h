/* worker/internal/keys.h - the worker's keys, one job each (PROTOCOL.md P4). */
#pragma once

#include "crypto/secp256k1.h"
#include "crypto/secret.h"
#include "tee/tee.h"

struct worker_keys {
    struct secp_key sender;       /* signs transactions; its address is the registered tee */
    struct secp_key proof_signer; /* signs proofs and documents */
    struct secret32 receive;      /* X25519: opens HPKE envelopes */
    struct secp_key receive_secp; /* opens Vana's ECIES boxes */
    struct secp_key commit;       /* signs results of confidential contracts; derived from sender */
    struct address sender_address;
    struct address signer_address;
    struct address commit_address;
    uint8_t receive_pub[32];
    struct secp_pub receive_secp_pub;
};

/* In secret memory; free with secret_free(). Reads `path`, or makes it (mode 0600) with fresh keys.
 * Two plain forms are read: our JSON with four keys, or one line of 64 hexadecimal digits: the
 * sender's key, from which the others are derived. RC_CORRUPT: neither.
 * Where tee (NULL: none) has sealing keys the file is sealed (tee/seal.h), a plain one at once. One
 * that another measurement sealed is set aside as PATH.<first 16 digits of it>, and ours comes back
 * from there, or is made anew: then this worker is another one to the network. RC_DENIED: sealed
 * and no tee; altered, or sealed on another machine. */
enum rc worker_keys_load(struct worker_keys **out, const char *path, struct tee *tee,
                         struct err *e);
