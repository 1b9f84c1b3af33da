// A chain to measure on: real transactions, one a block, on an Anvil that somebody else has started.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readFileSync } from 'node:fs'

export const root = join(import.meta.dirname, '..', '..', '..')
const contracts = join(root, 'contracts')
const resolve = createRequire(join(contracts, 'package.json')).resolve
const load = name => import(pathToFileURL(resolve(name)))
export const viem = await load('viem')
export const { privateKeyToAccount } = await load('viem/accounts')
const { anvil } = await load('viem/chains')

export const artifact = name => JSON.parse(readFileSync(join(contracts, 'artifacts', `${name}.json`), 'utf8'))
export const hash = text => viem.keccak256(viem.toBytes(text))

/** An account made from a name, always the same. */
export const account = name => privateKeyToAccount(hash(name))

export class Chain {
  constructor(url) {
    const transport = viem.http(url)
    this.client = viem.createTestClient({ mode: 'anvil', chain: anvil, transport }).extend(viem.publicActions)
    this.wallet = viem.createWalletClient({ chain: anvil, transport })
  }

  give(address, wei) {
    return this.client.setBalance({ address, value: wei })
  }

  async deploy(name, args, from) {
    const { abi, bytecode } = artifact(name)
    const receipt = await this.#send(from, { data: viem.encodeDeployData({ abi, bytecode, args }) })
    return { abi, address: receipt.contractAddress }
  }

  /** Calls and answers the receipt; throws when the call reverts. */
  async call(from, { abi, address }, functionName, args, { value = 0n, accessList } = {}) {
    const data = viem.encodeFunctionData({ abi, functionName, args })
    return this.#send(from, { to: address, data, value, accessList })
  }

  async #send(from, request) {
    const nonce = await this.client.getTransactionCount({ address: from.address })
    const signed = await from.signTransaction({
      chainId: anvil.id, type: 'eip1559', gas: 20_000_000n, nonce,
      maxFeePerGas: 10n ** 12n, maxPriorityFeePerGas: 0n, ...request,
    })
    const receipt = await this.client.request({ method: 'eth_sendRawTransactionSync', params: [signed] })
    if (receipt.status !== '0x1') throw new Error(`reverted: ${receipt.transactionHash}`)
    return receipt
  }
}
