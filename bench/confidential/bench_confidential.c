/* Confidential contracts from end to end, against a devnet whose cluster 1 has one worker.
 *
 *   bench_confidential NETWORK commands CONTRACT N    N answers to an open Survey: envelopes sealed
 * and transactions signed before the clock starts, sent in JSON-RPC batches of 100 over four
 *       connections; the clock stops when the last one is in a confirmed commit
 *   bench_confidential NETWORK queries CONTRACT URL N CONNECTIONS KIND PID    KIND: signed,
 * anonymous (bare, over TLS) or sealed (over either), each made before its clock starts, a request
 *       being one write of one thread a connection, so that the load costs little; or channel or
 *       signed-channel, where URL is the worker's alone and sealing is within the time. Every
 *       answer's signature is checked after the clock has stopped. PID: the worker's
 *
 * Prints COMMANDS_A_SECOND QUEUED_A_SECOND, or P50_US P99_US QUERIES_A_SECOND CPU_US, the last
 * being the processor time of the worker and of what it started for one query, user and system. */
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "chain/address.h"
#include "chain/gen/confidential_contracts.h"
#include "chain/gen/survey.h"
#include "chain/gen/workers.h"
#include "chain/tx.h"
#include "cli/query_channel.h"
#include "client/chain_client.h"
#include "client/network.h"
#include "cluster/entry.h"
#include "cluster/envelope.h"
#include "cluster/query.h"
#include "crypto/random.h"
#include "crypto/x25519.h"
#include "os/clock.h"

#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

enum {
    SENDERS = 40,
    LANES = 4,
    BATCH = 100,
    CONNECTIONS_MAX = 64,
    GAS = 1 << 20,
    TX_GAS = 600000,
    EXPIRY_BLOCKS = 1000000,
    WAIT_MS = 180000,
};

static struct network net;
static struct chain_client *chain;
static uint64_t chain_number;
static struct hash32 genesis;
static struct address registry, contract;
static struct confidential_contracts_ContractInfo record;
static struct u256 tip_wei; /* what the node says is usual */
static struct arena texts;
static struct err e;

static void must(enum rc rc)
{
    if (rc == RC_OK)
        return;
    (void)fprintf(stderr, "bench_confidential: %s\n", e.msg);
    exit(1);
}

static void die(const char *why)
{
    (void)fprintf(stderr, "bench_confidential: %s\n", why);
    exit(1);
}

/* ---- what the chain says ---- */

static void call(struct buf *out, const struct address *to, const struct buf *data)
{
    buf_reset(out);
    must(chain_call(chain, out, NULL, to, buf_bytes(data), CHAIN_LATEST, &e));
}

static void begin(const char *folder, const char *contract_text)
{
    struct buf data = {0}, answer = {0};
    json_t *block, *tip;

    must(network_read(&net, folder, &e));
    chain = chain_client_new(net.rpc);
    must(chain_id(chain, &chain_number, &e));
    must(chain_rpc(chain, &block, "eth_getBlockByNumber", json_pack("[s, b]", "0x0", 0), NULL, &e));
    must(json_hex_fixed(genesis.b, sizeof(genesis.b), block, "hash", &e));
    json_decref(block);
    must(chain_rpc(chain, &tip, "eth_maxPriorityFeePerGas", json_array(), NULL, &e));
    must(json_value_u256(&tip_wei, tip, "eth_maxPriorityFeePerGas", &e));
    json_decref(tip);
    must(network_contract(&registry, &net, "ConfidentialContracts", &e));
    must(address_parse(&contract, bytes_str(contract_text), &e));
    confidential_contracts_put_contracts(&data, &contract);
    call(&answer, &registry, &data);
    must(confidential_contracts_get_contracts(&record, &texts, buf_bytes(&answer), &e));
    buf_clear(&data);
}

static uint64_t confirmed_index(void)
{
    struct buf data = {0}, answer = {0};
    struct confidential_contracts_ConfirmedInfo k;

    confidential_contracts_put_confirmed(&data, record.cluster);
    call(&answer, &registry, &data);
    must(confidential_contracts_get_confirmed(&k, NULL, buf_bytes(&answer), &e));
    buf_clear(&data);
    buf_clear(&answer);
    return k.index;
}

static uint64_t queued_index(void)
{
    struct buf data = {0}, answer = {0};
    struct confidential_contracts_QueueInfo k;

    confidential_contracts_put_queue(&data, record.cluster);
    call(&answer, &registry, &data);
    must(confidential_contracts_get_queue(&k, NULL, buf_bytes(&answer), &e));
    buf_clear(&data);
    buf_clear(&answer);
    return k.count;
}

