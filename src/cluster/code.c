#include "cluster/code.h"

#include "cluster/internal/form.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "crypto/random.h"

#define FILE_VERSION 1
#define FILE_HEAD 9u /* version, epoch */
#define CODE_HEAD 5u /* version, length */
#define CODE_CLASS_MIN 4096u
#define CODE_INFO bytes_str("cloister/cluster/code/v1")

_Static_assert(CODE_FILE_MAX == FILE_HEAD + HPKE_OVERHEAD + 2 * STATE_CODE_MAX, "the largest file");

enum rc code_salt(struct secbuf *out, struct hash32 *code_hash, struct bytes elf, struct err *e)
{
    uint8_t salt[CODE_SALT_SIZE];
    struct bytes whole, rest;

    *code_hash = (struct hash32){{0}};
    TRY(code_split(elf, &whole, &rest, e));
    if (rest.n != 0)
        return err_set(e, RC_MALFORMED, "%zu bytes follow the end of the ELF", rest.n);
    if (elf.n > STATE_CODE_MAX - CODE_SALT_SIZE)
        return err_set(e, RC_LIMIT, "the ELF has %zu bytes, at most %u where it is encrypted",
                       elf.n, STATE_CODE_MAX - CODE_SALT_SIZE);
    random_bytes(salt, sizeof(salt));
    secbuf_put_bytes(out, elf);
    secbuf_put(out, salt, sizeof(salt));
    wipe(salt, sizeof(salt));
    keccak256(code_hash, secbuf_bytes(out));
    return RC_OK;
}

static void code_aad(struct buf *out, const struct code_context *c)
{
    put_lp_u64(out, c->chain_id);
    put_lp(out, BYTES_OF(&c->genesis));
    put_lp_u64(out, c->cluster);
    put_lp(out, BYTES_OF(&c->contract));
    put_lp_u64(out, c->epoch);
    put_lp(out, BYTES_OF(&c->code_hash));
}

enum rc code_seal(struct buf *out, const struct code_context *c, const uint8_t public32[32],
                  struct bytes program, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};
    size_t before = out->n, size = class_of(CODE_HEAD + program.n, CODE_CLASS_MIN);
    struct hash32 h;
    uint8_t be[4];
    enum rc rc;

    keccak256(&h, program);
    CHECK(hash32_eq(&h, &c->code_hash) && program.n <= STATE_CODE_MAX);
    (void)secbuf_reserve(&plain, size);
    secbuf_u8(&plain, FILE_VERSION);
    store_u32be(be, (uint32_t)program.n);
    secbuf_put(&plain, be, sizeof(be));
    secbuf_put_bytes(&plain, program);
    (void)secbuf_extend(&plain, size - plain.n);
    code_aad(&aad, c);
    buf_u8(out, FILE_VERSION);
    buf_u64be(out, c->epoch);
    rc = hpke_seal(out, public32, CODE_INFO, buf_bytes(&aad), secbuf_bytes(&plain), NULL, e);
    if (rc != RC_OK)
        out->n = before;
    return rc;
}

enum rc code_file_epoch(uint64_t *epoch, struct bytes file, struct err *e)
{
    *epoch = 0;
    if (file.n > CODE_FILE_MAX)
        return err_set(e, RC_LIMIT, "encrypted code: %zu bytes, at most %u", file.n, CODE_FILE_MAX);
    return sealed_epoch(epoch, file, FILE_VERSION, CODE_CLASS_MIN, "encrypted code", e);
}

/* Without a salt its hash would let anybody try guesses of the program. */
static enum rc check_program(struct bytes program, const struct code_context *c, struct err *e)
{
    struct bytes elf, salt;
    struct hash32 h;

    keccak256(&h, program);
    if (!hash32_eq(&h, &c->code_hash))
        return err_set(e, RC_DENIED, "encrypted code: it is not what the chain names");
    if (code_split(program, &elf, &salt, NULL) != RC_OK || salt.n != CODE_SALT_SIZE)
        return err_set(e, RC_MALFORMED, "encrypted code: not an ELF and %u bytes of salt",
                       CODE_SALT_SIZE);
    return RC_OK;
}

enum rc code_open(struct secbuf *out, const struct code_context *c, const struct secret32 *receive,
                  struct bytes file, struct err *e)
{
    AUTO_CLEAR(secbuf) struct secbuf plain = {0};
    AUTO_CLEAR(buf) struct buf aad = {0};
    struct bytes program;
    uint64_t epoch;
    uint32_t n;

    TRY(code_file_epoch(&epoch, file, e));
    if (epoch != c->epoch)
        return err_set(e, RC_DENIED, "encrypted code: sealed for epoch %llu, not %llu",
                       (unsigned long long)epoch, (unsigned long long)c->epoch);
    code_aad(&aad, c);
    TRY(hpke_open(&plain, receive, CODE_INFO, buf_bytes(&aad),
                  bytes_of(file.p + FILE_HEAD, file.n - FILE_HEAD), e));
    n = load_u32be(plain.p + 1);
    if (plain.p[0] != FILE_VERSION || n > STATE_CODE_MAX ||
        plain.n != class_of(CODE_HEAD + (size_t)n, CODE_CLASS_MIN) ||
        !all_zero(bytes_of(plain.p + CODE_HEAD + n, plain.n - CODE_HEAD - n)))
        return err_set(e, RC_MALFORMED, "encrypted code: what is in it is not in code's form");
    program = bytes_of(plain.p + CODE_HEAD, n);
    TRY(check_program(program, c, e));
    secbuf_put_bytes(out, program);
    return RC_OK;
}

bool code_url_is_sealed(struct bytes *url, struct bytes text)
{
    const size_t n = sizeof(CODE_URL_SEALED) - 1;
    bool is_sealed = text.n >= n && memcmp(text.p, CODE_URL_SEALED, n) == 0;

    *url = is_sealed ? bytes_of(text.p + n, text.n - n) : text;
    return is_sealed;
}
