using ChannelNode.Engine;
using Microsoft.Extensions.Logging;

namespace ChannelNode.Tests.Simulation;

/// <summary>
/// What happened, step by step; with <paramref name="isVerbose"/> also all that the nodes log. What a node logs as a failure
/// that nobody expects is one of the simulation.
/// </summary>
internal sealed class SimulatedLog(SimulatedTime time, bool isVerbose) : ILoggerFactory
{
    private readonly long _beganMs = time.NowMs;

    public List<string> Lines { get; } = [];

    public Exception? Failure { get; private set; }

    public void Trace(string what) => Lines.Add($"{(time.NowMs - _beganMs) / 1000.0,9:0.000} {what}");

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName[(categoryName.LastIndexOf('.') + 1)..]);

    public void AddProvider(ILoggerProvider provider) { }

    public void Dispose() { }

    private sealed class Logger(SimulatedLog log, string name) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error || log.IsVerbose;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel)) return;
            if (log.IsVerbose) log.Trace($"    {name}: {formatter(state, exception)}");
            if (logLevel >= LogLevel.Error && exception is not (null or RefusalException)) log.Failure ??= exception;
        }
    }

    private bool IsVerbose => isVerbose;
}
