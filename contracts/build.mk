# Contracts: ABI JSON -> generated C -> RISC-V ELF in $(O)/contracts, client headers in
# $(O)/gen/chain/gen, and, for the unit tests, each contract as a shared object of this machine.
SYSTEM_CONTRACTS := $(patsubst contracts/system/%.c,%,$(wildcard contracts/system/*.c))
EXAMPLE_CONTRACTS := $(patsubst contracts/examples/%.c,%,$(wildcard contracts/examples/*.c))
ALL_CONTRACTS := $(SYSTEM_CONTRACTS) $(EXAMPLE_CONTRACTS)
ABI_FILES := $(wildcard contracts/abi/*.json)
ABI_NAMES := $(patsubst contracts/abi/%.json,%,$(ABI_FILES))
CGEN := $(O)/gen/contracts

# ---- the generator: built before everything else, from its own sources --------------------------
ABIGEN := $(O)/tools/abigen
ABIGEN_SRCS := tools/abigen.c $(wildcard src/abigen/*.c) $(filter-out src/base/log.c,$(wildcard src/base/*.c)) \
  src/crypto/keccak.c
$(ABIGEN): $(ABIGEN_SRCS) $(wildcard src/abigen/*.h src/abigen/internal/*.h src/base/*.h)
	@mkdir -p $(@D)
	@echo "  cc  $@"
	@gcc -std=c17 -D_GNU_SOURCE -Isrc -O1 -Wall -Wextra -Werror -o $@ $(ABIGEN_SRCS) -ljansson

# ---- generated C -----------------------------------------------------------------------------------
# "DLPRegistry" -> "dlp_registry": the same rule as abigen_stem()
abi_stem = $(shell echo $1 | sed -E 's/([a-z0-9])([A-Z])/\1_\2/g; s/([A-Z])([A-Z][a-z])/\1_\2/g' | tr A-Z a-z)
define abi_rules
$(CGEN)/$1.abi.c: contracts/abi/$1.json $(ABIGEN)
	@mkdir -p $$(@D)
	@$(ABIGEN) contract $$< $1 $$(@D)
$(O)/gen/chain/gen/$(call abi_stem,$1).h: contracts/abi/$1.json $(ABIGEN)
	@mkdir -p $$(@D)
	@$(ABIGEN) client $$< $1 $$@
GEN_HEADERS += $(O)/gen/chain/gen/$(call abi_stem,$1).h
endef
$(foreach n,$(ABI_NAMES),$(eval $(call abi_rules,$n)))
CONTRACT_GEN := $(patsubst %,$(CGEN)/%.abi.c,$(ABI_NAMES))

# ---- for the machine ---------------------------------------------------------------------------
CONTRACT_CC := clang-19
CONTRACT_WARN := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
  -Wmissing-prototypes -Wswitch-enum -Wimplicit-fallthrough -Wvla -Wundef -Werror
CONTRACT_COMMON := -std=c23 -Xclang -fexperimental-max-bitint-width=256 -Icontracts -I$(CGEN) \
  -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(abspath $(O))=. -fno-strict-aliasing $(CONTRACT_WARN)
CONTRACT_FLAGS := --target=riscv64 -march=rv64em_zba_zbb_zbs_zicond -mabi=lp64e -mcmodel=medany \
  -mno-relax -ffreestanding -O2 -ffunction-sections -fdata-sections -fno-stack-protector -fno-ident \
  -fno-asynchronous-unwind-tables $(CONTRACT_COMMON)
CONTRACT_STACK := 65536
CONTRACT_LDFLAGS := -m elf64lriscv -static --build-id=none --gc-sections --strip-all \
  -z stack-size=$(CONTRACT_STACK) -z max-page-size=4096 -T contracts/sdk/link.ld
SDK_HEADERS := $(wildcard contracts/sdk/*.h contracts/layout/*.h)
SDK_SRCS := sdk storage start mem
SDK_OBJS := $(SDK_SRCS:%=$(O)/contracts/obj/sdk/%.o)

$(O)/contracts/obj/sdk/%.o: contracts/sdk/%.c $(SDK_HEADERS) contracts/build.mk
	@mkdir -p $(@D)
	@$(CONTRACT_CC) $(CONTRACT_FLAGS) $(if $(filter mem,$*),-fno-builtin) -c $< -o $@

contract_src = $(firstword $(wildcard contracts/system/$1.c contracts/examples/$1.c))
define contract_rules
$(O)/contracts/obj/$1.o: $(call contract_src,$1) $(SDK_HEADERS) $(CONTRACT_GEN) contracts/build.mk
	@mkdir -p $$(@D)
	@$(CONTRACT_CC) $(CONTRACT_FLAGS) -c $$< -o $$@
$(O)/contracts/obj/$1.abi.o: $(CGEN)/$1.abi.c $(SDK_HEADERS) contracts/build.mk
	@mkdir -p $$(@D)
	@$(CONTRACT_CC) $(CONTRACT_FLAGS) -c $$< -o $$@
$(O)/contracts/$1.elf: $(O)/contracts/obj/$1.o $(O)/contracts/obj/$1.abi.o $(SDK_OBJS) contracts/sdk/link.ld
	@echo "  contract $$@"
	@ld.lld-19 $(CONTRACT_LDFLAGS) -o $$@ $$(filter %.o,$$^)
endef
$(foreach n,$(ALL_CONTRACTS),$(eval $(call contract_rules,$n)))
CONTRACT_OUTPUTS := $(ALL_CONTRACTS:%=$(O)/contracts/%.elf)

# The SDK as `cloister contract build` finds it beside the programs.
SDK_COPIES := $(patsubst contracts/sdk/%,$(O)/contracts/sdk/%,$(wildcard contracts/sdk/*.[ch] contracts/sdk/link.ld))
$(O)/contracts/sdk/%: contracts/sdk/%
	@mkdir -p $(@D)
	@cp $< $@
# And what the system contracts keep, which their sources include.
LAYOUT_COPIES := $(patsubst contracts/layout/%,$(O)/contracts/layout/%,$(wildcard contracts/layout/*.h))
$(O)/contracts/layout/%: contracts/layout/%
	@mkdir -p $(@D)
	@cp $< $@
CONTRACT_OUTPUTS += $(SDK_COPIES) $(LAYOUT_COPIES)

.PHONY: contracts
contracts: $(CONTRACT_OUTPUTS) $(GEN_HEADERS)

# ---- for this machine: one shared object a contract, loaded by tests/contracts/world.c -------------
ifneq ($(filter asan fuzz,$(BUILD)),)
CONTRACT_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all
endif
CONTRACT_NATIVE := -g -O1 -fPIC -fvisibility=hidden -DSDK_NATIVE $(CONTRACT_SAN) $(CONTRACT_COMMON)
NATIVE_DIR := $(B)/tests/contracts
native_srcs = $(call contract_src,$1) $(CGEN)/$1.abi.c \
  $(addprefix contracts/sdk/,sdk.c storage.c start.c native/entry.c)
define native_rules
$(NATIVE_DIR)/$1.so: $(call native_srcs,$1) $(SDK_HEADERS) $(CONTRACT_GEN) contracts/build.mk
	@mkdir -p $$(@D)
	@echo "  so  $$@"
	@$(CONTRACT_CC) $(CONTRACT_NATIVE) -shared -o $$@ $(call native_srcs,$1)
endef
$(foreach n,$(ALL_CONTRACTS),$(eval $(call native_rules,$n)))
NATIVE_SOS := $(ALL_CONTRACTS:%=$(NATIVE_DIR)/%.so)

# ---- unit tests: tests/contracts/test_*.c over the native host ---------------------------------------
CONTRACT_TESTS := $(patsubst tests/contracts/%.c,$(NATIVE_DIR)/%,$(wildcard tests/contracts/test_*.c))
CONTRACT_TEST_MODULES := $(call closure_all,keys tee ledger chain codec crypto vm base)
define contract_test_rules
$(NATIVE_DIR)/$1: $(B)/obj/tests/contracts/$1.o $(B)/obj/tests/contracts/world.o \
    $(B)/obj/tests/contracts/net.o $(B)/obj/tests/contracts/confidential.o $(B)/obj/tests/contracts/machine.o $(B)/obj/tests/lib/t.o \
    $(call lib_files,$(CONTRACT_TEST_MODULES)) | $(NATIVE_SOS) $(ALL_CONTRACTS:%=$(O)/contracts/%.elf) \
    $(patsubst contracts/validators/%.c,$(O)/contracts/validators/%.elf,$(wildcard contracts/validators/*.c))
	@mkdir -p $$(@D)
	@echo "  ld  $$@"
	@$$(CC) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $(call link_libs,$(CONTRACT_TEST_MODULES)) -ldl
endef
$(foreach t,$(notdir $(CONTRACT_TESTS)),$(eval $(call contract_test_rules,$t)))
unit-bins: $(CONTRACT_TESTS)

# ---- validators: RISC-V programs over sdk/validator.h ------------------------------------------------
VALIDATORS := $(patsubst contracts/validators/%.c,%,$(wildcard contracts/validators/*.c))
VALIDATOR_OBJS := $(O)/contracts/obj/sdk/validator.o $(O)/contracts/obj/sdk/mem.o
$(O)/contracts/obj/validators/%.o: contracts/validators/%.c $(SDK_HEADERS) contracts/build.mk
	@mkdir -p $(@D)
	@$(CONTRACT_CC) $(CONTRACT_FLAGS) -c $< -o $@
$(O)/contracts/validators/%.elf: $(O)/contracts/obj/validators/%.o $(VALIDATOR_OBJS) contracts/sdk/link.ld
	@mkdir -p $(@D)
	@echo "  validator $@"
	@ld.lld-19 $(CONTRACT_LDFLAGS) -o $@ $(filter %.o,$^)
CONTRACT_OUTPUTS += $(VALIDATORS:%=$(O)/contracts/validators/%.elf)
contracts: $(CONTRACT_OUTPUTS)
.SECONDARY: $(VALIDATORS:%=$(O)/contracts/obj/validators/%.o)
