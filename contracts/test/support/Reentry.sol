// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

import {GaslessToken} from "./GaslessToken.sol";

/// @title A token that tells senders before it moves their money and receivers after, as ERC-777 does
/// @dev Also whoever permits. Whoever wants to be told registers; an answer that reverts reverts the transfer.
contract HookToken is GaslessToken {
    mapping(address account => Reenterer) private _hooks;

    constructor() GaslessToken("Hooks", "HOOK", 18) {}

    function tell(address account, Reenterer hook) external {
        _hooks[account] = hook;
    }

    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        public
        override(ERC20Permit)
    {
        _call(owner);
        super.permit(owner, spender, value, deadline, v, r, s);
    }

    function _update(address from, address to, uint256 amount) internal override(ERC20) {
        _call(from);
        super._update(from, to, amount);
        _call(to);
    }

    function _call(address account) private {
        if (address(_hooks[account]) != address(0)) _hooks[account].onMoney();
    }
}

/// @title An owner that calls back whenever money comes or goes
contract Reenterer {
    event CallingBack();
    event CalledBack(bool success);

    address private immutable TARGET;
    bytes private _call;
    uint256 private _value;
    // In one slot, which is written before the money comes: an ether payout leaves no gas for a new one.
    bool private _armed;
    bool public refusing;
    uint64 public reached;
    uint64 public succeeded;

    constructor(address target) {
        TARGET = target;
    }

    /// @dev Calls back once, with this call.
    function arm(bytes calldata call_, uint256 value) external {
        (_call, _value, _armed) = (call_, value, true);
    }

    function refuse(bool refusing_) external {
        refusing = refusing_;
    }

    /// @dev Lets a test act as this owner.
    function act(bytes calldata call_, uint256 value) external returns (bool success) {
        (success,) = TARGET.call{value: value}(call_);
    }

    function approve(HookToken token) external {
        token.approve(TARGET, type(uint256).max);
    }

    function onMoney() public {
        if (refusing) revert("refused");
        if (!_armed) return;
        _armed = false;
        ++reached;
        emit CallingBack();
        (bool success,) = TARGET.call{value: _value}(_call);
        if (success) ++succeeded;
        emit CalledBack(success);
    }

    receive() external payable {
        onMoney();
    }
}
