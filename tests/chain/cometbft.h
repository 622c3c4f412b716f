/* tests/chain/cometbft.h - CometBFT's JSON (its RPC's and tendermint-rs's fixtures) as our structs.
 * What does not fit fails the test. */
#pragma once

#include "chain/commit.h"
#include "chain/header.h"
#include "codec/json.h"
#include "lib/t.h"

/* A JSON file of the shared vectors; skips the test where these are absent. */
static inline json_t *cmt_load(const char *name)
{
    json_t *doc = NULL;
    struct err e;

    CHECK_OK(json_parse(&doc, t_vector(name), JSON_MAX_SIZE, &e), &e);
    return doc;
}

static inline void cmt_hash(struct hash32 *out, const json_t *v, const char *name)
{
    const char *s = json_string_value(json_object_get(v, name));
    struct err e;

    *out = (struct hash32){0};
    if (s != NULL && *s != '\0')
        CHECK_OK(json_hex_fixed(out->b, 32, v, name, &e), &e);
}

static inline void cmt_block_id(struct block_id *id, const json_t *v)
{
    const json_t *parts = json_object_get(v, "parts");
    struct err e;
    uint64_t total;

    memset(id, 0, sizeof(*id));
    if (v == NULL || json_is_null(v))
        return;
    if (parts == NULL)
        parts = json_object_get(v, "part_set_header");
    cmt_hash(&id->hash, v, "hash");
    CHECK_OK(json_u64_opt(&total, parts, "total", UINT32_MAX, 0, &e), &e);
    id->parts_total = (uint32_t)total;
    cmt_hash(&id->parts_hash, parts, "hash");
}

static inline void cmt_time(struct chain_time *out, const json_t *v, const char *name)
{
    const char *s;
    struct err e;

    CHECK_OK(json_str(&s, v, name, 40, &e), &e);
    CHECK_OK(chain_time_parse(out, bytes_str(s), &e), &e);
}

static inline void cmt_header(struct header *h, const json_t *v)
{
    const json_t *version = json_object_get(v, "version");
    AUTO_CLEAR(buf) struct buf app = {0};
    const char *s;
    struct err e;

    memset(h, 0, sizeof(*h));
    CHECK_OK(json_u64(&h->version_block, version, "block", UINT64_MAX, &e), &e);
    CHECK_OK(json_u64_opt(&h->version_app, version, "app", UINT64_MAX, 0, &e), &e);
    CHECK_OK(json_str(&s, v, "chain_id", CHAIN_ID_MAX, &e), &e);
    memcpy(h->chain_id, s, strlen(s));
    CHECK_OK(json_u64(&h->height, v, "height", INT64_MAX, &e), &e);
    cmt_time(&h->time, v, "time");
    cmt_block_id(&h->last_block_id, json_object_get(v, "last_block_id"));
    cmt_hash(&h->last_commit_hash, v, "last_commit_hash");
    cmt_hash(&h->data_hash, v, "data_hash");
    cmt_hash(&h->validators_hash, v, "validators_hash");
    cmt_hash(&h->next_validators_hash, v, "next_validators_hash");
    cmt_hash(&h->consensus_hash, v, "consensus_hash");
    cmt_hash(&h->last_results_hash, v, "last_results_hash");
    cmt_hash(&h->evidence_hash, v, "evidence_hash");
    CHECK_OK(json_hex(&app, v, "app_hash", 32, &e), &e);
    if (app.n != 0)
        memcpy(h->app_hash, app.p, app.n);
    h->app_hash_size = (uint8_t)app.n;
    CHECK_OK(json_hex_fixed(h->proposer_address.b, 20, v, "proposer_address", &e), &e);
}

static inline size_t cmt_base64(uint8_t *out, size_t max, const char *s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned acc = 0, bits = 0;
    size_t n = 0;

    for (; *s != '\0' && *s != '='; s++) {
        const char *at = strchr(digits, *s);

        CHECK_TRUE(at != NULL && n < max);
        acc = (acc << 6 | (unsigned)(at - digits)) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (uint8_t)(acc >> bits & 0xff);
        }
    }
    return n;
}

static inline void cmt_set(struct validator_set *set, struct arena *a, const json_t *list)
{
    struct err e;

    set->n = json_array_size(list);
    set->v = arena_array(a, set->n + 1, sizeof(set->v[0]));
    for (size_t i = 0; i < set->n; i++) {
        const json_t *v = json_array_get(list, i);
        const char *key =
            json_string_value(json_object_get(json_object_get(v, "pub_key"), "value"));

        CHECK_INT(cmt_base64(set->v[i].pub_key, 32, key), 32);
        CHECK_OK(json_u64(&set->v[i].power, v, "voting_power", INT64_MAX, &e), &e);
    }
    validator_set_sort(set); /* the files list it in another order */
}

static inline void cmt_commit(struct commit *c, struct arena *a, const json_t *v)
{
    const json_t *sigs = json_object_get(v, "signatures");
    struct err e;
    uint64_t n;

    memset(c, 0, sizeof(*c));
    CHECK_OK(json_u64(&c->height, v, "height", INT64_MAX, &e), &e);
    CHECK_OK(json_u64(&n, v, "round", INT32_MAX, &e), &e);
    c->round = (uint32_t)n;
    cmt_block_id(&c->block_id, json_object_get(v, "block_id"));
    c->n_sigs = json_array_size(sigs);
    c->sigs = arena_array(a, c->n_sigs + 1, sizeof(c->sigs[0]));
    for (size_t i = 0; i < c->n_sigs; i++) {
        const json_t *s = json_array_get(sigs, i);
        struct commit_sig *out = &c->sigs[i];
        const char *text;

        CHECK_OK(json_u64(&n, s, "block_id_flag", 3, &e), &e);
        out->flag = (uint8_t)n;
        out->time = CHAIN_TIME_NONE;
        if (out->flag == COMMIT_ABSENT)
            continue;
        CHECK_OK(json_hex_fixed(out->validator.b, 20, s, "validator_address", &e), &e);
        cmt_time(&out->time, s, "timestamp");
        CHECK_OK(json_str(&text, s, "signature", 100, &e), &e);
        out->signature_size = (uint8_t)cmt_base64(out->signature, 64, text);
    }
}
