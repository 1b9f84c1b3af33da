// Asks cast, a third implementation, for a sample of the vectors.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { typedData } from './eip712.mjs'
import { accounts, contracts, plain, privateKey } from './values.mjs'

const run = promisify(execFile)

async function cast(...args) {
  const { stdout } = await run(join(contracts, 'script', 'foundry.sh'), ['cast', ...args], { maxBuffer: 2 ** 24 })
  return stdout.trim()
}

/** Both sign deterministically, so equal signatures prove equal digests. */
async function typedDataSignatures(vectors, primaryType) {
  const vector = vectors.at(1)
  const { chainId, verifyingContract, domainName, domainVersion, digest, channelId } = vector
  const domain = { chainId: Number(chainId), verifyingContract }
  if (domainName !== undefined) Object.assign(domain, { name: domainName, version: domainVersion })
  const fields = typedData(domain, primaryType, {}).types[primaryType]
  const message = Object.fromEntries(fields.map(field => [field.name, vector[field.name]]))
  const data = typedData(domain, primaryType, message)
  data.types.EIP712Domain = [
    { name: 'name', type: 'string' },
    { name: 'version', type: 'string' },
    { name: 'chainId', type: 'uint256' },
    { name: 'verifyingContract', type: 'address' },
  ]
  const key = privateKey('alice')
  const expected = await accounts.sign({ hash: digest ?? channelId, privateKey: key, to: 'hex' })
  const given = await cast('wallet', 'sign', '--private-key', key, '--data', JSON.stringify(plain(data)))
  return [`EIP-712 ${primaryType}`, given, expected]
}

async function transaction({ name, raw, hash, from }) {
  // This command wraps its JSON in a JSON string.
  const decoded = JSON.parse(JSON.parse(await cast('decode-transaction', '--json', raw)))
  return [`transaction ${name}`, `${decoded.hash} ${decoded.signer}`, `${hash} ${from}`]
}

async function deposit(call) {
  const { channel, side, amount } = call.arguments
  const given = await cast('calldata', call.signature, `(${Object.values(channel)})`, side, amount)
  return ['calldata of deposit', given, call.calldata]
}

async function signature({ privateKey: key, digest, signature: expected }) {
  return ['signature', await cast('wallet', 'sign', '--no-hash', '--private-key', key, digest), expected]
}

/** Returns what differs. */
export async function crossCheck(files) {
  const transactions = files['transactions.json'].transactions
  const rlp = files['rlp.json'].items.find(vector => vector.name === 'mixed list')
  const keccak = files['keccak.json'].cases.at(-1)
  const compared = await Promise.all([
    typedDataSignatures(files['eip712.json'].channels, 'Channel'),
    typedDataSignatures(files['eip712.json'].balanceUpdates, 'BalanceUpdate'),
    typedDataSignatures(files['eip712.json'].consents, 'Consent'),
    typedDataSignatures(files['eip712.json'].closes, 'Close'),
    typedDataSignatures(files['eip712.json'].permits, 'Permit'),
    typedDataSignatures(files['eip712.json'].authorizations, 'ReceiveWithAuthorization'),
    transaction(transactions[0]),
    transaction(transactions.at(-1)),
    transaction(transactions.find(vector => vector.name === 'many listed')),
    deposit(files['abi.json'].calls.find(call => call.name === 'deposit')),
    signature(files['signatures.json'].valid.at(-1)),
    cast('to-rlp', JSON.stringify(rlp.item)).then(encoded => ['RLP', encoded, rlp.encoded]),
    cast('keccak', keccak.input).then(hash => ['Keccak-256', hash, keccak.hash]),
  ])
  return compared
    .filter(([, given, expected]) => given.toLowerCase() !== expected.toLowerCase())
    .map(([name, given, expected]) => `${name}: cast gives ${given}, viem ${expected}`)
}
