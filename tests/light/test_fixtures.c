/* What others decided: the model-based fixtures of tendermint-rs (light-client/tests/support/
 * model_based, each step with its verdict) and a real CometBFT 0.38 light block. Read in place from
 * the shared vectors; skipped where those are absent. */
#include "lib/t.h"
#include "light/verify.h"

#include <dirent.h>

/* ---- CometBFT's JSON ---- */

static json_t *load(const char *name)
{
    json_t *doc = NULL;
    struct err e;

    CHECK_OK(json_parse(&doc, t_vector(name), JSON_MAX_SIZE, &e), &e);
    return doc;
}

static void get_hash(struct hash32 *out, const json_t *v, const char *name)
{
    const char *s = json_string_value(json_object_get(v, name));
    struct err e;

    *out = (struct hash32){0};
    if (s != NULL && *s != '\0')
        CHECK_OK(json_hex_fixed(out->b, 32, v, name, &e), &e);
}

static void get_block_id(struct block_id *id, const json_t *v)
{
    const json_t *parts = json_object_get(v, "parts");
    struct err e;
    uint64_t total;

    memset(id, 0, sizeof(*id));
    if (v == NULL || json_is_null(v))
        return;
    if (parts == NULL)
        parts = json_object_get(v, "part_set_header");
    get_hash(&id->hash, v, "hash");
    CHECK_OK(json_u64_opt(&total, parts, "total", UINT32_MAX, 0, &e), &e);
    id->parts_total = (uint32_t)total;
    get_hash(&id->parts_hash, parts, "hash");
}

static void get_time(struct chain_time *out, const json_t *v, const char *name)
{
    const char *s;
    struct err e;

    CHECK_OK(json_str(&s, v, name, 40, &e), &e);
    CHECK_OK(chain_time_parse(out, bytes_str(s), &e), &e);
}

static void get_header(struct header *h, const json_t *v)
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
    get_time(&h->time, v, "time");
    get_block_id(&h->last_block_id, json_object_get(v, "last_block_id"));
    get_hash(&h->last_commit_hash, v, "last_commit_hash");
    get_hash(&h->data_hash, v, "data_hash");
    get_hash(&h->validators_hash, v, "validators_hash");
    get_hash(&h->next_validators_hash, v, "next_validators_hash");
    get_hash(&h->consensus_hash, v, "consensus_hash");
    get_hash(&h->last_results_hash, v, "last_results_hash");
    get_hash(&h->evidence_hash, v, "evidence_hash");
    CHECK_OK(json_hex(&app, v, "app_hash", 32, &e), &e);
    if (app.n != 0)
        memcpy(h->app_hash, app.p, app.n);
    h->app_hash_size = (uint8_t)app.n;
    CHECK_OK(json_hex_fixed(h->proposer_address.b, 20, v, "proposer_address", &e), &e);
}

static size_t base64(uint8_t *out, size_t max, const char *s)
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

static void get_set(struct validator_set *set, struct arena *a, const json_t *list)
{
    struct err e;

    set->n = json_array_size(list);
    set->v = arena_array(a, set->n + 1, sizeof(set->v[0]));
    for (size_t i = 0; i < set->n; i++) {
        const json_t *v = json_array_get(list, i);
        const char *key =
            json_string_value(json_object_get(json_object_get(v, "pub_key"), "value"));

        CHECK_INT(base64(set->v[i].pub_key, 32, key), 32);
        CHECK_OK(json_u64(&set->v[i].power, v, "voting_power", INT64_MAX, &e), &e);
    }
    validator_set_sort(set); /* the files list it in another order */
}

static void get_commit(struct commit *c, struct arena *a, const json_t *v)
{
    const json_t *sigs = json_object_get(v, "signatures");
    struct err e;
    uint64_t n;

    memset(c, 0, sizeof(*c));
    CHECK_OK(json_u64(&c->height, v, "height", INT64_MAX, &e), &e);
    CHECK_OK(json_u64(&n, v, "round", INT32_MAX, &e), &e);
    c->round = (uint32_t)n;
    get_block_id(&c->block_id, json_object_get(v, "block_id"));
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
        get_time(&out->time, s, "timestamp");
        CHECK_OK(json_str(&text, s, "signature", 100, &e), &e);
        out->signature_size = (uint8_t)base64(out->signature, 64, text);
    }
}

static const json_t *validators_of(const json_t *v, const char *name)
{
    return json_object_get(json_object_get(v, name), "validators");
}