/* ---- commands ---- */

struct sender {
    struct secp_key key;
    struct address address;
    uint64_t next;
};

struct lane {
    pthread_t thread;
    struct chain_request *requests;
    size_t n;
};

static void key_of_admin(struct secp_key *out)
{
    json_t *admin = json_array_get(json_object_get(net.file, "accounts"), 0);
    uint8_t secret[32];

    must(json_hex_fixed(secret, sizeof(secret), admin, "private_key", &e));
    must(secp_key_from_bytes(out, secret, &e));
}

static void make_senders(struct sender *s)
{
    struct secp_key admin;
    struct chain_receipt receipt;

    key_of_admin(&admin);
    for (int i = 0; i < SENDERS; i++) {
        struct chain_send send = {.to = &s[i].address};
        struct arena a = {0};

        secp_key_generate(&s[i].key, NULL);
        secp_key_address(&s[i].address, &s[i].key);
        must(u256_parse_units(&send.value, bytes_str("100"), 18, &e));
        must(chain_transact(chain, &receipt, &a, &admin, &send, &e));
        arena_clear(&a);
    }
}

static void make_command(struct chain_request *out, struct sender *s, uint64_t expiry,
                         uint64_t choice)
{
    const struct envelope_context ctx = {.chain_id = chain_number,
                                         .genesis = genesis,
                                         .contract = contract,
                                         .sender = s->address,
                                         .sequence = s->next,
                                         .expiry = expiry,
                                         .gas = GAS,
                                         .epoch = record.keyEpoch,
                                         .code_hash = record.codeHash};
    struct u256 of = u256_from_u64(choice), fee_of_gas = u256_from_u64(1000000000);
    struct tx tx = {.type = TX_DYNAMIC_FEE,
                    .has_chain_id = true,
                    .chain_id = chain_number,
                    .nonce = s->next,
                    .gas_limit = TX_GAS,
                    .to = registry,
                    .max_priority_wei = tip_wei,
                    .max_fee_wei = u256_from_u64(100000000000)};
    struct buf calldata = {0}, envelope = {0}, data = {0}, raw = {0}, text = {0};
    const struct u256 gas = u256_from_u64(GAS);
    struct secret32 reply;
    uint8_t reply32[32];

    survey_put_answer(&calldata, &of);
    x25519_generate(&reply, reply32, NULL);
    must(envelope_seal(&envelope, &ctx, record.publicKey.b, reply32, buf_bytes(&calldata), &e));
    confidential_contracts_put_send(&data, &contract, s->next, expiry, GAS, ENTRY_SEALED,
                                    buf_bytes(&envelope));
    tx.data = buf_bytes(&data);
    tx.gas_price_wei = tx.max_fee_wei;
    if (!u256_mul(&tx.value_wei, &gas, &fee_of_gas))
        die("fee");
    must(tx_sign(&tx, &s->key, &e));
    tx_encode(&raw, &tx);
    hex_put_0x(&text, buf_bytes(&raw));
    *out = (struct chain_request){.method = "eth_sendRawTransaction",
                                  .params = json_pack("[s]", buf_cstr(&text))};
    s->next++;
    secret32_clear(&reply);
    buf_clear(&calldata);
    buf_clear(&envelope);
    buf_clear(&data);
    buf_clear(&raw);
    buf_clear(&text);
}

static void *send_lane(void *data)
{
    struct lane *l = data;
    struct err why = {0};

    for (size_t at = 0; at < l->n; at += BATCH) {
        size_t n = l->n - at < BATCH ? l->n - at : BATCH;

        if (chain_rpc_batch(chain, l->requests + at, n, &why) != RC_OK)
            die(why.msg);
        for (size_t i = at; i < at + n; i++)
            if (l->requests[i].rc != RC_OK)
                die(l->requests[i].err.msg);
    }
    return NULL;
}

static void await(uint64_t (*index)(void), uint64_t end)
{
    uint64_t until = clock_mono_ms() + WAIT_MS;

    while (index() < end) {
        if (clock_mono_ms() > until)
            die("the commands were not confirmed in time");
        clock_sleep_ms(5);
    }
}

