import { terms } from './eip712.mjs'
import { AMOUNTS, MAX_112, MAX_128, address, artifact, hash, pattern, plain, viem, word } from './values.mjs'

const { abi } = artifact('PaymentChannels')
const token = artifact('GaslessToken')
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

const ONES = word(2n ** 256n - 1n)
const permit = { deadline: 1_900_000_000n, v: 27, r: hash('r'), s: hash('s') }
const authorization = {
  ...{ from: duplex.ownerA, validAfter: 0n, validBefore: 1_900_000_000n, salt: hash('salt') },
  ...{ v: 28, r: hash('r'), s: hash('s') },
}

/** One word of an event. */
const recorded = ({ pot, sent, closesAt }) => (BigInt(closesAt) << 224n) | (sent << 112n) | pot

const WORDS = [
  { pot: 0n, sent: 0n, closesAt: 0 },
  { pot: 1n, sent: 2n, closesAt: 3 },
  { pot: MAX_112, sent: 0n, closesAt: 0 },
  { pot: 0n, sent: MAX_112, closesAt: 0 },
  { pot: 0n, sent: 0n, closesAt: 2 ** 32 - 1 },
  { pot: MAX_112, sent: MAX_112, closesAt: 2 ** 32 - 1 },
]

/** The deposits of a node that opens many channels at once. */
function deposits() {
  const inToken = (salt, side, amount) => ({ channel: { ...duplex, token: oneWay.token, salt }, side, amount })
  return [
    call('depositMany', [oneWay.token, []]),
    call('depositMany', [viem.zeroAddress, [{ channel: duplex, side: 0, amount: 1n }]]),
    call('depositMany', [oneWay.token, [inToken(hash('salt 1'), 0, 1n), inToken(hash('salt 2'), 1, MAX_112)]]),
    call('depositWithPermit', [{ ...duplex, token: oneWay.token }, 0, 1_000_000n, permit]),
    call('depositWithPermit', [oneWay, 1, MAX_112, { deadline: 2n ** 256n - 1n, v: 255, r: ONES, s: ONES }]),
    call('depositWithAuthorization', [{ ...duplex, token: oneWay.token }, 1, 1_000_000n, authorization]),
    call('depositWithAuthorization', [
      ...[oneWay, 0, MAX_112],
      { ...authorization, validAfter: 2n ** 256n - 1n, validBefore: 2n ** 256n - 1n, v: 255, r: ONES, s: ONES },
    ]),
  ]
}

function calls() {
  const payee = { owner: oneWay.ownerB, signer: oneWay.signerB, token: oneWay.token, disputeWindow: 10 }
  const updates = AMOUNTS.map((sent, i) => ({ sent, received: AMOUNTS[AMOUNTS.length - 1 - i] }))
  const rows = [row(1, 1n, hash('r'), hash('vs')), row(2, MAX_112, word(0n), ONES), row(3, MAX_128, ONES, word(0n))]
  const nothing = { sent: 0n, received: 0n }
  return [
    ...channels.map(channel => call('channelId', [channel])),
    ...AMOUNTS.flatMap(amount => [0, 1].map(side => call('deposit', [duplex, side, amount]))),
    call('deposit', [channels.at(-1), 0, MAX_128]),
    ...SIGNATURES.map((signature, i) => call('close', [duplex, AMOUNTS[i % 4], AMOUNTS[(i + 1) % 4], 1_900_000_000n, signature, SIGNATURES.at(-1 - i)])),
    call('close', [oneWay, MAX_112, 0n, 0n, pattern(65), pattern(64)]),
    call('close', [duplex, 1n, 1n, 2n ** 64n - 1n, pattern(64), pattern(64)]),
    ...deposits(),
    ...updates.map(update => call('startClose', [duplex, update, pattern(65)])),
    ...SIGNATURES.map(signature => call('startClose', [duplex, nothing, signature])),
    ...updates.map(update => call('dispute', [duplex, update, pattern(65), '0x'])),
    ...SIGNATURES.map((signature, i) => call('dispute', [duplex, nothing, signature, SIGNATURES.at(-1 - i)])),
    ...channels.map(channel => call('settle', [channel])),
    call('claim', [payee, []]),
    call('claim', [payee, rows.slice(0, 1)]),
    call('claim', [payee, rows]),
    call('claim', [{ ...payee, token: viem.zeroAddress, disputeWindow: 2 ** 32 - 1 }, [row(4, 0n, word(0n), word(0n))]]),
    ...[viem.zeroAddress, oneWay.token].map(asset => call('withdrawCredit', [asset])),
    ...[word(0n), hash('channel')].map(id => call('sides', [id])),
    call('creditOf', [duplex.ownerA, viem.zeroAddress]),
    ...[0, 1].map(side => call('authorizationNonce', [hash('channel'), side, hash('salt')])),
    call('multicall', [[]]),
    call('multicall', [[pattern(4), '0x', pattern(100)]]),
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
    call('nonces', [owner], token.abi),
    ...['decimals', 'symbol', 'name', 'totalSupply', 'eip712Domain', 'DOMAIN_SEPARATOR'].map(name => call(name, [], token.abi)),
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

function events() {
  const id = hash('channel')
  const [owner, asset] = [duplex.ownerA, oneWay.token]
  return [
    event('Deposited', [id, 0, 1n]),
    event('Deposited', [id, 1, MAX_112]),
    ...['CloseStarted', 'Disputed', 'Closed', 'Settled'].flatMap((name, i) => {
      const [a, b] = [{ pot: 7n, sent: 5n, closesAt: 1_900_000_000 }, { pot: 23n + BigInt(i), sent: 2n, closesAt: 0 }]
      return [event(name, [id, recorded(a), recorded(b)]), event(name, [id, recorded(WORDS.at(-1)), recorded(WORDS[2])])]
    }),
    event('Claimed', [id, recorded({ pot: 70n, sent: 30n, closesAt: 0 })]),
    event('Claimed', [id, recorded({ pot: 0n, sent: MAX_112, closesAt: 1_900_000_000 })]),
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
    words: WORDS.map(side => plain({ ...side, word: recorded(side) })),
    errors: errors(),
  }
}
