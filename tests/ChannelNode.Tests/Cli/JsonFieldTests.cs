using ChannelNode.Proto.V1;
using ChannelNode.Tests.Tidy;
using Google.Protobuf.Reflection;
using Xunit;

namespace ChannelNode.Tests.Cli;

/// <summary>
/// The names in --json are an interface: scripts read them. Those of documents that are no message of the proto are in the
/// tests of their commands.
/// </summary>
public sealed class JsonFieldTests
{
    private static readonly MessageDescriptor[] Printed =
    [
        GetInfoResponse.Descriptor, ListChannelsResponse.Descriptor, Channel.Descriptor, Progress.Descriptor, ReceivedPayment.Descriptor,
        OperatorEvent.Descriptor, ListJobsResponse.Descriptor, ListCreditsResponse.Descriptor, VerifyChainResponse.Descriptor,
        GetPolicyResponse.Descriptor, ExplainPolicyResponse.Descriptor, PolicyAuditEntry.Descriptor, PeerListEntry.Descriptor,
        AttestPeerResponse.Descriptor, ImportPeerListResponse.Descriptor, GetStatusResponse.Descriptor, ListAccessTokensResponse.Descriptor,
        CancelJobResponse.Descriptor, ResumeChannelResponse.Descriptor, GetAccessTokenResponse.Descriptor,
        UpdateAccessTokenResponse.Descriptor, NarrowAccessTokenResponse.Descriptor, RevokeNarrowedAccessTokenResponse.Descriptor,
    ];

    /// <summary>A new field is added to the file; one that is gone, or is called something else, breaks somebody's script.</summary>
    [Fact]
    public void JsonFieldNames_StayAsTheyAre()
    {
        SortedDictionary<string, string> names = new(StringComparer.Ordinal);
        Stack<MessageDescriptor> waiting = new(Printed);
        while (waiting.TryPop(out MessageDescriptor? message))
        {
            IList<FieldDescriptor> fields = message.Fields.InDeclarationOrder();
            if (!names.TryAdd(message.Name, string.Join(' ', fields.Select(field => field.JsonName)))) continue;
            foreach (FieldDescriptor field in fields)
                if (field.FieldType == FieldType.Message) waiting.Push(field.MessageType);
        }

        Assert.Equal(
            File.ReadAllLines(Repository.PathOf("tests/ChannelNode.Tests/Cli/json-fields.txt")),
            names.Select(it => $"{it.Key}: {it.Value}"));
    }
}
