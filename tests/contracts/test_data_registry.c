/* The rules of DataRegistry, and the parts every system contract shares. */
#include "chain/gen/multicall3.h"
#include "contracts/net.h"

struct fixture {
    struct net n;
    struct world *w;
    struct address alice, bob;
};

static void fixture_init(struct fixture *f)
{
    net_init(&f->n);
    f->w = &f->n.w;
    f->alice = world_account(10);
    f->bob = world_account(11);
}

static enum world_outcome call(struct fixture *f, struct address from, struct buf *b)
{
    return world_call(f->w, from, f->n.registry, 0, b);
}

static struct data_registry_FileResponse file_of(struct fixture *f, uint64_t id)
{
    struct buf b = {0};
    struct data_registry_FileResponse r;
    struct err e;

    data_registry_put_files(&b, REF(u256, U(id)));
    CHECK_CALL(f->w, world_view(f->w, f->n.registry, &b));
    CHECK_OK(data_registry_get_files(&r, NULL, f->w->ret, &e), &e);
    return r;
}

static struct bytes key_of(struct fixture *f, uint64_t id, struct address who)
{
    struct buf b = {0};
    struct bytes key;
    struct err e;

    data_registry_put_filePermissions(&b, REF(u256, U(id)), &who);
    CHECK_CALL(f->w, world_view(f->w, f->n.registry, &b));
    CHECK_OK(data_registry_get_filePermissions(&key, NULL, f->w->ret, &e), &e);
    return key;
}

TEST(add_file_logs_and_stores)
{
    struct fixture f;
    struct data_registry_event_FileAdded ev;
    struct err e;

    fixture_init(&f);
    f.w->height = 42;
    CHECK_U256(net_add_file(&f.n, f.alice, "ipfs://one"), 1);
    CHECK_INT(f.w->n_logs, 2);
    CHECK_OK(data_registry_parse_FileAdded(&ev, NULL, f.w->logs[0].topics, f.w->logs[0].n_topics,
                                           f.w->logs[0].data, &e),
             &e);
    CHECK_U256(ev.fileId, 1);
    CHECK_ADDRESS(ev.ownerAddress, f.alice);
    CHECK_MEM(ev.url, bytes_str("ipfs://one"));
    CHECK_MEM(BYTES_OF(&f.w->logs[1].topics[0]), BYTES_OF(&data_registry_topic_FileAddedV2));
    CHECK_ADDRESS(file_of(&f, 1).ownerAddress, f.alice);
    CHECK_U256(file_of(&f, 1).addedAtBlock, 42);
    CHECK_U256(file_of(&f, 7).id, 7); /* unknown: the id comes back with zeros */
    CHECK_TRUE(address_is_zero(REF(address, file_of(&f, 7).ownerAddress)));
    net_clear(&f.n);
}

TEST(a_url_is_registered_once)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    net_add_file(&f.n, f.alice, "ipfs://one");
    data_registry_put_addFile(&b, bytes_str("ipfs://one"));
    CHECK_REVERT(f.w, call(&f, f.bob, &b), "FileUrlAlreadyUsed()");
    data_registry_put_addFileWithSchema(&b, bytes_str("ipfs://one"), REF(u256, U(5)));
    CHECK_REVERT(f.w, call(&f, f.bob, &b), "FileUrlAlreadyUsed()"); /* before the schema */
    data_registry_put_addFileWithSchema(&b, bytes_str("ipfs://two"), REF(u256, U(5)));
    CHECK_REVERT(f.w, call(&f, f.bob, &b), "");   /* no refiner registry is set */
    CHECK_U256(net_add_file(&f.n, f.bob, ""), 2); /* the empty url, once; no id was lost */
    net_clear(&f.n);
}

