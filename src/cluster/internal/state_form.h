/* cluster/internal/state_form.h - what writing and reading state files share. */
#pragma once

#include "cluster/state_file.h"
#include "crypto/aead.h"

#define STATE_FILE_MAGIC "CLSTATE1"
#define STATE_FILE_MAGIC_SIZE 8u
#define STATE_CONTRACT_SIZE (20u + 8 + 3 * 32)
#define STATE_SECTION_MIN 512u /* smallest class of a section's plaintext */
#define STATE_SECTION_HEAD 9u  /* contract, number, last */
#define STATE_ITEM_HEAD 5u     /* tag, length */
#define STATE_AAD_SIZE (32 + STATE_SECTION_HEAD)

/* Key of one contract's sections in the file with this salt. Secret: wipe. */
void state_key(uint8_t key32[32], const struct contract_keys *keys, const uint8_t salt[32]);
void state_nonce(uint8_t nonce[AEAD_NONCE_SIZE], uint32_t number);
/* The head's digest, then the section's head. */
void state_aad(uint8_t aad[STATE_AAD_SIZE], const struct hash32 *digest, uint32_t contract,
               uint32_t number, bool last);
