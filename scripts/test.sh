#!/usr/bin/env bash
# Runs every check of the project and ends with one line: "N passed, N failed".
#
#   scripts/test.sh                             everything
#   scripts/test.sh --only dotnet|forge|buf|scripts|ops  one runner; may be given several times
#   scripts/test.sh --filter NAME               of the dotnet tests only those whose full name contains NAME
#
# A runner that fails does not keep the next ones from running.
set -uo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root" || exit 1

forge="$root/contracts/script/foundry.sh"
bench="$root/tests/ChannelNode.Benchmarks/bin/Release/net10.0/ChannelNode.Benchmarks.dll"
buf="$root/contracts/node_modules/.bin/buf"
out="$(mktemp -d)"
begun=() # process groups
trap 'for group in ${begun[@]+"${begun[@]}"}; do kill -- "-$group" 2>/dev/null; done; rm -rf "$out"' EXIT

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
export UseSharedCompilation=false MSBUILDDISABLENODEREUSE=1 # no build server may outlive the tests

passed=0
failed=0
only=()
filter=""

usage() { sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

while [ $# -gt 0 ]; do
  case "$1" in
    --only) only+=("${2:?--only needs dotnet, forge, buf, scripts or ops}"); shift 2 ;;
    --filter) filter="${2:?--filter needs a name}"; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "unknown argument: $1" >&2; usage >&2; exit 2 ;;
  esac
done

for name in ${only[@]+"${only[@]}"}; do
  case "$name" in
    dotnet | forge | buf | scripts | ops) ;;
    *) echo "unknown runner: $name" >&2; usage >&2; exit 2 ;;
  esac
done

wanted() { [ ${#only[@]} -eq 0 ] || [[ " ${only[*]} " == *" $1 "* ]]; }

# run NAME COMMAND...: the output goes to $log, and to the screen when the command fails.
log="$out/log"
run() {
  local name="$1" start code
  shift
  start=$SECONDS
  "$@" >"$log" 2>&1
  code=$?
  if [ $code -eq 0 ]; then
    printf 'ok      %-28s %4d s\n' "$name" $((SECONDS - start))
  else
    cat "$log"
    printf 'FAILED  %-28s %4d s (exit %d)\n' "$name" $((SECONDS - start)) "$code"
  fi
  return $code
}

# A command that counts as one check.
check() {
  if run "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    return 1
  fi
}

# begin NAME COMMAND...: a check that waits more than it works. It goes on beside the next ones, until 'finish' counts it.
begin() {
  set -m # A process group of its own, so that all of it can be ended.
  (log="$out/log-$1" && run "$@") &
  set +m
  begun+=($!)
}

finish() {
  local check
  for check in ${begun[@]+"${begun[@]}"}; do
    if wait "$check"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  done
  begun=()
}

# count PASSED FAILED CODE: a runner that failed without a failed test, or that ran nothing, counts as one failure.
count() {
  local good="${1:-0}" bad="${2:-0}" code="$3"
  if [ "$bad" -eq 0 ] && { [ "$code" -ne 0 ] || [ "$good" -eq 0 ]; }; then bad=1; fi
  printf '        %d passed, %d failed here\n' "$good" "$bad"
  passed=$((passed + good))
  failed=$((failed + bad))
}

# Adds up one attribute of the Counters of all result files.
trx_sum() {
  find "$out/trx" -name '*.trx' -exec grep -ho "<Counters [^>]*" {} + 2>/dev/null |
    grep -o " $1=\"[0-9]*\"" | tr -dc '0-9\n' | awk '{ sum += $1 } END { print sum + 0 }'
}

# Adds up the summary lines of forge: "12 tests passed, 0 failed, 0 skipped".
forge_sum() {
  grep -E '^Ran [0-9]+ test suites?.*tests passed' "$log" |
    grep -oE "$1" | grep -oE '[0-9]+' | awk '{ sum += $1 } END { print sum + 0 }'
}

run_dotnet() {
  check "dotnet restore" dotnet restore ChannelNode.sln
  local built=yes
  # A compiler is a program that runs once: what it would spend on compiling itself better it never gets back.
  check "dotnet build" env DOTNET_TieredPGO=0 DOTNET_TC_CallCounting=0 DOTNET_gcServer=0 \
    dotnet build ChannelNode.sln --no-restore -c Release -warnaserror || built=no
  check "dotnet format" dotnet format whitespace --folder . --include node/ tests/ --verify-no-changes
  if [ $built = no ]; then
    echo "skipped dotnet test: what was built before would be tested"
    count 0 1 1
    return
  fi

  local arguments=(--no-build -c Release --logger trx --results-directory "$out/trx" --blame-hang-timeout 5min)
  [ -z "$filter" ] || arguments+=(--filter "FullyQualifiedName~$filter")
  run "dotnet test" dotnet test ChannelNode.sln "${arguments[@]}"
  local code=$?
  count "$(trx_sum passed)" "$(trx_sum failed)" $code

  # That it measures is tested, not what: bars of speed belong to scripts/bench.sh.
  [ -n "$filter" ] || check "bench measures" dotnet "$bench" load --quick --seconds 2.5 --only 1,6
}

run_forge() {
  check "forge fmt" in_contracts "$forge" forge fmt --check
  check "forge build" in_contracts "$forge" forge build
  check "artifacts" node contracts/script/artifacts.mjs --check
  check "vectors" node tests/vectors/generate.mjs --check
  check "gas" scripts/gas.sh
  run "forge test" in_contracts env FORGE_SNAPSHOT_CHECK=true "$forge" forge test
  local code=$?
  count "$(forge_sum '[0-9]+ tests passed')" "$(forge_sum '[0-9]+ failed')" $code
}

in_contracts() (cd contracts && "$@")

run_buf() {
  check "buf lint" "$buf" lint proto
  check "buf format" "$buf" format proto --diff --exit-code
  check "reference" node scripts/lib/reference.mjs --check
  check "openapi" node/examples/typescript/node_modules/.bin/validate-api proto/openapi.json
}

# The alert rules, by Prometheus itself.
run_ops() {
  local promtool="$root/.tools/promtool"
  [ -x "$promtool" ] || promtool=promtool
  check "alert rules" "$promtool" check rules node/ops/prometheus/channelnode.rules.yml
  check "alert rules fire" "$promtool" test rules node/ops/prometheus/channelnode.test.yml
}

run_scripts() {
  local script
  while IFS= read -r script; do
    check "bash -n $script" bash -n "$script"
    if command -v shellcheck >/dev/null; then check "shellcheck $script" shellcheck "$script"; fi
  done < <(find scripts node/examples/curl -name '*.sh' | sort; echo .ci/run)
  # The demo waits for blocks and for a dispute window. The network to play with, beside it, only once the demo has compiled what both run.
  begin "demo" scripts/lib/try.sh demo
  check "publish" scripts/publish.sh --out "$out/publish"
  check "publish --precompiled" scripts/publish.sh --precompiled --out "$out/precompiled"
  begin "devnet" scripts/lib/try.sh devnet
  finish
}

# The scripts last: they take minutes, and compile anew without analyzers what they run.
check "setup" scripts/setup.sh
for name in buf ops forge dotnet scripts; do
  if wanted "$name"; then "run_$name"; fi
done

printf 'all in %d s\n\n' "$SECONDS"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
