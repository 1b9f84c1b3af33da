// Removes one defence of the contract after the other, each in a copy of its own, and runs the test that must then
// fail. A mutant that survives is a defence that no test holds, and fails the run. Takes about ten seconds a mutant.
//
//   node script/mutants.mjs [PART OF A NAME OR TEST]     only those
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { mutants } from './mutants/list.mjs'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')
const work = mkdtempSync(join(tmpdir(), 'mutants-'))

/** A folder in which forge finds all that it needs, the vectors' place included. */
function copyOf(from, name) {
  const folder = join(work, name)
  const copied = source => !/\/(node_modules|\.git)$/.test(source)
  cpSync(from, folder, { recursive: true, filter: copied, preserveTimestamps: true })
  symlinkSync(realpathSync(join(root, 'node_modules')), join(folder, 'node_modules'))
  return folder
}

async function forge(folder, ...args) {
  // That an invariant breaks is enough: the shortest way to break it is not looked for.
  const env = { ...process.env, FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT: '0' }
  const options = { cwd: folder, env, maxBuffer: 2 ** 26 }
  try {
    const { stdout } = await run(join(folder, 'script', 'foundry.sh'), ['forge', ...args], options)
    return stdout
  } catch (failed) {
    return failed.stdout + failed.stderr
  }
}

function mutate(folder, edits) {
  for (const [file, text, replacement] of edits) {
    const path = join(folder, 'src', file)
    const source = readFileSync(path, 'utf8')
    if (!source.includes(text)) throw new Error(`src/${file} has no text: ${text}`)
    writeFileSync(path, source.replaceAll(text, replacement))
  }
}

const testFiles = readdirSync(join(root, 'test'), { recursive: true })
  .filter(file => file.endsWith('.t.sol'))
  .map(file => ({ file, source: readFileSync(join(root, 'test', file), 'utf8') }))

/** Leaves only the files with tests of this name: forge would compile all of them. */
function keepOnly(folder, test) {
  const wanted = new RegExp(`function \\w*${test}`)
  for (const { file, source } of testFiles) if (!wanted.test(source)) rmSync(join(folder, 'test', file))
}

/** A test that failed kills the mutant; one that could not run says nothing. */
function verdict(output) {
  const failed = [...output.matchAll(/^\[FAIL[^\n]*\] (\w+)\(/gm)].map(match => match[1])
  // An invariant's name follows the sequence that breaks it.
  if (failed.length === 0) failed.push(...[...output.matchAll(/^ (invariant_\w+)\(\) \(runs/gm)].map(match => match[1]))
  if (failed.length > 0 && /^\[FAIL/m.test(output)) return { outcome: 'killed', by: [...new Set(failed)].join(', ') }
  if (/^Ran \d+ test suites?.* 0 failed/m.test(output)) return { outcome: 'SURVIVED', by: '' }
  return { outcome: 'BROKEN', by: output.split('\n').filter(line => /rror/.test(line)).slice(0, 2).join(' ') }
}

async function judge(base, mutant, name) {
  const folder = copyOf(base, name)
  try {
    mutate(folder, mutant.edits)
    keepOnly(folder, mutant.test)
    return verdict(await forge(folder, 'test', '--match-test', mutant.test))
  } catch (problem) {
    return { outcome: 'BROKEN', by: problem.message }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const wanted = process.argv[2]?.toLowerCase() ?? ''
const chosen = mutants.filter(({ name, test }) => `${name} ${test}`.toLowerCase().includes(wanted))
const tests = [...new Set(chosen.map(mutant => mutant.test))].join('|')
let bad = 0
try {
  const base = copyOf(root, 'base')
  const config = join(base, 'foundry.toml')
  // A removed defence leaves warnings behind.
  writeFileSync(config, readFileSync(config, 'utf8').replace('deny = "warnings"\n', ''))
  const unchanged = await forge(base, 'test', '--match-test', tests)
  if (verdict(unchanged).outcome !== 'SURVIVED') throw new Error(`the tests fail without any mutation:\n${unchanged}`)

  const waiting = chosen.entries()
  const width = Math.max(...chosen.map(({ name }) => name.length))
  const worker = async () => {
    for (const [i, mutant] of waiting) {
      const { outcome, by } = await judge(base, mutant, `mutant-${i}`)
      if (outcome !== 'killed') bad++
      console.log(`${outcome.padEnd(8)}  ${mutant.name.padEnd(width)}  ${by || mutant.test}`)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
} finally {
  rmSync(work, { recursive: true })
}
console.log(`\n${chosen.length - bad} of ${chosen.length} mutants killed`)
if (bad > 0 || chosen.length === 0) process.exitCode = 1
