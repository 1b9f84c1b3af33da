#!/usr/bin/env bash
# Publishes the program as one file, for machines like this one.
#
#   scripts/publish.sh                   into publish/: needs the ASP.NET Core 10 runtime where it runs
#   scripts/publish.sh --self-contained  needs nothing of .NET there; larger
#   scripts/publish.sh --precompiled     starts and refuses quicker, for its code is compiled already; takes twice as long, larger
#   scripts/publish.sh --out FOLDER      somewhere else
#
# libsecp256k1 is the distribution's, there as here. What is missing here is installed first, and Anvil to try it on
# beside it (scripts/setup.sh --to-run).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
out="$root/publish"
contained=false
precompiled=false

usage() { sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

while [ $# -gt 0 ]; do
  case "$1" in
    --out) out="${2:?--out needs a folder}"; shift 2 ;;
    --self-contained) contained=true; shift ;;
    --precompiled) precompiled=true; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "unknown argument: $1" >&2; usage >&2; exit 2 ;;
  esac
done

case "$(uname -m)" in
  x86_64) runtime=linux-x64 ;;
  aarch64) runtime=linux-arm64 ;;
  *) echo "no native libraries for $(uname -m)" >&2; exit 1 ;;
esac

"$root/scripts/setup.sh" --to-publish

# Build outputs of its own: publishing for one runtime must not disturb what is built for any. So it has a compiler of its own, which is
# warm for the second project, and goes when this ends.
work="$(mktemp -d)"
chain=""
compiler="channelnode$$"
stop_compiler() {
  local process
  for process in $(grep -ls "pipename:[c]hannelnode$$" /proc/[0-9]*/cmdline); do
    process="${process#/proc/}"
    kill "${process%/cmdline}" 2>/dev/null || true
  done
}
trap 'stop_compiler; [ -z "$chain" ] || kill "$chain" 2>/dev/null || true; rm -rf "$work"' EXIT
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 UseSharedCompilation=true MSBUILDDISABLENODEREUSE=1

# Anvil, to try the program on, comes meanwhile; a machine without Node.js publishes without it. What is installed, and what it
# replaces, is said at once.
if command -v npm >/dev/null; then
  "$root/scripts/setup.sh" --to-run >&2 2>"$work/chain" &
  chain=$!
fi

# The compiler is a program that runs once: what it would spend on compiling itself better it never gets back.
build() { DOTNET_TieredPGO=0 DOTNET_TC_CallCounting=0 DOTNET_gcServer=0 dotnet "$@"; }

# Whether null can go where it must not, which takes a fifth of the compiling, every other build asks: the program is the same to the byte.
# All of it is unpacked at the first start: RocksDB's loader looks for its library beside the program only.
build publish "$root/node/ChannelNode" -c Release -r "$runtime" --self-contained "$contained" -o "$out" -v quiet \
  --artifacts-path "$work" -p:RunAnalyzers=false -p:Nullable=annotations -p:PublishReadyToRun="$precompiled" -p:PublishSingleFile=true \
  -p:IncludeAllContentForSelfExtract=true -p:DebugType=none -p:ProduceReferenceAssembly=false \
  -p:SharedCompilationId="$compiler"
stop_compiler

# It starts here, with the library that it finds (it makes a key) and the one that it brings (it says what is no database): side by
# side, each unpacked for itself, and not compiled better than a moment's work is worth.
export DOTNET_TC_QuickJit=1
DOTNET_BUNDLE_EXTRACT_BASE_DIR="$work/unpacked-1" "$out/channelnode" key new --plain --file "$work/key" >/dev/null &
key=$!
mkdir "$work/none"
echo none >"$work/none/CURRENT"
said="$(DOTNET_BUNDLE_EXTRACT_BASE_DIR="$work/unpacked-2" \
  "$out/channelnode" chain verify --data-dir "$work/none" --rpc-url http://127.0.0.1:1 2>&1)" || true
[[ "$said" == *"The database in $work/none cannot be opened"* ]] || { printf '%s\n' "$said" >&2; exit 1; }
wait "$key"

if [ -n "$chain" ] && ! wait "$chain"; then
  cat "$work/chain" >&2
  echo "the program is published; Anvil, to try it on, could not be installed" >&2
fi
chain=""
echo "$out/channelnode"
