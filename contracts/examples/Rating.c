/* Rating - stars, told by cohorts. ABI: abi/Rating.json.
 *
 * The law
 * - The first to open it says how many ratings make a cohort.
 * - Each account rates once, with 1 to 5 stars, for good.
 * - Everybody sees how many gave how many stars, of whole cohorts only, and how many wait. So no
 *   rating changes what is seen by itself. An account that signs its query sees its own.
 *
 * In a cluster all of that holds: ratings come sealed. On the public ledger the same source works,
 * and whoever reads the chain reads the ratings. */
#include "Rating.abi.h"
#include "sdk/confidential.h"
#include "sdk/release.h"

#define STARS_MAX 5u
#define COHORT_MIN 2u
#define COHORT_MAX 100u

VALUE(cohort, 1, u64)
MAP(rating_of, 2, address, u64)
COHORTS(ratings, 3)

void Rating_open(u64 size)
{
    if (cohort() != 0)
        revert_AlreadyOpen();
    if (size < COHORT_MIN || size > COHORT_MAX)
        revert_BadCohort(COHORT_MIN, COHORT_MAX);
    cohort_set(size);
}

void Rating_rate(u256 stars)
{
    if (cohort() == 0)
        revert_NotOpen();
    if (stars == 0 || stars > STARS_MAX)
        revert_BadStars(STARS_MAX);
    if (rating_of(msg_caller()) != 0)
        revert_RatedAlready();
    rating_of_set(msg_caller(), (u64)stars);
    ratings_add((u64)stars, cohort());
}

/* By stars, from 1. */
struct u256_list Rating_counts(void)
{
    struct u256_list list = {alloc_array(STARS_MAX, sizeof(u256)), STARS_MAX};

    for (u64 i = 0; i < STARS_MAX; i++)
        list.p[i] = ratings_told(i + 1);
    return list;
}

u256 Rating_waiting(void)
{
    return ratings_waiting();
}

u256 Rating_mine(void)
{
    return rating_of(msg_caller());
}
