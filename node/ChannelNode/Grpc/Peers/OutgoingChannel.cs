using System.Net.Security;
using System.Security.Authentication;
using ChannelNode.Core;
using ChannelNode.Engine;
using Grpc.Net.Client;

namespace ChannelNode.Grpc;

/// <summary>Connections that this node opens for long sessions, with peers and watchtowers.</summary>
internal static class OutgoingChannel
{
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(10);

    /// <summary>Refuses with InvalidArgument what is no URL, naming <paramref name="field"/>.</summary>
    public static GrpcChannel Open(string url, string field, int messageBytesMax, SessionTls tls)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out Uri? target) || target.Scheme is not ("http" or "https"))
            throw new RefusalException(Refusal.InvalidArgument, $"{field} {url} is not an http:// or https:// URL") { Field = field };

        tls.IsEncryptedCall = target.Scheme == "https";
        return GrpcChannel.ForAddress(target, new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                // Who lost its power must not look connected.
                KeepAlivePingDelay = KeepAlive,
                KeepAlivePingTimeout = KeepAlive,
                KeepAlivePingPolicy = HttpKeepAlivePingPolicy.Always,
                ConnectTimeout = KeepAlive,
                UseProxy = false,
                SslOptions = new SslClientAuthenticationOptions
                {
                    EnabledSslProtocols = SslProtocols.Tls13,
                    RemoteCertificateValidationCallback = tls.TakeCertificate,
                },
            },
            DisposeHttpClient = true,
            MaxReceiveMessageSize = messageBytesMax,
            MaxSendMessageSize = messageBytesMax,
        });
    }
}
