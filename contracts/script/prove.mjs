// Proves the asserts of proof/Steps.sol with the solver (z3) that the npm compiler carries. Fails if one is not proven.
// Takes some tens of seconds.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const solc = createRequire(import.meta.url)('solc')
const root = join(import.meta.dirname, '..')
const file = 'proof/Steps.sol'
const read = path => readFileSync(join(root, path.startsWith('@') ? join('node_modules', path) : path), 'utf8')

const input = {
  language: 'Solidity',
  sources: { [file]: { content: read(file) } },
  settings: {
    remappings: [],
    outputSelection: { '*': { '*': ['abi'] } },
    modelChecker: {
      contracts: { [file]: ['Steps'] },
      engine: 'chc',
      // Its z3 can neither start threads, which a timeout needs, nor be replaced by one of the system.
      solvers: ['z3'],
      targets: ['assert'],
      showProvedSafe: true,
      showUnproved: true,
    },
  },
}

const { errors } = JSON.parse(solc.compile(JSON.stringify(input), { import: path => ({ contents: read(path) }) }))
const source = input.sources[file].content
const line = ({ start }) => source.slice(0, start).split('\n').length
const asserted = [...source.matchAll(/\bassert\(/g)].length
let proven = 0
for (const { severity, message, sourceLocation, formattedMessage } of errors) {
  if (severity === 'error') throw new Error(formattedMessage)
  if (sourceLocation?.file !== file) continue
  const text = source.slice(sourceLocation.start, sourceLocation.end)
  const isProven = message.includes('check is safe')
  if (isProven) proven++
  console.log(`${isProven ? 'proven' : 'NOT PROVEN'}  ${file}:${line(sourceLocation)}  ${text}`)
  if (!isProven) console.log(message)
}
console.log(`\n${proven} of ${asserted} asserts proven by the compiler's model checker`)
if (proven !== asserted) process.exitCode = 1
