// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {Transfers} from "./Transfers.sol";
import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";

/// @title How money comes in and goes out
/// @dev Knows no channel. Money comes in exactly or not at all, and goes out to its owner or waits for him.
abstract contract Custody is IPaymentChannels {
    using SafeERC20 for IERC20;

    /// @dev Gas that the receiver of a payout gets: enough for a contract wallet behind a proxy, or for a token with
    /// bookkeeping of its own. What fails with it is credited instead.
    uint256 private constant ETHER_PUSH_GAS = 50_000;
    uint256 private constant TOKEN_PUSH_GAS = 200_000;

    /// @dev What a call costs beside the receiver's gas: value 9,000, new account 25,000, cold address 2,600, cold
    /// delegate of the address 2,600, and room for the instructions around it.
    uint256 private constant PUSH_OVERHEAD_GAS = 45_000;

    mapping(address owner => mapping(address token => uint256 amount)) private _credits; // slot 2

    /// @dev How many token deposits have begun in this transaction: one that begins while another is measured would
    /// be counted by both.
    uint256 private transient _pulls;

    /// @inheritdoc IPaymentChannels
    function withdrawCredit(address token) external {
        uint256 amount = _credits[msg.sender][token];
        if (amount == 0) revert NoCredit(msg.sender, token);

        _credits[msg.sender][token] = 0;

        emit CreditWithdrawn(msg.sender, token, amount);

        if (!Transfers.send(token, msg.sender, amount, gasleft())) {
            revert TransferFailed(token, address(this), msg.sender, amount);
        }
    }

    /// @inheritdoc IPaymentChannels
    function creditOf(address owner, address token) external view returns (uint256) {
        return _credits[owner][token];
    }

    /// @dev The ether that came with the call is what `amount` of `token` needs.
    function _requireValue(address token, uint256 amount) internal view {
        uint256 expected = token == Transfers.ETHER ? amount : 0;
        if (msg.value != expected) revert WrongValue(msg.value, expected);
    }

    /// @dev Takes `amount` from the caller, or reverts.
    function _pull(address token, uint256 amount) internal {
        (uint256 pull, uint256 expected) = _beginPull(token, msg.sender, amount);
        if (!IERC20(token).trySafeTransferFrom(msg.sender, address(this), amount)) {
            revert TransferFailed(token, msg.sender, address(this), amount);
        }
        _endPull(token, pull, expected);
    }

    /// @dev Takes `amount` from whoever signed the authorization, or reverts.
    function _pullAuthorized(address token, uint256 amount, bytes32 nonce, Authorization calldata authorization)
        internal
    {
        (uint256 pull, uint256 expected) = _beginPull(token, authorization.from, amount);
        if (!Transfers.receiveWithAuthorization(token, amount, nonce, authorization)) {
            revert TransferFailed(token, authorization.from, address(this), amount);
        }
        _endPull(token, pull, expected);
    }

    /// @dev Pays `amount`, or credits it if the receiver or the token refuses: one side never blocks the other.
    function _push(address token, address owner, uint256 amount) internal {
        if (amount == 0) return;
        uint256 share = token == Transfers.ETHER ? ETHER_PUSH_GAS : TOKEN_PUSH_GAS;
        // A call passes on at most 63/64 of the gas left: with less the caller could make the push fail.
        uint256 needed = share + share / 63 + PUSH_OVERHEAD_GAS;
        if (gasleft() < needed) revert GasTooLow(gasleft(), needed);
        if (Transfers.send(token, owner, amount, share)) return;

        _credits[owner][token] += amount;

        emit Credited(owner, token, amount);
    }

    /// @dev Measures what a pull of `amount` must lead to. A token that cannot tell a balance cannot be deposited; one
    /// that tells so large a balance that the sum wraps has only itself to deceive.
    function _beginPull(address token, address from, uint256 amount) private returns (uint256 pull, uint256 expected) {
        (bool known, uint256 balance) = Transfers.tryBalance(token);
        if (!known) revert TransferFailed(token, from, address(this), amount);
        unchecked {
            pull = ++_pulls;
            expected = balance + amount;
        }
    }

    function _endPull(address token, uint256 pull, uint256 expected) private view {
        (bool known, uint256 balance) = Transfers.tryBalance(token);
        if (!known || balance != expected || pull != _pulls) revert TokenTransferMismatch(balance, expected);
    }
}