TEST(permissions)
{
    struct fixture f;
    struct buf b = {0};
    struct data_registry_Permission two[2] = {{world_account(11), bytes_str("key-b")},
                                              {world_account(12), bytes_str("key-c")}};
    struct hash32 portability = {{0x75, 0x1e, 0xfd, 0x16, 0xbb, 0x32, 0xc4, 0xce, 0x02, 0x96, 0x1e,
                                  0x40, 0x90, 0xa5, 0xeb, 0x87, 0x2d, 0x54, 0x84, 0x58, 0x8a, 0x52,
                                  0x5a, 0x0c, 0x4e, 0x90, 0x6b, 0xef, 0xe9, 0x53, 0x7e, 0x99}};

    fixture_init(&f);
    data_registry_put_addFileWithPermissions(&b, bytes_str("u"), &f.alice,
                                             (struct data_registry_Permission_list){two, 2});
    CHECK_CALL(f.w, call(&f, f.bob, &b)); /* bob registers for alice */
    CHECK_INT(f.w->n_logs, 4);
    CHECK_MEM(BYTES_OF(&f.w->logs[3].topics[0]), BYTES_OF(&data_registry_topic_PermissionGranted));
    CHECK_MEM(bytes_of(f.w->logs[3].topics[2].b + 12, 20), BYTES_OF(&two[1].account));
    CHECK_ADDRESS(file_of(&f, 1).ownerAddress, f.alice);
    CHECK_MEM(key_of(&f, 1, two[1].account), bytes_str("key-c"));

    data_registry_put_addFilePermission(&b, REF(u256, U(1)), &f.bob, bytes_str("x"));
    CHECK_REVERT(f.w, call(&f, f.bob, &b), "NotFileOwner()");
    data_registry_put_addFilePermission(&b, REF(u256, U(99)), &f.bob, bytes_str("x"));
    CHECK_REVERT(f.w, call(&f, f.bob, &b), "NotFileOwner()");
    data_registry_put_addFilePermission(&b, REF(u256, U(1)), &f.bob, bytes_str("x"));
    CHECK_CALL(f.w, call(&f, f.alice, &b));
    CHECK_MEM(key_of(&f, 1, f.bob), bytes_str("x"));
    data_registry_put_grantRole(&b, &portability, &f.bob);
    CHECK_CALL(f.w, call(&f, f.n.admin, &b));
    data_registry_put_addFilePermission(&b, REF(u256, U(1)), &f.bob, bytes_str("y"));
    CHECK_CALL(f.w, call(&f, f.bob, &b));
    CHECK_MEM(key_of(&f, 1, f.bob), bytes_str("y"));
    net_clear(&f.n);
}

TEST(proofs_count_from_one)
{
    struct fixture f;
    struct buf b = {0};
    struct err e;
    struct u256 n;
    struct data_registry_Proof p = {
        bytes_str("sig"),
        {U(3), U(4), bytes_str("meta"), bytes_str("url"), bytes_str("instruction")}};

    fixture_init(&f);
    for (int i = 0; i < 2; i++) {
        data_registry_put_addProof(&b, REF(u256, U(9)), &p); /* the file need not exist */
        CHECK_CALL(f.w, call(&f, f.bob, &b));
    }
    data_registry_put_fileProofsCount(&b, REF(u256, U(9)));
    CHECK_CALL(f.w, world_view(f.w, f.n.registry, &b));
    CHECK_OK(data_registry_get_fileProofsCount(&n, NULL, f.w->ret, &e), &e);
    CHECK_U256(n, 2);
    data_registry_put_fileProofs(&b, REF(u256, U(9)), REF(u256, U(2)));
    CHECK_CALL(f.w, world_view(f.w, f.n.registry, &b));
    CHECK_OK(data_registry_get_fileProofs(&p, NULL, f.w->ret, &e), &e);
    CHECK_MEM(p.data.instruction, bytes_str("instruction"));
    CHECK_MEM(p.signature, bytes_str("sig"));
    data_registry_put_fileProofs(&b, REF(u256, U(9)), REF(u256, U(0)));
    CHECK_CALL(f.w, world_view(f.w, f.n.registry, &b));
    CHECK_OK(data_registry_get_fileProofs(&p, NULL, f.w->ret, &e), &e);
    CHECK_INT(p.data.instruction.n, 0);
    net_clear(&f.n);
}

