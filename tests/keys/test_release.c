/* The keepers' law: for each purpose one case that is allowed, and every single thing that may be
 * wrong with it refused for its own reason. */
#include "chain/council.h"
#include "chain/gen/council.h"
#include "keys/release.h"
#include "lib/t.h"

struct scene {
    struct release_policy p;
    struct key_request q;
    struct release_facts f;
    struct key_subject s;
    struct secp_key keys[3], owner, stranger; /* governors, sorted by address */
    struct address owner_account;
    struct measurement_approval ma;
    struct approval_sigs ma_sigs;
    struct app_approval aa;
    struct approval_sigs aa_sigs;
    struct authority pool;
    struct code_approval ca;
    struct approval_sigs ca_sigs;
};

static struct scene s; /* of the test that runs */

static void sign(struct approval_sigs *out, const struct hash32 *digest,
                 const struct secp_key *keys, uint32_t n)
{
    out->n = n;
    for (uint32_t i = 0; i < n; i++)
        secp_sign(&out->sigs[i], &keys[i], digest);
}

static void sign_all(struct scene *x)
{
    struct hash32 d;

    measurement_approval_digest(&d, &x->p.domain, &x->ma);
    sign(&x->ma_sigs, &d, x->keys, 2);
    app_approval_digest(&d, &x->p.domain, &x->aa);
    sign(&x->aa_sigs, &d, &x->owner, 1);
    code_approval_digest(&d, &x->p.domain, &x->ca);
    sign(&x->ca_sigs, &d, x->keys + 1, 2);
}

static void put_subject(struct scene *x)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    key_subject_encode(&b, x->q.purpose, &x->s);
    CHECK_TRUE(b.n <= KEY_MAX_SUBJECT);
    memcpy(x->q.subject, b.p == NULL ? (const uint8_t *)"" : b.p, b.n);
    x->q.subject_n = b.n;
}

static void governors(struct scene *x)
{
    struct address a, b;

    x->p.governors = (struct authority){.m = 2, .n = 3};
    for (int i = 0; i < 3; i++)
        secp_key_generate(&x->keys[i], NULL);
    for (int i = 0; i < 9; i++) { /* bubble sort */
        struct secp_key *l = &x->keys[i % 3], *r = &x->keys[(i + 1) % 3], t;

        if (l > r)
            continue;
        secp_key_address(&a, l);
        secp_key_address(&b, r);
        if (bytes_cmp(BYTES_OF(&a), BYTES_OF(&b)) > 0) {
            t = *l;
            *l = *r;
            *r = t;
        }
    }
    for (int i = 0; i < 3; i++)
        secp_key_address(&x->p.governors.members[i], &x->keys[i]);
}

