using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>A payout to this node's owner that could not be pushed, and waits in the contract.</summary>
internal readonly record struct Credit(Address Token, UInt128 Amount);

/// <summary>Payouts that wait for this node's owner, in the tokens that it has channels in or accepts.</summary>
internal sealed class Credits(ChannelBook book, Operations operations, IChain chain, NodeOptions options, Party us)
{
    /// <summary>As the chain has them now. ChainUnavailable where it cannot be asked.</summary>
    public async Task<IReadOnlyList<Credit>> ListAsync(CancellationToken cancel)
    {
        IEnumerable<Address> tokens = book.Tokens.All(cancel).Concat(options.AcceptedTokens).Append(Address.Zero).Distinct();
        List<Credit> credits = [];
        foreach (Address token in tokens.OrderBy(token => token.ToString(), StringComparer.Ordinal))
        {
            UInt128 amount = await chain.CreditOfAsync(us.Owner, token, cancel);
            if (amount != UInt128.Zero) credits.Add(new Credit(token, amount));
        }

        return credits;
    }

    /// <summary>Only an owner can take its credit: NotParty where that is not this node's own account.</summary>
    public async Task WithdrawAsync(Address token, OperationWatcher watch, CancellationToken cancel)
    {
        if (us.Owner != us.Signer)
        {
            throw new RefusalException(
                Refusal.NotParty, $"credits belong to the owner {us.Owner}, which must call withdrawCredit itself");
        }

        JobOrder order = new(JobKind.WithdrawCredit, $"withdrawCredit/{token}", [], chain.WithdrawCredit(token));
        await operations.RunAsync(null, order, $"withdrawn to {us.Owner}", watch, cancel);
    }
}
