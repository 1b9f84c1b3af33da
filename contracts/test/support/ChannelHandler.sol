// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "./ChannelTest.sol";
import {HostileReceiver} from "./Hostile.sol";
import {TestToken} from "./TestToken.sol";

/// @title Plays the parties of several channels, honest or not, and watches the counters
/// @dev Every action is one that must succeed: what cannot is left out beforehand, and a revert fails the run.
contract ChannelHandler is ChannelTest {
    uint256 public constant CHANNELS = 5;

    HostileReceiver public immutable REFUSER;
    uint128[2][CHANNELS] private _highest;

    constructor(IPaymentChannels channels_, TestToken token_) {
        (channels, token) = (channels_, token_);
        REFUSER = new HostileReceiver();
        REFUSER.set(HostileReceiver.Mode.Refuse);
    }

    function setUp() public override {}

    /// @dev Duplex and one-way, in ether and in a token. Side A refuses to be paid in the duplex ones in ether.
    function channelAt(uint256 i) public view returns (IPaymentChannels.Channel memory channel) {
        channel = i % 2 == 0 ? duplex() : oneWay();
        channel.salt = bytes32(i);
        if (i == 2 || i == 3) channel.token = address(token);
        if (i == 0 || i == 4) channel.ownerA = address(REFUSER);
    }

    function deposit(uint256 which, bool toB, uint128 amount) external watched {
        IPaymentChannels.Channel memory channel = pick(which);
        toB = toB && !channel.oneWay;
        (uint128 potA,, uint128 potB,, uint32 end) = state(channel);
        uint128 pot = toB ? potB : potA;
        if (end != 0 || pot >= DEPOSIT_MAX) return;
        fund(channel, toB ? B : A, boundAmount(amount, 1, DEPOSIT_MAX - pot));
    }

    function startClose(uint256 which, bool byB, bool withUpdate, uint128 sent, uint128 received) external watched {
        IPaymentChannels.Channel memory channel = pick(which);
        (uint128 potA,, uint128 potB,, uint32 end) = state(channel);
        if (end != 0 || (potA == 0 && potB == 0)) return;
        IPaymentChannels.Update memory update_ = anyUpdate(sent, received);
        bytes memory signature = "";
        if (withUpdate && !channel.oneWay) {
            signature = signUpdate(byB ? KEY_A : KEY_B, channel, update_.sent, update_.received);
        }
        vm.prank(byB ? signerB : signerA);
        channels.startClose(channel, update_, signature);
    }

    function dispute(uint256 which, bool byB, uint128 sent, uint128 received) external watched {
        IPaymentChannels.Channel memory channel = pick(which);
        (, uint128 sentA,, uint128 sentB, uint32 end) = state(channel);
        IPaymentChannels.Update memory update_ = anyUpdate(sent, received);
        (uint128 own, uint128 others) = byB ? (sentA, sentB) : (sentB, sentA);
        bool isNew = update_.sent > own || update_.received > others;
        if (channel.oneWay || end == 0 || block.timestamp >= end || !isNew) return;
        bytes memory signature = signUpdate(byB ? KEY_A : KEY_B, channel, update_.sent, update_.received);
        vm.prank(byB ? ownerB : signerA);
        channels.dispute(channel, update_, signature, "");
    }

    function settle(uint256 which) external watched {
        IPaymentChannels.Channel memory channel = pick(which);
        (,,,, uint32 end) = state(channel);
        if (end == 0) return;
        if (block.timestamp < end) vm.warp(end);
        channels.settle(channel);
    }

    function close(uint256 which, uint128 more, uint128 back) external watched {
        IPaymentChannels.Channel memory channel = pick(which);
        (uint128 potA, uint128 sentA, uint128 potB, uint128 sentB,) = state(channel);
        if (channel.oneWay) (potB, back) = (0, 0);
        else back = boundAmount(back, 0, least(potB, MAX - sentB));
        uint128 most = least(potA + back, MAX - sentA);
        if (most == 0 || (potA == 0 && potB == 0 && sentA == 0 && sentB == 0)) return;
        close(channel, sentA + boundAmount(more, 1, most), sentB + back);
    }

    function claim(uint256 which, uint128 first, uint128 second, bool bad) external watched {
        IPaymentChannels.Channel memory channel = channelAt(which % 2 == 0 ? 1 : 3);
        IPaymentChannels.ClaimRow[] memory all = new IPaymentChannels.ClaimRow[](3);
        all[0] = rowOf(channel, first);
        all[1] = rowOf(channel, bad ? second : 0);
        all[2] = rowOf(channel, boundAmount(second, 0, MAX));
        if (bad) all[1].sent = first;
        channels.claim(payeeOf(channel), all);
    }

    function withdrawCredit() external watched {
        if (channels.creditOf(address(REFUSER), address(0)) == 0) return;
        REFUSER.set(HostileReceiver.Mode.Accept);
        REFUSER.act(address(channels), abi.encodeCall(channels.withdrawCredit, (address(0))));
        REFUSER.set(HostileReceiver.Mode.Refuse);
    }

    function passTime(uint32 seconds_) external watched {
        vm.warp(block.timestamp + seconds_ % (2 * WINDOW));
    }

    /// @dev After every action no counter of any channel has fallen.
    modifier watched() {
        _;
        for (uint256 i = 0; i < CHANNELS; ++i) {
            (, uint128 sentA,, uint128 sentB,) = state(channelAt(i));
            vm.assertGe(sentA, _highest[i][0], "sentA fell");
            vm.assertGe(sentB, _highest[i][1], "sentB fell");
            _highest[i] = [sentA, sentB];
        }
    }

    function pick(uint256 which) private view returns (IPaymentChannels.Channel memory) {
        return channelAt(which % CHANNELS);
    }

    function state(IPaymentChannels.Channel memory channel)
        private
        view
        returns (uint128 potA, uint128 sentA, uint128 potB, uint128 sentB, uint32 end)
    {
        return channels.sides(channels.channelId(channel));
    }

    function anyUpdate(uint128 sent, uint128 received) private pure returns (IPaymentChannels.Update memory) {
        return update(boundAmount(sent, 0, MAX), boundAmount(received, 0, MAX));
    }

    function least(uint128 left, uint128 right) private pure returns (uint128) {
        return left < right ? left : right;
    }
}
