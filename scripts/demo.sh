#!/usr/bin/env bash
# Shows the main job on real parts: two node processes, a chain, databases on disk, money that adds up to the last wei.
# Needs the .NET 10 SDK and Node.js; installs the rest. Exits with an error if anything is not as it should be.
#
# May be run as often as one likes, also beside devnet.sh. What is installed and compiled the first time stays, and is not done again; all
# else (the chain, keys, databases, logs) is new each time, at free ports, in a temporary folder that is removed at the end.
set -euo pipefail

# shellcheck source=scripts/lib/devnet.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/devnet.sh"
trap clean_up EXIT
trap 'exit 130' INT TERM

# Amounts in smallest units: wei, and millionths of the demo dollar. All sums stay below 2^63, bash's limit.
readonly account_wei=5000000000000000000
readonly duplex_alice=1000000000000000000 duplex_bob=500000000000000000
readonly song_price=10000000000000 tip_price=20000000000000
readonly minted=2000000000 one_way_deposit=1000000000 view_price=2500
readonly dispute_alice=200000000000000000 dispute_bob=100000000000000000
readonly early_price=1000000000000000 early_count=10 back_price=500000000000000 back_count=4
readonly late_price=30000000000000000 late_count=4

bold="" green="" red="" plain=""
if [[ -t 1 && -z "${NO_COLOR:-}" ]]; then bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'; fi

chapter() { printf '\n%s%s  %s%s\n' "$bold" "$1" "$2" "$plain"; }
say() { printf '   %s\n' "$*"; }
figure() { printf '   %-44s %s%s%s\n' "$1" "$green" "$2" "$plain"; }

# 20000 -> 20,000
grouped() { sed -E ':again; s/([0-9])([0-9]{3})($|[^0-9])/\1,\2\3/; t again' <<<"$1"; }

# Smallest units as whole ones: units 1500000 6 -> 1.5
units() {
  local fraction
  printf -v fraction '%0*d' "$2" $(($1 % 10 ** $2))
  while [[ "$fraction" == *0 ]]; do fraction="${fraction%0}"; done
  printf '%s%s\n' "$(grouped $(($1 / 10 ** $2)))" "${fraction:+.$fraction}"
}
ether() { units "$1" 18; }
dollars() { units "$1" 6; }

short() { printf '%s…' "${1:0:10}"; }

equal() { [[ "$2" == "$3" ]] || fail "$1: expected $2, found $3"; }

# --- payments ----------------------------------------------------------------------------------------------------

# Usage: start_paying <name> <node> <channel> <price> <count> [flags]; the name is also the items'.
start_paying() {
  : >"$work/$1.jsonl" # it is read before the job may have got as far as to open it
  dotnet "$program" --node "http://127.0.0.1:${api_port[$2]}" pay "$3" "$4" --count "$5" --item "$1" --key "$1" \
    --json "${@:6}" >"$work/$1.jsonl" 2>"$work/$1.log" &
  pid[$1]=$!
}

# Usage: finish_paying <name> <words for people>
finish_paying() {
  local summary
  wait "${pid[$1]}" || fail "the payments '$1' did not all go through: $(tail -n 1 "$work/$1.log")"
  unset "pid[$1]"
  summary="$(tail -n 1 "$work/$1.jsonl")"
  figure "$2" "$(field ' && `${it.summary.paid.toLocaleString("en-US")} paid, ${it.summary.paymentsPerSecond.toLocaleString("en-US")}/s (${it.summary.seconds.toFixed(1)} s, p50 ${it.summary.latencyMs.p50.toFixed(0)} ms, p99 ${it.summary.latencyMs.p99.toFixed(0)} ms)`' <<<"$summary")"
}

# --- chapters ----------------------------------------------------------------------------------------------------

