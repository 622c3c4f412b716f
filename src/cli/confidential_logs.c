/* contract logs: a confidential contract's events, which its owner alone may read. */
#include "base/hex.h"
#include "cli/internal/commands.h"
#include "cli/internal/confidential.h"
#include "crypto/x25519.h"
#include "os/clock.h"

#define LOGS_VALID_S 300

static const char *from_text;
static const struct cli_option OPTIONS[] = {
    {.name = "from", .arg = "BATCH", .help = "first batch [0]", .value = &from_text},
    {0},
};

struct reading {
    struct confidential c;
    struct secp_key key;
    uint64_t from, end; /* batches still to be read */
    json_t *events;
};

static void print_event(struct cli *cli, const json_t *event)
{
    const json_t *topics = json_object_get(event, "topics"), *topic;
    size_t i;

    cli_print(cli, "batch %lld, command %lld", json_integer_value(json_object_get(event, "batch")),
              json_integer_value(json_object_get(event, "index")));
    json_array_foreach(topics, i, topic) cli_print(cli, "  topic %s", json_string_value(topic));
    cli_print(cli, "  data  %s", json_string_value(json_object_get(event, "data")));
}

/* Whatever a member sends: an event has these members, of these types. */
static enum rc check_event(const json_t *event, struct err *e)
{
    const char *text;
    json_t *topics;
    uint64_t n;

    TRY(json_u64(&n, event, "batch", INT64_MAX, e));
    TRY(json_u64(&n, event, "index", INT64_MAX, e));
    TRY(json_arr(&topics, event, "topics", 4, e));
    for (size_t i = 0; i < json_array_size(topics); i++) {
        struct hash32 h;

        TRY(json_value_hex_fixed(h.b, sizeof(h.b), json_array_get(topics, i), "topic", e));
    }
    return json_str(&text, event, "data", REPLY_SEALED_MAX, e);
}

/* One answer: r->from moves on to what it did not have room for. */
static enum rc take(struct cli *cli, struct reading *r, struct bytes text, struct err *e)
{
    json_auto_t *v = NULL;
    json_t *events;
    uint64_t next;

    TRY(json_parse(&v, text, REPLY_SEALED_MAX, e));
    TRY(json_arr(&events, v, "events", 1u << 20, e));
    TRY(json_u64(&next, v, "next", INT64_MAX, e));
    for (size_t i = 0; i < json_array_size(events); i++) {
        TRY(check_event(json_array_get(events, i), e));
        print_event(cli, json_array_get(events, i));
        CHECK(json_array_append(r->events, json_array_get(events, i)) == 0);
    }
    if (next <= r->from || next > r->end)
        return err_set(e, RC_MALFORMED, "logs: next is %llu, between %llu and %llu it should be",
                       (unsigned long long)next, (unsigned long long)r->from + 1,
                       (unsigned long long)r->end);
    r->from = next;
    return RC_OK;
}

static enum rc ask(struct cli *cli, struct reading *r, const struct cluster_member *m,
                   struct err *e)
{
    const struct query_context context = {
        .domain = {r->c.chain_id, r->c.registry}, .genesis = r->c.genesis, .worker = m->worker};
    struct logs_request q = {.contract = r->c.contract,
                             .first_batch = r->from,
                             .end_batch = r->end,
                             .expiry_s = clock_wall_ns() / 1000000000u + LOGS_VALID_S};
    AUTO_CLEAR(secret32) struct secret32 reply = {0};
    AUTO_CLEAR(secbuf) struct secbuf text = {0};
    AUTO_CLEAR(buf) struct buf b = {0};
    json_auto_t *body = NULL, *answer = NULL;

    x25519_generate(&reply, q.reply32, NULL);
    logs_request_sign(&q, &context, &r->key);
    logs_request_put(&b, &q);
    TRY(json_parse(&body, buf_bytes(&b), 4096, e));
    TRY(cli_member_call(cli, m, "/contracts/logs", body, &answer, e));
    buf_reset(&b);
    TRY(json_hex(&b, answer, "sealed", REPLY_SEALED_MAX, e));
    TRY(logs_answer_open(&text, &context, &q, &reply, buf_bytes(&b), e));
    return take(cli, r, secbuf_bytes(&text), e);
}

static enum rc read_all(struct cli *cli, struct reading *r, struct err *e)
{
    struct cluster_member *members;
    size_t n;

    TRY(cli_members(cli, &members, &n, &r->c, e));
    while (r->from < r->end) {
        enum rc rc = err_set(e, RC_NOTFOUND, "cluster %llu has no members to ask",
                             (unsigned long long)r->c.record.cluster);

        for (size_t i = 0; i < n && rc != RC_OK; i++) {
            rc = ask(cli, r, &members[i], e);
            if (rc != RC_OK && e != NULL)
                cli_step(cli, "%s: %s", cli_addr_text(cli, &members[i].worker), e->msg);
        }
        TRY(rc);
    }
    return RC_OK;
}

static enum rc contract_logs(struct cli *cli, struct err *e)
{
    struct reading r = {.events = json_array()};
    json_auto_t *events = r.events;
    struct address contract, me;
    enum rc rc;

    TRY(cli_address(cli, &contract, cli->args[0], e));
    TRY(cli_confidential(cli, &r.c, &contract, e));
    if (from_text != NULL)
        TRY(cli_number(&r.from, from_text, "batch", UINT64_MAX, e));
    r.end = r.c.confirmed.batches;
    TRY(cli_key(cli, &r.key, e));
    secp_key_address(&me, &r.key);
    if (!address_eq(&me, &r.c.record.owner))
        rc = err_set(e, RC_DENIED, "the events of %s are for its owner %s alone: act with --key",
                     cli_addr_text(cli, &contract), cli_addr_text(cli, &r.c.record.owner));
    else
        rc = read_all(cli, &r, e);
    secp_key_clear(&r.key);
    TRY(rc);
    if (json_array_size(events) == 0)
        cli_print(cli, "no events");
    cli_json(cli, json_incref(events));
    return RC_OK;
}

const struct cli_command CLI_CONTRACT_LOGS = {
    .name = "contract logs",
    .args = "ADDRESS",
    .summary = "the events of a confidential contract, for its owner",
    .details = "Events of confidential contracts are on no chain: a member of the cluster gives "
               "them to the\n"
               "contract's owner, sealed. They are that member's word; `cloister contract audit` "
               "makes them again.",
    .fn = contract_logs,
    .options = OPTIONS,
    .min_args = 1,
    .max_args = 1,
};
