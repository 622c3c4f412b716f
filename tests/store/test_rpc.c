/* The node over HTTP: Kubo's RPC as its clients call it, the gateway, and who is kept out. CIDs are
 * Kubo's (reference values of `ipfs add`). */
#include "base/hex.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "store/dag.h"
#include "store/node.h"
#include "store/tnode.h"

#include <fcntl.h>
#include <unistd.h>

#define HELLO_V0 "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD"
#define HELLO_V1 "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"

static void check_has(struct tnode *t, const char *piece)
{
    if (strstr(tnode_text(t), piece) == NULL)
        t_fail(__FILE__, __LINE__, "'%s' is not in '%.300s'", piece, tnode_text(t));
}

static void add_hello(struct tnode *t)
{
    CHECK_INT(tnode_file(t, "add?cid-version=1", "hello.txt", bytes_str("hello world")), 200);
}

TEST(add_and_cat)
{
    struct tnode t;

    tnode_start(&t, t_tmpdir());
    CHECK_INT(tnode_file(&t, "add", "hello.txt", bytes_str("hello world")), 200);
    CHECK_STR(tnode_text(&t),
              "{\"Name\":\"hello.txt\",\"Hash\":\"" HELLO_V0 "\",\"Size\":\"19\"}\n");
    CHECK_STR(t.reply.content_type, "application/json");
    CHECK_INT(tnode_file(&t, "add?cid-version=1&progress=true", "", bytes_str("hello world")), 200);
    CHECK_STR(tnode_text(&t), "{\"Name\":\"\",\"Bytes\":11}\n{\"Name\":\"" HELLO_V1
                              "\",\"Hash\":\"" HELLO_V1 "\",\"Size\":\"11\"}\n");
    CHECK_INT(tnode_post(&t, "cat?arg=" HELLO_V1), 200);
    CHECK_STR(tnode_text(&t), "hello world");
    CHECK_INT(tnode_post(&t, "cat?offset=2&length=5&arg=/ipfs/" HELLO_V0), 200);
    CHECK_STR(tnode_text(&t), "llo w");
    CHECK_INT(tnode_post(&t, "cat?offset=11&arg=" HELLO_V0), 200);
    CHECK_STR(tnode_text(&t), "");
    CHECK_INT(tnode_post(&t, "cat?offset=12&arg=" HELLO_V0), 400);
    check_has(&t, "past the end (11 bytes)");
    tnode_stop(&t);
}

TEST(only_hash_stores_nothing)
{
    struct tnode t;

    tnode_start(&t, t_tmpdir());
    CHECK_INT(tnode_file(&t, "add?cid-version=1&only-hash=true", "x", bytes_str("hello world")),
              200);
    check_has(&t, HELLO_V1);
    CHECK_INT(tnode_post(&t, "cat?arg=" HELLO_V1), 500);
    CHECK_STR(tnode_text(&t),
              "{\"Message\":\"block " HELLO_V1 " is not here\",\"Code\":0,\"Type\":\"error\"}\n");
    CHECK_STR(t.reply.content_type, "application/json");
    tnode_stop(&t);
}

TEST(options_that_change_the_result_are_not_ignored)
{
    static const char *const bad[] = {
        "trickle=true",         "inline=true",          "nocopy=1",
        "hash=blake3",          "chunker=rabin",        "chunker=size-0",
        "chunker=size-2096897", "max-file-links=1",     "cid-version=2",
        "raw-leaves=maybe",     "to-files=/x",          "mode=0644",
        "max-hamt-fanout=64",   "max-directory-links=9"};
    struct tnode t;
    char path[128];

    tnode_start(&t, t_tmpdir());
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        (void)snprintf(path, sizeof(path), "add?%s", bad[i]);
        CHECK_INT(tnode_file(&t, path, "x", bytes_str("x")), 400);
        check_has(&t, "\"Code\":1");
    }
    CHECK_INT(tnode_file(&t, "add?trickle=false&inline=false&hash=sha2-256", "x", bytes_str("x")),
              200);
    CHECK_INT(tnode_post(&t, "add"), 400);
    check_has(&t, "must be multipart/form-data");
    CHECK_INT(tnode_rpc(&t, "add", "multipart/form-data; boundary=q", bytes_str("--q--"), NULL),
              400);
    check_has(&t, "file argument");
    CHECK_INT(tnode_rpc(&t, "add", "multipart/form-data; boundary=q",
                        bytes_str("--q\r\nA: b\r\n\r\ncut o"), NULL),
              400);
    check_has(&t, "ends before its last boundary");
    tnode_stop(&t);
}

