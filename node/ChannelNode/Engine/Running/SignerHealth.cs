namespace ChannelNode.Engine;

/// <summary>How a signer elsewhere, which holds this program's key, does its work. For any thread.</summary>
/// <param name="url">As it may be shown.</param>
internal sealed class SignerHealth(string url, TimeProvider time)
{
    private sealed record Away(string Reason, long Since);

    private volatile Away? _away;
    private long _answered;
    private long _failed;

    public string Url { get; } = url;

    /// <summary>Whether a signature can be had now, as far as is known.</summary>
    public bool IsThere => _away is null;

    /// <summary>Why the newest question got no signature; empty while it is there.</summary>
    public string Reason => _away?.Reason ?? "";

    /// <summary>For how long it has been away; null while it is there.</summary>
    public TimeSpan? AwayFor => _away is { } away ? time.GetElapsedTime(away.Since) : null;

    /// <summary>Questions that got a right signature.</summary>
    public long Answered => Volatile.Read(ref _answered);

    /// <summary>Questions that got none, or a wrong one; each try counts.</summary>
    public long Failed => Volatile.Read(ref _failed);

    /// <summary>Told how long each answer took; set before the first question that matters.</summary>
    public Action<TimeSpan>? Watcher { private get; set; }

    /// <summary>Raised when it goes away, and when it is back.</summary>
    public Signal Changed { get; } = new();

    public void Answer(TimeSpan took)
    {
        Interlocked.Increment(ref _answered);
        Watcher?.Invoke(took);
    }

    public void Fail() => Interlocked.Increment(ref _failed);

    public void Lose(string reason)
    {
        _away = new Away(reason, _away?.Since ?? time.GetTimestamp());
        Changed.Raise();
    }

    public void Return()
    {
        _away = null;
        Changed.Raise();
    }
}

/// <summary>Tells operators when the signer goes away, which nothing but a look at it mends, and when it is back.</summary>
internal static class SignerNotice
{
    public static async Task RunAsync(SignerHealth signer, Ledger ledger, CancellationToken stopping)
    {
        bool isThere = true;
        try
        {
            while (true)
            {
                await signer.Changed.WhenAsync(() => signer.IsThere != isThere, stopping);
                isThere = !isThere;
                await ledger.TellAsync(isThere ? Back(signer) : Lost(signer), stopping);
            }
        }
        catch (Exception over) when (over is OperationCanceledException or RefusalException)
        {
            // Stopping.
        }
    }

    private static OperatorEvent Lost(SignerHealth signer) => new(
        EventKind.SignerLost, EventSeverity.Alarm,
        $"the signer at {signer.Url} does not sign: {signer.Reason}; nothing is paid, and no dispute can be signed, until it does")
    {
        Refusal = Core.Refusal.SignerUnavailable,
    };

    private static OperatorEvent Back(SignerHealth signer) =>
        new(EventKind.SignerBack, EventSeverity.Info, $"the signer at {signer.Url} signs again");
}
