// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "../support/ChannelTest.sol";

/// @dev Adversaries who play with keys, signatures and the parties of a channel.
contract KeysTest is ChannelTest {
    uint256 internal constant KEY_OWNER = uint256(keccak256("owner with a key"));

    /// @dev All four parties delegate (EIP-7702) after signing, to code that takes ether and accepts no signature.
    function test_Adversary01_DelegatingAfterSigningTakesNothingBack() public {
        ownerA = vm.addr(KEY_OWNER);
        address wallet = address(new NayWallet());
        IPaymentChannels.Channel memory channel = funded(duplex(), 100, 100);
        IPaymentChannels.Channel memory claimed = funded(oneWay(), 100, 0);
        IPaymentChannels.ClaimRow[] memory all = rows(rowOf(claimed, 40));
        bytes[4] memory signed = [
            signUpdate(KEY_A, channel, 30, 10),
            signUpdate(KEY_B, channel, 20, 30),
            signClose(KEY_A, channel, 31, 21, DEADLINE),
            signClose(KEY_B, channel, 31, 21, DEADLINE)
        ];
        bytes memory consent = signConsent(KEY_A, channel, 20, 30);

        delegate(KEY_A, wallet);
        delegate(KEY_B, wallet);
        delegate(KEY_OWNER, wallet);

        channels.claim(payeeOf(claimed), all);
        vm.assertEq(ownerB.balance, 40);
        vm.prank(ownerB);
        channels.startClose(channel, update(30, 10), signed[0]);
        assertSides(channel, 80, 30, 120, 10);
        vm.prank(stranger);
        channels.dispute(channel, update(20, 30), signed[1], consent);
        assertSides(channel, 90, 30, 110, 20);
        channels.close(channel, 31, 21, DEADLINE, signed[2], signed[3]);
        vm.assertEq(ownerA.balance, 90);
        vm.assertEq(ownerB.balance, 40 + 110);
    }

    function test_Adversary10_OddSignaturesAndOddParties() public {
        IPaymentChannels.Channel memory channel = closing(duplex(), 100, 100);
        bytes32 digest = updateDigest(channels.channelId(channel), 30, 0);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY_A, digest);
        bytes memory good = abi.encodePacked(r, s, v);
        bytes[10] memory bad = [
            bytes(""),
            hex"00",
            abi.encodePacked(r, ORDER - uint256(s), v == 27 ? uint8(28) : uint8(27)),
            abi.encodePacked(r, s, v - 27),
            abi.encodePacked(r, s, v + 2),
            abi.encodePacked(good, hex"00"),
            abi.encodePacked(r, s, v, r, s, v),
            // A byte short on purpose.
            // forge-lint: disable-next-line(unsafe-typecast)
            abi.encodePacked(r, bytes31(s)),
            new bytes(65),
            new bytes(64)
        ];
        vm.startPrank(ownerB);
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, digest));
            channels.dispute(channel, update(30, 0), bad[i], "");
        }
        channels.dispute(channel, update(30, 0), signCompact(KEY_A, digest), "");
        vm.stopPrank();
        assertSides(channel, 70, 30, 130, 0);

        // Zero would be signed by anyone's garbage, the contract cannot be paid, one signer would play both sides.
        expectBadTerms(0, IPaymentChannels.ZeroSigner.selector);
        expectBadTerms(1, IPaymentChannels.ZeroOwner.selector);
        expectBadTerms(2, IPaymentChannels.OwnerIsContract.selector);
        expectBadTerms(3, IPaymentChannels.SameSigner.selector);
    }

    /// @dev One owner of both sides is no harm: it pays itself. Everything goes to it, whatever is presented.
    function test_Adversary10_OneOwnerOfBothSides() public {
        IPaymentChannels.Channel memory channel = duplex();
        channel.ownerB = ownerA;
        closing(channel, 100, 50);
        dispute(channel, KEY_A, 70, 0);
        settle(channel);
        vm.assertEq(ownerA.balance, 150);
        vm.assertEq(address(channels).balance, 0);
    }

    /// @dev Only the four parties can leave a signature out, and each only that of its own side.
    function test_Adversary18_StrangerActsWithoutASignature() public {
        IPaymentChannels.Channel memory channel = funded(duplex(), 100, 100);
        bytes memory byA = signClose(KEY_A, channel, 90, 0, DEADLINE);
        bytes memory byB = signClose(KEY_B, channel, 90, 0, DEADLINE);
        address[3] memory callers = [stranger, ownerB, signerB];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.startPrank(callers[i]);
            vm.expectPartialRevert(IPaymentChannels.InvalidSignature.selector);
            channels.close(channel, 90, 0, DEADLINE, "", byB);
            vm.expectPartialRevert(IPaymentChannels.InvalidSignature.selector);
            channels.close(channel, 90, 0, DEADLINE, "", "");
            vm.stopPrank();
        }
        vm.startPrank(stranger);
        vm.expectPartialRevert(IPaymentChannels.InvalidSignature.selector);
        channels.close(channel, 90, 0, DEADLINE, byA, "");
        vm.expectPartialRevert(IPaymentChannels.NotParty.selector);
        channels.startClose(channel, update(0, 0), "");
        vm.stopPrank();
        startCloseBare(channel);
        bytes memory signature = signUpdate(KEY_A, channel, 30, 0);
        vm.expectPartialRevert(IPaymentChannels.NotParty.selector);
        vm.prank(stranger);
        channels.dispute(channel, update(30, 0), signature, "");
    }

    function delegate(uint256 key, address implementation) private {
        vm.signAndAttachDelegation(implementation, key);
        channels.MIN_DISPUTE_WINDOW();
        vm.assertEq(vm.addr(key).code.length, 23);
    }

    function expectBadTerms(uint256 how, bytes4 refusal) private {
        for (uint256 i = 0; i < 2; ++i) {
            IPaymentChannels.Channel memory channel = duplex();
            if (how == 0 && i == 0) channel.signerA = address(0);
            if (how == 0 && i == 1) channel.signerB = address(0);
            if (how == 1 && i == 0) channel.ownerA = address(0);
            if (how == 1 && i == 1) channel.ownerB = address(0);
            if (how == 2 && i == 0) channel.ownerA = address(channels);
            if (how == 2 && i == 1) channel.ownerB = address(channels);
            if (how == 3 && i == 0) channel.signerA = signerB;
            if (how == 3 && i == 1) channel.signerB = signerA;
            vm.deal(address(this), 1);
            vm.expectPartialRevert(refusal);
            channels.deposit{value: 1}(channel, A, 1);
        }
    }
}

/// @dev A contract wallet that takes ether and accepts no signature.
contract NayWallet {
    receive() external payable {}

    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return 0xffffffff;
    }
}