TEST(pause_stops_changes_and_no_views)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    data_registry_put_pause(&b);
    CHECK_REVERT(f.w, call(&f, f.alice, &b), "AccessControlUnauthorizedAccount(address,bytes32)");
    data_registry_put_unpause(&b);
    CHECK_REVERT(f.w, call(&f, f.n.admin, &b), "ExpectedPause()");
    data_registry_put_pause(&b);
    CHECK_CALL(f.w, call(&f, f.n.admin, &b));
    data_registry_put_addFile(&b, bytes_str("u"));
    CHECK_REVERT(f.w, call(&f, f.alice, &b), "EnforcedPause()");
    file_of(&f, 1);
    data_registry_put_unpause(&b);
    CHECK_CALL(f.w, call(&f, f.n.admin, &b));
    CHECK_U256(net_add_file(&f.n, f.alice, "u"), 1);
    net_clear(&f.n);
}

TEST(forwarder_names_the_sender_but_cannot_administer)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    data_registry_put_addFile(&b, bytes_str("u"));
    buf_put(&b, f.alice.b, 20);
    CHECK_CALL(f.w, call(&f, f.n.forwarder, &b));
    CHECK_ADDRESS(file_of(&f, 1).ownerAddress, f.alice);
    data_registry_put_addFile(&b,
                              bytes_str("v")); /* the suffix of a stranger is just trailing data */
    buf_put(&b, f.alice.b, 20);
    CHECK_CALL(f.w, call(&f, f.bob, &b));
    CHECK_ADDRESS(file_of(&f, 2).ownerAddress, f.bob);
    data_registry_put_pause(&b);
    buf_put(&b, f.n.admin.b, 20);
    CHECK_REVERT(f.w, call(&f, f.n.forwarder, &b),
                 "AccessControlUnauthorizedAccount(address,bytes32)");

    /* Within multicall the suffix of the whole call counts, not one an inner call brings along. */
    struct buf inner = {0};

    data_registry_put_addFile(&inner, bytes_str("w"));
    buf_put(&inner, f.alice.b, 20);
    struct bytes calls[1] = {buf_bytes(&inner)};

    data_registry_put_multicall(&b, (struct data_registry_bytes_list){calls, 1});
    buf_put(&b, f.bob.b, 20);
    CHECK_CALL(f.w, call(&f, f.n.forwarder, &b));
    CHECK_ADDRESS(file_of(&f, 3).ownerAddress, f.bob);
    buf_clear(&inner);
    net_clear(&f.n);
}

TEST(multicall_gives_results_and_undoes_all)
{
    struct fixture f;
    struct buf b = {0}, one = {0}, two = {0};
    struct data_registry_bytes_list results;
    struct u256 id;
    struct err e;

    fixture_init(&f);
    data_registry_put_addFile(&one, bytes_str("a"));
    data_registry_put_addFile(&two, bytes_str("b"));
    struct bytes calls[2] = {buf_bytes(&one), buf_bytes(&two)};

    data_registry_put_multicall(&b, (struct data_registry_bytes_list){calls, 2});
    CHECK_CALL(f.w, call(&f, f.alice, &b));
    CHECK_OK(data_registry_get_multicall(&results, &f.w->a, f.w->ret, &e), &e);
    CHECK_INT(results.n, 2);
    CHECK_OK(data_registry_get_addFile(&id, NULL, results.p[1], &e), &e);
    CHECK_U256(id, 2);
    buf_reset(&one);
    data_registry_put_addFile(&one, bytes_str("c"));
    calls[0] = buf_bytes(&one);
    data_registry_put_multicall(&b, (struct data_registry_bytes_list){calls, 2});
    CHECK_REVERT(f.w, call(&f, f.alice, &b), "FileUrlAlreadyUsed()");
    CHECK_U256(net_add_file(&f.n, f.alice, "c"), 3);
    buf_clear(&one);
    buf_clear(&two);
    net_clear(&f.n);
}

