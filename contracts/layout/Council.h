/* layout/Council.h - what Council keeps; see layout/TeePool.h for who reads this. */
enum action_status { ACTION_NONE, ACTION_PROPOSED, ACTION_EXECUTED, ACTION_CANCELED };

#define ACTION(F)                                                                                  \
    F(address, to) F(str, data) F(u64, proposed_at) F(u64, not_before) F(u64, status)              \
    F(u64, generation)
RECORD(action, ACTION)

SET(member_set, 1, address)
VALUE(needed, 2, u64)
VALUE(wait, 3, u64)
VALUE(insecure_no_delay, 4, bool)
VALUE(last_id, 5, u256)
MAP(action_of, 6, u256, action)
LIST_OF(signatures_of, 7, u256, str)
MAP2(urgent, 8, address, u64, bool)   /* selector as a number */
VALUE(generation, 9, u64)             /* of the members: 1, 2, ... */
LIST_OF(members_of, 10, u64, address) /* generation -> members */
