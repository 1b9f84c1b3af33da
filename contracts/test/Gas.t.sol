// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "./support/ChannelTest.sol";

/// @title What every operation costs, each as a transaction of its own
/// @dev The figures are in snapshots/GasTest.json, and FORGE_SNAPSHOT_CHECK=true compares with them. Amounts have nine
/// bytes and nobody's balance is made from nothing, as in scripts/gas.sh.
/// forge-config: default.isolate = true
contract GasTest is ChannelTest {
    uint128 private constant AMOUNT = 0x7b172b3c4d5e6f7112;
    uint256 private constant MANY = 100;

    string private _asset;

    function test_Gas_Ether() external {
        _asset = "ether ";
        _oneWay(oneWay());
        _duplex(duplex());
        _batches(oneWay());
    }

    function test_Gas_Token() external {
        _asset = "token ";
        _oneWay(inToken(oneWay()));
        _duplex(inToken(duplex()));
        _batches(inToken(oneWay()));
    }

    function _oneWay(IPaymentChannels.Channel memory channel) private {
        _prepare(channel);
        _deposit(channel, A);
        _measured("open");
        _deposit(channel, A);
        _measured("top-up");
        channels.claim(payeeOf(channel), rows(rowOf(channel, AMOUNT / 2)));
        _measured("claim");
        (bytes memory signatureA, bytes memory signatureB) = _signClose(channel, AMOUNT, 0);
        channels.close(channel, AMOUNT, 0, DEADLINE, signatureA, signatureB);
        _measured("close one-way, relayed");
        _deposit(channel, A);
        _measured("re-open");
        (signatureA,) = _signClose(channel, AMOUNT + AMOUNT / 2, 0);
        vm.prank(ownerB);
        channels.close(channel, AMOUNT + AMOUNT / 2, 0, DEADLINE, signatureA, "");
        _measured("close one-way");
    }

    function _duplex(IPaymentChannels.Channel memory channel) private {
        _prepare(channel);
        _deposit(channel, A);
        _measured("open duplex");
        _deposit(channel, B);
        _measured("open side b");
        (bytes memory signatureA, bytes memory signatureB) = _signClose(channel, AMOUNT, AMOUNT / 2);
        channels.close(channel, AMOUNT, AMOUNT / 2, DEADLINE, signatureA, signatureB);
        _measured("close duplex");
        _deposit(channel, A);
        _deposit(channel, B);
        _disputed(channel);
    }

    function _disputed(IPaymentChannels.Channel memory channel) private {
        (uint128 sentA, uint128 sentB) = (AMOUNT + AMOUNT / 2, AMOUNT / 2 + AMOUNT / 8);
        bytes memory signature = _sign(KEY_A, channel, sentA, sentB);
        vm.prank(signerB);
        channels.startClose(channel, update(sentA, sentB), signature);
        _measured("start close");
        (sentB, sentA) = (AMOUNT + AMOUNT / 4, sentA + AMOUNT / 8);
        signature = _sign(KEY_B, channel, sentB, sentA);
        vm.prank(signerA);
        channels.dispute(channel, update(sentB, sentA), signature, "");
        _measured("dispute");
        sentB += AMOUNT / 16;
        signature = _sign(KEY_B, channel, sentB, sentA);
        bytes memory consent = signCompact(KEY_A, consentDigest(channels.channelId(channel), sentB, sentA));
        channels.dispute(channel, update(sentB, sentA), signature, consent);
        _measured("dispute by a watchtower");
        vm.warp(block.timestamp + WINDOW);
        channels.settle(channel);
        _measured("settle");
    }

    function _batches(IPaymentChannels.Channel memory terms) private {
        IPaymentChannels.Deposit[] memory deposits = new IPaymentChannels.Deposit[](MANY);
        IPaymentChannels.ClaimRow[] memory claims = new IPaymentChannels.ClaimRow[](MANY);
        for (uint256 i = 0; i < MANY; ++i) {
            IPaymentChannels.Channel memory channel = abi.decode(abi.encode(terms), (IPaymentChannels.Channel));
            channel.salt = keccak256(abi.encode(i));
            deposits[i] = IPaymentChannels.Deposit({channel: channel, side: A, amount: AMOUNT});
            claims[i] = rowOf(channel, AMOUNT / 2);
        }
        channels.depositMany{value: terms.token == address(0) ? MANY * AMOUNT : 0}(terms.token, deposits);
        _measured("batch deposit of 100");
        channels.claim(payeeOf(terms), claims);
        _measured("batch claim of 100");
    }

    function _prepare(IPaymentChannels.Channel memory channel) private {
        channel.salt = keccak256("salt");
        vm.deal(address(this), type(uint128).max);
        vm.deal(ownerA, 1);
        vm.deal(ownerB, 1);
        token.mint(address(this), type(uint120).max);
        token.mint(ownerA, 1);
        token.mint(ownerB, 1);
        token.mint(address(channels), 1);
        token.approve(address(channels), type(uint256).max);
    }

    function _deposit(IPaymentChannels.Channel memory channel, IPaymentChannels.Side side) private {
        channels.deposit{value: channel.token == address(0) ? AMOUNT : 0}(channel, side, AMOUNT);
    }

    function _measured(string memory operation) private {
        vm.snapshotGasLastCall(string.concat(_asset, operation));
    }

    function _sign(uint256 key, IPaymentChannels.Channel memory channel, uint128 sent, uint128 received)
        private
        view
        returns (bytes memory)
    {
        return signCompact(key, updateDigest(channels.channelId(channel), sent, received));
    }

    function _signClose(IPaymentChannels.Channel memory channel, uint128 sentA, uint128 sentB)
        private
        view
        returns (bytes memory, bytes memory)
    {
        bytes32 digest = closeDigest(channels.channelId(channel), sentA, sentB, DEADLINE);
        return (signCompact(KEY_A, digest), signCompact(KEY_B, digest));
    }
}
