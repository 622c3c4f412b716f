/* A policy as JSON, for files and the command line. */
#include "attest/internal/policy.h"
#include "attest/internal/scan.h"
#include "base/mem.h"

/* "any" or a list: true for "any". */
static bool is_any(struct reader *r)
{
    if (!scan_is_string(r))
        return false;
    if (!bytes_eq(scan_string(r), bytes_str("any")))
        reader_fail(r, "policy: \"any\" or a list was expected");
    return true;
}

/* A list of names out of a fixed set, as bits. */
static uint32_t read_bits(struct reader *r, const char *(*name_of)(unsigned), unsigned first,
                          unsigned count)
{
    uint32_t bits = 0;
    size_t i = 0;

    scan_array_open(r);
    while (scan_array_next(r, &i)) {
        struct bytes name = scan_string(r);
        unsigned at = first;

        while (at < count && !bytes_eq(name, bytes_str(name_of(at))))
            at++;
        if (at >= count)
            reader_fail(r, "policy: unknown name in a list");
        else
            bits |= POLICY_BIT(at);
    }
    return bits;
}

static const char *tee_name(unsigned i)
{
    return tee_kind_name((enum tee_kind)i);
}

static const char *root_name(unsigned i)
{
    return attest_root_name((enum attest_root)i);
}

static const char *status_name(unsigned i)
{
    return tcb_status_name((enum tcb_status)i);
}

static uint32_t read_vmpls(struct reader *r)
{
    uint32_t bits = 0;
    size_t i = 0;

    scan_array_open(r);
    while (scan_array_next(r, &i))
        bits |= POLICY_BIT(scan_u64(r, 3));
    return bits;
}

/* Elements of `size` bytes of hexadecimal each. */
static void *read_hex_list(struct reader *r, size_t size, size_t *n, struct arena *a)
{
    uint8_t *list = arena_array(a, POLICY_MAX_LIST, size);
    size_t i = 0;

    scan_array_open(r);
    while (scan_array_next(r, &i)) {
        if (i > POLICY_MAX_LIST) {
            reader_fail(r, "policy: a list of more than 1,024");
            break;
        }
        scan_hex(r, list + (i - 1) * size, size);
    }
    *n = i;
    return list;
}

static uint64_t read_mask(struct reader *r)
{
    uint8_t b[8];

    scan_hex(r, b, sizeof(b));
    return load_u64be(b);
}

static void read_advisories(struct reader *r, struct attest_policy *p, struct arena *a)
{
    struct bytes *list;
    size_t i = 0;

    if ((p->any_advisory = is_any(r)))
        return;
    list = arena_array(a, POLICY_MAX_LIST, sizeof(*list));
    scan_array_open(r);
    while (scan_array_next(r, &i)) {
        if (i > POLICY_MAX_LIST) {
            reader_fail(r, "policy: a list of more than 1,024");
            return;
        }
        list[i - 1] = arena_dup(a, scan_string(r));
    }
    p->advisories = list;
    p->n_advisories = i;
}

static void read_rule_member(struct reader *r, struct bytes key, struct measurement_rule *rule)
{
    for (size_t i = 0; i < POLICY_N_FIELDS; i++)
        if (scan_key_is(key, POLICY_FIELDS[i].name)) {
            scan_hex(r, (uint8_t *)rule + POLICY_FIELDS[i].at, POLICY_FIELDS[i].size);
            *((bool *)rule + POLICY_FIELDS[i].set_at) = true;
            return;
        }
    if (scan_key_is(key, "isv_prod_id")) {
        rule->isv_prod_id = (uint16_t)scan_u64(r, UINT16_MAX);
        rule->set.isv_prod_id = true;
    } else if (scan_key_is(key, "min_isv_svn")) {
        rule->min_isv_svn = (uint16_t)scan_u64(r, UINT16_MAX);
        rule->set.min_isv_svn = true;
    } else if (scan_key_is(key, "min_guest_svn")) {
        rule->min_guest_svn = (uint32_t)scan_u64(r, UINT32_MAX);
        rule->set.min_guest_svn = true;
    } else {
        reader_fail(r, "policy: unknown member of a measurement");
    }
}

static void read_rule(struct reader *r, struct measurement_rule *rule)
{
    struct scan_object o;
    struct bytes key;

    scan_object_open(&o, r);
    while (scan_object_next(&o, &key)) {
        if (!scan_key_is(key, "tee")) {
            read_rule_member(r, key, rule);
            continue;
        }
        struct bytes name = scan_string(r);

        for (unsigned i = TEE_SGX; i <= TEE_SNP; i++)
            if (bytes_eq(name, bytes_str(tee_name(i))))
                rule->tee = (enum tee_kind)i;
    }
    if (rule->tee == TEE_NONE)
        reader_fail(r, "policy: a measurement without \"tee\"");
}

