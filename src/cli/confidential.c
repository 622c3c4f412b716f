/* What the commands about confidential contracts share. */
#include "cli/internal/confidential.h"

#include "base/hex.h"
#include "base/num.h"
#include "chain/abi_sig.h"
#include "chain/contribution.h"
#include "chain/registration.h"
#include "cli/internal/evidence.h"
#include "net/http_client.h"

#include <stdio.h>

#define MEMBER_TIMEOUT_MS 15000
#define GAS_LEAST ((uint64_t)1 << 16)

const char *confidential_status_text(uint64_t status)
{
    switch (status) {
    case CONTRACT_WAITING:
        return "waiting for its key";
    case CONTRACT_ACTIVE:
        return "active";
    case CONTRACT_CANCELED:
        return "canceled";
    default:
        return "unknown";
    }
}

bool cli_has_confidential(struct cli *cli)
{
    struct address a;

    return cli_contract(cli, &a, "ConfidentialContracts", NULL) == RC_OK;
}

static enum rc begin(struct cli *cli, struct confidential *out, struct err *e)
{
    struct light_client *lc;

    memset(out, 0, sizeof(*out));
    TRY(cli_contract(cli, &out->registry, "ConfidentialContracts", e));
    TRY(cli_light(cli, &lc, e));
    TRY(cli_chain_id(cli, &out->chain_id, e));
    return cli_genesis_hash(cli, &out->genesis, e);
}

enum rc cli_cluster(struct cli *cli, struct confidential *out, uint64_t cluster, struct err *e)
{
    struct address contract = out->contract;
    st_contract_record record = out->record;
    struct light_client *lc;
    struct light_key keys[3];
    struct light_value *v;

    TRY(begin(cli, out, e));
    out->contract = contract;
    out->record = record;
    out->record.cluster = cluster;
    keys[0] = confidential_cluster_of_key(&out->registry, cluster);
    keys[1] = confidential_queue_of_key(&out->registry, cluster);
    keys[2] = confidential_confirmed_of_key(&out->registry, cluster);
    TRY(cli_light(cli, &lc, e));
    TRY(light_client_read(lc, &v, &cli->mem, keys, ARRAY_LEN(keys), cli->min_height, &out->height,
                          e));
    TRY(confidential_cluster_of_get(&out->cluster, v[0].value, e));
    TRY(confidential_queue_of_get(&out->queue, v[1].value, e));
    TRY(confidential_confirmed_of_get(&out->confirmed, v[2].value, e));
    if (address_is_zero(&out->cluster.owner))
        return err_set(e, RC_NOTFOUND,
                       "no cluster %llu: `cloister cluster list` shows those that "
                       "are",
                       (unsigned long long)cluster);
    return RC_OK;
}

enum rc cli_confidential(struct cli *cli, struct confidential *out, const struct address *contract,
                         struct err *e)
{
    struct light_key key;
    struct light_value *v;

    TRY(begin(cli, out, e));
    key = confidential_contract_of_key(&out->registry, *contract);
    TRY(cli_read(cli, &v, &key, 1, e));
    TRY(confidential_contract_of_get(&out->record, v[0].value, e));
    if (out->record.status == CONTRACT_NONE)
        return err_set(e, RC_NOTFOUND, "there is no confidential contract at %s",
                       cli_addr_text(cli, contract));
    out->contract = *contract;
    return cli_cluster(cli, out, out->record.cluster, e);
}

enum rc cli_confidential_active(struct cli *cli, struct confidential *out,
                                const struct address *contract, struct err *e)
{
    TRY(cli_confidential(cli, out, contract, e));
    if (out->record.status == CONTRACT_WAITING)
        return err_set(e, RC_AGAIN,
                       "contract %s waits for its key: `cloister contract show` tells which "
                       "members of cluster %llu there are",
                       cli_addr_text(cli, contract), (unsigned long long)out->record.cluster);
    if (out->record.status != CONTRACT_ACTIVE)
        return err_set(e, RC_DENIED, "contract %s is %s", cli_addr_text(cli, contract),
                       confidential_status_text(out->record.status));
    return RC_OK;
}

/* ---- gas and coin ---- */

enum rc confidential_fee(const struct confidential *c, const char *gas_text, uint64_t *gas,
                         struct u256 *fee, struct err *e)
{
    uint64_t most = c->cluster.most_gas, want = CONFIDENTIAL_GAS < most ? CONFIDENTIAL_GAS : most;
    struct u256 n;

