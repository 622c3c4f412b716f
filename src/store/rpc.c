/* Kubo RPC: dispatch, options, errors, and the commands that only look. */
#include "store/rpc.h"

#include "base/mem.h"
#include "base/num.h"
#include "codec/unixfs_read.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "os/file.h"
#include "store/internal/rpc.h"

#include <stdio.h>
#include <strings.h>

/* ---- small parts ---- */

/* Bytes of the UTF-8 sequence at p (n left), 0 if it is none. */
static size_t utf8_len(const uint8_t *p, size_t n)
{
    size_t len = p[0] < 0x80                    ? 1
                 : p[0] >= 0xc2 && p[0] <= 0xdf ? 2
                 : (p[0] & 0xf0) == 0xe0        ? 3
                 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                                : 0;

    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

void rpc_put_string(struct buf *out, const char *text)
{
    const uint8_t *p = (const uint8_t *)text;
    size_t n = strlen(text);

    buf_u8(out, '"');
    while (n != 0) {
        size_t len = utf8_len(p, n);

        if (len == 0) {
            buf_put_str(out, "\\ufffd");
            len = 1;
        } else if (*p == '"' || *p == '\\') {
            buf_printf(out, "\\%c", *p);
        } else if (*p < 0x20) {
            buf_printf(out, "\\u%04x", *p);
        } else {
            buf_put(out, p, len);
        }
        p += len;
        n -= len;
    }
    buf_u8(out, '"');
}

void rpc_json(struct rpc_call *c)
{
    http_response_header(c->resp, "Content-Type", "application/json");
}

enum rc rpc_bool(bool *out, const struct rpc_call *c, const char *name, bool dflt, struct err *e)
{
    const char *v = http_request_arg(c->req, name);

    *out = dflt;
    if (v == NULL)
        return RC_OK;
    *out = v[0] == '\0' || strcasecmp(v, "true") == 0 || strcmp(v, "1") == 0;
    if (*out || strcasecmp(v, "false") == 0 || strcmp(v, "0") == 0)
        return RC_OK;
    return err_set(e, RC_MALFORMED, "option %s: '%.40s' is neither true nor false", name, v);
}

enum rc rpc_u64(uint64_t *out, const struct rpc_call *c, const char *name, uint64_t max,
                uint64_t dflt, struct err *e)
{
    const char *v = http_request_arg(c->req, name);
    enum rc rc;

    *out = dflt;
    if (v == NULL)
        return RC_OK;
    rc = parse_u64(out, bytes_str(v), max, e);
    return rc == RC_OK ? RC_OK : err_wrap(e, RC_MALFORMED, "option %s", name);
}

enum rc rpc_path_at(struct cid *out, const struct rpc_call *c, size_t i, struct err *e)
{
    const char *v = http_request_arg_at(c->req, "arg", i);
    struct bytes path;
    struct cid root;

    if (v == NULL)
        return RC_NOTFOUND;
    TRY(cid_parse_url(&root, &path, bytes_str(v), e));
    return unixfs_resolve(out, &root, path, store_get_fn, c->store, e);
}

enum rc rpc_path(struct cid *out, const struct rpc_call *c, struct err *e)
{
    if (http_request_arg(c->req, "arg") == NULL)
        return err_set(e, RC_MALFORMED, "argument \"ipfs-path\" is required");
    return rpc_path_at(out, c, 0, e);
}

/* ---- commands ---- */

static enum rc rpc_version(struct rpc_call *c, struct err *e)
{
    (void)e;
    rpc_json(c);
    buf_put_str(&c->resp->body, "{\"Version\":\"0.1.0\",\"Commit\":\"\",\"Repo\":\"1\","
                                "\"System\":\"cloister-store\",\"Golang\":\"\"}\n");
    return RC_OK;
}

static enum rc rpc_id(struct rpc_call *c, struct err *e)
{
    (void)e;
    rpc_json(c);
    buf_printf(&c->resp->body,
               "{\"ID\":\"%s\",\"PublicKey\":\"\",\"Addresses\":[],"
               "\"AgentVersion\":\"cloister-store/0.1.0\",\"Protocols\":[]}\n",
               c->rpc->id);
    return RC_OK;
}

static enum rc rpc_repo_stat(struct rpc_call *c, struct err *e)
{
    struct store_stat st;
    bool size_only;

    TRY(rpc_bool(&size_only, c, "size-only", false, e));
    TRY(store_stat(c->store, &st, e));
    rpc_json(c);
    /* as Kubo: what was not asked for is there, and empty */
    buf_printf(&c->resp->body, "{\"RepoSize\":%llu,\"StorageMax\":0,\"NumObjects\":%llu,",
               (unsigned long long)st.disk_bytes, size_only ? 0ULL : (unsigned long long)st.blocks);
    buf_put_str(&c->resp->body, "\"RepoPath\":");
    rpc_put_string(&c->resp->body, size_only ? "" : c->rpc->dir);
    buf_printf(&c->resp->body, ",\"Version\":\"%s\"}\n", size_only ? "" : "cloister-store@1");
    return RC_OK;
}

static enum rc put_removed(void *ctx, const struct cid *cid, struct bytes block, struct err *e)
{
    struct buf *out = ctx;
    char text[CID_TEXT_SIZE];

    (void)block;
    (void)e;
    cid_format(text, cid);
    buf_printf(out, "{\"Key\":{\"/\":\"%s\"}}\n", text);
    return RC_OK;
}

static enum rc rpc_repo_gc(struct rpc_call *c, struct err *e)
{
    uint64_t removed = 0, freed = 0;
    enum rc rc;

    CHECK(pthread_rwlock_wrlock(&c->rpc->gc) == 0);
    rc = dag_collect(c->store, put_removed, &c->resp->body, &removed, e);
    if (rc == RC_OK)
        rc = store_compact(c->store, &freed, e);
    CHECK(pthread_rwlock_unlock(&c->rpc->gc) == 0);
    rpc_json(c);
    return rc;
}

static enum rc rpc_block_get(struct rpc_call *c, struct err *e)
{
    struct cid cid;

    TRY(rpc_path(&cid, c, e));
    TRY(store_get(c->store, &cid, &c->resp->body, e));
    http_response_header(c->resp, "Content-Type", "application/octet-stream");
    http_response_header(c->resp, "X-Stream-Output", "1");
    return RC_OK;
}

static enum rc rpc_block_stat(struct rpc_call *c, struct err *e)
{
    struct cid cid;
    uint64_t size;
    char text[CID_TEXT_SIZE];

    TRY(rpc_path(&cid, c, e));
    TRY(store_size(c->store, &cid, &size, e));
    cid_format(text, &cid);
    rpc_json(c);
    buf_printf(&c->resp->body, "{\"Key\":\"%s\",\"Size\":%llu}\n", text, (unsigned long long)size);
    return RC_OK;
}

#define LS_MAX_TEXT ((size_t)64 << 20) /* bytes of one listing */

struct listing {
    struct rpc_call *c;
    bool with_type; /* read each entry's block for its type and size */
    size_t n;
};

static enum rc put_link(void *ctx, const struct dagpb_link *l, struct err *e)
{
    struct listing *ls = ctx;
    struct buf *out = &ls->c->resp->body;
    enum unixfs_type type = UNIXFS_RAW;
    uint64_t size = 0;
    AUTO_CLEAR(buf) struct buf name = {0};
    char text[CID_TEXT_SIZE];

    if (out->n > LS_MAX_TEXT)
        return err_set(e, RC_LIMIT, "ls: more than %zu bytes of entries", LS_MAX_TEXT);
    buf_put_bytes(&name, l->name);
    if (ls->with_type)
        TRY(unixfs_stat(&type, &size, &l->cid, store_get_fn, ls->c->store, e));
    cid_format(text, &l->cid);
    buf_put_str(out, ls->n++ != 0 ? ",{\"Name\":" : "{\"Name\":");
    rpc_put_string(out, buf_cstr(&name));
    if (ls->with_type && type == UNIXFS_HAMT)
        type = UNIXFS_DIRECTORY; /* as Kubo: how a folder is laid out is not shown */
    buf_printf(out, ",\"Hash\":\"%s\",\"Size\":%llu,\"Type\":%d,\"Target\":\"\"}", text,
               (unsigned long long)size, type == UNIXFS_RAW ? 2 * ls->with_type : (int)type);
    return RC_OK;
}

static enum rc rpc_ls(struct rpc_call *c, struct err *e)
{
    struct listing ls = {.c = c};
    struct cid cid;
    char text[CID_TEXT_SIZE];
    bool is_dir, sizes;

    TRY(rpc_path(&cid, c, e));
    TRY(rpc_bool(&ls.with_type, c, "resolve-type", true, e));
    TRY(rpc_bool(&sizes, c, "size", true, e));
    ls.with_type = ls.with_type || sizes;
    cid_format(text, &cid);
    buf_printf(&c->resp->body, "{\"Objects\":[{\"Hash\":\"%s\",\"Links\":[", text);
    TRY(unixfs_list(&is_dir, &cid, store_get_fn, c->store, put_link, &ls, e));
    buf_put_str(&c->resp->body, "]}]}\n");
    rpc_json(c);
    return RC_OK;
}

/* ---- dispatch ---- */

static const struct command {
    const char *path;
    enum rc (*run)(struct rpc_call *c, struct err *e);
    bool streamed; /* reads its body itself */
} commands[] = {
    {"add", rpc_add, true},
    {"block/get", rpc_block_get, false},
    {"block/put", rpc_block_put, true},
    {"block/rm", rpc_block_rm, false},
    {"block/stat", rpc_block_stat, false},
    {"cat", rpc_cat, false},
    {"dag/export", rpc_dag_export, false},
    {"dag/import", rpc_dag_import, true},
    {"dag/stat", rpc_dag_stat, false},
    {"id", rpc_id, false},
    {"ls", rpc_ls, false},
    {"pin/add", rpc_pin_add, false},
    {"pin/ls", rpc_pin_ls, false},
    {"pin/rm", rpc_pin_rm, false},
    {"pin/update", rpc_pin_update, false},
    {"pin/verify", rpc_pin_verify, false},
    {"repo/gc", rpc_repo_gc, false},
    {"repo/stat", rpc_repo_stat, false},
    {"repo/verify", rpc_repo_verify, false},
    {"stats/repo", rpc_repo_stat, false},
    {"version", rpc_version, false},
};

static const struct command *find_command(const char *path)
{
    static const char prefix[] = "/api/v0/";

    if (strncmp(path, prefix, sizeof(prefix) - 1) != 0)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(path + sizeof(prefix) - 1, commands[i].path) == 0)
            return &commands[i];
    return NULL;
}

