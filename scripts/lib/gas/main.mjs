// Usage: node main.mjs RPC_URL [--update]: see scripts/gas.sh
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { account, Chain, root, viem } from './chain.mjs'
import { Operations } from './operations.mjs'
import { rivals } from './rivals.mjs'

const KEYS = 20
const TOLERANCE = 0.01
const snapshot = join(root, 'contracts', 'snapshots', 'receipts.json')

/** The worst of each operation over parties with many different keys. */
async function measure(chain, channels, token) {
  const worst = {}
  for (let key = 0; key < KEYS; key++) {
    const gas = await new Operations(chain, channels, token, `keys ${key}`).run({ batches: key === 0 })
    for (const [name, used] of Object.entries(gas)) worst[name] = Math.max(used, worst[name] ?? 0)
  }
  return worst
}

const number = value => value.toLocaleString('en-US')

function print(asset, measured, committed) {
  const width = Math.max(...Object.keys(measured).map(name => name.length))
  console.log(`\n${asset.padEnd(width)}     gas  against the committed   others, from the cheapest`)
  for (const [name, gas] of Object.entries(measured)) {
    const before = committed?.[name]
    const change = before === undefined ? 'new' : `${gas === before ? '=' : (gas > before ? '+' : '') + (gas - before)}`
    const others = (rivals[asset][name] ?? []).map(other =>
      `${other.name} ${number(other.gas)} (${(other.gas / gas).toFixed(2)} x${other.note ? `, ${other.note}` : ''})`)
    console.log(`${name.padEnd(width)} ${number(gas).padStart(7)}  ${change.padEnd(21)}   ${others.join('; ')}`)
  }
}

function regressions(measured, committed) {
  const assets = Object.entries(committed)
  return assets.flatMap(([asset, operations]) => Object.entries(operations).flatMap(([name, before]) => {
    const gas = measured[asset]?.[name]
    if (gas === undefined) return [`${name} in ${asset} is no longer measured`]
    return gas > before * (1 + TOLERANCE) ? [`${name} in ${asset}: ${number(gas)}, was ${number(before)}`] : []
  }))
}

function printSources() {
  const all = Object.values(rivals).flatMap(asset => Object.values(asset).flat())
  const sources = new Map(all.map(({ name, source }) => [name, source]))
  console.log('\nOthers, measured in the same way from their public sources:')
  for (const [name, source] of sources) console.log(`  ${name.padEnd(24)} ${source}`)
}

const [url, ...flags] = process.argv.slice(2)
const chain = new Chain(url)
const deployer = account('deployer')
await chain.give(deployer.address, 10n ** 20n)
const channels = await chain.deploy('PaymentChannels', [], deployer)
const token = await chain.deploy('TestToken', ['Gas Dollar', 'GUSD', 18], deployer)

const measured = {
  ether: await measure(chain, channels, { address: viem.zeroAddress }),
  token: await measure(chain, channels, token),
}
const committed = existsSync(snapshot) ? JSON.parse(readFileSync(snapshot, 'utf8')) : {}
for (const [asset, operations] of Object.entries(measured)) print(asset, operations, committed[asset])
console.log(`\nGas of receipts, intrinsic gas and calldata included; the worst of ${KEYS} pairs of keys; batches: a channel's share of 100.`)
printSources()

if (flags.includes('--update')) {
  writeFileSync(snapshot, JSON.stringify(measured, null, 2) + '\n')
  console.log('\ncontracts/snapshots/receipts.json is written')
} else {
  const found = regressions(measured, committed)
  for (const each of found) console.error(`gas: more than ${TOLERANCE * 100} % above the committed figure: ${each}`)
  if (found.length > 0) process.exitCode = 1
}
