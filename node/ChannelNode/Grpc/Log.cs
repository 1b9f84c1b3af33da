namespace ChannelNode.Grpc;

internal static partial class Log
{
    [LoggerMessage(220, LogLevel.Information,
        "TLS certificate {Path} was read, valid until {Until:u}; SHA-256 of its key {Fingerprint}")]
    public static partial void CertificateRead(this ILogger log, string path, DateTime until, string fingerprint);

    [LoggerMessage(221, LogLevel.Error, "The TLS certificate before stays in use: {Message}")]
    public static partial void CertificateRefused(this ILogger log, string message);

    [LoggerMessage(222, LogLevel.Information, "No token could make others: one that can is written to {Path}, for its owner alone")]
    public static partial void AdminTokenWritten(this ILogger log, string path);

    [LoggerMessage(223, LogLevel.Warning,
        "Door {Door}: {Count} connections were closed for want of a place, {OfAddress} because their address had as many as "
        + "--connections-per-address-max lets one have, {OfAll} because all of the door's were taken")]
    public static partial void ConnectionsRefused(this ILogger log, string door, long count, long ofAddress, long ofAll);
}
