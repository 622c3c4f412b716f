/* The follower against real nodes: reads with proof, freshness, what is kept on disk, and nodes
 * that went back or tell two stories. */
#include "client/light_client.h"
#include "gateway/rig.h"
#include "light/contracts.h"
#include "os/clock.h"
#include "os/file.h"

static void root_of(const struct rig *r, struct light_root *out, struct arena *a)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    struct err e;

    CHECK_OK(file_read(&text, r->n.genesis, 1 << 20, &e), &e);
    CHECK_OK(light_root_from_genesis(out, a, buf_bytes(&text), &e), &e);
}

static struct light_client *follow(const struct light_root *root, const char *const *urls, size_t n,
                                   const char *path)
{
    const struct light_client_config config = {
        .urls = urls, .n_urls = n, .path = path, .root = *root, .patience_ms = 300};
    struct light_client *c;
    struct err e;

    CHECK_OK(light_client_new(&c, &config, &e), &e);
    return c;
}

static void store(struct rig *r, const char *key, const char *value)
{
    AUTO_CLEAR(buf) struct buf data = {0};

    guest_store(&data, bytes_str(key), bytes_str(value));
    CHECK_STR(rig_str(rig_run(r, &r->guest, buf_bytes(&data)), "status"), "0x1");
}

TEST(reads_are_proved_and_fresh)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct chain_client *chain;
    struct light_account acc;
    struct light_client *c;
    struct light_key keys[2];
    struct light_value *v;
    struct light_root root;
    uint64_t height, before;
    const char *url;
    struct err e;
    struct rig r;

    rig_init(&r);
    root_of(&r, &root, &a);
    CHECK_INT(root.chain_id, NET_CHAIN_ID);
    CHECK_TRUE(root.solo);
    url = gateway_url(r.g);
    c = follow(&root, &url, 1, NULL);
    CHECK_INT(light_client_height(c), 0);
    rig_deploy(&r);
    store(&r, "k", "v1");
    keys[0] = light_key_storage(&r.guest, bytes_str("k"));
    keys[1] = light_key_storage(&r.guest, bytes_str("none"));
    CHECK_OK(light_client_read(c, &v, &a, keys, 2, 3, &height, &e), &e);
    CHECK_TRUE(height >= 3);
    CHECK_INT(light_client_height(c), height + 1);
    CHECK_MEM(v[0].value, bytes_str("v1"));
    CHECK_TRUE(v[1].value.p == NULL);
    CHECK_OK(light_client_account(c, &acc, &r.n.who[0], height, &e), &e);
    CHECK_INT(acc.nonce, 2);
    CHECK_OK(light_client_sync(c, &e), &e);
    CHECK_RC(light_client_read(c, &v, &a, keys, 2, 99, &height, &e), RC_DENIED, &e, "is stale");
    CHECK_TRUE(strstr(e.msg, url) != NULL);

    /* One nonce transaction; then none for a while. */
    chain = chain_client_new(url);
    before = engine_height(r.en);
    CHECK_OK(light_client_refresh(c, chain, &r.n.keys[1], 60000, &e), &e);
    CHECK_TRUE(engine_height(r.en) > before);
    CHECK_OK(light_client_read(c, &v, &a, keys, 2, 0, &height, &e), &e);
    CHECK_TRUE(height > before);
    before = engine_height(r.en);
    CHECK_OK(light_client_refresh(c, chain, &r.n.keys[1], 60000, &e), &e);
    CHECK_INT(engine_height(r.en), before);
    chain_client_free(chain);
    light_client_free(c);
    rig_clear(&r);
}

/* Values known under an app hash are not sent again while it stays; a transaction changes it. */
TEST(known_values_are_not_read_again)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_client *c, *other;
    struct light_value *v, *again;
    struct light_key keys[2];
    struct light_root root;
    uint64_t height, later = 0;
    const char *url;
    struct err e;
    struct rig r;

    rig_init(&r);
    root_of(&r, &root, &a);
    url = gateway_url(r.g);
    c = follow(&root, &url, 1, NULL);
    rig_deploy(&r);
    store(&r, "k", "v1");
    keys[0] = light_key_storage(&r.guest, bytes_str("k"));
    keys[1] = light_key_storage(&r.guest, bytes_str("none"));
    CHECK_OK(light_client_read(c, &v, &a, keys, 2, 3, &height, &e), &e);
    CHECK_TRUE(v[0].proof.n_siblings != 0);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(light_client_read(c, &again, &a, keys, 2, 3, &later, &e), &e);
        CHECK_TRUE(again[0].proof.n_siblings == 0); /* it came without one */
        CHECK_TRUE(later >= height);
        CHECK_MEM(again[0].value, bytes_str("v1"));
        CHECK_TRUE(again[1].value.p == NULL && again != v);
    }
    store(&r, "k", "v2");
    CHECK_OK(light_client_read(c, &again, &a, keys, 2, engine_height(r.en), NULL, &e), &e);
    CHECK_MEM(again[0].value, bytes_str("v2"));
    /* Others in between, more than are kept. */
    for (int i = 0; i < 40; i++) {
        AUTO_FREE char *name = xasprintf("key %d", i);
        struct light_key one = light_key_storage(&r.guest, bytes_str(name));

        CHECK_OK(light_client_read(c, &again, &a, &one, 1, 0, NULL, &e), &e);
        CHECK_TRUE(again[0].value.p == NULL);
    }
    CHECK_OK(light_client_read(c, &again, &a, keys, 2, 0, NULL, &e), &e);
    CHECK_MEM(again[0].value, bytes_str("v2"));
    other = follow(&root, &url, 1, NULL);
    CHECK_OK(light_client_read(other, &again, &a, keys, 1, 0, NULL, &e), &e);
    CHECK_MEM(again[0].value, bytes_str("v2"));
    light_client_free(other);
    light_client_free(c);
    rig_clear(&r);
}

