// ethers 6 against cloister-ledger.
import { Contract, ContractFactory, Interface, JsonRpcProvider, NonceManager, Wallet, WebSocketProvider, ZeroAddress,
  getCreateAddress, isError, parseEther } from "ethers";
import { abi, accounts, check, contracts, elf, fails, finish, ok, same, until, url } from "./check.mjs";

const provider = new JsonRpcProvider(url, undefined, { cacheTimeout: -1, pollingInterval: 100 });
const wallet = new Wallet(accounts[1].key, provider);
const bob = "0x00000000000000000000000000000000000000b0";
const guestbookAbi = abi("Guestbook");
let book;

await check("connect", async () => {
  same((await provider.getNetwork()).chainId, 31337n);
  same(await provider.send("web3_clientVersion", []).then((v) => v.slice(0, 10)), "cloister/v");
});

await check("balance, nonce, code, storage", async () => {
  same(await provider.getBalance(accounts[1].address), parseEther("10000"));
  same(await provider.getTransactionCount(accounts[1].address), 0);
  same(await provider.getCode(bob), "0x");
  ok((await provider.getCode(contracts.registry)).startsWith("0x7f454c46"), "the code is an ELF");
  same(await provider.getStorage(contracts.registry, 0), "0x" + "00".repeat(32));
});

await check("fees", async () => {
  const fees = await provider.getFeeData();
  same(fees.gasPrice, 1100000000n);
  same(fees.maxPriorityFeePerGas, 100000000n);
  same(fees.maxFeePerGas, 2100000000n);
});

await check("blocks, from genesis", async () => {
  for (const at of [0, 1, "latest", "pending", "finalized"]) {
    const block = await provider.getBlock(at, true);
    ok(block.hash.length === 66 && block.baseFeePerGas === 1000000000n, `block ${at}`);
  }
  const first = await provider.getBlock(1);
  same((await provider.getBlock(first.parentHash)).number, 0);
  same(await provider.getBlock(99999999), null);
});

for (const type of [0, 1, 2]) {
  await check(`transfer of type ${type}`, async () => {
    const before = await provider.getBalance(bob);
    const tx = { to: bob, value: 1000n + BigInt(type), type };
    if (type === 1) tx.accessList = [{ address: bob, storageKeys: ["0x" + "00".repeat(32)] }];
    const sent = await wallet.sendTransaction(tx);
    const receipt = await sent.wait();
    same(receipt.status, 1);
    same((await provider.getBalance(bob)) - before, tx.value);
    const seen = await provider.getTransaction(sent.hash);
    same([seen.type, seen.hash, seen.from], [type, sent.hash, wallet.address]);
    same(seen.signature.serialized, sent.signature.serialized);
    same(receipt.fee, receipt.gasUsed * receipt.gasPrice);
  });
}

await check("deploy an ELF", async () => {
  const factory = new ContractFactory(guestbookAbi, elf("Guestbook"), wallet);
  const nonce = await wallet.getNonce();
  book = await factory.deploy();
  await book.waitForDeployment();
  same(await book.getAddress(), getCreateAddress({ from: wallet.address, nonce }));
  same(await book.getDeployedCode(), elf("Guestbook"));
});

await check("deploy with a first call", async () => {
  // The init calldata follows the ELF.
  const token = new Interface(abi("DataRegistry"));
  const init = token.encodeFunctionData("initialize", [ZeroAddress, wallet.address]);
  const sent = await wallet.sendTransaction({ data: elf("DataRegistry") + init.slice(2) });
  const receipt = await sent.wait();
  const registry = new Contract(receipt.contractAddress, abi("DataRegistry"), wallet);
  ok(await registry.hasRole(await registry.DEFAULT_ADMIN_ROLE(), wallet.address), "admin");
  ok(receipt.logs.some((l) => registry.interface.parseLog(l)?.name === "Initialized"), "event");
});

await check("write, events, read", async () => {
  const sent = await book.sign("hello from ethers", { value: 5n });
  const receipt = await sent.wait();
  const event = book.interface.parseLog(receipt.logs[0]);
  same([event.name, event.args[0], event.args[1], event.args[2]],
    ["Signed", 0n, wallet.address, "hello from ethers"]);
  same(await book.entriesCount(), 1n);
  const entries = await book.entries(0, 10);
  same([entries.length, entries[0].text], [1, "hello from ethers"]);
  same(await book.thanks(wallet.address), 5n);
  same(await book.sign.staticCall("not kept"), 1n);
  ok((await book.sign.estimateGas("x")) > 21000n, "estimate");
  const logs = await book.queryFilter(book.filters.Signed(), 0, "latest");
  same([logs.length, logs[0].args[2]], [1, "hello from ethers"]);
  same((await provider.getLogs({ blockHash: receipt.blockHash })).length, 1);
  same((await provider.getLogs({ address: bob, fromBlock: 0 })).length, 0);
});

