// Opens a channel from one node to another, pays for an item, and hears of it at the node that was paid:
//   npm ci && npm run build
//   PAYER_TOKEN=cn_... PAYEE_TOKEN=cn_... node dist/src/main.js http://127.0.0.1:9801 http://127.0.0.1:9812 http://127.0.0.1:9811
// The payer's API, where the payee's peers call, the payee's API; and an access token for each, where it asks for one.
import { Stage } from "../gen/channelnode/v1/node_pb.js";
import { nodeAt } from "./node-api.js";

const [payerApi, payeePeer, payeeApi] = process.argv.slice(2);
const payer = nodeAt(payerApi, process.env.PAYER_TOKEN), payee = nodeAt(payeeApi, process.env.PAYEE_TOKEN);

// From here on, for the first time; after that, from the newest cursor that was kept.
const { receivedCursor } = await payee.getInfo({});

// A deposit of 1,000,000 wei. The last step says that the channel is usable.
let channelId = "";
for await (const { progress } of payer.openChannel({ peerUrl: payeePeer, amount: "1000000" })) {
  console.log(`opening: ${Stage[progress!.stage]}`);
  channelId = progress!.channelId;
}

// Answered when the payee has it on disk. The same key never pays twice, so this may be tried again after any failure.
const itemId = new TextEncoder().encode("article-17");
const idempotencyKey = `ts-${channelId.slice(0, 40)}`;
const { totalSent } = await payer.pay({ payment: { channelId, amount: "25", itemId, idempotencyKey } });
console.log(`paid: 25, in total ${totalSent}`);

// Keep the newest cursor with what it was for: it is where to go on after a restart. Amount and token are the payer's to choose: check them.
const enough = new AbortController();
try {
  for await (const { payments } of payee.subscribePayments({ afterCursor: receivedCursor }, { signal: enough.signal })) {
    for (const payment of payments) {
      console.log(`received: cursor ${payment.cursor}, ${payment.amount} for ${new TextDecoder().decode(payment.itemId)}`);
      if (payment.channelId === channelId) enough.abort();
    }
  }
} catch (error) {
  if (!enough.signal.aborted) throw error;
}