prepare() {
  build say
  take_ports 0 0 0 0 0
  say "starting a chain"
  start_chain
  say "deploying the contract and a token"
  deploy_contract
  deploy_token
  local name
  for name in alice bob; do
    create_account "$name" "$account_wei"
    # Paid out to an address that never pays gas, so that its balance is exactly what the contract paid.
    owner[$name]="$(cli key new --plain --file "$work/$name-owner.key" --json | field .address)"
  done
  mint alice "$minted"
  say "starting two nodes"
  start_node alice
  start_node bob
  say "a chain, the contract $contract, and two nodes are running"
  figure "to begin with, each account has" "$(ether "$account_wei") ether"
  figure "alice's account also has" "$(dollars "$minted") DUSD"
  say "An owner is paid what a channel pays out; the owners' addresses begin with nothing."
}

open_channels() {
  chapter 1 "Two channels"
  duplex="$(alice channel open --yes --peer "http://127.0.0.1:${peer_port[bob]}" --amount "$duplex_alice" --window 3600 --json |
    field .channelId)"
  bob channel deposit --yes "$duplex" --amount "$duplex_bob" --json >/dev/null
  figure "duplex, both pay, alice / bob deposit" "$(ether "$duplex_alice") / $(ether "$duplex_bob") ether"
  one_way="$(alice channel open --yes --peer "http://127.0.0.1:${peer_port[bob]}" --amount "$one_way_deposit" --token "$token" \
    --one-way --window 3600 --json | field .channelId)"
  figure "one-way, alice pays bob, alice deposits" "$(dollars "$one_way_deposit") DUSD"
  say "$(short "$duplex") and $(short "$one_way") are on chain, known to both nodes"
}

stream_both_ways() {
  chapter 2 "Paying per item, both ways at once"
  say "Each payment is on both disks before it counts as paid."
  start_paying song alice "$duplex" "$song_price" 20000
  start_paying tip bob "$duplex" "$tip_price" 2000
  finish_paying song "alice pays bob for songs"
  finish_paying tip "bob tips alice"
}

kill_the_receiver() {
  chapter 3 "The receiver is killed in the middle"
  start_paying page alice "$duplex" "$song_price" 20000 --window 1024
  until (($(wc -l <"$work/page.jsonl") >= 5000)); do
    kill -0 "${pid[page]}" 2>/dev/null || fail "the payments ended early: $(tail -n 1 "$work/page.log")"
    sleep 0.01
  done
  stop bob KILL
  local told
  told="$(wc -l <"$work/page.jsonl")"
  ((told < 20000)) || fail "the stream was over before bob could be killed"
  say "bob is gone by kill -9, with $(grouped "$told") of 20,000 pages acknowledged; alice's stream stays up"
  sleep 1
  start_node bob
  say "bob is back on the same disk; alice offers again what bob has not acknowledged"
  finish_paying page "alice pays for pages, the outage included"
  check_journals
}

# What the payers were told, what both nodes hold, and what stands in the payees' journals must be the same.
check_journals() {
  bob payments follow --channel "$duplex" --until-idle --json >"$work/bob-journal.jsonl"
  alice payments follow --channel "$duplex" --until-idle --json >"$work/alice-journal.jsonl"
  local at_alice at_bob
  at_bob="$(node "$root/scripts/lib/journal.mjs" "$work/bob-journal.jsonl" "$work/song.jsonl" "$work/page.jsonl")"
  at_alice="$(node "$root/scripts/lib/journal.mjs" "$work/alice-journal.jsonl" "$work/tip.jsonl")"
  figure "bob's journal, item by item" "$at_bob"
  figure "alice's journal, item by item" "$at_alice"

  at_alice="$(alice channel show "$duplex" --json)"
  at_bob="$(bob channel show "$duplex" --json)"
  equal "alice's total sent" $((40000 * song_price)) "$(field .sent <<<"$at_alice")"
  equal "alice's total acknowledged" $((40000 * song_price)) "$(field .acknowledged <<<"$at_alice")"
  equal "bob's total received" $((40000 * song_price)) "$(field .received <<<"$at_bob")"
  equal "bob's total sent" $((2000 * tip_price)) "$(field .sent <<<"$at_bob")"
  equal "alice's total received" $((2000 * tip_price)) "$(field .received <<<"$at_alice")"
  figure "both nodes: alice sent / bob sent" "$(ether $((40000 * song_price))) / $(ether $((2000 * tip_price))) ether"
  say "Nothing acknowledged was lost, nothing was paid twice."
}

