using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Grpc.Webhooks;

/// <summary>
/// The file with what a webhook's deliveries are signed with: one line, or two while a receiver changes from one secret to the
/// next. Read for each delivery, so nothing has to be started again to change it.
/// </summary>
internal static class WebhookSecrets
{
    private const int SecretsMax = 2;
    private const int BytesMin = 16;
    private const int BytesMax = 256;

    private const UnixFileMode Others =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>"t=1790000000,v1=..." with one v1 for each secret: HMAC-SHA256 over the time, a point, and the body.</summary>
    public static string Sign(IReadOnlyList<byte[]> secrets, long nowSeconds, byte[] body)
    {
        string time = nowSeconds.ToString(CultureInfo.InvariantCulture);
        byte[] signed = [.. Encoding.ASCII.GetBytes(time), (byte)'.', .. body];
        StringBuilder signature = new($"t={time}");
        foreach (byte[] secret in secrets) signature.Append(",v1=").Append(Convert.ToHexStringLower(HMACSHA256.HashData(secret, signed)));
        return signature.ToString();
    }

    /// <summary>Throws <see cref="RefusalException"/> where the file cannot be used; the message never shows what is in it.</summary>
    public static IReadOnlyList<byte[]> Read(string path)
    {
        string[] lines;
        try
        {
            UnixFileMode others = FileTrouble.IsFromServiceManager(path) ? Others & ~UnixFileMode.GroupRead : Others;
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & others) != 0)
                throw Wrong($"{path} may be used by others than its owner: restrict it with: chmod 600 {path}");
            if (new FileInfo(path).Length > SecretsMax * (BytesMax + 2)) throw Wrong($"{path} is too large for two secrets");
            lines = [.. File.ReadAllLines(path).Where(line => line.Length > 0)];
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw Wrong($"{path} {FileTrouble.WhyUnread(path, failure)}");
        }

        byte[][] secrets = [.. lines.Select(Encoding.UTF8.GetBytes)];
        return secrets.Length is >= 1 and <= SecretsMax && secrets.All(secret => secret.Length is >= BytesMin and <= BytesMax)
            ? secrets
            : throw Wrong($"{path} has {Plural.Of(secrets.Length, "line")} of {string.Join(" and ", secrets.Take(SecretsMax + 1).Select(secret => secret.Length))} bytes, expected one or two "
                + $"secrets of {BytesMin} to {BytesMax} bytes, one a line");
    }

    private static RefusalException Wrong(string message) =>
        new(Refusal.InvalidArgument, $"--webhook-secret-file: {message}") { Field = "--webhook-secret-file" };
}
