// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "../support/ChannelTest.sol";
import {BlacklistToken, GreedyReceiver, GreedyToken, HostileReceiver, HostileToken} from "../support/Hostile.sol";

/// @dev Adversaries who are paid and will not have it, and callers who help them.
contract PayoutsTest is ChannelTest {
    HostileReceiver.Mode[5] internal modes = [
        HostileReceiver.Mode.Refuse,
        HostileReceiver.Mode.BurnGas,
        HostileReceiver.Mode.RevertMuch,
        HostileReceiver.Mode.ReturnMegabyte,
        HostileReceiver.Mode.Consume
    ];

    /// @dev By settle, close and claim: the other side has its money, the rest waits, and it costs the caller little.
    function test_Adversary02_ReceiverWhoCannotBePaidBlocksNobody() public {
        for (uint256 i = 0; i < modes.length; ++i) {
            HostileReceiver hostile = new HostileReceiver();
            hostile.set(modes[i]);
            IPaymentChannels.Channel memory channel = duplex();
            (channel.ownerA, channel.salt) = (address(hostile), bytes32(i));
            vm.deal(ownerB, 0);

            closing(channel, 10, 20);
            vm.warp(closesAt(channel));
            channels.settle{gas: 220_000}(channel);
            vm.assertEq(ownerB.balance, 20);
            vm.assertEq(channels.creditOf(address(hostile), address(0)), 10);

            close(funded(channel, 10, 20), 1, 0);
            vm.assertEq(ownerB.balance, 41);
            vm.assertEq(channels.creditOf(address(hostile), address(0)), 19);

            channel = oneWay();
            (channel.ownerB, channel.salt) = (address(hostile), bytes32(i));
            claim(funded(channel, 10, 0), 4);
            vm.assertEq(channels.creditOf(address(hostile), address(0)), 23);
            close(channel, 5, 0);
            vm.assertEq(channels.creditOf(address(hostile), address(0)), 24);
        }
    }

    /// @dev Its long answer is not copied: the caller pays for its share of gas and no more.
    function test_Adversary02_LongAnswersAreNotCopied() public {
        uint256 plain = costOfSettling(HostileReceiver.Mode.Accept, "a");
        vm.assertLe(costOfSettling(HostileReceiver.Mode.ReturnMuch, "b"), plain + 12_000, "returned");
        vm.assertLe(costOfSettling(HostileReceiver.Mode.BurnGas, "c"), plain + 80_000, "burnt");
    }

    function test_Adversary02_FrozenOwnerIsCreditedAndTheOtherPaid() public {
        BlacklistToken frozen = new BlacklistToken();
        IPaymentChannels.Channel memory channel = duplex();
        channel.token = address(frozen);
        closing(channel, 10, 20);
        frozen.freeze(ownerA, true);
        settle(channel);
        vm.assertEq(frozen.balanceOf(ownerB), 20);
        vm.assertEq(channels.creditOf(ownerA, address(frozen)), 10);

        vm.expectPartialRevert(IPaymentChannels.TransferFailed.selector);
        vm.prank(ownerA);
        channels.withdrawCredit(address(frozen));
        frozen.freeze(ownerA, false);
        vm.prank(ownerA);
        channels.withdrawCredit(address(frozen));
        vm.assertEq(frozen.balanceOf(ownerA), 10);
    }

    /// @dev Receivers that need nearly all of their share: with whatever gas, they are paid or nothing happens.
    function test_Adversary02_CallerCannotForceACreditByGivingLittleGas() public {
        for (uint256 i = 0; i < 4; ++i) {
            IPaymentChannels.Channel memory channel = i < 2 ? duplex() : oneWay();
            if (i % 2 == 1) channel.token = address(new GreedyToken());
            else (channel.ownerA, channel.ownerB) = (address(new GreedyReceiver()), address(new GreedyReceiver()));
            closing(channel, 10, i < 2 ? 10 : 0);
            IPaymentChannels.ClaimRow[] memory all = rows(rowOf(channel, 4));
            vm.warp(closesAt(channel));
            bytes memory call = i < 2
                ? abi.encodeCall(channels.settle, (channel))
                : abi.encodeCall(channels.claim, (payeeOf(channel), all));
            uint256 paid = 0;
            for (uint256 gas_ = 40_000; gas_ < 420_000; gas_ += 1117) {
                uint256 snapshot = vm.snapshotState();
                (bool success,) = address(channels).call{gas: gas_}(call);
                if (success) ++paid;
                uint256 credit = channels.creditOf(channel.ownerA, channel.token);
                vm.assertEq(credit + channels.creditOf(channel.ownerB, channel.token), 0, "forced");
                vm.revertToState(snapshot);
            }
            vm.assertGe(paid, 10, "never paid");
        }
    }

    function costOfSettling(HostileReceiver.Mode mode, bytes32 salt) private returns (uint256) {
        HostileReceiver hostile = new HostileReceiver();
        hostile.set(mode);
        vm.deal(address(hostile), 1);
        vm.deal(ownerB, 1);
        IPaymentChannels.Channel memory channel = duplex();
        (channel.ownerA, channel.salt) = (address(hostile), salt);
        closing(channel, 10, 20);
        vm.warp(closesAt(channel));
        uint256 before = gasleft();
        channels.settle(channel);
        return before - gasleft();
    }
}
