using System.Text;
using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>Refusals as people read them everywhere, in answers, logs and events: PEER_REFUSING, the proto's name without its prefix.</summary>
internal static class RefusalNames
{
    private static readonly string[] Names = [.. NamesByNumber()];

    public static string Name(this Refusal refusal) => (int)refusal < Names.Length ? Names[(int)refusal] : $"{(int)refusal}";

    private static IEnumerable<string> NamesByNumber()
    {
        Dictionary<int, string> names = Enum.GetValues<Refusal>().ToDictionary(refusal => (int)refusal, refusal => Upper(refusal.ToString()));
        for (int number = 0; number <= names.Keys.Max(); number++) yield return names.GetValueOrDefault(number, $"{number}");
    }

    private static string Upper(string name)
    {
        StringBuilder text = new(name.Length + 8);
        foreach (char letter in name)
        {
            if (char.IsAsciiLetterUpper(letter) && text.Length > 0) text.Append('_');
            text.Append(char.ToUpperInvariant(letter));
        }

        return text.ToString();
    }
}