/* The node's folder as it was. */
static void copy_folder(const char *from, const char *to)
{
    AUTO_FREE char *command = xasprintf("cp -a %s %s", from, to);

    CHECK_INT(system(command), 0);
}

static void restart_on(struct rig *r, const char *dir)
{
    struct engine_options o = {.dir = dir, .genesis_path = r->n.genesis};
    struct gateway_config gc = {.listen = "127.0.0.1:0"};
    struct err e;

    gateway_stop(r->g);
    engine_close(r->en);
    CHECK_OK(engine_open(&r->en, &o, &e), &e);
    gc.engine = r->en;
    CHECK_OK(gateway_start(&r->g, &gc, &e), &e);
}

TEST(a_node_that_went_back_is_named)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_FREE char *path = xasprintf("%s/trusted.json", t_tmpdir());
    AUTO_FREE char *old = xasprintf("%s/old", t_tmpdir());
    AUTO_CLEAR(buf) struct buf text = {0};
    struct light_client_config config = {.n_urls = 1, .path = path, .patience_ms = 100};
    struct light_client *c, *other;
    struct light_root root;
    const char *url;
    uint64_t height;
    struct err e;
    struct rig r;

    rig_init(&r);
    root_of(&r, &root, &a);
    rig_deploy(&r);
    gateway_stop(r.g);
    engine_close(r.en);
    copy_folder(r.n.dir, old);
    r.g = NULL;
    r.en = NULL;
    restart_on(&r, r.n.dir);
    store(&r, "k", "v1");
    store(&r, "k", "v2");
    url = gateway_url(r.g);
    c = follow(&root, &url, 1, path);
    CHECK_OK(light_client_sync(c, &e), &e);
    height = light_client_height(c);
    CHECK_OK(light_client_save(c, &e), &e);
    other = follow(&root, &url, 1, path);
    CHECK_INT(light_client_height(other), height);
    light_client_free(other);
    light_client_free(c);

    /* Another start goes on from the file, and does not take the older state. */
    restart_on(&r, old);
    url = gateway_url(r.g);
    c = follow(&root, &url, 1, path);
    CHECK_INT(light_client_height(c), height);
    CHECK_RC(light_client_sync(c, &e), RC_DENIED, &e, "is stale: it is at height");
    CHECK_TRUE(strstr(e.msg, "ledger node http://127.0.0.1") != NULL);
    CHECK_INT(light_client_height(c), height);
    light_client_free(c);

    /* The file is of this root only, and whole. */
    config.urls = &url;
    config.root = root;
    config.root.time.s++;
    CHECK_RC(light_client_new(&c, &config, &e), RC_DENIED, &e, "another genesis");
    config.root.time.s--;
    CHECK_OK(file_read(&text, path, 1 << 20, &e), &e);
    text.p[text.n - 40] = text.p[text.n - 40] == '1' ? '2' : '1';
    CHECK_OK(file_write_atomic(path, buf_bytes(&text), 0600, &e), &e);
    CHECK_RC(light_client_new(&c, &config, &e), RC_CORRUPT, &e, "trusted block in");
    rig_clear(&r);
}

