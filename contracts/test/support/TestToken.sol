// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A token for tests and demonstrations
/// @notice Anyone may mint any amount: worth nothing.
contract TestToken is ERC20 {
    uint8 private immutable DECIMALS;

    /// @param decimals_ 18 as most tokens, 6 as most stablecoins.
    constructor(string memory name_, string memory symbol_, uint8 decimals_) ERC20(name_, symbol_) {
        DECIMALS = decimals_;
    }

    /// @notice Creates `amount` of the smallest unit for `to`.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @inheritdoc ERC20
    function decimals() public view virtual override returns (uint8) {
        return DECIMALS;
    }
}
