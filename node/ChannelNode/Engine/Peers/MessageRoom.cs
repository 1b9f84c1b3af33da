using ChannelNode.Core;

namespace ChannelNode.Engine;

/// <summary>
/// What the callers of one door have sent and this node is not done with: messages that are not whole yet, and frames that wait to be
/// verified, written and answered. Where the frames are more than half of <paramref name="bytesMax"/> nobody has more than one under way.
/// Where all is more than that the caller that holds most, with all its calls together, loses the largest of them, before others one
/// without a funded channel: keys and addresses cost nothing. For any thread.
/// </summary>
/// <param name="funded">Null for a door whose callers have no channels.</param>
internal sealed class MessageRoom(long bytesMax, FundedPeers? funded)
{
    private readonly Lock _lock = new();
    private readonly HashSet<Part> _parts = [];
    private long _held;
    private long _work;
    private long _ended;

    public long Held => Volatile.Read(ref _held);

    /// <summary>Of what is whole and under way; what never becomes whole is in nobody's way before all is full.</summary>
    public bool IsCrowded => Volatile.Read(ref _work) > bytesMax / 2;

    /// <summary>Calls that ended because they held most.</summary>
    public long Ended => Volatile.Read(ref _ended);

    /// <summary>For one call, to be disposed of at its end.</summary>
    public Part Enter()
    {
        Part part = new(this);
        lock (_lock) _parts.Add(part);
        return part;
    }

    private void Change(long bytes)
    {
        long held = Interlocked.Add(ref _held, bytes);
        if (bytes < 0) return;
        if (held > bytesMax / 2) funded?.Look(); // It takes a while until they are known.
        if (held > bytesMax) MakeRoom();
    }

    private void MakeRoom()
    {
        List<Part> leaving = [];
        lock (_lock)
        {
            while (Held > bytesMax && Fattest() is { } fattest)
            {
                _parts.Remove(fattest);
                fattest.Leave();
                leaving.Add(fattest);
            }
        }

        foreach (Part part in leaving)
        {
            Interlocked.Increment(ref _ended);
            part.End(new RefusalException(
                Refusal.TooManyBytes,
                $"the bytes of messages that wait at this door are more than {bytesMax}, and most of them are this caller's: come again")
            {
                Field = "message",
                Limit = $"{bytesMax}",
            });
        }
    }

    /// <summary>Under the lock.</summary>
    private Part? Fattest()
    {
        Dictionary<object, (Part Largest, long Bytes)> callers = [];
        foreach (Part part in _parts)
        {
            long bytes = part.Bytes;
            if (bytes == 0) continue;
            object caller = part.Caller;
            callers[caller] = callers.TryGetValue(caller, out (Part Largest, long Bytes) known)
                ? (bytes > known.Largest.Bytes ? part : known.Largest, known.Bytes + bytes)
                : (part, bytes);
        }

        (Part? fattest, long most, bool isStranger) = (null, 0, false);
        foreach ((Part largest, long bytes) in callers.Values)
        {
            bool strange = funded is not null && !funded.Has(largest.Signer);
            if (fattest is not null && (strange == isStranger ? bytes <= most : isStranger)) continue;
            (fattest, most, isStranger) = (largest, bytes, strange);
        }

        return fattest;
    }

    /// <summary>One call's part of the room.</summary>
    public sealed class Part(MessageRoom room) : IDisposable
    {
        private readonly Lock _counting = new();
        private long _bytes;
        private long _work;
        private Address _signer;
        private bool _isGone;
        private Action<RefusalException>? _leaving;
        private volatile RefusalException? _why;

        /// <summary>Who calls, once it is proven; zero before that.</summary>
        public Address Signer
        {
            get
            {
                lock (_counting) return _signer;
            }

            set
            {
                lock (_counting) _signer = value;
            }
        }

        /// <summary>What tells who calls from others, where that is no key: an access token, or an address. Null for the call alone.</summary>
        public object? Holder { private get; set; }

        /// <summary>Whose calls count together.</summary>
        public object Caller => Holder ?? (Signer is { IsZero: false } signer ? signer : this);

        public long Bytes => Volatile.Read(ref _bytes);

        public bool IsCrowded => room.IsCrowded;

        /// <summary>Why the call had to end; null where it had not.</summary>
        public RefusalException? Why => _why;

        /// <summary>Calls back, on any thread, when the call has to end; at once where it has already.</summary>
        public void OnEnd(Action<RefusalException> leave)
        {
            lock (_counting) _leaving += leave;
            if (_why is { } why) leave(why);
        }

        /// <summary>So many bytes more are held, or less.</summary>
        public void Add(long bytes)
        {
            if (bytes == 0) return;
            lock (_counting)
            {
                if (_isGone) return;
                _bytes += bytes;
            }

            room.Change(bytes); // Where it has left meanwhile, what it gave back was with these.
        }

        /// <summary>The same of what is whole and under way: where that is much, all callers have less of it.</summary>
        public void AddWork(long bytes)
        {
            lock (_counting)
            {
                if (_isGone) return;
                _work += bytes;
                Interlocked.Add(ref room._work, bytes);
            }

            Add(bytes);
        }

        internal void Leave()
        {
            lock (_counting)
            {
                if (_isGone) return;
                _isGone = true;
                Interlocked.Add(ref room._held, -_bytes);
                Interlocked.Add(ref room._work, -_work);
            }
        }

        internal void End(RefusalException why)
        {
            _why = why;
            Action<RefusalException>? leaving;
            lock (_counting) leaving = _leaving;
            leaving?.Invoke(why);
        }

        public void Dispose()
        {
            lock (room._lock) room._parts.Remove(this);
            Leave();
        }
    }
}
