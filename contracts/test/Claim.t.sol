// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "./support/ChannelTest.sol";

contract ClaimTest is ChannelTest {
    function test_Claim_PaysThePayee() public {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 100, 0);
        IPaymentChannels.ClaimRow[] memory all = rows(rowOf(channel, 30));

        vm.expectEmit(address(channels));
        emit IPaymentChannels.Claimed(channels.channelId(channel), word(70, 30, 0));
        vm.prank(stranger);
        channels.claim(payeeOf(channel), all);

        assertSides(channel, 70, 30, 0, 0);
        vm.assertEq(ownerB.balance, 30);
        vm.assertEq(address(channels).balance, 70);
    }

    function test_Claim_PaysInToken() public {
        IPaymentChannels.Channel memory channel = funded(inToken(oneWay()), 100, 0);
        claim(channel, 30);
        assertSides(channel, 70, 30, 0, 0);
        vm.assertEq(token.balanceOf(ownerB), 30);
    }

    function test_Claim_PaysOnlyWhatIsNew() public {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 100, 0);
        claim(channel, 30);
        claim(channel, 45);
        vm.assertEq(ownerB.balance, 45);
        assertSides(channel, 55, 45, 0, 0);
    }

    function test_Claim_WhileClosingAndAfterTheWindow() public {
        IPaymentChannels.Channel memory channel = closing(oneWay(), 100, 0);
        uint32 end = closesAt(channel);
        claim(channel, 30);
        vm.warp(end);
        claim(channel, 50);
        vm.assertEq(closesAt(channel), end);
        channels.settle(channel);
        assertPaidOut(channel, 50, 50);
    }

    function test_Claim_PaysAsFarAsThePotReaches() public {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 10, 0);
        claim(channel, 25);
        assertSides(channel, 0, 10, 0, 0);
        fund(channel, A, 100);
        claim(channel, 25);
        assertSides(channel, 85, 25, 0, 0);
        vm.assertEq(ownerB.balance, 25);
    }

    function test_Claim_BatchIsPaidAtOnce() public {
        IPaymentChannels.ClaimRow[] memory all = batch(3);
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectEmit(address(channels));
            emit IPaymentChannels.Claimed(channels.channelId(numbered(i)), word(70, 30, 0));
        }
        vm.recordLogs();
        channels.claim(payeeOf(numbered(0)), all);
        vm.assertEq(token.balanceOf(ownerB), 90);
        vm.assertEq(vm.getRecordedLogs().length, 4, "three claims and one transfer");
    }

    function test_Claim_OfOneChannelTwiceInABatch() public {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 100, 0);
        IPaymentChannels.ClaimRow[] memory all = new IPaymentChannels.ClaimRow[](3);
        all[0] = rowOf(channel, 30);
        all[1] = rowOf(channel, 40);
        all[2] = rowOf(channel, 40);

        expectSkipped(channel, IPaymentChannels.NothingNew.selector);
        channels.claim(payeeOf(channel), all);

        vm.assertEq(ownerB.balance, 40);
        assertSides(channel, 60, 40, 0, 0);
    }

    function test_Claim_OfNoRows() public {
        vm.recordLogs();
        channels.claim(payeeOf(oneWay()), new IPaymentChannels.ClaimRow[](0));
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_Claim_SkipsAmountThatIsTooLarge() public {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 100, 0);
        expectSkipped(channel, IPaymentChannels.AmountTooLarge.selector);
        claim(channel, MAX + 1);
        assertSides(channel, 100, 0, 0, 0);
    }

    function test_Claim_SkipsUnknownChannel() public {
        IPaymentChannels.Channel memory channel = oneWay();
        expectSkipped(channel, IPaymentChannels.UnknownChannel.selector);
        claim(channel, 30);
    }

    /// @dev The same terms with `oneWay` false are another channel, whose pots a claim cannot reach.
    function test_Claim_SkipsDuplexChannel() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 100, 0);
        expectSkipped(oneWay(), IPaymentChannels.UnknownChannel.selector);
        claim(channel, 30);
        assertSides(channel, 100, 0, 0, 0);
    }

    function test_Claim_SkipsWhatIsNotNew() public {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 100, 0);
        expectSkipped(channel, IPaymentChannels.NothingNew.selector);
        claim(channel, 0);
        claim(channel, 30);
        expectSkipped(channel, IPaymentChannels.NothingNew.selector);
        claim(channel, 30);
        expectSkipped(channel, IPaymentChannels.NothingNew.selector);
        claim(channel, 29);
        vm.assertEq(ownerB.balance, 30);
    }

    function test_Claim_SkipsEmptyPot() public {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 30, 0);
        claim(channel, 30);
        expectSkipped(channel, IPaymentChannels.InsufficientBalance.selector);
        claim(channel, 31);
        assertSides(channel, 0, 30, 0, 0);
    }

    function test_Claim_SkipsMalformedSignature() public {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 100, 0);
        IPaymentChannels.ClaimRow memory row = rowOf(channel, 30);
        (bytes32 r, uint256 vs) = (row.r, uint256(row.vs));
        uint256 parity = vs & (1 << 255);
        bytes32[2][4] memory signatures = [
            [bytes32(0), bytes32(0)],
            [r, bytes32(parity)],
            [bytes32(0), bytes32(vs)],
            [r, bytes32(parity | (ORDER / 2 + 1))]
        ];
        for (uint256 i = 0; i < signatures.length; ++i) {
            (row.r, row.vs) = (signatures[i][0], signatures[i][1]);
            expectSkipped(channel, IPaymentChannels.InvalidSignature.selector);
            channels.claim(payeeOf(channel), rows(row));
        }
        assertSides(channel, 100, 0, 0, 0);
    }

    function test_Claim_SkipsWrongSigner() public {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 100, 0);
        IPaymentChannels.ClaimRow memory row = rowOf(channel, 30);
        uint256[2] memory keys = [KEY_B, KEY_STRANGER];
        for (uint256 i = 0; i < keys.length; ++i) {
            (row.r, row.vs) = halves(signUpdate(keys[i], channel, 30, 0));
            expectSkipped(channel, IPaymentChannels.WrongSigner.selector);
            channels.claim(payeeOf(channel), rows(row));
        }
    }

    /// @dev Nobody can have received anything from side B of a one-way channel: such an update does not count.
    function test_Claim_SkipsUpdateWithReceived() public {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 100, 0);
        IPaymentChannels.ClaimRow memory row = rowOf(channel, 30);
        (row.r, row.vs) = halves(signUpdate(KEY_A, channel, 30, 1));
        expectSkipped(channel, IPaymentChannels.WrongSigner.selector);
        channels.claim(payeeOf(channel), rows(row));
    }

    function test_Claim_BadRowsDoNotHurtGoodOnes() public {
        IPaymentChannels.ClaimRow[] memory all = batch(7);
        all[0].sent = MAX + 1;
        all[1].salt = keccak256("unknown");
        all[2].sent = 0;
        all[3].r = 0;
        (all[5].r, all[5].vs) = (all[4].r, all[4].vs);

        channels.claim(payeeOf(numbered(0)), all);

        vm.assertEq(token.balanceOf(ownerB), 60);
        for (uint256 i = 0; i < 7; ++i) {
            bool good = i == 4 || i == 6;
            assertSides(numbered(i), good ? 70 : 100, good ? 30 : 0, 0, 0);
        }
    }

    function testFuzz_Claim_NeverPaysMoreThanWasSignedOrFunded(uint128[4] memory pots, uint128[4] memory totals)
        public
    {
        IPaymentChannels.Channel memory channel = inToken(oneWay());
        uint256 fundedTotal = 0;
        uint256 signedMost = 0;
        for (uint256 i = 0; i < 4; ++i) {
            (uint128 pot, uint128 sent,,,) = channels.sides(channels.channelId(channel));
            uint128 more = boundAmount(pots[i], 0, DEPOSIT_MAX - pot);
            fund(channel, A, more);
            fundedTotal += more;
            uint128 total = boundAmount(totals[i], 0, MAX);
            if (total > signedMost) signedMost = total;

            claim(channel, total);

            uint256 paid = token.balanceOf(ownerB);
            (uint128 left, uint128 recorded,,,) = channels.sides(channels.channelId(channel));
            vm.assertLe(paid, signedMost, "above what was signed");
            vm.assertEq(paid, recorded, "recorded");
            vm.assertEq(fundedTotal - paid, left, "left");
            vm.assertGe(recorded, sent, "counter fell");
            vm.assertTrue(recorded >= total || left == 0, "not as far as the pot reaches");
        }
    }

    function testFuzz_Claim_NeverRevertsForBadRows(uint128 sent, bytes32 r, bytes32 vs, address payer, bytes32 salt)
        public
    {
        IPaymentChannels.Channel memory channel = funded(oneWay(), 100, 0);
        IPaymentChannels.ClaimRow[] memory all = new IPaymentChannels.ClaimRow[](3);
        all[0] = rowOf(channel, 10);
        all[0].sent = sent;
        (all[0].r, all[0].vs) = (r, vs);
        all[1] = rowOf(channel, 20);
        all[1].payerSigner = payer;
        all[1].salt = salt;
        all[2] = rowOf(channel, 30);

        channels.claim(payeeOf(channel), all);

        vm.assertEq(ownerB.balance, 30);
    }

    /// @dev One of many channels of one payee and token, each from another payer's owner.
    function numbered(uint256 i) private view returns (IPaymentChannels.Channel memory channel) {
        channel = inToken(oneWay());
        channel.ownerA = vm.addr(1000 + i);
        channel.salt = bytes32(i);
    }

    function batch(uint256 count) private returns (IPaymentChannels.ClaimRow[] memory all) {
        all = new IPaymentChannels.ClaimRow[](count);
        for (uint256 i = 0; i < count; ++i) {
            all[i] = rowOf(funded(numbered(i), 100, 0), 30);
        }
    }

    function expectSkipped(IPaymentChannels.Channel memory channel, bytes4 reason) private {
        bytes32 id = channels.channelId(channel);
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ClaimSkipped(id, reason);
    }
}