# Usage: claim <words for people>
claim() {
  local gas
  gas="$(bob channel claim --yes "$one_way" --json | field .gasUsed)"
  say "$1, gas $(grouped "$gas")"
  figure "bob's owner after" "$(dollars "$(tokens_of "${owner[bob]}")") DUSD"
}

claim_one_way() {
  chapter 4 "Claiming without closing"
  figure "bob's owner before" "$(dollars "$(tokens_of "${owner[bob]}")") DUSD"
  start_paying view alice "$one_way" "$view_price" 5000
  finish_paying view "alice pays bob for views"
  claim "claimed by one transaction"
  start_paying more alice "$one_way" "$view_price" 1000
  finish_paying more "the channel is open: alice pays on"
  claim "claimed again"
  say "$(dollars $((one_way_deposit - 6000 * view_price))) DUSD stay in the contract: the one-way channel stays open"
}

close_together() {
  chapter 5 "Closing together"
  local gas
  gas="$(alice channel close --yes "$duplex" --json | field .gasUsed)"
  say "both signed, both were paid in one transaction, gas $(grouped "$gas")"
  figure "alice's / bob's owner now" "$(ether "$(ether_of "${owner[alice]}")") / $(ether "$(ether_of "${owner[bob]}")") ether"
}

pay_quietly() {
  start_paying "$@"
  wait "${pid[$1]}" || fail "the payments '$1' did not all go through: $(tail -n 1 "$work/$1.log")"
  unset "pid[$1]"
}

cheat() {
  chapter 6 "An old state is presented"
  disputed="$(alice channel open --yes --peer "http://127.0.0.1:${peer_port[bob]}" --amount "$dispute_alice" --window 30 --json |
    field .channelId)"
  bob channel deposit --yes "$disputed" --amount "$dispute_bob" --json >/dev/null
  figure "alice / bob deposit" "$(ether "$dispute_alice") / $(ether "$dispute_bob") ether"
  pay_quietly early alice "$disputed" "$early_price" "$early_count"
  pay_quietly back bob "$disputed" "$back_price" "$back_count"
  figure "alice has paid / bob has paid" \
    "$(ether $((early_count * early_price))) / $(ether $((back_count * back_price))) ether"

  stop alice
  cp -r "$work/alice" "$work/alice-old"
  start_node alice
  pay_quietly late alice "$disputed" "$late_price" "$late_count"
  figure "alice puts her database aside, then pays" "$(ether $((late_count * late_price))) ether more"

  stop alice
  stop bob
  start_node alice "$work/alice-old"
  say "bob is offline; alice starts from her old database and closes as if she had never paid that"
  alice channel start-close --yes "$disputed" --json >/dev/null
  figure "recorded on chain as paid by alice" "$(ether "$(alice channel show "$disputed" --json | field .ourRecordedSent)") ether"
  watch_the_dispute
}

# Renders bob's log lines about a dispute for people: ether where they say wei without a unit; the time as it is left, which the line says too.
told_by_bob() {
  local line wei
  grep -E 'is closing|old state|Dispute is on chain' |
    sed -E 's/^[^]]*\] /     bob: /; s/(0x[0-9a-f]{8})[0-9a-f]+/\1…/; s/the window ends at [0-9]+, in ([0-9]+) s/\1 s of the window left/' |
    while IFS= read -r line; do
      while [[ "$line" =~ (recorded|prove)\ ([0-9]+)([,\)]) ]]; do
        wei="${BASH_REMATCH[2]}"
        line="${line/${BASH_REMATCH[0]}/${BASH_REMATCH[1]}: $(ether "$wei") ether${BASH_REMATCH[3]}}"
      done
      printf '%s\n' "$line"
    done
}

