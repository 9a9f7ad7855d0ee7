package io.kvbm.remote;

import java.time.Duration;

import io.kvbm.error.RemoteException;

/**
 * What one worker asks of another. Numbers of workers, epochs, leases and loans are unsigned. A request that names
 * something impossible cannot be made: it is refused with a {@link RemoteException}, {@code MALFORMED}, or {@code LIMIT}
 * where it names too much, see {@link ControlCodec}.
 */
public sealed interface PeerRequest {

    /** The worker that asks. */
    long asker();

    /**
     * Who are you, since when, and of what content? Answered with {@link PeerAnswer.State}.
     *
     * @param asker the worker that asks
     */
    record State(long asker) implements PeerRequest {}

    /**
     * Where do your blocks lie? Answered with {@link PeerAnswer.Export}.
     *
     * @param asker the worker that asks
     */
    record Export(long asker) implements PeerRequest {}

    /**
     * What has happened to your blocks? Answered with {@link PeerAnswer.Events}.
     *
     * @param asker the worker that asks
     * @param epoch of which start of the worker events are wanted
     * @param from the number of the first event that is wanted, or {@link EventFrame#held} for what is held from a slot
     *        on
     */
    record Events(long asker, long epoch, long from) implements PeerRequest {}

    /**
     * Hold these blocks for me while I read them. Answered with {@link PeerAnswer.Leased}.
     *
     * @param asker the worker that asks
     * @param epoch in which start of the owner the blocks were seen
     * @param blockSet where they lie
     * @param slots the slots
     * @param generations the content of each
     * @param names the identity that the content of each has to have, as many words for every slot, at most 4; none where
     *        the asker does not know
     * @param time how long they are to be held at most
     */
    @SuppressWarnings("ArrayRecordComponent") // a message, which is made once and read once
    record Lease(long asker, long epoch, int blockSet, int[] slots, long[] generations, long[] names, Duration time)
            implements
                PeerRequest {

        /** The words of an identity at most. */
        static final int MAX_WORDS = 4;

        /** Asks for content of which the identity is not known. */
        public Lease(long asker, long epoch, int blockSet, int[] slots, long[] generations, Duration time) {
            this(asker, epoch, blockSet, slots, generations, new long[0], time);
        }

        /** How many words the identity of each has. */
        int words() {
            return slots.length == 0 ? 0 : names.length / slots.length;
        }

        /** Refuses numbers below 0, other than one generation and as many words for each slot, and no time. */
        public Lease {
            ControlRanges.requireFromZero("The block set", blockSet);
            ControlRanges.requireSlots("slots", slots);
            ControlRanges.requireSameNumber("slots", slots.length, "generations", generations.length);
            ControlRanges.requireNames(slots.length, names.length, MAX_WORDS);
            ControlRanges.requireGenerations(generations);
            ControlRanges.requireTime(time);
        }
    }

    /**
     * I neither read nor write any more what this lease holds. Answered with {@link PeerAnswer.Done}, also where the
     * lease has ended before.
     *
     * @param asker the worker that asks
     * @param epoch in which start of the owner the lease was given
     * @param lease its number
     */
    record EndLease(long asker, long epoch, long lease) implements PeerRequest {}

    /**
     * Copy blocks of mine, which I lend you meanwhile, into blocks of yours that you have leased for it. Answered with
     * {@link PeerAnswer.Done} when the last byte has arrived.
     *
     * @param asker the worker that asks, whose blocks are the sources
     * @param askerEpoch the start of the asker
     * @param epoch the start of the worker that is asked
     * @param sourceSet where the sources lie
     * @param sources their slots
     * @param loans the number under which each is lent
     * @param lease the number of the lease under which the destinations may be written; 0 for any lease of theirs
     * @param targetSet where the destinations lie
     * @param targets their slots, in the same order
     * @param notification what the worker that is asked tells its application then; empty for nothing
     */
    @SuppressWarnings("ArrayRecordComponent") // a message, which is made once and read once
    record Pull(long asker, long askerEpoch, long epoch, int sourceSet, int[] sources, long[] loans, long lease,
            int targetSet, int[] targets, String notification) implements PeerRequest {

        /** Refuses numbers below 0, and other than one loan and one target for each source. */
        public Pull {
            ControlRanges.requireFromZero("The block set of the sources", sourceSet);
            ControlRanges.requireFromZero("The block set of the targets", targetSet);
            ControlRanges.requireSlots("sources", sources);
            ControlRanges.requireSameNumber("sources", sources.length, "loans", loans.length);
            ControlRanges.requireSameNumber("sources", sources.length, "targets", targets.length);
            ControlRanges.requireSlots("targets", targets);
            ControlRanges.requireNotification(notification);
        }
    }

    /**
     * I am about to write blocks of yours, that you have leased to me for it, by myself. Answered with
     * {@link PeerAnswer.Done}, also where it has come before; from then on until {@link EndWrite} nobody else may use
     * them.
     *
     * @param asker the worker that asks
     * @param epoch the start of the worker that is asked
     * @param write the number that the asker gives to what begins, and to nothing else
     * @param lease the number of the lease under which they may be written; 0 for any lease of theirs
     * @param blockSet where they lie
     * @param slots their slots
     */
    @SuppressWarnings("ArrayRecordComponent") // a message, which is made once and read once
    record BeginWrite(long asker, long epoch, long write, long lease, int blockSet,
            int[] slots) implements PeerRequest {

        /** Refuses numbers below 0, and no slot at all. */
        public BeginWrite {
            if (slots.length == 0) {
                throw Refusal.malformed("The write names no slot; name at least one");
            }
            ControlRanges.requireFromZero("The block set", blockSet);
            ControlRanges.requireSlots("slots", slots);
        }
    }

    /**
     * I write no more what I have begun to write. It comes behind the bytes, on the way that they have gone, or alone
     * where none was written. Answered with {@link PeerAnswer.Done}, also where it has come before.
     *
     * @param asker the worker that asks
     * @param epoch the start of the worker that is asked
     * @param write its number
     * @param notification what the worker that is asked tells its application then; empty for nothing
     */
    record EndWrite(long asker, long epoch, long write, String notification) implements PeerRequest {

        /** Refuses a notification that is too long. */
        public EndWrite {
            ControlRanges.requireNotification(notification);
        }
    }

    /**
     * Tell your application. Answered with {@link PeerAnswer.Done}.
     *
     * @param asker the worker that asks
     * @param notification what to tell; not empty
     */
    record Notify(long asker, String notification) implements PeerRequest {

        /** Refuses a notification of nothing. */
        public Notify {
            if (notification.isEmpty()) {
                throw Refusal.malformed("The notification is empty; send none to tell nothing");
            }
            ControlRanges.requireNotification(notification);
        }
    }
}
