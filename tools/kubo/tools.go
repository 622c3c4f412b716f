//go:build tools

// What `make kubo` builds: Kubo, the IPFS node that may keep the blocks of cloister-store. Its
// version is in go.mod, the hashes of all it is made of in go.sum.
package kubo

import _ "github.com/ipfs/kubo/cmd/ipfs"
