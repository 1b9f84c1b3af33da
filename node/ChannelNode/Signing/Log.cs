using ChannelNode.Core;

namespace ChannelNode.Signing;

internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "The signer at {Url} signs for {Address}")]
    public static partial void SignerFound(ILogger log, string url, Address address);

    [LoggerMessage(2, LogLevel.Error, "The signer at {Url} does not sign for {Address}: {Reason}. Nothing is paid until it does")]
    public static partial void SignerLost(ILogger log, string url, Address address, string reason);

    [LoggerMessage(3, LogLevel.Information, "The signer at {Url} signs for {Address} again")]
    public static partial void SignerBack(ILogger log, string url, Address address);
}
