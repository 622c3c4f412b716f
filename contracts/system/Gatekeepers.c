/* Gatekeepers - who holds the shares of this network's keys. ABI: abi/Gatekeepers.json (ours).
 * Formats and the keepers' own rules: docs/keys.md.
 *
 * The law
 * - The council starts a round: it names the keepers and the threshold t. t is at least 2, n at
 * least 2t - 1. Each keeper must be attested as one; of one operator, and of one hardware vendor,
 * at most t - 1, so that none of them has a key alone. Only a chain that said so at its start lets
 * one vendor have more.
 * - A refresh, which is a round with the same keepers and threshold, may be started by any of them
 *   once it is due. One round at a time.
 * - In a round its dealers and receivers post messages: each one of a kind, while the round lasts.
 *   They are kept in order with their heights. What they mean (phases, deadlines, who is qualified)
 *   is a function of that list which every keeper computes; this contract does not.
 * - A sharing becomes active when it is brought here with at least n - t + 1 confirmations of it in
 *   the round: proofs that a keeper holds its share. More than t - 1 of them means an honest one
 *   computed it. A resharing keeps the public key. It is in force a little later; until then the
 *   old one is.
 * - A beacon is taken when t keepers of the sharing in force prove their parts of it: one value a
 *   height, of heights that have come, in any order: no value depends on who brings it, nor when.
 * - Where custodians are named, for good, at the start, each keeper of the sharing in force leaves one
 *   backup of its share, for the day when too many are gone at once. That day the council says which
 *   accounts hold those shares from now on; the next resharing is dealt by them. Whether such an
 *   account gets a share is the custodians' to say, not this contract's.
 * - Keepers report what they release. Nothing here grants anything: it is evidence for later.
 * - The council lists what applications in machines of their own may be started from. They are never
 *   on the list of workers. */
#include "Gatekeepers.abi.h"

#include "Workers.calls.h"
#include "layout/Gatekeepers.h"
#include "sdk/init.h"
#include "sdk/ristretto.h"

#define ROLE_KEEPER 4u
#define T_MIN 2u
#define T_MAX 16u
#define N_MAX 32u
#define PHASE_HEIGHTS_MAX 100000u
#define PHASES 5u         /* that take messages */
#define HEADER_SIZE 34u   /* version, type, round id */
#define MESSAGE_MAX 3200u /* the largest deal has 3,108 */
#define CONFIRM 5u
#define CONFIRM_SIZE (HEADER_SIZE + 96u)

static void only_council(void)
{
    if (!same(msg_caller(), administrator()))
        revert_OnlyCouncil();
}

/* ---- administration: the council ---- */

static void set_timing(u64 phase, u64 delay, u64 refresh)
{
    if (phase == 0 || phase > PHASE_HEIGHTS_MAX || delay > PHASE_HEIGHTS_MAX)
        revert_InvalidTiming(PHASE_HEIGHTS_MAX);
    phase_heights_set(phase);
    activation_delay_set(delay);
    refresh_after_set(refresh);
    emit_TimingUpdated(phase, delay, refresh);
}

/* None, or such that t of them are no fewer than half: as keepers are. */
static void set_custodians(u64 t, struct bytes32_list keys)
{
    enc e = {0};

    if (keys.n == 0 && t == 0)
        return;
    if (t < T_MIN || t > T_MAX || keys.n < 2 * t - 1 || keys.n > N_MAX)
        revert_InvalidCustodians();
    *enc_room(&e, 1) = (u8)t;
    *enc_room(&e, 1) = (u8)keys.n;
    for (u64 i = 0; i < keys.n; i++) {
        for (u64 k = 0; k < i; k++) {
            if (same32(keys.p[k], keys.p[i]))
                revert_InvalidCustodians();
        }
        enc_raw(&e, &keys.p[i], 32);
    }
    custodian_keys_set(enc_str(&e));
}

void Gatekeepers_initialize(address council, address workers, u64 phaseHeights, u64 activationDelay,
                            u64 refreshAfter, bool insecureOneVendor, u64 custodyThreshold,
                            struct bytes32_list custodians)
{
    initializer();
    administrator_set(council);
    workers_contract_set(workers);
    insecure_one_vendor_set(insecureOneVendor);
    set_timing(phaseHeights, activationDelay, refreshAfter);
    set_custodians(custodyThreshold, custodians);
}

void Gatekeepers_setCouncil(address council)
{
    only_council();
    administrator_set(council);
    emit_CouncilUpdated(council);
}

