import { terms } from './eip712.mjs'
import { AMOUNTS, MAX_112, MAX_128, address, artifact, hash, pattern, plain, viem, word } from './values.mjs'

const { abi } = artifact('PaymentChannels')
const token = artifact('TestToken')
const channels = Object.values(terms)
const [duplex, oneWay] = channels
const SIGNATURES = ['0x', pattern(33), pattern(64), pattern(65), pattern(1000)]

const find = (name, inAbi = abi) => inAbi.find(item => item.name === name)

/** The arguments by name, as the ABI names them; unnamed ones by position. */
const named = (inputs, args) => Object.fromEntries(inputs.map((input, i) => [input.name || String(i), args[i]]))

function call(name, args, inAbi = abi) {
  const item = find(name, inAbi)
  return plain({
    name,
    signature: viem.toFunctionSignature(item),
    selector: viem.toFunctionSelector(item),
    arguments: named(item.inputs, args),
    calldata: viem.encodeFunctionData({ abi: inAbi, functionName: name, args }),
  })
}

const row = (i, sent, r, vs) => ({
  payerOwner: address(`payer owner ${i}`),
  payerSigner: address(`payer signer ${i}`),
  salt: hash(`salt ${i}`),
  sent,
  r,
  vs,
})

function calls() {
  const payee = { owner: oneWay.ownerB, signer: oneWay.signerB, token: oneWay.token, disputeWindow: 10 }
  const updates = AMOUNTS.map((sent, i) => ({ sent, received: AMOUNTS[AMOUNTS.length - 1 - i] }))
  const rows = [row(1, 1n, hash('r'), word(1n)), row(2, MAX_112, word(1n), word(2n ** 255n + 5n)), row(3, MAX_128, word(0n), word(0n))]
  const deposits = AMOUNTS.map((amount, i) => ({ channel: channels[i], side: i % 2, amount }))
  const split = { v: 28, r: hash('r'), s: hash('s') }
  const permits = [{ deadline: 1_900_000_000n, ...split }, { deadline: 2n ** 256n - 1n, v: 0, r: word(0n), s: word(0n) }]
  const authorizations = [
    { from: oneWay.ownerA, validAfter: 0n, validBefore: 1_900_000_000n, salt: hash('salt'), ...split },
    { from: viem.zeroAddress, validAfter: 1n, validBefore: 2n ** 64n - 1n, salt: word(0n), v: 27, r: word(1n), s: word(1n) },
  ]
  return [
    ...channels.map(channel => call('channelId', [channel])),
    ...AMOUNTS.flatMap(amount => [0, 1].map(side => call('deposit', [duplex, side, amount]))),
    call('deposit', [channels.at(-1), 0, MAX_128]),
    ...SIGNATURES.map((signature, i) => call('close', [duplex, AMOUNTS[i % 4], AMOUNTS[(i + 1) % 4], 1_900_000_000n, signature, SIGNATURES.at(-1 - i)])),
    call('close', [oneWay, MAX_112, 0n, 0n, pattern(65), pattern(64)]),
    call('close', [duplex, 1n, 1n, 2n ** 64n - 1n, pattern(64), pattern(64)]),
    ...[[], deposits.slice(0, 1), deposits].map(many => call('depositMany', [oneWay.token, many])),
    ...permits.map(permit => call('depositWithPermit', [oneWay, 0, MAX_112, permit])),
    ...authorizations.map((authorization, side) => call('depositWithAuthorization', [duplex, side, 1n, authorization])),
    ...[0, 1].map(side => call('authorizationNonce', [hash('channel'), side, hash('salt')])),
    ...updates.map(update => call('startClose', [duplex, update, pattern(65)])),
    ...SIGNATURES.map(signature => call('startClose', [duplex, { sent: 0n, received: 0n }, signature])),
    ...updates.map(update => call('dispute', [duplex, update, pattern(65), '0x'])),
    ...SIGNATURES.map((signature, i) => call('dispute', [duplex, { sent: 0n, received: 0n }, signature, SIGNATURES.at(-1 - i)])),
    ...channels.map(channel => call('settle', [channel])),
    call('claim', [payee, []]),
    call('claim', [payee, rows.slice(0, 1)]),
    call('claim', [payee, rows]),
    call('claim', [{ ...payee, token: viem.zeroAddress, disputeWindow: 2 ** 32 - 1 }, [row(4, 0n, hash('r'), word(2n ** 256n - 1n))]]),
    ...[viem.zeroAddress, oneWay.token].map(asset => call('withdrawCredit', [asset])),
    ...[word(0n), hash('channel')].map(id => call('sides', [id])),
    call('creditOf', [duplex.ownerA, viem.zeroAddress]),
    ...['MIN_DISPUTE_WINDOW', 'MAX_DISPUTE_WINDOW', 'eip712Domain'].map(name => call(name, [])),
  ]
}

function tokenCalls() {
  const [owner, spender] = [address('owner of A'), address('contract on anvil')]
  return [
    call('approve', [spender, 2n ** 256n - 1n], token.abi),
    call('mint', [owner, MAX_112], token.abi),
    call('transfer', [owner, 1n], token.abi),
    call('transferFrom', [owner, spender, MAX_128], token.abi),
    call('balanceOf', [owner], token.abi),
    call('allowance', [owner, spender], token.abi),
    ...['decimals', 'symbol', 'name', 'totalSupply'].map(name => call(name, [], token.abi)),
  ]
}

