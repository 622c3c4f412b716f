/* What another keeper says of a block, and whether it is believed. */
#include "keeper/internal/state.h"
#include "lib/t.h"
#include "light/net.h"

static struct hash32 hash_of(const struct light_block *b)
{
    struct hash32 h;

    header_hash(&h, &b->header);
    return h;
}

TEST(another_chain_is_believed_only_when_shown)
{
    AUTO_CLEAR(net) struct net t;
    AUTO_CLEAR(net) struct net stranger;
    struct light_block ours, other, forged, next;
    struct hash32 said;
    json_t *shown;
    struct err e;

    net_init(&t, 4, 0);
    net_block(&t, &ours, 7);
    said = hash_of(&ours);
    CHECK_INT(heads_judge(&ours, &said, NULL, &e), HEADS_AGREES);

    /* Its word alone, or a block that is not of this hash: a lie. */
    net_block_unsigned(&t, &other, 7, NULL);
    other.header.data_hash.b[0] ^= 1;
    net_sign(&t, &other, 0);
    said = hash_of(&other);
    CHECK_INT(heads_judge(&ours, &said, NULL, &e), HEADS_LIES);
    CHECK_INT(heads_judge(&ours, &said, json_null(), &e), HEADS_LIES);
    shown = light_block_to_json(&ours);
    CHECK_INT(heads_judge(&ours, &said, shown, &e), HEADS_LIES);
    CHECK_TRUE(strstr(e.msg, "another hash than that of the block it shows") != NULL);
    json_decref(shown);

    /* Signed by who signed ours: there is another chain. */
    shown = light_block_to_json(&other);
    CHECK_INT(heads_judge(&ours, &said, shown, &e), HEADS_CONFLICTS);
    CHECK_TRUE(json_object_del(shown, "commit") == 0);
    CHECK_INT(heads_judge(&ours, &said, shown, &e), HEADS_LIES);
    json_decref(shown);

    /* Signed by others, by too few, or of another height. */
    net_init(&stranger, 4, 9);
    net_block(&stranger, &forged, 7);
    said = hash_of(&forged);
    shown = light_block_to_json(&forged);
    CHECK_INT(heads_judge(&ours, &said, shown, &e), HEADS_LIES);
    json_decref(shown);
    net_sign(&t, &other, 3);
    said = hash_of(&other);
    shown = light_block_to_json(&other);
    CHECK_INT(heads_judge(&ours, &said, shown, &e), HEADS_LIES);
    json_decref(shown);
    net_block(&t, &next, 8);
    said = hash_of(&next);
    shown = light_block_to_json(&next);
    CHECK_INT(heads_judge(&ours, &said, shown, &e), HEADS_LIES);
    json_decref(shown);
}
