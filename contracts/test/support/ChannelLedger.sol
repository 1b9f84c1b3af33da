// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../src/interfaces/IPaymentChannels.sol";
import {Word} from "../../src/Pots.sol";
import {GaslessTest} from "./GaslessTest.sol";
import {HostileReceiver} from "./Hostile.sol";
import {HookToken, Reenterer} from "./Reentry.sol";
import {TestToken} from "./TestToken.sol";
import {Vm} from "./Test.sol";

/// @title The channels of the invariant tests, and what the contract's events alone tell of them
abstract contract ChannelLedger is GaslessTest {
    /// @dev In ether, a plain token and a token with hooks: a duplex and a one-way channel whose parties sign and
    /// present whatever they like, and a duplex channel whose parties sign only what they may.
    uint256 public constant CHANNELS = 9;

    struct View {
        Word a;
        Word b;
        uint256[2] deposited;
        uint256[2] paid;
    }

    /// @dev An owner that refuses ether, and one that calls back when money comes.
    HostileReceiver public immutable REFUSER;
    Reenterer public immutable REENTERER;

    bytes32[CHANNELS] private _ids;
    mapping(bytes32 id => View) private _views;
    /// @dev What the tests deposited in an asset. The rest, the reenterer deposited.
    mapping(address asset => uint256) public depositedByTests;

    constructor(IPaymentChannels channels_, TestToken token_, HookToken hooks) {
        (channels, token, gasless) = (channels_, token_, hooks);
        REFUSER = new HostileReceiver();
        REFUSER.set(HostileReceiver.Mode.Refuse);
        REENTERER = new Reenterer(address(channels_));
        hooks.tell(address(REENTERER), REENTERER);
        REENTERER.approve(hooks);
        for (uint256 i = 0; i < CHANNELS; ++i) {
            _ids[i] = channels_.channelId(channelAt(i));
        }
    }

    function channelAt(uint256 i) public view returns (IPaymentChannels.Channel memory channel) {
        channel = i % 3 == 1 ? oneWay() : duplex();
        channel.token = assetAt(i / 3);
        channel.salt = bytes32(i);
        if (i == 0) channel.ownerA = address(REFUSER);
        if (i == 6 || i == 7) channel.ownerA = address(REENTERER);
    }

    function assetAt(uint256 i) public view returns (address) {
        if (i == 0) return address(0);
        return i == 1 ? address(token) : address(gasless);
    }

    function isHonest(uint256 i) internal pure returns (bool) {
        return i % 3 == 2;
    }

    /// @dev What the events say of a channel.
    function viewOf(uint256 i) public view returns (View memory) {
        return _views[_ids[i]];
    }

    function idAt(uint256 i) public view returns (bytes32) {
        return _ids[i];
    }

    /// @dev Follows the contract as a node does: by its events in their order, and nothing else.
    function follow(Vm.Log[] memory logs) internal {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == Reenterer.CallingBack.selector) i = afterUndone(logs, i);
            if (i == logs.length) return;
            if (logs[i].emitter != address(channels)) continue;
            bytes32 topic = logs[i].topics[0];
            View storage seen = _views[logs[i].topics[1]];
            if (topic == IPaymentChannels.Deposited.selector) {
                (uint8 side, uint128 pot) = abi.decode(logs[i].data, (uint8, uint128));
                followDeposit(seen, side, pot);
            } else if (topic == IPaymentChannels.CloseStarted.selector || topic == IPaymentChannels.Disputed.selector) {
                (seen.a, seen.b) = abi.decode(logs[i].data, (Word, Word));
            } else if (topic == IPaymentChannels.Closed.selector || topic == IPaymentChannels.Settled.selector) {
                (Word a, Word b) = abi.decode(logs[i].data, (Word, Word));
                seen.paid[0] += a.pot();
                seen.paid[1] += b.pot();
                (seen.a, seen.b) = (word(0, a.sent(), 0), word(0, b.sent(), 0));
            } else if (topic == IPaymentChannels.Claimed.selector) {
                Word a = abi.decode(logs[i].data, (Word));
                seen.paid[1] += a.sent() - seen.a.sent();
                seen.a = a;
            }
        }
    }

    /// @dev Forge records events of calls that were undone, which no chain does. Those of a call back are left out if
    /// it failed, or if the payout around it did and was credited.
    function afterUndone(Vm.Log[] memory logs, uint256 begin) private view returns (uint256) {
        for (uint256 i = begin + 1; i < logs.length; ++i) {
            bytes32 topic = logs[i].topics[0];
            if (topic == Reenterer.CalledBack.selector) return abi.decode(logs[i].data, (bool)) ? begin : i;
            if (topic == IPaymentChannels.Credited.selector && logs[i].emitter == address(channels)) return i;
        }
        return logs.length;
    }

    function followDeposit(View storage seen, uint8 side, uint256 pot) private {
        Word before = side == 0 ? seen.a : seen.b;
        seen.deposited[side] += pot - before.pot();
        Word filled = word(pot, before.sent(), before.closesAt());
        if (side == 0) seen.a = filled;
        else seen.b = filled;
    }
}
