using System.CommandLine;

namespace ChannelNode.Cli;

/// <summary>What is nearly a name that means something was meant as one.</summary>
internal static class Spelling
{
    /// <summary>Letters by which a variable may miss a name and still be meant as that; of a short one a third.</summary>
    private const int TypoMax = 2;

    /// <summary>Variables that are no settings of 'run' or 'watchtower'.</summary>
    private static readonly string[] OtherVariables =
    [
        NodeFlags.NodeVariable, NodeFlags.TokenVariable, NodeFlags.CertificateVariable, NodeFlags.FingerprintVariable,
        SettingSources.Prefix + "PASSWORD", SettingSources.Prefix + "NEW_PASSWORD", SettingSources.Prefix + "CONFIG",
    ];

    /// <summary>
    /// Variables that look like one of this program, and are none. Machines set many, also with this prefix: others are left alone.
    /// </summary>
    /// <param name="withSettings">The commands whose flags are variables too.</param>
    public static IEnumerable<Failure> WrongVariables(IReadOnlyDictionary<string, string> variables, IEnumerable<Command> withSettings)
    {
        List<string> known = [.. OtherVariables, .. withSettings.SelectMany(SettingSources.Flags).Select(flag => flag.Variable)];
        HashSet<string> names = [.. known.Select(Flag.Normal)];
        foreach (string variable in variables.Keys.Where(name => name.StartsWith(SettingSources.Prefix, StringComparison.Ordinal)))
        {
            string name = Flag.Normal(variable);
            if (names.Contains(name)) continue;
            string nearest = known.MinBy(other => Distance(name, Flag.Normal(other)))!;
            int lettersMax = Math.Min(TypoMax, (Flag.Normal(nearest).Length - Flag.Normal(SettingSources.Prefix).Length) / 3);
            if (Distance(name, Flag.Normal(nearest)) > lettersMax) continue;
            yield return new Failure(
                ExitCode.WrongUsage, Failure.InvalidArgument, $"{variable} is no setting; the nearest is {nearest}", variable);
        }
    }

    /// <summary>Letters to be added, left out or changed to make one of the other (Levenshtein).</summary>
    public static int Distance(string one, string other)
    {
        int[] before = [.. Enumerable.Range(0, other.Length + 1)];
        for (int i = 1; i <= one.Length; i++)
        {
            int[] now = new int[other.Length + 1];
            now[0] = i;
            for (int j = 1; j <= other.Length; j++)
            {
                int change = before[j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1);
                now[j] = Math.Min(change, 1 + Math.Min(before[j], now[j - 1]));
            }

            before = now;
        }

        return before[other.Length];
    }
}
