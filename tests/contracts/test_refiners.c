/* DataRefinerRegistry: schemas, refiners, services, and DataRegistry that asks it. */
#include "chain/gen/data_refiner_registry.h"
#include "contracts/net.h"

struct fixture {
    struct net n;
    struct world *w;
    struct address refiners, owner, stranger;
    struct pool pool;
};

static void fixture_init(struct fixture *f)
{
    struct buf b = {0};

    net_init(&f->n);
    f->w = &f->n.w;
    f->owner = world_account(20);
    f->stranger = world_account(21);
    f->refiners = world_place(f->w, "DataRefinerRegistry");
    data_refiner_registry_put_initialize(&b, &f->n.admin, &f->n.dlps);
    CHECK_CALL(f->w, world_call(f->w, f->n.admin, f->refiners, 0, &b));
    data_registry_put_updateDataRefinerRegistry(&b, &f->refiners);
    CHECK_CALL(f->w, world_call(f->w, f->n.admin, f->n.registry, 0, &b));
    f->pool = net_add_pool(&f->n, f->owner, "refined pool", 1000);
}

static enum world_outcome call(struct fixture *f, struct address from, struct buf *b)
{
    return world_call(f->w, from, f->refiners, 0, b);
}

static struct u256 add_schema(struct fixture *f, struct address from, const char *url)
{
    struct buf b = {0};
    struct u256 id;
    struct err e;

    data_refiner_registry_put_addSchema(&b, bytes_str("name"), bytes_str("json"), bytes_str(url));
    CHECK_CALL(f->w, call(f, from, &b));
    CHECK_OK(data_refiner_registry_get_addSchema(&id, NULL, f->w->ret, &e), &e);
    return id;
}

static struct u256 add_refiner(struct fixture *f, uint64_t schema)
{
    struct buf b = {0};
    struct u256 id;
    struct err e;

    if (schema == 0)
        data_refiner_registry_put_addRefiner(&b, &f->pool.id, bytes_str("r"), bytes_str("own-url"),
                                             bytes_str("how"));
    else
        data_refiner_registry_put_addRefinerWithSchemaId(&b, &f->pool.id, bytes_str("r"),
                                                         REF(u256, U(schema)), bytes_str("how"));
    CHECK_CALL(f->w, call(f, f->owner, &b));
    CHECK_OK(data_refiner_registry_get_addRefiner(&id, NULL, f->w->ret, &e), &e);
    return id;
}

static struct data_refiner_registry_RefinerInfo refiner_of(struct fixture *f, uint64_t id)
{
    struct data_refiner_registry_RefinerInfo r;
    struct buf b = {0};
    struct err e;

    data_refiner_registry_put_refiners(&b, REF(u256, U(id)));
    CHECK_CALL(f->w, world_view(f->w, f->refiners, &b));
    CHECK_OK(data_refiner_registry_get_refiners(&r, NULL, f->w->ret, &e), &e);
    return r;
}

TEST(initialised_once)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    data_refiner_registry_put_initialize(&b, &f.stranger, &f.n.dlps);
    CHECK_REVERT(f.w, call(&f, f.stranger, &b), "InvalidInitialization()");
    data_refiner_registry_put_updateDlpRegistry(&b, &f.stranger);
    CHECK_REVERT(f.w, call(&f, f.stranger, &b),
                 "AccessControlUnauthorizedAccount(address,bytes32)");
    net_clear(&f.n);
}

TEST(schemas_are_anybodys)
{
    struct data_refiner_registry_event_SchemaAdded ev;
    struct data_refiner_registry_Schema s;
    struct buf b = {0};
    struct fixture f;
    struct err e;

    fixture_init(&f);
    CHECK_U256(add_schema(&f, f.stranger, "ipfs://one"), 1);
    CHECK_U256(add_schema(&f, f.owner, "ipfs://two"), 2);
    CHECK_INT(f.w->n_logs, 1);
    CHECK_OK(data_refiner_registry_parse_SchemaAdded(&ev, NULL, f.w->logs[0].topics,
                                                     f.w->logs[0].n_topics, f.w->logs[0].data, &e),
             &e);
    CHECK_U256(ev.schemaId, 2);
    CHECK_MEM(ev.definitionUrl, bytes_str("ipfs://two"));
    data_refiner_registry_put_schemas(&b, REF(u256, U(1)));
    CHECK_CALL(f.w, world_view(f.w, f.refiners, &b));
    CHECK_OK(data_refiner_registry_get_schemas(&s, NULL, f.w->ret, &e), &e);
    CHECK_MEM(s.dialect, bytes_str("json"));
    CHECK_MEM(s.definitionUrl, bytes_str("ipfs://one"));
    for (uint64_t id = 0; id <= 3; id += 3) {
        data_refiner_registry_put_schemas(&b, REF(u256, U(id)));
        CHECK_REVERT(f.w, world_view(f.w, f.refiners, &b), "InvalidSchemaId(uint256)");
    }
    net_clear(&f.n);
}

