#include "keys/purpose.h"

#include "keys/internal/hash.h"

const char *key_purpose_text(enum key_purpose p)
{
    switch (p) {
    case KEY_POOL_SECRETS:
        return "tee-pool-secrets";
    case KEY_BEACON:
        return "beacon";
    case KEY_APP_DISK:
        return "app-disk";
    case KEY_APP_ENV:
        return "app-env";
    case KEY_APP_CA:
        return "app-ca";
    case KEY_APP_SIGN:
        return "app-k256";
    case KEY_IMAGE:
        return "image";
    case KEY_CONTRACT:
        return "contract";
    case KEY_POOL_DATA:
        return "pool-data";
    }
    panic_(__FILE__, __LINE__, "a purpose out of range");
}

bool key_purpose_parse(enum key_purpose *out, struct bytes text)
{
    for (int i = KEY_POOL_SECRETS; i <= KEY_PURPOSES; i++) {
        if (bytes_eq(text, bytes_str(key_purpose_text((enum key_purpose)i)))) {
            *out = (enum key_purpose)i;
            return true;
        }
    }
    return false;
}

enum key_epoch_rule key_purpose_epochs(enum key_purpose p)
{
    switch (p) {
    case KEY_BEACON:
        return EPOCH_HEIGHT;
    case KEY_APP_DISK:
    case KEY_APP_ENV:
    case KEY_APP_CA:
    case KEY_APP_SIGN:
    case KEY_IMAGE:
        return EPOCH_FIXED;
    case KEY_POOL_SECRETS:
    case KEY_CONTRACT:
    case KEY_POOL_DATA:
        return EPOCH_WINDOW;
    }
    panic_(__FILE__, __LINE__, "a purpose out of range");
}

const char *key_role_text(enum key_role r)
{
    switch (r) {
    case ROLE_OPEN:
        return "open";
    case ROLE_CONTRACT:
        return "contract";
    case ROLE_ANALYSIS:
        return "analysis";
    case ROLE_KEEPER:
        return "keeper";
    case ROLE_APP:
        return "app";
    }
    panic_(__FILE__, __LINE__, "a role out of range");
}

void key_subject_encode(struct buf *out, enum key_purpose p, const struct key_subject *s)
{
    switch (p) {
    case KEY_BEACON:
        return;
    case KEY_POOL_SECRETS:
    case KEY_APP_ENV:
    case KEY_APP_CA:
    case KEY_APP_SIGN:
        put_lp(out, BYTES_OF(&s->account));
        return;
    case KEY_APP_DISK:
        put_lp(out, BYTES_OF(&s->account));
        put_lp(out, s->has_instance ? BYTES_OF(&s->instance) : bytes_of(NULL, 0));
        return;
    case KEY_IMAGE:
        put_lp(out, BYTES_OF(&s->digest));
        return;
    case KEY_CONTRACT:
        put_lp_u64(out, s->cluster);
        put_lp(out, BYTES_OF(&s->account));
        return;
    case KEY_POOL_DATA:
        put_lp(out, BYTES_OF(&s->account));
        put_lp(out, BYTES_OF(&s->digest));
        return;
    }
}

/* One lp field of exactly n bytes. */
static void take_field(struct reader *r, void *dst, size_t n)
{
    if (reader_u32be(r) != n)
        reader_fail(r, "a field of another size");
    reader_copy(r, dst, n);
}

static void take_instance(struct reader *r, struct key_subject *s)
{
    uint32_t n = reader_u32be(r);

    s->has_instance = n == sizeof(s->instance.b);
    if (s->has_instance)
        reader_copy(r, s->instance.b, sizeof(s->instance.b));
    else if (n != 0)
        reader_fail(r, "an instance of another size");
}

enum rc key_subject_decode(struct key_subject *out, enum key_purpose p, struct bytes in,
                           struct err *e)
{
    struct reader r = reader_init(in);
    struct key_subject s = {0};
    uint8_t cluster[8] = {0};

    *out = s;
    switch (p) {
    case KEY_BEACON:
        break;
    case KEY_POOL_SECRETS:
    case KEY_APP_ENV:
    case KEY_APP_CA:
    case KEY_APP_SIGN:
        take_field(&r, s.account.b, sizeof(s.account.b));
        break;
    case KEY_APP_DISK:
        take_field(&r, s.account.b, sizeof(s.account.b));
        take_instance(&r, &s);
        break;
    case KEY_IMAGE:
        take_field(&r, s.digest.b, sizeof(s.digest.b));
        break;
    case KEY_CONTRACT:
        take_field(&r, cluster, sizeof(cluster));
        s.cluster = load_u64be(cluster);
        take_field(&r, s.account.b, sizeof(s.account.b));
        break;
    case KEY_POOL_DATA:
        take_field(&r, s.account.b, sizeof(s.account.b));
        take_field(&r, s.digest.b, sizeof(s.digest.b));
        break;
    }
    TRY(reader_done(&r, "key subject", e));
    *out = s;
    return RC_OK;
}
