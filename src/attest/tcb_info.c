/* TCB info and QE identity: signed JSON of Intel's provisioning certification service, version 4 of
 * its API. Unknown members are skipped (Intel adds some now and then), but each known one must be
 * there once and be of its type. */
#include "attest/collateral.h"
#include "attest/internal/scan.h"
#include "base/mem.h"

#include <stdio.h>

#define MAX_LEVELS 128
#define MAX_MODULES 32
#define MAX_SVN_LEVELS 64

/* Members that were there, as bits. */
enum {
    HAS_ID = 1 << 0,
    HAS_VERSION = 1 << 1,
    HAS_ISSUED = 1 << 2,
    HAS_NEXT = 1 << 3,
    HAS_FMSPC = 1 << 4,
    HAS_PCE_ID = 1 << 5,
    HAS_TYPE = 1 << 6,
    HAS_NUMBER = 1 << 7,
    HAS_LEVELS = 1 << 8,
    HAS_MODULE = 1 << 9,
    HAS_MODULES = 1 << 10,
    HAS_SIGNER = 1 << 11,
    HAS_ATTRIBUTES = 1 << 12,
    HAS_ATTRIBUTES_MASK = 1 << 13,
    HAS_MISC = 1 << 14,
    HAS_MISC_MASK = 1 << 15,
    HAS_PROD_ID = 1 << 16,
    HAS_TCB = 1 << 17,
    HAS_DATE = 1 << 18,
    HAS_STATUS = 1 << 19,
    HAS_PCE_SVN = 1 << 20,
    HAS_SGX = 1 << 21,
    HAS_TDX = 1 << 22,
    HAS_SVN = 1 << 23,
};

static void require(struct reader *r, unsigned has, unsigned want)
{
    if (reader_ok(r) && (has & want) != want)
        reader_fail(r, "json: a member is missing");
}

static void read_advisories(struct reader *r, struct tcb_state *s, struct arena *a)
{
    size_t i = 0;

    s->advisories = arena_array(a, ATTEST_MAX_ADVISORIES, sizeof(*s->advisories));
    scan_array_open(r);
    while (scan_array_next(r, &i)) {
        struct bytes id = scan_string(r);

        if (id.n == 0 || id.n >= ATTEST_ADVISORY_SIZE || s->n_advisories == ATTEST_MAX_ADVISORIES) {
            reader_fail(r, "advisories: more than 64, or a name above 31 bytes");
            return;
        }
        s->advisories[s->n_advisories++] = id;
    }
}

/* tcbDate, tcbStatus, advisoryIDs; false if the key is none of them. */
static bool read_state(struct reader *r, struct bytes key, struct tcb_state *s, unsigned *has,
                       struct arena *a)
{
    if (scan_key_is(key, "tcbDate")) {
        s->date = scan_time(r);
        *has |= HAS_DATE;
    } else if (scan_key_is(key, "tcbStatus")) {
        struct bytes name = scan_string(r);

        if (!tcb_status_parse(&s->status, name) || s->status == TCB_TD_RELAUNCH_ADVISED ||
            s->status == TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED)
            reader_fail(r, "tcbStatus: not one that Intel states");
        *has |= HAS_STATUS;
    } else if (scan_key_is(key, "advisoryIDs")) {
        read_advisories(r, s, a);
    } else {
        return false;
    }
    return true;
}

/* [{"svn":5,"category":...},...]: sixteen of them. */
static void read_components(struct reader *r, uint8_t svn[16])
{
    size_t i = 0;

    scan_array_open(r);
    while (scan_array_next(r, &i)) {
        struct scan_object o;
        struct bytes key;
        unsigned has = 0;

        if (i > 16) {
            reader_fail(r, "components: more than sixteen");
            return;
        }
        scan_object_open(&o, r);
        while (scan_object_next(&o, &key)) {
            if (scan_key_is(key, "svn")) {
                svn[i - 1] = (uint8_t)scan_u64(r, 255);
                has |= HAS_SVN;
            } else {
                (void)scan_value(r);
            }
        }
        require(r, has, HAS_SVN);
    }
    if (reader_ok(r) && i != 16)
        reader_fail(r, "components: fewer than sixteen");
}

