/* wines.c - validator of a pool that collects chemical analyses of wines as CSV (demo/data), as the
 * one program of a container image. Such a validator is any program: it finds the decrypted
 * contribution as the only file in /input, its settings in the environment, and writes
 * /output/results.json. No network, no other files; exit code 0 means that it could judge.
 *
 * A contribution is valid when its header is the pool's, it has at least 20 rows, and nine rows of
 * ten are well formed: thirteen numbers within what such analyses give, and a cultivar 1, 2 or 3.
 *   quality       well-formed rows / rows
 *   uniqueness    distinct rows / rows
 *   authenticity  columns in which the numbers differ / columns: measurements vary
 *   ownership     1: the owner's signature over the run stands for it
 *   score         0 unless valid; else quality * uniqueness * authenticity
 * Nothing about single rows leaves: the public metadata is the number of rows, rounded down to
 * tens. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS 13
#define MAX_SIZE (16u << 20)
#define MIN_ROWS 20u
#define MAX_ROWS 100000u
#define SCALE 10000 /* numbers are kept as ten-thousandths */

static const char HEADER[] =
    "alcohol,malic_acid,ash,alcalinity_of_ash,magnesium,total_phenols,flavanoids,"
    "nonflavanoid_phenols,proanthocyanins,color_intensity,hue,od280_od315,proline,cultivar";

/* What each column can be, in whole units: a wine has 5 to 20 % of alcohol, and so on. */
static const struct {
    long least, most;
} RANGE[NUMBERS] = {{5, 20}, {0, 15}, {0, 10}, {0, 60}, {20, 300}, {0, 10},   {0, 10},
                    {0, 5},  {0, 15}, {0, 30}, {0, 5},  {0, 10},   {50, 5000}};

struct tally {
    unsigned rows, good, distinct;
    long low[NUMBERS], high[NUMBERS]; /* of the good rows */
};

static int fail(const char *what)
{
    fprintf(stderr, "wines: %s\n", what);
    return 1;
}

/* The one file in /input. */
static char *read_input(void)
{
    DIR *dir = opendir("/input");
    struct dirent *entry;
    char path[300] = "";

    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            snprintf(path, sizeof(path), "/input/%s", entry->d_name);
    if (dir != NULL)
        closedir(dir);
    FILE *f = path[0] == 0 ? NULL : fopen(path, "re");
    char *text = malloc(MAX_SIZE + 1);

    if (f == NULL || text == NULL)
        return NULL;
    size_t n = fread(text, 1, MAX_SIZE + 1, f);

    fclose(f);
    if (n > MAX_SIZE || memchr(text, 0, n) != NULL)
        return NULL;
    text[n] = 0;
    return text;
}

static char *next_line(char **rest)
{
    char *line = strsep(rest, "\n");

    if (line == NULL || (*rest == NULL && line[0] == 0))
        return NULL;
    line[strcspn(line, "\r")] = 0;
    return line;
}

/* "14.23" -> 142300. Digits, a point, at most four places; nothing else. */
static bool parse_number(const char *s, long *out)
{
    size_t whole = strspn(s, "0123456789"), places = 0;
    long v = 0;

    if (s[whole] == '.')
        places = strspn(s + whole + 1, "0123456789");
    if (whole == 0 || whole > 9 || places > 4 || (s[whole] == '.' && places == 0) ||
        s[whole + (s[whole] == '.') + places] != 0)
        return false;
    for (; *s != 0; s++)
        if (*s != '.')
            v = v * 10 + (*s - '0');
    for (; places < 4; places++)
        v *= 10;
    *out = v;
    return true;
}

/* Takes `row` apart. */
static bool is_good(char *row, long v[NUMBERS])
{
    for (int i = 0; i < NUMBERS; i++) {
        const char *field = strsep(&row, ",");

        if (field == NULL || !parse_number(field, &v[i]) || v[i] < RANGE[i].least * SCALE ||
            v[i] > RANGE[i].most * SCALE)
            return false;
    }
    return row != NULL && strlen(row) == 1 && strchr("123", row[0]) != NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static unsigned count_distinct(char **rows, unsigned n)
{
    unsigned distinct = 0;

    qsort(rows, n, sizeof(*rows), by_text);
    for (unsigned i = 0; i < n; i++)
        distinct += i == 0 || strcmp(rows[i], rows[i - 1]) != 0;
    return distinct;
}

static bool count(struct tally *t, char *rest)
{
    char **rows = malloc(MAX_ROWS * sizeof(*rows)), *row;

    if (rows == NULL)
        return false;
    while (t->rows < MAX_ROWS && (row = next_line(&rest)) != NULL)
        rows[t->rows++] = row;
    t->distinct = count_distinct(rows, t->rows);
    for (unsigned r = 0; r < t->rows; r++) {
        long v[NUMBERS];

        if (!is_good(rows[r], v))
            continue;
        for (int i = 0; i < NUMBERS; i++) {
            if (t->good == 0 || v[i] < t->low[i])
                t->low[i] = v[i];
            if (t->good == 0 || v[i] > t->high[i])
                t->high[i] = v[i];
        }
        t->good++;
    }
    free(rows);
    return true;
}

static double share(unsigned part, unsigned whole)
{
    return whole == 0 ? 0 : (double)part / whole;
}

int main(void)
{
    const char *pool = getenv("DLP_ID");
    char *rest = read_input();
    struct tally t = {0};
    unsigned varying = 0;

    if (pool == NULL || pool[0] == 0 || pool[strspn(pool, "0123456789")] != 0)
        return fail("DLP_ID is not a number");
    if (rest == NULL)
        return fail("no readable file in /input");
    const char *first = next_line(&rest);
    bool ours = first != NULL && strcmp(first, HEADER) == 0;

    if (ours && !count(&t, rest))
        return fail("out of memory");
    for (int i = 0; i < NUMBERS; i++)
        varying += t.high[i] > t.low[i];
    bool valid = ours && t.rows >= MIN_ROWS && t.good * 10 >= t.rows * 9;
    double quality = share(t.good, t.rows), uniqueness = share(t.distinct, t.rows);
    double authenticity = share(varying, NUMBERS);
    FILE *out = fopen("/output/results.json", "we");

    if (out == NULL)
        return fail("cannot write /output/results.json");
    fprintf(out,
            "{\"dlp_id\": %s, \"valid\": %s, \"score\": %.3f, \"authenticity\": %.3f, "
            "\"ownership\": 1.0, \"quality\": %.3f, \"uniqueness\": %.3f, "
            "\"attributes\": {\"header_matches\": %s}, \"metadata\": {\"rows\": %u}}\n",
            pool, valid ? "true" : "false", valid ? quality * uniqueness * authenticity : 0,
            authenticity, quality, uniqueness, ours ? "true" : "false", t.rows / 10 * 10);
    return fclose(out) == 0 ? 0 : fail("cannot write /output/results.json");
}
