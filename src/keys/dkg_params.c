/* Parameters of a round: encoding, checks, names. */
#include "keys/internal/dkg.h"
#include "keys/internal/hash.h"
#include "keys/labels.h"

const char *dkg_phase_name(enum dkg_phase phase)
{
    switch (phase) {
    case DKG_COMMIT:
        return "commit";
    case DKG_DEAL:
        return "deal";
    case DKG_COMPLAIN:
        return "complain";
    case DKG_REVEAL:
        return "reveal";
    case DKG_CONFIRM:
        return "confirm";
    case DKG_WAITING:
        return "waiting";
    case DKG_ACTIVE:
        return "active";
    case DKG_FAILED:
        return "failed";
    }
    return "unknown";
}

const char *dkg_fault_name(enum dkg_fault fault)
{
    switch (fault) {
    case DKG_NO_FAULT:
        return "none";
    case DKG_NOT_COMMITTED:
        return "not committed";
    case DKG_NOT_DEALT:
        return "not dealt";
    case DKG_COMPLAINTS:
        return "too many complaints";
    case DKG_NOT_REVEALED:
        return "complaint not answered";
    }
    return "unknown";
}

void dkg_params_encode(struct buf *out, const struct dkg_params *p)
{
    AUTO_CLEAR(buf) struct buf old = {0};

    buf_u8(out, DKG_VERSION);
    buf_u8(out, (uint8_t)p->kind);
    buf_put_bytes(out, BYTES_OF(&p->genesis));
    buf_u64be(out, p->generation);
    buf_u64be(out, p->round);
    buf_u8(out, (uint8_t)p->t);
    buf_u8(out, (uint8_t)p->n);
    for (uint32_t i = 0; i < p->n; i++)
        buf_put_bytes(out, BYTES_OF(&p->keepers[i]));
    buf_u64be(out, p->start_height);
    buf_u64be(out, p->phase_heights);
    buf_u64be(out, p->activation_delay);
    if (p->kind == DKG_RESHARE)
        keyset_encode(&old, &p->old);
    put_lp(out, buf_bytes(&old));
}

static enum rc decode(struct dkg_params *p, struct bytes in, struct err *e)
{
    struct reader r = reader_init(in);
    uint8_t version = reader_u8(&r), kind = reader_u8(&r);
    struct bytes old;

    if (reader_ok(&r) && version != DKG_VERSION)
        return err_set(e, RC_MALFORMED, "dkg: parameters of version %u, not %d", version,
                       DKG_VERSION);
    if (reader_ok(&r) && kind != DKG_GENERATE && kind != DKG_RESHARE)
        return err_set(e, RC_MALFORMED, "dkg: kind %u is neither generate nor reshare", kind);
    p->kind = kind == DKG_RESHARE ? DKG_RESHARE : DKG_GENERATE;
    reader_copy(&r, p->genesis.b, sizeof(p->genesis.b));
    p->generation = reader_u64be(&r);
    p->round = reader_u64be(&r);
    p->t = reader_u8(&r);
    p->n = (uint32_t)reader_count(&r, reader_u8(&r), 20, KEYS_MAX_KEEPERS);
    for (uint32_t i = 0; i < p->n; i++)
        reader_copy(&r, p->keepers[i].b, sizeof(p->keepers[i].b));
    p->start_height = reader_u64be(&r);
    p->phase_heights = reader_u64be(&r);
    p->activation_delay = reader_u64be(&r);
    old = reader_take(&r, reader_count(&r, reader_u32be(&r), 1, KEYSET_MAX_SIZE));
    TRY(reader_done(&r, "dkg: parameters", e));
    if (p->kind == DKG_GENERATE && old.n != 0)
        return err_set(e, RC_MALFORMED, "dkg: an old sharing in a round that generates");
    if (p->kind == DKG_RESHARE)
        TRY(keyset_decode(&p->old, old, e));
    return RC_OK;
}

enum rc dkg_params_decode(struct dkg_params *out, struct bytes in, struct err *e)
{
    enum rc rc;

    *out = (struct dkg_params){.kind = DKG_GENERATE};
    rc = decode(out, in, e);
    if (rc != RC_OK)
        *out = (struct dkg_params){.kind = DKG_GENERATE};
    return rc;
}

static enum rc check_old(const struct dkg_params *p, struct err *e)
{
    const struct keyset *old = &p->old;

    if (!hash32_eq(&old->genesis, &p->genesis))
        return err_set(e, RC_DENIED, "dkg: the old sharing is of another genesis");
    if (old->generation != p->generation)
        return err_set(e, RC_DENIED, "dkg: the old sharing is of generation %llu, not %llu",
                       (unsigned long long)old->generation, (unsigned long long)p->generation);
    if (old->round >= p->round)
        return err_set(e, RC_DENIED, "dkg: round %llu is not after the old sharing's %llu",
                       (unsigned long long)p->round, (unsigned long long)old->round);
    return keyset_verify(old, e);
}

enum rc dkg_params_check(const struct dkg_params *p, struct err *e)
{
    TRY(keys_check_threshold(p->t, p->n, e));
    for (uint32_t i = 0; i < p->n; i++) {
        if (address_is_zero(&p->keepers[i]))
            return err_set(e, RC_MALFORMED, "dkg: keeper %u has no account", i + 1);
        for (uint32_t k = 0; k < i; k++) {
            if (address_eq(&p->keepers[i], &p->keepers[k]))
                return err_set(e, RC_MALFORMED, "dkg: keepers %u and %u are the same", k + 1,
                               i + 1);
        }
    }
    if (p->phase_heights == 0 || p->phase_heights > DKG_MAX_PHASE_HEIGHTS ||
        p->activation_delay > DKG_MAX_PHASE_HEIGHTS)
        return err_set(e, RC_RANGE, "dkg: phases of %llu blocks and a delay of %llu: 1 to %u",
                       (unsigned long long)p->phase_heights,
                       (unsigned long long)p->activation_delay, DKG_MAX_PHASE_HEIGHTS);
    if (p->start_height > UINT64_MAX / 2)
        return err_set(e, RC_RANGE, "dkg: start height %llu", (unsigned long long)p->start_height);
    switch (p->kind) {
    case DKG_GENERATE:
        return RC_OK;
    case DKG_RESHARE:
        return check_old(p, e);
    }
    return err_set(e, RC_MALFORMED, "dkg: kind %d", (int)p->kind);
}

void dkg_round_id(struct hash32 *out, const struct dkg_params *p)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    put_lp(&b, bytes_str(KEYS_LABEL_ROUND));
    dkg_params_encode(&b, p);
    sha256(out, buf_bytes(&b));
}