watch_the_dispute() {
  local offset now left
  offset="$(log_size bob)"
  start_node bob
  say "bob is back, and nobody tells him anything:"
  await_line bob "$offset" 'Dispute is on chain' 30
  tail -c "+$((offset + 1))" "$work/bob.log" | told_by_bob
  now="$(bob channel show "$disputed" --json)"
  figure "recorded on chain as paid by alice" "$(ether "$(field .theirRecordedSent <<<"$now")") ether"
  left=$(($(field .closesAtSeconds <<<"$now") - $(date +%s)))
  say "the dispute window has $left s left; then a node settles by itself"
  local until=$((SECONDS + left + 30))
  until [[ "$(bob channel show "$disputed" --json | field .status)" == CHANNEL_STATUS_CLOSED ]]; do
    ((SECONDS < until)) || fail "the channel was not settled"
    sleep 1
  done
  say "settled: the newer state has won"
}

# --- the sum -----------------------------------------------------------------------------------------------------

differences=0

# Usage: row <who> <unit> <decimals> <expected> <actual>
row() {
  local mark="$green=" expected actual
  expected="$(units "$4" "$3")"
  actual="$(units "$5" "$3")"
  if [[ "$4" != "$5" ]]; then
    mark="$red≠"
    differences=$((differences + 1))
  fi
  printf '   %-18s %-6s %26s %s%s %26s\n' "$1" "$2" "$expected" "$mark" "$plain" "$actual"
}

compare_balances() {
  chapter 7 "Is all the money where it should be?"
  local songs=$((40000 * song_price)) tips=$((2000 * tip_price)) views=$((6000 * view_price))
  local paid=$((early_count * early_price + late_count * late_price)) back=$((back_count * back_price)) gas
  mapfile -t gas < <(node "$root/scripts/lib/gas.mjs" "http://127.0.0.1:$rpc_port" "${account[alice]}" "${account[bob]}")
  printf '   %s%-18s %-6s %26s   %26s%s\n' "$bold" "" "" "expected" "on chain" "$plain"
  row "alice's owner" ether 18 $((duplex_alice - songs + tips + dispute_alice - paid + back)) "$(ether_of "${owner[alice]}")"
  row "bob's owner" ether 18 $((duplex_bob + songs - tips + dispute_bob + paid - back)) "$(ether_of "${owner[bob]}")"
  row "alice's account" ether 18 $((account_wei - duplex_alice - dispute_alice - gas[0])) "$(ether_of "${account[alice]}")"
  row "bob's account" ether 18 $((account_wei - duplex_bob - dispute_bob - gas[1])) "$(ether_of "${account[bob]}")"
  row "the contract" ether 18 0 "$(ether_of "$contract")"
  row "alice's owner" DUSD 6 0 "$(tokens_of "${owner[alice]}")"
  row "bob's owner" DUSD 6 "$views" "$(tokens_of "${owner[bob]}")"
  row "alice's account" DUSD 6 $((minted - one_way_deposit)) "$(tokens_of "${account[alice]}")"
  row "the contract" DUSD 6 $((one_way_deposit - views)) "$(tokens_of "$contract")"
  say "Deposits come from the nodes' accounts, less gas: alice $(ether "${gas[0]}"), bob $(ether "${gas[1]}") ether."
  ((differences == 0)) || fail "$differences balances are not as expected"
}

printf '%sChannelNode: two nodes, one chain, everything real%s\n' "$bold" "$plain"
prepare
open_channels
stream_both_ways
kill_the_receiver
claim_one_way
close_together
cheat
compare_balances
printf '\n%sdemo passed in %d s%s\n' "$bold" "$SECONDS" "$plain"
