/* bench/tee/bench_tee.c - the simulator and TLS with evidence, on loopback. Argument: an empty
 * folder. Prints WHAT and its median in microseconds, one a line: a quote, a certificate, a new
 * connection with one request over TLS, once to a server with a plain certificate that the client
 * knows, once to one with evidence that it judges (turn by turn), and the judgement alone. */
#include "attest/ratls.h"
#include "crypto/hash.h"
#include "os/clock.h"
#include "tee/internal/pki.h"
#include "tee/ratls.h"
#include "tee/simulator.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 300

static uint64_t ns[ROUNDS];
static struct err e;

static void must(enum rc rc)
{
    if (rc == RC_OK)
        return;
    (void)fprintf(stderr, "bench_tee: %s\n", e.msg);
    exit(1);
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void report(const char *what, uint64_t *v)
{
    qsort(v, ROUNDS, sizeof(*v), compare);
    printf("%s %.1f\n", what, (double)v[ROUNDS / 2] / 1e3);
}

static void handler(struct http_request *req, struct http_response *resp, void *data)
{
    (void)req;
    (void)data;
    buf_put_str(&resp->body, "ok");
}

/* As a client that pins one certificate does. */
static enum rc is_known(void *data, struct bytes cert, struct err *err)
{
    const struct ratls_cert *want = data;

    return bytes_eq(cert, buf_bytes(&want->der)) ? RC_OK : err_set(err, RC_DENIED, "unknown");
}

static void small_cert(struct ratls_cert *out, uint64_t now_s)
{
    EVP_PKEY *key = p256_key_new();
    struct pki_request r = {
        .role = PKI_TLS, .common_name = "plain", .from_s = now_s - 60, .until_s = now_s + 3600};
    X509 *c = pki_cert_new(&r, key, NULL, NULL);

    pki_cert_der(&out->der, c);
    p256_pkcs8(&out->key, key);
    X509_free(c);
    EVP_PKEY_free(key);
}

static uint64_t connect_once(struct http_client *c, const char *url, struct http_reply *r)
{
    struct http_call call = {.url = url};
    uint64_t start = clock_mono_ns();

    must(http_client_do(c, r, &call, &e));
    return clock_mono_ns() - start;
}

int main(int argc, char **argv)
{
    static struct ratls_trust trust;
    static struct dcap_collateral ready;
    static uint64_t plain_ns[ROUNDS];
    uint64_t now = clock_wall_ns() / 1000000000;
    struct attest_policy policy = {.tees = POLICY_BIT(TEE_TDX),
                                   .roots = POLICY_BIT(ATTEST_ROOT_GIVEN),
                                   .any_measurement = true,
                                   .tcb_statuses = POLICY_BIT(TCB_UP_TO_DATE),
                                   .td_attributes_required = TD_ATTR_SEPT_VE_DISABLE};
    struct tee_sim_launch l = {.dir = argv[argc - 1], .machine = "m"};
    struct tee_config c = {.source = TEE_SOURCE_SIMULATOR, .launch = &l};
    struct http_server_config hc = {.listen = "127.0.0.1:0"};
    struct tls_server_config tc = {.listen = "127.0.0.1:0"};
    struct ratls_options o = {.name = NULL};
    struct ratls_client judge = {.trust = &trust};
    struct attest_roots roots = {.n_given = 1};
    struct arena a = {0};
    struct buf json = {0};
    struct collateral parts;
    enum attest_stage stage;
    struct hash32 root;
    struct tee_sim *sim;
    struct tee *t;
    struct tee_evidence v = {0};
    struct ratls_cert cert = {0}, small = {0};
    struct http_server *http, *http2;
    struct ratls_server *server;
    struct tls_server *bare;
    struct http_client *client = http_client_new();
    struct http_reply reply = {0};
    struct ratls_peer peer;
    uint8_t data[64] = {0};

    must(tee_sim_create(l.dir, now, &e));
    must(tee_sim_open(&sim, l.dir, &e));
    must(tee_sim_machine_add(sim, "m", NULL, now, &e));
    must(tee_open(&t, &c, &e));
    must(tee_sim_collateral(sim, &json, NULL, now, &e));
    sha256(&root, tee_sim_root(sim));
    roots.given = &root;
    must(collateral_parse(&parts, buf_bytes(&json), &a, &e));
    must(dcap_collateral_prepare(&ready, &parts, &roots, &a, &stage, &e));
    trust = (struct ratls_trust){.collateral = &ready, .policy = &policy};

    for (int i = 0; i < ROUNDS; i++) {
        ns[i] = clock_mono_ns();
        must(tee_evidence_get(t, &v, data, &e));
        ns[i] = clock_mono_ns() - ns[i];
    }
    report("quote", ns);
    for (int i = 0; i < ROUNDS; i++) {
        ns[i] = clock_mono_ns();
        must(ratls_cert_make(&cert, t, &o, now, &e));
        ns[i] = clock_mono_ns() - ns[i];
    }
    report("certificate", ns);
    for (int i = 0; i < ROUNDS; i++) {
        ns[i] = clock_mono_ns();
        must(ratls_verify(&peer, buf_bytes(&cert.der), &trust, &e));
        ns[i] = clock_mono_ns() - ns[i];
    }
    report("judgement", ns);

    must(http_server_start(&http, &hc, handler, NULL, NULL, &e));
    must(http_server_start(&http2, &hc, handler, NULL, NULL, &e));
    must(ratls_server_start(&server, t, &o, &tc, http, &e));
    small_cert(&small, now);
    tc.cert_der = buf_bytes(&small.der);
    tc.key_der = secbuf_bytes(&small.key);
    must(tls_server_start(&bare, &tc, http2, &e));
    for (int i = 0; i < ROUNDS; i++) { /* turn by turn */
        http_client_set_peer(client, is_known, &small);
        plain_ns[i] = connect_once(client, tls_server_url(bare), &reply);
        ratls_client_attach(&judge, client);
        ns[i] = connect_once(client, ratls_server_url(server), &reply);
    }
    report("plain", plain_ns);
    report("evidence", ns);
    ratls_server_stop(server);
    tls_server_stop(bare);
    http_server_stop(http, 0);
    http_server_stop(http2, 0);
    return 0;
}
