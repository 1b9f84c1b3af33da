using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>An error of the contract: its name and what its arguments are called and of which type, in order.</summary>
internal sealed record ContractError(string Name, IReadOnlyList<(string Name, string Type)> Arguments);

/// <summary>
/// A compiled contract as the build left it: bytecode, and the ABI as selectors (the first 4 bytes of the hash of a
/// signature) and topics (all of it).
/// </summary>
internal sealed class ContractArtifact
{
    private readonly Dictionary<string, uint> _functions = [];
    private readonly Dictionary<string, Bytes32> _events = [];
    private readonly Dictionary<uint, ContractError> _errors = [];

    private ContractArtifact(JsonElement root)
    {
        Bytecode = Hex.Parse(root.GetProperty("bytecode").GetString())
            ?? throw new FormatException("the artifact's bytecode is not hex: is a library not linked?");
        DeployedBytecode = Hex.Parse(root.GetProperty("deployedBytecode").GetString())
            ?? throw new FormatException("the artifact's deployed bytecode is not hex: is a library not linked?");
        Immutables = root.GetProperty("immutables").EnumerateObject().ToDictionary(
            entry => entry.Name,
            entry => (IReadOnlyList<int>)[.. entry.Value.EnumerateArray().Select(offset => offset.GetInt32())]);
        foreach (JsonElement entry in root.GetProperty("abi").EnumerateArray()) Add(entry);
    }

    /// <summary>Embedded in the program by its build.</summary>
    public static ContractArtifact PaymentChannels { get; } = Load("PaymentChannels");

    public ReadOnlyMemory<byte> Bytecode { get; }

    /// <summary>What its constructor leaves on the chain, with zeros where immutables stand.</summary>
    public ReadOnlyMemory<byte> DeployedBytecode { get; }

    /// <summary>Where in the deployed bytecode each immutable stands, by name; 32 bytes each.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<int>> Immutables { get; }

    /// <summary>All errors by selector.</summary>
    public IReadOnlyDictionary<uint, ContractError> Errors => _errors;

    /// <summary>The four bytes before the arguments of a call.</summary>
    public byte[] Selector(string function)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, _functions[function]);
        return bytes;
    }

    /// <summary>The first topic of an event.</summary>
    public Bytes32 Topic(string @event) => _events[@event];

    public static ContractArtifact Load(string name)
    {
        string resource = $"ChannelNode.Settlement.Artifacts.{name}.json";
        using Stream stream = typeof(ContractArtifact).Assembly.GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"{resource} is not in the program: build the contracts first");
        using JsonDocument document = JsonDocument.Parse(stream);
        return new ContractArtifact(document.RootElement);
    }

    public static uint SelectorOf(ReadOnlySpan<byte> data) => BinaryPrimitives.ReadUInt32BigEndian(data);

    private void Add(JsonElement entry)
    {
        string type = entry.GetProperty("type").GetString()!;
        if (type is not ("function" or "event" or "error")) return;

        string name = entry.GetProperty("name").GetString()!;
        Bytes32 hash = Keccak.Hash(Encoding.UTF8.GetBytes(name + TypesOf(entry.GetProperty("inputs"))));
        var selector = (uint)(hash.W0 >> 32);
        switch (type)
        {
            case "function":
                _functions.Add(name, selector);
                break;
            case "event":
                _events.Add(name, hash);
                break;
            default:
                _errors.Add(selector, new ContractError(name, ArgumentsOf(entry)));
                break;
        }
    }

    /// <summary>"(address,(uint128,bytes)[])": tuples by their members, as signatures are hashed.</summary>
    private static string TypesOf(JsonElement inputs)
    {
        var types = new List<string>();
        foreach (JsonElement input in inputs.EnumerateArray())
        {
            string type = input.GetProperty("type").GetString()!;
            types.Add(type.StartsWith("tuple", StringComparison.Ordinal)
                ? TypesOf(input.GetProperty("components")) + type["tuple".Length..]
                : type);
        }

        return $"({string.Join(',', types)})";
    }

    private static List<(string, string)> ArgumentsOf(JsonElement error)
    {
        var arguments = new List<(string, string)>();
        foreach (JsonElement input in error.GetProperty("inputs").EnumerateArray())
            arguments.Add((input.GetProperty("name").GetString()!, input.GetProperty("type").GetString()!));
        return arguments;
    }
}
