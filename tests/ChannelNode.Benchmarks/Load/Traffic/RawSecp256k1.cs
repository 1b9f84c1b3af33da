using System.Runtime.InteropServices;

namespace ChannelNode.Benchmarks.Load.Traffic;

/// <summary>The distribution's libsecp256k1 without anything of the node's in between.</summary>
internal static unsafe partial class RawSecp256k1
{
    private const string Library = "libsecp256k1.so.1";
    private const uint ContextNone = 1;

    public static readonly nint Context = ContextCreate(ContextNone);

    [LibraryImport(Library, EntryPoint = "secp256k1_context_create")]
    public static partial nint ContextCreate(uint flags);

    [LibraryImport(Library, EntryPoint = "secp256k1_ec_seckey_verify")]
    public static partial int SeckeyVerify(nint context, byte* key32);

    [LibraryImport(Library, EntryPoint = "secp256k1_ec_pubkey_create")]
    public static partial int PubkeyCreate(nint context, byte* publicKey, byte* key32);

    [LibraryImport(Library, EntryPoint = "secp256k1_ec_pubkey_serialize")]
    public static partial int PubkeySerialize(nint context, byte* output, nuint* size, byte* publicKey, uint flags);

    [LibraryImport(Library, EntryPoint = "secp256k1_ecdsa_signature_parse_compact")]
    public static partial int ParseCompact(nint context, byte* signature, byte* compact64);

    [LibraryImport(Library, EntryPoint = "secp256k1_ecdsa_verify")]
    public static partial int Verify(nint context, byte* signature, byte* digest32, byte* publicKey);

    /// <summary>key = key + tweak, modulo the group's order.</summary>
    [LibraryImport(Library, EntryPoint = "secp256k1_ec_seckey_tweak_add")]
    public static partial int TweakAdd(nint context, byte* key32, byte* tweak32);

    /// <summary>key = key * tweak, modulo the group's order.</summary>
    [LibraryImport(Library, EntryPoint = "secp256k1_ec_seckey_tweak_mul")]
    public static partial int TweakMul(nint context, byte* key32, byte* tweak32);

    [LibraryImport(Library, EntryPoint = "secp256k1_ec_seckey_negate")]
    public static partial int Negate(nint context, byte* key32);
}