TEST(folders_over_http)
{
    static const char body[] =
        "--q\r\nContent-Disposition: form-data; name=\"file\"; filename=\"d%2Fa\"\r\n\r\n1\r\n"
        "--q\r\nContent-Disposition: form-data; name=\"file-1\"; filename=\"d%2Fb\"\r\n\r\n2\r\n"
        "--q\r\nContent-Disposition: form-data; name=\"file-2\"; filename=\"d%2Fe\"\r\n"
        "Content-Type: application/x-directory\r\n\r\n\r\n--q--\r\n";
    struct tnode t;
    char root[CID_TEXT_SIZE], path[256];

    tnode_start(&t, t_tmpdir());
    CHECK_INT(tnode_rpc(&t, "add?cid-version=1&wrap-with-directory=true",
                        "multipart/form-data; boundary=q", bytes_str(body), NULL),
              200);
    check_has(&t, "{\"Name\":\"d/a\",\"Hash\":\"bafk");
    check_has(&t, "{\"Name\":\"d/e\",\"Hash\":\"bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci"
                  "47bgf354\"");
    check_has(&t, "{\"Name\":\"d\",\"Hash\":\"bafybei");
    check_has(&t, "{\"Name\":\"\",\"Hash\":\"bafybei");
    (void)snprintf(root, sizeof(root), "%.59s",
                   strstr(tnode_text(&t), "{\"Name\":\"\",\"Hash\":\"") + 19);
    (void)snprintf(path, sizeof(path), "cat?arg=/ipfs/%s/d/b", root);
    CHECK_INT(tnode_post(&t, path), 200);
    CHECK_STR(tnode_text(&t), "2");
    (void)snprintf(path, sizeof(path), "cat?arg=%s/d", root);
    CHECK_INT(tnode_post(&t, path), 400);
    check_has(&t, "is a directory");
    (void)snprintf(path, sizeof(path), "ls?arg=%s/d", root);
    CHECK_INT(tnode_post(&t, path), 200);
    check_has(&t, "\"Name\":\"a\"");
    (void)snprintf(path, sizeof(path), "/ipfs/%s/d/a", root);
    CHECK_INT(tnode_get(&t, "GET", path, NULL), 200);
    CHECK_STR(tnode_text(&t), "1");
    (void)snprintf(path, sizeof(path), "/ipfs/%s/d", root);
    CHECK_INT(tnode_get(&t, "GET", path, NULL), 406);
    (void)snprintf(path, sizeof(path), "/ipfs/%s/d/nope", root);
    CHECK_INT(tnode_get(&t, "GET", path, NULL), 404);
    CHECK_INT(tnode_post(&t, "pin/ls?type=recursive"), 200);
    check_has(&t, root);
    tnode_stop(&t);
}