/* "sgxtcbcomp01svn" to "sgxtcbcomp16svn" of version 2: 0 to 15, else -1. */
static int component_of_key(struct bytes key)
{
    for (int i = 0; i < 16; i++) {
        char name[24];

        (void)snprintf(name, sizeof(name), "sgxtcbcomp%02dsvn", i + 1);
        if (scan_key_is(key, name))
            return i;
    }
    return -1;
}

static void read_tcb(struct reader *r, struct tcb_level *l, const struct tcb_info *t)
{
    struct scan_object o;
    struct bytes key;
    unsigned has = 0, n_v2 = 0;
    int c;

    scan_object_open(&o, r);
    while (scan_object_next(&o, &key)) {
        if (scan_key_is(key, "pcesvn")) {
            l->pce_svn = (uint16_t)scan_u64(r, UINT16_MAX);
            has |= HAS_PCE_SVN;
        } else if (t->version == 3 && scan_key_is(key, "sgxtcbcomponents")) {
            read_components(r, l->sgx);
            has |= HAS_SGX;
        } else if (t->version == 3 && scan_key_is(key, "tdxtcbcomponents")) {
            read_components(r, l->tdx);
            has |= HAS_TDX;
        } else if (t->version == 2 && (c = component_of_key(key)) >= 0) {
            l->sgx[c] = (uint8_t)scan_u64(r, 255);
            n_v2++;
        } else {
            (void)scan_value(r);
        }
    }
    if (n_v2 == 16)
        has |= HAS_SGX;
    require(r, has, HAS_PCE_SVN | HAS_SGX | (t->tdx ? HAS_TDX : 0));
}

/* Negative: x comes before y. Highest first: SGX components, PCESVN, TDX components. */
static int level_cmp(const struct tcb_level *x, const struct tcb_level *y)
{
    int c = memcmp(y->sgx, x->sgx, sizeof(x->sgx));

    if (c == 0)
        c = (x->pce_svn < y->pce_svn) - (x->pce_svn > y->pce_svn);
    return c != 0 ? c : memcmp(y->tdx, x->tdx, sizeof(x->tdx));
}

/* Intel's library sorts the levels and lets none occur twice; so the order in the file decides
 * nothing. */
static void insert_level(struct reader *r, struct tcb_info *t, const struct tcb_level *l)
{
    size_t i = t->n_levels;

    for (; i != 0 && level_cmp(l, &t->levels[i - 1]) < 0; i--)
        t->levels[i] = t->levels[i - 1];
    if (i != 0 && level_cmp(l, &t->levels[i - 1]) == 0)
        reader_fail(r, "tcbLevels: a level occurs twice");
    t->levels[i] = *l;
    t->n_levels++;
}

static void read_levels(struct reader *r, struct tcb_info *t, struct arena *a)
{
    size_t i = 0;

    t->levels = arena_array(a, MAX_LEVELS, sizeof(*t->levels));
    scan_array_open(r);
    while (scan_array_next(r, &i)) {
        struct tcb_level l = {0};
        struct scan_object o;
        struct bytes key;
        unsigned has = 0;

        if (i > MAX_LEVELS) {
            reader_fail(r, "tcbLevels: more than 128");
            return;
        }
        scan_object_open(&o, r);
        while (scan_object_next(&o, &key)) {
            if (scan_key_is(key, "tcb")) {
                read_tcb(r, &l, t);
                has |= HAS_TCB;
            } else if (!read_state(r, key, &l.state, &has, a)) {
                (void)scan_value(r);
            }
        }
        require(r, has, HAS_TCB | HAS_DATE | HAS_STATUS);
        if (reader_ok(r))
            insert_level(r, t, &l);
    }
    if (reader_ok(r) && i == 0)
        reader_fail(r, "tcbLevels: none");
}

