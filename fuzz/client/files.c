/* Files that a person was given, by the first byte: a network's, a genesis. */
#include "base/mem.h"
#include "client/internal/light.h"
#include "client/network.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void network(struct bytes text)
{
    struct address a = {{0}};
    struct network n;
    struct err e;

    if (network_parse(&n, "some/devnet.json", text, &e) == RC_OK) {
        CHECK(n.genesis != NULL && n.file != NULL);
        (void)!network_contract_unless_given(&a, &n, "TeePool", &e);
    }
    network_clear(&n);
}

static void genesis(struct bytes text)
{
    AUTO_CLEAR(arena) struct arena a = {0};
    struct light_root root;
    struct hash32 one, two;
    struct err e;

    if (light_root_from_genesis(&root, &a, text, &e) != RC_OK)
        return;
    light_root_hash(&one, &root);
    light_root_hash(&two, &root);
    CHECK(hash32_eq(&one, &two));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 2 == 0)
        network(bytes_of(data + 1, size - 1));
    else
        genesis(bytes_of(data + 1, size - 1));
    return 0;
}
