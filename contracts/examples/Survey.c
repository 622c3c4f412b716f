/* Survey - counts, and nothing but counts. ABI: abi/Survey.json.
 *
 * The law
 * - The first to open it is the asker: a question, 2 to 16 choices, when it closes, and how few
 *   answers are too few to be told.
 * - Each account has one answer, which it may change until the survey closes.
 * - Until then nobody learns more than how many have answered; after it, the counts, unless they
 *   are too few; who said what, never. An account that signs its query sees its own answer.
 * - After closing anybody may have the result written into a public guestbook.
 *
 * In a cluster all of that holds: answers come sealed, and what is stored is nobody's to read. On
 * the public ledger the same source works, and whoever reads the chain reads the answers. */
#include "Guestbook.calls.h"
#include "Survey.abi.h"
#include "sdk/confidential.h"

#define CHOICES_MAX 16u
#define TEXT_MAX 60u

#define ABOUT(F) F(str, question) F(u64, closes) F(u64, least)
RECORD(about, ABOUT)

VALUE(survey, 1, about)
LIST(choices, 2, str)
MAP(answer_of, 3, address, u64) /* choice + 1 */
MAP(count_of, 4, u64, u64)
VALUE(answers, 5, u64)
VALUE(is_closed, 6, bool)

void Survey_open(str question, struct str_list list, u64 closes, u64 least)
{
    if (choices_count() != 0)
        revert_AlreadyOpen();
    if (question.n > TEXT_MAX || list.n < 2 || list.n > CHOICES_MAX || closes <= block_time())
        revert_BadSurvey();
    survey_set((about){question, closes, least});
    for (u64 i = 0; i < list.n; i++) {
        if (list.p[i].n > TEXT_MAX)
            revert_BadSurvey();
        choices_push(list.p[i]);
    }
}

/* A query sees the time of the last command: close() is one. */
static bool over(void)
{
    return is_closed() || (choices_count() != 0 && block_time() >= survey().closes);
}

static void only_when_over(void)
{
    if (choices_count() == 0)
        revert_NotOpen();
    if (!over())
        revert_StillOpen(survey().closes);
}

void Survey_answer(u256 choice)
{
    address who = msg_caller();
    u64 before = answer_of(who);

    if (choices_count() == 0)
        revert_NotOpen();
    if (over())
        revert_Closed();
    if (choice >= choices_count())
        revert_NoSuchChoice(choices_count());
    if (before == 0)
        answers_set(answers() + 1);
    else
        count_of_set(before - 1, count_of(before - 1) - 1);
    answer_of_set(who, (u64)choice + 1);
    count_of_set((u64)choice, count_of((u64)choice) + 1);
}

void Survey_close(void)
{
    only_when_over();
    is_closed_set(true);
}

struct Survey_question_result Survey_question(void)
{
    u64 n = choices_count();
    struct str_list list = {alloc_array(n, sizeof(str)), n};

    for (u64 i = 0; i < n; i++)
        list.p[i] = choices_at(i);
    return (struct Survey_question_result){survey().question, list, survey().closes, answers(), over()};
}

struct u256_list Survey_counts(void)
{
    u64 n = choices_count();
    struct u256_list list = {alloc_array(n, sizeof(u256)), n};

    only_when_over();
    if (answers() < survey().least)
        revert_TooFewAnswers(answers(), survey().least);
    for (u64 i = 0; i < n; i++)
        list.p[i] = count_of(i);
    return list;
}

u256 Survey_mine(void)
{
    return answer_of(msg_caller());
}

static void put_number(enc *text, u64 v)
{
    u8 digits[20];
    u64 n = sizeof(digits);

    do
        digits[--n] = (u8)('0' + v % 10);
    while ((v /= 10) != 0);
    enc_raw(text, digits + n, sizeof(digits) - n);
}

void Survey_publish(address guestbook)
{
    struct u256_list counts = Survey_counts();
    enc text = {0};

    enc_raw(&text, survey().question.p, survey().question.n);
    for (u64 i = 0; i < counts.n; i++) {
        str choice = choices_at(i);

        enc_raw(&text, i == 0 ? ": " : ", ", 2);
        enc_raw(&text, choice.p, choice.n);
        enc_raw(&text, " ", 1);
        put_number(&text, (u64)counts.p[i]);
    }
    if (!send_out(guestbook, 0, Guestbook_encode_sign(enc_str(&text))))
        revert_text("publish: the guestbook took no entry");
}
