/* A network's file: what is taken of it, and what is refused. */
#include "base/mem.h"
#include "chain/address.h"
#include "client/network.h"
#include "lib/t.h"
#include "os/file.h"

#include <stdio.h>

#define A1 "0x00000000000000000000000000000000000000a1"

static const char *put(const char *name, const char *text)
{
    static char path[512];
    struct err e;

    (void)snprintf(path, sizeof(path), "%s/%s", t_tmpdir(), name);
    CHECK_OK(file_write_atomic(path, bytes_str(text), 0600, &e), &e);
    return path;
}

TEST(a_file_names_ledger_store_and_contracts)
{
    const char *path =
        put("devnet.json", "{\"rpc\":\"http://l:1\",\"store\":{\"rpc\":\"http://s:2\","
                           "\"gateway\":\"http://g:3\"},\"profile\":\"vana-compat\","
                           "\"contracts\":{\"TeePool\":\"" A1 "\"}}");
    struct address a = {{0}}, given = {{7}};
    AUTO_FREE char *dir = xstrdup(path), *genesis = NULL;
    struct network n;
    struct err e;

    *strrchr(dir, '/') = '\0';
    genesis = xasprintf("%s/genesis.json", dir);
    /* by its name, and by its folder's */
    for (int i = 0; i < 2; i++) {
        CHECK_OK(network_read(&n, i == 0 ? path : dir, &e), &e);
        CHECK_STR(n.path, path);
        CHECK_STR(n.genesis, genesis);
        CHECK_STR(n.rpc, "http://l:1");
        CHECK_STR(n.store_rpc, "http://s:2");
        CHECK_STR(n.store_gateway, "http://g:3");
        CHECK_TRUE(n.vana_compat);
        CHECK_OK(network_contract(&a, &n, "TeePool", &e), &e);
        CHECK_INT(a.b[19], 0xa1);
        CHECK_OK(network_contract_unless_given(&given, &n, "TeePool", &e), &e);
        CHECK_INT(given.b[0], 7);
        CHECK_RC(network_contract(&a, &n, "Council", &e), RC_NOTFOUND, &e, "Council");
        network_clear(&n);
    }
}

TEST(what_is_not_named_is_null)
{
    struct network n;
    struct err e;

    CHECK_OK(network_read(&n, put("n.json", "{\"genesis\":\"/g/x.json\"}"), &e), &e);
    CHECK_TRUE(n.rpc == NULL && n.store_rpc == NULL && n.store_gateway == NULL && !n.vana_compat);
    CHECK_STR(n.genesis, "/g/x.json");
    network_clear(&n);
}

TEST(bad_files_are_refused_by_name)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "{\"rpc\":1}",
                                      "{\"store\":[]}",
                                      "{\"store\":{\"rpc\":{}}}",
                                      "{\"profile\":\"other\"}",
                                      "{\"genesis\":1}"};
    struct address a = {{0}};
    struct network n;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_RC(network_read(&n, put("b.json", bad[i]), &e), RC_MALFORMED, &e, "b.json");
        network_clear(&n);
    }
    CHECK_RC(network_read(&n, "/nonexistent/n.json", &e), RC_NOTFOUND, &e, "/nonexistent/n.json");
    network_clear(&n);
    CHECK_OK(network_read(&n, put("c.json", "{\"contracts\":{\"A\":\"0x12\",\"B\":5}}"), &e), &e);
    CHECK_RC(network_contract(&a, &n, "A", &e), RC_MALFORMED, &e, "contract A");
    CHECK_RC(network_contract(&a, &n, "B", &e), RC_MALFORMED, &e, "contract B");
    network_clear(&n);
}
