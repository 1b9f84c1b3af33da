// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {Pots, Word} from "../src/Pots.sol";

/// @title The steps of a channel as plain numbers, for the solver
/// @dev Each function is a step from any state that is valid, with any arguments: the solver shows that what is
/// asserted holds after it. A channel begins with nothing, which is valid: so it holds after any number of steps.
/// `script/prove.mjs` runs it. What an update moves (`covered`, `excess`) and how words change (`move`) are the
/// contract's own functions. The solver does not understand masks and shifts: what reads a word is not proven here.
contract Steps {
    uint256 private constant MAX = type(uint112).max;

    /// @dev An update of X is presented, whatever it says. Value moves, and none comes or goes; counters rise, at most
    /// to what was signed; what is not recorded was not covered, and of the two totals at most one.
    function present(uint256 potX, uint256 sentX, uint256 potY, uint256 sentY, uint256 sent, uint256 received)
        external
        pure
    {
        requireValid(potX, sentX, potY, sentY);
        require(sent <= MAX && received <= MAX);

        (uint256 dX, uint256 dY) = Pots.covered(potX, potY, Pots.excess(sent, sentX), Pots.excess(received, sentY));

        assert(dX <= potX + dY && dY <= potY + dX);
        uint256 nextX = potX + dY - dX;
        uint256 nextY = potY + dX - dY;
        assert(nextX + nextY == potX + potY);
        assert(nextX + sentX + dX == potX + sentX + dY);
        assert(sentX + dX <= MAX && sentY + dY <= MAX);
        bool allX = sentX + dX == (sent > sentX ? sent : sentX);
        bool allY = sentY + dY == (received > sentY ? received : sentY);
        assert(allX || nextX == 0);
        assert(allY || nextY == 0);
        assert(allX || allY);
    }

    /// @dev The same update again moves nothing. What is left of it is as `present` shows: of a total that is not all
    /// recorded, the pot is empty, and the other total is recorded.
    function presentAgain(uint256 potX, uint256 potY, uint256 restX, uint256 restY) external pure {
        require(potX <= MAX && potY <= MAX && restX <= MAX && restY <= MAX);
        require(restX == 0 || potX == 0);
        require(restY == 0 || potY == 0);
        require(restX == 0 || restY == 0);

        (uint256 dX, uint256 dY) = Pots.covered(potX, potY, restX, restY);

        assert(dX == 0 && dY == 0);
    }

    /// @dev A newer update of X, whatever came before, never leaves Y with less than an older one would have: an update
    /// with higher totals, of which `received` is what Y sent, brings at least what was newly sent and is covered.
    function presentNewer(uint256 potX, uint256 potY, uint256 dX, uint256 dY, uint256 more) external pure {
        require(potX <= MAX && potY <= MAX && potX + potY <= MAX && dX <= MAX && dY <= MAX && more <= MAX);

        (uint256 olderX, uint256 olderY) = Pots.covered(potX, potY, dX, dY);
        (uint256 newerX, uint256 newerY) = Pots.covered(potX, potY, dX + more, dY);

        assert(potY + newerX - newerY >= potY + olderX - olderY);
    }

    /// @dev Two pots that were filled by deposits fit one word together, wherever value moves between them.
    function deposit(uint256 potX, uint256 potY, uint256 amount) external pure {
        require(potX <= Pots.DEPOSIT_MAX && potY <= Pots.DEPOSIT_MAX && amount <= type(uint128).max);
        require(potX + amount <= Pots.DEPOSIT_MAX);

        assert(potX + amount + potY <= MAX);
    }

    /// @dev A claim pays from A's pot what it adds to A's counter, which ends at most at what was signed.
    function claim(uint256 pot, uint256 sent, uint256 total) external pure {
        require(pot <= MAX && sent <= MAX && total <= MAX && total >= sent);

        uint256 paid = total - sent;
        if (paid > pot) paid = pot;
        Word next = moved(wordOf(pot, sent, 0), wordOf(0, 0, 0), paid, 0);

        assert(Word.unwrap(next) == Word.unwrap(wordOf(pot - paid, sent + paid, 0)));
        assert(sent + paid <= total);
    }

    /// @dev Words change field by field: no sum runs over from one into the next, nor over the end.
    function moveWords(uint256 potX, uint256 sentX, uint256 closesAt, uint256 potY, uint256 dX, uint256 dY)
        external
        pure
    {
        require(potX <= MAX && potY <= MAX && potX + potY <= MAX && closesAt < 2 ** 32);
        require(sentX + dX <= MAX && dX <= MAX && dY <= MAX);
        require(dX <= potX + dY && dY <= potY + dX);

        Word next = moved(wordOf(potX, sentX, closesAt), wordOf(potY, 0, 0), dX, dY);

        assert(Word.unwrap(next) == Word.unwrap(wordOf(potX + dY - dX, sentX + dX, closesAt)));
    }

    function moved(Word x, Word y, uint256 dX, uint256 dY) private pure returns (Word next) {
        (next,) = Pots.move(x, y, dX, dY);
    }

    function wordOf(uint256 pot, uint256 sent, uint256 closesAt) private pure returns (Word) {
        return Word.wrap(closesAt * 2 ** 224 + sent * 2 ** 112 + pot);
    }

    function requireValid(uint256 potX, uint256 sentX, uint256 potY, uint256 sentY) private pure {
        require(potX <= MAX && potY <= MAX && potX + potY <= MAX);
        require(sentX <= MAX && sentY <= MAX);
    }
}