void Gatekeepers_setTiming(u64 phaseHeights, u64 activationDelay, u64 refreshAfter)
{
    only_council();
    set_timing(phaseHeights, activationDelay, refreshAfter);
}

/* ---- which sharing is in force ---- */

static u64 round_in_force(void)
{
    u64 next = next_round();

    if (next != 0 && block_height() >= round_of(next).activation_height)
        return next;
    return current_round();
}

/* A keyset: version 1, genesis 32, generation 8, round 8, t 1, n 1, public key 32, then n times
 * account 20 and commitment 32. */
#define KEYSET_PUBLIC_KEY 51u
#define KEYSET_MEMBERS 83u
#define KEYSET_MEMBER 52u

static address keyset_account(str keys, u64 i)
{
    address who;

    memcpy(&who, keys.p + KEYSET_MEMBERS + KEYSET_MEMBER * i, 20);
    return who;
}

static bytes32 keyset_commitment(str keys, u64 i)
{
    bytes32 c;

    memcpy(&c, keys.p + KEYSET_MEMBERS + KEYSET_MEMBER * i + 20, 32);
    return c;
}

static u64 keyset_n(str keys)
{
    return keys.n == 0 ? 0 : keys.p[50];
}

/* Index from 1; 0: not one of them. */
static u64 keeper_index(str keys, address who)
{
    for (u64 i = 0; i < keyset_n(keys); i++) {
        if (same(keyset_account(keys, i), who))
            return i + 1;
    }
    return 0;
}

/* ---- rounds ---- */

/* t - 1 of one operator or vendor cannot make a key; one more could. */
static void check_caps(struct address_list keepers, u64 t)
{
    struct Workers_WorkerInfo *info = alloc_array(keepers.n, sizeof(struct Workers_WorkerInfo));

    for (u64 i = 0; i < keepers.n; i++) {
        u64 operators = 0, vendors = 0;

        if (!Workers_call_isActive(workers_contract(), keepers.p[i], ROLE_KEEPER))
            revert_NotAttested(keepers.p[i]);
        info[i] = Workers_call_workers(workers_contract(), keepers.p[i]);
        for (u64 k = 0; k <= i; k++) {
            operators += same(info[k].operator, info[i].operator);
            vendors += same32(info[k].root, info[i].root);
            if (k < i && same(keepers.p[k], keepers.p[i]))
                revert_InvalidKeepers();
        }
        if (operators > t - 1)
            revert_TooManyOfOneOperator(info[i].operator, t - 1);
        if (vendors > t - 1 && !insecure_one_vendor())
            revert_TooManyOfOneVendor(info[i].root, t - 1);
    }
}

/* Version 1, kind, genesis, generation, round, t, n, accounts, start, phase, delay, lp(old keyset):
 * as keys/dkg.h encodes them. */
static str encode_params(key_round r, u64 number, struct address_list keepers, str old)
{
    bytes32 genesis = genesis_hash();
    u8 head[2] = {1, (u8)r.kind}, sizes[2] = {(u8)r.t, (u8)r.n};
    enc e = {0};

    enc_raw(&e, head, 2);
    enc_raw(&e, &genesis, 32);
    u64be_put(&e, r.generation);
    u64be_put(&e, number);
    enc_raw(&e, sizes, 2);
    for (u64 i = 0; i < keepers.n; i++)
        enc_raw(&e, &keepers.p[i], 20);
    u64be_put(&e, r.start_height);
    u64be_put(&e, phase_heights());
    u64be_put(&e, activation_delay());
    lp_put(&e, old.p, old.n);
    return enc_str(&e);
}

static bool is_open(key_round r)
{
    return r.status == ROUND_OPEN && block_height() < r.end_height + phase_heights();
}

/* The sharing with the accounts that hold its shares now. */
static str held_keyset(u64 number)
{
    str keys = keyset_of(number), holders = holders_of(number);
    u8 *copy = alloc(keys.n);

    if (holders.n == 0)
        return keys;
    memcpy(copy, keys.p, keys.n);
    for (u64 i = 0; i < keyset_n(keys); i++)
        memcpy(copy + KEYSET_MEMBERS + KEYSET_MEMBER * i, holders.p + 20 * i, 20);
    return (str){copy, keys.n};
}