static void get_block(struct light_block *b, struct arena *a, const json_t *v)
{
    const json_t *sh = json_object_get(v, "signed_header");

    memset(b, 0, sizeof(*b));
    get_header(&b->header, json_object_get(sh, "header"));
    get_commit(&b->commit, a, json_object_get(sh, "commit"));
    get_set(&b->validators, a, validators_of(v, "validator_set"));
    get_set(&b->next_validators, a, validators_of(v, "next_validator_set"));
}

/* ---- the model's verdicts ---- */

struct counts {
    size_t files, steps, good, little, bad;
};

static const char *verdict_of(enum rc rc)
{
    if (rc == RC_OK)
        return "SUCCESS";
    return rc == RC_AGAIN ? "NOT_ENOUGH_TRUST" : "INVALID";
}

/* tendermint-rs runs them with trust threshold 1/3 and a clock drift of one second. */
static void run_file(const char *name, struct counts *n)
{
    struct light_options o = {.trust_num = 1, .trust_den = 3, .max_drift_s = 1};
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf path = {0};
    struct light_block trusted;
    const json_t *steps;
    uint64_t period_ns;
    json_t *doc;
    struct err e;

    buf_printf(&path, "lightclient/%s", name);
    doc = load(buf_cstr(&path));
    steps = json_object_get(doc, "initial");
    CHECK_OK(json_u64(&period_ns, steps, "trusting_period", UINT64_MAX, &e), &e);
    o.trusting_period_s = period_ns / 1000000000;
    get_block(&trusted, &a, steps);
    steps = json_object_get(doc, "input");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        const char *want = json_string_value(json_object_get(step, "verdict"));
        struct light_block b;
        struct chain_time now;
        const char *got;

        get_block(&b, &a, json_object_get(step, "block"));
        get_time(&now, step, "now");
        got = verdict_of(light_verify(&trusted, &b, &o, &now, &e));
        if (strcmp(got, want) != 0)
            t_fail(__FILE__, __LINE__, "%s step %zu: %s (%s), expected %s", name, i, got,
                   strcmp(got, "SUCCESS") == 0 ? "" : e.msg, want);
        n->good += *got == 'S';
        n->little += *got == 'N';
        n->bad += *got == 'I';
        n->steps++;
        if (*got == 'S')
            trusted = b;
    }
    n->files++;
    json_decref(doc);
}

TEST(model_based_fixtures)
{
    const char *root = getenv("VECTORS");
    AUTO_CLEAR(buf) struct buf path = {0};
    struct counts n = {0};
    struct dirent *d;
    DIR *dir;

    buf_printf(&path, "%s/lightclient", root == NULL ? "../shared/vectors" : root);
    dir = opendir(buf_cstr(&path));
    if (dir == NULL)
        t_skip("no folder lightclient in $VECTORS");
    while ((d = readdir(dir)) != NULL) {
        size_t len = strlen(d->d_name);

        if (len > 5 && strcmp(d->d_name + len - 5, ".json") == 0)
            run_file(d->d_name, &n);
    }
    (void)closedir(dir);
    CHECK_TRUE(n.files >= 20 && n.steps == n.good + n.little + n.bad);
    CHECK_TRUE(n.good >= 20 && n.little >= 4 && n.bad >= 4);
}

/* Block 10 of a real chain (tendermint-rs, rpc/tests/kvstore_fixtures/v0_38), with a trusted root
 * made of its own validators. */
TEST(real_light_block)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    AUTO_CLEAR(buf) struct buf once = {0};
    AUTO_CLEAR(buf) struct buf twice = {0};
    json_t *doc = load("cmt_v038_lightblock_h10.json");
    const json_t *sh = json_object_get(doc, "signed_header");
    struct light_options o = LIGHT_DEFAULTS;
    struct light_block root, b = {0}, back;
    struct chain_time now, begin;
    struct err e;

    get_header(&b.header, json_object_get(sh, "header"));
    get_commit(&b.commit, &a, json_object_get(sh, "commit"));
    get_set(&b.validators, &a, json_object_get(doc, "validators"));
    now = begin = b.header.time;
    begin.s -= 60;
    CHECK_OK(light_genesis(&root, &a, "dockerchain", 1, &begin, &b.validators, &e), &e);
    CHECK_OK(light_verify(&root, &b, &o, &now, &e), &e);
    light_block_encode(&once, &b);
    CHECK_OK(light_block_decode(&back, &a, buf_bytes(&once), &e), &e);
    light_block_encode(&twice, &back);
    CHECK_MEM(buf_bytes(&twice), buf_bytes(&once));
    CHECK_OK(light_verify(&root, &back, &o, &now, &e), &e);
    b.header.app_hash[0] ^= 1;
    CHECK_RC(light_verify(&root, &b, &o, &now, &e), RC_DENIED, &e, "another header");
    json_decref(doc);
}
