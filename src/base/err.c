#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum rc err_set(struct err *e, enum rc code, const char *fmt, ...)
{
    if (e != NULL) {
        va_list ap;

        e->code = code;
        va_start(ap, fmt);
        (void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
        va_end(ap);
    }
    return code;
}

/* Append ": tail" to what is in e->msg, as far as it fits. */
static void append(struct err *e, const char *tail)
{
    size_t n = strlen(e->msg);

    if (n + 3 < sizeof(e->msg))
        (void)snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", tail);
}

enum rc err_wrap(struct err *e, enum rc code, const char *fmt, ...)
{
    if (e != NULL) {
        char inner[sizeof(e->msg)];
        va_list ap;

        memcpy(inner, e->msg, sizeof(inner));
        e->code = code;
        va_start(ap, fmt);
        (void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
        va_end(ap);
        append(e, inner);
    }
    return code;
}

enum rc err_errno(struct err *e, int errnum, const char *fmt, ...)
{
    if (e != NULL) {
        char text[96];
        va_list ap;

        e->code = RC_IO;
        va_start(ap, fmt);
        (void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
        va_end(ap);
        append(e, errnum == ENOSPC || errnum == EDQUOT ? "the disk is full: make room and try again"
                                                       : strerror_r(errnum, text, sizeof(text)));
    }
    return RC_IO;
}

const char *rc_name(enum rc code)
{
    switch (code) {
    case RC_OK:
        return "ok";
    case RC_MALFORMED:
        return "malformed";
    case RC_DENIED:
        return "denied";
    case RC_NOTFOUND:
        return "not found";
    case RC_EXISTS:
        return "exists";
    case RC_LIMIT:
        return "limit";
    case RC_RANGE:
        return "range";
    case RC_UNSUPPORTED:
        return "unsupported";
    case RC_AGAIN:
        return "again";
    case RC_TIMEOUT:
        return "timeout";
    case RC_CLOSED:
        return "closed";
    case RC_IO:
        return "io";
    case RC_CORRUPT:
        return "corrupt";
    }
    return "unknown";
}

_Noreturn void panic_(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    abort();
}
