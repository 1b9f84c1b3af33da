#!/usr/bin/env bash
# Prints what every operation of the contract costs, as real transactions on a chain of its own, beside what others
# cost. Fails when a figure is more than 1 % above the committed one in contracts/snapshots/receipts.json.
#
#   scripts/gas.sh            measure and compare
#   scripts/gas.sh --update   write the figures as the committed ones
#
# What is measured is the committed bytecode in contracts/artifacts.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

case "${1:-}" in
  "" | --update) ;;
  -h | --help) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && exit 0 ;;
  *) echo "unknown argument: $1" >&2 && exit 2 ;;
esac

"$root/scripts/setup.sh"

log="$(mktemp)"
"$root/contracts/script/foundry.sh" anvil --host 127.0.0.1 --port 0 --hardfork prague --accounts 1 \
  --gas-limit 60000000 >"$log" 2>&1 &
chain=$!
trap 'kill "$chain" 2>/dev/null; wait "$chain" 2>/dev/null || true; rm -f "$log"' EXIT

url=""
for _ in $(seq 1200); do
  url="$(sed -n 's/^Listening on //p' "$log")"
  [ -z "$url" ] || break
  kill -0 "$chain" || { cat "$log" >&2 && exit 1; }
  sleep 0.05
done
[ -n "$url" ] || { echo "gas: anvil did not start" >&2 && exit 1; }

node "$root/scripts/lib/gas/main.mjs" "http://$url" "$@"
