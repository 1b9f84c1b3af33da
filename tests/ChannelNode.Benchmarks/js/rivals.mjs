// What a user would pick instead, each on one core, in memory, nothing written to a disk:
//   x402   the reference resource server of x402's batch-settlement scheme: a voucher checked, reserved and charged
//   viem   recoverTypedDataAddress over a balance update, and the comparison with the signer
//
//   node rivals.mjs [seconds for each, 5]
//
// Prints one JSON line for each: {"name":...,"perSecond":...,"package":...}
import { createRequire } from 'node:module'
import { computeChannelId, signVoucher } from '@x402/evm/batch-settlement/client'
import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/server'
import { recoverTypedDataAddress, zeroHash } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'

const seconds = Number(process.argv[2] ?? 5)
const chainId = 8453
const network = `eip155:${chainId}`
const token = '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913'
const payer = privateKeyToAccount(generatePrivateKey())
const receiver = privateKeyToAccount(generatePrivateKey())
const authorizer = privateKeyToAccount(generatePrivateKey())

await report('x402', '@x402/evm', await x402())
await report('viem', 'viem', await viem())

async function x402() {
  const scheme = new BatchSettlementEvmScheme(receiver.address, { receiverAuthorizerSigner: authorizer })
  const channelConfig = {
    payer: payer.address,
    payerAuthorizer: payer.address,
    receiver: receiver.address,
    receiverAuthorizer: authorizer.address,
    token,
    withdrawDelay: 900,
    salt: zeroHash,
  }
  const channelId = computeChannelId(channelConfig, network)
  const requirements = {
    scheme: 'batch-settlement', network, asset: token, amount: '1', payTo: receiver.address, maxTimeoutSeconds: 60,
    extra: { receiverAuthorizer: authorizer.address, withdrawDelay: 900 },
  }
  await scheme.getStorage().updateChannel(channelId, () => ({
    channelId, channelConfig, chargedCumulativeAmount: '0', signedMaxClaimable: '0', signature: '0x',
    balance: '1000000000', totalClaimed: '0', withdrawRequestedAt: 0, refundNonce: 0,
    onchainSyncedAt: Date.now(), lastRequestTimestamp: Date.now(),
  }))
  const sign = async number => ({
    type: 'voucher', channelConfig, voucher: await signVoucher(payer, channelId, String(number + 1), network),
  })
  const check = async payload => {
    const paymentPayload = { x402Version: 2, accepted: requirements, payload }
    const context = { paymentPayload, requirements }
    const verified = await scheme.schemeHooks.onBeforeVerify(context)
    if (verified?.result?.isValid !== true) throw new Error(`x402 refuses: ${JSON.stringify(verified)}`)
    const reserved = await scheme.schemeHooks.onAfterVerify({ ...context, result: verified.result })
    if (reserved?.abort) throw new Error(`x402 refuses: ${JSON.stringify(reserved)}`)
    const settled = await scheme.schemeHooks.onBeforeSettle(context)
    if (settled?.result?.success !== true) throw new Error(`x402 refuses: ${JSON.stringify(settled)}`)
  }
  return await measure(sign, check, async done => {
    const { chargedCumulativeAmount } = await scheme.getStorage().get(channelId)
    if (chargedCumulativeAmount !== String(done)) throw new Error(`x402 charged ${chargedCumulativeAmount} of ${done}`)
  })
}

async function viem() {
  const typed = number => ({
    domain: { name: 'ChannelNode', version: '1', chainId, verifyingContract: token },
    types: {
      BalanceUpdate: [
        { name: 'channelId', type: 'bytes32' }, { name: 'sent', type: 'uint128' }, { name: 'received', type: 'uint128' },
      ],
    },
    primaryType: 'BalanceUpdate',
    message: { channelId: zeroHash, sent: BigInt(number + 1), received: 0n },
  })
  const sign = async number => ({ number, signature: await payer.signTypedData(typed(number)) })
  const check = async ({ number, signature }) => {
    const signer = await recoverTypedDataAddress({ ...typed(number), signature })
    if (signer !== payer.address) throw new Error('viem finds a right signature wrong')
  }
  return await measure(sign, check, async () => {})
}

// Signing is the payer's cost and not counted. CPU time is, so that a busy neighbour does not count either.
async function measure(sign, check, confirm) {
  const chunk = 50
  const warmUp = 2 * chunk
  let done = 0, used = 0
  while (used < seconds * 1e6) {
    const signed = []
    for (let number = 0; number < chunk; number++) signed.push(await sign(done + number))
    const before = process.cpuUsage()
    for (const one of signed) await check(one)
    const cpu = process.cpuUsage(before)
    if (done >= warmUp) used += cpu.user + cpu.system
    done += chunk
  }
  await confirm(done)
  return (done - warmUp) / used * 1e6
}

function report(name, packageName, perSecond) {
  const require = createRequire(import.meta.url)
  const { devDependencies } = require('./package.json')
  console.log(JSON.stringify({ name, perSecond, package: `${packageName} ${devDependencies[packageName]}` }))
}
