// Checks that a delivery of a webhook is the node's, is fresh, and was not changed. Call it with the body's own bytes, before
// they are parsed.
//
//   node dist/src/webhook.js SECRET "$CHANNELNODE_SIGNATURE" < body.json
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

const TOLERANCE_SECONDS = 300;

export function isGenuine(secret: string, signature: string, body: Uint8Array, nowSeconds = Date.now() / 1000): boolean {
  const parts = signature.split(",").map((part) => part.split("=", 2));
  const time = parts.find(([name]) => name === "t")?.[1] ?? "";
  if (!/^\d+$/.test(time) || Math.abs(nowSeconds - Number(time)) > TOLERANCE_SECONDS) return false;
  const right = createHmac("sha256", secret).update(`${time}.`).update(body).digest();
  // There are two while a secret is being replaced: one that fits is enough.
  return parts.some(([name, hex]) => {
    const given = name === "v1" ? Buffer.from(hex ?? "", "hex") : Buffer.alloc(0);
    return given.length === right.length && timingSafeEqual(given, right);
  });
}

const [secret, signature] = process.argv.slice(2);
if (secret !== undefined && signature !== undefined) {
  const genuine = isGenuine(secret, signature, readFileSync(0));
  console.log(genuine ? "genuine" : "not genuine");
  process.exitCode = genuine ? 0 : 1;
}
