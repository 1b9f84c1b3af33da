namespace ChannelNode.Tests.Simulation;

/// <summary>What a run did: one that does too little proves nothing.</summary>
internal sealed class WorldTally
{
    public int PowerCuts { get; set; }

    public int Accepted { get; set; }

    public int Reorganizations { get; set; }

    public int Attacks { get; set; }

    /// <summary>Of small channels, to use up what is for large ones.</summary>
    public int SmallCloses { get; set; }

    /// <summary>Burnt for these.</summary>
    public long SmallGwei { get; set; }

    /// <summary>Disputes and claims in large channels, of nodes that had next to no gas for them.</summary>
    public int AmidSmall { get; set; }

    public int Disputes { get; set; }

    public int Closings { get; set; }

    public int Deposits { get; set; }

    public int Delivered { get; set; }

    /// <summary>Channels that were agreed on the way, and paid in.</summary>
    public int Opened { get; set; }

    /// <summary>Nodes that went on from an older copy of their disk.</summary>
    public int Restored { get; set; }

    /// <summary>Channels in which they had accepted more than the copy knew, and were offered that again.</summary>
    public int Regained { get; set; }

    /// <summary>Times that their owners let them pay again where the lost self had paid more than the copy knew.</summary>
    public int Resumed { get; set; }

    /// <summary>Changes of operators' rules.</summary>
    public int Rules { get; set; }

    /// <summary>Looks at what a payer has left of its peer's limits, with nothing on its way.</summary>
    public int Rooms { get; set; }

    /// <summary>Messages that ended a session.</summary>
    public int Malformed { get; set; }

    /// <summary>What a tower's transactions have brought.</summary>
    public int Rescues { get; set; }

    public static WorldTally operator +(WorldTally a, WorldTally b) => new()
    {
        PowerCuts = a.PowerCuts + b.PowerCuts,
        Accepted = a.Accepted + b.Accepted,
        Reorganizations = a.Reorganizations + b.Reorganizations,
        Attacks = a.Attacks + b.Attacks,
        SmallCloses = a.SmallCloses + b.SmallCloses,
        SmallGwei = a.SmallGwei + b.SmallGwei,
        AmidSmall = a.AmidSmall + b.AmidSmall,
        Disputes = a.Disputes + b.Disputes,
        Closings = a.Closings + b.Closings,
        Deposits = a.Deposits + b.Deposits,
        Delivered = a.Delivered + b.Delivered,
        Opened = a.Opened + b.Opened,
        Malformed = a.Malformed + b.Malformed,
        Rescues = a.Rescues + b.Rescues,
        Restored = a.Restored + b.Restored,
        Resumed = a.Resumed + b.Resumed,
        Regained = a.Regained + b.Regained,
        Rules = a.Rules + b.Rules,
        Rooms = a.Rooms + b.Rooms,
    };

    public override string ToString() =>
        $"{Accepted} acceptances, {Delivered} payments delivered, {PowerCuts} power cuts, {Reorganizations} reorganisations, "
        + $"{Attacks} attacks, {Malformed} malformed messages, {Disputes} disputes, "
        + $"{Rescues} of them or claims by towers, {Closings} closings, {SmallCloses} of small channels besides, {SmallGwei} gwei burnt for these, {AmidSmall} large disputes and claims amid them, "
        + $"{Deposits} deposits by nodes, {Opened} channels agreed and paid in on the way, {Restored} nodes restored, {Regained} channels in which these were offered again what they had lost, {Resumed} in which they had paid more, {Rules} changes of rules, {Rooms} looks at what they leave";
}
