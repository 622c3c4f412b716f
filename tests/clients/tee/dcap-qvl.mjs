// Phala's DCAP verifier against quotes of the simulator: node dcap-qvl.mjs FOLDER
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { QuoteVerifier } = createRequire(import.meta.url)("@phala/dcap-qvl");
const folder = process.argv[2];
const read = (name) => readFileSync(`${folder}/${name}`);
const now = Math.floor(Date.now() / 1000);
const root = read("root.der");
let passed = 0;
let failed = 0;

function verify(quote, collateral, at = now, rootDer = root) {
  try {
    const r = QuoteVerifier.newWithRootCa(rootDer).verify(quote, collateral, at);
    return { text: r.status, advisories: r.advisory_ids.join(","), report: r.report, ppid: r.ppid };
  } catch (e) {
    return { text: `refused: ${e.message}` };
  }
}

function check(what, got, want) {
  const ok = want instanceof RegExp ? want.test(got) : got === want;
  if (ok) passed++;
  else {
    failed++;
    console.log(`${what}: ${got}, expected ${want}`);
  }
}

const world = (name) => JSON.parse(read(`${name}.collateral`));
const good = world("good");
const quotes = ["v4", "v5-td10", "v5-td15", "machine-1"];

for (const name of quotes) check(name, verify(read(`${name}.quote`), good).text, "UpToDate");

// what it read is what was said
const td = verify(read("v4.quote"), good).report.data;
check("report data", Buffer.from(td.reportData).toString("hex"),
  Buffer.from(Array.from({ length: 64 }, (_, i) => i)).toString("hex"));

// states of the world
const v4 = read("v4.quote");
check("out of date", verify(v4, world("out-of-date")).text, "OutOfDate");
check("advisories", verify(v4, world("out-of-date")).advisories, "SIM-SA-1");
check("no level", verify(v4, world("no-level")).text, /No matching TCB level/);
check("QE revoked", verify(v4, world("qe-revoked")).text, /Revoked/);
check("PCK revoked", verify(v4, world("pck-revoked")).text, /revoked/);
check("other machine", verify(read("machine-1.quote"), world("pck-revoked")).text, "UpToDate");
check("CA revoked", verify(v4, world("ca-revoked")).text, /revoked/);
check("expired", verify(v4, world("expired")).text, /expired/);
check("future", verify(v4, world("future")).text, /future/);
check("later", verify(v4, good, now + 31 * 86400).text, /expired/);
check("debug", verify(read("debug.quote"), good).text, /Debug/);

// other authorities
check("another root", verify(v4, good, now, read("other-root.der")).text, /refused/);
check("another authority's quote", verify(read("other.quote"), good).text, /refused/);
let real;
try {
  QuoteVerifier.newProd().verify(v4, good, now);
  real = "accepted";
} catch (e) {
  real = "refused";
}
check("Intel's root", real, "refused");

// bytes that are signed, flipped: never accepted. This verifier does not read the sizes and types
// that frame the signature data, and PEM text has line ends of no meaning: those are left out.
let accepted = 0;
quotes.slice(0, 3).forEach((name, start) => {
  const quote = read(`${name}.quote`);
  const data = { v4: 636, "v5-td10": 642, "v5-td15": 706 }[name];
  const framing = [[data - 4, data], [data + 128, data + 134], [data + 582, data + 584],
    [data + 616, data + 622]];
  for (let i = start; i < data + 616; i += 4) {
    if (framing.some(([from, to]) => i >= from && i < to)) continue;
    const bad = Buffer.from(quote);
    bad[i] ^= 1 << ((i >> 2) % 8);
    if (verify(bad, good).text === "UpToDate") {
      accepted++;
      console.log(`${name}: flipped byte ${i} accepted`);
    }
  }
});
check("flipped bytes accepted", String(accepted), "0");
for (const part of ["tcb_info", "qe_identity"]) {
  const bad = { ...good, [part]: good[part].replace('"tcbEvaluationDataNumber":17', '"tcbEvaluationDataNumber":18') };
  check(`${part} altered`, verify(v4, bad).text, /Signature is invalid/);
}

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
