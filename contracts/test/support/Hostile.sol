// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {TestToken} from "./TestToken.sol";

/// @title An owner that takes ether as it likes
contract HostileReceiver {
    enum Mode {
        Accept,
        Refuse,
        BurnGas,
        ReturnMuch,
        RevertMuch,
        CallBack,
        ReturnMegabyte,
        Consume
    }

    Mode public mode;
    address private _target;
    bytes private _call;
    bool public calledBack;

    function set(Mode mode_) external {
        mode = mode_;
    }

    /// @dev Makes this call when it is paid, and keeps whether it went through.
    function callBackWith(address target, bytes calldata data) external {
        (mode, _target, _call) = (Mode.CallBack, target, data);
    }

    /// @dev Lets a test act as this owner.
    function act(address target, bytes calldata data) external returns (bool success, bytes memory result) {
        return target.call(data);
    }

    receive() external payable {
        if (mode == Mode.Refuse) revert("refused");
        if (mode == Mode.BurnGas) while (true) {}
        if (mode == Mode.ReturnMuch) {
            assembly {
                return(0, 50000)
            }
        }
        if (mode == Mode.RevertMuch) {
            assembly {
                revert(0, 50000)
            }
        }
        if (mode == Mode.ReturnMegabyte) {
            assembly {
                return(0, 1000000)
            }
        }
        if (mode == Mode.Consume) {
            assembly {
                invalid()
            }
        }
        if (mode == Mode.CallBack) (calledBack,) = _target.call(_call);
    }
}

/// @dev Looks how much gas it got, and cheaply refuses anything below its full share: 50,000 and the stipend.
contract GreedyReceiver {
    receive() external payable {
        if (gasleft() < 52_000) revert("too little gas");
    }
}

/// @title A token that answers any call with nothing, as wrapped ether does, and moves nothing
contract SilentFallbackToken {
    function balanceOf(address) external pure returns (uint256) {
        return 0;
    }

    fallback() external {}
}

/// @title A token that keeps to no rule
contract HostileToken is TestToken {
    enum Mode {
        Honest,
        TakeFee,
        SayFalse,
        SayNothing,
        SayTwo,
        Refuse,
        BurnGas,
        RevertMuch,
        CallBack,
        HideBalance,
        GiveMore,
        SayShort,
        MoveNothing,
        CallBackOnPermit
    }

    Mode public mode;
    address private _target;
    bytes private _call;
    bool public calledBack;

    constructor() TestToken("Hostile", "HOST", 18) {}

    function set(Mode mode_) external {
        mode = mode_;
    }

    /// @dev Makes this call before it moves anything, once.
    function callBackWith(address target, bytes calldata data) external {
        (mode, _target, _call) = (Mode.CallBack, target, data);
    }

    function callBackOnPermit(address target, bytes calldata data) external {
        (mode, _target, _call) = (Mode.CallBackOnPermit, target, data);
    }

    function permit(address, address, uint256, uint256, uint8, bytes32, bytes32) external {
        if (mode != Mode.CallBackOnPermit) return;
        mode = Mode.Honest;
        (calledBack,) = _target.call(_call);
    }

    function burn(address from, uint256 amount) external {
        _burn(from, amount);
    }

    function transfer(address to, uint256 amount) public virtual override returns (bool) {
        return _answer(_behave() && super.transfer(to, amount));
    }

    /// @dev With a call to make it moves nothing itself.
    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (mode == Mode.CallBack) return _behave();
        if (mode == Mode.MoveNothing) return true;
        bool moved = _behave() && super.transferFrom(from, to, amount);
        if (mode == Mode.TakeFee) _burn(to, 1);
        if (mode == Mode.GiveMore) _mint(to, 1);
        return _answer(moved);
    }

    function balanceOf(address account) public view override returns (uint256) {
        if (mode == Mode.HideBalance) revert("hidden");
        return super.balanceOf(account);
    }

    function _behave() private returns (bool) {
        if (mode == Mode.SayFalse) return false;
        if (mode == Mode.Refuse) revert("refused");
        if (mode == Mode.BurnGas) while (true) {}
        if (mode == Mode.RevertMuch) {
            assembly {
                revert(0, 50000)
            }
        }
        if (mode == Mode.CallBack) {
            mode = Mode.Honest;
            (calledBack,) = _target.call(_call);
        }
        return true;
    }

    function _answer(bool moved) private view returns (bool) {
        if (mode == Mode.SayNothing) {
            assembly {
                return(0, 0)
            }
        }
        if (mode == Mode.SayShort) {
            assembly {
                mstore(0, not(0))
                return(0, 31)
            }
        }
        if (mode == Mode.SayTwo) {
            assembly {
                mstore(0, 2)
                return(0, 32)
            }
        }
        return moved;
    }
}

/// @dev As the greedy receiver; the full share is 200,000 unless more is needed.
contract GreedyToken is HostileToken {
    uint256 private _need = 199_000;

    function need(uint256 gas_) external {
        _need = gas_;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (gasleft() < _need) revert("too little gas");
        return super.transfer(to, amount);
    }
}

/// @title A token whose issuer can freeze accounts
contract BlacklistToken is TestToken {
    mapping(address account => bool) private _frozen;

    constructor() TestToken("Freezable", "FRZ", 6) {}

    function freeze(address account, bool frozen) external {
        _frozen[account] = frozen;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (_frozen[from] || _frozen[to]) revert("frozen");
        super._update(from, to, amount);
    }
}
