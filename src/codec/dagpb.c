#include "codec/dagpb.h"

#include "codec/proto.h"

/* PBNode { Links = 2 (repeated PBLink), Data = 1 }, links first; PBLink { Hash 1, Name 2, Tsize 3
 * }. dag-pb is proto2: a field may be present with its default value. */

static void read_link(struct dagpb_link *l, struct proto_reader *r)
{
    struct proto_field f;
    uint32_t seen = 0;

    l->no_name = l->no_tsize = true;
    while (proto_next(r, &f)) {
        proto_once(r, &seen, &f);
        switch (f.number) {
        case 1: {
            struct reader h = reader_init(proto_bytes_any(r, &f, CID_BIN_MAX));

            l->cid = cid_read(&h);
            if (!reader_ok(&h))
                proto_fail(r, h.why);
            else if (h.left != 0)
                proto_fail(r, "bytes after the link's cid");
            break;
        }
        case 2:
            l->name = proto_bytes_any(r, &f, DAGPB_MAX_SIZE);
            l->no_name = false;
            break;
        case 3:
            if (f.wire != PROTO_VARINT)
                proto_fail(r, "link size is not a varint");
            l->tsize = f.num;
            l->no_tsize = false;
            break;
        default:
            proto_fail(r, "unknown field in a link");
            break;
        }
    }
    if (!(seen & 1u << 1))
        proto_fail(r, "link without a cid");
}

enum rc dagpb_decode(struct dagpb_node *out, struct arena *a, struct bytes block, struct err *e)
{
    struct proto_reader r = proto_reader_init(block), count;
    struct proto_field f;
    size_t n = 0;

    memset(out, 0, sizeof(*out));
    if (block.n > DAGPB_MAX_SIZE)
        return err_set(e, RC_LIMIT, "dag-pb block of %zu bytes, limit %u", block.n, DAGPB_MAX_SIZE);
    count = r;
    while (proto_next(&count, &f) && f.number == 2)
        n++;
    if (n > DAGPB_MAX_LINKS)
        return err_set(e, RC_LIMIT, "dag-pb node of %zu links, limit %d", n, DAGPB_MAX_LINKS);
    if (n != 0)
        out->links = arena_array(a, n, sizeof(out->links[0]));
    while (proto_next(&r, &f)) {
        if (f.number == 2 && out->n_links < n) {
            struct proto_reader sub = proto_sub(&r, &f);

            read_link(&out->links[out->n_links], &sub);
            proto_join(&r, &sub);
            out->n_links++;
        } else if (f.number == 1 && !out->has_data) {
            out->data = proto_bytes_any(&r, &f, DAGPB_MAX_SIZE);
            out->has_data = true;
            r.last = 3; /* nothing may follow the data */
        } else {
            proto_fail(&r, "unknown, repeated or misplaced field in a node");
        }
        /* Links (2) stand before data (1): the one place where the order is not ascending. */
        if (f.number == 2)
            r.last = 1;
    }
    enum rc rc = proto_done(&r, "dag-pb", e);
    if (rc != RC_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

void dagpb_encode(struct buf *out, const struct dagpb_node *node)
{
    for (size_t i = 0; i < node->n_links; i++) {
        const struct dagpb_link *l = &node->links[i];
        uint8_t bin[CID_BIN_MAX];
        size_t mark = proto_msg_begin(out, 2);

        proto_put_bytes_always(out, 1, bytes_of(bin, cid_encode(bin, &l->cid)));
        if (!l->no_name)
            proto_put_bytes_always(out, 2, l->name);
        if (!l->no_tsize) {
            buf_u8(out, 3 << 3 | PROTO_VARINT);
            buf_uvarint(out, l->tsize);
        }
        proto_msg_end(out, mark);
    }
    if (node->has_data)
        proto_put_bytes_always(out, 1, node->data);
}
