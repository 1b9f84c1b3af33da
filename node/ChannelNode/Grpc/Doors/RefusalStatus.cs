using System.Globalization;
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
    private const int TextMax = 1_024;

    public const string Domain = "channelnode";

    public static RpcException ToRpcException(this RefusalException refusal) => refusal.ToStatus().ToRpcException();

    public static Google.Rpc.Status ToStatus(this RefusalException refusal)
    {
        string reason = NameOf(refusal.Refusal);
        ErrorInfo info = new() { Domain = Domain, Reason = reason };
        if (refusal.Field is { } field) info.Metadata["field"] = Bounded(field);
        if (refusal.Value is { } value) info.Metadata["value"] = Bounded(value);
        if (refusal.Limit is { } limit) info.Metadata["limit"] = limit;
        if (refusal.RetryAfter is { } wait) info.Metadata["retry_after_ms"] = Whole(Math.Ceiling(wait.TotalMilliseconds));
        if (refusal.ResetsAtSeconds is { } reset) info.Metadata["resets_at_seconds"] = Whole(reset);
        foreach ((string name, string detail) in refusal.Details ?? new Dictionary<string, string>()) info.Metadata[name] = detail;
        return new Google.Rpc.Status
        {
            Code = (int)CodeOf(refusal.Refusal),
            Message = Bounded(refusal.Message),
            Details = { Any.Pack(info) },
        };
    }

    /// <summary>An answer's header holds it, twice: what somebody sent may be longer than a header may be.</summary>
    private static string Bounded(string text) =>
        text.Length <= TextMax ? text : string.Create(CultureInfo.InvariantCulture, $"{text.AsSpan(0, TextMax)}... ({text.Length} characters)");

    private static string Whole<T>(T number)
        where T : IFormattable => number.ToString("0", CultureInfo.InvariantCulture);

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

    /// <summary>The same for what is no gRPC.</summary>
    public static int HttpCodeOf(Refusal refusal) => CodeOf(refusal) switch
    {
        Code.Unauthenticated => StatusCodes.Status401Unauthorized,
        Code.PermissionDenied => StatusCodes.Status403Forbidden,
        Code.ResourceExhausted => StatusCodes.Status429TooManyRequests,
        _ => StatusCodes.Status400BadRequest,
    };

    private static Code CodeOf(Refusal refusal) => refusal switch
    {
        Refusal.InvalidArgument or Refusal.InvalidSignature or Refusal.AmountTooLarge or Refusal.ZeroAmount
            or Refusal.ItemIdTooLong or Refusal.IdempotencyKeyTooLong or Refusal.ZeroOwner or Refusal.ZeroSigner
            or Refusal.SameSigner or Refusal.OwnerIsContract or Refusal.DisputeWindowOutOfRange => Code.InvalidArgument,
        Refusal.UnknownChannel or Refusal.UnknownPeer or Refusal.UnknownAccessToken or Refusal.UnknownJob => Code.NotFound,
        Refusal.IdempotencyKeyReused => Code.AlreadyExists,
        Refusal.CursorUnknown or Refusal.CursorExpired => Code.OutOfRange,
        Refusal.TooManyInFlight or Refusal.BudgetReached or Refusal.RateLimited or Refusal.TooManyStreams
            or Refusal.TooManySessions or Refusal.TooManyBytes or Refusal.AccessTokenCapExceeded or Refusal.TooManyAccessTokens => Code.ResourceExhausted,
        Refusal.WrongIdentity or Refusal.AccessTokenMissing or Refusal.AccessTokenInvalid or Refusal.AccessTokenExpired
            or Refusal.AccessTokenRevoked => Code.Unauthenticated,
        Refusal.WrongSigner or Refusal.NotParty or Refusal.ScopeMissing or Refusal.AddressNotAllowed or Refusal.ChannelNotAllowed
            or Refusal.HostNotAllowed or Refusal.OriginNotAllowed or Refusal.PolicyRefused => Code.PermissionDenied,
        Refusal.PeerOffline or Refusal.ChainUnavailable or Refusal.SignerUnavailable or Refusal.NotReady
            or Refusal.Draining or Refusal.DiskLow => Code.Unavailable,
        _ => Code.FailedPrecondition,
    };
}
