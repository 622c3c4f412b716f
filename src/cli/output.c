/* What people and scripts see. */
#include "base/hex.h"
#include "chain/address.h"
#include "cli/internal/command.h"

#include <stdio.h>
#include <unistd.h>

void cli_step(const struct cli *cli, const char *fmt, ...)
{
    va_list ap;

    if (cli->quiet || cli->json)
        return;
    va_start(ap, fmt);
    (void)fprintf(stderr, "  ");
    (void)vfprintf(stderr, fmt, ap);
    (void)fprintf(stderr, "\n");
    va_end(ap);
}

void cli_print(const struct cli *cli, const char *fmt, ...)
{
    va_list ap;

    if (cli->json)
        return;
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    (void)printf("\n");
    va_end(ap);
}

void cli_field(const struct cli *cli, const char *name, const char *fmt, ...)
{
    va_list ap;

    if (cli->json)
        return;
    va_start(ap, fmt);
    (void)printf(cli->color ? "\033[2m%-14s\033[0m " : "%-14s ", name);
    (void)vprintf(fmt, ap);
    (void)printf("\n");
    va_end(ap);
}

void cli_json(const struct cli *cli, json_t *v)
{
    CHECK(v != NULL);
    if (cli->json) {
        char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

        CHECK(text != NULL);
        (void)printf("%s\n", text);
        free(text);
    }
    json_decref(v);
}

void cli_hint(const struct cli *cli, const char *fmt, ...)
{
    va_list ap;

    if (cli->quiet || cli->json || isatty(STDERR_FILENO) != 1)
        return;
    va_start(ap, fmt);
    (void)fprintf(stderr, "next: ");
    (void)vfprintf(stderr, fmt, ap);
    (void)fprintf(stderr, "\n");
    va_end(ap);
}

const char *cli_addr_text(struct cli *cli, const struct address *a)
{
    char *text = arena_alloc(&cli->mem, ADDRESS_TEXT_SIZE);

    address_format(text, a);
    return text;
}

const char *cli_amount_text(struct cli *cli, const struct u256 *v)
{
    AUTO_CLEAR(buf) struct buf b = {0};

    u256_put_units(&b, v, 18);
    return arena_strdup(&cli->mem, buf_bytes(&b));
}

const char *cli_hash_text(struct cli *cli, const struct hash32 *h)
{
    char *text = arena_alloc(&cli->mem, 67);

    memcpy(text, "0x", 2);
    hex_encode(text + 2, BYTES_OF(h));
    return text;
}
