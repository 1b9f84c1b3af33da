// The reference of all three services as one page for people.
import { httpRule, isRepeated, sentence, shortName } from "./proto.mjs";

const HEAD = `# Reference

What each call does, what is durable when it answers, and how it refuses. Written by \`scripts/lib/reference.mjs\` from the comments
of [channelnode/v1](channelnode/v1); change them there. [openapi.json](openapi.json) says the same to programs that speak HTTP.

Over HTTP (\`--json-listen\`) the fields have their names in lowerCamelCase, or as they stand here; 64-bit numbers and amounts are
strings, \`bytes\` are base64, enums their names. A stream of answers is one JSON object a line. An error is a google.rpc.Status:
with its HTTP status where nothing was answered before, else as the stream's last line, under HTTP 200. So a stream has gone well when it has
ended without a line that has a \`code\`, and what opens, closes or deposits has when it has told \`STAGE_CONFIRMED\`.
`;

export function page(proto) {
  const kinds = new Map([...proto.messages, ...proto.enums].map((it) => [it.name, it]));
  const contents = proto.services.map((service) => `- [${service.name}](#${service.name.toLowerCase()})`);
  return [
    HEAD,
    contents.join("\n") + "\n- [Messages](#messages)\n- [Enums](#enums)\n",
    ...proto.services.map(serviceText),
    "## Messages\n",
    ...proto.messages.filter((message) => message.members.length > 0).map((message) => messageText(message, kinds)),
    "## Enums\n",
    ...proto.enums.map(enumText),
  ].join("\n");
}

function serviceText(service) {
  return `## ${service.name}\n\n${service.comment}\n\n` + service.members.map(methodText).join("\n");
}

function methodText(method) {
  const rule = httpRule(method);
  const link = (name, streams) => `${streams ? "stream " : ""}[${shortName(name)}](#${shortName(name).toLowerCase()})`;
  return [
    `### ${method.name}\n`,
    ...(rule ? [`\`${rule.verb.toUpperCase()} ${rule.path}\`${bodyText(rule)}\n`] : []),
    `${link(method.inputType, method.clientStreaming)} -> ${link(method.outputType, method.serverStreaming)}\n`,
    `${method.comment}\n`,
  ].join("\n");
}

function bodyText(rule) {
  if (!rule.body) return "";
  return rule.body === "*" ? ", the other fields as its body" : `, the other fields of \`${rule.body}\` as its body`;
}

function messageText(message, kinds) {
  const rows = message.members.map((field) => `| \`${field.name}\` | ${typeText(field, kinds)} | ${cell(field.comment)} |`);
  return `### ${message.name}\n\n${message.comment}\n\n| field | type | |\n| --- | --- | --- |\n${rows.join("\n")}\n`;
}

function enumText(it) {
  const rows = it.members.map((value) => `| ${value.number ?? 0} | \`${value.name}\` | ${cell(value.comment)} |`);
  return `### ${it.name}\n\n${it.comment}\n\n| number | name | |\n| ---: | --- | --- |\n${rows.join("\n")}\n`;
}

function typeText(field, kinds) {
  const name = field.typeName ? shortName(field.typeName) : field.type.slice("TYPE_".length).toLowerCase();
  const one = kinds.has(name) ? `[${name}](#${name.toLowerCase()})` : name;
  if (isRepeated(field)) return `repeated ${one}`;
  return field.proto3Optional ? `optional ${one}` : one;
}

const cell = (comment) => sentence(comment).replace(/\|/g, "\\|").replace(/</g, "&lt;");
