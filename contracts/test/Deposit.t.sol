// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "./support/ChannelTest.sol";
import {HostileToken} from "./support/Hostile.sol";

contract DepositTest is ChannelTest {
    function test_Deposit_OpensInEther() public {
        IPaymentChannels.Channel memory channel = duplex();
        bytes32 id = channels.channelId(channel);
        vm.deal(stranger, 5 ether);

        vm.expectEmit(address(channels));
        emit IPaymentChannels.Deposited(id, A, 5 ether);
        vm.prank(stranger);
        channels.deposit{value: 5 ether}(channel, A, 5 ether);

        assertSides(channel, 5 ether, 0, 0, 0);
        vm.assertEq(address(channels).balance, 5 ether);
        vm.assertEq(stranger.balance, 0);
    }

    function test_Deposit_OpensInToken() public {
        IPaymentChannels.Channel memory channel = inToken(duplex());
        token.mint(stranger, 70);
        vm.startPrank(stranger);
        token.approve(address(channels), 70);

        channels.deposit(channel, B, 70);

        vm.stopPrank();
        assertSides(channel, 0, 0, 70, 0);
        vm.assertEq(token.balanceOf(address(channels)), 70);
    }

    function test_Deposit_AddsToEachSide() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 20);
        vm.deal(address(this), 5);

        vm.expectEmit(address(channels));
        emit IPaymentChannels.Deposited(channels.channelId(channel), B, 25);
        channels.deposit{value: 5}(channel, B, 5);

        fund(channel, A, 1);
        assertSides(channel, 11, 0, 25, 0);
    }

    function test_Deposit_KeepsCounters() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 20);
        close(channel, 4, 3);

        fund(channel, B, 7);
        fund(channel, A, 6);

        assertSides(channel, 6, 4, 7, 3);
    }

    function test_Deposit_AcceptsBoundsOfWindow() public {
        IPaymentChannels.Channel memory channel = duplex();
        channel.disputeWindow = 10 seconds;
        fund(channel, A, 1);
        channel.disputeWindow = 30 days;
        fund(channel, A, 1);
        vm.assertEq(channels.MIN_DISPUTE_WINDOW(), 10);
        vm.assertEq(channels.MAX_DISPUTE_WINDOW(), 2_592_000);
    }

    function test_Deposit_AcceptsOneOwnerForBothSides() public {
        IPaymentChannels.Channel memory channel = duplex();
        channel.ownerB = channel.ownerA;
        funded(channel, 1, 2);
        assertSides(channel, 1, 0, 2, 0);
    }

    function test_Deposit_AcceptsLargestAmount() public {
        IPaymentChannels.Channel memory channel = funded(inToken(duplex()), DEPOSIT_MAX, DEPOSIT_MAX);
        assertSides(channel, DEPOSIT_MAX, 0, DEPOSIT_MAX, 0);
    }

    function test_Deposit_AcceptsTokenThatReturnsNothing() public {
        HostileToken silent = new HostileToken();
        silent.set(HostileToken.Mode.SayNothing);
        IPaymentChannels.Channel memory channel = duplex();
        channel.token = address(silent);
        funded(channel, 3, 0);
        assertSides(channel, 3, 0, 0, 0);
    }

    function test_Deposit_TwiceInOneTransaction() public {
        IPaymentChannels.Channel memory channel = funded(inToken(duplex()), 3, 4);
        assertSides(channel, 3, 0, 4, 0);
    }

    function testFuzz_Deposit_AddsUp(uint128 first, uint128 second, bool toB, bool ofToken) public {
        first = boundAmount(first, 1, DEPOSIT_MAX - 1);
        second = boundAmount(second, 1, toB ? DEPOSIT_MAX : DEPOSIT_MAX - first);
        IPaymentChannels.Channel memory channel = ofToken ? inToken(duplex()) : duplex();

        fund(channel, A, first);
        fund(channel, toB ? B : A, second);

        assertSides(channel, toB ? first : first + second, 0, toB ? second : 0, 0);
        vm.assertEq(holds(address(channels), channel.token), uint256(first) + second);
    }

    function test_RevertWhen_OwnerIsZero() public {
        IPaymentChannels.Channel memory channel = duplex();
        channel.ownerA = address(0);
        expectRefusal(channel, abi.encodeWithSelector(IPaymentChannels.ZeroOwner.selector, A));
        channel = duplex();
        channel.ownerB = address(0);
        expectRefusal(channel, abi.encodeWithSelector(IPaymentChannels.ZeroOwner.selector, B));
    }

    function test_RevertWhen_OwnerIsTheContract() public {
        IPaymentChannels.Channel memory channel = duplex();
        channel.ownerA = address(channels);
        expectRefusal(channel, abi.encodeWithSelector(IPaymentChannels.OwnerIsContract.selector, A));
        channel = duplex();
        channel.ownerB = address(channels);
        expectRefusal(channel, abi.encodeWithSelector(IPaymentChannels.OwnerIsContract.selector, B));
    }

    function test_RevertWhen_SignerIsZero() public {
        IPaymentChannels.Channel memory channel = duplex();
        channel.signerA = address(0);
        expectRefusal(channel, abi.encodeWithSelector(IPaymentChannels.ZeroSigner.selector, A));
        channel = duplex();
        channel.signerB = address(0);
        expectRefusal(channel, abi.encodeWithSelector(IPaymentChannels.ZeroSigner.selector, B));
    }

    function test_RevertWhen_SignersAreTheSame() public {
        IPaymentChannels.Channel memory channel = duplex();
        channel.signerB = channel.signerA;
        expectRefusal(channel, abi.encodeWithSelector(IPaymentChannels.SameSigner.selector, signerA));
    }

    function test_RevertWhen_WindowIsOutOfRange() public {
        IPaymentChannels.Channel memory channel = duplex();
        uint32[4] memory windows = [0, 10 seconds - 1, 30 days + 1, type(uint32).max];
        for (uint256 i = 0; i < windows.length; ++i) {
            channel.disputeWindow = windows[i];
            expectRefusal(
                channel,
                abi.encodeWithSelector(
                    IPaymentChannels.DisputeWindowOutOfRange.selector, windows[i], 10 seconds, 30 days
                )
            );
        }
    }

    function test_RevertWhen_TermsTurnBadOnLaterDeposit() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 1, 0);
        channel.ownerB = address(0);
        expectRefusal(channel, abi.encodeWithSelector(IPaymentChannels.ZeroOwner.selector, B));
    }

    function test_RevertWhen_FundingSideBOfOneWay() public {
        IPaymentChannels.Channel memory channel = oneWay();
        vm.deal(address(this), 1);
        vm.expectRevert(IPaymentChannels.OneWayChannel.selector);
        channels.deposit{value: 1}(channel, B, 1);
    }

    function test_RevertWhen_AmountIsZero() public {
        vm.expectRevert(IPaymentChannels.ZeroAmount.selector);
        channels.deposit(duplex(), A, 0);
    }

    function test_RevertWhen_ValueIsNotTheAmount() public {
        vm.deal(address(this), 10);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongValue.selector, 4, 5));
        channels.deposit{value: 4}(duplex(), A, 5);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongValue.selector, 6, 5));
        channels.deposit{value: 6}(duplex(), A, 5);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongValue.selector, 0, 5));
        channels.deposit(duplex(), A, 5);
    }

    function test_RevertWhen_EtherComesWithToken() public {
        vm.deal(address(this), 5);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongValue.selector, 5, 0));
        channels.deposit{value: 5}(inToken(duplex()), A, 5);
    }

    function test_RevertWhen_EtherComesWithNoCall() public {
        vm.deal(address(this), 5);
        (bool success,) = address(channels).call{value: 5}("");
        vm.assertEq(success, false);
    }

    function test_RevertWhen_DepositingWhileClosing() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 10, 10);
        bytes memory refusal =
            abi.encodeWithSelector(IPaymentChannels.ChannelClosing.selector, uint32(block.timestamp) + WINDOW);
        vm.deal(address(this), 2);
        vm.expectRevert(refusal);
        channels.deposit{value: 1}(channel, A, 1);
        vm.expectRevert(refusal);
        channels.deposit{value: 1}(channel, B, 1);
        vm.warp(block.timestamp + WINDOW);
        vm.expectRevert(refusal);
        channels.deposit{value: 1}(channel, A, 1);
    }

    function test_RevertWhen_APotExceedsTheMaximum() public {
        IPaymentChannels.Channel memory channel = funded(inToken(duplex()), DEPOSIT_MAX, DEPOSIT_MAX);
        bytes memory refusal = tooLarge(uint256(DEPOSIT_MAX) + 1);
        vm.expectRevert(refusal);
        channels.deposit(channel, A, 1);
        vm.expectRevert(refusal);
        channels.deposit(channel, B, 1);
    }

    function test_RevertWhen_AmountExceedsTheMaximum() public {
        vm.expectRevert(tooLarge(type(uint128).max));
        channels.deposit(inToken(duplex()), A, type(uint128).max);
        IPaymentChannels.Channel memory channel = funded(inToken(duplex()), DEPOSIT_MAX, 0);
        vm.expectRevert(tooLarge(uint256(DEPOSIT_MAX) + type(uint128).max));
        channels.deposit(channel, A, type(uint128).max);
    }

    function test_RevertWhen_TokenIsNotAllowed() public {
        token.mint(address(this), 5);
        expectTokenRefusal(address(token));
    }

    function test_RevertWhen_TokenHasNoCode() public {
        expectTokenRefusal(address(0xdead));
    }

    function test_RevertWhen_TokenSaysFalse() public {
        HostileToken hostile = new HostileToken();
        hostile.set(HostileToken.Mode.SayFalse);
        expectTokenRefusal(address(hostile));
    }

    function test_RevertWhen_TokenHidesItsBalance() public {
        HostileToken hostile = new HostileToken();
        hostile.set(HostileToken.Mode.HideBalance);
        expectTokenRefusal(address(hostile));
    }

    function test_RevertWhen_TokenTakesAFee() public {
        HostileToken hostile = new HostileToken();
        hostile.set(HostileToken.Mode.TakeFee);
        hostile.mint(address(this), 5);
        hostile.approve(address(channels), 5);
        IPaymentChannels.Channel memory channel = duplex();
        channel.token = address(hostile);

        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.TokenTransferMismatch.selector, 4, 5));
        channels.deposit(channel, A, 5);
    }

    /// @dev Without a defence the tokens of the inner deposit would count for both: the outer one moves nothing.
    function test_RevertWhen_TokenDepositsAgainWhileMeasured() public {
        HostileToken hostile = new HostileToken();
        IPaymentChannels.Channel memory channel = duplex();
        channel.token = address(hostile);
        hostile.mint(address(hostile), 5);
        hostile.mint(address(this), 5);
        hostile.approve(address(channels), 5);
        vm.prank(address(hostile));
        hostile.approve(address(channels), 5);
        hostile.callBackWith(address(channels), abi.encodeCall(channels.deposit, (channel, B, 5)));

        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.TokenTransferMismatch.selector, 5, 5));
        channels.deposit(channel, A, 5);
    }

    function tooLarge(uint256 given) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IPaymentChannels.AmountTooLarge.selector, given, uint256(DEPOSIT_MAX));
    }

    function expectRefusal(IPaymentChannels.Channel memory channel, bytes memory refusal) private {
        vm.deal(address(this), 1);
        vm.expectRevert(refusal);
        channels.deposit{value: 1}(channel, A, 1);
    }

    function expectTokenRefusal(address asset) private {
        IPaymentChannels.Channel memory channel = duplex();
        channel.token = asset;
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.TransferFailed.selector, asset, address(this), address(channels), 5)
        );
        channels.deposit(channel, A, 5);
    }
}
