package io.kvbm.remote;

import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.LongAdder;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.error.KvbmException;
import io.kvbm.error.RemoteException;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.StorageType;
import io.kvbm.transfer.RemoteTransport;

/**
 * Answers what other workers ask of this one. Whoever carries the questions here has made sure who asks. Whatever goes
 * wrong is an answer too. Safe for use by several threads.
 */
public final class WorkerDesk implements PeerLink {

    private static final Logger log = LoggerFactory.getLogger(WorkerDesk.class);

    private final LocalWorker local;
    private final List<BlockPool> pools;
    private final byte[] blockset;
    private final String digest;
    private final Leases leases;
    private final RemoteTransfers transfers;
    private final EventPages events;
    private final Runnable expected;
    private final List<NotificationListener> listeners = new CopyOnWriteArrayList<>();
    private final LongAdder failures = new LongAdder();
    private volatile boolean draining;

    /**
     * Answers for these pools.
     *
     * @param agentMetadata what others need to reach their memory by a transport; empty where there is none
     * @param expected is told when others are about to be at it
     */
    WorkerDesk(LocalWorker local, List<BlockPool> pools, byte[] agentMetadata, Leases leases, RemoteTransfers transfers,
            EventPages events, Runnable expected) {
        this.local = local;
        this.pools = List.copyOf(pools);
        this.blockset = BlocksetCodec.encode(local.blockset(pools, agentMetadata));
        this.digest = BlocksetCodec.digest(blockset);
        this.leases = leases;
        this.transfers = transfers;
        this.events = events;
        this.expected = expected;
    }

    /** Where the events of this worker are, page by page. */
    @FunctionalInterface
    interface EventPages {

        /** The events from a number on, or what is held, where they are not known any more. */
        PeerAnswer.Events page(long epoch, long from);
    }

    @Override
    public PeerAnswer ask(PeerRequest request) {
        try {
            return answer(request);
        } catch (RemoteException e) {
            return refused(e.kind(), e);
        } catch (KvbmException e) {
            return refused(RemoteException.Kind.TRANSPORT, e);
        } catch (RuntimeException e) {
            failures.increment();
            log.warn("A question of worker {} could not be answered", Long.toUnsignedString(request.asker()), e);
            return new PeerAnswer.Refused(RemoteException.Kind.TRANSPORT, "The worker failed to answer; see its log");
        }
    }

    private static PeerAnswer refused(RemoteException.Kind kind, KvbmException why) {
        return new PeerAnswer.Refused(kind, String.valueOf(why.getMessage()));
    }

    private PeerAnswer answer(PeerRequest request) {
        return switch (request) {
            case PeerRequest.State _ -> new PeerAnswer.State(local.workerId(), local.epoch(), local.fingerprint(),
                    digest, draining);
            case PeerRequest.Export _ -> new PeerAnswer.Export(blockset.clone());
            case PeerRequest.Events wanted -> events.page(wanted.epoch(), wanted.from());
            case PeerRequest.Lease wanted -> lease(wanted);
            case PeerRequest.EndLease ended -> end(ended);
            case PeerRequest.Pull wanted -> pull(wanted);
            case PeerRequest.Notify told -> tell(told.asker(), told.notification());
            case PeerRequest.BeginWrite wanted -> beginWrite(wanted);
            case PeerRequest.EndWrite ended -> endWrite(ended);
        };
    }

    private PeerAnswer lease(PeerRequest.Lease wanted) {
        requireEpoch(wanted.epoch());
        expected.run();
        return leases.read(wanted.asker(), pool(wanted.blockSet()), wanted.slots(), wanted.generations(),
                wanted.names(), wanted.time());
    }

    private PeerAnswer end(PeerRequest.EndLease ended) {
        requireEpoch(ended.epoch());
        leases.end(ended.asker(), ended.lease());
        return new PeerAnswer.Done();
    }

    private PeerAnswer pull(PeerRequest.Pull wanted) {
        requireEpoch(wanted.epoch());
        try (Leases.Pull pull = leases.pull(wanted)) {
            if (pull.pins().isEmpty()) {
                return new PeerAnswer.Done(); // the same request came before; its application was told then
            }
            transfers.pull(wanted, pull.pins());
            pull.arrived();
        }
        if (!wanted.notification().isEmpty()) {
            var _ = tell(wanted.asker(), wanted.notification());
        }
        return new PeerAnswer.Done();
    }

