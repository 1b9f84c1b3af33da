// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";

/// @title Calls of receivers and tokens that may be hostile
library Transfers {
    /// @dev The token that stands for ether.
    address internal constant ETHER = address(0);

    /// @dev This contract's balance, if the token can tell it. Copies one word of the answer.
    function tryBalance(address token) internal view returns (bool known, uint256 held) {
        bytes memory data = abi.encodeCall(IERC20.balanceOf, (address(this)));
        assembly ("memory-safe") {
            known := staticcall(gas(), token, add(data, 0x20), mload(data), 0, 0x20)
            known := and(known, gt(returndatasize(), 31))
            if known { held := mload(0) }
        }
    }

    /// @dev Whether the receiver or token took `amount` with at most `share` of gas. Copies at most one word of the
    /// answer, so that a long one costs nothing.
    function send(address token, address to, uint256 amount, uint256 share) internal returns (bool success) {
        if (token == ETHER) {
            assembly ("memory-safe") {
                success := call(share, to, amount, 0, 0, 0, 0)
            }
            return success;
        }
        bytes memory data = abi.encodeCall(IERC20.transfer, (to, amount));
        assembly ("memory-safe") {
            success := call(share, token, 0, add(data, 0x20), mload(data), 0, 0x20)
            let saidTrue := and(gt(returndatasize(), 31), eq(mload(0), 1))
            let saidNothing := and(iszero(returndatasize()), gt(extcodesize(token), 0))
            success := and(success, or(saidTrue, saidNothing))
        }
    }

    /// @dev Asks for the allowance that `owner` has signed. A permit that somebody has already used is no failure:
    /// whether the allowance is there, the transfer shows.
    function permit(address token, address owner, uint256 amount, IPaymentChannels.Permit calldata permit_) internal {
        bytes memory data = abi.encodeCall(
            IERC20Permit.permit, (owner, address(this), amount, permit_.deadline, permit_.v, permit_.r, permit_.s)
        );
        assembly ("memory-safe") {
            pop(call(gas(), token, 0, add(data, 0x20), mload(data), 0, 0))
        }
    }

    /// @dev Whether the token took the authorization. It lets only this contract, its receiver, use it.
    function receiveWithAuthorization(
        address token,
        uint256 amount,
        bytes32 nonce,
        IPaymentChannels.Authorization calldata authorization
    ) internal returns (bool success) {
        bytes memory data = abi.encodeCall(
            IERC3009.receiveWithAuthorization,
            (
                authorization.from,
                address(this),
                amount,
                authorization.validAfter,
                authorization.validBefore,
                nonce,
                authorization.v,
                authorization.r,
                authorization.s
            )
        );
        assembly ("memory-safe") {
            success := call(gas(), token, 0, add(data, 0x20), mload(data), 0, 0)
        }
    }
}
