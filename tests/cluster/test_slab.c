#include "base/mem.h"
#include "cluster/internal/slab.h"
#include "lib/t.h"

/* Pieces of all sizes, each with a pattern of its own: none lies on another, freed ones are used
 * again. */
TEST(slab_property)
{
    enum { N = 400 };
    struct slab s = {0};
    uint8_t *pieces[N] = {0};
    size_t sizes[N];

    for (uint64_t round = 0; round < t_times(20000); round++) {
        size_t i = (size_t)t_rand_below(N);

        if (pieces[i] != NULL) {
            for (size_t k = 0; k < sizes[i]; k += 1 + sizes[i] / 64)
                CHECK_INT(pieces[i][k], (uint8_t)i);
            CHECK_INT(pieces[i][sizes[i] - 1], (uint8_t)i);
            slab_free(&s, pieces[i], sizes[i]);
            pieces[i] = NULL;
            continue;
        }
        sizes[i] = 8 + (size_t)t_rand_below((uint64_t)8 << t_rand_below(14));
        pieces[i] = slab_alloc(&s, sizes[i]);
        CHECK_INT((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)i, sizes[i]);
    }
    slab_clear(&s);
    CHECK_INT(s.total, 0);
}

/* Little is lost to classes, and nothing grows where pieces of one size come and go. */
TEST(slab_waste)
{
    struct slab s = {0};
    size_t before;

    for (size_t n = 513; n < SLAB_MAX; n += 1 + n / 3) {
        size_t left = s.left;
        uint8_t *p = slab_alloc(&s, n);

        if (left >= n + n / 16 + 16)
            CHECK_TRUE(left - s.left <= n + n / 16 + 16);
        slab_free(&s, p, n);
    }
    CHECK_TRUE(slab_alloc(&s, SLAB_MAX) != NULL);
    void *again = slab_alloc(&s, 1000);

    before = s.total;
    for (unsigned i = 0; i < 100000; i++) {
        slab_free(&s, again, 1000);
        again = slab_alloc(&s, 990);
        CHECK_TRUE(again != NULL);
        slab_free(&s, again, 990);
        again = slab_alloc(&s, 1000);
    }
    CHECK_INT(s.total, before);
    slab_clear(&s);
}
