// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {GaslessTest} from "./support/GaslessTest.sol";
import {HostileToken, SilentFallbackToken} from "./support/Hostile.sol";

contract DepositWithPermitTest is GaslessTest {
    function test_DepositWithPermit_NeedsNoAllowanceBefore() public {
        IPaymentChannels.Channel memory channel = inGasless(duplex());
        IPaymentChannels.Permit memory permit = signPermit(70, FOREVER);

        vm.expectEmit(address(channels));
        emit IPaymentChannels.Deposited(channels.channelId(channel), B, 70);
        vm.prank(payer);
        channels.depositWithPermit(channel, B, 70, permit);

        assertSides(channel, 0, 0, 70, 0);
        vm.assertEq(gasless.balanceOf(payer), 930);
        vm.assertEq(gasless.allowance(payer, address(channels)), 0);
    }

    function test_DepositWithPermit_AtItsDeadline() public {
        IPaymentChannels.Channel memory channel = inGasless(oneWay());
        IPaymentChannels.Permit memory permit = signPermit(70, block.timestamp);
        vm.prank(payer);
        channels.depositWithPermit(channel, A, 70, permit);
        assertSides(channel, 70, 0, 0, 0);
    }

    /// @dev What counts is the allowance, however it came about.
    function test_DepositWithPermit_WithAnAllowanceAndNoPermit() public {
        IPaymentChannels.Permit memory nothing;
        token.mint(payer, 70);
        vm.startPrank(payer);
        token.approve(address(channels), 70);
        channels.depositWithPermit(inToken(duplex()), A, 70, nothing);
        vm.stopPrank();
        assertSides(inToken(duplex()), 70, 0, 0, 0);
    }

    function testFuzz_DepositWithPermit_AddsUp(uint128 amount, bool toB) public {
        amount = boundAmount(amount, 1, 1000);
        IPaymentChannels.Channel memory channel = inGasless(duplex());
        IPaymentChannels.Permit memory permit = signPermit(amount, FOREVER);
        vm.prank(payer);
        channels.depositWithPermit(channel, toB ? B : A, amount, permit);
        assertSides(channel, toB ? 0 : amount, 0, toB ? amount : 0, 0);
        vm.assertEq(gasless.balanceOf(address(channels)), amount);
    }

    /// @dev The permit is the caller's: another's signature gives him no allowance.
    function test_RevertWhen_PermitIsNotTheCallers() public {
        gasless.mint(stranger, 70);
        expectRefusal(stranger, inGasless(duplex()), 70, signPermit(70, FOREVER));
        vm.assertEq(gasless.allowance(payer, address(channels)), 0);
    }

    function test_RevertWhen_PermitIsTooSmall() public {
        expectRefusal(payer, inGasless(duplex()), 71, signPermit(70, FOREVER));
    }

    function test_RevertWhen_PermitIsExpired() public {
        expectRefusal(payer, inGasless(duplex()), 70, signPermit(70, block.timestamp - 1));
    }

    function test_RevertWhen_TokenIsEther() public {
        expectRefusal(payer, duplex(), 70, signPermit(70, FOREVER));
    }

    function test_RevertWhen_TokenHasNoCode() public {
        IPaymentChannels.Channel memory channel = duplex();
        channel.token = address(0xdead);
        expectRefusal(payer, channel, 70, signPermit(70, FOREVER));
    }

    /// @dev As wrapped ether does, which answers any call and moves nothing.
    function test_RevertWhen_TokenTakesAnyPermit() public {
        IPaymentChannels.Channel memory channel = duplex();
        channel.token = address(new SilentFallbackToken());
        IPaymentChannels.Permit memory permit = signPermit(70, FOREVER);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.TokenTransferMismatch.selector, 0, 70));
        vm.prank(payer);
        channels.depositWithPermit(channel, A, 70, permit);
    }

    function test_RevertWhen_TokenTakesAFee() public {
        HostileToken hostile = new HostileToken();
        hostile.set(HostileToken.Mode.TakeFee);
        hostile.mint(payer, 70);
        vm.prank(payer);
        hostile.approve(address(channels), 70);
        IPaymentChannels.Channel memory channel = duplex();
        channel.token = address(hostile);
        IPaymentChannels.Permit memory nothing;
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.TokenTransferMismatch.selector, 69, 70));
        vm.prank(payer);
        channels.depositWithPermit(channel, A, 70, nothing);
    }

    function test_RevertWhen_FundingSideBOfOneWay() public {
        IPaymentChannels.Permit memory permit = signPermit(70, FOREVER);
        vm.expectRevert(IPaymentChannels.OneWayChannel.selector);
        vm.prank(payer);
        channels.depositWithPermit(inGasless(oneWay()), B, 70, permit);
        vm.assertEq(gasless.nonces(payer), 0, "the permit is not used up");
    }

    function expectRefusal(
        address caller,
        IPaymentChannels.Channel memory channel,
        uint128 amount,
        IPaymentChannels.Permit memory permit
    ) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                IPaymentChannels.TransferFailed.selector, channel.token, caller, address(channels), amount
            )
        );
        vm.prank(caller);
        channels.depositWithPermit(channel, A, amount, permit);
    }
}
