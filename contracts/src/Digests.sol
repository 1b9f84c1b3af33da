// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";

/// @title The EIP-712 digests of all messages
/// @dev Terms are hashed as they lie in calldata, unchecked: dirty upper bits give the id of no channel, since
/// `deposit` refuses them and every other function needs a channel that was deposited to.
library Digests {
    bytes32 private constant CHANNEL_TYPEHASH = keccak256(
        "Channel(address ownerA,address signerA,address ownerB,address signerB,address token,uint32 disputeWindow,bool oneWay,bytes32 salt)"
    );
    bytes32 private constant BALANCE_UPDATE_TYPEHASH =
        keccak256("BalanceUpdate(bytes32 channelId,uint128 sent,uint128 received)");
    bytes32 private constant CONSENT_TYPEHASH = keccak256("Consent(bytes32 channelId,uint128 sent,uint128 received)");
    bytes32 private constant CLOSE_TYPEHASH =
        keccak256("Close(bytes32 channelId,uint128 sentA,uint128 sentB,uint64 deadline)");

    function ofChannel(bytes32 domain, IPaymentChannels.Channel calldata channel) internal pure returns (bytes32) {
        bytes32 typeHash = CHANNEL_TYPEHASH;
        bytes32 structHash;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            calldatacopy(add(free, 0x20), channel, 0x100)
            structHash := keccak256(free, 0x120)
        }
        return MessageHashUtils.toTypedDataHash(domain, structHash);
    }

    /// @dev The same id as `ofChannel`'s, from the terms of a one-way channel as a claim gives them.
    function ofClaimedChannel(
        bytes32 domain,
        IPaymentChannels.Payee calldata payee,
        IPaymentChannels.ClaimRow calldata row
    ) internal pure returns (bytes32) {
        bytes32 typeHash = CHANNEL_TYPEHASH;
        bytes32 structHash;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            calldatacopy(add(free, 0x20), row, 0x40) // ownerA, signerA
            calldatacopy(add(free, 0x60), payee, 0x80) // ownerB, signerB, token, disputeWindow
            mstore(add(free, 0xe0), 1) // oneWay
            calldatacopy(add(free, 0x100), add(row, 0x40), 0x20) // salt
            structHash := keccak256(free, 0x120)
        }
        return MessageHashUtils.toTypedDataHash(domain, structHash);
    }

    function ofUpdate(bytes32 domain, bytes32 id, uint256 sent, uint256 received) internal pure returns (bytes32) {
        return
            MessageHashUtils.toTypedDataHash(domain, keccak256(abi.encode(BALANCE_UPDATE_TYPEHASH, id, sent, received)));
    }

    function ofConsent(bytes32 domain, bytes32 id, uint256 sent, uint256 received) internal pure returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(domain, keccak256(abi.encode(CONSENT_TYPEHASH, id, sent, received)));
    }

    function ofClose(bytes32 domain, bytes32 id, uint256 sentA, uint256 sentB, uint256 deadline)
        internal
        pure
        returns (bytes32)
    {
        return
            MessageHashUtils.toTypedDataHash(domain, keccak256(abi.encode(CLOSE_TYPEHASH, id, sentA, sentB, deadline)));
    }
}
