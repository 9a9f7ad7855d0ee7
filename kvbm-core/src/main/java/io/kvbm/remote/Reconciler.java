package io.kvbm.remote;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Collectors;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.error.Decision;
import io.kvbm.error.KvbmException;
import io.kvbm.error.RemoteException;
import io.kvbm.time.MonotonicClock;

/**
 * Keeps the peers that are known in step with a catalog of addresses. The catalog says where workers may be; who is
 * there, in which life and with what content, each says itself, and only that counts.
 *
 * <ul>
 * <li>An address that is listed is asked who is there, whatever the catalog thinks of its health. A worker that is new,
 * was started anew, or exports something else is imported; one that is leaving is asked for nothing more.
 * <li>A worker that does not answer for a while is let go, listed or not. One that answers but is not listed any more is
 * let go much later: catalogs forget, lag, and answer with nothing.
 * <li>Two addresses at which different lives of one worker answer are two workers with one id. Neither is used until one
 * of them is silent.
 * </ul>
 *
 * <p>
 * It has neither thread nor timer: {@link #step} does what is due, and hands the questions to an executor, one task per
 * address, so that a worker that hangs delays nobody else.
 */
public final class Reconciler {

    private static final Logger log = LoggerFactory.getLogger(Reconciler.class);

    private final LocalWorker local;
    private final Peers peers;
    private final PeerLinks links;
    private final MonotonicClock clock;
    private final ReconcilerSettings settings;
    private final Followers followers;

    private final Map<String, Watch> watches = new HashMap<>();
    private final LongAdder refusals = new LongAdder();
    private boolean tooMany;

    /** Knows nobody yet. */
    public Reconciler(LocalWorker local, Peers peers, PeerLinks links, MonotonicClock clock,
            ReconcilerSettings settings, Followers followers) {
        this.local = local;
        this.peers = peers;
        this.links = links;
        this.clock = clock;
        this.settings = settings;
        this.followers = followers;
    }

    /** Who follows what peers hold; called by one task per peer at a time. */
    public interface Followers {

        /** Follows nobody. */
        Followers NONE = new Followers() {
            @Override
            public void follow(Peer peer, PeerLink link, int pages) {}

            @Override
            public void forget(long workerId) {}
        };

        /**
         * Fetches what has happened at a peer since the last call.
         *
         * @param pages how many pages to fetch at most
         */
        void follow(Peer peer, PeerLink link, int pages);

        /** Forgets what a worker holds. */
        void forget(long workerId);
    }

    // ---------------------------------------------------------------------------------------------- catalog

    /** Takes what the catalog answered; a catalog that did not answer is not told of here. */
    public synchronized void listed(Collection<String> addresses) {
        long now = clock.nanoTime();
        for (String address : addresses) {
            if (!watches.containsKey(address)) {
                if (watches.size() >= settings.addresses()) {
                    tellOfTooMany();
                    break;
                }
                watches.put(address, new Watch(address, links.to(address), now));
            }
        }
        Set<String> present = Set.copyOf(addresses);
        watches.values().forEach(watch -> watch.listed(present.contains(watch.address), now));
    }

    private void tellOfTooMany() {
        if (!tooMany) {
            log.warn("The catalog lists more than the {} addresses that are watched; raise the limit",
                    settings.addresses());
        }
        tooMany = true; // said once
    }

    /**
     * Asks whoever is due, and lets go whose time has come; to be called several times a second. Whom the executor has no
     * room for is asked in a later step.
     */
    public void step(Executor executor) {
        for (Watch watch : due()) {
            if (watch.turn.compareAndSet(false, true)) {
                try {
                    executor.execute(() -> visit(watch));
                } catch (RejectedExecutionException e) {
                    watch.turn.set(false);
                    log.debug("The worker at {} is asked later: {}", watch.address, e.getMessage());
                } catch (RuntimeException | Error e) {
                    watch.turn.set(false);
                    throw e;
                }
            }
        }
        letGo();
        peers.advance();
    }

    private synchronized List<Watch> due() {
        long now = clock.nanoTime();
        return watches.values().stream().filter(watch -> watch.isDue(now)).toList();
    }