static void commands(uint64_t n)
{
    static struct sender senders[SENDERS];
    static struct lane lanes[LANES];
    uint64_t height, first, start, queued_ns, all_ns;

    make_senders(senders);
    must(chain_height(chain, &height, &e));
    for (int i = 0; i < LANES; i++)
        lanes[i].requests = xcalloc(n, sizeof(*lanes[i].requests));
    for (uint64_t i = 0; i < n; i++) {
        struct lane *l = &lanes[i % SENDERS % LANES];

        make_command(&l->requests[l->n++], &senders[i % SENDERS], height + EXPIRY_BLOCKS, i % 4);
    }
    first = queued_index();
    await(confirmed_index, first);
    start = clock_mono_ns();
    for (int i = 0; i < LANES; i++)
        if (pthread_create(&lanes[i].thread, NULL, send_lane, &lanes[i]) != 0)
            die("no thread");
    for (int i = 0; i < LANES; i++)
        (void)pthread_join(lanes[i].thread, NULL);
    await(queued_index, first + n);
    queued_ns = clock_mono_ns() - start;
    await(confirmed_index, first + n);
    all_ns = clock_mono_ns() - start;
    (void)printf("%.0f %.0f\n", (double)n * 1e9 / (double)all_ns,
                 (double)n * 1e9 / (double)queued_ns);
}

/* ---- queries ---- */

struct asker {
    pthread_t thread;
    const char *url;
    struct query_context ctx;
    struct query_request *queries;
    struct buf *bodies, *answers;
    struct secret32 *keys; /* of sealed answers */
    uint64_t *ns;
    uint64_t n;
    struct address commit_signer;
    const uint8_t *receive32;      /* of a channel, ... */
    const struct secp_key *caller; /* and who opens it; NULL: nobody */
};

static pthread_barrier_t go;

/* A connection that stands: http://IP:PORT/PATH or https://. The certificate is new for this
 * devnet; what is measured is what comes after it. */
struct line {
    int fd;
    SSL *ssl; /* NULL: plain */
    char in[32768];
    size_t n;
};

static void line_open(struct line *l, const char *url)
{
    bool is_tls = strncmp(url, "https", 5) == 0;
    struct sockaddr_in at = {.sin_family = AF_INET};
    char host[64];
    unsigned port;
    int on = 1;

    if (sscanf(url, is_tls ? "https://%63[^:]:%u" : "http://%63[^:]:%u", host, &port) != 2 ||
        inet_pton(AF_INET, host, &at.sin_addr) != 1)
        die("URL: give http(s)://IP:PORT/PATH");
    at.sin_port = htons((uint16_t)port);
    l->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&at, sizeof(at)) != 0)
        die("cannot connect");
    (void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (is_tls) {
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

        SSL_CTX_set_read_ahead(ctx, 1);
        l->ssl = SSL_new(ctx);
        SSL_CTX_free(ctx);
        if (SSL_set_fd(l->ssl, l->fd) != 1 || SSL_connect(l->ssl) != 1)
            die("no TLS connection");
    }
}

static void line_close(struct line *l)
{
    SSL_free(l->ssl);
    (void)close(l->fd);
}

static void line_write(struct line *l, struct bytes all)
{
    if (l->ssl != NULL ? SSL_write(l->ssl, all.p, (int)all.n) != (int)all.n
                       : write(l->fd, all.p, all.n) != (ssize_t)all.n)
        die("cannot write");
}

/* The next answer; its body goes to out. */
static void line_read(struct line *l, struct buf *out)
{
    const char *body = NULL, *length;
    size_t size = 0;

    for (l->n = 0; body == NULL || l->n < (size_t)(body - l->in) + size;) {
        size_t room = sizeof(l->in) - 1 - l->n;
        ssize_t n = l->ssl != NULL ? SSL_read(l->ssl, l->in + l->n, (int)room)
                                   : read(l->fd, l->in + l->n, room);

        if (n <= 0)
            die("cut off, or an answer that is too large");
        l->n += (size_t)n;
        l->in[l->n] = '\0';
        body = strstr(l->in, "\r\n\r\n");
        length = strstr(l->in, "Content-Length: ");
        if (body == NULL)
            continue;
        body += 4;
        if (length == NULL || strncmp(l->in, "HTTP/1.1 200", 12) != 0)
            die(l->in);
        size = strtoul(length + 16, NULL, 10);
    }
    buf_put(out, body, size);
}