static void read_isv_svn(struct reader *r, struct svn_level *l)
{
    struct scan_object o;
    struct bytes key;
    unsigned has = 0;

    scan_object_open(&o, r);
    while (scan_object_next(&o, &key)) {
        if (scan_key_is(key, "isvsvn")) {
            l->isv_svn = (uint16_t)scan_u64(r, UINT16_MAX);
            has |= HAS_SVN;
        } else {
            (void)scan_value(r);
        }
    }
    require(r, has, HAS_SVN);
}

/* Levels of a quoting enclave or a TDX module: highest first, only the three statuses that Intel's
 * merge rule knows for them. */
static void read_svn_levels(struct reader *r, struct svn_level **levels, size_t *n, struct arena *a)
{
    size_t i = 0;

    *levels = arena_array(a, MAX_SVN_LEVELS, sizeof(**levels));
    scan_array_open(r);
    while (scan_array_next(r, &i)) {
        struct svn_level l = {0};
        struct scan_object o;
        struct bytes key;
        unsigned has = 0;
        size_t at = *n;

        if (i > MAX_SVN_LEVELS) {
            reader_fail(r, "tcbLevels: more than 64 of an enclave or module");
            return;
        }
        scan_object_open(&o, r);
        while (scan_object_next(&o, &key)) {
            if (scan_key_is(key, "tcb")) {
                read_isv_svn(r, &l);
                has |= HAS_TCB;
            } else if (!read_state(r, key, &l.state, &has, a)) {
                (void)scan_value(r);
            }
        }
        require(r, has, HAS_TCB | HAS_DATE | HAS_STATUS);
        if (reader_ok(r) && l.state.status != TCB_UP_TO_DATE && l.state.status != TCB_OUT_OF_DATE &&
            l.state.status != TCB_REVOKED)
            reader_fail(r, "tcbStatus: not one of an enclave or module");
        for (; at != 0 && (*levels)[at - 1].isv_svn < l.isv_svn; at--)
            (*levels)[at] = (*levels)[at - 1];
        if (at != 0 && (*levels)[at - 1].isv_svn == l.isv_svn)
            reader_fail(r, "tcbLevels: a level occurs twice");
        (*levels)[at] = l;
        (*n)++;
    }
}

/* "TDX_01": two hexadecimal digits, capitals. */
static void read_module_id(struct reader *r, struct tdx_module *m)
{
    static const char hex[] = "0123456789ABCDEF";
    struct bytes id = scan_string(r);
    const char *hi, *lo;

    if (!reader_ok(r))
        return;
    if (id.n != 6 || memcmp(id.p, "TDX_", 4) != 0 || id.p[4] == 0 || id.p[5] == 0) {
        reader_fail(r, "tdxModuleIdentities: id is not TDX_ and two digits");
        return;
    }
    hi = strchr(hex, id.p[4]);
    lo = strchr(hex, id.p[5]);
    if (hi == NULL || lo == NULL)
        reader_fail(r, "tdxModuleIdentities: id is not TDX_ and two digits");
    else
        m->version = (uint8_t)((hi - hex) << 4 | (lo - hex));
}

static void read_module(struct reader *r, struct tdx_module *m, unsigned want, struct arena *a)
{
    struct scan_object o;
    struct bytes key;
    unsigned has = 0;

    scan_object_open(&o, r);
    while (scan_object_next(&o, &key)) {
        if (scan_key_is(key, "mrsigner")) {
            scan_hex(r, m->mr_signer, sizeof(m->mr_signer));
            has |= HAS_SIGNER;
        } else if (scan_key_is(key, "attributes")) {
            scan_hex(r, m->attributes, sizeof(m->attributes));
            has |= HAS_ATTRIBUTES;
        } else if (scan_key_is(key, "attributesMask")) {
            scan_hex(r, m->attributes_mask, sizeof(m->attributes_mask));
            has |= HAS_ATTRIBUTES_MASK;
        } else if ((want & HAS_ID) != 0 && scan_key_is(key, "id")) {
            read_module_id(r, m);
            has |= HAS_ID;
        } else if ((want & HAS_LEVELS) != 0 && scan_key_is(key, "tcbLevels")) {
            read_svn_levels(r, &m->levels, &m->n_levels, a);
            has |= HAS_LEVELS;
        } else {
            (void)scan_value(r);
        }
    }
    require(r, has, want | HAS_SIGNER | HAS_ATTRIBUTES | HAS_ATTRIBUTES_MASK);
}

