/* biopsies.c - validator of a pool that collects breast biopsy measurements as CSV (demo/data).
 * A contribution is valid when its header is the pool's, it has at least 20 rows, and nine rows of
 * ten are well formed: ten numbers within what the instruments measure, and a diagnosis M or B.
 *   quality     well-formed rows / rows
 *   uniqueness  distinct rows / rows (pasting a row many times does not pay)
 *   ownership   1: the owner's signature over the run stands for it
 *   score       0 unless valid; else quality * uniqueness, quantised to hundredths
 * Nothing about single rows leaves: metadata is the row count, rounded down to tens. */
#include "sdk/validator.h"

#define NUMBERS 10u
#define ROWS_MIN 20u
#define ROWS_MAX 100000u
#define HUNDRED 100u

static const char header[] = "radius,texture,perimeter,area,smoothness,compactness,concavity,"
                             "concave_points,symmetry,fractal_dimension,diagnosis";

/* Largest credible value of each column. */
static const u64 most[NUMBERS] = {100, 100, 700, 10000, 1, 2, 2, 1, 1, 1};

struct count {
    u64 rows, good, distinct;
};

static bool is_diagnosis(str s)
{
    return same_str(s, STR("M")) || same_str(s, STR("B"));
}

static bool is_good(str row)
{
    bool more = true;
    str field;
    u64 v;

    for (u64 i = 0; i < NUMBERS; i++)
        if (!next_field(&row, &more, ',', &field) || !parse_decimal(field, &v) ||
            v > most[i] * 1000000000u)
            return false;
    return next_field(&row, &more, ',', &field) && is_diagnosis(field) && !more;
}

/* 64-bit FNV-1a, for the table of rows seen. */
static u64 hash(str s)
{
    u64 h = 0xcbf29ce484222325u;

    for (u64 i = 0; i < s.n; i++)
        h = (h ^ s.p[i]) * 0x100000001b3u;
    return h;
}

/* False if the row was there. `size` is a power of two above the number of rows. */
static bool remember(str *table, u64 size, str row)
{
    u64 i = hash(row) & (size - 1);

    for (; table[i].p != NULL; i = (i + 1) & (size - 1))
        if (same_str(table[i], row))
            return false;
    table[i] = row;
    return true;
}

static struct count count_rows(str rest)
{
    struct count c = {0};
    u64 size = 64, lines = 0;
    str row;

    for (u64 i = 0; i < rest.n; i++)
        lines += rest.p[i] == '\n';
    while (size < 2 * (lines + 2))
        size *= 2;
    str *table = alloc(size * sizeof(str));

    for (u64 i = 0; i < size; i++)
        table[i] = (str){0};
    while (c.rows < ROWS_MAX && next_line(&rest, &row)) {
        c.rows++;
        c.good += is_good(row);
        c.distinct += remember(table, size, row);
    }
    return c;
}

int validator_main(void)
{
    str rest = input_all(), first = {0};
    struct json j = json_begin();
    struct count c = {0};
    bool ours = next_line(&rest, &first) && same_str(first, STR(header));

    if (ours)
        c = count_rows(rest);
    bool valid = ours && c.rows >= ROWS_MIN && c.good * 10 >= c.rows * 9;
    u64 score = valid ? HUNDRED * c.good / c.rows * c.distinct / c.rows : 0;

    json_u64(&j, "dlp_id", env_u64("DLP_ID", 0));
    json_bool(&j, "valid", valid);
    json_ratio(&j, "score", score, HUNDRED);
    json_ratio(&j, "authenticity", ours, 1);
    json_ratio(&j, "ownership", 1, 1);
    json_ratio(&j, "quality", c.good, c.rows);
    json_ratio(&j, "uniqueness", c.distinct, c.rows);
    json_open(&j, "attributes");
    json_bool(&j, "header_matches", ours);
    json_close(&j);
    json_open(&j, "metadata");
    json_u64(&j, "rows", c.rows / 10 * 10);
    json_close(&j);
    json_end(&j);
    return 0;
}
