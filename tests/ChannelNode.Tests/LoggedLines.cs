using Microsoft.Extensions.Logging;

namespace ChannelNode.Tests;

/// <summary>Keeps the lines that are logged, and which of them are troubles. For any thread.</summary>
internal sealed class LoggedLines : ILogger, ILoggerFactory
{
    private readonly List<string> _lines = [];
    private readonly List<string> _troubles = [];

    public IReadOnlyList<string> All
    {
        get
        {
            lock (_lines) return [.. _lines];
        }
    }

    /// <summary>Warnings and what is worse, each with what was thrown.</summary>
    public IReadOnlyList<string> Troubles
    {
        get
        {
            lock (_lines) return [.. _troubles];
        }
    }

    public void AddProvider(ILoggerProvider provider) { }

    public ILogger CreateLogger(string categoryName) => this;

    public void Dispose() { }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        string line = formatter(state, exception);
        lock (_lines)
        {
            _lines.Add(line);
            if (logLevel >= LogLevel.Warning) _troubles.Add(exception is null ? line : $"{line}: {exception}");
        }
    }
}
