// Prints what each account has paid for gas in wei, one a line, added up from the receipts of all blocks.
// Usage: node gas.mjs <rpc url> <address>...
const [url, ...addresses] = process.argv.slice(2)

async function ask(method, ...params) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  const { result, error } = await answer.json()
  if (error) throw new Error(`${method}: ${error.message}`)
  return result
}

const spent = new Map(addresses.map(address => [address.toLowerCase(), 0n]))
const newest = Number(await ask('eth_blockNumber'))
for (let block = 1; block <= newest; block++) {
  for (const { from, gasUsed, effectiveGasPrice } of await ask('eth_getBlockReceipts', '0x' + block.toString(16))) {
    if (spent.has(from)) spent.set(from, spent.get(from) + BigInt(gasUsed) * BigInt(effectiveGasPrice))
  }
}
for (const wei of spent.values()) console.log(String(wei))