await check("custom errors", async () => {
  const other = book.connect(new Wallet(accounts[3].key, provider));
  for (const attempt of [() => other.withdraw.staticCall(), () => other.withdraw.estimateGas(),
    () => other.withdraw()])
    await fails(attempt(), (e) => {
      ok(isError(e, "CALL_EXCEPTION"), e.code);
      // Only calls are decoded by the contract object; estimates carry the data.
      same((e.revert ?? book.interface.parseError(e.data)).name, "NotHost");
    });
  await fails(book.sign.staticCall("x".repeat(281)), (e) => {
    same([e.revert.name, e.revert.args[0]], ["TextTooLong", 280n]);
  });
});

await check("revert in a block", async () => {
  const other = book.connect(new Wallet(accounts[3].key, provider));
  const sent = await other.withdraw({ gasLimit: 200000n });
  await fails(sent.wait(), (e) => {
    ok(isError(e, "CALL_EXCEPTION"), e.code);
    same(e.receipt.status, 0);
  });
});

await check("events by polling", async () => {
  const heard = [];
  const blocks = [];
  await book.on("Signed", (...args) => heard.push(args[2]));
  await provider.on("block", (n) => blocks.push(n));
  await new Promise((resolve) => setTimeout(resolve, 400));
  await (await book.sign("polled")).wait();
  await until(() => heard.length > 0 && blocks.length > 0, "an event");
  same(heard[0], "polled");
  await book.removeAllListeners();
  await provider.removeAllListeners();
});

await check("refusals by class", async () => {
  const nonce = await wallet.getNonce();
  await fails(wallet.sendTransaction({ to: bob, nonce: 0, gasLimit: 21000n }), (e) =>
    same(e.code, "NONCE_EXPIRED"));
  await fails(wallet.sendTransaction({ to: bob, value: parseEther("99999"), gasLimit: 21000n }),
    (e) => same(e.code, "INSUFFICIENT_FUNDS"));
  await wallet.sendTransaction({ to: bob, nonce: nonce + 1, value: 1n, gasLimit: 21000n });
  await fails(wallet.sendTransaction({ to: bob, nonce: nonce + 1, value: 2n, gasLimit: 21000n }),
    (e) => same(e.code, "REPLACEMENT_UNDERPRICED"));
  // The gap closes and both go in.
  const first = await wallet.sendTransaction({ to: bob, nonce, value: 1n, gasLimit: 21000n });
  await first.wait();
  await fails(provider.send("eth_getProof", [bob, [], "latest"]), (e) =>
    same(e.code, "UNSUPPORTED_OPERATION"));
});

await check("eth_sendRawTransactionSync", async () => {
  const filled = await wallet.populateTransaction({ to: bob, value: 3n });
  const receipt = await provider.send("eth_sendRawTransactionSync",
    [await wallet.signTransaction(filled)]);
  same(receipt.status, "0x1");
});

await check("many at once", async () => {
  const many = new NonceManager(new Wallet(accounts[2].key, provider));
  const sent = [];
  for (let i = 0; i < 30; i++)
    sent.push(await many.sendTransaction({ to: bob, value: 1n, gasLimit: 21000n }));
  const receipts = await Promise.all(sent.map((s) => s.wait()));
  ok(receipts.every((r) => r.status === 1), "all succeeded");
});

await check("the main flow's calls", async () => {
  const registry = new Contract(contracts.registry, abi("DataRegistry"), wallet);
  const pool = new Contract(contracts.teePool, abi("TeePool"), wallet);
  const added = await (await registry.addFileWithPermissions("ipfs://ethers", wallet.address,
    [{ account: accounts[2].address, key: "hpke1:00" }])).wait();
  const file = added.logs.map((l) => registry.interface.parseLog(l)).find((e) => e.name === "FileAdded");
  const id = file.args[0];
  const stored = await registry.files(id);
  same([stored.ownerAddress, stored.url], [wallet.address, "ipfs://ethers"]);
  same(await registry.filePermissions(id, accounts[2].address), "hpke1:00");
  const asked = await (await pool.requestContributionProof(id, { value: 7n })).wait();
  const job = asked.logs.map((l) => pool.interface.parseLog(l)).find((e) => e.name === "JobSubmitted");
  same([job.args.fileId, job.args.teeAddress, job.args.bidAmount], [id, accounts[4].address, 7n]);
  await fails(registry.addFile.staticCall("ipfs://ethers"), (e) =>
    same(e.revert.name, "FileUrlAlreadyUsed"));
});

await check("WebSocket: requests, blocks, events, pending", async () => {
  const socket = new WebSocketProvider(url.replace("http:", "ws:"));
  const blocks = [], heard = [], pending = [];
  same((await socket.getNetwork()).chainId, 31337n);
  const writer = book.connect(new Wallet(accounts[1].key, socket));
  await socket.on("block", (n) => blocks.push(n));
  await socket.on("pending", (h) => pending.push(h));
  await writer.on("Signed", (...args) => heard.push(args[2]));
  await new Promise((resolve) => setTimeout(resolve, 200));
  const began = Date.now();
  const sent = await writer.sign("over a socket");
  same((await sent.wait()).status, 1);
  ok(Date.now() - began < 3000, "no polling");
  await until(() => heard.includes("over a socket") && blocks.length > 0 &&
    pending.includes(sent.hash), "news");
  await writer.removeAllListeners();
  await socket.removeAllListeners();
  await socket.destroy();
});

provider.destroy();
finish();
