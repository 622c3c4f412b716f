# Cloister. Two commands: `make demo` and `make test`. `make help` lists the rest.
include mk/layers.mk
include mk/flags.mk

# All output goes below O; one folder a build.
O ?= build
B := $(O)/$(BUILD)
VECTORS ?= ../shared/vectors
export VECTORS

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

# ---- libraries: one a module --------------------------------------------------------------------
objs = $(patsubst %.c,$(B)/obj/%.o,$(wildcard src/$1/*.c src/$1/*/*.c))
lib = $(B)/lib/lib$1.a
# every module reachable from $1, $1 first
closure = $(call uniq,$1 $(foreach d,$(filter-out sdk layout,$(DEPS_$1)),$(call closure,$d)))
uniq = $(if $1,$(firstword $1) $(call uniq,$(filter-out $(firstword $1),$1)))
closure_all = $(call uniq,$(foreach m,$1,$(call closure,$m)))
link_libs = -Wl,--start-group $(foreach m,$1,$(if $(call objs,$m),$(call lib,$m))) -Wl,--end-group \
  $(call uniq,$(foreach m,$1,$(LIBS_$m)))
lib_files = $(foreach m,$1,$(if $(call objs,$m),$(call lib,$m)))

define module_rules
$(call lib,$1): $(call objs,$1)
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcsD $$@ $$^
endef
$(foreach m,$(MODULES),$(if $(call objs,$m),$(eval $(call module_rules,$m))))

# What contracts/build.mk generates for our own C (chain/gen/*.h) must exist before that is compiled.
GEN_HEADERS :=
-include contracts/build.mk

$(B)/obj/%.o: %.c mk/flags.mk | $(GEN_HEADERS)
	@mkdir -p $(@D)
	@echo "  cc  $<"
	@$(CC) $(CFLAGS) -I$(O)/gen -MMD -MP -c $< -o $@

comma := ,
# ---- executables --------------------------------------------------------------------------------
BUILT_BINS := $(foreach b,$(BINS),$(if $(wildcard src/bin/$b.c),$(B)/bin/$b))
define bin_rules
$(B)/bin/$1: $(B)/obj/src/bin/$1.o $(call lib_files,$(call closure_all,$(BIN_$1)))
	@mkdir -p $$(@D)
	@echo "  ld  $$@"
	@$$(CC) $$(LDFLAGS) -o $$@ $$< $(if $(filter $1,$(STATIC_BINS)),-Wl$(comma)-Bstatic) \
	  $(call link_libs,$(call closure_all,$(BIN_$1))) -Wl,-Bdynamic
endef
$(foreach b,$(BINS),$(if $(wildcard src/bin/$b.c),$(eval $(call bin_rules,$b))))

.PHONY: all bins
all: bins $(CONTRACT_OUTPUTS)
bins: $(BUILT_BINS)

include mk/install.mk

# ---- unit tests: tests/MODULE/test_X.c links MODULE's closure --------------------------------------
TEST_SRCS := $(foreach m,$(MODULES),$(wildcard tests/$m/test_*.c))
TEST_BINS := $(patsubst tests/%.c,$(B)/tests/%,$(TEST_SRCS))
$(B)/obj/tests/%.o: CFLAGS += -Itests
define test_rules
$(patsubst tests/%.c,$(B)/tests/%,$1): $(B)/obj/$(1:.c=.o) $(B)/obj/tests/lib/t.o \
    $(call lib_files,$(call closure_all,$2 $(TEST_DEPS_$2) base))
	@mkdir -p $$(@D)
	@echo "  ld  $$@"
	@$$(CC) $$(LDFLAGS) -o $$@ $$< $(B)/obj/tests/lib/t.o \
	  $(call link_libs,$(call closure_all,$2 $(TEST_DEPS_$2) base))
endef
$(foreach m,$(MODULES),$(foreach t,$(wildcard tests/$m/test_*.c),$(eval $(call test_rules,$t,$m))))

