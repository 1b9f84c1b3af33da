using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Net;
using System.Numerics;
using System.Text;
using ChannelNode.Core;

namespace ChannelNode.Cli;

/// <summary>
/// Options and arguments that check their value at the door: a wrong one names the field, the value and the limit,
/// and all wrong ones of a call are named at once.
/// </summary>
internal static class Fields
{
    private const string ChannelLimit = "a channel id of 64 hex digits, or the first 6 or more of them, with or without 0x";

    private const string AddressLimit = "an address of 40 hex digits, with or without 0x";

    private const string Bytes32Limit = "32 bytes as 64 hex digits, with or without 0x";

    private delegate bool TryRead<T>(string text, out T value);

    public static Option<AskedAmount> Amount(string name, string description) => new Setting<AskedAmount>(name, AskedAmount.Limit, null)
    {
        Description = $"{description} ({AskedAmount.Limit})",
        HelpName = "amount",
        CustomParser = ReadAmount,
    };

    public static Argument<AskedAmount> AmountArgument(string description) => new("amount")
    {
        Description = $"{description} ({AskedAmount.Limit})",
        CustomParser = ReadAmount,
    };

    private static AskedAmount ReadAmount(ArgumentResult result)
    {
        if (result.Tokens.Count == 0) return default;
        if (!AskedAmount.TryParse(result.Tokens[0].Value, out AskedAmount amount))
            result.AddError($"{NameOf(result)}: {AskedAmount.WhyNot(result.Tokens[0].Value)}");
        return amount;
    }

    /// <summary>An amount of a setting, exact, with a range. Digits alone are smallest units.</summary>
    public static Option<SetAmount> Amount(
        string name, string description, AmountKind kind, UInt128 min, UInt128 max, UInt128? byDefault)
    {
        string limit = SetAmount.LimitOf(kind, min, max);
        Setting<SetAmount> option = new(name, limit, byDefault?.ToString())
        {
            Description = $"{description} ({limit})",
            HelpName = "amount",
            Unit = SetAmount.UnitOf(kind),
            AmountOf = text => SetAmount.Read(name, text, kind, min, max, out _),
            CustomParser = result =>
            {
                if (result.Tokens.Count == 0) return default;
                SetAmount? amount = SetAmount.Read(name, result.Tokens[0].Value, kind, min, max, out string why);
                if (amount is null) result.AddError(why);
                return amount ?? default;
            },
        };
        if (byDefault is { } units) option.DefaultValueFactory = _ => new SetAmount(units, kind);
        return option;
    }

    /// <summary>A limit to set, or to take away.</summary>
    public static Option<LimitToSet?> LimitOrNone(string name, string description)
    {
        string limit = $"none, 0, or {AskedAmount.Limit}";
        return Option<LimitToSet?>(name, $"{description} ({limit})", Check, limit, "amount");

        static bool Check(string text, out LimitToSet? value)
        {
            value = text is "none" or "0" ? new LimitToSet(text, default) : null;
            if (value is not null) return true;
            if (!AskedAmount.TryParse(text, out AskedAmount amount)) return false;
            value = new LimitToSet("", amount);
            return true;
        }
    }

