/* contract send to a confidential contract: seal, queue, and, with --wait, the receipt. */
#include "base/hex.h"
#include "chain/abi_sig.h"
#include "chain/gen/confidential_contracts.h"
#include "cli/internal/confidential.h"
#include "cluster/entry.h"
#include "cluster/envelope.h"
#include "crypto/x25519.h"
#include "os/clock.h"

#include <stdio.h>

#define EXPIRY_BLOCKS 256 /* a command that is not queued by then never is */
#define CONFIRM_WAIT_MS 120000
#define RECEIPT_WAIT_MS 20000 /* after the command is confirmed */
#define LOOK_EVERY_MS 300

struct sent {
    struct confidential c;
    struct secret32 reply;
    struct chain_receipt tx;
    uint64_t index, gas, sequence;
};

static enum rc next_sequence(struct cli *cli, struct sent *s, const struct address *sender,
                             struct err *e)
{
    struct light_key key = confidential_sequence_of_key(&s->c.registry, s->c.contract, *sender);
    struct light_value *v;

    TRY(cli_read(cli, &v, &key, 1, e));
    return confidential_sequence_of_get(&s->sequence, v[0].value, e);
}

static enum rc payload_of(struct sent *s, struct buf *out, const struct confidential_send *x,
                          const struct address *sender, uint64_t expiry, struct err *e)
{
    const struct envelope_context context = {.chain_id = s->c.chain_id,
                                             .genesis = s->c.genesis,
                                             .contract = s->c.contract,
                                             .sender = *sender,
                                             .sequence = s->sequence,
                                             .expiry = expiry,
                                             .gas = s->gas,
                                             .epoch = s->c.record.key_epoch,
                                             .code_hash = s->c.record.code_hash};
    AUTO_CLEAR(buf) struct buf calldata = {0};
    uint8_t reply32[32];
    enum rc rc;

    rc = abi_calldata(x->plain ? out : &calldata, bytes_str(x->signature), x->args, x->n_args, e);
    if (rc != RC_OK || x->plain)
        return rc;
    x25519_generate(&s->reply, reply32, NULL);
    rc = envelope_seal(out, &context, s->c.record.public_key.b, x->wait ? reply32 : NULL,
                       buf_bytes(&calldata), e);
    wipe(calldata.p, calldata.n);
    return rc;
}

static enum rc queue(struct cli *cli, struct sent *s, const struct confidential_send *x,
                     const struct secp_key *key, struct err *e)
{
    AUTO_CLEAR(buf) struct buf payload = {0}, calldata = {0};
    struct chain_send send = {.to = &s->c.registry};
    struct confidential_contracts_event_Queued event;
    uint64_t expiry = s->c.height + EXPIRY_BLOCKS;
    const struct chain_log *log;
    struct chain_client *chain;
    struct address sender;
    struct u256 fee;

    secp_key_address(&sender, key);
    TRY(confidential_fee(&s->c, x->gas, &s->gas, &fee, e));
    TRY(confidential_value(&send.value, &fee, x->value, e));
    TRY(next_sequence(cli, s, &sender, e));
    TRY(payload_of(s, &payload, x, &sender, expiry, e));
    confidential_contracts_put_send(&calldata, &s->c.contract, s->sequence, expiry, s->gas,
                                    x->plain ? ENTRY_PLAIN : ENTRY_SEALED, buf_bytes(&payload));
    send.data = buf_bytes(&calldata);
    TRY(cli_chain(cli, &chain, e));
    TRY(chain_transact(chain, &s->tx, &cli->mem, key, &send, e));
    log = chain_receipt_find(&s->tx, &s->c.registry, &confidential_contracts_topic_Queued);
    if (log == NULL)
        return err_set(e, RC_MALFORMED, "ConfidentialContracts made no Queued event");
    TRY(confidential_contracts_parse_Queued(&event, NULL, log->topics, log->n_topics, log->data,
                                            e));
    s->index = event.index;
    cli_light_at_least(cli, s->tx.height);
    cli_step(cli,
             "command %llu of cluster %llu (%s, number %llu of ours), transaction %s, block "
             "%llu",
             (unsigned long long)s->index, (unsigned long long)s->c.record.cluster,
             x->plain ? "readable by all" : "sealed", (unsigned long long)s->sequence,
             cli_hash_text(cli, &s->tx.tx_hash), (unsigned long long)s->tx.height);
    return RC_OK;
}

/* ---- what came of it ---- */

