// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";

import {TestToken} from "./TestToken.sol";

/// @title A test token whose owners can also allow (EIP-2612) and pay (EIP-3009) by signature
/// @notice Its EIP-712 domain has the token's name and version "1".
contract GaslessToken is TestToken, ERC20Permit, ERC3009 {
    constructor(string memory name_, string memory symbol_, uint8 decimals_)
        TestToken(name_, symbol_, decimals_)
        ERC20Permit(name_)
    {}

    /// @inheritdoc TestToken
    function decimals() public view override(TestToken, ERC20) returns (uint8) {
        return super.decimals();
    }
}
