# shellcheck shell=bash
# A chain and two nodes on this machine, for demo.sh and devnet.sh, which source this file.
# Everything lives in one temporary folder, listens on 127.0.0.1 only, and is stopped by its process id.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
foundry="$root/contracts/script/foundry.sh"
program="$root/node/ChannelNode/bin/Release/net10.0/channelnode.dll"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
# Nothing may outlive the script: neither build servers, nor the pipes for debuggers that a killed process leaves in /tmp.
export UseSharedCompilation=false MSBUILDDISABLENODEREUSE=1 DOTNET_EnableDiagnostics=0

work="$(mktemp -d "${TMPDIR:-/tmp}/channelnode.XXXXXX")"
declare -A pid=() api_port=() peer_port=() account=() owner=()
rpc_port="" contract="" token=""

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# --- processes ---------------------------------------------------------------------------------------------------

# Ends one of our processes by its name: TERM unless told otherwise; KILL if that does not help.
stop() {
  local name="$1" signal="${2:-TERM}" number="${pid[$1]:-}" tries=0
  [[ -n "$number" ]] || return 0
  unset "pid[$name]"
  disown "$number" 2>/dev/null || true # or bash tells how it ended
  kill -s "$signal" "$number" 2>/dev/null || true
  while kill -0 "$number" 2>/dev/null && ((tries++ < 400)); do sleep 0.05; done
  kill -s KILL "$number" 2>/dev/null || true
}

stop_all() {
  local name
  for name in "${!pid[@]}"; do [[ "$name" == chain ]] || stop "$name"; done
  stop chain
}

