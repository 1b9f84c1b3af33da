// Every operation of the contract, once, as a real transaction; answers the gas that each receipt names.
// Both sides of duplex channels are funded before they are closed; nobody's balance is made from nothing.
import { account, hash, viem } from './chain.mjs'

/** Nine bytes, none of them zero: a thousand units of a token with 18 decimals. */
const AMOUNT = 0x7b_17_2b_3c_4d_5e_6f_71_12n
const DAY = 86_400
const MANY = 100
const A = 0
const B = 1

const TYPES = {
  BalanceUpdate: fields('channelId bytes32, sent uint128, received uint128'),
  Consent: fields('channelId bytes32, sent uint128, received uint128'),
  Close: fields('channelId bytes32, sentA uint128, sentB uint128, deadline uint64'),
}

function fields(text) {
  return text.split(', ').map(field => ({ name: field.split(' ')[0], type: field.split(' ')[1] }))
}

/** Operations of one asset between two parties made from `seed`; a table from name to gas. */
export class Operations {
  #gas = {}

  constructor(chain, channels, token, seed) {
    Object.assign(this, { chain, channels, token, seed })
    this.ownerA = account(`${seed} owner a`)
    this.ownerB = account(`${seed} owner b`)
    this.signerA = account(`${seed} signer a`)
    this.signerB = account(`${seed} signer b`)
    this.relayer = account(`${seed} relayer`)
    this.ether = token.address === viem.zeroAddress
  }

  async run({ batches }) {
    await this.#fundOwners()
    await this.#oneWay()
    await this.#duplex()
    if (batches) await this.#batches()
    return this.#gas
  }

