/* Any bytes as the body of a request to a small chain: the answer is JSON, no fault of the node is
 * claimed, and the chain still answers. */
#include "gateway/internal/rpc.h"

#include "base/hex.h"
#include "base/mem.h"
#include "os/file.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct gateway gateway;
static char dir[] = "/tmp/fuzz-rpc-XXXXXX";

static void put_away(void)
{
    filters_free(gateway.filters);
    executors_free(gateway.executors);
    engine_close(gateway.engine);
    (void)dir_remove(dir, NULL);
}

static void set_up(void)
{
    AUTO_CLEAR(buf) struct buf genesis = {0};
    AUTO_FREE char *path = NULL;
    AUTO_FREE char *node = NULL;
    struct engine_options o = {0};
    uint8_t pub[32];
    struct err e;

    CHECK(mkdtemp(dir) != NULL);
    node = xasprintf("%s/node", dir);
    path = xasprintf("%s/genesis.json", dir);
    CHECK(engine_validator_key(node, pub, &e) == RC_OK);
    buf_put_str(&genesis, "{\"chain_id\":7771,\"chain_name\":\"fuzz-1\",\"engine\":\"solo\","
                          "\"time\":1700000000,"
                          "\"admin\":\"0x00000000000000000000000000000000000000aa\","
                          "\"accounts\":[{\"address\":"
                          "\"0x00000000000000000000000000000000000000aa\","
                          "\"balance_wei\":\"1000000000000000000000\"}],"
                          "\"validators\":[{\"power\":1,\"pub_key\":\"");
    hex_put(&genesis, BYTES_OF(&pub));
    buf_put_str(&genesis, "\"}]}");
    CHECK(file_write_atomic(path, buf_bytes(&genesis), 0600, &e) == RC_OK);
    o.dir = node;
    o.genesis_path = path;
    CHECK(engine_open(&gateway.engine, &o, &e) == RC_OK);
    gateway.waiting_max = 1;
    gateway.executors = executors_new();
    gateway.filters = filters_new(gateway.engine);
    CHECK(atexit(put_away) == 0);
}

static void check_reply(const json_t *reply)
{
    const json_t *error = json_object_get(reply, "error");

    CHECK(json_object_get(reply, "id") != NULL);
    CHECK((error != NULL) != (json_object_get(reply, "result") != NULL));
    CHECK(json_integer_value(json_object_get(error, "code")) != RPC_INTERNAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    AUTO_CLEAR(buf) struct buf out = {0};
    json_auto_t *reply = NULL;
    struct rpc_asker nobody = {.socket = NULL};
    struct err e;

    if (gateway.engine == NULL)
        set_up();
    rpc_answer(&gateway, &nobody, bytes_of(p, n), &out);
    CHECK(engine_health(gateway.engine, &e) == RC_OK);
    if (out.n == 0)
        return 0;
    CHECK(json_parse(&reply, buf_bytes(&out), 1u << 30, &e) == RC_OK);
    for (size_t i = 0; i < json_array_size(reply); i++)
        check_reply(json_array_get(reply, i));
    if (json_is_object(reply))
        check_reply(reply);
    return 0;
}