TEST(files_have_known_schemas_only)
{
    struct buf b = {0};
    struct fixture f;

    fixture_init(&f);
    data_registry_put_addFileWithSchema(&b, bytes_str("u"), REF(u256, U(1)));
    CHECK_REVERT(f.w, world_call(f.w, f.owner, f.n.registry, 0, &b), "InvalidSchemaId(uint256)");
    add_schema(&f, f.stranger, "ipfs://one");
    data_registry_put_addFileWithSchema(&b, bytes_str("u"), REF(u256, U(1)));
    CHECK_CALL(f.w, world_call(f.w, f.owner, f.n.registry, 0, &b));
    data_registry_put_addFilePermissionsAndSchema(
        &b, REF(u256, U(1)), (struct data_registry_Permission_list){NULL, 0}, REF(u256, U(2)));
    CHECK_REVERT(f.w, world_call(f.w, f.owner, f.n.registry, 0, &b), "InvalidSchemaId(uint256)");
    net_clear(&f.n);
}

TEST(refiners_are_the_pool_owners)
{
    struct data_refiner_registry_u256_list list;
    struct buf b = {0};
    struct fixture f;
    struct err e;

    fixture_init(&f);
    add_schema(&f, f.stranger, "ipfs://schema");
    data_refiner_registry_put_addRefiner(&b, &f.pool.id, bytes_str("r"), bytes_str("u"),
                                         bytes_str("h"));
    CHECK_REVERT(f.w, call(&f, f.stranger, &b), "NotDlpOwner()");
    data_refiner_registry_put_addRefinerWithSchemaId(&b, &f.pool.id, bytes_str("r"),
                                                     REF(u256, U(2)), bytes_str("h"));
    CHECK_REVERT(f.w, call(&f, f.owner, &b), "InvalidSchemaId(uint256)");
    CHECK_U256(add_refiner(&f, 0), 1);
    CHECK_MEM(refiner_of(&f, 1).schemaDefinitionUrl, bytes_str("own-url"));
    CHECK_U256(add_refiner(&f, 1), 2);
    CHECK_MEM(refiner_of(&f, 2).schemaDefinitionUrl, bytes_str("ipfs://schema"));
    CHECK_ADDRESS(refiner_of(&f, 2).owner, f.owner);
    CHECK_U256(refiner_of(&f, 9).dlpId, 0);

    data_refiner_registry_put_updateSchemaId(&b, REF(u256, U(1)), REF(u256, U(1)));
    CHECK_REVERT(f.w, call(&f, f.stranger, &b), "NotDlpOwner()");
    data_refiner_registry_put_updateSchemaId(&b, REF(u256, U(1)), REF(u256, U(0)));
    CHECK_REVERT(f.w, call(&f, f.owner, &b), "InvalidSchemaId(uint256)");
    data_refiner_registry_put_updateSchemaId(&b, REF(u256, U(1)), REF(u256, U(1)));
    CHECK_CALL(f.w, call(&f, f.owner, &b));
    CHECK_MEM(refiner_of(&f, 1).schemaDefinitionUrl, bytes_str("ipfs://schema"));
    data_refiner_registry_put_dlpRefiners(&b, &f.pool.id);
    CHECK_CALL(f.w, world_view(f.w, f.refiners, &b));
    CHECK_OK(data_refiner_registry_get_dlpRefiners(&list, &f.w->a, f.w->ret, &e), &e);
    CHECK_INT(list.n, 2);
    CHECK_U256(list.p[1], 2);
    net_clear(&f.n);
}

/* The pool passes on to a new owner. */
static void hand_over(struct fixture *f, struct address to)
{
    struct dlp_registry_DlpRegistration r = {.dlpAddress = f->pool.dlp,
                                             .ownerAddress = to,
                                             .treasuryAddress = f->n.treasury,
                                             .name = bytes_str("refined pool")};
    struct buf b = {0};

    dlp_registry_put_updateDlp(&b, &f->pool.id, &r);
    CHECK_CALL(f->w, world_call(f->w, f->owner, f->n.dlps, 0, &b));
}

