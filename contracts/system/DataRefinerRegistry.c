/* DataRefinerRegistry - the shapes of data: schemas, the refiners of pools, and who may refine.
 * ABI: abi/DataRefinerRegistry.json, which is Vana's of today.
 *
 * The law
 * - Anybody adds a schema; it never changes. Ids are dense from 1. DataRegistry takes a schema id
 *   only if isValidSchemaId() says yes.
 * - A refiner belongs to a pool and is added by the pool's owner of that moment (DLPRegistry says
 * who that is). With a schema id it takes the schema's URL, without one it carries a URL of its
 * own.
 * - A pool's refinement services may write refinements and keys of any file into DataRegistry for
 *   that pool's refiners: only its owner names them.
 * - The refiner's owner is whom Vana's clients show; every right is the pool's owner's.
 * - refiners() of an unknown id is zeros, schemas() of an unknown id reverts. */
#include "DLPRegistry.calls.h"
#include "DataRefinerRegistry.abi.h"
#include "sdk/access.h"
#include "sdk/init.h"
#include "sdk/pause.h"
#include "sdk/upgrade.h"

#define SCHEMA(F) F(str, name) F(str, dialect) F(str, definition_url)
RECORD(schema, SCHEMA)
#define REFINER(F)                                                                                 \
    F(u256, dlp_id)                                                                                \
    F(address, owner) F(str, name) F(u256, schema_id) F(str, schema_url) F(str, instruction_url)
RECORD(refiner, REFINER)

VALUE(dlp_registry, 1, address)
VALUE(schemas_count, 2, u256)
MAP(schema_of, 3, u256, schema)
VALUE(refiners_count, 4, u256)
MAP(refiner_of, 5, u256, refiner)
LIST_OF(pool_refiners, 6, u256, u256)   /* pool -> its refiners */
SET_OF(pool_services, 7, u256, address) /* pool -> its refinement services */

ACCESS_HANDLERS(DataRefinerRegistry)
PAUSE_HANDLERS(DataRefinerRegistry, MAINTAINER_ROLE)
UPGRADE_HANDLERS(DataRefinerRegistry, DEFAULT_ADMIN_ROLE)

void DataRefinerRegistry_initialize(address ownerAddress, address initDlpRegistryAddress)
{
    initializer();
    dlp_registry_set(initDlpRegistryAddress);
    grant_role(DEFAULT_ADMIN_ROLE, ownerAddress);
    grant_role(MAINTAINER_ROLE, ownerAddress);
}

static void only_pool_owner(u256 dlp_id)
{
    if (!same(DLPRegistry_call_dlps(dlp_registry(), dlp_id).ownerAddress, msg_caller()))
        revert_NotDlpOwner();
    when_not_paused();
}

/* ---- schemas ---- */

static bool is_schema(u256 id)
{
    return id != 0 && id <= schemas_count();
}

static void only_schema(u256 id)
{
    if (!is_schema(id))
        revert_InvalidSchemaId(id);
}

u256 DataRefinerRegistry_addSchema(str name, str dialect, str definitionUrl)
{
    when_not_paused();
    u256 id = checked_add(schemas_count(), 1);

    schemas_count_set(id);
    schema_of_set(id, (schema){name, dialect, definitionUrl});
    emit_SchemaAdded(id, name, dialect, definitionUrl);
    return id;
}

struct Schema DataRefinerRegistry_schemas(u256 schemaId)
{
    only_schema(schemaId);
    schema s = schema_of(schemaId);

    return (struct Schema){s.name, s.dialect, s.definition_url};
}

bool DataRefinerRegistry_isValidSchemaId(u256 schemaId)
{
    return is_schema(schemaId);
}

u256 DataRefinerRegistry_schemasCount(void)
{
    return schemas_count();
}

/* ---- refiners ---- */

static u256 add(refiner r)
{
    u256 id = checked_add(refiners_count(), 1);

    refiners_count_set(id);
    refiner_of_set(id, r);
    pool_refiners_push(r.dlp_id, id);
    emit_RefinerAdded(id, r.dlp_id, r.name, r.schema_id,
                      r.schema_id == 0 ? r.schema_url : schema_of(r.schema_id).definition_url,
                      r.instruction_url);
    return id;
}

