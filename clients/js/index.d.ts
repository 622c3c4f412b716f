/** Taken: "0x" and hexadecimal digits, as ethers (string) and viem (Hex) have them, or the bytes themselves. */
export type Bytes = string | Uint8Array;
export type Integer = number | bigint;
/** Given: fits both. */
export type Hex = `0x${string}`;

/** done; reverted; trapped (or out of gas); unreadable (the envelope did not open); no contract. */
export type Status = 'done' | 'reverted' | 'trapped' | 'unreadable' | 'no contract';

/** What names the network: its chain id, and the hash of block 0. */
export interface Network {
  chainId: Integer;
  genesis: Bytes;
}

export interface KeyPair {
  privateKey: Uint8Array;
  publicKey: Uint8Array;
}

export interface Command extends Network {
  contract: Bytes;
  /** Account that will send the transaction. */
  sender: Bytes;
  /** nextSequence(contract, sender) */
  sequence: Integer;
  /** Last block height in which it may be queued. */
  expiry: Integer;
  /** A power of two: see gasClass. */
  gas: Integer;
  /** keyEpoch, codeHash, publicKey of the contract's record. */
  epoch: Integer;
  codeHash: Bytes;
  publicKey: Bytes;
  /** As ethers' or viem's encodeFunctionData makes it; at most 32,731 bytes. */
  calldata: Bytes;
  /** Public half of a reply key: a receipt is wanted. */
  replyKey?: Bytes;
}

export interface CommandTransaction {
  /** ConfidentialContracts */
  registry: Bytes;
  contract: Bytes;
  sequence: Integer;
  expiry: Integer;
  gas: Integer;
  /** Of the cluster's record. */
  gasPrice: Integer;
  /** Coin for the contract, besides the fee. */
  value?: Integer;
  /** From sealCommand; with `plain`: calldata that all can read. */
  payload: Bytes;
  plain?: boolean;
}

export interface Receipt extends Network {
  cluster: Integer;
  index: Integer;
  replyPrivateKey: Bytes;
}

export interface Outcome {
  status: Status;
  /** Return data, or the data of the revert. */
  output: Hex;
}

export interface TypedData {
  domain: { name: string; version: string; chainId: bigint; verifyingContract: Hex };
  types: { Query: { name: string; type: string }[] };
  primaryType: 'Query';
  message: {
    contractAddress: Hex;
    worker: Hex;
    payloadHash: Hex;
    nonce: Hex;
    minimumHeight: bigint;
    expiry: bigint;
  };
}

export interface ChannelTypedData {
  domain: TypedData['domain'];
  types: { Channel: { name: string; type: string }[] };
  primaryType: 'Channel';
  message: { worker: Hex; key: Hex; challenge: Hex; expiry: bigint };
}

export interface QueryContext extends Network {
  /** ConfidentialContracts */
  registry: Bytes;
  contract: Bytes;
  /** Calldata. */
  data: Bytes;
  /** The worker's account, its receive key and its commit signer, as Workers records them. */
  worker: Bytes;
  receiveKey: Bytes;
  commitSigner: Bytes;
  /** The answer's state is that of this block or a later one; 0: any. */
  minimumHeight?: Integer;
}

export interface Query extends QueryContext {
  /** http://HOST:PORT of the worker. */
  url: string;
  /** Both, or the contract sees nobody. */
  caller?: Bytes;
  signTypedData?: (data: TypedData) => Promise<string>;
  /** Unix seconds [in five minutes]. */
  expiry?: Integer;
  fetch?: typeof fetch;
}

export interface PreparedQuery extends QueryContext {
  nonce: Bytes;
  expiry: Integer;
  replyKey: Bytes;
  caller?: Bytes;
  signature?: Bytes;
}

export interface Answer {
  /** One past the last batch of the state answered from, and that batch's block height. */
  batch: bigint;
  height: bigint;
  /** To be compared with what ConfidentialContracts confirmed. */
  root: Hex;
  status: Status;
  result: Hex;
}

export interface ChannelOptions extends Network {
  /** ConfidentialContracts */
  registry: Bytes;
  /** The worker's account, its receive key and its commit signer, as Workers records them. */
  worker: Bytes;
  receiveKey: Bytes;
  commitSigner: Bytes;
  /** http://HOST:PORT of the worker. */
  url: string;
  /** Both, or the contracts see nobody. Signed once, for all queries on the channel. */
  caller?: Bytes;
  signTypedData?: (data: ChannelTypedData) => Promise<string>;
  /** Unix seconds, at most an hour away [in half an hour]: the worker closes the channel then. */
  expiry?: Integer;
  /** Where the platform has none (Node before 22): that of the package ws. */
  WebSocket?: WebSocketClass;
}

/** What is used of the platform's WebSocket, or of ws. */
export type WebSocketClass = new (url: string) => {
  binaryType: string;
  send(data: any): void;
  close(): void;
  addEventListener(type: any, listener: (event: any) => void): void;
};

export interface ChannelQuery {
  contract: Bytes;
  /** Calldata. */
  data: Bytes;
  /** The answer's state is that of this block or a later one; 0: any. */
  minimumHeight?: Integer;
}

