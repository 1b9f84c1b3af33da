import { AMOUNTS, MAX_112, MAX_128, accounts, address, artifact, hash, pattern, plain, privateKey, viem, word } from './values.mjs'

const base = {
  chainId: 31337,
  nonce: 7,
  maxPriorityFeePerGas: 1_000_000_000n,
  maxFeePerGas: 30_000_000_000n,
  gas: 150_000n,
  to: address('recipient'),
  value: 1n,
  data: '0x',
  accessList: [],
}

function cases() {
  const variants = {
    plain: {},
    'mainnet': { chainId: 1 },
    'large chain id': { chainId: Number.MAX_SAFE_INTEGER },
    'nonce 0': { nonce: 0 },
    'nonce 127': { nonce: 127 },
    'nonce 128': { nonce: 128 },
    'nonce 2^32': { nonce: 2 ** 32 },
    'no fees': { maxPriorityFeePerGas: 0n, maxFeePerGas: 0n },
    'no tip': { maxPriorityFeePerGas: 0n },
    'large fees': { maxPriorityFeePerGas: MAX_128, maxFeePerGas: MAX_128 },
    'gas 2^63 - 1': { gas: 2n ** 63n - 1n },
    'deploy': { to: null, value: 0n, data: artifact('TestToken').bytecode },
    'deploy of one byte': { to: null, value: 0n, data: '0x00' },
    'everything zero': { nonce: 0, maxPriorityFeePerGas: 0n, maxFeePerGas: 0n, gas: 0n, value: 0n },
  }
  const list = slots => ({ address: address(`account with ${slots} slots`), storageKeys: Array.from({ length: slots }, (_, i) => hash(`slot ${i}`)) })
  variants['an account listed'] = { accessList: [list(0)] }
  variants['the slots zero and largest listed'] = { accessList: [{ address: viem.zeroAddress, storageKeys: [word(0n), word(2n ** 256n - 1n)] }] }
  variants['many listed'] = { accessList: [list(1), list(0), list(100)], data: pattern(100) }
  for (const value of [...AMOUNTS, 10n ** 18n, MAX_112 + 1n]) variants[`value ${value}`] = { value }
  for (const length of [1, 4, 55, 56, 64, 255, 256, 1000, 5000]) variants[`${length} bytes of data`] = { data: pattern(length) }
  return Object.entries(variants).map(([name, changes]) => ({ name, ...base, ...changes }))
}

async function vector({ name, ...fields }, key) {
  const transaction = { ...fields, type: 'eip1559' }
  const unsigned = viem.serializeTransaction(transaction)
  const signingHash = viem.keccak256(unsigned)
  const { r, s, yParity } = await accounts.sign({ hash: signingHash, privateKey: key })
  const raw = await accounts.privateKeyToAccount(key).signTransaction(transaction)
  const from = accounts.privateKeyToAddress(key)
  return plain({ name, privateKey: key, from, ...fields, unsigned, signingHash, r, s, yParity, raw, hash: viem.keccak256(raw) })
}

/** A nonce with which the signature's r or s begins with a zero byte: as a number in RLP it is then shorter. */
async function withShortSignature(part) {
  for (let nonce = 0; ; nonce++) {
    const found = await vector({ name: `short ${part}`, ...base, nonce }, privateKey('alice'))
    if (found[part].startsWith('0x00')) return found
  }
}

export async function transactionVectors() {
  const all = []
  for (const fields of cases()) all.push(await vector(fields, privateKey('alice')))
  all.push(await vector({ name: 'another key', ...base }, privateKey('bob')))
  return { transactions: [...all, await withShortSignature('r'), await withShortSignature('s')] }
}
