// viem 2 against cloister-ledger.
import { BaseError, ContractFunctionRevertedError, InsufficientFundsError, NonceTooLowError,
  createPublicClient, createWalletClient, decodeEventLog, defineChain, encodeFunctionData,
  getContract, getContractAddress, http, keccak256, parseEther, parseGwei, webSocket, zeroAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { abi, accounts, check, contracts, elf, fails, finish, ok, same, until, url } from "./check.mjs";

const chain = defineChain({ id: 31337, name: "Cloister", blockTime: 200,
  nativeCurrency: { name: "Coin", symbol: "C", decimals: 18 }, rpcUrls: { default: { http: [url] } },
  contracts: { multicall3: { address: contracts.multicall3 } } });
const transport = http(url, { batch: false });
const client = createPublicClient({ chain, transport, pollingInterval: 100 });
const account = privateKeyToAccount(accounts[2].key);
const wallet = createWalletClient({ chain, transport, account, pollingInterval: 100 });
const bob = "0x00000000000000000000000000000000000000b1";
const guestbook = abi("Guestbook");
const wait = (hash) => client.waitForTransactionReceipt({ hash });
let book;

await check("connect", async () => {
  same(await client.getChainId(), 31337);
  ok((await client.getBlockNumber()) >= 1n, "a block");
});

await check("balance, nonce, code, storage", async () => {
  ok((await client.getBalance({ address: account.address })) > parseEther("9999"), "balance");
  ok((await client.getTransactionCount({ address: account.address })) >= 0, "nonce");
  same(await client.getCode({ address: bob }), undefined);
  same(keccak256(await client.getCode({ address: contracts.registry })),
    keccak256(elf("DataRegistry")));
  same(await client.getStorageAt({ address: bob, slot: "0x0" }), "0x" + "00".repeat(32));
});

await check("fees", async () => {
  same(await client.getGasPrice(), 1100000000n);
  same(await client.estimateMaxPriorityFeePerGas(), 100000000n);
  const history = await client.getFeeHistory({ blockCount: 4, rewardPercentiles: [25, 75] });
  same(history.baseFeePerGas[0], 1000000000n);
  ok((await client.estimateFeesPerGas()).maxFeePerGas > 1000000000n, "fees");
});

await check("blocks", async () => {
  for (const blockTag of ["earliest", "latest", "pending", "safe", "finalized"])
    ok((await client.getBlock({ blockTag, includeTransactions: true })).hash.length === 66, blockTag);
  same((await client.getBlock({ blockNumber: 0n })).number, 0n);
  await fails(client.getBlock({ blockNumber: 99999999n }), (e) => same(e.name, "BlockNotFoundError"));
});

const transfers = {
  legacy: { type: "legacy" },
  eip2930: { type: "eip2930", accessList: [{ address: bob, storageKeys: ["0x" + "00".repeat(32)] }] },
  eip1559: {},
};
for (const [type, extra] of Object.entries(transfers)) {
  await check(`transfer of type ${type}`, async () => {
    const hash = await wallet.sendTransaction({ to: bob, value: 11n, ...extra });
    same((await wait(hash)).status, "success");
    const tx = await client.getTransaction({ hash });
    same([tx.type, tx.hash, tx.value], [type, hash, 11n]);
    const again = await client.getTransaction({ blockHash: tx.blockHash, index: tx.transactionIndex });
    same(again.hash, hash);
  });
}

await check("deploy an ELF", async () => {
  const nonce = await client.getTransactionCount({ address: account.address });
  const receipt = await wait(await wallet.deployContract({ abi: guestbook, bytecode: elf("Guestbook") }));
  same(receipt.contractAddress, getContractAddress({ from: account.address, nonce: BigInt(nonce) }));
  book = getContract({ address: receipt.contractAddress, abi: guestbook, client: { public: client, wallet } });
});

await check("deploy with a first call", async () => {
  const init = encodeFunctionData({ abi: abi("DataRegistry"), functionName: "initialize",
    args: [zeroAddress, account.address] });
  const data = elf("DataRegistry") + init.slice(2);
  const receipt = await wait(await wallet.sendTransaction({ data }));
  same(await client.readContract({ address: receipt.contractAddress, abi: abi("DataRegistry"),
    functionName: "paused" }), false);
});

await check("simulate, write, events, read", async () => {
  const { request, result } = await client.simulateContract({ account, address: book.address,
    abi: guestbook, functionName: "sign", args: ["hello from viem"], value: 5n });
  same(result, 0n);
  const receipt = await wait(await wallet.writeContract(request));
  const event = decodeEventLog({ abi: guestbook, ...receipt.logs[0] });
  same(event.eventName, "Signed");
  same(await book.read.entriesCount(), 1n);
  same((await book.read.entries([0n, 10n]))[0].text, "hello from viem");
  const logs = await client.getContractEvents({ address: book.address, abi: guestbook,
    eventName: "Signed", fromBlock: 0n });
  same(logs.length, 1);
  same((await client.getLogs({ blockHash: receipt.blockHash })).length, 1);
  const filter = await client.createContractEventFilter({ address: book.address, abi: guestbook,
    eventName: "Signed", fromBlock: 0n });
  same((await client.getFilterLogs({ filter })).length, 1);
  same(await client.uninstallFilter({ filter }), true);
});

await check("custom errors", async () => {
  const host = privateKeyToAccount(accounts[3].key);
  for (const attempt of [
    () => client.simulateContract({ account: host, address: book.address, abi: guestbook, functionName: "withdraw" }),
    () => client.estimateContractGas({ account: host, address: book.address, abi: guestbook, functionName: "withdraw" }),
    () => wallet.writeContract({ account: host, address: book.address, abi: guestbook, functionName: "withdraw" })])
    await fails(attempt(), (e) => {
      ok(e instanceof BaseError, e);
      const reverted = e.walk((x) => x instanceof ContractFunctionRevertedError);
      // writeContract without simulation names the revert in its text only.
      ok(reverted?.data?.errorName === "NotHost" || /revert/i.test(e.message), e.message);
    });
  await fails(book.read.entries(["x"]), () => {});
  await fails(client.simulateContract({ account, address: book.address, abi: guestbook,
    functionName: "sign", args: ["x".repeat(281)] }), (e) => {
    const reverted = e.walk((x) => x instanceof ContractFunctionRevertedError);
    same([reverted.data.errorName, reverted.data.args[0]], ["TextTooLong", 280n]);
  });
});

await check("revert in a block", async () => {
  const hash = await wallet.writeContract({ account: privateKeyToAccount(accounts[3].key),
    address: book.address, abi: guestbook, functionName: "withdraw", gas: 200000n });
  same((await wait(hash)).status, "reverted");
});

await check("multicall", async () => {
  const results = await client.multicall({ contracts: [
    { address: book.address, abi: guestbook, functionName: "entriesCount" },
    { address: book.address, abi: guestbook, functionName: "thanks", args: [account.address] },
    { address: contracts.registry, abi: abi("DataRegistry"), functionName: "files", args: [99999n] },
  ] });
  same([results[0].result, results[1].result], [1n, 5n]);
  same(await client.multicall({ allowFailure: false, contracts: [
    { address: book.address, abi: guestbook, functionName: "entriesCount" }] }), [1n]);
});

await check("watch by polling", async () => {
  const heard = [], blocks = [], pending = [];
  const stop = [
    client.watchContractEvent({ address: book.address, abi: guestbook, eventName: "Signed",
      onLogs: (logs) => heard.push(...logs) }),
    client.watchBlocks({ onBlock: (b) => blocks.push(b.number) }),
    client.watchPendingTransactions({ onTransactions: (hashes) => pending.push(...hashes) }),
  ];
  await new Promise((resolve) => setTimeout(resolve, 400));
  const hash = await book.write.sign(["polled"]);
  await until(() => heard.length > 0 && blocks.length > 0 && pending.includes(hash), "news");
  same(heard[0].args.text ?? heard[0].args[2], "polled");
  for (const f of stop) f();
});

await check("refusals by class", async () => {
  const base = { to: bob, gas: 21000n, maxFeePerGas: parseGwei("3"), maxPriorityFeePerGas: 1n };
  const nonce = await client.getTransactionCount({ address: account.address, blockTag: "pending" });
  await fails(wallet.sendTransaction({ ...base, nonce: 0 }), (e) =>
    ok(e.walk((x) => x instanceof NonceTooLowError), e.message));
  await fails(wallet.sendTransaction({ ...base, nonce, value: parseEther("99999") }), (e) =>
    ok(e.walk((x) => x instanceof InsufficientFundsError), e.message));
  await wallet.sendTransaction({ ...base, nonce: nonce + 1 });
  await fails(wallet.sendTransaction({ ...base, nonce: nonce + 1, value: 2n }), (e) =>
    ok(/replacement transaction underpriced/.test(e.message), e.message));
  await wait(await wallet.sendTransaction({ ...base, nonce }));
  await fails(client.getTransaction({ hash: "0x" + "12".repeat(32) }), (e) =>
    same(e.name, "TransactionNotFoundError"));
  await fails(client.request({ method: "eth_getProof", params: [bob, [], "latest"] }), (e) =>
    same(e.code, -32601));
});

await check("eth_sendRawTransactionSync", async () => {
  const request = await wallet.prepareTransactionRequest({ to: bob, value: 3n });
  const serializedTransaction = await wallet.signTransaction(request);
  const receipt = await wallet.sendRawTransactionSync({ serializedTransaction });
  same(receipt.status, "success");
});

await check("access list, batching transport", async () => {
  const list = await client.createAccessList({ account, to: bob, value: 1n });
  same(list.accessList.length, 0);
  const batching = createPublicClient({ chain, transport: http(url, { batch: true }) });
  const [a, b, c] = await Promise.all([batching.getBalance({ address: bob }), batching.getGasPrice(),
    batching.getBlockNumber()]);
  ok(a > 0n && b > 0n && c > 0n, "batch");
});

await check("the main flow's calls", async () => {
  const registry = getContract({ address: contracts.registry, abi: abi("DataRegistry"), client: { public: client, wallet } });
  const pool = getContract({ address: contracts.teePool, abi: abi("TeePool"), client: { public: client, wallet } });
  const event = (c, receipt, name) => receipt.logs
    .map((l) => decodeEventLog({ abi: c.abi, ...l })).find((e) => e.eventName === name);
  const added = await wait(await registry.write.addFileWithPermissions(["ipfs://viem", account.address,
    [{ account: accounts[3].address, key: "hpke1:01" }]]));
  const id = event(registry, added, "FileAdded").args.fileId;
  const stored = await registry.read.files([id]);
  same([stored.ownerAddress, stored.url], [account.address, "ipfs://viem"]);
  same(await registry.read.filePermissions([id, accounts[3].address]), "hpke1:01");
  const asked = await wait(await pool.write.requestContributionProof([id], { value: 7n }));
  const job = event(pool, asked, "JobSubmitted");
  same([job.args.fileId, job.args.teeAddress, job.args.bidAmount], [id, accounts[4].address, 7n]);
});

await check("WebSocket: requests, blocks, events, pending", async () => {
  const socket = createPublicClient({ chain, transport: webSocket(url.replace("http:", "ws:")) });
  const heard = [], blocks = [], pending = [];
  same(await socket.getChainId(), 31337);
  const stop = [
    socket.watchContractEvent({ address: book.address, abi: guestbook, eventName: "Signed",
      onLogs: (logs) => heard.push(...logs) }),
    socket.watchBlocks({ onBlock: (b) => blocks.push(b.number) }),
    socket.watchPendingTransactions({ onTransactions: (hashes) => pending.push(...hashes) }),
  ];
  await new Promise((resolve) => setTimeout(resolve, 300));
  const hash = await book.write.sign(["over a socket"]);
  same((await socket.waitForTransactionReceipt({ hash })).status, "success");
  await until(() => heard.length > 0 && blocks.length > 0 && pending.includes(hash), "news");
  same(heard[0].transactionHash, hash);
  for (const f of stop) f();
  (await socket.transport.getRpcClient()).close();
});

finish();
