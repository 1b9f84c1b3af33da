// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "./support/ChannelTest.sol";

/// @dev Which signatures count, shown with startClose; every function recovers in the same place.
contract SignaturesTest is ChannelTest {
    bytes32 internal digest;

    function setUp() public override {
        super.setUp();
        funded(duplex(), 100, 0);
        digest = updateDigest(channels.channelId(duplex()), 5, 0);
    }

    function test_Signature_Of65Bytes() public {
        present(sign(KEY_A, digest));
        assertSides(duplex(), 95, 5, 5, 0);
    }

    function test_Signature_Of64Bytes() public {
        present(signCompact(KEY_A, digest));
        assertSides(duplex(), 95, 5, 5, 0);
    }

    /// @dev A contract wallet's code at the signer's address, which says no to everything, is never asked.
    function test_Signature_CountsWhateverCodeTheSignerHas() public {
        vm.etch(signerA, hex"60006000fd");
        present(sign(KEY_A, digest));
        assertSides(duplex(), 95, 5, 5, 0);
    }

    function test_Signature_CountsAfterTheSignerDelegates() public {
        vm.signAndAttachDelegation(address(token), KEY_A);
        present(sign(KEY_A, digest));
        vm.assertEq(signerA.code.length, 23);
        assertSides(duplex(), 95, 5, 5, 0);
    }

    function testFuzz_Signature_OfAnyKeyInBothForms(uint256 key, uint128 sent, bool compact) public {
        key = bound(key, 1, ORDER - 1);
        if (key == KEY_B) key = KEY_A;
        IPaymentChannels.Channel memory channel = duplex();
        channel.salt = bytes32(uint256(1));
        channel.signerA = vm.addr(key);
        funded(channel, 100, 0);
        sent = boundAmount(sent, 0, 100);
        bytes32 digest_ = updateDigest(channels.channelId(channel), sent, 0);
        bytes memory signature = compact ? signCompact(key, digest_) : sign(key, digest_);

        vm.prank(ownerB);
        channels.startClose(channel, update(sent, 0), signature);

        assertSides(channel, 100 - sent, sent, sent, 0);
    }

    function test_RevertWhen_SIsInTheUpperHalf() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY_A, digest);
        expectInvalid(abi.encodePacked(r, ORDER - uint256(s), v == 27 ? uint8(28) : uint8(27)));
    }

    function test_RevertWhen_VIsNot27Or28() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY_A, digest);
        uint8[6] memory values = [0, 1, v - 27, 26, 29, 255];
        for (uint256 i = 0; i < values.length; ++i) {
            expectInvalid(abi.encodePacked(r, s, values[i]));
        }
    }

    function testFuzz_RevertWhen_LengthIsNot64Or65(uint256 length) public {
        length = bound(length, 1, 200);
        if (length == 64 || length == 65) length = 66;
        bytes memory signature = new bytes(length);
        bytes memory valid = sign(KEY_A, digest);
        for (uint256 i = 0; i < length && i < 65; ++i) {
            signature[i] = valid[i];
        }
        expectInvalid(signature);
    }

    function test_RevertWhen_RecoveredIsZero() public {
        expectInvalid(new bytes(64));
        expectInvalid(new bytes(65));
        expectInvalid(abi.encodePacked(bytes32(0), bytes32(uint256(1)), uint8(27)));
        expectInvalid(abi.encodePacked(bytes32(uint256(1)), bytes32(0), uint8(27)));
    }

    function present(bytes memory signature) private {
        IPaymentChannels.Channel memory channel = duplex();
        vm.prank(signerB);
        channels.startClose(channel, update(5, 0), signature);
    }

    function expectInvalid(bytes memory signature) private {
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.InvalidSignature.selector, digest));
        present(signature);
    }
}
