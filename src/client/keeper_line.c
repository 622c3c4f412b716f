#include "client/keeper_line.h"

#include "base/mem.h"
#include "net/http_set.h"
#include "net/tls.h"
#include "os/clock.h"

#include <pthread.h>

#define KEPT_LINES 4
#define KEPT_FOR_MS 600000 /* a judgement is not for ever */

struct end {
    struct keeper_line *line;
    uint32_t i;
    struct address who;
    char *base;
    struct http_client *http; /* NULL: not called yet */
    struct http_call call;
    struct buf url; /* of the call */
};

struct keeper_line {
    struct keeper_line *next;
    const struct keeper_ends *ends; /* of its present user */
    struct http_set *set;
    uint64_t made_ms;
    uint32_t n;
    struct end to[KEYS_MAX_KEEPERS];
};

struct keeper_lines {
    pthread_mutex_t lock; /* guards what follows */
    struct keeper_line *idle;
    size_t n_idle;
};

static void line_free(struct keeper_line *l)
{
    if (l == NULL)
        return;
    for (uint32_t i = 0; i < l->n; i++) {
        struct end *to = &l->to[i];

        if (to->http != NULL)
            http_set_drop(l->set, to->http);
        http_client_free(to->http);
        buf_clear(&to->url);
        free(to->base);
    }
    http_set_free(l->set);
    free(l);
}

struct keeper_lines *keeper_lines_new(void)
{
    struct keeper_lines *l = xcalloc(1, sizeof(*l));

    (void)pthread_mutex_init(&l->lock, NULL);
    return l;
}

void keeper_lines_free(struct keeper_lines *l)
{
    if (l == NULL)
        return;
    while (l->idle != NULL) {
        struct keeper_line *line = l->idle;

        l->idle = line->next;
        line_free(line);
    }
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

/* A connection is the line's and not a keeper's, so one that belongs to nobody any more takes the
 * others with it. */
static bool is_for(const struct keeper_line *l, const struct keeper_ends *ends)
{
    if (l->n != ends->keys->n || clock_mono_ms() - l->made_ms > KEPT_FOR_MS)
        return false;
    for (uint32_t i = 0; i < l->n; i++) {
        const char *was = l->to[i].base, *is = ends->urls[i];

        if ((was == NULL) != (is == NULL) || (was != NULL && strcmp(was, is) != 0) ||
            !address_eq(&l->to[i].who, &ends->keys->members[i].who))
            return false;
    }
    return true;
}

static struct keeper_line *line_new(const struct keeper_ends *ends)
{
    struct keeper_line *l = xcalloc(1, sizeof(*l));

    l->set = http_set_new();
    l->made_ms = clock_mono_ms();
    l->n = ends->keys->n;
    for (uint32_t i = 0; i < l->n; i++) {
        l->to[i] = (struct end){.line = l, .i = i, .who = ends->keys->members[i].who};
        l->to[i].base = ends->urls[i] != NULL ? xstrdup(ends->urls[i]) : NULL;
    }
    return l;
}

struct keeper_line *keeper_line_take(struct keeper_lines *l, const struct keeper_ends *ends)
{
    struct keeper_line *line;

    (void)pthread_mutex_lock(&l->lock);
    line = l->idle;
    if (line != NULL) {
        l->idle = line->next;
        l->n_idle--;
    }
    (void)pthread_mutex_unlock(&l->lock);
    if (line != NULL && !is_for(line, ends)) {
        line_free(line);
        line = NULL;
    }
    if (line == NULL)
        line = line_new(ends);
    line->ends = ends;
    return line;
}

void keeper_line_return(struct keeper_lines *l, struct keeper_line *line)
{
    for (uint32_t i = 0; i < line->n; i++)
        if (line->to[i].http != NULL)
            http_set_drop(line->set, line->to[i].http);
    line->ends = NULL;
    (void)pthread_mutex_lock(&l->lock);
    if (l->n_idle < KEPT_LINES) {
        line->next = l->idle;
        l->idle = line;
        l->n_idle++;
        line = NULL;
    }
    (void)pthread_mutex_unlock(&l->lock);
    line_free(line);
}

static enum rc judge(void *data, struct bytes cert_der, struct err *e)
{
    const struct end *to = data;
    const struct keeper_ends *ends = to->line->ends;

    if (ends->judge == NULL)
        return err_set(e, RC_UNSUPPORTED, "nobody judges evidence here");
    return ends->judge(ends->judge_ctx, &to->who, cert_der, e);
}

enum rc keeper_line_post(struct keeper_line *line, uint32_t i, const char *path, struct bytes body,
                         struct http_reply *reply, size_t answer_max, unsigned timeout_ms,
                         struct err *e)
{
    struct end *to = &line->to[i];

    if (to->http == NULL) {
        to->http = http_client_new();
        http_client_set_peer(to->http, judge, to);
    }
    buf_reset(&to->url);
    buf_printf(&to->url, "%s%s", to->base, path);
    to->call = (struct http_call){.method = "POST",
                                  .url = buf_cstr(&to->url),
                                  .body = body,
                                  .content_type = "application/json",
                                  .body_max = answer_max,
                                  .timeout_ms = timeout_ms};
    return http_set_begin(line->set, to->http, reply, &to->call, e);
}

bool keeper_line_wait(struct keeper_line *line, unsigned ms, uint32_t *i, enum rc *rc,
                      struct err *e)
{
    const struct http_client *http = http_set_wait(line->set, ms, rc, e);

    for (*i = 0; http != NULL && *i < line->n; ++*i)
        if (line->to[*i].http == http)
            return true;
    return false;
}