  /** Everybody holds some already: no balance is made from nothing. */
  async #fundOwners() {
    const all = [this.ownerA, this.ownerB, this.signerA, this.signerB, this.relayer]
    for (const { address } of all) await this.chain.give(address, 10n ** 30n)
    if (this.ether) return
    for (const { address } of all) await this.chain.call(this.ownerA, this.token, 'mint', [address, 10n ** 30n])
    await this.chain.call(this.ownerA, this.token, 'mint', [this.channels.address, 1n])
    await this.chain.call(this.ownerA, this.token, 'approve', [this.channels.address, viem.maxUint256])
    await this.chain.call(this.ownerB, this.token, 'approve', [this.channels.address, viem.maxUint256])
  }

  async #oneWay() {
    const channel = this.#channel(true, 'one way')
    await this.#measure('open', this.ownerA, 'deposit', [channel, A, AMOUNT], AMOUNT)
    await this.#measure('top-up', this.ownerA, 'deposit', [channel, A, AMOUNT], AMOUNT)
    const row = await this.#row(channel, AMOUNT / 2n)
    await this.#measure('claim', this.relayer, 'claim', [this.#payee(), [row]])
    await this.#measure('close one-way, relayed', this.relayer, 'close', await this.#close(channel, AMOUNT, 0n))
    await this.#measure('re-open', this.ownerA, 'deposit', [channel, A, AMOUNT], AMOUNT)
    const byPayee = await this.#close(channel, AMOUNT + AMOUNT / 2n, 0n)
    byPayee[5] = '0x' // The payee agrees by calling.
    await this.#measure('close one-way', this.ownerB, 'close', byPayee)
  }

  async #duplex() {
    const channel = this.#channel(false, 'duplex')
    await this.#measure('open duplex', this.ownerA, 'deposit', [channel, A, AMOUNT], AMOUNT)
    await this.#measure('open side b', this.ownerB, 'deposit', [channel, B, AMOUNT], AMOUNT)
    await this.#measure('close duplex', this.relayer, 'close', await this.#close(channel, AMOUNT, AMOUNT / 2n))
    await this.#call(this.ownerA, 'deposit', [channel, A, AMOUNT], AMOUNT)
    await this.#call(this.ownerB, 'deposit', [channel, B, AMOUNT], AMOUNT)
    const [oldSent, oldReceived] = [AMOUNT + AMOUNT / 2n, AMOUNT / 2n + AMOUNT / 8n]
    const old = await this.#update(channel, this.signerA, 'BalanceUpdate', oldSent, oldReceived)
    await this.#measure('start close', this.signerB, 'startClose', [channel, ...old])
    const [sent, received] = [AMOUNT + AMOUNT / 4n, AMOUNT + AMOUNT / 2n + AMOUNT / 8n]
    const update = await this.#update(channel, this.signerB, 'BalanceUpdate', sent, received)
    await this.#measure('dispute', this.signerA, 'dispute', [channel, ...update, '0x'])
    const later = await this.#update(channel, this.signerB, 'BalanceUpdate', sent + AMOUNT / 16n, received)
    const [, consent] = await this.#update(channel, this.signerA, 'Consent', sent + AMOUNT / 16n, received)
    await this.#measure('dispute by a watchtower', this.relayer, 'dispute', [channel, ...later, consent])
    await this.chain.client.increaseTime({ seconds: DAY })
    await this.#measure('settle', this.relayer, 'settle', [channel])
  }

  async #batches() {
    const channels = Array.from({ length: MANY }, (_, i) => this.#channel(true, `batch ${i}`))
    const deposits = channels.map(channel => ({ channel, side: A, amount: AMOUNT }))
    const total = AMOUNT * BigInt(MANY)
    await this.#measure('batch deposit', this.ownerA, 'depositMany', [this.token.address, deposits], total, MANY)
    const rows = []
    for (const channel of channels) rows.push(await this.#row(channel, AMOUNT / 2n))
    await this.#measure('batch claim', this.relayer, 'claim', [this.#payee(), rows], 0n, MANY)
  }

  async #measure(name, from, functionName, args, value, share = 1) {
    const receipt = await this.#call(from, functionName, args, value)
    this.#gas[name] = Math.ceil(Number(receipt.gasUsed) / share)
  }

  #call(from, functionName, args, value = 0n) {
    return this.chain.call(from, this.channels, functionName, args, { value: this.ether ? value : 0n })
  }

  #channel(oneWay, name) {
    return {
      ownerA: this.ownerA.address, signerA: this.signerA.address,
      ownerB: this.ownerB.address, signerB: this.signerB.address,
      token: this.token.address, disputeWindow: DAY, oneWay, salt: hash(`${this.seed} ${name}`),
    }
  }

  #payee() {
    const { address: owner } = this.ownerB
    return { owner, signer: this.signerB.address, token: this.token.address, disputeWindow: DAY }
  }

  async #row({ ownerA, signerA, salt, ...terms }, sent) {
    const id = this.#id({ ownerA, signerA, salt, ...terms })
    const signature = await this.#sign(this.signerA, 'BalanceUpdate', { channelId: id, sent, received: 0n })
    const [r, vs] = [viem.slice(signature, 0, 32), viem.slice(signature, 32)]
    return { payerOwner: ownerA, payerSigner: signerA, salt, sent, r, vs }
  }

  async #update(channel, signer, type, sent, received) {
    const signature = await this.#sign(signer, type, { channelId: this.#id(channel), sent, received })
    return [{ sent, received }, signature]
  }

  async #close(channel, sentA, sentB) {
    const deadline = 0x7f_ff_ff_ffn
    const message = { channelId: this.#id(channel), sentA, sentB, deadline }
    const signatures = [
      await this.#sign(this.signerA, 'Close', message), await this.#sign(this.signerB, 'Close', message),
    ]
    return [channel, sentA, sentB, deadline, ...signatures]
  }

  async #sign(signer, primaryType, message) {
    const signature = await signer.signTypedData({ domain: this.#domain(), types: TYPES, primaryType, message })
    return viem.serializeCompactSignature(viem.signatureToCompactSignature(viem.parseSignature(signature)))
  }

  #domain() {
    return { name: 'ChannelNode', version: '1', chainId: 31337, verifyingContract: this.channels.address }
  }

  #id(channel) {
    const type = fields(
      'ownerA address, signerA address, ownerB address, signerB address, token address, disputeWindow uint32, oneWay bool, salt bytes32')
    return viem.hashTypedData({ domain: this.#domain(), types: { Channel: type }, primaryType: 'Channel', message: channel })
  }
}
