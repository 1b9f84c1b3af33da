import { CURVE_ORDER, accounts, hash, privateKey, viem, word } from './values.mjs'

const HALF_ORDER = CURVE_ORDER / 2n
const FIELD_PRIME = 2n ** 256n - 2n ** 32n - 977n

const keys = {
  one: word(1n),
  largest: word(CURVE_ORDER - 1n),
  // The first account of anvil.
  anvil: '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80',
  alice: privateKey('alice'),
  bob: privateKey('bob'),
}

const digests = [hash('digest 1'), hash('digest 2'), word(0n), word(1n), word(CURVE_ORDER), word(2n ** 256n - 1n)]

/** 65 bytes from numbers, whatever they are. */
const join = (r, s, v) => viem.concat([word(r), word(s), viem.numberToHex(v, { size: 1 })])
const compact = (r, s, yParity) => viem.concat([word(r), word(s | (BigInt(yParity) << 255n))])

async function signed(name, key, digest) {
  const { r, s, yParity } = await accounts.sign({ hash: digest, privateKey: key })
  return {
    name,
    privateKey: key,
    publicKey: '0x' + accounts.privateKeyToAccount(key).publicKey.slice(4),
    address: accounts.privateKeyToAddress(key),
    digest,
    signature: join(BigInt(r), BigInt(s), 27 + yParity),
    compactSignature: compact(BigInt(r), BigInt(s), yParity),
  }
}

/** Signatures whose r or s begins with a zero byte, which encodings of numbers must not lose. */
async function withLeadingZeros() {
  const found = {}
  for (let i = 0; Object.keys(found).length < 2; i++) {
    const digest = hash(`search ${i}`)
    const { r, s } = await accounts.sign({ hash: digest, privateKey: keys.alice })
    if (r.startsWith('0x00') && !found.r) found.r = await signed('r begins with a zero byte', keys.alice, digest)
    if (s.startsWith('0x00') && !found.s) found.s = await signed('s begins with a zero byte', keys.alice, digest)
  }
  return Object.values(found)
}

function isOnCurve(x) {
  let [result, base, exponent] = [1n, (x ** 3n + 7n) % FIELD_PRIME, (FIELD_PRIME - 1n) / 2n]
  for (; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % FIELD_PRIME
    base = (base * base) % FIELD_PRIME
  }
  return result === 1n
}

/** Well-formed signatures of nobody's in particular: what they recover to is defined all the same. */
async function recovered(name, digest, signature) {
  return { name, digest, signature, address: await viem.recoverAddress({ hash: digest, signature }) }
}

function invalid(r, s, yParity) {
  const v = 27 + yParity
  let notOnCurve = 1n
  while (isOnCurve(notOnCurve)) notOnCurve++
  const valid = join(r, s, v)
  return {
    'empty': '0x',
    '1 byte': '0x1b',
    '63 bytes': viem.slice(compact(r, s, yParity), 0, 63),
    '66 bytes': viem.concat([valid, '0x00']),
    '130 bytes': viem.concat([valid, valid]),
    's in the upper half': join(r, CURVE_ORDER - s, 27 + (1 - yParity)),
    's just above half': join(r, HALF_ORDER + 1n, v),
    's just above half, compact': compact(r, HALF_ORDER + 1n, yParity),
    's is the order': join(r, CURVE_ORDER, v),
    's is zero': join(r, 0n, v),
    's is zero, compact': compact(r, 0n, yParity),
    'r is zero': join(0n, s, v),
    'r is zero, compact': compact(0n, s, yParity),
    'r is the order': join(CURVE_ORDER, s, v),
    'r is on no point': join(notOnCurve, s, v),
    'r is on no point, compact': compact(notOnCurve, s, yParity),
    'all zero': join(0n, 0n, 27),
    'all zero, compact': compact(0n, 0n, 0),
    'all ones': '0x' + 'ff'.repeat(65),
    'v is 0': join(r, s, 0),
    'v is 1': join(r, s, 1),
    'v is 26': join(r, s, 26),
    'v is 29': join(r, s, 29),
    'v is 255': join(r, s, 255),
  }
}

export async function signatureVectors() {
  const valid = []
  for (const [name, key] of Object.entries(keys)) {
    for (const [i, digest] of digests.entries()) valid.push(await signed(`key ${name}, digest ${i + 1}`, key, digest))
  }
  valid.push(...(await withLeadingZeros()))

  const digest = hash('digest 1')
  const { r, s, yParity } = await accounts.sign({ hash: digest, privateKey: keys.alice })
  const [rNumber, sNumber, v] = [BigInt(r), BigInt(s), 27 + yParity]
  return {
    valid,
    recover: [
      await recovered('another digest', hash('digest 2'), join(rNumber, sNumber, v)),
      await recovered('the other v', digest, join(rNumber, sNumber, 55 - v)),
      await recovered('s is half the order', digest, join(rNumber, HALF_ORDER, v)),
      await recovered('r and s are one', digest, join(1n, 1n, 27)),
    ],
    invalid: Object.entries(invalid(rNumber, sNumber, yParity)).map(([name, signature]) => ({ name, digest, signature })),
  }
}