TEST(pins_and_blocks)
{
    struct tnode t;

    tnode_start(&t, t_tmpdir());
    CHECK_INT(tnode_file(&t, "block/put", "", bytes_str("hello world")), 200);
    CHECK_STR(tnode_text(&t), "{\"Key\":\"" HELLO_V1 "\",\"Size\":11}\n");
    CHECK_INT(tnode_file(&t, "block/put?format=v0&mhtype=sha2-256", "", bytes_str("hello world")),
              200);
    check_has(&t, "{\"Key\":\"Qm");
    CHECK_INT(tnode_post(&t, "block/stat?arg=" HELLO_V1), 200);
    CHECK_STR(tnode_text(&t), "{\"Key\":\"" HELLO_V1 "\",\"Size\":11}\n");
    CHECK_INT(tnode_post(&t, "block/get?arg=" HELLO_V1), 200);
    CHECK_STR(tnode_text(&t), "hello world");
    CHECK_INT(tnode_post(&t, "pin/ls?arg=" HELLO_V1), 500);
    check_has(&t, "is not pinned");
    CHECK_INT(tnode_post(&t, "pin/add?arg=" HELLO_V1 "&name=n%20%22"), 200);
    CHECK_STR(tnode_text(&t), "{\"Pins\":[\"" HELLO_V1 "\"]}\n");
    CHECK_INT(tnode_post(&t, "pin/ls?stream=true"), 200);
    CHECK_STR(tnode_text(&t),
              "{\"Cid\":\"" HELLO_V1 "\",\"Type\":\"recursive\",\"Name\":\"n \\\"\"}\n");
    CHECK_INT(tnode_post(&t, "block/rm?arg=" HELLO_V1), 200);
    check_has(&t, "\"Error\":\"pinned\"");
    CHECK_INT(tnode_post(&t, "repo/gc"), 200);
    CHECK_STR(tnode_text(&t), "");
    CHECK_INT(tnode_post(&t, "pin/rm?arg=" HELLO_V1), 200);
    CHECK_INT(tnode_post(&t, "pin/rm?arg=" HELLO_V1), 500);
    check_has(&t, "not pinned");
    CHECK_INT(tnode_post(&t, "repo/gc"), 200);
    CHECK_STR(tnode_text(&t), "{\"Key\":{\"/\":\"" HELLO_V1 "\"}}\n");
    CHECK_INT(tnode_post(&t, "block/get?arg=" HELLO_V1), 500);
    CHECK_INT(tnode_post(&t, "block/rm?arg=" HELLO_V1), 200);
    check_has(&t, "block not found");
    CHECK_INT(tnode_post(&t, "pin/add?arg=" HELLO_V1), 500);
    check_has(&t, "is not here");
    CHECK_INT(tnode_post(&t, "repo/stat"), 200);
    check_has(&t, "\"NumObjects\":0");
    CHECK_INT(tnode_post(&t, "stats/repo"), 200);
    check_has(&t, "\"Version\":\"cloister-store@1\"");
    CHECK_INT(tnode_post(&t, "stats/repo?size-only=true"), 200);
    check_has(&t, "\"StorageMax\":0,\"NumObjects\":0,\"RepoPath\":\"\",\"Version\":\"\"}");
    CHECK_INT(tnode_post(&t, "pin/ls?type=odd"), 400);
    CHECK_INT(tnode_post(&t, "cat?arg=notacid"), 400);
    CHECK_INT(tnode_post(&t, "cat"), 400);
    CHECK_INT(tnode_post(&t, "no/such"), 404);
    tnode_stop(&t);
}

/* Values of Kubo's `ipfs dag stat`: two files, and a folder that has one of them. */
TEST(graphs_are_counted)
{
    AUTO_CLEAR(buf) struct buf zeros = {0};
    AUTO_FREE char *command = NULL;
    char cid[64];
    struct tnode t;

    tnode_start(&t, t_tmpdir());
    add_hello(&t);
    CHECK_INT(tnode_post(&t, "dag/stat?arg=" HELLO_V1), 200);
    CHECK_STR(tnode_text(&t), "{\"UniqueBlocks\":1,\"TotalSize\":11,\"Ratio\":1,\"DagStats\":[{"
                              "\"Cid\":\"" HELLO_V1 "\",\"Size\":11,\"NumBlocks\":1}]}\n");
    /* Three leaves of zeros are one block: the second file has 1 + 1 blocks. */
    buf_put_zero(&zeros, (size_t)3 << 18);
    CHECK_INT(tnode_file(&t, "add?cid-version=1", "z", buf_bytes(&zeros)), 200);
    CHECK_TRUE(strstr(tnode_text(&t), "\"Hash\":\"") != NULL);
    (void)snprintf(cid, sizeof(cid), "%.59s", strstr(tnode_text(&t), "\"Hash\":\"") + 8);
    command = xasprintf("dag/stat?arg=" HELLO_V1 "&arg=%s&arg=" HELLO_V1 "&progress=false", cid);
    CHECK_INT(tnode_post(&t, command), 200);
    check_has(&t, "{\"UniqueBlocks\":3,\"TotalSize\":262");
    check_has(&t, ",\"SharedSize\":11,\"Ratio\":1.00004");
    check_has(&t, "\"NumBlocks\":2},{\"Cid\":\"" HELLO_V1 "\",\"Size\":11,\"NumBlocks\":1}]}\n");
    CHECK_INT(tnode_post(&t, "dag/stat?arg=" HELLO_V1 "&arg=" HELLO_V1), 200);
    check_has(&t, "\"SharedSize\":11,\"Ratio\":2,");
    CHECK_INT(tnode_post(&t, "dag/stat"), 400);
    CHECK_INT(tnode_post(&t, "dag/stat?arg=" HELLO_V0), 500);
    check_has(&t, "is not here");
    tnode_stop(&t);
}

