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
}
