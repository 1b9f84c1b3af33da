// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../src/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "./ChannelTest.sol";
import {GaslessToken} from "./GaslessToken.sol";

/// @title A payer who has tokens but no ether, and what it signs
abstract contract GaslessTest is ChannelTest {
    uint256 internal constant KEY_PAYER = uint256(keccak256("payer"));
    uint256 internal constant FOREVER = type(uint40).max;

    GaslessToken internal gasless;
    address internal payer = vm.addr(KEY_PAYER);

    function setUp() public virtual override {
        super.setUp();
        vm.label(payer, "payer");
        gasless = new GaslessToken("Gasless Dollar", "GUSD", 6);
        gasless.mint(payer, 1000);
    }

    function inGasless(IPaymentChannels.Channel memory channel)
        internal
        view
        returns (IPaymentChannels.Channel memory)
    {
        channel.token = address(gasless);
        return channel;
    }

    /// @dev The payer's permit for the contract, under its next nonce.
    function signPermit(uint256 amount, uint256 deadline) internal view returns (IPaymentChannels.Permit memory) {
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash =
            keccak256(abi.encode(typeHash, payer, address(channels), amount, gasless.nonces(payer), deadline));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY_PAYER, tokenDigest(structHash));
        return IPaymentChannels.Permit({deadline: deadline, v: v, r: r, s: s});
    }

    /// @dev The payer's authorization of one deposit, valid now and for ever.
    function authorize(
        IPaymentChannels.Channel memory channel,
        IPaymentChannels.Side side,
        uint256 amount,
        bytes32 salt
    ) internal view returns (IPaymentChannels.Authorization memory) {
        bytes32 nonce = keccak256(abi.encode(channels.channelId(channel), side, salt));
        return authorize(nonce, address(channels), amount, 0, FOREVER, salt);
    }

    function authorize(bytes32 nonce, address to, uint256 amount, uint256 validAfter, uint256 validBefore, bytes32 salt)
        internal
        view
        returns (IPaymentChannels.Authorization memory)
    {
        bytes32 typeHash = keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        bytes32 structHash = keccak256(abi.encode(typeHash, payer, to, amount, validAfter, validBefore, nonce));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY_PAYER, tokenDigest(structHash));
        return IPaymentChannels.Authorization({
            from: payer, validAfter: validAfter, validBefore: validBefore, salt: salt, v: v, r: r, s: s
        });
    }

    function tokenDigest(bytes32 structHash) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", gasless.DOMAIN_SEPARATOR(), structHash));
    }
}
