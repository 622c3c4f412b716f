/* Token buckets by address. Job: bound what one client gets, in bounded memory. Trust: addresses
 * are the kernel's word, or a trusted proxy's. */
#include "net/internal/clients.h"

#include "base/mem.h"
#include "crypto/random.h"

#include <pthread.h>
#include <string.h>

#define N_CHAINS 8192 /* a power of 2 */
#define DEFAULT_RATE 200
#define DEFAULT_BURST 5 /* times rate */
#define DEFAULT_PER_ADDRESS 256
#define BYTES_BURST_S 4 /* seconds of rate_kib at once */

struct client {
    struct client *next;          /* of the chain */
    struct client *newer, *older; /* of those without connections */
    struct http_address key;
    unsigned connections;
    int64_t millis;   /* thousandths of requests left, or owed */
    int64_t bytes;    /* left, or owed */
    uint64_t seen_ms; /* buckets are filled up to here */
};

struct clients {
    struct http_limits limits;
    bool rate_by_default;
    bool per_address_by_default;
    uint64_t seed[2];
    pthread_mutex_t lock; /* guards what follows */
    struct client *chains[N_CHAINS];
    struct client *newest, *oldest;
    size_t n;
    size_t n_idle; /* in the list */
};

struct clients *clients_new(const struct http_limits *l)
{
    struct clients *c = xcalloc(1, sizeof(*c));

    c->limits = *l;
    c->rate_by_default = l->rate == 0;
    c->per_address_by_default = l->per_address == 0;
    if (c->limits.rate == 0)
        c->limits.rate = DEFAULT_RATE;
    if (c->limits.burst == 0)
        c->limits.burst = c->limits.rate <= HTTP_NO_LIMIT / DEFAULT_BURST
                              ? c->limits.rate * DEFAULT_BURST
                              : HTTP_NO_LIMIT;
    if (c->limits.rate_kib == 0)
        c->limits.rate_kib = HTTP_NO_LIMIT;
    if (c->limits.per_address == 0)
        c->limits.per_address = DEFAULT_PER_ADDRESS;
    c->seed[0] = rng_u64(NULL);
    c->seed[1] = rng_u64(NULL);
    CHECK(pthread_mutex_init(&c->lock, NULL) == 0);
    return c;
}

void clients_free(struct clients *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < N_CHAINS; i++)
        while (c->chains[i] != NULL) {
            struct client *it = c->chains[i];

            c->chains[i] = it->next;
            free(it);
        }
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

const struct http_limits *clients_limits(const struct clients *c)
{
    return &c->limits;
}

static bool in_prefix(const struct http_address *a, const struct http_proxy *p)
{
    unsigned whole = p->bits / 8, rest = p->bits % 8;

    if (memcmp(a->ip, p->address.ip, whole) != 0)
        return false;
    return rest == 0 || ((a->ip[whole] ^ p->address.ip[whole]) >> (8 - rest)) == 0;
}

static bool is_proxy(const struct http_limits *l, const struct http_address *a)
{
    for (size_t i = 0; i < l->n_proxies; i++)
        if (in_prefix(a, &l->proxies[i]))
            return true;
    return false;
}

bool clients_is_proxy(const struct clients *c, const struct http_address *a)
{
    return is_proxy(&c->limits, a);
}

/* The last entry of the list before `end`; false: there is none. */
static bool last_entry(const char *list, size_t *end, struct bytes *out)
{
    size_t n = *end, from;

    if (n == SIZE_MAX)
        return false;
    for (from = n; from > 0 && list[from - 1] != ','; from--)
        continue;
    *end = from == 0 ? SIZE_MAX : from - 1;
    while (from < n && (list[from] == ' ' || list[from] == '\t'))
        from++;
    while (n > from && (list[n - 1] == ' ' || list[n - 1] == '\t'))
        n--;
    *out = bytes_of(list + from, n - from);
    return true;
}

