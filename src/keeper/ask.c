/* One question to all the other keepers, side by side. What they answer is judged by who asks. */
#include "codec/json.h"
#include "keeper/internal/state.h"

uint32_t ask_others(const struct keeper_serving *s)
{
    uint32_t whom = 0;

    for (uint32_t i = 0; i < s->keys.n; i++)
        if (i + 1 != s->index && s->urls[i][0] != '\0')
            whom |= 1u << i;
    return whom;
}

static void take(struct http_reply *reply, uint32_t i, const struct ask *a, enum rc rc,
                 struct err *e)
{
    json_auto_t *o = NULL;

    if (rc == RC_OK)
        rc = json_parse(&o, buf_bytes(&reply->body), a->answer_max, e);
    a->taken(a->ctx, i, rc == RC_OK ? o : NULL, e);
}

void ask_each(struct keeper *k, const struct keeper_serving *s, uint32_t whom, const struct ask *a)
{
    const char *urls[KEYS_MAX_KEEPERS] = {NULL};
    const struct keeper_ends ends = {
        .keys = &s->keys, .urls = urls, .judge = keepers_judge, .judge_ctx = &k->at};
    struct http_reply replies[KEYS_MAX_KEEPERS] = {{0}};
    struct keeper_line *line;
    uint32_t i, waiting = 0;
    struct err e;
    enum rc rc;

    for (i = 0; i < s->keys.n; i++)
        urls[i] = s->urls[i][0] != '\0' ? s->urls[i] : NULL;
    line = keeper_line_take(k->lines, &ends);
    for (i = 0; i < s->keys.n; i++) {
        if ((whom >> i & 1) == 0)
            continue;
        rc = keeper_line_post(line, i, a->path, a->body, &replies[i], a->answer_max, ASK_TIMEOUT_MS,
                              &e);
        if (rc == RC_OK)
            waiting++;
        else
            take(&replies[i], i, a, rc, &e);
    }
    while (waiting > 0)
        if (keeper_line_wait(line, ASK_TIMEOUT_MS, &i, &rc, &e)) {
            take(&replies[i], i, a, rc, &e);
            waiting--;
        }
    keeper_line_return(k->lines, line);
    for (i = 0; i < s->keys.n; i++)
        http_reply_clear(&replies[i]);
}
