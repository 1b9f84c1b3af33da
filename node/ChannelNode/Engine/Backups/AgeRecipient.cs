using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>Whom a backup is encrypted to: an X25519 public key of 32 bytes, written age1...</summary>
internal sealed record AgeRecipient(string Text)
{
    /// <summary>Of an X25519 key.</summary>
    public const int KeyBytes = 32;

    /// <summary>How one is written.</summary>
    public const string Form = "age1 and 58 letters, as 'backup key new' prints them";

    private const string Prefix = "age";

    public required byte[] PublicKey { get; init; }

    public static AgeRecipient Of(byte[] publicKey) => new(Bech32.Encode(Prefix, publicKey)) { PublicKey = publicKey };

    public static bool IsOne(string text) => Bech32.Decode(Prefix, text) is { Length: KeyBytes };

    /// <summary>Throws <see cref="RefusalException"/> with InvalidArgument for what is none.</summary>
    public static AgeRecipient Parse(string text) => Bech32.Decode(Prefix, text) is { Length: KeyBytes } key
        ? new AgeRecipient(text.ToLowerInvariant()) { PublicKey = key }
        : throw new RefusalException(
            Refusal.InvalidArgument, $"recipient is '{text}', expected {Form}")
        {
            Field = "recipient",
        };
}