export interface Channel {
  expiry: bigint;
  /**
   * May be called again before answers have come: they come in order. Rejects with BadAnswer or WorkerError, and the
   * channel goes on; or with ChannelClosed, as every query does from then on.
   */
  query(query: ChannelQuery): Promise<Answer>;
  /** What was not answered rejects. A channel that is not closed keeps a program of Node running. */
  close(): void;
}

/** A worker refuses. */
export class WorkerError extends Error {
  /** again: it is behind or busy; not found; denied: signature or expiry; malformed; limit. */
  code?: string;
}

/** A worker's answer that is not believed: not signed by its key over this query, or not what the chain confirmed. */
export class BadAnswer extends Error {}

/** The channel is over. */
export class ChannelClosed extends Error {
  /** WebSocket's: 1000 closed here; 1001 the worker stops; 1002 its messages do not open; 1006 the line broke, or it is
   *  silent; 1008 the time is over, or it refused a message. */
  code: number;
}

export const registryAbi: readonly string[];
export function generateReplyKey(): Promise<KeyPair>;
export function gasClass(gas: Integer): bigint;
export function sealCommand(command: Command): Promise<Hex>;
export function commandTransaction(t: CommandTransaction): { to: Hex; data: Hex; value: bigint };
export function openReceipt(receipt: Receipt & { sealed: Bytes }): Promise<Outcome>;
/** null: not confirmed yet. WorkerError `RECEIPT_NONE`: none was asked for, or the envelope did not open, or it is too old. */
export function receipt(receipt: Receipt & { url: string; fetch?: typeof fetch }): Promise<Outcome | null>;
export function queryTypedData(query: QueryContext & { nonce: Bytes; expiry: Integer }): TypedData;
export function sealQuery(query: PreparedQuery): Promise<Hex>;
export function openAnswer(
  query: QueryContext & { nonce: Bytes },
  replyPrivateKey: Bytes,
  sealed: Bytes,
): Promise<Answer>;
export function query(query: Query): Promise<Answer>;
export function channelTypedData(channel: {
  chainId: Integer;
  registry: Bytes;
  worker: Bytes;
  key: Bytes;
  challenge: Bytes;
  expiry: Integer;
}): ChannelTypedData;
/** Rejects with WorkerError when the worker refuses the opening. */
export function openChannel(options: ChannelOptions): Promise<Channel>;

/** Nodes said different things: nothing of it is believed. */
export class NodesDisagree extends Error {
  answers: { node: string; value: string }[];
}

export interface ConnectOptions {
  /** RPC addresses; at least one of them must tell the truth, all must answer. */
  nodes: string[];
  /** ConfidentialContracts */
  registry: string;
  fetch?: typeof fetch;
}

export interface ContractRecord {
  cluster: bigint;
  owner: Hex;
  codeHash: Hex;
  /** Begins with `sealed:` where only the cluster can read the code. */
  codeUrl: string;
  keyEpoch: bigint;
  publicKey: Hex;
}

export interface Member {
  worker: Hex;
  url: string;
  receiveKey: Hex;
  commitSigner: Hex;
  /** Attested as of now, by the chain's own verification of its evidence. */
  active: boolean;
  /** Its evidence is a simulator's: no hardware stands behind it. */
  simulated: boolean;
}

export interface NetworkQuery {
  contract: string;
  /** Calldata. */
  data: Bytes;
  /** A member of the contract's cluster [any that is active]. */
  worker?: string;
  /** Where it is, instead of where it registered. */
  url?: string;
  minimumHeight?: Integer;
  caller?: Bytes;
  signTypedData?: (data: TypedData) => Promise<string>;
  expiry?: Integer;
}

export interface NetworkChannelOptions {
  /** Of the cluster whose members may be asked; queries that name no contract are to it. */
  contract: string;
  /** A member of the contract's cluster [any that is active]. */
  worker?: string;
  /** Where it is, instead of where it registered. */
  url?: string;
  caller?: Bytes;
  signTypedData?: (data: ChannelTypedData) => Promise<string>;
  expiry?: Integer;
  WebSocket?: WebSocketClass;
}

/** As Channel; each answer is held against the chain as those of CheckedNetwork.query are. */
export interface CheckedChannel {
  worker: Hex;
  expiry: bigint;
  query(query: { contract?: string; data: Bytes; minimumHeight?: Integer }): Promise<Answer>;
  close(): void;
}

/** One network; what it says never goes back: neither nodes to older blocks nor a contract to older answers. */
export interface CheckedNetwork {
  chainId: bigint;
  genesis: Hex;
  registry: Hex;
  /** An active contract's record, as all nodes have it. */
  contract(contract: string): Promise<ContractRecord>;
  members(cluster: Integer): Promise<Member[]>;
  /**
   * Ask a member that is attested now. The answer is signed by the commit key registered on the chain, is not older
   * than any before it, and its batch and root are those confirmed at its height, one of the newest 128; else this throws.
   */
  query(query: NetworkQuery): Promise<Answer & { worker: Hex }>;
  /**
   * A channel to a member that is attested now. Whether it still is, with the same keys, is asked of the nodes again
   * for queries more than two seconds later; the channel ends when it is not.
   */
  channel(options: NetworkChannelOptions): Promise<CheckedChannel>;
}

export function connect(options: ConnectOptions): Promise<CheckedNetwork>;
