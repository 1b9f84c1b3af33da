import { AMOUNTS, MAX_128, pattern, viem } from './values.mjs'

export function keccakVectors() {
  const inputs = { empty: '0x', abc: viem.stringToHex('abc') }
  // 136 bytes fill one block of the sponge: the padding then needs a block of its own.
  for (const length of [1, 32, 64, 135, 136, 137, 271, 272, 273, 1024]) inputs[`${length} bytes`] = pattern(length)
  return { cases: Object.entries(inputs).map(([name, input]) => ({ name, input, hash: viem.keccak256(input) })) }
}

export function rlpVectors() {
  const items = {
    'empty bytes': '0x',
    'byte 00': '0x00',
    'byte 7f': '0x7f',
    'byte 80': '0x80',
    dog: viem.stringToHex('dog'),
    '20 bytes': pattern(20),
    '32 bytes': pattern(32),
    '55 bytes': pattern(55),
    '56 bytes': pattern(56),
    '255 bytes': pattern(255),
    '256 bytes': pattern(256),
    'empty list': [],
    'cat, dog': [viem.stringToHex('cat'), viem.stringToHex('dog')],
    'lists of lists': [[], [[]], [[], [[]]]],
    'list of 55 bytes': [pattern(54)],
    'list of 56 bytes': [pattern(55)],
    'list of 256 bytes': [pattern(254)],
    'mixed list': ['0x', '0x01', pattern(60), ['0x80', [pattern(300)]], '0x00'],
  }
  const integers = [...AMOUNTS, 127n, 128n, 255n, 256n, MAX_128 + 1n, 2n ** 256n - 1n]
  return {
    items: Object.entries(items).map(([name, item]) => ({ name, item, encoded: viem.toRlp(item) })),
    integers: integers.map(value => ({
      value: value.toString(),
      encoded: viem.toRlp(value === 0n ? '0x' : viem.numberToHex(value)),
    })),
  }
}
