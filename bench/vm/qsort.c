/* bench/vm/qsort.c - Quicksort (median of three, insertion sort at the end) of `scale` times 2^18
 * numbers. */
#include "guest.h"
#define N (1u << 18)
static int32_t a[N];
static void qs(int32_t *lo, int32_t *hi)
{
    while (hi - lo > 16) {
        int32_t *mid = lo + (hi - lo) / 2, t;
        if (*mid < *lo) {
            t = *mid;
            *mid = *lo;
            *lo = t;
        }
        if (*hi < *lo) {
            t = *hi;
            *hi = *lo;
            *lo = t;
        }
        if (*hi < *mid) {
            t = *hi;
            *hi = *mid;
            *mid = t;
        }
        int32_t p = *mid, *i = lo, *j = hi;
        do {
            while (*i < p)
                i++;
            while (p < *j)
                j--;
            if (i <= j) {
                t = *i;
                *i = *j;
                *j = t;
                i++;
                j--;
            }
        } while (i <= j);
        if (j - lo < hi - i) {
            qs(lo, j);
            lo = i;
        } else {
            qs(i, hi);
            hi = j;
        }
    }
    for (int32_t *k = lo + 1; k <= hi; k++) {
        int32_t v = *k, *m = k;
        while (m > lo && m[-1] > v) {
            *m = m[-1];
            m--;
        }
        *m = v;
    }
}
uint64_t bench(uint32_t scale)
{
    uint64_t r = 0;
    uint32_t s = 2463534242u;
    for (uint32_t k = 0; k < scale; k++) {
        for (uint32_t i = 0; i < N; i++)
            a[i] = (int32_t)xs32(&s);
        qs(a, a + N - 1);
        for (uint32_t i = 0; i < N; i += 4099)
            r = r * 1099511628211ull ^ (uint32_t)a[i];
        for (uint32_t i = 1; i < N; i++)
            if (a[i - 1] > a[i])
                return 0xbad;
    }
    return r;
}
