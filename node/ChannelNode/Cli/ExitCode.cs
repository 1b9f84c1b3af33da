namespace ChannelNode.Cli;

/// <summary>What the process answers; part of the interface, so scripts may rely on it.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int Refused = 1;
    public const int WrongUsage = 2;
    public const int NodeUnreachable = 3;
    public const int ChainTrouble = 4;
    public const int Failed = 70;
    public const int Interrupted = 130;

    private static readonly (int Code, string Meaning)[] Meanings =
    [
        (Done, "done"),
        (Refused, "refused; the reason is printed"),
        (WrongUsage, "wrong usage"),
        (NodeUnreachable, "the node cannot be reached"),
        (ChainTrouble, "trouble with the chain (CHAIN_UNAVAILABLE, TRANSACTION_REVERTED)"),
        (Failed, "a failed disk or a bug stopped the node; the log says which"),
        (Interrupted, "interrupted"),
    ];

    /// <summary>What any command may answer, and what only some do: <paramref name="also"/>.</summary>
    public static string Help(IReadOnlySet<int> also)
    {
        var lines = Meanings
            .Where(entry => entry.Code is Done or Refused or WrongUsage or Interrupted || also.Contains(entry.Code))
            .Select(entry => $"  {entry.Code,-3}  {entry.Meaning}");
        return string.Join(Environment.NewLine, ["Exit codes:", .. lines]);
    }
}
