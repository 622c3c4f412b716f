/* bench/vm/mix.c - Linked lists, small matrices, a state machine and CRC-16, `scale` rounds. */
#include "guest.h"
typedef struct node {
    struct node *next;
    int16_t key, idx;
} node;
#define LN 256
static node pool[LN];
static uint16_t crc16(uint16_t c, uint16_t v)
{
    for (int i = 0; i < 16; i++) {
        uint16_t b = (c ^ v) & 1;
        c >>= 1;
        v >>= 1;
        if (b)
            c ^= 0xa001;
    }
    return c;
}
static int cmp_key(const node *a, const node *b)
{
    return a->key - b->key;
}
static int cmp_idx(const node *a, const node *b)
{
    return a->idx - b->idx;
}
static node *msort(node *l, int (*cmp)(const node *, const node *))
{
    for (int w = 1;; w *= 2) {
        node *p = l, *tail = 0;
        l = 0;
        int merges = 0;
        while (p) {
            merges++;
            node *q = p;
            int ps = 0, qs_ = w;
            for (int i = 0; i < w && q; i++) {
                ps++;
                q = q->next;
            }
            while (ps || (qs_ && q)) {
                node *e;
                if (!ps) {
                    e = q;
                    q = q->next;
                    qs_--;
                } else if (!qs_ || !q || cmp(p, q) <= 0) {
                    e = p;
                    p = p->next;
                    ps--;
                } else {
                    e = q;
                    q = q->next;
                    qs_--;
                }
                if (tail)
                    tail->next = e;
                else
                    l = e;
                tail = e;
            }
            p = q;
        }
        tail->next = 0;
        if (merges <= 1)
            return l;
    }
}
static node *reverse(node *l)
{
    node *r = 0;
    while (l) {
        node *n = l->next;
        l->next = r;
        r = l;
        l = n;
    }
    return r;
}
#define MN 18
static int16_t A[MN][MN], Bm[MN][MN];
static int32_t C[MN][MN];
static uint16_t matrix(uint16_t c, int16_t v)
{
    for (int i = 0; i < MN; i++)
        for (int j = 0; j < MN; j++)
            A[i][j] += v;
    for (int i = 0; i < MN; i++)
        for (int j = 0; j < MN; j++) {
            int32_t s = 0;
            for (int k = 0; k < MN; k++)
                s += (int32_t)A[i][k] * Bm[k][j];
            C[i][j] = s;
        }
    for (int i = 0; i < MN; i++)
        for (int j = 0; j < MN; j++)
            c = crc16(c, (uint16_t)(C[i][j] >> 2 ^ C[j][i] >> 9));
    for (int i = 0; i < MN; i++)
        for (int j = 0; j < MN; j++)
            A[i][j] -= v;
    return c;
}
static const char text[] = "5012,1234,-874,+122,35.54400,.1234500,-110.700,+0.64400,5.500e+3,-."
                           "123e-2,-87e+832,+0.6e-12,T0.3e-1F,-T.T++Tq,1T3.4e4z,34.0e-T^";
static uint16_t fsm(uint16_t c, uint32_t seed)
{
    uint32_t cnt[8] = {0};
    int st = 0;
    for (int rep = 0; rep < 4; rep++)
        for (const char *p = text; *p; p++) {
            char ch = (char)(*p ^ ((seed >> rep) & ((p - text) % 61 == 0)));
            switch (st) {
            case 0:
                if (ch >= '0' && ch <= '9')
                    st = 1;
                else if (ch == '+' || ch == '-')
                    st = 2;
                else if (ch == '.')
                    st = 3;
                else
                    st = 7;
                break;
            case 2:
                if (ch >= '0' && ch <= '9')
                    st = 1;
                else if (ch == '.')
                    st = 3;
                else
                    st = 7;
                break;
            case 1:
                if (ch == '.')
                    st = 3;
                else if (ch == 'e')
                    st = 4;
                else if (ch < '0' || ch > '9')
                    st = 7;
                break;
            case 3:
                if (ch == 'e' || ch == 'E')
                    st = 4;
                else if (ch < '0' || ch > '9')
                    st = 7;
                break;
            case 4:
                if (ch == '+' || ch == '-')
                    st = 5;
                else
                    st = 7;
                break;
            case 5:
                if (ch >= '0' && ch <= '9')
                    st = 6;
                else
                    st = 7;
                break;
            case 6:
                if (ch < '0' || ch > '9')
                    st = 7;
                break;
            default:
                break;
            }
            cnt[st]++;
            if (ch == ',')
                st = 0;
        }
    for (int i = 0; i < 8; i++)
        c = crc16(c, (uint16_t)cnt[i]);
    return c;
}
uint64_t bench(uint32_t scale)
{
    uint32_t s = 42;
    uint16_t c = 0;
    uint64_t r = 0;
    for (int i = 0; i < MN; i++)
        for (int j = 0; j < MN; j++) {
            A[i][j] = (int16_t)(xs32(&s) & 255);
            Bm[i][j] = (int16_t)(xs32(&s) & 255);
        }
    for (int i = 0; i < LN; i++) {
        pool[i].next = i + 1 < LN ? &pool[i + 1] : 0;
        pool[i].key = (int16_t)xs32(&s);
        pool[i].idx = (int16_t)i;
    }
    node *l = pool;
    for (uint32_t it = 0; it < scale; it++) {
        for (int f = 0; f < 16; f++) {
            int16_t want = (int16_t)((it * 7 + f * 31) & 255);
            node *n = l;
            while (n && n->idx != want)
                n = n->next;
            if (n)
                c = crc16(c, (uint16_t)n->key);
            l = reverse(l);
        }
        l = msort(l, cmp_key);
        c = crc16(c, (uint16_t)l->key);
        c = matrix(c, (int16_t)(it & 15));
        c = fsm(c, it);
        l = msort(l, cmp_idx);
        pool[it & (LN - 1)].key ^= (int16_t)c;
        r = r * 31 + c;
    }
    return r;
}
