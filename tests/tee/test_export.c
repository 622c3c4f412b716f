/* Evidence for other programs: writes what tests/e2e/tee-dcap-qvl gives to Phala's verifier, and
 * serves a TLS port for tests/e2e/tee-tls. Does nothing without TEE_EXPORT or TEE_SERVE, the folder
 * to write to. */
#include "lib/t.h"

#include "os/clock.h"
#include "os/file.h"
#include "tee/ratls.h"
#include "tee/simulator.h"
#include "tee/tee.h"

#include <stdlib.h>

static const char *out_dir;

static void put(const char *name, const char *suffix, struct bytes data)
{
    AUTO_FREE char *path = xasprintf("%s/%s.%s", out_dir, name, suffix);
    struct err e = {0};

    CHECK_OK(file_write_atomic(path, data, 0644, &e), &e);
}

static void put_quote(const char *sim, const char *machine, const char *name,
                      enum tee_sim_format format, uint64_t attributes)
{
    struct tee_sim_launch l = {
        .dir = sim, .machine = machine, .format = format, .td_attributes = attributes};
    struct tee_config c = {.source = TEE_SOURCE_SIMULATOR, .launch = &l};
    struct tee_evidence v = {0};
    struct tee *t = NULL;
    uint8_t data[64];
    struct err e = {0};

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    CHECK_OK(tee_open(&t, &c, &e), &e);
    CHECK_OK(tee_evidence_get(t, &v, data, &e), &e);
    put(name, "quote", buf_bytes(&v.quote));
    tee_evidence_clear(&v);
    tee_close(t);
}

static void put_collateral(struct tee_sim *s, const char *name, const struct tee_sim_world *w)
{
    AUTO_CLEAR(buf) struct buf json = {0};
    struct err e = {0};

    CHECK_OK(tee_sim_collateral(s, &json, w, clock_wall_ns() / 1000000000, &e), &e);
    put(name, "collateral", buf_bytes(&json));
}

static void put_worlds(struct tee_sim *s)
{
    static const char *const advisories[] = {"SIM-SA-1", NULL};
    static const char *const revoked[] = {"machine-0", NULL};
    struct tee_sim_level old = TEE_SIM_LEVEL_NOW, higher = TEE_SIM_LEVEL_NOW;
    struct tee_sim_tcb rows[2] = {{.status = "UpToDate"},
                                  {.status = "OutOfDate", .advisories = advisories}};
    struct tee_sim_tcb qe = {.level = TEE_SIM_LEVEL_NOW, .status = "Revoked"};
    struct tee_sim_world w = {.platform = rows, .platform_n = 2};
    uint64_t now = clock_wall_ns() / 1000000000;

    higher.sgx[0]++;
    old.sgx[0]--;
    rows[0].level = higher;
    rows[1].level = old;
    put_collateral(s, "good", NULL);
    put_collateral(s, "out-of-date", &w);
    w.platform_n = 1;
    put_collateral(s, "no-level", &w);
    put_collateral(s, "qe-revoked", &(struct tee_sim_world){.qe = &qe, .qe_n = 1});
    put_collateral(s, "pck-revoked", &(struct tee_sim_world){.revoked = revoked});
    put_collateral(s, "ca-revoked", &(struct tee_sim_world){.ca_revoked = true});
    put_collateral(s, "expired",
                   &(struct tee_sim_world){.issued_s = now - 7200, .expires_s = now - 3600});
    put_collateral(s, "future",
                   &(struct tee_sim_world){.issued_s = now + 3600, .expires_s = now + 7200});
}