/* What is asked for is allowed. */
static void good(struct scene *x, enum key_purpose purpose, enum key_role role)
{
    struct err e;

    memset(x, 0, sizeof(*x));
    governors(x);
    secp_key_generate(&x->owner, NULL);
    secp_key_generate(&x->stranger, NULL);
    secp_key_address(&x->owner_account, &x->owner);
    x->p.genesis.b[0] = 0x67;
    x->p.generation = 1;
    x->p.t = 2;
    x->p.domain = (struct approval_domain){
        .chain_id = 1337, .gatekeepers = {{9}}, .council = {{8}}, .workers = {{7}}};
    x->p.timelock_s = 100;
    x->p.max_head_age_ms = 10000;
    CHECK_OK(release_policy_check(&x->p, &e), &e);

    x->q.genesis = x->p.genesis;
    x->q.generation = 1;
    x->q.purpose = purpose;
    memset(x->q.receive32, 5, 32);
    memset(x->q.measurement.b, 6, 32);
    x->f = (struct release_facts){.now_s = 5000, .head_age_ms = 10000, .head_agreements = 2};
    x->f.has_evidence = true;
    x->f.measurement = x->q.measurement;
    memset(x->f.bound_receive32, 5, 32);
    x->ma = (struct measurement_approval){.id = 7,
                                          .measurement = x->q.measurement,
                                          .roles = 1u << role,
                                          .label = bytes_str("version 7")};
    x->f.approval = &x->ma;
    x->f.approval_sigs = &x->ma_sigs;
    x->f.approval_posted_s = 4900;
    x->f.is_measurement_listed = true;
    x->f.removed_id = 6;
    if (role != ROLE_APP) {
        x->q.requester.b[0] = 1;
        x->f.is_registered = true;
        x->f.role = role;
        memset(x->f.registered_receive32, 5, 32);
        x->f.registered_measurement = x->q.measurement;
        x->f.registration_expires_s = 5001;
        x->f.is_assigned = true;
    }
    if (key_purpose_epochs(purpose) == EPOCH_WINDOW) {
        x->q.epoch = 4;
        x->f.oldest_epoch = 4;
        x->f.current_epoch = 5;
    }
    memset(x->f.compose_hash.b, 0xcc, 32);
    memset(x->f.device.b, 0xdd, 32);
    memset(x->f.instance.b, 0x11, 20);
    x->f.app_owner = &x->owner_account;
    x->f.app_salt.b[1] = 1;
    x->s.account.b[0] = 0xaa;
    if (role == ROLE_APP)
        app_id_of_owner(&x->s.account, &x->owner_account, &x->f.app_salt);
    x->s.has_instance = true;
    x->s.instance = x->f.instance;
    x->aa = (struct app_approval){.app = x->s.account,
                                  .compose_hash = x->f.compose_hash,
                                  .device = x->f.device,
                                  .expiry_s = 9000};
    x->f.app = &x->aa;
    x->f.app_sigs = &x->aa_sigs;
    x->pool = x->p.governors;
    authority_hash(&x->s.digest, &x->pool);
    memset(x->f.run_code.b, 0xc0, 32);
    x->f.run_buyer_class = bytes_str("academic");
    x->ca = (struct code_approval){.pool = x->s.account,
                                   .code_hash = x->f.run_code,
                                   .buyer_class = bytes_str("academic"),
                                   .expiry_s = 9000};
    x->f.pool_authority = &x->pool;
    x->f.code = &x->ca;
    x->f.code_sigs = &x->ca_sigs;
    put_subject(x);
    sign_all(x);
}

static void check(const struct scene *x, enum release_reason want, const char *piece, int line)
{
    struct err e = {0};
    enum release_reason got = release_decide(&x->p, &x->q, &x->f, &e);

    if (got != want || (want != RELEASE_ALLOWED && strstr(e.msg, piece) == NULL))
        t_fail(__FILE__, line, "%s (%s), expected %s (%s)", release_reason_text(got), e.msg,
               release_reason_text(want), piece);
}

/* One change to an allowed case, made by `change`, is refused with this reason. */
#define REFUSED(purpose, role, reason, piece, change)                                              \
    do {                                                                                           \
        good(&s, purpose, role);                                                                   \
        check(&s, RELEASE_ALLOWED, "", __LINE__);                                                  \
        change;                                                                                    \
        check(&s, reason, piece, __LINE__);                                                        \
    } while (0)

static const struct {
    enum key_purpose purpose;
    enum key_role role;
} CASES[] = {
    {KEY_POOL_SECRETS, ROLE_OPEN},  {KEY_POOL_SECRETS, ROLE_ANALYSIS},
    {KEY_IMAGE, ROLE_OPEN},         {KEY_CONTRACT, ROLE_CONTRACT},
    {KEY_POOL_DATA, ROLE_ANALYSIS}, {KEY_APP_DISK, ROLE_APP},
    {KEY_APP_ENV, ROLE_APP},        {KEY_APP_CA, ROLE_APP},
    {KEY_APP_SIGN, ROLE_APP},
};