    *fee = U256_ZERO;
    *gas = 0;
    if (gas_text != NULL)
        TRY(cli_number(&want, gas_text, "gas", UINT64_MAX, e));
    if (want > most)
        return err_set(e, RC_RANGE, "gas %llu is more than cluster %llu lets pass: at most %llu",
                       (unsigned long long)want, (unsigned long long)c->record.cluster,
                       (unsigned long long)most);
    *gas = GAS_LEAST;
    while (*gas < want)
        *gas *= 2;
    n = u256_from_u64(*gas);
    if (!u256_mul(fee, &n, &c->cluster.gas_price))
        return err_set(e, RC_RANGE, "the cluster's gas price is beyond reason");
    return RC_OK;
}

enum rc confidential_value(struct u256 *out, const struct u256 *fee, const char *value_text,
                           struct err *e)
{
    struct u256 value = U256_ZERO;

    if (value_text != NULL)
        TRY(cli_amount(&value, value_text, "--value", e));
    if (!u256_add(out, fee, &value))
        return err_set(e, RC_RANGE, "value %s is beyond reason", value_text);
    return RC_OK;
}

/* ---- members ---- */

static enum rc member(struct cli *cli, struct cluster_member *out, const struct address *worker,
                      struct bytes record, struct err *e)
{
    st_worker s;

    TRY(workers_worker_of_get(&s, record, e));
    out->worker = *worker;
    out->commit_signer = s.commit_signer;
    memcpy(out->receive32, s.receive_key.b, sizeof(out->receive32));
    return cli_state_text(cli, &out->url, s.url, e);
}

enum rc cli_members(struct cli *cli, struct cluster_member **out, size_t *n,
                    const struct confidential *c, struct err *e)
{
    struct light_key keys[16], count;
    struct address workers, who[16];
    struct light_value *v;
    uint64_t members;

    *out = NULL;
    *n = 0;
    TRY(cli_contract(cli, &workers, "Workers", e));
    count = confidential_members_count_key(&c->registry, c->record.cluster);
    TRY(cli_read(cli, &v, &count, 1, e));
    TRY(st_count(&members, v[0].value, e));
    if (members > ARRAY_LEN(keys))
        return err_set(e, RC_LIMIT, "cluster %llu has %llu members, at most %zu",
                       (unsigned long long)c->record.cluster, (unsigned long long)members,
                       ARRAY_LEN(keys));
    for (size_t i = 0; i < members; i++)
        keys[i] = confidential_members_at_key(&c->registry, c->record.cluster, i);
    if (members != 0)
        TRY(cli_read(cli, &v, keys, members, e));
    for (size_t i = 0; i < members; i++) {
        TRY(confidential_members_get(&who[i], v[i].value, e));
        keys[i] = workers_worker_of_key(&workers, who[i]);
    }
    if (members != 0)
        TRY(cli_read(cli, &v, keys, members, e));
    *out = arena_array(&cli->mem, members + 1, sizeof(**out));
    for (size_t i = 0; i < members; i++)
        TRY(member(cli, &(*out)[i], &who[i], v[i].value, e));
    *n = members;
    return RC_OK;
}

enum rc cli_member_check(struct cli *cli, const struct cluster_member *m, struct err *e)
{
    struct receive_key key = {.kind = RECEIVE_X25519};

    memcpy(key.x25519, m->receive32, sizeof(key.x25519));
    return cli_evidence_check(cli, &m->worker, WORKER_CONTRACT, &key, e);
}

/* ---- commits ---- */

enum rc cli_commits_count(struct cli *cli, const struct confidential *c, uint64_t *n, struct err *e)
{
    struct light_key key = confidential_commits_count_key(&c->registry, c->record.cluster);
    struct light_value *v;

    *n = 0;
    TRY(cli_read(cli, &v, &key, 1, e));
    return st_count(n, v[0].value, e);
}

enum rc cli_commit(struct cli *cli, const struct confidential *c, uint64_t n, st_committed *out,
                   struct err *e)
{
    struct light_key key = confidential_commits_at_key(&c->registry, c->record.cluster, n);
    struct light_value *v;

    TRY(cli_read(cli, &v, &key, 1, e));
    return confidential_commits_get(out, v[0].value, e);
}

