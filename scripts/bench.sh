#!/usr/bin/env bash
# Measures the node on this machine against what the machine can do: a real chain, the real node as a process of its
# own, peers with updates signed beforehand, and every acknowledgement durable. Prints each bar, the figure and whether
# it is met. Stop other work first: both cores and the disk count.
#
#   scripts/bench.sh                all classes, runs of 30 s: about 20 minutes
#   scripts/bench.sh --quick        a look in about a minute, and some 40 s more where it has to be compiled first, without
#                                   classes 12 and 13; a p99 is judged only where --only asks for its class
#   scripts/bench.sh --json FILE    also every figure as JSON lines
#   scripts/bench.sh --check        exits with 1 when a bar is missed
#   scripts/bench.sh --only 1,4     some classes: 1 (with 2) to 13, rivals
#   scripts/bench.sh --node FILE    another program than the one that is compiled here: a published one, or a channelnode.dll
#   scripts/bench.sh --plot         draws latency against load and throughput against channels, into
#                                   tests/ChannelNode.Benchmarks/results, with the figures that they were made from
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
benchmarks="$root/tests/ChannelNode.Benchmarks"
program="$benchmarks/bin/Release/net10.0/ChannelNode.Benchmarks.dll"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
# Nothing may outlive the script: neither build servers, nor the pipes for debuggers that a killed process leaves in /tmp.
export UseSharedCompilation=false MSBUILDDISABLENODEREUSE=1 DOTNET_EnableDiagnostics="${DOTNET_EnableDiagnostics:-0}"

say() { printf 'bench: %s\n' "$*"; }
usage() { sed -n '2,15s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

# Runs a command whose output matters only when it fails.
quietly() {
  local log status=0
  log="$(mktemp)"
  "$@" >"$log" 2>&1 || status=$?
  ((status == 0)) || cat "$log" >&2
  rm -f "$log"
  return "$status"
}

# The lock file that the installed packages came from is kept beside them.
install_packages() {
  cmp -s "$benchmarks/js/package-lock.json" "$benchmarks/js/node_modules/.installed-lock.json" && return
  say "installing the packages to compare with (npm ci)"
  (cd "$benchmarks/js" && quietly npm ci --no-progress)
  cp "$benchmarks/js/package-lock.json" "$benchmarks/js/node_modules/.installed-lock.json"
}

# Nothing that the program is made of is newer than it; folders tell of what was removed.
is_built() {
  [[ -f "$program" ]] && [[ -z "$(find "$root/node" "$root/proto" "$root/contracts/artifacts" "$benchmarks" "$root"/Directory.* \
    \( -name bin -o -name obj -o -name node_modules -o -name results \) -prune -o -newer "$program" -print -quit)" ]]
}

build() {
  is_built && return
  say "compiling"
  quietly dotnet build "$benchmarks" -c Release -v quiet --nologo -p:RunAnalyzers=false
  touch "$program"
}

plot() {
  local results="$benchmarks/results"
  mkdir -p "$results"
  dotnet "$program" load --sweep --json "$results/sweep.jsonl" "$@"
  [[ -z "$json" ]] || cp "$results/sweep.jsonl" "$json"
  node "$benchmarks/js/plot.mjs" "$results/sweep.jsonl" "$results"
  say "drawn into $results"
}

arguments=()
draw=no
json=
while (($# > 0)); do
  case "$1" in
    --quick | --check) arguments+=("$1"); shift ;;
    --json) json="${2:?$1 needs a value}"; shift 2 ;;
    --only | --node) arguments+=("$1" "${2:?$1 needs a value}"); shift 2 ;;
    --plot) draw=yes; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "unknown argument: $1" >&2; usage >&2; exit 2 ;;
  esac
done

"$root/scripts/setup.sh"
install_packages
build
if [[ "$draw" == yes ]]; then
  plot ${arguments[@]+"${arguments[@]}"}
else
  dotnet "$program" load ${json:+--json "$json"} ${arguments[@]+"${arguments[@]}"}
fi
