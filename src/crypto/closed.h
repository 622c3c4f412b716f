/* crypto/closed.h - for a process that is about to shut itself in. */
#pragma once

/* libcrypto shall open no file from now on, its configuration first of all. Call it before anything
 * else of crypto/. */
void crypto_stay_closed(void);
