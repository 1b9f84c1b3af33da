// What the generators share: viem (from the contracts' packages), and values with an edge to them.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

export const contracts = join(import.meta.dirname, '..', '..', '..', 'contracts')
const require = createRequire(join(contracts, 'package.json'))
export const viem = require('viem')
export const accounts = require('viem/accounts')

/** Committed ABI and bytecode of a contract. */
export const artifact = name => JSON.parse(readFileSync(join(contracts, 'artifacts', `${name}.json`), 'utf8'))

export const MAX_112 = 2n ** 112n - 1n
export const MAX_128 = 2n ** 128n - 1n
export const AMOUNTS = [0n, 1n, MAX_112, MAX_128]
export const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** 32 bytes that depend on the label only. */
export const hash = label => viem.keccak256(viem.stringToHex(label))
export const address = label => viem.getAddress('0x' + hash(label).slice(-40))
export const privateKey = label => hash(`key of ${label}`)

/** Bytes 00 01 02 … ff 00 … */
export const pattern = length => '0x' + Array.from({ length }, (_, i) => (i % 256).toString(16).padStart(2, '0')).join('')
export const word = value => viem.numberToHex(value, { size: 32 })

/** JSON knows no big integers: every number becomes a decimal string. */
export function plain(value) {
  if (typeof value === 'bigint' || typeof value === 'number') return value.toString()
  if (Array.isArray(value)) return value.map(plain)
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
  }
  return value
}