    private synchronized void letGo() {
        long now = clock.nanoTime();
        for (Watch watch : List.copyOf(watches.values())) {
            if (watch.turn.compareAndSet(false, true)) { // what is being learnt of it is not to come after its end
                letGo(watch, now);
                watch.turn.set(false);
            }
        }
    }

    private void letGo(Watch watch, long now) {
        boolean gone = watch.isSilentFor(settings.dead(), now) || watch.isAbsentFor(settings.absent(), now)
                || (!watch.listed && watch.silent);
        if (gone) {
            forgetWhoAnswered(watch);
            watch.answer = null;
        }
        if (!watch.listed && watch.answer == null) {
            watches.remove(watch.address);
        }
    }

    private static Optional<Long> worker(Watch watch) {
        return Optional.ofNullable(watch.answer).map(PeerAnswer.State::workerId);
    }

    /** Forgets the worker that answered there last, unless it is known from another address, which is not silent. */
    private void forgetWhoAnswered(Watch watch) {
        worker(watch).filter(worker -> watches.values()
                .stream()
                .noneMatch(other -> other != watch && !other.silent && isReachedBy(worker, other.link)))
                .ifPresent(this::forget);
    }

    private boolean isReachedBy(long worker, PeerLink link) {
        return peers.peer(worker).filter(peer -> peer.isReachedBy(link)).isPresent();
    }

    private void forget(long worker) {
        peers.remove(worker);
        followers.forget(worker);
    }

    // ---------------------------------------------------------------------------------------------- one address

    private void visit(Watch watch) {
        boolean answered = false;
        boolean settled = false;
        try {
            PeerAnswer.State state = ask(watch);
            answered = true;
            if (isDisputed(watch, state)) {
                forget(state.workerId());
            } else if (state.workerId() != local.workerId()) {
                settle(watch, state);
            }
            settled = true;
        } catch (RuntimeException e) { // whatever it is, it is this address's affair only
            refusals.increment();
            answered |= e instanceof RemoteException refusal && refusal.kind() == RemoteException.Kind.BUSY;
            tell(watch, e);
        } finally { // also where a visit ends with an error: without a pause it would be made again and again
            visited(watch, answered, settled);
            watch.turn.set(false);
        }
    }

    private synchronized void visited(Watch watch, boolean answered, boolean settled) {
        if (settled) {
            watch.succeeded(clock.nanoTime(), settings.interval());
        } else {
            watch.silent = !answered;
            watch.failed(clock.nanoTime(), settings);
        }
    }

    /** What does not pass by itself is said aloud, once of an address and until it is of use. */
    private synchronized void tell(Watch watch, RuntimeException e) {
        if (!(e instanceof KvbmException)) {
            log.warn("The worker at {} could not be asked", watch.address, e);
        } else if (e instanceof RemoteException refusal && refusal.decision() == Decision.FATAL
                && watch.complaints.add(refusal.kind())) {
            log.warn("The worker at {} is of no use: {}", watch.address, e.getMessage());
        } else {
            log.debug("Nothing was learnt of the worker at {}: {}", watch.address, e.getMessage());
        }
    }

    private PeerAnswer.State ask(Watch watch) {
        PeerAnswer answer = watch.link.ask(new PeerRequest.State(local.workerId()));
        if (!(answer instanceof PeerAnswer.State state)) {
            throw unexpected(watch.address, answer);
        }
        synchronized (this) {
            if (worker(watch).filter(before -> before != state.workerId()).isPresent()) {
                forgetWhoAnswered(watch);
            }
            watch.answered(state, clock.nanoTime());
        }
        return state;
    }

    private static RemoteException unexpected(String address, PeerAnswer answer) {
        return answer instanceof PeerAnswer.Refused(RemoteException.Kind kind, String message)
                ? new RemoteException(kind, "The worker at " + address + " refused: " + message)
                : Refusal.malformed("The worker at " + address + " gave an answer to another question");
    }

