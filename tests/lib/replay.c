/* Gives a fuzz target each of the files named on the command line (folders: all files in them). */
#include "base/buf.h"
#include "base/err.h"

#include <dirent.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t n_files;

static void replay(const char *path)
{
    AUTO_CLEAR(buf) struct buf b = {0};
    DIR *d = opendir(path);
    size_t n;
    FILE *f;

    if (d != NULL) {
        const struct dirent *ent;

        while ((ent = readdir(d)) != NULL)
            if (ent->d_name[0] != '.') {
                char *sub = xasprintf("%s/%s", path, ent->d_name);

                replay(sub);
                free(sub);
            }
        (void)closedir(d);
        return;
    }
    f = fopen(path, "rb");
    CHECK(f != NULL);
    do {
        n = fread(buf_reserve(&b, 65536), 1, 65536, f);
        b.n += n;
    } while (n != 0);
    (void)fclose(f);
    /* An exact copy, so that reading one byte too far is seen. */
    uint8_t *copy = xmemdup(b.p, b.n);

    (void)LLVMFuzzerTestOneInput(copy, b.n);
    free(copy);
    n_files++;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    (void)printf("%zu inputs replayed\n", n_files);
    return n_files == 0;
}
