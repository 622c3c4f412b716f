// Phala's dstack SDK, unmodified, seals an application's environment: env.mjs KEYFILE APP-ID ROOT OUT, where KEYFILE is
// what the agent wrote (as dstack's KMS answers), ROOT the key of the key-provider event, OUT the file to make.
import { encryptEnvVars } from "@phala/dstack-sdk/encrypt-env-vars";
import { verifyEnvEncryptPublicKey, verifyEnvEncryptPublicKeyLegacy } from "@phala/dstack-sdk/verify-env-encrypt-public-key";
import fs from "node:fs";

const [keyFile, appId, root, out] = process.argv.slice(2);
const answer = JSON.parse(fs.readFileSync(keyFile));
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const key = bytes(answer.public_key);
for (const by of [verifyEnvEncryptPublicKey(key, bytes(answer.signature_v1), appId, answer.timestamp),
  verifyEnvEncryptPublicKeyLegacy(key, bytes(answer.signature), appId)]) {
  if (by !== "0x" + root) throw new Error(`signed by ${by}, not ${root}`);
}
const sealed = await encryptEnvVars([{ key: "TOKEN", value: "it's $5\nor more" }, { key: "OTHER", value: "not allowed" },
  { key: "A", value: "one" }], answer.public_key);
fs.writeFileSync(out, Buffer.from(sealed, "hex"));
