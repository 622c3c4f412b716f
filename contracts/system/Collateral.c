/* Collateral - what manufacturers say about their platforms (TCB levels, revocations), on chain so
 * that every node judges evidence by the same. ABI: abi/Collateral.json (ours).
 *
 * The law
 * - Anyone posts; nobody is believed: each signature is checked under a root trusted here.
 * - Trusted are the vendors' pinned roots, if so set, and those the council named. A simulator's root
 *   says insecureSimulator, and whoever shows evidence under it says so.
 * - One entry for each (root, SGX or TDX, FMSPC, PCK CA). A new one replaces the old only if none of
 *   its issue dates (TCB info, QE identity, both CRLs) and not its evaluation number go back: signed
 *   but old collateral can neither bring a fixed hole back nor take a revocation back.
 * - Expired collateral serves for `grace` seconds more, which is zero unless the council says
 *   otherwise and never more than a week: evidence is then judged as of the last second the
 *   collateral was valid. */
#include "Collateral.abi.h"

#include "layout/Collateral.h"
#include "sdk/evidence.h"
#include "sdk/init.h"

#define GRACE_MAX (7u * 24 * 3600)
#define SIZE_MAX_STORED 65000u /* a value holds 65,536 */

static void only_council(void)
{
    if (!same(msg_caller(), administrator()))
        revert_OnlyCouncil();
}

static void add_root(bytes32 fingerprint, str label, bool simulator)
{
    if (root_set_count() == HOST_EVIDENCE_ROOTS_MAX)
        revert_TooManyRoots(HOST_EVIDENCE_ROOTS_MAX);
    if (same32(fingerprint, (bytes32){0}) || !root_set_add(fingerprint))
        revert_InvalidRoot();
    root_of_set(fingerprint, (root){label, simulator});
    emit_RootAdded(fingerprint, label, simulator);
}

void Collateral_initialize(address council, bool vendors, struct Root_list roots)
{
    initializer();
    administrator_set(council);
    vendor_roots_set(vendors);
    for (u64 i = 0; i < roots.n; i++)
        add_root(roots.p[i].fingerprint, roots.p[i].label, roots.p[i].insecureSimulator);
}

/* ---- administration ---- */

void Collateral_setCouncil(address council)
{
    only_council();
    administrator_set(council);
    emit_CouncilUpdated(council);
}

void Collateral_addRoot(bytes32 fingerprint, str label, bool insecureSimulator)
{
    only_council();
    add_root(fingerprint, label, insecureSimulator);
}

/* What was posted under it stays readable and serves nothing any more. */
void Collateral_removeRoot(bytes32 fingerprint)
{
    only_council();
    if (!root_set_remove(fingerprint))
        revert_InvalidRoot();
    root_of_set(fingerprint, (root){0});
    emit_RootRemoved(fingerprint);
}

void Collateral_setVendors(bool vendors)
{
    only_council();
    vendor_roots_set(vendors);
    emit_VendorsUpdated(vendors);
}

void Collateral_setGrace(u64 grace)
{
    only_council();
    if (grace > GRACE_MAX)
        revert_InvalidGrace(GRACE_MAX);
    grace_seconds_set(grace);
    emit_GraceUpdated(grace);
}

/* ---- collateral ---- */

static evidence_roots trusted(void)
{
    u64 n = root_set_count();
    bytes32 *given = alloc_array(n, sizeof(bytes32));

    for (u64 i = 0; i < n; i++)
        given[i] = root_set_at(i);
    return (evidence_roots){given, n, vendor_roots()};
}

static bytes32 key_of(bytes32 root_fingerprint, bool tdx, str fmspc, bool platform_ca)
{
    u8 kind[2] = {tdx, platform_ca};
    enc e = {0};

    enc_raw(&e, &root_fingerprint, 32);
    enc_raw(&e, kind, 2);
    enc_raw(&e, fmspc.p, fmspc.n);
    return keccak(enc_str(&e));
}

static bool goes_back(entry old, collateral_facts f)
{
    return f.evaluation_number < old.evaluation_number || f.tcb_issued < old.tcb_issued ||
           f.qe_issued < old.qe_issued || f.root_crl_issued < old.root_crl_issued ||
           f.pck_crl_issued < old.pck_crl_issued;
}

bytes32 Collateral_post(str collateral)
{
    u64 now = block_time();

    if (collateral.n > SIZE_MAX_STORED)
        revert_CollateralTooLarge(SIZE_MAX_STORED);
    collateral_facts f = verify_collateral(collateral, trusted());

    if (!f.verified)
        revert_CollateralNotVerified(f.stage);
    if (now < f.valid_from || now > f.valid_until)
        revert_CollateralNotValid(f.valid_from, f.valid_until);
    str fmspc = {f.fmspc, sizeof(f.fmspc)};
    bytes32 key = key_of(f.root, f.tdx, fmspc, f.platform_ca);

    if (!entry_keys_add(key) && goes_back(entry_of(key), f))
        revert_CollateralOlder(key);
    entry_of_set(key, (entry){f.root, f.tdx, f.platform_ca, fmspc, f.evaluation_number,
                              f.tcb_issued, f.qe_issued, f.root_crl_issued, f.pck_crl_issued,
                              f.valid_from, f.valid_until, now, collateral.n});
    json_of_set(key, collateral);
    emit_CollateralPosted(key, f.root, f.evaluation_number, f.valid_until);
    return key;
}

/* What verify_evidence wants besides the evidence. Key zero: no collateral of the chain's
 * (SEV-SNP). */
struct Collateral_evidence_result Collateral_evidence(bytes32 key)
{
    evidence_roots roots = trusted();
    entry e = entry_of(key);
    u64 now = block_time();

    if (e.size == 0 && !same32(key, (bytes32){0}))
        revert_UnknownCollateral(key);
    if (e.size != 0 && now > e.valid_until && now - e.valid_until <= grace_seconds())
        now = e.valid_until;
    return (struct Collateral_evidence_result){
        json_of(key), {(bytes32 *)roots.given, roots.n}, roots.vendors, now};
}

/* ---- views ---- */

address Collateral_council(void)
{
    return administrator();
}

struct Root_list Collateral_roots(void)
{
    u64 n = root_set_count();
    struct Root_list list = {alloc_array(n, sizeof(struct Root)), n};

    for (u64 i = 0; i < n; i++) {
        bytes32 fingerprint = root_set_at(i);
        root r = root_of(fingerprint);

        list.p[i] = (struct Root){fingerprint, r.label, r.insecure_simulator};
    }
    return list;
}

bool Collateral_isRoot(bytes32 fingerprint)
{
    return root_set_has(fingerprint);
}

bool Collateral_vendors(void)
{
    return vendor_roots();
}

u64 Collateral_grace(void)
{
    return grace_seconds();
}

bytes32 Collateral_keyOf(bytes32 root, bool tdx, str fmspc, bool platformCa)
{
    return key_of(root, tdx, fmspc, platformCa);
}

struct Entry Collateral_entries(bytes32 key)
{
    entry e = entry_of(key);

    return (struct Entry){
        key,          e.root,        e.tdx,       e.platform_ca, e.fmspc, e.evaluation_number,
        e.valid_from, e.valid_until, e.posted_at, e.size};
}

u256 Collateral_entriesCount(void)
{
    return entry_keys_count();
}

struct Entry Collateral_entryAt(u256 index)
{
    return Collateral_entries(entry_keys_at(checked_u64(index)));
}

str Collateral_collateral(bytes32 key)
{
    return json_of(key);
}

u256 Collateral_version(void)
{
    return 1;
}
