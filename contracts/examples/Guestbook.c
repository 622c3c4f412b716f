/* Guestbook - the worked example of docs/contracts.md. ABI: abi/Guestbook.json.
 *
 * The law
 * - Anybody may write an entry of at most 280 bytes, and leave coin with it.
 * - Entries are never changed and stand in a dense list, so the whole book can be proved.
 * - The first to sign is the host, who alone may take the coin. */
#include "Guestbook.abi.h"

#define TEXT_MAX 280u
#define PAGE_MAX 100u

#define ENTRY(F) F(address, author) F(u64, time) F(str, text)
RECORD(entry, ENTRY)

VALUE(host, 1, address)
LIST(book, 2, entry)
MAP(left_by, 3, address, u256)

u256 Guestbook_sign(str text)
{
    address author = msg_caller();
    u64 index = book_count();

    if (text.n > TEXT_MAX)
        revert_TextTooLong(TEXT_MAX);
    if (index == 0)
        host_set(author);
    book_push((entry){author, block_time(), text});
    left_by_set(author, checked_add(left_by(author), msg_value()));
    emit_Signed(index, author, text);
    return index;
}

struct Entry_list Guestbook_entries(u256 from, u256 limit)
{
    u64 n = book_count(), first = from > n ? n : (u64)from;
    u64 most = limit > PAGE_MAX ? PAGE_MAX : (u64)limit;
    u64 count = most > n - first ? n - first : most;
    struct Entry_list list = {alloc_array(count, sizeof(struct Entry)), count};

    for (u64 i = 0; i < count; i++) {
        entry e = book_at(first + i);

        list.p[i] = (struct Entry){e.author, e.time, e.text};
    }
    return list;
}

u256 Guestbook_entriesCount(void)
{
    return book_count();
}

u256 Guestbook_thanks(address author)
{
    return left_by(author);
}

void Guestbook_withdraw(void)
{
    if (!same(host(), msg_caller()))
        revert_NotHost();
    if (!pay(host(), balance_of_account(self_address())))
        revert_text("withdraw: payment failed");
}