TEST(large_blocks_are_refused)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct tnode t;

    tnode_start(&t, t_tmpdir());
    buf_put_zero(&b, 2 << 20);
    CHECK_INT(tnode_file(&t, "block/put", "", buf_bytes(&b)), 200);
    buf_u8(&b, 0);
    CHECK_INT(tnode_file(&t, "block/put", "", buf_bytes(&b)), 500);
    check_has(&t, "over 2MiB");
    tnode_stop(&t);
}

/* ---- archives ---- */

TEST(archives_go_out_and_come_in)
{
    struct bytes want = t_vector("car_v1_hello.hex");
    AUTO_CLEAR(buf) struct buf car = {0}, again = {0};
    AUTO_FREE char *second = xasprintf("%s/second", t_tmpdir());
    struct tnode t, other;
    struct err e = {0};

    while (want.n != 0 && want.p[want.n - 1] <= ' ')
        want.n--;
    CHECK_OK(hex_decode(&car, want, 1000, &e), &e);
    tnode_start(&t, t_tmpdir());
    add_hello(&t);
    CHECK_INT(tnode_post(&t, "dag/export?arg=" HELLO_V1), 200);
    CHECK_MEM(buf_bytes(&t.reply.body), buf_bytes(&car));
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/" HELLO_V1 "?format=car", NULL), 200);
    CHECK_MEM(buf_bytes(&t.reply.body), buf_bytes(&car));
    CHECK_STR(t.reply.content_type, "application/vnd.ipld.car; version=1; order=dfs; dups=n");
    tnode_stop(&t);
    tnode_start(&other, second);
    buf_put_bytes(&again, buf_bytes(&car));
    again.p[again.n - 1] ^= 1;
    CHECK_INT(tnode_file(&other, "dag/import", "", buf_bytes(&again)), 500);
    check_has(&other, "another hash");
    CHECK_INT(tnode_file(&other, "dag/import", "", bytes_of(car.p, car.n - 1)), 400);
    check_has(&other, "ends inside a section");
    CHECK_INT(tnode_file(&other, "dag/import", "", bytes_of(car.p, 30)), 400);
    CHECK_INT(tnode_post(&other, "block/get?arg=" HELLO_V1), 500);
    CHECK_INT(tnode_file(&other, "dag/import?stats=true", "", buf_bytes(&car)), 200);
    CHECK_STR(tnode_text(&other),
              "{\"Root\":{\"Cid\":{\"/\":\"" HELLO_V1 "\"},\"PinErrorMsg\":\"\"}}\n"
              "{\"Stats\":{\"BlockCount\":1,\"BlockBytesCount\":11}}\n");
    CHECK_INT(tnode_post(&other, "cat?arg=" HELLO_V1), 200);
    CHECK_STR(tnode_text(&other), "hello world");
    tnode_stop(&other);
}

TEST(a_missing_block_cuts_an_archive)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct tnode t;
    char path[256], root[CID_TEXT_SIZE], url[256];
    struct http_reply r = {0};
    struct hash32 digest;
    struct cid leaf;
    struct err e = {0};

    tnode_start(&t, t_tmpdir());
    for (uint32_t i = 0; i < 200000; i++)
        buf_u32be(&b, i);
    CHECK_INT(tnode_file(&t, "add?cid-version=1&pin=false", "x", buf_bytes(&b)), 200);
    (void)snprintf(root, sizeof(root), "%.59s", strstr(tnode_text(&t), "Hash\":\"") + 7);
    sha256(&digest, bytes_of(b.p + 262144, 262144));
    leaf = cid_raw(&digest);
    CHECK_OK(store_remove(store_node_store(t.node), &leaf, &e), &e);
    (void)snprintf(url, sizeof(url), "%s/ipfs/%s?format=car", store_node_gateway_url(t.node), root);
    CHECK_RC(http_get(&r, url, 1 << 20, 5000, &e), RC_CLOSED, &e, "cut off");
    (void)snprintf(url, sizeof(url), "%s/ipfs/%s", store_node_gateway_url(t.node), root);
    CHECK_RC(http_get(&r, url, 1 << 20, 5000, &e), RC_CLOSED, &e, "cut off");
    (void)snprintf(path, sizeof(path), "cat?length=262144&arg=%s", root);
    CHECK_INT(tnode_post(&t, path), 200);
    (void)snprintf(path, sizeof(path), "cat?offset=262144&length=10&arg=%s", root);
    CHECK_INT(tnode_post(&t, path), 500);
    check_has(&t, "is not here");
    http_reply_clear(&r);
    tnode_stop(&t);
}

