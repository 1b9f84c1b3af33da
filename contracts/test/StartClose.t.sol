// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "./support/ChannelTest.sol";

contract StartCloseTest is ChannelTest {
    function test_StartClose_WithoutUpdate() public {
        address[4] memory callers = [ownerA, signerA, ownerB, signerB];
        for (uint256 i = 0; i < callers.length; ++i) {
            IPaymentChannels.Channel memory channel = duplex();
            channel.salt = bytes32(i);
            funded(channel, 10, 20);
            uint32 end = uint32(block.timestamp) + WINDOW;

            vm.expectEmit(address(channels));
            emit IPaymentChannels.CloseStarted(channels.channelId(channel), word(10, 0, end), word(20, 0, 0));
            vm.prank(callers[i]);
            channels.startClose(channel, update(0, 0), "");

            assertSides(channel, 10, 0, 20, 0);
            vm.assertEq(closesAt(channel), end);
        }
    }

    function test_StartClose_IgnoresUpdateWithoutSignature() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 20);
        vm.prank(ownerA);
        channels.startClose(channel, update(type(uint128).max, 5), "");
        assertSides(channel, 10, 0, 20, 0);
    }

    function test_StartClose_WithUpdateOfA() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 20);
        uint32 end = uint32(block.timestamp) + WINDOW;

        vm.expectEmit(address(channels));
        emit IPaymentChannels.CloseStarted(channels.channelId(channel), word(7, 5, end), word(23, 2, 0));
        startClose(channel, 5, 2);

        assertSides(channel, 7, 5, 23, 2);
    }

    function test_StartClose_WithUpdateOfB() public {
        address[2] memory callers = [ownerA, signerA];
        for (uint256 i = 0; i < callers.length; ++i) {
            IPaymentChannels.Channel memory channel = duplex();
            channel.salt = bytes32(i);
            funded(channel, 10, 20);
            bytes memory signature = signUpdate(KEY_B, channel, 5, 2);
            uint32 end = uint32(block.timestamp) + WINDOW;

            vm.expectEmit(address(channels));
            emit IPaymentChannels.CloseStarted(channels.channelId(channel), word(13, 2, end), word(17, 5, 0));
            vm.prank(callers[i]);
            channels.startClose(channel, update(5, 2), signature);
        }
    }

    function test_StartClose_ByOwnerOfBothSides() public {
        IPaymentChannels.Channel memory channel = duplex();
        channel.ownerB = channel.ownerA;
        funded(channel, 10, 20);
        bytes memory signature = signUpdate(KEY_A, channel, 5, 0);

        vm.expectEmit(address(channels));
        emit IPaymentChannels.CloseStarted(
            channels.channelId(channel), word(5, 5, block.timestamp + WINDOW), word(25, 0, 0)
        );
        vm.prank(ownerA);
        channels.startClose(channel, update(5, 0), signature);
    }

    function test_StartClose_WithOldUpdateBringsNothing() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 20);
        close(channel, 5, 2);
        funded(channel, 10, 20);
        startClose(channel, 5, 2);
        assertSides(channel, 10, 5, 20, 2);
    }

    function test_StartClose_WithUpdateThatIsNewInOneTotal() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 20);
        close(channel, 5, 2);
        funded(channel, 10, 20);
        startClose(channel, 4, 3);
        assertSides(channel, 11, 5, 19, 3);
    }

    function test_StartClose_HonoursAsFarAsThePotsReach() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 20);
        startClose(channel, 50, 3);
        assertSides(channel, 0, 13, 30, 3);
    }

    function test_StartClose_HonoursReceivedAsFarAsThePotsReach() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 20);
        startClose(channel, 4, 50);
        assertSides(channel, 30, 4, 0, 24);
    }

    function test_StartClose_RestCanBePresentedAfterADeposit() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 0);
        startClose(channel, 25, 0);
        settle(channel);
        assertPaidOut(channel, 0, 10);
        fund(channel, A, 100);
        startClose(channel, 25, 0);
        assertSides(channel, 85, 25, 15, 0);
        settle(channel);
        assertPaidOut(channel, 85, 25);
    }

    function test_StartClose_OfOneWay() public {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 10, 0);
        vm.prank(signerB);
        channels.startClose(channel, update(0, 0), "");
        vm.assertEq(closesAt(channel), uint32(block.timestamp) + WINDOW);
    }

    function test_StartClose_InTheLastPossibleSecond() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 0);
        vm.warp(type(uint32).max - WINDOW);
        startCloseBare(channel);
        vm.assertEq(closesAt(channel), type(uint32).max);
        settle(channel);
        assertPaidOut(channel, 10, 0);
    }

    /// @dev Against a model that counts what is owed rather than moves it.
    function testFuzz_StartClose_MovesWhatThePotsCover(uint128 potA, uint128 potB, uint128 sent, uint128 received)
        public
    {
        potA = boundAmount(potA, 0, DEPOSIT_MAX);
        potB = boundAmount(potB, 0, DEPOSIT_MAX);
        if (potA == 0 && potB == 0) potA = 1;
        sent = boundAmount(sent, 0, MAX);
        received = boundAmount(received, 0, MAX);
        IPaymentChannels.Channel memory channel = funded(duplex(), potA, potB);

        startClose(channel, sent, received);

        int256 due = int256(uint256(sent)) - int256(uint256(received));
        int256 toB = due > int256(uint256(potA)) ? int256(uint256(potA)) : due;
        toB = toB < -int256(uint256(potB)) ? -int256(uint256(potB)) : toB;
        (uint128 a, uint128 sentA, uint128 b, uint128 sentB,) = channels.sides(channels.channelId(channel));
        vm.assertTrue(int256(uint256(a)) == int256(uint256(potA)) - toB, "potA");
        vm.assertTrue(int256(uint256(b)) == int256(uint256(potB)) + toB, "potB");
        vm.assertTrue(int256(uint256(sentA)) - int256(uint256(sentB)) == toB, "moved");
        vm.assertTrue(sentA == sent || (sentB == received && sentA < sent), "sentA");
        vm.assertTrue(sentB == received || (sentA == sent && sentB < received), "sentB");
    }

    function test_RevertWhen_ChannelIsUnknown() public {
        expectRefusal(
            duplex(),
            ownerA,
            abi.encodeWithSelector(IPaymentChannels.UnknownChannel.selector, channels.channelId(duplex()))
        );
    }

    function test_RevertWhen_AlreadyClosing() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 10, 0);
        bytes memory refusal = abi.encodeWithSelector(IPaymentChannels.ChannelClosing.selector, closesAt(channel));
        expectRefusal(channel, ownerA, refusal);
        vm.warp(block.timestamp + 2 * WINDOW);
        expectRefusal(channel, ownerB, refusal);
    }

    function test_RevertWhen_PotsAreEmpty() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 0);
        close(channel, 1, 0);
        expectRefusal(channel, ownerA, abi.encodeWithSelector(IPaymentChannels.NothingToClose.selector));
    }

    function test_RevertWhen_WindowEndsAfterTheLastSecond() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 0);
        uint256 last = type(uint32).max;
        vm.warp(last - WINDOW + 1);
        expectRefusal(channel, ownerA, abi.encodeWithSelector(IPaymentChannels.AmountTooLarge.selector, last + 1, last));
    }

    function test_RevertWhen_CallerIsNoParty() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 0);
        expectRefusal(channel, stranger, abi.encodeWithSelector(IPaymentChannels.NotParty.selector, stranger));
    }

    function test_RevertWhen_UpdateIsPresentedInOneWay() public {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 10, 0);
        expectUpdateRefusal(
            channel, signerB, KEY_A, 5, 0, abi.encodeWithSelector(IPaymentChannels.OneWayChannel.selector)
        );
        expectUpdateRefusal(
            channel, signerA, KEY_B, 5, 0, abi.encodeWithSelector(IPaymentChannels.OneWayChannel.selector)
        );
    }

    function test_RevertWhen_UpdateIsTooLarge() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 0);
        bytes memory refusal =
            abi.encodeWithSelector(IPaymentChannels.AmountTooLarge.selector, uint256(MAX) + 1, uint256(MAX));
        expectUpdateRefusal(channel, signerB, KEY_A, MAX + 1, 0, refusal);
        expectUpdateRefusal(channel, signerB, KEY_A, 0, MAX + 1, refusal);
    }

    function test_RevertWhen_SignatureIsMalformed() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 0);
        bytes32 digest = updateDigest(channels.channelId(channel), 5, 0);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, digest));
        vm.prank(signerB);
        channels.startClose(channel, update(5, 0), hex"00");
    }

    function test_RevertWhen_SignerIsNoParty() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 0);
        bytes memory refusal = abi.encodeWithSelector(IPaymentChannels.WrongSigner.selector, stranger);
        expectUpdateRefusal(channel, signerB, KEY_STRANGER, 5, 0, refusal);
    }

    function test_RevertWhen_UpdateIsPresentedByItsOwnSide() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 10, 0);
        address[2] memory partiesA = [ownerA, signerA];
        address[2] memory partiesB = [ownerB, signerB];
        for (uint256 i = 0; i < 2; ++i) {
            expectUpdateRefusal(
                channel,
                partiesA[i],
                KEY_A,
                5,
                0,
                abi.encodeWithSelector(IPaymentChannels.NotParty.selector, partiesA[i])
            );
            expectUpdateRefusal(
                channel,
                partiesB[i],
                KEY_B,
                5,
                0,
                abi.encodeWithSelector(IPaymentChannels.NotParty.selector, partiesB[i])
            );
        }
        expectUpdateRefusal(
            channel, stranger, KEY_A, 5, 0, abi.encodeWithSelector(IPaymentChannels.NotParty.selector, stranger)
        );
    }

    function expectRefusal(IPaymentChannels.Channel memory channel, address caller, bytes memory refusal) private {
        vm.expectRevert(refusal);
        vm.prank(caller);
        channels.startClose(channel, update(0, 0), "");
    }

    function expectUpdateRefusal(
        IPaymentChannels.Channel memory channel,
        address caller,
        uint256 key,
        uint128 sent,
        uint128 received,
        bytes memory refusal
    ) private {
        bytes memory signature = signUpdate(key, channel, sent, received);
        vm.expectRevert(refusal);
        vm.prank(caller);
        channels.startClose(channel, update(sent, received), signature);
    }
}