TEST(common_rules)
{
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        enum key_purpose p = CASES[i].purpose;
        enum key_role r = CASES[i].role;

        REFUSED(p, r, RELEASE_OTHER_NETWORK, "genesis", s.q.genesis.b[5] = 1);
        REFUSED(p, r, RELEASE_OTHER_NETWORK, "generation", s.q.generation = 2);
        REFUSED(p, r, RELEASE_STALE_HEAD, "too old", s.f.head_age_ms = 10001);
        REFUSED(p, r, RELEASE_NO_AGREEMENT, "t keepers", s.f.head_agreements = 1);
        REFUSED(p, r, RELEASE_EVIDENCE, "none", s.f.has_evidence = false);
        REFUSED(p, r, RELEASE_EVIDENCE, "measured otherwise", s.f.measurement.b[0] ^= 1);
        REFUSED(p, r, RELEASE_EVIDENCE, "receive key", s.f.bound_receive32[31] ^= 1);
        REFUSED(p, r, RELEASE_EVIDENCE, "receive key", {
            memset(s.f.bound_receive32, 0, 32);
            memset(s.q.receive32, 0, 32);
        });
        REFUSED(p, r, RELEASE_MEASUREMENT, "does not list", s.f.is_measurement_listed = false);
        REFUSED(p, r, RELEASE_NOT_SIGNED, "no approval", s.f.approval = NULL);
        REFUSED(p, r, RELEASE_NOT_SIGNED, "no approval", s.f.approval_sigs = NULL);
        REFUSED(p, r, RELEASE_MEASUREMENT, "removed since", s.f.removed_id = 7);
        REFUSED(p, r, RELEASE_MEASUREMENT, "delay runs", s.f.approval_posted_s = 4901);
        REFUSED(p, r, RELEASE_MEASUREMENT, "delay runs", s.f.approval_posted_s = 5001);
        REFUSED(p, r, RELEASE_MEASUREMENT, "delay runs", s.f.approval_posted_s = 0);
        REFUSED(p, r, RELEASE_NOT_SIGNED, "nobody who decides", s.ma.id = 8);
        REFUSED(p, r, RELEASE_NOT_SIGNED, "nobody who decides",
                s.ma.label = bytes_str("version 8"));
        REFUSED(p, r, RELEASE_NOT_SIGNED, "nobody who decides", s.p.domain.council.b[0] = 1);
        REFUSED(p, r, RELEASE_NOT_SIGNED, "nobody who decides", s.p.domain.chain_id = 1);
        REFUSED(p, r, RELEASE_NOT_SIGNED, "1 signatures of the 2", s.ma_sigs.n = 1);
        REFUSED(p, r, RELEASE_NOT_SIGNED, "signs twice", s.ma_sigs.sigs[1] = s.ma_sigs.sigs[0]);
        REFUSED(p, r, RELEASE_MEASUREMENT, "another one", {
            s.ma.measurement.b[0] ^= 1;
            sign_all(&s);
        });
        REFUSED(p, r, RELEASE_MEASUREMENT, "other roles", {
            s.ma.roles = 1u << ROLE_KEEPER;
            sign_all(&s);
        });
        REFUSED(p, r, RELEASE_ERASED, "deleted", s.f.is_erased = true);
        REFUSED(p, r, RELEASE_NOT_AVAILABLE, "posted", {
            s.q.purpose = KEY_BEACON;
            s.q.subject_n = 0;
        });
        REFUSED(p, r, RELEASE_NOT_ASSIGNED, "key subject", s.q.subject_n--);
        if (key_purpose_epochs(p) == EPOCH_FIXED) {
            REFUSED(p, r, RELEASE_EPOCH, "0 only", s.q.epoch = 1);
        } else {
            REFUSED(p, r, RELEASE_EPOCH, "not begun", s.q.epoch = 6);
            REFUSED(p, r, RELEASE_EPOCH, "closed", s.q.epoch = 3);
        }
    }
}

TEST(workers)
{
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        enum key_purpose p = CASES[i].purpose;
        enum key_role r = CASES[i].role;

        if (r == ROLE_APP)
            continue;
        REFUSED(p, r, RELEASE_NOT_REGISTERED, "not a worker", s.f.is_registered = false);
        REFUSED(p, r, RELEASE_NOT_REGISTERED, "not a worker", s.q.requester.b[0] = 0);
        REFUSED(p, r, RELEASE_NOT_REGISTERED, "attest again",
                s.f.registration_expires_s = s.f.now_s);
        REFUSED(p, r, RELEASE_NOT_REGISTERED, "receive key", s.f.registered_receive32[0] ^= 1);
        REFUSED(p, r, RELEASE_NOT_REGISTERED, "measurement", s.f.registered_measurement.b[0] ^= 1);
        REFUSED(p, r, RELEASE_NOT_ASSIGNED, "tie the worker", s.f.is_assigned = false);
    }
}

/* Every role asks for every purpose, everything else being in order: P10's separation. */
TEST(roles)
{
    for (int p = 1; p <= KEY_PURPOSES; p++) {
        for (int r = 1; r <= KEY_ROLES; r++) {
            bool is_allowed = false;

            if (p == KEY_BEACON)
                continue;
            for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
                is_allowed |= (int)CASES[i].purpose == p && (int)CASES[i].role == r;
            good(&s, (enum key_purpose)p, (enum key_role)r);
            CHECK_INT(release_decide(&s.p, &s.q, &s.f, NULL) == RELEASE_ALLOWED, is_allowed);
        }
    }
}

