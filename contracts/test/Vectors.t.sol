// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.37;

import {IPaymentChannels} from "../src/interfaces/IPaymentChannels.sol";
import {Signatures} from "../src/Signatures.sol";
import {ChannelTest} from "./support/ChannelTest.sol";

/// @dev The contract against the vectors that the node's tests read too. It tells no digests of updates and closes:
/// those that the other tests sign are compared, and by accepting these the contract shows that its own are the same.
contract VectorsTest is ChannelTest {
    struct ChannelVector {
        uint256 chainId;
        address verifyingContract;
        address ownerA;
        address signerA;
        address ownerB;
        address signerB;
        address token;
        uint32 disputeWindow;
        bool oneWay;
        bytes32 salt;
        bytes32 channelId;
    }

    struct UpdateVector {
        uint256 chainId;
        address verifyingContract;
        bytes32 channelId;
        uint128 sent;
        uint128 received;
        bytes32 digest;
    }

    struct NonceVector {
        bytes32 channelId;
        uint8 side;
        bytes32 salt;
        bytes32 nonce;
    }

    struct PermitVector {
        string domainName;
        string domainVersion;
        uint256 chainId;
        address verifyingContract;
        address owner;
        address spender;
        uint256 value;
        uint256 nonce;
        uint256 deadline;
        bytes32 digest;
    }

    struct AuthorizationVector {
        string domainName;
        string domainVersion;
        uint256 chainId;
        address verifyingContract;
        address from;
        address to;
        uint256 value;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 nonce;
        bytes32 digest;
    }

    struct WordVector {
        uint256 pot;
        uint256 sent;
        uint256 closesAt;
        uint256 word;
    }

    struct CloseVector {
        uint256 chainId;
        address verifyingContract;
        bytes32 channelId;
        uint128 sentA;
        uint128 sentB;
        uint64 deadline;
        bytes32 digest;
    }

    // The file's key is "address", a word of the language: where `account` occurs, forge reads by the order of fields.
    struct ValidVector {
        uint256 privateKey;
        address account;
        bytes32 digest;
        bytes signature;
        bytes compactSignature;
    }

    struct InvalidVector {
        bytes32 digest;
        bytes signature;
    }

    struct RecoverVector {
        bytes32 digest;
        bytes signature;
        address account;
    }

    struct HashVector {
        bytes input;
        bytes32 hash;
    }

    SignatureProbe internal probe;

    function setUp() public override {
        super.setUp();
        probe = new SignatureProbe();
    }

    function test_Vectors_ChannelIds() public {
        bytes memory rows_ = vm.parseJsonTypeArray(
            vectors("eip712"),
            ".channels",
            "ChannelVector(uint256 chainId,address verifyingContract,address ownerA,address signerA,address ownerB,address signerB,address token,uint32 disputeWindow,bool oneWay,bytes32 salt,bytes32 channelId)"
        );
        ChannelVector[] memory all = abi.decode(rows_, (ChannelVector[]));
        vm.assertEq(all.length, 12);
        for (uint256 i = 0; i < all.length; ++i) {
            ChannelVector memory v = all[i];
            moveTo(v.chainId, v.verifyingContract);
            IPaymentChannels.Channel memory channel = IPaymentChannels.Channel(
                v.ownerA, v.signerA, v.ownerB, v.signerB, v.token, v.disputeWindow, v.oneWay, v.salt
            );
            vm.assertEq(channels.channelId(channel), v.channelId);
        }
    }

    function test_Vectors_BalanceUpdates() public {
        bytes memory rows_ = vm.parseJsonTypeArray(
            vectors("eip712"),
            ".balanceUpdates",
            "UpdateVector(uint256 chainId,address verifyingContract,bytes32 channelId,uint128 sent,uint128 received,bytes32 digest)"
        );
        UpdateVector[] memory all = abi.decode(rows_, (UpdateVector[]));
        vm.assertEq(all.length, 48);
        for (uint256 i = 0; i < all.length; ++i) {
            moveTo(all[i].chainId, all[i].verifyingContract);
            vm.assertEq(updateDigest(all[i].channelId, all[i].sent, all[i].received), all[i].digest);
        }
    }

    function test_Vectors_Consents() public {
        bytes memory rows_ = vm.parseJsonTypeArray(
            vectors("eip712"),
            ".consents",
            "UpdateVector(uint256 chainId,address verifyingContract,bytes32 channelId,uint128 sent,uint128 received,bytes32 digest)"
        );
        UpdateVector[] memory all = abi.decode(rows_, (UpdateVector[]));
        vm.assertEq(all.length, 48);
        for (uint256 i = 0; i < all.length; ++i) {
            moveTo(all[i].chainId, all[i].verifyingContract);
            vm.assertEq(consentDigest(all[i].channelId, all[i].sent, all[i].received), all[i].digest);
        }
    }

    function test_Vectors_AuthorizationNonces() public view {
        bytes memory rows_ = vm.parseJsonTypeArray(
            vectors("eip712"),
            ".authorizationNonces",
            "NonceVector(bytes32 channelId,uint8 side,bytes32 salt,bytes32 nonce)"
        );
        NonceVector[] memory all = abi.decode(rows_, (NonceVector[]));
        vm.assertEq(all.length, 5);
        for (uint256 i = 0; i < all.length; ++i) {
            NonceVector memory v = all[i];
            vm.assertEq(channels.authorizationNonce(v.channelId, v.side == 0 ? A : B, v.salt), v.nonce);
        }
    }

    /// @dev The other tests sign these for a token that takes them only if its digest is the same.
    function test_Vectors_Permits() public view {
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes memory rows_ = vm.parseJsonTypeArray(
            vectors("eip712"),
            ".permits",
            "PermitVector(string domainName,string domainVersion,uint256 chainId,address verifyingContract,address owner,address spender,uint256 value,uint256 nonce,uint256 deadline,bytes32 digest)"
        );
        PermitVector[] memory all = abi.decode(rows_, (PermitVector[]));
        vm.assertEq(all.length, 6);
        for (uint256 i = 0; i < all.length; ++i) {
            PermitVector memory v = all[i];
            bytes32 domain = domainOf(v.domainName, v.domainVersion, v.chainId, v.verifyingContract);
            bytes32 structHash = keccak256(abi.encode(typeHash, v.owner, v.spender, v.value, v.nonce, v.deadline));
            vm.assertEq(keccak256(abi.encodePacked(hex"1901", domain, structHash)), v.digest);
        }
    }

    function test_Vectors_Authorizations() public view {
        bytes32 typeHash = keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        bytes memory rows_ = vm.parseJsonTypeArray(
            vectors("eip712"),
            ".authorizations",
            "AuthorizationVector(string domainName,string domainVersion,uint256 chainId,address verifyingContract,address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce,bytes32 digest)"
        );
        AuthorizationVector[] memory all = abi.decode(rows_, (AuthorizationVector[]));
        vm.assertEq(all.length, 6);
        for (uint256 i = 0; i < all.length; ++i) {
            AuthorizationVector memory v = all[i];
            bytes32 domain = domainOf(v.domainName, v.domainVersion, v.chainId, v.verifyingContract);
            bytes32 structHash =
                keccak256(abi.encode(typeHash, v.from, v.to, v.value, v.validAfter, v.validBefore, v.nonce));
            vm.assertEq(keccak256(abi.encodePacked(hex"1901", domain, structHash)), v.digest);
        }
    }

    function test_Vectors_Words() public {
        bytes memory rows_ = vm.parseJsonTypeArray(
            vectors("abi"), ".words", "WordVector(uint256 pot,uint256 sent,uint256 closesAt,uint256 word)"
        );
        WordVector[] memory all = abi.decode(rows_, (WordVector[]));
        vm.assertEq(all.length, 6);
        for (uint256 i = 0; i < all.length; ++i) {
            WordVector memory v = all[i];
            vm.store(address(channels), keccak256(abi.encode(bytes32(i), 3)), bytes32(v.word));
            (uint128 potA, uint128 sentA, uint128 potB, uint128 sentB, uint32 time) = channels.sides(bytes32(i));
            vm.assertEq(potA, v.pot);
            vm.assertEq(sentA, v.sent);
            vm.assertEq(time, v.closesAt);
            vm.assertEq(uint256(potB) + sentB, 0);
        }
    }

    function test_Vectors_Closes() public {
        bytes memory rows_ = vm.parseJsonTypeArray(
            vectors("eip712"),
            ".closes",
            "CloseVector(uint256 chainId,address verifyingContract,bytes32 channelId,uint128 sentA,uint128 sentB,uint64 deadline,bytes32 digest)"
        );
        CloseVector[] memory all = abi.decode(rows_, (CloseVector[]));
        vm.assertEq(all.length, 12);
        for (uint256 i = 0; i < all.length; ++i) {
            CloseVector memory v = all[i];
            moveTo(v.chainId, v.verifyingContract);
            vm.assertEq(closeDigest(v.channelId, v.sentA, v.sentB, v.deadline), v.digest);
        }
    }

    function test_Vectors_ValidSignatures() public view {
        ValidVector[] memory all = abi.decode(
            vm.parseJsonTypeArray(
                vectors("signatures"),
                ".valid",
                "Valid(uint256 privateKey,address address,bytes32 digest,bytes signature,bytes compactSignature)"
            ),
            (ValidVector[])
        );
        vm.assertEq(all.length, 32);
        for (uint256 i = 0; i < all.length; ++i) {
            vm.assertEq(vm.addr(all[i].privateKey), all[i].account);
            vm.assertEq(probe.recover(all[i].digest, all[i].signature), all[i].account);
            vm.assertEq(probe.recover(all[i].digest, all[i].compactSignature), all[i].account);
        }
    }

    function test_Vectors_RecoveredSignatures() public view {
        RecoverVector[] memory all = abi.decode(
            vm.parseJsonTypeArray(
                vectors("signatures"), ".recover", "Recover(bytes32 digest,bytes signature,address address)"
            ),
            (RecoverVector[])
        );
        vm.assertEq(all.length, 4);
        for (uint256 i = 0; i < all.length; ++i) {
            vm.assertEq(probe.recover(all[i].digest, all[i].signature), all[i].account);
        }
    }

    function test_Vectors_InvalidSignatures() public view {
        InvalidVector[] memory all = abi.decode(
            vm.parseJsonTypeArray(vectors("signatures"), ".invalid", "InvalidVector(bytes32 digest,bytes signature)"),
            (InvalidVector[])
        );
        vm.assertEq(all.length, 24);
        for (uint256 i = 0; i < all.length; ++i) {
            vm.assertEq(probe.recover(all[i].digest, all[i].signature), address(0));
        }
    }

    function test_Vectors_Keccak() public view {
        HashVector[] memory all = abi.decode(
            vm.parseJsonTypeArray(vectors("keccak"), ".cases", "HashVector(bytes input,bytes32 hash)"), (HashVector[])
        );
        vm.assertEq(all.length, 12);
        for (uint256 i = 0; i < all.length; ++i) {
            vm.assertEq(keccak256(all[i].input), all[i].hash);
        }
    }

    function domainOf(string memory name, string memory version, uint256 chainId, address account)
        private
        pure
        returns (bytes32)
    {
        bytes32 typeHash =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        return keccak256(abi.encode(typeHash, keccak256(bytes(name)), keccak256(bytes(version)), chainId, account));
    }

    function vectors(string memory name) private view returns (string memory) {
        return vm.readFile(string.concat("../tests/vectors/", name, ".json"));
    }

    /// @dev Puts the contract at a vector's address on a vector's chain.
    function moveTo(uint256 chainId, address account) private {
        bytes memory code = address(channels).code;
        vm.chainId(chainId);
        channels = IPaymentChannels(account);
        vm.etch(account, code);
    }
}

/// @dev Lets a test call what the contract uses.
contract SignatureProbe {
    function recover(bytes32 digest, bytes calldata signature) external pure returns (address) {
        return Signatures.tryRecover(digest, signature);
    }
}
