// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";

/// @title Which terms a channel may have, and who its parties are
library Terms {
    uint32 internal constant MIN_DISPUTE_WINDOW = 10 seconds;
    uint32 internal constant MAX_DISPUTE_WINDOW = 30 days;

    /// @dev Asked at each deposit, and only there: without one there is no channel.
    function requireValid(IPaymentChannels.Channel calldata channel) internal view {
        _requireValidOwner(channel.ownerA, IPaymentChannels.Side.A);
        _requireValidOwner(channel.ownerB, IPaymentChannels.Side.B);
        if (channel.signerA == address(0)) revert IPaymentChannels.ZeroSigner(IPaymentChannels.Side.A);
        if (channel.signerB == address(0)) revert IPaymentChannels.ZeroSigner(IPaymentChannels.Side.B);
        if (channel.signerA == channel.signerB) revert IPaymentChannels.SameSigner(channel.signerA);
        uint32 window = channel.disputeWindow;
        if (window < MIN_DISPUTE_WINDOW || window > MAX_DISPUTE_WINDOW) {
            revert IPaymentChannels.DisputeWindowOutOfRange(window, MIN_DISPUTE_WINDOW, MAX_DISPUTE_WINDOW);
        }
    }

    function requireParty(IPaymentChannels.Channel calldata channel) internal view {
        if (isCaller(channel.ownerA, channel.signerA) || isCaller(channel.ownerB, channel.signerB)) return;
        revert IPaymentChannels.NotParty(msg.sender);
    }

    /// @dev Whether the caller is the party of `owner` and `signer`.
    function isCaller(address owner, address signer) internal view returns (bool) {
        return msg.sender == owner || msg.sender == signer;
    }

    /// @dev When a window that begins now ends.
    function closingTime(IPaymentChannels.Channel calldata channel) internal view returns (uint256 closesAt) {
        closesAt = block.timestamp + channel.disputeWindow;
        if (closesAt > type(uint32).max) revert IPaymentChannels.AmountTooLarge(closesAt, type(uint32).max);
    }

    function _requireValidOwner(address owner, IPaymentChannels.Side side) private view {
        if (owner == address(0)) revert IPaymentChannels.ZeroOwner(side);
        if (owner == address(this)) revert IPaymentChannels.OwnerIsContract(side);
    }
}