const char *store_rpc_command(const char *path)
{
    const struct command *cmd = find_command(path);

    return cmd != NULL ? cmd->path : "";
}

/* As Kubo's HTTP handler: a browser page of another site must not reach the RPC. Browsers always
 * send one of Origin and Referer on a cross-site POST; one that sends neither is refused by its
 * User-Agent. */
static bool is_allowed(const struct store_rpc *r, const struct http_request *req)
{
    const char *agent = http_request_header(req, "User-Agent");
    bool named =
        http_request_header(req, "Origin") != NULL || http_request_header(req, "Referer") != NULL;

    if (r->loopback_only && !http_request_host_is_loopback(req))
        return false;
    if (!named && agent != NULL && strncmp(agent, "Mozilla", 7) == 0)
        return false;
    return http_request_origin_ok(req, NULL);
}

static void fail(struct rpc_call *c, enum rc rc, const struct err *e)
{
    struct buf *out = &c->resp->body;
    bool bad_request = rc == RC_MALFORMED || rc == RC_UNSUPPORTED;

    http_response_reset(c->resp);
    rpc_json(c);
    c->resp->status = bad_request ? 400 : 500;
    buf_put_str(out, "{\"Message\":");
    rpc_put_string(out, e->msg);
    buf_printf(out, ",\"Code\":%d,\"Type\":\"error\"}\n", bad_request ? 1 : 0);
}

