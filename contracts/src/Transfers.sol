// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";

/// @title Calls of receivers and tokens that may be hostile
library Transfers {
    /// @dev The token that stands for ether.
    address internal constant ETHER = address(0);

    /// @dev This contract's balance; what cannot tell it cannot be transferred.
    function balance(address token, uint256 amount) internal view returns (uint256) {
        (bool success, bytes memory answer) = token.staticcall(abi.encodeCall(IERC20.balanceOf, (address(this))));
        if (!success || answer.length < 32) {
            revert IPaymentChannels.TransferFailed(token, msg.sender, address(this), amount);
        }
        return abi.decode(answer, (uint256));
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
}
