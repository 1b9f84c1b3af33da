#!/usr/bin/env bash
# Runs a tool of Foundry in the caller's folder: foundry.sh forge|cast|anvil [argument...]
#
# Use this rather than node_modules/.bin: the launchers there exit with 0 even if the tool fails, and stand as a
# process of their own between a caller who kills and the tool.
set -euo pipefail

tool="${1:?forge, cast or anvil}"
shift

case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) platform=linux-amd64 ;;
  Linux-aarch64) platform=linux-arm64 ;;
  Darwin-x86_64) platform=darwin-amd64 ;;
  Darwin-arm64) platform=darwin-arm64 ;;
  *) echo "foundry.sh: no Foundry for $(uname -s) on $(uname -m)" >&2 && exit 1 ;;
esac

binary="$(dirname "${BASH_SOURCE[0]}")/../node_modules/@foundry-rs/$tool-$platform/bin/$tool"
[ -x "$binary" ] || { echo "foundry.sh: $tool is not installed: run scripts/setup.sh" >&2 && exit 1; }
exec "$binary" "$@"
