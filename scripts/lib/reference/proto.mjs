// The project's proto files as buf reads them, each thing with its comment.
import { execFileSync } from "node:child_process";

const SERVICE = 6;
const MESSAGE = 4;
const ENUM = 5;
const MEMBER = 2; // A field of a message, a method of a service, a value of an enum.

/** Services, messages and enums in the order of their files, each with its comment. */
export function readProto(root) {
  const image = execFileSync(root + "contracts/node_modules/.bin/buf", ["build", "proto", "-o", "-#format=json"], {
    cwd: root,
    maxBuffer: 1 << 26,
  });
  const files = JSON.parse(image).file.filter((file) => file.package === "channelnode.v1");
  const all = (kind, place) => files.flatMap((file) => (file[kind] ?? []).map((it, at) => describe(file, it, [place, at])));
  return { services: all("service", SERVICE), messages: all("messageType", MESSAGE), enums: all("enumType", ENUM) };
}

/** The name without its package. */
export const shortName = (name) => name.split(".").at(-1);

/** Everything on one line. */
export const sentence = (comment) => comment.trim().replace(/\s*\n\s*/g, " ");

export const httpRule = (method) => {
  const rule = method.options?.["[google.api.http]"];
  const verb = ["get", "post", "patch"].find((it) => rule?.[it]);
  return rule && { verb, path: rule[verb], body: rule.body ?? "" };
};

export const isRepeated = (field) => field.label === "LABEL_REPEATED";

function describe(file, thing, path) {
  const commentAt = (place) =>
    (file.sourceCodeInfo.location.find((it) => it.path?.join() === place.join())?.leadingComments ?? "").replace(/^ /gm, "").trim();
  const members = thing.field ?? thing.method ?? thing.value ?? [];
  return {
    name: thing.name,
    file: file.name,
    comment: commentAt(path),
    members: members.map((member, at) => ({ ...member, comment: commentAt([...path, MEMBER, at]) })),
  };
}