/* The validator's folder copied and run twice: two histories, both signed. */
TEST(two_stories_are_evidence)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_FREE char *path = xasprintf("%s/trusted.json", t_tmpdir());
    AUTO_FREE char *copy = xasprintf("%s/copy", t_tmpdir());
    AUTO_FREE char *evidence = NULL;
    AUTO_CLEAR(buf) struct buf text = {0};
    struct engine_options o = {.dir = copy};
    struct gateway_config gc = {.listen = "127.0.0.1:0"};
    struct light_client *c;
    struct light_root root;
    const char *urls[2];
    struct gateway *g2;
    struct engine *en2;
    struct light_key key;
    struct light_value *v;
    struct err e;
    struct rig r, r2;

    rig_init(&r);
    root_of(&r, &root, &a);
    rig_deploy(&r);
    while (engine_height(r.en) < 3) /* with its proof block: each would make another one */
        clock_sleep_ms(10);
    gateway_stop(r.g);
    engine_close(r.en);
    copy_folder(r.n.dir, copy);
    r.g = NULL;
    r.en = NULL;
    restart_on(&r, r.n.dir);
    o.genesis_path = r.n.genesis;
    CHECK_OK(engine_open(&en2, &o, &e), &e);
    gc.engine = en2;
    CHECK_OK(gateway_start(&g2, &gc, &e), &e);
    urls[0] = gateway_url(r.g);
    urls[1] = gateway_url(g2);

    c = follow(&root, urls, 2, path);
    key = light_key_account(&r.n.who[0]);
    CHECK_OK(light_client_read(c, &v, &a, &key, 1, 1, NULL, &e), &e);
    light_client_free(c);
    r2 = r;
    r2.g = g2;
    r2.en = en2;
    r2.last = NULL;
    store(&r, "k", "one");
    r2.reply = (struct http_reply){0};
    store(&r2, "k", "two");
    while (engine_height(r.en) < 5 || engine_height(en2) < 5)
        clock_sleep_ms(10);

    c = follow(&root, urls, 2, path);
    CHECK_RC(light_client_sync(c, &e), RC_DENIED, &e, "a second signed header at height");
    CHECK_TRUE(strstr(e.msg, urls[1]) != NULL);
    CHECK_TRUE(strstr(e.msg, "evidence in ") != NULL);
    evidence = xstrdup(strstr(e.msg, "evidence in ") + 12);
    CHECK_OK(file_read(&text, evidence, 1 << 20, &e), &e);
    CHECK_TRUE(strstr(buf_cstr(&text), "\"attack\":\"") != NULL);
    light_client_free(c);

    /* One node alone, that turns its story: remembered. */
    c = follow(&root, urls, 1, path);
    CHECK_OK(light_client_sync(c, &e), &e);
    light_client_free(c);
    c = follow(&root, urls, 2, path); /* nothing new, but the witness is asked all the same */
    CHECK_RC(light_client_sync(c, &e), RC_DENIED, &e, "a second signed header");
    CHECK_TRUE(strstr(e.msg, urls[1]) != NULL);
    light_client_free(c);
    c = follow(&root, urls + 1, 1, path);
    CHECK_RC(light_client_sync(c, &e), RC_DENIED, &e, "a second signed header");
    light_client_free(c);
    json_decref(r2.last);
    http_reply_clear(&r2.reply);
    gateway_stop(g2);
    engine_close(en2);
    rig_clear(&r);
}

TEST(checkpoints)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_client_config config = {.n_urls = 1, .patience_ms = 100};
    struct light_block head;
    struct light_client *c;
    struct light_root root;
    const char *url;
    struct err e;
    struct rig r;

    rig_init(&r);
    root_of(&r, &root, &a);
    rig_deploy(&r);
    url = gateway_url(r.g);
    c = follow(&root, &url, 1, NULL);
    CHECK_OK(light_client_sync(c, &e), &e);
    light_client_head(c, &head, &a);
    light_client_free(c);
    config.urls = &url;
    config.root = root;
    config.root.checkpoint_height = head.header.height;
    header_hash(&config.root.checkpoint_hash, &head.header);
    CHECK_OK(light_client_new(&c, &config, &e), &e);
    store(&r, "k", "v");
    CHECK_OK(light_client_sync(c, &e), &e);
    CHECK_TRUE(light_client_height(c) > head.header.height);
    light_client_free(c);
    config.root.checkpoint_hash.b[0] ^= 1;
    CHECK_RC(light_client_new(&c, &config, &e), RC_DENIED, &e, "not the checkpoint's");
    config.root.checkpoint_height = 9999;
    CHECK_RC(light_client_new(&c, &config, &e), RC_DENIED, &e, "ledger node http://127.0.0.1");
    rig_clear(&r);
}

TEST(genesis_files)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_root root;
    struct err e;

    CHECK_RC(light_root_from_genesis(&root, &a, bytes_str("{}"), &e), RC_NOTFOUND, &e,
             "chain_name");
    CHECK_RC(light_root_from_genesis(&root, &a,
                                     bytes_str("{\"chain_name\":\"x\",\"engine\":\"solo\","
                                               "\"chain_id\":1,\"time\":5,\"validators\":"
                                               "[{\"pub_key\":\"12\",\"power\":1}]}"),
                                     &e),
             RC_MALFORMED, &e, "pub_key");
}
