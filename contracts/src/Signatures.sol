// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title Which bytes count as a signature
library Signatures {
    /// @dev The signer, or zero if the signature is malformed: anything but 65 bytes (r, s, v with v 27 or 28) or 64
    /// bytes (EIP-2098), an s in the upper half, or numbers that are no key's signature. The address is never called.
    function tryRecover(bytes32 digest, bytes calldata signature) internal pure returns (address signer) {
        if (signature.length == 65) {
            (signer,,) = ECDSA.tryRecoverCalldata(digest, signature);
        } else if (signature.length == 64) {
            signer = tryRecover(digest, bytes32(signature[:32]), bytes32(signature[32:]));
        }
    }

    /// @dev The same for 64 bytes, as EIP-2098 names their halves.
    function tryRecover(bytes32 digest, bytes32 r, bytes32 vs) internal pure returns (address signer) {
        (signer,,) = ECDSA.tryRecover(digest, r, vs);
    }
}
