namespace ChannelNode.Tests.Simulation;

/// <summary>What a run did: one that does too little proves nothing.</summary>
internal sealed class WorldTally
{
    public int PowerCuts { get; set; }

    public int Accepted { get; set; }

    public int Reorganizations { get; set; }

    public int Attacks { get; set; }

    public int Disputes { get; set; }

    public int Closings { get; set; }

    public int Deposits { get; set; }

    public int Delivered { get; set; }

    public static WorldTally operator +(WorldTally a, WorldTally b) => new()
    {
        PowerCuts = a.PowerCuts + b.PowerCuts,
        Accepted = a.Accepted + b.Accepted,
        Reorganizations = a.Reorganizations + b.Reorganizations,
        Attacks = a.Attacks + b.Attacks,
        Disputes = a.Disputes + b.Disputes,
        Closings = a.Closings + b.Closings,
        Deposits = a.Deposits + b.Deposits,
        Delivered = a.Delivered + b.Delivered,
    };

    public override string ToString() =>
        $"{Accepted} acceptances, {Delivered} payments delivered, {PowerCuts} power cuts, {Reorganizations} reorganisations, "
        + $"{Attacks} attacks, {Disputes} disputes, {Closings} closings, {Deposits} deposits by nodes";
}