    /// <summary>A count to set, or none to take it away, as the node reads it.</summary>
    public static Option<string> CountOrNone(string name, string description, uint max)
    {
        string limit = $"none, or a whole number from 0 to {max}";
        return Option<string>(name, $"{description} ({limit})", Check, limit, "n");

        bool Check(string text, out string value)
        {
            value = text;
            return text == "none" || (uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint count) && count <= max);
        }
    }

    /// <summary>Tokens that the operator names himself.</summary>
    public static Option<TokenUnit[]> TokenInfos(string name, string description)
    {
        const string limit = "ADDRESS=SYMBOL:DECIMALS, such as 0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48=USDC:6";
        return new Option<TokenUnit[]>(name)
        {
            Description = $"{description} ({limit})",
            HelpName = "token",
            Arity = ArgumentArity.ZeroOrMore,
            CustomParser = result =>
                [.. result.Tokens.Select(token => Read<TokenUnit>(result, token, TokenUnit.TryParse, limit) ?? TokenUnit.Ether)],
        };
    }

    public static Argument<Address> AddressArgument(string name, string description) => new(name)
    {
        Description = description,
        CustomParser = result => Read<Address>(result, TryAddress, AddressLimit),
    };

    public static Argument<string> Channel() => new("channel")
    {
        Description = "The channel: its id, or the first 6 or more hex digits of it",
        CustomParser = result => Read<string>(result, TryChannel, ChannelLimit) ?? "",
    };

    public static Argument<string[]> Channels(string description) => new("channels")
    {
        Description = description,
        Arity = ArgumentArity.ZeroOrMore,
        CustomParser = result => [.. result.Tokens.Select(token => Read<string>(result, token, TryChannel, ChannelLimit) ?? "")],
    };

    /// <summary>Several of them.</summary>
    public static Option<string[]> ChannelOptions(string name, string description) => new Setting<string[]>(name, ChannelLimit, null)
    {
        Description = description,
        HelpName = "channel",
        Arity = ArgumentArity.ZeroOrMore,
        CustomParser = result => [.. result.Tokens.Select(token => Read<string>(result, token, TryChannel, ChannelLimit) ?? "")],
    };

    public static Option<string> ChannelOption(string name, string description) =>
        Option<string>(name, description, TryChannel, ChannelLimit, "channel");

    public static Option<Address> Address(string name, string description) =>
        Option<Address>(name, description, TryAddress, AddressLimit, "address");

    /// <summary>What Linux takes for the path of a socket.</summary>
    private const int SocketPathBytesMax = 107;

    public static Option<Address[]> Addresses(string name, string description) => new Setting<Address[]>(name, AddressLimit, null)
    {
        Description = description,
        HelpName = "address",
        Arity = ArgumentArity.ZeroOrMore,
        CustomParser = result =>
            [.. result.Tokens.Select(token => Read<Address>(result, token, TryAddress, AddressLimit))],
    };

    public static Option<string> Bytes32(string name, string description) =>
        Option<string>(name, $"{description} ({Bytes32Limit})", TryBytes32, Bytes32Limit, "hex");

    /// <summary>Nowhere unless <paramref name="byDefault"/> says where.</summary>
    public static Option<string> Listen(string name, string description, string? byDefault = null, string example = "127.0.0.1:9806")
    {
        string limit = $"host:port with a port from 0 to 65535, such as {byDefault ?? example}";
        Setting<string> option = Option<string>(name, $"{description} ({limit})", TryListen, limit, "host:port", byDefault);
        if (byDefault is not null) option.DefaultValueFactory = _ => byDefault;
        return option;
    }

    /// <summary>A place to listen on, or a socket of this machine.</summary>
    public static Option<string> Door(string name, string description, string byDefault)
    {
        string limit = $"host:port with a port from 0 to 65535, such as {byDefault}, or unix:/path of at most {SocketPathBytesMax} bytes";
        Setting<string> option = Option<string>(name, $"{description} ({limit})", TryDoor, limit, "host:port", byDefault);
        option.DefaultValueFactory = _ => byDefault;
        return option;
    }

    public static bool IsSocket(string text) =>
        text.StartsWith("unix:/", StringComparison.Ordinal) && Encoding.UTF8.GetByteCount(text) - "unix:".Length <= SocketPathBytesMax;

    public static Option<string> Url(string name, string description, params string[] schemes)
    {
        string limit = $"a URL that begins with {string.Join(" or ", schemes.Select(scheme => scheme + "://"))}";
        return Option<string>(name, $"{description} ({limit})", Check, limit, "url");

        bool Check(string text, out string value)
        {
            value = text;
            return IsUrl(text, schemes);
        }
    }

    /// <summary>Several URLs, up to a number of them.</summary>
    public static Option<string[]> Urls(string name, string description, int max, params string[] schemes) => Texts(
        name, description, max, $"a URL that begins with {string.Join(" or ", schemes.Select(scheme => scheme + "://"))}", "url",
        text => IsUrl(text, schemes));

    /// <summary>Several texts of one form, up to a number of them.</summary>
    public static Option<string[]> Texts(
        string name, string description, int max, string limit, string helpName, Func<string, bool> isRight)
    {
        return new Setting<string[]>(name, limit, null)
        {
            Description = $"{description} ({limit})",
            HelpName = helpName,
            Arity = ArgumentArity.ZeroOrMore,
            CustomParser = result =>
            {
                if (result.Tokens.Count > max) result.AddError($"{name}: {result.Tokens.Count} were given, at most {max} can be");
                return [.. result.Tokens.Select(token => Read<string>(result, token, Check, limit) ?? "")];
            },
        };

        bool Check(string text, out string value)
        {
            value = text;
            return isRight(text);
        }
    }

    public static bool IsUrl(string text, params string[] schemes) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && schemes.Contains(uri.Scheme) && uri.Host != "";

    /// <summary>A setting that is on when it is named; in a file or a variable, and behind =, true or false.</summary>
    public static Option<bool> Switch(string name, string description) => new Setting<bool>(name, "true or false", "false")
    {
        Description = description,
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = result => result.Tokens.Count == 0 || Read<bool>(result, bool.TryParse, "true or false"),
    };

    /// <summary>A switch that means something of its own where it is not given.</summary>
    public static Option<bool?> Choice(string name, string description) => new Setting<bool?>(name, "true or false", null)
    {
        Description = description,
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = result => result.Tokens.Count == 0 || Read<bool>(result, bool.TryParse, "true or false"),
    };

    /// <summary>A whole number with a range.</summary>
    public static Option<T> Number<T>(string name, string description, T min, T max, T? byDefault, string unit = "n")
        where T : struct, IBinaryInteger<T>
    {
        string limit = $"a whole number from {min} to {max}";
        Setting<T> option = Option<T>(name, $"{description} ({min} to {max})", Check, limit, unit, byDefault?.ToString());
        if (byDefault is { } number) option.DefaultValueFactory = _ => number;
        return option;

        bool Check(string text, out T value) =>
            T.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= min && value <= max;
    }

    /// <summary>A number of bytes with a range, or 0 where that is <paramref name="byDefault"/>.</summary>
    public static Option<uint> Bytes(string name, string description, uint min, uint max, uint byDefault)
    {
        string limit = $"a number of bytes from {ByteSize.Show(min)} to {ByteSize.Show(max)}, such as 65536 or 64KiB, or {ByteSize.Show(byDefault)}";
        Setting<uint> option = Option<uint>(name, $"{description} ({limit})", Check, limit, "bytes", ByteSize.Show(byDefault));
        option.DefaultValueFactory = _ => byDefault;
        return option;

        bool Check(string text, out uint value) => ByteSize.TryParse(text, out value) && (value == byDefault || (value >= min && value <= max));
    }

    /// <summary>A number of bytes to set, or none to take the limit away.</summary>
    public static Option<string> BytesOrNone(string name, string description, uint min, uint max)
    {
        string limit = $"none, or a number of bytes from {ByteSize.Show(min)} to {ByteSize.Show(max)}, such as 65536 or 64KiB";
        return Option<string>(name, $"{description} ({limit})", Check, limit, "bytes");

        bool Check(string text, out string value)
        {
            value = text;
            return text == "none" || (ByteSize.TryParse(text, out uint bytes) && bytes >= min && bytes <= max);
        }
    }

    /// <summary>Text of <paramref name="bytesMin"/> to <paramref name="bytesMax"/> bytes of UTF-8.</summary>
    public static Option<string> Text(string name, string description, int bytesMin, int bytesMax)
    {
        string limit = $"text of {bytesMin} to {bytesMax} bytes";
        return Option<string>(name, $"{description} ({limit})", Check, limit, "text");

        bool Check(string text, out string value)
        {
            value = text;
            int bytes = Encoding.UTF8.GetByteCount(text);
            return bytes >= bytesMin && bytes <= bytesMax;
        }
    }

    /// <summary>One of some words, each standing for a value.</summary>
    public static Option<T> Word<T>(
        string name, string description, IReadOnlyDictionary<string, T> words, string? byDefault = null)
        where T : notnull
    {
        string limit = $"one of {string.Join(", ", words.Keys)}";
        Option<T> option = Option<T>(name, $"{description} ({limit})", Check, limit, "word", byDefault);
        if (byDefault is not null) option.DefaultValueFactory = _ => words[byDefault];
        return option;

        bool Check(string text, out T value)
        {
            string? word = words.Keys.FirstOrDefault(it => it.Equals(text, StringComparison.OrdinalIgnoreCase));
            value = word is null ? default! : words[word];
            return word is not null;
        }
    }

    /// <summary>One of some words, which the node takes as they are.</summary>
    public static Option<string> OneOf(string name, string description, params string[] words)
    {
        string limit = $"one of {string.Join(", ", words)}";
        return Option<string>(name, $"{description} ({limit})", Check, limit, "word");

        bool Check(string text, out string value)
        {
            value = text;
            return words.Contains(text);
        }
    }

    /// <summary>Any number of such words.</summary>
    public static Option<T[]> Words<T>(string name, string description, IReadOnlyDictionary<string, T> words)
        where T : struct
    {
        string limit = $"one of {string.Join(", ", words.Keys)}";
        return new Setting<T[]>(name, limit, null)
        {
            Description = $"{description} ({limit})",
            HelpName = "word",
            Arity = ArgumentArity.ZeroOrMore,
            CustomParser = result => [.. result.Tokens.Select(token => Read<T>(result, token, words.TryGetValue, limit))],
        };
    }

    public static string WithHexPrefix(string hex) =>
        "0x" + (hex.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? hex[2..] : hex).ToLowerInvariant();

    private static Setting<T> Option<T>(
        string name, string description, TryRead<T> read, string limit, string helpName, string? byDefault = null) =>
        new(name, limit, byDefault)
        {
            Description = description,
            HelpName = helpName,
            CustomParser = result => Read(result, read, limit),
        };

    private static T? Read<T>(ArgumentResult result, TryRead<T> read, string limit) =>
        result.Tokens.Count == 0 ? default : Read(result, result.Tokens[0], read, limit);

    private static T? Read<T>(ArgumentResult result, Token token, TryRead<T> read, string limit)
    {
        if (read(token.Value, out T value)) return value;
        result.AddError($"{NameOf(result)}: '{token.Value}' is not {limit}");
        return default;
    }

    /// <summary>The option or argument as it was typed, for messages and for the field of a JSON error.</summary>
    public static string? NameOf(SymbolResult? result) => result switch
    {
        ArgumentResult { Parent: OptionResult option } => option.Option.Name,
        ArgumentResult argument => argument.Argument.Name,
        OptionResult option => option.Option.Name,
        _ => null,
    };

    private static bool TryChannel(string text, out string value)
    {
        value = WithHexPrefix(text);
        return value.Length is >= 8 and <= 66 && value.AsSpan(2).ContainsAnyExcept("0123456789abcdef") == false;
    }

    private static bool TryAddress(string text, out Address value) => Core.Address.TryParse(text, out value);

    private static bool TryBytes32(string text, out string value)
    {
        bool ok = Core.Bytes32.TryParse(text, out Bytes32 bytes);
        value = bytes.ToString();
        return ok;
    }

    private static bool TryDoor(string text, out string value) => IsSocket(value = text) || TryListen(text, out value);

    private static bool TryListen(string text, out string value)
    {
        value = text;
        int colon = text.LastIndexOf(':');
        return colon > 0
            && ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out _)
            && (text[..colon] == "localhost" || IPAddress.TryParse(text[..colon].Trim('[', ']'), out _));
    }
}
