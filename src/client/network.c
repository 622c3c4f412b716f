#include "client/network.h"

#include "base/mem.h"
#include "chain/address.h"
#include "crypto/secret.h"
#include "os/file.h"

#include <string.h>
#include <sys/stat.h>

#define NETWORK_FILE_MAX ((size_t)4 << 20)
#define URL_MAX 4096

static char *genesis_path(const struct network *n, const char *name)
{
    const char *slash = strrchr(n->path, '/');

    if (name == NULL)
        name = "genesis.json";
    if (name[0] == '/' || slash == NULL)
        return xstrdup(name);
    return xasprintf("%.*s/%s", (int)(slash - n->path), n->path, name);
}

static enum rc parse(struct network *n, struct bytes text, struct err *e)
{
    const char *profile, *genesis;
    json_t *store;

    TRY(json_parse(&n->file, text, NETWORK_FILE_MAX, e));
    if (!json_is_object(n->file))
        return err_set(e, RC_MALFORMED, "not a JSON object");
    TRY(json_str_opt(&n->rpc, n->file, "rpc", URL_MAX, e));
    TRY(json_str_opt(&genesis, n->file, "genesis", URL_MAX, e));
    TRY(json_str_opt(&profile, n->file, "profile", 64, e));
    n->vana_compat = profile != NULL && strcmp(profile, "vana-compat") == 0;
    if (profile != NULL && !n->vana_compat && strcmp(profile, "devnet") != 0)
        return err_set(e, RC_MALFORMED, "profile \"%s\" is neither devnet nor vana-compat",
                       profile);
    n->genesis = genesis_path(n, genesis);
    if (json_object_get(n->file, "store") == NULL)
        return RC_OK;
    TRY(json_obj(&store, n->file, "store", e));
    TRY(json_str_opt(&n->store_rpc, store, "rpc", URL_MAX, e));
    return json_str_opt(&n->store_gateway, store, "gateway", URL_MAX, e);
}

enum rc network_parse(struct network *out, const char *path, struct bytes text, struct err *e)
{
    enum rc rc;

    *out = (struct network){.path = xstrdup(path)};
    rc = parse(out, text, e);
    return rc == RC_OK ? RC_OK : err_wrap(e, RC_MALFORMED, "%s", path);
}

enum rc network_read(struct network *out, const char *path, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf text = {0};
    AUTO_FREE char *inside = NULL;
    struct stat st;

    *out = (struct network){0};
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        path = inside = xasprintf("%s/devnet.json", path);
    TRY(file_read_secret(secbuf_reserve(&text, NETWORK_FILE_MAX + 1), NETWORK_FILE_MAX, &text.n,
                         path, e));
    return network_parse(out, path, secbuf_bytes(&text), e);
}

void network_clear(struct network *n)
{
    json_decref(n->file);
    free(n->path);
    free(n->genesis);
    *n = (struct network){0};
}

enum rc network_contract(struct address *out, const struct network *n, const char *name,
                         struct err *e)
{
    const json_t *contracts = json_object_get(n->file, "contracts");
    const char *text;
    enum rc rc;

    if (json_object_get(contracts, name) == NULL)
        return err_set(e, RC_NOTFOUND, "the network file names no contract %s", name);
    rc = json_str(&text, contracts, name, ADDRESS_TEXT_SIZE, e);
    if (rc == RC_OK)
        rc = address_parse(out, bytes_str(text), e);
    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "the network file's contract %s", name);
}

enum rc network_contract_unless_given(struct address *out, const struct network *n,
                                      const char *name, struct err *e)
{
    return address_is_zero(out) ? network_contract(out, n, name, e) : RC_OK;
}

enum rc network_contract_if_any(struct address *out, const struct network *n, const char *name,
                                struct err *e)
{
    enum rc rc = network_contract_unless_given(out, n, name, e);

    return rc == RC_NOTFOUND ? RC_OK : rc;
}

enum rc network_take_address(void *field, const char *arg, struct err *e)
{
    return address_parse(field, bytes_str(arg), e);
}
