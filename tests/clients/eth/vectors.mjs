// The digest of a RunAuthorization as ethers computes it: the known answer of
// tests/chain/test_contribution.c.
import { TypedDataEncoder, keccak256, toUtf8Bytes } from "ethers";

const domain = {
  name: "Cloister",
  version: "1",
  chainId: 31337,
  verifyingContract: "0x" + "33".repeat(20),
};
const types = {
  RunAuthorization: [
    { name: "jobId", type: "uint256" },
    { name: "fileId", type: "uint256" },
    { name: "fileCid", type: "string" },
    { name: "dlpId", type: "uint256" },
    { name: "validator", type: "string" },
    { name: "envHash", type: "bytes32" },
    { name: "worker", type: "address" },
    { name: "expiry", type: "uint256" },
  ],
};
const value = {
  jobId: 5,
  fileId: 9,
  fileCid: "bafkreicid",
  dlpId: 2,
  validator: "ipfs://bafkreivalidator",
  envHash: keccak256(toUtf8Bytes("{}")),
  worker: "0x" + "44".repeat(20),
  expiry: 1800000000,
};
console.log(TypedDataEncoder.hash(domain, types, value));
