/* attest/internal/snp.h - names and numbers of AMD's. */
#pragma once

#include "attest/snp.h"

#define SNP_SIGNED_SIZE 0x2a0
#define SNP_CN_ARK "ARK-"
#define SNP_CN_ASK "SEV-"       /* "SEV-Milan" */
#define SNP_CN_ASVK "SEV-VLEK-" /* "SEV-VLEK-Milan" */
#define SNP_CN_VCEK "SEV-VCEK"
#define SNP_CN_VLEK "SEV-VLEK"
#define SNP_KEY_VCEK 0
#define SNP_KEY_VLEK 1