TEST(applications)
{
    REFUSED(KEY_APP_SIGN, ROLE_APP, RELEASE_ROLE, "no applications", s.f.is_registered = true);
    REFUSED(KEY_APP_SIGN, ROLE_APP, RELEASE_ROLE, "no applications", s.q.requester.b[0] = 1);
    REFUSED(KEY_APP_SIGN, ROLE_APP, RELEASE_MEASUREMENT, "other roles", {
        s.ma.roles |= 1u << ROLE_OPEN; /* no image is both */
        sign_all(&s);
    });
    REFUSED(KEY_APP_SIGN, ROLE_APP, RELEASE_NOT_ASSIGNED, "no compose hash",
            memset(s.f.compose_hash.b, 0, 32));
    REFUSED(KEY_APP_SIGN, ROLE_APP, RELEASE_NOT_APPROVED, "no owner's", s.f.app = NULL);
    REFUSED(KEY_APP_SIGN, ROLE_APP, RELEASE_NOT_APPROVED, "no owner's", s.f.app_owner = NULL);
    REFUSED(KEY_APP_SIGN, ROLE_APP, RELEASE_NOT_APPROVED, "no owner's", s.f.app_sigs = NULL);
    REFUSED(KEY_APP_SIGN, ROLE_APP, RELEASE_NOT_APPROVED, "another application or owner",
            s.f.app_salt.b[0] ^= 1);
    REFUSED(KEY_APP_SIGN, ROLE_APP, RELEASE_NOT_APPROVED, "another application or owner",
            s.owner_account.b[0] ^= 1);
    REFUSED(KEY_APP_SIGN, ROLE_APP, RELEASE_NOT_APPROVED, "another application or owner",
            s.aa.app.b[0] ^= 1);
    REFUSED(KEY_APP_SIGN, ROLE_APP, RELEASE_NOT_APPROVED, "another compose",
            s.f.compose_hash.b[0] ^= 1);
    REFUSED(KEY_APP_SIGN, ROLE_APP, RELEASE_NOT_APPROVED, "another device", s.f.device.b[0] ^= 1);
    REFUSED(KEY_APP_SIGN, ROLE_APP, RELEASE_NOT_APPROVED, "is over", s.aa.expiry_s = 5000);
    REFUSED(KEY_APP_SIGN, ROLE_APP, RELEASE_NOT_APPROVED, "up-to-date", {
        s.aa.require_up_to_date = true;
        sign_all(&s);
    });
    REFUSED(KEY_APP_SIGN, ROLE_APP, RELEASE_NOT_APPROVED, "nobody who decides", {
        s.owner = s.stranger;
        sign_all(&s);
    });
    REFUSED(KEY_APP_DISK, ROLE_APP, RELEASE_NOT_ASSIGNED, "another instance",
            s.f.instance.b[0] ^= 1);
    {

        good(&s, KEY_APP_DISK, ROLE_APP); /* no instance id: one disk key for all */
        s.s.has_instance = false;
        put_subject(&s);
        s.f.instance.b[0] ^= 1;
        check(&s, RELEASE_ALLOWED, "", __LINE__);
        s.aa.device = (struct hash32){0}; /* any device: migration */
        s.f.device.b[0] ^= 1;
        sign_all(&s);
        check(&s, RELEASE_ALLOWED, "", __LINE__);
        s.aa.require_up_to_date = true;
        s.f.is_up_to_date = true;
        sign_all(&s);
        check(&s, RELEASE_ALLOWED, "", __LINE__);
        s.f.app = NULL; /* named after its compose hash: needs nobody's word */
        memcpy(s.s.account.b, s.f.compose_hash.b, 20);
        put_subject(&s);
        check(&s, RELEASE_ALLOWED, "", __LINE__);
    }
}

