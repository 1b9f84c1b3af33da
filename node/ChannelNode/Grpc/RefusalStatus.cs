using ChannelNode.Core;
using ChannelNode.Engine;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Wire = ChannelNode.Proto.V1;

namespace ChannelNode.Grpc;

/// <summary>A refusal as a gRPC error: a canonical code, and the refusal's name as ErrorInfo's reason.</summary>
internal static class RefusalStatus
{
    public const string Domain = "channelnode";

    public static RpcException ToRpcException(this RefusalException refusal)
    {
        string reason = NameOf(refusal.Refusal);
        ErrorInfo info = new() { Domain = Domain, Reason = reason };
        if (refusal.Field is { } field) info.Metadata["field"] = field;
        foreach ((string name, string value) in refusal.Details ?? new Dictionary<string, string>()) info.Metadata[name] = value;
        return new Google.Rpc.Status
        {
            Code = (int)CodeOf(refusal.Refusal),
            Message = refusal.Message,
            Details = { Any.Pack(info) },
        }.ToRpcException();
    }

    /// <summary>A name as another node gave it; InvalidArgument for one that this version does not know.</summary>
    public static Refusal Parse(string reason)
    {
        var value = Wire.RefusalReflection.Descriptor.EnumTypes[0].FindValueByName("REFUSAL_" + reason);
        return value is null ? Refusal.InvalidArgument : (Refusal)value.Number;
    }

    /// <summary>The proto's name of a refusal without its prefix: UNKNOWN_CHANNEL.</summary>
    public static string NameOf(Refusal refusal)
    {
        const string prefix = "REFUSAL_";
        string name = Wire.RefusalReflection.Descriptor.EnumTypes[0].FindValueByNumber((int)refusal).Name;
        return name[prefix.Length..];
    }

    private static Code CodeOf(Refusal refusal) => refusal switch
    {
        Refusal.InvalidArgument or Refusal.InvalidSignature or Refusal.AmountTooLarge or Refusal.ZeroAmount
            or Refusal.ItemIdTooLong or Refusal.IdempotencyKeyTooLong or Refusal.ZeroOwner or Refusal.ZeroSigner
            or Refusal.SameSigner or Refusal.OwnerIsContract or Refusal.DisputeWindowOutOfRange => Code.InvalidArgument,
        Refusal.UnknownChannel or Refusal.UnknownPeer => Code.NotFound,
        Refusal.IdempotencyKeyReused => Code.AlreadyExists,
        Refusal.CursorUnknown or Refusal.CursorExpired => Code.OutOfRange,
        Refusal.TooManyInFlight or Refusal.BudgetReached => Code.ResourceExhausted,
        Refusal.WrongIdentity => Code.Unauthenticated,
        Refusal.WrongSigner or Refusal.NotParty or Refusal.PolicyRefused => Code.PermissionDenied,
        Refusal.PeerOffline or Refusal.ChainUnavailable or Refusal.NotReady => Code.Unavailable,
        _ => Code.FailedPrecondition,
    };
}
