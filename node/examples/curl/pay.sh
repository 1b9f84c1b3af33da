#!/usr/bin/env bash
# Opens a channel from one node to another, pays for an item, and hears of it at the node that was paid:
#   PAYER_TOKEN=cn_... PAYEE_TOKEN=cn_... ./pay.sh http://127.0.0.1:9805 http://127.0.0.1:9812 http://127.0.0.1:9815
# The payer's JSON port (--json-listen), where the payee's peers call, the payee's; and an access token for each, where it asks for one.
set -euo pipefail
payer=$1 payee_peer=$2 payee=$3
# Headers go by a pipe: what a command is given as an argument, everybody on the machine can read.
shown() { printf '%s' "${1:+authorization: Bearer $1}"; }

# The value of a field, of the last line that has it. With jq: jq -r .progress.channelId
field() { grep -o "\"$1\": *\"[^\"]*\"" | tail -1 | cut -d'"' -f4; }

post() { curl --silent --fail-with-body --header @<(shown "${PAYER_TOKEN:-}") --header 'Content-Type: application/json' --data "$2" "$1"; }

# From here on, for the first time; after that, from the newest cursor that was kept.
cursor=$(curl --silent --fail --header @<(shown "${PAYEE_TOKEN:-}") "$payee/v1/info" | field receivedCursor)

# A deposit of 1,000,000 wei. The answer is a stream, one object a line; the last says that the channel is usable.
opened=$(post "$payer/v1/channels" "{\"peerUrl\": \"$payee_peer\", \"amount\": \"1000000\"}")
[[ "$opened" == *STAGE_CONFIRMED* ]] || { echo "$opened" >&2; exit 1; } # A refusal after the first line has the status 200, too.
channel=$(field channelId <<<"$opened")
echo "opening: $(field stage <<<"$opened")"

# Answered when the payee has it on disk. The same key never pays twice, so this may be tried again after any failure.
# bytes are base64: this is "article-17".
paid=$(post "$payer/v1/channels/$channel/payments" \
  "{\"amount\": \"25\", \"itemId\": \"YXJ0aWNsZS0xNw==\", \"idempotencyKey\": \"curl-${channel:0:40}\"}")
echo "paid: 25, in total $(field totalSent <<<"$paid")"

# Keep the newest cursor with what it was for: it is where to go on after a restart. Amount and token are the payer's to choose: check them.
exec 3< <(exec curl --silent --no-buffer --header @<(shown "${PAYEE_TOKEN:-}") "$payee/v1/payments:subscribe?afterCursor=$cursor")
trap 'kill '$! EXIT
# A line holds all payments that came together. With jq: jq -c .payments[]
while read -r -u 3 line; do
  while read -r payment; do
    echo "received: cursor $(field cursor <<<"$payment"), $(field amount <<<"$payment") for $(field itemId <<<"$payment" | base64 -d)"
    [[ "$payment" == *"$channel"* ]] && break 2
  done < <(grep -o '{[^{}]*}' <<<"$line")
done
