// Fails, naming the places, if a line or branch of src is run by no test. Takes a minute or two.
//
// The contract compiles only through the IR pipeline, under which forge counts nothing inside assembly: those lines
// are left out here. That they run, and what they do, every test that moves money shows.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'coverage-'))
const report = join(folder, 'lcov.info')

/** The numbers of the lines inside assembly blocks of a file. */
function assemblyLines(file) {
  const inside = new Set()
  let end = null
  readFileSync(join(root, file), 'utf8').split('\n').forEach((line, i) => {
    if (end === null && /^\s*assembly\b.*\{$/.test(line)) end = line.match(/^\s*/)[0] + '}'
    else if (line === end) end = null
    else if (end !== null) inside.add(i + 1)
  })
  return inside
}

try {
  const flags = ['coverage', '--ir-minimum', '--no-match-contract', 'Invariants', '--report', 'lcov', '--report-file', report]
  const env = { ...process.env, FOUNDRY_PROFILE: 'coverage' }
  execFileSync(join(root, 'script', 'foundry.sh'), ['forge', ...flags], { cwd: root, env, stdio: ['ignore', 'ignore', 'inherit'] })

  const missed = []
  let counted = 0
  for (const section of readFileSync(report, 'utf8').split('end_of_record')) {
    const file = section.match(/^SF:(src\/.*)$/m)?.[1]
    if (file === undefined) continue
    const assembly = assemblyLines(file)
    const places = [
      ...[...section.matchAll(/^DA:(\d+),(\d+)/gm)].map(([, line, hits]) => ({ line, hits, kind: 'line' })),
      ...[...section.matchAll(/^BRDA:(\d+),\d+,\d+,(\d+|-)/gm)].map(([, line, hits]) => ({ line, hits, kind: 'branch' })),
    ].filter(({ line }) => !assembly.has(Number(line)))
    counted += places.length
    missed.push(...places.filter(({ hits }) => hits === '0' || hits === '-').map(({ line, kind }) => `${file}:${line}: ${kind}`))
  }
  for (const place of missed) console.error(`no test runs ${place}`)
  console.log(`${counted - missed.length} of ${counted} lines and branches of src outside assembly are run by tests`)
  if (missed.length > 0 || counted === 0) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true })
}
