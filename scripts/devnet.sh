#!/usr/bin/env bash
# Runs a chain and two nodes, alice and bob, to play with, until Ctrl-C.
#
# May be run as often as one likes: each run begins anew, with a chain, keys and databases of its own, and removes them at its end. It takes
# the ports that the README names where they are free, else others, and prints which.
set -euo pipefail

# shellcheck source=scripts/lib/devnet.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/devnet.sh"
trap clean_up EXIT
trap 'exit 130' INT TERM
ended=""

say() { printf 'devnet: %s\n' "$*"; }

build say
take_ports 8545 9801 9802 9811 9812
say "starting a chain and two nodes"
start_chain
deploy_contract
deploy_token
for name in alice bob; do
  create_account "$name" 9000000000000000000
  mint "$name" 1000000000000
  start_node "$name"
done

cat <<END

A chain and two nodes are running.

  chain      http://127.0.0.1:$rpc_port (also ws://), a block each second, chain id 31337
  contract   $contract
  token      $token (DUSD, 6 decimals, anyone may mint)
  alice      api http://127.0.0.1:${api_port[alice]}   peers http://127.0.0.1:${peer_port[alice]}   log $work/alice.log
  bob        api http://127.0.0.1:${api_port[bob]}   peers http://127.0.0.1:${peer_port[bob]}   log $work/bob.log
  Each account holds 9 ether and 1,000,000 DUSD.

In another shell:

  alias alice='dotnet "$program" --node http://127.0.0.1:${api_port[alice]}'
  alias bob='dotnet "$program" --node http://127.0.0.1:${api_port[bob]}'

  alice info
  alice channel open --peer http://127.0.0.1:${peer_port[bob]} --amount '1 ETH' --yes
  alice channel list                              # the id again; its first 6 digits are enough below
  alice pay 0x1a2b3c '0.001 ETH' --item hello
  bob payments follow --until-idle
  alice channel close 0x1a2b3c --yes
  alice events
  alice chain jobs --all

Ctrl-C stops all and removes the data.
END

# A signal ends the wait; so does a process that ends by itself, which is an error here.
wait -n "${pid[@]}" || true
for name in "${!pid[@]}"; do
  kill -0 "${pid[$name]}" 2>/dev/null || ended+="${ended:+ and }$name"
done
fail "ended by itself: $ended"
