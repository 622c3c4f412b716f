# Manual pages, completions, `make install` and the Debian package. Everything is made from what the
# programs themselves say.
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := $(shell sed -n 's/^\#define CLI_VERSION "\(.*\)"/\1/p' src/cli/internal/commands.h)
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSCONFDIR ?= /etc
RBIN := $(O)/release/bin
PAGES := $(O)/man/cloister.1 $(patsubst %,$(O)/man/%.8,$(filter-out cloister,$(BINS)))
COMPLETIONS := $(O)/completion/cloister.bash $(O)/completion/_cloister

SUMMARY_cloister-ledger := a ledger node: engine, state and Ethereum JSON-RPC
SUMMARY_cloister-store := content-addressed storage behind the Kubo RPC and a gateway
SUMMARY_cloister-worker := runs validators over contributions and records proofs
SUMMARY_cloister-keeper := holds a share of the network's keys
SUMMARY_cloister-jail := runs one container for cloister-worker
SUMMARY_cloister-agent := keys and evidence for an application, by dstack's guest API
SUMMARY_cloister-runtime := runs the confidential contracts of one cluster for cloister-worker
SUMMARY_cloister-validator := runs one RISC-V validator for cloister-worker

# These need the release programs; a sub-make builds them whatever BUILD is.
.PHONY: release man completions install deb
release:
	@$(MAKE) --no-print-directory BUILD=release all

$(O)/man/cloister.1: $(wildcard src/cli/*.c) | release
	@mkdir -p $(@D)
	@$(RBIN)/cloister man >$@
$(O)/man/%.8: src/bin/%.c tools/help-to-man | release
	@mkdir -p $(@D)
	@$(RBIN)/$* --help | tools/help-to-man $* "$(SUMMARY_$*)" >$@
$(O)/completion/cloister.bash: $(wildcard src/cli/*.c) | release
	@mkdir -p $(@D)
	@$(RBIN)/cloister completion bash >$@
$(O)/completion/_cloister: $(wildcard src/cli/*.c) | release
	@mkdir -p $(@D)
	@$(RBIN)/cloister completion zsh >$@

## make man           manual pages below O/man
man: $(PAGES)
completions: $(COMPLETIONS)

## make install [PREFIX=/usr/local] [DESTDIR=]   programs, contracts, pages, completions, units
# cloister looks for PREFIX/share/cloister beside PREFIX/bin.
install: release man completions
	@mk/install "$(O)" "$(DESTDIR)" "$(PREFIX)" "$(UNITDIR)" "$(SYSCONFDIR)"

## make deb           a Debian package, O/cloister_VERSION_ARCH.deb
deb: release man completions
	@mk/deb "$(O)" "$(VERSION)"