# ---- fuzz targets: fuzz/MODULE/NAME.c, corpus in fuzz/MODULE/NAME.corpus/ ---------------------------
FUZZ_SRCS := $(foreach m,$(MODULES),$(wildcard fuzz/$m/*.c))
FUZZ_BINS := $(patsubst fuzz/%.c,$(B)/fuzz/%,$(FUZZ_SRCS))
# In every build but BUILD=fuzz the target gets a main that replays the files it is given.
FUZZ_MAIN := $(if $(filter fuzz,$(BUILD)),,$(B)/obj/tests/lib/replay.o)
define fuzz_rules
$(patsubst fuzz/%.c,$(B)/fuzz/%,$1): $(B)/obj/$(1:.c=.o) $(FUZZ_MAIN) \
    $(call lib_files,$(call closure_all,$2 base))
	@mkdir -p $$(@D)
	@echo "  ld  $$@"
	@$$(CC) $$(LDFLAGS) -o $$@ $$< $(FUZZ_MAIN) $(call link_libs,$(call closure_all,$2 base))
endef
$(foreach m,$(MODULES),$(foreach t,$(wildcard fuzz/$m/*.c),$(eval $(call fuzz_rules,$t,$m))))

.PHONY: unit-bins fuzz-bins
unit-bins: $(TEST_BINS) $(FUZZ_BINS)
fuzz-bins: $(FUZZ_BINS)

# ---- commands -----------------------------------------------------------------------------------
.PHONY: help deps demo test check-source unit fuzz soak bench clean
help:
	@sed -n 's/^## //p' Makefile mk/install.mk

## make demo          install what is missing, build, run the main job end to end on real data
demo: deps
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=release all
	@demo/run

## make test          install what is missing, build, run every test
test: deps
	@$(MAKE) --no-print-directory check-source
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=release all
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=asan all unit-bins
	@tests/run $(O)

## make deps          install the Debian packages named in mk/packages
deps:
	@mk/install-packages

## make check-source  checks that need no compiler: layers, banned calls, format, shell scripts
check-source:
	@python3 tools/check-layers.py mk/layers.mk
	@python3 tools/check-parsers.py
	@tools/check-source

## make unit          unit tests and corpus replay only (BUILD=asan by default)
unit:
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=asan unit-bins
	@tests/run $(O) unit

## make fuzz T=module/name [SECONDS=60]   explore with libFuzzer, keep new corpus files
SECONDS ?= 60
fuzz:
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=fuzz $(O)/fuzz/fuzz/$(T)
	@mkdir -p fuzz/$(T).corpus
	@$(O)/fuzz/fuzz/$(T) -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=2048 fuzz/$(T).corpus

## make soak          an hour of kill -9, full disks, bad stores, property tests, fuzzing (SOAK_SECONDS=3600)
soak:
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=release all
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=asan all unit-bins
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=fuzz fuzz-bins
	@tests/soak $(O)

## make races         end-to-end tests with daemons under ThreadSanitizer
.PHONY: races
races:
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=release all
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=asan unit-bins
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=tsan all
	@tests/races $(O)

## make kubo          the optional Kubo node, O/kubo/ipfs, of the version in tools/kubo/go.mod (needs Go)
.PHONY: kubo
kubo: $(O)/kubo/ipfs
$(O)/kubo/ipfs: tools/kubo/go.mod tools/kubo/go.sum tools/kubo/tools.go
	@command -v go >/dev/null || { echo "make kubo: skipped: no Go here (the go command); nothing else needs it" >&2; exit 0; }; \
	mkdir -p $(@D)/module && cp $^ $(@D)/module/ && echo "  go  $@" && cd $(@D)/module && \
	  GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o $(abspath $@) github.com/ipfs/kubo/cmd/ipfs

## make bench         measure, beside the peers that are installed
bench:
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=release all
	@bench/run

## make clean         remove all output
clean:
	@rm -rf $(O)

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