TEST(pool_data)
{
    REFUSED(KEY_POOL_DATA, ROLE_ANALYSIS, RELEASE_NOT_APPROVED, "by the pool's", s.f.code = NULL);
    REFUSED(KEY_POOL_DATA, ROLE_ANALYSIS, RELEASE_NOT_APPROVED, "by the pool's",
            s.f.pool_authority = NULL);
    REFUSED(KEY_POOL_DATA, ROLE_ANALYSIS, RELEASE_NOT_APPROVED, "another authority", s.pool.m = 3);
    REFUSED(KEY_POOL_DATA, ROLE_ANALYSIS, RELEASE_NOT_APPROVED, "another pool",
            s.ca.pool.b[0] ^= 1);
    REFUSED(KEY_POOL_DATA, ROLE_ANALYSIS, RELEASE_NOT_APPROVED, "other code",
            s.f.run_code.b[0] ^= 1);
    REFUSED(KEY_POOL_DATA, ROLE_ANALYSIS, RELEASE_NOT_APPROVED, "parameters",
            s.f.run_parameters.b[0] ^= 1);
    REFUSED(KEY_POOL_DATA, ROLE_ANALYSIS, RELEASE_NOT_APPROVED, "output", s.f.run_schema.b[0] ^= 1);
    REFUSED(KEY_POOL_DATA, ROLE_ANALYSIS, RELEASE_NOT_APPROVED, "buyer",
            s.f.run_buyer_class = bytes_str("anyone"));
    REFUSED(KEY_POOL_DATA, ROLE_ANALYSIS, RELEASE_NOT_APPROVED, "is over", s.ca.expiry_s = 5000);
    REFUSED(KEY_POOL_DATA, ROLE_ANALYSIS, RELEASE_NOT_APPROVED, "1 signatures", s.ca_sigs.n = 1);
    REFUSED(KEY_POOL_DATA, ROLE_ANALYSIS, RELEASE_NOT_APPROVED, "nobody who decides",
            s.ca.expiry_s = 9001);
}

/* Nothing known: nothing given. */
TEST(absent_is_refused)
{
    for (int p = 1; p <= KEY_PURPOSES; p++) {
        struct release_facts none = {0};

        good(&s, (enum key_purpose)p, ROLE_OPEN);
        s.f = none;
        CHECK_TRUE(release_decide(&s.p, &s.q, &s.f, NULL) != RELEASE_ALLOWED);
        s.p = (struct release_policy){0};
        s.q.genesis = s.p.genesis;
        s.q.generation = 0;
        CHECK_TRUE(release_decide(&s.p, &s.q, &s.f, NULL) != RELEASE_ALLOWED);
    }
}

TEST(policies)
{
    struct err e;

    good(&s, KEY_IMAGE, ROLE_OPEN);
    s.p.timelock_s = 0;
    CHECK_RC(release_policy_check(&s.p, &e), RC_RANGE, &e, "no timelock");
    s.p.insecure_no_timelock = true;
    CHECK_OK(release_policy_check(&s.p, &e), &e);
    s.p.t = 1;
    CHECK_RC(release_policy_check(&s.p, &e), RC_RANGE, &e, "t 1");
    s.p.t = 2;
    s.p.governors.m = 1;
    CHECK_RC(release_policy_check(&s.p, &e), RC_RANGE, &e, "more than half");
    s.p.governors.m = 4;
    CHECK_RC(release_policy_check(&s.p, &e), RC_RANGE, &e, "4 of 3");
    s.p.governors.m = 2;
    s.p.governors.members[1] = s.p.governors.members[2];
    CHECK_RC(release_policy_check(&s.p, &e), RC_MALFORMED, &e, "member 3");
}

static void check_keeper(enum release_reason want, const char *piece, int line)
{
    struct err e = {0};
    enum release_reason got = release_check_keeper(&s.p, &s.f, s.q.receive32, &e);

    if (got != want || (want != RELEASE_ALLOWED && strstr(e.msg, piece) == NULL))
        t_fail(__FILE__, line, "%s (%s), expected %s (%s)", release_reason_text(got), e.msg,
               release_reason_text(want), piece);
}

/* One change to a keeper that may be helped ends that. */
#define NOT_HELPED(reason, piece, change)                                                          \
    do {                                                                                           \
        good(&s, KEY_IMAGE, ROLE_KEEPER);                                                          \
        check_keeper(RELEASE_ALLOWED, "", __LINE__);                                               \
        change;                                                                                    \
        check_keeper(reason, piece, __LINE__);                                                     \
    } while (0)

