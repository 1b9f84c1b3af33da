// Writes the test vectors of this folder with viem, an implementation independent of those under test.
// With --check it compares instead, and asks a third implementation (cast) for a sample of them.
// Deterministic: keys, salts and digests are hashes of labels. What the files hold is told in README.md.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { abiVectors } from './generator/abi.mjs'
import { crossCheck } from './generator/cast.mjs'
import { eip712Vectors } from './generator/eip712.mjs'
import { keccakVectors, rlpVectors } from './generator/encodings.mjs'
import { signatureVectors } from './generator/signatures.mjs'
import { transactionVectors } from './generator/transactions.mjs'

const files = {
  'keccak.json': keccakVectors(),
  'rlp.json': rlpVectors(),
  'eip712.json': eip712Vectors(),
  'signatures.json': await signatureVectors(),
  'abi.json': abiVectors(),
  'transactions.json': await transactionVectors(),
}

const format = vectors => JSON.stringify(vectors, null, 2) + '\n'
const path = name => join(import.meta.dirname, name)

if (process.argv.includes('--check')) {
  const stale = Object.entries(files).filter(([name, vectors]) => readFileSync(path(name), 'utf8') !== format(vectors))
  const wrong = [
    ...stale.map(([name]) => `tests/vectors/${name} differs from what the generator writes`),
    ...(await crossCheck(files)),
  ]
  if (wrong.length > 0) {
    console.error([...wrong, 'Run `npm run vectors` in contracts and commit the result.'].join('\n'))
    process.exit(1)
  }
  console.log('The committed vectors equal the generated ones, and cast agrees with a sample of them.')
} else {
  for (const [name, vectors] of Object.entries(files)) writeFileSync(path(name), format(vectors))
  console.log(`Wrote ${Object.keys(files).join(', ')}`)
}