static void read_modules(struct reader *r, struct tcb_info *t, struct arena *a)
{
    size_t i = 0;

    t->modules = arena_array(a, MAX_MODULES, sizeof(*t->modules));
    scan_array_open(r);
    while (scan_array_next(r, &i)) {
        if (i > MAX_MODULES) {
            reader_fail(r, "tdxModuleIdentities: more than 32");
            return;
        }
        read_module(r, &t->modules[i - 1], HAS_ID | HAS_LEVELS, a);
        for (size_t j = 0; j + 1 < i; j++)
            if (t->modules[j].version == t->modules[i - 1].version)
                reader_fail(r, "tdxModuleIdentities: an id occurs twice");
        t->n_modules = i;
    }
}

/* version and id decide how the rest is read, wherever they stand: a first pass finds them. */
static void read_kind(struct reader r, uint64_t *version, struct bytes *id)
{
    struct scan_object o;
    struct bytes key;

    *version = 0;
    *id = bytes_of(NULL, 0);
    scan_object_open(&o, &r);
    while (scan_object_next(&o, &key)) {
        if (scan_key_is(key, "version"))
            *version = scan_u64(&r, UINT32_MAX);
        else if (scan_key_is(key, "id"))
            *id = scan_string(&r);
        else
            (void)scan_value(&r);
    }
}

/* Members that TCB info and QE identity share. */
static bool read_dates(struct reader *r, struct bytes key, uint64_t *issued, uint64_t *next,
                       uint32_t *number, unsigned *has)
{
    if (scan_key_is(key, "issueDate")) {
        *issued = scan_time(r);
        *has |= HAS_ISSUED;
    } else if (scan_key_is(key, "nextUpdate")) {
        *next = scan_time(r);
        *has |= HAS_NEXT;
    } else if (scan_key_is(key, "tcbEvaluationDataNumber")) {
        *number = (uint32_t)scan_u64(r, UINT32_MAX);
        *has |= HAS_NUMBER;
    } else {
        return false;
    }
    return true;
}

static unsigned read_tcb_info(struct reader *r, struct tcb_info *t, struct arena *a)
{
    struct scan_object o;
    struct bytes key;
    unsigned has = 0;

    scan_object_open(&o, r);
    while (scan_object_next(&o, &key)) {
        if (scan_key_is(key, "fmspc")) {
            scan_hex(r, t->fmspc, sizeof(t->fmspc));
            has |= HAS_FMSPC;
        } else if (scan_key_is(key, "pceId")) {
            scan_hex(r, t->pce_id, sizeof(t->pce_id));
            has |= HAS_PCE_ID;
        } else if (scan_key_is(key, "tcbType")) {
            (void)scan_u64(r, 0); /* how SVNs compare: only 0 is defined */
            has |= HAS_TYPE;
        } else if (scan_key_is(key, "tcbLevels")) {
            read_levels(r, t, a);
            has |= HAS_LEVELS;
        } else if (t->tdx && scan_key_is(key, "tdxModule")) {
            read_module(r, &t->module, 0, a);
            has |= HAS_MODULE;
        } else if (t->tdx && scan_key_is(key, "tdxModuleIdentities")) {
            read_modules(r, t, a);
            has |= HAS_MODULES;
        } else if (!read_dates(r, key, &t->issued, &t->next_update, &t->evaluation_number, &has)) {
            (void)scan_value(r);
        }
    }
    return has;
}

