using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace ChannelNode.Example;

/// <summary>Checks that a delivery of a webhook is the node's, is fresh, and was not changed.</summary>
internal static class Webhook
{
    private const long ToleranceSeconds = 300;

    /// <summary>dotnet run -- webhook SECRET "$CHANNELNODE_SIGNATURE" &lt; body.json</summary>
    public static int Check(string secret, string signature, Stream input)
    {
        using MemoryStream body = new();
        input.CopyTo(body);
        bool isGenuine = IsGenuine(secret, signature, body.ToArray(), DateTimeOffset.UtcNow);
        Console.WriteLine(isGenuine ? "genuine" : "not genuine");
        return isGenuine ? 0 : 1;
    }

    /// <param name="body">Its own bytes, before they are parsed.</param>
    public static bool IsGenuine(string secret, string signature, ReadOnlySpan<byte> body, DateTimeOffset now)
    {
        string[] parts = signature.Split(',');
        string time = parts.FirstOrDefault(part => part.StartsWith("t=", StringComparison.Ordinal))?[2..] ?? "";
        if (!long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out long signedAt)) return false;
        if (Math.Abs(now.ToUnixTimeSeconds() - signedAt) > ToleranceSeconds) return false;

        byte[] signed = [.. Encoding.UTF8.GetBytes(time + "."), .. body];
        byte[] right = HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), signed);
        string expected = "v1=" + Convert.ToHexStringLower(right);

        // There are two while a secret is being replaced: one that fits is enough.
        bool fits = false;
        foreach (string part in parts)
            fits |= CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(part), Encoding.UTF8.GetBytes(expected));
        return fits;
    }
}