u256 DataRefinerRegistry_addRefiner(u256 dlpId, str name, str schemaDefinitionUrl,
                                    str refinementInstructionUrl)
{
    only_pool_owner(dlpId);
    return add((refiner){.dlp_id = dlpId,
                         .owner = msg_caller(),
                         .name = name,
                         .schema_url = schemaDefinitionUrl,
                         .instruction_url = refinementInstructionUrl});
}

u256 DataRefinerRegistry_addRefinerWithSchemaId(u256 dlpId, str name, u256 schemaId,
                                                str refinementInstructionUrl)
{
    only_pool_owner(dlpId);
    only_schema(schemaId);
    return add((refiner){.dlp_id = dlpId,
                         .owner = msg_caller(),
                         .name = name,
                         .schema_id = schemaId,
                         .instruction_url = refinementInstructionUrl});
}

void DataRefinerRegistry_updateSchemaId(u256 refinerId, u256 newSchemaId)
{
    refiner r = refiner_of(refinerId);

    only_pool_owner(r.dlp_id);
    only_schema(newSchemaId);
    r.schema_id = newSchemaId;
    refiner_of_set(refinerId, r);
}

static void take(u256 id)
{
    refiner r = refiner_of(id);

    r.owner = msg_caller();
    refiner_of_set(id, r);
}

void DataRefinerRegistry_updateRefinerOwner(u256 refinerId)
{
    only_pool_owner(refiner_of(refinerId).dlp_id);
    take(refinerId);
}

void DataRefinerRegistry_updateDlpRefinersOwner(u256 dlpId)
{
    only_pool_owner(dlpId);
    for (u64 i = 0, n = pool_refiners_count(dlpId); i < n; i++)
        take(pool_refiners_at(dlpId, i));
}

struct RefinerInfo DataRefinerRegistry_refiners(u256 refinerId)
{
    refiner r = refiner_of(refinerId);

    return (struct RefinerInfo){r.dlp_id,
                                r.owner,
                                r.name,
                                r.schema_id == 0 ? r.schema_url
                                                 : schema_of(r.schema_id).definition_url,
                                r.instruction_url,
                                r.schema_id};
}

struct u256_list DataRefinerRegistry_dlpRefiners(u256 dlpId)
{
    u64 n = pool_refiners_count(dlpId);
    struct u256_list list = {alloc_array(n, sizeof(u256)), n};

    for (u64 i = 0; i < n; i++)
        list.p[i] = pool_refiners_at(dlpId, i);
    return list;
}

u256 DataRefinerRegistry_refinersCount(void)
{
    return refiners_count();
}

/* ---- services ---- */

void DataRefinerRegistry_addRefinementService(u256 dlpId, address refinementService)
{
    only_pool_owner(dlpId);
    pool_services_add(dlpId, refinementService);
}

void DataRefinerRegistry_removeRefinementService(u256 dlpId, address refinementService)
{
    only_pool_owner(dlpId);
    pool_services_remove(dlpId, refinementService);
}

struct address_list DataRefinerRegistry_dlpRefinementServices(u256 dlpId)
{
    u64 n = pool_services_count(dlpId);
    struct address_list list = {alloc_array(n, sizeof(address)), n};

    for (u64 i = 0; i < n; i++)
        list.p[i] = pool_services_at(dlpId, i);
    return list;
}

bool DataRefinerRegistry_isRefinementService(u256 refinerId, address refinementService)
{
    return pool_services_has(refiner_of(refinerId).dlp_id, refinementService);
}

/* ---- administration ---- */

address DataRefinerRegistry_dlpRegistry(void)
{
    return dlp_registry();
}

void DataRefinerRegistry_updateDlpRegistry(address newDlpRegistryAddress)
{
    only_role(MAINTAINER_ROLE);
    dlp_registry_set(newDlpRegistryAddress);
}

u256 DataRefinerRegistry_version(void)
{
    return 1;
}

bytes32 DataRefinerRegistry_MAINTAINER_ROLE(void)
{
    return MAINTAINER_ROLE;
}
