/* Operations between pack and index. */
#include "store/internal/opset.h"

#include "base/mem.h"

/* Digests are SHA-256 and thus spread already. A client that chooses them by work only slows down
 * a table of at most some thousand entries. */
static size_t slot_of(const struct opset *s, const struct hash32 *digest)
{
    size_t i = (size_t)load_u64le(digest->b) & (s->slots_len - 1);

    while (s->slots[i] != 0 && !hash32_eq(&s->ops[s->slots[i] - 1].digest, digest))
        i = (i + 1) & (s->slots_len - 1);
    return i;
}

static void grow_slots(struct opset *s)
{
    free(s->slots);
    s->slots_len = s->slots_len != 0 ? 2 * s->slots_len : 64;
    s->slots = xcalloc(s->slots_len, sizeof(*s->slots));
    s->slots_used = 0;
    for (size_t i = 0; i < s->n; i++) {
        size_t at;

        if (s->ops[i].type == PACK_PIN)
            continue;
        at = slot_of(s, &s->ops[i].digest);
        s->slots_used += s->slots[at] == 0;
        s->slots[at] = (uint32_t)(i + 1);
    }
}

void opset_add(struct opset *s, const struct op *op)
{
    struct op *mine;

    if (s->n == s->cap) {
        s->cap = s->cap != 0 ? 2 * s->cap : 16;
        s->ops = xreallocarray(s->ops, s->cap, sizeof(*s->ops));
    }
    mine = &s->ops[s->n++];
    *mine = *op;
    if (op->type == PACK_PIN) {
        mine->pin_key = arena_dup(&s->arena, op->pin_key);
        mine->pin_value = arena_dup(&s->arena, op->pin_value);
        return;
    }
    if (2 * (s->slots_used + 1) > s->slots_len) {
        grow_slots(s);
    } else {
        size_t at = slot_of(s, &op->digest);

        s->slots_used += s->slots[at] == 0;
        s->slots[at] = (uint32_t)s->n;
    }
}

const struct op *opset_find(const struct opset *s, const struct hash32 *digest)
{
    size_t at;

    if (s->slots_used == 0)
        return NULL;
    at = slot_of(s, digest);
    return s->slots[at] != 0 ? &s->ops[s->slots[at] - 1] : NULL;
}

void opset_clear(struct opset *s)
{
    free(s->ops);
    free(s->slots);
    arena_clear(&s->arena);
    *s = (struct opset){0};
}
