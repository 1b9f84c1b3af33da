using System.Globalization;
using ChannelNode.Core;
using ChannelNode.Engine;

namespace ChannelNode.Settlement;

/// <summary>How large an answer of the RPC may be: whoever is behind its address must not fill this node's memory.</summary>
internal sealed class RpcAnswerLimit(int bytesMax)
{
    public const int BytesDefault = 64 * 1024 * 1024;

    private const string Flag = "--rpc-answer-bytes-max";

    public int BytesMax => bytesMax;

    public RefusalException TooLarge(string rpc, string method, Exception failure)
    {
        string limit = bytesMax.ToString(CultureInfo.InvariantCulture);
        return new RefusalException(
            Refusal.ChainUnavailable, $"{rpc} answers {method} with more than {limit} bytes, the limit of {Flag}", failure)
        {
            Field = Flag,
            Value = $"more than {limit}",
            Limit = limit,
        };
    }

    public static bool IsTooLarge(RefusalException failure) => failure.Field == Flag;
}