TEST(roles)
{
    struct fixture f;
    struct buf b = {0};
    struct hash32 role = {{7}}, admin_of_role = {{8}};

    fixture_init(&f);
    data_registry_put_grantRole(&b, &role, &f.bob);
    CHECK_REVERT(f.w, call(&f, f.alice, &b), "AccessControlUnauthorizedAccount(address,bytes32)");
    data_registry_put_setRoleAdmin(&b, &role, &admin_of_role);
    CHECK_CALL(f.w, call(&f, f.n.admin, &b));
    data_registry_put_grantRole(&b, &role, &f.bob);
    CHECK_REVERT(f.w, call(&f, f.n.admin, &b), "AccessControlUnauthorizedAccount(address,bytes32)");
    data_registry_put_grantRole(&b, &admin_of_role, &f.alice);
    CHECK_CALL(f.w, call(&f, f.n.admin, &b));
    data_registry_put_grantRole(&b, &role, &f.bob);
    CHECK_CALL(f.w, call(&f, f.alice, &b));
    CHECK_INT(f.w->n_logs, 1);
    data_registry_put_renounceRole(&b, &role, &f.alice);
    CHECK_REVERT(f.w, call(&f, f.bob, &b), "AccessControlBadConfirmation()");
    data_registry_put_renounceRole(&b, &role, &f.bob);
    CHECK_CALL(f.w, call(&f, f.bob, &b));
    CHECK_INT(f.w->n_logs, 1);
    net_clear(&f.n);
}

TEST(upgrade_keeps_the_storage_and_asks_the_new_code)
{
    struct fixture f;
    struct buf b = {0};
    struct address new_code, token;

    fixture_init(&f);
    net_add_file(&f.n, f.alice, "u");
    new_code = world_place(f.w, "TeePool"); /* another upgradable contract */
    token = world_place(f.w, "DataToken");  /* not upgradable: has no proxiableUUID */
    data_registry_put_upgradeToAndCall(&b, &new_code, bytes_str(""));
    CHECK_REVERT(f.w, call(&f, f.alice, &b), "AccessControlUnauthorizedAccount(address,bytes32)");
    data_registry_put_upgradeToAndCall(&b, &f.alice, bytes_str(""));
    CHECK_REVERT(f.w, call(&f, f.n.admin, &b), "ERC1967InvalidImplementation(address)");
    data_registry_put_upgradeToAndCall(&b, &token, bytes_str(""));
    CHECK_REVERT(f.w, call(&f, f.n.admin, &b), "ERC1967InvalidImplementation(address)");
    data_registry_put_upgradeToAndCall(&b, &new_code, bytes_str("x"));
    CHECK_REVERT(f.w, call(&f, f.n.admin, &b), "Error(string)");
    data_registry_put_upgradeToAndCall(&b, &new_code, bytes_str(""));
    CHECK_CALL(f.w, call(&f, f.n.admin, &b));
    CHECK_MEM(BYTES_OF(&f.w->logs[0].topics[0]), BYTES_OF(&data_registry_topic_Upgraded));
    tee_pool_put_teeFee(&b);
    CHECK_CALL(f.w, world_view(f.w, f.n.registry, &b)); /* it now is a TeePool */
    data_registry_put_filesCount(&b);
    CHECK_REVERT(f.w, world_view(f.w, f.n.registry, &b), "");
    net_clear(&f.n);
}