    /** Has what is known of a worker agree with what it says. */
    private void settle(Watch watch, PeerAnswer.State state) {
        long worker = state.workerId();
        if (peers.peer(worker).filter(known -> known.epoch() != state.epoch()).isPresent()) {
            forget(worker); // that life is over, whatever the next one exports
        }
        if (state.draining()) {
            peers.leave(worker);
            followers.forget(worker);
            return;
        }
        Peer peer = peers.peer(worker)
                .filter(known -> known.isReached() && known.digest().equals(state.digest()))
                .orElse(null);
        if (peer == null) {
            peer = fetch(watch, state);
        } else {
            peers.returned(worker);
        }
        if (peer.hits()) {
            followers.follow(peer, watch.link, settings.pages());
        }
    }

    private Peer fetch(Watch watch, PeerAnswer.State state) {
        PeerAnswer answer = watch.link.ask(new PeerRequest.Export(local.workerId()));
        if (!(answer instanceof PeerAnswer.Export export)) {
            throw unexpected(watch.address, answer);
        }
        Blockset blockset = BlocksetCodec.decode(export.blockset());
        if (blockset.workerId() != state.workerId() || blockset.epoch() != state.epoch()
                || !BlocksetCodec.digest(export.blockset()).equals(state.digest())) {
            throw new RemoteException(RemoteException.Kind.STALE_EPOCH, "The worker at " + watch.address
                    + " was started anew or has changed while it was asked; it is asked again");
        }
        Peer peer = peers.replace(blockset, state.digest(), watch.link);
        followers.forget(state.workerId()); // what was exported before
        return peer;
    }

    // ---------------------------------------------------------------------------------------------- one id, two workers

    /** Whether another worker has the id of the one that answers, which is said once. */
    private boolean isDisputed(Watch watch, PeerAnswer.State state) {
        Optional<String> rival = rival(watch, state);
        synchronized (this) {
            if (rival.isPresent() && !disputed().contains(state.workerId())) {
                log.error("Worker {} is used by nobody: those at {} and {} are two workers with one id. Give every"
                        + " worker an id of its own", Long.toUnsignedString(state.workerId()), watch.address,
                        rival.get());
            }
            watch.disputed = rival.isPresent();
        }
        return rival.isPresent();
    }

    /** Where another life of the worker answers too; both are asked once more before that is said. */
    private Optional<String> rival(Watch watch, PeerAnswer.State state) {
        if (state.workerId() == local.workerId()) {
            return state.epoch() == local.epoch() ? Optional.empty() : Optional.of("this one");
        }
        for (Watch other : rivals(watch, state)) {
            Optional<Long> theirs = epoch(other, state.workerId());
            Optional<Long> ours = epoch(watch, state.workerId());
            if (theirs.isPresent() && ours.isPresent() && !theirs.equals(ours)) {
                return Optional.of(other.address);
            }
        }
        return Optional.empty();
    }

    private synchronized List<Watch> rivals(Watch watch, PeerAnswer.State state) {
        List<Watch> rivals = new ArrayList<>();
        for (Watch other : watches.values()) {
            PeerAnswer.State theirs = other.answer;
            if (!other.address.equals(watch.address) && theirs != null && theirs.workerId() == state.workerId()
                    && theirs.epoch() != state.epoch()) {
                rivals.add(other);
            }
        }
        return rivals;
    }

    /** Which life of the worker answers there now; empty where none does. */
    private Optional<Long> epoch(Watch watch, long worker) {
        try {
            return watch.link.ask(new PeerRequest.State(local.workerId())) instanceof PeerAnswer.State state
                    && state.workerId() == worker ? Optional.of(state.epoch()) : Optional.empty();
        } catch (RuntimeException e) {
            return Optional.empty();
        }
    }

    /** The ids that more than one worker has. */
    public synchronized Set<Long> disputed() {
        return watches.values()
                .stream()
                .filter(watch -> watch.disputed && !watch.silent)
                .flatMap(watch -> worker(watch).stream())
                .collect(Collectors.toUnmodifiableSet());
    }

    /** The number of addresses that are watched. */
    public synchronized int addresses() {
        return watches.size();
    }

    /** The number of questions that were not answered, or with something that was refused. */
    public long refusals() {
        return refusals.sum();
    }
}