TEST(export)
{
    const char *dir = t_tmpdir();
    AUTO_FREE char *a = xasprintf("%s/a", dir), *b = xasprintf("%s/b", dir);
    uint64_t now = clock_wall_ns() / 1000000000;
    struct tee_sim *s = NULL, *other = NULL;
    struct err e = {0};

    out_dir = getenv("TEE_EXPORT");
    if (out_dir == NULL)
        t_skip("TEE_EXPORT names no folder");
    CHECK_OK(tee_sim_create(a, now, &e), &e);
    CHECK_OK(tee_sim_open(&s, a, &e), &e);
    CHECK_OK(tee_sim_machine_add(s, "machine-0", NULL, now, &e), &e);
    CHECK_OK(tee_sim_machine_add(s, "machine-1", NULL, now, &e), &e);
    CHECK_OK(tee_sim_create(b, now, &e), &e);
    CHECK_OK(tee_sim_open(&other, b, &e), &e);
    CHECK_OK(tee_sim_machine_add(other, "machine-0", NULL, now, &e), &e);
    put("root", "der", tee_sim_root(s));
    put("other-root", "der", tee_sim_root(other));
    put_quote(a, "machine-0", "v4", TEE_SIM_V4, 0);
    put_quote(a, "machine-0", "v5-td10", TEE_SIM_V5_TD10, 0);
    put_quote(a, "machine-0", "v5-td15", TEE_SIM_V5_TD15, 0);
    put_quote(a, "machine-1", "machine-1", TEE_SIM_V4, 0);
    put_quote(a, "machine-0", "debug", TEE_SIM_V4, TEE_SIM_TD_ATTRIBUTES | 1);
    put_quote(b, "machine-0", "other", TEE_SIM_V4, 0);
    put_worlds(s);
    tee_sim_close(s);
    tee_sim_close(other);
}

/* ---- a TLS port ---- */

static struct ratls_server *server;

static void handler(struct http_request *req, struct http_response *resp, void *data)
{
    struct err e = {0};

    (void)data;
    if (strcmp(req->path, "/attestation") != 0) {
        http_response_text(resp, 200, "hello over TLS\n");
        return;
    }
    http_response_header(resp, "Content-Type", "application/json");
    if (ratls_server_attestation(server, &resp->body, http_request_arg(req, "nonce"), &e) != RC_OK)
        http_response_text(resp, 400, "%s\n", e.msg);
}

static void wait_for_stop(const char *path)
{
    for (int i = 0; i < 3000 && !file_exists(path); i++)
        clock_sleep_ms(20);
}

/* Writes url, root.der, collateral; serves until a file named stop is there, a minute at most. */
TEST(serve)
{
    AUTO_FREE char *dir = xasprintf("%s/sim", t_tmpdir()), *stop = NULL;
    struct http_server_config hc = {.listen = "127.0.0.1:0"};
    struct tls_server_config tc = {.listen = "127.0.0.1:0"};
    struct ratls_options o = {.name = "worker-0.example", .identity = bytes_str("an identity")};
    struct tee_sim_launch l = {.dir = dir, .machine = "machine-0"};
    struct tee_config c = {.source = TEE_SOURCE_SIMULATOR, .launch = &l};
    uint64_t now = clock_wall_ns() / 1000000000;
    struct http_server *http = NULL;
    struct tee_sim *s = NULL;
    struct tee *t = NULL;
    struct err e = {0};

    out_dir = getenv("TEE_SERVE");
    if (out_dir == NULL)
        t_skip("TEE_SERVE names no folder");
    CHECK_OK(tee_sim_create(dir, now, &e), &e);
    CHECK_OK(tee_sim_open(&s, dir, &e), &e);
    CHECK_OK(tee_sim_machine_add(s, "machine-0", NULL, now, &e), &e);
    put("root", "der", tee_sim_root(s));
    put_collateral(s, "good", NULL);
    CHECK_OK(tee_open(&t, &c, &e), &e);
    CHECK_OK(http_server_start(&http, &hc, handler, NULL, NULL, &e), &e);
    CHECK_OK(ratls_server_start(&server, t, &o, &tc, http, &e), &e);
    put("server", "url", bytes_str(ratls_server_url(server)));
    stop = xasprintf("%s/stop", out_dir);
    wait_for_stop(stop);
    ratls_server_stop(server);
    http_server_stop(http, 0);
    tee_close(t);
    tee_sim_close(s);
}