static enum rc await_confirmed(struct cli *cli, struct sent *s, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + CONFIRM_WAIT_MS;

    for (;;) {
        TRY(cli_cluster(cli, &s->c, s->c.record.cluster, e));
        if (s->c.confirmed.index > s->index)
            return RC_OK;
        if (clock_mono_ms() > give_up)
            return err_set(
                e, RC_TIMEOUT,
                "command %llu is queued, and not confirmed in %d s: it will be when %llu "
                "members of cluster %llu are there (`cloister cluster show %llu`)",
                (unsigned long long)s->index, CONFIRM_WAIT_MS / 1000,
                (unsigned long long)s->c.cluster.quorum, (unsigned long long)s->c.record.cluster,
                (unsigned long long)s->c.record.cluster);
        clock_sleep_ms(LOOK_EVERY_MS);
        TRY(cli_light_newest(cli, e));
    }
}

static enum rc ask_receipt(struct cli *cli, struct sent *s, const struct cluster_member *m,
                           enum receipt_status *status, struct secbuf *output, struct err *e)
{
    const struct receipt_context context = {.chain_id = s->c.chain_id,
                                            .genesis = s->c.genesis,
                                            .cluster = s->c.record.cluster,
                                            .index = s->index};
    AUTO_CLEAR(buf) struct buf sealed = {0};
    json_auto_t *answer = NULL;
    char path[96];

    (void)snprintf(path, sizeof(path), "/contracts/receipt?cluster=%llu&index=%llu",
                   (unsigned long long)s->c.record.cluster, (unsigned long long)s->index);
    TRY(cli_member_call(cli, m, path, NULL, &answer, e));
    TRY(json_hex(&sealed, answer, "sealed", 65536, e));
    return receipt_open(status, output, &context, &s->reply, buf_bytes(&sealed), e);
}

/* From whichever member has it: nobody but members could have sealed it. */
static enum rc await_receipt(struct cli *cli, struct sent *s, enum receipt_status *status,
                             struct secbuf *output, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + RECEIPT_WAIT_MS;
    struct cluster_member *members;
    size_t n;

    for (;;) {
        TRY(cli_members(cli, &members, &n, &s->c, e));
        if (n == 0)
            return err_set(e, RC_NOTFOUND, "cluster %llu has no members to ask for the receipt",
                           (unsigned long long)s->c.record.cluster);
        for (size_t i = 0; i < n; i++)
            if (ask_receipt(cli, s, &members[i], status, output, e) == RC_OK)
                return RC_OK;
        if (clock_mono_ms() > give_up)
            return err_wrap(e, RC_TIMEOUT,
                            "command %llu is confirmed, its receipt is not to be had",
                            (unsigned long long)s->index);
        clock_sleep_ms(LOOK_EVERY_MS);
    }
}

static json_t *sent_json(struct cli *cli, const struct sent *s)
{
    return json_pack("{s:I, s:I, s:I, s:s, s:I, s:I}", "cluster", (json_int_t)s->c.record.cluster,
                     "index", (json_int_t)s->index, "sequence", (json_int_t)s->sequence,
                     "transaction", cli_hash_text(cli, &s->tx.tx_hash), "height",
                     (json_int_t)s->tx.height, "gas", (json_int_t)s->gas);
}

static enum rc finish(struct cli *cli, struct sent *s, const struct confidential_send *x,
                      struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf output = {0};
    json_auto_t *result = sent_json(cli, s);
    enum receipt_status status = RECEIPT_DONE;
    json_t *printed;

    if (!x->wait) {
        cli_print(cli, "command %llu of cluster %llu, transaction %s, block %llu",
                  (unsigned long long)s->index, (unsigned long long)s->c.record.cluster,
                  cli_hash_text(cli, &s->tx.tx_hash), (unsigned long long)s->tx.height);
        cli_json(cli, json_incref(result));
        return RC_OK;
    }
    TRY(await_confirmed(cli, s, e));
    if (x->plain) {
        cli_print(cli, "command %llu is confirmed; plain commands have no receipt",
                  (unsigned long long)s->index);
        cli_json(cli, json_incref(result));
        return RC_OK;
    }
    TRY(await_receipt(cli, s, &status, &output, e));
    cli_step(cli, "confirmed: %s", receipt_status_text(status));
    TRY(confidential_print_output(cli, x->signature, status,
                                  arena_dup(&cli->mem, secbuf_bytes(&output)), &printed, e));
    CHECK(json_object_set_new(result, "status", json_string(receipt_status_text(status))) == 0 &&
          json_object_set_new(result, "output", printed) == 0);
    cli_json(cli, json_incref(result));
    return RC_OK;
}

enum rc confidential_send(struct cli *cli, const struct address *contract,
                          const struct confidential_send *x, struct err *e)
{
    AUTO_CLEAR(secp_key) struct secp_key key = {0};
    struct sent s = {0};
    enum rc rc;

    TRY(cli_confidential_active(cli, &s.c, contract, e));
    TRY(cli_key(cli, &key, e));
    rc = queue(cli, &s, x, &key, e);
    if (rc == RC_OK)
        rc = finish(cli, &s, x, e);
    secret32_clear(&s.reply);
    return rc;
}
