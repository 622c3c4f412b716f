/* sdk/validator.h - what a pool's validator is written with: a RISC-V program that reads one
 * decrypted contribution and says how good it is. Guide: docs/contracts.md.
 *
 *     int validator_main(void)
 *     {
 *         str in = input_all();
 *         struct json j = json_begin();
 *         json_u64(&j, "dlp_id", env_u64("DLP_ID", 0));
 *         json_bool(&j, "valid", true);
 *         json_ratio(&j, "score", 3, 4);            // 0.75
 *         json_end(&j);                             // the result; the last one counts
 *         return 0;                                 // anything else: the job failed
 *     }
 *
 * No clock, no files, no network, no floats, no randomness: the same file gives the same result
 * everywhere. `metadata` becomes public on the chain and `attributes` in the attestation: at most
 * 1 KiB together, and only what the pool's schema lists. */
#pragma once

#include "sdk/host.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint64_t u64;

/* Borrowed bytes. */
typedef struct {
    const u8 *p;
    u64 n;
} str;

#define STR(literal) ((str){(const u8 *)(literal), sizeof(literal) - 1})

/* Yours. The result is the exit code. */
int validator_main(void);

/* n bytes, 16-aligned, never freed. Ends the program with code 3 when memory is out. */
void *alloc(u64 n);
[[noreturn]] void exit_with(int code);

u64 input_size(void);
/* At most n bytes from `offset`; returns how many. */
u64 input_read(void *dst, u64 offset, u64 n);
/* The whole contribution. */
str input_all(void);

/* An environment variable; n = 0 when there is none. */
str env_get(const char *name);
u64 env_u64(const char *name, u64 otherwise);

void sha256_of(str data, u8 out32[32]);

/* ---- text ---- */

bool same_str(str a, str b);
/* Cut the next line off *rest (without its end, \n or \r\n); false at the end. */
bool next_line(str *rest, str *line);
/* Cut the next field off *rest at `separator`; false when none is left. An empty last field counts:
 * start with *rest = line and *more = true. */
bool next_field(str *rest, bool *more, u8 separator, str *field);
/* Decimal digits with at most 9 places behind a point, as billionths: "1.5" -> 1500000000. False
 * for anything else. */
bool parse_decimal(str text, u64 *billionths);
bool parse_u64(str text, u64 *out);

/* ---- the result ---- */

struct json {
    u8 *p;
    u64 n, cap;
    bool comma;
};

struct json json_begin(void);
void json_bool(struct json *j, const char *key, bool v);
void json_u64(struct json *j, const char *key, u64 v);
void json_text(struct json *j, const char *key, str v);
/* part / whole as a decimal fraction of four places, at most 1.0; 0.0 when whole is 0. Python's
 * float form, which the attestation keeps. */
void json_ratio(struct json *j, const char *key, u64 part, u64 whole);
/* An object within: open, put, close. */
void json_open(struct json *j, const char *key);
void json_close(struct json *j);
/* Close the outermost object and hand the text to the worker. */
void json_end(struct json *j);