static u64 begin(u64 kind, u64 t, struct address_list keepers)
{
    u64 number = last_round() + 1, in_force = round_in_force(), next = next_round();
    key_round old = round_of(in_force);
    enc id = {0};

    if (is_open(round_of(last_round())))
        revert_RoundOpen(last_round());
    if (next != 0 && next != in_force)
        revert_RoundOpen(next);
    if (t < T_MIN || t > T_MAX || keepers.n < 2 * t - 1 || keepers.n > N_MAX)
        revert_InvalidKeepers();
    if (kind == ROUND_RESHARE && in_force == 0)
        revert_NothingToReshare();
    check_caps(keepers, t);
    key_round r = {.kind = kind,
               .generation = kind == ROUND_RESHARE ? old.generation : old.generation + 1,
               .t = t,
               .n = keepers.n,
               .status = ROUND_OPEN,
               .start_height = block_height() + 1};
    r.end_height = r.start_height + PHASES * phase_heights();
    r.params =
        encode_params(r, number, keepers, kind == ROUND_RESHARE ? held_keyset(in_force) : (str){0});
    LP_LABEL(&id, "cloister/dkg/round/v1");
    enc_raw(&id, r.params.p, r.params.n);
    r.id = sha256_of(enc_str(&id));
    round_of_set(number, r);
    last_round_set(number);
    emit_RoundStarted(number, r.id, r.params);
    return number;
}

u64 Gatekeepers_startRound(u64 kind, u64 t, struct address_list keepers)
{
    only_council();
    if (kind != ROUND_GENERATE && kind != ROUND_RESHARE)
        revert_InvalidKind();
    return begin(kind, t, keepers);
}

u64 Gatekeepers_refresh(void)
{
    u64 number = round_in_force();
    key_round r = round_of(number);
    str keys = keyset_of(number);
    struct address_list same_again = {alloc_array(r.n, sizeof(address)), r.n};

    if (number == 0 || keeper_index(keys, msg_caller()) == 0)
        revert_NotKeeper();
    if (refresh_after() == 0 || block_height() < r.activation_height + refresh_after())
        revert_NotDue(r.activation_height + refresh_after());
    for (u64 i = 0; i < r.n; i++)
        same_again.p[i] = keyset_account(keys, i);
    return begin(ROUND_RESHARE, r.t, same_again);
}

/* Where the accounts of the new keepers stand in the parameters. */
#define PARAMS_ACCOUNTS 52u

static u64 receiver_index(key_round r, address who)
{
    for (u64 i = 0; i < r.n; i++) {
        address a;

        memcpy(&a, r.params.p + PARAMS_ACCOUNTS + 20 * i, 20);
        if (same(a, who))
            return i + 1;
    }
    return 0;
}

static str old_keyset(key_round r)
{
    u64 at = PARAMS_ACCOUNTS + 20 * r.n + 24 + 4;

    return (str){r.params.p + at, r.params.n - at};
}

void Gatekeepers_post(u64 number, str body)
{
    key_round r = round_of(number);
    address sender = msg_caller();
    bytes32 key = {{0}};

    if (r.status != ROUND_OPEN || block_height() < r.start_height || block_height() >= r.end_height)
        revert_RoundClosed(number);
    if (receiver_index(r, sender) == 0 && keeper_index(old_keyset(r), sender) == 0)
        revert_NotKeeper();
    if (body.n < HEADER_SIZE || body.n > MESSAGE_MAX || body.p[0] != 1 || body.p[1] < 1 ||
        body.p[1] > PHASES || memcmp(body.p + 2, &r.id, 32) != 0)
        revert_InvalidMessage();
    memcpy(&key, &sender, 20);
    key.b[31] = body.p[1];
    if (said(number, key))
        revert_AlreadyPosted();
    said_set(number, key, true);
    messages_push(number, (message){block_height(), sender, body});
    emit_Posted(number, sender, body.p[1]);
}

/* ---- activation ---- */

static bool has_form(key_round r, u64 number, str keys)
{
    bytes32 genesis = genesis_hash();
    enc e = {0};

    if (keys.n != KEYSET_MEMBERS + KEYSET_MEMBER * r.n)
        return false;
    *enc_room(&e, 1) = 1;
    enc_raw(&e, &genesis, 32);
    u64be_put(&e, r.generation);
    u64be_put(&e, number);
    *enc_room(&e, 1) = (u8)r.t;
    *enc_room(&e, 1) = (u8)r.n;
    if (memcmp(keys.p, enc_str(&e).p, KEYSET_PUBLIC_KEY) != 0)
        return false;
    for (u64 i = 0; i < r.n; i++) {
        if (receiver_index(r, keyset_account(keys, i)) != i + 1)
            return false;
    }
    return r.kind != ROUND_RESHARE ||
           memcmp(keys.p + KEYSET_PUBLIC_KEY, old_keyset(r).p + KEYSET_PUBLIC_KEY, 32) == 0;
}

