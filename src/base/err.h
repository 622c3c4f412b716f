/* base/err.h - the one error idiom: a code that says what the caller may do, and a sentence.
 * A fallible function returns `enum rc` and takes `struct err *e` last; e may be NULL.
 * Text is lower case, without full stop, with the offending value and the limit, never a secret. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#define NODISCARD [[nodiscard]]

/* Result of every fallible call. The attribute sits on the type, so a dropped result is a warning.
 */
enum NODISCARD rc {
    RC_OK = 0,
    RC_MALFORMED,   /* outside bytes are not well formed: do not retry */
    RC_DENIED,      /* well formed, but a signature, right or policy says no */
    RC_NOTFOUND,    /* the thing named does not exist */
    RC_EXISTS,      /* it is there already */
    RC_LIMIT,       /* a named limit would be exceeded */
    RC_RANGE,       /* a number is outside its range */
    RC_UNSUPPORTED, /* a version, type or option we do not speak */
    RC_AGAIN,       /* not now: retry later */
    RC_TIMEOUT,     /* the deadline passed */
    RC_CLOSED,      /* the peer or the process went away */
    RC_IO,          /* the operating system refused (errno in the text) */
    RC_CORRUPT,     /* our own stored data is damaged */
};

struct err {
    enum rc code;
    char msg[240];
};

/* Fill e (when not NULL) and return code. */
enum rc err_set(struct err *e, enum rc code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Put context in front of e's text: "context: old text". Returns code. */
enum rc err_wrap(struct err *e, enum rc code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* RC_IO with the text of `errnum` appended: "what: No such file or directory". */
enum rc err_errno(struct err *e, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* "malformed", "denied", ...: the word for a code. */
const char *rc_name(enum rc code);

#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum rc rc_ = (call);                                                                      \
        if (rc_ != RC_OK)                                                                          \
            return rc_;                                                                            \
    } while (0)

_Noreturn void panic_(const char *file, int line, const char *what);

/* Our own invariant; always compiled in; aborts. Never for input. */
#define CHECK(cond) ((cond) ? (void)0 : panic_(__FILE__, __LINE__, #cond))
#ifdef DEBUG_CHECKS
#define DCHECK(cond) CHECK(cond)
#else
#define DCHECK(cond) ((void)0)
#endif
