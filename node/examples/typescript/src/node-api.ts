// A node's API, for who has an access token of it ("channelnode token create"), or needs none.
import { createClient, type Client, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { NodeService } from "../gen/channelnode/v1/node_pb.js";

// baseUrl: http://127.0.0.1:9801, or https:// where the node has --api-tls.
export function nodeAt(baseUrl: string, token: string | undefined): Client<typeof NodeService> {
  const show: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const interceptors = token === undefined ? [] : [show];
  return createClient(NodeService, createGrpcTransport({ baseUrl, interceptors, pingIntervalMs: 10_000 })); // Notices a dead connection.
}