TEST(keepers_that_are_helped)
{
    NOT_HELPED(RELEASE_STALE_HEAD, "too old", s.f.head_age_ms++);
    NOT_HELPED(RELEASE_NO_AGREEMENT, "fewer than t", s.f.head_agreements--);
    NOT_HELPED(RELEASE_NO_AGREEMENT, "fewer than t", s.p.t = 0);
    NOT_HELPED(RELEASE_EVIDENCE, "none that is fresh", s.f.has_evidence = false);
    NOT_HELPED(RELEASE_EVIDENCE, "another receive key", s.f.bound_receive32[0] ^= 1);
    NOT_HELPED(RELEASE_EVIDENCE, "measured otherwise", memset(s.f.measurement.b, 0, 32));
    NOT_HELPED(RELEASE_MEASUREMENT, "does not list it", s.f.is_measurement_listed = false);
    NOT_HELPED(RELEASE_MEASUREMENT, "other roles", s.ma.roles = 1u << ROLE_OPEN);
    NOT_HELPED(RELEASE_MEASUREMENT, "removed since", s.f.removed_id = 7);
    NOT_HELPED(RELEASE_MEASUREMENT, "delay runs", s.f.approval_posted_s++);
    NOT_HELPED(RELEASE_MEASUREMENT, "of another one", s.f.measurement.b[0] ^= 1);
    NOT_HELPED(RELEASE_NOT_SIGNED, "no approval", s.f.approval = NULL);
    NOT_HELPED(RELEASE_NOT_SIGNED, "not signed", s.ma_sigs.n--);
    NOT_HELPED(RELEASE_NOT_REGISTERED, "not a worker", s.f.is_registered = false);
    NOT_HELPED(RELEASE_NOT_REGISTERED, "is over", s.f.registration_expires_s = 5000);
    NOT_HELPED(RELEASE_NOT_REGISTERED, "another receive key", s.f.registered_receive32[0] ^= 1);
    NOT_HELPED(RELEASE_NOT_REGISTERED, "another measurement", s.f.registered_measurement.b[0] ^= 1);
    NOT_HELPED(RELEASE_ROLE, "not registered as a keeper", s.f.role = ROLE_OPEN);
}

TEST(handover)
{
    struct measurement_approval from, to;
    struct approval_sigs from_sigs, to_sigs;
    struct hash32 d;
    struct err e;

    good(&s, KEY_IMAGE, ROLE_KEEPER);
    from = s.ma;
    from.id = 4;
    to = s.ma;
    measurement_approval_digest(&d, &s.p.domain, &from);
    sign(&from_sigs, &d, s.keys, 2);
    to_sigs = s.ma_sigs;
    CHECK_OK(release_check_handover(&s.p, &from, &from_sigs, &to, &to_sigs, 4900, 6, 5000, &e), &e);
    /* not to itself, not back, not before its time, not unsigned, not to other roles */
    CHECK_RC(release_check_handover(&s.p, &to, &to_sigs, &to, &to_sigs, 4900, 6, 5000, &e),
             RC_DENIED, &e, "action 7 is not after 7: never backwards");
    CHECK_RC(release_check_handover(&s.p, &to, &to_sigs, &from, &from_sigs, 4900, 0, 5000, &e),
             RC_DENIED, &e, "action 4 is not after 7: never backwards");
    CHECK_RC(release_check_handover(&s.p, &from, &from_sigs, &to, &to_sigs, 4950, 6, 5000, &e),
             RC_DENIED, &e, "delay runs");
    CHECK_RC(release_check_handover(&s.p, &from, &from_sigs, &to, &to_sigs, 4900, 7, 5000, &e),
             RC_DENIED, &e, "the taker: release: measurement: it was removed since");
    CHECK_RC(release_check_handover(&s.p, &from, &to_sigs, &to, &to_sigs, 4900, 6, 5000, &e),
             RC_DENIED, &e, "hand-over: the giver");
    CHECK_RC(release_check_handover(&s.p, NULL, NULL, &to, &to_sigs, 4900, 6, 5000, &e), RC_DENIED,
             &e, "the giver");
    to.roles = 1u << ROLE_OPEN;
    CHECK_RC(release_check_handover(&s.p, &from, &from_sigs, &to, &to_sigs, 4900, 6, 5000, &e),
             RC_DENIED, &e, "other roles");
}

/* Keepers follow the council by signatures alone; its new members' word counts, not the old ones'.
 */
