// What the flows share: named checks that are counted, and the contracts' ABIs.
import { readFileSync } from "node:fs";

export const url = process.argv[2];
const folder = process.argv[3];
export const accounts = JSON.parse(process.argv[4]);
export const contracts = JSON.parse(process.argv[5]);

let passed = 0;
let failed = 0;

export const abi = (name) => JSON.parse(readFileSync(`contracts/abi/${name}.json`, "utf8"));
export const elf = (name) => "0x" + readFileSync(`${folder}/${name}.elf`).toString("hex");

export async function check(name, flow) {
  try {
    await flow();
    passed++;
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error.stack ?? error}`.slice(0, 3000));
  }
}

export function same(got, want, what = "value") {
  // Addresses with and without checksum are the same.
  const plain = (_, x) => (typeof x === "bigint" ? `${x}n` : typeof x === "string" ? x.toLowerCase() : x);
  const text = (v) => JSON.stringify(v, plain);
  if (text(got) !== text(want)) throw new Error(`${what} is ${text(got)}, expected ${text(want)}`);
}

export function ok(condition, what) {
  if (!condition) throw new Error(`not true: ${what}`);
}

export async function fails(promise, verify) {
  let result;
  try {
    result = await promise;
  } catch (error) {
    return verify(error);
  }
  throw new Error(`succeeded with ${String(result)}`);
}

export async function until(condition, what, ms = 15000) {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function finish() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
}
