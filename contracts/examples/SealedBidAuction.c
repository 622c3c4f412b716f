/* SealedBidAuction - the highest bid wins and pays the second highest. ABI:
 * abi/SealedBidAuction.json.
 *
 * The law
 * - The first to open it is the seller: what is sold, the least it goes for, when it closes.
 * - A bid is a number, covered by the coin its bidder has sent so far. All can see coin, so whoever
 *   wants the number hidden sends more: what is not spent comes back. Bids only rise; of two equal
 *   ones the first wins.
 * - Nobody learns a bid but its bidder. After closing the winner and the price are told: the
 *   highest bid of the others, at least the reserve.
 * - settle() pays the seller; withdraw() pays back what is left, to each bidder on its own. */
#include "SealedBidAuction.abi.h"
#include "sdk/confidential.h"

#define ITEM_MAX 280u

#define LOT(F) F(str, item) F(address, seller) F(u256, reserve) F(u64, closes)
RECORD(lot, LOT)
#define STANDING(F) F(address, leader) F(u256, best) F(u256, second)
RECORD(standing, STANDING)

VALUE(auction, 1, lot)
VALUE(bids, 2, standing)
MAP(bid_of, 3, address, u256)
MAP(deposit_of, 4, address, u256)
VALUE(is_settled, 5, bool)

static bool is_open(void)
{
    return !is_zero(auction().seller);
}

static void only_when_over(void)
{
    if (!is_open())
        revert_NotOpen();
    if (block_time() < auction().closes)
        revert_StillOpen(auction().closes);
}

void SealedBidAuction_open(str item, u256 reserve, u64 closes)
{
    if (is_open())
        revert_AlreadyOpen();
    if (item.n > ITEM_MAX || closes <= block_time())
        revert_BadAuction();
    auction_set((lot){item, msg_caller(), reserve, closes});
}

void SealedBidAuction_bid(u256 amount)
{
    address who = msg_caller();
    standing now = bids();

    if (!is_open())
        revert_NotOpen();
    if (block_time() >= auction().closes)
        revert_Closed();
    deposit_of_set(who, checked_add(deposit_of(who), msg_value()));
    if (amount == 0 || amount < auction().reserve)
        revert_BelowReserve(auction().reserve);
    if (amount <= bid_of(who))
        revert_NotHigher(bid_of(who));
    if (amount > deposit_of(who))
        revert_DepositTooSmall(deposit_of(who));
    bid_of_set(who, amount);
    if (same(now.leader, who)) {
        now.best = amount;
    } else if (amount > now.best) {
        now.second = now.best;
        now.leader = who;
        now.best = amount;
    } else if (amount > now.second) {
        now.second = amount;
    }
    bids_set(now);
}

static u256 price(void)
{
    u256 second = bids().second, reserve = auction().reserve;

    if (is_zero(bids().leader))
        return 0;
    return second > reserve ? second : reserve;
}

void SealedBidAuction_settle(void)
{
    address winner = bids().leader;
    u256 due = price();

    only_when_over();
    if (is_settled())
        revert_AlreadySettled();
    is_settled_set(true);
    if (is_zero(winner))
        return;
    deposit_of_set(winner, checked_sub(deposit_of(winner), due));
    if (due != 0 && !pay(auction().seller, due))
        revert_text("settle: the seller could not be paid");
}

void SealedBidAuction_withdraw(void)
{
    address who = msg_caller();
    u256 left = deposit_of(who);

    if (!is_settled())
        revert_NotSettled();
    if (left == 0)
        revert_NothingToWithdraw();
    deposit_of_set(who, 0);
    if (!pay(who, left))
        revert_text("withdraw: payment failed");
}

struct SealedBidAuction_item_result SealedBidAuction_item(void)
{
    lot a = auction();

    return (struct SealedBidAuction_item_result){a.item, a.seller, a.reserve, a.closes};
}

struct SealedBidAuction_mine_result SealedBidAuction_mine(void)
{
    return (struct SealedBidAuction_mine_result){bid_of(msg_caller()), deposit_of(msg_caller())};
}

struct SealedBidAuction_outcome_result SealedBidAuction_outcome(void)
{
    if (!is_settled())
        revert_NotSettled();
    return (struct SealedBidAuction_outcome_result){bids().leader, price()};
}
