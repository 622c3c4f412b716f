#include "keys/approval.h"

#include "chain/council.h"
#include "chain/eip712.h"
#include "chain/gen/council.h"
#include "chain/gen/gatekeepers.h"
#include "chain/gen/workers.h"
#include "keys/internal/hash.h"
#include "keys/labels.h"

enum rc authority_check(const struct authority *a, struct err *e)
{
    if (a->n < 1 || a->n > AUTHORITY_MAX || a->m < 1 || a->m > a->n ||
        (a->n > 1 && 2 * a->m <= a->n))
        return err_set(e, RC_RANGE, "authority: %u of %u: more than half of at most %d", a->m, a->n,
                       AUTHORITY_MAX);
    for (uint32_t i = 0; i < a->n; i++) {
        if (address_is_zero(&a->members[i]))
            return err_set(e, RC_MALFORMED, "authority: member %u has no account", i + 1);
        if (i > 0 && bytes_cmp(BYTES_OF(&a->members[i - 1]), BYTES_OF(&a->members[i])) >= 0)
            return err_set(e, RC_MALFORMED, "authority: member %u is not above the one before",
                           i + 1);
    }
    return RC_OK;
}

void authority_hash(struct hash32 *out, const struct authority *a)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    put_lp(&b, bytes_str(KEYS_LABEL_AUTHORITY));
    buf_u8(&b, (uint8_t)a->m);
    buf_u8(&b, (uint8_t)a->n);
    buf_put(&b, a->members, a->n * sizeof(a->members[0]));
    keccak256(out, buf_bytes(&b));
}

enum rc approval_verify(const struct authority *a, const struct hash32 *digest,
                        const struct approval_sigs *s, struct err *e)
{
    uint32_t signed_by = 0;

    TRY(authority_check(a, e));
    if (s->n > AUTHORITY_MAX)
        return err_set(e, RC_DENIED, "approval: %u signatures, more than %d", s->n, AUTHORITY_MAX);
    for (uint32_t i = 0; i < s->n; i++) {
        struct address who;
        uint32_t k = 0;

        if (secp_recover_address(&who, digest, s->sigs[i].b, SECP_S_LOW, e) != RC_OK)
            return err_wrap(e, RC_DENIED, "approval: signature %u", i + 1);
        while (k < a->n && !address_eq(&a->members[k], &who))
            k++;
        if (k == a->n)
            return err_set(e, RC_DENIED, "approval: signature %u is of nobody who decides", i + 1);
        if ((signed_by >> k & 1) != 0)
            return err_set(e, RC_DENIED, "approval: member %u signs twice", k + 1);
        signed_by |= 1U << k;
    }
    if (s->n < a->m)
        return err_set(e, RC_DENIED, "approval: %u signatures of the %u needed", s->n, a->m);
    return RC_OK;
}

static void finish(struct hash32 *out, const struct approval_domain *d, struct eip712 *h)
{
    struct hash32 domain, hash;

    eip712_end(&hash, h);
    eip712_domain(&domain, "Cloister", "1", d->chain_id, &d->gatekeepers);
    eip712_digest(out, &domain, &hash);
}

static void action_digest(struct hash32 *out, const struct approval_domain *d, uint64_t id,
                          const struct address *to, struct bytes data)
{
    struct u256 number = u256_from_u64(id);

    council_action_digest(out, d->chain_id, &d->council, &number, to, data);
}

void measurement_approval_digest(struct hash32 *out, const struct approval_domain *d,
                                 const struct measurement_approval *a)
{
    AUTO_CLEAR(buf) struct buf data = {0};
    const struct address *to = &d->workers;

    if (a->roles == 1u << ROLE_APP) {
        gatekeepers_put_allowApp(&data, &a->measurement, a->label);
        to = &d->gatekeepers;
    } else {
        workers_put_allowMeasurement(&data, &a->measurement, a->roles, a->label);
    }
    action_digest(out, d, a->id, to, buf_bytes(&data));
}

/* Into rising order. */
static void sort_members(struct authority *a)
{
    for (uint32_t i = 1; i < a->n; i++) {
        for (uint32_t k = i; k > 0 && memcmp(a->members[k].b, a->members[k - 1].b, 20) < 0; k--) {
            struct address t = a->members[k];

            a->members[k] = a->members[k - 1];
            a->members[k - 1] = t;
        }
    }
}

enum rc authority_follow(struct authority *a, uint64_t *last_id, const struct approval_domain *d,
                         uint64_t id, const struct address *members, uint32_t n, uint32_t threshold,
                         const struct approval_sigs *s, struct err *e)
{
    struct authority next = {.m = threshold, .n = n};
    AUTO_CLEAR(buf) struct buf data = {0};
    struct council_address_list list = {.n = n};
    struct address copy[AUTHORITY_MAX];
    struct hash32 digest;

    if (n > AUTHORITY_MAX)
        return err_set(e, RC_RANGE, "council: %u members, more than %d", n, AUTHORITY_MAX);
    if (id <= *last_id)
        return err_set(e, RC_DENIED, "council: action %llu is not after %llu",
                       (unsigned long long)id, (unsigned long long)*last_id);
    memcpy(copy, members, n * sizeof(copy[0]));
    memcpy(next.members, members, n * sizeof(copy[0]));
    list.p = copy;
    sort_members(&next);
    TRY(authority_check(&next, e));
    council_put_setMembers(&data, list, threshold);
    action_digest(&digest, d, id, &d->council, buf_bytes(&data));
    TRY(approval_verify(a, &digest, s, e));
    *a = next;
    *last_id = id;
    return RC_OK;
}

void app_approval_digest(struct hash32 *out, const struct approval_domain *d,
                         const struct app_approval *a)
{
    struct eip712 h;

    eip712_begin(&h, "AppApproval(address app,bytes32 composeHash,bytes32 device,bool "
                     "requireUpToDate,uint256 expiry)");
    eip712_address(&h, &a->app);
    eip712_hash(&h, &a->compose_hash);
    eip712_hash(&h, &a->device);
    eip712_bool(&h, a->require_up_to_date);
    eip712_u64(&h, a->expiry_s);
    finish(out, d, &h);
}

void app_id_of_owner(struct address *out, const struct address *owner, const struct hash32 *salt)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    struct hash32 h;

    put_lp(&b, bytes_str(KEYS_LABEL_APP));
    put_lp(&b, BYTES_OF(owner));
    put_lp(&b, BYTES_OF(salt));
    keccak256(&h, buf_bytes(&b));
    memcpy(out->b, h.b + 12, sizeof(out->b));
}

void code_approval_digest(struct hash32 *out, const struct approval_domain *d,
                          const struct code_approval *a)
{
    struct eip712 h;

    eip712_begin(&h, "CodeApproval(address pool,bytes32 codeHash,bytes32 parameters,bytes32 "
                     "outputSchema,string buyerClass,uint256 expiry)");
    eip712_address(&h, &a->pool);
    eip712_hash(&h, &a->code_hash);
    eip712_hash(&h, &a->parameters);
    eip712_hash(&h, &a->output_schema);
    eip712_string(&h, a->buyer_class);
    eip712_u64(&h, a->expiry_s);
    finish(out, d, &h);
}
