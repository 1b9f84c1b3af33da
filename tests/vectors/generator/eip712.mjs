import { AMOUNTS, MAX_112, MAX_128, address, hash, plain, viem, word } from './values.mjs'

const parse = type => type.split(',').map(field => ({ type: field.split(' ')[0], name: field.split(' ')[1] }))

export const types = {
  Channel: parse(
    'address ownerA,address signerA,address ownerB,address signerB,address token,uint32 disputeWindow,bool oneWay,bytes32 salt',
  ),
  BalanceUpdate: parse('bytes32 channelId,uint128 sent,uint128 received'),
  Consent: parse('bytes32 channelId,uint128 sent,uint128 received'),
  Close: parse('bytes32 channelId,uint128 sentA,uint128 sentB,uint64 deadline'),
  Hello: parse('address from,address owner,address to,bytes32 nonceFrom,bytes32 nonceTo'),
}

/** What a token's owner signs under the token's own domain (EIP-2612, EIP-3009). */
const tokenTypes = {
  Permit: parse('address owner,address spender,uint256 value,uint256 nonce,uint256 deadline'),
  ReceiveWithAuthorization: parse(
    'address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce',
  ),
}

const MAX_ADDRESS = '0xFFfFfFffFFfffFFfFFfFFFFFffFFFffffFfFFFfF'
const ZERO_ADDRESS = viem.zeroAddress

const domains = [
  { chainId: 1n, verifyingContract: address('contract on mainnet') },
  { chainId: 31337n, verifyingContract: address('contract on anvil') },
  { chainId: 2n ** 64n - 1n, verifyingContract: MAX_ADDRESS },
]

const parties = {
  ownerA: address('owner of A'),
  signerA: address('signer of A'),
  ownerB: address('owner of B'),
  signerB: address('signer of B'),
}
const token = address('token')
export const terms = {
  'duplex, ether': { ...parties, token: ZERO_ADDRESS, disputeWindow: 86_400, oneWay: false, salt: hash('salt') },
  'one-way, token': { ...parties, token, disputeWindow: 10, oneWay: true, salt: word(1n) },
  'all zero': {
    ...{ ownerA: ZERO_ADDRESS, signerA: ZERO_ADDRESS, ownerB: ZERO_ADDRESS, signerB: ZERO_ADDRESS },
    ...{ token: ZERO_ADDRESS, disputeWindow: 0, oneWay: false, salt: word(0n) },
  },
  'all at their largest': {
    ...{ ownerA: MAX_ADDRESS, signerA: MAX_ADDRESS, ownerB: MAX_ADDRESS, signerB: MAX_ADDRESS },
    ...{ token: MAX_ADDRESS, disputeWindow: 2 ** 32 - 1, oneWay: true, salt: word(2n ** 256n - 1n) },
  },
}

/** Domains of tokens; that of the contract has its own name and version. */
const tokenDomains = [
  { name: 'Test Dollar', version: '1', chainId: 31337n, verifyingContract: token },
  { name: 'USD Coin', version: '2', chainId: 1n, verifyingContract: '0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48' },
  { name: '', version: '', chainId: 2n ** 64n - 1n, verifyingContract: MAX_ADDRESS },
]

const fullDomain = domain => ({ name: 'ChannelNode', version: '1', ...domain })

export function typedData(domain, primaryType, message) {
  const fields = types[primaryType] ?? tokenTypes[primaryType]
  return { domain: fullDomain(domain), types: { [primaryType]: fields }, primaryType, message }
}

export const digest = (domain, primaryType, message) => viem.hashTypedData(typedData(domain, primaryType, message))

function domainSeparator(domain) {
  const EIP712Domain = parse('string name,string version,uint256 chainId,address verifyingContract')
  return viem.hashDomain({ domain: fullDomain(domain), types: { EIP712Domain } })
}

/** One vector: the domain and the message flat in one object, then its hashes. */
function vector(name, domain, primaryType, message, digestName = 'digest') {
  const structHash = viem.hashStruct({ data: message, primaryType, types })
  const hashes = { structHash, [digestName]: digest(domain, primaryType, message) }
  return plain({ name, ...domain, ...message, ...hashes })
}

const updates = () =>
  AMOUNTS.flatMap(sent => AMOUNTS.map(received => ({ sent, received }))).map(({ sent, received }) => [
    `sent ${sent}, received ${received}`,
    { channelId: hash('channel'), sent, received },
  ])

