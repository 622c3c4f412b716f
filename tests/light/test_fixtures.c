/* What others decided: the model-based fixtures of tendermint-rs (light-client/tests/support/
 * model_based, each step with its verdict) and a real CometBFT 0.38 light block. Read in place from
 * the shared vectors; skipped where those are absent. */
#include "chain/cometbft.h"
#include "light/verify.h"

#include <dirent.h>

static const json_t *validators_of(const json_t *v, const char *name)
{
    return json_object_get(json_object_get(v, name), "validators");
}

static void get_block(struct light_block *b, struct arena *a, const json_t *v)
{
    const json_t *sh = json_object_get(v, "signed_header");

    memset(b, 0, sizeof(*b));
    cmt_header(&b->header, json_object_get(sh, "header"));
    cmt_commit(&b->commit, a, json_object_get(sh, "commit"));
    cmt_set(&b->validators, a, validators_of(v, "validator_set"));
    cmt_set(&b->next_validators, a, validators_of(v, "next_validator_set"));
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
    doc = cmt_load(buf_cstr(&path));
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
        cmt_time(&now, step, "now");
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
    json_t *doc = cmt_load("cmt_v038_lightblock_h10.json");
    const json_t *sh = json_object_get(doc, "signed_header");
    struct light_options o = LIGHT_DEFAULTS;
    struct light_block root, b = {0}, back;
    struct chain_time now, begin;
    struct err e;

    cmt_header(&b.header, json_object_get(sh, "header"));
    cmt_commit(&b.commit, &a, json_object_get(sh, "commit"));
    cmt_set(&b.validators, &a, json_object_get(doc, "validators"));
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