function constructors() {
  return [
    ['Test Dollar', 'TUSD', 6],
    ['', 'A symbol that is longer than a word of thirty-two bytes', 255],
  ].map(args => {
    const item = token.abi.find(entry => entry.type === 'constructor')
    const encoded = viem.encodeAbiParameters(item.inputs, args)
    return plain({ name: 'TestToken', arguments: named(item.inputs, args), encoded })
  })
}

function result(name, values, inAbi = abi) {
  const item = find(name, inAbi)
  const data = viem.encodeAbiParameters(item.outputs, values)
  return plain({ name, values: named(item.outputs, values), data })
}

function results() {
  const contract = address('contract on anvil')
  return [
    result('sides', [0n, 0n, 0n, 0n, 0]),
    result('sides', [MAX_112, 1n, 2n, MAX_112, 2 ** 32 - 1]),
    result('channelId', [hash('channel')]),
    result('creditOf', [2n ** 256n - 1n]),
    result('MIN_DISPUTE_WINDOW', [10]),
    result('eip712Domain', ['0x0f', 'ChannelNode', '1', 31337n, contract, word(0n), []]),
    ...[0n, MAX_112, 2n ** 256n - 1n].map(balance => result('balanceOf', [balance], token.abi)),
    ...[true, false].map(success => result('approve', [success], token.abi)),
    result('decimals', [6], token.abi),
    result('symbol', ['TUSD'], token.abi),
  ]
}

function event(name, args, inAbi = abi) {
  const item = find(name, inAbi)
  const values = named(item.inputs, args)
  const unindexed = item.inputs.filter(input => !input.indexed)
  return plain({
    name,
    signature: viem.toEventSignature(item),
    arguments: values,
    topics: viem.encodeEventTopics({ abi: inAbi, eventName: name, args: values }),
    data: viem.encodeAbiParameters(unindexed, unindexed.map(input => values[input.name])),
  })
}

/** An event with stored words; what they are made of is told beside them. */
function wordEvent(name, id, fields) {
  const { closesAt = 0n, sentA, potA, sentB = 0n, potB = 0n } = fields
  const [a, b] = [closesAt << 224n | sentA << 112n | potA, sentB << 112n | potB]
  const vector = event(name, name === 'Claimed' ? [id, a] : [id, a, b])
  const words = plain({ closesAt, sentA, potA, sentB, potB })
  return { ...vector, arguments: { ...vector.arguments, words } }
}

function events() {
  const id = hash('channel')
  const [owner, asset] = [duplex.ownerA, oneWay.token]
  return [
    event('Deposited', [id, 0, 1n]),
    event('Deposited', [id, 1, MAX_112]),
    wordEvent('CloseStarted', id, { closesAt: 1_900_000_000n, potA: 5n, sentA: 6n, potB: 7n, sentB: 8n }),
    wordEvent('CloseStarted', id, { closesAt: 2n ** 32n - 1n, potA: MAX_112, sentA: MAX_112, potB: 0n, sentB: 0n }),
    wordEvent('Disputed', id, { closesAt: 1n, potA: 1n, sentA: 2n, potB: 3n, sentB: 4n }),
    wordEvent('Closed', id, { potA: 30n, sentA: 10n, potB: 40n, sentB: 20n }),
    wordEvent('Settled', id, { closesAt: 9n, potA: 0n, sentA: MAX_112, potB: MAX_112, sentB: 0n }),
    wordEvent('Claimed', id, { potA: 0n, sentA: MAX_112 }),
    wordEvent('Claimed', id, { closesAt: 2n ** 31n, potA: 7n, sentA: 1n }),
    event('ClaimSkipped', [id, viem.toFunctionSelector(find('NothingNew'))]),
    event('Credited', [owner, viem.zeroAddress, 2n ** 256n - 1n]),
    event('CreditWithdrawn', [owner, asset, 1n]),
    event('Transfer', [owner, asset, MAX_112], token.abi),
  ]
}

function errors() {
  const own = abi.filter(item => item.type === 'error')
  const sample = { uint8: 1, uint32: 2_592_001, uint64: 2n ** 64n - 1n, uint128: MAX_128, uint256: 2n ** 256n - 1n }
  const value = type => sample[type] ?? (type === 'address' ? duplex.ownerB : hash('channel'))
  return own
    .filter(item => item.inputs.every(input => input.type !== 'string'))
    .map(item => {
      const args = item.inputs.map(input => value(input.type))
      return plain({
        name: item.name,
        signature: viem.toFunctionSignature(item),
        selector: viem.toFunctionSelector(item),
        arguments: named(item.inputs, args),
        data: viem.encodeErrorResult({ abi: [item], errorName: item.name, args }),
      })
    })
}

export function abiVectors() {
  return {
    calls: calls(),
    tokenCalls: tokenCalls(),
    constructors: constructors(),
    results: results(),
    events: events(),
    errors: errors(),
  }
}