    private PeerAnswer beginWrite(PeerRequest.BeginWrite wanted) {
        requireEpoch(wanted.epoch());
        expected.run();
        leases.beginWrite(pool(wanted.blockSet()), wanted);
        return new PeerAnswer.Done();
    }

    private PeerAnswer endWrite(PeerRequest.EndWrite ended) {
        requireEpoch(ended.epoch());
        if (leases.endWrite(ended.asker(), ended.write()) && !ended.notification().isEmpty()) {
            var _ = tell(ended.asker(), ended.notification());
        }
        return new PeerAnswer.Done();
    }

    /**
     * Takes what came with bytes that another worker has moved by itself: the end of what it has begun, or words for the
     * application of who knows nothing of leases. Whoever can send it can reach the memory as well, so it is believed.
     */
    void heard(String agent, byte[] message) {
        OptionalLong worker = RemoteTransport.workerOf(agent);
        if (worker.isEmpty()) {
            log.debug("Agent {} says something, and is named by no worker's number", agent);
        } else if (!ControlCodec.isMessage(message)) {
            hearWords(worker.getAsLong(), message);
        } else {
            hear(worker.getAsLong(), message);
        }
    }

    private void hear(long worker, byte[] message) {
        try {
            PeerRequest request = ControlCodec.decodeRequest(message);
            boolean mayCome = request instanceof PeerRequest.EndWrite || request instanceof PeerRequest.EndLease;
            if (request.asker() != worker || !mayCome) {
                throw Refusal.malformed("A " + request.getClass().getSimpleName() + " of worker "
                        + Long.toUnsignedString(request.asker()) + " is nothing that comes with bytes");
            }
            if (ask(request) instanceof PeerAnswer.Refused refused) {
                log.debug("What worker {} has told has no effect: {}", Long.toUnsignedString(worker),
                        refused.message());
            }
        } catch (RemoteException e) {
            log.debug("What worker {} has told is not understood: {}", Long.toUnsignedString(worker), e.getMessage());
        }
    }

    private void hearWords(long worker, byte[] message) {
        try {
            String text = ControlRanges.text(message);
            ControlRanges.requireNotification(text);
            var _ = tell(worker, text);
        } catch (RemoteException e) {
            log.debug("What worker {} has told is no text: {}", Long.toUnsignedString(worker), e.getMessage());
        }
    }

    private PeerAnswer tell(long worker, String text) {
        for (NotificationListener listener : listeners) {
            try {
                listener.onNotification(worker, text);
            } catch (RuntimeException e) {
                failures.increment();
                log.warn("A listener failed to take a notification of worker {}", Long.toUnsignedString(worker), e);
            }
        }
        return new PeerAnswer.Done();
    }

    private BlockPool pool(int set) {
        BlockPool found = pools.stream()
                .filter(pool -> pool.blocks().number() == set)
                .findFirst()
                .orElseThrow(() -> new RemoteException(RemoteException.Kind.UNKNOWN_BLOCK_SET,
                        "Block set " + set + " is not exported by this worker; fetch its blockset anew"));
        StorageType type = found.blocks().storageType();
        if (!ExportedLevel.isHost(type)) {
            throw new RemoteException(RemoteException.Kind.UNKNOWN_BLOCK_SET, "Block set " + set
                    + " lies in memory of kind " + type
                    + ", of which nothing is leased; ask for its copy in host memory");
        }
        return found;
    }

    private void requireEpoch(long epoch) {
        if (epoch != local.epoch()) {
            throw new RemoteException(RemoteException.Kind.STALE_EPOCH, "Epoch " + Long.toUnsignedString(epoch)
                    + " is asked for and this worker is in " + Long.toUnsignedString(local.epoch())
                    + "; fetch its blockset anew");
        }
    }

    /** Has a listener hear notifications from now on. */
    public void listen(NotificationListener listener) {
        listeners.add(listener);
    }

    /** Tells those who ask that this worker is leaving. */
    void drain() {
        draining = true;
    }

    /** The number of questions and notifications that failed for reasons of this worker. */
    public long failures() {
        return failures.sum();
    }
}