TEST(a_council_that_changes)
{
    struct secp_key next[2];
    struct address members[2], low;
    struct u256 nine = u256_from_u64(9);
    struct approval_sigs sigs;
    AUTO_CLEAR(buf) struct buf data = {0};
    struct hash32 d;
    uint64_t last = 0;
    struct err e;

    good(&s, KEY_IMAGE, ROLE_OPEN);
    for (int i = 0; i < 2; i++) {
        secp_key_generate(&next[i], NULL);
        secp_key_address(&members[i], &next[i]);
    }
    if (memcmp(members[0].b, members[1].b, 20) < 0) { /* falling, so that sorting is seen */
        low = members[0];
        members[0] = members[1];
        members[1] = low;
    }
    council_put_setMembers(&data, (struct council_address_list){members, 2}, 2);
    council_action_digest(&d, s.p.domain.chain_id, &s.p.domain.council, &nine, &s.p.domain.council,
                          buf_bytes(&data));
    sign(&sigs, &d, s.keys, 1);
    CHECK_RC(authority_follow(&s.p.governors, &last, &s.p.domain, 9, members, 2, 2, &sigs, &e),
             RC_DENIED, &e, "1 signatures of the 2");
    sign(&sigs, &d, s.keys, 2);
    CHECK_RC(authority_follow(&s.p.governors, &last, &s.p.domain, 8, members, 2, 2, &sigs, &e),
             RC_DENIED, &e, "nobody who decides");
    CHECK_RC(authority_follow(&s.p.governors, &last, &s.p.domain, 9, members, 2, 1, &sigs, &e),
             RC_RANGE, &e, "more than half");
    CHECK_RC(authority_follow(&s.p.governors, &last, &s.p.domain, 9, members, 33, 17, &sigs, &e),
             RC_RANGE, &e, "33 members");
    CHECK_INT(last, 0);
    CHECK_OK(authority_follow(&s.p.governors, &last, &s.p.domain, 9, members, 2, 2, &sigs, &e), &e);
    CHECK_INT(last, 9);
    CHECK_INT(s.p.governors.n, 2);
    CHECK_OK(authority_check(&s.p.governors, &e), &e);
    CHECK_RC(authority_follow(&s.p.governors, &last, &s.p.domain, 9, members, 2, 2, &sigs, &e),
             RC_DENIED, &e, "action 9 is not after 9");
    check(&s, RELEASE_NOT_SIGNED, "nobody who decides", __LINE__);
    measurement_approval_digest(&d, &s.p.domain, &s.ma);
    sign(&s.ma_sigs, &d, next, 2);
    check(&s, RELEASE_ALLOWED, "", __LINE__);
}

/* Requests: encodings, and every field counts in the hash. */
TEST(requests)
{
    for (int p = 1; p <= KEY_PURPOSES; p++) {
        AUTO_CLEAR(buf) struct buf b = {0};
        struct key_request back;
        struct hash32 h, other;
        struct err e;

        good(&s, (enum key_purpose)p, ROLE_OPEN);
        key_request_encode(&b, &s.q);
        CHECK_TRUE(b.n <= KEY_REQUEST_MAX_SIZE);
        CHECK_OK(key_request_decode(&back, buf_bytes(&b), &e), &e);
        key_request_hash(&h, &s.q);
        key_request_hash(&other, &back);
        CHECK_TRUE(hash32_eq(&h, &other));
        for (size_t n = 0; n < b.n; n++)
            CHECK_RC(key_request_decode(&back, bytes_of(b.p, n), &e), RC_MALFORMED, &e, "key ");
        for (size_t i = 0; i < b.n; i++) {
            b.p[i] ^= 0x40;
            if (key_request_decode(&back, buf_bytes(&b), &e) == RC_OK) {
                key_request_hash(&other, &back);
                CHECK_TRUE(!hash32_eq(&h, &other));
            }
            b.p[i] ^= 0x40;
        }
    }
}

TEST(purposes)
{
    enum key_purpose back;

    for (int p = 1; p <= KEY_PURPOSES; p++) {
        CHECK_TRUE(key_purpose_parse(&back, bytes_str(key_purpose_text((enum key_purpose)p))));
        CHECK_INT(back, p);
    }
    CHECK_TRUE(!key_purpose_parse(&back, bytes_str("app")));
    CHECK_TRUE(!key_purpose_parse(&back, bytes_str("")));
}
