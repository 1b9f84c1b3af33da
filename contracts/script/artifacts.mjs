// Writes artifacts/<contract>.json (ABI and bytecode, as the node uses them) from a fresh compile.
// With --check it compares instead, and fails naming what differs.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const foundry = join(root, 'script', 'foundry.sh')
const compiler = createRequire(import.meta.url)('solc').version()

const sources = {
  PaymentChannels: 'src/PaymentChannels.sol',
  TestToken: 'test/support/TestToken.sol',
  GaslessToken: 'test/support/GaslessToken.sol',
}

/** Compiles in a folder of its own, so that no earlier output is taken for this one's. */
function compile() {
  const folder = mkdtempSync(join(tmpdir(), 'payment-channels-'))
  try {
    const flags = ['--force', '--via-ir', '--ast', '--out', join(folder, 'out'), '--cache-path', join(folder, 'cache')]
    const command = ['forge', 'build', ...flags, ...Object.values(sources)]
    execFileSync(foundry, command, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    return Object.fromEntries(Object.keys(sources).map(name => [name, artifact(folder, name)]))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function artifact(folder, name) {
  const output = JSON.parse(readFileSync(join(folder, 'out', `${name}.sol`, `${name}.json`), 'utf8'))
  return {
    contractName: name,
    compiler,
    abi: output.abi,
    bytecode: output.bytecode.object,
    deployedBytecode: output.deployedBytecode.object,
    immutables: immutables(folder, output.deployedBytecode.immutableReferences),
  }
}

/** By name: where in the deployed bytecode the constructor leaves its values, 32 bytes each. */
function immutables(folder, references = {}) {
  const names = {}
  for (const file of readdirSync(join(folder, 'out'), { recursive: true })) {
    if (!file.endsWith('.json')) continue
    const ast = JSON.parse(readFileSync(join(folder, 'out', file), 'utf8')).ast
    JSON.stringify(ast ?? null, (_, node) => {
      if (node?.nodeType === 'VariableDeclaration' && node.id in references) names[node.id] = node.name
      return node
    })
  }
  const found = Object.entries(references).map(([id, places]) => [names[id], places.map(place => place.start)])
  return Object.fromEntries(found.sort(([one], [other]) => (one < other ? -1 : 1)))
}

function differences(name, fresh) {
  const path = join(root, 'artifacts', `${name}.json`)
  if (!existsSync(path)) return [`artifacts/${name}.json: missing`]
  const committed = JSON.parse(readFileSync(path, 'utf8'))
  const keys = new Set([...Object.keys(fresh), ...Object.keys(committed)])
  return [...keys]
    .filter(key => JSON.stringify(fresh[key]) !== JSON.stringify(committed[key]))
    .map(key => `artifacts/${name}.json: ${key} differs from a fresh compile`)
}

const fresh = compile()
if (process.argv.includes('--check')) {
  const found = Object.entries(fresh).flatMap(([name, value]) => differences(name, value))
  if (found.length > 0) {
    console.error([...found, 'Run `npm run artifacts` in contracts and commit the result.'].join('\n'))
    process.exit(1)
  }
  console.log('The committed artifacts equal a fresh compile.')
} else {
  mkdirSync(join(root, 'artifacts'), { recursive: true })
  for (const [name, value] of Object.entries(fresh)) {
    writeFileSync(join(root, 'artifacts', `${name}.json`), JSON.stringify(value, null, 2) + '\n')
    console.log(`artifacts/${name}.json: ${(value.deployedBytecode.length - 2) / 2} bytes of code`)
  }
}
