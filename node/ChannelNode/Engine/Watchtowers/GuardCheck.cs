using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// What a watchtower checks of a request before it stores anything: that the terms are a channel's of this chain and
/// contract, that the asking signer is a side of it which it can act for, and both signatures. Pure; for any thread.
/// </summary>
internal sealed class GuardCheck(ISignatureScheme scheme, Address contract, Address ownKey, uint windowSecondsMin)
{
    /// <summary>The channel as the guarded side sees it; null and why, where nothing is stored.</summary>
    public Channel? Check(Address signer, GuardedUpdate guarded, ChannelTerms terms, out GuardRefusal? refusal)
    {
        refusal = CheckTerms(guarded, terms) ?? CheckSide(signer, guarded, terms) ?? CheckSignatures(signer, guarded, terms);
        return refusal is null ? new Channel(guarded.Update.Channel, terms, SideOf(signer, terms)) : null;
    }

    private GuardRefusal? CheckTerms(GuardedUpdate guarded, ChannelTerms terms)
    {
        ChannelId id = scheme.IdOf(terms);
        if (id != guarded.Update.Channel)
        {
            return No(
                guarded, Refusal.UnknownChannel, "channel_id", guarded.Update.Channel,
                $"{id}, which the terms give on this chain and contract");
        }

        Refusal wrong = terms.Check(contract);
        if (wrong == Refusal.DisputeWindowOutOfRange || (wrong == Refusal.None && terms.DisputeWindowSeconds < windowSecondsMin))
        {
            return No(
                guarded, Refusal.DisputeWindowOutOfRange, "dispute_window_seconds", terms.DisputeWindowSeconds,
                $"{windowSecondsMin} to {ChannelTerms.DisputeWindowSecondsMax}");
        }

        if (wrong != Refusal.None) return No(guarded, wrong, "terms", terms, "terms that the contract takes");
        bool isOurs = terms.A.Signer == ownKey || terms.A.Owner == ownKey || terms.B.Signer == ownKey || terms.B.Owner == ownKey;
        return isOurs
            ? No(guarded, Refusal.NotOurTerms, "terms", ownKey, "terms in which this watchtower's key has no part")
            : null;
    }

    private static GuardRefusal? CheckSide(Address signer, GuardedUpdate guarded, ChannelTerms terms)
    {
        if (signer != terms.A.Signer && signer != terms.B.Signer)
            return No(guarded, Refusal.NotParty, "signer", signer, $"{terms.A.Signer} or {terms.B.Signer}");
        if (!terms.OneWay) return null;
        if (signer == terms.A.Signer)
            return No(guarded, Refusal.OneWayChannel, "signer", signer, $"{terms.B.Signer}, who is paid in this channel");
        return guarded.Update.Received == UInt128.Zero
            ? null
            : No(guarded, Refusal.OneWayChannel, "received", guarded.Update.Received, "0 in a one-way channel");
    }

    private GuardRefusal? CheckSignatures(Address signer, GuardedUpdate guarded, ChannelTerms terms)
    {
        BalanceUpdate update = guarded.Update;
        if (update.Sent > Amounts.Max) return No(guarded, Refusal.AmountTooLarge, "sent", update.Sent, $"at most {Amounts.Max}");
        if (update.Received > Amounts.Max)
            return No(guarded, Refusal.AmountTooLarge, "received", update.Received, $"at most {Amounts.Max}");
        Address other = terms.Of(SideOf(signer, terms).Other()).Signer;
        if (!scheme.Verify(update, guarded.Signature, other))
            return No(guarded, Refusal.WrongSigner, "signature", guarded.Signature, $"{other}'s, under the update");
        return scheme.VerifyConsent(update, guarded.Consent, signer)
            ? null
            : No(guarded, Refusal.WrongSigner, "consent", guarded.Consent, $"{signer}'s, under the consent to the update");
    }

    private static Side SideOf(Address signer, ChannelTerms terms) => signer == terms.A.Signer ? Side.A : Side.B;

    public static GuardRefusal No(GuardedUpdate guarded, Refusal reason, string field, object value, string limit) =>
        new(guarded.Update.Channel, guarded.Update.Sent, reason, field, $"{value}", limit);
}
