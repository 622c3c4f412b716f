/* X-Forwarded-For, a line a value, and addresses of trusted proxies. The first byte says which of
 * two proxies are trusted. */
#include "base/mem.h"
#include "net/limits.h"

#define MAX_VALUES 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const proxies[] = {"127.0.0.0/8", "2001:db8::/32"};
    AUTO_FREE char *text = NULL;
    const char *values[MAX_VALUES];
    struct http_limits l = {0};
    struct http_address peer, got;
    struct http_proxy p;
    size_t n = 0;

    if (size == 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(proxies); i++)
        if ((data[0] >> i & 1) != 0)
            CHECK(http_proxy_parse(&l.proxies[l.n_proxies++], bytes_str(proxies[i]), NULL) ==
                  RC_OK);
    (void)!http_proxy_parse(&p, bytes_of(data + 1, size - 1), NULL);
    CHECK(http_address_parse(&peer, bytes_str("127.0.0.1"), NULL) == RC_OK);
    text = xmalloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    for (char *at = text; at != NULL && n < MAX_VALUES; n++) {
        char *end = strchr(at, '\n');

        values[n] = at;
        if (end != NULL)
            *end++ = '\0';
        at = end;
    }
    got = http_client_address(&l, peer, values, n);
    /* A peer that is not trusted speaks for itself alone. */
    if ((data[0] & 1) == 0)
        CHECK(memcmp(&got, &peer, sizeof(got)) == 0);
    return 0;
}
