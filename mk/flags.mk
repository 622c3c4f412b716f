# Compiler flags. gcc 12 and clang 19 both build without a warning.
COMMON := -std=c17 -D_GNU_SOURCE -Isrc -Icontracts -g -fno-common -fvisibility=hidden \
  -ffunction-sections -fdata-sections -ffile-prefix-map=$(CURDIR)=.
WARN := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wcast-align \
  -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wundef -Wvla \
  -Walloca -Wswitch-enum -Wimplicit-fallthrough -Wformat=2 -Wwrite-strings -Wredundant-decls \
  -Wnested-externs -Wdouble-promotion -Wfloat-equal -Wdate-time -Wframe-larger-than=65536 -Werror
WARN_gcc := -Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wtrampolines \
  -Wcast-align=strict -Wnull-dereference
WARN_clang := -Wconditional-uninitialized -Wcomma -Wassign-enum \
  -Wshift-sign-overflow -Wunreachable-code -Wloop-analysis
HARD := -O2 -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
  -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fno-strict-aliasing -fwrapv -fno-delete-null-pointer-checks
HARD_gcc := -ftrivial-auto-var-init=zero
LINK_HARD := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code -Wl,--gc-sections \
  -Wl,--as-needed -Wl,--build-id=none
SAN := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined,implicit-integer-truncation,local-bounds,float-divide-by-zero,nullability \
  -fno-sanitize-recover=all -DDEBUG_CHECKS

RACE := -O1 -fno-omit-frame-pointer -fsanitize=thread -DDEBUG_CHECKS

# BUILD: release (gcc), clang (clang, release flags), asan (clang, sanitizers; what tests run), fuzz, tsan (races)
BUILD ?= release
ifeq ($(BUILD),release)
  CC := gcc
  CFLAGS := $(COMMON) $(WARN) $(WARN_gcc) $(HARD) $(HARD_gcc)
  LDFLAGS := $(LINK_HARD)
else ifeq ($(BUILD),clang)
  CC := clang-19
  CFLAGS := $(COMMON) $(WARN) $(WARN_clang) $(HARD)
  LDFLAGS := $(LINK_HARD)
else ifeq ($(BUILD),asan)
  CC := clang-19
  CFLAGS := $(COMMON) $(WARN) $(WARN_clang) $(SAN)
  LDFLAGS := $(SAN) -fuse-ld=lld # some 230 programs, each in a sixth of the time
else ifeq ($(BUILD),fuzz)
  CC := clang-19
  CFLAGS := $(COMMON) $(WARN) $(WARN_clang) $(SAN) -fsanitize=fuzzer-no-link
  LDFLAGS := $(SAN) -fuse-ld=lld -fsanitize=fuzzer
else ifeq ($(BUILD),tsan)
  CC := clang-19
  CFLAGS := $(COMMON) $(WARN) $(WARN_clang) $(RACE)
  LDFLAGS := $(RACE) -fuse-ld=lld
else
  $(error BUILD=$(BUILD) is not one of release, clang, asan, fuzz, tsan)
endif
ifdef CCACHE
  CC := $(CCACHE) $(CC)
endif