/* The proof in a confirm: its keeper holds the share that `keys` lists for it. */
static bool is_confirmed(key_round r, str keys, bytes32 hash, message m)
{
    u64 i = receiver_index(r, m.sender);
    bytes32 c, z, a, commitment;
    enc e = {0};

    if (i == 0 || m.body.p[1] != CONFIRM || m.body.n != CONFIRM_SIZE ||
        memcmp(m.body.p + HEADER_SIZE, &hash, 32) != 0)
        return false;
    memcpy(&c, m.body.p + HEADER_SIZE + 32, 32);
    memcpy(&z, m.body.p + HEADER_SIZE + 64, 32);
    commitment = keyset_commitment(keys, i - 1);
    if (!proof_commitment(&a, c, z, RISTRETTO_BASE, commitment))
        return false;
    LP_LABEL(&e, "cloister/dkg/possession/v1");
    lp_put(&e, &r.id, 32);
    lp_put(&e, &hash, 32);
    lp_u64(&e, i);
    lp_put(&e, &RISTRETTO_BASE, 32);
    lp_put(&e, &commitment, 32);
    lp_put(&e, &a, 32);
    return same32(hash_to_scalar(&e), c);
}

void Gatekeepers_activate(u64 number, str keys)
{
    key_round r = round_of(number);
    u64 n_messages = messages_count(number), confirmed = 0;
    bytes32 hash;
    enc e = {0};

    if (!is_open(r))
        revert_RoundClosed(number);
    if (!has_form(r, number, keys))
        revert_InvalidKeyset();
    LP_LABEL(&e, "cloister/keys/keyset/v1");
    enc_raw(&e, keys.p, keys.n);
    hash = sha256_of(enc_str(&e));
    for (u64 i = 0; i < n_messages; i++)
        confirmed += is_confirmed(r, keys, hash, messages_at(number, i));
    if (confirmed < r.n - r.t + 1)
        revert_NotConfirmed(confirmed, r.n - r.t + 1);
    current_round_set(round_in_force());
    r.status = ROUND_DONE;
    r.activation_height = block_height() + activation_delay();
    round_of_set(number, r);
    keyset_of_set(number, keys);
    next_round_set(number);
    emit_Activated(number, hash, r.activation_height);
}

/* ---- beacon ---- */

