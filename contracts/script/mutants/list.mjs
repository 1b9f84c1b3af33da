// Each removes one defence of the contract by replacing text, and names the test that must then fail.
// An edit is [file in src, text, replacement]; the text must occur.

const PAYMENTS = 'PaymentChannels.sol'
const CUSTODY = 'Custody.sol'
const POTS = 'Pots.sol'
const TERMS = 'Terms.sol'
const TRANSFERS = 'Transfers.sol'
const SIGNATURES = 'Signatures.sol'
const DIGESTS = 'Digests.sol'
const INTERFACE = 'interfaces/IPaymentChannels.sol'

const drop = (file, text) => [file, text, '']

/** Payouts have too little gas for a payout inside: with that defence in place, the order would be of no consequence. */
const GAS_TO_SPARE = [
  drop(CUSTODY, 'if (gasleft() < needed) revert GasTooLow(gasleft(), needed);'),
  [TRANSFERS, 'call(share, to,', 'call(gas(), to,'],
  [TRANSFERS, 'call(share, token,', 'call(gas(), token,'],
]

export const mutants = [
  {
    name: "a signer's code is asked",
    test: 'Adversary01',
    edits: [
      [SIGNATURES, 'internal pure', 'internal view'],
      [SIGNATURES, '(signer,,) = ECDSA.tryRecover(digest, r, vs);', '(signer,,) = ECDSA.tryRecover(digest, r, vs);\nif (signer.code.length != 0) signer = address(0);'],
      [SIGNATURES, '(signer,,) = ECDSA.tryRecoverCalldata(digest, signature);', '(signer,,) = ECDSA.tryRecoverCalldata(digest, signature);\nif (signer.code.length != 0) signer = address(0);'],
      [PAYMENTS, 'address expected) private pure', 'address expected) private view'],
      [PAYMENTS, 'bytes calldata signature) private pure returns (address signer)', 'bytes calldata signature) private view returns (address signer)'],
      [PAYMENTS, 'private pure returns (bytes4)', 'private view returns (bytes4)'],
    ],
  },
  { name: 'a payout takes whatever gas there is', test: 'Adversary02', edits: [drop(CUSTODY, 'if (gasleft() < needed) revert GasTooLow(gasleft(), needed);')] },
  { name: "the cost of a payout's call is not reserved", test: 'Adversary02', edits: [[CUSTODY, 'PUSH_OVERHEAD_GAS = 45_000', 'PUSH_OVERHEAD_GAS = 0']] },
  { name: 'a receiver of ether gets all gas', test: 'Adversary02', edits: [[TRANSFERS, 'call(share, to,', 'call(gas(), to,']] },
  { name: 'a failed payout reverts', test: 'Adversary02', edits: [[CUSTODY, 'if (Transfers.send(token, owner, amount, share)) return;', 'if (Transfers.send(token, owner, amount, share)) return;\nrevert NothingNew();']] },
  { name: "a receiver's answer is copied", test: 'Adversary02', edits: [[TRANSFERS, 'success := call(share, to, amount, 0, 0, 0, 0)', 'success := call(share, to, amount, 0, 0, 0, 0)\nreturndatacopy(mload(0x40), 0, returndatasize())']] },
  { name: 'a close may repeat the counter', test: 'Adversary03', edits: [[PAYMENTS, 'if (sentA <= a.sent())', 'if (sentA < a.sent())']] },
  { name: 'paying out forgets the counters', test: 'Adversary03', edits: [[POTS, '& (AMOUNT_MAX << 112));', '& 0);']] },
  { name: 'a close has no deadline', test: 'Adversary03', edits: [drop(PAYMENTS, 'if (block.timestamp > deadline) revert CloseExpired(deadline, block.timestamp);')] },
  {
    name: 'the chain id of the deployment counts for ever',
    test: 'Adversary04',
    edits: [
      [PAYMENTS, '_domainSeparatorV4()', '_domain'],
      [PAYMENTS, 'constructor() EIP712("ChannelNode", "1") {}', 'bytes32 private immutable _domain;\nconstructor() EIP712("ChannelNode", "1") { _domain = _domainSeparatorV4(); }'],
    ],
  },
  { name: 'an update is a consent too', test: 'Adversary04', edits: [[DIGESTS, 'keccak256("Consent(', 'keccak256("BalanceUpdate(']] },
  { name: 'any signer may sign a close', test: 'Adversary04', edits: [drop(PAYMENTS, 'if (signer != expected) revert WrongSigner(signer);')] },
  { name: 'a dispute may bring nothing', test: 'Adversary05', edits: [drop(PAYMENTS, 'if (nextA.sent() == a.sent() && nextB.sent() == b.sent()) revert NothingNew();')] },
  { name: 'a claim may repeat itself', test: 'Adversary05', edits: [drop(PAYMENTS, 'if (row.sent <= a.sent()) return NothingNew.selector;')] },
  { name: 'a window may be of any length', test: 'Adversary06', edits: [[TERMS, 'if (window < MIN_DISPUTE_WINDOW || window > MAX_DISPUTE_WINDOW)', 'if (window == 7)']] },
  { name: 'a dispute may come a second late', test: 'Adversary06', edits: [[PAYMENTS, 'if (block.timestamp >= a.closesAt())', 'if (block.timestamp > a.closesAt())']] },
  { name: 'settling waits a second more', test: 'Adversary06', edits: [[PAYMENTS, 'if (block.timestamp < a.closesAt())', 'if (block.timestamp <= a.closesAt())']] },
  { name: 'the end of a window may need more than 32 bits', test: 'Adversary06', edits: [drop(TERMS, 'if (closesAt > type(uint32).max) revert IPaymentChannels.AmountTooLarge(closesAt, type(uint32).max);')] },
  { name: 'a dispute starts the window anew', test: 'Adversary07', edits: [[PAYMENTS, '_store(record, false, nextA, nextB);', 'nextA = Word.wrap(Word.unwrap(nextA) << 32 >> 32).closing(Terms.closingTime(channel));\n_store(record, false, nextA, nextB);']] },
  { name: 'a close may be started twice', test: 'Adversary07', edits: [[PAYMENTS, 'if (a.closesAt() != 0) revert ChannelClosing(uint32(a.closesAt()));\n        if (a.pot()', 'if (a.pot()']] },
  { name: 'a closing channel takes deposits', test: 'Adversary07', edits: [[PAYMENTS, 'if (a.closesAt() != 0) revert ChannelClosing(uint32(a.closesAt()));\n        Word funded', 'Word funded']] },
  { name: 'an open channel can be settled', test: 'Adversary08', edits: [[PAYMENTS, 'if (a.closesAt() == 0) revert NotClosing();\n        if (block.timestamp < ', 'if (block.timestamp < ']] },
  { name: 'settling does not wait', test: 'Adversary08', edits: [drop(PAYMENTS, 'if (block.timestamp < a.closesAt()) revert WindowOpen(uint32(a.closesAt()), block.timestamp);')] },
  { name: 'paying out does not end the window', test: 'Adversary08', edits: [[POTS, '& (AMOUNT_MAX << 112));', '& ~AMOUNT_MAX);']] },
  { name: 'a deposit may bring more', test: 'Adversary09', edits: [[CUSTODY, 'balance != expected', 'balance < expected']] },
  { name: 'a deposit is not measured', test: 'Adversary09', edits: [drop(CUSTODY, '!known || balance != expected || ')] },
  { name: 'a deposit may happen inside another', test: 'Adversary09', edits: [drop(CUSTODY, ' || pull != _pulls')] },
  { name: 'a token may say two', test: 'Adversary09', edits: [[TRANSFERS, 'eq(mload(0), 1)', 'gt(mload(0), 0)']] },
  { name: 'a token may say 31 bytes', test: 'Adversary09', edits: [[TRANSFERS, 'gt(returndatasize(), 31), eq(mload(0), 1)', 'gt(returndatasize(), 30), gt(mload(0), 0)']] },
  { name: 'no code is a token that says nothing', test: 'TokenThatVanished', edits: [[TRANSFERS, 'gt(extcodesize(token), 0)', '1']] },
  { name: 'settle pays first and records later', test: 'Adversary09_Reentering', edits: [...GAS_TO_SPARE, [PAYMENTS, `_store(record, channel.oneWay, a.emptied(), b.emptied());

        emit Settled(id, a, b);

        _push(channel.token, channel.ownerA, a.pot());
        _push(channel.token, channel.ownerB, b.pot());`, `emit Settled(id, a, b);

        _push(channel.token, channel.ownerA, a.pot());
        _push(channel.token, channel.ownerB, b.pot());
        _store(record, channel.oneWay, a.emptied(), b.emptied());`]] },
  { name: 'close pays first and records later', test: 'Adversary09_Reentering', edits: [[PAYMENTS, `_store(record, oneWay, a.emptied(), b.emptied());

        emit Closed(id, a, b);

        _push(channel.token, channel.ownerA, a.pot());
        _push(channel.token, channel.ownerB, b.pot());`, `emit Closed(id, a, b);

        _push(channel.token, channel.ownerA, a.pot());
        _push(channel.token, channel.ownerB, b.pot());
        _store(record, oneWay, a.emptied(), b.emptied());`]] },
  { name: 'a claim pays each row before it is recorded', test: 'Adversary09_Reentering', edits: [...GAS_TO_SPARE, [PAYMENTS, 'record.a = a;\n\n        emit Claimed(id, a);', '_push(payee.token, payee.owner, paid);\n        record.a = a;\n        paid = 0;\n\n        emit Claimed(id, a);']] },
  { name: 'a credit is paid before it is taken off', test: 'Adversary09_Reentering', edits: [
    [CUSTODY, '_credits[msg.sender][token] = 0;\n', ''],
    [CUSTODY, 'revert TransferFailed(token, address(this), msg.sender, amount);\n        }', 'revert TransferFailed(token, address(this), msg.sender, amount);\n        }\n        _credits[msg.sender][token] = 0;'],
  ] },
  { name: 'a permit is asked for after the deposit is recorded', test: 'Adversary09_Permit', edits: [[PAYMENTS, `Transfers.permit(channel.token, msg.sender, amount, permit);
        _fund(channel, side, amount);`, `_fund(channel, side, amount);
        Transfers.permit(channel.token, msg.sender, amount, permit);`]] },
  { name: 'a signature may be longer', test: 'Adversary10', edits: [[SIGNATURES, 'if (signature.length == 65)', 'if (signature.length > 64)'], [SIGNATURES, 'ECDSA.tryRecoverCalldata(digest, signature)', 'ECDSA.tryRecoverCalldata(digest, signature[:65])']] },
  { name: 's may be in the upper half', test: 'Adversary10', edits: [[SIGNATURES, '(signer,,) = ECDSA.tryRecoverCalldata(digest, signature);', 'signer = ecrecover(digest, uint8(signature[64]), bytes32(signature[:32]), bytes32(signature[32:64]));']] },
  { name: 'a signer may be zero', test: 'Adversary10', edits: [drop(TERMS, 'if (channel.signerA == address(0)) revert IPaymentChannels.ZeroSigner(IPaymentChannels.Side.A);')] },
  { name: 'an owner may be zero', test: 'Adversary10', edits: [drop(TERMS, 'if (owner == address(0)) revert IPaymentChannels.ZeroOwner(side);')] },
  { name: 'the contract may be an owner', test: 'Adversary10', edits: [drop(TERMS, 'if (owner == address(this)) revert IPaymentChannels.OwnerIsContract(side);')] },
  { name: 'one signer may play both sides', test: 'Adversary10', edits: [drop(TERMS, 'if (channel.signerA == channel.signerB) revert IPaymentChannels.SameSigner(channel.signerA);')] },
  { name: 'an authorization is not bound to the side', test: 'Adversary11', edits: [[PAYMENTS, 'keccak256(abi.encode(id, side, salt))', 'keccak256(abi.encode(id, Side.A, salt))']] },
  { name: 'a permit must not be used before', test: 'Adversary11', edits: [[TRANSFERS, 'pop(call(gas(), token, 0, add(data, 0x20), mload(data), 0, 0))', 'if iszero(call(gas(), token, 0, add(data, 0x20), mload(data), 0, 0)) { revert(0, 0) }']] },
  { name: 'ether may come with tokens', test: 'Adversary12', edits: [[CUSTODY, 'if (msg.value != expected)', 'if (msg.value < expected)']] },
  { name: 'a batch may be paid in part', test: 'Adversary12', edits: [drop(PAYMENTS, '_requireValue(token, total);')] },
  { name: 'a batch may mix tokens', test: 'Adversary12', edits: [drop(PAYMENTS, 'if (each.channel.token != token) revert WrongToken(each.channel.token, token);')] },
  {
    name: 'multicall takes ether',
    test: 'Adversary12',
    edits: [
      [INTERFACE, 'function multicall(bytes[] calldata data) external returns', 'function multicall(bytes[] calldata data) external payable returns'],
      [PAYMENTS, 'contract PaymentChannels is EIP712, Custody, Multicall {', 'contract PaymentChannels is EIP712, Custody {'],
      [PAYMENTS, '{Multicall} from "@openzeppelin/contracts/utils/Multicall.sol"', '{Address} from "@openzeppelin/contracts/utils/Address.sol"'],
      [PAYMENTS, 'public override(IPaymentChannels, Multicall) returns (bytes[] memory) {', 'public payable returns (bytes[] memory results) {'],
      [PAYMENTS, 'return super.multicall(data);', 'results = new bytes[](data.length);\nfor (uint256 i = 0; i < data.length; ++i) results[i] = Address.functionDelegateCall(address(this), data[i]);'],
    ],
  },
  { name: 'a bad row reverts the batch', test: 'Adversary13', edits: [[PAYMENTS, 'emit ClaimSkipped(id, reason);\n            return 0;', 'revert NothingNew();']] },
  { name: 'a row may be signed by anyone', test: 'Adversary13', edits: [drop(PAYMENTS, 'if (signer != row.payerSigner) return WrongSigner.selector;')] },
  { name: 'a row may be signed by nobody', test: 'Adversary13', edits: [drop(PAYMENTS, 'if (signer == address(0)) return InvalidSignature.selector;')] },
  { name: 'anyone may present an update', test: 'Adversary14', edits: [drop(PAYMENTS, '_requireConsent(channel, byA, domain, id, update, consent);')] },
  { name: "a side may present its own update", test: 'Adversary14', edits: [[PAYMENTS, 'toB ? (channel.ownerB', '!toB ? (channel.ownerB']] },
  { name: 'what is sent is not capped', test: 'Adversary15', edits: [[POTS, 'if (dX > potX + dY) dX = potX + dY;\n            else if', 'if']] },
  { name: 'what is received is not capped', test: 'Adversary15', edits: [drop(POTS, 'else if (dY > potY + dX) dY = potY + dX;')] },
  { name: 'what is not covered is recorded', test: 'Adversary16', edits: [[POTS, 'return move(x, y, dX, dY);\n    }\n\n    /// @dev As much', '(x, y) = move(x, y, dX, dY);\n        return (Word.wrap(Word.unwrap(x) + (excess(sent_, x.sent()) << 112)), y);\n    }\n\n    /// @dev As much']] },
  { name: 'what is not covered is refused', test: 'Adversary16', edits: [[POTS, 'if (dX > potX + dY) dX = potX + dY;', 'if (dX > potX + dY) revert IPaymentChannels.NothingNew();']] },
  { name: 'a claim is not capped', test: 'Adversary16', edits: [drop(POTS, 'if (paid > a.pot()) paid = a.pot();')] },
  { name: 'side B of a one-way channel can be funded', test: 'Adversary17', edits: [drop(PAYMENTS, 'if (channel.oneWay && side == Side.B) revert OneWayChannel();')] },
  { name: 'a one-way channel is closed with an update', test: 'Adversary17', edits: [[PAYMENTS, 'if (channel.oneWay) revert OneWayChannel();\n            (a, b)', '(a, b)']] },
  { name: 'a one-way channel is disputed', test: 'Adversary17', edits: [[PAYMENTS, 'if (channel.oneWay) revert OneWayChannel();\n        bytes32 domain', 'bytes32 domain']] },
  { name: 'side B of a one-way channel sends in a close', test: 'Adversary17', edits: [drop(PAYMENTS, 'if (oneWay && sentB != 0) revert OneWayChannel();')] },
  { name: 'a claim reaches duplex channels', test: 'Adversary17', edits: [[DIGESTS, 'mstore(add(free, 0xe0), 1) // oneWay', 'mstore(add(free, 0xe0), 0)']] },
  { name: 'anyone may leave a signature out', test: 'Adversary18', edits: [drop(PAYMENTS, ' && Terms.isCaller(owner, signer)')] },
  { name: 'anyone may start a close', test: 'Adversary18', edits: [drop(PAYMENTS, 'Terms.requireParty(channel);')] },
  { name: 'a pot may fill its word', test: 'Adversary19', edits: [[POTS, 'DEPOSIT_MAX = type(uint112).max >> 1', 'DEPOSIT_MAX = type(uint112).max']] },
  { name: 'a pot has no limit', test: 'Adversary19', edits: [drop(POTS, 'if (filled > DEPOSIT_MAX) revert IPaymentChannels.AmountTooLarge(filled, DEPOSIT_MAX);')] },
  { name: 'a close may pay what is not there', test: 'PotsDoNotCover', edits: [[POTS, 'if (dA > a.pot() + dB)', 'if (dA > 2 * a.pot() + dB)']] },
  { name: 'dirty terms can be funded', test: 'DirtyTerms', edits: [[TERMS, 'uint32 window = channel.disputeWindow;', 'uint32 window;\n        assembly { window := and(calldataload(add(channel, 0xa0)), 0xffffffff) }']] },
  { name: 'a dispute tells what was before', test: 'invariant_MoneyCountersAndEvents', edits: [[PAYMENTS, 'emit Disputed(id, nextA, nextB);', 'emit Disputed(id, a, b);']] },
  { name: 'anyone may present an update, at any time', test: 'invariant_MoneyCountersAndEvents', edits: [drop(PAYMENTS, '_requireConsent(channel, byA, domain, id, update, consent);')] },
  { name: 'a claim pays twice', test: 'invariant_MoneyCountersAndEvents', edits: [[PAYMENTS, '_push(payee.token, payee.owner, total);', '_push(payee.token, payee.owner, 2 * total);']] },
  { name: 'counters are forgotten, at any time', test: 'invariant_MoneyCountersAndEvents', edits: [[POTS, '& (AMOUNT_MAX << 112));', '& 0);']] },
  { name: 'a failed payout is lost', test: 'invariant_MoneyCountersAndEvents', edits: [drop(CUSTODY, '_credits[owner][token] += amount;')] },
]
