using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using ChannelNode.Core;

namespace ChannelNode.Settlement;

/// <summary>
/// Why the contract said no: its error as the refusal of the same name, and as text with its arguments. An error that
/// is none of ours (a token's, a panic) is <see cref="Refusal.TransactionReverted"/>, with what can be read of it.
/// </summary>
internal readonly record struct RevertReason(Refusal Refusal, string Text)
{
    private const uint ErrorSelector = 0x08c379a0;
    private const uint PanicSelector = 0x4e487b71;
    private const int TextMax = 256;

    public static RevertReason Decode(ReadOnlySpan<byte> data)
    {
        if (data.Length < 4) return new RevertReason(Refusal.TransactionReverted, "without a reason");
        try
        {
            return DecodeArguments(ContractArtifact.SelectorOf(data), data[4..]);
        }
        catch (FormatException)
        {
            return new RevertReason(Refusal.TransactionReverted, Shorten(Hex.Format(data)));
        }
    }

    /// <summary>The reason that ClaimSkipped carries: a selector alone.</summary>
    public static Refusal OfSelector(uint selector) =>
        ContractArtifact.PaymentChannels.Errors.TryGetValue(selector, out ContractError? error)
            && Enum.TryParse(error.Name, out Refusal refusal)
            ? refusal
            : Refusal.TransactionReverted;

    private static RevertReason DecodeArguments(uint selector, ReadOnlySpan<byte> arguments)
    {
        if (ContractArtifact.PaymentChannels.Errors.TryGetValue(selector, out ContractError? error))
            return new RevertReason(OfSelector(selector), Describe(error, arguments));

        var reader = new AbiReader(arguments);
        string text = selector switch
        {
            ErrorSelector => Shorten(reader.Text()),
            PanicSelector => $"panic 0x{reader.Number():x2}",
            _ => string.Create(CultureInfo.InvariantCulture, $"error 0x{selector:x8} {Shorten(Hex.Format(arguments))}"),
        };
        return new RevertReason(Refusal.TransactionReverted, text);
    }

    /// <summary>"WindowOpen(closesAt 1700000000, timestamp 1699999990)".</summary>
    private static string Describe(ContractError error, ReadOnlySpan<byte> data)
    {
        var text = new StringBuilder(error.Name).Append('(');
        for (int i = 0; i < error.Arguments.Count; i++)
        {
            if (i > 0) text.Append(", ");
            int start = i * AbiWriter.Word;
            if (data.Length < start + AbiWriter.Word) throw new FormatException("the error's data ends too early");
            ReadOnlySpan<byte> word = data.Slice(start, AbiWriter.Word);
            text.Append(error.Arguments[i].Name).Append(' ').Append(Show(error.Arguments[i].Type, word));
        }

        return text.Append(')').ToString();
    }

    private static string Show(string type, ReadOnlySpan<byte> word)
    {
        if (type == "address") return Hex.Format(word[12..]);
        bool isSmallNumber = type.StartsWith("uint", StringComparison.Ordinal)
            && !word[..16].ContainsAnyExcept((byte)0);
        return isSmallNumber
            ? BinaryPrimitives.ReadUInt128BigEndian(word[16..]).ToString(CultureInfo.InvariantCulture)
            : Hex.Format(word);
    }

    private static string Shorten(string text) => text.Length <= TextMax ? text : text[..TextMax] + "...";
}