/** The nonce under which a token's owner authorizes a deposit: plain ABI, not typed data. */
function authorizationNonces() {
  const parameters = [{ type: 'bytes32' }, { type: 'uint8' }, { type: 'bytes32' }]
  return [
    [word(0n), 0, word(0n)],
    [hash('channel'), 0, hash('salt')],
    [hash('channel'), 1, hash('salt')],
    [hash('channel'), 0, word(1n)],
    [word(2n ** 256n - 1n), 1, word(2n ** 256n - 1n)],
  ].map(values => {
    const [channelId, side, salt] = values
    return plain({ channelId, side, salt, nonce: viem.keccak256(viem.encodeAbiParameters(parameters, values)) })
  })
}

function tokenMessages(primaryType, messages) {
  return tokenDomains.flatMap(({ name, version, ...domain }) =>
    messages.map(message => {
      const data = typedData({ name, version, ...domain }, primaryType, message)
      return plain({ domainName: name, domainVersion: version, ...domain, ...message, digest: viem.hashTypedData(data) })
    }),
  )
}

const permits = () => [
  { owner: parties.ownerA, spender: address('contract on anvil'), value: 1_000_000n, nonce: 0n, deadline: 1_900_000_000n },
  { owner: MAX_ADDRESS, spender: MAX_ADDRESS, value: MAX_112, nonce: 2n ** 64n - 1n, deadline: MAX_128 },
]

const authorizations = () => [
  {
    ...{ from: parties.ownerA, to: address('contract on anvil'), value: 1_000_000n },
    ...{ validAfter: 0n, validBefore: 1_900_000_000n, nonce: authorizationNonces()[1].nonce },
  },
  {
    ...{ from: MAX_ADDRESS, to: MAX_ADDRESS, value: MAX_112 },
    ...{ validAfter: MAX_128 - 1n, validBefore: MAX_128, nonce: word(2n ** 256n - 1n) },
  },
]

const closes = () => [
  ['all zero', { channelId: word(0n), sentA: 0n, sentB: 0n, deadline: 0n }],
  ['plain', { channelId: hash('channel'), sentA: 1_000_000n, sentB: 1n, deadline: 1_900_000_000n }],
  ['largest amounts', { channelId: hash('channel'), sentA: MAX_112, sentB: MAX_112, deadline: 2n ** 32n - 1n }],
  ['all at their largest', { channelId: word(2n ** 256n - 1n), sentA: MAX_128, sentB: MAX_128, deadline: 2n ** 64n - 1n }],
]

const hellos = () => [
  ['plain', { from: parties.signerA, owner: parties.ownerA, to: parties.signerB, nonceFrom: hash('nonce 1'), nonceTo: hash('nonce 2') }],
  ['the other way', { from: parties.signerB, owner: parties.ownerB, to: parties.signerA, nonceFrom: hash('nonce 2'), nonceTo: hash('nonce 1') }],
  ['all zero', { from: ZERO_ADDRESS, owner: ZERO_ADDRESS, to: ZERO_ADDRESS, nonceFrom: word(0n), nonceTo: word(0n) }],
  ['largest', { from: MAX_ADDRESS, owner: MAX_ADDRESS, to: MAX_ADDRESS, nonceFrom: word(2n ** 256n - 1n), nonceTo: word(2n ** 256n - 1n) }],
]

export function eip712Vectors() {
  const inEachDomain = make => domains.flatMap(domain => make(domain))
  const typeText = name => `${name}(${types[name].map(field => `${field.type} ${field.name}`).join(',')})`
  return {
    domainName: 'ChannelNode',
    domainVersion: '1',
    types: Object.keys(types).map(name => ({
      name,
      type: typeText(name),
      typeHash: viem.keccak256(viem.stringToHex(typeText(name))),
    })),
    domains: domains.map(domain => plain({ ...domain, domainSeparator: domainSeparator(domain) })),
    channels: inEachDomain(domain =>
      Object.entries(terms).map(([name, message]) => vector(name, domain, 'Channel', message, 'channelId')),
    ),
    balanceUpdates: inEachDomain(domain => updates().map(([name, m]) => vector(name, domain, 'BalanceUpdate', m))),
    consents: inEachDomain(domain => updates().map(([name, m]) => vector(name, domain, 'Consent', m))),
    closes: inEachDomain(domain => closes().map(([name, m]) => vector(name, domain, 'Close', m))),
    hellos: inEachDomain(domain => hellos().map(([name, m]) => vector(name, domain, 'Hello', m))),
    authorizationNonces: authorizationNonces(),
    permits: tokenMessages('Permit', permits()),
    authorizations: tokenMessages('ReceiveWithAuthorization', authorizations()),
  }
}
