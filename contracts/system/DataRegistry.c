/* DataRegistry - who owns which file, who may read it, what was proved about it.
 * ABI: abi/DataRegistry.json, which is Vana's of today (version 2) and fileProofsCount().
 *
 * The law
 * - A file is a URL and an owner. A URL is registered once, byte for byte. Ids start at 1, dense.
 * - Anybody may register a file for any owner: relayers depend on it. So an entry says who may
 *   administer the file, not who made it; what binds a key to its owner is the wrapped key itself,
 *   whose associated data names chain, file and owner.
 * - The owner, or a holder of DATA_PORTABILITY_ROLE, gives accounts the file's key, encrypted to
 *   them. Keys are overwritten, never removed; an empty key is the only "removal".
 * - addProof records what anybody says. A proof counts only where TeePool recorded it: pools ask
 *   TeePool.proofRecord(file, index), never this registry alone.
 * - FileAdded is the first log of a registration: clients read the id there. FileAddedV2 comes again
 *   when the schema of a file changes.
 * - Views never revert: what is unknown is zero or empty. */
#include "DataRegistry.abi.h"

#include "DataRefinerRegistry.calls.h"
#include "layout/DataRegistry.h"
#include "sdk/access.h"
#include "sdk/forwarder.h"
#include "sdk/init.h"
#include "sdk/multicall.h"
#include "sdk/pause.h"
#include "sdk/upgrade.h"

ACCESS_HANDLERS(DataRegistry)
PAUSE_HANDLERS(DataRegistry, MAINTAINER_ROLE)
FORWARDER_HANDLERS(DataRegistry, MAINTAINER_ROLE)
UPGRADE_HANDLERS(DataRegistry, DEFAULT_ADMIN_ROLE)
MULTICALL_HANDLERS(DataRegistry)

void DataRegistry_initialize(address trustedForwarderAddress, address ownerAddress)
{
    initializer();
    trusted_forwarder_set(trustedForwarderAddress);
    legacy_events_set(true);
    grant_role(DEFAULT_ADMIN_ROLE, ownerAddress);
    grant_role(MAINTAINER_ROLE, ownerAddress);
}

/* ---- files ---- */

static void check_schema(u256 schema_id)
{
    if (schema_id != 0 && !DataRefinerRegistry_call_isValidSchemaId(refiner_registry(), schema_id))
        revert_InvalidSchemaId(schema_id);
}

static u256 add(str url, address owner, u256 schema_id)
{
    bytes32 url_hash = keccak(url);

    when_not_paused();
    if (id_of_url(url_hash) != 0)
        revert_FileUrlAlreadyUsed();
    check_schema(schema_id);
    u256 id = checked_add(files_count(), 1);

    files_count_set(id);
    id_of_url_set(url_hash, id);
    file_of_set(id, (file){owner, block_height(), schema_id, url});
    if (legacy_events())
        emit_FileAdded(id, owner, url);
    emit_FileAddedV2(id, owner, url, schema_id);
    return id;
}

static void grant(u256 id, address account, str key)
{
    key_of_set(id, account, key);
    emit_PermissionGranted(id, account);
}

static void grant_all(u256 id, struct Permission_list permissions)
{
    for (u64 i = 0; i < permissions.n; i++)
        grant(id, permissions.p[i].account, permissions.p[i].key);
}

static void only_owner_of(u256 id)
{
    address sender = msg_sender();

    if (!same(file_of(id).owner, sender) && !has_role(DATA_PORTABILITY_ROLE, sender))
        revert_NotFileOwner();
}

u256 DataRegistry_addFile(str url)
{
    return add(url, msg_sender(), 0);
}

u256 DataRegistry_addFileWithSchema(str url, u256 schemaId)
{
    return add(url, msg_sender(), schemaId);
}

u256 DataRegistry_addFileWithPermissions(str url, address ownerAddress,
                                         struct Permission_list permissions)
{
    return DataRegistry_addFileWithPermissionsAndSchema(url, ownerAddress, permissions, 0);
}

u256 DataRegistry_addFileWithPermissionsAndSchema(str url, address ownerAddress,
                                                  struct Permission_list permissions, u256 schemaId)
{
    u256 id = add(url, ownerAddress, schemaId);

    grant_all(id, permissions);
    return id;
}

void DataRegistry_addFilePermission(u256 fileId, address account, str key)
{
    when_not_paused();
    only_owner_of(fileId);
    grant(fileId, account, key);
}

