/* base/log.h - the log sink: one line an event, "time level module: text key=value ...", to
 * standard error. Never give it a secret. Thread-safe. The level and form are set once, by a
 * binary's main. */
#pragma once

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_form { LOG_TEXT, LOG_JSON };

void log_setup(enum log_level level, enum log_form form);
/* module is a literal ("engine"). Control characters in the text are escaped. */
void log_at(enum log_level level, const char *module, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(module, ...) log_at(LOG_ERROR, module, __VA_ARGS__)
#define log_warn(module, ...) log_at(LOG_WARN, module, __VA_ARGS__)
#define log_info(module, ...) log_at(LOG_INFO, module, __VA_ARGS__)
#define log_debug(module, ...) log_at(LOG_DEBUG, module, __VA_ARGS__)
