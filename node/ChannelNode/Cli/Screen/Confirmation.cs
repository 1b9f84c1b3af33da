using System.CommandLine;

namespace ChannelNode.Cli;

/// <summary>
/// What costs money or gas on chain is done when it was confirmed: by --yes, or by a person who is asked. Where nobody can be
/// asked (a script, --json) it is refused without --yes, before anything is begun. A payment within a channel needs none:
/// what it costs stands in the call itself, and its key keeps it from being made twice.
/// </summary>
internal sealed class Confirmation
{
    private readonly Option<bool> _yes = new("--yes", "-y") { Description = "Do it without asking; needed where nobody can be asked" };

    public static Confirmation On(CliCommand command)
    {
        Confirmation confirmation = new();
        command.Options.Add(confirmation._yes);
        return confirmation;
    }

    /// <summary>Throws when it is not confirmed.</summary>
    public void Require(ParseResult parsed, Terminal terminal, string what)
    {
        if (parsed.GetValue(_yes)) return;
        if (!terminal.CanAsk)
        {
            throw new CommandException(new(
                ExitCode.WrongUsage, "NOT_CONFIRMED", $"--yes: must be given where nobody can be asked, for this costs gas on chain: {what}", "--yes"));
        }

        if (!terminal.Ask($"{what}? This costs gas on chain. [y/N] "))
            throw new CommandException(new(ExitCode.Refused, "NOT_CONFIRMED", "nothing was done"));
    }
}
