#include "abigen/abigen.h"
#include "lib/t.h"

static enum rc generate(struct buf *header, struct buf *source, struct buf *calls, const char *json,
                        struct err *e)
{
    return abigen_contract(header, source, calls, bytes_str(json), "Shop", e);
}

static void contains(struct buf *text, const char *piece)
{
    if (strstr(buf_cstr(text), piece) == NULL)
        t_fail(__FILE__, __LINE__, "\"%s\" is not in:\n%s", piece, buf_cstr(text));
}

/* Selectors and topic of ERC-20: known everywhere. */
static const char erc20[] =
    "[{\"type\":\"function\",\"name\":\"transfer\",\"inputs\":[{\"name\":\"to\",\"type\":"
    "\"address\"},"
    "{\"name\":\"value\",\"type\":\"uint256\"}],\"outputs\":[{\"name\":\"\",\"type\":\"bool\"}],"
    "\"stateMutability\":\"nonpayable\"},"
    "{\"type\":\"event\",\"name\":\"Transfer\",\"inputs\":["
    "{\"name\":\"from\",\"type\":\"address\",\"indexed\":true},"
    "{\"name\":\"to\",\"type\":\"address\",\"indexed\":true},"
    "{\"name\":\"value\",\"type\":\"uint256\",\"indexed\":false}]},"
    "{\"type\":\"error\",\"name\":\"ERC20InvalidReceiver\",\"inputs\":[{\"name\":\"receiver\","
    "\"type\":\"address\"}]}]";

TEST(contract_side)
{
    AUTO_CLEAR(buf) struct buf h = {0}, c = {0}, calls = {0};
    struct err e;

    CHECK_OK(generate(&h, &c, &calls, erc20, &e), &e);
    contains(&h, "bool Shop_transfer(address to, u256 value);");
    contains(&h, "void emit_Transfer(address from, address to, u256 value);");
    contains(&h, "[[noreturn]] void revert_ERC20InvalidReceiver(address receiver);");
    contains(&c, "case 0xa9059cbb: { /* transfer(address,uint256) */\n        nonpayable();");
    contains(&c, "0xdd, 0xf2, 0x52, 0xad");
    contains(&c, "abi_selector(e_, 0xec442f05)");
    contains(&calls, "bool Shop_call_transfer(address to_, address to, u256 value)");
    contains(&calls, "str Shop_encode_transfer(address to, u256 value)");
}

TEST(client_side)
{
    AUTO_CLEAR(buf) struct buf h = {0};
    struct err e;

    CHECK_OK(abigen_client(&h, bytes_str(erc20), "ShopToken", &e), &e);
    contains(&h, "#define shop_token_transfer_selector 0xa9059cbbu");
    contains(&h, "shop_token_put_transfer(struct buf *out, const struct address *to, const struct "
                 "u256 *value)");
    contains(&h, "shop_token_get_transfer(bool *out");
    contains(&h, "shop_token_parse_Transfer(");
    contains(&h, "return \"ERC20InvalidReceiver(address)\";");
}

TEST(stems)
{
    static const char *const cases[][2] = {{"DataLiquidityPool", "data_liquidity_pool"},
                                           {"DLPRegistry", "dlp_registry"},
                                           {"TeePool", "tee_pool"},
                                           {"Multicall3", "multicall3"},
                                           {"DAT", "dat"},
                                           {"x", "x"}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_CLEAR(buf) struct buf b = {0};

        abigen_stem(&b, cases[i][0]);
        CHECK_STR(buf_cstr(&b), cases[i][1]);
    }
}

TEST(structs_lists_and_odd_names)
{
    AUTO_CLEAR(buf) struct buf h = {0}, c = {0}, calls = {0};
    struct err e;

    CHECK_OK(
        generate(&h, &c, &calls,
                 "[{\"type\":\"function\",\"name\":\"buy\",\"stateMutability\":\"payable\","
                 "\"inputs\":[{\"name\":\"int\",\"type\":\"uint8\"},{\"name\":\"\",\"type\":"
                 "\"tuple[]\",\"internalType\":\"struct Shop.Item[]\",\"components\":[{\"name\":"
                 "\"price\",\"type\":\"uint256\"},{\"name\":\"label\",\"type\":\"string\"}]}],"
                 "\"outputs\":[{\"name\":\"x\",\"type\":\"uint256\"},{\"name\":\"y\",\"type\":"
                 "\"bytes32[]\"}]},{\"type\":\"receive\",\"stateMutability\":\"payable\"}]",
                 &e),
        &e);
    contains(&h, "struct Shop_buy_result Shop_buy(u64 int_, struct Item_list arg1);");
    contains(&h, "void Shop_receive(void);");
    contains(&c, "/* buy(uint8,(uint256,string)[]) */\n        u64 int_ = abi_limit(");
    contains(&calls, "struct Shop_Item_list");
    contains(&calls,
             "Shop_call_buy(address to_, u256 value_, u64 int_, struct Shop_Item_list arg1)");
}

TEST(refusals_name_the_entry)
{
    AUTO_CLEAR(buf) struct buf h = {0}, big = {0};
    struct err e;

    CHECK_RC(generate(&h, NULL, NULL, "{}", &e), RC_MALFORMED, &e, "array");
    CHECK_RC(generate(&h, NULL, NULL, "[", &e), RC_MALFORMED, &e, "line 1");
    CHECK_RC(generate(&h, NULL, NULL, "[{\"type\":\"funktion\",\"name\":\"f\"}]", &e), RC_MALFORMED,
             &e, "funktion");
    CHECK_RC(generate(&h, NULL, NULL, "[{\"type\":\"function\",\"name\":\"a b\"}]", &e),
             RC_MALFORMED, &e, "a b");
    CHECK_RC(generate(&h, NULL, NULL,
                      "[{\"type\":\"function\",\"name\":\"f\",\"inputs\":[{\"type\":\"int256\"}]}]",
                      &e),
             RC_UNSUPPORTED, &e, "(f): type int256");
    CHECK_RC(
        generate(&h, NULL, NULL,
                 "[{\"type\":\"function\",\"name\":\"f\"},{\"type\":\"function\",\"name\":\"f\"}]",
                 &e),
        RC_UNSUPPORTED, &e, "overload");
    CHECK_RC(generate(&h, NULL, NULL,
                      "[{\"type\":\"event\",\"name\":\"E\",\"inputs\":[{\"name\":\"a\",\"type\":"
                      "\"uint256[]\",\"indexed\":true}]}]",
                      &e),
             RC_UNSUPPORTED, &e, "indexed uint256[]");
    buf_put_zero(&big, ABIGEN_JSON_MAX + 1);
    CHECK_RC(abigen_contract(&h, NULL, NULL, buf_bytes(&big), "Shop", &e), RC_LIMIT, &e, "at most");
    CHECK_RC(abigen_contract(&h, NULL, NULL, bytes_str("[]"), "a-b", &e), RC_MALFORMED, &e, "a-b");
    CHECK_INT(h.n, 0);
}