static u64 read_u64(const u8 *p)
{
    u64 v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

/* lp(genesis) | lp("beacon") | lp() | lp(height) | lp(generation): the input of the function. */
static void put_beacon_input(enc *e, u64 height, u64 generation)
{
    bytes32 genesis = genesis_hash();

    lp_put(e, &genesis, 32);
    LP_LABEL(e, "beacon");
    lp_put(e, "", 0);
    lp_u64(e, height);
    lp_u64(e, generation);
}

static bytes32 beacon_request(u64 height)
{
    bytes32 genesis = genesis_hash();
    enc e = {0};

    LP_LABEL(&e, "cloister/keys/beacon/v1");
    lp_put(&e, &genesis, 32);
    lp_u64(&e, height);
    return sha256_of(enc_str(&e));
}

struct part {
    u8 index;
    bytes32 value, c, z;
};

/* log_base(commitment) = log_point(value), as keys/dprf.h proves it. */
static bool is_part(const struct part *p, str keys, bytes32 point, bytes32 request, key_round r,
                    u64 number)
{
    bytes32 genesis = genesis_hash(), commitment, a, b;
    address who;
    enc e = {0};

    if (p->index < 1 || p->index > r.n)
        return false;
    commitment = keyset_commitment(keys, p->index - 1);
    who = keyset_account(keys, p->index - 1);
    if (!proof_commitment(&a, p->c, p->z, RISTRETTO_BASE, commitment) ||
        !proof_commitment(&b, p->c, p->z, point, p->value))
        return false;
    LP_LABEL(&e, "cloister/dprf/dleq/v1");
    lp_put(&e, &genesis, 32);
    lp_put(&e, &RISTRETTO_BASE, 32);
    lp_put(&e, &point, 32);
    lp_put(&e, &commitment, 32);
    lp_put(&e, &p->value, 32);
    lp_u64(&e, p->index);
    lp_put(&e, &who, 20);
    lp_u64(&e, r.generation);
    lp_u64(&e, number);
    lp_put(&e, &request, 32);
    lp_put(&e, &a, 32);
    lp_put(&e, &b, 32);
    return same32(hash_to_scalar(&e), p->c);
}

/* HKDF-SHA-256 of the combined element, context "value". */
static bytes32 beacon_value(bytes32 combined, u64 height, u64 generation)
{
    bytes32 prk = hmac_sha256_of(STR("cloister/dprf/key/v1"), (str){combined.b, 32});
    enc info = {0};

    put_beacon_input(&info, height, generation);
    LP_LABEL(&info, "value");
    *enc_room(&info, 1) = 1;
    return hmac_sha256_of((str){prk.b, 32}, enc_str(&info));
}

/* Version 1, height 8, generation 8, round 8, count 1, then count times index 1, value 32, c 32, z
 * 32, indices rising. */
#define BEACON_HEAD 26u
#define BEACON_PART 97u

static bytes32 combine(str beacon, key_round r, u64 number, u64 height)
{
    str keys = keyset_of(number);
    bytes32 *weights = alloc_array(r.t, 32), *values = alloc_array(r.t, 32), out, point;
    u8 *all = alloc(r.t);
    enc e = {0};

    LP_LABEL(&e, "cloister/dprf/input/v1");
    put_beacon_input(&e, height, r.generation);
    point = hash_to_element(&e);
    for (u64 i = 0; i < r.t; i++) {
        const u8 *at = beacon.p + BEACON_HEAD + BEACON_PART * i;
        struct part p = {.index = at[0]};

        memcpy(&p.value, at + 1, 32);
        memcpy(&p.c, at + 33, 32);
        memcpy(&p.z, at + 65, 32);
        if ((i > 0 && p.index <= all[i - 1]) ||
            !is_part(&p, keys, point, beacon_request(height), r, number))
            revert_InvalidPart(p.index);
        all[i] = p.index;
        values[i] = p.value;
    }
    for (u64 i = 0; i < r.t; i++)
        weights[i] = weight_at_zero(all, r.t, all[i]);
    if (!element_sum(&out, weights, values, r.t))
        revert_InvalidBeacon();
    return out;
}

void Gatekeepers_postBeacon(str beacon)
{
    u64 number = round_in_force(), height;
    key_round r = round_of(number);
    bytes32 value;

    if (number == 0 || beacon.n != BEACON_HEAD + BEACON_PART * r.t || beacon.p[0] != 1 ||
        beacon.p[25] != r.t || read_u64(beacon.p + 9) != r.generation ||
        read_u64(beacon.p + 17) != number)
        revert_InvalidBeacon();
    height = read_u64(beacon.p + 1);
    if (height > block_height() || !same32(beacon_of(height), (bytes32){{0}}))
        revert_InvalidHeight(height);
    value = beacon_value(combine(beacon, r, number, height), height, r.generation);
    beacon_of_set(height, value);
    beacon_heights_push(height);
    emit_Beacon(height, value);
}

/* ---- against the loss of all ---- */

/* Version 1, keeper 1, t 1, t elements, n 1, n sealed pieces: as keys/custody.h encodes it. Whether
 * it is of the share the custodians find out. */
#define PIECE_SIZE 80u

void Gatekeepers_postBackup(u64 number, str backup)
{
    str keys = keyset_of(number), to = custodian_keys();
    address sender = msg_caller();
    u64 i = keeper_index(keys, sender);

    if (number == 0 || number != round_in_force())
        revert_RoundClosed(number);
    if (i == 0)
        revert_NotKeeper();
    if (to.n == 0 || backup.n != 4 + 32u * to.p[0] + PIECE_SIZE * to.p[1] || backup.p[0] != 1 ||
        backup.p[1] != i || backup.p[2] != to.p[0] || backup.p[3 + 32u * to.p[0]] != to.p[1])
        revert_InvalidBackup();
    if (backup_of(number, i).n != 0)
        revert_AlreadyPosted();
    backup_of_set(number, i, backup);
    emit_BackupPosted(number, sender);
}

void Gatekeepers_setHolders(u64 number, struct address_list accounts)
{
    enc e = {0};

    only_council();
    if (number == 0 || number != round_in_force() || is_open(round_of(last_round())))
        revert_RoundClosed(number);
    if (accounts.n != round_of(number).n)
        revert_InvalidKeepers();
    for (u64 i = 0; i < accounts.n; i++) {
        for (u64 k = 0; k < i; k++) {
            if (same(accounts.p[k], accounts.p[i]))
                revert_InvalidKeepers();
        }
        enc_raw(&e, &accounts.p[i], 20);
    }
    holders_of_set(number, enc_str(&e));
    emit_HoldersSet(number, accounts);
}

/* ---- what keepers leave here ---- */

void Gatekeepers_logReleases(struct ReleaseReport_list list)
{
    address sender = msg_caller();

    if (keeper_index(keyset_of(round_in_force()), sender) == 0)
        revert_NotKeeper();
    for (u64 i = 0; i < list.n; i++) {
        struct ReleaseReport r = list.p[i];

        releases_push((release){sender, r.request, r.purpose, r.subject, r.epoch, r.requester,
                                block_height()});
        emit_Released(sender, r.request, r.purpose, r.subject, r.epoch, r.requester);
    }
}

/* ---- what applications are started from: the council ---- */

void Gatekeepers_allowApp(bytes32 digest, str label)
{
    only_council();
    app_set_add(digest);
    app_of_set(digest, (app_image){label, block_time()});
    emit_AppAllowed(digest, label);
}

void Gatekeepers_removeApp(bytes32 digest)
{
    only_council();
    if (!app_set_remove(digest))
        revert_UnknownMeasurement(digest);
    app_of_set(digest, (app_image){0});
    emit_AppRemoved(digest);
}

/* ---- reading ---- */

struct RoundInfo Gatekeepers_rounds(u64 number)
{
    key_round r = round_of(number);

    return (struct RoundInfo){r.kind,   r.generation,   r.t,          r.n,
                              r.status, r.start_height, r.end_height, r.activation_height,
                              r.id,     r.params};
}

u64 Gatekeepers_roundsCount(void)
{
    return last_round();
}

u256 Gatekeepers_messagesCount(u64 number)
{
    return messages_count(number);
}

struct MessageInfo Gatekeepers_messageAt(u64 number, u256 index)
{
    message m = messages_at(number, checked_u64(index));

    return (struct MessageInfo){m.height, m.sender, m.body};
}

u64 Gatekeepers_roundInForce(void)
{
    return round_in_force();
}

str Gatekeepers_keyset(u64 number)
{
    return keyset_of(number);
}

struct Gatekeepers_custodians_result Gatekeepers_custodians(void)
{
    str to = custodian_keys();
    u64 n = to.n == 0 ? 0 : to.p[1];
    struct bytes32_list list = {alloc_array(n, 32), n};

    if (n != 0)
        memcpy(list.p, to.p + 2, 32 * n);
    return (struct Gatekeepers_custodians_result){n == 0 ? 0 : to.p[0], list};
}

str Gatekeepers_backups(u64 number, u64 keeper)
{
    return backup_of(number, keeper);
}

struct address_list Gatekeepers_holders(u64 number)
{
    str keys = held_keyset(number);
    struct address_list list = {alloc_array(keyset_n(keys), sizeof(address)), keyset_n(keys)};

    for (u64 i = 0; i < list.n; i++)
        list.p[i] = keyset_account(keys, i);
    return list;
}

bytes32 Gatekeepers_beacons(u64 height)
{
    return beacon_of(height);
}

u64 Gatekeepers_lastBeacon(void)
{
    u64 n = beacon_heights_count();

    return n == 0 ? 0 : beacon_heights_at(n - 1);
}

u256 Gatekeepers_releasesCount(void)
{
    return releases_count();
}

struct ReleaseInfo Gatekeepers_releaseAt(u256 index)
{
    release r = releases_at(checked_u64(index));

    return (struct ReleaseInfo){r.keeper, r.request,   r.purpose, r.subject,
                                r.epoch,  r.requester, r.height};
}

bool Gatekeepers_isAppAllowed(bytes32 digest)
{
    return app_set_has(digest);
}

struct Gatekeepers_timing_result Gatekeepers_timing(void)
{
    return (struct Gatekeepers_timing_result){phase_heights(), activation_delay(), refresh_after()};
}

address Gatekeepers_council(void)
{
    return administrator();
}

address Gatekeepers_workers(void)
{
    return workers_contract();
}

bool Gatekeepers_insecureOneVendor(void)
{
    return insecure_one_vendor();
}

u256 Gatekeepers_version(void)
{
    return 1;
}