# To be trapped on EXIT. The logs of what failed are shown, since the folder goes.
clean_up() {
  local status=$?
  trap - EXIT
  trap '' INT TERM # a second one must not leave half of it behind
  stop_all
  if ((status != 0 && status != 130)); then
    local log
    for log in "$work"/*.log; do
      [[ -s "$log" ]] && printf '\n--- end of %s\n' "$(basename "$log")" >&2 && tail -n 15 "$log" >&2
    done
  fi
  rm -rf "$work"
  exit "$status"
}

# Waits for a line in what a log has gained since an offset; fails when the process ends or the time is over.
await_line() {
  local name="$1" offset="$2" pattern="$3" seconds="$4" until=$((SECONDS + $4))
  until grep -Eq "$pattern" <(tail -c "+$((offset + 1))" "$work/$name.log"); do
    kill -0 "${pid[$name]}" 2>/dev/null || fail "$name has ended"
    ((SECONDS < until)) || fail "$name did not say '$pattern' within $seconds s"
    sleep 0.05
  done
}

log_size() { stat -c %s "$work/$1.log"; }

# --- building and starting ---------------------------------------------------------------------------------------

# Usage: build <command that tells people a step>. The first time it takes long enough to seem stuck.
build() {
  "$root/scripts/setup.sh" --to-run
  "$1" "restoring packages"
  quietly dotnet restore "$root/node/ChannelNode" -v quiet
  "$1" "compiling"
  quietly env DOTNET_TieredPGO=0 DOTNET_TC_CallCounting=0 DOTNET_gcServer=0 \
    dotnet build "$root/node/ChannelNode" --no-restore -c Release -v quiet --nologo -p:RunAnalyzers=false
}

# Runs a command whose output matters only when it fails.
quietly() {
  "$@" >"$work/quiet" 2>&1 || {
    cat "$work/quiet" >&2
    fail "failed: $*"
  }
}

# Prints free ports, one a line: the given ones where they are free, others where they are not. Of those below what Linux hands out
# by itself: nobody is given one before it is used.
free_ports() {
  node -e '
    const any = () => 15000 + Math.floor(17000 * Math.random())
    const listen = port => new Promise(done => {
      const server = require("net").createServer()
      server.on("error", () => done(listen(0)))
      server.listen(port || any(), "127.0.0.1", () => done(server))
    })
    Promise.all(process.argv.slice(1).map(port => listen(Number(port)))).then(servers => {
      for (const server of servers) console.log(server.address().port)
      process.exit()
    })' "$@"
}

# Usage: take_ports <chain> <alice api> <alice peers> <bob api> <bob peers>; 0 for any.
take_ports() {
  local ports
  mapfile -t ports < <(free_ports "$@")
  rpc_port="${ports[0]}"
  api_port=([alice]="${ports[1]}" [bob]="${ports[3]}")
  peer_port=([alice]="${ports[2]}" [bob]="${ports[4]}")
}

# A block each second, as a person can follow; the state stays in memory.
start_chain() {
  "$foundry" anvil --host 127.0.0.1 --port "$rpc_port" --block-time 1 --accounts 1 >"$work/chain.log" 2>&1 &
  pid[chain]=$!
  await_line chain 0 'Listening on' 30
  dev="$(cast rpc eth_accounts | field '[0]')"
}

cast() { "$foundry" cast "$1" --rpc-url "http://127.0.0.1:$rpc_port" "${@:2}"; }

# Sends a transaction from the chain's own rich account; prints one field of the receipt.
send() { cast send --from "$dev" --unlocked --json "${@:2}" | field "$1"; }

# Makes a key, names its address as the account's, and gives it ether.
create_account() {
  local name="$1" wei="$2"
  account[$name]="$(cli key new --plain --file "$work/$name.key" --json | field .address)"
  cast rpc anvil_setBalance "${account[$name]}" "$(printf '0x%x' "$wei")" >/dev/null
}

deploy_contract() {
  create_account deployer 1000000000000000000
  contract="$(cli contract deploy --rpc-url "ws://127.0.0.1:$rpc_port" --key-file "$work/deployer.key" --json \
    2>"$work/deployer.log" | field .contract)"
}

# A dollar with 6 decimals that anyone may mint.
deploy_token() {
  local code arguments
  code="$(field .bytecode <"$root/contracts/artifacts/TestToken.json")"
  arguments="$("$foundry" cast abi-encode 'constructor(string,string,uint8)' 'Demo Dollar' DUSD 6)"
  token="$(send .contractAddress --create "$code${arguments#0x}")"
}

mint() { send .status "$token" 'mint(address,uint256)' "${account[$1]}" "$2" >/dev/null; }

# Usage: start_node <name> [<data folder>]
start_node() {
  local name="$1" folder="${2:-$work/$1}" flags=(--dispute-window-min 10) # Nobody waits an hour for a demo.
  flags+=(--access-token-required=false) # What these nodes hold is worth nothing.
  # This chain is never reorganised: deposits may count at once.
  flags+=(--credit-small 1000000000000000000 --token-credit-small 1000000000)
  [[ -z "${owner[$name]:-}" ]] || flags+=(--owner "${owner[$name]}")
  [[ -z "$token" ]] || flags+=(--accept-token "$token")
  touch "$work/$name.log"
  local offset
  offset="$(log_size "$name")"
  dotnet "$program" run --data-dir "$folder" --key-file "$work/$name.key" \
    --rpc-url "ws://127.0.0.1:$rpc_port" --contract "$contract" \
    --api-listen "127.0.0.1:${api_port[$name]}" --peer-listen "127.0.0.1:${peer_port[$name]}" \
    "${flags[@]}" >>"$work/$name.log" 2>&1 &
  pid[$name]=$!
  await_line "$name" "$offset" ' ready: ' 120 # A machine may be busy with more than this.
}

# --- asking ------------------------------------------------------------------------------------------------------

# A command lives for a moment: what it would spend on compiling itself well it never gets back.
cli() { DOTNET_TC_QuickJit=1 dotnet "$program" "$@"; }
alice() { cli --node "http://127.0.0.1:${api_port[alice]}" "$@"; }
bob() { cli --node "http://127.0.0.1:${api_port[bob]}" "$@"; }

# Prints a part of the last JSON document on stdin, named as in JavaScript: .address, [0], .summary.paid
field() {
  node -e '
    const lines = require("fs").readFileSync(0, "utf8").trim()
    let document
    try { document = JSON.parse(lines) } catch { document = JSON.parse(lines.split("\n").at(-1)) }
    console.log(new Function("it", "return it" + process.argv[1])(document))' "$1"
}

ether_of() { cast balance "$1"; }
tokens_of() { cast call "$token" 'balanceOf(address)(uint256)' "$1" | cut -d ' ' -f 1; }
