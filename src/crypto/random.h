/* crypto/random.h - randomness. Functions that need some take a `const struct rng *`; NULL means
 * the system's. */
#pragma once

#include "base/bytes.h"

/* A source of random bytes. fill must fill all n bytes; it cannot fail (abort instead). */
struct rng {
    void (*fill)(void *data, void *p, size_t n);
    void *data;
};

/* n bytes of getrandom(2); aborts if the system has none. Thread-safe. */
void random_bytes(void *p, size_t n);
/* The serial number of a new certificate: random, positive, and always 20 bytes. */
void random_serial(uint8_t out20[20]);
/* The system's source as a struct rng. */
struct rng rng_system(void);
/* From r, or from the system if r is NULL. */
void rng_fill(const struct rng *r, void *p, size_t n);
uint64_t rng_u64(const struct rng *r);
/* Uniform below n; n > 0. */
uint64_t rng_below(const struct rng *r, uint64_t n);

/* For tests and simulation only: a repeatable stream (SHA-256 of seed and counter). A release
 * keeper or worker must refuse it. The struct must outlive the rng. Not thread-safe. */
struct insecure_seed {
    uint64_t seed;
    uint64_t counter;
};
struct rng insecure_rng(struct insecure_seed *state);