enum rc tcb_info_parse(struct tcb_info *out, struct bytes json, struct arena *a, struct err *e)
{
    struct reader r = reader_init(json);
    uint64_t version;
    struct bytes id;
    unsigned want =
        HAS_FMSPC | HAS_PCE_ID | HAS_TYPE | HAS_LEVELS | HAS_ISSUED | HAS_NEXT | HAS_NUMBER;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    if (json.n > COLLATERAL_MAX_TCB_INFO_SIZE)
        return err_set(e, RC_LIMIT, "tcb info: %zu bytes, at most %zu", json.n,
                       COLLATERAL_MAX_TCB_INFO_SIZE);
    read_kind(r, &version, &id);
    if (version == 3 && scan_key_is(id, "TDX"))
        out->tdx = true;
    else if ((version != 3 || !scan_key_is(id, "SGX")) && (version != 2 || id.n != 0))
        return err_set(e, RC_UNSUPPORTED,
                       "tcb info: neither version 3 of SGX or TDX nor version 2");
    out->version = (uint32_t)version;
    if (out->tdx)
        want |= HAS_MODULE; /* tdxModuleIdentities came later than version 3 */
    require(&r, read_tcb_info(&r, out, a), want);
    scan_end(&r);
    rc = reader_done(&r, "tcb info", e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

static unsigned read_qe_identity(struct reader *r, struct qe_identity *q, struct arena *a)
{
    struct scan_object o;
    struct bytes key;
    unsigned has = 0;

    scan_object_open(&o, r);
    while (scan_object_next(&o, &key)) {
        if (scan_key_is(key, "miscselect")) {
            scan_hex(r, q->misc_select, sizeof(q->misc_select));
            has |= HAS_MISC;
        } else if (scan_key_is(key, "miscselectMask")) {
            scan_hex(r, q->misc_select_mask, sizeof(q->misc_select_mask));
            has |= HAS_MISC_MASK;
        } else if (scan_key_is(key, "attributes")) {
            scan_hex(r, q->attributes, sizeof(q->attributes));
            has |= HAS_ATTRIBUTES;
        } else if (scan_key_is(key, "attributesMask")) {
            scan_hex(r, q->attributes_mask, sizeof(q->attributes_mask));
            has |= HAS_ATTRIBUTES_MASK;
        } else if (scan_key_is(key, "mrsigner")) {
            scan_hex(r, q->mr_signer, sizeof(q->mr_signer));
            has |= HAS_SIGNER;
        } else if (scan_key_is(key, "isvprodid")) {
            q->isv_prod_id = (uint16_t)scan_u64(r, UINT16_MAX);
            has |= HAS_PROD_ID;
        } else if (scan_key_is(key, "tcbLevels")) {
            read_svn_levels(r, &q->levels, &q->n_levels, a);
            has |= HAS_LEVELS;
        } else if (!read_dates(r, key, &q->issued, &q->next_update, &q->evaluation_number, &has)) {
            (void)scan_value(r);
        }
    }
    return has;
}

enum rc qe_identity_parse(struct qe_identity *out, struct bytes json, struct arena *a,
                          struct err *e)
{
    struct reader r = reader_init(json);
    uint64_t version;
    struct bytes id;
    enum rc rc;

    memset(out, 0, sizeof(*out));
    if (json.n > COLLATERAL_MAX_QE_IDENTITY_SIZE)
        return err_set(e, RC_LIMIT, "qe identity: %zu bytes, at most %zu", json.n,
                       COLLATERAL_MAX_QE_IDENTITY_SIZE);
    read_kind(r, &version, &id);
    out->tdx = scan_key_is(id, "TD_QE");
    if (version != 2 || (!out->tdx && !scan_key_is(id, "QE")))
        return err_set(e, RC_UNSUPPORTED, "qe identity: not version 2 of QE or TD_QE");
    require(&r, read_qe_identity(&r, out, a),
            HAS_MISC | HAS_MISC_MASK | HAS_ATTRIBUTES | HAS_ATTRIBUTES_MASK | HAS_SIGNER |
                HAS_PROD_ID | HAS_LEVELS | HAS_ISSUED | HAS_NEXT | HAS_NUMBER);
    scan_end(&r);
    rc = reader_done(&r, "qe identity", e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}
