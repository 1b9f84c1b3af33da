// NodeService as it is spoken over HTTP, as an OpenAPI 3.1 document.
import { httpRule, isRepeated, sentence, shortName } from "./proto.mjs";

const STRINGS = new Set(["TYPE_STRING", "TYPE_BYTES"]);
const LONG = { TYPE_UINT64: "uint64", TYPE_INT64: "int64" };
const SHORT = { TYPE_UINT32: "uint32", TYPE_INT32: "int32" };

const STATUS = {
  type: "object",
  description: "Why a call was refused: google.rpc.Status. In a stream it is the last line.",
  properties: {
    code: { type: "integer", format: "int32", description: "The number of the gRPC status." },
    message: { type: "string", description: "A sentence that names the field, the value and the limit." },
    details: { type: "array", items: { $ref: "#/components/schemas/ErrorInfo" } },
  },
};

const ERROR_INFO = {
  type: "object",
  description: "google.rpc.ErrorInfo: what programs act on.",
  properties: {
    "@type": { type: "string", const: "type.googleapis.com/google.rpc.ErrorInfo" },
    reason: { type: "string", description: "The name of a Refusal without its prefix, such as UNKNOWN_CHANNEL." },
    domain: { type: "string", const: "channelnode" },
    metadata: { type: "object", additionalProperties: { type: "string" }, description: "field: the field that it is about." },
  },
};

export function openApi(proto) {
  const node = proto.services.find((service) => service.name === "NodeService");
  const messages = new Map(proto.messages.map((message) => [message.name, message]));
  const used = new Set();
  const paths = {};
  for (const method of node.members) {
    const rule = httpRule(method);
    if (!rule) continue;
    const path = rule.path.replace(/\{(?:\w+\.)*(\w+)\}/g, "{$1}");
    (paths[path] ??= {})[rule.verb] = operation(method, rule, messages, used);
  }

  return {
    openapi: "3.1.0",
    info: {
      title: "ChannelNode",
      version: "1",
      summary: "One payment channel node, for applications and operators.",
      description: `${sentence(node.comment)} Calls whose caller streams are spoken over gRPC only.`,
    },
    servers: [{ url: "http://127.0.0.1:9805", description: "As --json-listen says." }],
    paths,
    components: { schemas: schemas(proto, messages, used) },
  };
}

function operation(method, rule, messages, used) {
  const request = messages.get(shortName(method.inputType));
  const inPath = [...rule.path.matchAll(/\{([\w.]+)\}/g)].map((match) => match[1].split("."));
  const rest = request.members.filter((field) => !inPath.some((names) => names[0] === field.name));
  const parameters = inPath.map((names) => pathParameter(names, request, messages));
  if (!rule.body) parameters.push(...rest.map((field) => queryParameter(field, used)));
  const streams = method.serverStreaming ?? false;
  return {
    operationId: method.name,
    description: sentence(method.comment) + (streams ? " The answer is a stream of such objects, one a line, as they come." : ""),
    ...(parameters.length > 0 && { parameters }),
    ...(rule.body && { requestBody: { required: true, content: json(bodySchema(rule, request, inPath, messages, used)) } }),
    ...(streams && { "x-stream": true }),
    responses: {
      200: { description: streams ? "One line of the stream." : "Done.", content: json(reference(method.outputType, used)) },
      default: { description: "Refused, and why.", content: json({ $ref: "#/components/schemas/Status" }) },
    },
  };
}

const json = (schema) => ({ "application/json": { schema } });

function pathParameter(names, request, messages) {
  let message = request;
  let field;
  for (const name of names) {
    field = message.members.find((it) => it.name === name);
    message = messages.get(shortName(field.typeName ?? ""));
  }
  return { name: field.name, in: "path", required: true, description: sentence(field.comment), schema: { type: "string" } };
}

function queryParameter(field, used) {
  return { name: field.jsonName, in: "query", description: sentence(field.comment), schema: schemaOf(field, used) };
}

/** What the path says already is not said again. */
function bodySchema(rule, request, inPath, messages, used) {
  let message = request;
  let without = inPath;
  if (rule.body !== "*") {
    message = messages.get(shortName(request.members.find((field) => field.name === rule.body).typeName));
    without = inPath.filter((names) => names[0] === rule.body).map((names) => names.slice(1));
  }
  if (without.length === 0) return reference(message.name, used);
  return objectOf(message, message.members.filter((field) => !without.some((names) => names[0] === field.name)), used);
}

function reference(name, used) {
  used.add(shortName(name));
  return { $ref: `#/components/schemas/${shortName(name)}` };
}

function schemas(proto, messages, used) {
  const enums = new Map(proto.enums.map((it) => [it.name, it]));
  const done = {};
  const isLeft = () => [...used].find((name) => !(name in done));
  for (let name = isLeft(); name; name = isLeft()) {
    const message = messages.get(name);
    done[name] = message ? objectOf(message, message.members, used) : enumOf(enums.get(name));
  }
  const sorted = Object.fromEntries(Object.entries(done).sort(([one], [other]) => (one < other ? -1 : 1)));
  return { ...sorted, Status: STATUS, ErrorInfo: ERROR_INFO };
}

const objectOf = (message, fields, used) => ({
  type: "object",
  description: sentence(message.comment),
  properties: Object.fromEntries(
    fields.map((field) => [field.jsonName, { description: sentence(field.comment), ...schemaOf(field, used) }]),
  ),
  additionalProperties: false,
});

const enumOf = (it) => ({
  type: "string",
  description: [sentence(it.comment), ...it.members.map((value) => `${value.name}: ${sentence(value.comment)}`)].join("\n\n"),
  enum: it.members.map((value) => value.name),
});

function schemaOf(field, used) {
  const one = itemSchema(field, used);
  return isRepeated(field) ? { type: "array", items: one } : one;
}

function itemSchema(field, used) {
  if (field.typeName) return reference(field.typeName, used);
  if (field.type === "TYPE_BYTES") return { type: "string", contentEncoding: "base64" };
  if (STRINGS.has(field.type)) return { type: "string" };
  if (field.type === "TYPE_BOOL") return { type: "boolean" };
  if (SHORT[field.type]) return { type: "integer", format: SHORT[field.type] };
  if (LONG[field.type]) return { type: "string", format: LONG[field.type], pattern: "^-?[0-9]+$" };
  throw new Error(`${field.name}: ${field.type} has no JSON form here`);
}
