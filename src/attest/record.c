#include "attest/record.h"

#include "crypto/hash.h"

static void put_part(struct buf *b, struct bytes part)
{
    buf_u32be(b, (uint32_t)part.n);
    buf_put_bytes(b, part);
}

static void put_td(struct buf *b, const struct td_measurement *m)
{
    put_part(b, BYTES_OF(&m->mr_td));
    for (size_t i = 0; i < 3; i++)
        put_part(b, BYTES_OF(&m->rtmr[i]));
    put_part(b, BYTES_OF(&m->mr_config_id));
    put_part(b, BYTES_OF(&m->mr_owner));
    put_part(b, BYTES_OF(&m->mr_owner_config));
}

void attest_measurement(struct hash32 *out, const struct attest_verdict *v)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    buf_put_bytes(&b, bytes_str("cloister/measurement/v1"));
    put_part(&b, bytes_str(tee_kind_name(v->tee == TEE_TDX15 ? TEE_TDX : v->tee)));
    switch (v->tee) {
    case TEE_TDX:
    case TEE_TDX15:
        put_td(&b, &v->m.td);
        break;
    case TEE_SGX:
        put_part(&b, BYTES_OF(&v->m.sgx.mr_enclave));
        put_part(&b, BYTES_OF(&v->m.sgx.config_id));
        put_part(&b, BYTES_OF(&v->m.sgx.isv_ext_prod_id));
        put_part(&b, BYTES_OF(&v->m.sgx.isv_family_id));
        break;
    case TEE_SNP:
        put_part(&b, BYTES_OF(&v->m.snp.measurement));
        put_part(&b, BYTES_OF(&v->m.snp.host_data));
        put_part(&b, BYTES_OF(&v->m.snp.id_key_digest));
        put_part(&b, BYTES_OF(&v->m.snp.author_key_digest));
        break;
    case TEE_NONE:
        break;
    }
    sha256(out, buf_bytes(&b));
}

static void put_advisories(struct buf *b, const struct attest_verdict *v)
{
    for (size_t i = 0; i < v->n_advisories; i++) {
        if (i != 0)
            buf_u8(b, ',');
        buf_put_bytes(b, bytes_str(v->advisories[i]));
    }
}

void attest_record_put(struct buf *out, const struct attest_verdict *v, enum attest_outcome outcome)
{
    AUTO_CLEAR(buf) struct buf text = {0};
    static const uint8_t zero[16];
    struct hash32 measurement = {{0}};
    unsigned flags = v->debug | (unsigned)v->service_td << 1 | (unsigned)v->migratable << 2 |
                     (unsigned)v->has_platform_id << 3 |
                     (unsigned)(v->root == ATTEST_ROOT_GIVEN) << 4;

    if (v->verified)
        attest_measurement(&measurement, v);
    put_advisories(&text, v);
    buf_u8(out, (uint8_t)outcome);
    buf_u8(out, (uint8_t)(outcome == ATTEST_REFUSED ? ATTEST_STAGE_POLICY : v->stage));
    buf_u8(out, (uint8_t)v->tee);
    buf_u8(out, (uint8_t)v->root);
    buf_u8(out, (uint8_t)v->tcb_status);
    buf_u8(out, (uint8_t)flags);
    buf_u16be(out, (uint16_t)text.n);
    buf_u32be(out, v->evaluation_number);
    buf_u32be(out, 0);
    buf_u64be(out, v->valid_from);
    buf_u64be(out, v->valid_until);
    buf_u64be(out, v->tcb_date);
    buf_u64be(out, v->collateral_issued);
    buf_put_bytes(out, BYTES_OF(&v->platform_id));
    buf_put_bytes(out, BYTES_OF(&measurement));
    buf_put_bytes(out, BYTES_OF(&v->report_data));
    buf_put_bytes(out, BYTES_OF(&v->root_fingerprint));
    buf_put_bytes(out, BYTES_OF(&zero));
    buf_put_bytes(out, buf_bytes(&text));
}
