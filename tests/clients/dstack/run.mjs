// Phala's dstack SDK, unmodified, against cloister-agent: run.mjs OUT (the folder for quote and
// certificates); DSTACK_SIMULATOR_ENDPOINT and TAPPD_SIMULATOR_ENDPOINT name the socket.
import { DstackClient, TappdClient } from "@phala/dstack-sdk";
import { secp256k1 } from "@noble/curves/secp256k1";
import { ed25519 } from "@noble/curves/ed25519";
import { keccak_256 } from "@noble/hashes/sha3";
import { sha256, sha512 } from "@noble/hashes/sha2";
import { bytesToHex } from "@noble/hashes/utils";
import fs from "node:fs";

const out = process.argv[2];
const compose = fs.readFileSync(process.argv[3]);
let passed = 0, failed = 0;
console.warn = () => {};
function check(what, ok, detail = "") {
  if (ok) passed++;
  else {
    failed++;
    console.log(`${what}: ${detail}`);
  }
}
const hex = (b) => Buffer.from(b).toString("hex");
const recover = (sig, message) =>
  secp256k1.Signature.fromCompact(sig.slice(0, 64)).addRecoveryBit(sig[64])
    .recoverPublicKey(keccak_256(message)).toRawBytes(true);
// RTMR0-3 as the quote (version 4) has them
const rtmrs = (quote) => [0, 1, 2, 3].map((i) => quote.slice(2 * (376 + 48 * i), 2 * (424 + 48 * i)));
const reportData = (quote) => quote.slice(2 * 568, 2 * 632);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
// the log the SDK replays is the quote's
function replay(what, q) {
  check(`${what}: replayRtmrs`, same(q.replayRtmrs(), rtmrs(q.quote)), q.replayRtmrs());
}

const c = new DstackClient();
check("isReachable", await c.isReachable());
check("version", (await c.version()).version.startsWith("0.5."));

// ---- info ----
const info = await c.info();
const appId = Buffer.from(info.app_id, "hex");
check("compose hash", info.compose_hash === bytesToHex(sha256(compose)), info.compose_hash);
check("app id", info.app_id === info.compose_hash.slice(0, 40));
check("app compose", info.tcb_info.app_compose === compose.toString());
check("tcb_info", ["mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"].every((n) => info.tcb_info[n].length === 96));
check("key provider is named for what it is", JSON.parse(info.key_provider_info).name ===
  (process.env.KEY_PROVIDER ?? "local-simulator"),
  info.key_provider_info);
const order = info.tcb_info.event_log.filter((e) => e.imr === 3).map((e) => e.event);
check("boot's order", same(order, ["system-preparing", "app-id", "compose-hash", "instance-id",
  "boot-mr-done", "key-provider", "system-ready"]), order);
check("Info's certificate", info.app_cert.startsWith("-----BEGIN CERTIFICATE-----"));

// ---- keys ----
const k = await c.getKey("wallet/ethereum", "mainnet");
const again = await c.getKey("wallet/ethereum", "testnet");
const other = await c.getKey("wallet/other", "mainnet");
check("key of 32 bytes", k.key.length === 32);
check("same path, same key", hex(k.key) === hex(again.key));
check("other path, other key", hex(k.key) !== hex(other.key));
const appPub = recover(k.signature_chain[0], `mainnet:${hex(secp256k1.getPublicKey(k.key, true))}`);
const root = recover(k.signature_chain[1],
  Buffer.concat([Buffer.from("dstack-kms-issued:"), appId, Buffer.from(appPub)]));
check("the chain ends in the root that the quote names", hex(root) === JSON.parse(info.key_provider_info).k256 &&
  info.tcb_info.event_log.some((e) => e.imr === 3 && e.event === "key-provider" &&
    Buffer.from(e.event_payload, "hex").toString() === info.key_provider_info), hex(root));
const ed = await c.getKey("wallet/ethereum", "mainnet", "ed25519");
check("same bytes for ed25519", hex(ed.key) === hex(k.key));
check("ed25519's chain", hex(recover(ed.signature_chain[0], `mainnet:${hex(ed25519.getPublicKey(ed.key))}`)) ===
  hex(appPub));