static void *ask_all(void *data)
{
    struct asker *k = data;
    struct line l = {0};
    struct buf *requests = xcalloc(k->n, sizeof(*requests));

    for (uint64_t i = 0; i < k->n; i++) {
        buf_printf(&requests[i],
                   "POST /contracts/query HTTP/1.1\r\nHost: worker\r\nContent-Type: "
                   "application/json\r\nContent-Length: %zu\r\n\r\n",
                   k->bodies[i].n);
        buf_put_bytes(&requests[i], buf_bytes(&k->bodies[i]));
        buf_reserve(&k->answers[i], 2048);
    }
    line_open(&l, k->url);
    (void)pthread_barrier_wait(&go); /* the line is open */
    (void)pthread_barrier_wait(&go);
    for (uint64_t i = 0; i < k->n; i++) {
        uint64_t start = clock_mono_ns();

        line_write(&l, buf_bytes(&requests[i]));
        line_read(&l, &k->answers[i]);
        k->ns[i] = clock_mono_ns() - start;
    }
    (void)pthread_barrier_wait(&go);
    (void)pthread_barrier_wait(&go);
    line_close(&l);
    for (uint64_t i = 0; i < k->n; i++)
        buf_clear(&requests[i]);
    free(requests);
    return NULL;
}

static void *ask_channel(void *data)
{
    struct asker *k = data;
    struct query_line *l;

    must(query_line_open(&l, k->url, &k->ctx, k->receive32, k->queries[0].query.expiry_s, k->caller,
                         &e));
    for (uint64_t i = 0; i < k->n; i++)
        buf_reserve(&k->answers[i], 2048);
    (void)pthread_barrier_wait(&go); /* the line is open */
    (void)pthread_barrier_wait(&go);
    for (uint64_t i = 0; i < k->n; i++) {
        uint64_t start = clock_mono_ns();
        struct bytes text;

        must(query_line_ask(l, &k->queries[i].query, &e));
        must(query_line_answer(l, &text, &e));
        k->ns[i] = clock_mono_ns() - start;
        buf_put_bytes(&k->answers[i], text);
    }
    (void)pthread_barrier_wait(&go);
    (void)pthread_barrier_wait(&go); /* a thread that has ended leaves no processor time behind */
    query_line_close(l);
    return NULL;
}

/* Nanoseconds of a process and of its threads and children that live, by the scheduler. */
static uint64_t cpu_ns(const char *pid)
{
    AUTO_FREE char *command = xasprintf(
        "of() { echo $1; for c in $(pgrep -P $1); do of $c; done; }; for p in $(of %s); do "
        "cat /proc/$p/task/*/schedstat; done | awk '{ s += $1 } END { printf \"%%.0f\", s }'",
        pid);
    unsigned long long ns = 0;
    FILE *f = popen(command, "r");

    if (f == NULL || fscanf(f, "%llu", &ns) != 1)
        die("no processor time");
    (void)pclose(f);
    return ns;
}

static void make_query(struct asker *k, uint64_t i, const struct secp_key *caller,
                       const uint8_t *seal32, bool is_signed)
{
    struct query_request *q = &k->queries[i];
    struct buf calldata = {0}, sealed = {0};

    survey_put_mine(&calldata);
    q->query = (struct cluster_query){.contract = contract,
                                      .worker = k->ctx.worker,
                                      .calldata = arena_dup(&texts, buf_bytes(&calldata)),
                                      .expiry_s = clock_wall_ns() / 1000000000u + 250};
    random_bytes(q->query.nonce.b, sizeof(q->query.nonce.b));
    if (seal32 != NULL)
        x25519_generate(&k->keys[i], q->reply32, NULL);
    if (is_signed)
        query_request_sign(q, &k->ctx, caller);
    if (seal32 == NULL) {
        query_request_put(&k->bodies[i], q);
    } else {
        must(query_request_seal(&sealed, &k->ctx, seal32, q, &e));
        buf_put_str(&k->bodies[i], "{\"sealed\":\"");
        hex_put_0x(&k->bodies[i], buf_bytes(&sealed));
        buf_put_str(&k->bodies[i], "\"}");
    }
    buf_clear(&calldata);
    buf_clear(&sealed);
}

