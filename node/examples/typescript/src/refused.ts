// Pays more than a channel has, and hears why not: a refusal promises that nothing was paid.
//
//   PAYER_TOKEN=cn_... node dist/src/refused.js http://127.0.0.1:9801 CHANNEL_ID
import { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import { nodeAt } from "./node-api.js";

const [payerApi, channelId] = process.argv.slice(2);
const payer = nodeAt(payerApi, process.env.PAYER_TOKEN);

try {
  await payer.pay({ payment: { channelId, amount: "2000000" } });
  process.exitCode = 1;
} catch (error) {
  const refused = ConnectError.from(error);
  const [why] = refused.findDetails(ErrorInfoSchema);
  if (why === undefined) throw error;
  // It has a name to act on, and a sentence for people.
  console.log(`refused: ${why.reason}: ${refused.rawMessage}`);
}