void DataRegistry_addFilePermissionsAndSchema(u256 fileId, struct Permission_list permissions,
                                              u256 schemaId)
{
    when_not_paused();
    only_owner_of(fileId);
    check_schema(schemaId);
    file f = file_of(fileId);

    f.schema_id = schemaId;
    file_of_set(fileId, f);
    emit_FileAddedV2(fileId, f.owner, f.url, schemaId);
    grant_all(fileId, permissions);
}

/* ---- proofs and refinements ---- */

void DataRegistry_addProof(u256 fileId, struct Proof proof)
{
    struct ProofData d = proof.data;

    when_not_paused();
    u256 index = checked_add(proofs_count(fileId), 1);

    proofs_count_set(fileId, index);
    proof_of_set(fileId, index,
                 (proof_entry){d.score, d.dlpId, d.metadata, d.proofUrl, d.instruction,
                               proof.signature});
    emit_ProofAdded(fileId, file_of(fileId).owner, index, d.dlpId, d.score, d.proofUrl);
}

void DataRegistry_addRefinementWithPermission(u256 fileId, u256 refinerId, str url, address account,
                                              str key)
{
    when_not_paused();
    if (!has_role(REFINEMENT_SERVICE_ROLE, msg_caller()) &&
        !DataRefinerRegistry_call_isRefinementService(refiner_registry(), refinerId, msg_sender()))
        revert_NoPermission();
    if (fileId == 0 || fileId > files_count())
        revert_FileNotFound();
    if (url.n == 0)
        revert_InvalidUrl();
    bool known = refinement_of(fileId, refinerId).n != 0;

    refinement_of_set(fileId, refinerId, url);
    if (known)
        emit_RefinementUpdated(fileId, refinerId, url);
    else
        emit_RefinementAdded(fileId, refinerId, url);
    if (key_of(fileId, account).n == 0)
        grant(fileId, account, key);
}

/* ---- views ---- */

struct FileResponse DataRegistry_files(u256 fileId)
{
    file f = file_of(fileId);

    return (struct FileResponse){fileId, f.owner, f.url, f.schema_id, f.added_at_block};
}

struct Proof DataRegistry_fileProofs(u256 fileId, u256 index)
{
    proof_entry p = proof_of(fileId, index);

    return (struct Proof){p.signature,
                          {p.score, p.dlp_id, p.metadata, p.proof_url, p.instruction}};
}

u256 DataRegistry_fileProofsCount(u256 fileId)
{
    return proofs_count(fileId);
}

u256 DataRegistry_filesCount(void)
{
    return files_count();
}

u256 DataRegistry_fileIdByUrl(str url)
{
    return id_of_url(keccak(url));
}

str DataRegistry_filePermissions(u256 fileId, address account)
{
    return key_of(fileId, account);
}

str DataRegistry_fileRefinements(u256 fileId, u256 refinerId)
{
    return refinement_of(fileId, refinerId);
}

address DataRegistry_dataRefinerRegistry(void)
{
    return refiner_registry();
}

bool DataRegistry_emitLegacyEvents(void)
{
    return legacy_events();
}

u256 DataRegistry_version(void)
{
    return 2;
}

bytes32 DataRegistry_MAINTAINER_ROLE(void)
{
    return MAINTAINER_ROLE;
}

bytes32 DataRegistry_DATA_PORTABILITY_ROLE(void)
{
    return DATA_PORTABILITY_ROLE;
}

bytes32 DataRegistry_REFINEMENT_SERVICE_ROLE(void)
{
    return REFINEMENT_SERVICE_ROLE;
}

/* ---- administration ---- */

void DataRegistry_updateDataRefinerRegistry(address newDataRefinerRegistry)
{
    only_role(MAINTAINER_ROLE);
    refiner_registry_set(newDataRefinerRegistry);
}

void DataRegistry_updateEmitLegacyEvents(bool newEmitLegacyEvents)
{
    only_role(MAINTAINER_ROLE);
    legacy_events_set(newEmitLegacyEvents);
}

void DataRegistry_setRoleAdmin(bytes32 role, bytes32 adminRole)
{
    only_role(DEFAULT_ADMIN_ROLE);
    bytes32 previous = role_admin(role);

    role_admin_set(role, adminRole);
    emit_RoleAdminChanged(role, previous, adminRole);
}
