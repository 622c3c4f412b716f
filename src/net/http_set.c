#include "net/http_set.h"

#include "base/mem.h"
#include "net/internal/http_call.h"
#include "os/clock.h"

#define CONNECTIONS_MAX 64L /* kept open */

struct http_set {
    CURLM *multi;
    struct http_client *running;
};

struct http_set *http_set_new(void)
{
    struct http_set *s = xcalloc(1, sizeof(*s));

    s->multi = curl_multi_init();
    CHECK(s->multi != NULL);
    CHECK(curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX) == CURLM_OK);
    return s;
}

static struct http_client **find(struct http_set *s, const struct http_client *c)
{
    struct http_client **at = &s->running;

    while (*at != NULL && *at != c)
        at = &(*at)->next_running;
    return at;
}

static void unlink_client(struct http_set *s, struct http_client *c)
{
    struct http_client **at = find(s, c);

    *at = c->next_running;
    c->next_running = NULL;
    CHECK(curl_multi_remove_handle(s->multi, c->curl) == CURLM_OK);
}

void http_set_drop(struct http_set *s, struct http_client *c)
{
    if (*find(s, c) == NULL)
        return;
    unlink_client(s, c);
    (void)!http_call_end(c, CURLE_ABORTED_BY_CALLBACK, NULL);
}

void http_set_free(struct http_set *s)
{
    if (s == NULL)
        return;
    while (s->running != NULL)
        http_set_drop(s, s->running);
    CHECK(curl_multi_cleanup(s->multi) == CURLM_OK);
    free(s);
}

enum rc http_set_begin(struct http_set *s, struct http_client *c, struct http_reply *reply,
                       const struct http_call *call, struct err *e)
{
    int running;

    TRY(http_call_begin(c, reply, call, e));
    CHECK(curl_easy_setopt(c->curl, CURLOPT_PRIVATE, c) == CURLE_OK);
    CHECK(curl_multi_add_handle(s->multi, c->curl) == CURLM_OK);
    c->next_running = s->running;
    s->running = c;
    CHECK(curl_multi_perform(s->multi, &running) == CURLM_OK); /* it is on its way */
    return RC_OK;
}

static struct http_client *take_ended(struct http_set *s, enum rc *rc, struct err *e)
{
    struct http_client *c = NULL;
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(s->multi, &left)) != NULL) {
        const CURLcode code = m->data.result;

        if (m->msg != CURLMSG_DONE)
            continue;
        CHECK(curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c) == CURLE_OK);
        unlink_client(s, c);
        *rc = http_call_end(c, code, e);
        return c;
    }
    return NULL;
}

struct http_client *http_set_wait(struct http_set *s, unsigned ms, enum rc *rc, struct err *e)
{
    const uint64_t until = clock_mono_ms() + ms;
    int running;

    for (;;) {
        struct http_client *c;
        uint64_t now;

        CHECK(curl_multi_perform(s->multi, &running) == CURLM_OK);
        c = take_ended(s, rc, e);
        now = clock_mono_ms();
        if (c != NULL || s->running == NULL || now >= until)
            return c;
        CHECK(curl_multi_poll(s->multi, NULL, 0, (int)(until - now), NULL) == CURLM_OK);
    }
}