static void check_answers(struct asker *k, bool is_sealed)
{
    for (uint64_t i = 0; i < k->n; i++) {
        struct secbuf text = {0};
        struct buf sealed = {0};
        struct bytes json = buf_bytes(&k->answers[i]);
        struct query_reply reply;
        struct arena a = {0};
        json_t *v = NULL;

        if (is_sealed) {
            must(json_parse(&v, json, REPLY_SEALED_MAX, &e));
            must(json_hex(&sealed, v, "sealed", REPLY_SEALED_MAX, &e));
            must(query_answer_open(&text, &k->ctx, &k->queries[i].query, &k->keys[i],
                                   buf_bytes(&sealed), &e));
            json = secbuf_bytes(&text);
            json_decref(v);
        }
        must(query_reply_parse(&reply, &k->ctx, &k->queries[i].query, &k->commit_signer, json, &a,
                               &e));
        if (reply.reply.status != RECEIPT_DONE)
            die("the contract refused a query");
        secbuf_clear(&text);
        buf_clear(&sealed);
        arena_clear(&a);
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

static void the_worker(struct query_context *ctx, struct workers_WorkerInfo *info)
{
    json_t *first = json_array_get(json_object_get(net.file, "contract_workers"), 0);
    const char *text = json_string_value(json_object_get(first, "address"));
    struct buf data = {0}, answer = {0};
    struct address workers;

    must(network_contract(&workers, &net, "Workers", &e));
    must(address_parse(&ctx->worker, bytes_str(text != NULL ? text : ""), &e));
    ctx->domain = (struct cluster_domain){chain_number, registry};
    ctx->genesis = genesis;
    workers_put_workers(&data, &ctx->worker);
    call(&answer, &workers, &data);
    must(workers_get_workers(info, &texts, buf_bytes(&answer), &e));
    buf_clear(&data);
}

static void queries(const char *url, uint64_t n, uint64_t connections, const char *kind,
                    const char *pid)
{
    bool is_sealed = strcmp(kind, "sealed") == 0, is_channel = strstr(kind, "channel") != NULL;
    bool is_signed = strcmp(kind, "anonymous") != 0 && strcmp(kind, "channel") != 0;
    struct asker *all = xcalloc(connections, sizeof(*all));
    struct workers_WorkerInfo worker;
    uint64_t *ns = xcalloc(n * connections, sizeof(*ns)), start, cpu;
    struct secp_key caller;

    the_worker(&all[0].ctx, &worker);
    secp_key_generate(&caller, NULL);
    (void)pthread_barrier_init(&go, NULL, (unsigned)connections + 1);
    for (uint64_t c = 0; c < connections; c++) {
        struct asker *k = &all[c];

        k->ctx = all[0].ctx;
        k->url = url;
        k->n = n;
        k->commit_signer = worker.commitSigner;
        k->queries = xcalloc(n, sizeof(*k->queries));
        k->bodies = xcalloc(n, sizeof(*k->bodies));
        k->answers = xcalloc(n, sizeof(*k->answers));
        k->keys = xcalloc(n, sizeof(*k->keys));
        k->ns = ns + c * n;
        k->receive32 = worker.receiveKey.b;
        k->caller = is_signed ? &caller : NULL;
        for (uint64_t i = 0; i < n; i++)
            make_query(k, i, &caller, is_sealed ? worker.receiveKey.b : NULL,
                       is_signed && !is_channel);
        if (pthread_create(&k->thread, NULL, is_channel ? ask_channel : ask_all, k) != 0)
            die("no thread");
    }
    (void)pthread_barrier_wait(&go);
    cpu = cpu_ns(pid);
    (void)pthread_barrier_wait(&go);
    start = clock_mono_ns();
    (void)pthread_barrier_wait(&go);
    start = clock_mono_ns() - start;
    cpu = cpu_ns(pid) - cpu;
    (void)pthread_barrier_wait(&go);
    for (uint64_t c = 0; c < connections; c++) {
        (void)pthread_join(all[c].thread, NULL);
        check_answers(&all[c], is_sealed);
    }
    qsort(ns, n * connections, sizeof(*ns), by_value);
    (void)printf("%.0f %.0f %.0f %.0f\n", (double)ns[n * connections / 2] / 1e3,
                 (double)ns[n * connections * 99 / 100] / 1e3,
                 (double)(n * connections) * 1e9 / (double)start,
                 (double)cpu / (double)(n * connections) / 1e3);
}

static uint64_t number(const char *text, uint64_t max)
{
    uint64_t v;

    must(parse_u64(&v, bytes_str(text), max, &e));
    return v != 0 ? v : 1;
}

int main(int argc, char **argv)
{
    log_setup(LOG_WARN, LOG_TEXT);
    if (argc == 5 && strcmp(argv[2], "commands") == 0) {
        begin(argv[1], argv[3]);
        commands(number(argv[4], 1000000));
    } else if (argc == 9 && strcmp(argv[2], "queries") == 0) {
        begin(argv[1], argv[3]);
        queries(argv[4], number(argv[5], 1000000), number(argv[6], CONNECTIONS_MAX), argv[7],
                argv[8]);
    } else {
        (void)fprintf(stderr, "usage: bench_confidential NETWORK commands CONTRACT N\n"
                              "       bench_confidential NETWORK queries CONTRACT URL N "
                              "CONNECTIONS KIND PID\n"
                              "KIND: signed, anonymous, sealed, channel, signed-channel\n");
        return 2;
    }
    return 0;
}
