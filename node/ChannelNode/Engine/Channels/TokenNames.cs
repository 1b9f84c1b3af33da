using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>How a token calls and divides itself. An empty symbol: it does not say, or nothing that can be believed.</summary>
internal readonly record struct TokenName(string Symbol, int Decimals)
{
    public bool IsKnown => Symbol.Length > 0;
}

/// <summary>
/// Symbols and decimals, asked of each token once. Anybody can write a token, so what it says of itself is only shown when
/// it can be nothing but a name, and never when it is a name of ether's.
/// </summary>
internal sealed class TokenNames(Func<Address, CancellationToken, Task<(string Symbol, UInt128 Decimals)?>> ask)
{
    public const int SymbolLengthMax = 11;
    public const int DecimalsMax = 36;

    private const int KeptMax = 1_024;
    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_+$";

    private static readonly TokenName Ether = new("ETH", 18);
    private static readonly string[] NamesOfEther = ["ETH", "ETHER", "GWEI", "WEI", "UNIT", "UNITS"];

    private readonly ConcurrentDictionary<Address, TokenName> _known = new();

    /// <summary>ChainUnavailable when the chain cannot be asked now; a token that does not answer is unknown for good.</summary>
    public async Task<TokenName> OfAsync(Address token, CancellationToken cancel)
    {
        if (token.IsZero) return Ether;
        if (_known.TryGetValue(token, out TokenName known)) return known;
        (string Symbol, UInt128 Decimals)? said = await ask(token, cancel);
        TokenName name = said is var (symbol, decimals) && IsName(symbol) && decimals <= DecimalsMax
            ? new TokenName(symbol, (int)decimals)
            : new TokenName(string.Empty, 0);
        if (_known.Count < KeptMax) _known[token] = name;
        return name;
    }

    /// <summary>Letters, digits and a few signs that can be typed, begin with a letter, and mean nothing else.</summary>
    public static bool IsName([NotNullWhen(true)] string? symbol) =>
        symbol is { Length: > 0 and <= SymbolLengthMax } && char.IsAsciiLetter(symbol[0])
        && !symbol.AsSpan().ContainsAnyExcept(Letters) && !NamesOfEther.Contains(symbol.ToUpperInvariant());
}
