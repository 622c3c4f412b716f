// Both ways between OpenPGP.js and our pipe program (arg 1). Modules come from the folder in arg 2.
import { createRequire } from "node:module";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";

const [pipe, modules] = process.argv.slice(2);
const require = createRequire(join(modules, "package.json"));
// the form of a file key: text "0x" and 130 hexadecimal digits
const password = "0x" + "5a".repeat(65);
let checks = 0;

function ours(mode, input, pass = password) {
  const r = spawnSync(pipe, [], {
    input,
    maxBuffer: 1 << 28,
    env: { ...process.env, OPENPGP_PIPE: mode, OPENPGP_PASSWORD: pass },
  });
  return { status: r.status, out: r.stdout, err: r.stderr.toString() };
}

function check(ok, what) {
  if (!ok) {
    console.error(`FAIL ${what}`);
    process.exit(1);
  }
  checks++;
}

for (const name of ["openpgp5", "openpgp6"]) {
  const openpgp = require(name);
  for (const size of [0, 1, 191, 8383, 65536, 3000001]) {
    const data = randomBytes(size);
    // as Vana's SDK calls it
    const message = await openpgp.createMessage({ binary: new Uint8Array(data) });
    const theirs = await openpgp.encrypt({ message, passwords: [password], format: "binary" });
    let r = ours("dec", Buffer.from(theirs));
    check(r.status === 0 && r.out.equals(data), `${name} -> ours, ${size} bytes: ${r.err}`);
    r = ours("dec", Buffer.from(theirs), password + "0");
    check(r.status === 1 && r.out.length === 0, `${name}: a wrong password is refused`);
    for (const mode of ["enc", "enc-stream"]) {
      r = ours(mode, data);
      check(r.status === 0, `ours (${mode}), ${size} bytes: ${r.err}`);
      const back = await openpgp.decrypt({
        message: await openpgp.readMessage({ binaryMessage: new Uint8Array(r.out) }),
        passwords: [password],
        format: "binary",
      });
      check(Buffer.from(back.data).equals(data), `ours (${mode}) -> ${name}, ${size} bytes`);
    }
  }
  const lines = "armored, compressed text\n".repeat(1000);
  const text = await openpgp.createMessage({ binary: new Uint8Array(Buffer.from(lines)) });
  const armored = await openpgp.encrypt({
    message: text,
    passwords: ["other", password],
    config: { preferredCompressionAlgorithm: openpgp.enums.compression.zlib },
  });
  const r = ours("dec", armored);
  check(r.status === 0 && r.out.toString() === lines,
    `${name} armored, zlib, two passwords -> ours: ${r.err}`);
  const mine = ours("enc-armor", Buffer.from("armored by us"));
  const back = await openpgp.decrypt({
    message: await openpgp.readMessage({ armoredMessage: mine.out.toString() }),
    passwords: [password],
  });
  check(back.data === "armored by us", `our armor -> ${name}`);
}
console.log(`openpgp-clients: ${checks} exchanges with OpenPGP.js 5.11.2 and 6.1.1`);