struct http_address http_client_address(const struct http_limits *l, struct http_address peer,
                                        const char *const *values, size_t n)
{
    struct http_address at = peer;

    while (n-- > 0 && is_proxy(l, &at)) {
        size_t end = strlen(values[n]);
        struct bytes entry;

        while (is_proxy(l, &at) && last_entry(values[n], &end, &entry)) {
            struct http_address hop;

            if (http_address_parse(&hop, entry, NULL) != RC_OK)
                return at;
            at = hop;
        }
    }
    return at;
}

/* ---- the table; lock held ---- */

static struct http_address network_of(const struct http_address *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct http_address key = *a;

    if (memcmp(a->ip, mapped, sizeof(mapped)) != 0)
        memset(key.ip + 8, 0, 8);
    return key;
}

/* Keyed, so that nobody can choose addresses that share a chain. */
static uint64_t hash(const struct clients *c, const struct http_address *key)
{
    uint64_t h = c->seed[0], word;

    for (size_t i = 0; i < 2; i++) {
        memcpy(&word, key->ip + 8 * i, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
        h = (h + c->seed[1]) * 0xd6e8feb86659fd93u;
        h ^= h >> 29;
    }
    return h;
}

static void list_remove(struct clients *c, struct client *it)
{
    *(it->newer != NULL ? &it->newer->older : &c->newest) = it->older;
    *(it->older != NULL ? &it->older->newer : &c->oldest) = it->newer;
    it->newer = it->older = NULL;
    c->n_idle--;
}

static void list_put(struct clients *c, struct client *it)
{
    it->newer = NULL;
    it->older = c->newest;
    *(c->newest != NULL ? &c->newest->newer : &c->oldest) = it;
    c->newest = it;
    c->n_idle++;
}

static void forget_oldest(struct clients *c)
{
    struct client *it = c->oldest, **at = &c->chains[hash(c, &it->key) % N_CHAINS];

    while (*at != it)
        at = &(*at)->next;
    *at = it->next;
    list_remove(c, it);
    c->n--;
    free(it);
}

static int64_t bytes_max(const struct clients *c)
{
    return (int64_t)c->limits.rate_kib * 1024 * BYTES_BURST_S;
}

static void refill(const struct clients *c, struct client *it, uint64_t now_ms)
{
    int64_t max = (int64_t)c->limits.burst * 1000;
    uint64_t ms = now_ms > it->seen_ms ? now_ms - it->seen_ms : 0;
    int64_t room = bytes_max(c) - it->bytes, more;

    if (ms == 0)
        return;
    it->seen_ms = now_ms;
    if (ms > (uint64_t)24 * 3600 * 1000)
        ms = (uint64_t)24 * 3600 * 1000;
    more = (int64_t)(ms * c->limits.rate);
    it->millis = more < max - it->millis ? it->millis + more : max;
    more = (int64_t)(ms * c->limits.rate_kib / 1000 * 1024 +
                     ms * c->limits.rate_kib % 1000 * 1024 / 1000);
    it->bytes += more < room ? more : room;
}

/* The client's entry, made with full buckets if there is none. */
static struct client *find(struct clients *c, const struct http_address *a, uint64_t now_ms)
{
    struct http_address key = network_of(a);
    struct client **chain = &c->chains[hash(c, &key) % N_CHAINS], *it = *chain;

    while (it != NULL && memcmp(it->key.ip, key.ip, sizeof(key.ip)) != 0)
        it = it->next;
    if (it == NULL) {
        if (c->n_idle >= CLIENTS_REMEMBERED)
            forget_oldest(c);
        it = xcalloc(1, sizeof(*it));
        it->key = key;
        it->millis = (int64_t)c->limits.burst * 1000;
        it->bytes = bytes_max(c);
        it->next = *chain; /* forgetting may have changed it */
        *chain = it;
        it->seen_ms = now_ms;
        c->n++;
        list_put(c, it);
    } else if (it->connections == 0) {
        list_remove(c, it);
        list_put(c, it);
    }
    refill(c, it, now_ms);
    return it;
}

/* ---- limits ---- */

static bool rate_is_off(const struct clients *c, const struct http_address *a)
{
    return c->limits.rate == HTTP_NO_LIMIT || (c->rate_by_default && http_address_is_loopback(a));
}

static bool count_is_off(const struct clients *c, const struct http_address *a)
{
    return c->limits.per_address == HTTP_NO_LIMIT || is_proxy(&c->limits, a) ||
           (c->per_address_by_default && http_address_is_loopback(a));
}

bool clients_enter(struct clients *c, const struct http_address *a, uint64_t now_ms)
{
    struct client *it;
    bool ok;

    if (count_is_off(c, a))
        return true;
    CHECK(pthread_mutex_lock(&c->lock) == 0);
    it = find(c, a, now_ms);
    ok = it->connections < c->limits.per_address;
    if (ok && it->connections++ == 0)
        list_remove(c, it); /* with connections it is not forgotten */
    CHECK(pthread_mutex_unlock(&c->lock) == 0);
    return ok;
}

void clients_leave(struct clients *c, const struct http_address *a)
{
    struct client *it;

    if (count_is_off(c, a))
        return;
    CHECK(pthread_mutex_lock(&c->lock) == 0);
    it = find(c, a, 0);
    CHECK(it->connections > 0);
    if (--it->connections == 0) {
        list_put(c, it);
        if (c->n_idle > CLIENTS_REMEMBERED)
            forget_oldest(c);
    }
    CHECK(pthread_mutex_unlock(&c->lock) == 0);
}

bool clients_take(struct clients *c, const struct http_address *a, unsigned n, bool more,
                  uint64_t now_ms, uint64_t *retry_ms)
{
    bool rate = !rate_is_off(c, a), bytes = c->limits.rate_kib != HTTP_NO_LIMIT;
    int64_t full = ((int64_t)c->limits.burst - more) * 1000, cost = (int64_t)n * 1000;
    int64_t needed = cost < full ? cost : full;
    struct client *it;

    *retry_ms = 0;
    if (!rate && !bytes)
        return true;
    CHECK(pthread_mutex_lock(&c->lock) == 0);
    it = find(c, a, now_ms);
    if (rate && it->millis < needed)
        *retry_ms = (uint64_t)(needed - it->millis) / c->limits.rate + 1;
    if (bytes && it->bytes < 0 && *retry_ms < (uint64_t)-it->bytes / c->limits.rate_kib)
        *retry_ms = (uint64_t)-it->bytes / c->limits.rate_kib + 1;
    if (*retry_ms == 0 && rate)
        it->millis -= cost;
    CHECK(pthread_mutex_unlock(&c->lock) == 0);
    return *retry_ms == 0;
}

void clients_spend(struct clients *c, const struct http_address *a, uint64_t bytes, uint64_t now_ms)
{
    const uint64_t most = (uint64_t)1 << 50;
    struct client *it;

    if (c->limits.rate_kib == HTTP_NO_LIMIT || bytes == 0)
        return;
    CHECK(pthread_mutex_lock(&c->lock) == 0);
    it = find(c, a, now_ms);
    it->bytes -= (int64_t)(bytes < most ? bytes : most);
    if (it->bytes < -(int64_t)most)
        it->bytes = -(int64_t)most;
    CHECK(pthread_mutex_unlock(&c->lock) == 0);
}

uint64_t clients_id(const struct clients *c, const struct http_address *a)
{
    struct http_address key = network_of(a);

    return hash(c, &key);
}

size_t clients_len(struct clients *c)
{
    size_t n;

    CHECK(pthread_mutex_lock(&c->lock) == 0);
    n = c->n;
    CHECK(pthread_mutex_unlock(&c->lock) == 0);
    return n;
}
