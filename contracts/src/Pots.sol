// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";

/// @dev What is recorded of one side, in one slot: | closesAt:32 | sent:112 | pot:112 |
type Word is uint256;

using Pots for Word global;

/// @title The arithmetic of two pots and two counters
library Pots {
    /// @dev The highest counter, and so the highest amount that any message may name.
    uint256 internal constant AMOUNT_MAX = type(uint112).max;

    /// @dev The highest pot that a deposit may leave. Value moves between pots only while a channel closes, and then
    /// nothing can be deposited: so two pots never hold more than two of these together, which fits one of them, and
    /// a deposit need not look at the other side's.
    uint256 internal constant DEPOSIT_MAX = type(uint112).max >> 1;

    /// @dev One of the smallest unit in a word's counter. Counters grow by its multiples rather than by shifted sums:
    /// the compiler makes the same code of it, and its model checker can prove it.
    uint256 private constant COUNTER_UNIT = 1 << 112;

    /// @dev The word of a channel that starts to close.
    function closing(Word word, uint256 closesAt_) internal pure returns (Word) {
        return Word.wrap(Word.unwrap(word) | closesAt_ << 224);
    }

    function pot(Word word) internal pure returns (uint256) {
        return Word.unwrap(word) & AMOUNT_MAX;
    }

    function sent(Word word) internal pure returns (uint256) {
        return Word.unwrap(word) >> 112 & AMOUNT_MAX;
    }

    /// @dev When the dispute window ends; 0 while the channel is open, and always in side B's word.
    function closesAt(Word word) internal pure returns (uint256) {
        return Word.unwrap(word) >> 224;
    }

    function isBlank(Word word) internal pure returns (bool) {
        return Word.unwrap(word) == 0;
    }

    /// @dev The word of a channel that is paid out and open again: only the counter stays.
    function emptied(Word word) internal pure returns (Word) {
        return Word.wrap(Word.unwrap(word) & (AMOUNT_MAX << 112));
    }

    /// @dev The word with `amount` more in its pot. An `amount` is at most 128 bits, so the sum is far from 256.
    function funded(Word word, uint256 amount) internal pure returns (Word) {
        unchecked {
            uint256 filled = word.pot() + amount;
            if (filled > DEPOSIT_MAX) revert IPaymentChannels.AmountTooLarge(filled, DEPOSIT_MAX);
            return Word.wrap(Word.unwrap(word) + amount);
        }
    }

    /// @dev Moves what X's update adds, as far as the pots reach.
    function advance(Word x, Word y, uint256 sent_, uint256 received) internal pure returns (Word, Word) {
        (uint256 dX, uint256 dY) = covered(x.pot(), y.pot(), excess(sent_, x.sent()), excess(received, y.sent()));
        return move(x, y, dX, dY);
    }

    /// @dev As much of `dX` and `dY` as the pots reach. With dX lowered to potX + dY, dY is below dX and covered by
    /// it: so at most one of the two is lowered, no pot falls below zero, and their sum stays.
    function covered(uint256 potX, uint256 potY, uint256 dX, uint256 dY) internal pure returns (uint256, uint256) {
        unchecked {
            if (dX > potX + dY) dX = potX + dY;
            else if (dY > potY + dX) dY = potY + dX;
            return (dX, dY);
        }
    }

    /// @dev Moves what a payer's update adds in a one-way channel, as far as the pot reaches; `total` is not below the
    /// counter.
    function claimed(Word a, uint256 total) internal pure returns (Word next, uint256 paid) {
        unchecked {
            paid = total - a.sent();
            if (paid > a.pot()) paid = a.pot();
        }
        (next,) = move(a, Word.wrap(0), paid, 0);
    }

    /// @dev Moves what a cooperative close adds, if the pots cover it; its counters are not below the recorded ones.
    function advanceExactly(Word a, Word b, uint256 sentA, uint256 sentB) internal pure returns (Word, Word) {
        unchecked {
            uint256 dA = sentA - a.sent();
            uint256 dB = sentB - b.sent();
            if (dA > a.pot() + dB) {
                revert IPaymentChannels.InsufficientBalance(IPaymentChannels.Side.A, dA, a.pot() + dB);
            }
            if (dB > b.pot() + dA) {
                revert IPaymentChannels.InsufficientBalance(IPaymentChannels.Side.B, dB, b.pot() + dA);
            }
            return move(a, b, dA, dB);
        }
    }

    /// @dev Moves `dX` from X to Y and `dY` from Y to X, where `dX <= potX + dY`, `dY <= potY + dX`, and neither total
    /// is above `AMOUNT_MAX`. Neither pot can then fall below zero or end above the sum of both: every field stays
    /// within its 112 bits, and the two differences are added to whole words, `closesAt` and all.
    function move(Word x, Word y, uint256 dX, uint256 dY) internal pure returns (Word nextX, Word nextY) {
        unchecked {
            nextX = Word.wrap(Word.unwrap(x) + dX * COUNTER_UNIT + dY - dX);
            nextY = Word.wrap(Word.unwrap(y) + dY * COUNTER_UNIT + dX - dY);
        }
    }

    function excess(uint256 total, uint256 recorded) internal pure returns (uint256) {
        unchecked {
            return total > recorded ? total - recorded : 0;
        }
    }

    function requireFits(uint256 amount) internal pure {
        if (amount > AMOUNT_MAX) revert IPaymentChannels.AmountTooLarge(amount, AMOUNT_MAX);
    }
}