/* ---- gateway ---- */

TEST(gateway)
{
    struct tnode t;

    tnode_start(&t, t_tmpdir());
    add_hello(&t);
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/" HELLO_V1 "?format=raw", NULL), 200);
    CHECK_STR(tnode_text(&t), "hello world");
    CHECK_STR(t.reply.content_type, "application/vnd.ipld.raw");
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/" HELLO_V1, "Accept: application/vnd.ipld.raw"), 200);
    CHECK_STR(t.reply.content_type, "application/vnd.ipld.raw");
    CHECK_INT(tnode_get(&t, "HEAD", "/ipfs/" HELLO_V1 "?format=raw", NULL), 200);
    CHECK_STR(tnode_text(&t), "");
    CHECK_INT(tnode_get(&t, "HEAD", "/ipfs/" HELLO_V1, NULL), 200);
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/" HELLO_V1, NULL), 200);
    CHECK_STR(t.reply.content_type, "application/octet-stream");
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/" HELLO_V1, "Range: bytes=2-4"), 206);
    CHECK_STR(tnode_text(&t), "llo");
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/" HELLO_V1, "Range: bytes=-3"), 206);
    CHECK_STR(tnode_text(&t), "rld");
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/" HELLO_V1, "Range: bytes=9-99"), 206);
    CHECK_STR(tnode_text(&t), "ld");
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/" HELLO_V1, "Range: bytes=11-"), 416);
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/" HELLO_V1, "Range: bytes=0-1,3-4"), 200);
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/" HELLO_V1 "?format=raw",
                        "If-None-Match: \"" HELLO_V1 ".raw\""),
              304);
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/" HELLO_V1 "?format=tar", NULL), 406);
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/" HELLO_V1 "?format=car&dag-scope=odd", NULL), 400);
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/bafkqaaa?format=raw", NULL), 200);
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/nonsense", NULL), 400);
    CHECK_INT(tnode_get(&t, "GET", "/", NULL), 404);
    CHECK_INT(tnode_get(&t, "DELETE", "/ipfs/" HELLO_V1, NULL), 405);
    CHECK_INT(tnode_file(&t, "add?only-hash=true", "", bytes_str("absent")), 200);
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/QmPK1s3pNYLi9ERiq3BDxKa4XosgWwFRQUydHUtz4YgpqB", NULL),
              404);
    tnode_stop(&t);
}

/* ---- who is kept out ---- */

TEST(pages_of_other_sites_are_kept_out)
{
    static const struct {
        const char *header;
        unsigned status;
    } cases[] = {
        {"Origin: https://evil.example", 403},
        {"Origin: null", 403},
        {"Origin: http://localhost:3000", 200},
        {"Origin: http://127.0.0.1:5001", 200},
        {"Referer: https://evil.example/page", 403},
        {"Referer: http://127.0.0.1:5001/webui", 200},
        {"User-Agent: Mozilla/5.0 (X11; Linux)", 403},
        {"User-Agent: curl/8", 200},
        {"Host: rebound.example:5001", 403},
        {"Host: localhost:5001", 200},
    };
    struct tnode t;
    char url[256];
    struct err e = {0};

    tnode_start(&t, t_tmpdir());
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *headers[] = {cases[i].header, NULL};

        CHECK_INT(tnode_rpc(&t, "version", NULL, bytes_of(NULL, 0), headers), cases[i].status);
    }
    (void)snprintf(url, sizeof(url), "%s/api/v0/version", store_node_rpc_url(t.node));
    CHECK_RC(http_get(&t.reply, url, 1000, 5000, &e), RC_MALFORMED, &e, "405");
    tnode_stop(&t);
}

