namespace ChannelNode.Tests.Engine;

/// <summary>Stands still but for what the test lets pass.</summary>
internal sealed class SteppedTime : TimeProvider
{
    private DateTimeOffset _now = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);

    public override DateTimeOffset GetUtcNow() => _now;

    public void Advance(TimeSpan by) => _now += by;
}
