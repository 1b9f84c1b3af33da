using System.Globalization;
using ChannelNode.Core;
using ChannelNode.Engine;
using ChannelNode.Proto.V1;
using Grpc.Core;
using Address = ChannelNode.Core.Address;

namespace ChannelNode.Cli;

/// <summary>How amounts in a token are shown; without a symbol they are shown in smallest units.</summary>
internal sealed record TokenUnit(Address Token, string Symbol, int Decimals)
{
    public static readonly TokenUnit Ether = new(Address.Zero, "ETH", 18);

    public bool IsEther => Token.IsZero;

    public bool IsKnown => Symbol.Length > 0;

    /// <summary>Exact, with its unit, from smallest units as a decimal string: every digit that is not a zero at an end.</summary>
    public string Show(string units)
    {
        if (units.Length == 0) return "";
        if (!IsKnown) return $"{units} units";
        return IsEther ? AmountWords.Ether(units) : $"{AmountWords.Divided(units, Decimals)} {Symbol}";
    }

    /// <summary>What a table of channels calls the token.</summary>
    public string Name => IsEther ? "ether" : IsKnown ? $"{Symbol} {Views.Short(Token.ToString())}" : Token.ToString();

    /// <summary>ADDRESS=SYMBOL:DECIMALS, as an operator names a token himself.</summary>
    public static bool TryParse(string text, out TokenUnit unit)
    {
        unit = Ether;
        int equals = text.IndexOf('='), colon = text.LastIndexOf(':');
        if (equals < 0 || colon < equals || !Address.TryParse(text.AsSpan(0, equals).ToString(), out Address token) || token.IsZero) return false;
        string symbol = text[(equals + 1)..colon];
        bool fits = int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int decimals)
            && decimals <= TokenNames.DecimalsMax && TokenNames.IsName(symbol);
        unit = new TokenUnit(token, symbol, decimals);
        return fits;
    }
}

/// <summary>The units of tokens: as given on the command line, else as the node knows them; each is asked for once.</summary>
internal sealed class TokenUnits(NodeConnection node, IEnumerable<TokenUnit> given)
{
    private readonly Dictionary<Address, TokenUnit> _known = given.Append(TokenUnit.Ether).GroupBy(it => it.Token)
        .ToDictionary(it => it.Key, it => it.First());

    private readonly Dictionary<string, TokenUnit> _channels = [];

    public Task<TokenUnit> OfAsync(string token, CancellationToken cancel) =>
        OfAsync(Address.TryParse(token, out Address address) ? address : Address.Zero, cancel);

    public async Task<TokenUnit> OfAsync(Address token, CancellationToken cancel)
    {
        if (_known.TryGetValue(token, out TokenUnit? known)) return known;
        TokenUnit unit;
        try
        {
            GetTokenResponse said = await node.Client.GetTokenAsync(new GetTokenRequest { Token = token.ToString() }, cancellationToken: cancel);
            bool isKnown = TokenNames.IsName(said.Symbol) && said.Decimals <= TokenNames.DecimalsMax;
            unit = new TokenUnit(token, isKnown ? said.Symbol : "", isKnown ? (int)said.Decimals : 0);
        }
        catch (RpcException error) when (error.StatusCode is StatusCode.Unimplemented or StatusCode.Unavailable or StatusCode.PermissionDenied)
        {
            unit = new TokenUnit(token, "", 0); // Shown in smallest units: what is unknown hides nothing.
        }

        return _known[token] = unit;
    }

    /// <summary>For what is shown in any case: in smallest units, where the node does not tell of the token now.</summary>
    public async Task<TokenUnit> TryOfAsync(string token, CancellationToken cancel)
    {
        try
        {
            return await OfAsync(token, cancel);
        }
        catch (RpcException)
        {
            return new TokenUnit(Address.Zero, "", 0);
        }
    }

    public async Task<TokenUnit> OfChannelAsync(string channelId, CancellationToken cancel)
    {
        if (_channels.TryGetValue(channelId, out TokenUnit? known)) return known;
        try
        {
            GetChannelResponse found = await node.Client.GetChannelAsync(
                new GetChannelRequest { ChannelId = channelId }, cancellationToken: cancel);
            return _channels[channelId] = await OfAsync(found.Channel.Token, cancel);
        }
        catch (RpcException refused) when (Failure.ErrorInfoOf(refused)?.Reason == "SCOPE_MISSING")
        {
            throw new CommandException(node.FailureOf(refused, cancel)! with
            {
                Message = $"{refused.Status.Detail}: an amount with a unit needs the channel's token, which only scope read may ask for; "
                    + "give smallest units (5 is 5 wei), or a token with --scope read too",
            });
        }
    }

    /// <summary>For what is done already: shown in smallest units rather than failed.</summary>
    public async Task<TokenUnit> TryOfChannelAsync(string channelId, CancellationToken cancel)
    {
        try
        {
            return await OfChannelAsync(channelId, cancel);
        }
        catch (Exception error) when (error is RpcException or CommandException)
        {
            return new TokenUnit(Address.Zero, "", 0);
        }
    }

    /// <summary>A node's sentence, with its amounts of tokens in their units, where those are known.</summary>
    public async Task<string> InAsync(string sentence, CancellationToken cancel)
    {
        foreach (Address token in AmountWords.TokensIn(sentence)) await OfAsync(token, cancel);
        return AmountWords.Shown(
            sentence, (token, units) => _known[token].IsKnown ? _known[token].Show(units) : $"{units} units of {token}");
    }

    /// <summary>The same for what is said in any case: as the node gave it, where it does not tell of a token now.</summary>
    public async Task<string> TryInAsync(string sentence, CancellationToken cancel)
    {
        try
        {
            return await InAsync(sentence, cancel);
        }
        catch (RpcException)
        {
            return sentence;
        }
    }

    /// <summary>A channel's amount in smallest units; the node is asked for its token only where a unit was typed.</summary>
    public async Task<UInt128> ReadAsync(AskedAmount amount, string channelId, string field, CancellationToken cancel) =>
        amount.In(amount.HasUnit ? await OfChannelAsync(channelId, cancel) : TokenUnit.Ether, field);
}
