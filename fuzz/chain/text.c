/* Texts of a chain: times, addresses, signatures of functions and errors. What parses, printed
 * again, parses to the same. */
#include "chain/abi_sig.h"
#include "chain/address.h"
#include "chain/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_of(data, size);
    char address[ADDRESS_TEXT_SIZE];
    struct address a, again;
    struct chain_time t;
    uint8_t selector[4];
    struct hash32 topic;

    (void)!chain_time_parse(&t, text, NULL);
    if (address_parse(&a, text, NULL) == RC_OK) {
        address_format(address, &a);
        CHECK(address_parse(&again, bytes_str(address), NULL) == RC_OK &&
              memcmp(&a, &again, sizeof(a)) == 0);
    }
    if (abi_selector(selector, text, NULL) == RC_OK)
        CHECK(abi_topic(&topic, text, NULL) == RC_OK && memcmp(selector, topic.b, 4) == 0);
    return 0;
}