TEST(refiners_follow_the_pool)
{
    struct buf b = {0};
    struct fixture f;

    fixture_init(&f);
    for (int i = 0; i < 3; i++)
        add_refiner(&f, 0);
    hand_over(&f, f.stranger);
    CHECK_ADDRESS(refiner_of(&f, 1).owner, f.owner);
    data_refiner_registry_put_updateRefinerOwner(&b, REF(u256, U(1)));
    CHECK_REVERT(f.w, call(&f, f.owner, &b), "NotDlpOwner()");
    data_refiner_registry_put_updateRefinerOwner(&b, REF(u256, U(1)));
    CHECK_CALL(f.w, call(&f, f.stranger, &b));
    CHECK_ADDRESS(refiner_of(&f, 1).owner, f.stranger);
    CHECK_ADDRESS(refiner_of(&f, 3).owner, f.owner);
    data_refiner_registry_put_updateDlpRefinersOwner(&b, &f.pool.id);
    CHECK_CALL(f.w, call(&f, f.stranger, &b));
    CHECK_ADDRESS(refiner_of(&f, 3).owner, f.stranger);
    net_clear(&f.n);
}

TEST(services_write_refinements)
{
    struct address service = world_account(30), reader = world_account(31);
    struct data_refiner_registry_address_list list;
    struct buf b = {0};
    struct fixture f;
    struct bytes text;
    struct err e;

    fixture_init(&f);
    add_refiner(&f, 0);
    net_add_file(&f.n, f.stranger, "ipfs://file");
    data_refiner_registry_put_addRefinementService(&b, &f.pool.id, &service);
    CHECK_REVERT(f.w, call(&f, service, &b), "NotDlpOwner()");
    data_registry_put_addRefinementWithPermission(&b, REF(u256, U(1)), REF(u256, U(1)),
                                                  bytes_str("ipfs://refined"), &reader,
                                                  bytes_str("key"));
    CHECK_REVERT(f.w, world_call(f.w, service, f.n.registry, 0, &b), "NoPermission()");

    data_refiner_registry_put_addRefinementService(&b, &f.pool.id, &service);
    CHECK_CALL(f.w, call(&f, f.owner, &b));
    data_registry_put_addRefinementWithPermission(&b, REF(u256, U(1)), REF(u256, U(1)),
                                                  bytes_str("ipfs://refined"), &reader,
                                                  bytes_str("key"));
    CHECK_CALL(f.w, world_call(f.w, service, f.n.registry, 0, &b));
    data_registry_put_fileRefinements(&b, REF(u256, U(1)), REF(u256, U(1)));
    CHECK_CALL(f.w, world_view(f.w, f.n.registry, &b));
    CHECK_OK(data_registry_get_fileRefinements(&text, NULL, f.w->ret, &e), &e);
    CHECK_MEM(text, bytes_str("ipfs://refined"));
    /* A refiner that does not exist belongs to no pool. */
    data_registry_put_addRefinementWithPermission(&b, REF(u256, U(1)), REF(u256, U(2)),
                                                  bytes_str("ipfs://r"), &reader, bytes_str("key"));
    CHECK_REVERT(f.w, world_call(f.w, service, f.n.registry, 0, &b), "NoPermission()");

    data_refiner_registry_put_removeRefinementService(&b, &f.pool.id, &service);
    CHECK_CALL(f.w, call(&f, f.owner, &b));
    data_refiner_registry_put_dlpRefinementServices(&b, &f.pool.id);
    CHECK_CALL(f.w, world_view(f.w, f.refiners, &b));
    CHECK_OK(data_refiner_registry_get_dlpRefinementServices(&list, &f.w->a, f.w->ret, &e), &e);
    CHECK_INT(list.n, 0);
    data_registry_put_addRefinementWithPermission(
        &b, REF(u256, U(1)), REF(u256, U(1)), bytes_str("ipfs://r2"), &reader, bytes_str("key"));
    CHECK_REVERT(f.w, world_call(f.w, service, f.n.registry, 0, &b), "NoPermission()");
    net_clear(&f.n);
}

TEST(pause_stops_changes)
{
    struct buf b = {0};
    struct fixture f;

    fixture_init(&f);
    data_refiner_registry_put_pause(&b);
    CHECK_REVERT(f.w, call(&f, f.owner, &b), "AccessControlUnauthorizedAccount(address,bytes32)");
    data_refiner_registry_put_pause(&b);
    CHECK_CALL(f.w, call(&f, f.n.admin, &b));
    data_refiner_registry_put_addSchema(&b, bytes_str("n"), bytes_str("d"), bytes_str("u"));
    CHECK_REVERT(f.w, call(&f, f.owner, &b), "EnforcedPause()");
    data_refiner_registry_put_addRefinementService(&b, &f.pool.id, &f.owner);
    CHECK_REVERT(f.w, call(&f, f.owner, &b), "EnforcedPause()");
    net_clear(&f.n);
}