/* ---- damage and restart ---- */

TEST(verify_finds_what_is_damaged)
{
    const char *dir = t_tmpdir();
    AUTO_FREE char *pack = xasprintf("%s/packs/0000000000000001.pack", dir);
    struct tnode t;
    int fd;

    tnode_start(&t, dir);
    add_hello(&t);
    CHECK_INT(tnode_post(&t, "pin/verify"), 200);
    CHECK_STR(tnode_text(&t), "");
    CHECK_INT(tnode_post(&t, "pin/verify?verbose=true"), 200);
    CHECK_STR(tnode_text(&t), "{\"Cid\":\"" HELLO_V1 "\",\"Ok\":true}\n");
    CHECK_INT(tnode_post(&t, "repo/verify"), 200);
    check_has(&t, "{\"Msg\":\"\",\"Progress\":1}");
    check_has(&t, "verify complete, all blocks validated.");
    fd = open(pack, O_RDWR | O_CLOEXEC);
    CHECK_INT(pwrite(fd, "H", 1, 16 + 44), 1);
    (void)close(fd);
    CHECK_INT(tnode_post(&t, "pin/verify"), 200);
    check_has(&t, "{\"Cid\":\"" HELLO_V1 "\",\"Ok\":false,\"BadNodes\":[{\"Cid\":\"" HELLO_V1
                  "\",\"Err\":\"block " HELLO_V1 " is damaged on disk");
    CHECK_INT(tnode_post(&t, "repo/verify"), 500);
    check_has(&t, "verify complete, 1 of 1 blocks were corrupt, the first: " HELLO_V1);
    /* Only the listing of what lies below reads the graphs. */
    CHECK_INT(tnode_post(&t, "pin/ls?type=recursive"), 200);
    check_has(&t, HELLO_V1);
    CHECK_INT(tnode_post(&t, "pin/ls?arg=" HELLO_V1), 200);
    CHECK_INT(tnode_post(&t, "pin/ls?type=indirect"), 500);
    check_has(&t, "is damaged on disk");
    tnode_stop(&t);
}

TEST(a_damaged_block_is_not_served)
{
    const char *dir = t_tmpdir();
    AUTO_FREE char *pack = xasprintf("%s/packs/0000000000000001.pack", dir);
    struct tnode t;
    int fd;

    tnode_start(&t, dir);
    add_hello(&t);
    fd = open(pack, O_RDWR | O_CLOEXEC);
    CHECK_INT(pwrite(fd, "H", 1, 16 + 44), 1);
    (void)close(fd);
    CHECK_INT(tnode_post(&t, "cat?arg=" HELLO_V1), 500);
    check_has(&t, "block " HELLO_V1 " is damaged on disk");
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/" HELLO_V1 "?format=raw", NULL), 500);
    CHECK_INT(tnode_get(&t, "GET", "/ipfs/" HELLO_V1, NULL), 500);
    CHECK_TRUE(strstr(tnode_text(&t), "Hello world") == NULL);
    tnode_stop(&t);
}

TEST(a_restart_keeps_everything)
{
    const char *dir = t_tmpdir();
    AUTO_CLEAR(buf) struct buf id = {0};
    struct tnode t;

    tnode_start(&t, dir);
    add_hello(&t);
    CHECK_INT(tnode_post(&t, "id"), 200);
    buf_put_bytes(&id, buf_bytes(&t.reply.body));
    tnode_stop(&t);
    tnode_start(&t, dir);
    CHECK_INT(tnode_post(&t, "id"), 200);
    CHECK_MEM(buf_bytes(&t.reply.body), buf_bytes(&id));
    CHECK_INT(tnode_post(&t, "cat?arg=" HELLO_V1), 200);
    CHECK_STR(tnode_text(&t), "hello world");
    CHECK_INT(tnode_post(&t, "pin/ls"), 200);
    CHECK_STR(tnode_text(&t),
              "{\"Keys\":{\"" HELLO_V1 "\":{\"Type\":\"recursive\",\"Name\":\"\"}}}\n");
    tnode_stop(&t);
}
