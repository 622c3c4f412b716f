/* tools/abigen.c - build tool: C from an ABI JSON file (src/abigen does the work).
 *   abigen contract FILE.json NAME FOLDER     FOLDER/NAME.abi.h, NAME.abi.c, NAME.calls.h
 *   abigen client FILE.json NAME OUT.h        the header our own programs use */
#include "abigen/abigen.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "abigen: %s: %s\n", what, why);
    return 1;
}

static int read_file(struct buf *out, const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t n;

    if (f == NULL)
        return fail(path, "cannot be opened");
    do {
        n = fread(buf_reserve(out, 65536), 1, 65536, f);
        out->n += n;
    } while (n != 0 && out->n <= ABIGEN_JSON_MAX);
    bool bad = ferror(f) != 0;

    (void)fclose(f);
    return bad ? fail(path, "cannot be read") : 0;
}

static int write_file(const struct buf *b, const char *path)
{
    FILE *f = fopen(path, "wb");

    if (f == NULL)
        return fail(path, "cannot be created");
    bool bad = fwrite(b->p, 1, b->n, f) != b->n;

    bad |= fclose(f) != 0;
    return bad ? fail(path, "cannot be written") : 0;
}

static int contract(struct bytes json, const char *name, const char *folder)
{
    static const char *const suffix[3] = {"abi.h", "abi.c", "calls.h"};
    struct buf out[3] = {0};
    struct err e;
    int bad = 0;

    if (abigen_contract(&out[0], &out[1], &out[2], json, name, &e) != RC_OK)
        bad = fail(name, e.msg);
    for (size_t i = 0; i < 3; i++) {
        AUTO_FREE char *path = xasprintf("%s/%s.%s", folder, name, suffix[i]);

        if (bad == 0)
            bad = write_file(&out[i], path);
        buf_clear(&out[i]);
    }
    return bad;
}

static int client(struct bytes json, const char *name, const char *path)
{
    AUTO_CLEAR(buf) struct buf out = {0};
    struct err e;

    if (abigen_client(&out, json, name, &e) != RC_OK)
        return fail(name, e.msg);
    return write_file(&out, path);
}

int main(int argc, char **argv)
{
    AUTO_CLEAR(buf) struct buf json = {0};

    if (argc != 5) {
        fprintf(stderr, "usage: abigen contract FILE.json NAME FOLDER\n"
                        "       abigen client FILE.json NAME OUT.h\n");
        return 2;
    }
    if (read_file(&json, argv[2]) != 0)
        return 1;
    if (strcmp(argv[1], "contract") == 0)
        return contract(buf_bytes(&json), argv[3], argv[4]);
    if (strcmp(argv[1], "client") == 0)
        return client(buf_bytes(&json), argv[3], argv[4]);
    return fail(argv[1], "not a command");
}
