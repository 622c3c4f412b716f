/* worker/contract/spread.h - the same work on many things, in as many threads as there are
 * processors. */
#pragma once

#include <stddef.h>

/* Call fn(data, i) once for each i below n, in any order and from several threads; returns when
 * all have returned. Where no thread is to be had, this one does it all. */
void spread(size_t n, void (*fn)(void *data, size_t i), void *data);
