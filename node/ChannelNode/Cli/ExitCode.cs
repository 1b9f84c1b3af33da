namespace ChannelNode.Cli;

/// <summary>What the process answers; part of the interface, so scripts may rely on it.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int Refused = 1;
    public const int WrongUsage = 2;
    public const int NodeUnreachable = 3;
    public const int ChainTrouble = 4;
    public const int Interrupted = 130;

    public const string Help = """
        Exit codes:
          0    done
          1    refused; the reason is printed
          2    wrong usage
          3    the node cannot be reached
          4    trouble with the chain (CHAIN_UNAVAILABLE, TRANSACTION_REVERTED)
          130  interrupted
        """;
}
