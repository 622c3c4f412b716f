/* CRC-32C, reflected polynomial 0x82F63B78: the CPU's instruction where there is one, else a table
 * of 16. */
#include "kv/log.h"

static uint32_t crc_plain(uint32_t crc, struct bytes in)
{
    static const uint32_t nibble[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                        0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

    for (; in.n != 0; in.p++, in.n--) {
        crc ^= *in.p;
        crc = crc >> 4 ^ nibble[crc & 15];
        crc = crc >> 4 ^ nibble[crc & 15];
    }
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t crc, struct bytes in)
{
    uint64_t c = crc;

    for (; in.n >= 8; in.p += 8, in.n -= 8)
        c = __builtin_ia32_crc32di(c, load_u64le(in.p));
    crc = (uint32_t)c;
    for (; in.n != 0; in.p++, in.n--)
        crc = __builtin_ia32_crc32qi(crc, *in.p);
    return crc;
}
#endif

uint32_t crc32c(uint32_t crc, struct bytes in)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc_sse42(~crc, in);
#endif
    return ~crc_plain(~crc, in);
}
