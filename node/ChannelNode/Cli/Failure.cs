using System.Text;
using ChannelNode.Engine;
using Google.Rpc;
using Grpc.Core;

namespace ChannelNode.Cli;

/// <summary>A command that did not do what was asked: what is printed, and the exit code that goes with it.</summary>
internal sealed record Failure(int ExitCode, string Reason, string Message, string? Field = null)
{
    public const string NodeUnreachable = "NODE_UNREACHABLE";
    public const string InvalidArgument = "INVALID_ARGUMENT";

    /// <summary>Whether it is that an option which must be given was not.</summary>
    public bool IsMissing => Message.Contains("is required", StringComparison.Ordinal);

    /// <summary>The failure behind an exception; null for one that nobody expects, which is a bug.</summary>
    public static Failure? Of(Exception exception, CancellationToken cancel) => exception switch
    {
        _ when cancel.IsCancellationRequested && exception is OperationCanceledException or RpcException
        { StatusCode: StatusCode.Cancelled } => new(Cli.ExitCode.Interrupted, "INTERRUPTED", "stopped before it was done"),
        CommandException command => command.Failure,
        RpcException rpc => OfRpc(rpc),
        RefusalException refusal => OfRefusal(refusal),
        IOException or UnauthorizedAccessException => new(Cli.ExitCode.Refused, "FILE_ERROR", FileTrouble.Sentence(exception)),
        _ => null,
    };

    /// <summary>Of settings that cannot be had together.</summary>
    public static Failure Of(SettingFault fault) => new(Cli.ExitCode.WrongUsage, InvalidArgument, fault.Message, fault.Field);

    /// <summary>CamelCase to the UPPER_SNAKE_CASE that reasons are written in.</summary>
    public static string ReasonOf<T>(T refusal) where T : struct, Enum
    {
        string name = refusal.ToString();
        var text = new StringBuilder(name.Length + 8);
        foreach (char letter in name)
        {
            if (char.IsAsciiLetterUpper(letter) && text.Length > 0) text.Append('_');
            text.Append(char.ToUpperInvariant(letter));
        }
        return text.ToString();
    }

    /// <summary>The ErrorInfo that a node sends with every error of its own; null when something else answered.</summary>
    public static ErrorInfo? ErrorInfoOf(RpcException exception) => exception.GetRpcStatus()?.GetDetail<ErrorInfo>();

    private static Failure OfRpc(RpcException exception)
    {
        if (ErrorInfoOf(exception) is { } info)
        {
            info.Metadata.TryGetValue("field", out string? field);
            return new(CodeOf(info.Reason), info.Reason, WithLimits(exception.Status.Detail, info), field);
        }
        return NoNodeAnswered(exception) || IsOfAnotherServer(exception)
            ? new(Cli.ExitCode.NodeUnreachable, NodeUnreachable, CauseOf(exception))
            : new(Cli.ExitCode.Refused, ReasonOf(exception.StatusCode), exception.Status.Detail);
    }

    /// <summary>Something answers, but not a node's API: a peers' port lacks the service, a chain or a site is no gRPC.</summary>
    public static bool IsOfAnotherServer(RpcException exception) =>
        ErrorInfoOf(exception) is null
        && (exception.Status is { StatusCode: StatusCode.Unimplemented, Detail: not "Method is unimplemented." }
            || exception.Status.Detail.StartsWith("Bad gRPC response.", StringComparison.Ordinal));

    /// <summary>A failed TLS handshake is an internal error to gRPC, though it is one of the connection.</summary>
    private static bool NoNodeAnswered(RpcException exception) =>
        exception.StatusCode == StatusCode.Unavailable || exception.Status.DebugException is HttpRequestException;

    /// <summary>What the socket said, rather than what gRPC makes of it.</summary>
    public static string CauseOf(RpcException exception) =>
        exception.Status.DebugException?.GetBaseException().Message ?? exception.Status.Detail;

    private static Failure OfRefusal(RefusalException exception)
    {
        string reason = ReasonOf(exception.Refusal);
        return new(CodeOf(reason), reason, exception.Message, exception.Field);
    }

    public static int CodeOf(string reason) => reason switch
    {
        "CHAIN_UNAVAILABLE" or "TRANSACTION_REVERTED" => Cli.ExitCode.ChainTrouble,
        _ => Cli.ExitCode.Refused,
    };

    private static string WithLimits(string message, ErrorInfo info)
    {
        var missing = info.Metadata
            .Where(entry => entry.Value.Length > 0 && !message.Contains(entry.Value, StringComparison.Ordinal))
            .OrderBy(entry => entry.Key, StringComparer.Ordinal)
            .Select(entry => $"{entry.Key} {entry.Value}")
            .ToList();
        return missing.Count == 0 ? message : $"{message} ({string.Join(", ", missing)})";
    }
}

/// <summary>Ends a command with a failure that the command line itself has found.</summary>
internal sealed class CommandException(Failure failure) : Exception(failure.Message)
{
    public Failure Failure { get; } = failure;
}
