// Compares what a payer was told with what the payee has on disk, item by item.
// Usage: node journal.mjs <journal.jsonl> <results.jsonl>...
// The journal is of 'payments follow --json', the results are of 'pay --count --json'. Prints one sentence; fails when
// an acknowledged item is missing, an item stands twice, one was never asked for, or the totals do not add up.
import { readFileSync } from 'node:fs'

const lines = path => readFileSync(path, 'utf8').split('\n').filter(line => line !== '').map(line => JSON.parse(line))

const [journalPath, ...resultPaths] = process.argv.slice(2)
const journal = lines(journalPath)
const results = resultPaths.flatMap(lines).filter(line => !('summary' in line))
const acknowledged = results.filter(result => result.refusal === 'REFUSAL_UNSPECIFIED').map(result => result.itemId)
const asked = new Set(results.map(result => result.itemId))

const timesInJournal = new Map()
for (const { itemId } of journal) timesInJournal.set(itemId, (timesInJournal.get(itemId) ?? 0) + 1)

const lost = acknowledged.filter(item => !timesInJournal.has(item))
const doubled = [...timesInJournal].filter(([, times]) => times > 1).map(([item]) => item)
const unasked = [...timesInJournal.keys()].filter(item => !asked.has(item))

let total = 0n
let cursor = 0n
let wrongTotals = 0
for (const payment of journal) {
  total += BigInt(payment.amount)
  if (BigInt(payment.totalReceived) !== total || BigInt(payment.cursor) <= cursor) wrongTotals++
  cursor = BigInt(payment.cursor)
}

const number = value => value.toLocaleString('en-US')
console.log(
  `${number(acknowledged.length)} acknowledged, ${number(journal.length)} in the journal: ` +
    `${lost.length} lost, ${doubled.length} doubled, ${unasked.length} never asked for, ${wrongTotals} wrong totals`,
)
const text = item => Buffer.from(item, 'base64').toString()
for (const [name, items] of Object.entries({ lost, doubled, unasked }))
  if (items.length > 0) console.error(`${name}: ${items.slice(0, 10).map(text).join(', ')}`)
if (lost.length + doubled.length + unasked.length + wrongTotals > 0) process.exit(1)
