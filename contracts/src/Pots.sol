// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";

/// @dev What is recorded of one side, in one slot.
struct Word {
    uint112 pot;
    uint112 sent;
    uint32 closesAt;
}

/// @title The arithmetic of two pots and two counters
library Pots {
    uint256 internal constant AMOUNT_MAX = type(uint112).max;

    /// @dev Moves what X's update adds, as far as the pots reach. With dX lowered to potX + dY, dY is below dX and
    /// covered by it: so at most one of the two is lowered, no pot falls below zero, and their sum stays.
    function advance(Word memory x, Word memory y, IPaymentChannels.Update calldata update)
        internal
        pure
        returns (bool isNew)
    {
        uint256 dX = Math.saturatingSub(update.sent, x.sent);
        uint256 dY = Math.saturatingSub(update.received, y.sent);
        isNew = dX != 0 || dY != 0;
        if (dX > x.pot + dY) dX = x.pot + dY;
        else if (dY > y.pot + dX) dY = y.pot + dX;
        move(x, y, dX, dY);
    }

    /// @dev Moves what a cooperative close adds; its counters are not below the recorded ones.
    function advanceExactly(Word memory a, Word memory b, uint256 sentA, uint256 sentB) internal pure {
        uint256 dA = sentA - a.sent;
        uint256 dB = sentB - b.sent;
        if (dA > a.pot + dB) revert IPaymentChannels.InsufficientBalance(IPaymentChannels.Side.A, dA, a.pot + dB);
        if (dB > b.pot + dA) revert IPaymentChannels.InsufficientBalance(IPaymentChannels.Side.B, dB, b.pot + dA);
        move(a, b, dA, dB);
    }

    /// @dev Moves `dX` from X to Y and `dY` from Y to X. Neither pot can end above the sum of both, which `deposit`
    /// limits, and neither counter above the total that was signed.
    function move(Word memory x, Word memory y, uint256 dX, uint256 dY) private pure {
        x.pot = narrow(x.pot + dY - dX);
        y.pot = narrow(y.pot + dX - dY);
        x.sent = narrow(x.sent + dX);
        y.sent = narrow(y.sent + dY);
    }

    function isBlank(Word memory word) internal pure returns (bool) {
        return word.pot == 0 && word.sent == 0 && word.closesAt == 0;
    }

    function requireFits(uint256 amount) internal pure {
        if (amount > AMOUNT_MAX) revert IPaymentChannels.AmountTooLarge(amount, AMOUNT_MAX);
    }

    /// @dev Every caller has shown that `amount` is at most `AMOUNT_MAX`.
    function narrow(uint256 amount) internal pure returns (uint112) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint112(amount);
    }
}