void store_rpc_route(struct http_route *out, struct http_request *req, void *data)
{
    const struct command *cmd = find_command(req->path);

    (void)data;
    if (cmd != NULL && cmd->streamed && strcmp(req->method, "POST") == 0)
        out->mode = HTTP_STREAM;
}

void store_rpc_handle(struct http_request *req, struct http_response *resp, void *data)
{
    struct store_rpc *r = data;
    struct rpc_call c = {.rpc = r, .store = r->store, .req = req, .resp = resp};
    const struct command *cmd = find_command(req->path);
    struct err e = {0};
    enum rc rc;

    http_response_header(resp, "Server", "cloister-store");
    if (!is_allowed(r, req)) {
        http_response_text(resp, 403, "403 - Forbidden\n");
        return;
    }
    if (cmd == NULL) {
        http_response_text(resp, 404, "404 page not found\n");
        return;
    }
    if (strcmp(req->method, "POST") != 0) {
        http_response_header(resp, "Allow", "OPTIONS, POST");
        http_response_text(resp, 405, "405 - Method Not Allowed\n");
        return;
    }
    rc = cmd->run(&c, &e);
    if (rc == RC_OK)
        return;
    if (c.resp->status == 0) /* the command has begun to stream */
        http_response_abort(resp, e.msg);
    else
        fail(&c, rc, &e);
}

/* A peer ID must be a multihash (libp2p peer-ids spec); this one names a store, not a key: no
 * libp2p is spoken here. */
static enum rc load_id(struct store_rpc *r, struct err *e)
{
    AUTO_FREE char *path = xasprintf("%s/id", r->dir);
    AUTO_CLEAR(buf) struct buf b = {0};
    uint8_t fresh[32];
    struct hash32 digest;
    struct cid id;
    enum rc rc = file_read(&b, path, sizeof(fresh), e);

    if (rc == RC_NOTFOUND) {
        random_bytes(fresh, sizeof(fresh));
        TRY(file_write_atomic(path, BYTES_OF(&fresh), 0600, e));
        buf_put(&b, fresh, sizeof(fresh));
        rc = RC_OK;
    }
    TRY(rc);
    sha256(&digest, buf_bytes(&b));
    id = cid_v0(&digest);
    cid_format(r->id, &id);
    return RC_OK;
}

enum rc store_rpc_new(struct store_rpc **out, struct store *store, const char *dir,
                      bool loopback_only, struct err *e)
{
    struct store_rpc *r = xcalloc(1, sizeof(*r));
    enum rc rc;

    *out = NULL;
    r->store = store;
    r->dir = xstrdup(dir);
    r->loopback_only = loopback_only;
    CHECK(pthread_rwlock_init(&r->gc, NULL) == 0);
    rc = load_id(r, e);
    if (rc != RC_OK) {
        store_rpc_free(r);
        return rc;
    }
    *out = r;
    return RC_OK;
}

void store_rpc_free(struct store_rpc *r)
{
    if (r == NULL)
        return;
    (void)pthread_rwlock_destroy(&r->gc);
    free(r->dir);
    free(r);
}
