/* The worked example of docs/contracts.md. */
#include "chain/gen/guestbook.h"
#include "contracts/net.h"

static enum world_outcome sign(struct world *w, struct address who, struct address book,
                               uint64_t coin, const char *text)
{
    struct buf b = {0};

    guestbook_put_sign(&b, bytes_str(text));
    return world_call(w, who, book, coin, &b);
}

TEST(entries_stay_in_order)
{
    struct world w;
    struct buf b = {0};
    struct err e;
    struct guestbook_Entry_list list;
    struct address alice = world_account(1), bob = world_account(2);

    world_init(&w);
    struct address book = world_place(&w, "Guestbook");

    CHECK_CALL(&w, sign(&w, alice, book, 0, "hello"));
    CHECK_CALL(&w, sign(&w, bob, book, 0, "here too"));
    guestbook_put_entries(&b, REF(u256, U(0)), REF(u256, U(1000)));
    CHECK_CALL(&w, world_view(&w, book, &b));
    CHECK_OK(guestbook_get_entries(&list, &w.a, w.ret, &e), &e);
    CHECK_INT(list.n, 2);
    CHECK_MEM(list.p[1].text, bytes_str("here too"));
    CHECK_ADDRESS(list.p[0].author, alice);
    guestbook_put_entries(&b, REF(u256, ((struct u256){{0, 1, 0, 0}})), REF(u256, U(3)));
    CHECK_CALL(&w, world_view(&w, book, &b));
    CHECK_OK(guestbook_get_entries(&list, &w.a, w.ret, &e), &e);
    CHECK_INT(list.n, 0);
    /* what a state proof of the second entry shows: tag 2, element, index 1 */
    struct bytes stored = world_storage(&w, book, bytes_of("\x02\x01\x01\x01", 4));

    CHECK_MEM(bytes_of(stored.p, 20), BYTES_OF(&bob));
    CHECK_MEM(bytes_of(stored.p + stored.n - 9, 9), bytes_str("\x08here too"));
    world_clear(&w);
}

TEST(only_the_host_takes_the_coin)
{
    struct world w;
    struct buf b = {0};
    struct address alice = world_account(1), bob = world_account(2);
    char long_text[282];

    world_init(&w);
    struct address book = world_place(&w, "Guestbook");

    world_set_balance(&w, bob, 70);
    CHECK_CALL(&w, sign(&w, alice, book, 0, "hello"));
    CHECK_CALL(&w, sign(&w, bob, book, 70, "thank you"));
    guestbook_put_withdraw(&b);
    CHECK_REVERT(&w, world_call(&w, bob, book, 0, &b), "NotHost()");
    guestbook_put_withdraw(&b);
    CHECK_CALL(&w, world_call(&w, alice, book, 0, &b));
    CHECK_U256(world_balance(&w, alice), 70);
    memset(long_text, 'x', 281);
    long_text[281] = 0;
    CHECK_REVERT(&w, sign(&w, bob, book, 0, long_text), "TextTooLong(uint256)");
    world_clear(&w);
}
