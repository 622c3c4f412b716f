/* Vault - values under names, shared by permission. ABI: abi/Vault.json.
 *
 * The law
 * - Every account has names of its own, with a value each: put(), remove().
 * - A value is told to its owner, and to whom the owner shared it with, until the time given there
 *   (0 takes it back). Queries must be signed for that: unsigned, their caller is nobody.
 * - Whether a name is not there or not shared looks the same to others.
 * - Sharing is of the name: who may read it reads what is put there later, too. */
#include "Vault.abi.h"
#include "sdk/confidential.h"

#define NAME_MAX 64u
#define VALUE_MAX 16384u

MAP2(value_of, 1, address, bytes32, str)
SET_OF(names, 2, address, str)
MAP2(shared_until, 3, bytes32, address, u64)

/* A name of an account, as one key. */
static bytes32 place(address owner, str name)
{
    enc e = {0};

    enc_raw(&e, owner.b, sizeof(owner.b));
    enc_raw(&e, name.p, name.n);
    return keccak(enc_str(&e));
}

void Vault_put(str name, str value)
{
    address who = msg_caller();

    if (name.n == 0 || name.n > NAME_MAX)
        revert_BadName(NAME_MAX);
    if (value.n > VALUE_MAX)
        revert_TooLong(VALUE_MAX);
    (void)names_add(who, name);
    value_of_set(who, keccak(name), value);
}

void Vault_remove(str name)
{
    address who = msg_caller();

    if (!names_remove(who, name))
        revert_NotFound();
    value_of_set(who, keccak(name), (str){0});
}

void Vault_share(str name, address with, u64 until)
{
    if (!names_has(msg_caller(), name))
        revert_NotFound();
    shared_until_set(place(msg_caller(), name), with, until);
}

str Vault_get(address owner, str name)
{
    address who = msg_caller();
    bool may = same(who, owner) || block_time() < shared_until(place(owner, name), who);

    if (is_zero(who) || !may || !names_has(owner, name))
        revert_NotFound();
    return value_of(owner, keccak(name));
}

struct str_list Vault_names(void)
{
    address who = msg_caller();
    u64 n = names_count(who);
    struct str_list list = {alloc_array(n, sizeof(str)), n};

    for (u64 i = 0; i < n; i++)
        list.p[i] = names_at(who, i);
    return list;
}
