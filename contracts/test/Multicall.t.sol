// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {GaslessTest} from "./support/GaslessTest.sol";

contract MulticallTest is GaslessTest {
    function test_Multicall_KeepsTheCaller() public {
        IPaymentChannels.Channel memory channel = funded(inToken(duplex()), 100, 50);
        bytes memory byB = signClose(KEY_B, channel, 30, 10, DEADLINE);
        token.mint(ownerA, 7);
        vm.prank(ownerA);
        token.approve(address(channels), 7);

        bytes[] memory calls = new bytes[](3);
        calls[0] = abi.encodeCall(channels.close, (channel, 30, 10, DEADLINE, "", byB));
        calls[1] = abi.encodeCall(channels.deposit, (channel, A, 7));
        calls[2] = abi.encodeCall(channels.startClose, (channel, update(0, 0), ""));
        vm.prank(ownerA);
        channels.multicall(calls);

        assertSides(channel, 7, 30, 0, 10);
        vm.assertEq(closesAt(channel), block.timestamp + WINDOW);
        vm.assertEq(token.balanceOf(ownerA), 80);
    }

    function test_Multicall_ReturnsWhatEachReturns() public {
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(channels.channelId, (duplex()));
        calls[1] = abi.encodeCall(channels.MIN_DISPUTE_WINDOW, ());
        bytes[] memory results = channels.multicall(calls);
        vm.assertEq(abi.decode(results[0], (bytes32)), channels.channelId(duplex()));
        vm.assertEq(abi.decode(results[1], (uint256)), 10);
    }

    /// @dev Several deposits in one transaction are not mistaken for one inside another.
    function test_Multicall_OfAllTokenDeposits() public {
        IPaymentChannels.Channel memory channel = inGasless(duplex());
        IPaymentChannels.Deposit[] memory many = new IPaymentChannels.Deposit[](2);
        many[0] = IPaymentChannels.Deposit({channel: channel, side: A, amount: 1});
        many[1] = IPaymentChannels.Deposit({channel: channel, side: B, amount: 2});
        bytes[] memory calls = new bytes[](5);
        calls[0] = abi.encodeCall(channels.depositWithPermit, (channel, A, 10, signPermit(1000, FOREVER)));
        calls[1] =
            abi.encodeCall(channels.depositWithAuthorization, (channel, B, 20, authorize(channel, B, 20, "salt")));
        calls[2] = abi.encodeCall(channels.deposit, (channel, A, 40));
        calls[3] = abi.encodeCall(channels.depositMany, (address(gasless), many));
        bytes[] memory inner = new bytes[](1);
        inner[0] = calls[2];
        calls[4] = abi.encodeCall(channels.multicall, (inner));
        // The permit names 1000, the deposit takes 10: it gives no allowance. So the payer approves as well.
        vm.startPrank(payer);
        gasless.approve(address(channels), 1000);
        channels.multicall(calls);
        vm.stopPrank();
        assertSides(channel, 91, 0, 22, 0);
        vm.assertEq(gasless.balanceOf(address(channels)), 113);
    }

    function test_RevertWhen_OneOfTheCallsReverts() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 10, 0);
        bytes[] memory calls = new bytes[](2);
        bytes memory signature = signUpdate(KEY_A, channel, 5, 0);
        calls[0] = abi.encodeCall(channels.dispute, (channel, update(5, 0), signature, ""));
        calls[1] = abi.encodeCall(channels.settle, (channel));
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.WindowOpen.selector, closesAt(channel), block.timestamp)
        );
        vm.prank(ownerB);
        channels.multicall(calls);
        assertSides(channel, 10, 0, 0, 0);
    }

    function test_RevertWhen_EtherComesWithMulticall() public {
        vm.deal(address(this), 1);
        (bool success,) = address(channels).call{value: 1}(abi.encodeCall(channels.multicall, (new bytes[](0))));
        vm.assertEq(success, false);
    }

    function test_RevertWhen_DepositingEtherWithinMulticall() public {
        bytes[] memory calls = new bytes[](1);
        calls[0] = abi.encodeCall(channels.deposit, (duplex(), A, 5));
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongValue.selector, 0, 5));
        channels.multicall(calls);
    }
}