TEST(calldata_is_decoded_strictly)
{
    struct fixture f;
    struct buf b = {0};

    fixture_init(&f);
    data_registry_put_addFile(&b, bytes_str("ipfs://one"));
    b.p[4 + 31] = 0xe0; /* the offset points outside */
    CHECK_REVERT(f.w, call(&f, f.alice, &b), "");
    data_registry_put_addFile(&b, bytes_str("ipfs://one"));
    b.p[4 + 63] = 33; /* longer than what is there */
    CHECK_REVERT(f.w, call(&f, f.alice, &b), "");
    data_registry_put_addFile(&b, bytes_str("ipfs://one"));
    b.p[4] = 1; /* an offset of 2^248 */
    CHECK_REVERT(f.w, call(&f, f.alice, &b), "");
    data_registry_put_filePermissions(&b, REF(u256, U(1)), &f.alice);
    b.p[4 + 32] = 1; /* dirty bytes above an address */
    CHECK_REVERT(f.w, call(&f, f.alice, &b), "");
    data_registry_put_updateEmitLegacyEvents(&b, true);
    b.p[4 + 31] = 2; /* no bool */
    CHECK_REVERT(f.w, call(&f, f.n.admin, &b), "");
    data_registry_put_files(&b, REF(u256, U(1)));
    b.n--;
    CHECK_REVERT(f.w, call(&f, f.alice, &b), "");
    net_clear(&f.n);
}

TEST(random_calldata_never_traps)
{
    static const char *const names[] = {"DataRegistry", "TeePool",   "DataLiquidityPool",
                                        "DLPRegistry",  "DataToken", "PoolFactory",
                                        "Multicall3"};
    struct fixture f;
    struct buf seed = {0};

    fixture_init(&f);
    struct data_registry_Permission one = {f.alice, bytes_str("key")};

    data_registry_put_addFileWithPermissions(&seed, bytes_str("ipfs://a"), &f.alice,
                                             (struct data_registry_Permission_list){&one, 1});
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        struct address at = world_place(f.w, names[i]);

        for (int k = 0; k < 3000; k++) {
            struct buf b = {0};

            buf_put_bytes(&b, buf_bytes(&seed));
            for (uint64_t n = t_rand_below(6); n != 0; n--)
                b.p[t_rand_below(b.n)] = (uint8_t)t_rand();
            if (t_rand_below(2) == 0)
                b.n = (size_t)t_rand_below(b.n + 1);
            CHECK_TRUE(world_call(f.w, f.alice, at, 0, &b) != WORLD_TRAPPED);
        }
    }
    buf_clear(&seed);
    net_clear(&f.n);
}

TEST(multicall3)
{
    struct fixture f;
    struct buf b = {0}, good = {0}, bad = {0};
    struct err e;
    struct multicall3_Result_list r;

    fixture_init(&f);
    struct address m = world_place(f.w, "Multicall3");

    data_registry_put_filesCount(&good);
    data_registry_put_pause(&bad);
    struct multicall3_Call3 calls[2] = {{f.n.registry, false, buf_bytes(&good)},
                                        {f.n.registry, true, buf_bytes(&bad)}};

    multicall3_put_aggregate3(&b, (struct multicall3_Call3_list){calls, 2});
    CHECK_CALL(f.w, world_view(f.w, m, &b));
    CHECK_OK(multicall3_get_aggregate3(&r, &f.w->a, f.w->ret, &e), &e);
    CHECK_INT(r.n, 2);
    CHECK_TRUE(r.p[0].success && !r.p[1].success);
    CHECK_INT(r.p[0].returnData.n, 32);
    CHECK_STR(data_registry_error(r.p[1].returnData),
              "AccessControlUnauthorizedAccount(address,bytes32)");
    calls[1].allowFailure = false;
    multicall3_put_aggregate3(&b, (struct multicall3_Call3_list){calls, 2});
    CHECK_REVERT(f.w, world_view(f.w, m, &b), "Error(string)");

    struct multicall3_Call3Value pay[1] = {{world_account(50), false, U(5), bytes_str("")}};

    world_set_balance(f.w, f.alice, 100);
    multicall3_put_aggregate3Value(&b, (struct multicall3_Call3Value_list){pay, 1});
    CHECK_REVERT(f.w, world_call(f.w, f.alice, m, 6, &b), "Error(string)");
    multicall3_put_aggregate3Value(&b, (struct multicall3_Call3Value_list){pay, 1});
    CHECK_CALL(f.w, world_call(f.w, f.alice, m, 5, &b));
    CHECK_U256(world_balance(f.w, world_account(50)), 5);
    buf_clear(&good);
    buf_clear(&bad);
    net_clear(&f.n);
}
