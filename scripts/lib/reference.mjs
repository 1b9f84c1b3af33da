// Writes what is derived from the proto files: proto/openapi.json and proto/README.md. With --check: only says whether both
// are as they would be written.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readProto } from "./reference/proto.mjs";
import { openApi } from "./reference/openapi.mjs";
import { page } from "./reference/page.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const proto = readProto(root);
const files = {
  "proto/openapi.json": JSON.stringify(openApi(proto), null, 2) + "\n",
  "proto/README.md": page(proto),
};

for (const [name, text] of Object.entries(files)) {
  if (!process.argv.includes("--check")) {
    writeFileSync(root + name, text);
  } else if (readFileSync(root + name, "utf8") !== text) {
    console.error(`${name} is not what the proto files say: run node scripts/lib/reference.mjs`);
    process.exitCode = 1;
  }
}
