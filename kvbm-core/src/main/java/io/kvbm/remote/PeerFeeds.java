package io.kvbm.remote;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

import io.kvbm.error.RemoteException;

/** Follows what peers hold, each by a feed of its own, and keeps the index up to date with it. Safe for use by several threads. */
final class PeerFeeds implements Reconciler.Followers {

    private final LocalWorker local;
    private final PeerIndex index;
    private final Map<Long, PeerFeed> feeds = new HashMap<>();

    PeerFeeds(LocalWorker local, PeerIndex index) {
        this.local = local;
        this.index = index;
    }

    @Override
    public void follow(Peer peer, PeerLink link, int pages) {
        PeerFeed feed = feed(peer);
        feed.propose(peer.mayBeTakenFrom()); // another that has the same is proposed instead
        for (int page = 0; page < pages; page++) {
            PeerRequest.Events wanted = feed.next(local.workerId());
            PeerAnswer answer = link.ask(wanted);
            if (!(answer instanceof PeerAnswer.Events events)) {
                throw answer instanceof PeerAnswer.Refused(RemoteException.Kind kind, String message)
                        ? new RemoteException(kind, peer + " refused to tell its events: " + message)
                        : Refusal.malformed(peer + " gave an answer to another question");
            }
            PeerFeed.Outcome outcome = feed.take(EventFrameCodec.decode(events.frame()));
            if (outcome == PeerFeed.Outcome.RESTARTED) {
                forget(peer.workerId());
                return;
            }
            if (feed.isFollowing() && feed.next(local.workerId()).equals(wanted)) {
                return; // nothing new
            }
        }
    }

    private synchronized PeerFeed feed(Peer peer) {
        PeerFeed present = feeds.get(peer.workerId());
        if (present != null && present.isOf(peer.epoch())) {
            return present;
        }
        forget(peer.workerId());
        PeerFeed feed = PeerFeed.of(index, peer.blockset());
        feeds.put(peer.workerId(), feed);
        return feed;
    }

    @Override
    public synchronized void forget(long workerId) {
        Optional.ofNullable(feeds.remove(workerId)).ifPresent(PeerFeed::close);
    }
}