static void read_rules(struct reader *r, struct attest_policy *p, struct arena *a)
{
    struct measurement_rule *list;
    size_t i = 0;

    if ((p->any_measurement = is_any(r)))
        return;
    list = arena_array(a, POLICY_MAX_RULES, sizeof(*list));
    scan_array_open(r);
    while (scan_array_next(r, &i)) {
        if (i > POLICY_MAX_RULES) {
            reader_fail(r, "policy: more than 256 measurements");
            return;
        }
        read_rule(r, &list[i - 1]);
    }
    p->measurements = list;
    p->n_measurements = i;
}

static void read_min_tcb(struct reader *r, struct snp_tcb *t)
{
    struct scan_object o;
    struct bytes key;

    scan_object_open(&o, r);
    while (scan_object_next(&o, &key)) {
        uint8_t *part = scan_key_is(key, "fmc")           ? &t->fmc
                        : scan_key_is(key, "boot_loader") ? &t->boot_loader
                        : scan_key_is(key, "tee")         ? &t->tee
                        : scan_key_is(key, "snp")         ? &t->snp
                        : scan_key_is(key, "microcode")   ? &t->microcode
                                                          : NULL;

        if (part == NULL)
            reader_fail(r, "policy: unknown part of a TCB version");
        else
            *part = (uint8_t)scan_u64(r, 255);
    }
}

/* Members that are lists or objects; false if the key is none of them. */
static bool read_lists(struct reader *r, struct bytes key, struct attest_policy *p, struct arena *a)
{
    if (scan_key_is(key, "tees")) {
        p->tees = read_bits(r, tee_name, TEE_SGX, TEE_SNP + 1);
    } else if (scan_key_is(key, "roots")) {
        p->roots = read_bits(r, root_name, ATTEST_ROOT_INTEL, ATTEST_ROOT_GIVEN + 1);
    } else if (scan_key_is(key, "tcb_statuses")) {
        p->tcb_statuses = read_bits(r, status_name, TCB_UP_TO_DATE, TCB_REVOKED);
    } else if (scan_key_is(key, "snp_vmpls")) {
        p->snp_vmpls = read_vmpls(r);
    } else if (scan_key_is(key, "measurements")) {
        read_rules(r, p, a);
    } else if (scan_key_is(key, "advisories")) {
        read_advisories(r, p, a);
    } else if (scan_key_is(key, "platforms")) {
        p->platforms = read_hex_list(r, sizeof(struct hash32), &p->n_platforms, a);
    } else if (scan_key_is(key, "fmspcs")) {
        p->fmspcs = read_hex_list(r, 6, &p->n_fmspcs, a);
    } else if (scan_key_is(key, "snp_min_tcb")) {
        read_min_tcb(r, &p->snp_min_tcb);
    } else {
        return false;
    }
    return true;
}

static bool read_flag(struct reader *r, struct bytes key, struct attest_policy *p)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {
        {"insecure_allow_debug", &p->insecure_allow_debug},
        {"allow_service_td", &p->allow_service_td},
        {"allow_dynamic_platform", &p->allow_dynamic_platform},
        {"allow_cached_keys", &p->allow_cached_keys},
        {"allow_smt", &p->allow_smt},
        {"snp_allow_migration_agent", &p->snp_allow_migration_agent},
        {"snp_allow_no_crl", &p->snp_allow_no_crl},
        {"snp_allow_no_alias_check", &p->snp_allow_no_alias_check},
    };

    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (scan_key_is(key, flags[i].name)) {
            *flags[i].flag = scan_bool(r);
            return true;
        }
    return false;
}

static void read_value(struct reader *r, struct bytes key, struct attest_policy *p)
{
    if (scan_key_is(key, "min_evaluation_number")) {
        p->min_evaluation_number = (uint32_t)scan_u64(r, UINT32_MAX);
    } else if (scan_key_is(key, "min_tcb_date")) {
        p->min_tcb_date = scan_time(r);
    } else if (scan_key_is(key, "max_collateral_age")) {
        p->max_collateral_age = scan_u64(r, UINT64_MAX);
    } else if (scan_key_is(key, "td_attributes_required")) {
        p->td_attributes_required = read_mask(r);
    } else if (scan_key_is(key, "td_attributes_allowed")) {
        p->td_attributes_allowed = read_mask(r);
    } else if (scan_key_is(key, "report_data")) {
        scan_hex(r, p->report_data, sizeof(p->report_data));
        p->has_report_data = true;
    } else {
        reader_fail(r, "policy: unknown member"); /* a rule that is misspelt must not be skipped */
    }
}

enum rc policy_parse(struct attest_policy *out, struct bytes json, struct arena *a, struct err *e)
{
    struct reader r = reader_init(json);
    struct scan_object o;
    struct bytes key;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    if (json.n > POLICY_MAX_SIZE)
        return err_set(e, RC_LIMIT, "policy: %zu bytes, at most %zu", json.n, POLICY_MAX_SIZE);
    scan_object_open(&o, &r);
    while (scan_object_next(&o, &key))
        if (!read_lists(&r, key, out, a) && !read_flag(&r, key, out))
            read_value(&r, key, out);
    scan_end(&r);
    rc = reader_done(&r, "policy", e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}
