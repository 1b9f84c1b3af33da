// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "./support/ChannelTest.sol";

contract CloseTest is ChannelTest {
    function test_Close_PaysBothParties() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 100, 50);

        vm.expectEmit(address(channels));
        emit IPaymentChannels.Closed(channels.channelId(channel), word(80, 30, 0), word(70, 10, 0));
        close(channel, 30, 10);

        assertPaidOut(channel, 80, 70);
        assertSides(channel, 0, 30, 0, 10);
    }

    function test_Close_PaysBothPartiesInToken() public {
        IPaymentChannels.Channel memory channel = funded(inToken(duplex()), 100, 50);
        close(channel, 100, 150);
        assertPaidOut(channel, 150, 0);
        assertSides(channel, 0, 100, 0, 150);
    }

    function test_Close_PaysBothPartiesOfOneWay() public {
        IPaymentChannels.Channel memory channel = funded(inToken(oneWay()), 100, 0);
        claim(channel, 40);
        close(channel, 60, 0);
        assertPaidOut(channel, 40, 60);
        assertSides(channel, 0, 60, 0, 0);
    }

    function test_Close_WhileClosing() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 10, 10);
        close(channel, 1, 0);
        assertPaidOut(channel, 9, 11);
        close(funded(channel, 5, 0), 2, 0);
        assertPaidOut(channel, 13, 12);
    }

    function test_Close_AfterTheWindow() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 10, 10);
        vm.warp(block.timestamp + WINDOW);
        close(channel, 1, 0);
        assertPaidOut(channel, 9, 11);
    }

    function test_Close_AtItsDeadline() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 0);
        vm.warp(DEADLINE);
        close(channel, 1, 0);
        assertPaidOut(channel, 9, 1);
    }

    /// @dev A duplex close carries both last totals plus one: net zero, and it outdates every update.
    function test_Close_WithTotalsPlusOne() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 0);
        close(channel, 7 + 1, 2 + 1);
        assertPaidOut(channel, 5, 5);
    }

    function test_Close_OfEmptiedChannelPaysNothing() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 0);
        close(channel, 10, 0);
        close(channel, 11, 1);
        assertPaidOut(channel, 0, 10);
        assertSides(channel, 0, 11, 0, 1);
    }

    function test_Close_AcceptsLargestCounters() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 5);
        close(channel, MAX, MAX);
        assertPaidOut(channel, 10, 5);
        assertSides(channel, 0, MAX, 0, MAX);
    }

    function test_Close_AcceptsCompactSignatures() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 5);
        bytes32 digest = closeDigest(channels.channelId(channel), 1, 0, DEADLINE);
        channels.close(channel, 1, 0, DEADLINE, signCompact(KEY_A, digest), signCompact(KEY_B, digest));
        assertPaidOut(channel, 9, 6);
    }

    // Without the caller's own signature

    function test_Close_ByOwnerOrSignerOfASideWithTheOthersSignature() public {
        address[4] memory callers = [ownerA, signerA, ownerB, signerB];
        for (uint256 i = 0; i < callers.length; ++i) {
            IPaymentChannels.Channel memory channel = duplex();
            channel.salt = bytes32(i);
            funded(channel, 100, 50);
            bytes memory byA = i < 2 ? bytes("") : signClose(KEY_A, channel, 30, 10, DEADLINE);
            bytes memory byB = i < 2 ? signClose(KEY_B, channel, 30, 10, DEADLINE) : bytes("");
            vm.prank(callers[i]);
            channels.close(channel, 30, 10, DEADLINE, byA, byB);
            assertSides(channel, 0, 30, 0, 10);
        }
        vm.assertEq(ownerA.balance, 4 * 80);
        vm.assertEq(ownerB.balance, 4 * 70);
    }

    function test_Close_ByOwnerOfBothSidesWithNoSignature() public {
        IPaymentChannels.Channel memory channel = duplex();
        channel.ownerB = ownerA;
        funded(channel, 100, 50);
        vm.prank(ownerA);
        channels.close(channel, 1, 0, DEADLINE, "", "");
        vm.assertEq(ownerA.balance, 150);
    }

    /// @dev The caller may still sign, and then by the signer's key.
    function test_Close_ByAPartyWithBothSignatures() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 100, 50);
        bytes memory byB = signClose(KEY_B, channel, 30, 10, DEADLINE);
        bytes memory byStranger = signClose(KEY_STRANGER, channel, 30, 10, DEADLINE);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongSigner.selector, stranger));
        vm.prank(ownerA);
        channels.close(channel, 30, 10, DEADLINE, byStranger, byB);
        bytes memory byA = signClose(KEY_A, channel, 30, 10, DEADLINE);
        vm.prank(ownerA);
        channels.close(channel, 30, 10, DEADLINE, byA, byB);
        assertPaidOut(channel, 80, 70);
    }

    function test_RevertWhen_ASignatureIsMissingThatTheCallerCannotReplace() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 100, 50);
        bytes32 digest = closeDigest(channels.channelId(channel), 30, 10, DEADLINE);
        bytes memory refusal = abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, digest);
        bytes memory byA = sign(KEY_A, digest);
        bytes memory byB = sign(KEY_B, digest);
        address[5] memory callers = [stranger, ownerA, signerA, ownerB, signerB];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.startPrank(callers[i]);
            vm.expectRevert(refusal);
            channels.close(channel, 30, 10, DEADLINE, "", "");
            if (i != 1 && i != 2) vm.expectRevert(refusal);
            if (i != 1 && i != 2) channels.close(channel, 30, 10, DEADLINE, "", byB);
            if (i < 3) vm.expectRevert(refusal);
            if (i < 3) channels.close(channel, 30, 10, DEADLINE, byA, "");
            vm.stopPrank();
        }
        assertSides(channel, 100, 0, 50, 0);
    }

    function testFuzz_Close_PaysExactly(uint128 potA, uint128 potB, uint128 sentA, uint128 sentB, bool ofToken) public {
        potA = boundAmount(potA, 1, DEPOSIT_MAX);
        potB = boundAmount(potB, 0, DEPOSIT_MAX);
        sentA = boundAmount(sentA, 1, MAX);
        uint128 lowest = sentA > potA ? sentA - potA : 0;
        uint128 highest = sentA > MAX - potB ? MAX : sentA + potB;
        sentB = boundAmount(sentB, lowest, highest);
        IPaymentChannels.Channel memory channel = funded(ofToken ? inToken(duplex()) : duplex(), potA, potB);

        close(channel, sentA, sentB);

        assertPaidOut(channel, uint256(potA) + sentB - sentA, uint256(potB) + sentA - sentB);
        assertSides(channel, 0, sentA, 0, sentB);
    }

    function test_RevertWhen_DeadlineHasPassed() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 0);
        vm.warp(uint256(DEADLINE) + 1);
        expectRefusal(
            channel,
            1,
            0,
            abi.encodeWithSelector(IPaymentChannels.CloseExpired.selector, DEADLINE, uint256(DEADLINE) + 1)
        );
    }

    function test_RevertWhen_CounterIsTooLarge() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 0);
        bytes memory refusal =
            abi.encodeWithSelector(IPaymentChannels.AmountTooLarge.selector, uint256(MAX) + 1, uint256(MAX));
        expectRefusal(channel, MAX + 1, 0, refusal);
        expectRefusal(channel, 1, MAX + 1, refusal);
    }

    function test_RevertWhen_ChannelIsUnknown() public {
        IPaymentChannels.Channel memory channel = duplex();
        expectRefusal(
            channel, 1, 1, abi.encodeWithSelector(IPaymentChannels.UnknownChannel.selector, channels.channelId(channel))
        );
    }

    function test_RevertWhen_SideBOfOneWayHasSent() public {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 10, 0);
        expectRefusal(channel, 2, 1, abi.encodeWithSelector(IPaymentChannels.OneWayChannel.selector));
    }

    function test_RevertWhen_CounterOfADoesNotRise() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 10);
        expectRefusal(channel, 0, 1, notAdvancing(A, 0, 0));
        close(channel, 5, 4);
        fund(channel, A, 10);
        expectRefusal(channel, 5, 5, notAdvancing(A, 5, 5));
        expectRefusal(channel, 4, 5, notAdvancing(A, 4, 5));
    }

    function test_RevertWhen_CounterOfBFalls() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 10);
        close(channel, 5, 4);
        fund(channel, A, 10);
        expectRefusal(channel, 6, 3, notAdvancing(B, 3, 4));
    }

    function test_RevertWhen_CloseIsReplayed() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 10);
        close(channel, 5, 4);
        expectRefusal(channel, 5, 4, notAdvancing(A, 5, 5));
        funded(channel, 10, 10);
        expectRefusal(channel, 5, 4, notAdvancing(A, 5, 5));
        startCloseBare(channel);
        expectRefusal(channel, 5, 4, notAdvancing(A, 5, 5));
    }

    function test_RevertWhen_SignatureIsMalformed() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 10);
        bytes32 digest = closeDigest(channels.channelId(channel), 1, 0, DEADLINE);
        bytes memory refusal = abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, digest);
        bytes memory signatureA = sign(KEY_A, digest);
        bytes memory signatureB = sign(KEY_B, digest);
        vm.expectRevert(refusal);
        channels.close(channel, 1, 0, DEADLINE, hex"00", signatureB);
        vm.expectRevert(refusal);
        channels.close(channel, 1, 0, DEADLINE, signatureA, abi.encodePacked(signatureB, hex"00"));
    }

    function test_RevertWhen_SignerIsWrong() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 10);
        bytes32 digest = closeDigest(channels.channelId(channel), 1, 0, DEADLINE);
        bytes memory byA = sign(KEY_A, digest);
        bytes memory byB = sign(KEY_B, digest);
        bytes memory byStranger = sign(KEY_STRANGER, digest);

        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongSigner.selector, stranger));
        channels.close(channel, 1, 0, DEADLINE, byStranger, byB);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongSigner.selector, stranger));
        channels.close(channel, 1, 0, DEADLINE, byA, byStranger);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongSigner.selector, signerB));
        channels.close(channel, 1, 0, DEADLINE, byB, byA);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.WrongSigner.selector, signerA));
        channels.close(channel, 1, 0, DEADLINE, byA, byA);
    }

    /// @dev Each signed field counts: a changed one recovers to some other address.
    function testFuzz_RevertWhen_AnythingSignedIsChanged(uint256 which) public {
        which = bound(which, 0, 4);
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 10);
        bytes memory signatureA = signClose(KEY_A, channel, 3, 2, DEADLINE);
        bytes memory signatureB = signClose(KEY_B, channel, 3, 2, DEADLINE);
        if (which == 3) {
            channel.salt = bytes32(uint256(1));
            funded(channel, 10, 10);
        }
        if (which == 4) vm.chainId(2);
        if (which == 4) funded(channel, 10, 10);

        vm.expectPartialRevert(IPaymentChannels.WrongSigner.selector);
        channels.close(
            channel,
            which == 0 ? 4 : 3,
            which == 1 ? 3 : 2,
            which == 2 ? DEADLINE - 1 : DEADLINE,
            signatureA,
            signatureB
        );
    }

    function test_RevertWhen_PotsDoNotCover() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 20);
        expectRefusal(channel, 13, 2, abi.encodeWithSelector(IPaymentChannels.InsufficientBalance.selector, A, 13, 12));
        expectRefusal(channel, 1, 22, abi.encodeWithSelector(IPaymentChannels.InsufficientBalance.selector, B, 22, 21));
    }

    function expectRefusal(IPaymentChannels.Channel memory channel, uint128 sentA, uint128 sentB, bytes memory refusal)
        private
    {
        bytes memory signatureA = signClose(KEY_A, channel, sentA, sentB, DEADLINE);
        bytes memory signatureB = signClose(KEY_B, channel, sentA, sentB, DEADLINE);
        vm.expectRevert(refusal);
        channels.close(channel, sentA, sentB, DEADLINE, signatureA, signatureB);
    }

    function notAdvancing(IPaymentChannels.Side side, uint128 given, uint128 recorded)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(IPaymentChannels.CloseNotAdvancing.selector, side, given, recorded);
    }
}
