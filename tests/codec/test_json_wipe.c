/* What is left in memory of a text with a key in it after it was parsed and freed. */
#include "codec/json.h"
#include "lib/t.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define KEY_SIZE 64
#define MAPPING_MAX ((size_t)256 << 20) /* larger ones hold nothing of ours */

/* Bytes that stand nowhere in memory but where a test writes them: their complement is kept. */
static uint8_t negative[KEY_SIZE];

static void put_key(struct buf *out)
{
    for (size_t i = 0; i < KEY_SIZE; i++)
        buf_u8(out, (uint8_t)~negative[i]);
}

static unsigned count_in(const uint8_t *p, size_t n)
{
    unsigned found = 0;

    for (size_t i = 0; i + KEY_SIZE <= n; i++) {
        size_t k = 0;

        /* the first bytes are enough: the allocator's own notes overwrite some of a freed block */
        while (k < KEY_SIZE / 2 && (p[i + KEY_SIZE / 2 + k] ^ negative[KEY_SIZE / 2 + k]) == 0xff)
            k++;
        found += k == KEY_SIZE / 2;
    }
    return found;
}

/* Digits up to `end`, which is passed over. */
static uint64_t hex_number(const char **p, char end)
{
    uint64_t v = 0;

    for (; **p != end && **p != '\0'; (*p)++)
        v = v << 4 | (uint64_t)(**p <= '9' ? **p - '0' : **p - 'a' + 10);
    (*p)++;
    return v;
}

/* Copies of the key's second half in this process's memory. */
static unsigned copies(void)
{
    static uint8_t chunk[65536]; /* a mapping that is skipped: this one */
    FILE *maps = fopen("/proc/self/maps", "re");
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    unsigned found = 0;
    char line[512];

    CHECK_TRUE(maps != NULL && mem >= 0);
    while (fgets(line, sizeof(line), maps) != NULL) {
        const char *p = line;
        uint64_t from = hex_number(&p, '-'), to = hex_number(&p, ' ');

        if (p[1] != 'w' || to - from > MAPPING_MAX ||
            ((uintptr_t)chunk >= from && (uintptr_t)chunk < to))
            continue;
        for (uint64_t at = from; at < to; at += sizeof(chunk) - KEY_SIZE) {
            size_t want = to - at < sizeof(chunk) ? (size_t)(to - at) : sizeof(chunk);
            ssize_t n = pread(mem, chunk, want, (off_t)at);

            if (n > 0)
                found += count_in(chunk, (size_t)n);
        }
    }
    (void)fclose(maps);
    (void)close(mem);
    return found;
}

static void parse_and_free(void)
{
    struct buf text = {0};
    json_t *v;
    struct err e;

    (void)buf_reserve(&text, 1024); /* grown, it would leave a copy itself */
    buf_put_str(&text, "{\"private_key\":\"");
    put_key(&text);
    buf_put_str(&text, "\",\"more\":[1,2,3]}");
    CHECK_OK(json_parse(&v, buf_bytes(&text), 4096, &e), &e);
    CHECK_INT(json_string_length(json_object_get(v, "private_key")), KEY_SIZE);
    CHECK_TRUE(copies() >= 2); /* the text and jansson's: the search finds what is there */
    json_decref(v);
    wipe(text.p, text.n);
    buf_clear(&text);
}

TEST(a_freed_value_leaves_no_copy)
{
    json_wipe_freed();
    for (size_t i = 0; i < KEY_SIZE; i++)
        negative[i] = (uint8_t)~("0123456789abcdef"[t_rand_below(16)]);
    parse_and_free();
    CHECK_INT(copies(), 0);
}