// ---- quotes and events ----
const q = await c.getQuote("some data of the application");
fs.writeFileSync(`${out}/quote.bin`, Buffer.from(q.quote, "hex"));
check("report data", reportData(q.quote) === hex("some data of the application").padEnd(128, "0"));
check("no error", !("error" in q));
replay("getQuote", q);
check("rtmr3 is Info's", rtmrs(q.quote)[3] === info.tcb_info.rtmr3);
await c.emitEvent("user-event", "payload of it");
const q2 = await c.getQuote(Buffer.alloc(64, 7));
replay("after emitEvent", q2);
check("emitEvent extends RTMR3", rtmrs(q2.quote)[3] !== rtmrs(q.quote)[3] &&
  same(rtmrs(q2.quote).slice(0, 3), rtmrs(q.quote).slice(0, 3)));
const last = JSON.parse(q2.event_log).at(-1);
check("the event is in the log", last.event === "user-event" && last.event_payload === hex("payload of it"));
try {
  await c.getQuote(Buffer.alloc(65));
  check("65 bytes are too many", false);
} catch { check("65 bytes are too many", true); }
const a = await c.attest("x");
check("attestation begins with version 0, TDX, compact length", a.attestation.startsWith("0000") &&
  parseInt(a.attestation.slice(4, 6), 16) % 4 === 1);

// ---- signatures ----
const message = "message to be signed";
for (const [algorithm, data] of [["secp256k1", message], ["ed25519", message],
  ["secp256k1_prehashed", Buffer.from(sha256(message))]]) {
  const s = await c.sign(algorithm, data);
  check(`${algorithm}: verify`, (await c.verify(algorithm, data, s.signature, s.public_key)).valid === true);
  const bad = Buffer.from(s.signature);
  bad[10] ^= 1;
  check(`${algorithm}: altered`, (await c.verify(algorithm, data, bad, s.public_key)).valid === false);
  check(`${algorithm}: noble agrees`, algorithm === "ed25519"
    ? ed25519.verify(s.signature, Buffer.from(message), s.public_key)
    : secp256k1.verify(s.signature, sha256(message), s.public_key));
  check(`${algorithm}: chain`, hex(recover(s.signature_chain[1], `signing:${hex(s.public_key)}`)) === hex(appPub) &&
    hex(s.signature_chain[2]) === hex(k.signature_chain[1]));
}

// ---- certificates ----
const tls = await c.getTlsKey({ subject: "agent.example", altNames: ["agent.example", "127.0.0.1"],
  usageRaTls: true, usageServerAuth: true });
check("three certificates", tls.certificate_chain.length === 3);
check("a fresh key each time", tls.key !== (await c.getTlsKey({ subject: "a" })).key);
check("asUint8Array", tls.asUint8Array().length === 138);
fs.writeFileSync(`${out}/tls.key`, tls.key);
["leaf", "ca", "root"].forEach((n, i) => fs.writeFileSync(`${out}/${n}.pem`, tls.certificate_chain[i]));

// ---- the older client ----
const t = new TappdClient();
check("tappd: isReachable", await t.isReachable());
const d = await t.deriveKey("some/path", "old.example");
check("tappd: same key for the same path", d.key === (await t.deriveKey("some/path")).key && d.key !== tls.key);
check("tappd: chain", d.certificate_chain.length === 3);
const tq = await t.tdxQuote("old data");
check("tappd: default is sha512 of app-data:", tq.hash_algorithm === "sha512" && tq.prefix === "app-data" &&
  reportData(tq.quote) === bytesToHex(sha512("app-data:old data")), tq.prefix);
replay("tappd", tq);
const raw = await t.tdxQuote("abc", "raw");
check("tappd: raw is left-padded by the client", reportData(raw.quote) === hex("abc").padStart(128, "0"));
check("tappd: info", (await t.info()).app_id === info.app_id);

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
