// What the same operations cost in the contracts of others, where the chain gets the same done. Measured as ours are:
// on Anvil (Prague), receipts of real transactions, OpenZeppelin's ERC20 with an infinite allowance and no balance
// made from nothing, amounts of nine bytes, the worst of 20 random keys.
const nitro = { name: 'Nitro', source: 'github.com/statechannels/go-nitro' }
const perun = { name: 'Perun', source: 'github.com/hyperledger-labs/perun-eth-contracts' }
const machinomy = { name: 'Machinomy', source: 'github.com/machinomy/contracts' }
const microRaiden = { name: 'MicroRaiden', source: 'github.com/raiden-network/microraiden' }
const raiden = { name: 'Raiden', source: 'github.com/raiden-network/raiden-contracts' }
const x402 = { name: 'x402 batch-settlement', source: 'github.com/x402-foundation/x402' }
const celer = { name: 'Celer', source: 'github.com/celer-network/cChannel-eth' }
const tempo = { name: 'TIP-20 reserve', source: 'github.com/tempoxyz/tempo' }
const tap = { name: 'TAP', source: 'github.com/semiotic-ai/timeline-aggregation-protocol-contracts' }

const at = (rival, gas, note) => ({ ...rival, gas, note })

export const rivals = {
  ether: {
    'open': [
      at(perun, 45_825, 'the chain does not know the payee'), at(nitro, 46_580, 'the chain does not know the payee'),
      at(machinomy, 116_693),
    ],
    'top-up': [at(nitro, 28_725)],
    'claim': [at(celer, 122_920)],
    'close duplex': [at(nitro, 92_476)],
    'close one-way': [at(machinomy, 56_757)],
    'start close': [at(perun, 109_509), at(nitro, 113_302)],
    'dispute': [at(nitro, 74_116)],
    'settle': [at(nitro, 61_394)],
    'batch deposit': [at(nitro, 33_303)],
  },
  token: {
    'open': [at(microRaiden, 71_150), at(x402, 82_023), at(raiden, 131_438)],
    'top-up': [at(microRaiden, 53_851), at(x402, 61_055)],
    'claim': [at(tempo, 57_787), at(x402, 74_132)],
    'close duplex': [at(nitro, 99_236), at(raiden, 139_663)],
    'close one-way': [at(microRaiden, 70_562)],
    'start close': [at(perun, 109_473)],
    'dispute': [at(x402, 48_849)],
    'settle': [at(microRaiden, 57_266, 'deletes, and cannot re-open safely'), at(nitro, 69_747)],
    'batch claim': [at(x402, 22_366)],
    'batch deposit': [at(tap, 25_691, 'names no channel')],
  },
}
