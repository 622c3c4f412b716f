#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The sink's only state; set before threads start. */
static enum log_level max_level = LOG_WARN;
static enum log_form form_now = LOG_TEXT;

void log_setup(enum log_level level, enum log_form form)
{
    max_level = level;
    form_now = form;
}

/* Copy text, escaping what would break a line or a JSON string. Returns the length. */
static size_t escape(char *dst, size_t cap, const char *src)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;

    for (; *src != 0 && n + 7 < cap; src++) {
        unsigned char c = (unsigned char)*src;

        if (c < 0x20 || c == 0x7f) {
            memcpy(dst + n, "\\u00", 4);
            dst[n + 4] = digits[c >> 4];
            dst[n + 5] = digits[c & 15];
            n += 6;
        } else {
            if (form_now == LOG_JSON && (c == '"' || c == '\\'))
                dst[n++] = '\\';
            dst[n++] = (char)c;
        }
    }
    dst[n] = 0;
    return n;
}

void log_at(enum log_level level, const char *module, const char *fmt, ...)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    char text[1024];
    char safe[2048];
    char line[2300];
    struct timespec ts;
    struct tm tm;
    va_list ap;
    int n;

    if (level > max_level)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)escape(safe, sizeof(safe), text);
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    (void)gmtime_r(&ts.tv_sec, &tm);
    n = snprintf(line, sizeof(line),
                 form_now == LOG_JSON
                     ? "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ\",\"level\":\"%s\","
                       "\"module\":\"%s\",\"text\":\"%s\"}\n"
                     : "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %-5s %s: %s\n",
                 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                 ts.tv_nsec / 1000000, names[level], module, safe);
    /* One write a line, so that lines of several threads do not mix. */
    if (n > 0) {
        ssize_t done =
            write(STDERR_FILENO, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);

        (void)done;
    }
}
