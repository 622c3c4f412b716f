# The architecture, as data. A module may #include only its own files and those of the modules on
# its line. The link order and tools/check-layers.py come from this file. Add an edge only with a
# reason in the commit. "sdk" is contracts/sdk: only its hostcall.h (numbers shared with guests).

MODULES := base crypto codec vm abigen chain attest light keys os kv net tee jail sandbox validator ledger cluster runtime store client engine gateway agent worker keeper cli

# Pure: no I/O, clock, threads, floats, mutable globals (base/log is the one sink)
DEPS_base    :=
DEPS_crypto  := base
DEPS_codec   := base
DEPS_vm      := base
DEPS_abigen  := base crypto codec
DEPS_chain   := base crypto codec
# a module of its own: the worker combines partials, the ledger verifies beacons, the keeper makes them
DEPS_keys    := base crypto codec chain
# X.509, CRLs and signed JSON are read by its own parsers: this is consensus code
DEPS_attest  := base crypto codec
DEPS_ledger  := base crypto codec chain attest vm sdk
# a cluster of confidential contracts is a small private ledger: the same executor
DEPS_cluster := base crypto codec chain vm ledger sdk
# layout: what the contracts keep, as declared storage (contracts/layout)
DEPS_light   := base crypto codec chain layout

# Effects
DEPS_os      := base
DEPS_kv      := base os
DEPS_net     := base crypto codec os
# attest: RA-TLS judges the peer it speaks to. Certificates and quotes are made over OpenSSL
DEPS_tee     := base crypto codec attest os net
DEPS_jail    := base crypto codec os
# what the two processes that run strangers' code in the virtual machine shut themselves in with
DEPS_sandbox := base
DEPS_validator := base crypto codec vm sdk os sandbox
# confidential contracts run in a process of their own, which has plaintext and no keys
DEPS_runtime := base crypto codec chain vm ledger cluster sdk os sandbox

# Capabilities
DEPS_store   := base crypto codec os kv net
# attest, tee: registration with evidence, the same for workers and keepers; keys: asking keepers
DEPS_client  := base crypto codec chain attest light keys os net tee

# Services: libraries with thin mains
DEPS_engine  := base crypto codec chain vm ledger os kv
DEPS_gateway := base crypto codec chain light vm ledger engine os net
# keys: what it asks keepers for; agent: images get its scoped mode
DEPS_worker  := base crypto codec chain attest light keys os kv net tee agent jail validator ledger cluster runtime client
# no vm, jail, gateway: a keeper runs nobody's code (PROTOCOL P10)
DEPS_keeper  := base crypto codec chain attest light keys os net tee client
# the guest agent: an application's keys and evidence; no ledger, no client, no jail
DEPS_agent   := base crypto codec attest os net tee
# keeper: what a custodian judges a keeper by
DEPS_cli     := base crypto codec chain attest light keys abigen vm ledger cluster os kv net tee jail engine store client keeper

# Pure modules may not include these headers (checked by the lint)
PURE := base crypto codec vm abigen chain attest light keys ledger cluster

# Third-party libraries a module needs at link time
LIBS_base    := -lpthread
LIBS_crypto  := -lcrypto -lsecp256k1 -lsodium -lz
LIBS_codec   := -ljansson
LIBS_abigen  := -ljansson
LIBS_kv      := -llmdb
LIBS_net     := -lmicrohttpd -lcurl -lssl -lcrypto
LIBS_tee     := -lssl -lcrypto
LIBS_agent   := -lcrypto
LIBS_jail    := -larchive -lseccomp
LIBS_sandbox := -lseccomp

# Executables: src/bin/X.c links the closure of its line
BINS := cloister cloister-ledger cloister-store cloister-worker cloister-keeper cloister-jail cloister-validator cloister-runtime cloister-agent
BIN_cloister        := cli
BIN_cloister-ledger := gateway engine
BIN_cloister-store  := store
BIN_cloister-worker := worker
BIN_cloister-keeper := keeper
BIN_cloister-jail   := jail
BIN_cloister-validator := validator
BIN_cloister-runtime := runtime
# Its own program, since its trust boundary is its own: it runs inside an application's trust domain,
# holds that application's keys and gives evidence of it, and must be measured as nothing else
BIN_cloister-agent  := agent
# These hold their libraries (all but the C library). The validator is started for every job, and
# looking the libraries up would be half of what that costs; the runtime opens no file once it runs
STATIC_BINS := cloister-validator cloister-runtime

# Tests of codec hash blocks
TEST_DEPS_codec := crypto
TEST_DEPS_store := client
# Light clients follow real nodes
TEST_DEPS_client := gateway