enum rc cli_commit_at(struct cli *cli, const struct confidential *c, uint64_t batch,
                      st_committed *out, uint64_t *number, struct err *e)
{
    uint64_t lo = 0, hi, n;

    memset(out, 0, sizeof(*out));
    TRY(cli_commits_count(cli, c, &n, e));
    for (hi = n; lo < hi;) {
        uint64_t mid = lo + (hi - lo) / 2;

        TRY(cli_commit(cli, c, mid, out, e));
        if (out->end_batch == batch) {
            *number = mid;
            return RC_OK;
        }
        if (out->end_batch < batch)
            lo = mid + 1;
        else
            hi = mid;
    }
    memset(out, 0, sizeof(*out));
    return err_set(e, RC_NOTFOUND, "cluster %llu has no confirmed commit that ends at batch %llu",
                   (unsigned long long)c->record.cluster, (unsigned long long)batch);
}

/* ---- talking to members ---- */

/* {"detail":{"error":{"code","message"}}}, as every daemon answers. */
static enum rc refusal(const struct cluster_member *m, struct bytes body, enum rc rc, struct err *e)
{
    json_auto_t *v = NULL;
    const char *code = NULL, *message = NULL;
    json_t *at;

    if (json_parse(&v, body, 65536, NULL) != RC_OK)
        return rc;
    at = json_object_get(json_object_get(v, "detail"), "error");
    if (json_str(&code, at, "code", 64, NULL) != RC_OK ||
        json_str(&message, at, "message", 512, NULL) != RC_OK)
        return rc;
    return err_set(e, rc, "worker at %s: %s: %s", m->url, code, message);
}

enum rc cli_member_call(struct cli *cli, const struct cluster_member *m, const char *path,
                        const json_t *body, json_t **out, struct err *e)
{
    AUTO_CLEAR(http_reply) struct http_reply reply = {0};
    AUTO_CLEAR(buf) struct buf url = {0}, text = {0};
    struct http_client *client = http_client_new();
    struct http_call call = {.body_max = (uint64_t)2 * REPLY_SEALED_MAX + 4096,
                             .timeout_ms = MEMBER_TIMEOUT_MS,
                             .content_type = "application/json"};
    enum rc rc;

    (void)cli;
    *out = NULL;
    buf_printf(&url, "%s%s", m->url, path);
    call.url = buf_cstr(&url);
    if (body != NULL) {
        json_put(&text, body);
        call.body = buf_bytes(&text);
    }
    rc = http_client_do(client, &reply, &call, e);
    http_client_free(client);
    if (rc != RC_OK)
        return reply.status == 0 ? rc : refusal(m, buf_bytes(&reply.body), rc, e);
    rc = json_parse(out, buf_bytes(&reply.body), call.body_max, e);
    return rc == RC_OK ? RC_OK : err_wrap(e, rc, "worker at %s", m->url);
}

/* ---- results ---- */

static enum rc put_values(struct cli *cli, struct buf *text, const char *between,
                          const char *signature, struct bytes output, json_t **json, struct err *e)
{
    struct abi_signature sig;
    struct abi_value v;

    TRY(abi_signature_parse(&sig, &cli->mem, bytes_str(signature), e));
    if (sig.results == NULL) {
        hex_put_0x(text, output);
        *json = json_string(buf_cstr(text));
        return RC_OK;
    }
    TRY(abi_decode(&v, &cli->mem, sig.results, output, e));
    *json = json_array();
    for (size_t i = 0; i < v.n_items; i++) {
        size_t at;

        if (i != 0)
            buf_put_str(text, between);
        at = text->n;
        abi_value_put(text, &v.items[i]);
        CHECK(json_array_append_new(*json, json_string(buf_cstr(text) + at)) == 0);
    }
    return RC_OK;
}

enum rc confidential_put_output(struct cli *cli, struct buf *text, const char *between,
                                const char *signature, enum receipt_status status,
                                struct bytes output, json_t **json, struct err *e)
{
    *json = NULL;
    buf_reset(text);
    if (status == RECEIPT_DONE)
        return put_values(cli, text, between, signature, output, json, e);
    cli->exit_code = CLI_FAILED;
    if (status == RECEIPT_REVERTED)
        contract_error_text(text, output, NULL, 0);
    else
        buf_put_str(text, receipt_status_text(status));
    *json = json_string(buf_cstr(text));
    return RC_OK;
}

enum rc confidential_print_output(struct cli *cli, const char *signature,
                                  enum receipt_status status, struct bytes output, json_t **json,
                                  struct err *e)
{
    AUTO_CLEAR(buf) struct buf text = {0};

    TRY(confidential_put_output(cli, &text, "\n", signature, status, output, json, e));
    if (status != RECEIPT_DONE || output.n != 0)
        cli_print(cli, "%s", buf_cstr(&text));
    return RC_OK;
}
