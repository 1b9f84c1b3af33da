using System.Runtime.InteropServices;

namespace ChannelNode.Signing;

internal static unsafe partial class Secp256k1
{
    /// <summary>secp256k1.h and secp256k1_recovery.h. Signatures (64 or 65 bytes) and keys (64) are opaque there.</summary>
    private static unsafe partial class Native
    {
        public const uint ContextNone = 1;
        public const uint Uncompressed = 2;

        // The distribution's name, with its ABI version: a future incompatible one is not taken for this.
        private const string Library = "libsecp256k1.so.1";

        [LibraryImport(Library, EntryPoint = "secp256k1_context_create")]
        public static partial nint ContextCreate(uint flags);

        [LibraryImport(Library, EntryPoint = "secp256k1_context_randomize")]
        public static partial int ContextRandomize(nint context, byte* seed32);

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

        [LibraryImport(Library, EntryPoint = "secp256k1_ecdsa_sign_recoverable")]
        public static partial int SignRecoverable(nint context, byte* signature, byte* digest32, byte* key32, nint nonce, nint data);

        [LibraryImport(Library, EntryPoint = "secp256k1_ecdsa_recoverable_signature_serialize_compact")]
        public static partial int SerializeRecoverable(nint context, byte* compact64, int* recoveryId, byte* signature);

        [LibraryImport(Library, EntryPoint = "secp256k1_ecdsa_recoverable_signature_parse_compact")]
        public static partial int ParseRecoverable(nint context, byte* signature, byte* compact64, int recoveryId);

        [LibraryImport(Library, EntryPoint = "secp256k1_ecdsa_recover")]
        public static partial int Recover(nint context, byte* publicKey, byte* signature, byte* digest32);
    }
}
